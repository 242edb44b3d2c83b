/* Roots: which block begins where. */

#include "root.h"

#include <string.h>

#include "array.h"
#include "cleanup.h"
#include "entry.h"
#include "error.h"
#include "reftable.h"
#include "varint.h"
#include "wire.h"

#define MAGIC     "R\1"
#define MAGIC_LEN 2

/* Takes the separator's memory over, also when it fails. */
static int
append(struct root *root, char *separator, size_t len, const struct frame_ref *f, uint64_t entries, struct error *err)
{
	CLEANUP_FREE char *owned = separator;
	int r;

	if (root->nblocks == ROOT_BLOCKS_MAX)
		return error_set(err, ERR_NOMEM, "a catalog root of more than %u blocks", ROOT_BLOCKS_MAX);
	if (len > ROOT_SEPARATORS_MAX - root->separator_bytes)
		return error_set(err, ERR_NOMEM, "the separators of a catalog root are too long");
	r = array_reserve(&root->blocks, &root->capacity, root->nblocks + 1, sizeof(*root->blocks), err);
	if (r < 0)
		return r;
	root->blocks[root->nblocks++] = (struct root_block){STEAL(owned), len, entries, *f};
	root->separator_bytes += len;
	return 0;
}

/* The shortest beginning of first that is above last and a path of its own ("a/" is none, nor is "a/." of "a/.b"). */
static size_t
separator_len(const char *first, size_t first_len, const char *last, size_t last_len)
{
	size_t len = entry_path_common(first, first_len, last, last_len) + 1;

	while (!entry_path_valid(first, len))
		len++;
	return len;
}

int
root_add(struct root *root, const char *first, size_t first_len, const char *last, size_t last_len,
    const struct frame_ref *f, uint64_t entries, struct error *err)
{
	size_t len = 0;
	char *separator;
	int r;

	if (f->type != FRAME_CATALOG || !frame_ref_valid(f) || entries == 0 || entries > UINT64_MAX - root->entries)
		return error_set(err, ERR_USAGE, "not a catalog block");
	if (!entry_path_valid(first, first_len))
		return error_set(err, ERR_USAGE, "the first path of a catalog block is not valid");
	if (root->nblocks > 0) {
		if (entry_path_compare(first, first_len, last, last_len) <= 0)
			return error_set(err, ERR_USAGE, "catalog blocks are not in order");
		len = separator_len(first, first_len, last, last_len);
	}
	separator = malloc(len + 1);
	if (separator == NULL)
		return error_nomem(err);
	if (len > 0)
		memcpy(separator, first, len);
	r = append(root, separator, len, f, entries, err);
	if (r == 0)
		root->entries += entries;
	return r;
}

static int
encode_blocks(const struct root *root, struct reftable *refs, struct buf *out, struct error *err)
{
	size_t i, number, shared, before_len = 0;
	const char *before = "";
	uint64_t sum = 0;
	int r;

	for (i = 0; i < root->nblocks; i++) {
		const struct root_block *b = &root->blocks[i];

		r = reftable_add(refs, &b->frame, &number, err);
		if (r < 0)
			return r;
		if (number != i)
			return error_set(err, ERR_USAGE, "catalog root: the same block twice");
		shared = entry_path_common(before, before_len, b->separator, b->separator_len);
		buf_varint(out, shared);
		buf_varint(out, b->separator_len - shared);
		buf_put(out, b->separator + shared, b->separator_len - shared);
		buf_varint(out, number);
		buf_varint(out, b->entries);
		sum += b->entries;
		before = b->separator;
		before_len = b->separator_len;
	}
	return sum == root->entries ? 0 : error_set(err, ERR_USAGE, "catalog root: wrong number of entries");
}

int
root_encode(const struct root *root, struct buf *out, struct error *err)
{
	CLEANUP(reftable_free) struct reftable refs = {0};
	CLEANUP(buf_free) struct buf blocks = BUF_INIT(ROOT_ENCODED_MAX);
	int r;

	if (root->nblocks == 0)
		return error_set(err, ERR_USAGE, "a catalog root without blocks");
	r = encode_blocks(root, &refs, &blocks, err);
	if (r < 0)
		return r;
	r = buf_check(&blocks, "catalog root", err);
	if (r < 0)
		return r;
	if (MAGIC_LEN + reftable_size(&refs) + 16 + varint_len(root->nblocks) + blocks.len > ROOT_ENCODED_MAX)
		return error_set(err, ERR_NOMEM, "catalog root is too large");
	buf_put(out, MAGIC, MAGIC_LEN);
	reftable_encode(&refs, out);
	buf_u64(out, root->entries);
	buf_u64(out, root->bytes);
	buf_varint(out, root->nblocks);
	buf_put(out, blocks.data, blocks.len);
	return buf_check(out, "catalog root", err);
}

