#!/bin/bash
# What verify finds at which level.
. "$(dirname "$0")/functions.sh"
begin 120 "verify"

# broken MESSAGE OBJECT HOW LEVEL: damage that is found from this level on, but not below.
broken() {
	local message=$1 object=$2 how=$3 level=$4
	cp -a "$object" "$T/whole"
	eval "$how"
	if [ "$level" -gt 0 ]; then
		expect 0 "$message: level $((level - 1)) does not look there" sf verify -V packs --level $((level - 1))
	fi
	expect 20 "$message: found at level $level" sf verify -V packs --level "$level"
	check "$message: the object is named" grep -q "${object#"$T/repo/"}" "$T/err" "$T/out"
	expect 20 "$message: found at level 4" sf verify -V packs --level 4
	cp -a "$T/whole" "$object"
}

flip() {
	python3 - "$@" <<-'EOP'
		import sys
		with open(sys.argv[1], "r+b") as f:
		    at = f.seek(int(sys.argv[2]), 2 if int(sys.argv[2]) < 0 else 0)
		    byte = f.read(1)[0]
		    f.seek(at)
		    f.write(bytes([byte ^ 4]))
	EOP
}

verification() {
	note "verify"
	mkdir "$T/packs"
	local i pack packs read
	for i in 1 2 3 4 5 6; do
		noise 6000000 $i >"$T/packs/$i"
	done
	export_tree 0 packs "$T/packs" --threads 1 --connections 1 --max-memory 78M
	for i in 0 1 2 3 4; do
		expect 0 "verify --level $i" sf verify --json --level $i -V packs
		check_number "level $i: no damage" "$(field "$T/out" summary damage)" -eq 0
		packs=$(field "$T/out" summary packs)
		read=$(field "$T/out" summary packs_read)
		check_number "level $i: packs that are read" "$read" -eq $((i >= 3 ? packs : 0))
	done
	check_number "there are some packs" "$packs" -ge 6
	for i in 100 12% 2.5; do
		expect 0 "verify --sample $i" sf verify --json --level 3 --sample $i -V packs
		read=$(field "$T/out" summary packs_read)
		if [ $i = 100 ]; then
			check_number "a sample of $i reads all" "$read" -eq "$packs"
		else
			check_number "a sample of $i reads less than all" "$read" -lt "$packs"
		fi
		expect 0 "again" sf verify --json --level 4 --sample $i -V packs
		check_number "the sample of a day is always the same" "$(field "$T/out" summary packs_read)" -eq "$read"
	done
	expect 0 "a snapshot alone" sf verify -V packs -s "$snapshot" --level 4
	expect 0 "all volumes" sf verify --level 2
	pack=$(find "$T/repo/v" -path "*/p/*" -type f -size +4000k | sort | head -n 1)
	broken "a missing pack" "$pack" 'rm "$object"' 1
	broken "a short pack" "$pack" 'truncate -s -1 "$object"' 1
	broken "a bad trailer" "$pack" 'flip "$object" -60' 2
	broken "a bad header" "$pack" 'flip "$object" 5' 2
	broken "a bad frame" "$pack" 'flip "$object" 300000' 3
	expect 0 "all is mended" sf verify -V packs --level 4
}

new_repository
small_tree "$T/sel"
export_tree 0 sel "$T/sel"
sections verification
finish
