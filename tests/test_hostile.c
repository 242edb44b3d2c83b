/*
 * Hostile repositories: whoever holds the keys can sign and seal what he wants.  An import of it, and everything else
 * that reads it, ends with a clear error or does something harmless; nothing outside of the target is touched, and
 * memory is bounded.
 */

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "check.h"
#include "cleanup.h"
#include "diff.h"
#include "flow.h"
#include "forge.h"
#include "frames.h"
#include "tar.h"
#include "verify.h"

#define MEMORY_MAX (200u * 1024) /* KiB above what the test itself has, as long as an import runs */
#define C          ERR_CORRUPT

/* Where it depends on the file system. */
enum { ANY_FAILURE = 1, ANY };

static struct flow flow;
static struct error err;
static unsigned failures;

/* ---- what a case is made of ---- */

static uint8_t content[65536];
static struct frame_ref bundle; /* of its first 4096 bytes, in every forged snapshot */
static struct frame_ref chunk; /* of all */

static struct entry
make(uint8_t type, const char *path)
{
	return (struct entry){.path = path,
	    .path_len = strlen(path),
	    .type = type,
	    .mode = type == ENTRY_FOLDER ? 0755 : 0644,
	    .uid = getuid(),
	    .gid = getgid(),
	    .nlink = 1,
	    .ino = 1,
	    .mtime_s = 1600000000};
}

static struct extent
part(const struct frame_ref *frame, uint32_t offset, uint64_t len)
{
	return (struct extent){.kind = EXTENT_DATA, .frame = *frame, .frame_offset = offset, .len = len};
}

static void
add_root(struct forge *f)
{
	struct entry e = make(ENTRY_FOLDER, "");

	forge_entry(f, &e);
}

static void
add_folder(struct forge *f, const char *path)
{
	struct entry e = make(ENTRY_FOLDER, path);

	forge_entry(f, &e);
}

static void
add_symlink(struct forge *f, const char *path, const char *to)
{
	struct entry e = make(ENTRY_SYMLINK, path);

	e.link = to;
	e.link_len = strlen(to);
	forge_entry(f, &e);
}

/* A file of these extents; what is left zero in *like is filled in. */
static void
add_extents(struct forge *f, const char *path, const struct entry *like, const struct extent *x, size_t n)
{
	struct entry e = like != NULL ? *like : make(ENTRY_FILE, path);

	e.path = path;
	e.path_len = strlen(path);
	e.extents = x;
	e.nextents = n;
	e.size = 0;
	for (size_t i = 0; i < n; i++)
		e.size += x[i].len;
	forge_entry(f, &e);
}

static void
add_small(struct forge *f, const char *path)
{
	struct extent x = part(&bundle, 7, 100);

	add_extents(f, path, NULL, &x, 1);
}

/* ---- names and their order ---- */

#define NEXT_BLOCK 0

struct step {
	uint8_t type; /* or NEXT_BLOCK */
	const char *path, *link;
	size_t len; /* of the path, when it is not strlen() */
};

#define FOLDER(p) \
	{ \
		ENTRY_FOLDER, p, NULL, 0 \
	}
#define FILE_(p) \
	{ \
		ENTRY_FILE, p, NULL, 0 \
	}
#define SYMLINK(p, l) \
	{ \
		ENTRY_SYMLINK, p, l, 0 \
	}
#define BLOCK \
	{ \
		NEXT_BLOCK, "", NULL, 0 \
	}
#define BLOCK_AT(s) \
	{ \
		NEXT_BLOCK, s, NULL, 0 \
	} /* with another separator than the next path */
#define NAME_255 \
	"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789" \
	"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789" \
	"0123456789012345678901234567890123456789012345678901234"

