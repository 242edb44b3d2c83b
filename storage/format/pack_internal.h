#ifndef PACK_INTERNAL_H_
#define PACK_INTERNAL_H_

#include <stdint.h>

#include "pack.h"

/* The layout that pack.c writes and pack_read.c reads. */

#define PACK_VERSION         1
#define PACK_SUITE           1
#define PACK_MAGIC           "SFPK"
#define PACK_END_MAGIC       "SFPKEND1"
#define PACK_CHECK_LEN       16
#define PACK_TRAILER_HEAD    8 /* count u32 || reserved u32 */
#define PACK_TRAILER_ORDINAL (UINT64_C(1) << 63)

/* What the footer carries to be told from other bytes: the first bytes of SHA-256(header || offset || length). */
int pack_check(
    const uint8_t header[PACK_HEADER_LEN], uint32_t offset, uint32_t len, uint8_t out[PACK_CHECK_LEN], struct error *);

#endif
