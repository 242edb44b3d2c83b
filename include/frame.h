#ifndef FRAME_H_
#define FRAME_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto.h"
#include "keys.h"

struct error;

/*
 * A frame: one piece of plaintext, compressed and sealed, as it lies in a pack (docs/format.md section 4).
 * This module knows one frame and one key; pack.h knows what surrounds it.
 */

enum frame_type {
	FRAME_DATA = 1,
	FRAME_BUNDLE = 2,
	FRAME_CATALOG = 3,
	FRAME_ROOT = 4,
	FRAME_SEGMENT = 5,
	FRAME_PACKLIST = 6,
	FRAME_CHECKPOINT = 7,
	FRAME_TYPE_MAX = 7,
	FRAME_FILE = 0x80 /* no frame: the type of the content id of a small file inside a bundle */
};

#define FRAME_PLAIN_MAX      (8u * 1024 * 1024)
#define FRAME_OVERHEAD       (1 + TAG_LEN)
#define FRAME_NO_COMPRESSION INT32_MIN

/* Where a frame lies, and what it is.  The kind of pack follows from the type. */
struct frame_ref {
	uint8_t session[SESSION_ID_LEN];
	uint32_t seq;
	uint32_t ordinal;
	uint32_t offset;
	uint32_t clen;
	uint32_t plen;
	uint8_t type;
	uint8_t id[ID_SHORT];
};

/* 'p' or 'm'. */
uint8_t frame_pack_kind(uint8_t type);
/* Type known, 1 <= plen <= FRAME_PLAIN_MAX, FRAME_OVERHEAD < clen <= plen + FRAME_OVERHEAD, offset behind the header
 * and offset + clen within 2^31. */
bool frame_ref_valid(const struct frame_ref *);
bool frame_ref_equal(const struct frame_ref *, const struct frame_ref *);
/* No frame is longer than this in a pack: stored frames need plen + FRAME_OVERHEAD, and longer compressed ones are
 * never kept. */
static inline size_t
frame_bound(size_t plen)
{
	return plen + FRAME_OVERHEAD;
}

/* Computes ids, compresses and seals.  One thread at a time. */
struct sealer;
/* level: zstd level, or FRAME_NO_COMPRESSION. */
int sealer_new(const struct volume_keys *, int level, struct sealer **out, struct error *);
/* The id of a plaintext under a type (also FRAME_FILE). */
int sealer_id(struct sealer *, uint8_t type, const void *plain, size_t len, uint8_t out[ID_LEN], struct error *);
/* The next frames are sealed with this key. */
int sealer_set_key(struct sealer *, const uint8_t pack_key[KEY_LEN], struct error *);
/* Write one frame to out (frame_bound(len) bytes of room) and its length to out_clen.  1 <= len <= FRAME_PLAIN_MAX. */
int sealer_seal(struct sealer *, uint32_t ordinal, uint8_t type, const uint8_t id[ID_LEN], const void *plain,
    size_t len, uint8_t *out, uint32_t *out_clen, struct error *);
void sealer_free(struct sealer *);

/* Opens and decompresses.  One thread at a time. */
struct opener;
int opener_new(struct opener **out, struct error *);
int opener_set_key(struct opener *, const uint8_t pack_key[KEY_LEN], struct error *);
/* sealed: ref->clen bytes, which are overwritten (decrypted in place); plain: ref->plen bytes.  ERR_CORRUPT when
 * anything is not as ref says. */
int opener_open(struct opener *, const struct frame_ref *ref, uint8_t *sealed, uint8_t *plain, struct error *);
void opener_free(struct opener *);

#endif
