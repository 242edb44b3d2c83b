/*
 * The content of one source, decoded: ids and where the frame or file lies.
 */
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "block.h"
#include "checkpoint.h"
#include "cleanup.h"
#include "dedup_internal.h"
#include "segment.h"

enum { NEARBY = 64 };

static int
add_frame(struct dedup_content *c, const struct frame_ref *ref, struct error *err)
{
	int r = array_reserve(&c->frames, &c->frames_cap, c->nframes + 1, sizeof(c->frames[0]), err);

	if (r == 0)
		c->frames[c->nframes++] = *ref;
	return r;
}

static int
add_item(struct dedup_content *c, uint8_t type, const uint8_t *id, size_t frame, uint32_t offset, uint32_t len,
    struct error *err)
{
	struct dedup_item *it;
	int r;

	r = array_reserve(&c->items, &c->items_cap, c->nitems + 1, sizeof(c->items[0]), err);
	if (r < 0)
		return r;
	it = &c->items[c->nitems++];
	*it = (struct dedup_item){.frame = (uint32_t)frame, .offset = offset, .len = len, .type = type};
	memcpy(it->id, id, ID_SHORT);
	return 0;
}

/* Every data frame and bundle is an item of its own. */
static int
add_frames(struct dedup_content *c, const struct frame_ref *frames, size_t count, struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++) {
		if (frames[i].type != FRAME_DATA && frames[i].type != FRAME_BUNDLE)
			continue;
		r = add_frame(c, &frames[i], err);
		if (r == 0)
			r = add_item(c, frames[i].type, frames[i].id, c->nframes - 1, 0, frames[i].plen, err);
	}
	return r;
}

/* Files that follow each other lie in the same bundle or in the next one. */
static int
locate_frame(struct dedup_content *c, const struct frame_ref *ref, size_t *guess, struct error *err)
{
	for (size_t i = *guess; i < c->nframes && i < *guess + NEARBY; i++)
		if (frame_ref_equal(&c->frames[i], ref)) {
			*guess = i;
			return 0;
		}
	*guess = c->nframes;
	return add_frame(c, ref, err);
}

static int
add_segments(struct dedup_content *c, const struct entry *e, struct error *err)
{
	int r;

	r = array_reserve(&c->segments, &c->segments_cap, c->nsegments + e->nsegments, sizeof(c->segments[0]), err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < e->nsegments; i++) {
		uint64_t left = e->size - i * SEGMENT_SIZE;

		c->segments[c->nsegments++] = (struct dedup_segment){e->segments[i], (uint32_t)MIN(left, SEGMENT_SIZE)};
	}
	return 0;
}

static void
free_decoder(struct block_decoder **d)
{
	block_decoder_free(*d);
}

static int
decode_block(struct dedup_content *c, const void *plain, size_t len, struct error *err)
{
	CLEANUP(free_decoder) struct block_decoder *d = NULL;
	const struct frame_ref *frames;
	struct entry e;
	size_t count, guess = 0;
	int r;

	r = block_decoder_new(&d, err);
	if (r == 0)
		r = block_decoder_set(d, plain, len, err);
	if (r < 0)
		return r;
	count = block_decoder_frames(d, &frames);
	r = add_frames(c, frames, count, err);
	while (r == 0 && (r = block_decoder_next(d, &e, err)) > 0) {
		r = 0;
		if (entry_in_bundle(&e)) {
			r = locate_frame(c, &e.extents[0].frame, &guess, err);
			if (r == 0)
				r = add_item(c, FRAME_FILE, e.file_id, guess, e.extents[0].frame_offset,
				    (uint32_t)e.extents[0].len, err);
		} else if (e.nsegments > 0) {
			r = add_segments(c, &e, err);
		}
	}
	return r;
}

static int
decode_segment(struct dedup_content *c, const void *plain, size_t len, uint32_t covers, struct error *err)
{
	CLEANUP_FREE struct extent *extents = NULL;
	size_t count = 0;
	int r;

	r = segment_decode(plain, len, covers, &extents, &count, err);
	for (size_t i = 0; r == 0 && i < count; i++)
		if (extents[i].kind == EXTENT_DATA)
			r = add_frames(c, &extents[i].frame, 1, err);
	return r;
}

static int
decode_checkpoint(struct dedup_content *c, const void *plain, size_t len, struct error *err)
{
	CLEANUP_FREE struct frame_ref *frames = NULL;
	size_t count = 0;
	int r;

	r = checkpoint_decode(plain, len, &frames, &count, err);
	return r < 0 ? r : add_frames(c, frames, count, err);
}

int
dedup_content_decode(
    uint8_t type, const void *plain, size_t len, uint32_t covers, struct dedup_content *out, struct error *err)
{
	switch (type) {
	case FRAME_CATALOG:
		return decode_block(out, plain, len, err);
	case FRAME_SEGMENT:
		return decode_segment(out, plain, len, covers, err);
	case FRAME_CHECKPOINT:
		return decode_checkpoint(out, plain, len, err);
	default:
		return error_set(err, ERR_CORRUPT, "a frame of type %u knows no content", type);
	}
}

static size_t
bucket_of(const struct dedup_content *c, const uint8_t *id)
{
	return ((size_t)id[4] | (size_t)id[5] << 8 | (size_t)id[6] << 16) & (c->nbuckets - 1);
}

int
dedup_content_index(struct dedup_content *c, struct error *err)
{
	size_t n = 16;

	while (n < c->nitems)
		n *= 2;
	c->buckets = calloc(n, sizeof(c->buckets[0]));
	if (c->buckets == NULL)
		return error_nomem(err);
	c->nbuckets = n;
	for (size_t i = 0; i < c->nitems; i++) {
		uint32_t *head = &c->buckets[bucket_of(c, c->items[i].id)];

		c->items[i].next = *head;
		*head = (uint32_t)i + 1;
	}
	return 0;
}

const struct dedup_item *
dedup_content_find(const struct dedup_content *c, uint8_t type, const uint8_t *id)
{
	if (c->nbuckets == 0)
		return NULL;
	for (uint32_t i = c->buckets[bucket_of(c, id)]; i != 0; i = c->items[i - 1].next)
		if (c->items[i - 1].type == type && memcmp(c->items[i - 1].id, id, ID_SHORT) == 0)
			return &c->items[i - 1];
	return NULL;
}

size_t
dedup_content_bytes(const struct dedup_content *c)
{
	return c->frames_cap * sizeof(c->frames[0]) + c->items_cap * sizeof(c->items[0]) +
	       c->segments_cap * sizeof(c->segments[0]) + c->nbuckets * sizeof(c->buckets[0]);
}

void
dedup_content_wipe(struct dedup_content *c)
{
	free(c->frames);
	free(c->items);
	free(c->segments);
	free(c->buckets);
	memset(c, 0, sizeof(*c));
}
