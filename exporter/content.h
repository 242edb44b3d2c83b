#ifndef CONTENT_H_
#define CONTENT_H_

#include "buf.h"
#include "export_internal.h"

/*
 * One content thread: its packer and buffers.  content_small.c reads batches of small files, content_large.c pieces of
 * large ones.
 */
#define CONTENT_WINDOW (8u * 1024 * 1024)
/* The scan plans at most BATCH_BYTES for a batch; files may have grown since. */
#define BUNDLE_ROOM (BATCH_BYTES + CHUNK_BUNDLED)

struct content {
	struct export *x;
	struct packer *packer;
	struct mac *path_mac;
	struct loader *loader; /* for the base's segments; made when needed */
	uint8_t *window; /* CONTENT_WINDOW bytes of a large file */
	uint8_t *bundle; /* BUNDLE_ROOM bytes */
	struct buf xattrs;
};

int content_new(struct export *, struct content **out, struct error *);
/* Hand on what is sealed but not yet stored: the last call before content_free(), which accepts NULL. */
int content_flush(struct content *, struct error *);
void content_free(struct content *);

/* Read the files of a batch.  Entries are completed in place; unreadable and vanished ones are reported. */
int content_batch(struct content *, struct batch *, struct error *);
/* Read one piece of a stretch. */
int content_piece(struct content *, struct stretch *, size_t piece, struct error *);

/* After a failure: items are disposed of by whoever holds the last part of them.  Does not free the task. */
void content_abandon(struct task *);

/* The attributes of an open file, into its entry (memory from the arena).  What cannot be read is reported. */
int content_attributes(struct content *, int fd, struct entry *, struct arena *, struct error *);
/* Hint for salvage: a keyed hash of the path. */
int content_path_hash(struct content *, const struct entry *, uint64_t *out, struct error *);

#endif
