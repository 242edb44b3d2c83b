/*
 * The judge: are two trees the same, in everything that a file system keeps?
 *
 *     judge [--ignore PATH] [--ignore-WHAT]... DIR_A DIR_B     differences to standard output; status 0 equal, 1
 * different judge --list DIR                                         a canonical listing (listing.h)
 *
 * B is the copy.  Compared are names, types, modes, owners, sizes, contents, modification times, all extended
 * attributes, targets of symlinks, device numbers, which paths are hard links of each other, and holes: where A has
 * one, B has one, and B takes at most 64 KiB more than A.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "listing.h"
#include "tree.h"

#define HOLE_UNIT   4096u
#define BLOCKS_MORE (64 * 1024 / 512)
#define READ_LEN    (1024u * 1024)
/* Folders held open on the way down; below that, the way back leads through "..". */
#define OPEN_LEVELS 400

static struct ignores {
	bool owner, mode, mtime, folder_mtime, xattrs, links, holes, specials, root;
	const char *paths[64];
	size_t npaths;
	const char *xattr_prefixes[16];
	size_t nxattr_prefixes;
} ignore;

/* A path that is one of several links in one of the trees. */
struct linked {
	ino_t a, b;
	dev_t a_dev, b_dev;
	char *path;
};

struct judge {
	struct tree_path path;
	struct linked *linked;
	size_t nlinked, linked_cap;
	unsigned long long entries, differences;
};

