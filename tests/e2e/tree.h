#ifndef TREE_H_
#define TREE_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

/*
 * What the judge of restored trees knows of file systems.  It uses libc and the kernel only, on purpose: a mistake of
 * the program that is judged must not be able to hide in code that both share.
 *
 * Everything works relative to open folders, so that depth and path length have no limit.  What cannot go on ends the
 * process with status 2.
 */

/* A path from the root of a walk, grown and cut as the walk goes down and up. */
struct tree_path {
	char *bytes; /* NUL-terminated */
	size_t len, cap;
};

/* Append "/name" (or "name" to the empty path); the former length, for tree_path_cut(). */
size_t tree_path_add(struct tree_path *, const char *name);
void tree_path_cut(struct tree_path *, size_t len);

struct tree_names {
	char **items; /* sorted by bytes */
	size_t count;
};
/* The names in an open folder, without "." and "..". */
void tree_names_read(int fd, struct tree_names *out);
void tree_names_free(struct tree_names *);

/* One attribute.  A list is sorted by name. */
struct tree_xattr {
	char *name;
	uint8_t *value;
	size_t len;
	int error; /* errno when the value cannot be read */
};
struct tree_xattrs {
	struct tree_xattr *items;
	size_t count;
	int error; /* errno when the list cannot be read */
};
/* The attributes of a name in a folder, not followed if it is a symlink; name "." is the folder itself. */
void tree_xattrs_read(int folder, const char *name, struct tree_xattrs *out);
void tree_xattrs_free(struct tree_xattrs *);

/* The target of a symlink, malloc'ed. */
char *tree_readlink(int folder, const char *name, size_t *out_len);

/* The next data at or behind an offset: false when there is none.  What has no SEEK_DATA is data throughout. */
bool tree_next_data(int fd, uint64_t offset, uint64_t size, uint64_t *start, uint64_t *end);
/* Up to len bytes at an offset; fewer only at the end of the file.  -1 and errno. */
ssize_t tree_pread(int fd, void *bytes, size_t len, uint64_t offset);

/* Print bytes so that they fit on a line: control bytes, bytes above 0x7e, '"' and '\' as \xHH. */
void tree_print(const void *bytes, size_t len);
const char *tree_type(mode_t);
void tree_die(const char *what, const char *name) __attribute__((noreturn));
void *tree_alloc(void *old, size_t len);

#endif
