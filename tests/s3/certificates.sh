#!/bin/sh
# certificates.sh DIR: everything that a test of TLS needs, for a month.
#     ca.crt                    the authority to trust
#     server.crt, server.key    signed by it, for 127.0.0.1, localhost and *.localhost
#     client.crt, client.key    signed by it, for clients
#     other.crt                 an authority that has signed nothing
set -eu
mkdir -p "$1"
cd "$1"

new_key="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"

# authority NAME
authority() {
	# shellcheck disable=SC2086 # options
	openssl req -x509 $new_key -keyout "$1.key" -out "$1.crt" -days 30 -subj "/CN=$1" \
	    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign 2>/dev/null
}

# signed NAME EXTENSIONS
signed() {
	# shellcheck disable=SC2086 # options
	openssl req $new_key -keyout "$1.key" -out "$1.csr" -subj "/CN=$1" 2>/dev/null
	printf '%b' "$2" >"$1.ext"
	openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -extfile "$1.ext" -out "$1.crt" 2>/dev/null
	rm "$1.csr" "$1.ext"
}

authority ca
authority other
signed server 'subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:*.localhost\nextendedKeyUsage=serverAuth\n'
signed client 'extendedKeyUsage=clientAuth\n'
