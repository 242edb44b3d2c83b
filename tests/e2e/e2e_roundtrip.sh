#!/bin/bash
# A tree with everything in it goes out and comes back; later snapshots store only what is new.
. "$(dirname "$0")/functions.sh"
begin 240 "round trip of trees, and incremental exports"

unchanged_export() {
	note "an unchanged tree"
	export_tree 0 v "$T/src"
	check_number "nothing is new" "$(stat_of_export new_bytes)" -eq 0
	check_number "hardly anything is stored" "$(stat_of_export stored_bytes)" -le 65536
	check_number "all entries are unchanged" "$(stat_of_export unchanged)" -eq "$(stat_of_export entries)"
	check_number "no entry changed" "$(stat_of_export changed)" -eq 0
	check_number "no entry is new" "$(stat_of_export new)" -eq 0
	check_number "no entry is deleted" "$(stat_of_export deleted)" -eq 0
}

# Reading everything again must give the same chunks and the same catalog.
full_export() {
	note "a tree that is read again in full"
	export_tree 0 v "$T/src" --full
	check_number "full: nothing is new" "$(stat_of_export new_bytes)" -eq 0
	check_number "full: hardly anything is stored" "$(stat_of_export stored_bytes)" -le 65536
	check_number "full: all entries are there" "$(stat_of_export entries)" -eq "$entries"
}

change_tree() {
	local s=$T/src
	rm "$s/sizes/1048576" "$s/many/f00007" "$s/links/z-large"
	mv "$s/names/ " "$s/names/renamed"
	printf 'more' >>"$s/sizes/262144"
	printf 'more' >>"$s/sizes/one"
	truncate -s 100000 "$s/sizes/1048577"
	truncate -s 2000000 "$s/sizes/131072"
	chmod 0751 "$s/sizes/4096"
	touch -h -d '2001-02-03 04:05:06.000000007' "$s/links/dangling" "$s/sizes/4097" "$s/many"
	printf 'X' | dd of="$s/sizes/zeros" bs=1 seek=1500000 conv=notrunc status=none
	rm "$s/sizes/empty" && mkdir "$s/sizes/empty" && echo in >"$s/sizes/empty/in"
	rm -r "$s/xattrs/folder" && echo "a file now" >"$s/xattrs/folder"
	ln "$s/sizes/4095" "$s/many/link"
	ln -sfn elsewhere "$s/links/folder"
	mkdir "$s/new" && cp "$s/sizes/1048575" "$s/new/copy"
	python3 -c 'import os, sys; os.setxattr(sys.argv[1], "user.late", b"1")' "$s/sizes/262143"
}

renamed_folders() {
	note "renamed folders"
	pass_uncertainty
	mkdir -p "$T/src/big/small"
	python3 - "$T/src/big" <<-'EOF'
		import random, sys
		r = random.Random(7)
		for i in range(3000):
		    open("%s/small/%04d" % (sys.argv[1], i), "wb").write(r.randbytes(r.randrange(1, 8000)))
		for i in range(6):
		    open("%s/large-%d" % (sys.argv[1], i), "wb").write(r.randbytes(3_000_000 + i))
	EOF
	export_tree 0 v "$T/src"
	local size
	size=$(stat_of_export new_bytes)
	check_number "the new folder was stored" "$size" -ge 28000000
	mv "$T/src/big" "$T/src/a-new-name"
	export_tree 0 v "$T/src"
	check_number "a renamed folder has next to no new data" "$(stat_of_export new_bytes)" -le $((size / 20))
	check_number "a renamed folder stores next to nothing" "$(stat_of_export stored_bytes)" -le $((size / 20))
	import_tree 0 v latest "$T/dst"
	judge "the renamed folder is restored" "$T/src" "$T/dst"
}

