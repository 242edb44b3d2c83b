/*
 * A snapshot's catalog as one stream of entries.
 *
 * A block decoder has checked what one block can show.  Here is checked what only their sequence shows: that blocks
 * are where the root says, hold as many entries, continue each other's order, and that every entry lies in a folder
 * that came before.  For the last of these the path of the current folder is enough: all its ancestors are known
 * folders, and in a sorted catalog the parent of the next entry must be the folder itself or one of them.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "block.h"
#include "block_stream.h"
#include "buf.h"
#include "catalog_reader.h"
#include "cleanup.h"
#include "error.h"
#include "snapshot.h"

enum chain {
	CHAIN_START, /* the next entry must be the root folder, or a device */
	CHAIN_KNOWN, /* folder is the current one */
	CHAIN_CLOSED, /* a device: nothing may follow */
	CHAIN_UNKNOWN, /* reading began in the middle */
};

/* Which entries to pass over. */
enum passing {
	PASS_NONE,
	PASS_BEFORE, /* what comes before target */
	PASS_BELOW, /* what is below the folder target */
};

struct catalog_reader {
	const struct snapshot *snapshot;
	struct block_stream *stream;
	struct block_decoder *decoder;
	size_t block; /* from which the last entry came */
	size_t next_block;
	size_t left; /* entries of this block that have not been decoded */
	bool open; /* the decoder has a block */
	bool crossed; /* last is the last path of the block before */
	enum passing passing; /* until an entry is none of these */
	enum chain chain;
	struct buf target, folder, last;
	int code; /* of the first failure since the seek */
	struct error err;
};

int
catalog_reader_new(const struct snapshot *snapshot, unsigned readahead, struct catalog_reader **out, struct error *err)
{
	struct catalog_reader *r = calloc(1, sizeof(*r));
	int code;

	if (r == NULL)
		return error_nomem(err);
	r->snapshot = snapshot;
	buf_init(&r->target, ENTRY_PATH_MAX);
	buf_init(&r->folder, ENTRY_PATH_MAX);
	buf_init(&r->last, ENTRY_PATH_MAX);
	code = block_stream_new(snapshot, readahead, &r->stream, err);
	if (code == 0)
		code = block_decoder_new(&r->decoder, err);
	if (code == 0)
		code = catalog_reader_seek(r, "", 0, err);
	if (code < 0) {
		catalog_reader_free(r);
		return code;
	}
	*out = r;
	return 0;
}

void
catalog_reader_free(struct catalog_reader *r)
{
	if (r == NULL)
		return;
	/* First the thread that may still be writing blocks. */
	block_stream_free(r->stream);
	block_decoder_free(r->decoder);
	buf_free(&r->target);
	buf_free(&r->folder);
	buf_free(&r->last);
	free(r);
}

void
catalog_reader_whole(struct catalog_reader *r)
{
	block_stream_whole(r->stream);
}

size_t
catalog_reader_block(const struct catalog_reader *r)
{
	return r->block;
}

static int
set_path(struct buf *b, const char *path, size_t len, struct error *err)
{
	buf_reset(b);
	buf_put(b, path, len);
	return buf_check(b, "a path", err);
}

/* buf.data may be NULL for an empty path. */
static const char *
path_of(const struct buf *b)
{
	return b->data == NULL ? "" : (const char *)b->data;
}

int
catalog_reader_seek(struct catalog_reader *r, const char *path, size_t len, struct error *err)
{
	size_t block = len == 0 ? 0 : root_find(&r->snapshot->root, path, len);
	int code = set_path(&r->target, path, len, err);

	if (code == 0)
		code = block_stream_seek(r->stream, block, err);
	if (code < 0)
		return code;
	r->block = r->next_block = block;
	r->left = 0;
	r->open = r->crossed = false;
	r->passing = len > 0 ? PASS_BEFORE : PASS_NONE;
	r->chain = block == 0 ? CHAIN_START : CHAIN_UNKNOWN;
	r->code = 0;
	return 0;
}

int
catalog_reader_skip(struct catalog_reader *r, const char *folder, size_t len, struct error *err)
{
	size_t block = root_find_after(&r->snapshot->root, folder, len);
	int code = set_path(&r->target, folder, len, err);

	if (code < 0)
		return code;
	r->passing = PASS_BELOW;
	if (block <= r->next_block)
		return 0;
	code = block_stream_skip(r->stream, block, err);
	if (code < 0)
		return code;
	r->next_block = block;
	r->left = 0;
	r->open = r->crossed = false;
	return 0;
}

static bool
passed_over(const struct catalog_reader *r, const struct entry *e)
{
	const char *target = path_of(&r->target);

	if (r->passing == PASS_BEFORE)
		return entry_path_compare(e->path, e->path_len, target, r->target.len) < 0;
	return r->passing == PASS_BELOW && entry_path_is_below(target, r->target.len, e->path, e->path_len);
}

/* Begin the next block.  1, or 0 when there is none. */
static int
next_block(struct catalog_reader *r, struct error *err)
{
	const struct root *root = &r->snapshot->root;
	const uint8_t *bytes;
	size_t len;
	int code;

	if (r->next_block == root->nblocks)
		return 0;
	code = block_stream_next(r->stream, &bytes, &len, err);
	if (code < 0)
		return code;
	r->block = r->next_block++;
	code = block_decoder_set(r->decoder, bytes, len, err);
	if (code < 0)
		return error_prefix(err, "catalog block %zu", r->block);
	r->left = block_decoder_entries(r->decoder);
	if (r->left == 0 || r->left != root->blocks[r->block].entries)
		return error_set(err, ERR_CORRUPT, "catalog block %zu has %zu entries, not %llu", r->block, r->left,
		    (unsigned long long)root->blocks[r->block].entries);
	r->open = true;
	return 1;
}

