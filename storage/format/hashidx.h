#ifndef HASHIDX_H_
#define HASHIDX_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct error;

/*
 * A hash index over the items of an array that somebody else owns: from a hash to item numbers.
 *
 * Items are numbered 0, 1, 2... and taken away only in the opposite order, which is what undoing needs and keeps
 * removal trivial. A zeroed index is an empty one.
 */
struct hashidx {
	struct hashidx_slot *slots;
	size_t nslots; /* a power of two, or 0 */
	size_t count;
};

#define HASHIDX_NONE UINT32_MAX

typedef bool hashidx_equal_fn(const void *owner, uint32_t item, const void *key);

/* The item that has this hash and equals key, or HASHIDX_NONE. */
uint32_t hashidx_find(
    const struct hashidx *, uint64_t hash, hashidx_equal_fn *equal, const void *owner, const void *key);
/* Add item number `count`. */
int hashidx_push(struct hashidx *, uint64_t hash, struct error *);
/* Take the newest item away; hash is its hash. */
void hashidx_pop(struct hashidx *, uint64_t hash);
/* Forget all items, keep the memory. */
void hashidx_reset(struct hashidx *);
void hashidx_free(struct hashidx *);

/* Fast and good enough for a table; no promise to an adversary. */
static inline uint64_t
hashidx_mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * UINT64_C(0x9FB21C651E98DF25);
	return hash ^ (hash >> 32);
}

static inline uint64_t
hashidx_bytes(uint64_t hash, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	uint64_t word;

	hash = hashidx_mix(hash, len);
	for (; len >= sizeof(word); p += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		hash = hashidx_mix(hash, word);
	}
	for (word = 0; len > 0; len--)
		word = word << 8 | p[len - 1];
	return hashidx_mix(hash, word);
}

#endif
