#!/bin/bash
# Every command with its options: what they promise, and what they print.
. "$(dirname "$0")/functions.sh"
begin 240 "commands and their options"

# ---- help with judging ----

# All names below a folder, sorted, in one line.
names() {
	(cd "$1" && find . -mindepth 1 -printf '%P\n' | sort | tr '\n' ' ')
}

# Everything about the files below a folder, contents included.
fingerprint() {
	(cd "$1" && find . -printf '%p %y %m %s %T@ %i\n' | sort && find . -type f -exec sha256sum {} + | sort) | sha256sum
}

# What the last command printed is JSON Lines: json MESSAGE [KIND...], kinds of messages that must be there.
json() {
	checks=$((checks + 1))
	if [ -s "$T/err" ]; then
		failed "$1: something on standard error, too"
		tail_of_output
		return
	fi
	python3 - "$T/out" "$status" "${@:2}" >"$T/judged" 2>&1 <<-'EOP' || {
		import json, sys
		known = {"status", "warning", "note", "error", "summary", "snapshot", "entry", "change", "damage"}
		def unique(pairs):
		    assert len({k for k, _ in pairs}) == len(pairs), "a key twice"
		    return dict(pairs)
		def never(text):
		    raise ValueError(text + " is no JSON")
		data = open(sys.argv[1], "rb").read()
		assert data.endswith(b"\n"), "the last line is not ended"
		lines = [json.loads(l.decode(), object_pairs_hook=unique, parse_constant=never) for l in data[:-1].split(b"\n")]
		kinds = [l["message_type"] for l in lines]
		assert not set(kinds) - known, "unknown kinds: %s" % (set(kinds) - known)
		assert not set(sys.argv[3:]) - set(kinds), "missing kinds, there are only %s" % set(kinds)
		status = int(sys.argv[2])
		if status in (0, 3):
		    assert kinds[-1] == "summary" and kinds.count("summary") == 1 and "error" not in kinds, kinds[-3:]
		else:
		    assert kinds[-1] == "error" and kinds.count("error") == 1, kinds[-3:]
		    assert lines[-1]["exit_status"] == status and lines[-1]["message"] and lines[-1]["code"], lines[-1]
	EOP
		failed "$1: not the JSON Lines that it should be"
		tail -n 3 "$T/judged" | sed 's/^/    /'
		tail_of_output
	}
}

# What the last command said on standard error: exactly one line that matches.
one_line() {
	checks=$((checks + 1))
	if [ "$(wc -l <"$T/err")" != 1 ] || ! grep -q -e "$2" "$T/err"; then
		failed "$1"
		tail_of_output
	fi
}

silent() {
	check "$1: nothing is printed" [ ! -s "$T/out" -a ! -s "$T/err" ]
}

noise() {
	python3 -c 'import random, sys; sys.stdout.buffer.write(random.Random(int(sys.argv[2])).randbytes(int(sys.argv[1])))' "$@"
}

milliseconds() {
	echo $(($(date +%s%N) / 1000000))
}

# ---- what is in a snapshot ----

small_tree() {
	mkdir -p "$1/keep/sub/deep" "$1/cache/y" "$1/other/cache" "$1/logs"
	local name
	for name in keep/a.txt keep/b.log keep/cache keep/sub/c.log keep/sub/deep/d.txt cache/x cache/y/z logs/1.log other/cache/q top.txt; do
		echo "this is $name" >"$1/$name"
	done
	chmod 0711 "$1/keep"
	chmod 0700 "$1/keep/sub"
	find "$1" -depth -exec touch -h -d '2020-02-02 02:02:02.020202020' {} +
}

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

# ---- output ----

