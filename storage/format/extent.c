/* Extents and references to segments. */

#include "extent.h"

#include "buf.h"
#include "error.h"
#include "reftable.h"
#include "varint.h"

#define TAG_WHOLE 0
#define TAG_PART  1
#define TAG_HOLE  2
#define TAG_ZEROS 3

/* Tag, offset and length. */
#define EXTENT_SIZE_MAX (3 * VARINT_MAX_LEN)

/* The frame's number, as a difference. */
static int
encode_frame(struct extent_cursor *c, struct reftable *t, const struct frame_ref *f, uint64_t *out, struct error *err)
{
	size_t number;
	int r;

	r = reftable_add(t, f, &number, err);
	if (r < 0)
		return r;
	*out = varint_zigzag((int64_t)number - c->last);
	c->last = (int64_t)number;
	return 0;
}

static bool
data_valid(const struct extent *x)
{
	return (x->frame.type == FRAME_DATA || x->frame.type == FRAME_BUNDLE) && x->len <= x->frame.plen &&
	       x->frame_offset <= x->frame.plen - x->len;
}

static int
encode_data(struct extent_cursor *c, struct reftable *t, const struct extent *x, uint8_t **p, struct error *err)
{
	bool whole = x->frame_offset == 0 && x->len == x->frame.plen;
	uint64_t difference;
	int r;

	if (!data_valid(x))
		return error_set(err, ERR_USAGE, "an extent is no part of its frame");
	r = encode_frame(c, t, &x->frame, &difference, err);
	if (r < 0)
		return r;
	*p = varint_put(*p, difference << 2 | (whole ? TAG_WHOLE : TAG_PART));
	if (!whole) {
		*p = varint_put(*p, x->frame_offset);
		*p = varint_put(*p, x->len);
	}
	return 0;
}

int
extent_list_encode(struct extent_cursor *c, struct reftable *t, const struct extent *x, size_t count, uint64_t size,
    struct buf *out, struct error *err)
{
	uint8_t bytes[EXTENT_SIZE_MAX], *p;
	int r;

	for (; count > 0; count--, x++) {
		if (x->len == 0 || x->len > size)
			return error_set(err, ERR_USAGE, "extents do not add up to the size");
		size -= x->len;
		p = bytes;
		switch (x->kind) {
		case EXTENT_DATA:
			r = encode_data(c, t, x, &p, err);
			if (r < 0)
				return r;
			break;
		case EXTENT_HOLE:
		case EXTENT_ZEROS:
			p = varint_put(p, x->kind == EXTENT_HOLE ? TAG_HOLE : TAG_ZEROS);
			p = varint_put(p, x->len);
			break;
		default:
			return error_set(err, ERR_USAGE, "no such kind of extent: %d", x->kind);
		}
		buf_put(out, bytes, (size_t)(p - bytes));
	}
	return size == 0 ? 0 : error_set(err, ERR_USAGE, "extents do not add up to the size");
}

int
extent_segments_encode(struct extent_cursor *c, struct reftable *t, const struct frame_ref *f, size_t count,
    struct buf *out, struct error *err)
{
	uint64_t difference;
	int r;

	for (; count > 0; count--, f++) {
		if (f->type != FRAME_SEGMENT)
			return error_set(err, ERR_USAGE, "a frame of type %d is no segment", f->type);
		r = encode_frame(c, t, f, &difference, err);
		if (r < 0)
			return r;
		buf_varint(out, difference);
	}
	return 0;
}

/* The frame that a difference leads to; NULL when there is none, or not yet any in order of first use. */
static const struct frame_ref *
decode_frame(struct extent_cursor *c, const struct reftable *t, uint64_t zigzag)
{
	int64_t difference = varint_unzigzag(zigzag);
	int64_t end = (int64_t)(c->used < t->nframes ? c->used + 1 : t->nframes);

	if (difference < -c->last || difference >= end - c->last)
		return NULL;
	c->last += difference;
	if ((size_t)c->last == c->used)
		c->used++;
	return &t->frames[c->last];
}

static bool
decode_data(struct extent_cursor *c, const struct reftable *t, struct wire *w, uint64_t tag, struct extent *out)
{
	const struct frame_ref *f = decode_frame(c, t, tag >> 2);

	if (f == NULL)
		return false;
	out->kind = EXTENT_DATA;
	out->frame = *f;
	out->frame_offset = 0;
	out->len = f->plen;
	if ((tag & 3) == TAG_PART) {
		out->frame_offset = (uint32_t)varint_get_max(w, UINT32_MAX);
		out->len = varint_get(w);
	}
	return data_valid(out);
}

int
extent_list_decode(struct extent_cursor *c, const struct reftable *t, struct wire *w, struct extent *out, size_t count,
    uint64_t size, struct error *err)
{
	bool good;

	for (; count > 0; count--, out++) {
		uint64_t tag = varint_get(w);

		if (w->bad)
			return error_set(err, ERR_CORRUPT, "extents are cut");
		if ((tag & 3) == TAG_WHOLE || (tag & 3) == TAG_PART) {
			good = decode_data(c, t, w, tag, out);
		} else {
			*out = (struct extent){.kind = (tag & 3) == TAG_HOLE ? EXTENT_HOLE : EXTENT_ZEROS};
			out->len = varint_get(w);
			good = tag >> 2 == 0;
		}
		if (!good || w->bad)
			return error_set(err, ERR_CORRUPT, "an extent is malformed");
		if (out->len == 0 || out->len > size)
			return error_set(err, ERR_CORRUPT, "extents do not add up to the size");
		size -= out->len;
	}
	return size == 0 ? 0 : error_set(err, ERR_CORRUPT, "extents do not add up to the size");
}

int
extent_segments_decode(struct extent_cursor *c, const struct reftable *t, struct wire *w, struct frame_ref *out,
    size_t count, struct error *err)
{
	const struct frame_ref *f;

	for (; count > 0; count--, out++) {
		uint64_t zigzag = varint_get(w);

		f = w->bad ? NULL : decode_frame(c, t, zigzag);
		if (f == NULL || f->type != FRAME_SEGMENT)
			return error_set(err, ERR_CORRUPT, "a reference to a segment is malformed");
		*out = *f;
	}
	return 0;
}
