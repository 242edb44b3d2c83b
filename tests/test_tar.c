/*
 * The parts of tar.h that need no repository: names, ACLs, maps of sparse files, hard links.
 */
#include <archive.h>
#include <archive_entry.h>
#include <unistd.h>

#include "check.h"
#include "cleanup.h"
#include "tar.h"

static void
test_text(void)
{
	static const struct {
		const char *bytes;
		bool want;
	} cases[] = {
	    {"", true},
	    {"plain", true},
	    {"\xc3\xbc", true},
	    {"\xe2\x98\x83", true},
	    {"\xf0\x9f\x98\x80", true},
	    {"\xf4\x8f\xbf\xbf", true},
	    {"\xff", false},
	    {"\x80", false},
	    {"\xc3", false},
	    {"\xc3-", false},
	    {"\xc0\xaf", false},
	    {"\xe0\x80\x80", false},
	    {"\xed\xa0\xbd\xed\xb8\x80", false},
	    {"\xf0\x80\x80\x80", false},
	    {"\xf4\x90\x80\x80", false},
	    {"\xe2\x98", false},
	    /* A mark that would be joined with the letter before. */
	    {"u\xcc\x88", false},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++)
		CHECK_INT(tar_is_text(cases[i].bytes, strlen(cases[i].bytes)), cases[i].want);
}

/* user::rw- user:1001:rwx group::r-- group:70000:r-x mask::rwx other::--- */
static const uint8_t acl[] = {2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 7, 0, 0xe9, 3, 0, 0, 4, 0, 4, 0, 255,
    255, 255, 255, 8, 0, 5, 0, 0x70, 0x11, 1, 0, 16, 0, 7, 0, 255, 255, 255, 255, 32, 0, 0, 0, 255, 255, 255, 255};

static void
test_acl(void)
{
	static const struct {
		int tag, id, perm;
	} want[] = {
	    {ARCHIVE_ENTRY_ACL_USER_OBJ, -1, 6},
	    {ARCHIVE_ENTRY_ACL_GROUP_OBJ, -1, 4},
	    {ARCHIVE_ENTRY_ACL_OTHER, -1, 0},
	    {ARCHIVE_ENTRY_ACL_USER, 1001, 7},
	    {ARCHIVE_ENTRY_ACL_GROUP, 70000, 5},
	    {ARCHIVE_ENTRY_ACL_MASK, -1, 7},
	};
	struct archive_entry *ae = archive_entry_new();
	int type, perm, tag, id;
	const char *name;

	archive_entry_set_perm(ae, 0674);
	CHECK(tar_acl(ae, acl, sizeof(acl), false));
	CHECK_INT(archive_entry_acl_reset(ae, ARCHIVE_ENTRY_ACL_TYPE_ACCESS), COUNT_OF(want));
	for (size_t i = 0; i < COUNT_OF(want); i++) {
		CHECK_INT(archive_entry_acl_next(ae, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, &type, &perm, &tag, &id, &name), 0);
		CHECK_INT(tag, want[i].tag);
		CHECK_INT(perm, want[i].perm);
		if (want[i].id >= 0)
			CHECK_INT(id, want[i].id);
	}
	CHECK(tar_acl(ae, acl, sizeof(acl), true));
	CHECK_INT(archive_entry_acl_count(ae, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT), COUNT_OF(want));
	archive_entry_free(ae);
}

/* What is no ACL is refused, and nothing of it is taken. */
static void
test_bad_acl(void)
{
	struct archive_entry *ae = archive_entry_new();
	uint8_t bad[sizeof(acl)];

	for (size_t len = 0; len < sizeof(acl); len++)
		if (len < 4 || (len - 4) % 8 != 0)
			CHECK(!tar_acl(ae, acl, len, true));
	memcpy(bad, acl, sizeof(acl));
	bad[0] = 1;
	CHECK(!tar_acl(ae, bad, sizeof(bad), true));
	memcpy(bad, acl, sizeof(acl));
	bad[sizeof(bad) - 8] = 64;
	CHECK(!tar_acl(ae, bad, sizeof(bad), true));
	memcpy(bad, acl, sizeof(acl));
	bad[sizeof(bad) - 6] = 8;
	CHECK(!tar_acl(ae, bad, sizeof(bad), true));
	CHECK_INT(archive_entry_acl_count(ae, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT), 0);
	archive_entry_free(ae);
}

/* What an archive says of a time: the value of the key in its extended header, or NULL. */
static const char *
archived_time(const char *key, int64_t s, uint32_t ns, char out[64])
{
	struct entry e = {.path = "x", .path_len = 1, .type = ENTRY_FILE};
	struct archive_entry *ae = archive_entry_new();
	struct archive *a = archive_write_new();
	char bytes[8192], *at;
	size_t used = 0;
	struct error err;

	e.mtime_s = e.ctime_s = s;
	e.mtime_ns = e.ctime_ns = ns;
	CHECK_OK(tar_header(ae, &e, false, &err), &err);
	CHECK(archive_write_set_format_pax(a) == ARCHIVE_OK);
	CHECK(archive_write_open_memory(a, bytes, sizeof(bytes), &used) == ARCHIVE_OK);
	CHECK(archive_write_header(a, ae) == ARCHIVE_OK);
	CHECK(archive_write_free(a) == ARCHIVE_OK);
	archive_entry_free(ae);
	at = memmem(bytes, used, key, strlen(key));
	if (at == NULL)
		return NULL;
	CHECK(sscanf(at + strlen(key), "=%63[^\n]", out) == 1);
	return out;
}