json_of_all() {
	note "JSON of all commands"
	expect 0 "export" sf export --json -V big --tag k=v "$T/big"
	json "export"
	expect 0 "export -n" sf export --json -n -V big "$T/big"
	json "export -n"
	rm -rf "$T/dst"
	expect 0 "import -n" sf import --json -n -V big "$T/dst"
	json "import -n"
	expect 0 "import" sf import --json -V big "$T/dst"
	json "import"
	expect 0 "list" sf list --json
	json "list" snapshot
	expect 0 "list -l" sf list -l --json -V big
	json "list -l" snapshot
	expect 0 "show" sf show --json -V big
	json "show"
	expect 0 "ls" sf ls --json -V big names
	json "ls" entry
	expect 0 "statistics" sf show --json -V big
	local entries
	entries=$(field "$T/out" summary statistics.entries)
	expect 0 "ls -lR" sf ls -lR --json -V big
	json "ls -lR" entry
	check_number "ls -R shows every entry" "$(grep -c '"message_type":"entry"' "$T/out")" -eq "$entries"
	local level
	for level in 0 1 2 3 4; do
		expect 0 "verify" sf verify --json --level $level -V big
		json "verify --level $level"
	done
	expect 0 "diff" sf diff --json -V sel latest
	json "diff" change
	expect 50 "diff with a folder" sf diff --json -V big latest "$T/sel"
	json "diff with a folder" change
	expect 0 "init" env -u SNAPFERRY_KEY_FILE "$SNAPFERRY" init --json -r "$T/other" --new-key-file "$T/other.key"
	json "init"
	note "JSON of failures"
	expect 1 "no volume" sf import --json -V none "$T/none"
	json "no volume"
	expect 10 "no repository" sf list --json -r "$T/none"
	json "no repository"
	expect 12 "wrong key" sf list --json --key-file "$T/other.key"
	json "wrong key"
	expect 2 "tar has no JSON" sf tar --json -V big
	expect 1 "an output that is full" bash -c '"$0" ls -R --json -V big >/dev/full' "$SNAPFERRY"
}

quiet() {
	note "quiet"
	expect 0 "init" env -u SNAPFERRY_KEY_FILE "$SNAPFERRY" init -q -r "$T/quiet" --new-key-file "$T/quiet.key"
	silent "init -q"
	expect 0 "export" sf export -q -V big "$T/big"
	silent "export -q"
	rm -rf "$T/dst"
	expect 0 "import" sf import -q -V big "$T/dst"
	silent "import -q"
	expect 0 "verify" sf verify -q -V big --level 4
	silent "verify -q"
	expect 0 "diff" sf diff -q -V big latest "$T/big"
	silent "diff -q without differences"
	expect 1 "a failure" sf import -q -V big -s 1999-01-01 "$T/none"
	one_line "a failure says what it is" "1999"
}

dry_run() {
	note "dry runs"
	local repository target
	repository=$(fingerprint "$T/repo")
	mkdir "$T/empty"
	expect 0 "export -n" sf export -n -V sel "$T/big"
	expect 0 "export -n to a new volume" sf export -n -V never "$T/big"
	expect 0 "import -n to a new folder" sf import -n -V big "$T/never"
	check_not "no folder was made" [ -e "$T/never" ]
	expect 0 "import -n to an empty folder" sf import -n -V big "$T/empty"
	check "it stays empty" [ -z "$(ls -A "$T/empty")" ]
	target=$(fingerprint "$T/sel")
	expect 0 "import -n --overwrite" sf import -n --overwrite -V big "$T/sel"
	expect 1 "import -n to a folder that is not empty" sf import -n -V big "$T/sel"
	expect 0 "an image" sf export -q -V dry-image --block "$T/big/sizes/262145"
	repository=$(fingerprint "$T/repo")
	expect 0 "import -n to a new image" sf import -n -V dry-image --block "$T/never"
	check_not "no image was made" [ -e "$T/never" ]
	expect 1 "import -n to an image that is not empty" sf import -n -V dry-image --block "$T/sel/top.txt"
	expect 0 "import -n --overwrite of an image" sf import -n -V dry-image --block --overwrite "$T/sel/top.txt"
	check "the target is as it was" [ "$(fingerprint "$T/sel")" = "$target" ]
	check "the repository is as it was" [ "$(fingerprint "$T/repo")" = "$repository" ]
	expect 1 "there is no new volume" sf list -V never
}

