/*
 * A store in a folder: an object is a file whose path is its key.
 *
 * A put makes its bytes durable before the file gets its name (newfile.c), and then the name: a reader sees all of it
 * or nothing.
 *
 * Others may be able to write to the folder (a disk that was carried around, a shared file server), so nothing in it is
 * followed out of it, and files are opened so that a pipe in place of an object cannot make us wait.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "beneath.h"
#include "cleanup.h"
#include "error.h"
#include "newfile.h"
#include "store.h"
#include "store_dir.h"
#include "store_internal.h"

enum {
	KEY_SIZE = 513,
	KNOWN_FOLDERS = 16 /* an export writes to few folders: packs, metadata, intents */
};

struct store_dir {
	struct store store;
	struct beneath root;
	int root_fd;
	char name[256]; /* the path, printable */
	struct newfile newfile;
	pthread_mutex_t lock; /* guards what follows */
	unsigned next_known;
	char known[KNOWN_FOLDERS][KEY_SIZE]; /* folders whose own names are durable; "" is a free place */
};

/* The failure of a system call on an object. */
static int
failed(const struct store_dir *d, const char *key, const char *what, struct error *err)
{
	if (errno == ELOOP)
		return error_set(
		    err, ERR_CORRUPT, "%s/%s: a symbolic link, which has no place in a repository", d->name, key);
	return error_errno(err, "%s/%s: cannot %s", d->name, key, what);
}

static int
not_found(const struct store_dir *d, const char *key, struct error *err)
{
	return error_set(err, ERR_NOT_FOUND, "%s/%s: no such object", d->name, key);
}

static int
special_file(const struct store_dir *d, const char *key, struct error *err)
{
	return error_set(err, ERR_CORRUPT, "%s/%s: a special file stands in place of an object", d->name, key);
}

/* Does errno mean that there is no such object?  A file can stand where the key has a folder, and the other way round.
 */
static bool
is_absent(void)
{
	return errno == ENOENT || errno == ENOTDIR || errno == EISDIR;
}

/* Split a key into its folder, copied, and its last component. */
static const char *
split_key(const char *key, char folder[KEY_SIZE])
{
	const char *slash = strrchr(key, '/');
	size_t len = slash != NULL ? (size_t)(slash - key) : 0;

	memcpy(folder, key, len);
	folder[len] = '\0';
	return slash != NULL ? slash + 1 : key;
}

static bool
is_known(struct store_dir *d, const char *folder)
{
	bool found = *folder == '\0';

	(void)pthread_mutex_lock(&d->lock);
	for (size_t i = 0; i < KNOWN_FOLDERS && !found; i++)
		found = strcmp(d->known[i], folder) == 0;
	(void)pthread_mutex_unlock(&d->lock);
	return found;
}

static void
add_known(struct store_dir *d, const char *folder)
{
	(void)pthread_mutex_lock(&d->lock);
	(void)snprintf(d->known[d->next_known], KEY_SIZE, "%s", folder);
	d->next_known = (d->next_known + 1) % KNOWN_FOLDERS;
	(void)pthread_mutex_unlock(&d->lock);
}

/* The folder to put an object into, whose own name is durable. */
static int
open_folder(struct store_dir *d, const char *folder)
{
	int fd;

	if (is_known(d, folder)) {
		fd = beneath_open(&d->root, folder, O_RDONLY | O_DIRECTORY);
		if (fd >= 0 || errno != ENOENT)
			return fd;
	}
	fd = beneath_make(&d->root, folder);
	if (fd >= 0)
		add_known(d, folder);
	return fd;
}

