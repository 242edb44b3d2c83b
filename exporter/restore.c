/*
 * Fetch threads get ranges of packs; restore threads open the frames in them and write what was wanted.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "cleanup.h"
#include "device.h"
#include "error.h"
#include "import_internal.h"
#include "pack.h"

/* Damage is what other files can be restored in spite of. */
static bool
is_damage(int r)
{
	return r == ERR_CORRUPT || r == ERR_NOT_FOUND;
}

static void
want_damaged(struct import *x, struct want *w, const struct error *why)
{
	if (w->output == NULL)
		import_damaged(x, w->small->path, w->small->path_len, why);
	else if (!atomic_exchange(&w->output->damaged, true))
		import_damaged(x, w->output->path, w->output->path_len, why);
}

/* Settle all that is left of a range: as damaged, with a reason to report, or (why NULL) silently after a failure
 * elsewhere. */
static void
range_give_up(struct import *x, struct range *r, size_t from, const struct error *why)
{
	struct error ignored;

	for (size_t i = from; i < r->count; i++) {
		if (why != NULL)
			want_damaged(x, &r->wants[i], why);
		(void)want_settle(&r->wants[i], true, &ignored);
	}
	range_free(r);
}

static int
fetch_range(struct import *x, struct range *r, struct error *err)
{
	const struct frame_ref *f = &r->wants[0].frame;
	char name[PACK_NAME_LEN];
	int e;

	pack_name(x->volume->id, frame_pack_kind(f->type), f->session, f->seq, name);
	e = store_get(repo_store(x->volume->repo), name, r->offset, r->buffer->bytes, r->len, err);
	if (e == 0)
		(void)atomic_fetch_add_explicit(&x->progress->stored, r->len, memory_order_relaxed);
	return e;
}

void
fetch_thread(void *arg)
{
	struct import *x = arg;
	struct error err;
	struct range *r;

	while ((r = queue_pop(x->ranges)) != NULL) {
		int e;

		r->buffer = queue_pop(x->spare);
		if (r->buffer == NULL) {
			range_give_up(x, r, 0, NULL);
			continue;
		}
		e = fetch_range(x, r, &err);
		if (e == 0 && queue_push(x->fetched, r))
			continue;
		range_buffer_give_back(x, STEAL(r->buffer));
		if (e < 0 && !is_damage(e))
			import_fail(x, &err);
		range_give_up(x, r, 0, e < 0 && is_damage(e) ? &err : NULL);
	}
	queue_close(x->fetched);
}

/* ---- restore ---- */

struct restorer {
	struct import *x;
	struct loader *loader;
	uint8_t *plain; /* FRAME_PLAIN_MAX, mapped */
};

static int
want_write(struct restorer *t, struct want *w, struct error *err)
{
	struct import *x = t->x;
	const uint8_t *bytes = t->plain + w->frame_offset;
	int r;

	if (w->output == NULL) {
		r = target_small(x->target, w->folder, w->small, bytes, w->len, err);
		(void)atomic_fetch_add_explicit(&x->progress->entries, 1, memory_order_relaxed);
	} else if (atomic_load(&w->output->damaged)) {
		return 0;
	} else if (w->output->device != NULL) {
		r = device_write(w->output->device, w->offset, bytes, w->len, err);
	} else {
		r = target_file_write(w->output->file, w->offset, bytes, w->len, err);
	}
	(void)atomic_fetch_add_explicit(&x->progress->bytes, w->len, memory_order_relaxed);
	(void)atomic_fetch_add_explicit(&x->bytes, w->len, memory_order_relaxed);
	return r;
}

/* Open the frame that wants[i] names, and serve all wants of it.  *next: the first want of another frame. */
static int
restore_frame(struct restorer *t, struct range *r, size_t i, size_t *next, struct error *err)
{
	const struct frame_ref f = r->wants[i].frame;
	struct error why;
	int e = loader_open(t->loader, &f, r->buffer->bytes + (f.offset - r->offset), t->plain, &why);

	for (; i < r->count && r->wants[i].frame.offset == f.offset; i++) {
		struct want *w = &r->wants[i];
		int e2 = 0;

		*next = i;
		if (e == 0 && !frame_ref_equal(&w->frame, &f))
			e2 = error_set(&why, ERR_CORRUPT, "the catalog contradicts itself about a frame");
		if (e == 0 && e2 == 0) {
			if ((e2 = want_write(t, w, err)) < 0)
				return e2;
		} else if (is_damage(e) || e2 < 0) {
			want_damaged(t->x, w, &why);
		} else {
			*err = why;
			return e;
		}
		if ((e2 = want_settle(w, e < 0 || e2 < 0, err)) < 0) {
			*next = i + 1;
			return e2;
		}
	}
	*next = i;
	return 0;
}

static int
restore_range(struct restorer *t, struct range *r, size_t *done, struct error *err)
{
	int e = 0;

	*done = 0;
	while (e == 0 && *done < r->count)
		e = restore_frame(t, r, *done, done, err);
	return e;
}

static int
restorer_init(struct restorer *t, struct import *x, struct error *err)
{
	t->x = x;
	t->plain =
	    mmap(NULL, FRAME_PLAIN_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (t->plain == MAP_FAILED) {
		t->plain = NULL;
		return error_nomem(err);
	}
	return loader_new(x->volume, x->snapshot->keyring, &t->loader, err);
}

void
restore_thread(void *arg)
{
	struct import *x = arg;
	struct restorer t = {0};
	struct error err;
	struct range *r;
	bool ok = restorer_init(&t, x, &err) == 0;

	if (!ok)
		import_fail(x, &err);
	while ((r = queue_pop(x->fetched)) != NULL) {
		struct range_buffer *buffer = r->buffer;
		size_t done = 0;

		if (ok && restore_range(&t, r, &done, &err) < 0) {
			ok = false;
			import_fail(x, &err);
		}
		range_give_up(x, r, done, NULL);
		range_buffer_give_back(x, buffer);
	}
	loader_free(t.loader);
	if (t.plain != NULL)
		(void)munmap(t.plain, FRAME_PLAIN_MAX);
}