usage() {
	note "usage"
	local command
	for command in init export import list show ls tar verify diff; do
		expect 0 "help of $command" sf $command --help
		check "$command --help tells the usage" grep -q "^Usage: snapferry $command" "$T/out"
		check "$command --help is no error" [ ! -s "$T/err" ]
		expect 2 "$command --frobnicate" sf $command --frobnicate
		one_line "$command names the bad option" --frobnicate
		expect 2 "$command with too many arguments" sf $command -V big a b c d
	done
	expect 2 "no command" sf
	expect 2 "an unknown command" sf frobnicate
	one_line "it is named" frobnicate
	expect 0 "version" sf --version
	expect 2 "an option without its value" sf list -V
	expect 2 "an empty value" sf ls -V ''
	for command in "--compression 20" "--compression -8" "--compression x" "--threads 0" "--threads 257" "--connections -1" \
		"--max-memory 0" "--max-memory 1Q" "--limit-upload 0" "--limit-upload -5" "--level 1" "--include x"; do
		# shellcheck disable=SC2086 # option and value
		expect 2 "export $command" sf export -V big $command "$T/big"
	done
	for command in "--level 5" "--level -1" "--sample 0" "--sample 101" "--sample x" "--sample nan"; do
		# shellcheck disable=SC2086
		expect 2 "verify $command" sf verify -V big $command
	done
}

closed_pipe() {
	note "a reader that goes away"
	local statuses
	expect 0 "a long listing" sf ls -R --json -V big
	check_number "it does not fit into a pipe" "$(wc -c <"$T/out")" -ge 200000
	for command in "ls -R --json -V big" "tar -V big"; do
		# shellcheck disable=SC2086
		sf $command 2>"$T/err" | head -c 1 >"$T/out"
		statuses=${PIPESTATUS[*]}
		check "$command: ends with status 1 or 0 (saw $statuses)" [ "${statuses% 0}" -le 1 ]
		check_number "$command: hardly anything is said" "$(wc -l <"$T/err")" -le 1
	done
}

# ---- archives ----

# piped FOLDER COMMAND... -- OPTION...: "snapferry tar OPTION..." into the command, which runs in the folder; both succeed.
piped() {
	local folder=$1 reader=()
	shift
	while [ "$1" != -- ]; do
		reader+=("$1")
		shift
	done
	shift
	(
		set -o pipefail
		sf tar "$@" 2>"$T/err.tar" | (cd "$folder" && "${reader[@]}") >"$T/out" 2>"$T/err"
	)
}

# What archives cannot hold: sockets, fractions of seconds before 1970 (libarchive), names of attributes that are no text or hold '='.
judge_archive() {
	local ignores=() name
	for name in links/a/socket links/far/away/socket links/z-socket specials/socket; do
		ignores+=(--ignore "$name")
	done
	for name in d1960 d1969 f1960 f1969 s1960 s1969; do
		ignores+=(--ignore "times/$name")
	done
	judge "$1" "${ignores[@]}" --ignore-xattr $'user.\xff' --ignore-xattr user.%FF "${@:2}"
}

archives() {
	note "archives"
	# GNU tar cannot give attributes to a file that only root may write to.
	local without=() ignored=()
	is_root || without=(--exclude xattrs/read-only) ignored=(--ignore xattrs/read-only)
	rm -rf "$T/dst"
	mkdir "$T/dst"
	check "GNU tar reads the archive" piped "$T/dst" tar --xattrs --xattrs-include='*' --acls --same-owner -xp -- -V big "${without[@]}"
	judge_archive "GNU tar restores all" "${ignored[@]}" "$T/big" "$T/dst"
	check_number "every socket is named" "$(grep -c socket "$T/err.tar")" -eq "$(find "$T/big" -type s | wc -l)"
	rm -rf "$T/dst"
	mkdir "$T/dst"
	if command -v bsdtar >/dev/null; then
		check "bsdtar reads the archive" piped "$T/dst" bsdtar --xattrs --acls --same-owner -xpf - -- -V big
		judge_archive "bsdtar restores all" --ignore-root "$T/big" "$T/dst"
	else
		note "bsdtar: left out"
	fi
	rm -rf "$T/dst"
	mkdir "$T/dst"
	check "tar of one folder" piped "$T/dst" tar --xattrs --xattrs-include='*' --acls -xp -- -V big links
	check "it holds nothing else" [ "$(ls -A "$T/dst")" = links ]
	judge "one folder" --ignore a/socket --ignore far/away/socket --ignore z-socket "$T/big/links" "$T/dst/links"
	check "tar of one file" piped "$T/dst" tar -xO -- -V big /sizes/one
	check "its content" [ "$(cat "$T/out")" = x ]
	expect 1 "tar of what is not there" sf tar -V big no/such
	check_not "no reader takes that for an archive" tar -t -f "$T/out" 2>"$T/err"
}

