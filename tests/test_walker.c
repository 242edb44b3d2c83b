/* The walk against a model that reads everything and sorts it, and everything that can go wrong on the way. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "cleanup.h"
#include "entry.h"
#include "names.h"
#include "walker_internal.h"

static char base[PATH_MAX], root[PATH_MAX + 8];
static bool in_memory;

/* A growing list of paths. */
struct list {
	char **paths;
	size_t n, cap;
};

static void
list_add(struct list *l, const char *path)
{
	if (l->n == l->cap) {
		l->cap = l->cap == 0 ? 64 : 2 * l->cap;
		l->paths = realloc(l->paths, l->cap * sizeof *l->paths);
		CHECK(l->paths != NULL);
	}
	CHECK((l->paths[l->n++] = strdup(path)) != NULL);
}

static void
list_free(struct list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->paths[i]);
	free(l->paths);
	*l = (struct list){NULL, 0, 0};
}

static int
compare_paths(const void *a, const void *b)
{
	const char *x = *(char *const *)a, *y = *(char *const *)b;

	return entry_path_compare(x, strlen(x), y, strlen(y));
}

static void
model_folder(struct list *l, int fd, const char *path)
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
		list_add(l, below);
		sub = openat(fd, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
		if (sub >= 0)
			model_folder(l, sub, below);
	}
	(void)closedir(d);
}

static void
model(struct list *l)
{
	int fd = open(root, O_RDONLY | O_DIRECTORY);

	CHECK(fd >= 0);
	list_add(l, "");
	model_folder(l, fd, "");
	qsort(l->paths, l->n, sizeof *l->paths, compare_paths);
}

struct notices {
	unsigned counts[WALKER_TOO_DEEP + 1];
	int errnum;
	char path[64];
};

static void
on_notice(void *arg, enum walker_notice notice, const char *path, size_t path_len, int errnum)
{
	struct notices *n = arg;

	CHECK_INT(strlen(path), path_len);
	n->counts[notice]++;
	n->errnum = errnum;
	(void)snprintf(n->path, sizeof n->path, "%s", path);
}

static unsigned
notices_all(const struct notices *n)
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

/* Walk and list; every node is checked. */
static void
walk(struct list *l, const struct walker_options *o, size_t limit, struct notices *notices)
{
	struct walker *w;
	struct walker_node n;
	struct error err;
	int r;

	memset(notices, 0, sizeof *notices);
	CHECK_OK(walker_new_limited(root, o, limit, on_notice, notices, &w, &err), &err);
	while ((r = walker_next(w, &n, &err)) == 1) {
		check_node(&n);
		list_add(l, n.path);
	}
	CHECK_OK(r, &err);
	CHECK_INT(walker_next(w, &n, &err), 0);
	walker_free(w);
}

static void
check_same(const struct list *got, const struct list *want)
{
	for (size_t i = 0; i < got->n && i < want->n; i++)
		CHECK_STR(got->paths[i], want->paths[i]);
	CHECK_INT(got->n, want->n);
}

static void
check_like_model(const struct walker_options *o, size_t limit)
{
	CLEANUP(list_free) struct list got = {0}, want = {0};
	struct notices notices;

	model(&want);
	walk(&got, o, limit, &notices);
	check_same(&got, &want);
	CHECK_INT(notices_all(&notices), 0);
}

static void
put_file(const char *path)
{
	char full[PATH_MAX + 300];
	int fd;

	(void)snprintf(full, sizeof full, "%s/%s", root, path);
	fd = open(full, O_WRONLY | O_CREAT, 0600);
	CHECK(fd >= 0);
	(void)close(fd);
}

static void
put_folder(const char *path)
{
	char full[PATH_MAX + 300];

	(void)snprintf(full, sizeof full, "%s/%s", root, path);
	CHECK(mkdir(full, 0700) == 0);
}

static void
remove_below(int fd)
{
	DIR *d = fdopendir(fd);
	struct dirent *e;

	CHECK(d != NULL);
	while ((e = readdir(d)) != NULL) {
		int sub;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (unlinkat(dirfd(d), e->d_name, 0) == 0)
			continue;
		sub = openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
		CHECK(sub >= 0);
		remove_below(sub);
		CHECK(unlinkat(dirfd(d), e->d_name, AT_REMOVEDIR) == 0);
	}
	(void)closedir(d);
}

static void
clean_root(void)
{
	int fd = open(root, O_RDONLY | O_DIRECTORY);

	CHECK(fd >= 0);
	remove_below(fd);
}

