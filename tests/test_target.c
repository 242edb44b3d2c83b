/* The target of an import: what it makes, and in what states it may be. */
#include "landing.h"

#include <unistd.h>

#include "check.h"
#include "cleanup.h"

static void
test_tree(void)
{
	struct entry folder = landing_entry(ENTRY_FOLDER, "a"), root = landing_entry(ENTRY_FOLDER, ""),
		     fifo = landing_entry(ENTRY_FIFO, "a/fifo"), sock = landing_entry(ENTRY_SOCKET, "a/socket");
	struct target *t;
	struct target_counters c;
	struct error err;
	mode_t before = umask(027);
	struct stat st;

	t = landing_begin();
	CHECK(!target_resuming(t));
	CHECK_OK(target_folder_make(t, &root, &err), &err);
	CHECK_OK(landing_folder(t, "a", &err), &err);
	CHECK_OK(landing_small(t, "a/empty", "", &err), &err);
	CHECK_OK(landing_special(t, &fifo, &err), &err);
	CHECK_OK(landing_special(t, &sock, &err), &err);
	CHECK_OK(landing_small(t, "a/x", "hello", &err), &err);
	CHECK_OK(landing_small(t, "left/out/y", "deep", &err), &err);
	CHECK_OK(landing_symlink(t, "z", "/nowhere", &err), &err);
	CHECK_INT(landing_stat("root/a").st_mode & 07777, 0700);
	CHECK_OK(target_finish_folder(t, &folder, &err), &err);
	root.mode = 02750;
	CHECK_OK(target_finish_folder(t, &root, &err), &err);
	target_counters(t, &c);
	CHECK_INT(c.files, 3);
	CHECK_INT(c.folders, 2);
	CHECK_INT(c.symlinks, 1);
	CHECK_INT(c.specials, 2);
	CHECK_INT(c.bytes_written, 9);
	landing_finish(t);
	CHECK_INT(umask(before), 027);
	landing_check("root/a/x", "hello", 5);
	landing_check("root/left/out/y", "deep", 4);
	st = landing_stat("root/a/x");
	CHECK_INT(st.st_mode, S_IFREG | 0644);
	CHECK_INT(st.st_mtim.tv_sec, 1000000000);
	CHECK_INT(st.st_mtim.tv_nsec, 123456000);
	CHECK_INT(landing_stat("root/a").st_mode, S_IFDIR | 0755);
	CHECK_INT(landing_stat("root/a").st_mtim.tv_sec, 1000000000);
	CHECK_INT(landing_stat("root").st_mode, S_IFDIR | 02750);
	CHECK_INT(landing_stat("root/a/fifo").st_mode, S_IFIFO | 0644);
	CHECK_INT(landing_stat("root/a/socket").st_mode, S_IFSOCK | 0644);
	CHECK_INT(landing_stat("root/left").st_mode, S_IFDIR | 0700);
	CHECK_INT(landing_warnings, 0);
}

/* All modes and owners through both ways of making a file, in a folder of ours and in a root that others can enter. */
static void
test_modes(void)
{
	static const unsigned modes[] = {0, 0400, 0444, 0600, 0640, 0666, 0777, 04755, 02755, 01644, 06777};
	static const struct {
		const char *dir;
		unsigned uid, gid;
	} places[] = {{"d/", 0, 0}, {"d/", 1000, 1001}, {"", 0, 0}, {"", 1000, 1001}, {"", 0, 1001}};
	struct target *t;
	struct error err;

	if (geteuid() != 0) {
		(void)puts("not root: owners not tested");
		return;
	}
	landing_fresh();
	CHECK(mkdir(landing_path("root"), 0755) == 0 && chmod(landing_path("root"), 02775) == 0 &&
	      chown(landing_path("root"), 0, 55) == 0);
	CHECK(chmod(landing_path("root"), 02775) == 0);
	t = landing_open(false);
	for (size_t p = 0; p < COUNT_OF(places); p++)
		for (size_t i = 0; i < COUNT_OF(modes) * 2; i++) {
			char path[64] = "", rel[80];
			struct entry e;
			struct target_folder *f;
			struct target_file *file;
			struct stat st;

			(void)snprintf(path, sizeof path, "%s%zu-%zu", places[p].dir, p, i);
			e = landing_entry(ENTRY_FILE, path);
			e.mode = modes[i / 2];
			e.uid = places[p].uid;
			e.gid = places[p].gid;
			e.size = 1;
			CHECK_OK(target_parent(t, e.path, e.path_len, NULL, NULL, &f, &err), &err);
			if (i % 2 == 0) {
				CHECK_OK(target_small(t, f, &e, "x", 1, &err), &err);
			} else {
				CHECK_INT(target_file_new(t, f, &e, 1, &file, &err), 1);
				CHECK_OK(target_file_write(file, 0, "x", 1, &err), &err);
				CHECK_OK(target_file_done(file, &err), &err);
			}
			target_folder_unref(f);
			(void)snprintf(rel, sizeof rel, "root/%s", path);
			st = landing_stat(rel);
			CHECK_INT(st.st_mode & 07777, e.mode);
			CHECK_INT(st.st_uid, e.uid);
			CHECK_INT(st.st_gid, e.gid);
			CHECK_INT(st.st_mtim.tv_sec, 1000000000);
		}
	landing_finish(t);
	CHECK_INT(landing_warnings, 0);
}

