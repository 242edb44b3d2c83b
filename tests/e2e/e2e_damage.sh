#!/bin/bash
# Damaged repositories, wrong secrets, wrong usage, hostile sources: clear errors, and what is whole is restored.
. "$(dirname "$0")/functions.sh"
begin 200 "damage of every kind"

make_source() {
	python3 - "$1" <<-'EOF'
		import os, random, sys
		r = random.Random(3)
		root = sys.argv[1]
		os.makedirs(root + "/a/b")
		for i in range(60):
		    open("%s/a/small-%02d" % (root, i), "wb").write(r.randbytes(r.randrange(1, 20_000)))
		for i in range(8):
		    open("%s/a/b/large-%d" % (root, i), "wb").write(r.randbytes(1_500_000))
		os.link(root + "/a/b/large-0", root + "/link")
		os.link(root + "/a/small-01", root + "/link-small")
		os.symlink("a", root + "/symlink")
	EOF
}

every_object() {
	note "every object is damaged in every way"
	new_repository
	make_source "$T/src"
	export_tree 0 v "$T/src" --threads 1 --connections 1 --max-memory 80M
	echo changed >"$T/src/a/small-03"
	head -c 300000 /dev/urandom >"$T/src/a/new"
	export_tree 0 v "$T/src" --threads 1 --connections 1 --max-memory 80M
	local flips=4
	# In a bucket it is about what the store makes of objects that are not there or not whole.
	[ "$REPO_PLACE" = dir ] || flips=0
	[ -z "$E2E_LONG" ] || flips=60
	python3 "$E2E/damage.py" "$SNAPFERRY" "$SNAPFERRY_REPOSITORY" v "$snapshot" "$T/src" "$T" "${E2E_SEED:-1}" $flips >"$T/damage" ||
		failed "damage is not handled as it should be"
	head -n -1 "$T/damage" | head -n 60
	checks=$((checks + $(tail -n 1 "$T/damage")))
	expect 0 "the mended repository verifies" sf verify -V v --level 4
}

secrets() {
	note "wrong secrets"
	rm -rf "$T/repo"
	unset SNAPFERRY_KEY_FILE
	SNAPFERRY_PASSWORD=right expect 0 "init with a passphrase" sf init
	SNAPFERRY_PASSWORD=right expect 0 "the right one" sf list
	SNAPFERRY_PASSWORD=wrong expect 12 "the wrong one" sf list
	SNAPFERRY_PASSWORD='right ' expect 12 "almost the right one" sf list
	SNAPFERRY_PASSWORD='' expect 2 "an empty one" sf list
	expect 2 "none, and nobody to ask" sf list </dev/null
	expect 12 "the key file of another repository" sf list --key-file "$T/key"
	echo nonsense >"$T/nonsense"
	expect "2|12" "a key file that is none" sf list --key-file "$T/nonsense"
	expect 2 "a key file that is not there" sf list --key-file "$T/none"
	SNAPFERRY_PASSWORD=right expect 1 "a second init" sf init
	SNAPFERRY_PASSWORD=right expect 0 "which did no harm" sf list
	export SNAPFERRY_KEY_FILE=$T/key
	expect "1|2" "an existing key file is never replaced" sf init -r "$T/other" --new-key-file "$T/nonsense"
	check "it is as it was" grep -q nonsense "$T/nonsense"
}

no_repository() {
	note "no repository"
	mkdir "$T/empty"
	local place
	for place in "$T/none" "$T/empty" "$T/nonsense" "file://$T/none" /dev/null; do
		expect 10 "no repository at $place" sf list -r "$place"
		expect 10 "no export into $place" sf export -r "$place" -V v "$T/src"
	done
	check "nothing was made" [ ! -e "$T/none" ]
	check "nothing was written" [ -z "$(ls -A "$T/empty")" ]
	expect 2 "a kind of repository that is not known" sf list -r ftp://x/y
}

