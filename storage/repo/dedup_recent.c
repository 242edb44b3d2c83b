/*
 * The ring of what was sealed lately, with chains through it so that any of it is found at once.
 */
#include <stdlib.h>
#include <string.h>

#include "dedup_internal.h"

enum { BUCKETS = 2 * DEDUP_RECENT };

struct item {
	uint8_t id[ID_SHORT];
	struct dedup_place place;
	uint32_t next; /* + 1; 0: the end of the chain */
	uint8_t type; /* 0: empty */
};

/* Items are touched only when used, so that a small export needs little memory. */
struct dedup_recent {
	struct item items[DEDUP_RECENT];
	uint32_t heads[BUCKETS]; /* + 1 */
	uint32_t pos;
};

struct dedup_recent *
dedup_recent_new(void)
{
	return calloc(1, sizeof(struct dedup_recent));
}

void
dedup_recent_free(struct dedup_recent *r)
{
	free(r);
}

static size_t
bucket_of(const uint8_t *id)
{
	return ((size_t)id[4] | (size_t)id[5] << 8 | (size_t)id[6] << 16) % BUCKETS;
}

static void
unlink_item(struct dedup_recent *r, uint32_t i)
{
	uint32_t *link = &r->heads[bucket_of(r->items[i].id)];

	while (*link != i + 1)
		link = &r->items[*link - 1].next;
	*link = r->items[i].next;
}

void
dedup_recent_add(struct dedup_recent *r, uint8_t type, const uint8_t *id, const struct dedup_place *place)
{
	struct item *it = &r->items[r->pos];
	uint32_t *head = &r->heads[bucket_of(id)];

	if (it->type != 0)
		unlink_item(r, r->pos);
	memcpy(it->id, id, ID_SHORT);
	it->place = *place;
	it->type = type;
	it->next = *head;
	*head = r->pos + 1;
	r->pos = (r->pos + 1) % DEDUP_RECENT;
}

bool
dedup_recent_find(const struct dedup_recent *r, uint8_t type, const uint8_t *id, struct dedup_place *out)
{
	for (uint32_t i = r->heads[bucket_of(id)]; i != 0; i = r->items[i - 1].next) {
		const struct item *it = &r->items[i - 1];

		if (it->type == type && memcmp(it->id, id, ID_SHORT) == 0) {
			*out = it->place;
			return true;
		}
	}
	return false;
}