static void
random_name(char *out, uint64_t *seed)
{
	size_t len = 1 + check_random(seed) % (check_random(seed) % 8 == 0 ? 200 : 4);

	do {
		for (size_t i = 0; i < len; i++) {
			/* A few letters often, so that names share beginnings, and any byte now and then. */
			uint8_t any = (uint8_t)check_random(seed), c = (uint8_t) "ab.\x01"[any % 4];

			if (check_random(seed) % 4 == 0)
				c = any;
			out[i] = (char)(c == 0 || c == '/' ? 0xff : c);
		}
		/* Some begin alike for longer than a sorting key. */
		if (check_random(seed) % 4 == 0 && len > 1)
			memset(out, 'a', len = 12 + len % 3);
		for (size_t i = 12; i < len; i++)
			out[i] = (char)('a' + check_random(seed) % 26);
		out[len] = '\0';
	} while (strcmp(out, ".") == 0 || strcmp(out, "..") == 0);
}

static void
random_tree(int fd, unsigned depth, uint64_t *seed)
{
	unsigned count = (unsigned)(check_random(seed) % (depth == 0 ? 60 : 25));

	for (unsigned i = 0; i < count; i++) {
		char name[256];
		CLEANUP_CLOSE int sub = -1;

		random_name(name, seed);
		switch (check_random(seed) % 8) {
		case 0:
		case 1:
			if (depth < 4 && mkdirat(fd, name, 0700) == 0 &&
			    (sub = openat(fd, name, O_RDONLY | O_DIRECTORY)) >= 0)
				random_tree(sub, depth + 1, seed);
			break;
		case 2:
			if (symlinkat("..", fd, name) < 0)
				CHECK_INT(errno, EEXIST);
			break;
		case 3:
			(void)mkfifoat(fd, name, 0600);
			break;
		default:
			sub = openat(fd, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0600);
		}
	}
}

static void
test_random(void)
{
	static const struct walker_options usual = {.max_folders = 0}, tight = {.max_folders = 4};

	for (uint64_t seed = 1; seed <= 5; seed++) {
		CLEANUP_CLOSE int fd = open(root, O_RDONLY | O_DIRECTORY);
		uint64_t state = seed;

		CHECK(fd >= 0);
		random_tree(fd, 0, &state);
		check_like_model(&usual, NAMES_LIMIT);
		check_like_model(&tight, NAMES_LIMIT);
		/* So small a limit that every folder goes through the temporary file, one name a run. */
		check_like_model(&tight, 0);
		check_like_model(&usual, 4096);
		clean_root();
	}
}

/* The order that differs from that of strcmp(). */
static void
test_order(void)
{
	static const char *const want[] = {"", "a", "a/b", "a/b/c", "a\x01", "a.b", "a0", "b"};
	static const struct walker_options o = {.max_folders = 0};
	CLEANUP(list_free) struct list got = {0};
	struct notices notices;

	put_folder("a");
	put_folder("a/b");
	put_file("a/b/c");
	put_file("a.b");
	put_file("a\x01");
	put_file("a0");
	put_file("b");
	walk(&got, &o, NAMES_LIMIT, &notices);
	CHECK_INT(got.n, COUNT_OF(want));
	for (size_t i = 0; i < got.n; i++)
		CHECK_STR(got.paths[i], want[i]);
	clean_root();
}

/* --- deep trees --- */

#define DEPTH 3000u

/* Folders in each other, named by number, each with a file that sorts before and one that sorts behind. */
static void
make_deep(void)
{
	int fd = open(root, O_RDONLY | O_DIRECTORY);

	CHECK(fd >= 0);
	for (unsigned i = 0; i < DEPTH; i++) {
		int below;

		CHECK(mkdirat(fd, "m", 0700) == 0);
		if (i % 100 == 0) {
			CHECK(mknodat(fd, "a", S_IFREG | 0600, 0) == 0);
			CHECK(mknodat(fd, "z", S_IFREG | 0600, 0) == 0);
		}
		below = openat(fd, "m", O_RDONLY | O_DIRECTORY);
		CHECK(below >= 0);
		(void)close(fd);
		fd = below;
	}
	(void)close(fd);
}

static void
remove_deep(void)
{
	int fd = open(root, O_RDONLY | O_DIRECTORY), below;
	unsigned depth = 0;

	for (; (below = openat(fd, "m", O_RDONLY | O_DIRECTORY)) >= 0; depth++) {
		(void)close(fd);
		fd = below;
	}
	for (; depth > 0; depth--) {
		int above = openat(fd, "..", O_RDONLY | O_DIRECTORY);

		CHECK(above >= 0);
		(void)close(fd);
		fd = above;
		CHECK(unlinkat(fd, "m", AT_REMOVEDIR) == 0);
		(void)unlinkat(fd, "a", 0);
		(void)unlinkat(fd, "z", 0);
	}
	(void)close(fd);
}

static unsigned
walk_deep(unsigned max_folders, size_t limit, unsigned stop_at, void (*at_stop)(void), struct notices *notices)
{
	const struct walker_options o = {.max_folders = max_folders};
	struct walker *w;
	struct walker_node n;
	struct error err;
	unsigned count = 0, z = 0;
	int r;

	memset(notices, 0, sizeof *notices);
	CHECK_OK(walker_new_limited(root, &o, limit, on_notice, notices, &w, &err), &err);
	while ((r = walker_next(w, &n, &err)) == 1) {
		z += *n.name == 'z';
		if (++count == stop_at)
			at_stop();
	}
	CHECK_OK(r, &err);
	walker_free(w);
	CHECK(stop_at != 0 || z == DEPTH / 100);
	return count;
}

