# What the end-to-end scripts share.  Each begins with
#
#     . "$(dirname "$0")/functions.sh"
#     begin SECONDS "what it is about"
#
# and ends with `finish`.  Environment: SNAPFERRY (the program, default ./snapferry), E2E_TOOLS (a folder with judge and
# peak, which are compiled with $CC otherwise), E2E_LONG=1 (larger variants), E2E_KEEP=1 (keep the temporary folder),
# REPO_PLACE (dir, the default, or s3: the repository is in a bucket, see functions_s3.sh).
# Exit status: 0 passed, 1 failed, 77 skipped, 124 too slow.

E2E=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
E2E_LONG=${E2E_LONG-}
REPO_PLACE=${REPO_PLACE-dir}
checks=0
failures=0

skip() {
	echo "SKIP $(basename "$0"): $*"
	exit 77
}

# Tools without which the whole script makes no sense.
requires() {
	local tool
	for tool; do
		command -v "$tool" >/dev/null || skip "needs $tool"
	done
}

is_root() {
	[ "$(id -u)" = 0 ]
}

# The hard limit of time holds for the whole script, with all that it starts.
begin() {
	if [ -z "${E2E_INSIDE-}" ]; then
		E2E_INSIDE=1 exec timeout -k 20 "$1" bash "$0"
	fi
	unset E2E_INSIDE
	requires python3 cp find stat truncate timeout
	SNAPFERRY=$(realpath "${SNAPFERRY:-./snapferry}")
	[ -x "$SNAPFERRY" ] || skip "$SNAPFERRY is no program (set SNAPFERRY)"
	T=$(mktemp -d "${TMPDIR:-/tmp}/e2e.XXXXXX") || exit 1
	trap clean_up EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	unset "${!SNAPFERRY_@}" "${!AWS_@}"
	export SNAPFERRY_REPOSITORY="$T/repo" SNAPFERRY_KEY_FILE="$T/key"
	export LC_ALL=C.UTF-8 TZ=UTC
	umask 022
	echo "== $(basename "$0"): $2"
	[ "$REPO_PLACE" = dir ] || begin_s3
}

on_clean_up=()

clean_up() {
	local status=$? command
	trap - EXIT
	for command in "${on_clean_up[@]}"; do
		eval "$command"
	done
	# shellcheck disable=SC2046 # job numbers are words
	kill $(jobs -p) 2>/dev/null
	wait 2>/dev/null
	if [ -n "${E2E_KEEP-}" ]; then
		echo "kept: $T"
	else
		chmod -R u+rwX "$T" 2>/dev/null
		rm -rf "$T"
	fi
	exit $status
}

finish() {
	if [ $failures -gt 0 ]; then
		echo "FAIL $(basename "$0"): $failures of $checks checks failed"
		exit 1
	fi
	echo "PASS $(basename "$0"): $checks checks"
	exit 0
}

note() {
	echo "-- $*"
}

failed() {
	failures=$((failures + 1))
	echo "FAILED: $*"
	[ -z "${E2E_STOP-}" ] || exit 1
}

# Nothing that follows makes sense without this.
die() {
	failed "$*"
	checks=$((checks + 1))
	finish
}

# check MESSAGE COMMAND...: the command succeeds.
check() {
	local message=$1
	shift
	checks=$((checks + 1))
	"$@" || failed "$message"
}

# check_not MESSAGE COMMAND...: the command fails.
check_not() {
	local message=$1
	shift
	checks=$((checks + 1))
	if "$@"; then
		failed "$message"
	fi
}

# check_number MESSAGE A -le B
check_number() {
	checks=$((checks + 1))
	[ "$2" "$3" "$4" ] || failed "$1 (saw $2, wanted $3 $4)"
}

tail_of_output() {
	sed 's/^/    err: /' "$T/err" | tail -n "${1:-12}"
	sed 's/^/    out: /' "$T/out" | head -c 2000 | tail -n 5
}

# run COMMAND...: output to $T/out and $T/err, status in $status.  Death by a signal is always a failure.
run() {
	status=0
	"$@" >"$T/out" 2>"$T/err" || status=$?
	case $status in
	132 | 134 | 135 | 136 | 139)
		checks=$((checks + 1))
		failed "crash with status $status: $*"
		tail_of_output
		;;
	esac
	if grep -q -e 'ERROR: AddressSanitizer' -e 'runtime error:' -e 'WARNING: ThreadSanitizer' -e 'ERROR: LeakSanitizer' "$T/err"; then
		checks=$((checks + 1))
		failed "a sanitizer reports: $*"
		tail_of_output 40
	fi
}

# expect STATUS MESSAGE COMMAND...: ends with this status ("0|3": one of these).
expect() {
	local wanted=$1 message=$2
	shift 2
	run "$@"
	checks=$((checks + 1))
	if [[ "|$wanted|" != *"|$status|"* ]]; then
		failed "$message (status $status, wanted $wanted): $*"
		tail_of_output
	fi
}

sf() {
	"$SNAPFERRY" "$@"
}

# An empty place for a repository, in SNAPFERRY_REPOSITORY.
new_place() {
	if [ "$REPO_PLACE" = s3 ]; then
		new_place_s3
	else
		rm -rf "$SNAPFERRY_REPOSITORY"
	fi
}

# SIZE KEY of every object of the repository.
objects() {
	if [ "$REPO_PLACE" = s3 ]; then
		objects_s3
	else
		find "$SNAPFERRY_REPOSITORY" -type f -printf '%s %P\n'
	fi
}

