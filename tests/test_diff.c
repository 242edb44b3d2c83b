/*
 * Differences: every kind of them, between snapshots and with what is on disk.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "check.h"
#include "cleanup.h"
#include "diff.h"
#include "flow.h"

static struct flow f;

static const char *
src(const char *name)
{
	return flow_in(f.source, name);
}

/* ---- running it ---- */

struct told {
	char text[4096]; /* "M path what\n", ranges as "@offset+length\n" */
	size_t len;
	int fail; /* what the callback returns */
};

static int
tell(void *arg, const struct diff_change *c, struct error *err)
{
	struct told *t = arg;
	size_t room = sizeof t->text - t->len;

	CHECK(t->len < sizeof t->text - 300);
	if (t->fail < 0)
		return error_set(err, t->fail, "enough");
	if (c->length > 0) {
		CHECK(c->kind == 'M' && c->what == DIFF_CONTENT);
		t->len += (size_t)snprintf(t->text + t->len, room, "@%llu+%llu\n", (unsigned long long)c->offset,
		    (unsigned long long)c->length);
	} else {
		CHECK_INT(c->what != 0, c->kind == 'M');
		t->len += (size_t)snprintf(
		    t->text + t->len, room, "%c %.*s %u\n", c->kind, (int)c->path_len, c->path, c->what);
	}
	return 0;
}

struct sides {
	struct volume *volume;
	struct snapshot *list[4];
	size_t count;
};

static void
sides_open(struct sides *s)
{
	CLEANUP_FREE char(*ids)[SNAPSHOT_ID_LEN + 1] = NULL;
	struct error err;

	CHECK_OK(volume_open(f.repo, FLOW_VOLUME, false, 0, &s->volume, &err), &err);
	CHECK_OK(snapshot_ids(s->volume, &ids, &s->count, &err), &err);
	CHECK(s->count <= COUNT_OF(s->list));
	for (size_t i = 0; i < s->count; i++) {
		struct manifest m;

		CHECK_OK(snapshot_load(s->volume, ids[i], &m, &err), &err);
		CHECK_OK(snapshot_open(s->volume, &m, &s->list[i], &err), &err);
	}
}

static void
sides_close(struct sides *s)
{
	for (size_t i = 0; i < s->count; i++)
		snapshot_free(s->list[i]);
	volume_free(s->volume);
}

enum second { SNAPSHOT, FOLDER, QUICK, DEVICE };

/* b for snapshots, place for the others. */
static int
run(enum second second, const struct snapshot *a, const struct snapshot *b, const char *place, struct told *t,
    struct error *err)
{
	struct report_options ro = {.command = "test", .json = true, .quiet = true};
	struct diff d = {.progress = &f.progress, .quick = second == QUICK, .fn = tell, .arg = t};
	int r;

	CHECK_OK(report_new(&ro, &d.report, err), err);
	r = second == SNAPSHOT ? diff_snapshots(&d, a, b, err)
	    : second == DEVICE ? diff_device(&d, a, place, err)
			       : diff_folder(&d, a, place, err);
	f.warnings = report_warnings(d.report);
	report_free(d.report);
	return r;
}

static void
check(enum second second, const struct snapshot *a, const struct snapshot *b, const char *place, const char *want)
{
	struct told t = {.len = 0};
	struct error err;

	CHECK_OK(run(second, a, b, place, &t, &err), &err);
	CHECK_STR(t.text, want);
	CHECK_INT(f.warnings, 0);
}

static void
must_export(enum manifest_mode mode)
{
	struct export_options o = flow_export_options(f.source);
	struct error err;

	o.mode = mode;
	CHECK_OK(flow_export(&f, &o, NULL, &err), &err);
}

static void
set_mtime(const char *name, time_t s)
{
	const struct timespec times[2] = {{.tv_sec = s}, {.tv_sec = s}};

	CHECK(utimensat(AT_FDCWD, src(name), times, AT_SYMLINK_NOFOLLOW) == 0);
}

/* ---- kinds ---- */

static void
write_at(const char *name, off_t at, const char *bytes)
{
	CLEANUP_CLOSE int fd = open(src(name), O_WRONLY);

	CHECK(fd >= 0 && pwrite(fd, bytes, strlen(bytes), at) == (ssize_t)strlen(bytes));
}

static void
add(void)
{
	flow_write(src("zz"), 1, 10);
}

