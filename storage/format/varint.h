#ifndef VARINT_H_
#define VARINT_H_

#include <stddef.h>
#include <stdint.h>

#include "wire.h"

/* The format's varints, inline: the codecs of catalogs handle a dozen of them for every file. */

#define VARINT_MAX_LEN 10

static inline size_t
varint_len(uint64_t v)
{
	size_t n = 1;

	for (; v >= 0x80; v >>= 7)
		n++;
	return n;
}

/* Write v at p, where VARINT_MAX_LEN bytes must be free; the place behind it. */
static inline uint8_t *
varint_put(uint8_t *p, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		*p++ = (uint8_t)(v | 0x80);
	*p++ = (uint8_t)v;
	return p;
}

static inline uint64_t
varint_zigzag(int64_t n)
{
	return ((uint64_t)n << 1) ^ (uint64_t)(n >> 63);
}

static inline int64_t
varint_unzigzag(uint64_t z)
{
	return (int64_t)(z >> 1) ^ -(int64_t)(z & 1);
}

/* wire_varint(), without a call for the most frequent case. */
static inline uint64_t
varint_get(struct wire *w)
{
	if (!w->bad && w->p < w->end && *w->p < 0x80)
		return *w->p++;
	return wire_varint(w);
}

/* wire_varint_max(), the same way. */
static inline uint64_t
varint_get_max(struct wire *w, uint64_t max)
{
	uint64_t v = varint_get(w);

	if (v > max) {
		w->bad = true;
		return 0;
	}
	return v;
}

#endif
