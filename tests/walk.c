/*
 * What the tests of the walk share: see walk.h.
 */
#include "walk.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "entry.h"
#include "scratch.h"

char walk_base[PATH_MAX], walk_root[PATH_MAX + 8];
bool walk_in_memory;

void
walk_paths_add(struct walk_paths *l, const char *path)
{
	if (l->n == l->cap) {
		l->cap = l->cap == 0 ? 64 : 2 * l->cap;
		l->paths = realloc(l->paths, l->cap * sizeof *l->paths);
		CHECK(l->paths != NULL);
	}
	CHECK((l->paths[l->n++] = strdup(path)) != NULL);
}

void
walk_paths_free(struct walk_paths *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->paths[i]);
	free(l->paths);
	*l = (struct walk_paths){NULL, 0, 0};
}

static int
compare_paths(const void *a, const void *b)
{
	const char *x = *(char *const *)a, *y = *(char *const *)b;

	return entry_path_compare(x, strlen(x), y, strlen(y));
}

static void
model_folder(struct walk_paths *l, int fd, const char *path)
{
	DIR *d = fdopendir(fd);
	struct dirent *e;

	CHECK(d != NULL);
	while ((e = readdir(d)) != NULL) {
		char below[PATH_MAX];
		int sub;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		(void)snprintf(below, sizeof below, "%s%s%s", path, *path != '\0' ? "/" : "", e->d_name);
		walk_paths_add(l, below);
		sub = openat(fd, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
		if (sub >= 0)
			model_folder(l, sub, below);
	}
	(void)closedir(d);
}

static void
walk_model(struct walk_paths *l)
{
	int fd = open(walk_root, O_RDONLY | O_DIRECTORY);

	CHECK(fd >= 0);
	walk_paths_add(l, "");
	model_folder(l, fd, "");
	qsort(l->paths, l->n, sizeof *l->paths, compare_paths);
}

void
walk_on_notice(void *arg, enum walker_notice notice, const char *path, size_t path_len, int errnum)
{
	struct walk_notices *n = arg;

	CHECK_INT(strlen(path), path_len);
	n->counts[notice]++;
	n->errnum = errnum;
	(void)snprintf(n->path, sizeof n->path, "%s", path);
}

unsigned
walk_notices_all(const struct walk_notices *n)
{
	unsigned sum = 0;

	for (size_t i = 0; i < COUNT_OF(n->counts); i++)
		sum += n->counts[i];
	return sum;
}

static void
check_node(const struct walker_node *n)
{
	struct stat st;

	CHECK_INT(strlen(n->path), n->path_len);
	CHECK(entry_path_valid(n->path, n->path_len));
	CHECK((n->parent == NULL) == (n->path_len == 0));
	if (n->parent != NULL) {
		const char *slash = strrchr(n->path, '/');

		CHECK_STR(n->name, slash == NULL ? n->path : slash + 1);
		CHECK(fstatat(folder_fd(n->parent), n->name, &st, AT_SYMLINK_NOFOLLOW) == 0);
		CHECK_INT(n->stx.stx_ino, st.st_ino);
		CHECK_INT(n->stx.stx_mode, st.st_mode);
		CHECK_INT(n->stx.stx_size, st.st_size);
		CHECK_INT(n->stx.stx_ctime.tv_nsec, st.st_ctim.tv_nsec);
	}
	if (n->self != NULL) {
		CHECK(fstat(folder_fd(n->self), &st) == 0);
		CHECK_INT(n->stx.stx_ino, st.st_ino);
	}
}

void
walk_list(struct walk_paths *l, const struct walker_options *o, size_t limit, struct walk_notices *notices)
{
	struct walker *w;
	struct walker_node n;
	struct error err;
	int r;

	memset(notices, 0, sizeof *notices);
	CHECK_OK(walker_new_limited(walk_root, o, limit, walk_on_notice, notices, &w, &err), &err);
	while ((r = walker_next(w, &n, &err)) == 1) {
		check_node(&n);
		walk_paths_add(l, n.path);
	}
	CHECK_OK(r, &err);
	CHECK_INT(walker_next(w, &n, &err), 0);
	walker_free(w);
}

void
walk_check_same(const struct walk_paths *got, const struct walk_paths *want)
{
	for (size_t i = 0; i < got->n && i < want->n; i++)
		CHECK_STR(got->paths[i], want->paths[i]);
	CHECK_INT(got->n, want->n);
}

void
walk_check_like_model(const struct walker_options *o, size_t limit)
{
	CLEANUP(walk_paths_free) struct walk_paths got = {0}, want = {0};
	struct walk_notices notices;

	walk_model(&want);
	walk_list(&got, o, limit, &notices);
	walk_check_same(&got, &want);
	CHECK_INT(walk_notices_all(&notices), 0);
}

void
walk_put_file(const char *path)
{
	char full[PATH_MAX + 300];
	int fd;

	(void)snprintf(full, sizeof full, "%s/%s", walk_root, path);
	fd = open(full, O_WRONLY | O_CREAT, 0600);
	CHECK(fd >= 0);
	(void)close(fd);
}

void
walk_put_folder(const char *path)
{
	char full[PATH_MAX + 300];

	(void)snprintf(full, sizeof full, "%s/%s", walk_root, path);
	CHECK(mkdir(full, 0700) == 0);
}

void
walk_clean(void)
{
	scratch_remove(walk_root);
	CHECK(mkdir(walk_root, 0700) == 0);
}

void
walk_tests(const char *name, void (*const tests[])(void), size_t count)
{
	(void)alarm(60);
	scratch_make(walk_base, sizeof walk_base, name);
	walk_in_memory = scratch_enter_memory(walk_base);
	if (!walk_in_memory)
		printf("no file system in memory\n");
	(void)snprintf(walk_root, sizeof walk_root, "%s/root", walk_base);
	CHECK(mkdir(walk_root, 0700) == 0);
	for (size_t i = 0; i < count; i++)
		tests[i]();
	if (walk_in_memory) {
		scratch_leave_memory(walk_base);
	} else {
		walk_clean();
		CHECK(rmdir(walk_root) == 0);
	}
	CHECK(rmdir(walk_base) == 0);
}
