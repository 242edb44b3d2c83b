#!/bin/bash
# Whether the servers and the client of this folder do what the end-to-end tests build on.
HERE=$(cd "$(dirname "$0")" && pwd)
T=$(mktemp -d) || exit 1
trap '"$HERE/rgw.sh" stop "$T/rgw"; "$HERE/swift.py" stop "$T/swift"; rm -rf "$T"' EXIT
unset "${!AWS_@}"
failures=0

s3() {
	python3 "$HERE/s3.py" "$@"
}

failed() {
	echo "FAILED: $*"
	failures=$((failures + 1))
}

# ok MESSAGE COMMAND...
ok() {
	local message=$1
	shift
	"$@" >"$T/out" 2>"$T/err" || failed "$message: $(cat "$T/err")"
}

# refused STATUS MESSAGE COMMAND...
refused() {
	local wanted=$1 message=$2
	shift 2
	"$@" >"$T/out" 2>"$T/err" && failed "$message: succeeds"
	grep -q "$wanted" "$T/err" || failed "$message: $(cat "$T/err"), not $wanted"
}

objects() {
	local name='a folder/k+ü=&?'
	echo "$1" >"$T/file"
	ok "a bucket" s3 make-bucket plain
	ok "an object" s3 put plain "$name" "$T/file"
	ok "it is listed" s3 list plain
	grep -qxF "$(stat -c %s "$T/file") $name" "$T/out" || failed "the listing is $(cat "$T/out")"
	ok "it is read" s3 get plain "$name" "$T/again"
	cmp -s "$T/file" "$T/again" || failed "another content"
	ok "its headers" s3 head plain "$name"
	ok "it is deleted" s3 delete plain "$name"
	refused 404 "it is gone" s3 get plain "$name"
	refused 403 "a wrong secret" env AWS_SECRET_ACCESS_KEY=wrong python3 "$HERE/s3.py" list plain
}

conditions_and_locks() {
	ok "a conditional write" s3 put -H if-none-match:'*' plain once "$T/file"
	refused 412 "a second one" s3 put -H if-none-match:'*' plain once "$T/file"
	ok "a bucket with object lock" s3 make-bucket --lock locked
	ok "its default" s3 lock locked COMPLIANCE 1
	ok "a locked object" s3 put locked k "$T/file"
	ok "its versions" s3 list --versions locked
	refused 403 "deleting it" s3 delete locked k --version "$(cut -d ' ' -f 3 "$T/out")"
	ok "a versioned bucket" s3 make-bucket --versioning versioned
	ok "an object" s3 put versioned k "$T/file"
	ok "its marker" s3 delete versioned k
	ok "both are there" s3 list --versions versioned
	[ "$(wc -l <"$T/out")" = 2 ] || failed "versions are $(cat "$T/out")"
	ok "all of it goes" s3 delete-bucket --contents versioned
}

users() {
	ok "another user" s3 user other AKOTHER0000000000000 secret-of-the-other
	cp "$T/out" "$T/other"
	refused 403 "who is not let in" s3 --env "$T/other" list plain
	ok "is" s3 policy plain other append
	ok "may write" s3 --env "$T/other" put plain mine "$T/file"
	refused 403 "may not delete" s3 --env "$T/other" delete plain mine
	ok "is suspended" s3 suspend other
	refused UserSuspended "may nothing" s3 --env "$T/other" list plain
	ok "is back" s3 suspend --resume other
	ok "may read" s3 --env "$T/other" list plain
	ok "is put out" s3 policy plain other none
	refused 403 "is out" s3 --env "$T/other" list plain
	ok "a quota" s3 quota test 10 -1
	refused QuotaExceeded "a full bucket" s3 put plain large "$HERE/s3.py"
	ok "no quota" s3 quota test -1 -1
	ok "an object again" s3 put plain large "$HERE/s3.py"
	ok "a session" s3 session-token test
	cp "$T/out" "$T/session"
	ok "it works" s3 --env "$T/session" list plain
	ok "a role" s3 make-role role test
	ok "it is assumed" s3 assume-role role
	cp "$T/out" "$T/session"
	ok "it works" s3 --env "$T/session" list plain
}

daemons() {
	ok "without its store" "$HERE/rgw.sh" kill "$T/rgw" rgw
	refused "refused" "nobody answers" s3 list plain
	ok "it comes back" "$HERE/rgw.sh" restart-daemon "$T/rgw" rgw
	ok "with its objects" s3 get plain large "$T/again"
	cmp -s "$HERE/s3.py" "$T/again" || failed "another content after a restart"
	refused "in use" "one folder, one server" "$HERE/rgw.sh" start "$T/rgw"
}

from=$(date +%s%N)
"$HERE/rgw.sh" start "$T/rgw" || exit 1
echo "RGW: $((($(date +%s%N) - from) / 1000000)) ms"
# shellcheck disable=SC1091
. "$T/rgw/env"
objects rgw
conditions_and_locks
users
daemons
from=$(date +%s%N)
"$HERE/swift.py" start "$T/swift" || exit 1
echo "Swift: $((($(date +%s%N) - from) / 1000000)) ms"
# shellcheck disable=SC1091
. "$T/swift/env"
objects swift
refused 501 "Swift knows no conditional writes" s3 put -H if-none-match:'*' plain once "$T/file"
refused AuthorizationHeaderMalformed "Swift insists on the region" env AWS_REGION=eu-west-1 python3 "$HERE/s3.py" list plain
echo "$failures failed"
[ $failures = 0 ]
