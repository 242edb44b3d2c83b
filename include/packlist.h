#ifndef PACKLIST_H_
#define PACKLIST_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "frame.h"

struct error;

/*
 * The packs that a snapshot needs, with the keys of their sessions: docs/format.md section 7.
 *
 * An export starts with its parent's list, adds what it refers to newly and subtracts what it no longer refers to; live
 * bytes are linear, so that the sum is exact.  16 bytes of memory a pack.  Not safe for several threads.
 */
struct packlist;

struct packlist_pack {
	uint8_t session[SESSION_ID_LEN];
	uint8_t kind;
	uint32_t seq;
	uint64_t object_len;
	uint64_t live;
};

struct packlist_session {
	uint8_t session[SESSION_ID_LEN];
	uint32_t epoch;
	uint8_t keyid[KEY_ID_LEN];
	uint8_t sealed[SEALED_LEN];
	uint8_t commitment[32];
};

int packlist_new(struct packlist **out, struct error *);
int packlist_decode(const void *bytes, size_t len, struct packlist **out, struct error *);
/* Packs without live bytes, and sessions without packs, are left out.  ERR_USAGE when the length of another pack was
 * never set; ERR_NOMEM when it is too long for a reader. */
int packlist_encode(struct packlist *, struct buf *out, struct error *);
/* What one may cost: decoded, with what it is decoded from, less than PACKLIST_MEMORY_MAX, whatever it claims. */
#define PACKLIST_ENCODED_MAX  (64u * 1024 * 1024)
#define PACKLIST_SESSIONS_MAX (128u * 1024)
#define PACKLIST_PACKS_MAX    (8u * 1024 * 1024)
#define PACKLIST_MEMORY_MAX   (240u * 1024 * 1024)

/* Make a session known (the same again is fine; ERR_CORRUPT when it differs). */
int packlist_add_session(struct packlist *, const struct packlist_session *, struct error *);
/* NULL when unknown; valid until the next add. */
const struct packlist_session *packlist_session(const struct packlist *, const uint8_t session[SESSION_ID_LEN]);
/* Set the object length of a pack of a known session: 1..PACK_LEN_MAX, else ERR_CORRUPT. */
int packlist_set_len(struct packlist *, uint8_t kind, const uint8_t session[SESSION_ID_LEN], uint32_t seq,
    uint64_t object_len, struct error *);
/* One reference more or less to len bytes of a frame.  ERR_CORRUPT when more goes than came, or the session is unknown.
 */
int packlist_add(struct packlist *, const struct frame_ref *, uint64_t len, struct error *);
int packlist_sub(struct packlist *, const struct frame_ref *, uint64_t len, struct error *);
/* False when the pack is not in the list or has no live bytes. */
bool packlist_find(const struct packlist *, uint8_t kind, const uint8_t session[SESSION_ID_LEN], uint32_t seq,
    struct packlist_pack *out);
/* All packs with live bytes, by session, kind (data first) and seq.  fn returns 0 to go on. */
int packlist_each(
    struct packlist *, int (*fn)(void *arg, const struct packlist_pack *, struct error *), void *arg, struct error *);
/* How many packs have live bytes. */
size_t packlist_count(const struct packlist *);
/* The next session, for (i = 0; ...; i++); NULL behind the last. */
const struct packlist_session *packlist_session_at(const struct packlist *, size_t i);
void packlist_free(struct packlist *);

#endif