/* The name is taken; but by an object? */
static int
explain_taken(const struct store_dir *d, const char *key, int folder_fd, const char *name, struct error *err)
{
	struct stat st;

	if (fstatat(folder_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || S_ISREG(st.st_mode))
		return error_set(err, ERR_EXISTS, "%s/%s: exists already", d->name, key);
	return error_set(err, ERR_CORRUPT, "%s/%s: %s stands in place of an object", d->name, key,
	    S_ISDIR(st.st_mode)   ? "a folder"
	    : S_ISLNK(st.st_mode) ? "a symbolic link"
				  : "a special file");
}

static int
dir_put(struct store *s, const char *key, const void *bytes, size_t len, enum store_kind kind,
    struct error *err)
{
	struct store_dir *d = (struct store_dir *)s;
	char folder[KEY_SIZE];
	const char *name = split_key(key, folder);
	CLEANUP_CLOSE int folder_fd = open_folder(d, folder);

	(void)kind;
	if (folder_fd < 0)
		return failed(d, key, "make its folder", err);
	if (newfile_put(&d->newfile, folder_fd, name, bytes, len) < 0) {
		if (errno == EEXIST)
			return explain_taken(d, key, folder_fd, name, err);
		if (errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP)
			return error_set(err, ERR_UNSUPPORTED,
			    "%s/%s: the file system can neither link a file nor rename it without replacing another",
			    d->name, key);
		return failed(d, key, "write", err);
	}
	if (beneath_sync(folder_fd) < 0)
		return failed(d, key, "make the name durable", err);
	return 0;
}

static int
dir_get(struct store *s, const char *key, uint64_t offset, void *bytes, size_t len, struct error *err)
{
	struct store_dir *d = (struct store_dir *)s;
	CLEANUP_CLOSE int fd = beneath_open(&d->root, key, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	uint8_t *p = bytes, byte;
	bool may_be_empty = len == 0 && offset == 0;

	if (fd < 0)
		return is_absent() ? not_found(d, key, err) : failed(d, key, "open", err);
	/* Even no bytes at all must lie within the object: then the one before them is read. */
	if (len == 0) {
		p = &byte;
		len = 1;
		offset -= offset > 0;
	}
	while (len > 0) {
		ssize_t n = pread(fd, p, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EISDIR)
			return not_found(d, key, err);
		if (n < 0 && errno == ESPIPE)
			return special_file(d, key, err);
		if (n < 0)
			return failed(d, key, "read", err);
		if (n == 0 && may_be_empty)
			return 0;
		if (n == 0)
			return error_set(err, ERR_CORRUPT, "%s/%s: too short, it ends before byte %llu", d->name, key,
			    (unsigned long long)(offset + len));
		p += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int
dir_size(struct store *s, const char *key, uint64_t *out_size, struct error *err)
{
	struct store_dir *d = (struct store_dir *)s;
	CLEANUP_CLOSE int fd = beneath_open(&d->root, key, O_PATH);
	struct stat st;

	if (fd < 0)
		return is_absent() ? not_found(d, key, err) : failed(d, key, "open", err);
	if (fstat(fd, &st) < 0)
		return failed(d, key, "look at", err);
	if (S_ISDIR(st.st_mode))
		return not_found(d, key, err);
	if (!S_ISREG(st.st_mode))
		return special_file(d, key, err);
	*out_size = (uint64_t)st.st_size;
	return 0;
}

static int
dir_list(struct store *s, const char *prefix, store_list_fn *fn, void *arg, struct error *err)
{
	struct store_dir *d = (struct store_dir *)s;

	return store_dir_list(&d->root, d->name, prefix, fn, arg, err);
}

static int
dir_remove(struct store *s, const char *key, struct error *err)
{
	struct store_dir *d = (struct store_dir *)s;
	char folder[KEY_SIZE];
	const char *name = split_key(key, folder);
	CLEANUP_CLOSE int folder_fd = beneath_open(&d->root, folder, O_RDONLY | O_DIRECTORY);

	if (folder_fd < 0)
		return is_absent() ? 0 : failed(d, key, "open the folder of", err);
	if (unlinkat(folder_fd, name, 0) < 0)
		return is_absent() ? 0 : failed(d, key, "remove", err);
	/* Objects go in an order that matters: one that came back after a power cut could need others that did not. */
	if (beneath_sync(folder_fd) < 0)
		return failed(d, key, "make the removal durable", err);
	return 0;
}

static void
dir_free(struct store *s)
{
	struct store_dir *d = (struct store_dir *)s;

	cleanup_close_p(&d->root_fd);
	(void)pthread_mutex_destroy(&d->lock);
	free(d);
}

static const struct store_ops dir_ops = {
    .name = "dir",
    .put = dir_put,
    .get = dir_get,
    .size = dir_size,
    .load = store_load_in_two,
    .list = dir_list,
    .remove = dir_remove,
    .free = dir_free,
};

/* Make a folder and its parents, and their names durable. */
static int
make_root(const char *path)
{
	CLEANUP_FREE char *copy = strdup(path);
	char *p = copy;

	if (copy == NULL)
		return -1;
	while (*p != '\0') {
		CLEANUP_CLOSE int parent = -1;
		char *start = p, *end, saved;

		start += strspn(p, "/");
		end = start + strcspn(start, "/");
		saved = *start;
		*start = '\0';
		parent = open(*copy != '\0' ? copy : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		*start = saved;
		saved = *end;
		*end = '\0';
		if (mkdir(copy, 0700) < 0 ? errno != EEXIST : parent < 0 || beneath_sync(parent) < 0)
			return -1;
		*end = saved;
		p = end + strspn(end, "/");
	}
	return 0;
}

static int
open_root(const char *path, bool create)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0 || errno != ENOENT || !create)
		return fd;
	if (make_root(path) < 0)
		return -1;
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int
store_dir_open(const char *path, bool create, struct store **out, struct error *err)
{
	CLEANUP_CLOSE int fd = -1;
	char name[sizeof(((struct store_dir *)NULL)->name)];
	struct store_dir *d;

	if (*path == '\0')
		return error_set(err, ERR_USAGE, "the path of the repository is empty");
	(void)error_quote(name, sizeof(name), path, strlen(path));
	fd = open_root(path, create);
	if (fd < 0 && errno == ENOTDIR)
		return error_set(err, ERR_NO_REPOSITORY, "%s: not a folder, so there is no repository", name);
	if (fd < 0 && errno == ENOENT && !create)
		return error_set(err, ERR_NO_REPOSITORY, "%s: no such folder, so there is no repository", name);
	if (fd < 0)
		return error_errno(err, "%s: cannot open the repository", name);
	d = calloc(1, sizeof(*d));
	if (d == NULL)
		return error_nomem(err);
	d->store.ops = &dir_ops;
	d->root_fd = STEAL_FD(fd);
	beneath_init(&d->root, d->root_fd);
	memcpy(d->name, name, sizeof(name));
	newfile_init(&d->newfile);
	(void)pthread_mutex_init(&d->lock, NULL);
	*out = &d->store;
	return 0;
}
