/* Attribute sets of a block. */

#include "attrset.h"

#include <string.h>

#include "array.h"
#include "entry.h"
#include "error.h"
#include "frame.h"
#include "varint.h"
#include "wire.h"

struct attrset_place {
	uint32_t at;
	uint32_t len;
};

/* The shortest set: its length, one attribute, a name of one byte, no value. */
#define SET_SIZE_MIN 5

struct key {
	const uint8_t *set;
	size_t len;
};

static uint64_t
hash_of(const uint8_t *set, size_t len)
{
	return hashidx_bytes(0, set, len);
}

static bool
equal(const void *owner, uint32_t item, const void *key)
{
	const struct attrset *a = owner;
	const struct key *k = key;

	return a->places[item].len == k->len && memcmp(a->bytes.data + a->places[item].at, k->set, k->len) == 0;
}

void
attrset_init(struct attrset *a)
{
	memset(a, 0, sizeof(*a));
	/* The block's own limit is checked by its encoder, after adding. */
	buf_init(&a->bytes, 2 * FRAME_PLAIN_MAX);
}

int
attrset_add(struct attrset *a, const uint8_t *set, size_t len, size_t *out_number, struct error *err)
{
	uint64_t hash = hash_of(set, len);
	struct key key = {set, len};
	size_t before = a->bytes.len;
	uint32_t found;
	int r;

	found = hashidx_find(&a->index, hash, equal, a, &key);
	if (found != HASHIDX_NONE) {
		*out_number = found;
		return 0;
	}
	r = entry_xattrs_check(set, len, err);
	if (r < 0)
		return error_set(err, ERR_USAGE, "a set of extended attributes is malformed");
	r = array_reserve(&a->places, &a->capacity, a->count + 1, sizeof(*a->places), err);
	if (r < 0)
		return r;
	buf_varint(&a->bytes, len);
	a->places[a->count] = (struct attrset_place){(uint32_t)a->bytes.len, (uint32_t)len};
	buf_put(&a->bytes, set, len);
	r = buf_check(&a->bytes, "catalog block", err);
	if (r == 0)
		r = hashidx_push(&a->index, hash, err);
	if (r < 0) {
		a->bytes.len = before;
		a->bytes.failed = false;
		return r;
	}
	*out_number = a->count++;
	return 0;
}

void
attrset_rollback(struct attrset *a, size_t count)
{
	while (a->count > count) {
		const struct attrset_place *p = &a->places[--a->count];

		hashidx_pop(&a->index, hash_of(a->bytes.data + p->at, p->len));
		a->bytes.len = p->at - varint_len(p->len);
	}
}

size_t
attrset_size(const struct attrset *a)
{
	return varint_len(a->count) + a->bytes.len;
}

void
attrset_encode(const struct attrset *a, struct buf *out)
{
	buf_varint(out, a->count);
	buf_put(out, a->bytes.data, a->bytes.len);
}

int
attrset_decode(struct attrset *a, struct wire *w, struct error *err)
{
	size_t n;
	int r;

	attrset_reset(a);
	a->base = w->p;
	n = wire_count(w, SET_SIZE_MIN);
	r = array_reserve(&a->places, &a->capacity, n, sizeof(*a->places), err);
	if (r < 0)
		return r;
	for (a->count = 0; a->count < n; a->count++) {
		size_t len = (size_t)varint_get_max(w, ENTRY_XATTRS_MAX);
		const uint8_t *set = wire_bytes(w, len);

		if (set == NULL)
			return error_set(err, ERR_CORRUPT, "extended attributes are cut");
		r = entry_xattrs_check(set, len, err);
		if (r < 0)
			return r;
		a->places[a->count] = (struct attrset_place){(uint32_t)(set - a->base), (uint32_t)len};
	}
	return w->bad ? error_set(err, ERR_CORRUPT, "extended attributes are cut") : 0;
}

const uint8_t *
attrset_get(const struct attrset *a, size_t number, size_t *out_len)
{
	*out_len = a->places[number].len;
	return a->base + a->places[number].at;
}

void
attrset_reset(struct attrset *a)
{
	a->count = 0;
	a->base = NULL;
	buf_reset(&a->bytes);
	hashidx_reset(&a->index);
}

void
attrset_free(struct attrset *a)
{
	free(a->places);
	buf_free(&a->bytes);
	hashidx_free(&a->index);
	memset(a, 0, sizeof(*a));
}
