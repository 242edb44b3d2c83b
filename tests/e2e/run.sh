#!/bin/sh
# Runs end-to-end scripts one after the other and says how each went; the names of those that passed go to e2e.passed in the current folder.
# A skipped one (exit status 77) is neither passed nor failed, and is named with its reason.
# Usage: SNAPFERRY=program E2E_TOOLS=folder tests/e2e/run.sh SCRIPT...
failed=0
: >e2e.passed
for script in "$@"; do
	name=$(basename "$script" .sh)
	start=$(date +%s)
	timeout 900 "$script" >"$name.log" 2>&1 </dev/null
	status=$?
	seconds=$(($(date +%s) - start))
	case $status in
	0)
		echo "$name" >>e2e.passed
		echo "PASS: $name ($seconds s)"
		# Parts that a script had to leave out.
		grep -h "^SKIP\|^skipped" "$name.log" | sed "s/^/      /"
		;;
	77)
		echo "SKIP: $name: $(tail -n 1 "$name.log")"
		;;
	*)
		echo "FAIL: $name (status $status, $seconds s)"
		tail -n 60 "$name.log"
		failed=1
		;;
	esac
done
exit $failed
