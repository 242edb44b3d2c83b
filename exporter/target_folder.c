/*
 * Folders of the target: counted descriptors, and the planner's way from one to the next.
 *
 * The planner's current path is a stack of levels.  Only a window of the deepest ones is open, so that depth costs no
 * descriptors; going up beyond the window opens the way down from the root again, which gives a whole window at once.
 * Every step opens one component of a folder that is held open, and follows no symlink.
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

/* Wrap a descriptor, which is taken over also in case of failure. */
static int
wrap(struct target *t, int fd_given, const struct target_folder *parent, struct target_folder **out, struct error *err)
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
	f->closed = (parent != NULL && parent->closed) || ((st.st_mode & 077) == 0 && st.st_uid == geteuid());
	f->fd = STEAL_FD(fd);
	*out = f;
	return 0;
}

int
target_folder_open_root(struct target *t, struct error *err)
{
	CLEANUP_CLOSE int fd = openat(t->root, ".", OPEN_FOLDER);
	int r;

	if (fd < 0)
		return error_errno(err, "open the target folder");
	t->levels = calloc(64, sizeof *t->levels);
	if (t->levels == NULL)
		return error_nomem(err);
	t->levels_cap = 64;
	r = wrap(t, STEAL_FD(fd), NULL, &t->levels[0].folder, err);
	if (r < 0)
		return r;
	t->folders = 1;
	t->depth = 1;
	return 0;
}

static void
shrink(struct target *t, size_t depth)
{
	while (t->depth > depth) {
		t->depth--;
		target_folder_unref(t->levels[t->depth].folder);
	}
}

void
target_folder_close_all(struct target *t)
{
	shrink(t, 0);
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

/* Open the folder of level i, whose parent level is open, and close the one that leaves the window. */
static int
open_level(struct target *t, size_t i, bool create, struct error *err)
{
	struct entry at = {.path = t->path, .path_len = t->levels[i].end, .type = ENTRY_FOLDER};
	const struct target_folder *parent = t->levels[i - 1].folder;
	int fd, r;

	r = reserve(t, err);
	if (r < 0)
		return r;
	r = open_child(t, parent, &at, create, &fd, err);
	if (r == 0)
		r = wrap(t, fd, parent, &t->levels[i].folder, err);
	if (r < 0) {
		unreserve(t);
		return r;
	}
	if (i > t->window)
		target_folder_unref(STEAL(t->levels[i - t->window].folder));
	return 0;
}

static int
set_path(struct target *t, const char *path, size_t len, struct error *err)
{
	if (len > t->path_cap) {
		char *p = realloc(t->path, len * 2);

		if (p == NULL)
			return error_nomem(err);
		t->path = p;
		t->path_cap = len * 2;
	}
	if (len > 0)
		memcpy(t->path, path, len);
	return 0;
}

static int
push_level(struct target *t, size_t end, struct error *err)
{
	if (t->depth == t->levels_cap) {
		struct target_level *l = realloc(t->levels, t->levels_cap * 2 * sizeof *l);

		if (l == NULL)
			return error_nomem(err);
		t->levels = l;
		t->levels_cap *= 2;
	}
	t->levels[t->depth++] = (struct target_level){end, NULL};
	return 0;
}

/* The levels that the current path and this one have in common. */
static size_t
common_depth(const struct target *t, const char *path, size_t len)
{
	size_t same = 0, depth = 1, limit = MIN(len, t->levels[t->depth - 1].end);

	while (same < limit && t->path[same] == path[same])
		same++;
	while (depth < t->depth) {
		size_t end = t->levels[depth].end;

		if (end > same || (end < len && path[end] != '/'))
			break;
		depth++;
	}
	return depth;
}

/* Make the folder with this path the planner's current one; borrowed in *out. */
static int
seek(struct target *t, const char *path, size_t len, bool create, struct target_folder **out, struct error *err)
{
	size_t open;
	int r;

	shrink(t, common_depth(t, path, len));
	r = set_path(t, path, len, err);
	for (size_t at = t->levels[t->depth - 1].end; r == 0 && at < len;) {
		size_t begin = at == 0 ? 0 : at + 1;
		const char *slash = memchr(path + begin, '/', len - begin);

		at = slash == NULL ? len : (size_t)(slash - path);
		r = push_level(t, at, err);
	}
	open = t->depth - 1;
	while (t->levels[open].folder == NULL)
		open--;
	while (r == 0 && ++open < t->depth)
		r = open_level(t, open, create, err);
	if (r < 0) {
		shrink(t, open < t->depth ? open : t->depth);
		return r;
	}
	*out = t->levels[t->depth - 1].folder;
	return 0;
}

/* The folder of the entry, borrowed from the stack. */
static int
seek_parent(struct target *t, const struct entry *e, bool create, struct target_folder **out, struct error *err)
{
	const char *slash;
	int r;

	if (e->path_len == 0)
		return error_set(err, ERR_CORRUPT, "the root of the snapshot is no folder");
	r = target_check_path(t, e, err);
	if (r < 0)
		return r;
	slash = memrchr(e->path, '/', e->path_len);
	return seek(t, e->path, slash == NULL ? 0 : (size_t)(slash - e->path), create, out, err);
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
	r = seek_parent(t, &e, true, &f, err);
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
	r = seek_parent(t, e, true, &parent, err);
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

		r = seek_parent(t, e, false, &parent, err);
		if (r == 0)
			r = open_child(t, parent, e, false, &fd, err);
		if (r < 0)
			return r;
	}
	target_warn_attrs(t, e, attrs_apply(fd, -1, NULL, e, false, &reason));
	return 0;
}
