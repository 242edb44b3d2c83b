/*
 * Catalog blocks, reading.
 *
 * The tables are checked when a block is set, the entries one by one as they are asked for.  The path is rebuilt in one
 * buffer; what else an entry points to lies in the block's bytes or in two arrays that are used again and again.
 */

#include "block.h"

#include <string.h>

#include "array.h"
#include "attrset.h"
#include "block_internal.h"
#include "cleanup.h"
#include "error.h"
#include "extent.h"
#include "pathstep.h"
#include "reftable.h"
#include "varint.h"
#include "wire.h"

struct block_decoder {
	struct wire wire;
	struct reftable refs;
	struct attrset sets;
	size_t count, done;
	bool failed;
	struct extent_cursor cursor;
	struct block_before before;
	char *path;
	size_t path_len, path_capacity;
	struct extent *extents;
	size_t extents_capacity;
	struct frame_ref *segments;
	size_t segments_capacity;
};

/* Eight fields of an entry are always there. */
#define ENTRY_LEN_MIN 8

int
block_decoder_new(struct block_decoder **out, struct error *err)
{
	struct block_decoder *b = calloc(1, sizeof(*b));
	int r;

	if (b == NULL)
		return error_nomem(err);
	attrset_init(&b->sets);
	r = array_reserve(&b->path, &b->path_capacity, 256, 1, err);
	if (r < 0) {
		block_decoder_free(b);
		return r;
	}
	*out = b;
	return 0;
}

static int
read_tables(struct block_decoder *b, struct error *err)
{
	int r;

	r = reftable_decode(&b->refs, &b->wire, err);
	if (r < 0)
		return r;
	r = attrset_decode(&b->sets, &b->wire, err);
	if (r < 0)
		return r;
	b->count = wire_count(&b->wire, ENTRY_LEN_MIN);
	return b->wire.bad ? error_set(err, ERR_CORRUPT, "number of entries is wrong") : 0;
}

int
block_decoder_set(struct block_decoder *b, const void *bytes, size_t len, struct error *err)
{
	const uint8_t *magic;
	int r;

	b->count = b->done = 0;
	b->failed = false;
	b->before = (struct block_before){0};
	b->path_len = 0;
	extent_cursor_start(&b->cursor);
	reftable_reset(&b->refs);
	wire_init(&b->wire, bytes, len);
	magic = wire_bytes(&b->wire, BLOCK_MAGIC_LEN);
	if (magic == NULL || len > FRAME_PLAIN_MAX || memcmp(magic, BLOCK_MAGIC, BLOCK_MAGIC_LEN) != 0)
		r = error_set(err, ERR_CORRUPT, "not a catalog block");
	else if ((r = read_tables(b, err)) < 0)
		r = error_prefix(err, "catalog block");
	if (r < 0) {
		b->failed = true;
		b->count = 0;
		reftable_reset(&b->refs);
	}
	return r;
}

size_t
block_decoder_entries(const struct block_decoder *b)
{
	return b->count;
}

size_t
block_decoder_frames(const struct block_decoder *b, const struct frame_ref **out)
{
	*out = b->refs.frames;
	return b->refs.nframes;
}

static int
corrupt(struct error *err, const char *what)
{
	return error_set(err, ERR_CORRUPT, "%s", what);
}

static int
read_path(struct block_decoder *b, struct entry *e, struct error *err)
{
	struct wire *w = &b->wire;
	size_t shared = (size_t)varint_get_max(w, b->path_len);
	size_t further = (size_t)varint_get_max(w, ENTRY_PATH_MAX - shared);
	const char *tail = (const char *)wire_bytes(w, further), *what;
	size_t more;
	struct pathstep step;
	int r;

	if (tail == NULL)
		return corrupt(err, "path is cut");
	/* A writer may say less than what is shared. */
	more = entry_path_common(b->path + shared, b->path_len - shared, tail, further);
	step = (struct pathstep){b->done == 0, b->before.type, b->path_len, shared + more, -1};
	if (step.common < b->path_len)
		step.before_byte = (unsigned char)b->path[step.common];
	r = array_reserve(&b->path, &b->path_capacity, shared + further, 1, err);
	if (r < 0)
		return r;
	memcpy(b->path + step.common, tail + more, further - more);
	b->path_len = shared + further;
	what = pathstep_fault(&step, b->path, b->path_len, e->type);
	if (what != NULL)
		return corrupt(err, what);
	e->path = b->path;
	e->path_len = b->path_len;
	return 0;
}

static void
read_owner(struct block_decoder *b, struct entry *e, uint8_t head)
{
	struct wire *w = &b->wire;

	if ((head & HEAD_SAME_OWNER) != 0) {
		e->mode = b->before.mode;
		e->uid = b->before.uid;
		e->gid = b->before.gid;
		return;
	}
	e->mode = (uint32_t)varint_get_max(w, 07777);
	e->uid = (uint32_t)varint_get_max(w, UINT32_MAX);
	e->gid = (uint32_t)varint_get_max(w, UINT32_MAX);
}

static void
read_times(struct block_decoder *b, struct entry *e)
{
	struct wire *w = &b->wire;
	uint64_t mtime, ctime;

	mtime = (uint64_t)b->before.mtime_s + (uint64_t)varint_unzigzag(varint_get(w));
	e->mtime_s = (int64_t)mtime;
	e->mtime_ns = (uint32_t)varint_get_max(w, NANOSECONDS - 1);
	ctime = mtime + (uint64_t)varint_unzigzag(varint_get(w));
	e->ctime_s = (int64_t)ctime;
	e->ctime_ns = (uint32_t)varint_get_max(w, NANOSECONDS - 1);
}

