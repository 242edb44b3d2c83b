/*
 * The walk over a folder tree: what is found, and what is left out.  The way down and up is in walker_levels.c.
 */
#include "walker_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "entry.h"
#include "error.h"
#include "folder.h"
#include "names.h"

#define STAT_MASK     (STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID)
#define FOLDERS_USUAL 256u
/* Root, a folder, the one in it that is being opened or was just left, and one to spare. */
#define FOLDERS_MIN   4u
#define COMPONENT_MAX 255u

static int
open_root(struct walker *w, const char *root, struct error *err)
{
	char quoted[300];
	int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0) {
		int errnum = errno;

		(void)error_quote(quoted, sizeof quoted, root, strlen(root));
		if (errnum == ENOTDIR)
			return error_set(err, ERR_USAGE, "%s is not a folder", quoted);
		errno = errnum;
		return error_errno(err, "open folder %s", quoted);
	}
	w->root = folder_new(w->pool, fd);
	if (w->root == NULL)
		return error_nomem(err);
	if (statx(fd, "", AT_EMPTY_PATH, STAT_MASK, &w->root_stx) < 0) {
		int errnum = errno;

		(void)error_quote(quoted, sizeof quoted, root, strlen(root));
		errno = errnum;
		return error_errno(err, "examine folder %s", quoted);
	}
	return 0;
}

int
walker_new_limited(const char *root, const struct walker_options *o, size_t names_limit, walker_notice_fn *notice,
    void *arg, struct walker **out, struct error *err)
{
	struct walker *w = calloc(1, sizeof *w);
	unsigned max = MAX(o->max_folders == 0 ? FOLDERS_USUAL : o->max_folders, FOLDERS_MIN);
	int r;

	if (w == NULL)
		return error_nomem(err);
	w->options = *o;
	w->notice = notice;
	w->notice_arg = arg;
	w->keep = max / 2;
	w->path_cap = 4096;
	w->path = malloc(w->path_cap);
	w->pool = folder_pool_new(max);
	r = w->path == NULL || w->pool == NULL ? error_nomem(err) : names_new(names_limit, &w->names, err);
	if (r == 0)
		r = open_root(w, root, err);
	if (r < 0) {
		walker_free(w);
		return r;
	}
	*out = w;
	return 0;
}

int
walker_new(const char *root, const struct walker_options *o, walker_notice_fn *notice, void *arg, struct walker **out,
    struct error *err)
{
	return walker_new_limited(root, o, NAMES_LIMIT, notice, arg, out, err);
}

void
walker_free(struct walker *w)
{
	if (w == NULL)
		return;
	for (size_t i = 0; i < w->depth; i++)
		folder_unref(w->levels[i].folder);
	folder_unref(w->found.folder);
	folder_unref(w->root);
	folder_pool_free(w->pool);
	names_free(w->names);
	free(w->levels);
	free(w->path);
	free(w);
}

void
walker_on_wait(struct walker *w, void (*fn)(void *arg), void *arg)
{
	w->on_wait = fn;
	w->on_wait_arg = arg;
}

void
walker_cancel(struct walker *w)
{
	folder_pool_cancel(w->pool);
}

void
walker_tell(struct walker *w, enum walker_notice notice, size_t path_len, int errnum)
{
	w->path[path_len] = '\0';
	if (w->notice != NULL)
		w->notice(w->notice_arg, notice, w->path, path_len, errnum);
}

/* --- what was found --- */

/* The path of a name in the folder on top: 1, or 0 when it cannot be an entry. */
static int
set_path(struct walker *w, const struct name *name, struct walker_node *out, struct error *err)
{
	size_t above = w->levels[w->depth - 1].path_len, start = above + (above > 0), len = start + name->len;

	if (len >= w->path_cap) {
		char *grown = realloc(w->path, 2 * len);

		if (grown == NULL)
			return error_nomem(err);
		w->path = grown;
		w->path_cap = 2 * len;
	}
	if (above > 0)
		w->path[above] = '/';
	memcpy(w->path + start, name->bytes, name->len);
	w->path[len] = '\0';
	out->path = w->path;
	out->path_len = len;
	out->name = w->path + start;
	if (name->len > COMPONENT_MAX) {
		walker_tell(w, WALKER_NO_STAT, len, ENAMETOOLONG);
		return 0;
	}
	if (len > ENTRY_PATH_MAX) {
		walker_tell(w, WALKER_TOO_DEEP, len, ENAMETOOLONG);
		return 0;
	}
	return 1;
}

