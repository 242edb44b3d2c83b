/*
 * Differences between a snapshot and what is on disk.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attrs.h"
#include "buf.h"
#include "cleanup.h"
#include "device.h"
#include "diff.h"
#include "error.h"
#include "source.h"
#include "walker.h"

struct folder_diff {
	const struct diff *d;
	struct diff_disk *disk;
	struct buf xattrs;
	char link[ENTRY_LINK_MAX + 1];
};

static int
read_link(struct folder_diff *f, const struct walker_node *n, struct entry *live, struct error *err)
{
	ssize_t len = readlinkat(folder_fd(n->parent), n->name, f->link, sizeof f->link);

	if (len < 0)
		return error_errno(err, "read the link");
	live->link = f->link;
	live->link_len = (size_t)len;
	return 0;
}

static int
read_attributes(struct folder_diff *f, const struct walker_node *n, int fd, struct entry *live, struct error *err)
{
	int r;

	buf_reset(&f->xattrs);
	if (fd >= 0 || n->self != NULL)
		r = attrs_read_fd(fd >= 0 ? fd : folder_fd(n->self), &f->xattrs, err);
	else if (n->parent != NULL)
		r = attrs_read_at(folder_fd(n->parent), n->name, &f->xattrs, err);
	else
		return 0;
	live->xattrs = f->xattrs.data;
	live->xattrs_len = f->xattrs.len;
	return r;
}

static int
enough(void *arg, uint64_t offset, uint64_t len, struct error *err)
{
	(void)arg;
	(void)offset;
	(void)len;
	(void)err;
	return 1;
}

/* What differs, in *what; failures are those of the disk, or of the repository. */
static int
compare_node(
    struct folder_diff *f, const struct entry *e, const struct walker_node *n, unsigned *what, struct error *err)
{
	CLEANUP_CLOSE int fd = -1;
	struct entry live;
	int r = 0;

	walker_entry(n, 0, &live);
	if (e->type != live.type) {
		*what = DIFF_TYPE;
		return 0;
	}
	if (e->type == ENTRY_FILE && (fd = source_open_at(n->parent, n->name)) < 0)
		return error_errno(err, "open");
	if (e->type == ENTRY_SYMLINK)
		r = read_link(f, n, &live, err);
	if (r == 0)
		r = read_attributes(f, n, fd, &live, err);
	if (r < 0)
		return r;
	*what = diff_metadata(e, &live);
	if (e->type != ENTRY_FILE || f->d->quick || (*what & DIFF_CONTENT) || (e->flags & ENTRY_UNREADABLE))
		return 0;
	r = diff_disk_compare(f->disk, e, fd, NULL, enough, NULL, err);
	if (r > 0)
		*what |= DIFF_CONTENT;
	return r < 0 ? r : 0;
}

static int
compare_both(struct folder_diff *f, const struct entry *e, const struct walker_node *n, struct error *err)
{
	char quoted[300];
	unsigned what = 0;
	int r = compare_node(f, e, n, &what, err);

	if (r == ERR_NOT_FOUND)
		return diff_tell(f->d, '-', e, 0, err);
	if (r == ERR_DENIED || r == ERR_SYSTEM) {
		report_warn(f->d->report, e->path, e->path_len, "could not be compared: %s", err->msg);
		return 0;
	}
	if (r < 0)
		return error_prefix(err, "%s", error_quote(quoted, sizeof quoted, e->path, e->path_len));
	if (e->flags & ENTRY_UNREADABLE)
		report_note(
		    f->d->report, e->path, e->path_len, "not compared: it could not be read when it was exported");
	return what == 0 ? 0 : diff_tell(f->d, 'M', e, what, err);
}

