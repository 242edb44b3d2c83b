#!/bin/bash
# What diff finds between snapshots, and between a snapshot and a folder.
. "$(dirname "$0")/functions.sh"
begin 120 "diff"

# The changes in $T/out, one word each.
changes() {
	python3 - "$T/out" <<-'EOP'
		import json, sys
		for m in map(json.loads, open(sys.argv[1])):
		    if m["message_type"] == "change":
		        print("%s:%s:%s" % (m["change"], m["path"], "+".join(m["what"])), end=" ")
	EOP
}

differ() {
	local message=$1 wanted=$2
	shift 2
	expect "${differ_status:-0}" "$message" sf diff --json -V diff "$@"
	check "$message ($(changes))" [ "$(changes)" = "$wanted" ]
}

differences() {
	note "diff"
	small_tree "$T/diff"
	head -c 400000 /dev/zero | tr '\0' x >"$T/diff/large"
	export_tree 0 diff "$T/diff"
	local first=$snapshot stamp
	expect 2 "the first snapshot has no parent" sf diff -V diff latest
	differ "a folder that is the same" "" latest "$T/diff"
	differ "quick: a folder that is the same" "" --quick latest "$T/diff"
	echo new >"$T/diff/new"
	rm "$T/diff/logs/1.log"
	chmod 0600 "$T/diff/top.txt"
	printf y | dd of="$T/diff/large" bs=1 seek=300000 conv=notrunc status=none
	rm "$T/diff/keep/cache" && ln -s elsewhere "$T/diff/keep/cache"
	touch -d 2021-01-01 "$T/diff" "$T/diff/logs" "$T/diff/keep" "$T/diff/large"
	differ_status=50 differ_any "a folder that differs" latest "$T/diff/"
	export_tree 0 diff "$T/diff"
	local folder=$seen_changes
	differ_status=0 differ_any "two snapshots" "$first" latest
	check "a folder and its snapshot differ in the same way ($seen_changes, $folder)" [ "$seen_changes" = "$folder" ]
	differ_status=0 differ_any "a snapshot and its parent" latest
	check "the parent is the one before" [ "$seen_changes" = "$folder" ]
	differ "a snapshot and itself" "" latest "$snapshot"
	stamp=$(stat -c %y "$T/diff/large")
	printf z | dd of="$T/diff/large" bs=1 seek=300000 conv=notrunc status=none
	touch -d "$stamp" "$T/diff/large"
	differ "quick does not read contents" "" --quick latest "$T/diff"
	differ_status=50 differ "a content under the same time" "modified:large:content " latest "$T/diff"
	expect "1|2" "a folder that is not there" sf diff -V diff latest "$T/none"
	expect 2 "a folder first" sf diff -V diff "$T/diff"
	expect 50 "as text" sf diff -V diff latest "$T/diff"
	check "text names the file" grep -q '^M large  (content)$' "$T/out"
}

# The changes that the section above makes.
differ_any() {
	local message=$1 path
	shift
	expect "$differ_status" "$message" sf diff --json -V diff "$@"
	json "$message" change
	seen_changes=$(changes)
	for path in modified:top.txt:mode added:new: removed:logs/1.log: modified:large:content+mtime; do
		check "$message: $path in $seen_changes" grep -qF " $path " <<<" $seen_changes"
	done
	check "$message: the type of keep/cache in $seen_changes" grep -q ' modified:keep/cache:type' <<<" $seen_changes"
	check_number "$message: no further changes in $seen_changes" "$(wc -w <<<"$seen_changes")" -le 9
}

new_repository
sections differences
finish
