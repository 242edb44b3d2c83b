#ifndef BLOCK_INTERNAL_H_
#define BLOCK_INTERNAL_H_

#include <stdint.h>

/* What block_encode.c and block_decode.c agree on: docs/format.md section 6. */

#define BLOCK_MAGIC     "C\1"
#define BLOCK_MAGIC_LEN 2

/* Bits of an entry's first byte. */
#define HEAD_TYPE       0x0F
#define HEAD_XATTRS     0x10
#define HEAD_LINKS      0x20
#define HEAD_FLAGS      0x40
#define HEAD_SAME_OWNER 0x80

#define NANOSECONDS 1000000000u

/* The values that the next entry is compared with. */
struct block_before {
	uint8_t type;
	uint32_t mode, uid, gid;
	uint64_t ino;
	int64_t mtime_s;
};

/* Differences of times and inodes are taken modulo 2^64, so that every value can be written. */
static inline int64_t
block_difference(uint64_t a, uint64_t b)
{
	return (int64_t)(a - b);
}

#endif
