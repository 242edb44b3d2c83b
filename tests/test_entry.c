/* Paths: order against a component-wise model, validity; attribute sets; comparison of entries. */

#include "catalog_random.h"

/* The order by components: a folder before what is in it, names by their bytes. */
static int
model_compare(const char *a, const char *b)
{
	for (;;) {
		size_t an = strcspn(a, "/"), bn = strcspn(b, "/");
		size_t n = an < bn ? an : bn;
		int c = memcmp(a, b, n);

		if (c != 0)
			return c < 0 ? -1 : 1;
		if (an != bn)
			return an < bn ? -1 : 1;
		if (a[an] == '\0' || b[bn] == '\0')
			return (a[an] != '\0') - (b[bn] != '\0');
		a += an + 1;
		b += bn + 1;
	}
}

static void
random_path(uint64_t *state, char *out)
{
	static const char letters[] = "aab.-0\x01\xff!";
	unsigned components = 1 + (unsigned)random_below(state, 4);

	while (components-- > 0) {
		for (uint64_t n = 1 + random_below(state, 12); n > 0; n--)
			*out++ = letters[random_below(state, sizeof(letters) - 1)];
		if (components > 0)
			*out++ = '/';
	}
	*out = '\0';
}

static void
test_order(void)
{
	char a[80], b[80];
	uint64_t state = 1;
	size_t common;

	for (int i = 0; i < 100000; i++) {
		random_path(&state, a);
		random_path(&state, b);
		if (i % 3 == 0)
			memcpy(b, a, random_below(&state, (strlen(a) < strlen(b) ? strlen(a) : strlen(b)) + 1));
		CHECK_INT(entry_path_compare(a, strlen(a), b, strlen(b)), model_compare(a, b));
		CHECK_INT(entry_path_compare(b, strlen(b), a, strlen(a)), -model_compare(a, b));
		common = entry_path_common(a, strlen(a), b, strlen(b));
		CHECK(memcmp(a, b, common) == 0 && (a[common] != b[common] || a[common] == '\0'));
	}
	CHECK_INT(entry_path_compare("", 0, "a", 1), -1);
	CHECK_INT(entry_path_compare("", 0, "", 0), 0);
	CHECK_INT(entry_path_compare("a/b", 3, "a!", 2), -1);
	CHECK_INT(entry_path_compare("a/b", 3, "a\x01", 2), -1);
}

static void
test_validity(void)
{
	static const struct {
		const char *path;
		size_t len;
		bool valid;
	} cases[] = {
	    {"", 0, true},
	    {"a", 1, true},
	    {"a/b", 3, true},
	    {"/", 1, false},
	    {"/a", 2, false},
	    {"a/", 2, false},
	    {"a//b", 4, false},
	    {".", 1, false},
	    {"..", 2, false},
	    {"...", 3, true},
	    {".a", 2, true},
	    {"..a", 3, true},
	    {"a/.", 3, false},
	    {"a/..", 4, false},
	    {"a/../b", 6, false},
	    {"./a", 3, false},
	    {"../a", 4, false},
	    {"a\0b", 3, false},
	    {"a/\0", 3, false},
	    {"\xff\xfe", 2, true},
	    {"a/..b/c", 7, true},
	};
	static char name[ENTRY_PATH_MAX + 1];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		CHECK_INT(entry_path_valid(cases[i].path, cases[i].len), cases[i].valid);
	memset(name, 'x', sizeof(name));
	CHECK(entry_path_valid(name, 255));
	CHECK(!entry_path_valid(name, 256));
	for (size_t i = 1; i < sizeof(name); i += 2)
		name[i] = '/';
	name[ENTRY_PATH_MAX - 1] = 'y';
	CHECK(entry_path_valid(name, ENTRY_PATH_MAX - 1));
	CHECK(!entry_path_valid(name, ENTRY_PATH_MAX + 1));
}

static void
test_child(void)
{
	CHECK(entry_path_is_child("", 0, "a", 1));
	CHECK(!entry_path_is_child("", 0, "a/b", 3));
	CHECK(!entry_path_is_child("", 0, "", 0));
	CHECK(entry_path_is_child("a", 1, "a/b", 3));
	CHECK(!entry_path_is_child("a", 1, "a", 1));
	CHECK(!entry_path_is_child("a", 1, "a/", 2));
	CHECK(!entry_path_is_child("a", 1, "ab", 2));
	CHECK(!entry_path_is_child("a", 1, "abc", 3));
	CHECK(!entry_path_is_child("a", 1, "a/b/c", 5));
	CHECK(!entry_path_is_child("b", 1, "a/b", 3));
	CHECK(entry_path_is_below("", 0, "a/b", 3) && !entry_path_is_below("", 0, "", 0));
	CHECK(entry_path_is_below("a", 1, "a/b/c", 5) && !entry_path_is_below("a", 1, "a", 1));
	CHECK(entry_path_is_within("", 0, "", 0) && entry_path_is_within("", 0, "a", 1));
	CHECK(entry_path_is_within("a/b", 3, "a/b", 3) && entry_path_is_within("a/b", 3, "a/b/c", 5));
	CHECK(!entry_path_is_within("a/b", 3, "a/c", 3) && !entry_path_is_within("a/b", 3, "a", 1));
	CHECK(!entry_path_is_below("a", 1, "ab/c", 4) && !entry_path_is_below("a/b", 3, "a/c/d", 5));
}

