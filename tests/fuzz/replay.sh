#!/bin/sh
# Replay every target's corpus.
set -e
srcdir=${srcdir:-.}
for target in $FUZZ_TARGETS; do
	name=$(basename "$target" | sed 's/^fuzz_//')
	corpus="$srcdir/tests/fuzz/corpus/$name"
	[ -d "$corpus" ] || corpus="$srcdir/tests/fuzz/corpus/$(basename "$target")"
	printf '%s: ' "$target"
	find "$corpus" -type f -print0 | sort -z | xargs -0 "./$target"
done
