#!/bin/sh
# A throw-away S3 server: one Ceph monitor, one OSD and one RADOS gateway on the loopback.  Everything lives in DIR; nothing needs
# root, and no service of the system is touched.
#
#     rgw.sh start DIR [PORT [STORE]]     boot, 1 to 3 seconds.  PORT 0 (the default): a free one.  STORE: memstore (the default: in memory,
#                                         lost with its daemon), bluestore or filestore (survive; filestore takes short keys only)
#     rgw.sh stop DIR                     stop what was started
#     rgw.sh kill DIR DAEMON...           kill -9; DAEMON: mon, osd, rgw
#     rgw.sh restart-daemon DIR DAEMON... start daemons again that were killed or stopped, or stop them first
#     rgw.sh admin DIR ARGUMENT...        radosgw-admin
#
# DIR/env is to be sourced: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL_S3, and RGW_TLS_URL.  The same
# is in DIR/credentials and DIR/config for AWS_SHARED_CREDENTIALS_FILE and AWS_CONFIG_FILE.  The user may do everything, STS and the
# admin interface included; s3.py makes further ones.
#
# Environment of start:
#     RGW_ACCESS_KEY, RGW_SECRET_KEY      credentials
#     RGW_TLS_CERT, RGW_TLS_KEY           PEM files: also serve https on a port of its own
#     RGW_DNS_NAME                        serve BUCKET.RGW_DNS_NAME (virtual-host addressing)
#     RGW_THROTTLE=N                      answer 503 SlowDown to more than N requests at the same time
#     RGW_FRONTEND                        further options of the frontend, as request_timeout_ms=1500
#     RGW_CONF                            further lines of ceph.conf
#
# Server-side encryption: SSE-C works, SSE-KMS with the keys testkey-1 and testkey-2; SSE-S3 is ignored by Ceph 16.  Quotas: s3.py quota.
set -eu

HERE=$(cd "$(dirname "$0")" && pwd)

die() {
	echo "rgw.sh: $*" >&2
	exit 1
}