static void say(struct judge *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Very long paths are cut in the middle. */
static void
print_path(const struct tree_path *p)
{
	const size_t head = 200, tail = 60;

	(void)putchar('"');
	if (p->len <= head + tail) {
		tree_print(p->bytes, p->len);
	} else {
		tree_print(p->bytes, head);
		(void)printf("\\...(%zu bytes)...", p->len - head - tail);
		tree_print(p->bytes + p->len - tail, tail);
	}
	(void)printf("\": ");
}

/* One difference, of the path where the walk is. */
static void
say(struct judge *j, const char *fmt, ...)
{
	va_list ap;

	j->differences++;
	print_path(&j->path);
	va_start(ap, fmt);
	(void)vprintf(fmt, ap);
	va_end(ap);
	(void)putchar('\n');
}

static bool
is_ignored(const struct judge *j)
{
	for (size_t i = 0; i < ignore.npaths; i++)
		if (j->path.len > 0 && strcmp(ignore.paths[i], j->path.bytes) == 0)
			return true;
	return false;
}

static bool
is_ignored_xattr(const char *name)
{
	for (size_t i = 0; i < ignore.nxattr_prefixes; i++)
		if (strncmp(name, ignore.xattr_prefixes[i], strlen(ignore.xattr_prefixes[i])) == 0)
			return true;
	return ignore.xattrs;
}

/* ---- attributes ---- */

static void
compare_stat(struct judge *j, const struct stat *a, const struct stat *b)
{
	bool skip_mtime = ignore.mtime || (ignore.folder_mtime && S_ISDIR(a->st_mode));

	if (!ignore.mode && !S_ISLNK(a->st_mode) && (a->st_mode & 07777) != (b->st_mode & 07777))
		say(j, "mode %04o, was %04o", b->st_mode & 07777, a->st_mode & 07777);
	if (!ignore.owner && (a->st_uid != b->st_uid || a->st_gid != b->st_gid))
		say(j, "owner %u:%u, was %u:%u", b->st_uid, b->st_gid, a->st_uid, a->st_gid);
	if (!skip_mtime && (a->st_mtim.tv_sec != b->st_mtim.tv_sec || a->st_mtim.tv_nsec != b->st_mtim.tv_nsec))
		say(j, "mtime %lld.%09ld, was %lld.%09ld", (long long)b->st_mtim.tv_sec, b->st_mtim.tv_nsec,
		    (long long)a->st_mtim.tv_sec, a->st_mtim.tv_nsec);
	if ((S_ISCHR(a->st_mode) || S_ISBLK(a->st_mode)) && a->st_rdev != b->st_rdev)
		say(j, "device number %llx, was %llx", (unsigned long long)b->st_rdev, (unsigned long long)a->st_rdev);
}

static void
compare_xattr(struct judge *j, const struct tree_xattr *a, const struct tree_xattr *b)
{
	if (a->error != b->error)
		say(j, "attribute %s: error %d, was %d", a->name, b->error, a->error);
	else if (a->len != b->len || memcmp(a->value, b->value, a->len) != 0)
		say(j, "attribute %s has another value (%zu bytes, was %zu)", a->name, b->len, a->len);
}

static void
compare_xattrs(struct judge *j, int fa, int fb, const char *name)
{
	struct tree_xattrs a, b;
	size_t i = 0, k = 0;

	tree_xattrs_read(fa, name, &a);
	tree_xattrs_read(fb, name, &b);
	if (a.error != b.error)
		say(j, "attributes cannot be read: error %d, was %d", b.error, a.error);
	while (i < a.count || k < b.count) {
		int order = i == a.count ? 1 : k == b.count ? -1 : strcmp(a.items[i].name, b.items[k].name);

		const char *attribute = order <= 0 ? a.items[i].name : b.items[k].name;

		if (is_ignored_xattr(attribute))
			;
		else if (order == 0)
			compare_xattr(j, &a.items[i], &b.items[k]);
		else
			say(j, "attribute %s is %s", attribute, order < 0 ? "missing" : "new");
		i += order <= 0;
		k += order >= 0;
	}
	tree_xattrs_free(&a);
	tree_xattrs_free(&b);
}

/* ---- contents ---- */

/* The next stretch that is data in one of the two. */
static bool
next_either(int a, int b, uint64_t offset, uint64_t size, uint64_t *start, uint64_t *end)
{
	uint64_t sb, eb;
	bool da = tree_next_data(a, offset, size, start, end), db = tree_next_data(b, offset, size, &sb, &eb);

	if (db && (!da || sb < *start)) {
		*start = sb;
		*end = eb;
	}
	return da || db;
}

static void
compare_content(struct judge *j, int a, int b, uint64_t size)
{
	static uint8_t bytes_a[READ_LEN], bytes_b[READ_LEN];
	uint64_t start, end, offset = 0;

	while (next_either(a, b, offset, size, &start, &end)) {
		size_t want = end - start < READ_LEN ? (size_t)(end - start) : READ_LEN;
		ssize_t got_a = tree_pread(a, bytes_a, want, start), got_b = tree_pread(b, bytes_b, want, start);

		if (got_a < 0 || got_a != got_b) {
			say(j, "cannot be read at %llu", (unsigned long long)start);
			return;
		}
		if (memcmp(bytes_a, bytes_b, (size_t)got_a) != 0) {
			size_t i = 0;

			while (bytes_a[i] == bytes_b[i])
				i++;
			say(j, "content differs at %llu", (unsigned long long)(start + i));
			return;
		}
		if (got_a == 0)
			return;
		offset = start + (uint64_t)got_a;
	}
}

/* Whole units of holes only: what a file system tells of partial ones is its own affair. */
static void
compare_hole(struct judge *j, int b, uint64_t start, uint64_t end, uint64_t size)
{
	uint64_t data, data_end;

	start = (start + HOLE_UNIT - 1) / HOLE_UNIT * HOLE_UNIT;
	if (end < size)
		end = end / HOLE_UNIT * HOLE_UNIT;
	if (start < end && tree_next_data(b, start, size, &data, &data_end) && data < end)
		say(j, "data at %llu, in a hole from %llu to %llu", (unsigned long long)data, (unsigned long long)start,
		    (unsigned long long)end);
}

static void
compare_holes(struct judge *j, int a, int b, uint64_t size)
{
	uint64_t start, end, offset = 0;

	while (tree_next_data(a, offset, size, &start, &end)) {
		if (start > offset)
			compare_hole(j, b, offset, start, size);
		offset = end;
	}
	if (offset < size)
		compare_hole(j, b, offset, size, size);
}

static void
compare_files(struct judge *j, int fa, int fb, const char *name, const struct stat *sa, const struct stat *sb)
{
	int a, b;

	if (sa->st_size != sb->st_size) {
		say(j, "size %lld, was %lld", (long long)sb->st_size, (long long)sa->st_size);
		return;
	}
	if (!ignore.holes && sb->st_blocks > sa->st_blocks + BLOCKS_MORE)
		say(j, "takes %lld KiB, was %lld", (long long)sb->st_blocks / 2, (long long)sa->st_blocks / 2);
	a = openat(fa, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	b = openat(fb, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (a < 0 || b < 0) {
		say(j, "cannot be opened");
	} else {
		compare_content(j, a, b, (uint64_t)sa->st_size);
		if (!ignore.holes)
			compare_holes(j, a, b, (uint64_t)sa->st_size);
	}
	if (a >= 0)
		(void)close(a);
	if (b >= 0)
		(void)close(b);
}

static void
compare_symlinks(struct judge *j, int fa, int fb, const char *name)
{
	size_t la, lb;
	char *a = tree_readlink(fa, name, &la), *b = tree_readlink(fb, name, &lb);

	if (la != lb || memcmp(a, b, la) != 0)
		say(j, "symlink to another target");
	free(a);
	free(b);
}

/* ---- hard links ---- */

static void
note_links(struct judge *j, const struct stat *a, const struct stat *b)
{
	struct linked *l;

	if (ignore.links || S_ISDIR(a->st_mode) || (a->st_nlink < 2 && b->st_nlink < 2))
		return;
	if (j->nlinked == j->linked_cap) {
		j->linked_cap = j->linked_cap == 0 ? 64 : 2 * j->linked_cap;
		j->linked = tree_alloc(j->linked, j->linked_cap * sizeof *j->linked);
	}
	l = &j->linked[j->nlinked++];
	*l = (struct linked){a->st_ino, b->st_ino, a->st_dev, b->st_dev, strdup(j->path.bytes)};
	if (l->path == NULL)
		tree_die("allocate", "memory");
}

#define ORDER(x, y) ((x) < (y) ? -1 : (x) > (y))

static int
compare_by_a(const void *x, const void *y)
{
	const struct linked *l = x, *m = y;
	int r = ORDER(l->a_dev, m->a_dev);

	return r != 0 ? r : (r = ORDER(l->a, m->a)) != 0 ? r : strcmp(l->path, m->path);
}

static int
compare_by_b(const void *x, const void *y)
{
	const struct linked *l = x, *m = y;
	int r = ORDER(l->b_dev, m->b_dev);

	return r != 0 ? r : (r = ORDER(l->b, m->b)) != 0 ? r : strcmp(l->path, m->path);
}

static void
say_links(struct judge *j, const struct linked *l, const struct linked *m, const char *what)
{
	tree_path_cut(&j->path, 0);
	(void)tree_path_add(&j->path, m->path);
	(void)printf("%s of \"", what);
	tree_print(l->path, strlen(l->path));
	(void)printf("\": ");
	say(j, "hard links");
}

/* Both trees must part the paths into the same groups: equal in one means equal in the other. */
static void
compare_links(struct judge *j)
{
	if (j->nlinked == 0)
		return;
	qsort(j->linked, j->nlinked, sizeof *j->linked, compare_by_a);
	for (size_t i = 1; i < j->nlinked; i++) {
		const struct linked *l = &j->linked[i - 1], *m = &j->linked[i];

		if (l->a == m->a && l->a_dev == m->a_dev && (l->b != m->b || l->b_dev != m->b_dev))
			say_links(j, l, m, "no longer a link");
	}
	qsort(j->linked, j->nlinked, sizeof *j->linked, compare_by_b);
	for (size_t i = 1; i < j->nlinked; i++) {
		const struct linked *l = &j->linked[i - 1], *m = &j->linked[i];

		if (l->b == m->b && l->b_dev == m->b_dev && (l->a != m->a || l->a_dev != m->a_dev))
			say_links(j, l, m, "wrongly a link");
	}
}

/* ---- the walk ---- */

static void compare_folders(struct judge *, int a, int b, unsigned depth);

/* Open a folder below another one, whose descriptor is given up when the walk is deep. */
static int
step_down(int *fd, const char *name, unsigned depth)
{
	int sub = openat(*fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (sub >= 0 && depth >= OPEN_LEVELS) {
		(void)close(*fd);
		*fd = -1;
	}
	return sub;
}

static void
step_up(int *fd, int sub)
{
	if (*fd < 0)
		*fd = openat(sub, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*fd < 0)
		tree_die("go back to", "a folder");
	(void)close(sub);
}

static void
compare_subfolders(struct judge *j, int *fa, int *fb, const char *name, unsigned depth)
{
	int a = openat(*fa, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), b;

	b = openat(*fb, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (a < 0 || b < 0) {
		say(j, "folder cannot be opened");
		if (a >= 0)
			(void)close(a);
		if (b >= 0)
			(void)close(b);
		return;
	}
	(void)close(a);
	(void)close(b);
	a = step_down(fa, name, depth);
	b = step_down(fb, name, depth);
	compare_folders(j, a, b, depth + 1);
	step_up(fa, a);
	step_up(fb, b);
}

static void
compare_entries(struct judge *j, int *fa, int *fb, const char *name, unsigned depth)
{
	struct stat a, b;

	j->entries++;
	if (fstatat(*fa, name, &a, AT_SYMLINK_NOFOLLOW) < 0 || fstatat(*fb, name, &b, AT_SYMLINK_NOFOLLOW) < 0) {
		say(j, "cannot be examined: %s", strerror(errno));
		return;
	}
	if ((a.st_mode & S_IFMT) != (b.st_mode & S_IFMT)) {
		say(j, "is a %s, was a %s", tree_type(b.st_mode), tree_type(a.st_mode));
		return;
	}
	compare_stat(j, &a, &b);
	compare_xattrs(j, *fa, *fb, name);
	note_links(j, &a, &b);
	if (S_ISREG(a.st_mode))
		compare_files(j, *fa, *fb, name, &a, &b);
	else if (S_ISLNK(a.st_mode))
		compare_symlinks(j, *fa, *fb, name);
	else if (S_ISDIR(a.st_mode))
		compare_subfolders(j, fa, fb, name, depth);
}

static bool
is_ignored_special(int fd, const char *name)
{
	struct stat st;

	return ignore.specials && fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(st.st_mode) &&
	       !S_ISDIR(st.st_mode) && !S_ISLNK(st.st_mode);
}

static void
compare_folders(struct judge *j, int a, int b, unsigned depth)
{
	struct tree_names na, nb;
	size_t i = 0, k = 0;

	tree_names_read(a, &na);
	tree_names_read(b, &nb);
	while (i < na.count || k < nb.count) {
		int order = i == na.count ? 1 : k == nb.count ? -1 : strcmp(na.items[i], nb.items[k]);
		const char *name = order <= 0 ? na.items[i] : nb.items[k];
		size_t before = tree_path_add(&j->path, name);

		if (is_ignored(j) || is_ignored_special(order <= 0 ? a : b, name))
			;
		else if (order < 0)
			say(j, "is missing");
		else if (order > 0)
			say(j, "is new");
		else
			compare_entries(j, &a, &b, name, depth);
		tree_path_cut(&j->path, before);
		i += order <= 0;
		k += order >= 0;
	}
	tree_names_free(&na);
	tree_names_free(&nb);
}

static int
judge_trees(int a, int b)
{
	struct judge j = {0};
	struct stat sa, sb;

	(void)tree_path_add(&j.path, "");
	if (fstat(a, &sa) < 0 || fstat(b, &sb) < 0)
		tree_die("examine", "a root");
	if (!ignore.root) {
		compare_stat(&j, &sa, &sb);
		compare_xattrs(&j, a, b, ".");
	}
	compare_folders(&j, a, b, 0);
	compare_links(&j);
	for (size_t i = 0; i < j.nlinked; i++)
		free(j.linked[i].path);
	free(j.linked);
	free(j.path.bytes);
	if (j.differences > 0)
		(void)printf("%llu differences in %llu entries\n", j.differences, j.entries);
	return j.differences > 0;
}

/* ---- the command line ---- */

static int
open_root(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		tree_die("open", path);
	return fd;
}

static bool
set_flag(const char *option)
{
	const struct {
		const char *name;
		bool *flag;
	} flags[] = {
	    {"--ignore-owner", &ignore.owner},
	    {"--ignore-mode", &ignore.mode},
	    {"--ignore-mtime", &ignore.mtime},
	    {"--ignore-folder-mtime", &ignore.folder_mtime},
	    {"--ignore-xattrs", &ignore.xattrs},
	    {"--ignore-links", &ignore.links},
	    {"--ignore-holes", &ignore.holes},
	    {"--ignore-specials", &ignore.specials},
	    {"--ignore-root", &ignore.root},
	};

	for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
		if (strcmp(option, flags[i].name) == 0)
			return *flags[i].flag = true;
	return false;
}

static int
usage(void)
{
	(void)fprintf(stderr, "usage: judge [--ignore PATH] [--ignore-xattr PREFIX] "
			      "[--ignore-owner|mode|mtime|folder-mtime|xattrs|links|\n"
			      "              holes|specials|root] DIR_A DIR_B\n"
			      "       judge --list DIR\n");
	return 2;
}

int
main(int argc, char **argv)
{
	struct rlimit files;
	int i = 1;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	if (argc == 3 && strcmp(argv[1], "--list") == 0) {
		listing_print(open_root(argv[2]));
		return 0;
	}
	for (; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
		if (strcmp(argv[i], "--ignore") == 0 && i + 1 < argc && ignore.npaths < 64)
			ignore.paths[ignore.npaths++] = argv[++i];
		else if (strcmp(argv[i], "--ignore-xattr") == 0 && i + 1 < argc && ignore.nxattr_prefixes < 16)
			ignore.xattr_prefixes[ignore.nxattr_prefixes++] = argv[++i];
		else if (!set_flag(argv[i]))
			return usage();
	}
	return argc - i == 2 ? judge_trees(open_root(argv[i]), open_root(argv[i + 1])) : usage();
}
