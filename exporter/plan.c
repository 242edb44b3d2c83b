/*
 * Windows of wants, sorted and cut into ranges.
 */
#include "plan.h"

#include <stdlib.h>

#include "cleanup.h"
#include "device.h"
#include "error.h"
#include "span.h"

int
window_new(struct queue *home, struct window **out, struct error *err)
{
	struct window *w = calloc(1, sizeof *w);

	if (w == NULL)
		return error_nomem(err);
	w->wants = malloc(WINDOW_WANTS * sizeof *w->wants);
	if (w->wants == NULL) {
		free(w);
		return error_nomem(err);
	}
	w->home = home;
	*out = w;
	return 0;
}

void
window_free(struct window *w)
{
	arena_free(&w->arena);
	free(w->wants);
	free(w);
}

int
window_take(struct queue *home, struct window **out, struct error *err)
{
	*out = queue_pop(home);
	if (*out == NULL)
		return error_set(err, ERR_CANCELLED, "cancelled");
	atomic_store(&(*out)->pending, 1);
	return 0;
}

bool
window_full(const struct window *w)
{
	return w->count == WINDOW_WANTS || w->arena.used + w->held >= WINDOW_ARENA;
}

static void
window_unref(struct window *w)
{
	if (atomic_fetch_sub(&w->pending, 1) != 1)
		return;
	arena_free(&w->arena);
	w->count = 0;
	w->held = 0;
	if (!queue_push(w->home, w))
		window_free(w);
}

void
range_free(struct range *r)
{
	window_unref(r->window);
	free(r);
}

int
output_settle(struct output *o, bool damaged, struct error *err)
{
	int r = 0;

	if (damaged)
		atomic_store(&o->damaged, true);
	if (atomic_fetch_sub(&o->pending, 1) != 1)
		return 0;
	if (o->file != NULL && atomic_load(&o->damaged))
		target_file_abandon(o->file);
	else if (o->file != NULL)
		r = target_file_done(o->file, err);
	free(o->path);
	free(o);
	return r;
}

int
want_settle(struct want *w, bool damaged, struct error *err)
{
	target_folder_unref(STEAL(w->folder));
	return w->output == NULL ? 0 : output_settle(STEAL(w->output), damaged, err);
}

static void
wants_drop(struct want *wants, size_t count)
{
	struct error ignored;

	for (size_t i = 0; i < count; i++)
		(void)want_settle(&wants[i], true, &ignored);
}

bool
window_send(struct window *w, struct queue *ranges, struct error *err)
{
	static const struct span_bounds bounds = {RANGE_LEN, RANGE_GAP};
	size_t done = 0;
	bool ok = true;

	qsort(w->wants, w->count, sizeof *w->wants, span_compare);
	while (ok && done < w->count) {
		struct range *r = calloc(1, sizeof *r);

		if (r == NULL) {
			(void)error_nomem(err);
			ok = false;
			break;
		}
		r->window = w;
		r->wants = w->wants + done;
		r->count = span_cut(r->wants, w->count - done, sizeof *r->wants, &bounds, &r->len);
		r->offset = r->wants[0].frame.offset;
		(void)atomic_fetch_add(&w->pending, 1);
		/* The range's size must not be read after the push: it belongs to others then. */
		size_t count = r->count;

		ok = queue_push(ranges, r);
		if (!ok) {
			(void)error_set(err, ERR_CANCELLED, "cancelled");
			range_free(r);
			break;
		}
		done += count;
	}
	if (!ok)
		wants_drop(w->wants + done, w->count - done);
	window_unref(w);
	return ok;
}
