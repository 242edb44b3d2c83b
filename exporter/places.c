/*
 * Places: a queue of tokens, because a job can abort queues.
 */
#include "places.h"

#include <stdlib.h>

#include "cleanup.h"
#include "error.h"
#include "item.h"
#include "job.h"
#include "queue.h"

/* A batch with what it may hold at least is an ordinary item. */
_Static_assert(BATCH_ENTRIES * sizeof(struct item_entry) + BATCH_ATTRIBUTES <= PLACE_BYTES, "a batch takes one place");

struct places {
	struct queue *taken;
};

int
places_new(struct job *job, struct places **out, struct error *err)
{
	struct places *p = calloc(1, sizeof *p);
	int r;

	if (p == NULL)
		return error_nomem(err);
	if ((r = queue_new(PLACES, 1, &p->taken, err)) < 0 || (r = job_attach(job, p->taken, err)) < 0) {
		places_free(p);
		return r;
	}
	*out = p;
	return 0;
}

size_t
places_for(size_t bytes)
{
	size_t beyond = bytes <= BATCH_ATTRIBUTES ? 0 : bytes - BATCH_ATTRIBUTES;

	return MIN(1 + (beyond + PLACE_BYTES - 1) / PLACE_BYTES, (size_t)PLACES);
}

bool
places_take(struct places *p, size_t count)
{
	static char token;

	for (; count > 0; count--)
		if (!queue_push(p->taken, &token))
			return false;
	return true;
}

void
places_give_back(struct places *p, size_t count)
{
	for (; count > 0; count--)
		(void)queue_try_pop(p->taken);
}

void
places_free(struct places *p)
{
	if (p == NULL)
		return;
	queue_free(p->taken, NULL);
	free(p);
}
