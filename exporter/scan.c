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

	if (it == NULL || it->batch->count == 0)
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

int
scan_slot(struct scan *s, size_t small_bytes, struct item_entry **out, struct error *err)
{
	struct batch *b = s->batch == NULL ? NULL : s->batch->batch;
	int r;

	if (b != NULL && (b->count == BATCH_ENTRIES || b->arena.used >= BATCH_ARENA || b->folders >= BATCH_FOLDERS ||
			     b->small_bytes + small_bytes > BATCH_BYTES)) {
		if ((r = scan_flush(s, err)) < 0)
			return r;
		b = NULL;
	}
	if (b == NULL) {
		if ((r = item_new_batch(&s->batch, err)) < 0)
			return r;
		b = s->batch->batch;
	}
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

int
scan_large(struct scan *s, struct large *f, struct error *err)
{
	size_t count = large_stretches(f);
	int r = scan_flush(s, err);

	for (size_t i = 0; r == 0 && i < count; i++) {
		struct item *it;

		if ((r = item_new_stretch(f, i, &it, err)) < 0)
			break;
		it->seq = s->seq++;
		if (s->x->options->dry_run) {
			if (!queue_push_at(s->x->done, it->seq, it)) {
				item_free(it);
				r = scan_cancelled(err);
			}
			continue;
		}
		/* The item belongs to its pieces' threads from the first one on. */
		size_t npieces = it->stretch->npieces;

		for (size_t k = 0; k < npieces; k++)
			if ((r = scan_task(s, it, k, err)) < 0) {
				scan_take_back(it, k);
				break;
			}
	}
	large_unref(f);
	return r;
}
