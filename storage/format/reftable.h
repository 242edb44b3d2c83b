#ifndef REFTABLE_H_
#define REFTABLE_H_

#include <stddef.h>
#include <stdint.h>

#include "frame.h"
#include "hashidx.h"

struct buf;
struct error;
struct wire;

/*
 * The reference tables at the start of blocks, segments, roots and checkpoints: docs/format.md section 5.
 *
 * A zeroed table is an empty one.  It serves both directions: reftable_add() and reftable_encode(), or
 * reftable_decode().
 */
struct reftable {
	uint8_t (*sessions)[SESSION_ID_LEN];
	struct reftable_pack *packs;
	struct frame_ref *frames;
	size_t nsessions, sessions_capacity;
	size_t npacks, packs_capacity;
	size_t nframes, frames_capacity;
	/* Writers only. */
	struct hashidx session_index, pack_index, frame_index;
	size_t items_size; /* encoded, without the three counts */
	size_t last; /* the frame that was asked for last */
};

/* A place to come back to, when what was added since is not wanted. */
struct reftable_mark {
	size_t nsessions, npacks, nframes, items_size;
};

/* The frame's number; a new frame goes to the end.  ERR_USAGE when the reference is not valid. */
int reftable_add(struct reftable *, const struct frame_ref *, size_t *out_number, struct error *);
struct reftable_mark reftable_mark(const struct reftable *);
void reftable_rollback(struct reftable *, const struct reftable_mark *);
/* The encoded size, exactly. */
size_t reftable_size(const struct reftable *);
void reftable_encode(const struct reftable *, struct buf *out);

/* Replaces the content.  ERR_CORRUPT; the message is for the caller to prefix. */
int reftable_decode(struct reftable *, struct wire *, struct error *);

/* Forget all references, keep the memory. */
void reftable_reset(struct reftable *);
void reftable_free(struct reftable *);

#endif
