#!/bin/bash
# Ways to a bucket: credentials of all kinds, TLS, addressing, and what is put on objects.
REPO_PLACE=s3
. "$(dirname "$0")/functions.sh"
if [ -n "${E2E_INSIDE-}" ]; then
	TLS=$(mktemp -d) && "$S3_TOOLS/certificates.sh" "$TLS"
	export RGW_TLS_CERT=$TLS/server.crt RGW_TLS_KEY=$TLS/server.key RGW_DNS_NAME=localhost
	on_clean_up+=("rm -rf $TLS")
fi
begin 120 "credentials, TLS, addressing, encryption"

# trip MESSAGE [OPTION]... [-- OPTION-OF-EXPORT...]: a whole trip, with everything that a command may ask of a server.
trip() {
	local message=$1 options=()
	shift
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	head -c 500000 /dev/urandom >"$T/src/new"
	expect 0 "$message: export" sf export -V v "${options[@]}" "${@:2}" "$T/src"
	rm -rf "$T/dst"
	expect 0 "$message: import" sf import -V v "${options[@]}" "$T/dst"
	judge "$message" "$T/src" "$T/dst"
}

# With nothing but what follows in the environment.
bare() {
	env -u AWS_ACCESS_KEY_ID -u AWS_SECRET_ACCESS_KEY -u AWS_REGION -u AWS_ENDPOINT_URL_S3 HOME="$T/home" "$@"
}

credentials() {
	note "credentials"
	mkdir -p "$T/home/.aws"
	local endpoint=$AWS_ENDPOINT_URL_S3
	expect 13 "none" bare "$SNAPFERRY" list --endpoint "$endpoint"
	# As Velero mounts it: a secret called "cloud".
	printf '[default]\naws_access_key_id=%s\naws_secret_access_key=%s\n' "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" >"$T/cloud"
	expect 0 "a file as Velero's" bare AWS_SHARED_CREDENTIALS_FILE="$T/cloud" "$SNAPFERRY" list --endpoint "$endpoint" --region us-east-1
	expect 0 "without a region" bare AWS_SHARED_CREDENTIALS_FILE="$T/cloud" "$SNAPFERRY" list --endpoint "$endpoint"
	expect "2|13" "another profile of it" bare AWS_SHARED_CREDENTIALS_FILE="$T/cloud" "$SNAPFERRY" list --endpoint "$endpoint" --profile other
	printf '[default]\naws_access_key_id = AKWRONG\naws_secret_access_key = wrong\n\n[backup]\naws_access_key_id = %s\naws_secret_access_key = %s\n' \
	    "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" >"$T/home/.aws/credentials"
	printf '[profile backup]\nregion = us-east-1\nendpoint_url = %s\n' "$endpoint" >"$T/home/.aws/config"
	expect 0 "a profile with its endpoint" bare "$SNAPFERRY" list --profile backup
	expect 0 "by AWS_PROFILE" bare AWS_PROFILE=backup "$SNAPFERRY" list
	expect 13 "the default one is wrong" bare "$SNAPFERRY" list --endpoint "$endpoint"
	expect 0 "AWS_ENDPOINT_URL" bare AWS_PROFILE=backup AWS_ENDPOINT_URL="$endpoint" "$SNAPFERRY" list
	check_not "no secret is said" grep -qF "$AWS_SECRET_ACCESS_KEY" "$T/out" "$T/err"
	rm -r "$T/home/.aws"
}

# s3 session-token and assume-role print exports.
sessions() {
	note "temporary credentials"
	s3 session-token test >"$T/session"
	(
		. "$T/session"
		trip "a session token"
		expect 13 "another token" env AWS_SESSION_TOKEN=nonsense "$SNAPFERRY" list
		expect 13 "without its token" env -u AWS_SESSION_TOKEN "$SNAPFERRY" list
		echo "$checks $failures" >"$T/inside"
	)
	read -r checks failures <"$T/inside"
	s3 make-role backup test
	s3 assume-role backup >"$T/session"
	(
		. "$T/session"
		trip "an assumed role"
		echo "$checks $failures" >"$T/inside"
	)
	read -r checks failures <"$T/inside"
	new_repository
}

# seconds COMMAND...: less than five.  A certificate does not become right by trying again.
soon() {
	timeout 5 "$@"
}