static const struct tree {
	const char *name;
	int want;
	struct step steps[6];
} trees[] = {
    {"all is well", 0, {FILE_("a"), FOLDER("b"), FILE_("b/c"), BLOCK, FILE_("d")}},
    {"symlinks out of the target", 0, {SYMLINK("a", "../canary"), SYMLINK("b", "/"), FILE_("c")}},
    {"folder ..", C, {FOLDER("..")}},
    {"file ..", C, {FILE_("..")}},
    {"file ../canary/x", C, {FILE_("../canary/x")}},
    {"folder .. and in it", C, {FOLDER(".."), FOLDER("../canary"), FILE_("../canary/x")}},
    {"folder .. first in a block", C, {FILE_("!"), BLOCK, FOLDER("..")}},
    {"folder .. first in a block, hidden", C, {FILE_("!"), BLOCK_AT("-"), FOLDER("..")}},
    {"file ../x first in a block, hidden", C, {FILE_("!"), BLOCK_AT("-"), FILE_("../x")}},
    {"file /x first in a block, hidden", C, {FOLDER("!"), BLOCK_AT("a"), FILE_("/x")}},
    {"separator above the block", C, {FOLDER("a"), BLOCK_AT("c"), FILE_("b")}},
    {"separator in the block before", C, {FILE_("a"), FILE_("c"), BLOCK_AT("b"), FILE_("d")}},
    {"a/../x", C, {FOLDER("a"), FOLDER("a/.."), FILE_("a/../x")}},
    {"a/../x in a block of its own", C, {FOLDER("a"), FOLDER("a/b"), BLOCK, FILE_("a/../x")}},
    {".", C, {FOLDER(".")}},
    {"a/.", C, {FOLDER("a"), FOLDER("a/.")}},
    {"absolute", C, {FILE_("/x")}},
    {"absolute folder", C, {FOLDER("/"), FILE_("/x")}},
    {"empty component", C, {FOLDER("a"), FILE_("a//b")}},
    {"slash at the end", C, {FOLDER("a/")}},
    {"NUL", C, {{ENTRY_FILE, "a\0b", NULL, 3}}},
    {"NUL at the end", C, {{ENTRY_FILE, "a\0", NULL, 2}}},
    {"255 bytes", 0, {FOLDER(NAME_255), FILE_(NAME_255 "/x")}},
    {"256 bytes", C, {FILE_(NAME_255 "x")}},
    {"below a symlink", C, {SYMLINK("a", "../canary"), FILE_("a/x")}},
    {"below a symlink, next block", C, {SYMLINK("a", "../canary"), BLOCK, FILE_("a/x")}},
    {"below a symlink's folder", C, {SYMLINK("a", "../canary"), FOLDER("a/b"), FILE_("a/b/x")}},
    {"below a file", C, {FILE_("a"), FILE_("a/x")}},
    {"below a file, next block", C, {FILE_("a"), BLOCK, FILE_("a/x")}},
    {"below nothing", C, {FILE_("a/x")}},
    {"below nothing, next block", C, {FOLDER("a"), BLOCK, FILE_("b/x")}},
    {"below a folder that is over", C, {FOLDER("a"), FILE_("b"), FILE_("a/x")}},
    {"the same file twice", C, {FILE_("a"), FILE_("a")}},
    {"the same file twice, next block", C, {FILE_("a"), BLOCK, FILE_("a")}},
    {"file and folder", C, {FILE_("a"), FOLDER("a")}},
    {"folder and file", C, {FOLDER("a"), FILE_("a")}},
    {"symlink and folder, next block", C, {SYMLINK("a", "../canary"), BLOCK, FOLDER("a"), FILE_("a/x")}},
    {"folder and symlink, next block", C, {FOLDER("a"), BLOCK, SYMLINK("a", "../canary"), FILE_("a/x")}},
    {"symlink and folder apart", C, {SYMLINK("a", "../canary"), FILE_("b"), BLOCK, FOLDER("a"), FILE_("a/x")}},
    {"out of order", C, {FILE_("b"), FILE_("a")}},
    {"out of order, next block", C, {FILE_("b"), BLOCK, FILE_("a")}},
    {"slash not below all", C, {FOLDER("a"), FILE_("a!"), FILE_("a/b")}},
    {"root twice", C, {FOLDER("")}},
    {"root is a file", C, {FILE_("")}},
    {"root twice, next block", C, {FILE_("a"), BLOCK, FOLDER("")}},
    {"symlink with NUL", C, {SYMLINK("a", "")}},
    {"device below the root", C, {{ENTRY_VOLUME, "a", NULL, 0}}},
    {"no such type", C, {{9, "a", NULL, 0}}},
};

static void
build_tree(struct forge *f, const struct tree *t)
{
	uint8_t id[ID_LEN];

	CHECK_OK(sealer_id(f->sealer, FRAME_FILE, content, 10, id, &err), &err);
	add_root(f);
	for (size_t i = 0; i < COUNT_OF(t->steps) && t->steps[i].path != NULL; i++) {
		const struct step *s = &t->steps[i];
		struct extent x = part(&bundle, 0, 10);
		struct entry e = make(s->type, s->path);

		if (s->type == NEXT_BLOCK) {
			forge_block_end(f);
			f->next_separator = s->path[0] == 0 ? NULL : s->path;
			continue;
		}
		if (s->len > 0)
			e.path_len = s->len;
		if (s->link != NULL) {
			e.link = s->link;
			e.link_len = strlen(s->link);
		}
		if (s->type == ENTRY_FILE || s->type == ENTRY_VOLUME) {
			e.size = x.len;
			memcpy(e.file_id, id, sizeof e.file_id);
			e.extents = &x;
			e.nextents = 1;
		}
		forge_entry(f, &e);
	}
}

/* ---- contents ---- */

static void
build_catalog_frame_as_content(struct forge *f)
{
	struct frame_ref meta = forge_frame(f, FRAME_CATALOG, "C\1 not really", 14, true);
	struct extent x = part(&meta, 0, 14);

	add_root(f);
	add_extents(f, "a", NULL, &x, 1);
}

static void
build_sum_too_small(struct forge *f)
{
	struct extent x = part(&bundle, 0, 10);
	struct entry e = make(ENTRY_FILE, "a");

	add_root(f);
	e.size = 11;
	e.extents = &x;
	e.nextents = 1;
	forge_entry(f, &e);
}

static void
build_sum_too_large(struct forge *f)
{
	struct extent x[2] = {part(&bundle, 0, 10), part(&bundle, 10, 10)};
	struct entry e = make(ENTRY_FILE, "a");

	add_root(f);
	e.size = 19;
	e.extents = x;
	e.nextents = 2;
	forge_entry(f, &e);
}

static void
build_sum_overflow(struct forge *f)
{
	struct extent x[3] = {{.kind = EXTENT_HOLE, .len = UINT64_C(1) << 63}, {.kind = EXTENT_HOLE, .len = 1ull << 63},
	    {.kind = EXTENT_HOLE, .len = 5}};
	struct entry e = make(ENTRY_FILE, "a");

	add_root(f);
	e.size = 5;
	e.extents = x;
	e.nextents = 3;
	forge_entry(f, &e);
}

static void
build_beyond_frame(struct forge *f)
{
	struct extent x = part(&bundle, 4000, 97);

	add_root(f);
	add_extents(f, "a", NULL, &x, 1);
}

static void
build_beyond_frame_wrapped(struct forge *f)
{
	struct extent x = part(&bundle, UINT32_MAX - 1, 100);

	add_root(f);
	add_extents(f, "a", NULL, &x, 1);
}

