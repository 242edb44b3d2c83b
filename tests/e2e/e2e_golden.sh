#!/bin/bash
# Every version restores what version 1 of the format stored (tests/golden): byte for byte, owners excepted.
. "$(dirname "$0")/functions.sh"
begin 120 "the committed repository"

GOLDEN=$(realpath "$E2E/../golden")
# Nothing may need to write to it.
cp -r "$GOLDEN/v1" "$T/repo"
cp "$GOLDEN/v1.key" "$T/key"
chmod -R a-w "$T/repo"

xattrs=()
touch "$T/probe"
python3 -c 'import os, sys; os.setxattr(sys.argv[1], "user.probe", b"1")' "$T/probe" 2>/dev/null || {
	note "no user attributes here: they are not compared"
	xattrs=(--without-xattrs)
}

# What must be there, in the shape in which it can be compared.
wanted() {
	if [ "$1" = image ] || { [ -z "${xattrs[*]}" ] && [ "${2-}" != --without-xattrs ]; }; then
		grep "^$1 " "$GOLDEN/v1.sums"
	else
		grep "^$1 " "$GOLDEN/v1.sums" | awk '{ $7 = "-"; print }'
	fi
}

# compare MESSAGE NAME PATH [--without-xattrs]
compare() {
	wanted "$2" "${4-}" >"$T/wanted"
	"$GOLDEN/list.py" ${4-} ${xattrs[@]+"${xattrs[@]}"} "$2" "$3" >"$T/listed"
	checks=$((checks + 1))
	if [ ! -s "$T/wanted" ] || ! diff "$T/wanted" "$T/listed" >"$T/differ"; then
		failed "$1"
		head -n 20 "$T/differ" | cut -c 1-200
	fi
}

snapshot_ids() {
	sf list -V "$1" --json | python3 -c '
import json, sys
found = [m for m in map(json.loads, sys.stdin) if m["message_type"] == "snapshot"]
for m in sorted(found, key=lambda m: m["sequence"]):
    print(m["snapshot"])'
}

# Owners that cannot be given back are a warning.
anybody="0|3"
! is_root || anybody=0

restore_files() {
	local ids names=(first second) n
	mapfile -t ids < <(snapshot_ids golden/files)
	check_number "two snapshots" ${#ids[@]} -eq 2
	for n in 0 1; do
		note "the ${names[n]} snapshot"
		import_tree "$anybody" golden/files "${ids[n]}" "$T/${names[n]}"
		compare "the ${names[n]} tree is what it was" "${names[n]}" "$T/${names[n]}"
		check_number "sparse stays sparse" "$(stat -c '%b' "$T/${names[n]}/data/sparse")" -lt 2048
		expect 0 "ls" sf ls -V golden/files -s "${ids[n]}" -R
		check_number "ls names every entry" "$(wc -l <"$T/out")" -eq "$(wanted "${names[n]}" | wc -l)"
		expect 0 "show" sf show -V golden/files -s "${ids[n]}"
		check "show knows the tag" grep -q "step=${names[n]}" "$T/out"
		note "the ${names[n]} snapshot as an archive"
		mkdir "$T/untar"
		sf tar -V golden/files -s "${ids[n]}" >"$T/tar" || failed "tar"
		expect 0 "the archive is unpacked" tar -C "$T/untar" -xpf "$T/tar" --no-same-owner
		compare "the archive holds the ${names[n]} tree" "${names[n]}" "$T/untar" --without-xattrs
		chmod -R u+rwX "$T/untar"
		rm -rf "$T/untar"
	done
	expect 0 "diff" sf diff -V golden/files "${ids[0]}" "${ids[1]}"
}

restore_image() {
	note "the device"
	expect 0 "import" sf import -V golden/image --block "$T/image"
	compare "the image is what it was" image "$T/image"
}

verify_all() {
	note "verify"
	expect 0 "verify" sf verify --level 4
}

# A new export on top of the old snapshots.
go_on() {
	note "a further export"
	chmod -R u+w "$T/repo"
	expect "$anybody" "export" sf export -V golden/files "$T/second"
	import_tree "$anybody" golden/files latest "$T/third"
	compare "a snapshot on top of the old ones" second "$T/third"
	expect 0 "verify" sf verify --level 4
}

restore_files
restore_image
verify_all
go_on
finish
