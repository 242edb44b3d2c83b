/*
 * Catalog blocks, writing.
 *
 * The entries are encoded as they come, into a buffer of their own, while the tables in front of them grow; finishing
 * joins the parts.  An entry that does not fit is taken back: entries' bytes are cut, tables are rolled back.
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

struct block_encoder {
	struct reftable refs;
	struct attrset sets;
	struct buf entries;
	size_t count;
	struct extent_cursor cursor;
	struct block_before before;
	char *path;
	size_t path_len, path_capacity;
};

/* The head and two varints in front of a path's new bytes; at most thirteen varints and a byte behind them. */
#define FRONT_MAX  (1 + 2 * VARINT_MAX_LEN)
#define FIELDS_MAX (13 * VARINT_MAX_LEN + 1)

static void
start(struct block_encoder *b)
{
	reftable_reset(&b->refs);
	attrset_reset(&b->sets);
	buf_reset(&b->entries);
	extent_cursor_start(&b->cursor);
	b->before = (struct block_before){0};
	b->count = 0;
	b->path_len = 0;
}

int
block_encoder_new(struct block_encoder **out, struct error *err)
{
	struct block_encoder *b = calloc(1, sizeof(*b));
	int r;

	if (b == NULL)
		return error_nomem(err);
	attrset_init(&b->sets);
	/* The largest entry has less than 4 MiB: what is too long is found by its size, not by a failing buffer. */
	buf_init(&b->entries, 2 * FRAME_PLAIN_MAX);
	r = array_reserve(&b->path, &b->path_capacity, 256, 1, err);
	if (r < 0) {
		block_encoder_free(b);
		return r;
	}
	start(b);
	*out = b;
	return 0;
}

static const char *
content_fault(const struct entry *e)
{
	if (e->size > ENTRY_SIZE_MAX)
		return "size is too large";
	if (!entry_has_content(e))
		return e->nextents == 0 && e->nsegments == 0 ? NULL : "content of an entry that has none";
	if (e->nextents > ENTRY_EXTENTS_MAX || e->nsegments > ENTRY_SEGMENTS_MAX)
		return "too many extents or segments";
	if (e->nextents > 0)
		return e->nsegments == 0 ? NULL : "both extents and segments";
	return e->nsegments == (e->size - 1) / SEGMENT_SIZE + 1 ? NULL : "wrong number of segments";
}

static const char *
fault(const struct entry *e)
{
	if (e->mode > 07777 || e->flags > ENTRY_FLAGS || e->nlink == 0)
		return "mode, flags or links out of range";
	if (e->mtime_ns >= NANOSECONDS || e->ctime_ns >= NANOSECONDS)
		return "nanoseconds out of range";
	switch (e->type) {
	case ENTRY_FILE:
	case ENTRY_VOLUME:
		return content_fault(e);
	case ENTRY_SYMLINK:
		if (e->link_len == 0 || e->link_len > ENTRY_LINK_MAX || memchr(e->link, '\0', e->link_len) != NULL)
			return "target of a symlink is not valid";
		return NULL;
	default:
		return e->type >= ENTRY_FILE && e->type <= ENTRY_VOLUME ? NULL : "no such type";
	}
}

static int
check(const struct block_encoder *b, const struct entry *e, size_t common, struct error *err)
{
	struct pathstep step = {b->count == 0, b->before.type, b->path_len, common, -1};
	char name[128];
	const char *what;

	if (common < b->path_len)
		step.before_byte = (unsigned char)b->path[common];
	what = pathstep_fault(&step, e->path, e->path_len, e->type);
	if (what == NULL)
		what = fault(e);
	if (what == NULL)
		return 0;
	return error_set(
	    err, ERR_USAGE, "catalog entry \"%s\": %s", error_quote(name, sizeof(name), e->path, e->path_len), what);
}

static uint8_t
head_of(const struct block_encoder *b, const struct entry *e)
{
	const struct block_before *before = &b->before;
	uint8_t head = e->type;

	if (e->xattrs_len > 0)
		head |= HEAD_XATTRS;
	if (e->nlink > 1)
		head |= HEAD_LINKS;
	if (e->flags != 0)
		head |= HEAD_FLAGS;
	if (e->mode == before->mode && e->uid == before->uid && e->gid == before->gid)
		head |= HEAD_SAME_OWNER;
	return head;
}