static void
build_zero_extent(struct forge *f)
{
	struct extent x[2] = {part(&bundle, 0, 10), {.kind = EXTENT_HOLE}};

	add_root(f);
	add_extents(f, "a", NULL, x, 2);
}

static void
build_huge_size(struct forge *f)
{
	struct extent x = part(&bundle, 0, UINT64_C(1) << 62);

	add_root(f);
	add_extents(f, "a", NULL, &x, 1);
}

static void
build_huge_hole(struct forge *f)
{
	struct extent x[2] = {part(&bundle, 0, 10), {.kind = EXTENT_HOLE, .len = UINT64_C(1) << 60}};

	add_root(f);
	add_extents(f, "a", NULL, x, 2);
}

static void
build_huge_zeros(struct forge *f)
{
	struct extent x[2] = {part(&bundle, 0, 10), {.kind = EXTENT_ZEROS, .len = UINT64_C(1) << 60}};

	add_root(f);
	add_extents(f, "a", NULL, x, 2);
}

static struct frame_ref
make_segment(struct forge *f, const struct extent *x, size_t n)
{
	CLEANUP(buf_free) struct buf plain = BUF_INIT(FRAME_PLAIN_MAX);

	forge_segment(x, n, &plain);
	return forge_frame(f, FRAME_SEGMENT, plain.data, plain.len, true);
}

static void
add_segments(struct forge *f, const char *path, uint8_t type, const struct frame_ref *s, size_t n, uint64_t size)
{
	struct entry e = make(type, path);

	e.size = size;
	e.segments = s;
	e.nsegments = n;
	forge_entry(f, &e);
}

/* Allowed, if unusual. */
static void
build_segment_small_file(struct forge *f)
{
	struct extent x = part(&bundle, 3, 100);
	struct frame_ref s = make_segment(f, &x, 1);

	add_root(f);
	add_segments(f, "a", ENTRY_FILE, &s, 1, 100);
}

static void
build_segment_wrong_length(struct forge *f)
{
	struct extent x = part(&bundle, 3, 100);
	struct frame_ref s = make_segment(f, &x, 1);

	add_root(f);
	add_segments(f, "a", ENTRY_FILE, &s, 1, 101);
	add_small(f, "b");
}

static void
build_segment_is_data(struct forge *f)
{
	add_root(f);
	add_segments(f, "a", ENTRY_FILE, &bundle, 1, 100);
}

static void
build_segment_of_segments(struct forge *f)
{
	struct extent x = part(&bundle, 3, 100), y;
	struct frame_ref s = make_segment(f, &x, 1), t;

	y = part(&s, 0, s.plen);
	t = make_segment(f, &y, 1);
	add_root(f);
	add_segments(f, "a", ENTRY_FILE, &t, 1, s.plen);
}

static void
build_too_many_segments(struct forge *f)
{
	add_root(f);
	add_segments(f, "a", ENTRY_FILE, NULL, 0, 1);
	/* The count of extents is zero, then nothing. */
	buf_varint(&f->block.entries, 0);
}

/* A file of 256 TiB out of one segment of nothing but a hole: small to store, and honest. */
static void
build_segments_all_alike(struct forge *f)
{
	struct extent x = {.kind = EXTENT_HOLE, .len = SEGMENT_SIZE};
	struct frame_ref s = make_segment(f, &x, 1);
	CLEANUP_FREE struct frame_ref *many = malloc(ENTRY_SEGMENTS_MAX * sizeof *many);

	CHECK(many != NULL);
	for (size_t i = 0; i < ENTRY_SEGMENTS_MAX; i++)
		many[i] = s;
	add_root(f);
	add_segments(f, "a", ENTRY_FILE, many, ENTRY_SEGMENTS_MAX, ENTRY_SEGMENTS_MAX * SEGMENT_SIZE);
}

static void
build_extents_in_folder(struct forge *f)
{
	struct entry e = make(ENTRY_FOLDER, "a");
	uint8_t behind[4] = {1};

	behind[1] = (uint8_t)(forge_difference(f, &bundle) << 2);
	add_root(f);
	forge_entry_raw(f, &e, behind, sizeof behind);
}

static void
build_frame_for_no_one(struct forge *f)
{
	add_root(f);
	(void)forge_difference(f, &bundle);
}

static void
build_frame_contradicted(struct forge *f)
{
	struct frame_ref other = bundle;
	struct extent x[2] = {part(&bundle, 0, 10), part(&other, 0, 10)};

	other.plen = 4000;
	x[1].frame.plen = 4000;
	add_root(f);
	add_extents(f, "a", NULL, &x[0], 1);
	add_extents(f, "b", NULL, &x[1], 1);
}

static void
build_frame_behind_pack(struct forge *f)
{
	struct frame_ref other = bundle;
	struct extent x;

	other.offset = 1u << 30;
	x = part(&other, 0, 10);
	add_root(f);
	add_extents(f, "a", NULL, &x, 1);
	add_small(f, "b");
}

static void
build_frame_of_no_session(struct forge *f)
{
	struct frame_ref other = bundle;
	struct extent x;

	memset(other.session, 0xEE, sizeof other.session);
	x = part(&other, 0, 10);
	add_root(f);
	add_extents(f, "a", NULL, &x, 1);
	add_small(f, "b");
}

/* Thousands of frames over each other: fetched at once, but never more than fits into a buffer. */
static void
build_frames_overlapping(struct forge *f)
{
	char name[16];

	add_root(f);
	for (unsigned i = 0; i < 3000; i++) {
		struct frame_ref other = chunk;
		struct extent x;

		other.offset += i * 7;
		other.clen = 60000 + i;
		x = part(&other, 0, 10);
		(void)snprintf(name, sizeof name, "%05u", i);
		add_extents(f, name, NULL, &x, 1);
	}
}

