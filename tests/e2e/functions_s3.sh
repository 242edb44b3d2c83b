# Sourced by functions.sh when the repository is to be in a bucket: REPO_PLACE=s3.
#
# begin_s3 brings up a server of its own ($S3_SERVER: rgw, the default, or swift), a bucket, and the proxy of tests/s3 between the program and
# the server.  The program goes through the proxy; `s3` (tests/s3/s3.py), which judges and prepares, goes to the server itself.

S3_TOOLS=$(realpath "$E2E/../s3")
S3_SERVER=${S3_SERVER-rgw}
BUCKET=e2e
places=0

s3() {
	python3 "$S3_TOOLS/s3.py" --endpoint "$direct" "$@"
}

start_server() {
	local program=$S3_TOOLS/rgw.sh
	[ "$S3_SERVER" = rgw ] || program=$S3_TOOLS/swift.py
	on_clean_up+=("$program stop $T/server")
	"$program" start "$T/server" 0 "$@" || die "the S3 server does not start"
	# shellcheck disable=SC1091 # written by the server
	. "$T/server/env"
	direct=$AWS_ENDPOINT_URL_S3
}

build_proxy() {
	[ -z "${PROXY-}" ] || return 0
	PROXY=$T/proxy
	"${CC:-cc}" -std=gnu11 -D_GNU_SOURCE -O2 -pthread -o "$PROXY" "$S3_TOOLS/proxy.c" "$S3_TOOLS/proxy_rules.c" \
	    "$S3_TOOLS/proxy_head.c" || die "cannot build the proxy"
}

# The program's endpoint is the proxy from now on.
start_proxy() {
	build_proxy
	rm -f "$T/proxy.port"
	: >"$T/rules"
	: >"$T/log"
	"$PROXY" -l "$T/log" -r "$T/rules" 0 127.0.0.1 "${direct##*:}" >"$T/proxy.port" &
	proxy=$!
	until [ -s "$T/proxy.port" ]; do
		kill -0 $proxy || die "the proxy does not start"
		sleep 0.01
	done
	AWS_ENDPOINT_URL_S3=http://127.0.0.1:$(cat "$T/proxy.port")
}

begin_s3() {
	if [ "$S3_SERVER" = rgw ]; then
		PATH=$PATH:/usr/sbin:/sbin requires ceph-mon ceph-osd radosgw radosgw-admin
	else
		requires memcached
		/usr/bin/python3 -c 'import swift' 2>/dev/null || skip "needs Swift"
	fi
	# shellcheck disable=SC2086 # options
	start_server ${S3_STORE-}
	start_proxy
	s3 make-bucket $BUCKET || die "cannot make a bucket"
	SNAPFERRY_REPOSITORY=s3://$BUCKET/r0
}

# rules [RULE]...: what goes wrong from now on; the log begins anew.
rules() {
	[ $# = 0 ] || printf '%s\n' "$@" >"$T/rules.new"
	[ $# -gt 0 ] || : >"$T/rules.new"
	: >"$T/log"
	mv "$T/rules.new" "$T/rules"
}

# requests REGEX: how many requests there were whose line in the log matches.
requests() {
	grep -cE "$1" "$T/log"
}

new_place_s3() {
	rules
	[ $places = 0 ] || s3 empty "$BUCKET" "r$places/"
	places=$((places + 1))
	SNAPFERRY_REPOSITORY=s3://$BUCKET/r$places
}

objects_s3() {
	local prefix=${SNAPFERRY_REPOSITORY#s3://*/}
	s3 list "$BUCKET" "$prefix/" | sed "s|^\([0-9]*\) $prefix/|\1 |"
}

# Looked for in the log: asking the server takes too long for who waits for a moment.
stored_s3() {
	sed -n "s|^PUT /$BUCKET/${SNAPFERRY_REPOSITORY#s3://*/}/\([^ ]*\) 200 .*|\1|p" "$T/log" | grep -cE "$1"
}
