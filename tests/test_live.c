/*
 * Exports of a tree that changes between the walk and the reading: whatever happens to a name when it is opened happens
 * here each time.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "cleanup.h"
#include "flow.h"
#include "source.h"

int __real_source_open(const struct item_entry *);
int __wrap_source_open(const struct item_entry *);

bool __real_source_unchanged(int fd, const struct entry *, dev_t root_dev);
bool __wrap_source_unchanged(int fd, const struct entry *, dev_t root_dev);

static struct flow f;

/* Called when a file has been read, before it is compared with what it was. */
static void (*on_read)(const char *path);

bool
__wrap_source_unchanged(int fd, const struct entry *e, dev_t root_dev)
{
	char path[512];

	if (on_read != NULL) {
		(void)snprintf(path, sizeof path, "%s/%.*s", f.source, (int)e->path_len, e->path);
		on_read(path);
	}
	return __real_source_unchanged(fd, e, root_dev);
}

/* Called before a file is opened; an errno: it is not. */
static int (*on_open)(const char *name);

int
__wrap_source_open(const struct item_entry *ie)
{
	int errnum = on_open == NULL ? 0 : on_open(ie->name);

	if (errnum == 0)
		return __real_source_open(ie);
	errno = errnum;
	return -1;
}

static const char *
src(const char *name)
{
	return flow_in(f.source, name);
}

static const char *
dst(const char *name)
{
	return flow_in(f.target, name);
}

static void
fresh(void)
{
	flow_fresh(&f);
	CHECK(mkdir(f.source, 0700) == 0);
}

/* So many warnings. */
static void
export_with(int (*hook)(const char *), struct export_options *o, uint64_t warnings, struct manifest *m)
{
	struct error err;

	on_open = hook;
	CHECK_OK(flow_export(&f, o, m, &err), &err);
	CHECK_INT(f.warnings, warnings);
	on_open = NULL;
}

static void
import(void)
{
	scratch_remove(f.target);
	flow_must_import(&f, NULL);
}

/* What happens to names in the source's folder leaves no trace at it. */
static void
age(void)
{
	const struct timespec times[2] = {{.tv_sec = 1500000000}, {.tv_sec = 1500000000}};

	CHECK(utimensat(AT_FDCWD, f.source, times, 0) == 0);
}

static bool
is_there(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static bool
same_inode(const char *a, const char *b)
{
	struct stat x, y;

	return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_ino == y.st_ino;
}

/* ---- names of one file ---- */

static const char *const names[] = {"a", "b", "c", "d/e"};

static void
make_links(size_t size)
{
	fresh();
	CHECK(mkdir(src("d"), 0700) == 0);
	flow_write(src("a"), 11, size);
	for (size_t i = 1; i < COUNT_OF(names); i++)
		CHECK(link(src("a"), src(names[i])) == 0);
	age();
}

static int
first_vanishes(const char *name)
{
	return strcmp(name, "a") == 0 ? ENOENT : 0;
}

static int
two_vanish(const char *name)
{
	return strcmp(name, "a") == 0 || strcmp(name, "b") == 0 ? ENOENT : 0;
}

static int
all_vanish(const char *name)
{
	(void)name;
	return ENOENT;
}

/* All sizes: in a bundle, in one piece, empty. */
static const size_t sizes[] = {5000, 300 * 1024, 0, 1};

/* The content of a file whose first name is gone comes from the next one, and the others stay its links. */
static void
test_first_vanishes(void)
{
	struct export_options o = flow_export_options(f.source);
	struct manifest m;

	for (size_t i = 0; i < COUNT_OF(sizes); i++)
		for (o.threads = 1; o.threads <= 3; o.threads += 2) {
			make_links(sizes[i]);
			export_with(first_vanishes, &o, 1, &m);
			CHECK_INT(m.statistics.bytes, 3 * sizes[i]);
			CHECK_INT(m.statistics.new_bytes, sizes[i]);
			manifest_wipe(&m);
			import();
			CHECK(unlink(src("a")) == 0);
			CHECK(flow_same(src("b"), dst("b")));
			CHECK(!is_there(dst("a")));
			CHECK(same_inode(dst("b"), dst("c")) && same_inode(dst("b"), dst("d/e")));

			make_links(sizes[i]);
			export_with(two_vanish, &o, 2, NULL);
			import();
			CHECK(!is_there(dst("a")) && !is_there(dst("b")));
			CHECK(unlink(src("a")) == 0 && unlink(src("b")) == 0);
			CHECK(flow_same(src("c"), dst("c")));
			CHECK(same_inode(dst("c"), dst("d/e")));

			make_links(sizes[i]);
			export_with(all_vanish, &o, 4, NULL);
			import();
			CHECK(!is_there(dst("a")) && !is_there(dst("c")) && is_there(dst("d")));
		}
}

/* The same upon a base that has all names: its references are given up or used again, so that the accounts are right.
 */
static void
test_first_vanishes_later(void)
{
	struct export_options o = flow_export_options(f.source);
	struct manifest m;

	o.full = true;
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		make_links(sizes[i]);
		export_with(NULL, &o, 0, NULL);
		export_with(first_vanishes, &o, 1, &m);
		CHECK(m.statistics.new_bytes <= sizes[i]);
		manifest_wipe(&m);
		CHECK(unlink(src("a")) == 0);
		age();
		flow_check_snapshots(&f, f.source, 1);
		export_with(NULL, &o, 0, NULL);
		flow_check_snapshots(&f, f.source, 2);
	}
}

