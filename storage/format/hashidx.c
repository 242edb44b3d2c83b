/* Hash index: open addressing with linear probing, at most half full. */

#include "hashidx.h"

#include <stdlib.h>

#include "error.h"

struct hashidx_slot {
	uint32_t hash;
	uint32_t item; /* number + 1; 0 is an empty slot */
};

#define FIRST_SLOTS 64

uint32_t
hashidx_find(const struct hashidx *x, uint64_t hash, hashidx_equal_fn *equal, const void *owner, const void *key)
{
	const struct hashidx_slot *slot;
	size_t i;

	if (x->nslots == 0)
		return HASHIDX_NONE;
	for (i = (uint32_t)hash & (x->nslots - 1);; i = (i + 1) & (x->nslots - 1)) {
		slot = &x->slots[i];
		if (slot->item == 0)
			return HASHIDX_NONE;
		if (slot->hash == (uint32_t)hash && equal(owner, slot->item - 1, key))
			return slot->item - 1;
	}
}

static void
put(struct hashidx_slot *slots, size_t nslots, struct hashidx_slot slot)
{
	size_t i = slot.hash & (nslots - 1);

	while (slots[i].item != 0)
		i = (i + 1) & (nslots - 1);
	slots[i] = slot;
}

static int
grow(struct hashidx *x, struct error *err)
{
	size_t nslots = x->nslots == 0 ? FIRST_SLOTS : 2 * x->nslots;
	struct hashidx_slot *slots, *by_item;
	size_t i;

	/* Items go in again in the order of their numbers: taking the newest away relies on it. */
	slots = calloc(nslots, sizeof(*slots));
	by_item = calloc(x->count + 1, sizeof(*by_item));
	if (slots == NULL || by_item == NULL) {
		free(slots);
		free(by_item);
		return error_nomem(err);
	}
	for (i = 0; i < x->nslots; i++)
		if (x->slots[i].item != 0)
			by_item[x->slots[i].item - 1] = x->slots[i];
	for (i = 0; i < x->count; i++)
		put(slots, nslots, by_item[i]);
	free(by_item);
	free(x->slots);
	x->slots = slots;
	x->nslots = nslots;
	return 0;
}

int
hashidx_push(struct hashidx *x, uint64_t hash, struct error *err)
{
	int r;

	if (2 * (x->count + 1) > x->nslots && (r = grow(x, err)) < 0)
		return r;
	x->count++;
	put(x->slots, x->nslots, (struct hashidx_slot){(uint32_t)hash, (uint32_t)x->count});
	return 0;
}

void
hashidx_pop(struct hashidx *x, uint64_t hash)
{
	size_t i = (uint32_t)hash & (x->nslots - 1);

	while (x->slots[i].item != x->count)
		i = (i + 1) & (x->nslots - 1);
	x->slots[i] = (struct hashidx_slot){0, 0};
	x->count--;
}

void
hashidx_reset(struct hashidx *x)
{
	if (x->count > 0)
		memset(x->slots, 0, x->nslots * sizeof(*x->slots));
	x->count = 0;
}

void
hashidx_free(struct hashidx *x)
{
	free(x->slots);
	memset(x, 0, sizeof(*x));
}
