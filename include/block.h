#ifndef BLOCK_H_
#define BLOCK_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "entry.h"

struct error;

/*
 * Catalog blocks: docs/format.md sections 5 and 6.  Pure bytes.
 *
 * The encoder is deterministic: the same entries give the same bytes.  The decoder checks everything that the format
 * promises, as far as one block shows it, so that a decoded entry can be used without further checks; all its failures
 * are ERR_CORRUPT or ERR_NOMEM. What only the whole catalog shows is left to its reader: that the first entry of a
 * block follows the last one of the block before and that its parents exist.
 */

struct block_encoder;
int block_encoder_new(struct block_encoder **out, struct error *);
/* Add the next entry (paths ascending, parents before children, fields within their limits; else ERR_USAGE).  Copies
 * what it needs. ERR_NOMEM when the block would exceed FRAME_PLAIN_MAX.  After a failure the block is as before. */
int block_encoder_add(struct block_encoder *, const struct entry *, struct error *);
size_t block_encoder_entries(const struct block_encoder *);
/* The finished size, exactly. */
size_t block_encoder_size(const struct block_encoder *);
/* Append the block to out and start an empty one. */
int block_encoder_finish(struct block_encoder *, struct buf *out, struct error *);
void block_encoder_free(struct block_encoder *);

struct block_decoder;
int block_decoder_new(struct block_decoder **out, struct error *);
/* bytes must live as long as the decoder uses them.  A decoder can be set to block after block. */
int block_decoder_set(struct block_decoder *, const void *bytes, size_t len, struct error *);
size_t block_decoder_entries(const struct block_decoder *);
/* The frames that the block refers to, in order of first use: valid until the next set. */
size_t block_decoder_frames(const struct block_decoder *, const struct frame_ref **out);
/* 1 and the next entry (its pointers are valid until the next call), 0 at the end of the block.  After a failure it
 * fails again. */
int block_decoder_next(struct block_decoder *, struct entry *out, struct error *);
void block_decoder_free(struct block_decoder *);

#endif
