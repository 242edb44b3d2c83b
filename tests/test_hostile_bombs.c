/* Forged snapshots that are small to store and large to restore: memory stays bounded. */
#include "hostile.h"

#include <zstd.h>

#include "check.h"
#include "cleanup.h"

#define C ERR_CORRUPT

static struct error err;

/* ---- bombs ---- */

/* A frame that says it has plen bytes, and holds this zstd frame. */
static void
build_lie(struct forge *f, uint32_t plen, const void *zstd, size_t len)
{
	CLEANUP_FREE uint8_t *body = malloc(len + 1);
	struct frame_ref ref;
	struct extent x;

	CHECK(body != NULL && len <= 65536);
	/* Room of the right length, filled again. */
	memset(body, 0xA5, len);
	for (size_t i = 0; i < len; i++)
		body[i] = (uint8_t)(i * 167 + (i >> 8));
	ref = forge_frame(f, FRAME_DATA, body, len, true);
	body[0] = 1;
	memcpy(body + 1, zstd, len);
	ref.plen = plen;
	forge_reseal(f, &ref, body);
	x = hostile_part(&ref, 0, MIN(plen, 10u));
	hostile_root(f);
	hostile_extents(f, "a", NULL, &x, 1);
	hostile_small(f, "b");
}

static void
build_zeros_bomb(struct forge *f, size_t real, uint32_t plen)
{
	CLEANUP_FREE void *zeros = calloc(1, real);
	CLEANUP_FREE uint8_t *packed = malloc(ZSTD_compressBound(real));
	size_t n;

	CHECK(zeros != NULL && packed != NULL);
	n = ZSTD_compress(packed, ZSTD_compressBound(real), zeros, real, 1);
	CHECK(!ZSTD_isError(n));
	build_lie(f, plen, packed, n);
}

static void
build_bomb_larger(struct forge *f)
{
	build_zeros_bomb(f, 64 * 1024 * 1024, FRAME_PLAIN_MAX);
}

static void
build_bomb_smaller(struct forge *f)
{
	build_zeros_bomb(f, 64 * 1024 * 1024, 100000);
}

static void
build_bomb_short(struct forge *f)
{
	build_zeros_bomb(f, 1024, 1024 * 1024);
}

/* A frame that asks for a window of 2 GiB and says nothing of its content. */
static void
build_bomb_window(struct forge *f)
{
	static const uint8_t zstd[] = {0x28, 0xB5, 0x2F, 0xFD, 0x00, 21 << 3, 0x01, 0x00, 0x00};

	build_lie(f, 1024 * 1024, zstd, sizeof zstd);
}

static void
build_skippable(struct forge *f)
{
	static const uint8_t zstd[] = {0x50, 0x2A, 0x4D, 0x18, 0x04, 0x00, 0x00, 0x00, 1, 2, 3, 4};

	build_lie(f, 1024, zstd, sizeof zstd);
}

/* 8 MiB of zeros, of which a hundred thousand files want some bytes each. */
static void
build_zeros_wanted_often(struct forge *f)
{
	CLEANUP_FREE uint8_t *zeros = calloc(1, FRAME_PLAIN_MAX);
	struct frame_ref ref;
	char name[16];

	CHECK(zeros != NULL);
	ref = forge_frame(f, FRAME_BUNDLE, zeros, FRAME_PLAIN_MAX, true);
	hostile_root(f);
	for (unsigned i = 0; i < hostile_scaled(100000); i++) {
		struct extent x = hostile_part(&ref, i * 83, 3);

		(void)snprintf(name, sizeof name, "%06u", i);
		hostile_extents(f, name, NULL, &x, 1);
		if (i % 20000 == 19999)
			forge_block_end(f);
	}
}

/* Attributes of len bytes, in user.x, or in a name that no system has. */
static void
make_set(struct buf *out, const char *name, size_t len)
{
	buf_varint(out, 1);
	buf_varint(out, strlen(name));
	buf_put(out, name, strlen(name));
	buf_varint(out, len);
	memset(buf_extend(out, len), 'x', len);
	CHECK_OK(buf_check(out, "set", &err), &err);
}

/*
 * Many files with one and the same large set of attributes: nothing in the repository, much in memory if every file on
 * its way kept its own.
 */
