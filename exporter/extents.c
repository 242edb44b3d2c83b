/*
 * Extents of an entry, one after the other.
 */
#include "extents.h"

#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "repo.h"

void
extents_begin(struct extents *x, struct loader *loader, const struct entry *e)
{
	memset(x, 0, sizeof *x);
	x->entry = e;
	x->loader = loader;
	x->list = e->extents;
	x->count = e->nextents;
}

int
extents_next(struct extents *x, const struct extent **out, struct error *err)
{
	while (x->next >= x->count) {
		int r;

		if (x->segment >= x->entry->nsegments)
			return 0;
		free(x->loaded);
		x->loaded = NULL;
		x->next = x->count = 0;
		r = snapshot_load_segment(x->loader, x->entry, x->segment, &x->loaded, &x->count, err);
		if (r < 0) {
			x->count = 0;
			return r;
		}
		x->segment++;
		x->list = x->loaded;
	}
	*out = &x->list[x->next++];
	return 1;
}

const struct frame_ref *
extents_at_segment(const struct extents *x)
{
	return x->next >= x->count && x->segment < x->entry->nsegments ? &x->entry->segments[x->segment] : NULL;
}

uint64_t
extents_skip_segment(struct extents *x)
{
	return MIN(x->entry->size - (uint64_t)x->segment++ * SEGMENT_SIZE, SEGMENT_SIZE);
}

void
extents_end(struct extents *x)
{
	free(x->loaded);
	x->loaded = NULL;
	x->count = 0;
}
