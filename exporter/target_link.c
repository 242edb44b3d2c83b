/*
 * Hard links: the first file of a group gets a second name in the marker, by inode number and type, and the others are
 * linked from there.
 *
 * When the first file turns out to be damaged its group is lost: the name in the marker becomes "<group>.lost", in one
 * step, so that the planner sees either of them.  What was linked before is removed in the second pass, when no thread
 * links any more.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "cleanup.h"
#include "error.h"
#include "target_internal.h"

#define ATTEMPTS 16

typedef char group_name[32];

static void
set_group_name(group_name out, const struct entry *e)
{
	(void)snprintf(out, sizeof(group_name), "%" PRIx64 ".%u", e->ino, (unsigned)e->type);
}

static void
set_lost_name(group_name out, const struct entry *e)
{
	(void)snprintf(out, sizeof(group_name), "%" PRIx64 ".%u.lost", e->ino, (unsigned)e->type);
}

static int
link_at(const struct target *t, int from, const char *from_name, int to, const char *to_name)
{
	struct stat st;

	if (t->link_limit > 0 && fstatat(from, from_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_nlink >= t->link_limit) {
		errno = EMLINK;
		return -1;
	}
	return linkat(from, from_name, to, to_name, 0);
}

int
target_link_register(
    struct target *t, struct target_folder *f, const char *name, const struct entry *e, struct error *err)
{
	group_name group;

	set_group_name(group, e);
	if (link_at(t, f->fd, name, t->links, group) == 0)
		return 0;
	if (errno == EPERM || errno == EOPNOTSUPP || errno == EMLINK || errno == ENOSYS) {
		target_warning(t, e, "hard links are not possible here: restored as files of their own");
		return 0;
	}
	return target_errno(e, "link the first name of", err);
}

/* What is left of the file takes no space while the marker waits for another import. */
static bool
empty_file(int folder, const char *name, int flags)
{
	CLEANUP_CLOSE int fd = openat(folder, name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | flags, 0600);

	return fd >= 0 && ftruncate(fd, 0) == 0;
}

void
target_link_lose(struct target *t, const struct entry *e)
{
	group_name group, lost;

	set_group_name(group, e);
	set_lost_name(lost, e);
	if (renameat(t->links, group, t->links, lost) == 0) {
		(void)empty_file(t->links, lost, 0);
		return;
	}
	/* No name to rename: links are not possible here, or it was the one too many. */
	if (errno != ENOENT || !empty_file(t->links, lost, O_CREAT))
		atomic_store(&t->loss_unmarked, true);
}

static bool
is_lost(const struct target *t, const struct entry *e)
{
	group_name lost;

	set_lost_name(lost, e);
	return faccessat(t->links, lost, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool
same_inode(int a, const char *a_name, int b, const char *b_name)
{
	struct stat x, y;

	return fstatat(a, a_name, &x, AT_SYMLINK_NOFOLLOW) == 0 && fstatat(b, b_name, &y, AT_SYMLINK_NOFOLLOW) == 0 &&
	       x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* Link from one of the marker's folders: 1, or 0 when the group has no name there. */
static int
link_from(
    struct target *t, int links, struct target_folder *f, const char *name, const struct entry *e, struct error *err)
{
	group_name group;

	set_group_name(group, e);
	for (int i = 0; i < ATTEMPTS; i++) {
		int r;

		if (link_at(t, links, group, f->fd, name) == 0)
			break;
		if (errno == ENOENT)
			return 0;
		/* The name in the marker is the one too many: it becomes the one that was asked for. */
		if (errno == EMLINK) {
			if (renameat(links, group, f->fd, name) == 0)
				break;
			return target_errno(e, "link", err);
		}
		if (errno != EEXIST)
			return target_errno(e, "link", err);
		if (same_inode(links, group, f->fd, name)) {
			atomic_fetch_add(&t->n_skipped, 1);
			return 1;
		}
		r = target_clear(t, f, name, e, err);
		if (r < 0)
			return r;
		if (i == ATTEMPTS - 1) {
			errno = EEXIST;
			return target_errno(e, "link", err);
		}
	}
	atomic_fetch_add(&t->n_links, 1);
	return 1;
}

/* From an interrupted import, when the file is whole. */
static int
link_from_old(struct target *t, struct target_folder *f, const char *name, const struct entry *e, struct error *err)
{
	group_name group;
	struct stat st;

	if (!t->resuming || !t->trusting)
		return 0;
	set_group_name(group, e);
	if (fstatat(t->old_links, group, &st, AT_SYMLINK_NOFOLLOW) < 0 || !target_is_whole(&st, e))
		return 0;
	return link_from(t, t->old_links, f, name, e, err);
}

int
target_link(struct target *t, struct target_folder *f, const struct entry *e, struct error *err)
{
	char name[TARGET_NAME_MAX];
	int r;

	if (e->nlink < 2)
		return 0;
	r = target_check_path(t, e, 0, err);
	if (r < 0)
		return r;
	target_name(name, e->path, e->path_len);
	r = link_from(t, t->links, f, name, e, err);
	if (r == 0 && is_lost(t, e)) {
		/* What an earlier import has left under this name is not the file either. */
		if (t->resuming || t->options.overwrite)
			r = target_clear(t, f, name, e, err);
		return r < 0 ? r : TARGET_LINK_LOST;
	}
	return r != 0 ? r : link_from_old(t, f, name, e, err);
}

int
target_link_remove_lost(struct target *t, const struct entry *e, struct error *err)
{
	struct target_folder *folder;
	char name[TARGET_NAME_MAX];
	int r;

	if (e->type != ENTRY_FILE || e->nlink < 2)
		return 0;
	if (atomic_load(&t->loss_unmarked))
		return error_set(err, ERR_SYSTEM,
		    "names of a damaged file could not be marked in the target: empty it, and import again");
	if (!is_lost(t, e))
		return 0;
	r = target_parent(t, e->path, e->path_len, NULL, NULL, &folder, err);
	if (r < 0)
		return r;
	target_name(name, e->path, e->path_len);
	r = unlinkat(folder->fd, name, 0) == 0 ? 1 : errno == ENOENT ? 0 : target_errno(e, "remove the damaged", err);
	target_folder_unref(folder);
	if (r > 0 && atomic_load(&t->n_links) > 0)
		atomic_fetch_sub(&t->n_links, 1);
	return r;
}