# ---- checks ----

# broken MESSAGE OBJECT HOW LEVEL: damage that is found from this level on, but not below.
broken() {
	local message=$1 object=$2 how=$3 level=$4
	cp -a "$object" "$T/whole"
	eval "$how"
	if [ "$level" -gt 0 ]; then
		expect 0 "$message: level $((level - 1)) does not look there" sf verify -V packs --level $((level - 1))
	fi
	expect 20 "$message: found at level $level" sf verify -V packs --level "$level"
	check "$message: the object is named" grep -q "${object#"$T/repo/"}" "$T/err" "$T/out"
	expect 20 "$message: found at level 4" sf verify -V packs --level 4
	cp -a "$T/whole" "$object"
}

flip() {
	python3 - "$@" <<-'EOP'
		import sys
		with open(sys.argv[1], "r+b") as f:
		    at = f.seek(int(sys.argv[2]), 2 if int(sys.argv[2]) < 0 else 0)
		    byte = f.read(1)[0]
		    f.seek(at)
		    f.write(bytes([byte ^ 4]))
	EOP
}

verification() {
	note "verify"
	mkdir "$T/packs"
	local i pack packs read
	for i in 1 2 3 4 5 6; do
		noise 6000000 $i >"$T/packs/$i"
	done
	export_tree 0 packs "$T/packs" --threads 1 --connections 1 --max-memory 73M
	for i in 0 1 2 3 4; do
		expect 0 "verify --level $i" sf verify --json --level $i -V packs
		check_number "level $i: no damage" "$(field "$T/out" summary damage)" -eq 0
		packs=$(field "$T/out" summary packs)
		read=$(field "$T/out" summary packs_read)
		check_number "level $i: packs that are read" "$read" -eq $((i >= 3 ? packs : 0))
	done
	check_number "there are some packs" "$packs" -ge 6
	for i in 100 12% 2.5; do
		expect 0 "verify --sample $i" sf verify --json --level 3 --sample $i -V packs
		read=$(field "$T/out" summary packs_read)
		if [ $i = 100 ]; then
			check_number "a sample of $i reads all" "$read" -eq "$packs"
		else
			check_number "a sample of $i reads less than all" "$read" -lt "$packs"
		fi
		expect 0 "again" sf verify --json --level 4 --sample $i -V packs
		check_number "the sample of a day is always the same" "$(field "$T/out" summary packs_read)" -eq "$read"
	done
	expect 0 "a snapshot alone" sf verify -V packs -s "$snapshot" --level 4
	expect 0 "all volumes" sf verify --level 2
	pack=$(find "$T/repo/v" -path "*/p/*" -type f -size +4000k | sort | head -n 1)
	broken "a missing pack" "$pack" 'rm "$object"' 1
	broken "a short pack" "$pack" 'truncate -s -1 "$object"' 1
	broken "a bad trailer" "$pack" 'flip "$object" -60' 2
	broken "a bad header" "$pack" 'flip "$object" 5' 2
	broken "a bad frame" "$pack" 'flip "$object" 300000' 3
	expect 0 "all is mended" sf verify -V packs --level 4
}

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

# ---- secrets ----

