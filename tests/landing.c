/*
 * What the tests of an import's target share: see landing.h.
 */
#include "landing.h"

#include <unistd.h>

#include "check.h"
#include "cleanup.h"
#include "scratch.h"

char landing_base[256], landing_last_warning[128];
unsigned landing_warnings;

void
landing_warn(void *arg, const char *path, size_t len, const char *what)
{
	(void)arg, (void)path, (void)len;
	landing_warnings++;
	(void)snprintf(landing_last_warning, sizeof landing_last_warning, "%s", what);
}

const char *
landing_path(const char *rel)
{
	static __thread char paths[4][512];
	static __thread unsigned next;
	char *p = paths[next++ % 4];

	(void)snprintf(p, sizeof paths[0], "%s/%s", landing_base, rel);
	return p;
}

void
landing_fresh(void)
{
	scratch_remove(landing_base);
	CHECK(mkdir(landing_base, 0700) == 0);
	CHECK(mkdir(landing_path("outside"), 0700) == 0);
	landing_warnings = 0;
}

void
landing_put(const char *rel, const char *text)
{
	CLEANUP_FCLOSE FILE *f = fopen(landing_path(rel), "w");

	CHECK(f != NULL);
	CHECK(fputs(text, f) >= 0);
}

void
landing_check(const char *rel, const void *want, size_t len)
{
	CLEANUP_FCLOSE FILE *f = fopen(landing_path(rel), "r");
	CLEANUP_FREE char *got = malloc(len + 1);

	CHECK(f != NULL && got != NULL);
	CHECK_INT(fread(got, 1, len + 1, f), len);
	CHECK_MEM(got, want, len);
}

bool
landing_exists(const char *rel)
{
	struct stat st;

	return lstat(landing_path(rel), &st) == 0;
}

void
landing_check_outside(void)
{
	CHECK(rmdir(landing_path("outside")) == 0);
	CHECK(mkdir(landing_path("outside"), 0700) == 0);
}

int
landing_try_open(bool overwrite, struct target **t, struct error *err)
{
	struct target_options o = {.id = LANDING_ID, .overwrite = overwrite};

	return target_open(landing_path("root"), &o, landing_warn, NULL, t, err);
}

struct target *
landing_open(bool overwrite)
{
	struct target *t;
	struct error err;

	CHECK_OK(landing_try_open(overwrite, &t, &err), &err);
	return t;
}

struct target *
landing_begin(void)
{
	landing_fresh();
	return landing_open(false);
}

struct entry
landing_entry(enum entry_type type, const char *path)
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

int
landing_small(struct target *t, const char *path, const char *text, struct error *err)
{
	struct entry e = landing_entry(ENTRY_FILE, path);
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

int
landing_folder(struct target *t, const char *path, struct error *err)
{
	struct entry e = landing_entry(ENTRY_FOLDER, path);

	return target_folder_make(t, &e, err);
}

int
landing_special(struct target *t, const struct entry *e, struct error *err)
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

int
landing_symlink(struct target *t, const char *path, const char *to, struct error *err)
{
	struct entry e = landing_entry(ENTRY_SYMLINK, path);

	e.link = to;
	e.link_len = strlen(to);
	return landing_special(t, &e, err);
}

int
landing_file(struct target *t, const struct entry *e, unsigned parts, struct target_file **out, struct error *err)
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

int
landing_member(struct target *t, const char *path, unsigned nlink)
{
	struct entry e = landing_entry(ENTRY_FILE, path);
	struct target_file *f;
	struct error err;
	int r;

	e.nlink = nlink;
	e.size = 4;
	CHECK_OK(r = landing_file(t, &e, 1, &f, &err), &err);
	if (f != NULL) {
		CHECK_OK(target_file_write(f, 0, "link", 4, &err), &err);
		CHECK_OK(target_file_done(f, &err), &err);
	}
	return r;
}

struct stat
landing_stat(const char *rel)
{
	struct stat st;

	CHECK(lstat(landing_path(rel), &st) == 0);
	return st;
}

void
landing_finish(struct target *t)
{
	struct error err;

	CHECK_OK(target_finish(t, &err), &err);
	target_free(t);
	CHECK(!landing_exists("root/" LANDING_MARKER));
}

void
landing_tests(const char *name, void (*const tests[])(void), size_t count)
{
	(void)alarm(60);
	scratch_make(landing_base, sizeof landing_base, name);
	for (size_t i = 0; i < count; i++)
		tests[i]();
	scratch_remove(landing_base);
}