static void
test_deep(void)
{
	struct rlimit old, few;
	struct notices notices;
	const unsigned all = 1 + DEPTH + 2 * DEPTH / 100;

	make_deep();
	CHECK(getrlimit(RLIMIT_NOFILE, &old) == 0);
	few = (struct rlimit){24, old.rlim_max};
	CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
	CHECK_INT(walk_deep(8, NAMES_LIMIT, 0, NULL, &notices), all);
	CHECK_INT(notices_all(&notices), 0);
	/* More folders wanted than there are descriptors: some are closed when they run out. */
	CHECK_INT(walk_deep(0, NAMES_LIMIT, 0, NULL, &notices), all);
	CHECK_INT(notices_all(&notices), 0);
	CHECK_INT(walk_deep(4, 0, 0, NULL, &notices), all);
	CHECK_INT(notices_all(&notices), 0);
	CHECK(setrlimit(RLIMIT_NOFILE, &old) == 0);
}

static void
move_away(void)
{
	char from[PATH_MAX + 64], to[PATH_MAX + 64];

	(void)snprintf(from, sizeof from, "%s/m/m/m/m/m/m/m/m/m/m/m", root);
	(void)snprintf(to, sizeof to, "%s/moved", base);
	CHECK(rename(from, to) == 0);
}

static void
move_back(void)
{
	char from[PATH_MAX + 64], to[PATH_MAX + 64];

	(void)snprintf(to, sizeof to, "%s/m/m/m/m/m/m/m/m/m/m/m", root);
	(void)snprintf(from, sizeof from, "%s/moved", base);
	CHECK(rename(from, to) == 0);
}

static void
move_and_replace(void)
{
	char path[PATH_MAX + 64];

	move_away();
	(void)snprintf(path, sizeof path, "%s/m/m/m/m/m/m/m/m/m/m/m", root);
	CHECK(mkdir(path, 0700) == 0);
}

/* A folder on the way moves out of the tree while the walk is deep below it and all is closed above. */
static void
test_moved(void)
{
	struct notices notices;
	const unsigned all = 1 + DEPTH + 2 * DEPTH / 100;

	/* Further up everything is found by path, as ".." leads out of the tree. */
	CHECK_INT(walk_deep(8, NAMES_LIMIT, 2000, move_away, &notices), all);
	CHECK_INT(notices_all(&notices), 0);
	move_back();
	CHECK_INT(walk_deep(8, NAMES_LIMIT, 2000, move_and_replace, &notices), all);
	CHECK_INT(notices_all(&notices), 0);
	move_back();
	remove_deep();
}

/* A folder is moved elsewhere and its old parent removed: the rest of that parent is lost, and said to be. */
static struct {
	char from[PATH_MAX + 64], to[PATH_MAX + 64], parent[PATH_MAX + 64];
} lost;

static void
lose_parent(void)
{
	CHECK(rename(lost.from, lost.to) == 0);
	(void)snprintf(lost.from, sizeof lost.from, "%s/gone", base);
	CHECK(rename(lost.parent, lost.from) == 0);
}

static void
test_lost(void)
{
	static const struct walker_options o = {.max_folders = 4};
	struct walker *w;
	struct walker_node n;
	struct notices notices = {.errnum = 0};
	CLEANUP(list_free) struct list got = {0};
	static const char *const want[] = {"", "p", "p/q", "p/q/r", "p/q/r/s", "p/q/r/s/t", "p/q/r/s/t/u", "y"};
	struct error err;
	int r;

	put_folder("p");
	put_folder("p/q");
	put_folder("p/q/r");
	put_folder("p/q/r/s");
	put_folder("p/q/r/s/t");
	put_file("p/q/r/s/t/u");
	put_file("p/q/x");
	put_file("p/x");
	put_file("y");
	(void)snprintf(lost.from, sizeof lost.from, "%s/p/q/r", root);
	(void)snprintf(lost.to, sizeof lost.to, "%s/moved", base);
	(void)snprintf(lost.parent, sizeof lost.parent, "%s/p", root);
	CHECK_OK(walker_new(root, &o, on_notice, &notices, &w, &err), &err);
	while ((r = walker_next(w, &n, &err)) == 1) {
		list_add(&got, n.path);
		if (strcmp(n.path, "p/q/r/s/t/u") == 0)
			lose_parent();
	}
	CHECK_OK(r, &err);
	walker_free(w);
	CHECK_INT(got.n, COUNT_OF(want));
	for (size_t i = 0; i < got.n; i++)
		CHECK_STR(got.paths[i], want[i]);
	CHECK_INT(notices.counts[WALKER_UNREADABLE], 2);
	CHECK_STR(notices.path, "p");
	(void)snprintf(root + strlen(base), sizeof root - strlen(base), "/gone");
	clean_root();
	CHECK(rmdir(root) == 0);
	(void)snprintf(root + strlen(base), sizeof root - strlen(base), "/moved");
	clean_root();
	CHECK(rmdir(root) == 0);
	(void)snprintf(root + strlen(base), sizeof root - strlen(base), "/root");
	clean_root();
}

