/*
 * Which hard-linked files the walk has already met: a bounded set of inode numbers with the number of links still to
 * come.
 */
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "error.h"
#include "large.h"
#include "scan.h"

#define LINKS_SLOTS (64u * 1024)
#define LINKS_MAX   (LINKS_SLOTS / 2)
/* What the recorder may have to keep for them: an entry, and an extent for each chunk or hole. */
#define LINKS_BYTES (8u * 1024 * 1024)

struct link_slot {
	uint64_t ino;
	uint32_t left; /* 0: free */
	uint32_t cost;
	uint64_t state; /* of the file when it was first seen: link_state() */
};

struct links {
	size_t count;
	size_t bytes;
	struct link_slot slots[LINKS_SLOTS];
};

int
links_new(struct links **out, struct error *err)
{
	*out = calloc(1, sizeof **out);
	return *out == NULL ? error_nomem(err) : 0;
}

void
links_free(struct links *l)
{
	free(l);
}

static size_t
links_home(uint64_t ino)
{
	return (size_t)((ino * UINT64_C(0x9E3779B97F4A7C15)) >> 48) % LINKS_SLOTS;
}

/* Linear probing without tombstones: move up what would not be found any more. */
static void
links_remove(struct links *l, size_t hole)
{
	size_t i = hole;

	l->count--;
	l->bytes -= l->slots[hole].cost;
	for (;;) {
		i = (i + 1) % LINKS_SLOTS;
		if (l->slots[i].left == 0)
			break;
		size_t home = links_home(l->slots[i].ino);

		if ((i - home + LINKS_SLOTS) % LINKS_SLOTS >= (i - hole + LINKS_SLOTS) % LINKS_SLOTS) {
			l->slots[hole] = l->slots[i];
			hole = i;
		}
	}
	l->slots[hole].left = 0;
}

/* Another file may have got the inode number since, or the file other content: then its time of change is another one.
 */
static uint64_t
link_state(const struct entry *e)
{
	return (uint64_t)e->ctime_s * 1000000000u + e->ctime_ns;
}

static size_t
link_cost(const struct entry *e, bool sparse)
{
	size_t extents = (size_t)MIN(e->size / (sparse ? HOLE_MIN : CHUNK_FIXED) + 1, (uint64_t)ENTRY_EXTENTS_MAX);

	return 512 + e->path_len + extents * sizeof(struct extent);
}

enum links_answer
links_see(struct links *l, const struct entry *e, bool sparse, uint32_t *further)
{
	size_t i = links_home(e->ino), cost = link_cost(e, sparse);

	*further = 0;
	for (; l->slots[i].left != 0; i = (i + 1) % LINKS_SLOTS) {
		if (l->slots[i].ino != e->ino)
			continue;
		if (l->slots[i].state != link_state(e))
			return LINKS_OTHER;
		*further = --l->slots[i].left;
		if (*further == 0) {
			l->slots[i].left = 1;
			links_remove(l, i);
		}
		return LINKS_FURTHER;
	}
	if (e->nlink < 2 || l->count == LINKS_MAX || e->size > SEGMENT_SIZE || cost > LINKS_BYTES - l->bytes)
		return LINKS_ALONE;
	l->slots[i] = (struct link_slot){e->ino, e->nlink - 1, (uint32_t)cost, link_state(e)};
	l->count++;
	l->bytes += cost;
	*further = e->nlink - 1;
	return LINKS_FIRST;
}
