/* Roots: there and back, separators, the search against a linear one, hostile bytes. */

#include "root.h"
#include "catalog_random.h"
#include "heap.h"

static int
try_root(const uint8_t *bytes, size_t len, struct error *err)
{
	struct root root = {0};
	int r;

	r = root_decode(bytes, len, &root, err);
	root_wipe(&root);
	return r;
}

static void
test_separators(void)
{
	static const struct {
		const char *last, *first, *want;
	} cases[] = {
	    {"a", "b", "b"},
	    {"abc", "abd/e", "abd"},
	    {"a", "a/b", "a/b"},
	    {"a", "a/bcd", "a/b"},
	    {"a", "a/.b", "a/.b"},
	    {"a", "a/.bc/d", "a/.b"},
	    {"a", "a/..bc", "a/..b"},
	    {"a/x", "b/y/z", "b"},
	    {"a/bcd", "a/be", "a/be"},
	    {"a/b/c", "ab", "ab"},
	};
	struct error err = {0};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct frame_ref f = random_frame(1, FRAME_CATALOG), g = random_frame(2, FRAME_CATALOG);
		const char *first = cases[i].first, *last = cases[i].last;
		struct root root = {0};

		CHECK_OK(root_add(&root, "", 0, NULL, 0, &f, 3, &err), &err);
		CHECK_OK(root_add(&root, first, strlen(first), last, strlen(last), &g, 4, &err), &err);
		CHECK_INT(root.entries, 7);
		CHECK_INT(root.blocks[0].separator_len, 0);
		CHECK_INT(root.blocks[1].separator_len, strlen(cases[i].want));
		CHECK_MEM(root.blocks[1].separator, cases[i].want, strlen(cases[i].want));
		CHECK_INT(root_add(&root, last, strlen(last), first, strlen(first), &f, 1, &err), ERR_USAGE);
		CHECK_INT(root_add(&root, first, strlen(first), first, strlen(first), &f, 1, &err), ERR_USAGE);
		root_wipe(&root);
	}
}

static size_t
linear_find(const struct root *root, const char *path, size_t len)
{
	size_t i;

	for (i = root->nblocks; i > 1; i--)
		if (entry_path_compare(root->blocks[i - 1].separator, root->blocks[i - 1].separator_len, path, len) <=
		    0)
			return i - 1;
	return 0;
}

/* No name in these roots has the highest byte. */
static size_t
linear_find_after(const struct root *root, const char *folder, size_t len)
{
	char behind[80];
	int n = len == 0 ? snprintf(behind, sizeof(behind), "\xff")
			 : snprintf(behind, sizeof(behind), "%.*s/\xff", (int)len, folder);

	return linear_find(root, behind, (size_t)n);
}

static size_t
number_path(char *out, size_t size, size_t i)
{
	return (size_t)snprintf(out, size, "%03zu/%03zu/f%zu", i / 10000, i / 100 % 100, i % 100 + 100);
}

static void
random_root(uint64_t *state, struct root *root, size_t blocks)
{
	char first[64] = "", last[64] = "";
	size_t first_len = 0, last_len = 0, at = 0;
	struct error err = {0};

	memset(root, 0, sizeof(*root));
	for (size_t i = 0; i < blocks; i++) {
		struct frame_ref f = random_frame(i, FRAME_CATALOG);

		CHECK_OK(
		    root_add(root, first, first_len, last, last_len, &f, 1 + random_below(state, 1000), &err), &err);
		at += 1 + random_below(state, 500);
		last_len = number_path(last, sizeof(last), at);
		at += 1 + random_below(state, 3);
		first_len = number_path(first, sizeof(first), at);
	}
	root->bytes = check_random(state);
}

