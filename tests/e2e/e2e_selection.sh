#!/bin/bash
# What is exported, imported and archived when only some is selected, and which snapshot.
. "$(dirname "$0")/functions.sh"
begin 120 "selections, tags, names of snapshots"

# selected MESSAGE EXPECTED-NAMES OPTION...: what an import with these options restores, with the right attributes.
selected() {
	local message=$1 wanted=$2 seen
	shift 2
	import_tree 0 sel latest "$T/dst" "$@"
	seen=$(names "$T/dst")
	check "$message (restored: $seen)" [ "$seen" = "$wanted" ]
	(cd "$T/dst" && find . -mindepth 1 -printf '%P %y %m %T@\n' | sort) >"$T/seen"
	check_number "$message: attributes of all are as they were" "$(comm -23 "$T/seen" "$T/all" | wc -l)" -eq 0
}

selection() {
	note "what is selected"
	(cd "$T/sel" && find . -mindepth 1 -printf '%P %y %m %T@\n' | sort) >"$T/all"
	export_tree 0 sel "$T/sel" --exclude '*.log' --exclude cache/ --exclude /keep/sub/deep
	import_tree 0 sel latest "$T/dst"
	check "export --exclude: $(names "$T/dst")" [ "$(names "$T/dst")" = "keep keep/a.txt keep/cache keep/sub logs other top.txt " ]
	expect 0 "show knows the globs" sf show -V sel
	check_number "every exclude is shown" "$(grep -c '^excluded  *\(\*\.log\|cache/\|/keep/sub/deep\)$' "$T/out")" -eq 3
	export_tree 0 sel "$T/sel" --exclude '**/sub/*.log'
	check_not "an exclude with **" grep -q sub/c.log <(sf ls -R -V sel)
	export_tree 0 sel "$T/sel"
	selected "import --include of a name" "keep keep/a.txt keep/sub keep/sub/deep keep/sub/deep/d.txt top.txt " --include '*.txt'
	selected "import --include of a folder" "keep keep/sub keep/sub/c.log keep/sub/deep keep/sub/deep/d.txt " --include /keep/sub
	selected "import --exclude within an include" "keep keep/sub keep/sub/c.log " --include keep/sub --exclude deep
	selected "import --exclude alone" "keep keep/a.txt keep/b.log keep/cache keep/sub keep/sub/c.log keep/sub/deep keep/sub/deep/d.txt top.txt " \
		--exclude /cache --exclude 'log[s]' --exclude other/
	selected "two includes" "cache cache/y cache/y/z keep keep/b.log " --include cache/y --include b.log
	rm -rf "$T/dst"
	expect 1 "an include that matches nothing" sf import -V sel --include no-such-name "$T/dst"
	one_line "it says so" matches
	rm -rf "$T/dst"
	mkdir "$T/dst"
	check "tar --include" piped "$T/dst" tar -x -- -V sel --include sub --exclude '*.log'
	check "tar --include: $(names "$T/dst")" [ "$(names "$T/dst")" = "keep keep/sub keep/sub/deep keep/sub/deep/d.txt " ]
}

tags() {
	note "tags"
	export_tree 0 tags "$T/sel" --tag app=database --tag 'odd=a=b "c" ☃' --tag empty=
	check "tags in the summary" [ "$(field "$T/export.json" summary tags.app)" = database ]
	expect 0 "show" sf show -V tags --json
	check "a tag with special characters" [ "$(field "$T/out" summary tags.odd)" = 'a=b "c" ☃' ]
	check "an empty tag" [ "$(field "$T/out" summary tags.empty)" = "" ]
	expect 0 "list -l" sf list -l -V tags
	check "list -l shows tags" grep -q 'app=database' "$T/out"
	expect 2 "a tag without a value" sf export -V tags --tag nothing "$T/sel"
	expect 2 "a tag without a name" sf export -V tags --tag =x "$T/sel"
}

subset_with_links() {
	note "some links of a group"
	import_tree 0 big latest "$T/dst" --include '/links/z-*' --include /links/a
	cp -a "$T/big" "$T/expected"
	find "$T/expected" -mindepth 1 -maxdepth 1 ! -name links -exec rm -rf {} +
	find "$T/expected/links" -mindepth 1 -maxdepth 1 ! -name 'z-*' ! -name a -exec rm -rf {} +
	judge "links among the selected ones, without the group's first" --ignore-root --ignore-folder-mtime "$T/expected" "$T/dst"
	rm -rf "$T/expected"
}

# is_snapshot MESSAGE ID SPEC
is_snapshot() {
	expect 0 "$1" sf show --json -V named -s "$3"
	check "$1: $3" [ "$(field "$T/out" summary snapshot)" = "$2" ]
}

at_zone() {
	python3 - "$@" <<-'EOP'
		import datetime, sys
		seconds, fraction = sys.argv[1].rstrip("Z").split(".")
		t = datetime.datetime.fromisoformat(seconds) + datetime.timedelta(minutes=int(sys.argv[2]))
		print("%s.%s" % (t.isoformat(), fraction))
	EOP
}

snapshots() {
	note "names of snapshots"
	local id=() started=() i length=1
	mkdir "$T/named"
	for i in 1 2 3; do
		echo $i >"$T/named/file"
		export_tree 0 named "$T/named"
		id+=("$snapshot")
		started+=("$(field "$T/export.json" summary started)")
	done
	for i in 0 1 2; do
		is_snapshot "a whole id" "${id[i]}" "${id[i]}"
		is_snapshot "a time" "${id[i]}" "${started[i]}"
		is_snapshot "a time in another zone" "${id[i]}" "$(at_zone "${started[i]}" 330)+05:30"
	done
	TZ=EST5 is_snapshot "a local time" "${id[1]}" "$(at_zone "${started[1]}" -300)"
	is_snapshot "latest" "${id[2]}" latest
	is_snapshot "a time to come" "${id[2]}" 2999-12-31
	is_snapshot "upper case" "${id[0]}" "${id[0]^^}"
	while [ $length -lt 36 ] && [ "${id[0]:0:length}" = "${id[1]:0:length}" ]; do
		length=$((length + 1))
	done
	is_snapshot "the shortest beginning that is one" "${id[0]}" "${id[0]:0:length}"
	expect 2 "a beginning of several" sf show -V named -s "${id[0]:0:1}"
	check "they are named" grep -q "${id[1]}" "$T/err"
	expect 1 "a time before all" sf show -V named -s 1999-01-01
	expect 1 "an id that is not there" sf show -V named -s "${id[0]%????}ffff"
	expect 1 "a beginning of none" sf show -V named -s ffff
	for i in zzz 2021-02-30 2021-13-01 20 ../x "latest " "${id[0]}0"; do
		expect "1|2" "no snapshot: $i" sf show -V named -s "$i"
	done
	expect 2 "nonsense" sf show -V named -s zzz
	import_tree 0 named "${started[0]}" "$T/dst"
	check "the import as of a time" [ "$(cat "$T/dst/file")" = 1 ]
}

two_volumes
sections selection tags subset_with_links snapshots
finish