/* --- things that change or refuse --- */

/* What comes behind the current node vanishes, or turns into something else. */
static void
test_vanish(void)
{
	static const struct walker_options o = {.max_folders = 0};
	static const char *const want[] = {"", "a", "d", "d/x", "l"};
	CLEANUP(list_free) struct list got = {0};
	CLEANUP_CLOSE int fd = open(root, O_RDONLY | O_DIRECTORY);
	struct notices notices = {.errnum = 0};
	struct walker *w;
	struct walker_node n;
	struct error err;
	int r;

	put_file("a");
	put_folder("b");
	put_file("c");
	put_folder("d");
	put_file("d/x");
	put_folder("e");
	put_folder("l");
	CHECK_OK(walker_new(root, &o, on_notice, &notices, &w, &err), &err);
	while ((r = walker_next(w, &n, &err)) == 1) {
		list_add(&got, n.path);
		if (strcmp(n.path, "a") == 0) {
			CHECK(unlinkat(fd, "b", AT_REMOVEDIR) == 0 && unlinkat(fd, "c", 0) == 0);
		} else if (strcmp(n.path, "d/x") == 0) {
			CHECK(unlinkat(fd, "e", AT_REMOVEDIR) == 0 && unlinkat(fd, "l", AT_REMOVEDIR) == 0);
			CHECK(symlinkat("/etc", fd, "l") == 0);
		} else if (strcmp(n.path, "l") == 0) {
			/* Not a folder any more, and not followed. */
			CHECK(S_ISLNK(n.stx.stx_mode) && n.self == NULL);
		}
	}
	CHECK_OK(r, &err);
	walker_free(w);
	CHECK_INT(got.n, COUNT_OF(want));
	for (size_t i = 0; i < got.n; i++)
		CHECK_STR(got.paths[i], want[i]);
	CHECK_INT(notices_all(&notices), 0);
	clean_root();
}

/* What happens between the look at a name and the opening of it. */
static const char *strike_name;

int
statx(int fd, const char *restrict name, int flags, unsigned mask, struct statx *restrict st)
{
	int r = (int)syscall(SYS_statx, fd, name, flags, mask, st);

	if (strike_name != NULL && strcmp(name, strike_name) == 0) {
		strike_name = NULL;
		CHECK(unlinkat(fd, name, AT_REMOVEDIR) == 0);
		if (*name == 's')
			CHECK(symlinkat("/etc", fd, name) == 0);
		if (*name == 'f')
			CHECK(mknodat(fd, name, S_IFREG | 0600, 0) == 0);
	}
	return r;
}

static void
test_vanish_unopened(void)
{
	static const char *const names[] = {"gone", "symlink", "file"};
	static const struct walker_options o = {.max_folders = 0};

	for (size_t i = 0; i < COUNT_OF(names); i++) {
		CLEANUP(list_free) struct list got = {0};
		struct notices notices;

		put_folder(names[i]);
		put_file("z");
		strike_name = names[i];
		walk(&got, &o, NAMES_LIMIT, &notices);
		CHECK(strike_name == NULL);
		CHECK_INT(got.n, 2);
		CHECK_STR(got.paths[1], "z");
		CHECK_INT(notices_all(&notices), 0);
		clean_root();
	}
}

/* A folder that is handed out and gone before it is entered is an empty one. */
static void
test_vanish_handed_out(void)
{
	static const struct walker_options o = {.max_folders = 0};
	struct notices notices = {.errnum = 0};
	struct walker *w;
	struct walker_node n;
	struct error err;
	char path[PATH_MAX + 16];

	put_folder("d");
	CHECK_OK(walker_new(root, &o, on_notice, &notices, &w, &err), &err);
	CHECK_INT(walker_next(w, &n, &err), 1);
	CHECK_INT(walker_next(w, &n, &err), 1);
	CHECK_STR(n.path, "d");
	(void)snprintf(path, sizeof path, "%s/d", root);
	CHECK(rmdir(path) == 0);
	CHECK_INT(walker_next(w, &n, &err), 0);
	CHECK_INT(notices_all(&notices), 0);
	walker_free(w);
}