metadata_only() {
	note "changes of metadata only"
	chmod -R g+w "$T/src/many"
	chmod 0604 "$T/src/sizes/64M"
	touch -d '1999-09-09 09:09:09.123456789' "$T/src/sizes/4194304"
	export_tree 0 v "$T/src"
	check_number "metadata: no new data" "$(stat_of_export new_bytes)" -eq 0
	check_number "metadata: only catalog is stored" "$(stat_of_export stored_bytes)" -le 6000000
	import_tree 0 v latest "$T/dst"
	judge "the changed metadata are restored" "$T/src" "$T/dst"
}

# untar FOLDER COMMAND...: what the command unpacks of the times in the last snapshot.
untar() {
	local folder=$1
	shift
	mkdir "$folder"
	(set -o pipefail && sf tar -V v times 2>"$T/err" | (cd "$folder" && "$@") >"$T/out" 2>>"$T/err")
}

# Readers of archives do not agree about fractions before 1970, and the last second before it has none at all.
archived_times() {
	note "times in archives"
	local last=(--ignore d1969 --ignore f1969 --ignore s1969) name late
	check "GNU tar reads the archive" untar "$T/gnu" tar -xp
	judge "GNU tar restores the times" "${last[@]}" "$T/src/times" "$T/gnu/times"
	check_number "but for the fraction of the last second before 1970" "$(stat -c %Y "$T/gnu/times/f1969")" -eq -1
	if command -v bsdtar >/dev/null; then
		check "bsdtar reads the archive" untar "$T/bsd" bsdtar -xpf -
		judge "bsdtar restores the times" "${last[@]}" --ignore d1960 --ignore f1960 --ignore s1960 "$T/src/times" "$T/bsd/times"
		for name in d1960 f1960 s1960; do
			late=$(($(stat -c %Y "$T/bsd/times/$name") - $(stat -c %Y "$T/src/times/$name")))
			check_number "it takes a fraction for a later time: $name" "$late" -ge 0
			check_number "by less than two seconds: $name" "$late" -lt 2
		done
	else
		note "bsdtar: left out"
	fi
	rm -rf "$T/gnu" "$T/bsd"
}

new_repository
mktree ${E2E_LONG:+--long} "$T/src"
entries=$(find "$T/src" -mindepth 1 ! -path "$T/src/lost+found" -printf x | wc -c)
entries=$((entries + 1))

note "the first export"
pass_uncertainty
export_tree 0 v "$T/src"
first=$snapshot
check_number "every entry is counted" "$(stat_of_export entries)" -eq "$entries"
import_tree 0 v "$first" "$T/first"
judge "the tree comes back" "$T/src" "$T/first"
check_not "nothing of the import is left in the target" compgen -G "$T/first/.snapferry-*"
check "allocated zeros stay allocated" [ "$(stat -c %b "$T/first/sizes/zeros")" -ge 6000 ]

note "the judge sees differences"
cp -a "$T/first/sizes/one" "$T/one"
printf 'y' >"$T/first/sizes/one"
touch -r "$T/one" "$T/first/sizes/one"
judge_differs "one changed byte is seen" "$T/src" "$T/first"
printf 'x' >"$T/first/sizes/one"
touch -r "$T/one" "$T/first/sizes/one"
touch -d '2020-01-01' "$T/first/sizes"
judge_differs "the time of a folder is seen" "$T/src" "$T/first"
touch -r "$T/src/sizes" "$T/first/sizes"
judge "mended, it is the same again" "$T/src" "$T/first"

archived_times
unchanged_export
full_export

note "a mix of changes"
change_tree
export_tree 0 v "$T/src"
second=$snapshot
check_number "only changed files are new data" "$(stat_of_export new_bytes)" -le 12000000
import_tree 0 v "$second" "$T/second"
judge "the second snapshot is the changed tree" "$T/src" "$T/second"
import_tree 0 v "$first" "$T/again"
judge "the first snapshot is still the first tree" "$T/first" "$T/again"
rm -rf "$T/first" "$T/second" "$T/again"

# What is new does not depend on where the repository is.
if [ "$REPO_PLACE" = dir ]; then
	renamed_folders
	metadata_only
fi
expect 0 "verify finds all well" sf verify -V v --level 4
finish
