/*
 * Sorting the names of one folder in memory.
 *
 * A merge sort, because a hostile folder must not make it slow, of small keys: eight bytes of the name behind what all
 * names have in common decide nearly every comparison without a look at the name.
 */
#include "names_internal.h"

#include <endian.h>
#include <stdlib.h>

#include "error.h"

struct key {
	uint64_t text; /* big-endian: compares like the bytes; short names are filled with the NUL that no name has */
	uint32_t at; /* of the record, behind the base */
	uint32_t reserved;
};

#define INSERTION 8u

size_t
names_sort_room(size_t count, size_t len)
{
	return 2 * count * sizeof(struct key) + len;
}

static inline bool
in_order(const uint8_t *records, const struct key *a, const struct key *b)
{
	if (a->text != b->text)
		return a->text < b->text;
	return record_compare(records + a->at, records + b->at) <= 0;
}

static void
make_keys(const uint8_t *records, size_t count, size_t common, struct key *keys)
{
	const uint8_t *r = records;

	for (size_t i = 0; i < count; i++) {
		size_t len = record_name_len(r) - common;
		uint64_t text = 0;

		memcpy(&text, r + RECORD_HEAD + common, len < sizeof text ? len : sizeof text);
		keys[i] = (struct key){be64toh(text), (uint32_t)(r - records), 0};
		r += record_len(r);
	}
}

static void
insertion_sort(const uint8_t *records, struct key *keys, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		struct key k = keys[i];
		size_t j = i;

		for (; j > 0 && !in_order(records, &keys[j - 1], &k); j--)
			keys[j] = keys[j - 1];
		keys[j] = k;
	}
}

static void
merge(const uint8_t *records, const struct key *a, size_t na, const struct key *b, size_t nb, struct key *out)
{
	/* Neighbours that are in order already need no comparing. */
	while (na > 0 && nb > 0 && !in_order(records, &a[na - 1], b)) {
		if (in_order(records, a, b)) {
			*out++ = *a++;
			na--;
		} else {
			*out++ = *b++;
			nb--;
		}
	}
	memcpy(out, a, na * sizeof *a);
	memcpy(out + na, b, nb * sizeof *b);
}

/* Returns whichever of the two arrays holds the result. */
static const struct key *
merge_sort(const uint8_t *records, struct key *keys, struct key *other, size_t count)
{
	for (size_t i = 0; i < count; i += INSERTION)
		insertion_sort(records, keys + i, count - i < INSERTION ? count - i : INSERTION);
	for (size_t width = INSERTION; width < count; width *= 2) {
		struct key *from = keys;

		for (size_t i = 0; i < count; i += 2 * width) {
			size_t na = count - i < width ? count - i : width;
			size_t nb = count - i - na < width ? count - i - na : width;

			merge(records, from + i, na, from + i + na, nb, other + i);
		}
		keys = other;
		other = from;
	}
	return keys;
}

static size_t
copy_in_order(const uint8_t *records, const struct key *keys, size_t count, uint8_t *out)
{
	const uint8_t *last = NULL;
	size_t len = 0;

	for (size_t i = 0; i < count; i++) {
		const uint8_t *r = records + keys[i].at;
		size_t n = record_len(r);

		/* A folder that changes while it is listed may show a name twice. */
		if (last != NULL && keys[i].text == keys[i - 1].text && record_compare(last, r) == 0)
			continue;
		memcpy(out + len, r, n);
		len += n;
		last = r;
	}
	return len;
}

int
names_sort(struct names *n, const struct gather *g, const uint8_t **out, size_t *out_len, struct error *err)
{
	const uint8_t *records = n->arena + g->base;
	size_t len = n->len - g->base, room = names_sort_room(g->count, len);
	struct key *keys;
	uint8_t *sorted;

	*out = records;
	*out_len = len;
	if (g->sorted)
		return 0;
	if (room > n->scratch_cap) {
		free(n->scratch);
		n->scratch_cap = 0;
		n->scratch = malloc(room);
		if (n->scratch == NULL)
			return error_nomem(err);
		n->scratch_cap = room;
	}
	keys = (struct key *)n->scratch;
	sorted = n->scratch + 2 * g->count * sizeof *keys;
	make_keys(records, g->count, g->common, keys);
	*out_len = copy_in_order(records, merge_sort(records, keys, keys + g->count, g->count), g->count, sorted);
	*out = sorted;
	return 0;
}
