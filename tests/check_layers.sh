#!/bin/sh
# The layers of docs/architecture.md hold: storage/ knows nothing of exporter/, lower layers nothing of higher ones.
srcdir=${srcdir:-.}
failed=0

# forbid FOLDER HEADER...: no file in FOLDER includes one of these.
forbid() {
	folder=$1
	shift
	for header in "$@"; do
		if grep -ln "#include \"$header\"" "$srcdir/$folder"/*.[ch] 2>/dev/null; then
			echo "$folder must not include $header" >&2
			failed=1
		fi
	done
}

exporter=$(cd "$srcdir/exporter" 2>/dev/null && ls *.h)
repo="repo.h session.h dedup.h catalog_writer.h"
formats="frame.h pack.h entry.h block.h segment.h root.h checkpoint.h packlist.h manifest.h slot.h envelope.h keys.h"
for folder in storage/base storage/format storage/s3 storage/store storage/repo include; do
	forbid $folder $exporter
done
forbid storage/base $repo $formats store.h s3.h
forbid storage/format $repo store.h job.h queue.h
forbid storage/store $repo $formats
forbid storage/s3 $repo $formats beneath.h newfile.h store_dir.h
# Banned calls: unbounded, or ending the program from a library.
if grep -nE '\b(strcpy|strcat|sprintf|vsprintf|gets|atoi|atol|strtok|system|alloca)\(' \
    "$srcdir"/storage/*/*.c "$srcdir"/exporter/*.c; then
	echo "banned calls" >&2
	failed=1
fi
if grep -nE '(^|[^_a-z])exit\(' "$srcdir"/storage/*/*.c; then
	echo "storage/ must not end the program" >&2
	failed=1
fi
exit $failed