usage() {
	note "wrong usage"
	new_repository
	expect 0 "a snapshot" sf export -V v "$T/src"
	expect 2 "no command" sf
	expect 2 "an unknown command" sf frobnicate
	expect 2 "an unknown option" sf list --frobnicate
	expect 2 "an option of another command" sf list --tag a=b
	expect 2 "no volume" sf export "$T/src"
	expect 2 "no source" sf export -V v
	expect 2 "two sources" sf export -V v "$T/src" "$T/src"
	expect 2 "a bad level" sf verify --level 9
	expect 2 "a bad number" sf export -V v --threads none "$T/src"
	expect 2 "a bad size" sf export -V v --max-memory huge "$T/src"
	expect 2 "too little memory" sf export -V v --max-memory 1M "$T/src"
	expect 2 "a bad tag" sf export -V v --tag nothing "$T/src"
	expect 2 "an empty volume name" sf export -V "" "$T/src"
	expect "1|2" "a source that is not there" sf export -V v "$T/none"
	expect 2 "a file as a source" sf export -V v "$T/key"
	expect 1 "an unknown volume" sf import -V none "$T/none"
	expect 1 "an unknown snapshot" sf import -V v -s 01234567 "$T/none"
	expect "1|2" "nonsense as a snapshot" sf import -V v -s ../../x "$T/none"
	expect 1 "a path that is not there" sf ls -V v no/such/path
	check_not "nothing was made" [ -e "$T/none" ]
	mkdir "$T/full" && echo mine >"$T/full/file"
	expect 1 "a target that is not empty" sf import -V v "$T/full"
	check "it is left alone" [ "$(find "$T/full" -type f -exec cat {} +)" = mine ]
	expect 0 "it may be overwritten" sf import -V v --overwrite "$T/full"
	check "what is not in the snapshot stays" grep -q mine "$T/full/file"
	rm "$T/full/file"
	judge "the rest is the snapshot" --ignore-root "$T/src" "$T/full"
	expect "1|2" "a file as a target" sf import -V v "$T/key"
}

# A target in which somebody else has put symlinks must not lead an import elsewhere.
hostile_target() {
	note "a hostile target"
	mkdir -p "$T/trap" "$T/outside"
	ln -s "$T/outside" "$T/trap/a"
	ln -s "$T/outside/written" "$T/trap/link"
	expect "0|1|3|20" "import over symlinks" sf import -V v --overwrite "$T/trap"
	check "nothing was written outside" [ -z "$(ls -A "$T/outside")" ]
}

# Names that no kernel would let anybody make: an image of a file system is changed by hand.
hostile_names() {
	is_root && command -v mkfs.ext4 >/dev/null && command -v losetup >/dev/null || {
		note "hostile names: left out (needs root and mkfs.ext4)"
		return
	}
	note "hostile names"
	mkdir -p "$T/hostile" "$T/mount"
	echo good >"$T/hostile/good"
	echo bad >"$T/hostile/slash-name"
	echo bad >"$T/hostile/dots-name"
	mkdir "$T/hostile/folder" && echo bad >"$T/hostile/folder/zero-name"
	truncate -s 8M "$T/fs"
	mkfs.ext4 -q -F -O ^metadata_csum,^dir_index,^has_journal -d "$T/hostile" "$T/fs" >/dev/null 2>&1 || {
		note "left out (mkfs.ext4 fails)"
		return
	}
	python3 - "$T/fs" <<-'EOF'
		import sys
		b = open(sys.argv[1], "rb").read()
		for old, new in ((b"slash-name", b"../../evil"), (b"dots-name", b"..\0s-name"), (b"zero-name", b"ze\0o/name")):
		    assert b.count(old) == 1
		    b = b.replace(old, new)
		open(sys.argv[1], "wb").write(b)
	EOF
	mount -o loop,ro "$T/fs" "$T/mount" 2>/dev/null || {
		note "left out (cannot mount)"
		return
	}
	on_clean_up+=("umount $T/mount 2>/dev/null")
	expect "0|1|3" "export of hostile names" sf export -V hostile "$T/mount"
	local exported=$status
	umount "$T/mount"
	if [ "$exported" != 1 ]; then
		import_tree "0|3" hostile latest "$T/inner/dst"
		check_not "nothing was written outside" [ -e "$T/evil" ]
	fi
}

every_object
[ "$REPO_PLACE" = dir ] || finish
secrets
no_repository
usage
hostile_target
mkdir "$T/inner"
hostile_names
finish
