#!/bin/bash
# Exports and imports that are killed at many moments: nothing half-made looks whole, and what was stored is used again.
. "$(dirname "$0")/functions.sh"
begin 240 "kill -9 at many moments"

moments="0 1 2 4 7"
large=12000000
# A server's time is dearer.
if [ "$REPO_PLACE" = s3 ]; then
	moments="0 1 3"
	large=5000000
fi
[ -z "$E2E_LONG" ] || moments="0 1 2 3 4 5 6 7 8 9 10 12 14 16"

make_tree() {
	python3 - "$1" $large <<-'EOF'
		import os, random, sys
		r = random.Random(5)
		os.makedirs(sys.argv[1] + "/small")
		for i in range(2000):
		    os.makedirs("%s/small/%d" % (sys.argv[1], i % 40), exist_ok=True)
		    open("%s/small/%d/%04d" % (sys.argv[1], i % 40, i), "wb").write(r.randbytes(r.randrange(8000)))
		for i in range(12):
		    open("%s/large-%02d" % (sys.argv[1], i), "wb").write(r.randbytes(int(sys.argv[2])))
		os.link(sys.argv[1] + "/large-03", sys.argv[1] + "/small/link")
		os.link(sys.argv[1] + "/small/3/0003", sys.argv[1] + "/link-to-small")
	EOF
}

packs() {
	stored '^v/[^/]*/[pm]/'
}

snapshots() {
	stored '^v/[^/]*/s/[^/]*\.json$'
}

# The session that has written last.
last_session() {
	if [ "$REPO_PLACE" = s3 ]; then
		sed -n 's|^PUT [^ ]*/m/\([^/ ]*\)/.* 200 .*|\1|p' "$T/log" | tail -n 1
	else
		basename "$(ls -td "$SNAPFERRY_REPOSITORY"/v/*/m/*/ | head -n 1)"
	fi
}

# Wait until the command in the background has ended, or the condition holds; look all the time.
until_gone_or() {
	local pid=$1
	shift
	while kill -0 "$pid" 2>/dev/null && ! "$@"; do
		:
	done
}

packs_reach() {
	[ "$(packs)" -ge "$1" ]
}

# kill_export SIGNAL PACKS VOLUME: start an export, and send the signal when it has stored that many packs more.  Status in $status.
kill_export() {
	local aim=$(($(packs) + $2)) pid
	"$SNAPFERRY" export -V "$3" -q --threads 2 --connections 2 "$T/src" >"$T/out" 2>"$T/err" &
	pid=$!
	until_gone_or $pid packs_reach $aim
	kill -"$1" $pid 2>/dev/null
	status=0
	wait $pid 2>/dev/null || status=$?
}

kill_exports() {
	local n before clean stored
	new_repository
	export_tree 0 clean "$T/src"
	clean=$(stat_of_export stored_bytes)
	for n in $moments; do
		note "an export killed after $n packs"
		new_repository
		kill_export KILL "$n" v
		before=$(repository_bytes)
		if [ "$status" = 137 ]; then
			check_number "no snapshot was made" "$(snapshots)" -eq 0
			expect "0" "list works" sf list
			expect "1" "there is nothing to import" sf import -V v "$T/none"
		fi
		export_tree 0 v "$T/src"
		stored=$(stat_of_export stored_bytes)
		check_number "what was stored is used again" $((before + stored)) -le $((clean * 12 / 10 + 200000))
		if [ "$status" = 0 ] && [ "$n" -ge 4 ] && [ "$before" -gt $((clean / 4)) ]; then
			check_number "less is stored the second time" "$stored" -lt "$clean"
		fi
	done
	import_tree 0 v latest "$T/dst"
	judge "the continued export is whole" "$T/src" "$T/dst"
	expect 0 "verify finds it well" sf verify -V v --level 4
}

# A server may list for a moment what was just removed.
vanishes() {
	local try
	for try in $(seq 50); do
		objects >"$T/objects"
		grep -q "$1" "$T/objects" || return 0
		sleep 0.1
	done
	return 1
}

