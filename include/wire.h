#ifndef WIRE_H_
#define WIRE_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A bounds-checked reader of foreign bytes with a sticky error.
 *
 * Past the end, or after a malformed varint (more than ten bytes or 64 bits), every read gives 0 or NULL and `bad`
 * stays set, so that a parser runs straight through and asks once.  Reads of counts must be checked against what is
 * left before memory is allocated: wire_count() does both.
 */
struct wire {
	const uint8_t *p;
	const uint8_t *end;
	bool bad;
};

void wire_init(struct wire *, const void *bytes, size_t len);
uint8_t wire_u8(struct wire *);
uint16_t wire_u16(struct wire *);
uint32_t wire_u32(struct wire *);
uint64_t wire_u64(struct wire *);
uint64_t wire_varint(struct wire *);
/* A varint that must be at most max; larger ones are bad. */
uint64_t wire_varint_max(struct wire *, uint64_t max);
int64_t wire_zigzag(struct wire *);
/* len bytes in place; NULL (and bad) when they are not there.  len 0 gives a pointer that is not NULL unless bad. */
const uint8_t *wire_bytes(struct wire *, size_t len);
/* A varint count of items that take at least item_size (>= 1) bytes each: bad when they cannot be there. */
size_t wire_count(struct wire *, size_t item_size);
size_t wire_left(const struct wire *);
/* Everything was read and nothing was bad. */
bool wire_done(const struct wire *);

/* Hexadecimal, lower case.  hex_decode: exactly len bytes from 2*len digits and a NUL behind; false otherwise. */
void hex_encode(char *out, const void *bytes, size_t len); /* writes 2*len digits and a NUL */
bool hex_decode(void *out, size_t len, const char *hex);

#endif
