#ifndef PACK_H_
#define PACK_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frame.h"

struct buf;
struct error;

/* Packs: docs/format.md section 4.  Pure bytes: no store, no threads. */

#define PACK_HEADER_LEN 176
#define PACK_FOOTER_LEN 32
#define PACK_RECORD_LEN 64
#define PACK_LEN_MAX    (256u * 1024 * 1024)
#define PACK_FRAMES_MAX (1u << 20)

struct pack_header {
	uint8_t kind; /* 'p' or 'm' */
	uint32_t seq;
	uint8_t volume[VOLUME_ID_LEN];
	uint8_t session[SESSION_ID_LEN];
	uint32_t epoch;
	uint8_t keyid[KEY_ID_LEN];
	uint8_t sealed[SEALED_LEN];
	uint8_t commitment[32];
};

struct pack_record {
	uint8_t id[ID_LEN];
	uint8_t type;
	uint32_t offset, clen, plen;
	uint64_t path_hash, file_offset;
};

/* "v/<volume>/<kind>/<session>/<seq>" */
#define PACK_NAME_LEN 96
void pack_name(const uint8_t volume[VOLUME_ID_LEN], uint8_t kind, const uint8_t session[SESSION_ID_LEN], uint32_t seq,
    char out[PACK_NAME_LEN]);

/* n rounded up to the next PADME length. */
uint64_t pack_padme(uint64_t n);

/*
 * A pack under construction, in a buffer of fixed capacity allocated once.  It is used again for pack after pack;
 * memory that was never written is never touched.  One owner at a time.
 */
struct pack;
/* capacity: the largest object, padding included (64 KiB .. PACK_LEN_MAX). */
int pack_new(size_t capacity, struct pack **out, struct error *);
/* Forget the old content and start a pack.  keys and key must outlive it; sets the sealer's key. */
int pack_begin(struct pack *, const struct volume_keys *keys, const struct session_key *key, uint8_t kind, uint32_t seq,
    struct sealer *, struct error *);
/* Whether a frame of this plain length surely fits, with trailer, footer and padding. */
bool pack_fits(const struct pack *, size_t plen);
size_t pack_frames(const struct pack *);
/* Seal one frame into the pack.  ref is filled in.  ERR_NOMEM when it does not fit.  The sealer must be the one given
 * to pack_begin() or have its key. */
int pack_add(struct pack *, struct sealer *, uint8_t type, const uint8_t id[ID_LEN], const void *plain, size_t len,
    uint64_t path_hash, uint64_t file_offset, struct frame_ref *out_ref, struct error *);
/* Add trailer, padding and footer; the object is then pack_bytes()[0..pack_len()), valid until the next pack_begin().
 */
int pack_finish(struct pack *, struct error *);
const uint8_t *pack_bytes(const struct pack *);
size_t pack_len(const struct pack *);
const struct pack_header *pack_header(const struct pack *);
/* The i-th frame's record and reference. */
const struct pack_record *pack_record(const struct pack *, size_t i);
void pack_ref(const struct pack *, size_t i, struct frame_ref *out);
void pack_free(struct pack *);

/* Reading.  header_parse: PACK_HEADER_LEN bytes. */
int pack_header_parse(const uint8_t *bytes, struct pack_header *out, struct error *);
/* The last PACK_FOOTER_LEN bytes of an object of object_len bytes whose header is given: where the trailer is. */
int pack_footer_parse(const uint8_t *header, const uint8_t *footer, uint64_t object_len, uint32_t *out_offset,
    uint32_t *out_len, struct error *);
/* Open a trailer (len bytes, overwritten).  Records lie in order, from the header on, without overlap or gap, before
 * trailer_offset.  *out is malloc'ed. */
int pack_trailer_open(const uint8_t pack_key[KEY_LEN], const uint8_t *header, uint32_t trailer_offset, uint8_t *sealed,
    size_t len, struct pack_record **out, size_t *out_count, struct error *);

#endif