static void
test_root(void)
{
	static const struct walker_options o = {.max_folders = 0};
	char path[PATH_MAX + 16];
	struct walker *w;
	struct walker_node n;
	struct error err;

	(void)snprintf(path, sizeof path, "%s/nothing", base);
	CHECK_INT(walker_new(path, &o, NULL, NULL, &w, &err), ERR_NOT_FOUND);
	put_file("f");
	(void)snprintf(path, sizeof path, "%s/f", root);
	CHECK_INT(walker_new(path, &o, NULL, NULL, &w, &err), ERR_USAGE);
	CHECK(unlink(path) == 0);
	/* A symlink to a folder will do. */
	(void)snprintf(path, sizeof path, "%s/link", base);
	CHECK(symlink("root", path) == 0);
	CHECK_OK(walker_new(path, &o, NULL, NULL, &w, &err), &err);
	CHECK_INT(walker_next(w, &n, &err), 1);
	CHECK(S_ISDIR(n.stx.stx_mode) && n.self != NULL && n.parent == NULL);
	CHECK_STR(n.path, "");
	/* A root that goes away is no empty tree. */
	CHECK(rmdir(root) == 0);
	CHECK_INT(walker_next(w, &n, &err), ERR_NOT_FOUND);
	walker_free(w);
	CHECK(mkdir(root, 0700) == 0);
	CHECK(unlink(path) == 0);
	walker_free(NULL);
	folder_unref(NULL);
}

static void
test_unreadable(void)
{
	static const struct walker_options o = {.max_folders = 0};
	static const char *const want[] = {"", "closed", "listed", "open", "open/x"};
	CLEANUP(list_free) struct list got = {0};
	struct notices notices = {.errnum = 0};
	bool was_root = geteuid() == 0;
	struct walker *w;
	struct walker_node n;
	struct error err;
	char path[PATH_MAX + 16];
	int r;

	put_folder("closed");
	put_file("closed/x");
	put_folder("listed");
	put_file("listed/x");
	put_folder("open");
	put_file("open/x");
	(void)snprintf(path, sizeof path, "%s/closed", root);
	CHECK(chmod(path, 0) == 0);
	(void)snprintf(path, sizeof path, "%s/listed", root);
	CHECK(chmod(path, 0444) == 0);
	if (was_root) {
		CHECK(chmod(base, 0755) == 0 && chmod(root, 0755) == 0);
		(void)snprintf(path, sizeof path, "%s/open", root);
		CHECK(chmod(path, 0755) == 0);
		CHECK(seteuid(65534) == 0);
	}
	CHECK_OK(walker_new(root, &o, on_notice, &notices, &w, &err), &err);
	while ((r = walker_next(w, &n, &err)) == 1) {
		list_add(&got, n.path);
		CHECK(strcmp(n.path, "closed") != 0 || n.self == NULL);
	}
	CHECK_OK(r, &err);
	walker_free(w);
	if (was_root)
		CHECK(seteuid(0) == 0);
	CHECK_INT(got.n, COUNT_OF(want));
	for (size_t i = 0; i < got.n; i++)
		CHECK_STR(got.paths[i], want[i]);
	CHECK_INT(notices.counts[WALKER_UNREADABLE], 1);
	CHECK_INT(notices.counts[WALKER_NO_STAT], 1);
	CHECK_STR(notices.path, "listed/x");
	CHECK_INT(notices.errnum, EACCES);
	(void)snprintf(path, sizeof path, "%s/closed", root);
	CHECK(chmod(path, 0700) == 0);
	(void)snprintf(path, sizeof path, "%s/listed", root);
	CHECK(chmod(path, 0700) == 0);
	clean_root();
}

/* --- left out --- */

static void
test_lost_found(void)
{
	struct walker_options o = {.max_folders = 0};
	CLEANUP(list_free) struct list got = {0}, all = {0}, file = {0};
	struct notices notices;

	put_folder("lost+found");
	put_file("lost+found/x");
	put_folder("sub");
	put_folder("sub/lost+found");
	walk(&got, &o, NAMES_LIMIT, &notices);
	CHECK_INT(got.n, 3);
	CHECK_STR(got.paths[2], "sub/lost+found");
	CHECK_INT(notices.counts[WALKER_LEFT_OUT_LOST_FOUND], 1);
	o.keep_lost_found = true;
	walk(&all, &o, NAMES_LIMIT, &notices);
	CHECK_INT(all.n, 5);
	CHECK_INT(notices_all(&notices), 0);
	clean_root();
	put_file("lost+found");
	o.keep_lost_found = false;
	walk(&file, &o, NAMES_LIMIT, &notices);
	CHECK_INT(file.n, 2);
	clean_root();
}

