/*
 * Items of an export: allocation, copying and disposal.
 */
#include "item.h"

#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "error.h"
#include "large.h"

#define ARENA_BLOCK (32u * 1024)

struct arena_block {
	struct arena_block *next;
	uint64_t data[];
};

void *
arena_alloc(struct arena *a, size_t len)
{
	size_t want = (len + 7) & ~(size_t)7;
	struct arena_block *b;
	void *p;

	if (want > a->left) {
		size_t size = MAX(want, (size_t)ARENA_BLOCK - sizeof *b);

		b = malloc(sizeof *b + size);
		if (b == NULL)
			return NULL;
		b->next = a->blocks;
		a->blocks = b;
		a->next = (uint8_t *)b->data;
		a->left = size;
	}
	p = a->next;
	a->next += want;
	a->left -= want;
	a->used += want;
	return p;
}

void *
arena_copy(struct arena *a, const void *bytes, size_t len)
{
	void *p = arena_alloc(a, len == 0 ? 1 : len);

	if (p != NULL && len > 0)
		memcpy(p, bytes, len);
	return p;
}

void
arena_free(struct arena *a)
{
	while (a->blocks != NULL) {
		struct arena_block *next = a->blocks->next;

		free(a->blocks);
		a->blocks = next;
	}
	memset(a, 0, sizeof *a);
}

uint64_t
item_ino(uint64_t ino, dev_t dev, dev_t root_dev)
{
	uint64_t mixed = (uint64_t)dev;

	if (dev == root_dev)
		return ino;
	/* All bits depend on the device, the upper ones too, which inode numbers rarely use. */
	mixed = (mixed ^ (mixed >> 32)) * UINT64_C(0xD6E8FEB86659FD93);
	mixed = (mixed ^ (mixed >> 32)) * UINT64_C(0xD6E8FEB86659FD93);
	return ino ^ mixed ^ (mixed >> 32);
}

size_t
item_entry_bytes(const struct entry *e)
{
	return e->path_len + 1 + e->link_len + e->xattrs_len + e->nextents * sizeof *e->extents +
	       e->nsegments * sizeof *e->segments;
}

int
item_copy_entry(struct arena *a, const struct entry *e, struct entry *out, struct error *err)
{
	char *path = arena_alloc(a, e->path_len + 1);

	*out = *e;
	if (path == NULL)
		return error_nomem(err);
	memcpy(path, e->path, e->path_len);
	path[e->path_len] = '\0';
	out->path = path;
	if (e->link_len > 0 && (out->link = arena_copy(a, e->link, e->link_len)) == NULL)
		return error_nomem(err);
	if (e->xattrs_len > 0 && (out->xattrs = arena_copy(a, e->xattrs, e->xattrs_len)) == NULL)
		return error_nomem(err);
	if (e->nextents > 0 && (out->extents = arena_copy(a, e->extents, e->nextents * sizeof *e->extents)) == NULL)
		return error_nomem(err);
	if (e->nsegments > 0 &&
	    (out->segments = arena_copy(a, e->segments, e->nsegments * sizeof *e->segments)) == NULL)
		return error_nomem(err);
	return 0;
}

static void
batch_free(struct batch *b)
{
	if (b == NULL)
		return;
	for (size_t i = 0; i < b->count; i++)
		folder_unref(b->entries[i].folder);
	free(b->entries);
	arena_free(&b->arena);
	free(b);
}

int
item_new_batch(struct item **out, struct error *err)
{
	struct item *it = calloc(1, sizeof *it);

	if (it == NULL)
		return error_nomem(err);
	it->batch = calloc(1, sizeof *it->batch);
	if (it->batch != NULL)
		it->batch->entries = malloc(BATCH_ENTRIES * sizeof *it->batch->entries);
	if (it->batch == NULL || it->batch->entries == NULL) {
		item_free(it);
		return error_nomem(err);
	}
	*out = it;
	return 0;
}

int
item_new_stretch(struct large *f, size_t index, struct item **out, struct error *err)
{
	uint64_t start = (uint64_t)index * SEGMENT_SIZE;
	struct item *it = calloc(1, sizeof *it);
	struct stretch *s = calloc(1, sizeof *s);

	if (it == NULL || s == NULL) {
		free(it);
		free(s);
		return error_nomem(err);
	}
	s->file = f;
	(void)atomic_fetch_add(&f->refs, 1);
	s->index = index;
	s->len = MIN(SEGMENT_SIZE, f->item.entry.size - start);
	s->last = start + s->len == f->item.entry.size;
	s->npieces = (size_t)((s->len + CHUNK_PIECE - 1) / CHUNK_PIECE);
	atomic_init(&s->pending, s->npieces);
	(void)pthread_mutex_init(&s->old_lock, NULL);
	it->stretch = s;
	*out = it;
	return 0;
}

static void
stretch_free(struct stretch *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->npieces; i++)
		free(s->pieces[i].extents);
	free(s->old_extents);
	free(s->old_hash);
	(void)pthread_mutex_destroy(&s->old_lock);
	large_unref(s->file);
	free(s);
}

void
item_free(struct item *it)
{
	if (it == NULL)
		return;
	batch_free(it->batch);
	stretch_free(it->stretch);
	free(it);
}

/* Neighbouring holes, and neighbouring zeros, become one. */
int
piece_add(struct piece *p, const struct extent *x, struct error *err)
{
	struct extent *last = p->count > 0 ? &p->extents[p->count - 1] : NULL;

	if (last != NULL && x->kind != EXTENT_DATA && last->kind == x->kind) {
		last->len += x->len;
		return 0;
	}
	if (p->count == p->capacity) {
		size_t capacity = p->capacity == 0 ? 64 : p->capacity * 2;
		struct extent *grown = realloc(p->extents, capacity * sizeof *grown);

		if (grown == NULL)
			return error_nomem(err);
		p->extents = grown;
		p->capacity = capacity;
	}
	p->extents[p->count++] = *x;
	return 0;
}
