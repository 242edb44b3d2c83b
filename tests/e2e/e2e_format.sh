#!/bin/bash
# docs/format.md is enough to read a repository: a reader that was written from it alone gives back what was stored, the
# committed repository's and a fresh one's.
. "$(dirname "$0")/functions.sh"
begin 120 "a second reader of the format"

GOLDEN=$(realpath "$E2E/../golden")
reader=

# The first python that has what the reader needs.
for python in python3 /usr/bin/python3; do
	run "$python" "$GOLDEN/reader.py" "$GOLDEN/v1" "$GOLDEN/v1.key" golden/image
	if [ "$status" != 77 ]; then
		reader=$python
		break
	fi
done
[ -n "$reader" ] || skip "$(cat "$T/out")"

read_golden() {
	note "the committed repository"
	local row volume number name
	for row in "golden/files 0 first" "golden/files 1 second" "golden/image 0 image"; do
		read -r volume number name <<<"$row"
		expect 0 "$name is read" "$reader" "$GOLDEN/reader.py" "$GOLDEN/v1" "$GOLDEN/v1.key" "$volume" "$number" \
			"$GOLDEN/v1.sums" "$name"
	done
}

# The reader must see damage: a sum that is not right, a byte of a pack.
reader_sees() {
	note "the reader sees damage"
	sed 's/ 6291456 ./ 6291456 0/' "$GOLDEN/v1.sums" >"$T/sums"
	expect 1 "another sum is seen" "$reader" "$GOLDEN/reader.py" "$GOLDEN/v1" "$GOLDEN/v1.key" golden/files 0 "$T/sums" first
	rm -rf "$T/damaged"
	cp -r "$GOLDEN/v1" "$T/damaged"
	local pack
	pack=$(find "$T/damaged" -path '*/p/*' -type f -size +8k | sort | head -n 1)
	printf 'X' | dd of="$pack" bs=1 seek=4000 conv=notrunc status=none
	run "$reader" "$GOLDEN/reader.py" "$T/damaged" "$GOLDEN/v1.key" golden/files 0 "$GOLDEN/v1.sums" first
	if [ "$status" = 0 ]; then
		run "$reader" "$GOLDEN/reader.py" "$T/damaged" "$GOLDEN/v1.key" golden/image 0 "$GOLDEN/v1.sums" image
	fi
	check_number "a changed byte is seen" "$status" -ne 0
}

read_fresh() {
	note "what this program writes today"
	new_repository
	mkdir "$T/src"
	python3 - "$T/src" <<-'EOF'
		import os, random, sys
		os.chdir(sys.argv[1])
		r = random.Random(1)
		for n in range(300):
		    open("small%03d" % n, "wb").write(r.randbytes(r.randrange(3000)))
		open("large", "wb").write(r.randbytes(3_000_000) + bytes(1_000_000) + b"text " * 200_000)
		with open("sparse", "wb") as f:
		    f.truncate(100 << 20)
		    f.seek(50 << 20); f.write(r.randbytes(500_000))
		os.symlink("large", "link")
	EOF
	expect 0 "export" sf export -V fresh "$T/src"
	echo more >>"$T/src/small007"
	expect 0 "second export" sf export -V fresh "$T/src"
	"$GOLDEN/list.py" fresh "$T/src" >"$T/sums"
	expect 0 "a fresh snapshot is read" "$reader" "$GOLDEN/reader.py" "$T/repo" "$T/key" fresh 1 "$T/sums" fresh
	truncate -s 1G "$T/image"
	head -c 700001 /dev/urandom >>"$T/image"
	expect 0 "export of an image" sf export -V image --block "$T/image"
	"$GOLDEN/list.py" image "$T/image" >"$T/sums"
	expect 0 "a fresh image is read" "$reader" "$GOLDEN/reader.py" "$T/repo" "$T/key" image 0 "$T/sums" image
}

read_golden
reader_sees
read_fresh
finish