static void
test_round_trips(void)
{
	struct error err = {0};
	uint64_t state = 3;

	for (int i = 0; i < 20; i++) {
		struct buf bytes = BUF_INIT(ROOT_ENCODED_MAX), again = BUF_INIT(ROOT_ENCODED_MAX);
		struct root root, got = {0};
		char path[64];

		random_root(&state, &root, 1 + random_below(&state, i < 15 ? 30 : 1500));
		CHECK_OK(root_encode(&root, &bytes, &err), &err);
		CHECK_OK(root_decode(bytes.data, bytes.len, &got, &err), &err);
		CHECK_INT(got.entries, root.entries);
		CHECK_INT(got.bytes, root.bytes);
		CHECK_INT(got.nblocks, root.nblocks);
		for (size_t k = 0; k < got.nblocks; k++) {
			CHECK_INT(got.blocks[k].entries, root.blocks[k].entries);
			CHECK_INT(got.blocks[k].separator_len, root.blocks[k].separator_len);
			CHECK_MEM(got.blocks[k].separator, root.blocks[k].separator, root.blocks[k].separator_len);
			check_frame(&got.blocks[k].frame, &root.blocks[k].frame);
			/* A separator is the first path of its own block. */
			CHECK_INT(root_find(&got, got.blocks[k].separator, got.blocks[k].separator_len), k);
		}
		for (int k = 0; k < 1000; k++) {
			size_t len = number_path(path, sizeof(path), random_below(&state, 500000));

			len = random_below(&state, len + 1);
			CHECK_INT(root_find(&got, path, len), linear_find(&got, path, len));
			CHECK_INT(root_find_after(&got, path, len), linear_find_after(&got, path, len));
		}
		CHECK_OK(root_encode(&got, &again, &err), &err);
		CHECK_INT(again.len, bytes.len);
		CHECK_MEM(again.data, bytes.data, bytes.len);
		if (i < 5)
			check_hostile(bytes.data, bytes.len, 3000, try_root);
		root_wipe(&root);
		root_wipe(&got);
		buf_free(&bytes);
		buf_free(&again);
	}
}

/* Long separators cost little to claim; their sum is limited. */
static void
test_limits(void)
{
	struct buf b = BUF_INIT(ROOT_ENCODED_MAX);
	struct root root = {0};
	struct error err = {0};
	char *first = malloc(ENTRY_PATH_MAX), *last = malloc(ENTRY_PATH_MAX);
	struct frame_ref f = random_frame(0, FRAME_CATALOG);
	int r = 0;

	CHECK_INT(root_encode(&root, &b, &err), ERR_USAGE);
	for (size_t i = 0; i < ENTRY_PATH_MAX; i++)
		first[i] = last[i] = i % 2 == 0 ? 'a' : '/';
	first[ENTRY_PATH_MAX - 1] = last[ENTRY_PATH_MAX - 1] = '0';
	CHECK_OK(root_add(&root, "", 0, NULL, 0, &f, 1, &err), &err);
	for (size_t i = 1; i < 200 && r == 0; i++) {
		f = random_frame(i, FRAME_CATALOG);
		first[ENTRY_PATH_MAX - 1] = (char)('0' + i);
		r = root_add(&root, first, ENTRY_PATH_MAX, last, ENTRY_PATH_MAX, &f, 1, &err);
		last[ENTRY_PATH_MAX - 1] = first[ENTRY_PATH_MAX - 1];
	}
	CHECK_INT(r, ERR_NOMEM);
	CHECK_INT(root.nblocks, ROOT_SEPARATORS_MAX / ENTRY_PATH_MAX + 1);
	root_wipe(&root);

	CHECK_OK(root_add(&root, "", 0, NULL, 0, &f, 1, &err), &err);
	CHECK_OK(root_add(&root, "b", 1, "a", 1, &f, 1, &err), &err);
	CHECK_INT(root_encode(&root, &b, &err), ERR_USAGE); /* one block twice */
	root.nblocks = 1;
	CHECK_INT(root_encode(&root, &b, &err), ERR_USAGE); /* wrong sum */
	root.nblocks = 2;
	root.blocks[1].frame.ordinal++;
	root.blocks[1].entries = 0;
	root.entries = 1;
	CHECK_OK(root_encode(&root, &b, &err), &err);
	CHECK_INT(try_root(b.data, b.len, &err), ERR_CORRUPT); /* a block without entries */
	buf_reset(&b);
	root.blocks[1].entries = root.blocks[0].entries = 1;
	root.entries = 2;
	CHECK_OK(root_encode(&root, &b, &err), &err);
	CHECK_OK(try_root(b.data, b.len, &err), &err);
	buf_u8(&b, 0);
	CHECK_INT(try_root(b.data, b.len, &err), ERR_CORRUPT);
	f.type = FRAME_DATA;
	CHECK_INT(root_add(&root, "c", 1, "b", 1, &f, 1, &err), ERR_USAGE);
	root_wipe(&root);
	buf_free(&b);
	free(first);
	free(last);
}

