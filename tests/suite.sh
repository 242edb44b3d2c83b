#!/bin/sh
# The whole test suite: builds with gcc and clang without warnings, unit tests plain and under sanitizers and valgrind, end-to-end tests, and a
# source package that builds from itself.  Ends with "N passed, N failed".
# Usage: sh tests/suite.sh [STAGE...]     (all stages by default; see the end of this file)
TOP=$(cd "$(dirname "$0")/.." && pwd)
. "$TOP/tests/packages.sh"
PACKAGES="$BUILD_PACKAGES clang valgrind xz-utils attr acl libcap2-bin python3 libarchive-tools util-linux procps mount"
# shellcheck disable=SC2086
need_packages $PACKAGES || exit 1

WORK=$(mktemp -d "${TMPDIR:-/tmp}/snapferry-suite.XXXXXX") || exit 1
trap 'rm -rf "$WORK"' EXIT
trap 'exit 130' INT TERM
passed=0
failed=0

# result NAME STATUS LOG
result() {
	if [ "$2" -eq 0 ]; then
		passed=$((passed + 1))
		printf 'ok      %s\n' "$1"
	else
		failed=$((failed + 1))
		printf 'FAILED  %s\n' "$1"
		tail -n 80 "$3"
	fi
}

# Run a stage's make target and count each of its tests.
make_check() {
	name=$1
	folder=$2
	shift 2
	make -C "$folder" -j"$(nproc)" check "$@" >"$folder/check.log" 2>&1
	status=$?
	ran=$(sed -n 's/^# PASS: *//p' "$folder/check.log" | tail -n 1)
	passed=$((passed + ${ran:-0}))
	sed -n 's/^\(FAIL\|ERROR\): /        &/p' "$folder/check.log"
	[ "$status" -eq 0 ] || cat "$folder/test-suite.log" >>"$folder/check.log" 2>/dev/null
	result "$name (${ran:-0} tests)" "$status" "$folder/check.log"
}

stage_gcc() {
	build "$WORK/gcc" --enable-werror CC=gcc
	result "gcc, no warnings" $? "$WORK/gcc/build.log"
	make_check "unit tests" "$WORK/gcc"
}

stage_e2e() {
	[ -x "$WORK/gcc/snapferry" ] || build "$WORK/gcc" --enable-werror CC=gcc
	make -C "$WORK/gcc" check-e2e
	status=$?
	ran=$(wc -l <"$WORK/gcc/e2e.passed" 2>/dev/null || echo 0)
	passed=$((passed + ran))
	result "end-to-end tests ($ran scripts)" $status /dev/null
}

stage_clang() {
	build "$WORK/clang" --enable-werror CC=clang
	result "clang, no warnings" $? "$WORK/clang/build.log"
	make_check "unit tests, clang" "$WORK/clang"
}

stage_asan() {
	build "$WORK/asan" --enable-sanitizer=address,undefined CC=gcc CFLAGS='-O1 -g'
	result "address and undefined behaviour sanitizers" $? "$WORK/asan/build.log"
	make_check "unit tests, sanitized" "$WORK/asan"
	SNAPFERRY="$WORK/asan/snapferry" E2E_TOOLS="$WORK/asan/tests/e2e" timeout 600 "$TOP/tests/e2e/e2e_roundtrip.sh" \
	    >"$WORK/asan/e2e.log" 2>&1
	result "round trips, sanitized" $? "$WORK/asan/e2e.log"
	SNAPFERRY="$WORK/asan/snapferry" E2E_TOOLS="$WORK/asan/tests/e2e" timeout 600 "$TOP/tests/e2e/e2e_damage.sh" \
	    >"$WORK/asan/e2e.log" 2>&1
	result "damaged repositories, sanitized" $? "$WORK/asan/e2e.log"
}

stage_tsan() {
	build "$WORK/tsan" --enable-sanitizer=thread CC=gcc CFLAGS='-O1 -g'
	result "thread sanitizer" $? "$WORK/tsan/build.log"
	make_check "unit tests, threads" "$WORK/tsan" \
	    TESTS='tests/test_queue tests/test_store tests/test_session tests/test_dedup tests/test_catalog_reader tests/test_target tests/test_target_file tests/test_target_folder tests/test_target_hostile tests/test_target_link'
	SNAPFERRY="$WORK/tsan/snapferry" E2E_TOOLS="$WORK/tsan/tests/e2e" timeout 600 "$TOP/tests/e2e/e2e_roundtrip.sh" \
	    >"$WORK/tsan/e2e.log" 2>&1
	result "round trips, threads" $? "$WORK/tsan/e2e.log"
}

stage_valgrind() {
	[ -x "$WORK/gcc/snapferry" ] || build "$WORK/gcc" --enable-werror CC=gcc
	make -C "$WORK/gcc" -j"$(nproc)" check TESTS= >"$WORK/gcc/valgrind.log" 2>&1
	for t in block buf catalog_writer envelope error frame keys manifest pack packlist repo root segment slot; do
		(cd "$WORK/gcc" && valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite \
		    "tests/test_$t") >"$WORK/gcc/valgrind.log" 2>&1
		result "valgrind test_$t" $? "$WORK/gcc/valgrind.log"
	done
}

stage_dist() {
	[ -x "$WORK/gcc/snapferry" ] || build "$WORK/gcc" --enable-werror CC=gcc
	make -C "$WORK/gcc" -j"$(nproc)" distcheck >"$WORK/gcc/dist.log" 2>&1
	result "make distcheck" $? "$WORK/gcc/dist.log"
	if [ -d "$TOP/.git" ]; then
		(cd "$TOP" && git status --porcelain) >"$WORK/untracked" 2>/dev/null
		[ ! -s "$WORK/untracked" ]
		result "nothing untracked after the tests" $? "$WORK/untracked"
	fi
}

for stage in ${@:-gcc e2e clang asan tsan valgrind dist}; do
	printf '== %s\n' "$stage"
	start=$(date +%s)
	"stage_$stage"
	printf '   %s seconds\n' $(($(date +%s) - start))
done
printf '%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
