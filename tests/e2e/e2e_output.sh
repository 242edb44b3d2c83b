#!/bin/bash
# What commands print: JSON, nothing, help, one line of error.
. "$(dirname "$0")/functions.sh"
begin 120 "output of commands"

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

two_volumes
sections json_of_all quiet dry_run usage closed_pipe
finish
