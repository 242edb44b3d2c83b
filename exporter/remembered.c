/*
 * A small chained hash of entries by inode number.
 */
#include <stdlib.h>

#include "error.h"
#include "record.h"

#define CHAINS 4096
/* Labels and short ACLs.  What the scan allows for a file has no room for more. */
#define XATTRS_KEPT 256

struct memory {
	struct memory *next;
	struct arena arena;
	struct entry entry;
	uint64_t ino;
	uint32_t left; /* further names to come */
	bool without_xattrs;
};

struct remembered {
	struct memory *chains[CHAINS];
	struct memory *spent; /* answered for the last time */
};

int
remembered_new(struct remembered **out, struct error *err)
{
	*out = calloc(1, sizeof **out);
	return *out == NULL ? error_nomem(err) : 0;
}

static void
memory_free(struct memory *m)
{
	if (m == NULL)
		return;
	arena_free(&m->arena);
	free(m);
}

static struct memory **
remembered_find(struct remembered *t, uint64_t ino)
{
	struct memory **m = &t->chains[(ino * UINT64_C(0x9E3779B97F4A7C15)) >> 52];

	while (*m != NULL && (*m)->ino != ino)
		m = &(*m)->next;
	return m;
}

int
remembered_put(struct remembered *t, uint64_t ino, const struct entry *e, uint32_t further, struct error *err)
{
	struct memory **place = remembered_find(t, ino), *m;
	struct entry kept = *e;
	int r;

	if (*place != NULL)
		return 0;
	m = calloc(1, sizeof *m);
	if (m == NULL)
		return error_nomem(err);
	if (kept.xattrs_len > XATTRS_KEPT) {
		kept.xattrs = NULL;
		kept.xattrs_len = 0;
		m->without_xattrs = true;
	}
	if ((r = item_copy_entry(&m->arena, &kept, &m->entry, err)) < 0) {
		memory_free(m);
		return r;
	}
	m->ino = ino;
	m->left = further;
	*place = m;
	return 0;
}

const struct entry *
remembered_get(struct remembered *t, uint64_t ino, bool *without_xattrs)
{
	struct memory **place = remembered_find(t, ino), *m = *place;

	if (m == NULL)
		return NULL;
	*without_xattrs = m->without_xattrs;
	if (m->left-- <= 1) {
		*place = m->next;
		memory_free(t->spent);
		t->spent = m;
	}
	return &m->entry;
}

void
remembered_free(struct remembered *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < CHAINS; i++)
		while (t->chains[i] != NULL) {
			struct memory *next = t->chains[i]->next;

			memory_free(t->chains[i]);
			t->chains[i] = next;
		}
	memory_free(t->spent);
	free(t);
}
