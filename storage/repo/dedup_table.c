/*
 * The fingerprint table: 64 small hash tables, so that growing one of them never needs memory for all of them twice.
 *
 * The first 32 bits of an id are all that is kept of it.  Their upper bits choose the part, a product of them the slot,
 * and the lower bits decide who stays when the table is full: from then on only a half, a quarter... of all ids is
 * remembered, the same ones for everybody.
 */
#include <stdlib.h>
#include <string.h>

#include "dedup_internal.h"

enum { SIZE_MIN = 8 };

static uint32_t
fingerprint(const uint8_t *id)
{
	return (uint32_t)id[0] | (uint32_t)id[1] << 8 | (uint32_t)id[2] << 16 | (uint32_t)id[3] << 24;
}

static uint32_t
slot_of(const struct dedup_part *p, uint32_t fp)
{
	return (uint32_t)((fp * UINT64_C(0x9E3779B97F4A7C15)) >> 32) & (p->size - 1);
}

static bool
is_sampled(const struct dedup_table *t, uint32_t fp)
{
	return (fp & ((UINT32_C(1) << t->sampled) - 1)) == 0;
}

void
dedup_table_init(struct dedup_table *t, size_t bytes)
{
	size_t each = bytes / DEDUP_PARTS / sizeof(uint64_t);

	memset(t, 0, sizeof(*t));
	t->max_size = SIZE_MIN;
	while (t->max_size <= each / 2 && t->max_size < UINT32_C(1) << 30)
		t->max_size *= 2;
}

/* The slot with this fingerprint, or the empty one where it would be.  The part is never full. */
static uint64_t *
probe(const struct dedup_part *p, uint32_t fp)
{
	uint32_t i = slot_of(p, fp);

	while (p->slots[i] != 0 && (uint32_t)(p->slots[i] >> 32) != fp)
		i = (i + 1) & (p->size - 1);
	return &p->slots[i];
}

/* Into a new array of this size, without those that are no longer sampled. */
static bool
rebuild(const struct dedup_table *t, struct dedup_part *p, uint32_t size)
{
	struct dedup_part fresh = {calloc(size, sizeof(uint64_t)), size, 0};

	if (fresh.slots == NULL)
		return false;
	for (uint32_t i = 0; i < p->size; i++)
		if (p->slots[i] != 0 && is_sampled(t, (uint32_t)(p->slots[i] >> 32))) {
			*probe(&fresh, (uint32_t)(p->slots[i] >> 32)) = p->slots[i];
			fresh.count++;
		}
	free(p->slots);
	*p = fresh;
	return true;
}

static bool
make_room(struct dedup_table *t, struct dedup_part *p)
{
	if (p->count + 1 <= p->size / 4 * 3)
		return true;
	if (p->size < t->max_size && rebuild(t, p, p->size == 0 ? SIZE_MIN : p->size * 2))
		return true;
	/* At the ceiling, be it ours or the machine's. */
	while (p->size > 0 && p->count + 1 > p->size / 4 * 3 && t->sampled < 24) {
		t->sampled++;
		for (size_t i = 0; i < DEDUP_PARTS; i++)
			if (t->parts[i].size > 0 && !rebuild(t, &t->parts[i], t->parts[i].size))
				return false;
	}
	return p->size > 0 && p->count + 1 <= p->size / 4 * 3;
}

void
dedup_table_add(struct dedup_table *t, const uint8_t *id, uint32_t source)
{
	uint32_t fp = fingerprint(id);
	struct dedup_part *p = &t->parts[fp >> 26];
	uint64_t *slot;

	if (!is_sampled(t, fp) || !make_room(t, p) || !is_sampled(t, fp))
		return;
	slot = probe(p, fp);
	if (*slot == 0)
		p->count++;
	*slot = (uint64_t)fp << 32 | (source + 1);
}

uint32_t
dedup_table_find(const struct dedup_table *t, const uint8_t *id)
{
	uint32_t fp = fingerprint(id);
	const struct dedup_part *p = &t->parts[fp >> 26];
	uint64_t slot;

	if (p->size == 0 || !is_sampled(t, fp))
		return UINT32_MAX;
	slot = *probe(p, fp);
	return slot == 0 ? UINT32_MAX : (uint32_t)slot - 1;
}

size_t
dedup_table_bytes(const struct dedup_table *t)
{
	size_t bytes = 0;

	for (size_t i = 0; i < DEDUP_PARTS; i++)
		bytes += t->parts[i].size * sizeof(uint64_t);
	return bytes;
}

void
dedup_table_wipe(struct dedup_table *t)
{
	for (size_t i = 0; i < DEDUP_PARTS; i++)
		free(t->parts[i].slots);
	memset(t, 0, sizeof(*t));
}
