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
MEMORY=
trap 'rm -rf "$WORK" ${MEMORY:+"$MEMORY"}' EXIT
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

# make_e2e NAME FOLDER SCRIPT...: run end-to-end scripts with the program that was built there, and count each.
make_e2e() {
	name=$1
	folder=$2
	shift 2
	(cd "$folder" && SNAPFERRY="$folder/snapferry" E2E_TOOLS="$folder/tests/e2e" "$TOP/tests/e2e/run.sh" "$@")
	status=$?
	ran=$(wc -l <"$folder/e2e.passed")
	passed=$((passed + ran))
	result "$name ($ran scripts)" $status /dev/null
}

# Temporary files of the stages clang to dist are in memory, if there is room and it takes attributes: tests make and remove them by the thousands,
# and what differs on a disk is told by the stages gcc and e2e.
find_memory() {
	MEMORY=$(mktemp -d /dev/shm/snapferry-suite.XXXXXX 2>/dev/null) || return
	# As /tmp: some tests give up their rights.
	chmod 1777 "$MEMORY"
	[ "$(df --output=avail -k "$MEMORY" | tail -n 1)" -ge 4000000 ] && setfattr -n user.test -v 1 "$MEMORY" 2>/dev/null && return
	rmdir "$MEMORY"
	MEMORY=
}

in_memory() {
	before=${TMPDIR-}
	[ -z "$MEMORY" ] || export TMPDIR="$MEMORY"
	"$@"
	if [ -n "$before" ]; then
		TMPDIR=$before
	else
		unset TMPDIR
	fi
}

stage_e2e() {
	[ -x "$WORK/gcc/snapferry" ] || build "$WORK/gcc" --enable-werror CC=gcc
	make -C "$WORK/gcc" -s -j"$(nproc)" check-e2e
	status=$?
	ran=$(wc -l <"$WORK/gcc/e2e.passed" 2>/dev/null || echo 0)
	passed=$((passed + ran))
	result "end-to-end tests ($ran scripts)" $status /dev/null
}

LIBS3_TESTS='tests/test_store_libs3 tests/test_store_libs3_status'

stage_s3() {
	# shellcheck disable=SC2086
	without_services need_packages $S3_PACKAGES $LIBS3_PACKAGES || exit 1
	[ -x "$WORK/gcc/snapferry" ] || build "$WORK/gcc" --enable-werror CC=gcc
	make -C "$WORK/gcc" -s -j"$(nproc)" check-s3
	status=$?
	ran=$(wc -l <"$WORK/gcc/e2e.passed" 2>/dev/null || echo 0)
	passed=$((passed + ran))
	result "end-to-end tests with S3 servers ($ran scripts)" $status /dev/null
	build "$WORK/libs3" --with-libs3 --enable-werror CC=gcc
	result "with libs3, no warnings" $? "$WORK/libs3/build.log"
	make_check "unit tests of the store over libs3" "$WORK/libs3" TESTS="$LIBS3_TESTS" \
		check_PROGRAMS="$LIBS3_TESTS tests/e2e/judge tests/s3/contract tests/s3/proxy"
	PROXY="$WORK/libs3/tests/s3/proxy" make_e2e "a repository over libs3" "$WORK/libs3" "$TOP/tests/e2e/e2e_libs3.sh"
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
	make_e2e "round trips and damage, sanitized" "$WORK/asan" "$TOP/tests/e2e/e2e_damage.sh" "$TOP/tests/e2e/e2e_roundtrip.sh"
}

# Everything that has threads.
TSAN_TESTS='tests/test_queue tests/test_store tests/test_session tests/test_dedup tests/test_catalog_reader tests/test_target
	tests/test_target_file tests/test_target_folder tests/test_target_hostile tests/test_target_link tests/test_http_connection tests/test_http_tls'

stage_tsan() {
	build "$WORK/tsan" --enable-sanitizer=thread CC=gcc CFLAGS='-O1 -g'
	result "thread sanitizer" $? "$WORK/tsan/build.log"
	# Not check_PROGRAMS: only what is run is built.
	make_check "unit tests, threads" "$WORK/tsan" TESTS="$(echo $TSAN_TESTS)" check_PROGRAMS="$(echo $TSAN_TESTS tests/e2e/judge)"
	make_e2e "round trips, threads" "$WORK/tsan" "$TOP/tests/e2e/e2e_roundtrip.sh"
}

# The slowest first, so that none is left alone at the end.
VALGRIND_TESTS='catalog_writer packlist frame manifest pack block envelope root volume slot repo keys segment snapshot buf error'

stage_valgrind() {
	[ -x "$WORK/gcc/snapferry" ] || build "$WORK/gcc" --enable-werror CC=gcc
	make -C "$WORK/gcc" -j"$(nproc)" check TESTS= >"$WORK/gcc/valgrind.log" 2>&1
	# shellcheck disable=SC2016 # the variables are the inner shell's
	printf '%s\0' $VALGRIND_TESTS | (cd "$WORK/gcc" && xargs -0 -n 1 -P "$(nproc)" sh -c '
		valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite "tests/test_$1" >"valgrind.$1" 2>&1
		echo $? >"valgrind.$1.status"' sh)
	for t in $VALGRIND_TESTS; do
		result "valgrind test_$t" "$(cat "$WORK/gcc/valgrind.$t.status")" "$WORK/gcc/valgrind.$t"
	done
}

# What runs from the package: only what reads files of it.  The other programs are those that the stages above have run, and must build.
DIST_TESTS='tests/fuzz/replay.sh tests/check_headers.sh tests/check_layers.sh tests/check_sources.sh'

stage_dist() {
	[ -x "$WORK/gcc/snapferry" ] || build "$WORK/gcc" --enable-werror CC=gcc
	make -C "$WORK/gcc" -j"$(nproc)" distcheck TESTS="$DIST_TESTS" >"$WORK/gcc/dist.log" 2>&1
	result "make distcheck" $? "$WORK/gcc/dist.log"
	if [ -e "$TOP/.git" ]; then
		(cd "$TOP" && git status --porcelain) >"$WORK/untracked" 2>/dev/null
		[ ! -s "$WORK/untracked" ]
		result "nothing untracked after the tests" $? "$WORK/untracked"
	fi
}

find_memory
for stage in ${@:-gcc e2e s3 clang asan tsan valgrind dist}; do
	printf '== %s\n' "$stage"
	start=$(date +%s)
	case $stage in
	gcc | e2e | s3) "stage_$stage" ;;
	*) in_memory "stage_$stage" ;;
	esac
	printf '   %s seconds\n' $(($(date +%s) - start))
done
printf '%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