tls() {
	note "TLS"
	local endpoint=$AWS_ENDPOINT_URL_S3 port=${RGW_TLS_URL##*:}
	AWS_ENDPOINT_URL_S3=$RGW_TLS_URL
	trip "an authority of our own" --ca-file "$TLS/ca.crt"
	trip "crc32c" --ca-file "$TLS/ca.crt" -- --checksum crc32c
	expect 0 "AWS_CA_BUNDLE" env AWS_CA_BUNDLE="$TLS/ca.crt" "$SNAPFERRY" list
	expect "1|2|13" "no authority" soon "$SNAPFERRY" list
	expect "1|2|13" "an authority that signed nothing" soon "$SNAPFERRY" list --ca-file "$TLS/other.crt"
	check "it is said why" grep -qi certificate "$T/err"
	expect "1|2|13" "a name that is not in the certificate" soon "$SNAPFERRY" list --ca-file "$TLS/ca.crt" --endpoint "https://$(hostname):$port"
	expect "1|2" "an authority that is no file" soon "$SNAPFERRY" list --ca-file "$TLS/none"
	expect 0 "any certificate" sf list --insecure-tls
	expect 0 "a certificate of our own, which nobody asks for" sf list --ca-file "$TLS/ca.crt" --client-cert "$TLS/client.crt" --client-key "$TLS/client.key"
	expect "1|2|30" "http where https is spoken" sf list --endpoint "http://127.0.0.1:$port" --retry-time 2
	note "TLS that is cut"
	kill $proxy
	direct=https://127.0.0.1:$port start_proxy
	AWS_ENDPOINT_URL_S3=${AWS_ENDPOINT_URL_S3/http:/https:}
	local where
	for where in "reset up 0" "reset down 100" "reset up 700" "close down 2000" "flip down 3000" "flip up 900"; do
		rules "match RAW * times 1 $where"
		expect 0 "TLS: $where" sf list --ca-file "$TLS/ca.crt" --retry-time 10
	done
	rules "match RAW * times 1 stall down 50 0"
	expect 0 "a handshake that stands still" sf list --ca-file "$TLS/ca.crt" --retry-time 30 --stall-time 1
	kill $proxy
	start_proxy
}

addressing() {
	note "addressing"
	rules
	AWS_ENDPOINT_URL_S3=http://localhost:${AWS_ENDPOINT_URL_S3##*:}
	trip "virtual hosts" --addressing virtual
	check_number "no bucket in paths" "$(requests "^[A-Z]+ /$BUCKET/")" -eq 0
	rules
	trip "paths" --addressing path
	check_number "the bucket in all paths" "$(requests "^[A-Z]+ /${BUCKET}[/?]")" -eq "$(requests .)"
	trip "the program's choice" --addressing auto
	AWS_ENDPOINT_URL_S3=http://127.0.0.1:${AWS_ENDPOINT_URL_S3##*:}
	trip "the program's choice for an address" --addressing auto
	expect 2 "no such addressing" sf list --addressing sideways
	expect 2 "no bucket" sf list -r s3://
	expect "2|10" "a bucket's name that none can have" sf list -r s3://A_B/c
}

# Keys of the newest data pack and manifest, as the server has them.
newest() {
	sed -n "s|^PUT /$BUCKET/\([^ ]*/$1/[^ ]*\) 200 .*|\1|p" "$T/log" | tail -n 1
}

objects_have() {
	local message=$1 header=$2 kind
	for kind in p s; do
		run s3 head $BUCKET "$(newest $kind)"
		check "$message: $kind has $header: $(cat "$T/out")" grep -q "$header" "$T/out"
	done
}

extras() {
	note "what is put on objects"
	rules
	trip "tags" -- --object-tag backup=yes --object-tag 'who=a b+c'
	run python3 - "$S3_TOOLS" "$direct" $BUCKET "$(newest p)" <<-'EOP'
		import sys
		sys.dont_write_bytecode = True
		sys.path.insert(0, sys.argv[1])
		from s3 import S3
		print(S3(sys.argv[2]).request("GET", "/%s/%s" % tuple(sys.argv[3:]), {"tagging": ""}).texts("Value"))
	EOP
	check "the tags are there: $(cat "$T/out")" grep -qF "'a b+c'" "$T/out"
	trip "md5" -- --checksum md5
	expect 2 "crc32c without TLS" sf export -V v --checksum crc32c "$T/src"
	trip "requester pays" --requester-pays
	trip "the standard class" -- --storage-class STANDARD
	head -c 500000 /dev/urandom >"$T/src/new"
	expect "1|2|14" "a class that is none here" sf export -V v --storage-class NO_SUCH_CLASS "$T/src"
	rules
	trip "a key of a key service" -- --sse aws:kms --sse-kms-key testkey-1
	objects_have "key service" "x-amz-server-side-encryption: aws:kms"
	new_repository_with_customer_key
}

# Everything in such a repository has the key: without it even the descriptor cannot be read.
new_repository_with_customer_key() {
	new_place
	rm -f "$SNAPFERRY_KEY_FILE"
	head -c 32 /dev/urandom >"$T/customer"
	head -c 32 /dev/urandom >"$T/wrong"
	expect 0 "a customer's key: init" env -u SNAPFERRY_KEY_FILE "$SNAPFERRY" init --new-key-file "$SNAPFERRY_KEY_FILE" --customer-key-file "$T/customer"
	trip "a customer's key" --customer-key-file "$T/customer"
	run s3 get $BUCKET "$(newest p)" /dev/null
	check_number "the server does not give it without the key" "$status" -ne 0
	expect "13|14" "without it" sf list
	expect 13 "another one" sf list --customer-key-file "$T/wrong"
	base64 "$T/customer" >"$T/customer.text"
	expect 0 "as text" sf list --customer-key-file "$T/customer.text"
	head -c 31 /dev/urandom >"$T/wrong"
	expect 2 "a short one" sf list --customer-key-file "$T/wrong"
}

mkdir "$T/src"
echo hello >"$T/src/file"
new_repository
credentials
tls
addressing
sessions
extras
finish
