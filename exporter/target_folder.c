/*
 * Folders of the target: counted descriptors, opened one component at a time, and making and finishing folders.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>

#include "attrs.h"
#include "cleanup.h"
#include "error.h"
#include "target_internal.h"

#define OPEN_FOLDER (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

struct target_folder *
target_folder_ref(struct target_folder *f)
{
	atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed);
	return f;
}

void
target_folder_unref(struct target_folder *f)
{
	struct target *t;

	if (f == NULL || atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel) != 1)
		return;
	t = f->target;
	(void)close(f->fd);
	free(f);
	pthread_mutex_lock(&t->lock);
	t->folders--;
	pthread_cond_signal(&t->folder_released);
	pthread_mutex_unlock(&t->lock);
}

/* Reserve the right to hold one more folder. */
static int
reserve(struct target *t, struct error *err)
{
	bool told = false;
	int r = 0;

	pthread_mutex_lock(&t->lock);
	while (t->folders >= t->max_folders && !t->cancelled) {
		if (!told && t->on_wait != NULL) {
			told = true;
			pthread_mutex_unlock(&t->lock);
			t->on_wait(t->on_wait_arg);
			pthread_mutex_lock(&t->lock);
			continue;
		}
		pthread_cond_wait(&t->folder_released, &t->lock);
	}
	if (t->cancelled)
		r = error_set(err, ERR_CANCELLED, "import cancelled");
	else
		t->folders++;
	pthread_mutex_unlock(&t->lock);
	return r;
}

static void
unreserve(struct target *t)
{
	pthread_mutex_lock(&t->lock);
	t->folders--;
	pthread_mutex_unlock(&t->lock);
}

/* Wrap a descriptor, which is taken over also in case of failure.  The place is reserved. */
static int
wrap(struct target *t, int fd_given, bool closed_above, struct target_folder **out, struct error *err)
{
	CLEANUP_CLOSE int fd = fd_given;
	struct target_folder *f;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_errno(err, "examine a folder of the target");
	f = calloc(1, sizeof *f);
	if (f == NULL)
		return error_nomem(err);
	f->target = t;
	atomic_init(&f->refs, 1);
	atomic_init(&f->owner, TARGET_OWNER_UNKNOWN);
	f->inherits = fgetxattr(fd, "system.posix_acl_default", NULL, 0) > 0;
	f->closed = closed_above || ((st.st_mode & 077) == 0 && st.st_uid == geteuid());
	f->dev = st.st_dev;
	f->ino = st.st_ino;
	f->fd = STEAL_FD(fd);
	*out = f;
	return 0;
}

int
target_folder_open_root(struct target *t, struct target_folder **out, struct error *err)
{
	CLEANUP_CLOSE int fd = openat(t->root, ".", OPEN_FOLDER);
	int r;

	if (fd < 0)
		return error_errno(err, "open the target folder");
	if ((r = reserve(t, err)) < 0)
		return r;
	r = wrap(t, STEAL_FD(fd), false, out, err);
	if (r < 0)
		unreserve(t);
	return r;
}

/* A folder of ours that an interrupted import has given a mode that keeps us out, as happens without root: open it by
 * force. */
static int
open_closed(int parent, const char *name)
{
	CLEANUP_CLOSE int fd = openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	char link[64];
	struct stat st;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) < 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid()) {
		errno = EACCES;
		return -1;
	}
	(void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	if (chmod(link, 0700) < 0)
		return -1;
	return openat(parent, name, OPEN_FOLDER);
}

static int
open_child(struct target *t, const struct target_folder *parent, const struct entry *at, bool create, int *out,
    struct error *err)
{
	char name[TARGET_NAME_MAX];
	char shown[256];
	int fd;