static void
build_no_bundle_id(struct forge *f)
{
	struct entry e = make(ENTRY_FILE, "a");
	uint8_t behind[] = {1, 0, 0, 10};

	add_root(f);
	e.size = 10;
	behind[1] = (uint8_t)(forge_difference(f, &bundle) << 2 | 1);
	forge_entry_raw(f, &e, behind, sizeof behind);
}

/* ---- devices ---- */

static void
build_volume_in_files(struct forge *f)
{
	struct extent x = part(&chunk, 0, 65536);
	struct entry e = make(ENTRY_VOLUME, "");

	add_extents(f, "", &e, &x, 1);
}

static void
add_volume(struct forge *f, uint64_t manifest_size)
{
	build_volume_in_files(f);
	f->manifest.mode = MODE_BLOCK;
	f->manifest.size = manifest_size;
	f->manifest.statistics.bytes = manifest_size;
}

static void
build_device(struct forge *f)
{
	add_volume(f, 65536);
}

static void
build_device_smaller(struct forge *f)
{
	add_volume(f, 65535);
}

static void
build_device_larger(struct forge *f)
{
	add_volume(f, 1024 * 1024);
}

static void
build_device_huge(struct forge *f)
{
	add_volume(f, UINT64_MAX / 2);
}

static void
build_device_and_file(struct forge *f)
{
	add_volume(f, 65536);
	add_small(f, "a");
}

static void
build_device_and_file_in_next_block(struct forge *f)
{
	add_volume(f, 65536);
	forge_block_end(f);
	add_small(f, "a");
}

static void
build_device_of_files(struct forge *f)
{
	add_root(f);
	add_small(f, "a");
	f->manifest.mode = MODE_BLOCK;
	f->manifest.size = 100;
}

/* ---- names of the import's own ---- */

static char marker[64], in_marker[80];

static void
build_marker(struct forge *f)
{
	(void)snprintf(marker, sizeof marker, ".snapferry-%s", f->manifest.snapshot);
	add_root(f);
	add_folder(f, marker);
}

static void
build_marker_is_symlink(struct forge *f)
{
	(void)snprintf(marker, sizeof marker, ".snapferry-%s", f->manifest.snapshot);
	add_root(f);
	add_symlink(f, marker, "../canary");
}

static void
build_in_marker(struct forge *f)
{
	build_marker(f);
	(void)snprintf(in_marker, sizeof in_marker, "%s/new", marker);
	add_symlink(f, in_marker, "../../canary");
}

static void
build_other_marker(struct forge *f)
{
	add_root(f);
	add_folder(f, ".snapferry-00000000-0000-7000-8000-000000000000");
	add_symlink(f, ".snapferry-00000000-0000-7000-8000-000000000000/new", "../../canary");
	add_symlink(f, ".snapferry-x", "../canary");
}

/* ---- hard links ---- */

static void
build_links_of_other_sizes(struct forge *f)
{
	struct extent x = part(&bundle, 0, 10), y = part(&chunk, 0, 65536);
	struct entry e = make(ENTRY_FILE, "");

	e.nlink = 3;
	add_root(f);
	add_extents(f, "a", &e, &x, 1);
	add_extents(f, "b", &e, &y, 1);
	add_extents(f, "c", &e, NULL, 0);
}

static void
build_links_of_other_types(struct forge *f)
{
	struct extent x = part(&bundle, 0, 10);
	struct entry e = make(ENTRY_FILE, ""), s = make(ENTRY_SYMLINK, "b"), p = make(ENTRY_FIFO, "c"),
		     d = make(ENTRY_FOLDER, "d");

	e.nlink = s.nlink = p.nlink = d.nlink = 4;
	s.link = "../canary/keep";
	s.link_len = strlen(s.link);
	add_root(f);
	add_extents(f, "a", &e, &x, 1);
	forge_entry(f, &s);
	forge_entry(f, &p);
	forge_entry(f, &d);
	s.path = "e";
	forge_entry(f, &s);
}

/* Whichever entry decides: owner, mode and content must be those of one of them. */
static void
build_links_of_other_owners(struct forge *f)
{
	struct extent x = part(&bundle, 0, 10), y = part(&bundle, 100, 20);
	struct entry mine = make(ENTRY_FILE, ""), theirs = mine;

	mine.nlink = theirs.nlink = 2;
	mine.mode = 0755;
	theirs.mode = 04777;
	theirs.uid = theirs.gid = 12345;
	add_root(f);
	add_extents(f, "a", &mine, &x, 1);
	add_extents(f, "b", &theirs, &y, 1);
}

static void
after_links_of_other_owners(void)
{
	const char *const names[] = {"a", "b"};
	struct stat st;

	for (size_t i = 0; i < COUNT_OF(names); i++) {
		CHECK(lstat(flow_in(flow.target, names[i]), &st) == 0);
		CHECK((st.st_mode & S_ISUID) == 0 || st.st_uid == 12345);
		CHECK_INT(st.st_size, (st.st_mode & 022) != 0 ? 20 : 10);
	}
}

static void
build_links_damaged(struct forge *f)
{
	struct frame_ref other = bundle;
	struct extent x[2];
	struct entry e = make(ENTRY_FILE, "");

	other.id[5] ^= 1;
	x[0] = part(&bundle, 0, 10);
	x[1] = part(&other, 0, 10);
	e.nlink = 3;
	add_root(f);
	add_extents(f, "a", &e, x, 2);
	add_extents(f, "b", &e, x, 2);
	add_extents(f, "c", &e, x, 2);
}

