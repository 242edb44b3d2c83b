/*
 * A regular file under construction, whose parts several workers write in any order.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "cleanup.h"
#include "error.h"
#include "target_internal.h"

#define ZEROS_LEN (64u * 1024)

static int
copy_entry(
    struct target *t, struct target_folder *folder, const struct entry *e, struct target_file **out, struct error *err)
{
	struct target_file *f = malloc(sizeof *f + e->path_len + 1 + e->xattrs_len);
	const char *slash;

	if (f == NULL)
		return error_nomem(err);
	memset(f, 0, sizeof *f);
	f->target = t;
	f->folder = target_folder_ref(folder);
	f->fd = -1;
	f->e = *e;
	memcpy(f->bytes, e->path, e->path_len);
	f->bytes[e->path_len] = 0;
	f->e.path = f->bytes;
	f->e.xattrs = NULL;
	if (e->xattrs_len > 0)
		f->e.xattrs = memcpy(f->bytes + e->path_len + 1, e->xattrs, e->xattrs_len);
	f->e.extents = NULL;
	f->e.segments = NULL;
	f->e.nextents = f->e.nsegments = 0;
	slash = strrchr(f->bytes, '/');
	f->name = slash == NULL ? f->bytes : slash + 1;
	*out = f;
	return 0;
}

static void
file_free(struct target_file *f)
{
	target_folder_unref(f->folder);
	free(f);
}

/* Nothing that is not whole keeps the name, nor another name by which a later import could find it.  The group is lost
 * first, so that the planner does not take a file that has just gone for one that there never was. */
static void
discard(struct target_file *f)
{
	struct error ignored;

	(void)target_open_close(f, &ignored);
	if (f->created) {
		if (f->e.nlink > 1)
			target_link_lose(f->target, &f->e);
		(void)unlinkat(f->folder->fd, f->name, 0);
	}
	file_free(f);
}

/* The first of a group exists before its content, so that the others can be linked while it is written. */
static int
begin_group(struct target_file *f, struct error *err)
{
	int fd, r;

	r = target_open_acquire(f, &fd, err);
	if (r < 0)
		return r;
	r = target_link_register(f->target, f->folder, f->name, &f->e, err);
	target_open_release(f, 0);
	return r;
}

int
target_file_new(struct target *t, struct target_folder *folder, const struct entry *e, unsigned parts,
    struct target_file **out, struct error *err)
{
	struct target_file *f = NULL;
	int r;

	*out = NULL;
	r = target_check_path(t, e, 0, err);
	if (r < 0)
		return r;
	if (e->type != ENTRY_FILE || e->path_len == 0 || parts == 0)
		return error_set(err, ERR_USAGE, "not a file with content");
	/* A member of a hard-link group that is whole was found by target_link(). */
	r = e->nlink > 1 ? 0 : target_file_there(t, folder, e, err);
	if (r != 0)
		return MIN(r, 0);
	r = copy_entry(t, folder, e, &f, err);
	if (r < 0)
		return r;
	atomic_init(&f->parts, parts);
	atomic_init(&f->abandoned, false);
	f->birth_mode = target_birth_mode(folder, e);
	/* One that is closed and opened again must let us in. */
	if ((f->birth_mode & 0200) == 0)
		f->birth_mode = 0600;
	if (e->nlink > 1) {
		r = begin_group(f, err);
		if (r < 0) {
			discard(f);
			return r;
		}
	}
	*out = f;
	return 1;
}

static int
check_range(const struct target_file *f, uint64_t offset, uint64_t len, struct error *err)
{
	char shown[256];

	if (offset <= f->e.size && len <= f->e.size - offset)
		return 0;
	return error_set(err, ERR_CORRUPT, "content behind the end of \"%s\"",
	    error_quote(shown, sizeof shown, f->e.path, f->e.path_len));
}

int
target_file_write(struct target_file *f, uint64_t offset, const void *bytes, size_t len, struct error *err)
{
	int fd, r;

	r = check_range(f, offset, len, err);
	if (r < 0)
		return r;
	r = target_open_acquire(f, &fd, err);
	if (r < 0)
		return r;
	r = target_write_all(fd, &f->e, offset, bytes, len, err);
	target_open_release(f, r == 0 ? offset + len : 0);
	if (r == 0)
		atomic_fetch_add_explicit(&f->target->n_bytes, len, memory_order_relaxed);
	return r;
}

static int
write_zeros(int fd, const struct entry *e, uint64_t offset, uint64_t len, struct error *err)
{
	static uint8_t zeros[ZEROS_LEN];

	while (len > 0) {
		size_t n = (size_t)MIN(len, (uint64_t)sizeof zeros);
		int r = target_write_all(fd, e, offset, zeros, n, err);

		if (r < 0)
			return r;
		offset += n;
		len -= n;
	}
	return 0;
}

static int
allocate(int fd, const struct entry *e, uint64_t offset, uint64_t len, struct error *err)
{
	int r;

	do
		r = fallocate(fd, 0, (off_t)offset, (off_t)len);
	while (r < 0 && errno == EINTR);
	if (r == 0)
		return 0;
	if (errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL || errno == ENODEV)
		return write_zeros(fd, e, offset, len, err);
	return target_errno(e, "allocate space for", err);
}

int
target_file_zeros(struct target_file *f, uint64_t offset, uint64_t len, struct error *err)
{
	int fd, r;

	r = check_range(f, offset, len, err);
	if (r < 0 || len == 0)
		return r;
	r = target_open_acquire(f, &fd, err);
	if (r < 0)
		return r;
	r = allocate(fd, &f->e, offset, len, err);
	target_open_release(f, r == 0 ? offset + len : 0);
	return r;
}

static int
complete(struct target_file *f, struct error *err)
{
	int fd, r;

	r = target_open_acquire(f, &fd, err);
	if (r < 0)
		return r;
	/* All other parts are done: nobody changes f->end any more. */
	if (f->end != f->e.size && ftruncate(fd, (off_t)f->e.size) < 0)
		r = target_errno(&f->e, "set the size of", err);
	if (r == 0)
		target_settle(f->target, f->folder, f->name, &f->e, fd, f->birth_mode);
	target_open_release(f, 0);
	return r < 0 ? r : target_open_close(f, err);
}

int
target_file_done(struct target_file *f, struct error *err)
{
	int r;

	if (atomic_fetch_sub_explicit(&f->parts, 1, memory_order_acq_rel) != 1)
		return 0;
	if (atomic_load(&f->abandoned)) {
		discard(f);
		return 0;
	}
	r = complete(f, err);
	if (r < 0) {
		discard(f);
		return r;
	}
	atomic_fetch_add_explicit(&f->target->n_files, 1, memory_order_relaxed);
	file_free(f);
	return 0;
}

void
target_file_abandon(struct target_file *f)
{
	if (f == NULL)
		return;
	atomic_store(&f->abandoned, true);
	if (atomic_fetch_sub_explicit(&f->parts, 1, memory_order_acq_rel) == 1)
		discard(f);
}
