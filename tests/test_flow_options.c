/*
 * Exports and imports with options: selections, dry runs, devices.
 */
#include "flow.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "check.h"
#include "cleanup.h"

static struct flow f;

static const char *
src(const char *name)
{
	return flow_in(f.source, name);
}

static bool
exists(const char *folder, const char *name)
{
	struct stat st;

	return lstat(flow_in(folder, name), &st) == 0;
}

static void
test_selection(void)
{
	const char *const excludes[] = {"many-*", "/d/nothing", "fifo"};
	const char *const includes[] = {"d/e/f", "one"}, *const not [] = {"129k"};
	struct export_options o = flow_export_options(f.source);
	struct import_options in = {.target = f.target, .threads = 1, .connections = 1};
	struct manifest m;
	struct error err;

	flow_fresh(&f);
	flow_make_tree(f.source);
	o.excludes = excludes;
	o.nexcludes = COUNT_OF(excludes);
	flow_must_export(&f, &o, &m);
	CHECK_INT(m.statistics.entries, FLOW_TREE_ENTRIES - 200 - 2 - 1);
	CHECK_INT(m.nexcludes, COUNT_OF(excludes));
	CHECK_STR(m.excludes[1], "/d/nothing");
	manifest_wipe(&m);
	flow_must_import(&f, NULL);
	CHECK(!exists(f.target, "d/e/many-3") && !exists(f.target, "d/nothing") && !exists(f.target, "fifo"));
	CHECK(exists(f.target, "d/e/f/127k") && exists(f.target, "d/e/big-too"));
	scratch_remove(f.target);

	in.selection.includes = includes;
	in.selection.nincludes = COUNT_OF(includes);
	in.selection.excludes = not ;
	in.selection.nexcludes = COUNT_OF(not );
	CHECK_OK(flow_import_with(&f, NULL, &in, NULL, &err), &err);
	CHECK(exists(f.target, "d/e/f/127k") && exists(f.target, "one"));
	CHECK(!exists(f.target, "d/e/f/129k") && !exists(f.target, "big") && !exists(f.target, "d/small"));
	/* Folders on the way have their attributes, too. */
	scratch_remove(flow_in(f.target, "d/e/f"));
	CHECK(exists(f.target, "d/e"));
	scratch_remove(f.target);

	in.dry_run = true;
	CHECK_OK(flow_import_with(&f, NULL, &in, NULL, &err), &err);
	CHECK(!exists(f.target, ""));
	/* It refuses what an import would refuse. */
	CHECK(mkdir(f.target, 0700) == 0);
	CHECK_OK(flow_import_with(&f, NULL, &in, NULL, &err), &err);
	flow_write(flow_in(f.target, "mine"), 1, 1);
	CHECK_INT(flow_import_with(&f, NULL, &in, NULL, &err), ERR_EXISTS);
	in.overwrite = true;
	CHECK_OK(flow_import_with(&f, NULL, &in, NULL, &err), &err);
	CHECK(!exists(f.target, "one") && exists(f.target, "mine"));
	scratch_remove(f.target);
}

/* What is left out because it was asked for is no warning.  Nodes are made by root, where that is allowed. */
static void
test_no_devices(void)
{
	struct import_options in = {.target = f.target, .threads = 1, .connections = 1, .no_devices = true};
	struct export_options o = flow_export_options(f.source);
	struct import_result result;
	struct error err;

	flow_fresh(&f);
	flow_make_tree(f.source);
	if (mknod(src("d/null"), S_IFCHR | 0600, makedev(1, 3)) < 0) {
		(void)puts("device nodes cannot be made here: not tested");
		return;
	}
	CHECK(link(src("d/null"), src("null-too")) == 0);
	CHECK(mknod(src("disk"), S_IFBLK | 0600, makedev(7, 200)) == 0);
	flow_must_export(&f, &o, NULL);
	for (int dry = 1; dry >= 0; dry--) {
		in.dry_run = dry == 1;
		CHECK_OK(flow_import_with(&f, NULL, &in, &result, &err), &err);
		CHECK_INT(f.warnings, 0);
		CHECK_INT(result.left_out, 3);
	}
	CHECK_INT(result.specials, 1);
	CHECK(unlink(src("d/null")) == 0 && unlink(src("null-too")) == 0 && unlink(src("disk")) == 0);
	CHECK(!exists(f.target, "d/null") && !exists(f.target, "null-too") && !exists(f.target, "disk"));
	CHECK(exists(f.target, "fifo") && exists(f.target, "d/small"));
}