/* The first entry of a block, against the block's separator, which is above the last path of the block before. */
static int
check_border(struct catalog_reader *r, const struct entry *e, struct error *err)
{
	const struct root_block *b = &r->snapshot->root.blocks[r->block];

	if (entry_path_compare(e->path, e->path_len, b->separator, b->separator_len) < 0)
		return error_set(err, ERR_CORRUPT, "catalog block %zu begins below its separator", r->block);
	if (r->crossed && entry_path_compare(b->separator, b->separator_len, path_of(&r->last), r->last.len) <= 0)
		return error_set(err, ERR_CORRUPT,
		    "catalog block %zu is out of order: the block before ends above its separator", r->block);
	return 0;
}

/* Whether the first len bytes of path are the current folder or one of its ancestors. */
static bool
is_in_chain(const struct catalog_reader *r, const char *path, size_t len)
{
	const char *folder = path_of(&r->folder);

	if (len > r->folder.len || memcmp(path, folder, len) != 0)
		return false;
	return len == 0 || len == r->folder.len || folder[len] == '/';
}

static int
bad_entry(const struct catalog_reader *r, const struct entry *e, const char *what, struct error *err)
{
	char quoted[256];

	return error_set(err, ERR_CORRUPT, "catalog block %zu: \"%s\" %s", r->block,
	    error_quote(quoted, sizeof(quoted), e->path, e->path_len), what);
}

static int
check_start(struct catalog_reader *r, const struct entry *e, struct error *err)
{
	if (e->path_len > 0 || (e->type != ENTRY_FOLDER && e->type != ENTRY_VOLUME))
		return bad_entry(r, e, "comes first, and is no root folder", err);
	r->chain = e->type == ENTRY_FOLDER ? CHAIN_KNOWN : CHAIN_CLOSED;
	buf_reset(&r->folder);
	return 0;
}

static int
check_parent(struct catalog_reader *r, const struct entry *e, struct error *err)
{
	const char *slash;
	size_t parent;

	if (r->chain == CHAIN_UNKNOWN)
		return 0;
	if (r->chain == CHAIN_START)
		return check_start(r, e, err);
	if (r->chain == CHAIN_CLOSED || e->type == ENTRY_VOLUME)
		return bad_entry(r, e, "cannot be where a device is the only entry", err);
	if (e->path_len == 0)
		return bad_entry(r, e, "comes twice", err);
	slash = memrchr(e->path, '/', e->path_len);
	parent = slash == NULL ? 0 : (size_t)(slash - e->path);
	if (!is_in_chain(r, e->path, parent))
		return bad_entry(r, e, "is not in a folder that came before", err);
	/* The parent begins the old path, so that for anything but a folder a cut is enough. */
	r->folder.len = parent;
	if (e->type != ENTRY_FOLDER)
		return 0;
	buf_put(&r->folder, e->path + parent, e->path_len - parent);
	return buf_check(&r->folder, "a path", err);
}

/* The next entry of the open block, checked. */
static int
take_entry(struct catalog_reader *r, struct entry *out, struct error *err)
{
	bool first = r->left == block_decoder_entries(r->decoder);
	int code = block_decoder_next(r->decoder, out, err);

	if (code == 0)
		return error_set(err, ERR_CORRUPT, "catalog block %zu ends early", r->block);
	if (code < 0)
		return error_prefix(err, "catalog block %zu", r->block);
	code = first ? check_border(r, out, err) : 0;
	/* The folders of what is left out may be left out themselves; whatever follows is in one above the target. */
	if (code == 0 && (r->passing != PASS_BELOW || !passed_over(r, out)))
		code = check_parent(r, out, err);
	if (code < 0)
		return code;
	r->left--;
	if (r->left > 0)
		return 0;
	/* The path is gone when the next block is asked for its first entry. */
	r->crossed = true;
	return set_path(&r->last, out->path, out->path_len, err);
}

/* Everything of the block was decoded: there must be nothing behind it. */
static int
end_block(struct catalog_reader *r, struct error *err)
{
	struct entry none;
	int code = block_decoder_next(r->decoder, &none, err);

	r->open = false;
	if (code < 0)
		return error_prefix(err, "catalog block %zu", r->block);
	return code == 0 ? 0 : error_set(err, ERR_CORRUPT, "catalog block %zu has further entries", r->block);
}

static int
next_entry(struct catalog_reader *r, struct entry *out, struct error *err)
{
	int code;

	for (;;) {
		if (r->open && r->left == 0) {
			code = end_block(r, err);
			if (code < 0)
				return code;
		}
		if (!r->open) {
			code = next_block(r, err);
			if (code <= 0)
				return code;
		}
		code = take_entry(r, out, err);
		if (code < 0)
			return code;
		if (passed_over(r, out))
			continue;
		r->passing = PASS_NONE;
		return 1;
	}
}

int
catalog_reader_next(struct catalog_reader *r, struct entry *out, struct error *err)
{
	int code;

	if (r->code < 0) {
		*err = r->err;
		return r->code;
	}
	code = next_entry(r, out, err);
	if (code == 0 && r->chain == CHAIN_START)
		code = error_set(err, ERR_CORRUPT, "the catalog has no root folder");
	if (code < 0) {
		r->code = error_prefix(err, "snapshot %s", r->snapshot->manifest.snapshot);
		r->err = *err;
	}
	return code;
}
