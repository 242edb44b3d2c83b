/*
 * Are two trees the same?  See flow.h.
 */
#include "flow.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "check.h"
#include "cleanup.h"

struct pair {
	dev_t a_dev, b_dev;
	ino_t a, b;
};

struct compare {
	struct pair *links;
	size_t count, cap;
};

static bool
differ(const char *path, const char *what)
{
	(void)fprintf(stderr, "trees differ at \"%s\": %s\n", path, what);
	return false;
}

static bool
same_links(struct compare *c, const struct stat *a, const struct stat *b)
{
	for (size_t i = 0; i < c->count; i++) {
		const struct pair *p = &c->links[i];
		bool same_a = p->a == a->st_ino && p->a_dev == a->st_dev;
		bool same_b = p->b == b->st_ino && p->b_dev == b->st_dev;

		if (same_a || same_b)
			return same_a && same_b;
	}
	if (c->count == c->cap) {
		c->cap = c->cap * 2 + 16;
		c->links = reallocarray(c->links, c->cap, sizeof *c->links);
		CHECK(c->links != NULL);
	}
	c->links[c->count++] = (struct pair){a->st_dev, b->st_dev, a->st_ino, b->st_ino};
	return true;
}

static bool
same_content(const char *a, const char *b, size_t size)
{
	CLEANUP_CLOSE int x = open(a, O_RDONLY | O_CLOEXEC), y = open(b, O_RDONLY | O_CLOEXEC);
	static const size_t step = 1024 * 1024;
	CLEANUP_FREE char *p = malloc(2 * step);

	CHECK(x >= 0 && y >= 0 && p != NULL);
	for (size_t at = 0, len; at < size; at += len) {
		/* Where neither has data there is nothing to compare. */
		off_t in_x = lseek(x, (off_t)at, SEEK_DATA), in_y = lseek(y, (off_t)at, SEEK_DATA);
		off_t next = in_x < 0 ? in_y : in_y < 0 ? in_x : MIN(in_x, in_y);

		if (next < 0)
			return true;
		at = (size_t)next;
		len = MIN(step, size - at);
		if (pread(x, p, len, (off_t)at) != (ssize_t)len || pread(y, p + step, len, (off_t)at) != (ssize_t)len ||
		    memcmp(p, p + step, len) != 0)
			return false;
	}
	return true;
}

static bool
same_symlink(const char *a, const char *b)
{
	char x[4096], y[4096];
	ssize_t n = readlink(a, x, sizeof x), m = readlink(b, y, sizeof y);

	return n > 0 && n == m && memcmp(x, y, (size_t)n) == 0;
}

static bool
same_xattrs(const char *a, const char *b)
{
	char names[4096], x[4096], y[4096];
	ssize_t len = llistxattr(a, names, sizeof names), other = llistxattr(b, NULL, 0);

	if (len < 0 || len != other)
		return len == other;
	for (const char *name = names; name < names + len; name += strlen(name) + 1) {
		ssize_t n = lgetxattr(a, name, x, sizeof x), m = lgetxattr(b, name, y, sizeof y);

		if (n < 0 || n != m || memcmp(x, y, (size_t)n) != 0)
			return false;
	}
	return true;
}

static bool same_node(struct compare *, const char *a, const char *b);

static bool
same_folder(struct compare *c, const char *a, const char *b)
{
	struct dirent **x, **y;
	int n = scandir(a, &x, NULL, alphasort), m = scandir(b, &y, NULL, alphasort);
	bool same = n == m;
	char p[512], q[512];

	CHECK(n >= 0 && m >= 0);
	if (!same)
		(void)differ(b, "number of names");
	for (int i = 0; same && i < n; i++) {
		if (strcmp(x[i]->d_name, y[i]->d_name) != 0)
			same = differ(b, x[i]->d_name);
		if (x[i]->d_name[0] == '.' && (x[i]->d_name[1] == 0 || x[i]->d_name[1] == '.'))
			continue;
		(void)snprintf(p, sizeof p, "%s/%s", a, x[i]->d_name);
		(void)snprintf(q, sizeof q, "%s/%s", b, x[i]->d_name);
		same = same && same_node(c, p, q);
	}
	while (n > 0)
		free(x[--n]);
	while (m > 0)
		free(y[--m]);
	free(x);
	free(y);
	return same;
}

static bool
same_node(struct compare *c, const char *a, const char *b)
{
	struct stat x, y;

	CHECK(lstat(a, &x) == 0 && lstat(b, &y) == 0);
	if (x.st_mode != y.st_mode || x.st_uid != y.st_uid || x.st_gid != y.st_gid || x.st_rdev != y.st_rdev)
		return differ(b, "type, mode or owner");
	if (x.st_mtim.tv_sec != y.st_mtim.tv_sec || x.st_mtim.tv_nsec != y.st_mtim.tv_nsec)
		return differ(b, "time");
	if (!same_xattrs(a, b))
		return differ(b, "extended attributes");
	if (S_ISDIR(x.st_mode))
		return same_folder(c, a, b);
	if (x.st_size != y.st_size || x.st_nlink != y.st_nlink)
		return differ(b, "size or number of links");
	if (x.st_nlink > 1 && !same_links(c, &x, &y))
		return differ(b, "which files are hard links of each other");
	if (S_ISLNK(x.st_mode) && !same_symlink(a, b))
		return differ(b, "target of the symlink");
	if (S_ISREG(x.st_mode) && !same_content(a, b, (size_t)x.st_size))
		return differ(b, "content");
	return true;
}

bool
flow_same(const char *a, const char *b)
{
	struct compare c = {0};
	bool same = same_node(&c, a, b);

	free(c.links);
	return same;
}
