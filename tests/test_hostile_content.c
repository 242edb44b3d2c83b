/* Forged contents: extents, segments and frames that contradict each other; devices. */
#include "hostile.h"

#include "buf.h"
#include "check.h"
#include "cleanup.h"

#define C ERR_CORRUPT

static void
build_catalog_frame_as_content(struct forge *f)
{
	struct frame_ref meta = forge_frame(f, FRAME_CATALOG, "C\1 not really", 14, true);
	struct extent x = hostile_part(&meta, 0, 14);

	hostile_root(f);
	hostile_extents(f, "a", NULL, &x, 1);
}

static void
build_sum_too_small(struct forge *f)
{
	struct extent x = hostile_part(&hostile_bundle, 0, 10);
	struct entry e = hostile_entry(ENTRY_FILE, "a");

	hostile_root(f);
	e.size = 11;
	e.extents = &x;
	e.nextents = 1;
	forge_entry(f, &e);
}

static void
build_sum_too_large(struct forge *f)
{
	struct extent x[2] = {hostile_part(&hostile_bundle, 0, 10), hostile_part(&hostile_bundle, 10, 10)};
	struct entry e = hostile_entry(ENTRY_FILE, "a");

	hostile_root(f);
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
	struct entry e = hostile_entry(ENTRY_FILE, "a");

	hostile_root(f);
	e.size = 5;
	e.extents = x;
	e.nextents = 3;
	forge_entry(f, &e);
}

static void
build_beyond_frame(struct forge *f)
{
	struct extent x = hostile_part(&hostile_bundle, 4000, 97);

	hostile_root(f);
	hostile_extents(f, "a", NULL, &x, 1);
}

static void
build_beyond_frame_wrapped(struct forge *f)
{
	struct extent x = hostile_part(&hostile_bundle, UINT32_MAX - 1, 100);

	hostile_root(f);
	hostile_extents(f, "a", NULL, &x, 1);
}

static void
build_zero_extent(struct forge *f)
{
	struct extent x[2] = {hostile_part(&hostile_bundle, 0, 10), {.kind = EXTENT_HOLE}};

	hostile_root(f);
	hostile_extents(f, "a", NULL, x, 2);
}

static void
build_huge_size(struct forge *f)
{
	struct extent x = hostile_part(&hostile_bundle, 0, UINT64_C(1) << 62);

	hostile_root(f);
	hostile_extents(f, "a", NULL, &x, 1);
}

static void
build_huge_hole(struct forge *f)
{
	struct extent x[2] = {hostile_part(&hostile_bundle, 0, 10), {.kind = EXTENT_HOLE, .len = UINT64_C(1) << 60}};

	hostile_root(f);
	hostile_extents(f, "a", NULL, x, 2);
}

static void
build_huge_zeros(struct forge *f)
{
	struct extent x[2] = {hostile_part(&hostile_bundle, 0, 10), {.kind = EXTENT_ZEROS, .len = UINT64_C(1) << 60}};

	hostile_root(f);
	hostile_extents(f, "a", NULL, x, 2);
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
	struct entry e = hostile_entry(type, path);

	e.size = size;
	e.segments = s;
	e.nsegments = n;
	forge_entry(f, &e);
}

/* Allowed, if unusual. */
static void
build_segment_small_file(struct forge *f)
{
	struct extent x = hostile_part(&hostile_bundle, 3, 100);
	struct frame_ref s = make_segment(f, &x, 1);

	hostile_root(f);
	add_segments(f, "a", ENTRY_FILE, &s, 1, 100);
}

static void
build_segment_wrong_length(struct forge *f)
{
	struct extent x = hostile_part(&hostile_bundle, 3, 100);
	struct frame_ref s = make_segment(f, &x, 1);

	hostile_root(f);
	add_segments(f, "a", ENTRY_FILE, &s, 1, 101);
	hostile_small(f, "b");
}

static void
build_segment_is_data(struct forge *f)
{
	hostile_root(f);
	add_segments(f, "a", ENTRY_FILE, &hostile_bundle, 1, 100);
}

static void
build_segment_of_segments(struct forge *f)
{
	struct extent x = hostile_part(&hostile_bundle, 3, 100), y;
	struct frame_ref s = make_segment(f, &x, 1), t;

	y = hostile_part(&s, 0, s.plen);
	t = make_segment(f, &y, 1);
	hostile_root(f);
	add_segments(f, "a", ENTRY_FILE, &t, 1, s.plen);
}

static void
build_too_many_segments(struct forge *f)
{
	hostile_root(f);
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
	hostile_root(f);
	add_segments(f, "a", ENTRY_FILE, many, ENTRY_SEGMENTS_MAX, ENTRY_SEGMENTS_MAX * SEGMENT_SIZE);
}

static void
build_extents_in_folder(struct forge *f)
{
	struct entry e = hostile_entry(ENTRY_FOLDER, "a");
	uint8_t behind[4] = {1};

	behind[1] = (uint8_t)(forge_difference(f, &hostile_bundle) << 2);
	hostile_root(f);
	forge_entry_raw(f, &e, behind, sizeof behind);
}