# How many objects have been stored whose key matches an extended regular expression.
stored() {
	if [ "$REPO_PLACE" = s3 ]; then
		stored_s3 "$1"
	else
		find "$SNAPFERRY_REPOSITORY" -type f -printf '%P\n' 2>/dev/null | grep -cE "$1"
	fi
}

# A new repository with a key file: a passphrase costs time at every command.
new_repository() {
	new_place
	rm -f "$SNAPFERRY_KEY_FILE"
	run env -u SNAPFERRY_KEY_FILE "$SNAPFERRY" init --new-key-file "$SNAPFERRY_KEY_FILE"
	[ "$status" = 0 ] || {
		tail_of_output
		die "cannot make a repository"
	}
}

# Tools written in C.
build_tool() {
	local tool=$1
	if [ -n "${E2E_TOOLS-}" ] && [ -x "$E2E_TOOLS/$tool" ]; then
		echo "$E2E_TOOLS/$tool"
		return
	fi
	local sources=("$E2E/$tool.c")
	[ "$tool" = judge ] && sources+=("$E2E/tree.c" "$E2E/listing.c")
	"${CC:-cc}" -std=gnu11 -D_GNU_SOURCE -O2 -o "$T/$tool" "${sources[@]}" >&2 || return 1
	echo "$T/$tool"
}

# judge MESSAGE [--ignore...] A B: the trees are the same.  lost+found of the root is never exported.
judge() {
	local message=$1
	shift
	[ -n "${JUDGE-}" ] || JUDGE=$(build_tool judge) || die "cannot build the judge"
	checks=$((checks + 1))
	if ! "$JUDGE" --ignore lost+found "$@" >"$T/judged" 2>&1; then
		failed "$message"
		head -n 15 "$T/judged" | sed 's/^/    /'
		tail -n 1 "$T/judged" | sed 's/^/    /'
	fi
}

# The judge itself must see differences: judge_differs MESSAGE A B
judge_differs() {
	[ -n "${JUDGE-}" ] || JUDGE=$(build_tool judge) || die "cannot build the judge"
	local message=$1
	shift
	check_not "$message" "$JUDGE" --ignore lost+found "$@" >"$T/judged"
}

# field FILE TYPE KEY[.KEY]: a value from the last JSON line with this message_type.
field() {
	python3 - "$@" <<-'EOF'
		import json, sys
		value = None
		for line in open(sys.argv[1], errors="surrogateescape"):
		    message = json.loads(line)
		    if message.get("message_type") == sys.argv[2]:
		        value = message
		for key in sys.argv[3].split("."):
		    value = value[key] if value is not None else None
		print("null" if value is None else str(value).lower() if isinstance(value, bool) else value)
	EOF
}

# export_tree STATUS VOLUME SOURCE [OPTION]...: export with --json; the summary stays in $T/export.json, the id in $snapshot.
export_tree() {
	local wanted=$1 volume=$2 source=$3
	shift 3
	expect "$wanted" "export of $(basename "$source")" sf export -V "$volume" --json "$@" "$source"
	cp "$T/out" "$T/export.json"
	snapshot=$(field "$T/export.json" summary snapshot 2>/dev/null)
}

stat_of_export() {
	field "$T/export.json" summary "statistics.$1"
}

# import_tree STATUS VOLUME SNAPSHOT TARGET [OPTION]...: into a fresh folder.
import_tree() {
	local wanted=$1 volume=$2 id=$3 target=$4
	shift 4
	rm -rf "$target"
	expect "$wanted" "import of $volume $id" sf import -V "$volume" -s "$id" "$@" "$target"
}

# Bytes that a repository takes.
repository_bytes() {
	objects | awk '{ n += $1 } END { print n + 0 }'
}

mktree() {
	python3 "$E2E/mktree.py" "$@" || die "cannot make the tree"
}

# Changes within two seconds before a snapshot count as uncertain for the next one: wait until the clock is past that.
# (What is tested is the clock, not a race.)
pass_uncertainty() {
	local from
	from=$(date +%s)
	while [ "$(date +%s)" -lt $((from + 4)) ]; do
		sleep 0.2
	done
}

# Files and folders with a few names that occur often.
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

# A repository with the volumes big (of $T/big: everything that a file can be) and sel (of $T/sel: the tree above), which has a parent.
two_volumes() {
	new_repository
	mktree --small "$T/big"
	export_tree 0 big "$T/big"
	small_tree "$T/sel"
	export_tree 0 sel "$T/sel" --exclude logs
	export_tree 0 sel "$T/sel"
}

# All names below a folder, sorted, in one line.
names() {
	(cd "$1" && find . -mindepth 1 -printf '%P\n' | sort | tr '\n' ' ')
}

# Everything about the files below a folder, contents included.
fingerprint() {
	(cd "$1" && find . -printf '%p %y %m %s %T@ %i\n' | sort && find . -type f -exec sha256sum {} + | sort) | sha256sum
}

noise() {
	python3 -c 'import random, sys; sys.stdout.buffer.write(random.Random(int(sys.argv[2])).randbytes(int(sys.argv[1])))' "$@"
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

# sections NAME...: call these functions, or only those in E2E_SECTIONS, for whoever works on one.
sections() {
	local section
	for section in ${E2E_SECTIONS:-$*}; do
		$section
	done
}

if [ "$REPO_PLACE" = s3 ]; then
	. "$E2E/functions_s3.sh"
fi
