/*
 * The second pass of an import: folders get their attributes and times when nothing below them will change any more.
 * Before that goes what was linked to a file that turned out to be damaged.
 *
 * A folder that was made only as the way to something selected gets its attributes too.
 */
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "cleanup.h"
#include "error.h"
#include "import_internal.h"

/* What open levels may take: enough for the deepest path that there can be, but not with large attributes at every
 * level of it. */
#define LEVELS_BYTES (128u * 1024 * 1024)

/* A folder that is open at the moment.  Its path is the beginning of the finisher's. */
struct level {
	struct level *up;
	struct entry entry;
	bool used;
	uint8_t xattrs[];
};

struct finisher {
	struct import *x;
	struct level *top;
	size_t bytes; /* of all levels */
	struct buf path; /* of the top level */
	struct selector selector;
};

static int
finisher_push(struct finisher *f, const struct entry *e, struct error *err)
{
	size_t size = sizeof(struct level) + e->xattrs_len;
	struct level *l;

	buf_reset(&f->path);
	buf_put(&f->path, e->path, e->path_len);
	if (buf_check(&f->path, "a path", err) < 0)
		return err->code;
	if (size > LEVELS_BYTES - f->bytes)
		return error_set(err, ERR_CORRUPT, "folders are nested too deeply for their attributes");
	l = malloc(size);
	if (l == NULL)
		return error_nomem(err);
	*l = (struct level){.up = f->top, .entry = *e};
	if (e->xattrs_len > 0)
		memcpy(l->xattrs, e->xattrs, e->xattrs_len);
	l->entry.xattrs = e->xattrs_len > 0 ? l->xattrs : NULL;
	f->top = l;
	f->bytes += size;
	return 0;
}

static int
finisher_pop(struct finisher *f, bool apply, struct error *err)
{
	struct level *l = f->top;
	int r = 0;

	if (apply && l->used) {
		l->entry.path = l->entry.path_len == 0 ? "" : (const char *)f->path.data;
		r = target_finish_folder(f->x->target, &l->entry, err);
		/* With files missing the marker stays: the import can be run again, when the repository is mended. */
		if (l->up != NULL)
			l->up->used = true;
		else if (r == 0 && atomic_load(&f->x->damaged) == 0 && (r = target_finish(f->x->target, err)) == 0)
			r = target_finish_folder(f->x->target, &l->entry, err);
	}
	f->top = l->up;
	f->bytes -= sizeof *l + l->entry.xattrs_len;
	free(l);
	return r;
}

/* Leave the folders that path is not below. */
static int
finisher_leave(struct finisher *f, const char *path, size_t len, struct error *err)
{
	int r = 0;

	while (r == 0 && f->top != NULL && f->top->entry.path_len > 0) {
		if (entry_path_is_below((const char *)f->path.data, f->top->entry.path_len, path, len))
			break;
		r = finisher_pop(f, true, err);
	}
	return r;
}

static int
finisher_remove_lost(struct finisher *f, const struct entry *e, struct error *err)
{
	int r;

	if (atomic_load(&f->x->damaged) == 0 || (e->flags & (ENTRY_UNREADABLE | ENTRY_MOUNT_POINT)))
		return 0;
	r = target_link_remove_lost(f->x->target, e, err);
	if (r > 0)
		import_lost_link(f->x, e);
	return MIN(r, 0);
}

static int
finisher_run(struct finisher *f, struct catalog_reader *reader, struct error *err)
{
	struct entry e;
	int r;

	while ((r = catalog_reader_next(reader, &e, err)) > 0) {
		int selected = selector_match(&f->selector, e.path, e.path_len, e.type == ENTRY_FOLDER, err);

		if (selected < 0)
			return selected;
		if (e.path_len > 0 && (r = finisher_leave(f, e.path, e.path_len, err)) < 0)
			return r;
		if (e.type == ENTRY_FOLDER && (r = finisher_push(f, &e, err)) < 0)
			return r;
		if (selected && f->top != NULL)
			f->top->used = true;
		if (selected && (r = finisher_remove_lost(f, &e, err)) < 0)
			return r;
		if (job_failed(f->x->job))
			return error_set(err, ERR_CANCELLED, "cancelled");
	}
	while (r == 0 && f->top != NULL)
		r = finisher_pop(f, true, err);
	return r;
}

int
finish_folders(struct import *x, struct error *err)
{
	struct finisher f = {.x = x, .path = BUF_INIT(ENTRY_PATH_MAX)};
	struct catalog_reader *reader;
	struct error ignored;
	int r;

	selector_init(&f.selector, &x->options->selection);
	if ((r = catalog_reader_new(x->snapshot, 2, &reader, err)) < 0)
		return r;
	r = finisher_run(&f, reader, err);
	while (f.top != NULL)
		(void)finisher_pop(&f, false, &ignored);
	catalog_reader_free(reader);
	selector_wipe(&f.selector);
	buf_free(&f.path);
	return r;
}