/* The next separator, front-coded against the last one. */
static int
decode_separator(const struct root *root, struct wire *w, char **out, size_t *out_len, struct error *err)
{
	const struct root_block *before = root->nblocks > 0 ? &root->blocks[root->nblocks - 1] : NULL;
	uint64_t shared = varint_get_max(w, before != NULL ? before->separator_len : 0);
	uint64_t further = varint_get_max(w, ENTRY_PATH_MAX - shared);
	const uint8_t *bytes = wire_bytes(w, (size_t)further);
	CLEANUP_FREE char *separator = NULL;
	size_t len = (size_t)(shared + further);

	if (w->bad || (before == NULL && len > 0))
		return error_set(err, ERR_CORRUPT, "separator malformed");
	/* Here, before the memory: a short root can claim very long separators. */
	if (len > ROOT_SEPARATORS_MAX - root->separator_bytes)
		return error_set(err, ERR_CORRUPT, "separators too long");
	separator = malloc(len + 1);
	if (separator == NULL)
		return error_nomem(err);
	if (before != NULL)
		memcpy(separator, before->separator, (size_t)shared);
	memcpy(separator + shared, bytes, (size_t)further);
	if (!entry_path_valid(separator, len))
		return error_set(err, ERR_CORRUPT, "separator is no path");
	if (before != NULL && entry_path_compare(before->separator, before->separator_len, separator, len) >= 0)
		return error_set(err, ERR_CORRUPT, "separators out of order");
	*out = STEAL(separator);
	*out_len = len;
	return 0;
}

static int
decode_block(struct root *root, const struct reftable *refs, struct wire *w, uint64_t *left, struct error *err)
{
	CLEANUP_FREE char *separator = NULL;
	uint64_t number, entries;
	size_t len = 0;
	int r;

	r = decode_separator(root, w, &separator, &len, err);
	if (r < 0)
		return r;
	number = varint_get(w);
	entries = varint_get(w);
	/* All blocks are different and in order of first use: there is only one right number. */
	if (w->bad || number != root->nblocks || refs->frames[number].type != FRAME_CATALOG)
		return error_set(err, ERR_CORRUPT, "frame of a block malformed");
	if (entries == 0 || entries > *left)
		return error_set(err, ERR_CORRUPT, "numbers of entries do not add up");
	*left -= entries;
	return append(root, STEAL(separator), len, &refs->frames[number], entries, err);
}

static int
decode(struct root *root, struct wire *w, struct error *err)
{
	CLEANUP(reftable_free) struct reftable refs = {0};
	uint64_t left;
	size_t n;
	int r;

	r = reftable_decode(&refs, w, err);
	if (r < 0)
		return r;
	left = root->entries = wire_u64(w);
	root->bytes = wire_u64(w);
	n = wire_count(w, 4);
	if (w->bad || n == 0 || n != refs.nframes)
		return error_set(err, ERR_CORRUPT, "wrong number of blocks");
	if (n > ROOT_BLOCKS_MAX)
		return error_set(err, ERR_CORRUPT, "%zu blocks are too many", n);
	r = array_new(&root->blocks, &root->capacity, n, sizeof(*root->blocks), err);
	if (r < 0)
		return r;
	for (; n > 0; n--) {
		r = decode_block(root, &refs, w, &left, err);
		if (r < 0)
			return r;
	}
	if (left != 0)
		return error_set(err, ERR_CORRUPT, "numbers of entries do not add up");
	return wire_done(w) ? 0 : error_set(err, ERR_CORRUPT, "bytes behind the end");
}

int
root_decode(const void *bytes, size_t len, struct root *out, struct error *err)
{
	struct root root = {0};
	const uint8_t *magic;
	struct wire w;
	int r;

	wire_init(&w, bytes, len);
	magic = wire_bytes(&w, MAGIC_LEN);
	if (magic == NULL || len > ROOT_ENCODED_MAX || memcmp(magic, MAGIC, MAGIC_LEN) != 0)
		return error_set(err, ERR_CORRUPT, "not a catalog root");
	r = decode(&root, &w, err);
	if (r < 0) {
		root_wipe(&root);
		return error_prefix(err, "catalog root");
	}
	*out = root;
	return 0;
}

/* The last block whose separator is not above the path, or (beyond) below the folder with this path; the first one's is
 * empty. */
static size_t
find(const struct root *root, const char *path, size_t len, bool beyond)
{
	size_t low = 0, high = root->nblocks;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		const struct root_block *b = &root->blocks[middle];

		if (entry_path_compare(b->separator, b->separator_len, path, len) <= 0 ||
		    (beyond && entry_path_is_below(path, len, b->separator, b->separator_len)))
			low = middle;
		else
			high = middle;
	}
	return low;
}

size_t
root_find(const struct root *root, const char *path, size_t len)
{
	return find(root, path, len, false);
}

size_t
root_find_after(const struct root *root, const char *folder, size_t len)
{
	return find(root, folder, len, true);
}

void
root_wipe(struct root *root)
{
	size_t i;

	for (i = 0; i < root->nblocks; i++)
		free(root->blocks[i].separator);
	free(root->blocks);
	memset(root, 0, sizeof(*root));
}
