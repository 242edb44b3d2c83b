#ifndef EXTENTS_H_
#define EXTENTS_H_

#include <stddef.h>
#include <stdint.h>

#include "entry.h"

struct error;
struct loader;

/*
 * All extents of an entry in order, whether they stand in the entry or in segments, of which one at a time is in
 * memory.
 */
struct extents {
	const struct entry *entry; /* borrowed, with all that it points to */
	struct loader *loader;
	const struct extent *list;
	struct extent *loaded; /* of a segment; malloc'ed */
	size_t count, next;
	size_t segment; /* the next one */
};

void extents_begin(struct extents *, struct loader *, const struct entry *);
/* 1 and the next extent (valid until the next call), 0 at the end. */
int extents_next(struct extents *, const struct extent **out, struct error *);
/* Between two segments: the next one, or NULL. */
const struct frame_ref *extents_at_segment(const struct extents *);
/* Leave out the segment that extents_at_segment() gave; its length. */
uint64_t extents_skip_segment(struct extents *);
void extents_end(struct extents *);

#endif