static bool
left_out(struct walker *w, const struct walker_node *n, bool is_folder)
{
	if (w->options.nexcludes > 0 && walker_excluded(&w->options, n->path, n->name, is_folder))
		return true;
	if (w->depth > 1 || !is_folder || w->options.keep_lost_found || strcmp(n->name, "lost+found") != 0)
		return false;
	walker_tell(w, WALKER_LEFT_OUT_LOST_FOUND, n->path_len, 0);
	return true;
}

/* Something is mounted here.  What is no folder may have a device number of its own on a layered file system, so there
 * only the mount counts. */
static bool
is_mount_point(const struct walker *w, const struct statx *st)
{
	const struct statx *root = &w->root_stx;

	if ((st->stx_mask & root->stx_mask & STATX_MNT_ID) != 0 && st->stx_mnt_id != root->stx_mnt_id)
		return true;
	return S_ISDIR(st->stx_mode) &&
	       (st->stx_dev_major != root->stx_dev_major || st->stx_dev_minor != root->stx_dev_minor);
}

static void
mark_mount_point(struct walker *w, struct walker_node *n)
{
	n->mount_point = !w->options.cross_file_systems && is_mount_point(w, &n->stx);
	if (n->mount_point)
		walker_tell(w, WALKER_LEFT_OUT_MOUNT, n->path_len, 0);
}

/* Open the folder that was found: 1, or 0 when it is no more. */
static int
open_found(struct walker *w, struct walker_node *n, struct error *err)
{
	struct statx st;
	int fd, r;

	if ((r = walker_make_room(w, err)) < 0)
		return r;
	fd = walker_open_folder(w, folder_fd(n->parent), n->name);
	if (fd < 0) {
		/* Gone, or another thing by now, which is as good as gone. */
		if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)
			return 0;
		walker_tell(w, WALKER_UNREADABLE, n->path_len, errno);
		return 1;
	}
	/* What is described must be what is open, though the name may have changed hands in between. */
	if (statx(fd, "", AT_EMPTY_PATH, STAT_MASK, &st) == 0)
		n->stx = st;
	mark_mount_point(w, n);
	if (n->mount_point) {
		(void)close(fd);
		return 1;
	}
	w->found = (struct walker_level){folder_new(w->pool, fd), n->path_len, walker_identity(&n->stx)};
	n->self = w->found.folder;
	return n->self == NULL ? error_nomem(err) : 1;
}

/* 1: out is complete; 0: there is nothing to tell about this name. */
static int
examine(struct walker *w, const struct name *name, struct walker_node *out, struct error *err)
{
	int r;

	out->parent = w->levels[w->depth - 1].folder;
	out->self = NULL;
	if ((r = set_path(w, name, out, err)) <= 0)
		return r;
	/* What is left out is not even looked at, where the listing says enough. */
	if (name->type != DT_UNKNOWN && left_out(w, out, name->type == DT_DIR))
		return 0;
	if (statx(folder_fd(out->parent), out->name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STAT_MASK, &out->stx) < 0) {
		if (errno != ENOENT)
			walker_tell(w, WALKER_NO_STAT, out->path_len, errno);
		return 0;
	}
	if (name->type == DT_UNKNOWN && left_out(w, out, S_ISDIR(out->stx.stx_mode)))
		return 0;
	mark_mount_point(w, out);
	return S_ISDIR(out->stx.stx_mode) && !out->mount_point ? open_found(w, out, err) : 1;
}

static int
hand_out_root(struct walker *w, struct walker_node *out)
{
	w->started = true;
	w->path[0] = '\0';
	w->found = (struct walker_level){folder_ref(w->root), 0, walker_identity(&w->root_stx)};
	*out = (struct walker_node){.path = w->path, .name = w->path, .self = w->found.folder, .stx = w->root_stx};
	return 1;
}

int
walker_next(struct walker *w, struct walker_node *out, struct error *err)
{
	int r;

	if (!w->started)
		return hand_out_root(w, out);
	if (w->found.folder != NULL && (r = walker_enter(w, err)) < 0)
		return r;
	while (w->depth > 0) {
		struct name name;

		if ((r = names_next(w->names, &name, err)) < 0)
			return r;
		if (r == 0)
			r = walker_leave(w, err);
		else
			r = examine(w, &name, out, err);
		if (r != 0)
			return r;
	}
	return 0;
}
