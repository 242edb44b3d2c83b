#!/bin/bash
# Compression, threads, memory and bandwidth.
. "$(dirname "$0")/functions.sh"
begin 180 "resources and limits"

milliseconds() {
	echo $(($(date +%s%N) / 1000000))
}

# Text that compresses the better the more effort is made.
words() {
	mkdir "$1"
	python3 - "$1/text" <<-'EOP'
		import random, sys
		r = random.Random(8)
		words = ["".join(r.choice("etaoinshrdlu") for _ in range(r.randrange(2, 9))) for _ in range(3000)]
		open(sys.argv[1], "w").write(" ".join(words[min(int(r.expovariate(1 / 400)), 2999)] for _ in range(600_000)))
	EOP
}

resources() {
	note "compression, threads, memory"
	local wanted option volume=0 bytes before=99999999
	wanted=$(sf tar -V big 2>/dev/null | sha256sum)
	for option in "--compression none" "--compression -7" "--compression 19" "--threads 1" "--threads 8" "--connections 8" "--max-memory 16G" "--threads 1 --connections 1 --max-memory 78M"; do
		volume=$((volume + 1))
		# shellcheck disable=SC2086
		export_tree 0 "options-$volume" "$T/big" $option
		expect 0 "$option: verify" sf verify -V "options-$volume" --level 4
		check "$option: the same files" [ "$(sf tar -V "options-$volume" 2>/dev/null | sha256sum)" = "$wanted" ]
	done
	words "$T/words"
	for option in none -7 1 19; do
		export_tree 0 "words$option" "$T/words" --compression $option
		bytes=$(stat_of_export stored_bytes)
		check_number "--compression $option takes less than the one before" "$bytes" -lt "$before"
		before=$((bytes - bytes / 10))
		import_tree 0 "words$option" latest "$T/dst"
		judge "--compression $option: the words are there" "$T/words" "$T/dst"
	done
	for option in "--threads 1" "--threads 8 --connections 8"; do
		rm -rf "$T/dst"
		# shellcheck disable=SC2086
		expect 0 "import $option" sf import $option -V big "$T/dst"
		judge "import $option" "$T/big" "$T/dst"
	done
	for option in 1 1M 20M; do
		expect 2 "too little memory" sf export -V big --max-memory $option "$T/big"
		one_line "it says how much is needed" 'at least [0-9]*M'
	done
}

limits() {
	note "limits"
	mkdir "$T/limited"
	noise 4000000 5 >"$T/limited/file"
	local start pid
	start=$(milliseconds)
	export_tree 0 limited "$T/limited" --limit-upload 1M
	check_number "a limited upload takes its time" $(($(milliseconds) - start)) -ge 2500
	start=$(milliseconds)
	import_tree 0 limited latest "$T/dst" --limit-download 1M
	check_number "a limited download takes its time" $(($(milliseconds) - start)) -ge 2500
	judge "nothing is missing" "$T/limited" "$T/dst"
	noise 4000000 6 >"$T/limited/file"
	"$SNAPFERRY" export -V limited --limit-upload 1K "$T/limited" >"$T/out" 2>"$T/err" &
	pid=$!
	while [ -z "$(find "$T/repo/v" -path '*/i/*.json')" ] && [ -d /proc/$pid ]; do
		sleep 0.05
	done
	start=$(milliseconds)
	kill -TERM $pid
	status=0
	wait $pid || status=$?
	check_number "the status of one that is told to end" $status -eq 143
	check_number "it ends soon" $(($(milliseconds) - start)) -le 10000
	one_line "it says so" .
	export_tree 0 limited "$T/limited"
	expect 0 "the next one succeeds" sf verify -V limited --level 4
}

two_volumes
sections resources limits
finish
