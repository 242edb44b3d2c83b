#!/bin/bash
# Listings of more objects than one page holds, and names that S3 encodes.
REPO_PLACE=s3
. "$(dirname "$0")/functions.sh"
begin 120 "more than a thousand objects"

# put_many PREFIX SUFFIX FROM TO: so many small objects, in one go.
put_many() {
	python3 - "$S3_TOOLS" "$direct" "$BUCKET" "$@" <<-'EOP'
		import sys
		sys.dont_write_bytecode = True
		sys.path.insert(0, sys.argv[1])
		from s3 import S3
		server = S3(sys.argv[2])
		for i in range(int(sys.argv[6]), int(sys.argv[7])):
		    server.put(sys.argv[3], "%s%08x%s" % (sys.argv[4], i, sys.argv[5]), b"x")
	EOP
}

new_repository
mkdir "$T/src"
head -c 3000000 /dev/urandom >"$T/src/a"
export_tree 0 v "$T/src"
first=$snapshot
echo more >"$T/src/b"
export_tree 0 v "$T/src"
objects >"$T/objects"
session=$(sed -n 's|.* \(v/[^/]*/p/[0-9a-f]*\)/.*|\1|p' "$T/objects" | head -n 1)
volume=${session%%/p/*}
prefix=${SNAPFERRY_REPOSITORY#s3://*/}

note "foreign objects on the first pages of every listing"
put_many "$prefix/$volume/s/!junk " "+&%=ü" 0 1100
put_many "$prefix/$volume/s/Z" "" 0 5
put_many "$prefix/$volume/p/!" "" 0 1001
put_many "$prefix/!" "" 0 1000
rules
expect 0 "both snapshots are found" sf list -V v --json
check_number "both" "$(grep -c '"message_type": *"snapshot"' "$T/out")" -eq 2
check_number "in more than one page" "$(requests '^GET [^ ]*list-type=2')" -ge 2
expect 0 "verify" sf verify -V v --level 1
import_tree 0 v "$first" "$T/dst"
rm "$T/src/b"
judge "the first snapshot" --ignore-root "$T/src" "$T/dst"

note "a session of more than a thousand packs that nobody needs"
put_many "$prefix/$volume/p/00000000000000000000000000000000/" "" 1 1500
put_many "$prefix/$volume/p/ffffffffffffffffffffffffffffffff/" "" 1 3
rules
expect 0 "verify with orphans" sf verify -V v --level 1
check_number "the listing of packs has several pages" "$(requests 'list-type=2.*200')" -ge 3
export_tree 0 v "$T/src"
import_tree 0 v latest "$T/dst"
judge "an export among many objects" "$T/src" "$T/dst"
note "an object behind the thousandth that is missing is missed"
s3 delete $BUCKET "$prefix/$session/00000000"
s3 delete $BUCKET "$prefix/$session/00000001"
expect 20 "verify misses a pack" sf verify -V v --level 1
finish
