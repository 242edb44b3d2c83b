/*
 * File system facts for the judge: names, attributes, links, holes.
 */
#include "tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

void
tree_die(const char *what, const char *name)
{
	int e = errno;

	(void)fflush(stdout);
	(void)fprintf(stderr, "judge: %s %s: %s\n", what, name, strerror(e));
	exit(2);
}

void *
tree_alloc(void *old, size_t len)
{
	void *p = realloc(old, len == 0 ? 1 : len);

	if (p == NULL)
		tree_die("allocate", "memory");
	return p;
}

size_t
tree_path_add(struct tree_path *p, const char *name)
{
	size_t before = p->len, len = strlen(name);

	if (p->cap < p->len + len + 2) {
		p->cap = 2 * (p->len + len + 2);
		p->bytes = tree_alloc(p->bytes, p->cap);
	}
	if (p->len > 0)
		p->bytes[p->len++] = '/';
	memcpy(p->bytes + p->len, name, len + 1);
	p->len += len;
	return before;
}

void
tree_path_cut(struct tree_path *p, size_t len)
{
	p->len = len;
	if (p->bytes != NULL)
		p->bytes[len] = '\0';
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void
tree_names_read(int fd, struct tree_names *out)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *e;
	size_t cap = 0;

	*out = (struct tree_names){NULL, 0};
	if (d == NULL)
		tree_die("list", "a folder");
	while (errno = 0, (e = readdir(d)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (out->count == cap) {
			cap = cap == 0 ? 16 : 2 * cap;
			out->items = tree_alloc(out->items, cap * sizeof *out->items);
		}
		out->items[out->count] = strdup(e->d_name);
		if (out->items[out->count++] == NULL)
			tree_die("allocate", "memory");
	}
	if (errno != 0)
		tree_die("list", "a folder");
	(void)closedir(d);
	if (out->count > 0)
		qsort(out->items, out->count, sizeof *out->items, compare_names);
}

void
tree_names_free(struct tree_names *n)
{
	for (size_t i = 0; i < n->count; i++)
		free(n->items[i]);
	free(n->items);
	*n = (struct tree_names){NULL, 0};
}

static void
read_value(const char *path, struct tree_xattr *x)
{
	ssize_t len;

	x->value = tree_alloc(NULL, XATTR_SIZE_MAX);
	len = lgetxattr(path, x->name, x->value, XATTR_SIZE_MAX);
	x->error = len < 0 ? errno : 0;
	x->len = len < 0 ? 0 : (size_t)len;
	x->value = tree_alloc(x->value, x->len);
}

static int
compare_xattrs(const void *a, const void *b)
{
	return strcmp(((const struct tree_xattr *)a)->name, ((const struct tree_xattr *)b)->name);
}

void
tree_xattrs_read(int folder, const char *name, struct tree_xattrs *out)
{
	static char list[XATTR_LIST_MAX];
	char path[NAME_MAX + 64];
	ssize_t len;

	/* There is no llistxattr() relative to a folder. */
	(void)snprintf(path, sizeof path, "/proc/self/fd/%d/%s", folder, name);
	*out = (struct tree_xattrs){NULL, 0, 0};
	len = llistxattr(path, list, sizeof list);
	if (len < 0) {
		out->error = errno == EOPNOTSUPP ? 0 : errno;
		return;
	}
	for (const char *p = list; p < list + len; p += strlen(p) + 1) {
		struct tree_xattr *x;

		out->items = tree_alloc(out->items, (out->count + 1) * sizeof *out->items);
		x = &out->items[out->count++];
		*x = (struct tree_xattr){strdup(p), NULL, 0, 0};
		if (x->name == NULL)
			tree_die("allocate", "memory");
		read_value(path, x);
	}
	if (out->count > 0)
		qsort(out->items, out->count, sizeof *out->items, compare_xattrs);
}

void
tree_xattrs_free(struct tree_xattrs *x)
{
	for (size_t i = 0; i < x->count; i++) {
		free(x->items[i].name);
		free(x->items[i].value);
	}
	free(x->items);
	*x = (struct tree_xattrs){NULL, 0, 0};
}

char *
tree_readlink(int folder, const char *name, size_t *out_len)
{
	size_t cap = 8192;
	char *text = tree_alloc(NULL, cap);
	ssize_t len;

	while ((len = readlinkat(folder, name, text, cap)) == (ssize_t)cap) {
		cap *= 2;
		text = tree_alloc(text, cap);
	}
	if (len < 0)
		tree_die("read symlink", name);
	*out_len = (size_t)len;
	return text;
}

bool
tree_next_data(int fd, uint64_t offset, uint64_t size, uint64_t *start, uint64_t *end)
{
	off_t s, e;

	if (offset >= size)
		return false;
	*start = offset;
	*end = size;
	s = lseek(fd, (off_t)offset, SEEK_DATA);
	if (s < 0)
		return errno != ENXIO;
	e = lseek(fd, s, SEEK_HOLE);
	if ((uint64_t)s >= size)
		return false;
	*start = (uint64_t)s;
	if (e > s && (uint64_t)e < size)
		*end = (uint64_t)e;
	return true;
}

ssize_t
tree_pread(int fd, void *bytes, size_t len, uint64_t offset)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(fd, (char *)bytes + done, len - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

void
tree_print(const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i < len; i++)
		if (p[i] < 0x20 || p[i] > 0x7e || p[i] == '"' || p[i] == '\\')
			(void)printf("\\x%02x", p[i]);
		else
			(void)putchar(p[i]);
}

const char *
tree_type(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return "file";
	case S_IFDIR:
		return "folder";
	case S_IFLNK:
		return "symlink";
	case S_IFCHR:
		return "chardev";
	case S_IFBLK:
		return "blockdev";
	case S_IFIFO:
		return "fifo";
	case S_IFSOCK:
		return "socket";
	default:
		return "unknown";
	}
}