static void
test_resume(void)
{
	struct entry e = landing_entry(ENTRY_FILE, "a/big"), group = landing_entry(ENTRY_FILE, "g2");
	struct target_file *f;
	struct target *t;
	struct target_counters c;
	struct error err;
	ino_t whole, linked;

	t = landing_begin();
	CHECK_OK(landing_small(t, "a/whole", "whole", &err), &err);
	CHECK_OK(landing_small(t, "a/other-size", "1234", &err), &err);
	CHECK_OK(landing_symlink(t, "a/z", "x", &err), &err);
	CHECK_INT(landing_member(t, "g1", 2), 2);
	group.ino = 8;
	group.nlink = 2;
	group.size = 4;
	CHECK_INT(landing_file(t, &group, 2, &f, &err), 2);
	CHECK_OK(target_file_write(f, 0, "li", 2, &err), &err);
	/* Killed: what was begun is neither finished nor given up. */
	(void)close(f->fd);
	target_folder_unref(f->folder);
	free(f);
	target_free(t);
	CHECK(landing_exists("root/" LANDING_MARKER));
	whole = landing_stat("root/a/whole").st_ino;
	linked = landing_stat("root/g1").st_ino;
	CHECK(mkdir(landing_path("root/a/big"), 0700) == 0);

	t = landing_open(false);
	CHECK(target_resuming(t));
	CHECK_OK(landing_small(t, "a/whole", "whole", &err), &err);
	CHECK_OK(landing_small(t, "a/other-size", "12345", &err), &err);
	CHECK_OK(landing_symlink(t, "a/z", "y", &err), &err);
	CHECK_INT(landing_stat("root/a/whole").st_ino, whole);
	e.size = 3;
	CHECK_INT(landing_file(t, &e, 1, &f, &err), 2);
	CHECK_OK(target_file_write(f, 0, "big", 3, &err), &err);
	CHECK_OK(target_file_done(f, &err), &err);
	CHECK_INT(landing_file(t, &e, 1, &f, &err), 0);
	CHECK_INT(landing_member(t, "g1", 2), 1);
	CHECK_INT(landing_member(t, "g9", 2), 1);
	CHECK_INT(landing_stat("root/g9").st_ino, linked);
	CHECK_INT(landing_file(t, &group, 1, &f, &err), 2);
	CHECK_OK(target_file_write(f, 0, "next", 4, &err), &err);
	CHECK_OK(target_file_done(f, &err), &err);
	group.path = "g3";
	CHECK_INT(landing_file(t, &group, 1, &f, &err), 1);
	target_counters(t, &c);
	CHECK_INT(c.skipped, 3);
	target_free(t);

	/* A third time: all is there, also what was linked by the second. */
	t = landing_open(false);
	CHECK_INT(landing_file(t, &group, 1, &f, &err), 1);
	CHECK_INT(landing_member(t, "g9", 2), 1);
	target_counters(t, &c);
	CHECK_INT(c.skipped, 2);
	landing_finish(t);
	landing_check("root/g2", "next", 4);
	landing_check("root/a/other-size", "12345", 5);
	landing_check("root/a/big", "big", 3);
	CHECK_INT(landing_stat("root/g3").st_nlink, 2);
}

static void
test_root_states(void)
{
	struct target_options other = {.id = "ffff"}, bad = {.id = "a/b"};
	struct target *t, *second;
	struct error err;

	landing_fresh();
	landing_put("root", "a file");
	CHECK_INT(landing_try_open(false, &t, &err), ERR_USAGE);
	CHECK(unlink(landing_path("root")) == 0);
	CHECK_INT(target_open(landing_path("no/such"), &other, landing_warn, NULL, &t, &err), ERR_NOT_FOUND);
	CHECK_INT(target_open(landing_path("root"), &bad, landing_warn, NULL, &t, &err), ERR_USAGE);
	t = landing_open(false);
	CHECK_INT(landing_stat("root").st_mode & 07777, 0700);
	CHECK_INT(landing_try_open(false, &second, &err), ERR_EXISTS);
	CHECK_INT(target_open(landing_path("root"), &other, landing_warn, NULL, &second, &err), ERR_EXISTS);
	target_free(t);
	/* Nothing was imported: no trace. */
	CHECK(!landing_exists("root/" LANDING_MARKER));
	CHECK(mkdir(landing_path("root/lost+found"), 0700) == 0);
	t = landing_open(false);
	CHECK_OK(landing_small(t, "x", "x", &err), &err);
	target_free(t);
	CHECK_INT(target_open(landing_path("root"), &other, landing_warn, NULL, &t, &err), ERR_EXISTS);
	CHECK(strstr(err.msg, "unfinished import") != NULL);
	other.overwrite = true;
	CHECK_OK(target_open(landing_path("root"), &other, landing_warn, NULL, &t, &err), &err);
	CHECK(!landing_exists("root/" LANDING_MARKER));
	landing_finish(t);
	CHECK_INT(landing_try_open(false, &t, &err), ERR_EXISTS);
	CHECK(strstr(err.msg, "not empty") != NULL);
	CHECK(landing_exists("root/lost+found"));
}