static void
test_dry_run(void)
{
	struct export_options o = flow_export_options(f.source);
	size_t objects;
	struct manifest m;

	flow_fresh(&f);
	flow_make_tree(f.source);
	o.dry_run = true;
	objects = flow_count_objects(&f);
	flow_must_export(&f, &o, &m);
	CHECK_INT(m.statistics.added, FLOW_TREE_ENTRIES);
	CHECK_INT(m.statistics.bytes, flow_tree_bytes());
	manifest_wipe(&m);
	CHECK_INT(flow_count_objects(&f), objects);
	CHECK_INT(flow_count_snapshots(&f), 0);

	o.dry_run = false;
	flow_must_export(&f, &o, NULL);
	objects = flow_count_objects(&f);
	CHECK(unlink(src("one")) == 0);
	flow_write(src("sparse"), 1, 10);
	o.dry_run = true;
	flow_must_export(&f, &o, &m);
	CHECK_INT(m.statistics.deleted, 1);
	CHECK_INT(m.statistics.changed, 2);
	CHECK_INT(m.statistics.unchanged, FLOW_TREE_ENTRIES - 3);
	manifest_wipe(&m);
	CHECK_INT(flow_count_objects(&f), objects);
	CHECK_INT(flow_count_snapshots(&f), 1);
}

static void
check_images(void)
{
	enum { SIZE = 3 * 1024 * 1024 + 4096 };
	CLEANUP_FREE char *a = malloc(SIZE + 1), *b = malloc(SIZE + 1);
	CLEANUP_CLOSE int x = open(f.source, O_RDONLY), y = open(f.target, O_RDONLY);

	CHECK(a != NULL && b != NULL && x >= 0 && y >= 0);
	CHECK_INT(read(x, a, SIZE + 1), SIZE);
	CHECK_INT(read(y, b, SIZE + 1), SIZE);
	CHECK_MEM(a, b, SIZE);
}

static void
test_block(void)
{
	struct export_options o = flow_export_options(f.source);
	struct manifest m;
	struct error err;

	flow_fresh(&f);
	flow_write(f.source, 9, 2 * 1024 * 1024);
	CHECK(truncate(f.source, 3 * 1024 * 1024 + 4096) == 0);
	o.mode = MODE_BLOCK;
	flow_must_export(&f, &o, &m);
	CHECK(m.mode == MODE_BLOCK);
	CHECK_INT(m.size, 3 * 1024 * 1024 + 4096);
	CHECK_INT(m.statistics.new_bytes, 2 * 1024 * 1024);
	manifest_wipe(&m);
	CHECK_OK(flow_import(&f, NULL, f.target, false, NULL, &err), &err);
	check_images();

	CLEANUP_CLOSE int fd = open(f.source, O_WRONLY);

	CHECK(fd >= 0 && pwrite(fd, "x", 1, 700000) == 1 && pwrite(fd, "y", 1, 3 * 1024 * 1024 + 4000) == 1);
	flow_must_export(&f, &o, &m);
	/* One block of 256 KiB, and the 4 KiB at the end. */
	CHECK_INT(m.statistics.new_bytes, 256 * 1024 + 4096);
	manifest_wipe(&m);
	CHECK_OK(flow_import(&f, NULL, f.target, true, NULL, &err), &err);
	check_images();

	/* A volume holds one kind of snapshots. */
	CHECK(unlink(f.source) == 0 && unlink(f.target) == 0);
	flow_make_small_tree(f.source, false);
	o.mode = MODE_FILE;
	CHECK_INT(flow_export(&f, &o, NULL, &err), ERR_USAGE);
}

int
main(void)
{
	static void (*const tests[])(void) = {test_selection, test_no_devices, test_dry_run, test_block};

	(void)alarm(120);
	flow_begin(&f);
	for (size_t i = 0; i < COUNT_OF(tests); i++)
		tests[i]();
	flow_end(&f);
	return 0;
}