# Snapshots that are there stay good, whatever happens to later exports.
kill_chain() {
	note "a chain with many killed exports in between"
	local i n first
	new_repository
	cp -a "$T/src" "$T/old"
	export_tree 0 v "$T/src"
	first=$snapshot
	for n in $moments; do
		i=$((${i:-0} + 1))
		head -c 20000000 /dev/urandom >"$T/src/new-$i"
		truncate -s -1000 "$T/src/large-0$i"
		kill_export KILL "$n" v
	done
	export_tree 0 v "$T/src"
	# Intents of killed exports stay for a while: nobody can know yet that they are dead.  A session that committed leaves none.
	session=$(last_session)
	objects >"$T/objects"
	check "the last session is known" grep -q "/m/$session/" "$T/objects"
	check "no intent is left of a session that committed" vanishes "/i/$session/"
	import_tree 0 v "$first" "$T/dst"
	judge "the snapshot from before is as it was" "$T/old" "$T/dst"
	import_tree 0 v latest "$T/dst"
	judge "the snapshot from after is right" "$T/src" "$T/dst"
	expect 0 "verify finds all well" sf verify -V v --level 4
	rm -rf "$T/old"
}

terminate() {
	local signal wanted n
	for signal in TERM INT HUP; do
		n=0
		case $signal in TERM) wanted=143 ;; INT) wanted=130 ;; HUP) wanted=129 ;; esac
		note "SIG$signal"
		new_repository
		kill_export $signal 2 v
		checks=$((checks + 1))
		if [ "$status" = 0 ]; then
			note "it was done before the signal"
		elif [ "$status" != $wanted ]; then
			failed "SIG$signal gives status $status, not $wanted"
			tail_of_output
		else
			check_number "SIG$signal: no snapshot was made" "$(snapshots)" -eq 0
			n=$((n + 1))
		fi
		export_tree 0 v "$T/src"
	done
}

target_files() {
	find "$T/dst" -type f -size +0 2>/dev/null | head -n "$1" | wc -l
}

target_reaches() {
	[ "$(target_files "$1")" -ge "$1" ]
}

# kill_import SIGNAL FILES [OPTION]...: until that many files stand in the target.
kill_import() {
	local signal=$1 aim=$2 pid
	shift 2
	"$SNAPFERRY" import -V v -q "$@" "$T/dst" >"$T/out" 2>"$T/err" &
	pid=$!
	until_gone_or $pid target_reaches "$aim"
	kill -"$signal" $pid 2>/dev/null
	status=0
	wait $pid 2>/dev/null || status=$?
}

# An import that was killed at the very end: it is finished, but for the attributes of the root.
without_marker() {
	[ -d "$T/dst" ] && ! compgen -G "$T/dst/.snapferry-*" >/dev/null
}

kill_imports() {
	local n
	new_repository
	export_tree 0 v "$T/src"
	for n in 1 3 20 300 1500; do
		note "an import killed after $n files"
		rm -rf "$T/dst"
		kill_import KILL $n
		if [ "$status" = 137 ] && without_marker; then
			judge "a target without marker is whole" --ignore-root "$T/src" "$T/dst"
			continue
		fi
		expect 0 "the import goes on" sf import -V v --json "$T/dst"
		if [ -n "$n" ] && [ "$(field "$T/out" summary resumed)" = true ] && [ "$n" -ge 1500 ]; then
			check_number "what was there is not written again" "$(field "$T/out" summary skipped)" -ge 100
		fi
		check_not "the marker is gone" compgen -G "$T/dst/.snapferry-*"
		judge "the continued import is whole" "$T/src" "$T/dst"
	done
	note "an import killed again and again"
	rm -rf "$T/dst"
	for n in 1 2 10 100 400 800 1200 1600; do
		kill_import KILL $n
		if [ "$status" != 137 ] || without_marker; then
			break
		fi
	done
	without_marker || kill_import TERM 1900
	if [ "$status" = 137 ]; then
		note "it was done before the signal"
		status=0
	fi
	if [ "$status" != 0 ] && [ "$status" != 143 ]; then
		failed "an interrupted import ends with status $status, not 143"
		tail_of_output
	fi
	[ "$status" = 0 ] || expect 0 "the import goes on" sf import -V v "$T/dst"
	judge "it is whole in the end" --ignore-root "$T/src" "$T/dst"
}

kill_block_import() {
	note "an image import that is killed"
	head -c 60000000 /dev/urandom >"$T/image"
	expect 0 "export of an image" sf export -V image --block "$T/image"
	rm -f "$T/dst.img"
	"$SNAPFERRY" import -V image --block -q "$T/dst.img" >"$T/out" 2>"$T/err" &
	local pid=$!
	until_gone_or $pid test -s "$T/dst.img"
	kill -KILL $pid 2>/dev/null
	wait $pid 2>/dev/null
	expect 0 "it is started again" sf import -V image --block --overwrite "$T/dst.img"
	check "the image is whole" cmp "$T/image" "$T/dst.img"
}

make_tree "$T/src"
kill_exports
terminate
kill_imports
kill_block_import
kill_chain
finish