static void
test_overwrite(void)
{
	struct target *t;
	struct error err;

	landing_fresh();
	CHECK(mkdir(landing_path("root"), 0700) == 0);
	CHECK(mkdir(landing_path("root/empty"), 0700) == 0 && mkdir(landing_path("root/full"), 0700) == 0 &&
	      mkdir(landing_path("root/keep"), 0700) == 0);
	landing_put("root/full/x", "x");
	landing_put("root/keep/mine", "mine");
	landing_put("root/old", "old content");
	landing_put("root/becomes-folder", "old");
	landing_put("outside/precious", "precious");
	CHECK(symlink("../outside/precious", landing_path("root/link")) == 0);
	CHECK(link(landing_path("outside/precious"), landing_path("root/shared")) == 0);
	CHECK(symlink("../outside", landing_path("root/linkdir")) == 0);
	t = landing_open(true);
	CHECK_OK(landing_folder(t, "becomes-folder", &err), &err);
	CHECK_OK(landing_small(t, "becomes-folder/x", "new", &err), &err);
	CHECK_OK(landing_small(t, "empty", "new", &err), &err);
	CHECK_INT(landing_small(t, "full", "new", &err), ERR_EXISTS);
	CHECK(strstr(err.msg, "full") != NULL);
	CHECK_OK(landing_folder(t, "keep", &err), &err);
	CHECK_OK(landing_small(t, "keep/new", "new", &err), &err);
	CHECK_OK(landing_small(t, "link", "new", &err), &err);
	CHECK_OK(landing_folder(t, "linkdir", &err), &err);
	CHECK_OK(landing_small(t, "linkdir/x", "new", &err), &err);
	CHECK_OK(landing_small(t, "old", "new", &err), &err);
	CHECK_OK(landing_small(t, "shared", "new", &err), &err);
	landing_finish(t);
	landing_check("root/old", "new", 3);
	landing_check("root/keep/mine", "mine", 4);
	landing_check("root/becomes-folder/x", "new", 3);
	landing_check("outside/precious", "precious", 8);
	CHECK(unlink(landing_path("outside/precious")) == 0);
	landing_check_outside();
}

/* Without root: owners and devices are warnings, not the end. */
static void
test_without_root(void)
{
	struct entry e = landing_entry(ENTRY_CHAR_DEVICE, "d/null"), file = landing_entry(ENTRY_FILE, "d/suid");
	struct target_folder *f;
	struct target *t;
	struct error err;

	if (geteuid() != 0) {
		(void)puts("not root: dropping rights not tested");
		return;
	}
	landing_fresh();
	CHECK(mkdir(landing_path("root"), 0700) == 0 && chown(landing_path("root"), 65534, 65534) == 0 &&
	      chmod(landing_base, 0755) == 0);
	CHECK(setegid(65534) == 0 && seteuid(65534) == 0);
	t = landing_open(false);
	e.dev_major = 1;
	e.dev_minor = 3;
	CHECK_OK(landing_special(t, &e, &err), &err);
	CHECK_INT(landing_warnings, 1);
	CHECK(strstr(landing_last_warning, "device") != NULL);
	CHECK_OK(landing_small(t, "d/x", "x", &err), &err);
	file.mode = 04755;
	file.size = 1;
	CHECK_OK(target_parent(t, file.path, file.path_len, NULL, NULL, &f, &err), &err);
	CHECK_OK(target_small(t, f, &file, "x", 1, &err), &err);
	target_folder_unref(f);
	landing_finish(t);
	CHECK(seteuid(0) == 0 && setegid(0) == 0);
	CHECK(landing_warnings >= 2);
	CHECK(!landing_exists("root/d/null"));
	CHECK_INT(landing_stat("root/d/suid").st_mode & 06000, 0);
	CHECK_INT(landing_stat("root/d/x").st_uid, 65534);
}

int
main(void)
{
	static void (*const tests[])(void) = {
	    test_tree, test_modes, test_resume, test_root_states, test_overwrite, test_without_root};

	landing_tests("test_target", tests, COUNT_OF(tests));
	return 0;
}