static int
merge(struct folder_diff *f, struct catalog_reader *reader, struct walker *walker, struct error *err)
{
	struct walker_node n;
	struct entry e, live;
	int he = catalog_reader_next(reader, &e, err), hn = he < 0 ? 0 : walker_next(walker, &n, err), r;

	while (he >= 0 && hn >= 0 && (he > 0 || hn > 0)) {
		int order = he == 0 ? 1 : hn == 0 ? -1 : entry_path_compare(e.path, e.path_len, n.path, n.path_len);

		(void)atomic_fetch_add_explicit(&f->d->progress->entries, 1, memory_order_relaxed);
		if (order > 0)
			walker_entry(&n, 0, &live);
		r = order < 0   ? diff_tell(f->d, '-', &e, 0, err)
		    : order > 0 ? diff_tell(f->d, '+', &live, 0, err)
				: compare_both(f, &e, &n, err);
		if (r < 0)
			return r;
		if (order <= 0)
			he = catalog_reader_next(reader, &e, err);
		if (order >= 0 && he >= 0)
			hn = walker_next(walker, &n, err);
	}
	return he < 0 ? he : hn;
}

static void
notice(void *arg, enum walker_notice what, const char *path, size_t path_len, int errnum)
{
	const struct diff *d = arg;

	switch (what) {
	case WALKER_UNREADABLE:
		report_warn(d->report, path, path_len, "the folder cannot be read: %s", strerror(errnum));
		break;
	case WALKER_NO_STAT:
		report_warn(d->report, path, path_len, "cannot be examined: %s", strerror(errnum));
		break;
	case WALKER_TOO_DEEP:
		report_warn(d->report, path, path_len, "left out: its path is too long");
		break;
	case WALKER_LEFT_OUT_MOUNT:
		report_note(d->report, path, path_len, "left out: another file system is mounted there");
		break;
	case WALKER_LEFT_OUT_LOST_FOUND:
		break;
	}
}

int
diff_folder(const struct diff *d, const struct snapshot *s, const char *folder, struct error *err)
{
	const struct walker_options options = {
	    .excludes = (const char *const *)s->manifest.excludes, .nexcludes = s->manifest.nexcludes};
	CLEANUP_FREE struct folder_diff *f = calloc(1, sizeof *f);
	struct catalog_reader *reader = NULL;
	struct walker *walker = NULL;
	int r;

	if (f == NULL)
		return error_nomem(err);
	f->d = d;
	buf_init(&f->xattrs, ENTRY_XATTRS_MAX);
	if ((r = walker_new(folder, &options, notice, (void *)d, &walker, err)) == 0 &&
	    (r = catalog_reader_new(s, 2, &reader, err)) == 0 &&
	    (r = diff_disk_new(s, d->progress, &f->disk, err)) == 0)
		r = merge(f, reader, walker, err);
	diff_disk_free(f->disk);
	catalog_reader_free(reader);
	walker_free(walker);
	buf_free(&f->xattrs);
	return r;
}

/* ---- devices ---- */

static int
tell_range(void *arg, uint64_t offset, uint64_t len, struct error *err)
{
	const struct diff *d = arg;
	struct diff_change change = {.kind = 'M', .what = DIFF_CONTENT, .path = "", .offset = offset, .length = len};

	return d->fn(d->arg, &change, err);
}

static int
compare_device(
    const struct diff *d, const struct snapshot *s, const struct entry *e, struct device *device, struct error *err)
{
	struct diff_disk *disk = NULL;
	uint64_t size = device_size(device);
	int r = diff_disk_new(s, d->progress, &disk, err);

	if (r == 0 && size != e->size)
		r = diff_tell(d, 'M', e, DIFF_SIZE, err);
	if (r == 0)
		r = diff_disk_compare(disk, e, -1, device, tell_range, (void *)d, err);
	if (r == 0 && size > e->size)
		r = tell_range((void *)d, e->size, size - e->size, err);
	diff_disk_free(disk);
	return r;
}

int
diff_device(const struct diff *d, const struct snapshot *s, const char *path, struct error *err)
{
	struct catalog_reader *reader = NULL;
	struct device *device = NULL;
	struct entry e;
	int r;

	if ((r = device_open_source(path, &device, err)) == 0 && (r = catalog_reader_new(s, 0, &reader, err)) == 0 &&
	    (r = catalog_reader_next(reader, &e, err)) >= 0)
		r = r == 0 || e.type != ENTRY_VOLUME
			? error_set(err, ERR_CORRUPT, "the catalog of a device holds something else")
			: compare_device(d, s, &e, device, err);
	catalog_reader_free(reader);
	device_free(device);
	return r;
}
