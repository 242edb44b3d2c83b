#ifndef BLOCK_STREAM_H_
#define BLOCK_STREAM_H_

#include <stddef.h>
#include <stdint.h>

struct error;
struct snapshot;

/*
 * The plaintexts of a catalog's blocks, one after the other; with readahead > 0 a thread of its own is so many blocks
 * ahead.
 *
 * Blocks that lie near each other in one pack are fetched together: a little at first, since a reader that starts in
 * the middle may want one block only, and up to 4 MiB at a time when it goes on.
 */
struct block_stream;
int block_stream_new(const struct snapshot *, unsigned readahead, struct block_stream **out, struct error *);
/* Fetch as much together as catalog_reader_whole() says.  Before the first block is asked for. */
void block_stream_whole(struct block_stream *);
/* The next block will be this one.  Ends a thread that runs; nothing is fetched yet. */
int block_stream_seek(struct block_stream *, size_t block, struct error *);
/* The same for a block further on, when what lies between is left out: what was fetched already is kept, and when that
 * is little, as much is fetched together as before. */
int block_stream_skip(struct block_stream *, size_t block, struct error *);
/* The next block, which must exist; valid until the next call. */
int block_stream_next(struct block_stream *, const uint8_t **out, size_t *out_len, struct error *);
void block_stream_free(struct block_stream *);

#endif