secrets() {
	note "secrets"
	local key=$SNAPFERRY_KEY_FILE SNAPFERRY_REPOSITORY="$T/secret"
	unset SNAPFERRY_KEY_FILE
	expect 2 "init without a secret, and nobody to ask" sf init </dev/null
	check_not "it makes nothing" [ -e "$T/secret/repo.json" ]
	printf 'the right one\r\nand a second line\n' >"$T/right"
	echo wrong >"$T/wrong"
	: >"$T/nothing"
	expect 0 "init with a password file" sf init --password-file "$T/right" --label mine
	check "the label is kept" grep -rq '"mine"' "$T/secret/keys"
	expect 0 "password file" sf list --password-file "$T/right"
	SNAPFERRY_PASSWORD_FILE=$T/right expect 0 "password file of the environment" sf list
	SNAPFERRY_PASSWORD='the right one' expect 0 "password of the environment" sf list
	SNAPFERRY_PASSWORD_COMMAND="head -n 1 $T/right" expect 0 "password command" sf list
	SNAPFERRY_PASSWORD_FILE=$T/wrong expect 0 "an option goes before the environment" sf list --password-file "$T/right"
	expect 12 "wrong password file" sf list --password-file "$T/wrong"
	one_line "wrong password: one line" .
	SNAPFERRY_PASSWORD=wrong expect 12 "wrong password" sf list
	SNAPFERRY_PASSWORD_COMMAND="echo wrong" expect 12 "wrong password command" sf list
	expect 12 "the key file of another repository" sf list --key-file "$key"
	SNAPFERRY_PASSWORD_COMMAND="exit 3" expect 2 "a password command that fails" sf list
	SNAPFERRY_PASSWORD_COMMAND="true" expect 2 "a password command that says nothing" sf list
	SNAPFERRY_PASSWORD='' expect 2 "an empty password" sf list
	expect 2 "an empty password file" sf list --password-file "$T/nothing"
	expect 2 "a password file that is not there" sf list --password-file "$T/none"
	expect 2 "a key file that is not there" sf list --key-file "$T/none"
	expect 2 "no secret at all" sf list </dev/null
	one_line "it says what to do" SNAPFERRY_PASSWORD
	local before
	before=$(fingerprint "$T/secret")
	SNAPFERRY_PASSWORD=other expect 1 "a second init" sf init
	expect 1 "a second init with a new key" sf init --new-key-file "$T/second.key"
	check_not "the key of a failed init is not kept" [ -e "$T/second.key" ]
	check "a second init changes nothing" [ "$(fingerprint "$T/secret")" = "$before" ]
	check "a key file is for its owner alone" [ "$(stat -c %a "$key")" = 600 ]
	expect "1|2" "a key file is never replaced" sf init -r "$T/third" --new-key-file "$T/right"
	check "it is as it was" grep -q 'right one' "$T/right"
	mkdir "$T/foreign" && echo mine >"$T/foreign/file"
	SNAPFERRY_PASSWORD=x expect 1 "init in a folder with other files" sf init -r "$T/foreign"
	check "nothing is added" [ "$(ls -A "$T/foreign")" = file ]
	expect 10 "no repository" sf list -r "$T/foreign" --key-file "$key"
	expect 10 "no repository at all" sf list -r "file://$T/none" --key-file "$key"
	export SNAPFERRY_KEY_FILE=$key
}

# ---- resources ----

# Text that compresses the better the more effort is made.
words() {
	mkdir "$1"
	python3 - "$1/text" <<-'EOP'
		import random, sys
		r = random.Random(8)
		words = ["".join(r.choice("etaoinshrdlu") for _ in range(r.randrange(2, 9))) for _ in range(3000)]
		open(sys.argv[1], "w").write(" ".join(words[min(int(r.expovariate(1 / 400)), 2999)] for _ in range(600_000)))
	EOP
}

resources() {
	note "compression, threads, memory"
	local wanted option volume=0 bytes before=99999999
	wanted=$(sf tar -V big 2>/dev/null | sha256sum)
	for option in "--compression none" "--compression -7" "--compression 19" "--threads 1" "--threads 8" "--connections 8" "--max-memory 16G" "--threads 1 --connections 1 --max-memory 73M"; do
		volume=$((volume + 1))
		# shellcheck disable=SC2086
		export_tree 0 "options-$volume" "$T/big" $option
		expect 0 "$option: verify" sf verify -V "options-$volume" --level 4
		check "$option: the same files" [ "$(sf tar -V "options-$volume" 2>/dev/null | sha256sum)" = "$wanted" ]
	done
	words "$T/words"
	for option in none -7 1 19; do
		export_tree 0 "words$option" "$T/words" --compression $option
		bytes=$(stat_of_export stored_bytes)
		check_number "--compression $option takes less than the one before" "$bytes" -lt "$before"
		before=$((bytes - bytes / 10))
		import_tree 0 "words$option" latest "$T/dst"
		judge "--compression $option: the words are there" "$T/words" "$T/dst"
	done
	for option in "--threads 1" "--threads 8 --connections 8"; do
		rm -rf "$T/dst"
		# shellcheck disable=SC2086
		expect 0 "import $option" sf import $option -V big "$T/dst"
		judge "import $option" "$T/big" "$T/dst"
	done
	for option in 1 1M 20M; do
		expect 2 "too little memory" sf export -V big --max-memory $option "$T/big"
		one_line "it says how much is needed" 'at least [0-9]*M'
	done
}

