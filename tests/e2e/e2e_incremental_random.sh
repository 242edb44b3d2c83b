#!/bin/bash
# Random changes, a snapshot after each round; all of them must be as the tree was.
. "$(dirname "$0")/functions.sh"
begin 240 "random changes over many rounds"
rounds=${E2E_LONG:+60}
[ "$REPO_PLACE" = dir ] || rounds=${rounds:-5}
rounds=${rounds:-12}
seed=${E2E_SEED:-20240501}

new_repository
note "seed $seed, $rounds rounds"
python3 "$E2E/mutate.py" "$seed" 150 "$T/live" || die "the mutator failed"
ids=()
for ((i = 0; i < rounds; i++)); do
	python3 "$E2E/mutate.py" $((seed + i)) 60 "$T/live" || die "the mutator failed"
	cp -a "$T/live" "$T/copy.$i"
	options=()
	[ $((i % 5)) = 4 ] && options=(--full)
	[ $((i % 4)) = 3 ] && options+=(--threads 1)
	[ $((i % 6)) = 2 ] && options+=(--compression none)
	export_tree 0 random "$T/live" "${options[@]}"
	ids+=("$snapshot")
	check_number "round $i: every entry is there" "$(stat_of_export entries)" -eq "$(find "$T/live" -printf x | wc -c)"
	expect 0 "round $i: diff finds the snapshot and the folder equal" sf diff -V random "$snapshot" "$T/live"
done
echo changed >"$T/live/changed-after-all"
expect 50 "diff sees a new file" sf diff -V random "$snapshot" "$T/live"
check "diff names the new file" grep -q changed-after-all "$T/out"

for ((i = 0; i < rounds; i++)); do
	import_tree 0 random "${ids[$i]}" "$T/dst"
	# cp makes holes of its own.
	judge "round $i is restored" --ignore-holes "$T/copy.$i" "$T/dst"
	expect 0 "round $i: diff with what was restored" sf diff -V random "${ids[$i]}" "$T/dst"
	rm -rf "$T/copy.$i"
done
import_tree 0 random latest "$T/dst"
rm "$T/live/changed-after-all"
judge "the last round has the holes of the live tree" --ignore-root "$T/live" "$T/dst"
expect 0 "verify finds all well" sf verify -V random --level 4
finish
