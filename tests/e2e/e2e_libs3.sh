#!/bin/bash
# A repository over libs3 (programs configured --with-libs3), on a server that takes Signature Version 2: a round trip, faults of the line
# that libs3 does not see or takes for success, and what must be refused.
REPO_PLACE=s3
. "$(dirname "$0")/functions.sh"
CONTRACT=$(realpath "${E2E_TOOLS:-.}/../s3/contract")
[ -x "$CONTRACT" ] || skip "needs the program tests/s3/contract"
"${SNAPFERRY:-./snapferry}" list -r libs3+http://127.0.0.1:1/bucket 2>&1 | grep -q 'without libs3' && skip "the program is built without libs3"
begin 240 "a repository over libs3"
place=libs3+$AWS_ENDPOINT_URL_S3/$BUCKET

contract() {
	expect 0 "$1" "$CONTRACT" "$place/contract"
	check "$1: nothing is left" [ -z "$(s3 list $BUCKET contract/)" ]
}

note "the contract of stores"
contract "a server"
rules "$(printf 'match * * skip %d times 1 reset down 0\n' 3 8 13 21 34 55 89)"
contract "a server whose answers are lost"
check_number "answers were lost" "$(requests 'reset')" -ge 7
rules

note "a round trip"
SNAPFERRY_REPOSITORY=$place/a.b/r-1
expect 0 "doctor" sf doctor
check "doctor says what it thinks" grep -q 'can hold a repository' "$T/out"
expect 0 "init" env -u SNAPFERRY_KEY_FILE "$SNAPFERRY" init --new-key-file "$SNAPFERRY_KEY_FILE"
mktree --small "$T/src"
pass_uncertainty
export_tree 0 v "$T/src"
first=$snapshot
cp -a "$T/src" "$T/first.src"
import_tree 0 v "$first" "$T/dst"
judge "the tree comes back" "$T/src" "$T/dst"
head -c 3000000 /dev/urandom >"$T/src/new"
export_tree 0 v "$T/src"
check_number "only what is new is stored" "$(stat_of_export new_bytes)" -le 3100000
import_tree 0 v latest "$T/dst"
judge "the second snapshot" "$T/src" "$T/dst"
expect 0 "verify" sf verify -V v --level 4
expect 0 "list" sf list
check_number "both are listed" "$(sf list --json | grep -c '"message_type":"snapshot"')" -eq 2
expect 0 "Signature Version 4 finds the same repository" sf verify -r s3://$BUCKET/a.b/r-1 -V v

note "faults"
for rule in "match PUT /p/ times 1 reset down 0" "match PUT /p/ times 1 reset up body+1000" "match PUT /p/ times 1 reply-after 500 InternalError" \
    "match PUT /p/ times 1 reply 500 -" "match PUT /s/ times 1 repeat" "match PUT /p/ times 1 flip up body+1000" \
    "match * * skip 4 times 2 reply 503 SlowDown" "match GET * times 3 reset down 0" "match GET /v/ times 2 close down body+100" \
    "match GET prefix= times 1 close down body+700"; do
	head -c 500000 /dev/urandom >"$T/src/new"
	rules "$rule"
	expect 0 "$rule" sf export -V v --retry-time 20 "$T/src"
	check_number "$rule: it has happened" "$(awk '$NF != "-"' "$T/log" | wc -l)" -ge 1
	rules
	import_tree 0 v latest "$T/dst"
	judge "after $rule" "$T/src" "$T/dst"
done
rules "$(printf 'match GET * skip %d times 2 close down body+300\n' 0 4 8 12)"
import_tree 0 v "$first" "$T/dst"
judge "answers that are cut" --ignore-holes "$T/first.src" "$T/dst"
rules

note "listings that are cut show everything all the same"
all=$(sf list --json | grep -c '"message_type":"snapshot"')
check_number "there are some" "$all" -ge 10
for at in 50 300 600 900 1200; do
	rules "match GET prefix= times 1 close down body+$at"
	expect 0 "a listing that is cut at $at" sf list --json
	check_number "a listing that is cut at $at" "$(grep -c '"message_type":"snapshot"' "$T/out")" -eq "$all"
done
rules

note "the end"
head -c 8000000 /dev/urandom >"$T/src/new"
rules "match PUT /p/ stall up body+100000 0"
"$SNAPFERRY" export -V v -q "$T/src" >"$T/out" 2>"$T/err" &
pid=$!
until [ -s "$T/log" ] || ! kill -0 $pid; do
	sleep 0.1
done
sleep 1
begun=$(date +%s)
kill -TERM $pid
status=0
wait $pid || status=$?
check_number "a signal ends an export that stands still" $status -eq 143
check_number "soon" $(($(date +%s) - begun)) -le 25
rules
expect 0 "the next export" sf export -V v "$T/src"

note "what is refused"
expect 13 "a wrong secret" env AWS_SECRET_ACCESS_KEY=wrong "$SNAPFERRY" list
expect 10 "no bucket" sf list -r "libs3+$AWS_ENDPOINT_URL_S3/no-such-bucket/r"
expect 10 "no repository" sf list -r "$place/nothing"
expect 30 "nobody answers" sf list -r libs3+http://127.0.0.1:1/bucket --retry-time 1
expect 2 "no bucket in the name" sf list -r "libs3+$AWS_ENDPOINT_URL_S3"
expect 14 "a prefix that is written in two ways" sf list -r "$place/a%20b"
expect 14 "encryption by the server" sf export -V v --sse AES256 "$T/src"
if ldd "$SNAPFERRY" | grep -q 'libs3\.so\.2'; then
	expect 14 "https" sf list -r libs3+https://127.0.0.1:1/bucket
	check "that is said" grep -q 'does not check certificates' "$T/err"
	expect 14 "a session token" env AWS_SESSION_TOKEN=token "$SNAPFERRY" list
	check "that is said, too" grep -q 'session token' "$T/err"
fi
finish