static int
try_xattrs(const uint8_t *bytes, size_t len, struct error *err)
{
	return entry_xattrs_check(bytes, len, err);
}

static void
test_xattrs(void)
{
	static const struct {
		const char *set;
		size_t len;
		bool good;
	} cases[] = {
	    {"\1\1a\0", 4, true},
	    {"\1\1a\2xy", 6, true},
	    {"\2\1a\0\1b\0", 7, true},
	    {"\2\1b\0\1a\0", 7, false},
	    {"\2\1a\0\1a\0", 7, false},
	    {"\2\1a\0\2ab\0", 8, true},
	    {"\2\2ab\0\1a\0", 8, false},
	    {"\0", 1, false},
	    {"", 0, false},
	    {"\1\0\0", 3, false},
	    {"\2\1a\0", 4, false},
	    {"\1\1a\0\1b\0", 7, false},
	    {"\1\1\0\0", 4, false},
	    {"\1\1a\1", 4, false},
	    {"\1\1a", 3, false},
	    {"\1\1a\0x", 5, false},
	};
	struct buf set = BUF_INIT(1 << 20);
	struct error err = {0};
	struct xattr x;
	size_t pos = 0;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		CHECK_INT(entry_xattrs_check((const uint8_t *)cases[i].set, cases[i].len, &err),
		    cases[i].good ? 0 : ERR_CORRUPT);
	random_xattrs(&set, 3, 77);
	CHECK_OK(entry_xattrs_check(set.data, set.len, &err), &err);
	for (int i = 0; i < 3; i++) {
		CHECK_INT(entry_xattr_next(set.data, set.len, &pos, &x, &err), 1);
		CHECK_INT(x.name_len, 8);
		CHECK_INT(x.name[7], '0' + i);
		CHECK_INT(x.value_len, 8);
		CHECK_INT(x.value[0], 77);
	}
	CHECK_INT(entry_xattr_next(set.data, set.len, &pos, &x, &err), 0);
	check_hostile(set.data, set.len, 3000, try_xattrs);
	buf_free(&set);
}

static void
test_same(void)
{
	struct extent x = {.kind = EXTENT_DATA, .len = 5, .frame = random_frame(1, FRAME_BUNDLE)};
	struct entry a = {.path = "a",
	    .path_len = 1,
	    .type = ENTRY_FILE,
	    .mode = 0644,
	    .nlink = 1,
	    .size = 5,
	    .extents = &x,
	    .nextents = 1};
	struct extent y = x;
	struct entry b = a;

	b.extents = &y;
	b.ino = b.ctime_s = 9;
	b.ctime_ns = b.nlink = 3;
	CHECK(entry_same_metadata(&a, &b));
#define DIFFERS(change) \
	do { \
		struct entry saved = b; \
		struct extent saved_extent = y; \
		change; \
		CHECK(!entry_same_metadata(&a, &b)); \
		b = saved; \
		y = saved_extent; \
	} while (0)
	DIFFERS(b.path = "b");
	DIFFERS(b.type = ENTRY_FIFO);
	DIFFERS(b.flags = ENTRY_CHANGED);
	DIFFERS(b.mode = 0600);
	DIFFERS(b.uid = 1);
	DIFFERS(b.gid = 1);
	DIFFERS(b.size = 6);
	DIFFERS(b.mtime_s = 1);
	DIFFERS(b.mtime_ns = 1);
	DIFFERS(b.xattrs = (const uint8_t *)"x"; b.xattrs_len = 1);
	DIFFERS(b.file_id[15] = 1);
	DIFFERS(b.nextents = 0);
	DIFFERS(y.frame_offset = 1);
	DIFFERS(y.frame.id[3] ^= 1);
	DIFFERS(y.kind = EXTENT_HOLE);
	CHECK(entry_has_content(&a) && entry_in_bundle(&a));
	x.frame.type = FRAME_DATA;
	CHECK(!entry_in_bundle(&a));
	a.flags = ENTRY_UNREADABLE;
	CHECK(!entry_has_content(&a));
	a = b = (struct entry){.type = ENTRY_SYMLINK, .link = "x", .link_len = 1};
	CHECK(entry_same_metadata(&a, &b));
	DIFFERS(b.link = "y");
	a = b = (struct entry){.type = ENTRY_CHAR_DEVICE};
	DIFFERS(b.dev_major = 1);
	DIFFERS(b.dev_minor = 1);
}

int
main(void)
{
	alarm(60);
	test_order();
	test_validity();
	test_child();
	test_xattrs();
	test_same();
	return 0;
}
