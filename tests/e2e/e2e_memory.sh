#!/bin/bash
# Anonymous memory stays below its ceilings, whatever the number and size of files.
. "$(dirname "$0")/functions.sh"
# Many files: in memory if there is room, which is no memory of the program's.
if [ -z "${TMPDIR-}" ] && [ -w /dev/shm ] && [ "$(df --output=avail -k /dev/shm | tail -n 1)" -ge 6000000 ]; then
	export TMPDIR=/dev/shm
fi
begin 400 "peak memory"
PEAK=$(build_tool peak) || die "cannot build peak"
EXPORT_MAX=$((128 * 1024))
IMPORT_MAX=$((160 * 1024))
files=100000
[ -z "$E2E_LONG" ] || files=1000000
size=1024
# In a bucket it is about the connections and what the HTTP library keeps: a shorter run has them all.
if [ "$REPO_PLACE" = s3 ] && [ -z "$E2E_LONG" ]; then
	files=20000
	size=256
fi

# Sanitizers keep memory of their own.
if grep -q -e __asan_init -e __tsan_init "$SNAPFERRY"; then
	skip "$SNAPFERRY is built with a sanitizer"
fi

python3 - "$T/src" $files $size <<'EOF'
import os, random, sys
root, files, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
r = random.Random(2)
os.makedirs(root)
for i in range(files):
    if i % 1000 == 0:
        os.mkdir("%s/%03d" % (root, i // 1000))
    with open("%s/%03d/a file with a longer name %06d" % (root, i // 1000, i), "wb", buffering=0) as f:
        f.write(b"%d " % i * 60)
half = r.randbytes(1 << 19)
with open(root + "/large", "wb") as f:
    for i in range(size):
        f.write(r.randbytes(1 << 19) + half)
EOF

# measure STATUS MESSAGE LIMIT COMMAND...
measure() {
	local wanted=$1 message=$2 limit=$3 peak
	shift 3
	expect "$wanted" "$message" "$PEAK" "$T/peak" "$@"
	peak=$(cat "$T/peak")
	note "$message: peak $peak KiB"
	check_number "$message: the peak was seen" "$peak" -ge 4096
	check_number "$message: KiB of anonymous memory" "$peak" -le "$limit"
}

new_repository
measure 0 "first export" $EXPORT_MAX "$SNAPFERRY" export -V v --threads 2 "$T/src"
pass_uncertainty
measure 0 "full export" $EXPORT_MAX "$SNAPFERRY" export -V v --threads 2 --full "$T/src"
find "$T/src" -name '*7' -exec touch {} +
measure 0 "incremental export" $EXPORT_MAX "$SNAPFERRY" export -V v --threads 2 "$T/src"
measure 0 "import" $IMPORT_MAX "$SNAPFERRY" import -V v --threads 2 "$T/dst"
judge "what was restored" "$T/src" "$T/dst"
rm -rf "$T/dst"
measure 0 "verify" $IMPORT_MAX "$SNAPFERRY" verify -V v --threads 2 --level 4
measure 0 "export of an image" $EXPORT_MAX "$SNAPFERRY" export -V image --threads 2 --block "$T/src/large"
measure 0 "import of an image" $IMPORT_MAX "$SNAPFERRY" import -V image --threads 2 --block "$T/image"
check "the image" cmp "$T/src/large" "$T/image"
finish
