#!/bin/bash
# Devices and image files of all sizes.
. "$(dirname "$0")/functions.sh"
begin 180 "block devices and image files"

# image FILE SIZE SEED: half noise, half zeros, in stretches.
image() {
	python3 - "$@" <<-'EOF'
		import random, sys
		size, r = int(sys.argv[2]), random.Random(int(sys.argv[3]))
		with open(sys.argv[1], "wb") as f:
		    while f.tell() < size:
		        n = min(r.choice((512, 4096, 100_000, 300_000)), size - f.tell())
		        f.write(r.randbytes(n) if r.random() < 0.5 else bytes(n))
	EOF
}

# Blocks of KiB that a file takes on disk.
disk_kib() {
	echo $(($(stat -c '%b * %B' "$1") / 1024))
}

round_trip() {
	local name=$1 file=$2
	expect 0 "$name: export" sf export -V "$name" --block --json "$file"
	check_number "$name: the size is known" "$(field "$T/out" summary size)" -eq "$(stat -c %s "$file")"
	rm -f "$T/dst"
	expect 0 "$name: import" sf import -V "$name" --block "$T/dst"
	check "$name: same bytes" cmp "$file" "$T/dst"
}

sizes() {
	local size
	for size in 1 511 512 4095 4096 4097 262143 262144 262145 1048577 10000001; do
		note "an image of $size bytes"
		image "$T/image" $size $size
		round_trip "s$size" "$T/image"
	done
	truncate -s 0 "$T/image"
	expect 2 "an empty image is refused" sf export -V s0 --block "$T/image"
	head -c 3000000 /dev/zero >"$T/image"
	note "an image of zeros"
	round_trip "zeros" "$T/image"
}

sparse() {
	note "a sparse image of 5 GiB"
	truncate -s $((5 * 1024 * 1024 * 1024 + 4096)) "$T/sparse"
	local at
	for at in 0 1023 1024 3000 5119 5120; do
		head -c 100000 /dev/urandom | dd of="$T/sparse" bs=1M seek=$at conv=notrunc status=none
	done
	truncate -s $((5 * 1024 * 1024 * 1024 + 4096)) "$T/sparse"
	round_trip sparse "$T/sparse"
	check_number "the copy is as sparse" "$(disk_kib "$T/dst")" -le $(($(disk_kib "$T/sparse") + 2048))
}

dirty_target() {
	note "a target that holds other bytes"
	image "$T/image" 5000001 1
	expect 0 "export" sf export -V dirty --block "$T/image"
	head -c 7000000 /dev/urandom >"$T/dirty"
	cp "$T/dirty" "$T/dirty.copy"
	expect 1 "a target with content is refused" sf import -V dirty --block "$T/dirty"
	check "refusing leaves it alone" cmp "$T/dirty" "$T/dirty.copy"
	expect 0 "unless it may be overwritten" sf import -V dirty --block --overwrite "$T/dirty"
	check "zeros are written too, and the size is the volume's" cmp "$T/image" "$T/dirty"
	head -c 1000 /dev/urandom >"$T/dirty"
	expect 0 "a short file grows" sf import -V dirty --block --overwrite "$T/dirty"
	check "a short file gets all" cmp "$T/image" "$T/dirty"
}

incremental() {
	note "a changed image"
	image "$T/image" $((64 * 1024 * 1024)) 3
	cp "$T/image" "$T/image.1"
	expect 0 "first export" sf export -V changing --block --json "$T/image"
	local one two three
	one=$(field "$T/out" summary snapshot)
	head -c 10000 /dev/urandom | dd of="$T/image" bs=1 seek=30000000 conv=notrunc status=none
	dd if=/dev/zero of="$T/image" bs=1M seek=10 count=2 conv=notrunc status=none
	cp "$T/image" "$T/image.2"
	expect 0 "second export" sf export -V changing --block --json "$T/image"
	two=$(field "$T/out" summary snapshot)
	check_number "only changed blocks are new" "$(field "$T/out" summary statistics.new_bytes)" -le 1048576
	check_number "little is stored" "$(field "$T/out" summary statistics.stored_bytes)" -le 1500000
	expect 0 "unchanged export" sf export -V changing --block --json "$T/image"
	check_number "unchanged: nothing is new" "$(field "$T/out" summary statistics.new_bytes)" -eq 0
	check_number "unchanged: hardly anything is stored" "$(field "$T/out" summary statistics.stored_bytes)" -le 65536
	truncate -s $((65 * 1024 * 1024 + 5)) "$T/image"
	expect 0 "grown export" sf export -V changing --block --json "$T/image"
	three=$(field "$T/out" summary snapshot)
	local i=0 id
	for id in "$one" "$two"; do
		i=$((i + 1))
		rm -f "$T/dst"
		expect 0 "import of number $i" sf import -V changing -s "$id" --block "$T/dst"
		check "number $i is as it was" cmp "$T/image.$i" "$T/dst"
	done
	rm -f "$T/dst"
	expect 0 "import of the grown one" sf import -V changing -s "$three" --block "$T/dst"
	check "the grown one is right" cmp "$T/image" "$T/dst"
	expect 0 "verify" sf verify -V changing --level 4
}

refusals() {
	note "what is refused"
	mkdir -p "$T/folder"
	expect 2 "a device snapshot needs --block" sf import -V s4096 "$T/folder/new"
	check_not "nothing was made" [ -e "$T/folder/new" ]
	expect 2 "a folder is no device" sf export -V other --block "$T/folder"
	expect 2 "another kind of snapshot in the same volume" sf export -V s4096 "$T/folder"
	expect "1|2" "a source that does not exist" sf export -V other --block "$T/none"
	expect "1|2" "a folder as the target" sf import -V s4096 --block "$T/folder"
}

loop_device() {
	is_root && command -v losetup >/dev/null || {
		note "loop device: left out (needs root and losetup)"
		return
	}
	truncate -s 24M "$T/disk"
	local loop
	loop=$(losetup -f --show "$T/disk" 2>/dev/null) || {
		note "loop device: left out (cannot be set up)"
		return
	}
	on_clean_up+=("losetup -d $loop 2>/dev/null")
	note "a loop device"
	image "$T/content" $((24 * 1024 * 1024)) 9
	dd if="$T/content" of="$loop" bs=1M status=none conv=fsync
	expect 0 "export of a device" sf export -V loop --block --json "$loop"
	check_number "the size of the device" "$(field "$T/out" summary size)" -eq $((24 * 1024 * 1024))
	head -c $((24 * 1024 * 1024)) /dev/urandom | dd of="$loop" bs=1M status=none conv=fsync iflag=fullblock
	expect 0 "import to a device" sf import -V loop --block "$loop"
	check "the device has the content" cmp "$T/content" "$loop"
	losetup -d "$loop"
	truncate -s 20M "$T/disk"
	loop=$(losetup -f --show "$T/disk") || return
	on_clean_up+=("losetup -d $loop 2>/dev/null")
	cp "$T/disk" "$T/disk.before"
	expect 2 "a device that is too small" sf import -V loop --block "$loop"
	check "it was left alone" cmp "$T/disk.before" "$loop"
	if mkfs.ext4 -q "$loop" 2>/dev/null && mkdir -p "$T/mount" && mount "$loop" "$T/mount" 2>/dev/null; then
		on_clean_up+=("umount $T/mount 2>/dev/null; losetup -d $loop 2>/dev/null")
		expect 13 "a mounted device" sf import -V s4096 --block "$loop"
		umount "$T/mount"
	fi
	losetup -d "$loop"
}

new_repository
sizes
sparse
dirty_target
incremental
refusals
loop_device
finish
