#!/bin/bash
# Everything that can happen to a request on its way: what passes is retried, what stays ends in bounded time with the right
# status; what was committed before stays whole, and the next run succeeds.
REPO_PLACE=s3
. "$(dirname "$0")/functions.sh"
begin 240 "faults of the line and answers of servers in trouble"

RETRY=2
STALL=1
quick=(--retry-time $RETRY --stall-time $STALL)
# The HTTP library averages over five seconds before it sees that nothing moves any more: time for that, and for another try.
patient=(--retry-time 30 --stall-time $STALL)
rounds=0

make_source() {
	python3 - "$1" <<-'EOP'
		import os, random, sys
		r = random.Random(11)
		os.makedirs(sys.argv[1] + "/small")
		for i in range(40):
		    open("%s/small/%02d" % (sys.argv[1], i), "wb").write(r.randbytes(r.randrange(1, 9000)))
		open(sys.argv[1] + "/large", "wb").write(r.randbytes(3_000_000))
	EOP
}

# Something new, so that every export has a data pack to store.
change_source() {
	rounds=$((rounds + 1))
	head -c 700000 /dev/urandom >"$T/src/small/new"
}

# timed STATUS LIMIT MESSAGE COMMAND...: ends with the status, and in so many seconds.
timed() {
	local wanted=$1 limit=$2 message=$3 from
	shift 3
	from=$(date +%s%N)
	expect "$wanted" "$message" "$@"
	check_number "$message: milliseconds" $((($(date +%s%N) - from) / 1000000)) -le $((limit * 1000))
}

is_hit() {
	checks=$((checks + 1))
	awk '$7 != "-" { found = 1 } END { exit !found }' "$T/log" || failed "$1: the fault did not happen"
}

# What is in the bucket is what was exported.
restored() {
	rules
	import_tree 0 v latest "$T/dst"
	judge "$1: the latest snapshot" "$T/src" "$T/dst"
}

# passing MESSAGE RULE...: an export under a fault that passes succeeds by itself.
passing() {
	local message=$1
	shift
	change_source
	rules "$@"
	timed 0 20 "$message" sf export -V v "${patient[@]}" "$T/src"
	is_hit "$message"
	restored "$message"
}

# staying STATUS LIMIT MESSAGE RULE...: one under a fault that stays ends, and is repeated when the fault is gone.
staying() {
	local wanted=$1 limit=$2 message=$3
	shift 3
	change_source
	rules "$@"
	timed "$wanted" "$limit" "$message" sf export -V v "${quick[@]}" "$T/src"
	is_hit "$message"
	rules
	expect 0 "$message: the next run" sf export -V v "$T/src"
	restored "$message"
}

# reading MESSAGE RULE...: an import under a fault that passes, or with $reading_status one that does not.
reading() {
	local message=$1
	shift
	rules "$@"
	rm -rf "$T/dst"
	local options=("${patient[@]}")
	[ -z "${reading_status-}" ] || options=("${quick[@]}")
	timed "${reading_status:-0}" 20 "$message" sf import -V v "${options[@]}" "$T/dst"
	is_hit "$message"
	[ "$status" != 0 ] || judge "$message: what was restored" "$T/src" "$T/dst"
}

packs_and_manifests() {
	local what where
	note "requests and replies that are cut"
	for what in /p/ /s/; do
		for where in "reset up 0" "reset up 60" "reset up body+100" "close up end-1" "reset down 0" "close down 0" "reset down 25"; do
			passing "PUT $what: $where" "match PUT $what times 1 $where"
		done
	done
	passing "PUT of the intent: lost answer" "match PUT /i/ times 1 reset down 0"
	passing "PUT of metadata: cut" "match PUT /m/ times 1 reset up body+10"
	passing "every kind of request fails once" "match GET * times 1 reset down 0" "match PUT * times 1 reset up 0" \
	    "match HEAD * times 1 reset down 0" "match DELETE * times 1 reset down 0"
	passing "every third request fails" "$(printf 'match PUT * skip %d times 1 reset down 0\n' 1 4 7)" \
	    "$(printf 'match GET * skip %d times 1 close down 10\n' 1 4 7)"
	passing "refused connections" "times 2 refuse" "match PUT /s/ times 1 reset down 0"
}

