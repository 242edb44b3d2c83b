#!/bin/bash
# Troubles that a real server makes: full, deleted and forbidden buckets, suspended users, throttling, daemons that stop and die, clocks.
REPO_PLACE=s3
S3_STORE=bluestore
. "$(dirname "$0")/functions.sh"
begin 180 "troubles of a real server"

quick=(--retry-time 4 --stall-time 3)

make_source() {
	python3 - "$1" <<-'EOP'
		import os, random, sys
		r = random.Random(13)
		os.makedirs(sys.argv[1])
		for i in range(6):
		    open("%s/large-%d" % (sys.argv[1], i), "wb").write(r.randbytes(5_000_000))
	EOP
}

change_source() {
	head -c 12000000 /dev/urandom >"$T/src/new"
}

# during CONDITION ACTION [OPTION]...: an export that waits before it stores its metadata; the action is done when the condition holds.
# Status in $status.
during() {
	local condition=$1 action=$2 pid
	shift 2
	rules "match PUT /m/ times 1 delay 3000"
	"$SNAPFERRY" export -V v -q --threads 1 --connections 1 --max-memory 80M "${quick[@]}" "$@" "$T/src" >"$T/out" 2>"$T/err" &
	pid=$!
	until ! kill -0 $pid 2>/dev/null || eval "$condition"; do
		sleep 0.02
	done
	check "the export is still running" kill -0 $pid
	eval "$action"
	status=0
	wait $pid || status=$?
	rules
}

one_pack() {
	[ "$(stored '/p/')" -ge 1 ]
}

ends() {
	checks=$((checks + 1))
	[[ "|$1|" == *"|$status|"* ]] || {
		failed "$2 (status $status, wanted $1)"
		tail_of_output
	}
}

# All is well again.
again() {
	expect 0 "$1: the next run" sf export -V v "$T/src"
	import_tree 0 v latest "$T/dst"
	judge "$1: the latest snapshot" "$T/src" "$T/dst"
	import_tree 0 v "$first" "$T/dst"
	judge "$1: the first snapshot" "$T/first.src" "$T/dst"
}

full_bucket() {
	note "a bucket that becomes full"
	change_source
	s3 quota test $(($(repository_bytes) + 6000000)) -1
	expect "1|13|30" "export into a full bucket" sf export -V v "${quick[@]}" "$T/src"
	check "it is said why" grep -qi quota "$T/err"
	expect 0 "reading goes on" sf verify -V v
	s3 quota test -1 -1
	again "room again"
}

# The program runs as a user who has only what the bucket's policy gives him.  The repository is his: what he writes, the bucket's owner
# may not read.
permissions() {
	note "permissions that are taken away"
	s3 user other AKOTHER0000000000000 secret-of-the-other >"$T/other.env"
	s3 policy $BUCKET other all
	(
		. "$T/other.env"
		SNAPFERRY_REPOSITORY=s3://$BUCKET/other SNAPFERRY_KEY_FILE=$T/key.other
		expect 0 "another user may make a repository" env -u SNAPFERRY_KEY_FILE "$SNAPFERRY" init --new-key-file "$SNAPFERRY_KEY_FILE"
		expect 0 "another user may export" sf export -V v "${quick[@]}" "$T/src"
		change_source
		during one_pack 's3_as_owner policy $BUCKET other read'
		ends 13 "a policy that changes during an export"
		expect 0 "reading is still allowed" sf verify -V v
		expect 13 "writing is not" sf export -V v "${quick[@]}" "$T/src"
		s3_as_owner policy $BUCKET other append
		expect "0|3" "whoever may not delete can export" sf export -V v "${quick[@]}" "$T/src"
		s3_as_owner policy $BUCKET other all
		change_source
		during one_pack 's3_as_owner suspend other'
		ends 13 "a user who is suspended during an export"
		expect 13 "a suspended user reads nothing" sf list "${quick[@]}"
		s3_as_owner suspend --resume other
		expect 0 "and is back" sf export -V v "${quick[@]}" "$T/src"
		import_tree 0 v latest "$T/dst"
		judge "permissions: the latest snapshot" "$T/src" "$T/dst"
		expect 0 "verify" sf verify -V v --level 4
		echo "$checks $failures" >"$T/inside"
	)
	read -r checks failures <"$T/inside"
	expect 13 "a wrong secret" env AWS_SECRET_ACCESS_KEY=wrong "$SNAPFERRY" list
	expect 13 "an unknown key" env AWS_ACCESS_KEY_ID=AKNOBODY000000000000 "$SNAPFERRY" list
	expect 13 "no credentials" env -u AWS_ACCESS_KEY_ID -u AWS_SECRET_ACCESS_KEY HOME="$T" "$SNAPFERRY" list
	again "permissions"
}