limits() {
	note "limits"
	mkdir "$T/limited"
	noise 4000000 5 >"$T/limited/file"
	local start pid
	start=$(milliseconds)
	export_tree 0 limited "$T/limited" --limit-upload 1M
	check_number "a limited upload takes its time" $(($(milliseconds) - start)) -ge 2500
	start=$(milliseconds)
	import_tree 0 limited latest "$T/dst" --limit-download 1M
	check_number "a limited download takes its time" $(($(milliseconds) - start)) -ge 2500
	judge "nothing is missing" "$T/limited" "$T/dst"
	noise 4000000 6 >"$T/limited/file"
	"$SNAPFERRY" export -V limited --limit-upload 1K "$T/limited" >"$T/out" 2>"$T/err" &
	pid=$!
	while [ -z "$(find "$T/repo/v" -path '*/i/*.json')" ] && [ -d /proc/$pid ]; do
		sleep 0.05
	done
	start=$(milliseconds)
	kill -TERM $pid
	status=0
	wait $pid || status=$?
	check_number "the status of one that is told to end" $status -eq 143
	check_number "it ends soon" $(($(milliseconds) - start)) -le 10000
	one_line "it says so" .
	export_tree 0 limited "$T/limited"
	expect 0 "the next one succeeds" sf verify -V limited --level 4
}

# ---- naming snapshots ----

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

# ---- targets ----

targets() {
	note "targets"
	local before
	small_tree "$T/full"
	echo mine >"$T/full/mine"
	before=$(fingerprint "$T/full")
	expect 1 "a target that is not empty" sf import -V sel "$T/full"
	one_line "it says why" 'not empty'
	check "it is as it was" [ "$(fingerprint "$T/full")" = "$before" ]
	mkdir -p "$T/outside/folder" "$T/full/top"
	echo outside >"$T/outside/file"
	rm -rf "$T/full/cache" "$T/full/keep/a.txt" "$T/full/top.txt" "$T/full/logs"
	ln -s "$T/outside/folder" "$T/full/cache"
	ln "$T/outside/file" "$T/full/top.txt"
	mkdir "$T/full/keep/a.txt"
	echo file >"$T/full/logs"
	before=$(fingerprint "$T/outside")
	expect 0 "--overwrite" sf import -V sel --overwrite "$T/full"
	check "what others link to is not written" [ "$(fingerprint "$T/outside")" = "$before" ]
	check "what the snapshot does not have stays" [ "$(cat "$T/full/mine")" = mine ]
	rm -r "$T/full/mine" "$T/full/top"
	judge "all that the snapshot has is as it should be" --ignore-root "$T/sel" "$T/full"
	mkdir -p "$T/fresh/lost+found"
	expect 0 "a fresh file system counts as empty" sf import -V sel "$T/fresh"
	check "its lost+found stays" [ -d "$T/fresh/lost+found" ]
	judge "it has all" --ignore-root "$T/sel" "$T/fresh"
	expect "1|2" "a file as a target" sf import -V sel "$T/key"
	# That they are missing is a warning, also when it was asked for.
	expect "0|3" "without devices" sf import -V big --no-devices --overwrite "$T/fresh"
	check "there are none" [ -z "$(find "$T/fresh" -type b -o -type c)" ]
}

# ---- full disks ----