static void
mount_cases(void)
{
	struct walker_options o = {.max_folders = 0};
	CLEANUP(list_free) struct list got = {0}, all = {0};
	struct notices notices;
	char tmpfs[PATH_MAX + 16], source[PATH_MAX + 16], target[PATH_MAX + 16];

	put_folder("a");
	put_file("a/x");
	put_folder("bind");
	put_folder("tmpfs");
	(void)snprintf(tmpfs, sizeof tmpfs, "%s/tmpfs", root);
	(void)snprintf(source, sizeof source, "%s/a", root);
	(void)snprintf(target, sizeof target, "%s/bind", root);
	if (mount("none", tmpfs, "tmpfs", 0, "size=1m") < 0 || mount(source, target, "none", MS_BIND, NULL) < 0) {
		printf("mounting is not permitted: its cases are skipped\n");
		return;
	}
	put_file("tmpfs/in");
	walk(&got, &o, NAMES_LIMIT, &notices);
	CHECK_INT(got.n, 5);
	/* The same file system mounted a second time is left out as well. */
	CHECK_INT(notices.counts[WALKER_LEFT_OUT_MOUNT], 2);
	CHECK_INT(notices_all(&notices), 2);
	o.cross_file_systems = true;
	walk(&all, &o, NAMES_LIMIT, &notices);
	CHECK_INT(all.n, 7);
	CHECK_STR(all.paths[4], "bind/x");
	CHECK_STR(all.paths[6], "tmpfs/in");
	CHECK_INT(notices_all(&notices), 0);
}

/* In a process with mounts of its own, which go away with it. */
static void
test_mounts(void)
{
	pid_t child;
	int status;

	(void)fflush(stdout);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		(void)alarm(20);
		if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0)
			printf("no mounts of our own: their cases are skipped\n");
		else
			mount_cases();
		(void)fflush(stdout);
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child);
	CHECK_INT(status, 0);
	clean_root();
}

static void
test_excluded(void)
{
	static const struct {
		const char *pattern, *path;
		bool is_folder, want;
	} cases[] = {
	    {"*.tmp", "a.tmp", false, true},
	    {"*.tmp", "x/y/a.tmp", false, true},
	    {"*.tmp", "x/a.tmp/y", false, false},
	    {"a", "a", true, true},
	    {"a", "b", true, false},
	    {"cache/", "cache", true, true},
	    {"cache/", "x/cache", true, true},
	    {"cache/", "cache", false, false},
	    {"/cache", "cache", false, true},
	    {"/cache", "x/cache", false, false},
	    {"/cache/", "cache", true, true},
	    {"/cache/", "cache", false, false},
	    {"a/b", "a/b", false, true},
	    {"a/b", "x/a/b", false, false},
	    {"a/*", "a/b", false, true},
	    {"a/*", "a/b/c", false, false},
	    {"a/*", "a", true, false},
	    {"a*/b", "ax/b", false, true},
	    {"a*b/c", "a/b/c", false, false},
	    {"**/b", "b", false, true},
	    {"**/b", "a/b", false, true},
	    {"**/b", "a/a/b", false, true},
	    {"**/b", "a/a/bb", false, false},
	    {"a/**/b", "a/b", false, true},
	    {"a/**/b", "a/x/b", false, true},
	    {"a/**/b", "a/x/y/b", false, true},
	    {"a/**/b", "x/a/b", false, false},
	    {"a/**", "a/x/y", false, true},
	    {"a/**", "a", true, true},
	    {"a/**", "ab", true, false},
	    {"**/a/**/b/**/c", "x/a/y/b/b/z/c", false, true},
	    {"**/a/**/b/**/c", "x/a/y/c/z/b", false, false},
	    {"**/a/b", "a/a/b", false, true},
	    {"**/a/a/b", "a/a/a/b", false, true},
	    {"**/*.log/", "x/y.log", true, true},
	    {"**/*.log/", "x/y.log", false, false},
	    {"**", "x/y", false, true},
	    {"/**", "x/y", false, true},
	    {"a/[bc]", "a/c", false, true},
	    {"a/[!bc]", "a/c", false, false},
	    {"a\\*", "a*", false, true},
	    {"a\\*", "ab", false, false},
	    {"?", "\xff", false, true},
	    {"", "a", false, false},
	    {"/", "a", true, false},
	    {"//", "a", true, false},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const struct walker_options o = {.excludes = &cases[i].pattern, .nexcludes = 1};
		const char *slash = strrchr(cases[i].path, '/');
		bool got =
		    walker_excluded(&o, cases[i].path, slash == NULL ? cases[i].path : slash + 1, cases[i].is_folder);

		if (got != cases[i].want)
			fprintf(stderr, "case %zu: %s and %s\n", i, cases[i].pattern, cases[i].path);
		CHECK_INT(got, cases[i].want);
	}

	/* Not a chance for a path that is made to take long. */
	CLEANUP_FREE char *path = malloc(40001);
	const char *const slow = "**/a/**/a/**/a/**/a/**/a/**/a/**/b";
	const struct walker_options o = {.excludes = &slow, .nexcludes = 1};

	CHECK(path != NULL);
	for (size_t i = 0; i < 40000; i++)
		path[i] = "a/"[i % 2];
	path[39999] = '\0';
	CHECK(!walker_excluded(&o, path, "a", false));
}

