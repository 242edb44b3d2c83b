#!/bin/sh
# Runs end-to-end scripts, one on each processor, and says how each went; the names of those that passed go to e2e.passed in the current folder.
# A skipped one (exit status 77) is neither passed nor failed, and is named with its reason.
# Usage: SNAPFERRY=program E2E_TOOLS=folder tests/e2e/run.sh SCRIPT...

# What is said of one script goes out at once, because others are running.
one() {
	script=$1
	name=$(basename "$script")
	name=${name%.*}
	start=$(date +%s)
	timeout 900 "$script" >"$name.log" 2>&1 </dev/null
	status=$?
	seconds=$(($(date +%s) - start))
	case $status in
	0)
		echo "$name" >>e2e.passed
		# With parts that it had to leave out.
		said=$(echo "PASS: $name ($seconds s)" && grep -h "^SKIP\|^skipped" "$name.log" | sed "s/^/      /")
		;;
	77)
		said="SKIP: $name: $(tail -n 1 "$name.log")"
		;;
	*)
		said=$(echo "FAIL: $name (status $status, $seconds s)" && tail -n 60 "$name.log")
		;;
	esac
	printf '%s\n' "$said"
	[ "$status" -eq 0 ] || [ "$status" -eq 77 ]
}

if [ "$1" = --one ]; then
	one "$2"
	exit
fi
: >e2e.passed
printf '%s\0' "$@" | xargs -0 -n 1 -P "$(nproc)" sh "$0" --one