s3_as_owner() {
	s3 --env "$T/server/env" "$@"
}

clocks() {
	command -v faketime >/dev/null || {
		note "SKIP clocks: needs faketime"
		return
	}
	note "a clock that is wrong"
	local offset
	# Snapshots are ordered by their time: a volume for each clock.
	for offset in +20m -20m +3d; do
		expect 0 "a clock that is $offset" env FAKETIME_DONT_FAKE_MONOTONIC=1 NO_FAKE_STAT=1 faketime -f "$offset" \
		    "$SNAPFERRY" export -V "clock$offset" "${quick[@]}" "$T/src"
		import_tree 0 "clock$offset" latest "$T/dst"
		judge "a clock that is $offset" "$T/src" "$T/dst"
	done
}

daemons() {
	note "a gateway that is killed and comes back"
	change_source
	during one_pack '"$S3_TOOLS/rgw.sh" kill "$T/server" rgw; "$S3_TOOLS/rgw.sh" restart-daemon "$T/server" rgw' --retry-time 60
	ends 0 "the export waits for the gateway"
	again "gateway"
	note "storage that stands still for a while"
	change_source
	local osd
	osd=$(cat "$T/server/osd.pid")
	during one_pack "kill -STOP $osd; sleep 1.5; kill -CONT $osd"
	ends 0 "the export waits"
	note "storage that stands still for ever"
	change_source
	during one_pack "kill -STOP $osd"
	ends 30 "the export gives up"
	kill -CONT "$osd"
	again "storage"
}

deleted_bucket() {
	note "a bucket that is deleted"
	expect 10 "a bucket that never was" sf list -r s3://no-such-bucket/r "${quick[@]}"
	expect 10 "no repository in the bucket" sf list -r s3://$BUCKET/none "${quick[@]}"
	expect 10 "no init without a bucket" env -u SNAPFERRY_KEY_FILE "$SNAPFERRY" init -r s3://no-such-bucket/r --new-key-file "$T/key2" "${quick[@]}"
	check_not "no key is left of it" [ -e "$T/key2" ]
	change_source
	# Again if something has come in meanwhile.
	during one_pack 'until s3 delete-bucket --contents $BUCKET 2>/dev/null; do sleep 0.05; done'
	ends "10|30" "a bucket that goes during an export"
	expect 10 "and is gone" sf list "${quick[@]}"
}

# A server of its own: more than two requests at the same time are too many for it.
throttle() {
	note "a server that throttles"
	"$S3_TOOLS/rgw.sh" stop "$T/server"
	rm -rf "$T/server"
	kill $proxy
	RGW_THROTTLE=2 start_server
	start_proxy
	s3 make-bucket $BUCKET
	new_repository
	local i pids=()
	for i in 1 2 3 4; do
		mkdir "$T/src$i"
		head -c 20000000 /dev/urandom >"$T/src$i/file"
		"$SNAPFERRY" export -V "v$i" -q --connections 4 --max-memory 160M "$T/src$i" 2>"$T/err.$i" &
		pids+=($!)
	done
	for i in 1 2 3 4; do
		check "export $i succeeds in the end: $(cat "$T/err.$i")" wait "${pids[$((i - 1))]}"
	done
	check_number "there were 503s" "$(requests ' 503 ')" -ge 1
	for i in 1 2 3 4; do
		import_tree 0 "v$i" latest "$T/dst"
		judge "volume $i" "$T/src$i" "$T/dst"
	done
}

new_repository
make_source "$T/src"
cp -a "$T/src" "$T/first.src"
export_tree 0 v "$T/src"
first=$snapshot
full_bucket
permissions
clocks
daemons
deleted_bucket
throttle
finish
