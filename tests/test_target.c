/*
 * The target of an import: what it makes, what it refuses, and that nothing appears outside.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "check.h"
#include "cleanup.h"
#include "../exporter/target_internal.h"

#define ID     "0123abcd"
#define MARKER ".snapferry-" ID

static char base[256];
static unsigned warnings;
static char last_warning[128];

static void
warn(void *arg, const char *path, size_t len, const char *what)
{
	(void)arg, (void)path, (void)len;
	warnings++;
	(void)snprintf(last_warning, sizeof last_warning, "%s", what);
}

/* A tree may be deeper than nftw() can follow by path: go down and up with descriptors. */
static void
remove_tree(int parent, const char *name)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	struct dirent *e;
	DIR *d;

	if (fd < 0) {
		(void)unlinkat(parent, name, 0);
		return;
	}
	(void)fchmod(fd, 0700);
	d = fdopendir(fd);
	CHECK(d != NULL);
	while ((e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			remove_tree(fd, e->d_name);
	(void)closedir(d);
	(void)unlinkat(parent, name, AT_REMOVEDIR);
}

/* A path below the temporary folder. */
static const char *
at(const char *rel)
{
	static __thread char paths[4][512];
	static __thread unsigned next;
	char *p = paths[next++ % 4];

	(void)snprintf(p, sizeof paths[0], "%s/%s", base, rel);
	return p;
}

static void
fresh(void)
{
	remove_tree(AT_FDCWD, base);
	CHECK(mkdir(base, 0700) == 0);
	CHECK(mkdir(at("outside"), 0700) == 0);
	warnings = 0;
}

static void
put(const char *rel, const char *text)
{
	CLEANUP_FCLOSE FILE *f = fopen(at(rel), "w");

	CHECK(f != NULL);
	CHECK(fputs(text, f) >= 0);
}

static void
check_content(const char *rel, const void *want, size_t len)
{
	CLEANUP_FCLOSE FILE *f = fopen(at(rel), "r");
	CLEANUP_FREE char *got = malloc(len + 1);

	CHECK(f != NULL && got != NULL);
	CHECK_INT(fread(got, 1, len + 1, f), len);
	CHECK_MEM(got, want, len);
}

static bool
exists(const char *rel)
{
	struct stat st;

	return lstat(at(rel), &st) == 0;
}

static void
check_outside_empty(void)
{
	CHECK(rmdir(at("outside")) == 0);
	CHECK(mkdir(at("outside"), 0700) == 0);
}

static int
try_open(bool overwrite, struct target **t, struct error *err)
{
	struct target_options o = {.id = ID, .overwrite = overwrite};

	return target_open(at("root"), &o, warn, NULL, t, err);
}

static struct target *
must_open(bool overwrite)
{
	struct target *t;
	struct error err;

	CHECK_OK(try_open(overwrite, &t, &err), &err);
	return t;
}

static struct entry
entry(enum entry_type type, const char *path)
{
	return (struct entry){
	    .type = (uint8_t)type,
	    .path = path,
	    .path_len = strlen(path),
	    .mode = type == ENTRY_FOLDER ? 0755 : 0644,
	    .uid = geteuid(),
	    .gid = getegid(),
	    .nlink = 1,
	    .ino = 7,
	    .mtime_s = 1000000000,
	    .mtime_ns = 123456000,
	};
}

static int
try_small(struct target *t, const char *path, const char *text, struct error *err)
{
	struct entry e = entry(ENTRY_FILE, path);
	struct target_folder *f;
	int r;

	e.size = strlen(text);
	r = target_parent(t, path, strlen(path), NULL, NULL, &f, err);
	if (r < 0)
		return r;
	r = target_small(t, f, &e, text, strlen(text), err);
	target_folder_unref(f);
	return r;
}

static int
try_folder(struct target *t, const char *path, struct error *err)
{
	struct entry e = entry(ENTRY_FOLDER, path);

	return target_folder_make(t, &e, err);
}

static int
try_special(struct target *t, const struct entry *e, struct error *err)
{
	struct target_folder *f;
	int r;

	r = target_parent(t, e->path, e->path_len, NULL, NULL, &f, err);
	if (r < 0)
		return r;
	r = target_special(t, f, e, err);
	target_folder_unref(f);
	return r;
}

static int
try_symlink(struct target *t, const char *path, const char *to, struct error *err)
{
	struct entry e = entry(ENTRY_SYMLINK, path);

	e.link = to;
	e.link_len = strlen(to);
	return try_special(t, &e, err);
}

/* 1: linked; 0: already whole; 2: a target_file in *out, or (NULL) the group is lost. */
static int
try_file(struct target *t, const struct entry *e, unsigned parts, struct target_file **out, struct error *err)
{
	struct target_folder *f;
	int r;

	*out = NULL;
	r = target_parent(t, e->path, e->path_len, NULL, NULL, &f, err);
	if (r < 0)
		return r;
	r = target_link(t, f, e, err);
	if (r == 0) {
		r = target_file_new(t, f, e, parts, out, err);
		if (r == 1)
			r = 2;
	}
	target_folder_unref(f);
	return r;
}

/* A member of a hard-link group, with content when it is the first. */
static int
put_member(struct target *t, const char *path, unsigned nlink)
{
	struct entry e = entry(ENTRY_FILE, path);
	struct target_file *f;
	struct error err;
	int r;

	e.nlink = nlink;
	e.size = 4;
	CHECK_OK(r = try_file(t, &e, 1, &f, &err), &err);
	if (f != NULL) {
		CHECK_OK(target_file_write(f, 0, "link", 4, &err), &err);
		CHECK_OK(target_file_done(f, &err), &err);
	}
	return r;
}

static struct stat
stat_of(const char *rel)
{
	struct stat st;

	CHECK(lstat(at(rel), &st) == 0);
	return st;
}

static void
finish(struct target *t)
{
	struct error err;

	CHECK_OK(target_finish(t, &err), &err);
	target_free(t);
	CHECK(!exists("root/" MARKER));
}

static void
test_tree(void)
{
	struct entry folder = entry(ENTRY_FOLDER, "a"), root = entry(ENTRY_FOLDER, ""),
		     fifo = entry(ENTRY_FIFO, "a/fifo"), sock = entry(ENTRY_SOCKET, "a/socket");
	struct target *t;
	struct target_counters c;
	struct error err;
	mode_t before = umask(027);
	struct stat st;

	fresh();
	t = must_open(false);
	CHECK(!target_resuming(t));
	CHECK_OK(target_folder_make(t, &root, &err), &err);
	CHECK_OK(try_folder(t, "a", &err), &err);
	CHECK_OK(try_small(t, "a/empty", "", &err), &err);
	CHECK_OK(try_special(t, &fifo, &err), &err);
	CHECK_OK(try_special(t, &sock, &err), &err);
	CHECK_OK(try_small(t, "a/x", "hello", &err), &err);
	CHECK_OK(try_small(t, "left/out/y", "deep", &err), &err);
	CHECK_OK(try_symlink(t, "z", "/nowhere", &err), &err);
	CHECK_INT(stat_of("root/a").st_mode & 07777, 0700);
	CHECK_OK(target_finish_folder(t, &folder, &err), &err);
	root.mode = 02750;
	CHECK_OK(target_finish_folder(t, &root, &err), &err);
	target_counters(t, &c);
	CHECK_INT(c.files, 3);
	CHECK_INT(c.folders, 2);
	CHECK_INT(c.symlinks, 1);
	CHECK_INT(c.specials, 2);
	CHECK_INT(c.bytes_written, 9);
	finish(t);
	CHECK_INT(umask(before), 027);
	check_content("root/a/x", "hello", 5);
	check_content("root/left/out/y", "deep", 4);
	st = stat_of("root/a/x");
	CHECK_INT(st.st_mode, S_IFREG | 0644);
	CHECK_INT(st.st_mtim.tv_sec, 1000000000);
	CHECK_INT(st.st_mtim.tv_nsec, 123456000);
	CHECK_INT(stat_of("root/a").st_mode, S_IFDIR | 0755);
	CHECK_INT(stat_of("root/a").st_mtim.tv_sec, 1000000000);
	CHECK_INT(stat_of("root").st_mode, S_IFDIR | 02750);
	CHECK_INT(stat_of("root/a/fifo").st_mode, S_IFIFO | 0644);
	CHECK_INT(stat_of("root/a/socket").st_mode, S_IFSOCK | 0644);
	CHECK_INT(stat_of("root/left").st_mode, S_IFDIR | 0700);
	CHECK_INT(warnings, 0);
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
	fresh();
	CHECK(mkdir(at("root"), 0755) == 0 && chmod(at("root"), 02775) == 0 && chown(at("root"), 0, 55) == 0);
	CHECK(chmod(at("root"), 02775) == 0);
	t = must_open(false);
	for (size_t p = 0; p < COUNT_OF(places); p++)
		for (size_t i = 0; i < COUNT_OF(modes) * 2; i++) {
			char path[64] = "", rel[80];
			struct entry e;
			struct target_folder *f;
			struct target_file *file;
			struct stat st;

			(void)snprintf(path, sizeof path, "%s%zu-%zu", places[p].dir, p, i);
			e = entry(ENTRY_FILE, path);
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
			st = stat_of(rel);
			CHECK_INT(st.st_mode & 07777, e.mode);
			CHECK_INT(st.st_uid, e.uid);
			CHECK_INT(st.st_gid, e.gid);
			CHECK_INT(st.st_mtim.tv_sec, 1000000000);
		}
	finish(t);
	CHECK_INT(warnings, 0);
}

static void
test_hostile_paths(void)
{
	static const char *const paths[] = {"..", "../outside/x", "/outside/x", "a/../../outside/x", "a/..", ".",
	    "a//x", "a/", "", MARKER "/x", MARKER};
	struct target *t;
	struct error err;

	fresh();
	t = must_open(false);
	CHECK_OK(try_folder(t, "a", &err), &err);
	for (size_t i = 0; i < COUNT_OF(paths); i++) {
		struct target_folder *f;
		struct entry e = entry(ENTRY_FILE, paths[i]);
		struct target_file *file;

		CHECK_INT(try_small(t, paths[i], "x", &err), ERR_CORRUPT);
		CHECK_INT(try_symlink(t, paths[i], "x", &err), ERR_CORRUPT);
		if (paths[i][0] != 0)
			CHECK_INT(try_folder(t, paths[i], &err), ERR_CORRUPT);
		CHECK_OK(target_parent(t, "a/b", 3, NULL, NULL, &f, &err), &err);
		e.size = 1;
		e.nlink = 2;
		CHECK(target_small(t, f, &e, "x", 1, &err) < 0);
		CHECK(target_file_new(t, f, &e, 1, &file, &err) < 0);
		target_folder_unref(f);
	}
	/* Through symlinks and files that the catalog itself has made. */
	CHECK_OK(try_symlink(t, "out", at("outside"), &err), &err);
	CHECK_INT(try_small(t, "out/x", "x", &err), ERR_CORRUPT);
	CHECK_INT(try_folder(t, "out/sub", &err), ERR_CORRUPT);
	CHECK_INT(try_symlink(t, "out/link", "x", &err), ERR_CORRUPT);
	CHECK(try_folder(t, "out", &err) < 0);
	CHECK_OK(try_small(t, "plain", "x", &err), &err);
	CHECK_INT(try_small(t, "plain/x", "x", &err), ERR_CORRUPT);
	/* A name that is taken is no way to write through a symlink either. */
	CHECK_OK(try_symlink(t, "s", at("outside/made"), &err), &err);
	CHECK_INT(try_small(t, "s", "x", &err), ERR_EXISTS);
	check_outside_empty();
	finish(t);
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
		if (readlink(at("root/d"), to, sizeof to) < 0 && readlink(at("swap"), to, sizeof to) < 0) {
			char junk[32];

			(void)snprintf(junk, sizeof junk, "junk%u", n++);
			(void)rename(at("swap"), at(junk));
			CHECK(symlink(at("outside"), at("swap")) == 0 || errno == EEXIST);
		}
		(void)renameat2(AT_FDCWD, at("root/d"), AT_FDCWD, at("swap"), RENAME_EXCHANGE);
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

	fresh();
	t = must_open(true);
	CHECK_OK(try_folder(t, "d", &err), &err);
	atomic_store(&stop, false);
	CHECK(pthread_create(&thread, NULL, swapper, NULL) == 0);
	for (unsigned i = 0; i < 500; i++) {
		char path[64] = "";
		struct entry e = entry(ENTRY_FILE, path);
		struct target_file *f;

		(void)snprintf(path, sizeof path, "d/s%u/x", i);
		made += try_small(t, path, "x", &err) == 0;
		(void)snprintf(path, sizeof path, "d/f%u", i);
		e.path_len = strlen(path);
		e.size = 1;
		e.ino = i;
		e.nlink = 2;
		if (try_file(t, &e, 1, &f, &err) == 2) {
			(void)target_file_write(f, 0, "x", 1, &err);
			(void)target_file_done(f, &err);
		}
		(void)snprintf(path, sizeof path, "d/l%u", i);
		(void)try_symlink(t, path, "x", &err);
		/* Away and back, so that d is opened again each time. */
		(void)try_small(t, "other/file", "x", &err);
		(void)try_folder(t, "d", &err);
		e = entry(ENTRY_FOLDER, "d");
		(void)target_finish_folder(t, &e, &err);
	}
	atomic_store(&stop, true);
	CHECK(pthread_join(thread, NULL) == 0);
	CHECK(made > 0);
	CHECK_INT(stat_of("outside").st_mode & 07777, 0700);
	CHECK(stat_of("outside").st_mtim.tv_sec != 1000000000);
	check_outside_empty();
	target_free(t);
}

static void
test_hard_links(void)
{
	struct target *t;
	struct entry e;
	struct error err;
	struct target_counters c;

	fresh();
	t = must_open(false);
	CHECK_INT(put_member(t, "a/1", 3), 2);
	CHECK_INT(put_member(t, "b/2", 3), 1);
	CHECK_INT(put_member(t, "c", 3), 1);
	for (enum entry_type type = ENTRY_SYMLINK; type <= ENTRY_SOCKET; type++) {
		char one[16], two[16];

		if ((type == ENTRY_CHAR_DEVICE || type == ENTRY_BLOCK_DEVICE) && geteuid() != 0)
			continue;
		(void)snprintf(one, sizeof one, "s%d", type);
		(void)snprintf(two, sizeof two, "t%d", type);
		e = entry(type, one);
		e.nlink = 2;
		e.link = "x";
		e.link_len = 1;
		e.dev_major = 1;
		e.dev_minor = 3;
		CHECK_OK(try_special(t, &e, &err), &err);
		e.path = two;
		CHECK_OK(try_special(t, &e, &err), &err);
	}
	target_counters(t, &c);
	CHECK_INT(c.links, geteuid() == 0 ? 7 : 5);
	CHECK_INT(c.files, 1);
	finish(t);
	check_content("root/c", "link", 4);
	CHECK_INT(stat_of("root/a/1").st_nlink, 3);
	CHECK_INT(stat_of("root/a/1").st_ino, stat_of("root/b/2").st_ino);
	CHECK_INT(stat_of("root/c").st_mtim.tv_sec, 1000000000);
	CHECK_INT(stat_of("root/s3").st_nlink, 2);
	CHECK_INT(stat_of("root/s6").st_ino, stat_of("root/t6").st_ino);
	CHECK(S_ISLNK(stat_of("root/t3").st_mode));
}

/* At the limit of links the name in the marker is used up, and the group goes on with a new file. */
static void
test_link_limit(void)
{
	struct target *t;

	fresh();
	t = must_open(false);
	/* The name in the marker counts: the third member takes its place, the fourth begins a new group. */
	t->link_limit = 3;
	CHECK_INT(put_member(t, "1", 5), 2);
	CHECK_INT(put_member(t, "2", 5), 1);
	CHECK_INT(put_member(t, "3", 5), 1);
	CHECK_INT(put_member(t, "4", 5), 2);
	CHECK_INT(put_member(t, "5", 5), 1);
	finish(t);
	CHECK_INT(stat_of("root/1").st_nlink, 3);
	CHECK_INT(stat_of("root/3").st_ino, stat_of("root/1").st_ino);
	CHECK_INT(stat_of("root/4").st_nlink, 2);
	check_content("root/5", "link", 4);
}

/* ---- groups whose content is damaged ---- */

/* Begin the file of a group; the caller abandons it. */
static struct target_file *
begin_member(struct target *t, const char *path)
{
	struct entry e = entry(ENTRY_FILE, path);
	struct target_file *f;
	struct error err;

	e.nlink = 9;
	e.size = 4;
	CHECK_INT(try_file(t, &e, 1, &f, &err), 2);
	CHECK(f != NULL);
	CHECK_OK(target_file_write(f, 0, "li", 2, &err), &err);
	return f;
}

static bool
member_is_lost(struct target *t, const char *path)
{
	struct entry e = entry(ENTRY_FILE, path);
	struct target_file *f;
	struct error err;
	int r;

	e.nlink = 9;
	e.size = 4;
	CHECK_OK(r = try_file(t, &e, 1, &f, &err), &err);
	CHECK(f == NULL);
	CHECK(r == 1 || r == TARGET_LINK_LOST);
	return r == TARGET_LINK_LOST;
}

static int
remove_lost(struct target *t, const char *path)
{
	struct entry e = entry(ENTRY_FILE, path);
	struct error err;
	int r;

	e.nlink = 9;
	CHECK_OK(r = target_link_remove_lost(t, &e, &err), &err);
	return r;
}

static bool
exists_in_root(const char *name)
{
	char rel[64];

	(void)snprintf(rel, sizeof rel, "root/%s", name);
	return exists(rel);
}

/* Names linked before the damage is known, and after; each is told once. */
static void
test_lost_group(void)
{
	static const char *const names[] = {"a/1", "b/2", "c", "d/4"};
	struct target_counters c;
	struct target_file *f;
	struct target *t;

	for (size_t linked = 1; linked <= COUNT_OF(names); linked++) {
		fresh();
		t = must_open(false);
		f = begin_member(t, names[0]);
		for (size_t i = 1; i < linked; i++)
			CHECK(!member_is_lost(t, names[i]));
		target_file_abandon(f);
		for (size_t i = linked; i < COUNT_OF(names); i++)
			CHECK(member_is_lost(t, names[i]));
		for (size_t i = 0; i < COUNT_OF(names); i++) {
			CHECK_INT(remove_lost(t, names[i]), i > 0 && i < linked);
			CHECK(!exists_in_root(names[i]));
			CHECK_INT(remove_lost(t, names[i]), 0);
		}
		target_counters(t, &c);
		CHECK_INT(c.links, 0);
		CHECK_INT(c.files, 0);
		target_free(t);
	}
}

/* Another import starts afresh: lost or not before, what is left under the names makes way. */
static void
test_lost_and_resumed(void)
{
	struct target_file *f;
	struct target *t;
	struct error err;

	for (unsigned again = 0; again < 2; again++) {
		fresh();
		t = must_open(false);
		CHECK_OK(try_small(t, "z", "x", &err), &err);
		f = begin_member(t, "1");
		CHECK(!member_is_lost(t, "2"));
		CHECK(!member_is_lost(t, "3"));
		target_file_abandon(f);
		/* Killed before the second pass. */
		target_free(t);
		CHECK(!exists("root/1"));
		CHECK(exists("root/2") && stat_of("root/2").st_size == 0);

		t = must_open(false);
		CHECK(target_resuming(t));
		if (again == 1) {
			target_file_abandon(begin_member(t, "1"));
			CHECK(member_is_lost(t, "2"));
			CHECK(!exists("root/2"));
			CHECK(member_is_lost(t, "3"));
			CHECK_INT(remove_lost(t, "2") + remove_lost(t, "3"), 0);
			target_free(t);
			t = must_open(false);
		}
		CHECK_INT(put_member(t, "1", 3), 2);
		CHECK_INT(put_member(t, "2", 3), 1);
		CHECK_INT(put_member(t, "3", 3), 1);
		CHECK_INT(remove_lost(t, "2"), 0);
		finish(t);
		check_content("root/1", "link", 4);
		CHECK_INT(stat_of("root/3").st_nlink, 3);
		CHECK_INT(stat_of("root/2").st_ino, stat_of("root/1").st_ino);
	}
}

/* The name in the marker was used up: the group has two files. */
static void
test_lost_at_the_limit(void)
{
	static const char *const names[] = {"1", "2", "3", "4", "5"};
	struct target_file *f, *second;
	struct target *t;

	for (unsigned order = 0; order < 2; order++) {
		fresh();
		t = must_open(false);
		t->link_limit = 3;
		f = begin_member(t, "1");
		CHECK(!member_is_lost(t, "2"));
		CHECK(!member_is_lost(t, "3"));
		if (order == 1)
			target_file_abandon(f);
		if (order == 1) {
			CHECK(member_is_lost(t, "4"));
		} else {
			second = begin_member(t, "4");
			target_file_abandon(f);
			target_file_abandon(second);
		}
		CHECK(member_is_lost(t, "5"));
		for (size_t i = 0; i < COUNT_OF(names); i++) {
			CHECK_INT(remove_lost(t, names[i]), i == 1 || i == 2);
			CHECK(!exists_in_root(names[i]));
		}
		target_free(t);
	}
}

/* When the marker cannot remember, the import must not end as if all were well. */
static void
test_loss_unmarked(void)
{
	struct entry e = entry(ENTRY_FILE, "2");
	struct target_file *f;
	struct target *t;
	struct error err;

	fresh();
	t = must_open(false);
	f = begin_member(t, "1");
	CHECK(!member_is_lost(t, "2"));
	remove_tree(AT_FDCWD, at("root/" MARKER "/new"));
	target_file_abandon(f);
	e.nlink = 9;
	CHECK_INT(target_link_remove_lost(t, &e, &err), ERR_SYSTEM);
	target_free(t);
}

static void
test_resume(void)
{
	struct entry e = entry(ENTRY_FILE, "a/big"), group = entry(ENTRY_FILE, "g2");
	struct target_file *f;
	struct target *t;
	struct target_counters c;
	struct error err;
	ino_t whole, linked;

	fresh();
	t = must_open(false);
	CHECK_OK(try_small(t, "a/whole", "whole", &err), &err);
	CHECK_OK(try_small(t, "a/other-size", "1234", &err), &err);
	CHECK_OK(try_symlink(t, "a/z", "x", &err), &err);
	CHECK_INT(put_member(t, "g1", 2), 2);
	group.ino = 8;
	group.nlink = 2;
	group.size = 4;
	CHECK_INT(try_file(t, &group, 2, &f, &err), 2);
	CHECK_OK(target_file_write(f, 0, "li", 2, &err), &err);
	/* Killed: what was begun is neither finished nor given up. */
	(void)close(f->fd);
	target_folder_unref(f->folder);
	free(f);
	target_free(t);
	CHECK(exists("root/" MARKER));
	whole = stat_of("root/a/whole").st_ino;
	linked = stat_of("root/g1").st_ino;
	CHECK(mkdir(at("root/a/big"), 0700) == 0);

	t = must_open(false);
	CHECK(target_resuming(t));
	CHECK_OK(try_small(t, "a/whole", "whole", &err), &err);
	CHECK_OK(try_small(t, "a/other-size", "12345", &err), &err);
	CHECK_OK(try_symlink(t, "a/z", "y", &err), &err);
	CHECK_INT(stat_of("root/a/whole").st_ino, whole);
	e.size = 3;
	CHECK_INT(try_file(t, &e, 1, &f, &err), 2);
	CHECK_OK(target_file_write(f, 0, "big", 3, &err), &err);
	CHECK_OK(target_file_done(f, &err), &err);
	CHECK_INT(try_file(t, &e, 1, &f, &err), 0);
	CHECK_INT(put_member(t, "g1", 2), 1);
	CHECK_INT(put_member(t, "g9", 2), 1);
	CHECK_INT(stat_of("root/g9").st_ino, linked);
	CHECK_INT(try_file(t, &group, 1, &f, &err), 2);
	CHECK_OK(target_file_write(f, 0, "next", 4, &err), &err);
	CHECK_OK(target_file_done(f, &err), &err);
	group.path = "g3";
	CHECK_INT(try_file(t, &group, 1, &f, &err), 1);
	target_counters(t, &c);
	CHECK_INT(c.skipped, 3);
	target_free(t);

	/* A third time: all is there, also what was linked by the second. */
	t = must_open(false);
	CHECK_INT(try_file(t, &group, 1, &f, &err), 1);
	CHECK_INT(put_member(t, "g9", 2), 1);
	target_counters(t, &c);
	CHECK_INT(c.skipped, 2);
	finish(t);
	check_content("root/g2", "next", 4);
	check_content("root/a/other-size", "12345", 5);
	check_content("root/a/big", "big", 3);
	CHECK_INT(stat_of("root/g3").st_nlink, 2);
}

static void
test_root_states(void)
{
	struct target_options other = {.id = "ffff"}, bad = {.id = "a/b"};
	struct target *t, *second;
	struct error err;

	fresh();
	put("root", "a file");
	CHECK_INT(try_open(false, &t, &err), ERR_USAGE);
	CHECK(unlink(at("root")) == 0);
	CHECK_INT(target_open(at("no/such"), &other, warn, NULL, &t, &err), ERR_NOT_FOUND);
	CHECK_INT(target_open(at("root"), &bad, warn, NULL, &t, &err), ERR_USAGE);
	t = must_open(false);
	CHECK_INT(stat_of("root").st_mode & 07777, 0700);
	CHECK_INT(try_open(false, &second, &err), ERR_EXISTS);
	CHECK_INT(target_open(at("root"), &other, warn, NULL, &second, &err), ERR_EXISTS);
	target_free(t);
	/* Nothing was imported: no trace. */
	CHECK(!exists("root/" MARKER));
	CHECK(mkdir(at("root/lost+found"), 0700) == 0);
	t = must_open(false);
	CHECK_OK(try_small(t, "x", "x", &err), &err);
	target_free(t);
	CHECK_INT(target_open(at("root"), &other, warn, NULL, &t, &err), ERR_EXISTS);
	CHECK(strstr(err.msg, "unfinished import") != NULL);
	other.overwrite = true;
	CHECK_OK(target_open(at("root"), &other, warn, NULL, &t, &err), &err);
	CHECK(!exists("root/" MARKER));
	finish(t);
	CHECK_INT(try_open(false, &t, &err), ERR_EXISTS);
	CHECK(strstr(err.msg, "not empty") != NULL);
	CHECK(exists("root/lost+found"));
}

static void
test_overwrite(void)
{
	struct target *t;
	struct error err;

	fresh();
	CHECK(mkdir(at("root"), 0700) == 0);
	CHECK(mkdir(at("root/empty"), 0700) == 0 && mkdir(at("root/full"), 0700) == 0 &&
	      mkdir(at("root/keep"), 0700) == 0);
	put("root/full/x", "x");
	put("root/keep/mine", "mine");
	put("root/old", "old content");
	put("root/becomes-folder", "old");
	put("outside/precious", "precious");
	CHECK(symlink("../outside/precious", at("root/link")) == 0);
	CHECK(link(at("outside/precious"), at("root/shared")) == 0);
	CHECK(symlink("../outside", at("root/linkdir")) == 0);
	t = must_open(true);
	CHECK_OK(try_folder(t, "becomes-folder", &err), &err);
	CHECK_OK(try_small(t, "becomes-folder/x", "new", &err), &err);
	CHECK_OK(try_small(t, "empty", "new", &err), &err);
	CHECK_INT(try_small(t, "full", "new", &err), ERR_EXISTS);
	CHECK(strstr(err.msg, "full") != NULL);
	CHECK_OK(try_folder(t, "keep", &err), &err);
	CHECK_OK(try_small(t, "keep/new", "new", &err), &err);
	CHECK_OK(try_small(t, "link", "new", &err), &err);
	CHECK_OK(try_folder(t, "linkdir", &err), &err);
	CHECK_OK(try_small(t, "linkdir/x", "new", &err), &err);
	CHECK_OK(try_small(t, "old", "new", &err), &err);
	CHECK_OK(try_small(t, "shared", "new", &err), &err);
	finish(t);
	check_content("root/old", "new", 3);
	check_content("root/keep/mine", "mine", 4);
	check_content("root/becomes-folder/x", "new", 3);
	check_content("outside/precious", "precious", 8);
	CHECK(unlink(at("outside/precious")) == 0);
	check_outside_empty();
}

static void
test_content(void)
{
	struct entry e = entry(ENTRY_FILE, "d/file");
	struct target_file *f;
	struct target *t;
	struct error err;
	uint8_t want[100] = {0};

	fresh();
	t = must_open(false);
	/* A hole first, data, zeros, a hole last; parts in any order. */
	e.size = UINT64_C(1) << 33;
	CHECK_INT(try_file(t, &e, 3, &f, &err), 2);
	CHECK_OK(target_file_write(f, (UINT64_C(1) << 32), "data", 4, &err), &err);
	CHECK_OK(target_file_done(f, &err), &err);
	CHECK_OK(target_file_zeros(f, 4096, 65536, &err), &err);
	CHECK_OK(target_file_done(f, &err), &err);
	CHECK_INT(target_file_write(f, e.size - 1, "xx", 2, &err), ERR_CORRUPT);
	CHECK_INT(target_file_zeros(f, UINT64_MAX, 2, &err), ERR_CORRUPT);
	CHECK_OK(target_file_done(f, &err), &err);
	CHECK_INT(stat_of("root/d/file").st_size, e.size);
	CHECK(stat_of("root/d/file").st_blocks * 512 >= 65536);
	CHECK(stat_of("root/d/file").st_blocks * 512 < 1024 * 1024);
	/* Zeros to the end, and over what was written before. */
	e = entry(ENTRY_FILE, "d/zeros");
	e.size = 100;
	CHECK_INT(try_file(t, &e, 1, &f, &err), 2);
	CHECK_OK(target_file_zeros(f, 50, 50, &err), &err);
	CHECK_OK(target_file_write(f, 0, want, 50, &err), &err);
	CHECK_OK(target_file_done(f, &err), &err);
	check_content("root/d/zeros", want, 100);
	/* Never written at all. */
	e = entry(ENTRY_FILE, "d/hole");
	e.size = 100;
	CHECK_INT(try_file(t, &e, 1, &f, &err), 2);
	CHECK_OK(target_file_done(f, &err), &err);
	check_content("root/d/hole", want, 100);
	/* Given up: nothing stays, neither the file nor the name of its group. */
	e = entry(ENTRY_FILE, "d/gone");
	e.size = 4;
	e.nlink = 2;
	CHECK_INT(try_file(t, &e, 2, &f, &err), 2);
	CHECK_OK(target_file_write(f, 0, "xx", 2, &err), &err);
	target_file_abandon(f);
	CHECK(exists("root/d/gone"));
	CHECK_OK(target_file_done(f, &err), &err);
	CHECK(!exists("root/d/gone") && !exists("root/" MARKER "/new/7.1"));
	e.nlink = 1;
	CHECK_INT(try_file(t, &e, 1, &f, &err), 2);
	target_file_abandon(f);
	target_file_abandon(NULL);
	CHECK(!exists("root/d/gone"));
	finish(t);
}

/* Many files at once, with few descriptors and several threads. */
#define MANY  64
#define PARTS 8
static struct target_file *many[MANY];

static void *
write_parts(void *arg)
{
	unsigned first = *(unsigned *)arg;
	struct error err;

	for (unsigned part = first; part < PARTS; part += 4)
		for (unsigned i = 0; i < MANY; i++) {
			uint8_t bytes[16];

			memset(bytes, (int)(i + part), sizeof bytes);
			CHECK_OK(target_file_write(many[i], part * 16, bytes, 16, &err), &err);
			CHECK_OK(target_file_done(many[i], &err), &err);
		}
	return NULL;
}

static void
test_few_descriptors(void)
{
	unsigned first[4] = {0, 1, 2, 3};
	pthread_t threads[4];
	struct target *t;
	struct error err;

	fresh();
	t = must_open(false);
	t->max_files = 3;
	for (unsigned i = 0; i < MANY; i++) {
		char path[16] = "";
		struct entry e = entry(ENTRY_FILE, path);

		(void)snprintf(path, sizeof path, "d/%02u", i);
		e.path_len = strlen(path);
		e.size = 16 * PARTS;
		e.ino = i;
		e.nlink = i % 2 + 1;
		e.mode = 0444;
		CHECK_INT(try_file(t, &e, PARTS, &many[i], &err), 2);
		CHECK(t->open_files <= 3);
	}
	for (unsigned i = 0; i < 4; i++)
		CHECK(pthread_create(&threads[i], NULL, write_parts, &first[i]) == 0);
	for (unsigned i = 0; i < 4; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	CHECK_INT(t->open_files, 0);
	finish(t);
	for (unsigned i = 0; i < MANY; i++) {
		uint8_t want[16 * PARTS];
		char rel[32];

		for (unsigned j = 0; j < sizeof want; j++)
			want[j] = (uint8_t)(i + j / 16);
		(void)snprintf(rel, sizeof rel, "root/d/%02u", i);
		check_content(rel, want, sizeof want);
		CHECK_INT(stat_of(rel).st_mode & 07777, 0444);
	}
}

/* A file that was replaced while its descriptor was closed is not written to. */
static void
test_replaced(void)
{
	struct entry e = entry(ENTRY_FILE, "a");
	struct target_file *a, *b;
	struct target *t;
	struct error err;

	fresh();
	put("outside/x", "");
	t = must_open(false);
	t->max_files = 1;
	e.size = 4;
	CHECK_INT(try_file(t, &e, 1, &a, &err), 2);
	CHECK_OK(target_file_write(a, 0, "xx", 2, &err), &err);
	e.path = "b";
	CHECK_INT(try_file(t, &e, 1, &b, &err), 2);
	CHECK_OK(target_file_write(b, 0, "xx", 2, &err), &err);
	CHECK(unlink(at("root/a")) == 0 && link(at("outside/x"), at("root/a")) == 0);
	CHECK_INT(target_file_write(a, 2, "xx", 2, &err), ERR_EXISTS);
	target_file_abandon(a);
	CHECK_OK(target_file_done(b, &err), &err);
	target_free(t);
	CHECK_INT(stat_of("outside/x").st_size, 0);
}

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
	struct entry e = entry(ENTRY_FOLDER, path);

	e.path_len = depth * 2 - 1;
	e.mode = 0700 | (depth & 077);
	e.mtime_s += (int64_t)depth;
	return e;
}

/* Every level has its own attributes, and a file. */
static void
check_deep(void)
{
	int fd = __real_openat(AT_FDCWD, at("root"), O_RDONLY | O_DIRECTORY);

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
	fresh();
	t = must_open(false);
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
		CHECK_OK(try_small(t, path, "x", &err), &err);
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
	finish(t);
	CHECK_INT(warnings, 0);
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

	fresh();
	t = must_open(false);
	atomic_store(&opens, 0);
	for (unsigned i = 0; i < WIDTH; i++) {
		(void)snprintf(path, sizeof path, "a/b/%04u", i);
		CHECK_OK(try_folder(t, path, &err), &err);
		(void)snprintf(path, sizeof path, "a/b/%04u/x", i);
		CHECK_OK(try_small(t, path, "x", &err), &err);
	}
	for (unsigned i = 0; i < WIDTH; i++) {
		struct entry e = entry(ENTRY_FOLDER, path);

		(void)snprintf(path, sizeof path, "a/b/%04u", i);
		e.path_len = strlen(path);
		CHECK_OK(target_finish_folder(t, &e, &err), &err);
	}
	CHECK(atomic_load(&opens) < 4 * WIDTH);
	finish(t);
	CHECK_INT(stat_of("root/a/b/0777").st_mode & 07777, 0755);
}

/* A folder is moved out of the target while the ones above it are closed: ".." is not where it was. */
static void
test_moved(void)
{
	struct target *t;
	struct error err;

	fresh();
	t = must_open(false);
	t->window = 2;
	CHECK_OK(try_small(t, "1/2/3/4/5/6/7/8/x", "x", &err), &err);
	CHECK(rename(at("root/1/2/3/4/5/6/7"), at("outside/7")) == 0);
	CHECK_OK(try_small(t, "1/2/3/4/5/6/y", "y", &err), &err);
	check_content("root/1/2/3/4/5/6/y", "y", 1);
	CHECK(!exists("outside/y"));
	/* Nor is the one that is there now the one that was. */
	CHECK_OK(try_small(t, "1/2/3/4/5/6/7/8/z", "z", &err), &err);
	check_content("root/1/2/3/4/5/6/7/8/z", "z", 1);
	CHECK(mkdir(at("outside/6"), 0700) == 0);
	CHECK(rename(at("root/1/2/3/4/5/6/7"), at("outside/6/7")) == 0);
	CHECK(rename(at("root/1/2/3/4/5/6"), at("outside/old")) == 0);
	CHECK(symlink("../../../../../../outside/6", at("root/1/2/3/4/5/6")) == 0);
	CHECK_INT(try_small(t, "1/2/3/4/5/6/zz", "z", &err), ERR_CORRUPT);
	CHECK(!exists("outside/6/zz") && !exists("outside/old/zz"));
	/* After a failure the way goes on from where it ended. */
	CHECK_OK(try_small(t, "1/2/3/4/5/u", "u", &err), &err);
	check_content("root/1/2/3/4/5/u", "u", 1);
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

	fresh();
	t = must_open(false);
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
	return lgetxattr(at(rel), "system.posix_acl_access", NULL, 0) > 0 ||
	       lgetxattr(at(rel), "system.posix_acl_default", NULL, 0) > 0;
}

static void
test_default_acl(void)
{
	struct entry e = entry(ENTRY_FOLDER, "there");
	struct target *t;
	struct error err;

	fresh();
	CHECK(mkdir(at("root"), 0755) == 0 && mkdir(at("root/there"), 0755) == 0);
	if (setxattr(at("root"), "system.posix_acl_default", default_acl, sizeof default_acl, 0) < 0) {
		(void)puts("no ACLs here: not tested");
		return;
	}
	CHECK(setxattr(at("root/there"), "system.posix_acl_default", default_acl, sizeof default_acl, 0) == 0);
	t = must_open(true);
	CHECK(!has_acl("root"));
	CHECK_OK(try_small(t, "a", "x", &err), &err);
	CHECK_OK(try_folder(t, "there", &err), &err);
	CHECK_OK(try_small(t, "there/b", "x", &err), &err);
	CHECK_OK(try_folder(t, "there/sub", &err), &err);
	CHECK_OK(try_small(t, "there/sub/c", "x", &err), &err);
	e.path = "there/sub";
	e.path_len = 9;
	CHECK_OK(target_finish_folder(t, &e, &err), &err);
	e.path_len = 5;
	CHECK_OK(target_finish_folder(t, &e, &err), &err);
	finish(t);
	CHECK(!has_acl("root/a") && !has_acl("root/there/b") && !has_acl("root/there/sub/c"));
	CHECK(!has_acl("root/there") && !has_acl("root/there/sub"));
	CHECK_INT(stat_of("root/there/b").st_mode & 07777, 0644);
	CHECK_INT(stat_of("root/there/sub").st_mode & 07777, 0755);
}

/* Without root: owners and devices are warnings, not the end. */
static void
test_without_root(void)
{
	struct entry e = entry(ENTRY_CHAR_DEVICE, "d/null"), file = entry(ENTRY_FILE, "d/suid");
	struct target_folder *f;
	struct target *t;
	struct error err;

	if (geteuid() != 0) {
		(void)puts("not root: dropping rights not tested");
		return;
	}
	fresh();
	CHECK(mkdir(at("root"), 0700) == 0 && chown(at("root"), 65534, 65534) == 0 && chmod(base, 0755) == 0);
	CHECK(setegid(65534) == 0 && seteuid(65534) == 0);
	t = must_open(false);
	e.dev_major = 1;
	e.dev_minor = 3;
	CHECK_OK(try_special(t, &e, &err), &err);
	CHECK_INT(warnings, 1);
	CHECK(strstr(last_warning, "device") != NULL);
	CHECK_OK(try_small(t, "d/x", "x", &err), &err);
	file.mode = 04755;
	file.size = 1;
	CHECK_OK(target_parent(t, file.path, file.path_len, NULL, NULL, &f, &err), &err);
	CHECK_OK(target_small(t, f, &file, "x", 1, &err), &err);
	target_folder_unref(f);
	finish(t);
	CHECK(seteuid(0) == 0 && setegid(0) == 0);
	CHECK(warnings >= 2);
	CHECK(!exists("root/d/null"));
	CHECK_INT(stat_of("root/d/suid").st_mode & 06000, 0);
	CHECK_INT(stat_of("root/d/x").st_uid, 65534);
}

int
main(void)
{
	const char *tmp = getenv("TMPDIR");

	(void)alarm(60);
	(void)snprintf(base, sizeof base, "%s/test_target.XXXXXX", tmp != NULL ? tmp : "/tmp");
	CHECK(mkdtemp(base) != NULL);
	test_tree();
	test_modes();
	test_hostile_paths();
	test_swapped();
	test_hard_links();
	test_link_limit();
	test_lost_group();
	test_lost_and_resumed();
	test_lost_at_the_limit();
	test_loss_unmarked();
	test_resume();
	test_root_states();
	test_overwrite();
	test_content();
	test_few_descriptors();
	test_replaced();
	test_deep();
	test_wide();
	test_moved();
	test_wait();
	test_default_acl();
	test_without_root();
	remove_tree(AT_FDCWD, base);
	return 0;
}