/* The fields behind the path, up to what depends on the type. */
static int
read_fields(struct block_decoder *b, struct entry *e, uint8_t head, struct error *err)
{
	struct wire *w = &b->wire;

	read_owner(b, e, head);
	read_times(b, e);
	e->ino = b->before.ino + (uint64_t)varint_unzigzag(varint_get(w));
	e->nlink = 1;
	if ((head & HEAD_LINKS) != 0) {
		e->nlink = (uint32_t)varint_get_max(w, UINT32_MAX);
		if (e->nlink < 2)
			return corrupt(err, "number of links is wrong");
	}
	if ((head & HEAD_FLAGS) != 0) {
		e->flags = wire_u8(w);
		if (e->flags == 0 || e->flags > ENTRY_FLAGS)
			return corrupt(err, "unknown flags");
	}
	if ((head & HEAD_XATTRS) != 0) {
		uint64_t set = varint_get(w);

		if (w->bad || set >= b->sets.count)
			return corrupt(err, "no such set of extended attributes");
		e->xattrs = attrset_get(&b->sets, (size_t)set, &e->xattrs_len);
	}
	return w->bad ? corrupt(err, "a field is out of range") : 0;
}

static int
read_segments(struct block_decoder *b, struct entry *e, struct error *err)
{
	uint64_t n = (e->size - 1) / SEGMENT_SIZE + 1;
	int r;

	if (n > ENTRY_SEGMENTS_MAX || n > wire_left(&b->wire))
		return corrupt(err, "too many segments");
	r = array_reserve(&b->segments, &b->segments_capacity, (size_t)n, sizeof(*b->segments), err);
	if (r < 0)
		return r;
	e->segments = b->segments;
	e->nsegments = (size_t)n;
	return extent_segments_decode(&b->cursor, &b->refs, &b->wire, b->segments, (size_t)n, err);
}

static int
read_content(struct block_decoder *b, struct entry *e, struct error *err)
{
	struct wire *w = &b->wire;
	const uint8_t *id;
	size_t n;
	int r;

	e->size = varint_get_max(w, ENTRY_SIZE_MAX);
	if (w->bad)
		return corrupt(err, "size is out of range");
	if (!entry_has_content(e))
		return 0;
	n = wire_count(w, 1);
	if (w->bad || n > ENTRY_EXTENTS_MAX)
		return corrupt(err, "number of extents is out of range");
	if (n == 0)
		return read_segments(b, e, err);
	r = array_reserve(&b->extents, &b->extents_capacity, n, sizeof(*b->extents), err);
	if (r < 0)
		return r;
	r = extent_list_decode(&b->cursor, &b->refs, w, b->extents, n, e->size, err);
	if (r < 0)
		return r;
	e->extents = b->extents;
	e->nextents = n;
	if (!entry_in_bundle(e))
		return 0;
	id = wire_bytes(w, sizeof(e->file_id));
	if (id == NULL)
		return corrupt(err, "content id is cut");
	memcpy(e->file_id, id, sizeof(e->file_id));
	return 0;
}

/* What depends on the type. */
static int
read_rest(struct block_decoder *b, struct entry *e, struct error *err)
{
	struct wire *w = &b->wire;

	switch (e->type) {
	case ENTRY_FILE:
	case ENTRY_VOLUME:
		return read_content(b, e, err);
	case ENTRY_SYMLINK:
		e->link_len = (size_t)varint_get_max(w, ENTRY_LINK_MAX);
		e->link = (const char *)wire_bytes(w, e->link_len);
		if (e->link == NULL || e->link_len == 0 || memchr(e->link, '\0', e->link_len) != NULL)
			return corrupt(err, "target of a symlink is not valid");
		return 0;
	case ENTRY_CHAR_DEVICE:
	case ENTRY_BLOCK_DEVICE:
		e->dev_major = (uint32_t)varint_get_max(w, UINT32_MAX);
		e->dev_minor = (uint32_t)varint_get_max(w, UINT32_MAX);
		return w->bad ? corrupt(err, "device number is out of range") : 0;
	default:
		return 0;
	}
}

static int
read_entry(struct block_decoder *b, struct entry *e, struct error *err)
{
	uint8_t head = wire_u8(&b->wire);
	int r;

	*e = (struct entry){.type = head & HEAD_TYPE};
	if (e->type < ENTRY_FILE || e->type > ENTRY_VOLUME)
		return corrupt(err, "no such type");
	r = read_path(b, e, err);
	if (r == 0)
		r = read_fields(b, e, head, err);
	if (r == 0)
		r = read_rest(b, e, err);
	if (r < 0)
		return r;
	b->before = (struct block_before){e->type, e->mode, e->uid, e->gid, e->ino, e->mtime_s};
	b->done++;
	return 1;
}

static int
read_end(const struct block_decoder *b, struct error *err)
{
	if (!wire_done(&b->wire))
		return corrupt(err, "bytes behind the last entry");
	return b->cursor.used == b->refs.nframes ? 0 : corrupt(err, "frames that no entry refers to");
}

int
block_decoder_next(struct block_decoder *b, struct entry *out, struct error *err)
{
	int r;

	if (b->failed)
		return corrupt(err, "catalog block: damaged");
	r = b->done < b->count ? read_entry(b, out, err) : read_end(b, err);
	if (r < 0) {
		b->failed = true;
		return error_prefix(err, "catalog block, entry %zu", b->done);
	}
	return r;
}

void
block_decoder_free(struct block_decoder *b)
{
	if (b == NULL)
		return;
	reftable_free(&b->refs);
	attrset_free(&b->sets);
	free(b->path);
	free(b->extents);
	free(b->segments);
	free(b);
}
