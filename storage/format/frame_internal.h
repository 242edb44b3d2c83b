#ifndef FRAME_INTERNAL_H_
#define FRAME_INTERNAL_H_

#include <stdint.h>

#include "crypto.h"

/* What sealer.c and opener.c must agree on. */

/* The first byte of what is sealed: how the rest of it gives the plaintext. */
enum frame_method { FRAME_STORED = 0, FRAME_ZSTD = 1 };

/* What is authenticated with a frame but not in it: type u8 || plen u32 || first 16 bytes of the id. */
#define FRAME_AAD_LEN (1 + 4 + ID_SHORT)
void frame_aad(uint8_t type, uint32_t plen, const uint8_t id[ID_SHORT], uint8_t out[FRAME_AAD_LEN]);

#endif