static void
test_excludes(void)
{
	static const char *const excludes[] = {"*.tmp", "/a/b/", "**/skip/**"};
	static const struct walker_options o = {.excludes = excludes, .nexcludes = COUNT_OF(excludes)};
	static const char *const want[] = {"", "a", "a/c", "x"};
	CLEANUP(list_free) struct list got = {0};
	struct notices notices;

	put_folder("a");
	put_folder("a/b");
	put_file("a/b/f");
	put_file("a/c");
	put_file("a/d.tmp");
	put_folder("skip");
	put_file("skip/f");
	put_folder("x");
	put_folder("x/skip");
	walk(&got, &o, NAMES_LIMIT, &notices);
	CHECK_INT(got.n, COUNT_OF(want));
	for (size_t i = 0; i < got.n; i++)
		CHECK_STR(got.paths[i], want[i]);
	clean_root();
}

/* --- folders that others hold --- */

struct reader {
	struct folder *held[16];
	size_t n;
	unsigned waits;
	atomic_bool cancel;
	struct walker *w;
};

static void
give_back(void *arg)
{
	struct reader *r = arg;

	r->waits++;
	while (r->n > 0)
		folder_unref(r->held[--r->n]);
}

static void
test_held(void)
{
	static const struct walker_options o = {.max_folders = 6};
	struct reader reader = {.n = 0};
	struct notices notices = {.errnum = 0};
	struct walker_node n;
	struct error err;
	unsigned count = 0;
	int r;

	for (unsigned i = 0; i < 50; i++) {
		char name[16];

		(void)snprintf(name, sizeof name, "d%02u", i);
		put_folder(name);
	}
	CHECK_OK(walker_new(root, &o, on_notice, &notices, &reader.w, &err), &err);
	walker_on_wait(reader.w, give_back, &reader);
	while ((r = walker_next(reader.w, &n, &err)) == 1) {
		count++;
		if (n.self != NULL) {
			CHECK(reader.n < 6);
			reader.held[reader.n++] = folder_ref(n.self);
		}
	}
	CHECK_OK(r, &err);
	CHECK_INT(count, 51);
	CHECK(reader.waits > 5);
	/* Folders outlive the walk. */
	CHECK(reader.n > 0);
	walker_free(reader.w);
	CHECK(fcntl(folder_fd(reader.held[0]), F_GETFD) >= 0);
	give_back(&reader);
}

static void *
canceller(void *arg)
{
	struct reader *r = arg;

	while (!atomic_load(&r->cancel))
		(void)sched_yield();
	walker_cancel(r->w);
	return NULL;
}

static void
let_cancel(void *arg)
{
	atomic_store(&((struct reader *)arg)->cancel, true);
}

static void
test_cancel(void)
{
	static const struct walker_options o = {.max_folders = 4};
	struct reader reader = {.n = 0};
	struct walker_node n;
	struct error err;
	pthread_t thread;
	int r;

	CHECK_OK(walker_new(root, &o, NULL, NULL, &reader.w, &err), &err);
	walker_on_wait(reader.w, let_cancel, &reader);
	CHECK_INT(pthread_create(&thread, NULL, canceller, &reader), 0);
	while ((r = walker_next(reader.w, &n, &err)) == 1)
		if (n.self != NULL)
			reader.held[reader.n++] = folder_ref(n.self);
	CHECK_INT(r, ERR_CANCELLED);
	CHECK_INT(pthread_join(thread, NULL), 0);
	walker_free(reader.w);
	give_back(&reader);
}

/* Folders given back by threads, some of them after the walk has ended. */
#define HANDED 64u

struct handed {
	pthread_mutex_t lock;
	pthread_cond_t filled;
	struct folder *folders[HANDED];
	size_t n;
	bool end;
};

static void *
releaser(void *arg)
{
	struct handed *h = arg;
	struct folder *f;

	for (;;) {
		(void)pthread_mutex_lock(&h->lock);
		while (h->n == 0 && !h->end)
			(void)pthread_cond_wait(&h->filled, &h->lock);
		f = h->n > 0 ? h->folders[--h->n] : NULL;
		(void)pthread_mutex_unlock(&h->lock);
		if (f == NULL)
			return NULL;
		CHECK(fcntl(folder_fd(f), F_GETFD) >= 0);
		folder_unref(f);
	}
}

static void
test_threads(void)
{
	static const struct walker_options o = {.max_folders = 5};
	struct handed h = {.lock = PTHREAD_MUTEX_INITIALIZER, .filled = PTHREAD_COND_INITIALIZER};
	struct walker *w;
	struct walker_node n;
	struct error err;
	pthread_t threads[2];
	unsigned count = 0;

	CHECK_OK(walker_new(root, &o, NULL, NULL, &w, &err), &err);
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		CHECK_INT(pthread_create(&threads[i], NULL, releaser, &h), 0);
	while (walker_next(w, &n, &err) == 1) {
		count++;
		if (n.self == NULL)
			continue;
		(void)pthread_mutex_lock(&h.lock);
		CHECK(h.n < HANDED);
		h.folders[h.n++] = folder_ref(n.self);
		(void)pthread_cond_signal(&h.filled);
		(void)pthread_mutex_unlock(&h.lock);
	}
	CHECK_INT(count, 51);
	walker_free(w);
	(void)pthread_mutex_lock(&h.lock);
	h.end = true;
	(void)pthread_cond_broadcast(&h.filled);
	(void)pthread_mutex_unlock(&h.lock);
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		CHECK_INT(pthread_join(threads[i], NULL), 0);
	clean_root();
}

