/*
 * Two contents of one volume.
 *
 * Equal ids are equal contents, and different ids of whole frames of one length are different ones, as long as both
 * were made under the same key. Where frames do not lie alike their bytes decide.
 */
#include <string.h>

#include "chunker.h"
#include "cleanup.h"
#include "diff.h"
#include "error.h"
#include "extents.h"
#include "frames.h"

struct cursor {
	const struct diff_side *side;
	struct extents extents;
	const struct extent *x; /* NULL: the next one is to be fetched */
	uint64_t used; /* of it */
};

/* 1, or 0 at the end. */
static int
cursor_fill(struct cursor *c, struct error *err)
{
	int r;

	if (c->x != NULL && c->used < c->x->len)
		return 1;
	c->used = 0;
	r = extents_next(&c->extents, &c->x, err);
	if (r <= 0)
		c->x = NULL;
	return r;
}

/* The keys under which the ids of a frame were made; the same volume gives the same pointers. */
static int
same_keys(const struct cursor *a, const struct frame_ref *fa, const struct cursor *b, const struct frame_ref *fb,
    bool *out, struct error *err)
{
	const struct volume_keys *ka, *kb;
	int r = keyring_volume_keys(a->side->snapshot->keyring, fa->session, &ka, err);

	if (r == 0)
		r = keyring_volume_keys(b->side->snapshot->keyring, fb->session, &kb, err);
	*out = r == 0 && ka == kb;
	return r;
}

static bool
is_whole(const struct cursor *c, uint64_t run)
{
	return c->used == 0 && c->x->frame_offset == 0 && run == c->x->frame.plen;
}

/* len bytes at the cursor, within its extent; NULL for zeros. */
static int
cursor_bytes(const struct cursor *c, const uint8_t **out, struct error *err)
{
	const uint8_t *plain;
	int r;

	*out = NULL;
	if (c->x->kind != EXTENT_DATA)
		return 0;
	r = frames_load(c->side->frames, &c->x->frame, &plain, err);
	if (r == 0)
		*out = plain + c->x->frame_offset + c->used;
	return r;
}

/* Whether the next run bytes differ. */
static int
run_differs(const struct cursor *a, const struct cursor *b, uint64_t run, bool *out, struct error *err)
{
	const struct frame_ref *fa = &a->x->frame, *fb = &b->x->frame;
	const uint8_t *pa, *pb;
	bool comparable;
	int r;

	*out = false;
	if (a->x->kind != EXTENT_DATA && b->x->kind != EXTENT_DATA)
		return 0;
	if (a->x->kind == EXTENT_DATA && b->x->kind == EXTENT_DATA) {
		if ((r = same_keys(a, fa, b, fb, &comparable, err)) < 0)
			return r;
		if (comparable && fa->type == fb->type && fa->plen == fb->plen) {
			bool same = memcmp(fa->id, fb->id, ID_SHORT) == 0;

			if (same && a->x->frame_offset + a->used == b->x->frame_offset + b->used)
				return 0;
			if (!same && is_whole(a, run) && is_whole(b, run)) {
				*out = true;
				return 0;
			}
		}
	}
	if ((r = cursor_bytes(a, &pa, err)) < 0 || (r = cursor_bytes(b, &pb, err)) < 0)
		return r;
	*out = pa != NULL && pb != NULL ? memcmp(pa, pb, (size_t)run) != 0
					: !chunker_is_zero(pa != NULL ? pa : pb, (size_t)run);
	return 0;
}

/* Both are about to begin the same segment: leave it out. */
static int
skip_segment(struct cursor *a, struct cursor *b, uint64_t *offset, struct error *err)
{
	const struct frame_ref *fa, *fb;
	bool comparable;
	int r;

	if ((a->x != NULL && a->used < a->x->len) || (b->x != NULL && b->used < b->x->len))
		return 0;
	fa = extents_at_segment(&a->extents);
	fb = extents_at_segment(&b->extents);
	if (fa == NULL || fb == NULL || fa->plen != fb->plen || memcmp(fa->id, fb->id, ID_SHORT) != 0)
		return 0;
	if ((r = same_keys(a, fa, b, fb, &comparable, err)) < 0 || !comparable)
		return r;
	*offset += extents_skip_segment(&a->extents);
	(void)extents_skip_segment(&b->extents);
	a->x = b->x = NULL;
	return 1;
}

static int
compare_all(struct cursor *a, struct cursor *b, diff_range_fn *fn, void *arg, struct error *err)
{
	uint64_t offset = 0;
	int r;

	for (;;) {
		uint64_t run;
		bool differs;

		if ((r = skip_segment(a, b, &offset, err)) < 0)
			return r;
		if (r > 0)
			continue;
		if ((r = cursor_fill(a, err)) <= 0 || (r = cursor_fill(b, err)) <= 0)
			return r;
		run = MIN(a->x->len - a->used, b->x->len - b->used);
		if ((r = run_differs(a, b, run, &differs, err)) < 0)
			return r;
		if (differs && (r = fn(arg, offset, run, err)) != 0)
			return r;
		a->used += run;
		b->used += run;
		offset += run;
	}
}

int
diff_contents(const struct diff_side *a, const struct diff_side *b, diff_range_fn *fn, void *arg, struct error *err)
{
	struct cursor ca = {.side = a}, cb = {.side = b};
	bool comparable;
	int r;

	extents_begin(&ca.extents, frames_loader(a->frames), a->entry);
	extents_begin(&cb.extents, frames_loader(b->frames), b->entry);
	if (entry_in_bundle(a->entry) && entry_in_bundle(b->entry)) {
		r = same_keys(&ca, &a->entry->extents[0].frame, &cb, &b->entry->extents[0].frame, &comparable, err);
		if (r == 0 && comparable)
			return memcmp(a->entry->file_id, b->entry->file_id, ID_SHORT) == 0
				   ? 0
				   : fn(arg, 0, a->entry->size, err);
		if (r < 0)
			return r;
	}
	r = compare_all(&ca, &cb, fn, arg, err);
	extents_end(&ca.extents);
	extents_end(&cb.extents);
	return r;
}