/* As POSIX has it: the decimal number of seconds, with its sign in front. */
static void
test_times(void)
{
	static const struct {
		int64_t s;
		uint32_t ns;
		const char *want;
	} cases[] = {
	    {1, 500000000, "1.5"},
	    {0, 1, "0.000000001"},
	    {-1, 0, "-1"},
	    {-2, 500000000, "-1.5"},
	    {-2, 1, "-1.999999999"},
	    {-2, 999999999, "-1.000000001"},
	    {-2, 0, "-2"},
	    {-315619200, 999999999, "-315619199.000000001"},
	    {-1001, 100000000, "-1000.9"},
	    /* "-0.5" cannot be written. */
	    {-1, 500000000, "-1"},
	};
	char text[64];

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		CHECK_STR(archived_time("mtime", cases[i].s, cases[i].ns, text), cases[i].want);
		CHECK_STR(archived_time("ctime", cases[i].s, cases[i].ns, text), cases[i].want);
	}
	CHECK(archived_time("mtime", 5, 0, text) == NULL);
}

static void
test_runs(void)
{
	struct tar_runs r = {0};
	struct error err;

	CHECK_OK(tar_runs_add(&r, 0, 10, &err), &err);
	CHECK_OK(tar_runs_add(&r, 10, 5, &err), &err);
	CHECK_OK(tar_runs_add(&r, 20, 5, &err), &err);
	CHECK_INT(r.count, 2);
	CHECK_INT(r.runs[0].len, 15);
	CHECK_INT(r.runs[1].offset, 20);
	tar_runs_wipe(&r);
}

/* However many runs there are, the map is bounded, covers all of them and keeps the large gaps. */
static void
test_many_runs(void)
{
	struct tar_runs r = {0};
	const uint64_t count = 4 * TAR_RUNS_MAX;
	uint64_t offset = 0, end = 0;
	struct error err;
	size_t large = 0;

	for (uint64_t i = 0; i < count; i++) {
		CHECK_OK(tar_runs_add(&r, offset, 4096, &err), &err);
		end = offset + 4096;
		offset = end + (i % 1000 == 999 ? UINT64_C(1) << 40 : 4096);
	}
	CHECK(r.count <= TAR_RUNS_MAX);
	CHECK(r.runs[0].offset == 0);
	CHECK(r.runs[r.count - 1].offset + r.runs[r.count - 1].len == end);
	for (size_t i = 1; i < r.count; i++) {
		uint64_t gap = r.runs[i].offset - (r.runs[i - 1].offset + r.runs[i - 1].len);

		CHECK(gap >= r.min_gap);
		large += gap == UINT64_C(1) << 40;
	}
	CHECK_INT(large, (count - 1) / 1000);
	tar_runs_wipe(&r);
}

static int
find(struct tar_links *l, uint64_t ino, uint8_t type, uint32_t nlink, const char *path, const char *want)
{
	struct entry e = {.path = path, .path_len = strlen(path), .type = type, .ino = ino, .nlink = nlink};
	const char *got = NULL;
	size_t len = 0;
	struct error err;
	bool full;
	int r = tar_links_find(l, &e, &got, &len, &full, &err);

	CHECK_INT(r, want != NULL);
	if (want != NULL) {
		CHECK_INT(len, strlen(want));
		CHECK_MEM(got, want, len);
	}
	return full;
}

static void
test_links(void)
{
	struct tar_links *l;
	struct error err;
	char path[32];

	CHECK_OK(tar_links_new(&l, &err), &err);
	CHECK_INT(find(l, 7, ENTRY_FILE, 3, "a", NULL), 0);
	CHECK_INT(find(l, 8, ENTRY_FILE, 2, "b", NULL), 0);
	CHECK_INT(find(l, 7, ENTRY_SYMLINK, 2, "c", NULL), 0);
	CHECK_INT(find(l, 7, ENTRY_FILE, 3, "d", "a"), 0);
	CHECK_INT(find(l, 7, ENTRY_FILE, 3, "e", "a"), 0);
	CHECK_INT(find(l, 7, ENTRY_SYMLINK, 2, "f", "c"), 0);
	/* The group was complete: the same number later is another file. */
	CHECK_INT(find(l, 7, ENTRY_FILE, 2, "g", NULL), 0);
	CHECK_INT(find(l, 7, ENTRY_FILE, 2, "h", "g"), 0);
	/* The table is bounded; complete groups make room. */
	for (uint64_t i = 0; i < TAR_LINKS_MAX - 1; i++) {
		(void)snprintf(path, sizeof(path), "x%llu", (unsigned long long)i);
		CHECK_INT(find(l, 1000 + i, ENTRY_FILE, 2, path, NULL), 0);
	}
	CHECK_INT(find(l, 9, ENTRY_FILE, 2, "full", NULL), 1);
	CHECK_INT(find(l, 8, ENTRY_FILE, 2, "z", "b"), 0);
	CHECK_INT(find(l, 9, ENTRY_FILE, 2, "fits", NULL), 0);
	tar_links_free(l);
}

int
main(void)
{
	(void)alarm(60);
	test_text();
	test_acl();
	test_bad_acl();
	test_times();
	test_runs();
	test_many_runs();
	test_links();
	return 0;
}
