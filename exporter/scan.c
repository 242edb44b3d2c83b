/*
 * The scan's items: batches are filled and handed out here, whatever fills them.
 */
#include "scan.h"

#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "error.h"
#include "large.h"

static int
scan_cancelled(struct error *err)
{
	return error_set(err, ERR_CANCELLED, "cancelled");
}

/* A piece of an item for the content threads. */
static int
scan_task(struct scan *s, struct item *it, size_t piece, struct error *err)
{
	struct task *t = malloc(sizeof *t);

	if (t == NULL)
		return error_nomem(err);
	*t = (struct task){it, piece};
	if (queue_push(s->x->work, t))
		return 0;
	free(t);
	return scan_cancelled(err);
}

static bool
batch_needs_reading(const struct batch *b)
{
	for (size_t i = 0; i < b->count; i++)
		if (b->entries[i].read)
			return true;
	return false;
}

int
scan_flush(struct scan *s, struct error *err)
{
	struct item *it = s->batch;
	int r = 0;

	if (it == NULL)
		return 0;
	s->batch = NULL;
	s->last_folder = NULL;
	it->seq = s->seq++;
	if (!s->x->options->dry_run && batch_needs_reading(it->batch))
		r = scan_task(s, it, 0, err);
	else if (!queue_push_at(s->x->done, it->seq, it))
		r = scan_cancelled(err);
	if (r < 0)
		item_free(it);
	return r;
}

/* An entry with long lists gets a batch of its own. */
static bool
batch_is_full(const struct batch *b, size_t bytes, size_t small_bytes)
{
	return b->count == BATCH_ENTRIES || b->arena.used >= BATCH_ARENA || b->arena.used + bytes > BATCH_ATTRIBUTES ||
	       b->folders >= BATCH_FOLDERS || b->small_bytes + small_bytes > BATCH_BYTES;
}

/* The memory is waited for while no batch is held: others need what it holds. */
static int
scan_new_batch(struct scan *s, size_t bytes, struct error *err)
{
	size_t places = places_for(bytes);
	int r;

	if (!places_take(s->x->places, places))
		return scan_cancelled(err);
	if ((r = item_new_batch(&s->batch, err)) < 0)
		return r;
	s->batch->places = places;
	return 0;
}

int
scan_slot(struct scan *s, size_t bytes, size_t small_bytes, struct item_entry **out, struct error *err)
{
	struct batch *b;
	int r;

	if (s->batch != NULL && batch_is_full(s->batch->batch, bytes, small_bytes) && (r = scan_flush(s, err)) < 0)
		return r;
	if (s->batch == NULL && (r = scan_new_batch(s, bytes, err)) < 0)
		return r;
	b = s->batch->batch;
	b->small_bytes += small_bytes;
	*out = &b->entries[b->count++];
	memset(*out, 0, sizeof **out);
	return 0;
}

/* The pieces that were not handed out die with the item, when the last one that was is given up. */
static void
scan_take_back(struct item *it, size_t handed_out)
{
	struct stretch *st = it->stretch;
	size_t rest = st->npieces - handed_out;

	if (atomic_fetch_sub(&st->pending, rest) == rest)
		item_free(it);
}

/* The item belongs to its pieces' threads from the first one on. */
static int
scan_pieces(struct scan *s, struct item *it, struct error *err)
{
	size_t npieces = it->stretch->npieces;
	int r;

	for (size_t k = 0; k < npieces; k++)
		if ((r = scan_task(s, it, k, err)) < 0) {
			scan_take_back(it, k);
			return r;
		}
	return 0;
}

static int
scan_stretch(struct scan *s, struct large *f, size_t i, struct error *err)
{
	size_t places = places_for(large_stretch_bytes(f));
	struct item *it;
	int r;

	if (!places_take(s->x->places, places))
		return scan_cancelled(err);
	if ((r = item_new_stretch(f, i, &it, err)) < 0)
		return r;
	it->seq = s->seq++;
	it->places = places;
	if (!s->x->options->dry_run)
		return scan_pieces(s, it, err);
	if (queue_push_at(s->x->done, it->seq, it))
		return 0;
	item_free(it);
	return scan_cancelled(err);
}

int
scan_large(struct scan *s, struct large *f, struct error *err)
{
	size_t count = large_stretches(f);
	int r = scan_flush(s, err);

	for (size_t i = 0; r == 0 && i < count; i++)
		r = scan_stretch(s, f, i, err);
	large_unref(f);
	return r;
}
