#ifndef CATALOG_RANDOM_H_
#define CATALOG_RANDOM_H_

#include <unistd.h>

#include "buf.h"
#include "check.h"
#include "entry.h"

/* Random but valid pieces of catalogs, for the tests of their codecs. */

static inline uint64_t
random_below(uint64_t *state, uint64_t n)
{
	return check_random(state) % n;
}

/* One of many frames; the same number gives the same frame. */
static inline struct frame_ref
random_frame(uint64_t number, uint8_t type)
{
	uint64_t state = number * 8 + type;
	struct frame_ref f = {.type = type};

	memset(f.session, (int)(number % 5), sizeof(f.session));
	f.seq = (uint32_t)(number / 7 % 1000);
	f.ordinal = (uint32_t)(number % 7);
	f.plen = 1 + (uint32_t)random_below(&state, FRAME_PLAIN_MAX);
	f.clen = FRAME_OVERHEAD + 1 + (uint32_t)random_below(&state, f.plen);
	f.offset = 176 + (uint32_t)random_below(&state, 1u << 24);
	for (size_t i = 0; i < sizeof(f.id); i++)
		f.id[i] = (uint8_t)check_random(&state);
	return f;
}

/* Any kind of extent, of at most max bytes. */
static inline struct extent
random_extent(uint64_t *state, uint64_t max)
{
	struct extent x = {
	    .kind = (uint8_t[]){EXTENT_DATA, EXTENT_DATA, EXTENT_HOLE, EXTENT_ZEROS}[random_below(state, 4)]};

	if (x.kind == EXTENT_DATA) {
		x.frame = random_frame(random_below(state, 300), random_below(state, 2) ? FRAME_DATA : FRAME_BUNDLE);
		x.len = x.frame.plen;
		if (random_below(state, 2)) {
			x.frame_offset = (uint32_t)random_below(state, x.frame.plen);
			x.len = 1 + random_below(state, x.frame.plen - x.frame_offset);
		}
		x.len = x.len < max ? x.len : max;
	} else {
		x.len = 1 + random_below(state, max < 1u << 20 ? max : 1u << 20);
	}
	return x;
}

/* A set of n attributes named user.0.. with values that follow from the seed. */
static inline void
random_xattrs(struct buf *out, unsigned n, uint64_t seed)
{
	char name[32];

	buf_reset(out);
	buf_varint(out, n);
	for (unsigned i = 0; i < n; i++) {
		int len = snprintf(name, sizeof(name), "user.%03u", i);

		buf_varint(out, (uint64_t)len);
		buf_put(out, name, (size_t)len);
		buf_varint(out, 8);
		buf_u64(out, seed);
	}
}

static inline void
check_frame(const struct frame_ref *a, const struct frame_ref *b)
{
	CHECK_MEM(a->session, b->session, sizeof(a->session));
	CHECK_INT(a->seq, b->seq);
	CHECK_INT(a->ordinal, b->ordinal);
	CHECK_INT(a->offset, b->offset);
	CHECK_INT(a->clen, b->clen);
	CHECK_INT(a->plen, b->plen);
	CHECK_INT(a->type, b->type);
	CHECK_MEM(a->id, b->id, sizeof(a->id));
}

static inline void
check_extent(const struct extent *a, const struct extent *b)
{
	CHECK_INT(a->kind, b->kind);
	CHECK_INT(a->len, b->len);
	if (a->kind != EXTENT_DATA)
		return;
	CHECK_INT(a->frame_offset, b->frame_offset);
	check_frame(&a->frame, &b->frame);
}

/* Every field. */
static inline void
check_entry(const struct entry *a, const struct entry *b)
{
	CHECK_INT(a->path_len, b->path_len);
	CHECK(a->path_len == 0 || memcmp(a->path, b->path, a->path_len) == 0);
	CHECK_INT(a->type, b->type);
	CHECK_INT(a->flags, b->flags);
	CHECK_INT(a->mode, b->mode);
	CHECK_INT(a->uid, b->uid);
	CHECK_INT(a->gid, b->gid);
	CHECK_INT(a->nlink, b->nlink);
	CHECK_INT(a->ino, b->ino);
	CHECK_INT(a->size, b->size);
	CHECK_INT(a->mtime_s, b->mtime_s);
	CHECK_INT(a->mtime_ns, b->mtime_ns);
	CHECK_INT(a->ctime_s, b->ctime_s);
	CHECK_INT(a->ctime_ns, b->ctime_ns);
	CHECK_INT(a->dev_major, b->dev_major);
	CHECK_INT(a->dev_minor, b->dev_minor);
	CHECK_INT(a->link_len, b->link_len);
	CHECK(a->link_len == 0 || memcmp(a->link, b->link, a->link_len) == 0);
	CHECK_INT(a->xattrs_len, b->xattrs_len);
	CHECK(a->xattrs_len == 0 || memcmp(a->xattrs, b->xattrs, a->xattrs_len) == 0);
	CHECK_INT(a->nextents, b->nextents);
	for (size_t i = 0; i < a->nextents; i++)
		check_extent(&a->extents[i], &b->extents[i]);
	CHECK_INT(a->nsegments, b->nsegments);
	for (size_t i = 0; i < a->nsegments; i++)
		check_frame(&a->segments[i], &b->segments[i]);
	if (entry_in_bundle(a))
		CHECK_MEM(a->file_id, b->file_id, sizeof(a->file_id));
}

/*
 * Hostile input: every beginning of bytes and many copies with a few changed bytes, each in memory of exactly its
 * length, so that sanitizers see a read too far.  try() returns 0 or a positive answer when it took the bytes; a
 * failure must be ERR_CORRUPT.
 */
static inline void
check_hostile(const uint8_t *bytes, size_t len, unsigned flips, int (*try)(const uint8_t *, size_t, struct error *))
{
	struct error err = {0};
	uint64_t state = len;
	size_t step = len / 3000 + 1;

	for (size_t i = 0; i < len + flips; i++) {
		size_t n = i < len ? i : len;
		uint8_t *copy = malloc(n > 0 ? n : 1);
		int r;

		if (i < len && i % step != 0 && i + 64 < len) {
			free(copy);
			continue;
		}
		CHECK(copy != NULL);
		memcpy(copy, bytes, n);
		for (uint64_t k = i < len ? 0 : 1 + random_below(&state, 3); k > 0; k--)
			copy[random_below(&state, n)] =
			    (uint8_t)(random_below(&state, 2) ? check_random(&state) : random_below(&state, 4));
		r = try(copy, n, &err);
		CHECK(i >= len || r == ERR_CORRUPT);
		CHECK(r >= 0 || r == ERR_CORRUPT);
		free(copy);
	}
}

#endif
