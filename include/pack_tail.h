#ifndef PACK_TAIL_H_
#define PACK_TAIL_H_

#include <stdint.h>

#include "pack.h"

struct error;
struct store;

/*
 * The end of a pack in a store: trailer and footer, fetched with one get as long as the trailer is not longer than one
 * usually is with its padding, and with two otherwise.
 */
struct pack_tail {
	uint8_t *bytes; /* malloc'ed, with all that was fetched */
	uint8_t *sealed; /* the trailer in it, for pack_trailer_open() */
	uint32_t offset, len; /* of the trailer in the pack */
	uint64_t fetched; /* so many bytes came from the store */
};

/* object_len: of the whole object, from PACK_HEADER_LEN + PACK_FOOTER_LEN to PACK_LEN_MAX.  header: its header, read
 * and checked.  ERR_CORRUPT when the footer is of no pack of that header and length.  Wiped by the caller also when it
 * fails. */
int pack_tail_fetch(struct store *, const char *name, uint64_t object_len, const uint8_t header[PACK_HEADER_LEN],
    struct pack_tail *out, struct error *);
void pack_tail_wipe(struct pack_tail *);

#endif