static bool replaced;

static int
first_is_replaced(const char *name)
{
	if (strcmp(name, "a") == 0 && !replaced) {
		replaced = true;
		flow_write(src("new"), 12, 6000);
		CHECK(rename(src("new"), src("a")) == 0);
		age();
	}
	return 0;
}

/* A name that became another file's tells nothing of the others. */
static void
test_first_is_replaced(void)
{
	struct export_options o = flow_export_options(f.source);

	make_links(5000);
	replaced = false;
	export_with(first_is_replaced, &o, 0, NULL);
	import();
	CHECK(flow_same(f.source, f.target));
}

/* ---- files that are another thing when they are read ---- */

static size_t new_size;

static int
file_is_replaced(const char *name)
{
	if (strcmp(name, "file") == 0 && !replaced) {
		replaced = true;
		flow_write(src("new"), 13, new_size);
		CHECK(rename(src("new"), src("file")) == 0);
		age();
	}
	return 0;
}

static int
file_grows(const char *name)
{
	if (strcmp(name, "file") == 0 && !replaced) {
		replaced = true;
		flow_write(src("file"), 13, new_size);
	}
	return 0;
}

/* What it is when it is opened is what is stored, whatever the walk has seen. */
static void
test_taken_as_it_is(void)
{
	static const size_t before[] = {0, 100, 5000, 300 * 1024}, after[] = {0, 200, 100 * 1024, 3 * 1024 * 1024};
	static int (*const hooks[])(const char *) = {file_is_replaced, file_grows};
	struct export_options o = flow_export_options(f.source);

	for (size_t i = 0; i < COUNT_OF(before) * COUNT_OF(after) * COUNT_OF(hooks); i++) {
		fresh();
		flow_write(src("a"), 3, 700);
		flow_write(src("file"), 14, before[i % 4]);
		flow_write(src("z"), 4, 900);
		age();
		if (i % 3 == 0)
			export_with(NULL, &o, 0, NULL);
		o.full = i % 3 == 0;
		new_size = after[i / 4 % 4];
		replaced = false;
		export_with(hooks[i / 16], &o, 0, NULL);
		CHECK(replaced);
		import();
		CHECK(flow_same(f.source, f.target));
	}
}

static void
touch(const char *path)
{
	CHECK(utimensat(AT_FDCWD, path, NULL, 0) == 0);
}

/* What is written to all the time is stored with a warning. */
static void
test_never_at_rest(void)
{
	static const size_t before[] = {100, 300 * 1024};
	struct export_options o = flow_export_options(f.source);
	struct stat st;

	for (size_t i = 0; i < COUNT_OF(before); i++) {
		fresh();
		flow_write(src("file"), 15, before[i]);
		on_read = touch;
		export_with(NULL, &o, 1, NULL);
		on_read = NULL;
		import();
		CHECK(stat(dst("file"), &st) == 0 && (size_t)st.st_size == before[i]);
	}
}

int
main(void)
{
	(void)alarm(120);
	flow_begin(&f);
	test_first_vanishes();
	test_first_vanishes_later();
	test_first_is_replaced();
	test_taken_as_it_is();
	test_never_at_rest();
	flow_end(&f);
	return 0;
}