	target_name(name, at->path, at->path_len);
	fd = openat(parent->fd, name, OPEN_FOLDER);
	if (fd < 0 && errno == ENOENT && create) {
		if (mkdirat(parent->fd, name, 0700) < 0 && errno != EEXIST)
			return target_errno(at, "make the folder", err);
		fd = openat(parent->fd, name, OPEN_FOLDER);
	}
	if (fd < 0 && errno == EACCES && (t->resuming || t->options.overwrite))
		fd = open_closed(parent->fd, name);
	if (fd < 0 && (errno == ENOTDIR || errno == ELOOP))
		return error_set(err, ERR_CORRUPT, "the path leads through \"%s\", which is no folder",
		    error_quote(shown, sizeof shown, at->path, at->path_len));
	if (fd < 0)
		return target_errno(at, "open the folder", err);
	*out = fd;
	return 0;
}

int
target_folder_open(struct target *t, const struct target_folder *parent, const struct entry *at, bool create,
    struct target_folder **out, struct error *err)
{
	int fd, r;

	if ((r = reserve(t, err)) < 0)
		return r;
	r = open_child(t, parent, at, create, &fd, err);
	if (r == 0)
		r = wrap(t, fd, parent->closed, out, err);
	if (r < 0)
		unreserve(t);
	return r;
}

int
target_folder_open_above(
    struct target *t, const struct target_folder *child, bool closed, struct target_folder **out, struct error *err)
{
	int fd, r;

	if ((r = reserve(t, err)) < 0)
		return r;
	fd = openat(child->fd, "..", OPEN_FOLDER);
	r = fd < 0 ? 0 : wrap(t, fd, closed, out, err);
	if (fd < 0 || r < 0)
		unreserve(t);
	return r < 0 ? r : fd >= 0;
}

int
target_parent(struct target *t, const char *path, size_t path_len, void (*on_wait)(void *), void *arg,
    struct target_folder **out, struct error *err)
{
	struct entry e = {.path = path, .path_len = path_len};
	struct target_folder *f;
	int r;

	*out = NULL;
	t->on_wait = on_wait;
	t->on_wait_arg = arg;
	r = target_way_to_parent(t, &e, true, &f, err);
	if (r == 0)
		*out = target_folder_ref(f);
	return r;
}

/* Something has this name: a folder is used, anything else makes way when it may. */
static int
replace_by_folder(
    struct target *t, struct target_folder *parent, const char *name, const struct entry *e, struct error *err)
{
	struct stat st;
	int r;

	if (fstatat(parent->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
		return 0;
	r = target_clear(t, parent, name, e, err);
	if (r == 0 && mkdirat(parent->fd, name, 0700) < 0)
		r = target_errno(e, "make the folder", err);
	return r;
}

int
target_folder_make(struct target *t, const struct entry *e, struct error *err)
{
	char name[TARGET_NAME_MAX];
	struct target_folder *parent;
	int r;

	if (e->path_len == 0) {
		atomic_fetch_add(&t->n_folders, 1);
		return 0;
	}
	r = target_way_to_parent(t, e, true, &parent, err);
	if (r < 0)
		return r;
	target_name(name, e->path, e->path_len);
	if (mkdirat(parent->fd, name, 0700) < 0) {
		r = errno == EEXIST ? replace_by_folder(t, parent, name, e, err)
				    : target_errno(e, "make the folder", err);
		if (r < 0)
			return r;
	}
	atomic_fetch_add(&t->n_folders, 1);
	return 0;
}

int
target_finish_folder(struct target *t, const struct entry *e, struct error *err)
{
	CLEANUP_CLOSE int fd = -1;
	struct error reason;
	int r;

	if (e->path_len == 0) {
		fd = openat(t->root, ".", OPEN_FOLDER);
		if (fd < 0)
			return error_errno(err, "open the target folder");
	} else {
		struct target_folder *parent;

		r = target_way_to_parent(t, e, false, &parent, err);
		if (r == 0)
			r = open_child(t, parent, e, false, &fd, err);
		if (r < 0)
			return r;
	}
	target_warn_attrs(t, e, attrs_apply(fd, -1, NULL, e, false, &reason));
	return 0;
}
