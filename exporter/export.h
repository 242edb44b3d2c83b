#ifndef EXPORT_H_
#define EXPORT_H_

#include <stdbool.h>
#include <stddef.h>

#include "repo.h"
#include "report.h"

/*
 * Export: a folder tree or a device becomes a snapshot.
 *
 *   scan (1 thread)  --work-->  content (n threads)  --done, in order-->  record (the caller's thread)
 *   walk, merge with            read, chunk, id,                          catalog, packlist,
 *   the base's catalog          dedup, compress, seal                     commit
 *
 * Content threads fill packs; the session's uploads carry them to the store.
 */
struct export_options {
	const char *source;
	const char *volume_name;
	enum manifest_mode mode;
	const struct manifest_tag *tags;
	size_t ntags;
	const char *const *excludes;
	size_t nexcludes;
	bool cross_file_systems;
	bool ignore_inode; /* inode numbers of the file system are not stable */
	bool full; /* read everything, trust no base for "unchanged" (content is still deduplicated) */
	bool dry_run; /* scan and compare only; nothing is written */
	int level; /* zstd level or FRAME_NO_COMPRESSION */
	unsigned threads; /* content threads */
	unsigned uploads;
	size_t pack_size, meta_pack_size; /* of data and metadata; the latter 0: the same */
	size_t dedup_bytes;
};

/* On success the committed manifest is in *out (manifest_wipe() it).  Warnings are counted by the report. */
int export_run(struct repo *, const struct export_options *, struct report *, struct progress *, struct manifest *out,
    struct error *);
/* From a signal handler's thread: stop as soon as possible with ERR_CANCELLED. */
void export_cancel(void);

#endif
