#!/bin/sh
# Every header compiles on its own.
set -e
srcdir=${srcdir:-.}
CC=${CC:-cc}
failed=0
for h in "$srcdir"/include/*.h "$srcdir"/exporter/*.h "$srcdir"/storage/*/*.h "$srcdir"/tests/*.h; do
	[ -e "$h" ] || continue
	if ! echo "#include \"$h\"" | $CC -std=gnu11 -D_GNU_SOURCE -fsyntax-only -x c -Wall -Wextra -Werror \
	    -I"$srcdir/include" -I"$srcdir/exporter" -I"$srcdir/storage/base" -I"$srcdir/storage/format" -I"$srcdir/storage/repo" \
	    -I"$srcdir/storage/s3" -I"$srcdir/storage/store" -I"$srcdir/tests" -; then
		echo "$h does not compile on its own" >&2
		failed=1
	fi
done
exit $failed
