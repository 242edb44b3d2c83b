/*
 * Symlinks, FIFOs, sockets and device nodes.
 */

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "attrs.h"
#include "error.h"
#include "target_internal.h"

#define ATTEMPTS 16

static int
make_symlink(struct target_folder *f, const char *name, const struct entry *e)
{
	char target[PATH_MAX];

	if (e->link_len >= sizeof target) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(target, e->link, e->link_len);
	target[e->link_len] = 0;
	return symlinkat(target, f->fd, name);
}

static int
make(struct target_folder *f, const char *name, const struct entry *e)
{
	switch (e->type) {
	case ENTRY_SYMLINK:
		return make_symlink(f, name, e);
	case ENTRY_FIFO:
		return mknodat(f->fd, name, S_IFIFO | 0600, 0);
	case ENTRY_SOCKET:
		return mknodat(f->fd, name, S_IFSOCK | 0600, 0);
	case ENTRY_CHAR_DEVICE:
		return mknodat(f->fd, name, S_IFCHR | 0600, makedev(e->dev_major, e->dev_minor));
	default:
		return mknodat(f->fd, name, S_IFBLK | 0600, makedev(e->dev_major, e->dev_minor));
	}
}

static bool
is_device(const struct entry *e)
{
	return e->type == ENTRY_CHAR_DEVICE || e->type == ENTRY_BLOCK_DEVICE;
}

/* Why a thing that cannot be made here is left out with a warning; NULL when the import must end. */
static const char *
excuse(const struct entry *e, int errnum)
{
	if (is_device(e) &&
	    (errnum == EPERM || errnum == EACCES || errnum == EINVAL || errnum == EOPNOTSUPP || errnum == ENOSYS))
		return "device node may not be created: left out";
	if (e->type == ENTRY_SYMLINK && errnum == ENAMETOOLONG)
		return "symlink too long for this file system: left out";
	if (errnum == EPERM || errnum == EOPNOTSUPP || errnum == ENOSYS)
		return "not possible on this file system: left out";
	return NULL;
}

/* 1 when it was made, 0 when it was left out. */
static int
make_in_place(struct target *t, struct target_folder *f, const char *name, const struct entry *e, struct error *err)
{
	for (int i = 0; i < ATTEMPTS; i++) {
		const char *why;
		int r;

		if (make(f, name, e) == 0)
			return 1;
		why = excuse(e, errno);
		if (why != NULL) {
			target_warning(t, e, why);
			return 0;
		}
		if (errno != EEXIST)
			break;
		r = target_clear(t, f, name, e, err);
		if (r < 0)
			return r;
		errno = EEXIST;
	}
	return target_errno(e, "create", err);
}

static int
check(const struct target *t, const struct entry *e, struct error *err)
{
	int r = target_check_path(t, e, 0, err);

	if (r < 0)
		return r;
	if (e->path_len == 0 || e->type < ENTRY_SYMLINK || e->type > ENTRY_SOCKET)
		return error_set(err, ERR_CORRUPT, "an entry of the catalog has an impossible type");
	if (e->type == ENTRY_SYMLINK && (e->link_len == 0 || memchr(e->link, 0, e->link_len) != NULL))
		return error_set(err, ERR_CORRUPT, "a symlink of the catalog has an impossible target");
	return 0;
}

int
target_special(struct target *t, struct target_folder *f, const struct entry *e, struct error *err)
{
	char name[TARGET_NAME_MAX];
	struct error reason;
	int r;

	r = check(t, e, err);
	if (r < 0)
		return r;
	r = target_link(t, f, e, err);
	if (r != 0)
		return r < 0 ? r : 0;
	target_name(name, e->path, e->path_len);
	r = make_in_place(t, f, name, e, err);
	if (r <= 0)
		return r;
	target_warn_attrs(t, e, attrs_apply(-1, f->fd, name, e, !f->inherits, &reason));
	/* Registered when it is complete, so that an interrupted import leaves no half-made one to link from. */
	if (e->nlink > 1) {
		r = target_link_register(t, f, name, e, err);
		if (r < 0)
			return r;
	}
	atomic_fetch_add(e->type == ENTRY_SYMLINK ? &t->n_symlinks : &t->n_specials, 1);
	return 0;
}
