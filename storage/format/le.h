#ifndef LE_H_
#define LE_H_

#include <stdint.h>

/* Little-endian numbers into memory of fixed layout; wire.h reads them, buf.h appends them. */

static inline void
le_put32(uint8_t *out, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		out[i] = (uint8_t)(value >> (8 * i));
}

static inline void
le_put64(uint8_t *out, uint64_t value)
{
	for (int i = 0; i < 8; i++)
		out[i] = (uint8_t)(value >> (8 * i));
}

#endif