# Without cephx, manager and keyrings a cluster boots in a second; the pools and logs are as small as they may be.
write_conf() {
	frontend="endpoint=127.0.0.1:$port tcp_nodelay=1 ${RGW_FRONTEND-}"
	[ -z "${RGW_TLS_CERT-}" ] ||
		frontend="$frontend ssl_endpoint=127.0.0.1:$tls_port ssl_certificate=$RGW_TLS_CERT ssl_private_key=$RGW_TLS_KEY"
	# Debian 13's default is not an absolute path.
	for classes in /usr/lib/*/rados-classes /usr/lib64/rados-classes; do
		[ ! -d "$classes" ] || break
	done
	cat >"$D/ceph.conf" <<-EOC
		[global]
		fsid = $fsid
		mon host = v1:127.0.0.1:$mon_port/0
		public addr = 127.0.0.1
		ms bind msgr2 = false
		auth cluster required = none
		auth service required = none
		auth client required = none
		run dir = $D/run
		crash dir = $D/run
		admin socket = $socket
		log file = $D/log/\$name.log
		mon data = $D/mon
		osd data = $D/osd
		osd journal = $D/osd/journal
		rgw data = $D/rgw
		mon data avail crit = 0
		mon data avail warn = 0
		mon allow pool size one = true
		mon max pg per osd = 10000
		paxos propose interval = 0.01
		paxos min wait = 0.01
		osd objectstore = $store
		osd crush chooseleaf type = 0
		osd crush update on start = false
		osd class update on start = false
		osd pool default size = 1
		osd pool default min size = 1
		osd pool default pg num = 1
		osd pool default pgp num = 1
		osd pool default pg autoscale mode = off
		osd class dir = $classes
		osd check max object name len on startup = false
		osd op num shards = 2
		osd op num threads per shard = 1
		osd memory target = 939524096
		osd journal size = 256
		memstore device bytes = 8589934592
		bluestore block size = 8589934592
		rgw frontends = beast $frontend
		rgw thread pool size = 16
		rgw num control oids = 1
		rgw override bucket index max shards = 1
		rgw dynamic resharding = false
		rgw run sync thread = false
		rgw lc max objs = 1
		rgw data log num shards = 1
		rgw md log max shards = 1
		rgw objexp hints num shards = 1
		rgw usage max shards = 1
		# What is deleted is to be gone in seconds: memstore holds it in memory.
		rgw gc max objs = 1
		rgw gc obj min wait = 2
		rgw gc processor period = 2
		rgw gc processor max time = 2
		# Caches would hide for half a minute that a bucket is full.  (The interval is in seconds; with 0 a thread never rests.)
		rgw bucket quota ttl = 0
		rgw user quota bucket sync interval = 1
		rgw crypt require ssl = false
		rgw crypt s3 kms backend = testing
		rgw crypt s3 kms encryption keys = testkey-1=MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY= testkey-2=ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=
		rgw enable apis = s3, s3website, sts, iam, admin
		rgw s3 auth use sts = true
		# With the default order a wrong signature is a bare AccessDenied.
		rgw s3 auth order = local, sts
		rgw sts key = abcdefghijklmnop
	EOC
	if [ -n "${RGW_DNS_NAME-}" ]; then
		echo "rgw dns name = $RGW_DNS_NAME" >>"$D/ceph.conf"
	fi
	if [ -n "${RGW_THROTTLE-}" ]; then
		printf 'rgw scheduler type = throttler\nrgw max concurrent requests = %s\n' "$RGW_THROTTLE" >>"$D/ceph.conf"
	fi
	printf '%s\n' "${RGW_CONF-}" >>"$D/ceph.conf"
}

write_env() {
	cat >"$D/env" <<-EOE
		export AWS_ACCESS_KEY_ID='$key'
		export AWS_SECRET_ACCESS_KEY='$secret'
		export AWS_REGION=us-east-1
		export AWS_ENDPOINT_URL_S3=http://127.0.0.1:$port
		export AWS_EC2_METADATA_DISABLED=true
		RGW_TLS_URL=${RGW_TLS_CERT:+https://localhost:$tls_port}
	EOE
	printf '[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n' "$key" "$secret" >"$D/credentials"
	printf '[default]\nregion = us-east-1\nendpoint_url = http://127.0.0.1:%s\n' "$port" >"$D/config"
}

# launch DAEMON: in the background; its number goes to DIR/DAEMON.pid
launch() {
	case $1 in
	mon) set -- mon ceph-mon -i a -f ;;
	osd) set -- osd ceph-osd -i 0 -f ;;
	rgw) set -- rgw radosgw -f -n client.rgw ;;
	*) die "$1 is no daemon" ;;
	esac
	daemon=$1
	shift
	# A session of its own: who interrupts a test at the terminal interrupts the test, which then stops the server.
	setsid "$@" </dev/null >>"$D/log/$daemon.out" 2>&1 &
	echo $! >"$D/$daemon.pid"
}

# A killed daemon is a zombie until whoever started it has looked: that is not running any more.
running() {
	[ -s "$D/$1.pid" ] && [ -r "/proc/$(cat "$D/$1.pid")/stat" ] &&
		[ "$(sed 's/.*) //' "/proc/$(cat "$D/$1.pid")/stat" 2>/dev/null | cut -c1)" != Z ]
}

# halt SIGNAL DAEMON: and wait for its end; after ten seconds there is no mercy.
halt() {
	tries=0
	running "$2" || return 0
	kill "-$1" "$(cat "$D/$2.pid")" 2>/dev/null || true
	kill -CONT "$(cat "$D/$2.pid")" 2>/dev/null || true
	while running "$2"; do
		tries=$((tries + 1))
		[ $tries -ne 200 ] || kill -KILL "$(cat "$D/$2.pid")" 2>/dev/null || true
		sleep 0.05
	done
	rm -f "$D/$2.pid"
}

# An OSD whose monitor is gone does not end: the order matters.
stop_all() {
	for daemon in rgw osd mon; do
		halt TERM $daemon
	done
	rm -rf "${socket%/*}"
}

answers() {
	python3 - "$port" <<-'EOP'
		import http.client, sys
		try:
		    c = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=5)
		    c.request("GET", "/")
		    c.getresponse()
		except OSError:
		    sys.exit(1)
	EOP
}

# The gateway answers once it can: the python that asks is started when the port is open, not before.
wait_for_gateway() {
	tries=0
	until grep -q "$(printf '%04X' "$port") 00000000:0000 0A" /proc/net/tcp && answers; do
		tries=$((tries + 1))
		if ! running rgw || [ $tries -ge 600 ]; then
			tail -n 3 "$D/log/rgw.out" >&2
			return 1
		fi
		sleep 0.05
	done
}

# Each step needs the one before; the map with osd.0 in it saves the monitor a dialogue.
boot() {
	export CEPH_CONF="$D/ceph.conf"
	{
		monmaptool --create --clobber --fsid "$fsid" --addv a "v1:127.0.0.1:$mon_port/0" "$D/monmap"
		osdmaptool --createsimple 1 --clobber "$D/osdmap"
		ceph-mon -i a --mkfs --monmap "$D/monmap" --osdmap "$D/osdmap"
	} >"$D/log/setup.log" 2>&1 || return 1
	launch mon
	ceph-osd -i 0 --mkfs >>"$D/log/setup.log" 2>&1 || return 1
	launch osd
	# It would wait for ever for a monitor that could not start.
	timeout 60 radosgw-admin user create --uid=test --display-name=test --access-key="$key" --secret-key="$secret" \
	    --caps='users=*;buckets=*;roles=*;user-policy=*;usage=*;metadata=*' >"$D/log/user.json" 2>"$D/log/user.err" || return 1
	launch rgw
	wait_for_gateway
}

read_state() {
	[ -r "$D/state" ] || die "$D holds no server"
	# shellcheck disable=SC1091 # written by start
	. "$D/state"
	export CEPH_CONF="$D/ceph.conf"
}

# One attempt: ports that were free may be taken by somebody else a moment later.
try_start() {
	# shellcheck disable=SC2046 # numbers
	set -- "$1" $(python3 "$HERE/ports.py" 3)
	port=$1
	[ "$port" != 0 ] || port=$2
	mon_port=$3
	tls_port=$4
	fsid=$(cat /proc/sys/kernel/random/uuid)
	# The path of a Unix socket is short; DIR may be deep.
	socket=$(mktemp -d /tmp/rgw.XXXXXX)/\$name.asok
	rm -rf "$D/mon" "$D/osd" "$D/rgw" "$D/run"
	mkdir -p "$D/mon" "$D/osd" "$D/rgw" "$D/run" "$D/log"
	printf "port=%s socket='%s'\n" "$port" "$socket" >"$D/state"
	write_conf
	boot
}

start() {
	wanted=${1:-0}
	store=${2:-memstore}
	key=${RGW_ACCESS_KEY:-AKTEST0000000000TEST}
	# With what must be encoded in places.
	secret=${RGW_SECRET_KEY:-secret+With/Slash=0123456789abcdefghijkl}
	[ ! -e "$D/state" ] || die "$D is in use"
	umask 077
	attempts=3
	while [ $attempts -gt 0 ]; do
		if try_start "$wanted"; then
			write_env
			return 0
		fi
		stop_all
		attempts=$((attempts - 1))
	done
	rm -f "$D/state"
	cat "$D"/log/setup.log "$D"/log/user.err "$D"/log/*.out 2>/dev/null | tail -n 20 >&2
	die "the server does not start"
}

[ $# -ge 2 ] || die "usage: rgw.sh start|stop|kill|restart-daemon|admin DIR ..."
command=$1
mkdir -p "$2"
D=$(cd "$2" && pwd)
shift 2
case $command in
start)
	start "$@"
	;;
stop)
	[ ! -r "$D/state" ] || {
		read_state
		stop_all
		rm -f "$D/state"
	}
	;;
kill)
	read_state
	for daemon in "$@"; do
		halt KILL "$daemon"
	done
	;;
restart-daemon)
	read_state
	for daemon in "$@"; do
		halt TERM "$daemon"
		launch "$daemon"
	done
	wait_for_gateway
	;;
admin)
	read_state
	radosgw-admin "$@"
	;;
*)
	die "what is $command?"
	;;
esac