static void
build_frame_for_no_one(struct forge *f)
{
	hostile_root(f);
	(void)forge_difference(f, &hostile_bundle);
}

static void
build_frame_contradicted(struct forge *f)
{
	struct frame_ref other = hostile_bundle;
	struct extent x[2] = {hostile_part(&hostile_bundle, 0, 10), hostile_part(&other, 0, 10)};

	other.plen = 4000;
	x[1].frame.plen = 4000;
	hostile_root(f);
	hostile_extents(f, "a", NULL, &x[0], 1);
	hostile_extents(f, "b", NULL, &x[1], 1);
}

static void
build_frame_behind_pack(struct forge *f)
{
	struct frame_ref other = hostile_bundle;
	struct extent x;

	other.offset = 1u << 30;
	x = hostile_part(&other, 0, 10);
	hostile_root(f);
	hostile_extents(f, "a", NULL, &x, 1);
	hostile_small(f, "b");
}

static void
build_frame_of_no_session(struct forge *f)
{
	struct frame_ref other = hostile_bundle;
	struct extent x;

	memset(other.session, 0xEE, sizeof other.session);
	x = hostile_part(&other, 0, 10);
	hostile_root(f);
	hostile_extents(f, "a", NULL, &x, 1);
	hostile_small(f, "b");
}

/* Thousands of frames over each other: fetched at once, but never more than fits into a buffer. */
static void
build_frames_overlapping(struct forge *f)
{
	char name[16];

	hostile_root(f);
	for (unsigned i = 0; i < 3000; i++) {
		struct frame_ref other = hostile_chunk;
		struct extent x;

		other.offset += i * 7;
		other.clen = 60000 + i;
		x = hostile_part(&other, 0, 10);
		(void)snprintf(name, sizeof name, "%05u", i);
		hostile_extents(f, name, NULL, &x, 1);
	}
}

static void
build_no_bundle_id(struct forge *f)
{
	struct entry e = hostile_entry(ENTRY_FILE, "a");
	uint8_t behind[] = {1, 0, 0, 10};

	hostile_root(f);
	e.size = 10;
	behind[1] = (uint8_t)(forge_difference(f, &hostile_bundle) << 2 | 1);
	forge_entry_raw(f, &e, behind, sizeof behind);
}

/* ---- devices ---- */

static void
build_volume_in_files(struct forge *f)
{
	struct extent x = hostile_part(&hostile_chunk, 0, 65536);
	struct entry e = hostile_entry(ENTRY_VOLUME, "");

	hostile_extents(f, "", &e, &x, 1);
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
	hostile_small(f, "a");
}

static void
build_device_and_file_in_next_block(struct forge *f)
{
	add_volume(f, 65536);
	forge_block_end(f);
	hostile_small(f, "a");
}

static void
build_device_of_files(struct forge *f)
{
	hostile_root(f);
	hostile_small(f, "a");
	f->manifest.mode = MODE_BLOCK;
	f->manifest.size = 100;
}

static const struct hostile_case cases[] = {
    {"a catalog frame as content", C, .build = build_catalog_frame_as_content},
    {"extents less than the size", C, .build = build_sum_too_small},
    {"extents more than the size", C, .build = build_sum_too_large},
    {"extents that overflow", C, .build = build_sum_overflow},
    {"extent beyond its frame", C, .build = build_beyond_frame},
    {"extent beyond its frame, wrapped", C, .build = build_beyond_frame_wrapped},
    {"extent of nothing", C, .build = build_zero_extent},
    {"file of 2^62", C, .build = build_huge_size},
    {"hole of 2^60", HOSTILE_ANY, .build = build_huge_hole},
    {"zeros of 2^60", HOSTILE_FAILS, .build = build_huge_zeros},
    {"segment of a small file", 0, .build = build_segment_small_file},
    {"segment of the wrong length", C, .build = build_segment_wrong_length},
    {"segment that is data", C, .build = build_segment_is_data},
    {"segment of segments", C, .build = build_segment_of_segments},
    {"segments that are not there", C, .build = build_too_many_segments},
    {"a quarter million times one segment", HOSTILE_ANY, .build = build_segments_all_alike},
    {"extents in a folder", C, .build = build_extents_in_folder},
    {"frame for no one", C, .build = build_frame_for_no_one},
    {"frame that is contradicted", C, .build = build_frame_contradicted},
    {"frame behind its pack", C, .build = build_frame_behind_pack},
    {"frame of no session", C, .build = build_frame_of_no_session},
    {"frames over each other", C, .build = build_frames_overlapping},
    {"part of a bundle without id", C, .build = build_no_bundle_id},
    {"a device among files", C, .build = build_volume_in_files},
    {"device", 0, .build = build_device},
    {"device that is smaller", C, .build = build_device_smaller},
    {"device that is larger", C, .build = build_device_larger},
    {"device that is huge", C, .build = build_device_huge},
    {"device and file", C, .build = build_device_and_file},
    {"device and file in the next block", C, .build = build_device_and_file_in_next_block},
    {"device of files", C, .build = build_device_of_files},
};

int
main(int argc, char **argv)
{
	return hostile_main(argc, argv, cases, COUNT_OF(cases), false);
}
