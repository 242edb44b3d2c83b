#!/usr/bin/python3
"""A throw-away OpenStack Swift with its S3 interface, the stricter second dialect: it insists on the region, answers 501 to conditional
writes, and ignores object lock and SSE-C without a word.

    swift.py start DIR [PORT]       about 6 seconds; PORT 0 (the default): a free one
    swift.py stop DIR

Everything lives in DIR, which needs a file system with user extended attributes.  Nothing needs root.  DIR/env is to be sourced, as with
rgw.sh.  The python is Debian's, because Swift's modules belong to it; memcached is started because Swift's authentication wants one.

Environment of start: SWIFT_ACCESS_KEY (account:user), SWIFT_SECRET_KEY.
"""
import getpass
import os
import signal
import socket
import subprocess
import sys
import time

sys.dont_write_bytecode = True
from ports import free_ports  # noqa: E402

# In this folder "swift" is this file.
sys.path.remove(os.path.dirname(os.path.realpath(__file__)))

COMMON = """[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
user = {user}
swift_dir = {etc}
devices = {dir}/srv
mount_check = false
disable_fallocate = true
fallocate_reserve = 0
log_address = {dir}/no-syslog
"""
STORAGE = """[pipeline:main]
pipeline = {name}-server
[app:{name}-server]
use = egg:swift#{name}
recon_cache_path = {dir}/cache
"""
FILTERS = ("catch_errors gatekeeper cache listing_formats s3api tempauth bulk copy slo dlo versioned_writes symlink "
           "proxy-logging").split()
OPTIONS = {
    "cache": "memcache_servers = 127.0.0.1:{memcached}\n",
    "tempauth": "user_{account} = {secret} .admin\n",
    "s3api": "s3_acl = false\nlocation = us-east-1\nallow_no_owner = true\ndns_compliant_bucket_names = false\n"
             "auth_pipeline_check = false\n",
    "versioned_writes": "allow_versioned_writes = true\nallow_object_versioning = true\n",
}


def proxy_conf(values):
    text = "[pipeline:main]\npipeline = %s proxy-server\n" % " ".join(FILTERS)
    text += "[app:proxy-server]\nuse = egg:swift#proxy\naccount_autocreate = true\n"
    for name in FILTERS:
        egg = {"cache": "memcache"}.get(name, name.replace("-", "_"))
        text += "[filter:%s]\nuse = egg:swift#%s\n%s" % (name, egg, OPTIONS.get(name, "").format(**values))
    return text


def detached(log):
    """In a fresh child: away from the caller's terminal, pipes and signals."""
    os.setsid()
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)


class Swift:
    def __init__(self, folder, port):
        ports = free_ports(5)
        self.port = port or ports[4]
        self.storage = dict(zip(("account", "container", "object"), ports))
        self.memcached = ports[3]
        self.dir, self.etc = folder, folder + "/etc"
        self.key = os.environ.get("SWIFT_ACCESS_KEY", "test:tester")
        self.secret = os.environ.get("SWIFT_SECRET_KEY", "testing")
        self.values = {"dir": self.dir, "etc": self.etc, "user": getpass.getuser(), "memcached": self.memcached,
                       "account": self.key.replace(":", "_"), "secret": self.secret}
        self.pids = []

    def serve(self, name, port, text):
        """A fork of this process, which has the modules loaded already, becomes one server."""
        conf = "%s/%s.conf" % (self.etc, name)
        with open(conf, "w") as f:
            f.write(COMMON.format(port=port, **self.values) + text)
        pid = os.fork()
        if pid == 0:
            from swift.common.wsgi import run_wsgi
            detached("%s/log/%s.log" % (self.dir, name))
            os._exit(run_wsgi(conf, name + "-server", verbose=True) or 0)
        self.pids.append(pid)

    def start_memcached(self):
        command = ["memcached", "-l", "127.0.0.1", "-p", str(self.memcached), "-m", "16", "-t", "1"]
        if os.getuid() == 0:
            command += ["-u", "nobody"]
        quiet = subprocess.DEVNULL
        self.pids.append(subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True).pid)

    def ring(self, name, port):
        from swift.common.ring import RingBuilder
        builder = RingBuilder(0, 1, 1)
        builder.add_dev({"region": 1, "zone": 1, "ip": "127.0.0.1", "port": port, "device": "d1", "weight": 1.0,
                         "replication_ip": "127.0.0.1", "replication_port": port, "meta": ""})
        builder.rebalance()
        builder.get_ring().save("%s/%s.ring.gz" % (self.etc, name))

    def start(self):
        for name in ("etc", "srv/d1", "log", "cache"):
            os.makedirs(os.path.join(self.dir, name), exist_ok=True)
        with open(self.etc + "/swift.conf", "w") as f:
            f.write("[swift-hash]\nswift_hash_path_suffix = x\nswift_hash_path_prefix = y\n"
                    "[storage-policy:0]\nname = p0\ndefault = yes\n")
        # Read when the first of Swift's modules is imported; the default is in /etc.
        from swift.common import utils
        utils.SWIFT_CONF_FILE = self.etc + "/swift.conf"
        self.start_memcached()
        for name, port in self.storage.items():
            self.ring(name, port)
            self.serve(name, port, STORAGE.format(name=name, dir=self.dir))
        self.serve("proxy", self.port, proxy_conf(self.values))
        with open(self.dir + "/pids", "w") as f:
            f.write(" ".join(map(str, self.pids)) + "\n")
        for port in (*self.storage.values(), self.memcached, self.port):
            wait_for(port)

    def write_env(self):
        with open(self.dir + "/env", "w") as f:
            f.write("export AWS_ACCESS_KEY_ID='%s'\nexport AWS_SECRET_ACCESS_KEY='%s'\nexport AWS_REGION=us-east-1\n"
                    "export AWS_ENDPOINT_URL_S3=http://127.0.0.1:%d\nexport AWS_EC2_METADATA_DISABLED=true\n"
                    % (self.key, self.secret, self.port))


def wait_for(port):
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise TimeoutError("nobody listens at port %d" % port)


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def stop(folder):
    try:
        with open(folder + "/pids") as f:
            pids = [int(p) for p in f.read().split()]
    except OSError:
        return
    deadline = time.monotonic() + 2
    for pid in filter(alive, pids):
        os.kill(pid, signal.SIGTERM)
    while any(map(alive, pids)):
        if time.monotonic() > deadline:
            for pid in filter(alive, pids):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)
    os.unlink(folder + "/pids")


def start(folder, port):
    if os.path.exists(folder + "/pids"):
        sys.exit("swift.py: %s is in use" % folder)
    os.umask(0o077)
    os.makedirs(folder, exist_ok=True)
    # Ports that were free may be taken a moment later.
    for attempt in range(3):
        swift = Swift(folder, port)
        try:
            swift.start()
            swift.write_env()
            return
        except TimeoutError as e:
            stop(folder)
            problem = e
    sys.exit("swift.py: %s (see %s/log)" % (problem, folder))


if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] not in ("start", "stop"):
        sys.exit("usage: swift.py start DIR [PORT] | stop DIR")
    if sys.argv[1] == "start":
        start(os.path.abspath(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 0)
        # The children are servers by now: no handlers of theirs are to run here.
        sys.stdout.flush()
        os._exit(0)
    stop(os.path.abspath(sys.argv[2]))
