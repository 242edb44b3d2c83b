/*
 * Listing a folder store in byte order of the keys.
 *
 * The names of a folder are read, sorted and visited; a folder counts as its name with a '/' behind it, because '-' and
 * '.' sort below
 * '/', so that "a-b" comes before "a/b" and that before "a0".  The names of one folder per level are held, packed: the
 * cost of a million of them is some 30 MB.  Depth is bounded by the length of a key.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "beneath.h"
#include "buf.h"
#include "cleanup.h"
#include "error.h"
#include "store_dir.h"

enum { KEY_MAX = 512 };

struct listing {
	const char *name;
	const char *prefix;
	size_t prefix_len;
	store_list_fn *fn;
	void *arg;
	char key[KEY_MAX + 2]; /* of the folder or object that is being visited */
};

/* The names of one folder, each with a NUL behind it, folders with '/' before the NUL. */
struct names {
	struct buf text;
	struct buf offsets; /* size_t each, sorted by name */
};

static void
free_names(struct names *n)
{
	buf_free(&n->text);
	buf_free(&n->offsets);
}

static void
close_folder(DIR **folder)
{
	if (*folder != NULL)
		(void)closedir(*folder);
}

static int
failed(const struct listing *l, struct error *err)
{
	if (errno == ELOOP)
		return error_set(
		    err, ERR_CORRUPT, "%s/%s: a symbolic link, which has no place in a repository", l->name, l->key);
	return error_errno(err, "%s/%s: cannot list", l->name, l->key);
}

/* The folder of the prefix was opened directly, so that what is left of it lies in one component. */
static bool
is_wanted(const struct listing *l, const char *key, size_t len)
{
	return len >= l->prefix_len && memcmp(key, l->prefix, l->prefix_len) == 0;
}

static bool
is_key_name(const char *name)
{
	return name[0] != '.' && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-") == strlen(name);
}

/* 'd' folder, 'f' file, 'l' symbolic link, '?' anything else, 0 if it has vanished. */
static int
type_of(int fd, const struct dirent *e)
{
	mode_t mode = DTTOIF(e->d_type);
	struct stat st;

	if (e->d_type == DT_UNKNOWN) {
		if (fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return errno == ENOENT ? 0 : '?';
		mode = st.st_mode & S_IFMT;
	}
	return S_ISDIR(mode) ? 'd' : S_ISREG(mode) ? 'f' : S_ISLNK(mode) ? 'l' : '?';
}

static int
add_name(struct listing *l, size_t key_len, int fd, const struct dirent *e, struct names *n, struct error *err)
{
	size_t len = strlen(e->d_name), at = n->text.len;
	int type;

	/* What cannot be part of a key is not ours: temporary files, lost+found. */
	if (!is_key_name(e->d_name) || key_len + len > KEY_MAX)
		return 0;
	memcpy(l->key + key_len, e->d_name, len + 1);
	if (!is_wanted(l, l->key, key_len + len))
		return 0;
	type = type_of(fd, e);
	if (type == 'l' || type == '?')
		return error_set(err, ERR_CORRUPT, "%s/%s: %s stands in place of an object", l->name, l->key,
		    type == 'l' ? "a symbolic link" : "a special file");
	if (type != 0) {
		buf_put(&n->text, e->d_name, len);
		buf_put(&n->text, "/", type == 'd');
		buf_u8(&n->text, 0);
		buf_put(&n->offsets, &at, sizeof(at));
	}
	return 0;
}

static int
compare_names(const void *a, const void *b, void *text)
{
	const char *names = text;
	size_t i, j;

	memcpy(&i, a, sizeof(i));
	memcpy(&j, b, sizeof(j));
	return strcmp(names + i, names + j);
}

/* Takes fd. */
static int
read_names(struct listing *l, size_t key_len, int fd, struct names *n, struct error *err)
{
	CLEANUP(close_folder) DIR *folder = fdopendir(fd);
	const struct dirent *e;
	int r;

	if (folder == NULL) {
		r = failed(l, err);
		cleanup_close_p(&fd);
		return r;
	}
	while (errno = 0, (e = readdir(folder)) != NULL) {
		r = add_name(l, key_len, fd, e, n, err);
		l->key[key_len] = '\0';
		if (r < 0)
			return r;
	}
	if (errno != 0)
		return failed(l, err);
	if (n->text.failed || n->offsets.failed)
		return error_nomem(err);
	if (n->offsets.len > 0)
		qsort_r(n->offsets.data, n->offsets.len / sizeof(size_t), sizeof(size_t), compare_names, n->text.data);
	return 0;
}

static int
visit_file(struct listing *l, int fd, const char *name, struct error *err)
{
	struct store_object object = {.key = l->key};
	struct stat st;

	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : failed(l, err);
	if (!S_ISREG(st.st_mode))
		return error_set(err, ERR_CORRUPT, "%s/%s: no longer a file while it is listed", l->name, l->key);
	object.size = (uint64_t)st.st_size;
	object.modified_s = st.st_mtim.tv_sec;
	return l->fn(l->arg, &object, err);
}

/* Visit the folder fd, whose key, with '/' behind it unless it is the root, has key_len bytes. */
static int
visit_folder(struct listing *l, size_t key_len, int fd, struct error *err)
{
	CLEANUP(free_names) struct names n = {BUF_INIT(SIZE_MAX / 4), BUF_INIT(SIZE_MAX / 4)};
	CLEANUP_CLOSE int names_fd = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (names_fd < 0)
		return failed(l, err);
	r = read_names(l, key_len, STEAL_FD(names_fd), &n, err);
	for (size_t at, i = 0; r == 0 && i < n.offsets.len; i += sizeof(at)) {
		CLEANUP_CLOSE int child = -1;
		char *name;
		size_t len;

		memcpy(&at, n.offsets.data + i, sizeof(at));
		name = (char *)n.text.data + at;
		len = strlen(name);
		memcpy(l->key + key_len, name, len + 1);
		if (name[len - 1] != '/') {
			r = visit_file(l, fd, name, err);
			continue;
		}
		name[len - 1] = '\0';
		child = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (child >= 0)
			r = visit_folder(l, key_len + len, child, err);
		else if (errno != ENOENT)
			r = failed(l, err);
	}
	return r;
}

int
store_dir_list(
    const struct beneath *root, const char *name, const char *prefix, store_list_fn *fn, void *arg, struct error *err)
{
	struct listing l = {.name = name, .prefix = prefix, .prefix_len = strlen(prefix), .fn = fn, .arg = arg};
	const char *slash = strrchr(prefix, '/');
	CLEANUP_CLOSE int fd = -1;
	size_t len = slash != NULL ? (size_t)(slash - prefix) : 0;
	int r;

	memcpy(l.key, prefix, len);
	l.key[len] = '\0';
	fd = beneath_open(root, l.key, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return (errno == ENOENT || errno == ENOTDIR) && len > 0 ? 0 : failed(&l, err);
	if (len > 0)
		memcpy(l.key + len++, "/", 2);
	r = visit_folder(&l, len, fd, err);
	return r < 0 ? r : 0;
}