/* --- many names --- */

/* In memory, making that many files takes no time; on a disk, fewer must do. */
#define MANY (in_memory ? 300000u : 20000u)

/*
 * A large folder through the temporary file.  Hard links are the fastest way to names, up to what the file system
 * allows for one file.  The names are asked for directly: examining the files would tell nothing new.
 */
static void
test_spill(void)
{
	CLEANUP_CLOSE int fd = -1;
	struct names *names;
	struct name name;
	struct error err;
	char text[64], last[64] = "";
	unsigned count = 0, folders = 0;
	uint64_t seed = 8;
	int errnum, r;

	CHECK(mkdir(root, 0700) == 0 || errno == EEXIST);
	fd = open(root, O_RDONLY | O_DIRECTORY);
	CHECK(fd >= 0);
	for (unsigned i = 0; i < MANY; i++) {
		char first[32];

		(void)snprintf(first, sizeof first, "%08x-%06u", (unsigned)check_random(&seed), i);
		if (i % 30000 == 0) {
			(void)snprintf(text, sizeof text, "%s", first);
			CHECK(mknodat(fd, first, S_IFREG | 0600, 0) == 0);
		} else {
			CHECK(linkat(fd, text, fd, first, 0) == 0);
		}
	}
	/* About sixty runs, which are two passes. */
	CHECK_OK(names_new(MANY, &names, &err), &err);
	CHECK_OK(names_push(names, fd, &errnum, &err), &err);
	CHECK_INT(errnum, 0);
	while ((r = names_next(names, &name, &err)) == 1) {
		CHECK(name.len < sizeof text);
		memcpy(text, name.bytes, name.len);
		text[name.len] = '\0';
		CHECK(strcmp(last, text) < 0);
		(void)snprintf(last, sizeof last, "%s", text);
		/* Now and then another folder comes on top, as in a walk: as large and left early. */
		if (count == MANY / 2) {
			CHECK(lseek(fd, 0, SEEK_SET) == 0);
			CHECK_OK(names_push(names, fd, &errnum, &err), &err);
			CHECK_INT(names_next(names, &name, &err), 1);
			names_pop(names);
			folders++;
		}
		count++;
	}
	CHECK_OK(r, &err);
	CHECK_INT(count, MANY);
	CHECK_INT(folders, 1);
	names_pop(names);
	names_free(names);
}

/* A temporary file that cannot be made is an error that says where. */
static void
test_no_temporary(void)
{
	static const struct walker_options o = {.max_folders = 0};
	const char *old = getenv("TMPDIR");
	CLEANUP_FREE char *saved = old == NULL ? NULL : strdup(old);
	struct walker *w;
	struct walker_node n;
	struct error err;
	int r;

	put_file("a");
	put_file("b");
	CHECK(setenv("TMPDIR", "/nowhere/at/all", 1) == 0);
	CHECK_OK(walker_new_limited(root, &o, 0, NULL, NULL, &w, &err), &err);
	while ((r = walker_next(w, &n, &err)) == 1)
		;
	CHECK(r < 0);
	CHECK(strstr(err.msg, "/nowhere/at/all") != NULL);
	walker_free(w);
	if (saved != NULL)
		CHECK(setenv("TMPDIR", saved, 1) == 0);
	else
		CHECK(unsetenv("TMPDIR") == 0);
	clean_root();
}

int
main(void)
{
	const char *tmp = getenv("TMPDIR");

	(void)alarm(60);
	(void)snprintf(base, sizeof base, "%s/test_walker.XXXXXX", tmp != NULL ? tmp : "/tmp");
	CHECK(mkdtemp(base) != NULL);
	/* Thousands of files: not on a disk, if it can be helped. */
	in_memory = unshare(CLONE_NEWNS) == 0 && mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) == 0 &&
		    mount("none", base, "tmpfs", 0, "mode=0700") == 0;
	if (!in_memory)
		printf("no file system in memory: the large folder is a smaller one\n");
	(void)snprintf(root, sizeof root, "%s/root", base);
	CHECK(mkdir(root, 0700) == 0);
	test_random();
	test_order();
	test_deep();
	test_moved();
	test_lost();
	test_vanish();
	test_vanish_unopened();
	test_vanish_handed_out();
	test_root();
	test_unreadable();
	test_lost_found();
	test_mounts();
	test_excluded();
	test_excludes();
	test_held();
	test_cancel();
	test_threads();
	test_no_temporary();
	test_spill();
	if (in_memory) {
		CHECK(umount2(base, MNT_DETACH) == 0);
	} else {
		clean_root();
		CHECK(rmdir(root) == 0);
	}
	CHECK(rmdir(base) == 0);
	return 0;
}
