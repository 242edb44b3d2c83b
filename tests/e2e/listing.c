/*
 * Canonical listings of trees.
 */
#include "listing.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "tree.h"

#define BLOCK (64u * 1024)

struct group {
	ino_t ino;
	dev_t dev;
	char *first;
};

struct listing {
	struct tree_path path;
	struct group *groups;
	size_t ngroups;
};

static uint64_t
fnv(uint64_t h, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * UINT64_C(0x100000001b3);
	return h;
}

static bool
all_zero(const uint8_t *p, size_t len)
{
	return len == 0 || (p[0] == 0 && memcmp(p, p + 1, len - 1) == 0);
}

static uint64_t
hash_block(uint64_t h, const uint8_t *block, size_t len, uint64_t offset)
{
	uint8_t place[8];

	if (all_zero(block, len))
		return h;
	for (unsigned i = 0; i < 8; i++)
		place[i] = (uint8_t)(offset >> 8 * i);
	return fnv(fnv(h, place, sizeof place), block, len);
}

static uint64_t
hash_file(int folder, const char *name, uint64_t size)
{
	static uint8_t block[BLOCK];
	uint64_t h = UINT64_C(0xcbf29ce484222325), start, end;
	int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		tree_die("open", name);
	for (uint64_t offset = 0; tree_next_data(fd, offset, size, &start, &end); offset += BLOCK) {
		ssize_t len;

		offset = start / BLOCK * BLOCK;
		len = tree_pread(fd, block, BLOCK, offset);
		if (len < 0)
			tree_die("read", name);
		h = hash_block(h, block, (size_t)len, offset);
	}
	(void)close(fd);
	return h;
}

static void
print_group(struct listing *l, const struct stat *st)
{
	struct group *g;

	for (size_t i = 0; i < l->ngroups; i++)
		if (l->groups[i].ino == st->st_ino && l->groups[i].dev == st->st_dev) {
			(void)printf(" = \"");
			tree_print(l->groups[i].first, strlen(l->groups[i].first));
			(void)putchar('"');
			return;
		}
	l->groups = tree_alloc(l->groups, (l->ngroups + 1) * sizeof *l->groups);
	g = &l->groups[l->ngroups++];
	*g = (struct group){st->st_ino, st->st_dev, strdup(l->path.bytes)};
	if (g->first == NULL)
		tree_die("allocate", "memory");
}

static void
print_xattrs(int folder, const char *name)
{
	struct tree_xattrs xattrs;

	tree_xattrs_read(folder, name, &xattrs);
	for (size_t i = 0; i < xattrs.count; i++) {
		(void)printf(" %s=\"", xattrs.items[i].name);
		tree_print(xattrs.items[i].value, xattrs.items[i].len);
		(void)putchar('"');
	}
	tree_xattrs_free(&xattrs);
}

static void
print_symlink(int folder, const char *name)
{
	size_t len;
	char *target = tree_readlink(folder, name, &len);

	(void)printf(" -> \"");
	tree_print(target, len);
	(void)putchar('"');
	free(target);
}

static void
print_entry(struct listing *l, int folder, const char *name, const struct stat *st)
{
	(void)putchar('"');
	tree_print(l->path.bytes, l->path.len);
	(void)printf("\" %s %04o %u %u %lld.%09ld", tree_type(st->st_mode), (unsigned)(st->st_mode & 07777), st->st_uid,
	    st->st_gid, (long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
	if (S_ISREG(st->st_mode))
		(void)printf(
		    " %lld %016" PRIx64, (long long)st->st_size, hash_file(folder, name, (uint64_t)st->st_size));
	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode))
		(void)printf(" %u,%u", major(st->st_rdev), minor(st->st_rdev));
	if (S_ISLNK(st->st_mode))
		print_symlink(folder, name);
	if (!S_ISDIR(st->st_mode) && st->st_nlink > 1)
		print_group(l, st);
	print_xattrs(folder, name);
	(void)putchar('\n');
}

/* Takes the descriptor over. */
static void
list_folder(struct listing *l, int fd)
{
	struct tree_names names;

	tree_names_read(fd, &names);
	for (size_t i = 0; i < names.count; i++) {
		size_t before = tree_path_add(&l->path, names.items[i]);
		struct stat st;

		if (fstatat(fd, names.items[i], &st, AT_SYMLINK_NOFOLLOW) < 0)
			tree_die("examine", l->path.bytes);
		print_entry(l, fd, names.items[i], &st);
		if (S_ISDIR(st.st_mode)) {
			int sub = openat(fd, names.items[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

			if (sub < 0)
				tree_die("open", l->path.bytes);
			list_folder(l, sub);
		}
		tree_path_cut(&l->path, before);
	}
	tree_names_free(&names);
	(void)close(fd);
}

void
listing_print(int root)
{
	struct listing l = {0};
	struct stat st;

	if (fstat(root, &st) < 0)
		tree_die("examine", "the root");
	print_entry(&l, root, ".", &st);
	list_folder(&l, root);
	for (size_t i = 0; i < l.ngroups; i++)
		free(l.groups[i].first);
	free(l.groups);
	free(l.path.bytes);
}
