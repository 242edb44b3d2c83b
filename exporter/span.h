#ifndef SPAN_H_
#define SPAN_H_

#include <stddef.h>
#include <stdint.h>

#include "frame.h"

/*
 * Spans: neighbouring bytes of one pack that are fetched at once.  They are cut from arrays of structures, whatever
 * else is in these, that begin with the struct frame_ref of a frame that is wanted.
 */

struct span_bounds {
	uint32_t len; /* of the longest one, unless one frame is longer */
	uint32_t gap; /* that is fetched along rather than beginning another one */
};

/* For qsort(): by pack, and by place in it. */
int span_compare(const void *, const void *);
/* How many of the sorted wants (count, at least 1, each size bytes large) make one span, and how long it is.  It begins
 * where the first one does. */
size_t span_cut(const void *wants, size_t count, size_t size, const struct span_bounds *, uint32_t *out_len);

#endif
