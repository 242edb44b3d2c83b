#ifndef SEGMENT_H_
#define SEGMENT_H_

#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "entry.h"

struct error;

/* Segments: the extents of SEGMENT_SIZE bytes of a large file or device, the last one of what is left (docs/format.md
 * section 6). */

/* The extents' lengths must add up to 1..SEGMENT_SIZE; at most ENTRY_EXTENTS_MAX. */
int segment_encode(const struct extent *, size_t count, struct buf *out, struct error *);
/* The extents must cover exactly want_len bytes.  *out is malloc'ed.  ERR_CORRUPT. */
int segment_decode(
    const void *bytes, size_t len, uint64_t want_len, struct extent **out, size_t *out_count, struct error *);

#endif
