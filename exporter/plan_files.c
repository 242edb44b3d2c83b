/*
 * The planner of an import: one pass over the catalog, which makes folders and everything without content, and asks for
 * the rest.
 */
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "device.h"
#include "error.h"
#include "import_internal.h"

/* What an output takes beside its path and attributes, roughly. */
#define OUTPUT_LEN 512u

struct planner {
	struct import *x;
	struct loader *loader; /* for segments */
	struct window *window;
	struct selector selector;
	int failure; /* of a callback */
	struct error err;
};

static int
planner_send(struct planner *p, struct error *err)
{
	struct window *w = p->window;

	p->window = NULL;
	if (w == NULL || window_send(w, p->x->ranges, err))
		return 0;
	return err->code;
}

/* The target waits for folders that the window may hold. */
static void
planner_on_wait(void *arg)
{
	struct planner *p = arg;
	int r = planner_send(p, &p->err);

	if (r < 0) {
		p->failure = r;
		import_fail(p->x, &p->err);
	}
}

/* Have a window that is not full. */
static int
planner_open(struct planner *p, struct error *err)
{
	int r = 0;

	if (p->window != NULL && window_full(p->window))
		r = planner_send(p, err);
	if (r == 0 && p->window == NULL)
		r = window_take(p->x->windows, &p->window, err);
	return r;
}

static int
planner_want(struct planner *p, struct want **out, struct error *err)
{
	int r;

	if ((r = planner_open(p, err)) < 0)
		return r;
	*out = &p->window->wants[p->window->count++];
	memset(*out, 0, sizeof **out);
	return 0;
}

/* A file whose whole content is one piece of one frame: the common case, kept cheap. */
static int
plan_small(struct planner *p, struct target_folder *folder, const struct entry *e, struct error *err)
{
	struct entry *copy;
	struct want *w;
	int r;

	if ((r = planner_want(p, &w, err)) < 0)
		return r;
	copy = arena_alloc(&p->window->arena, sizeof *copy);
	if (copy == NULL || item_copy_entry(&p->window->arena, e, copy, err) < 0) {
		p->window->count--;
		return error_nomem(err);
	}
	w->frame = e->extents[0].frame;
	w->frame_offset = e->extents[0].frame_offset;
	w->len = (uint32_t)e->size;
	w->small = copy;
	w->folder = target_folder_ref(folder);
	return 0;
}

static int
output_new(const struct entry *e, struct output **out, struct error *err)
{
	struct output *o = calloc(1, sizeof *o);

	if (o == NULL)
		return error_nomem(err);
	o->path = malloc(e->path_len + 1);
	if (o->path == NULL) {
		free(o);
		return error_nomem(err);
	}
	memcpy(o->path, e->path, e->path_len);
	o->path_len = e->path_len;
	atomic_init(&o->pending, 1);
	*out = o;
	return 0;
}

static int
plan_extent(struct planner *p, struct output *o, const struct extent *x, uint64_t offset, struct error *err)
{
	struct want *w;
	int r;

	if (x->kind != EXTENT_DATA) {
		(void)atomic_fetch_add(&p->x->progress->bytes, x->len);
		if (o->device != NULL)
			return device_zero(o->device, offset, x->len, err);
		return x->kind == EXTENT_HOLE ? 0 : target_file_zeros(o->file, offset, x->len, err);
	}
	if ((r = planner_want(p, &w, err)) < 0)
		return r;
	w->frame = x->frame;
	w->frame_offset = x->frame_offset;
	w->len = (uint32_t)x->len;
	w->offset = offset;
	w->output = o;
	(void)atomic_fetch_add(&o->pending, 1);
	return 0;
}

static int
plan_extents(
    struct planner *p, struct output *o, const struct extent *x, size_t count, uint64_t offset, struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++) {
		r = plan_extent(p, o, &x[i], offset, err);
		offset += x[i].len;
	}
	return r;
}

