#ifndef CHECKPOINT_H_
#define CHECKPOINT_H_

#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "frame.h"

struct error;

/* Checkpoints: the frames that a running session has stored (docs/format.md section 8). */

/* The same frame twice is encoded once.  ERR_NOMEM when they need more than FRAME_PLAIN_MAX bytes: make several
 * checkpoints. */
int checkpoint_encode(const struct frame_ref *, size_t count, struct buf *out, struct error *);
/* *out is malloc'ed.  ERR_CORRUPT. */
int checkpoint_decode(const void *bytes, size_t len, struct frame_ref **out, size_t *out_count, struct error *);

#endif
