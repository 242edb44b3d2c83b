/*
 * What a frame is: its types, the limits of a reference to one, and the bytes that bind a frame to its reference.
 */

#include <string.h>

#include "frame.h"
#include "frame_internal.h"
#include "le.h"
#include "pack.h"

/* Offsets and lengths stay below this, so that sums of two never overflow 32 bits. */
#define OBJECT_END (UINT32_C(1) << 31)

uint8_t
frame_pack_kind(uint8_t type)
{
	return type == FRAME_DATA || type == FRAME_BUNDLE ? 'p' : 'm';
}

bool
frame_ref_valid(const struct frame_ref *ref)
{
	if (ref->type < FRAME_DATA || ref->type > FRAME_TYPE_MAX)
		return false;
	if (ref->plen < 1 || ref->plen > FRAME_PLAIN_MAX)
		return false;
	if (ref->clen <= FRAME_OVERHEAD || ref->clen > ref->plen + FRAME_OVERHEAD)
		return false;
	return ref->offset >= PACK_HEADER_LEN && ref->offset <= OBJECT_END - ref->clen;
}

bool
frame_ref_equal(const struct frame_ref *a, const struct frame_ref *b)
{
	return a->seq == b->seq && a->ordinal == b->ordinal && a->offset == b->offset && a->clen == b->clen &&
	       a->plen == b->plen && a->type == b->type && memcmp(a->id, b->id, sizeof(a->id)) == 0 &&
	       memcmp(a->session, b->session, sizeof(a->session)) == 0;
}

void
frame_aad(uint8_t type, uint32_t plen, const uint8_t id[ID_SHORT], uint8_t out[FRAME_AAD_LEN])
{
	out[0] = type;
	le_put32(out + 1, plen);
	memcpy(out + 5, id, ID_SHORT);
}
