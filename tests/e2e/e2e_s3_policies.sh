#!/bin/bash
# The policies of deploy/iam on a real server: what each identity may do works, and what it may not is refused.
REPO_PLACE=s3
. "$(dirname "$0")/functions.sh"
begin 120 "policies for writer, restorer and collector"
IAM=$(realpath "$E2E/../../deploy/iam")

# as USER COMMAND...: with that user's credentials.
as() {
	local user=$1
	shift
	(
		# shellcheck disable=SC1090 # written by s3.py
		. "$T/$user.env"
		"$@"
	)
}

# s3_refused MESSAGE USER COMMAND...
s3_refused() {
	local message=$1 user=$2
	shift 2
	as "$user" s3 "$@" >"$T/refused" 2>&1
	check_number "$message" $? -ne 0
	check "$message: $(tail -n 1 "$T/refused")" grep -q AccessDenied "$T/refused"
}

# The first object whose key matches, as it stands in the bucket.
object_like() {
	objects | sed 's/^[0-9]* //' | grep -m 1 -E "$1"
}

make_users() {
	local user
	for user in writer restorer collector; do
		s3 user $user "AK$user" "secret+of/$user" >"$T/$user.env"
	done
	s3 policies "$BUCKET" "$prefix" writer "$IAM/writer.json" restorer "$IAM/restorer.json" collector "$IAM/collector.json"
}

# What the bucket's owner has put is not readable for others in every server: the writer makes everything.
writer() {
	note "the writer"
	expect 0 "init" as writer sf init --new-key-file "$T/key2"
	export SNAPFERRY_KEY_FILE=$T/key2
	expect 0 "a first export" as writer sf export -V v "$T/src"
	head -c 3000000 /dev/urandom >"$T/src/more"
	expect 0 "a second one" as writer sf export -V v "$T/src"
	expect 0 "verify" as writer sf verify -V v --level 4
	check "no intent is left" [ -z "$(object_like '/i/')" ]
	local kind
	for kind in p m s k; do
		s3_refused "removes no $kind" writer delete "$BUCKET" "$prefix/$(object_like "/$kind/")"
	done
	s3_refused "removes no descriptor" writer delete "$BUCKET" "$prefix/repo.json"
	s3_refused "puts nothing elsewhere" writer put "$BUCKET" elsewhere "$T/src/more"
	s3_refused "lists nothing elsewhere" writer list "$BUCKET" elsewhere
}

restorer() {
	note "the restorer"
	expect 0 "import" as restorer sf import -V v "$T/dst"
	judge "what the restorer gets" "$T/src" "$T/dst"
	expect 0 "verify" as restorer sf verify -V v --level 3
	expect 13 "exports nothing" as restorer sf export -V v --full "$T/src"
	s3_refused "puts nothing" restorer put "$BUCKET" "$prefix/doctor/x" "$T/src/more"
	s3_refused "removes nothing" restorer delete "$BUCKET" "$prefix/$(object_like '/p/')"
}

collector() {
	note "the collector"
	expect 0 "lists" as collector sf list -V v
	s3_refused "puts no pack" collector put "$BUCKET" "$prefix/$(object_like '/p/')0" "$T/src/more"
	s3_refused "removes no key" collector delete "$BUCKET" "$prefix/$(object_like '/k/')"
	s3_refused "removes no slot" collector delete "$BUCKET" "$prefix/$(object_like '^keys/')"
	local kind
	for kind in s m p; do
		check "removes a $kind" as collector s3 delete "$BUCKET" "$prefix/$(object_like "/$kind/")"
	done
	check "puts a tombstone" as collector s3 put "$BUCKET" "$prefix/$(object_like '/k/' | sed 's|/k/.*|/g/0.json|')" "$T/src/more"
}

prefix=policies
SNAPFERRY_REPOSITORY=s3://$BUCKET/$prefix
mkdir "$T/src"
head -c 5000000 /dev/urandom >"$T/src/data"
make_users
writer
restorer
collector
finish
