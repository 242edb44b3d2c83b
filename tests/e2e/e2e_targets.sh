#!/bin/bash
# Targets and repositories in difficult places.
. "$(dirname "$0")/functions.sh"
begin 180 "targets and full disks"

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
	expect 0 "without devices" sf import -V big --no-devices --overwrite "$T/fresh"
	check "there are none" [ -z "$(find "$T/fresh" -type b -o -type c)" ]
}

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
	expect 1 "export to a full disk" sf export -V tiny --threads 1 --connections 1 --max-memory 78M "$T/more"
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

two_volumes
sections targets full_disks
finish