static void delete (void)
{
	CHECK(unlink(src("link")) == 0);
}

static void
change_mode(void)
{
	CHECK(chmod(src("d/e/many-3"), 0604) == 0);
}

static void
change_owner(void)
{
	CHECK(chown(src("d/e/many-3"), 77, 78) == 0);
}

static void
change_mtime(void)
{
	set_mtime("d/e/many-4", 5);
}

static void
change_xattrs(void)
{
	CHECK(setxattr(src("d/e/many-5"), "user.more", "x", 1, 0) == 0);
}

static void
change_small(void)
{
	struct stat st;

	CHECK(stat(src("twin"), &st) == 0);
	write_at("twin", 100, "other");
	set_mtime("twin", 1600000000);
}

static void
change_large(void)
{
	write_at("big", 1000000, "other");
	set_mtime("big", 1600000010);
}

static void
fill_hole(void)
{
	write_at("sparse", 50 * 1024 * 1024, "other");
	set_mtime("sparse", 1600000011);
}

static void
change_size(void)
{
	flow_write(src("d/small"), 2, 5 * 1024 + 1);
	set_mtime("d/small", 1600000004);
}

static void
change_link(void)
{
	CHECK(unlink(src("d/symlink")) == 0 && symlink("../elsewhere", src("d/symlink")) == 0);
	set_mtime("d/symlink", 1600000005);
}

static void
change_type(void)
{
	CHECK(unlink(src("fifo")) == 0 && mkdir(src("fifo"), 0700) == 0);
}

static void
change_device(void)
{
	CHECK(unlink(src("null")) == 0 && mknod(src("null"), S_IFCHR | 0600, makedev(1, 5)) == 0);
	set_mtime("null", 1);
}

/* Times of all that a change may touch; what cannot be done without root is left out. */
static const struct {
	void (*apply)(void);
	bool root;
	const char *want;
	const char *quick; /* NULL: the same */
} cases[] = {
    {add, false, "+ zz 0\n", NULL},
    {delete, false, "- link 0\n", NULL},
    {change_mode, false, "M d/e/many-3 8\n", NULL},
    {change_owner, true, "M d/e/many-3 16\n", NULL},
    {change_mtime, false, "M d/e/many-4 32\n", NULL},
    {change_xattrs, false, "M d/e/many-5 64\n", NULL},
    {change_small, false, "M twin 2\n", ""},
    {change_large, true, "M big 2\nM d/e/big-too 2\nM d/nothing/big-three 2\n", ""},
    {fill_hole, false, "M sparse 2\n", ""},
    {change_size, false, "M d/small 6\nM link 6\n", NULL},
    {change_link, false, "M d/symlink 128\n", NULL},
    {change_type, false, "M fifo 1\n", NULL},
    {change_device, true, "M null 256\n", NULL},
};

/* So that changes below do not show as changes of folders. */
static void
settle(void)
{
	static const char *const names[] = {"", "d", "d/e", "d/e/f", "d/nothing"};

	for (size_t i = 0; i < COUNT_OF(names); i++)
		set_mtime(names[i], 1000 + (time_t)i);
	set_mtime("twin", 1600000000);
	set_mtime("big", 1600000010);
	set_mtime("sparse", 1600000011);
	set_mtime("d/small", 1600000004);
	set_mtime("d/symlink", 1600000005);
	if (geteuid() == 0)
		set_mtime("null", 1);
}

static void
test_kinds(void)
{
	struct sides s = {.count = 0};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		if (cases[i].root && geteuid() != 0)
			continue;
		scratch_remove(f.source);
		flow_new_repo(&f);
		flow_make_tree(f.source);
		if (geteuid() == 0)
			CHECK(mknod(src("null"), S_IFCHR | 0600, makedev(1, 3)) == 0);
		settle();
		must_export(MODE_FILE);
		cases[i].apply();
		settle();
		must_export(MODE_FILE);
		sides_open(&s);
		CHECK_INT(s.count, 2);
		check(SNAPSHOT, s.list[0], s.list[1], NULL, cases[i].want);
		check(FOLDER, s.list[0], NULL, f.source, cases[i].want);
		check(QUICK, s.list[0], NULL, f.source, cases[i].quick == NULL ? cases[i].want : cases[i].quick);
		check(SNAPSHOT, s.list[1], s.list[1], NULL, "");
		check(FOLDER, s.list[1], NULL, f.source, "");
		check(QUICK, s.list[1], NULL, f.source, "");
		sides_close(&s);
	}
}