/* A segment that is damaged loses the whole file. */
static int
plan_segments(struct planner *p, struct output *o, const struct entry *e, struct error *err)
{
	for (size_t i = 0; i < e->nsegments; i++) {
		struct extent *x = NULL;
		size_t count;
		int r;

		if (job_failed(p->x->job))
			return error_set(err, ERR_CANCELLED, "cancelled");
		r = snapshot_load_segment(p->loader, e, i, &x, &count, err);
		if (r == ERR_CORRUPT || r == ERR_NOT_FOUND) {
			if (!atomic_exchange(&o->damaged, true))
				import_damaged(p->x, e->path, e->path_len, err);
			if (o->device == NULL)
				return 0;
			continue;
		}
		if (r == 0)
			r = plan_extents(p, o, x, count, (uint64_t)i * SEGMENT_SIZE, err);
		free(x);
		if (r < 0)
			return r;
	}
	return 0;
}

static int
plan_output(struct planner *p, struct output *o, const struct entry *e, struct error *err)
{
	int r = e->nsegments > 0 ? plan_segments(p, o, e, err) : plan_extents(p, o, e->extents, e->nextents, 0, err);
	struct error ignored;

	/* The planner's own share comes last: nobody completes the output before it is planned. */
	if (r < 0) {
		(void)output_settle(o, true, &ignored);
		return r;
	}
	return output_settle(o, false, err);
}

static int
plan_large(struct planner *p, struct target_folder *folder, const struct entry *e, struct error *err)
{
	struct output *o;
	int r;

	if ((r = planner_open(p, err)) < 0 || (r = output_new(e, &o, err)) < 0)
		return r;
	/* Path and attributes are kept until the file is complete: few files on their way may be large. */
	p->window->held += OUTPUT_LEN + 2 * e->path_len + e->xattrs_len;
	r = target_file_new(p->x->target, folder, e, 1, &o->file, err);
	if (r <= 0) {
		free(o->path);
		free(o);
		if (r == 0)
			(void)atomic_fetch_add(&p->x->progress->bytes, e->size);
		return r;
	}
	return plan_output(p, o, e, err);
}

void
import_lost_link(struct import *x, const struct entry *e)
{
	struct error why;

	(void)error_set(&why, ERR_CORRUPT, "another name of the same file is damaged");
	import_damaged(x, e->path, e->path_len, &why);
}

static int
plan_file(struct planner *p, struct target_folder *folder, const struct entry *e, struct error *err)
{
	int r;

	if (e->flags & ENTRY_MOUNT_POINT)
		return 0;
	if (e->flags & ENTRY_UNREADABLE) {
		report_warn(
		    p->x->report, e->path, e->path_len, "not restored: it could not be read when it was exported");
		return 0;
	}
	if (e->nlink > 1) {
		r = target_link(p->x->target, folder, e, err);
		if (r == TARGET_LINK_LOST)
			import_lost_link(p->x, e);
		return r < 0 ? r : r > 0 ? 0 : plan_large(p, folder, e, err);
	}
	if (e->nextents == 1 && e->extents[0].kind == EXTENT_DATA) {
		r = target_resuming(p->x->target) ? target_file_there(p->x->target, folder, e, err) : 0;
		return r < 0 ? r : r == 1 ? 0 : plan_small(p, folder, e, err);
	}
	if (e->size == 0)
		return target_small(p->x->target, folder, e, "", 0, err);
	return plan_large(p, folder, e, err);
}

/* What is left out because it was asked for is counted, and told at the end: nothing is wrong. */
static bool
plan_leaves_out(const struct planner *p, const struct entry *e)
{
	return p->x->options->no_devices && (e->type == ENTRY_CHAR_DEVICE || e->type == ENTRY_BLOCK_DEVICE);
}

