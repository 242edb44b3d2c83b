#!/bin/bash
# Users other than root: what cannot be read or set is said, and everything else is done.
. "$(dirname "$0")/functions.sh"
begin 60 "exports and imports without the rights of root"

if is_root; then
	requires setpriv
	chmod 755 "$T"
	cp "$SNAPFERRY" "$T/snapferry" && chmod 755 "$T/snapferry"
	user=(setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all env HOME=/)
	"${user[@]}" test -x "$T/snapferry" || skip "nobody cannot get to $T"
	"${user[@]}" true || skip "cannot become nobody"
	SNAPFERRY=$T/snapferry
	mkdir "$T/own"
	chown 65534:65534 "$T/own"
else
	user=()
	mkdir "$T/own"
fi
export SNAPFERRY_REPOSITORY=$T/own/repo SNAPFERRY_KEY_FILE=$T/own/key

as_user() {
	"${user[@]}" "$@"
}

expect 0 "init" as_user env -u SNAPFERRY_KEY_FILE "$SNAPFERRY" init --new-key-file "$SNAPFERRY_KEY_FILE"
check "the key file is for its owner only" [ "$(stat -c %a "$SNAPFERRY_KEY_FILE")" = 600 ]

note "a tree of one's own"
check "the tree is made" as_user python3 "$E2E/mktree.py" --small "$T/own/src"
expect 0 "export" as_user "$SNAPFERRY" export -V own "$T/own/src"
expect 0 "import" as_user "$SNAPFERRY" import -V own "$T/own/dst"
judge "what one may read and set comes back" "$T/own/src" "$T/own/dst"

note "what cannot be read"
as_user mkdir -p "$T/own/mixed/closed" "$T/own/mixed/open"
as_user sh -c "echo a >$T/own/mixed/good; echo b >$T/own/mixed/bad; echo c >$T/own/mixed/closed/in; echo d >$T/own/mixed/open/in; head -c 300000 /dev/zero | tr '\0' x >$T/own/mixed/bad-large"
as_user chmod 000 "$T/own/mixed/closed" "$T/own/mixed/bad" "$T/own/mixed/bad-large"
expect 3 "unreadable things give status 3" as_user "$SNAPFERRY" export -V mixed --json "$T/own/mixed"
cp "$T/out" "$T/mixed.json"
check_number "three warnings" "$(field "$T/mixed.json" summary statistics.warnings)" -eq 3
for name in bad bad-large closed; do
	check "a warning names $name" python3 - "$T/mixed.json" $name <<-'EOF'
		import json, sys
		sys.exit(sys.argv[2] not in [m.get("path") for m in map(json.loads, open(sys.argv[1])) if m["message_type"] == "warning"])
	EOF
done
expect 3 "unreadable things are warnings again in the next export" as_user "$SNAPFERRY" export -V mixed "$T/own/mixed"
check "as text too" grep -q 'warning: bad' "$T/err"
# The content is not there; an import cannot pretend that it is.
expect "3|0" "the snapshot is restored" as_user "$SNAPFERRY" import -V mixed "$T/own/mixed.dst"
check "what could be read is there" cmp "$T/own/mixed/good" "$T/own/mixed.dst/good"
check "also in folders" cmp "$T/own/mixed/open/in" "$T/own/mixed.dst/open/in"
check_number "the import tells of files without content" "$status" -eq 3
as_user chmod 600 "$T/own/mixed/bad" "$T/own/mixed/bad-large"
as_user chmod 700 "$T/own/mixed/closed"
expect 0 "readable again, all is well" as_user "$SNAPFERRY" export -V mixed "$T/own/mixed"
rm -rf "$T/own/mixed.dst"
expect 0 "import" as_user "$SNAPFERRY" import -V mixed "$T/own/mixed.dst"
judge "and everything is there" "$T/own/mixed" "$T/own/mixed.dst"

if is_root; then
	note "owners and devices of others"
	mkdir "$T/others"
	python3 "$E2E/mktree.py" --small "$T/others" || die "no tree"
	"$SNAPFERRY" export -V others "$T/others" >/dev/null 2>&1 || die "export as root failed"
	chown -R 65534:65534 "$T/own/repo"
	expect 3 "import of what cannot be set" as_user "$SNAPFERRY" import -V others --verbose "$T/own/others"
	check "owners are told" grep -qi 'owner' "$T/err"
	check "device nodes are told" grep -qi 'device' "$T/err"
	judge "the rest is right" --ignore-owner --ignore-mode --ignore-xattr trusted. --ignore-xattr security. --ignore-xattr system. \
		--ignore specials/null --ignore specials/disk --ignore specials/large-numbers --ignore links/z-device \
		--ignore links/a/device --ignore links/far/away/device "$T/others" "$T/own/others"
	check "set-user-id bits of others are not given away" [ -z "$(find "$T/own/others/rights" -name "o1000-*" -perm /6000)" ]
	expect 13 "a repository of another user" as_user env SNAPFERRY_REPOSITORY=/root/none "$SNAPFERRY" list
	mkdir "$T/closed" && chmod 700 "$T/closed"
	expect 13 "a source that may not be read" as_user "$SNAPFERRY" export -V x "$T/closed"
	expect 13 "a target that may not be written" as_user "$SNAPFERRY" import -V own "$T/closed/sub"
fi
finish
