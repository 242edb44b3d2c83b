#ifndef EXTENT_H_
#define EXTENT_H_

#include <stddef.h>
#include <stdint.h>

#include "entry.h"

struct buf;
struct error;
struct reftable;
struct wire;

/* Lists of extents and of segments, as blocks and segments have them: docs/format.md sections 5 and 6. */

/* Where a structure's run of frame numbers is.  extent_cursor_start() before the first list. */
struct extent_cursor {
	int64_t last; /* the frame number used last, -1 at first */
	size_t used; /* readers: frames used so far; in the end all must be */
};

static inline void
extent_cursor_start(struct extent_cursor *c)
{
	c->last = -1;
	c->used = 0;
}

/* Append the extents; their lengths must add up to size.  ERR_USAGE for what is not as the format wants it; out and
 * table are then spoilt. */
int extent_list_encode(struct extent_cursor *, struct reftable *, const struct extent *, size_t count, uint64_t size,
    struct buf *out, struct error *);
/* Read count extents to out. */
int extent_list_decode(struct extent_cursor *, const struct reftable *, struct wire *, struct extent *out, size_t count,
    uint64_t size, struct error *);

int extent_segments_encode(
    struct extent_cursor *, struct reftable *, const struct frame_ref *, size_t count, struct buf *out, struct error *);
int extent_segments_decode(struct extent_cursor *, const struct reftable *, struct wire *, struct frame_ref *out,
    size_t count, struct error *);

#endif