/* Folders with all that is in them, at the beginning, in the middle and at the end. */
static void
test_subtrees(void)
{
	struct sides s = {.count = 0};

	scratch_remove(f.source);
	flow_new_repo(&f);
	CHECK(mkdir(f.source, 0700) == 0 && mkdir(src("b"), 0700) == 0);
	flow_write(src("b/x"), 1, 10);
	set_mtime("", 1);
	must_export(MODE_FILE);
	scratch_remove(src("b"));
	CHECK(mkdir(src("a"), 0700) == 0 && mkdir(src("b.c"), 0700) == 0);
	flow_write(src("a/y"), 1, 10);
	flow_write(src("b.c/z"), 1, 10);
	set_mtime("", 1);
	must_export(MODE_FILE);
	sides_open(&s);
	check(SNAPSHOT, s.list[0], s.list[1], NULL, "+ a 0\n+ a/y 0\n- b 0\n- b/x 0\n+ b.c 0\n+ b.c/z 0\n");
	check(SNAPSHOT, s.list[1], s.list[0], NULL, "- a 0\n- a/y 0\n+ b 0\n+ b/x 0\n- b.c 0\n- b.c/z 0\n");
	check(FOLDER, s.list[0], NULL, f.source, "+ a 0\n+ a/y 0\n- b 0\n- b/x 0\n+ b.c 0\n+ b.c/z 0\n");
	sides_close(&s);
}

/* The callback ends it. */
static void
test_stop(void)
{
	struct told t = {.fail = ERR_CANCELLED};
	struct sides s = {.count = 0};
	struct error err;

	sides_open(&s);
	CHECK_INT(run(SNAPSHOT, s.list[0], s.list[1], NULL, &t, &err), ERR_CANCELLED);
	CHECK_INT(run(FOLDER, s.list[0], NULL, f.source, &t, &err), ERR_CANCELLED);
	CHECK(run(FOLDER, s.list[0], NULL, src("none"), &t, &err) < 0);
	sides_close(&s);
}

/* ---- devices ---- */

#define BLOCK (256 * 1024)

static void
test_device(void)
{
	char want[128];
	struct sides s = {.count = 0};

	scratch_remove(f.source);
	flow_new_repo(&f);
	flow_write(f.source, 9, 8 * BLOCK);
	CHECK(truncate(f.source, 16 * BLOCK) == 0);
	must_export(MODE_BLOCK);
	{
		CLEANUP_CLOSE int fd = open(f.source, O_WRONLY);
		static char full[BLOCK];

		/* In data, in a hole, and behind the end. */
		memset(full, 'y', sizeof full);
		CHECK(fd >= 0 && pwrite(fd, "x", 1, 3 * BLOCK + 9) == 1);
		CHECK(pwrite(fd, full, BLOCK, 12 * BLOCK) == BLOCK);
		CHECK(ftruncate(fd, 17 * BLOCK) == 0);
	}
	must_export(MODE_BLOCK);
	sides_open(&s);
	(void)snprintf(want, sizeof want, "M  4\n@%d+%d\n@%d+%d\n@%d+%d\n", 3 * BLOCK, BLOCK, 12 * BLOCK, BLOCK,
	    16 * BLOCK, BLOCK);
	check(SNAPSHOT, s.list[0], s.list[1], NULL, want);
	check(SNAPSHOT, s.list[1], s.list[0], NULL, want);
	check(DEVICE, s.list[0], NULL, f.source, want);
	check(SNAPSHOT, s.list[1], s.list[1], NULL, "");
	check(DEVICE, s.list[1], NULL, f.source, "");
	/* A shorter one lacks its end. */
	CHECK(truncate(f.source, 7 * BLOCK) == 0);
	{
		struct told t = {.len = 0};
		struct error err;

		CHECK_OK(run(DEVICE, s.list[1], NULL, f.source, &t, &err), &err);
		CHECK(strncmp(t.text, "M  4\n", 5) == 0);
		(void)snprintf(want, sizeof want, "@%d+", 7 * BLOCK);
		CHECK(strstr(t.text, want) != NULL);
	}
	sides_close(&s);
}

int
main(void)
{
	(void)alarm(60);
	flow_begin(&f);
	test_kinds();
	test_subtrees();
	test_stop();
	test_device();
	flow_end(&f);
	return 0;
}
