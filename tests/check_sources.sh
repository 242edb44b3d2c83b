#!/bin/sh
# Every source file, test and script is named in Makefile.am, so that it is built and distributed, and the program's in docs/architecture.md.
srcdir=${srcdir:-.}
failed=0
cd "$srcdir" || exit 1
for f in include/*.h storage/*/*.[ch] exporter/*.[ch] tests/*.[ch] tests/fuzz/*.c tests/e2e/*.[ch] tests/e2e/*.sh tests/e2e/*.py tests/s3/*; do
	[ -f "$f" ] || continue
	if ! grep -qF "$f" Makefile.am; then
		echo "$f is not in Makefile.am" >&2
		failed=1
	fi
done
for f in storage/*/*.c exporter/*.c; do
	[ -e "$f" ] || continue
	if ! grep -qF "\`$(basename "$f")\`" docs/architecture.md; then
		echo "$f is not in docs/architecture.md" >&2
		failed=1
	fi
done
exit $failed