/* What could not be restored is not there under its other names either. */
static void
after_links_damaged(void)
{
	struct stat st;

	CHECK(lstat(flow_in(flow.target, "a"), &st) < 0);
	CHECK(lstat(flow_in(flow.target, "b"), &st) < 0);
	CHECK(lstat(flow_in(flow.target, "c"), &st) < 0);
}

/* ---- roots, packlists, keys ---- */

static void
build_block_twice(struct forge *f)
{
	struct forge_block *b = &f->block;
	size_t n;

	add_root(f);
	add_small(f, "a");
	n = b->count;
	forge_block_end(f);
	forge_root_add(f, &f->root_refs.frames[0], "b", 1, n);
}

static void
build_wrong_count(struct forge *f)
{
	struct frame_ref other;
	uint8_t plain[] = {'C', 1, 0, 0, 0, 0, 0};

	add_root(f);
	add_small(f, "a");
	forge_block_end(f);
	other = forge_frame(f, FRAME_CATALOG, plain, sizeof plain, true);
	forge_root_add(f, &other, "b", 1, 2);
}

static void
build_empty_block(struct forge *f)
{
	uint8_t plain[] = {'C', 1, 0, 0, 0, 0, 0};
	struct frame_ref other;

	add_root(f);
	forge_block_end(f);
	other = forge_frame(f, FRAME_CATALOG, plain, sizeof plain, true);
	forge_root_add(f, &other, "b", 1, 0);
}

static void
build_bad_separator(struct forge *f)
{
	struct frame_ref ref;

	add_root(f);
	forge_block_end(f);
	ref = forge_frame(f, FRAME_CATALOG, "C\1", 2, true);
	forge_root_add(f, &ref, "../x", 4, 1);
}

static void
build_no_blocks(struct forge *f)
{
	static const uint8_t root[] = {'R', 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};

	buf_put(&f->root, root, sizeof root);
	add_root(f);
}