static int
plan_entry(struct planner *p, const struct entry *e, struct error *err)
{
	struct import *x = p->x;
	struct target_folder *folder = NULL;
	int r;

	if (plan_leaves_out(p, e)) {
		x->left_out++;
		return 0;
	}
	if (e->flags & ENTRY_CHANGED)
		report_note(x->report, e->path, e->path_len, "was being changed when it was exported");
	if (x->options->dry_run)
		return 0;
	if (e->type == ENTRY_FOLDER) {
		if (e->flags & ENTRY_UNREADABLE)
			report_warn(x->report, e->path, e->path_len,
			    "the folder's content could not be read when it was exported");
		r = target_folder_make(x->target, e, err);
		return r < 0 ? r : p->failure;
	}
	r = target_parent(x->target, e->path, e->path_len, planner_on_wait, p, &folder, err);
	if (r == 0)
		r = p->failure < 0          ? (*err = p->err, p->failure)
		    : e->type == ENTRY_FILE ? plan_file(p, folder, e, err)
					    : target_special(x->target, folder, e, err);
	target_folder_unref(folder);
	return r;
}

static int
plan_all(struct planner *p, struct catalog_reader *reader, struct error *err)
{
	struct entry e;
	bool found = false;
	int r;

	while ((r = catalog_reader_next(reader, &e, err)) > 0) {
		if (job_failed(p->x->job))
			return error_set(err, ERR_CANCELLED, "cancelled");
		r = selector_match(&p->selector, e.path, e.path_len, e.type == ENTRY_FOLDER, err);
		if (r < 0)
			return r;
		if (r == 0)
			continue;
		found = true;
		if (e.type != ENTRY_FILE || e.nextents == 0 || e.nlink > 1)
			(void)atomic_fetch_add_explicit(&p->x->progress->entries, 1, memory_order_relaxed);
		if ((r = plan_entry(p, &e, err)) < 0)
			return r;
	}
	if (r == 0 && !found)
		return error_set(
		    err, ERR_NOT_FOUND, "nothing in snapshot %s matches", p->x->snapshot->manifest.snapshot);
	return r < 0 ? r : planner_send(p, err);
}

static void
planner_wipe(struct planner *p)
{
	struct error ignored;

	/* After a failure the queue is aborted: this only disposes of what is in the window. */
	(void)planner_send(p, &ignored);
	selector_wipe(&p->selector);
	loader_free(p->loader);
}

int
plan_files(struct import *x, struct error *err)
{
	struct planner p = {.x = x};
	struct catalog_reader *reader = NULL;
	int r;

	selector_init(&p.selector, &x->options->selection);
	if ((r = loader_new(x->volume, x->snapshot->keyring, &p.loader, err)) == 0 &&
	    (r = catalog_reader_new(x->snapshot, 2, &reader, err)) == 0)
		r = plan_all(&p, reader, err);
	if (r < 0)
		import_fail(x, err);
	catalog_reader_free(reader);
	planner_wipe(&p);
	queue_close(x->ranges);
	return r;
}

int
plan_device(struct import *x, struct error *err)
{
	struct planner p = {.x = x};
	struct catalog_reader *reader = NULL;
	struct entry e;
	struct output *o;
	int r;

	if ((r = loader_new(x->volume, x->snapshot->keyring, &p.loader, err)) == 0 &&
	    (r = catalog_reader_new(x->snapshot, 0, &reader, err)) == 0 &&
	    (r = catalog_reader_next(reader, &e, err)) >= 0) {
		if (r == 0 || e.type != ENTRY_VOLUME || x->snapshot->root.entries != 1)
			r = error_set(err, ERR_CORRUPT, "the catalog of a device holds something else");
		else if (e.size != x->snapshot->manifest.size)
			r = error_set(err, ERR_CORRUPT,
			    "the device has %llu bytes in the manifest, %llu in the catalog",
			    (unsigned long long)x->snapshot->manifest.size, (unsigned long long)e.size);
		else if (e.size > 0 && !entry_has_content(&e))
			r = error_set(err, ERR_CORRUPT, "the catalog has no content of the device");
		else if ((r = output_new(&e, &o, err)) == 0) {
			o->device = x->device;
			r = plan_output(&p, o, &e, err);
		}
		if (r == 0)
			r = planner_send(&p, err);
		/* For what the reader has to say about bytes behind the entry. */
		if (r == 0)
			r = catalog_reader_next(reader, &e, err);
	}
	if (r < 0)
		import_fail(x, err);
	catalog_reader_free(reader);
	planner_wipe(&p);
	queue_close(x->ranges);
	return r;
}
