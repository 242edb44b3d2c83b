#ifndef CATALOG_READER_H_
#define CATALOG_READER_H_

#include <stddef.h>

#include "entry.h"

struct error;
struct snapshot;

/*
 * Stream a snapshot's catalog in order.  With readahead > 0 a thread fetches and opens that many blocks (at most
 * CATALOG_READAHEAD_MAX) in advance. One thread uses a reader.
 */
#define CATALOG_READAHEAD_MAX 64
struct catalog_reader;
int catalog_reader_new(const struct snapshot *, unsigned readahead, struct catalog_reader **out, struct error *);
/*
 * The whole catalog will be read, and each request of the store costs more than to wait for the first entry: blocks
 * that lie together are fetched up to CATALOG_WHOLE_RUN bytes at a time, which is a metadata pack of an export with the
 * usual memory, instead of a little at first and 4 MiB later.  Before the first catalog_reader_next().
 */
#define CATALOG_WHOLE_RUN (12u * 1024 * 1024)
void catalog_reader_whole(struct catalog_reader *);
/* Start over at the first entry whose path is >= path ("" for the start).  Nothing is read before the next
 * catalog_reader_next(). */
int catalog_reader_seek(struct catalog_reader *, const char *path, size_t len, struct error *);
/* Leave out what is below this folder: the last entry's, or one above that.  Blocks in which nothing else can be are
 * not fetched, and what is left out is not checked. */
int catalog_reader_skip(struct catalog_reader *, const char *folder, size_t len, struct error *);
/*
 * 1 and an entry (valid until the next call), 0 at the end.  Order across blocks, their separators and counts are
 * checked, and, unless reading began in the middle, that the parent of every entry is a folder that came before:
 * ERR_CORRUPT.  After a failure it fails again, until the next seek.
 */
int catalog_reader_next(struct catalog_reader *, struct entry *out, struct error *);
/* The block from which the last entry came: index into root.blocks. */
size_t catalog_reader_block(const struct catalog_reader *);
void catalog_reader_free(struct catalog_reader *);

#endif
