/* Paths that lead out of the target, also while somebody exchanges folders: nothing appears outside. */
#include "landing.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "check.h"
#include "cleanup.h"

static void
test_hostile_paths(void)
{
	static const char *const paths[] = {"..", "../outside/x", "/outside/x", "a/../../outside/x", "a/..", ".",
	    "a//x", "a/", "", LANDING_MARKER "/x", LANDING_MARKER};
	struct target *t;
	struct error err;

	t = landing_begin();
	CHECK_OK(landing_folder(t, "a", &err), &err);
	for (size_t i = 0; i < COUNT_OF(paths); i++) {
		struct target_folder *f;
		struct entry e = landing_entry(ENTRY_FILE, paths[i]);
		struct target_file *file;

		CHECK_INT(landing_small(t, paths[i], "x", &err), ERR_CORRUPT);
		CHECK_INT(landing_symlink(t, paths[i], "x", &err), ERR_CORRUPT);
		if (paths[i][0] != 0)
			CHECK_INT(landing_folder(t, paths[i], &err), ERR_CORRUPT);
		CHECK_OK(target_parent(t, "a/b", 3, NULL, NULL, &f, &err), &err);
		e.size = 1;
		e.nlink = 2;
		CHECK(target_small(t, f, &e, "x", 1, &err) < 0);
		CHECK(target_file_new(t, f, &e, 1, &file, &err) < 0);
		target_folder_unref(f);
	}
	/* Through symlinks and files that the catalog itself has made. */
	CHECK_OK(landing_symlink(t, "out", landing_path("outside"), &err), &err);
	CHECK_INT(landing_small(t, "out/x", "x", &err), ERR_CORRUPT);
	CHECK_INT(landing_folder(t, "out/sub", &err), ERR_CORRUPT);
	CHECK_INT(landing_symlink(t, "out/link", "x", &err), ERR_CORRUPT);
	CHECK(landing_folder(t, "out", &err) < 0);
	CHECK_OK(landing_small(t, "plain", "x", &err), &err);
	CHECK_INT(landing_small(t, "plain/x", "x", &err), ERR_CORRUPT);
	/* A name that is taken is no way to write through a symlink either. */
	CHECK_OK(landing_symlink(t, "s", landing_path("outside/made"), &err), &err);
	CHECK_INT(landing_small(t, "s", "x", &err), ERR_EXISTS);
	landing_check_outside();
	landing_finish(t);
}

static atomic_bool stop;

/* Exchange the folder d with a symlink, all the time; where the import has replaced the symlink by a folder, put a new
 * one beside it. */
static void *
swapper(void *arg)
{
	unsigned n = 0;
	char to[16];

	(void)arg;
	while (!atomic_load(&stop)) {
		if (readlink(landing_path("root/d"), to, sizeof to) < 0 &&
		    readlink(landing_path("swap"), to, sizeof to) < 0) {
			char junk[32];

			(void)snprintf(junk, sizeof junk, "junk%u", n++);
			(void)rename(landing_path("swap"), landing_path(junk));
			CHECK(symlink(landing_path("outside"), landing_path("swap")) == 0 || errno == EEXIST);
		}
		(void)renameat2(AT_FDCWD, landing_path("root/d"), AT_FDCWD, landing_path("swap"), RENAME_EXCHANGE);
	}
	return NULL;
}

/* Another process swaps a symlink in while the import runs: it may fail, but nothing appears outside. */
static void
test_swapped(void)
{
	struct target *t;
	struct error err;
	pthread_t thread;
	unsigned made = 0;

	landing_fresh();
	t = landing_open(true);
	CHECK_OK(landing_folder(t, "d", &err), &err);
	atomic_store(&stop, false);
	CHECK(pthread_create(&thread, NULL, swapper, NULL) == 0);
	for (unsigned i = 0; i < 500; i++) {
		char path[64] = "";
		struct entry e = landing_entry(ENTRY_FILE, path);
		struct target_file *f;

		(void)snprintf(path, sizeof path, "d/s%u/x", i);
		made += landing_small(t, path, "x", &err) == 0;
		(void)snprintf(path, sizeof path, "d/f%u", i);
		e.path_len = strlen(path);
		e.size = 1;
		e.ino = i;
		e.nlink = 2;
		if (landing_file(t, &e, 1, &f, &err) == 2) {
			(void)target_file_write(f, 0, "x", 1, &err);
			(void)target_file_done(f, &err);
		}
		(void)snprintf(path, sizeof path, "d/l%u", i);
		(void)landing_symlink(t, path, "x", &err);
		/* Away and back, so that d is opened again each time. */
		(void)landing_small(t, "other/file", "x", &err);
		(void)landing_folder(t, "d", &err);
		e = landing_entry(ENTRY_FOLDER, "d");
		(void)target_finish_folder(t, &e, &err);
	}
	atomic_store(&stop, true);
	CHECK(pthread_join(thread, NULL) == 0);
	CHECK(made > 0);
	CHECK_INT(landing_stat("outside").st_mode & 07777, 0700);
	CHECK(landing_stat("outside").st_mtim.tv_sec != 1000000000);
	landing_check_outside();
	target_free(t);
}

int
main(void)
{
	static void (*const tests[])(void) = {test_hostile_paths, test_swapped};

	landing_tests("test_target_hostile", tests, COUNT_OF(tests));
	return 0;
}