answers() {
	local reply
	note "answers of servers in trouble"
	for reply in "500 InternalError" "503 SlowDown Retry-After:1" "429 TooManyRequests" "502 -" "504 -" "400 RequestTimeout" \
	    "403 RequestTimeTooSkewed Date:+1200"; do
		passing "$reply" "match PUT /p/ times 2 reply $reply"
	done
	passing "500 after the manifest was stored" "match PUT /s/ times 1 reply-after 500 InternalError"
	passing "503 after a pack was stored" "match PUT /p/ times 1 reply-after 503 SlowDown"
	passing "a manifest that a balancer stores twice" "match PUT /s/ times 1 repeat"
	passing "a pack that a balancer stores twice" "match PUT /p/ times 1 repeat"
	passing "an error in a listing's 200" "match GET list-type times 1 reply 200 InternalError"
	passing "a listing that is cut" "match GET list-type times 1 close down body+30"
	passing "a listing that fails" "match GET list-type times 2 reply 503 SlowDown"
}

bytes() {
	note "bytes that change on the way"
	passing "a flipped byte of a pack" "match PUT /p/ times 1 flip up body+300000"
	passing "a flipped byte of a manifest" "match PUT /s/ times 1 flip up body+100"
	passing "a flipped byte of a head" "match PUT /p/ times 1 flip up 10"
}

slowness() {
	note "slow lines and lines that stand still"
	passing "a slow line" "rate up 400000" "match PUT /s/ times 1 reset down 0"
	passing "a pack that stands still" "match PUT /p/ times 1 stall up body+100000 0"
	passing "an answer that does not come" "match PUT /s/ times 1 stall down 0 0"
	passing "an answer that comes late" "match PUT /p/ times 1 stall down 0 0.7"
}

standstill() {
	note "lines that stand still for ever"
	staying 30 $((RETRY + 6 * STALL + 4)) "nothing ever comes back" "match * * stall down 0 0"
	staying 30 $((RETRY + 6 * STALL + 4)) "no pack ever arrives" "match PUT /p/ stall up body+5000 0"
}

lasting() {
	note "troubles that last"
	staying 30 $((RETRY + 4)) "503 for ever" "match PUT /p/ reply 503 SlowDown"
	staying 30 $((RETRY + 4)) "500 for the manifest" "match PUT /s/ reply 500 InternalError"
	staying 30 $((RETRY + 4)) "every answer is lost" "match PUT /p/ reset up 0"
	staying 13 5 "access is denied" "match PUT /p/ reply 403 AccessDenied"
	staying 13 5 "the token has expired" "match * * reply 400 ExpiredToken"
	staying 13 5 "the signature is wrong" "match * * reply 403 SignatureDoesNotMatch"
	staying 10 5 "the bucket is gone" "match * * reply 404 NoSuchBucket"
	rules refuse
	timed 30 $((RETRY + 4)) "connections are reset" sf export -V v "${quick[@]}" "$T/src"
	rules
	# Somebody holds the port and does not listen.
	timed 30 $((RETRY + 4)) "nobody listens" sf list --endpoint http://127.0.0.1:1 "${quick[@]}"
	timed "10|30" $((RETRY + 4)) "no such host" sf list --endpoint http://no-such-host.invalid "${quick[@]}"
}

imports() {
	local where
	note "imports"
	for where in "reset down 0" "reset down 30" "reset down body+5000" "close down end-1" "close down body+0" "stall down body+5000 0" \
	    "double down 3" "reply 500 InternalError" "reply 503 SlowDown Retry-After:1" "reply 502 -"; do
		reading "GET of a pack: $where" "match GET /p/ times 1 $where"
	done
	reading "GET of the manifest: cut" "match GET /s/ times 1 close down body+100"
	reading "GET of the manifest: lost" "match GET /s/ times 1 reset down 0"
	reading "every request fails once" "match GET * times 3 reset down 0" "match HEAD * times 1 reset down 0"
	reading "a slow line" "rate down 1500000" "match GET /s/ times 1 reset down 0"
	reading_status="0|20" reading "a flipped byte of a pack" "match GET /p/ times 1 flip down body+3000"
	reading_status=20 reading "a byte that is always flipped" "match GET /p/ flip down body+3000"
	reading_status="0|20" reading "a flipped byte of a manifest" "match GET /s/ times 1 flip down body+60"
	reading_status=30 reading "503 for ever" "match GET /p/ reply 503 SlowDown"
	reading_status=13 reading "access is denied" "match GET /p/ reply 403 AccessDenied"
	rules
	expect 0 "the import goes on" sf import -V v "$T/dst"
	judge "it is whole" "$T/src" "$T/dst"
}

new_repository
make_source "$T/src"
export_tree 0 v "$T/src"
cp -a "$T/src" "$T/first.src"
first=$snapshot
packs_and_manifests
answers
bytes
slowness
standstill
lasting
imports
note "$rounds exports under faults; the first snapshot is as it was"
rules
import_tree 0 v "$first" "$T/dst"
judge "the first snapshot" "$T/first.src" "$T/dst"
expect 0 "verify finds all well" sf verify -V v --level 4
check "no upload is left unfinished" [ -z "$(s3 uploads $BUCKET)" ]
finish