# Every object is whole, and there is nothing else.
check_objects() {
	python3 - "$1" >"$T/judged" <<-'EOP' || failed "$2: $(cat "$T/judged")"
		import json, os, re, sys
		for folder, _, files in os.walk(sys.argv[1]):
		    for name in files:
		        path = os.path.join(folder, name)
		        data = open(path, "rb").read()
		        if name.endswith(".json"):
		            json.loads(data)
		        elif not re.search("/[pm]/[0-9a-f]{32}/[0-9a-f]{8}$", path) or not data.endswith(b"SFPKEND1"):
		            sys.exit(print(path, "is half an object or none") or 1)
	EOP
	checks=$((checks + 1))
}

full_disks() {
	is_root && mkdir "$T/tiny" && mount -t tmpfs -o size=6m tmpfs "$T/tiny" 2>/dev/null || {
		note "full disks: left out (needs root and tmpfs)"
		return
	}
	on_clean_up+=("umount $T/tiny 2>/dev/null")
	note "a repository on a full disk"
	local SNAPFERRY_REPOSITORY=$T/tiny/repo small
	mkdir "$T/more"
	noise 300000 1 >"$T/more/first"
	expect 0 "init" sf init
	export_tree 0 tiny "$T/more"
	small=$snapshot
	noise 12000000 2 >"$T/more/second"
	expect 1 "export to a full disk" sf export -V tiny --threads 1 --connections 1 --max-memory 73M "$T/more"
	one_line "it says why, and where" 'No space left'
	check_objects "$T/tiny/repo" "after a full disk"
	import_tree 0 tiny latest "$T/dst"
	check "the snapshot from before is still the latest" cmp "$T/more/first" "$T/dst/first"
	expect 0 "and whole" sf verify -V tiny --level 4
	mount -o remount,size=40m "$T/tiny"
	export_tree 0 tiny "$T/more"
	expect 0 "with more room" sf verify -V tiny --level 4
	import_tree 0 tiny latest "$T/dst"
	judge "with more room all is there" "$T/more" "$T/dst"
	import_tree 0 tiny "$small" "$T/dst"

	note "a target on a full disk"
	mkdir "$T/narrow"
	mount -t tmpfs -o size=5m tmpfs "$T/narrow"
	on_clean_up+=("umount $T/narrow 2>/dev/null")
	expect 1 "import to a full disk" sf import -V tiny "$T/narrow"
	check "it says why" grep -q 'No space left' "$T/err"
	check_number "in few words" "$(wc -l <"$T/err")" -le 3
	mount -o remount,size=40m "$T/narrow"
	expect 0 "import with more room goes on" sf import -V tiny "$T/narrow"
	judge "and has all" "$T/more" "$T/narrow"
	expect 0 "an image" sf export -V image --block "$T/more/second"
	mount -o remount,size=14m "$T/narrow"
	expect 1 "an image to a full disk" sf import -V image --block "$T/narrow/image"
	check "it says why" grep -q 'No space left' "$T/err"

	note "other file systems below the source"
	rm -rf "$T/dst"
	mkdir -p "$T/crossing/mounted" "$T/dst"
	mount -t tmpfs tmpfs "$T/crossing/mounted"
	on_clean_up+=("umount $T/crossing/mounted 2>/dev/null")
	echo below >"$T/crossing/mounted/file"
	expect 0 "without" sf export -V crossing "$T/crossing"
	check_not "what is mounted is left out" grep -q mounted/file <(sf ls -R -V crossing)
	expect 0 "with" sf export -V crossing --cross-file-systems "$T/crossing"
	check "what is mounted is there" grep -q mounted/file <(sf ls -R -V crossing)
	umount "$T/crossing/mounted" "$T/narrow" "$T/tiny"
}

new_repository
mktree --small "$T/big"
export_tree 0 big "$T/big"
small_tree "$T/sel"
export_tree 0 sel "$T/sel" --exclude logs
export_tree 0 sel "$T/sel"
sections="selection tags subset_with_links json_of_all quiet dry_run usage closed_pipe archives verification differences
	secrets resources limits snapshots targets full_disks"
# E2E_SECTIONS: only some of them, for whoever works on one.
for section in ${E2E_SECTIONS:-$sections}; do
	$section
done
finish
