/* Folders of the target of an import: how many are open and how often, who waits for them, and what they inherit. */
#include "landing.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "check.h"
#include "cleanup.h"

static unsigned
count_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	CHECK(d != NULL);
	while (readdir(d) != NULL)
		n++;
	(void)closedir(d);
	return n;
}

#define DEPTH 3000

/* How often anything is opened below a folder. */
static atomic_uint opens;

int __real_openat(int fd, const char *path, int flags, ...);
int __wrap_openat(int fd, const char *path, int flags, ...);

int
__wrap_openat(int fd, const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;

	va_start(ap, flags);
	if (flags & O_CREAT)
		mode = va_arg(ap, mode_t);
	va_end(ap);
	atomic_fetch_add(&opens, 1);
	return __real_openat(fd, path, flags, mode);
}

static struct entry
deep_entry(const char *path, size_t depth)
{
	struct entry e = landing_entry(ENTRY_FOLDER, path);

	e.path_len = depth * 2 - 1;
	e.mode = 0700 | (depth & 077);
	e.mtime_s += (int64_t)depth;
	return e;
}

/* Every level has its own attributes, and a file. */
static void
check_deep(void)
{
	int fd = __real_openat(AT_FDCWD, landing_path("root"), O_RDONLY | O_DIRECTORY);

	for (size_t i = 1; i <= DEPTH; i++) {
		int next = __real_openat(fd, "d", O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
		struct stat st;

		CHECK(next >= 0 && fstat(next, &st) == 0);
		CHECK_INT(st.st_mode & 07777, 0700 | (i & 077));
		CHECK_INT(st.st_mtim.tv_sec, 1000000000 + i);
		CHECK(faccessat(next, "x", F_OK, AT_SYMLINK_NOFOLLOW) == 0);
		(void)close(fd);
		fd = next;
	}
	(void)close(fd);
}

/* The way down, the way up with something at every level, and the attributes: few descriptors, and no level is opened
 * more often because it is deep. */
static void
test_deep(void)
{
	CLEANUP_FREE char *path = malloc(DEPTH * 2 + 8);
	struct rlimit limit, few;
	struct target *t;
	struct error err;
	unsigned before = count_descriptors();

	CHECK(path != NULL);
	CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	few = limit;
	few.rlim_cur = 64;
	CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
	t = landing_begin();
	for (size_t i = 0; i < DEPTH; i++)
		memcpy(path + i * 2, "d/", 2);
	path[DEPTH * 2] = '\0';
	atomic_store(&opens, 0);
	for (size_t i = 1; i <= DEPTH; i++) {
		struct entry e = deep_entry(path, i);

		CHECK_OK(target_folder_make(t, &e, &err), &err);
	}
	for (size_t i = DEPTH; i >= 1; i--) {
		(void)strcpy(path + i * 2, "x");
		CHECK_OK(landing_small(t, path, "x", &err), &err);
		CHECK(count_descriptors() - before < 40);
		path[i * 2] = 'd';
		path[i * 2 + 1] = '/';
	}
	CHECK(atomic_load(&opens) > DEPTH);
	CHECK(atomic_load(&opens) < 4 * DEPTH);
	atomic_store(&opens, 0);
	for (size_t i = DEPTH; i >= 1; i--) {
		struct entry e = deep_entry(path, i);

		CHECK_OK(target_finish_folder(t, &e, &err), &err);
		CHECK(count_descriptors() - before < 40);
	}
	CHECK(atomic_load(&opens) < 4 * DEPTH);
	landing_finish(t);
	CHECK_INT(landing_warnings, 0);
	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	check_deep();
	CHECK_INT(count_descriptors(), before);
}

/* Many folders side by side, each with something in it. */
static void
test_wide(void)
{
	enum { WIDTH = 1000 };
	struct target *t;
	struct error err;
	char path[32] = "";

	t = landing_begin();
	atomic_store(&opens, 0);
	for (unsigned i = 0; i < WIDTH; i++) {
		(void)snprintf(path, sizeof path, "a/b/%04u", i);
		CHECK_OK(landing_folder(t, path, &err), &err);
		(void)snprintf(path, sizeof path, "a/b/%04u/x", i);
		CHECK_OK(landing_small(t, path, "x", &err), &err);
	}
	for (unsigned i = 0; i < WIDTH; i++) {
		struct entry e = landing_entry(ENTRY_FOLDER, path);

		(void)snprintf(path, sizeof path, "a/b/%04u", i);
		e.path_len = strlen(path);
		CHECK_OK(target_finish_folder(t, &e, &err), &err);
	}
	CHECK(atomic_load(&opens) < 4 * WIDTH);
	landing_finish(t);
	CHECK_INT(landing_stat("root/a/b/0777").st_mode & 07777, 0755);
}

/* A folder is moved out of the target while the ones above it are closed: ".." is not where it was. */
static void
test_moved(void)
{
	struct target *t;
	struct error err;

	t = landing_begin();
	t->window = 2;
	CHECK_OK(landing_small(t, "1/2/3/4/5/6/7/8/x", "x", &err), &err);
	CHECK(rename(landing_path("root/1/2/3/4/5/6/7"), landing_path("outside/7")) == 0);
	CHECK_OK(landing_small(t, "1/2/3/4/5/6/y", "y", &err), &err);
	landing_check("root/1/2/3/4/5/6/y", "y", 1);
	CHECK(!landing_exists("outside/y"));
	/* Nor is the one that is there now the one that was. */
	CHECK_OK(landing_small(t, "1/2/3/4/5/6/7/8/z", "z", &err), &err);
	landing_check("root/1/2/3/4/5/6/7/8/z", "z", 1);
	CHECK(mkdir(landing_path("outside/6"), 0700) == 0);
	CHECK(rename(landing_path("root/1/2/3/4/5/6/7"), landing_path("outside/6/7")) == 0);
	CHECK(rename(landing_path("root/1/2/3/4/5/6"), landing_path("outside/old")) == 0);
	CHECK(symlink("../../../../../../outside/6", landing_path("root/1/2/3/4/5/6")) == 0);
	CHECK_INT(landing_small(t, "1/2/3/4/5/6/zz", "z", &err), ERR_CORRUPT);
	CHECK(!landing_exists("outside/6/zz") && !landing_exists("outside/old/zz"));
	/* After a failure the way goes on from where it ended. */
	CHECK_OK(landing_small(t, "1/2/3/4/5/u", "u", &err), &err);
	landing_check("root/1/2/3/4/5/u", "u", 1);
	target_free(t);
}

/* Folders that workers hold: the planner tells, then waits; cancelling ends that. */
static struct target_folder *held[8];
static unsigned told;

static void
release_one(void *arg)
{
	(void)arg;
	told++;
	for (size_t i = 0; i < COUNT_OF(held); i++)
		if (held[i] != NULL) {
			target_folder_unref(STEAL(held[i]));
			return;
		}
}

static void
test_wait(void)
{
	struct target_folder *f;
	struct target *t;
	struct error err;

	t = landing_begin();
	t->max_folders = 8;
	t->window = 2;
	told = 0;
	for (unsigned i = 0; i < 40; i++) {
		char path[16] = "";

		(void)snprintf(path, sizeof path, "%02u/x", i);
		CHECK_OK(target_parent(t, path, strlen(path), release_one, NULL, &f, &err), &err);
		CHECK(t->folders <= 8);
		for (size_t k = 0; k < COUNT_OF(held); k++)
			if (held[k] == NULL) {
				held[k] = f;
				break;
			}
	}
	CHECK(told >= 32);
	target_cancel(t);
	CHECK_INT(target_parent(t, "zz/x", 4, NULL, NULL, &f, &err), ERR_CANCELLED);
	for (size_t k = 0; k < COUNT_OF(held); k++)
		target_folder_unref(held[k]);
	target_free(t);
}

/* A default ACL as `setfacl -d -m u:1000:rwx` makes it. */
static const uint8_t default_acl[] = {2, 0, 0, 0, 1, 0, 7, 0, 255, 255, 255, 255, 2, 0, 7, 0, 232, 3, 0, 0, 4, 0, 5, 0,
    255, 255, 255, 255, 16, 0, 7, 0, 255, 255, 255, 255, 32, 0, 5, 0, 255, 255, 255, 255};

static bool
has_acl(const char *rel)
{
	return lgetxattr(landing_path(rel), "system.posix_acl_access", NULL, 0) > 0 ||
	       lgetxattr(landing_path(rel), "system.posix_acl_default", NULL, 0) > 0;
}

static void
test_default_acl(void)
{
	struct entry e = landing_entry(ENTRY_FOLDER, "there");
	struct target *t;
	struct error err;

	landing_fresh();
	CHECK(mkdir(landing_path("root"), 0755) == 0 && mkdir(landing_path("root/there"), 0755) == 0);
	if (setxattr(landing_path("root"), "system.posix_acl_default", default_acl, sizeof default_acl, 0) < 0) {
		(void)puts("no ACLs here: not tested");
		return;
	}
	CHECK(
	    setxattr(landing_path("root/there"), "system.posix_acl_default", default_acl, sizeof default_acl, 0) == 0);
	t = landing_open(true);
	CHECK(!has_acl("root"));
	CHECK_OK(landing_small(t, "a", "x", &err), &err);
	CHECK_OK(landing_folder(t, "there", &err), &err);
	CHECK_OK(landing_small(t, "there/b", "x", &err), &err);
	CHECK_OK(landing_folder(t, "there/sub", &err), &err);
	CHECK_OK(landing_small(t, "there/sub/c", "x", &err), &err);
	e.path = "there/sub";
	e.path_len = 9;
	CHECK_OK(target_finish_folder(t, &e, &err), &err);
	e.path_len = 5;
	CHECK_OK(target_finish_folder(t, &e, &err), &err);
	landing_finish(t);
	CHECK(!has_acl("root/a") && !has_acl("root/there/b") && !has_acl("root/there/sub/c"));
	CHECK(!has_acl("root/there") && !has_acl("root/there/sub"));
	CHECK_INT(landing_stat("root/there/b").st_mode & 07777, 0644);
	CHECK_INT(landing_stat("root/there/sub").st_mode & 07777, 0755);
}

int
main(void)
{
	static void (*const tests[])(void) = {test_deep, test_wide, test_moved, test_wait, test_default_acl};

	landing_tests("test_target_folder", tests, COUNT_OF(tests));
	return 0;
}