/* The fields behind the path, up to what depends on the type. */
static uint8_t *
put_fields(const struct block_encoder *b, const struct entry *e, uint8_t head, size_t set, uint8_t *p)
{
	uint64_t mtime = (uint64_t)e->mtime_s, ctime = (uint64_t)e->ctime_s;

	if ((head & HEAD_SAME_OWNER) == 0) {
		p = varint_put(p, e->mode);
		p = varint_put(p, e->uid);
		p = varint_put(p, e->gid);
	}
	p = varint_put(p, varint_zigzag(block_difference(mtime, (uint64_t)b->before.mtime_s)));
	p = varint_put(p, e->mtime_ns);
	p = varint_put(p, varint_zigzag(block_difference(ctime, mtime)));
	p = varint_put(p, e->ctime_ns);
	p = varint_put(p, varint_zigzag(block_difference(e->ino, b->before.ino)));
	if ((head & HEAD_LINKS) != 0)
		p = varint_put(p, e->nlink);
	if ((head & HEAD_FLAGS) != 0)
		*p++ = e->flags;
	if ((head & HEAD_XATTRS) != 0)
		p = varint_put(p, set);
	switch (e->type) {
	case ENTRY_FILE:
	case ENTRY_VOLUME:
		p = varint_put(p, e->size);
		return entry_has_content(e) ? varint_put(p, e->nextents) : p;
	case ENTRY_SYMLINK:
		return varint_put(p, e->link_len);
	case ENTRY_CHAR_DEVICE:
	case ENTRY_BLOCK_DEVICE:
		p = varint_put(p, e->dev_major);
		return varint_put(p, e->dev_minor);
	default:
		return p;
	}
}

/* What depends on the type and may be long. */
static int
put_content(struct block_encoder *b, const struct entry *e, struct error *err)
{
	int r;

	if (e->type == ENTRY_SYMLINK)
		buf_put(&b->entries, e->link, e->link_len);
	if (!entry_has_content(e))
		return 0;
	if (e->nextents == 0)
		return extent_segments_encode(&b->cursor, &b->refs, e->segments, e->nsegments, &b->entries, err);
	r = extent_list_encode(&b->cursor, &b->refs, e->extents, e->nextents, e->size, &b->entries, err);
	if (r == 0 && entry_in_bundle(e))
		buf_put(&b->entries, e->file_id, sizeof(e->file_id));
	return r;
}

/* Encode one entry; after a failure the caller takes back what was appended. */
static int
append(struct block_encoder *b, const struct entry *e, size_t common, struct error *err)
{
	size_t further = e->path_len - common, set = 0;
	uint8_t head = head_of(b, e), *room, *p;
	int r;

	if (e->xattrs_len > 0) {
		r = attrset_add(&b->sets, e->xattrs, e->xattrs_len, &set, err);
		if (r < 0)
			return r;
	}
	room = p = buf_extend(&b->entries, FRONT_MAX + further + FIELDS_MAX);
	if (p == NULL)
		return error_nomem(err);
	*p++ = head;
	p = varint_put(p, common);
	p = varint_put(p, further);
	if (further > 0)
		memcpy(p, e->path + common, further);
	p = put_fields(b, e, head, set, p + further);
	b->entries.len -= FRONT_MAX + further + FIELDS_MAX - (size_t)(p - room);
	r = put_content(b, e, err);
	return r < 0 ? r : buf_check(&b->entries, "catalog block", err);
}

/* The entry is in: it is the one before now.  There is room for its path. */
static void
remember(struct block_encoder *b, const struct entry *e, size_t common)
{
	if (e->path_len > common)
		memcpy(b->path + common, e->path + common, e->path_len - common);
	b->path_len = e->path_len;
	b->before = (struct block_before){e->type, e->mode, e->uid, e->gid, e->ino, e->mtime_s};
	b->count++;
}

static size_t
size_with(const struct block_encoder *b, size_t count)
{
	return BLOCK_MAGIC_LEN + reftable_size(&b->refs) + attrset_size(&b->sets) + varint_len(count) + b->entries.len;
}

int
block_encoder_add(struct block_encoder *b, const struct entry *e, struct error *err)
{
	size_t common = entry_path_common(b->path, b->path_len, e->path, e->path_len);
	struct reftable_mark refs = reftable_mark(&b->refs);
	struct extent_cursor cursor = b->cursor;
	size_t sets = b->sets.count, len = b->entries.len;
	int r;

	r = check(b, e, common, err);
	if (r < 0)
		return r;
	r = array_reserve(&b->path, &b->path_capacity, e->path_len, 1, err);
	if (r < 0)
		return r;
	r = append(b, e, common, err);
	if (r == 0 && size_with(b, b->count + 1) > FRAME_PLAIN_MAX)
		r = error_set(err, ERR_NOMEM, "the catalog block is full");
	if (r < 0) {
		reftable_rollback(&b->refs, &refs);
		attrset_rollback(&b->sets, sets);
		b->entries.len = len;
		b->entries.failed = false;
		b->cursor = cursor;
		return r;
	}
	remember(b, e, common);
	return 0;
}

size_t
block_encoder_entries(const struct block_encoder *b)
{
	return b->count;
}

size_t
block_encoder_size(const struct block_encoder *b)
{
	return size_with(b, b->count);
}

int
block_encoder_finish(struct block_encoder *b, struct buf *out, struct error *err)
{
	buf_put(out, BLOCK_MAGIC, BLOCK_MAGIC_LEN);
	reftable_encode(&b->refs, out);
	attrset_encode(&b->sets, out);
	buf_varint(out, b->count);
	buf_put(out, b->entries.data, b->entries.len);
	start(b);
	return buf_check(out, "catalog block", err);
}

void
block_encoder_free(struct block_encoder *b)
{
	if (b == NULL)
		return;
	reftable_free(&b->refs);
	attrset_free(&b->sets);
	buf_free(&b->entries);
	free(b->path);
	free(b);
}
