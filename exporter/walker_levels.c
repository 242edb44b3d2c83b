/*
 * The way of a walk down and up.
 *
 * One level per folder on the way down; its names wait in names.c, the folder itself is held open as long as
 * descriptors allow.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "error.h"
#include "folder.h"
#include "names.h"
#include "walker_internal.h"

struct walker_identity
walker_identity(const struct statx *st)
{
	return (struct walker_identity){st->stx_dev_major, st->stx_dev_minor, st->stx_ino};
}

static bool
identity_equal(struct walker_identity a, struct walker_identity b)
{
	return a.dev_major == b.dev_major && a.dev_minor == b.dev_minor && a.ino == b.ino;
}

/* Close the folders on the way down, all but the one on top and the root's own. */
static void
close_levels(struct walker *w)
{
	for (; w->first_open + 1 < w->depth; w->first_open++) {
		folder_unref(w->levels[w->first_open].folder);
		w->levels[w->first_open].folder = NULL;
	}
}

int
walker_make_room(struct walker *w, struct error *err)
{
	if (!folder_pool_full(w->pool))
		return 0;
	close_levels(w);
	if (!folder_pool_full(w->pool))
		return 0;
	if (w->on_wait != NULL)
		w->on_wait(w->on_wait_arg);
	return folder_pool_wait(w->pool, err);
}

static int
open_quietly(int at, const char *name)
{
	int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
	int fd = openat(at, name, flags | O_NOATIME);

	/* Only the owner may leave the time of access alone. */
	if (fd < 0 && errno == EPERM)
		fd = openat(at, name, flags);
	return fd;
}

int
walker_open_folder(struct walker *w, int at, const char *name)
{
	int fd = open_quietly(at, name);

	if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {
		close_levels(w);
		if (w->on_wait != NULL)
			w->on_wait(w->on_wait_arg);
		fd = open_quietly(at, name);
	}
	return fd;
}

/* Open a folder only if it is the one that was seen before. */
static int
open_again(struct walker *w, int at, const char *name, struct walker_identity id)
{
	struct statx st;
	int fd = walker_open_folder(w, at, name);

	if (fd < 0)
		return -1;
	if (statx(fd, "", AT_EMPTY_PATH, STATX_INO, &st) == 0 && identity_equal(walker_identity(&st), id))
		return fd;
	(void)close(fd);
	errno = ENOENT;
	return -1;
}

/* From the root down to the level on top, as far as the folders are still where they were.  Returns the depth that was
 * reached. */
static size_t
open_from_root(struct walker *w, int *out_fd, int *errnum)
{
	size_t depth = 1;

	*out_fd = fcntl(folder_fd(w->root), F_DUPFD_CLOEXEC, 0);
	*errnum = errno;
	for (; *out_fd >= 0 && depth < w->depth; depth++) {
		const struct walker_level *above = &w->levels[depth - 1], *l = &w->levels[depth];
		char *name = w->path + above->path_len + (above->path_len > 0), behind = w->path[l->path_len];
		int fd;

		w->path[l->path_len] = '\0';
		fd = open_again(w, *out_fd, name, l->id);
		*errnum = errno;
		w->path[l->path_len] = behind;
		if (fd < 0)
			break;
		(void)close(*out_fd);
		*out_fd = fd;
	}
	return depth;
}

/* The level on top was closed: open it again from the folder in it that was just left, or else by its path.  What has
 * gone is given up. */
static int
reopen(struct walker *w, const struct folder *below, struct error *err)
{
	struct walker_level *top = &w->levels[w->depth - 1];
	size_t reached = w->depth;
	int fd, errnum = 0, r;

	w->first_open = w->depth - 1;
	if (w->depth == 1) {
		top->folder = folder_ref(w->root);
		return 0;
	}
	if ((r = walker_make_room(w, err)) < 0)
		return r;
	fd = below == NULL ? -1 : open_again(w, folder_fd(below), "..", top->id);
	if (fd < 0)
		reached = open_from_root(w, &fd, &errnum);
	if (fd < 0)
		return error_set(err, ERR_SYSTEM, "the root folder cannot be opened again: %s", strerror(errnum));
	while (w->depth > reached) {
		walker_tell(w, WALKER_UNREADABLE, w->levels[w->depth - 1].path_len, errnum);
		names_pop(w->names);
		w->depth--;
	}
	w->first_open = w->depth - 1;
	top = &w->levels[w->first_open];
	top->folder = folder_new(w->pool, fd);
	return top->folder == NULL ? error_nomem(err) : 0;
}

/* --- down and up --- */

int
walker_enter(struct walker *w, struct error *err)
{
	int errnum, r;

	if (w->depth == w->levels_cap) {
		size_t cap = w->levels_cap == 0 ? 64 : 2 * w->levels_cap;
		struct walker_level *grown = reallocarray(w->levels, cap, sizeof *grown);

		if (grown == NULL)
			return error_nomem(err);
		w->levels = grown;
		w->levels_cap = cap;
	}
	if ((r = names_push(w->names, folder_fd(w->found.folder), &errnum, err)) < 0)
		return r;
	w->levels[w->depth++] = w->found;
	w->found.folder = NULL;
	if (w->depth - w->first_open > w->keep) {
		folder_unref(w->levels[w->first_open].folder);
		w->levels[w->first_open++].folder = NULL;
	}
	if (errnum != 0 && w->depth == 1) {
		errno = errnum;
		return error_errno(err, "list the root folder");
	}
	if (errnum != 0 && errnum != ENOENT)
		walker_tell(w, WALKER_UNREADABLE, w->levels[w->depth - 1].path_len, errnum);
	return 0;
}

int
walker_leave(struct walker *w, struct error *err)
{
	struct folder *left = w->levels[--w->depth].folder;
	int r = 0;

	names_pop(w->names);
	if (w->depth > 0 && w->levels[w->depth - 1].folder == NULL)
		r = reopen(w, left, err);
	folder_unref(left);
	return r;
}
