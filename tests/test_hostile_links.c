/* Forged entries with names of the import's own, and forged groups of hard links. */
#include "hostile.h"

#include <sys/stat.h>

#include "check.h"
#include "cleanup.h"

#define C ERR_CORRUPT

static char marker[64], in_marker[80];

static void
build_marker(struct forge *f)
{
	(void)snprintf(marker, sizeof marker, ".snapferry-%s", f->manifest.snapshot);
	hostile_root(f);
	hostile_folder(f, marker);
}

static void
build_marker_is_symlink(struct forge *f)
{
	(void)snprintf(marker, sizeof marker, ".snapferry-%s", f->manifest.snapshot);
	hostile_root(f);
	hostile_symlink(f, marker, "../canary");
}

static void
build_in_marker(struct forge *f)
{
	build_marker(f);
	(void)snprintf(in_marker, sizeof in_marker, "%s/new", marker);
	hostile_symlink(f, in_marker, "../../canary");
}

static void
build_other_marker(struct forge *f)
{
	hostile_root(f);
	hostile_folder(f, ".snapferry-00000000-0000-7000-8000-000000000000");
	hostile_symlink(f, ".snapferry-00000000-0000-7000-8000-000000000000/new", "../../canary");
	hostile_symlink(f, ".snapferry-x", "../canary");
}

/* ---- hard links ---- */

static void
build_links_of_other_sizes(struct forge *f)
{
	struct extent x = hostile_part(&hostile_bundle, 0, 10), y = hostile_part(&hostile_chunk, 0, 65536);
	struct entry e = hostile_entry(ENTRY_FILE, "");

	e.nlink = 3;
	hostile_root(f);
	hostile_extents(f, "a", &e, &x, 1);
	hostile_extents(f, "b", &e, &y, 1);
	hostile_extents(f, "c", &e, NULL, 0);
}

static void
build_links_of_other_types(struct forge *f)
{
	struct extent x = hostile_part(&hostile_bundle, 0, 10);
	struct entry e = hostile_entry(ENTRY_FILE, ""), s = hostile_entry(ENTRY_SYMLINK, "b"),
		     p = hostile_entry(ENTRY_FIFO, "c"), d = hostile_entry(ENTRY_FOLDER, "d");

	e.nlink = s.nlink = p.nlink = d.nlink = 4;
	s.link = "../canary/keep";
	s.link_len = strlen(s.link);
	hostile_root(f);
	hostile_extents(f, "a", &e, &x, 1);
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
	struct extent x = hostile_part(&hostile_bundle, 0, 10), y = hostile_part(&hostile_bundle, 100, 20);
	struct entry mine = hostile_entry(ENTRY_FILE, ""), theirs = mine;

	mine.nlink = theirs.nlink = 2;
	mine.mode = 0755;
	theirs.mode = 04777;
	theirs.uid = theirs.gid = 12345;
	hostile_root(f);
	hostile_extents(f, "a", &mine, &x, 1);
	hostile_extents(f, "b", &theirs, &y, 1);
}

static void
after_links_of_other_owners(void)
{
	const char *const names[] = {"a", "b"};
	struct stat st;

	for (size_t i = 0; i < COUNT_OF(names); i++) {
		CHECK(lstat(flow_in(hostile_flow.target, names[i]), &st) == 0);
		CHECK((st.st_mode & S_ISUID) == 0 || st.st_uid == 12345);
		CHECK_INT(st.st_size, (st.st_mode & 022) != 0 ? 20 : 10);
	}
}

static void
build_links_damaged(struct forge *f)
{
	struct frame_ref other = hostile_bundle;
	struct extent x[2];
	struct entry e = hostile_entry(ENTRY_FILE, "");

	other.id[5] ^= 1;
	x[0] = hostile_part(&hostile_bundle, 0, 10);
	x[1] = hostile_part(&other, 0, 10);
	e.nlink = 3;
	hostile_root(f);
	hostile_extents(f, "a", &e, x, 2);
	hostile_extents(f, "b", &e, x, 2);
	hostile_extents(f, "c", &e, x, 2);
}

/* What could not be restored is not there under its other names either. */
static void
after_links_damaged(void)
{
	struct stat st;

	CHECK(lstat(flow_in(hostile_flow.target, "a"), &st) < 0);
	CHECK(lstat(flow_in(hostile_flow.target, "b"), &st) < 0);
	CHECK(lstat(flow_in(hostile_flow.target, "c"), &st) < 0);
}

static const struct hostile_case cases[] = {
    {"marker", C, .build = build_marker},
    {"marker is a symlink", C, .build = build_marker_is_symlink},
    {"in the marker", C, .build = build_in_marker},
    {"another marker", 0, .build = build_other_marker},
    {"links of other sizes", 0, .build = build_links_of_other_sizes},
    {"links of other types", 0, .build = build_links_of_other_types},
    {"links of other owners", 0, .build = build_links_of_other_owners, .after = after_links_of_other_owners},
    {"links of a damaged file", C, .build = build_links_damaged, .after = after_links_damaged},
};

int
main(int argc, char **argv)
{
	return hostile_main(argc, argv, cases, COUNT_OF(cases), false);
}
