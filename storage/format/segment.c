/* Segments: reference tables and one list of extents. */

#include "segment.h"

#include <string.h>

#include "cleanup.h"
#include "error.h"
#include "extent.h"
#include "reftable.h"
#include "wire.h"

#define MAGIC     "S\1"
#define MAGIC_LEN 2

int
segment_encode(const struct extent *extents, size_t count, struct buf *out, struct error *err)
{
	CLEANUP(reftable_free) struct reftable refs = {0};
	CLEANUP(buf_free) struct buf list = BUF_INIT(FRAME_PLAIN_MAX);
	struct extent_cursor cursor;
	uint64_t len = 0;
	size_t i;
	int r;

	if (count > ENTRY_EXTENTS_MAX)
		return error_set(err, ERR_USAGE, "a segment of %zu extents", count);
	for (i = 0; i < count && len <= SEGMENT_SIZE; i++)
		len = extents[i].len > SEGMENT_SIZE ? UINT64_MAX : len + extents[i].len;
	if (len == 0 || len > SEGMENT_SIZE)
		return error_set(err, ERR_USAGE, "a segment does not cover 1 byte to 1 GiB");

	extent_cursor_start(&cursor);
	r = extent_list_encode(&cursor, &refs, extents, count, len, &list, err);
	if (r < 0)
		return r;
	/* 65,536 extents of at most 80 bytes with their frames: always shorter than a frame. */
	buf_put(out, MAGIC, MAGIC_LEN);
	reftable_encode(&refs, out);
	buf_varint(out, count);
	buf_put(out, list.data, list.len);
	r = buf_check(&list, "segment", err);
	return r < 0 ? r : buf_check(out, "segment", err);
}

/* What follows the header. */
static int
decode(
    struct reftable *refs, struct wire *w, uint64_t want_len, struct extent **out, size_t *out_count, struct error *err)
{
	CLEANUP_FREE struct extent *extents = NULL;
	struct extent_cursor cursor;
	size_t count;
	int r;

	r = reftable_decode(refs, w, err);
	if (r < 0)
		return r;
	count = wire_count(w, 1);
	if (count == 0 || count > ENTRY_EXTENTS_MAX)
		return error_set(err, ERR_CORRUPT, "number of extents out of range");
	extents = calloc(count, sizeof(*extents));
	if (extents == NULL)
		return error_nomem(err);
	extent_cursor_start(&cursor);
	r = extent_list_decode(&cursor, refs, w, extents, count, want_len, err);
	if (r < 0)
		return r;
	if (!wire_done(w))
		return error_set(err, ERR_CORRUPT, "bytes behind the end");
	if (cursor.used != refs->nframes)
		return error_set(err, ERR_CORRUPT, "frames without extents");
	*out = STEAL(extents);
	*out_count = count;
	return 0;
}

int
segment_decode(
    const void *bytes, size_t len, uint64_t want_len, struct extent **out, size_t *out_count, struct error *err)
{
	CLEANUP(reftable_free) struct reftable refs = {0};
	const uint8_t *magic;
	struct wire w;
	int r;

	wire_init(&w, bytes, len);
	magic = wire_bytes(&w, MAGIC_LEN);
	if (magic == NULL || len > FRAME_PLAIN_MAX || memcmp(magic, MAGIC, MAGIC_LEN) != 0)
		return error_set(err, ERR_CORRUPT, "not a segment");
	r = decode(&refs, &w, want_len, out, out_count, err);
	return r < 0 ? error_prefix(err, "segment") : 0;
}
