#!/bin/sh
# Builds a fuzz target with libFuzzer and the sanitizers, and runs it on its corpus (new finds go to a folder of their own).
# Needs clang with its runtime (Debian: clang and libclang-rt-*-dev).
# Usage: sh tests/fuzz/fuzz.sh NAME [SECONDS]          as: sh tests/fuzz/fuzz.sh block 600
set -e
top=$(cd "$(dirname "$0")/../.." && pwd)
name=$1
seconds=${2:-60}
if [ ! -e "$top/tests/fuzz/fuzz_$name.c" ]; then
	echo "usage: fuzz.sh NAME [SECONDS], with NAME one of:" >&2
	ls "$top"/tests/fuzz/fuzz_*.c | sed 's/.*fuzz_\(.*\)\.c/    \1/' >&2
	exit 2
fi
out=${TMPDIR:-/tmp}/snapferry-fuzz-$name
mkdir -p "$out/found"
extra=
case $name in
import) extra="$top/tests/flow.c $top/tests/forge.c $top/tests/store_fault.c -Wl,--wrap=session_clock,--wrap=syncfs,--wrap=fsync" ;;
esac
clang -std=gnu11 -D_GNU_SOURCE -DPACKAGE_STRING='"snapferry"' -DPACKAGE_VERSION='"0"' -O1 -g -pthread -fsanitize=fuzzer,address,undefined \
    -fno-sanitize-recover=all -I"$top/include" -I"$top/exporter" -I"$top/storage/base" -I"$top/storage/format" \
    -I"$top/storage/repo" -I"$top/storage/s3" -I"$top/storage/store" -I"$top/tests" \
    "$top/tests/fuzz/fuzz_$name.c" $extra "$top"/storage/*/*.c $(ls "$top"/exporter/*.c | grep -v main.c) \
    -larchive -lcurl -lexpat -ljson-c -lzstd -lcrypto -o "$out/fuzz"
cd "$out"
exec ./fuzz -max_total_time="$seconds" -max_len=65536 -rss_limit_mb=2048 found "$top/tests/fuzz/corpus/fuzz_$name"
