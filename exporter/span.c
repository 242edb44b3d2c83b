/*
 * Cutting what is wanted into spans.
 */
#include "span.h"

#include <string.h>

#include "cleanup.h"

int
span_compare(const void *a, const void *b)
{
	const struct frame_ref *x = a, *y = b;
	int order = memcmp(x->session, y->session, sizeof x->session);

	if (order != 0)
		return order;
	if (x->seq != y->seq)
		return x->seq < y->seq ? -1 : 1;
	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	return 0;
}

size_t
span_cut(const void *wants, size_t count, size_t size, const struct span_bounds *bounds, uint32_t *out_len)
{
	const struct frame_ref *first = wants;
	uint32_t end = first->offset + first->clen;
	size_t n = 1;

	for (; n < count; n++) {
		const struct frame_ref *f = (const void *)((const char *)wants + n * size);
		uint32_t new_end = MAX(end, f->offset + f->clen);

		/* A frame that would make it too long begins another span, whether it overlaps (in a hostile catalog)
		 * or not: the buffers hold the longest span, or one frame. */
		if (memcmp(f->session, first->session, sizeof f->session) != 0 || f->seq != first->seq ||
		    (f->offset > end && f->offset - end > bounds->gap) ||
		    (new_end > end && new_end - first->offset > bounds->len))
			break;
		end = new_end;
	}
	*out_len = end - first->offset;
	return n;
}
