/*
 * Creating regular files: making way for them, giving them their attributes, and small ones in one go.
 *
 * Restoring millions of small files is bounded by the system calls per file.  The least is open, write, utimens and
 * close, when the file is created with its final mode and creation gives it the right owner; whether it does is seen at
 * the first file of a folder.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "attrs.h"
#include "cleanup.h"
#include "error.h"
#include "target_internal.h"

/* Another process that keeps putting something there does not keep us for ever. */
#define ATTEMPTS 16

static uint64_t
owner_of(uint32_t uid, uint32_t gid)
{
	return (uint64_t)uid << 32 | gid;
}

/* Owner, mode and time are all there is, without the bits whose order matters. */
static bool
is_plain(const struct target_folder *f, const struct entry *e)
{
	return !f->inherits && (e->mode & ~0777u) == 0 && e->xattrs_len == 0 && e->uid != UINT32_MAX &&
	       e->gid != UINT32_MAX;
}

mode_t
target_birth_mode(struct target_folder *f, const struct entry *e)
{
	if (!is_plain(f, e))
		return 0600;
	/* Where others can get in, nobody gets the rights of a group or owner that the file is about to leave. */
	if (!f->closed && atomic_load_explicit(&f->owner, memory_order_relaxed) != owner_of(e->uid, e->gid))
		return 0600;
	return e->mode;
}

/* What creation gives in this folder; false when this file system does not even give the mode that was asked for. */
static bool
learn_owner(struct target_folder *f, int fd, mode_t birth_mode, uint64_t *owner)
{
	struct stat st;

	*owner = atomic_load_explicit(&f->owner, memory_order_relaxed);
	if (*owner != TARGET_OWNER_UNKNOWN)
		return true;
	if (fstat(fd, &st) < 0 || (st.st_mode & 07777) != birth_mode)
		return false;
	*owner = owner_of(st.st_uid, st.st_gid);
	atomic_store_explicit(&f->owner, *owner, memory_order_relaxed);
	return true;
}

static bool
settle_plain(struct target_folder *f, const struct entry *e, int fd, mode_t birth_mode)
{
	const struct timespec times[2] = {
	    {.tv_sec = e->mtime_s, .tv_nsec = e->mtime_ns},
	    {.tv_sec = e->mtime_s, .tv_nsec = e->mtime_ns},
	};
	uint64_t owner;

	if (!is_plain(f, e) || !learn_owner(f, fd, birth_mode, &owner))
		return false;
	if (owner != owner_of(e->uid, e->gid) && fchown(fd, e->uid, e->gid) < 0)
		return false;
	if (birth_mode != e->mode && fchmod(fd, e->mode) < 0)
		return false;
	return futimens(fd, times) == 0;
}

void
target_settle(
    struct target *t, struct target_folder *f, const char *name, const struct entry *e, int fd, mode_t birth_mode)
{
	struct error reason;

	if (!settle_plain(f, e, fd, birth_mode))
		target_warn_attrs(t, e, attrs_apply(fd, f->fd, name, e, !f->inherits, &reason));
}

bool
target_is_whole(const struct stat *st, const struct entry *e)
{
	static const mode_t formats[] = {0, S_IFREG, S_IFDIR, S_IFLNK, S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK};

	return e->type < COUNT_OF(formats) && (st->st_mode & S_IFMT) == formats[e->type] &&
	       (e->type != ENTRY_FILE || (uint64_t)st->st_size == e->size) && st->st_mtim.tv_sec == e->mtime_s &&
	       st->st_mtim.tv_nsec == (long)e->mtime_ns;
}

int
target_clear(struct target *t, struct target_folder *f, const char *name, const struct entry *e, struct error *err)
{
	char shown[256];

	(void)error_quote(shown, sizeof shown, e->path, e->path_len);
	if (!t->options.overwrite && !t->resuming)
		return error_set(
		    err, ERR_EXISTS, "\"%s\" is there already: something else writes to the target", shown);
	if (unlinkat(f->fd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return target_errno(e, "remove the old", err);
	if (unlinkat(f->fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	if (errno == ENOTEMPTY || errno == EEXIST)
		return error_set(
		    err, ERR_EXISTS, "a folder that is not empty is in the place of \"%s\": remove it first", shown);
	return target_errno(e, "remove the old", err);
}

int
target_create(
    struct target *t, struct target_folder *f, const char *name, const struct entry *e, mode_t mode, struct error *err)
{
	for (int i = 0; i < ATTEMPTS; i++) {
		int fd = openat(f->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
		int r;

		if (fd >= 0)
			return fd;
		if (errno != EEXIST)
			return target_errno(e, "create", err);
		r = target_clear(t, f, name, e, err);
		if (r < 0)
			return r;
	}
	errno = EEXIST;
	return target_errno(e, "create", err);
}

int
target_write_all(int fd, const struct entry *e, uint64_t offset, const void *bytes, size_t len, struct error *err)
{
	const uint8_t *p = bytes;

	while (len > 0) {
		ssize_t n = pwrite(fd, p, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return target_errno(e, "write", err);
		p += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

int
target_file_there(struct target *t, struct target_folder *f, const struct entry *e, struct error *err)
{
	char name[TARGET_NAME_MAX];
	struct stat st;
	int r;

	if (!t->resuming || !t->trusting)
		return 0;
	r = target_check_path(t, e, 0, err);
	if (r < 0)
		return r;
	target_name(name, e->path, e->path_len);
	if (fstatat(f->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !target_is_whole(&st, e))
		return 0;
	atomic_fetch_add_explicit(&t->n_skipped, 1, memory_order_relaxed);
	return 1;
}

static int
close_file(int fd, const struct entry *e, struct error *err)
{
	if (close(fd) < 0 && errno != EINTR)
		return target_errno(e, "close", err);
	return 0;
}

int
target_small(
    struct target *t, struct target_folder *f, const struct entry *e, const void *bytes, size_t len, struct error *err)
{
	char name[TARGET_NAME_MAX];
	mode_t mode = target_birth_mode(f, e);
	int fd, r, closed;
	struct error ignored;

	r = target_check_path(t, e, 0, err);
	if (r < 0)
		return r;
	if (e->type != ENTRY_FILE || e->path_len == 0 || len != e->size)
		return error_set(err, ERR_CORRUPT, "content and size of a small file differ");
	r = target_file_there(t, f, e, err);
	if (r != 0)
		return MIN(r, 0);
	target_name(name, e->path, e->path_len);
	fd = target_create(t, f, name, e, mode, err);
	if (fd < 0)
		return fd;
	r = target_write_all(fd, e, 0, bytes, len, err);
	if (r == 0)
		target_settle(t, f, name, e, fd, mode);
	closed = close_file(fd, e, r == 0 ? err : &ignored);
	if (r == 0)
		r = closed;
	if (r < 0) {
		(void)unlinkat(f->fd, name, 0);
		return r;
	}
	atomic_fetch_add_explicit(&t->n_files, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&t->n_bytes, len, memory_order_relaxed);
	return 0;
}