static void
add_many_with_attributes(struct forge *f, size_t set_len, unsigned count, bool hole, uint32_t nlink)
{
	CLEANUP(buf_free) struct buf set = BUF_INIT(2 * ENTRY_XATTRS_MAX);
	struct extent x[2] = {hostile_part(&hostile_bundle, 0, 10), {.kind = EXTENT_HOLE, .len = 1}};
	struct entry e = hostile_entry(ENTRY_FILE, "");
	char name[16];

	make_set(&set, "nowhere.x", set_len);
	e.xattrs = set.data;
	e.xattrs_len = set.len;
	e.nlink = nlink;
	hostile_root(f);
	for (unsigned i = 0; i < count; i++) {
		(void)snprintf(name, sizeof name, "%08u", i);
		e.ino = i + 1;
		hostile_extents(f, name, &e, x, hole ? 2 : 1);
		if (i % 20000 == 19999)
			forge_block_end(f);
	}
	forge_block_end(f);
}

static void
build_attributes_small(struct forge *f)
{
	add_many_with_attributes(f, 500 * 1024, 2000, false, 1);
}

static void
build_attributes_large(struct forge *f)
{
	add_many_with_attributes(f, 500 * 1024, 2000, true, 1);
}

static void
build_attributes_links(struct forge *f)
{
	add_many_with_attributes(f, 500 * 1024, 2000, false, 2);
}

static void
build_attributes_many(struct forge *f)
{
	add_many_with_attributes(f, 1024, hostile_scaled(1000000), true, 1);
}

/* Folders in folders. */
static void
build_deep_with(struct forge *f, unsigned depth, const struct buf *set)
{
	CLEANUP_FREE char *path = malloc(2 * (size_t)depth + 2);
	struct entry e = hostile_entry(ENTRY_FOLDER, "");

	CHECK(path != NULL);
	hostile_root(f);
	if (set != NULL) {
		e.xattrs = set->data;
		e.xattrs_len = set->len;
	}
	for (unsigned i = 0; i < depth; i++) {
		path[2 * i] = 'd';
		path[2 * i + 1] = '/';
		e.path = path;
		e.path_len = 2 * (size_t)i + 1;
		forge_entry(f, &e);
	}
}

static void
build_deep(struct forge *f)
{
	build_deep_with(f, hostile_scaled(30000), NULL);
}

static void
build_deep_attributes(struct forge *f)
{
	CLEANUP(buf_free) struct buf set = BUF_INIT(2 * ENTRY_XATTRS_MAX);

	make_set(&set, "nowhere.x", 1000 * 1024);
	build_deep_with(f, 200, &set);
}

static void
build_deep_many(struct forge *f)
{
	CLEANUP_FREE char *path = malloc(200 * 1024);
	struct extent x[2] = {hostile_part(&hostile_bundle, 0, 10), {.kind = EXTENT_HOLE, .len = 1}};
	struct entry e = hostile_entry(ENTRY_FOLDER, "");
	size_t len = 0;

	CHECK(path != NULL);
	hostile_root(f);
	for (unsigned i = 0; i < 100; i++) {
		memset(path + len, 'd', 250);
		len += 250;
		e.path = path;
		e.path_len = len;
		forge_entry(f, &e);
		path[len++] = '/';
	}
	for (unsigned i = 0; i < 500; i++) {
		(void)snprintf(path + len, 16, "%08u", i);
		hostile_extents(f, path, NULL, x, 2);
	}
}

static const struct hostile_case cases[] = {
    {"bomb that is larger", C, .build = build_bomb_larger},
    {"bomb that is smaller", C, .build = build_bomb_smaller},
    {"bomb that is too short", C, .build = build_bomb_short},
    {"bomb with a window", C, .build = build_bomb_window},
    {"skippable frame", C, .build = build_skippable},
    {"zeros that are wanted often", 0, .build = build_zeros_wanted_often, .capacity = 32 << 20},
    {"attributes of small files", 0, .build = build_attributes_small},
    {"attributes of large files", 0, .build = build_attributes_large},
    {"attributes of links", 0, .build = build_attributes_links},
    {"attributes of many files", 0, .build = build_attributes_many},
    {"deep", 0, .build = build_deep},
    {"deep with attributes", C, .build = build_deep_attributes},
    {"deep with many files", 0, .build = build_deep_many},
};

int
main(int argc, char **argv)
{
	return hostile_main(argc, argv, cases, COUNT_OF(cases), true);
}