/* ---- what a root may cost ---- */

/* The longest separators that so many blocks can have, which differ only at their ends. */
static size_t
forge_separator(char *out, size_t i, size_t blocks)
{
	size_t len = ROOT_SEPARATORS_MAX / blocks;

	len = len > 250 ? 250 : len;
	memset(out, 'a', len);
	for (size_t k = 0; k < 4; k++)
		out[len - 1 - k] = (char)('A' + (i >> (5 * k) & 31));
	return len;
}

/* A root of so many blocks, each in a pack of its own. */
static void
forge_root(size_t blocks, struct buf *out)
{
	char last[256], path[256];
	size_t last_len = 0;

	buf_reset(out);
	buf_put(out, "R\1\1", 3);
	for (size_t i = 0; i < SESSION_ID_LEN; i++)
		buf_u8(out, 7);
	buf_varint(out, blocks);
	for (size_t i = 0; i < blocks; i++) {
		buf_put(out, "\0m", 2);
		buf_varint(out, i);
	}
	buf_varint(out, blocks);
	for (size_t i = 0; i < blocks; i++) {
		buf_varint(out, i);
		buf_put(out, "\3\0\xb0\1\x14\5", 6);
		for (size_t k = 0; k < ID_SHORT; k++)
			buf_u8(out, 1);
	}
	buf_u64(out, blocks);
	buf_u64(out, 0);
	buf_varint(out, blocks);
	for (size_t i = 0; i < blocks; i++) {
		size_t len = i == 0 ? 0 : forge_separator(path, i, blocks);
		size_t shared = entry_path_common(last, last_len, path, len);

		buf_varint(out, shared);
		buf_varint(out, len - shared);
		buf_put(out, path + shared, len - shared);
		buf_varint(out, i);
		buf_varint(out, 1);
		memcpy(last, path, len);
		last_len = len;
	}
}

/* With the bytes. */
static size_t
cost_of(const struct buf *b, int want)
{
	struct error err = {0};

	heap_begin();
	CHECK_INT(try_root(b->data, b->len, &err), want);
	return heap_peak() + b->len;
}

static void
test_memory(void)
{
	struct buf b = BUF_INIT(2 * ROOT_ENCODED_MAX);

	forge_root(ROOT_BLOCKS_MAX, &b);
	CHECK(b.len < ROOT_ENCODED_MAX);
	CHECK(cost_of(&b, 0) <= ROOT_MEMORY_MAX);
	CHECK(cost_of(&b, 0) >= ROOT_MEMORY_MAX / 4 * 3);
	forge_root(ROOT_BLOCKS_MAX + 1, &b);
	CHECK(cost_of(&b, ERR_CORRUPT) <= ROOT_MEMORY_MAX);
	/* As many as bytes allow, and one byte more than there may be. */
	forge_root(ROOT_ENCODED_MAX / 44, &b);
	CHECK(b.len < ROOT_ENCODED_MAX);
	CHECK(cost_of(&b, ERR_CORRUPT) <= ROOT_MEMORY_MAX);
	while (b.len <= ROOT_ENCODED_MAX)
		buf_u8(&b, 0);
	CHECK(cost_of(&b, ERR_CORRUPT) <= ROOT_ENCODED_MAX + 4096);
	buf_free(&b);
}

/* A writer is told, before it has written what no reader takes. */
static void
test_too_many_blocks(void)
{
	struct frame_ref f = random_frame(1, FRAME_CATALOG);
	char first[16], last[16] = "";
	struct root root = {0};
	struct error err = {0};
	int r = 0;

	for (size_t i = 0; r == 0; i++) {
		size_t len = (size_t)snprintf(first, sizeof first, "%08zu", i);

		r = root_add(&root, first, len, last, strlen(last), &f, 1, &err);
		memcpy(last, first, sizeof last);
	}
	CHECK_INT(r, ERR_NOMEM);
	CHECK_INT(root.nblocks, ROOT_BLOCKS_MAX);
	root_wipe(&root);
}

int
main(void)
{
	alarm(60);
	test_separators();
	test_round_trips();
	test_limits();
	test_memory();
	test_too_many_blocks();
	return 0;
}
