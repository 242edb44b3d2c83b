"""A Ceph RADOS gateway on the loopback, in memory, and the proxy that counts and delays requests: tests/s3 has both."""
import os
import pathlib
import shlex
import shutil
import signal
import subprocess

S3 = pathlib.Path(__file__).resolve().parent.parent / "s3"
BUCKET = "bench"
DAEMONS = ("mon", "osd", "rgw")
# What would run in between, every now and then: that is noise here.
CONFIGURATION = "rgw gc processor period = 3600\n"
START_S = 120
STOP_S = 60


class Unavailable(Exception):
    """The server does not start; the text says why."""


def command(*arguments, env=None):
    """Not in the foreground's group: Ctrl-C is for the benchmark, which then stops the server with these."""
    done = subprocess.run([*map(str, arguments)], env={**os.environ, **(env or {})}, capture_output=True, text=True, check=False,
                          timeout=START_S, start_new_session=True)
    if done.returncode != 0:
        raise Unavailable(f"{pathlib.Path(arguments[0]).name}: {done.stderr.strip() or f'exit status {done.returncode}'}")
    return done.stdout


def read_environment(path):
    """The variables of a file of lines `export NAME=VALUE`."""
    found = {}
    for word in shlex.split(path.read_text()):
        name, equals, value = word.partition("=")
        if equals and name.startswith("AWS_"):
            found[name] = value
    return found


def processor_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Server:
    """Started when the context is entered, with an empty bucket, and gone with all that it holds when it is left."""

    def __init__(self, folder):
        self.folder = folder
        self.environment = {}

    def __enter__(self):
        self.clear()
        try:
            command(S3 / "rgw.sh", "start", self.folder, env={"RGW_CONF": CONFIGURATION})
            self.environment = read_environment(self.folder / "env")
            self.ask("make-bucket", BUCKET)
            # The first request of a kind pays for what the server then keeps.
            self.ask("put", BUCKET, "first", "/dev/null")
            self.ask("get", BUCKET, "first", "/dev/null")
        except BaseException:
            self.clear()
            raise
        return self

    def __exit__(self, *_):
        self.clear()

    def clear(self):
        """Also what a run that was killed has left."""
        if self.folder.exists():
            command(S3 / "rgw.sh", "stop", self.folder)
            shutil.rmtree(self.folder)

    def ask(self, *arguments):
        return command(S3 / "s3.py", *arguments, env=self.environment)

    def stored(self, prefix):
        """Bytes of all objects below it."""
        return sum(int(line.split(" ", 1)[0]) for line in self.ask("list", BUCKET, prefix).splitlines())

    def cpu(self):
        """Processor seconds of all daemons up to now."""
        return sum(processor_seconds((self.folder / f"{daemon}.pid").read_text().strip()) for daemon in DAEMONS)

    @property
    def endpoint(self):
        return self.environment["AWS_ENDPOINT_URL_S3"]


def build_proxy(program):
    subprocess.run([os.environ.get("CC", "gcc"), "-O2", "-D_GNU_SOURCE", "-pthread", "-o", program, *sorted(S3.glob("proxy*.c"))],
                   check=True)


class Proxy:
    """Between clients and a server, as long as the context is open.  delay: milliseconds, added to every request."""

    def __init__(self, program, folder, server, delay=0):
        self.program = program
        self.log = folder / "proxy.log"
        self.rules = folder / "proxy.rules"
        self.server = server
        self.delay = delay
        self.child = None
        self.endpoint = ""

    def __enter__(self):
        self.log.write_text("")
        self.rules.write_text(f"delay {self.delay}\n" if self.delay else "")
        host, _, port = self.server.endpoint.rpartition("/")[2].partition(":")
        self.child = subprocess.Popen([self.program, "-l", self.log, "-r", self.rules, "0", host, port], text=True,
                                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True)
        self.endpoint = f"http://127.0.0.1:{self.child.stdout.readline().strip()}"
        return self

    def __exit__(self, *_):
        self.child.send_signal(signal.SIGKILL)
        self.child.wait()
        self.child.stdout.close()

    def cpu(self):
        return processor_seconds(self.child.pid)

    def forget(self):
        os.truncate(self.log, 0)

    def requests(self):
        """How many of each method since forget()."""
        counts = {}
        for line in self.log.read_text().splitlines():
            method = line.split(" ", 1)[0]
            counts[method] = counts.get(method, 0) + 1
        return counts
