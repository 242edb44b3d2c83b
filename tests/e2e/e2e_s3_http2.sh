#!/bin/bash
# HTTP/2: nghttpx with TLS stands between the program and the server, as balancers do.  Its log tells which protocol each request came in.
REPO_PLACE=s3
. "$(dirname "$0")/functions.sh"
[ -z "${E2E_INSIDE-}" ] || PATH=$PATH:/usr/sbin:/sbin requires nghttpx openssl
begin 120 "HTTP/2"

# listens PORT
listens() {
	grep -q "$(printf '%04X' "$1") 00000000:0000 0A" /proc/net/tcp
}

# From now on the program's endpoint; behind it are the proxy and the server.  The port may be taken meanwhile: another one then.
start_front() {
	local back=${AWS_ENDPOINT_URL_S3##*:} attempt
	for attempt in 1 2 3; do
		front_port=$(python3 "$S3_TOOLS/ports.py" 1)
		# Not the machine's configuration.
		PATH=$PATH:/usr/sbin:/sbin nghttpx --conf=/dev/null --frontend="127.0.0.1,$front_port" --backend="127.0.0.1,$back" --no-ocsp --workers=1 \
		    --accesslog-file="$T/front.log" --accesslog-format='$protocol_version $method $path $status' --errorlog-file="$T/front.errors" \
		    "$T/tls/server.key" "$T/tls/server.crt" &
		front=$!
		until listens "$front_port" || ! kill -0 $front 2>/dev/null; do
			sleep 0.01
		done
		kill -0 $front 2>/dev/null && return
	done
	tail -n 3 "$T/front.errors"
	die "nghttpx does not start (attempt $attempt)"
}

# spoken PROTOCOL [METHOD]: how many requests came like this.
spoken() {
	grep -c "^$1 ${2-}" "$T/front.log"
}

# That all is HTTP/2 means something if the log also knows the other protocol.
only_http2() {
	check_number "$1: requests over HTTP/2" "$(spoken HTTP/2 "${2-}")" -ge 1
	check_number "$1: requests over anything else" "$(grep -vc '^HTTP/2 ' "$T/front.log")" -eq 0
	: >"$T/front.log"
}

older_client() {
	python3 - "$T/tls/ca.crt" "$front_port" <<-'EOP'
		import http.client, ssl, sys
		c = http.client.HTTPSConnection("127.0.0.1", int(sys.argv[2]), context=ssl.create_default_context(cafile=sys.argv[1]))
		c.request("GET", "/")
		c.getresponse().read()
	EOP
	check_number "the log tells the older protocol" "$(spoken HTTP/1.1 GET)" -eq 1
	: >"$T/front.log"
}

round_trip() {
	new_repository
	only_http2 "init" PUT
	export_tree 0 v "$T/src"
	only_http2 "export" PUT
	export_tree 0 v "$T/src"
	check_number "unchanged: nothing is new" "$(stat_of_export new_bytes)" -eq 0
	only_http2 "unchanged export" PUT
	import_tree 0 v latest "$T/dst"
	only_http2 "import" GET
	judge "the import" "$T/src" "$T/dst"
	expect 0 "verify" sf verify -V v --level 4
	only_http2 "verify" GET
}

# What breaks behind the front is a 502 there, or a stream that ends too soon.
troubles() {
	noise 9000000 5 >"$T/src/more"
	rules "match PUT /p/ times 1 reset up 300000" "match PUT /p/ times 1 reset down 0" "match PUT /p/ times 1 reply 503 SlowDown"
	export_tree 0 v "$T/src"
	check_number "puts that failed" "$(grep -c '^HTTP/2 PUT .* 50[0-9]$' "$T/front.log")" -ge 3
	rules "match GET /p/ times 2 reset down 70000"
	import_tree 0 v latest "$T/dst"
	rules
	judge "after troubles" "$T/src" "$T/dst"
	only_http2 "troubles" GET
}

"$S3_TOOLS/certificates.sh" "$T/tls"
start_front
export AWS_ENDPOINT_URL_S3=https://127.0.0.1:$front_port AWS_CA_BUNDLE=$T/tls/ca.crt
mktree --small "$T/src"
noise 9000000 4 >"$T/src/noise"
older_client
round_trip
troubles
finish
