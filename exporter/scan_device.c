/*
 * The scan of a device or image: it is a catalog of one entry, read in stretches.
 */
#include <string.h>

#include "cleanup.h"
#include "error.h"
#include "large.h"
#include "scan.h"

/* The base's only entry, to compare with by position. */
static int
device_old(struct scan *s, struct large *f, struct error *err)
{
	struct catalog_reader *reader;
	struct entry old, *copy;
	int r;

	if (s->x->base == NULL)
		return 0;
	if ((r = catalog_reader_new(s->x->base, 0, &reader, err)) < 0)
		return r;
	r = catalog_reader_next(reader, &old, err);
	if (r == 1 && (copy = arena_alloc(&f->arena, sizeof *copy)) == NULL)
		r = error_nomem(err);
	else if (r == 1 && (r = item_copy_entry(&f->arena, &old, copy, err)) == 0)
		f->item.old = copy;
	catalog_reader_free(reader);
	return r < 0 ? r : 0;
}

static int
device_run(struct scan *s, struct error *err)
{
	struct entry e = {.path = "", .type = ENTRY_VOLUME, .nlink = 1, .size = device_size(s->x->device)};
	struct large *f;
	int r;

	if ((r = large_new(&f, err)) < 0)
		return r;
	f->device = s->x->device;
	f->item.change = ITEM_FRESH;
	if ((r = item_copy_entry(&f->arena, &e, &f->item.entry, err)) < 0 || (r = device_old(s, f, err)) < 0) {
		large_unref(f);
		return r;
	}
	if (e.size == 0) {
		large_unref(f);
		return error_set(err, ERR_USAGE, "%s is empty", s->x->options->source);
	}
	return scan_large(s, f, err);
}

void
scan_device(void *arg)
{
	struct scan s = {.x = arg};
	struct error err;

	if (device_run(&s, &err) < 0)
		job_fail(s.x->job, &err);
	queue_close(s.x->work);
	queue_close(s.x->done);
}