static void
build_root_is_noise(struct forge *f)
{
	buf_put(&f->root, "R\1\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12);
	add_root(f);
}

static void
build_packlist_without_session(struct forge *f)
{
	buf_put(&f->packlist, "L\1\0", 3);
	add_root(f);
	add_small(f, "a");
}

static void
build_packlist_with_noise(struct forge *f)
{
	buf_put(&f->packlist, "L\1\xff\xff\xff\x0f", 6);
	add_root(f);
}

/* The session is named with these keys instead of its own. */
static void
name_session(struct forge *f, const struct volume_keys *keys, const struct session_key *key)
{
	struct packlist_session s = {.epoch = keys->epoch};
	struct packlist *list;

	memcpy(s.session, f->key.session, sizeof s.session);
	memcpy(s.keyid, keys->keyid, sizeof s.keyid);
	memcpy(s.sealed, key->sealed, sizeof s.sealed);
	memcpy(s.commitment, key->commitment, sizeof s.commitment);
	CHECK_OK(packlist_new(&list, &err), &err);
	CHECK_OK(packlist_add_session(list, &s, &err), &err);
	CHECK_OK(packlist_set_len(list, 'p', s.session, 0, 100000, &err), &err);
	CHECK_OK(packlist_add(list, &bundle, 100, &err), &err);
	CHECK_OK(packlist_encode(list, &f->packlist, &err), &err);
	packlist_free(list);
	add_root(f);
	add_small(f, "a");
}

static void
build_foreign_session(struct forge *f)
{
	struct session_key key;
	struct volume *other;

	CHECK_OK(volume_open(f->repo, "other", true, 1700000000, &other, &err), &err);
	CHECK_OK(session_key_create(&other->keys[0], &key, &err), &err);
	name_session(f, &other->keys[0], &key);
	volume_free(other);
}

static void
build_foreign_session_with_own_name(struct forge *f)
{
	struct session_key key;
	struct volume *other;

	CHECK_OK(volume_open(f->repo, "other", true, 1700000000, &other, &err), &err);
	CHECK_OK(session_key_create(&other->keys[0], &key, &err), &err);
	name_session(f, f->keys, &key);
	volume_free(other);
}

static void
build_session_of_another_commitment(struct forge *f)
{
	struct session_key key = f->key;

	key.commitment[0] ^= 1;
	name_session(f, f->keys, &key);
}

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
	x = part(&ref, 0, MIN(plen, 10u));
	add_root(f);
	add_extents(f, "a", NULL, &x, 1);
	add_small(f, "b");
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

/* How many, as long as time does not matter; a twentieth of it otherwise. */
static unsigned
scaled(unsigned n)
{
	return getenv("HOSTILE_FULL") != NULL ? n : n / 20;
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
	add_root(f);
	for (unsigned i = 0; i < scaled(100000); i++) {
		struct extent x = part(&ref, i * 83, 3);

		(void)snprintf(name, sizeof name, "%06u", i);
		add_extents(f, name, NULL, &x, 1);
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
	struct extent x[2] = {part(&bundle, 0, 10), {.kind = EXTENT_HOLE, .len = 1}};
	struct entry e = make(ENTRY_FILE, "");
	char name[16];

	make_set(&set, "nowhere.x", set_len);
	e.xattrs = set.data;
	e.xattrs_len = set.len;
	e.nlink = nlink;
	add_root(f);
	for (unsigned i = 0; i < count; i++) {
		(void)snprintf(name, sizeof name, "%08u", i);
		e.ino = i + 1;
		add_extents(f, name, &e, x, hole ? 2 : 1);
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
	add_many_with_attributes(f, 1024, scaled(1000000), true, 1);
}

/* Folders in folders. */
static void
build_deep_with(struct forge *f, unsigned depth, const struct buf *set)
{
	CLEANUP_FREE char *path = malloc(2 * (size_t)depth + 2);
	struct entry e = make(ENTRY_FOLDER, "");

	CHECK(path != NULL);
	add_root(f);
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
	build_deep_with(f, scaled(30000), NULL);
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
	struct extent x[2] = {part(&bundle, 0, 10), {.kind = EXTENT_HOLE, .len = 1}};
	struct entry e = make(ENTRY_FOLDER, "");
	size_t len = 0;

	CHECK(path != NULL);
	add_root(f);
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
		add_extents(f, path, NULL, x, 2);
	}
}

static const struct hostile {
	const char *name;
	int want; /* of the import */
	void (*build)(struct forge *);
	void (*after)(void);
	size_t capacity; /* of a pack, if more than usual */
} cases[] = {
    {"a catalog frame as content", C, build_catalog_frame_as_content, NULL, 0},
    {"extents less than the size", C, build_sum_too_small, NULL, 0},
    {"extents more than the size", C, build_sum_too_large, NULL, 0},
    {"extents that overflow", C, build_sum_overflow, NULL, 0},
    {"extent beyond its frame", C, build_beyond_frame, NULL, 0},
    {"extent beyond its frame, wrapped", C, build_beyond_frame_wrapped, NULL, 0},
    {"extent of nothing", C, build_zero_extent, NULL, 0},
    {"file of 2^62", C, build_huge_size, NULL, 0},
    {"hole of 2^60", ANY, build_huge_hole, NULL, 0},
    {"zeros of 2^60", ANY_FAILURE, build_huge_zeros, NULL, 0},
    {"segment of a small file", 0, build_segment_small_file, NULL, 0},
    {"segment of the wrong length", C, build_segment_wrong_length, NULL, 0},
    {"segment that is data", C, build_segment_is_data, NULL, 0},
    {"segment of segments", C, build_segment_of_segments, NULL, 0},
    {"segments that are not there", C, build_too_many_segments, NULL, 0},
    {"a quarter million times one segment", ANY, build_segments_all_alike, NULL, 0},
    {"extents in a folder", C, build_extents_in_folder, NULL, 0},
    {"frame for no one", C, build_frame_for_no_one, NULL, 0},
    {"frame that is contradicted", C, build_frame_contradicted, NULL, 0},
    {"frame behind its pack", C, build_frame_behind_pack, NULL, 0},
    {"frame of no session", C, build_frame_of_no_session, NULL, 0},
    {"frames over each other", C, build_frames_overlapping, NULL, 0},
    {"part of a bundle without id", C, build_no_bundle_id, NULL, 0},
    {"a device among files", C, build_volume_in_files, NULL, 0},
    {"device", 0, build_device, NULL, 0},
    {"device that is smaller", C, build_device_smaller, NULL, 0},
    {"device that is larger", C, build_device_larger, NULL, 0},
    {"device that is huge", C, build_device_huge, NULL, 0},
    {"device and file", C, build_device_and_file, NULL, 0},
    {"device and file in the next block", C, build_device_and_file_in_next_block, NULL, 0},
    {"device of files", C, build_device_of_files, NULL, 0},
    {"marker", C, build_marker, NULL, 0},
    {"marker is a symlink", C, build_marker_is_symlink, NULL, 0},
    {"in the marker", C, build_in_marker, NULL, 0},
    {"another marker", 0, build_other_marker, NULL, 0},
    {"links of other sizes", 0, build_links_of_other_sizes, NULL, 0},
    {"links of other types", 0, build_links_of_other_types, NULL, 0},
    {"links of other owners", 0, build_links_of_other_owners, after_links_of_other_owners, 0},
    {"links of a damaged file", C, build_links_damaged, after_links_damaged, 0},
    {"block twice", C, build_block_twice, NULL, 0},
    {"wrong count", C, build_wrong_count, NULL, 0},
    {"empty block", C, build_empty_block, NULL, 0},
    {"bad separator", C, build_bad_separator, NULL, 0},
    {"no blocks", C, build_no_blocks, NULL, 0},
    {"root is noise", C, build_root_is_noise, NULL, 0},
    {"packlist without session", C, build_packlist_without_session, NULL, 0},
    {"packlist with noise", C, build_packlist_with_noise, NULL, 0},
    {"session of another volume", C, build_foreign_session, NULL, 0},
    {"session of another volume by another name", C, build_foreign_session_with_own_name, NULL, 0},
    {"session of another commitment", C, build_session_of_another_commitment, NULL, 0},
    {"bomb that is larger", C, build_bomb_larger, NULL, 0},
    {"bomb that is smaller", C, build_bomb_smaller, NULL, 0},
    {"bomb that is too short", C, build_bomb_short, NULL, 0},
    {"bomb with a window", C, build_bomb_window, NULL, 0},
    {"skippable frame", C, build_skippable, NULL, 0},
    {"zeros that are wanted often", 0, build_zeros_wanted_often, NULL, 32 << 20},
    {"attributes of small files", 0, build_attributes_small, NULL, 0},
    {"attributes of large files", 0, build_attributes_large, NULL, 0},
    {"attributes of links", 0, build_attributes_links, NULL, 0},
    {"attributes of many files", 0, build_attributes_many, NULL, 0},
    {"deep", 0, build_deep, NULL, 0},
    {"deep with attributes", C, build_deep_attributes, NULL, 0},
    {"deep with many files", 0, build_deep_many, NULL, 0},
};

/* ---- running them ---- */

static struct stat canary;

/* Beside the target, where "../canary" leads. */
static void
make_canary(void)
{
	CHECK(mkdir(flow_path(&flow, "canary"), 0711) == 0);
	flow_write(flow_path(&flow, "canary/keep"), 1, 5);
	CHECK(stat(flow_path(&flow, "canary"), &canary) == 0);
}

static size_t
count_names(const char *path)
{
	DIR *d = opendir(path);
	size_t n = 0;

	CHECK(d != NULL);
	while (readdir(d) != NULL)
		n++;
	(void)closedir(d);
	return n - 2;
}

static void
check_canary(void)
{
	struct stat st;

	CHECK(stat(flow_path(&flow, "canary"), &st) == 0);
	CHECK_INT(st.st_mode, canary.st_mode);
	CHECK_INT(st.st_mtim.tv_sec, canary.st_mtim.tv_sec);
	CHECK_INT(st.st_ctim.tv_sec, canary.st_ctim.tv_sec);
	CHECK_INT(st.st_ctim.tv_nsec, canary.st_ctim.tv_nsec);
	CHECK_INT(count_names(flow_path(&flow, "canary")), 1);
	CHECK(stat(flow_path(&flow, "canary/keep"), &st) == 0);
	CHECK_INT(st.st_size, 5);
	CHECK_INT(st.st_nlink, 1);
	/* Nothing else is in the folder around than canary and target. */
	CHECK(count_names(flow.base) <= 2);
}

/* A line of /proc/self/status, in KiB; 0 where that cannot be measured. */
static size_t
status(const char *what)
{
	FILE *file = fopen("/proc/self/status", "r");
	char line[256];
	size_t value = 0;

	while (file != NULL && fgets(line, sizeof line, file) != NULL)
		if (strncmp(line, what, strlen(what)) == 0)
			value = strtoull(line + strlen(what), NULL, 10);
	if (file != NULL)
		(void)fclose(file);
	return value;
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif

/* Sanitizers and valgrind need memory of their own. */
static bool
memory_counts(void)
{
#ifdef SANITIZED
	return false;
#else
	const char *preload = getenv("LD_PRELOAD");

	return preload == NULL || strstr(preload, "vgpreload") == NULL;
#endif
}

/* The peak is that from here on. */
static size_t
memory_start(void)
{
	CLEANUP_CLOSE int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "5", 1) != 1)
		return 0;
	return status("VmRSS:");
}

static size_t largest;

static void
memory_check(const char *name, const char *doing, size_t before)
{
	size_t peak = status("VmHWM:");

	if (!memory_counts() || before == 0 || peak < before)
		return;
	if (getenv("HOSTILE_VERBOSE") != NULL)
		(void)fprintf(stderr, "  %s: %s: %zu KiB\n", name, doing, peak - before);
	largest = MAX(largest, peak - before);
	if (peak - before > MEMORY_MAX) {
		(void)fprintf(stderr, "%s: %s took %zu KiB\n", name, doing, peak - before);
		failures++;
	}
}

/* Folders may be nested deeper than recursion and paths can go: what is in a folder is moved up first. */
static void
remove_deep(const char *path)
{
	char from[600], to[600];
	bool again = true;

	for (unsigned n = 0; again; n++) {
		DIR *d = opendir(path), *inner;
		struct dirent *e, *i;

		again = false;
		if (d == NULL)
			break;
		while ((e = readdir(d)) != NULL) {
			if (e->d_type != DT_DIR || strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
				continue;
			(void)snprintf(from, sizeof from, "%s/%s", path, e->d_name);
			(void)chmod(from, 0700);
			inner = opendir(from);
			while (inner != NULL && (i = readdir(inner)) != NULL) {
				if (i->d_type != DT_DIR || strcmp(i->d_name, ".") == 0 || strcmp(i->d_name, "..") == 0)
					continue;
				(void)snprintf(to, sizeof to, "%s/=%u", path, n);
				(void)renameat(dirfd(inner), i->d_name, AT_FDCWD, to);
				again = true;
			}
			if (inner != NULL)
				(void)closedir(inner);
			flow_remove(from);
			if (again)
				break;
		}
		(void)closedir(d);
	}
	flow_remove(path);
}

static struct report *
quiet_report(void)
{
	struct report_options o = {.command = "test", .json = getenv("HOSTILE_VERBOSE") == NULL, .quiet = true};
	struct report *report;

	CHECK_OK(report_new(&o, &report, &err), &err);
	return report;
}

/* As ls -R and tar do. */
static void
read_all(const struct volume *v, const struct snapshot *s, struct report *report)
{
	CLEANUP_CLOSE int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	struct catalog_reader *reader;
	struct progress progress = {0};
	struct frames *frames;
	struct error ignored;
	struct entry e;
	struct tar *tar;
	int r = 0;

	CHECK_OK(frames_new(v, s->keyring, &frames, &err), &err);
	CHECK_OK(tar_new(null, frames, report, &progress, &tar, &err), &err);
	CHECK_OK(catalog_reader_new(s, 2, &reader, &err), &err);
	while (r == 0 && catalog_reader_next(reader, &e, &ignored) > 0)
		/* What is huge in an archive is not worth the time. */
		r = e.size > 1u << 30 ? 0 : tar_add(tar, &e, &ignored);
	if (r == 0)
		(void)tar_finish(tar, &ignored);
	tar_free(tar);
	catalog_reader_free(reader);
	frames_free(frames);
}

static int
ignore_change(void *arg, const struct diff_change *change, struct error *e)
{
	(void)arg;
	(void)change;
	(void)e;
	return 0;
}

static void
compare_all(const struct snapshot *s, struct report *report)
{
	struct progress progress = {0};
	const struct diff d = {.report = report, .progress = &progress, .fn = ignore_change};
	struct error ignored;
	struct stat st;

	(void)diff_snapshots(&d, s, s, &ignored);
	if (s->manifest.mode == MODE_FILE && stat(flow.target, &st) == 0)
		(void)diff_folder(&d, s, flow.target, &ignored);
	else if (s->manifest.mode == MODE_BLOCK && stat(flow.target, &st) == 0 && s->manifest.size < 1u << 30)
		(void)diff_device(&d, s, flow.target, &ignored);
}

static void
look_around(const char *name, const char *id, bool good)
{
	struct verify_options o = {.level = VERIFY_LEVEL_MAX, .sample = 100, .threads = 2};
	struct report *report = quiet_report();
	struct verify_result result = {0};
	struct progress progress = {0};
	struct snapshot *s = NULL;
	struct error ignored;
	struct manifest m;
	struct volume *v;
	size_t before = memory_start();

	CHECK_OK(volume_open(flow.repo, FLOW_VOLUME, false, 0, &v, &err), &err);
	CHECK_OK(verify_volume(v, &o, report, &progress, &result, &err), &err);
	if (good && result.damage > 0)
		(void)fprintf(stderr, "%s: verify finds damage\n", name);
	CHECK(!good || result.damage == 0);
	memory_check(name, "verify", before);
	before = memory_start();
	CHECK_OK(snapshot_load(v, id, &m, &err), &err);
	if (snapshot_open(v, &m, &s, &ignored) == 0) {
		read_all(v, s, report);
		memory_check(name, "tar", before);
		before = memory_start();
		compare_all(s, report);
		memory_check(name, "diff", before);
	}
	snapshot_free(s);
	volume_free(v);
	report_free(report);
}

static void
judge(const char *name, int want, int got, const struct error *why)
{
	if (getenv("HOSTILE_VERBOSE") != NULL)
		(void)fprintf(stderr, "%s: %d%s%s\n", name, got, got < 0 ? ": " : "", got < 0 ? why->msg : "");
	if (want == ANY || (want == ANY_FAILURE && got < 0) || got == want)
		return;
	(void)fprintf(stderr, "%s: the import gave %d, not %d: %s\n", name, got, want, got < 0 ? why->msg : "");
	failures++;
}

static void
begin(struct forge *f, size_t capacity)
{
	flow_new_repo(&flow);
	forge_begin(f, flow.repo, FLOW_VOLUME, 1, capacity);
	bundle = forge_frame(f, FRAME_BUNDLE, content, 4096, true);
	chunk = forge_frame(f, FRAME_DATA, content, sizeof content, true);
}

static void
run(const char *name, const struct tree *tree, const struct hostile *h)
{
	struct import_options o = {.target = flow.target, .threads = 2, .connections = 2};
	int want = h != NULL ? h->want : tree->want, got;
	struct error why = {0};
	struct forge f;
	size_t before;

	begin(&f, h != NULL && h->capacity > 0 ? h->capacity : 4u << 20);
	if (h != NULL)
		h->build(&f);
	else
		build_tree(&f, tree);
	forge_commit(&f);

	before = memory_start();
	got = flow_import_with(&flow, f.manifest.snapshot, &o, NULL, &why);
	memory_check(name, "import", before);
	judge(name, want, got, &why);
	check_canary();
	if (h != NULL && h->after != NULL)
		h->after();
	look_around(name, f.manifest.snapshot, got == 0 && want == 0 && h == NULL);
	o.dry_run = true;
	(void)flow_import_with(&flow, f.manifest.snapshot, &o, NULL, &why);
	check_canary();
	remove_deep(flow.target);
	forge_end(&f);
}

/* A catalog over an older import that left a symlink in the place of a folder. */
static void
test_over_symlinks(void)
{
	static const struct tree first = {"first", 0, {SYMLINK("a", "../canary"), SYMLINK("b", "../canary/keep")}};
	static const struct tree second = {"second", 0, {FOLDER("a"), FILE_("a/keep"), FILE_("b")}};
	const struct tree *const both[] = {&first, &second};
	struct import_options o = {.target = flow.target, .threads = 2, .connections = 2, .overwrite = true};

	for (size_t i = 0; i < COUNT_OF(both); i++) {
		struct forge f;

		begin(&f, 4u << 20);
		build_tree(&f, both[i]);
		forge_commit(&f);
		CHECK_OK(flow_import_with(&flow, f.manifest.snapshot, &o, NULL, &err), &err);
		check_canary();
		forge_end(&f);
	}
	remove_deep(flow.target);
}

int
main(int argc, char **argv)
{
	(void)alarm(getenv("HOSTILE_FULL") != NULL ? 3600 : 600);
	flow_begin(&flow);
	make_canary();
	for (size_t i = 0; i < sizeof content; i++)
		content[i] = (uint8_t)(i * 31 + (i >> 7));
	for (size_t i = 0; i < COUNT_OF(trees); i++)
		if (argc < 2 || strstr(trees[i].name, argv[1]) != NULL)
			run(trees[i].name, &trees[i], NULL);
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		if (argc < 2 || strstr(cases[i].name, argv[1]) != NULL)
			run(cases[i].name, NULL, &cases[i]);
	if (argc < 2)
		test_over_symlinks();
	if (memory_counts())
		(void)fprintf(stderr, "hostile: at most %zu KiB more than before\n", largest);
	flow_end(&flow);
	CHECK_INT(failures, 0);
	return 0;
}
