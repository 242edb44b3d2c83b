#ifndef KEYS_H_
#define KEYS_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto.h"

struct buf;
struct error;

/* The tree of keys of docs/format.md section 2.  Plain structures without allocation; keys_*_wipe() clears them. */

#define VOLUME_ID_LEN     16
#define SESSION_ID_LEN    16
#define REPOSITORY_ID_LEN 16
#define KEY_ID_LEN        8
#define SLOT_ID_LEN       8
#define SEALED_LEN        (KEY_LEN + HPKE_OVERHEAD) /* a sealed session key: 80 bytes */
#define VOLUME_NAME_MAX   255

struct root_key {
	uint8_t repository[REPOSITORY_ID_LEN];
	uint8_t key[KEY_LEN];
	uint8_t admin_seed[KEY_LEN];
	uint8_t admin_public[KEY_LEN];
};

struct volume_keys {
	uint8_t volume[VOLUME_ID_LEN];
	uint32_t epoch;
	uint8_t keyid[KEY_ID_LEN];
	char name[VOLUME_NAME_MAX + 1];
	uint8_t secret[KEY_LEN];
	uint8_t chunk_id[KEY_LEN];
	uint8_t gear[KEY_LEN];
	uint8_t manifest[KEY_LEN];
	uint8_t state[KEY_LEN];
	uint8_t seal_private[KEY_LEN], seal_public[KEY_LEN];
	uint8_t sign_seed[KEY_LEN], sign_public[KEY_LEN];
};

/* The key of one session, as its writer made it or as a reader opened it. */
struct session_key {
	uint8_t session[SESSION_ID_LEN];
	uint8_t key[KEY_LEN];
	uint8_t sealed[SEALED_LEN];
	uint8_t commitment[32];
};

/* Fill in what follows from repository and key. */
int root_key_derive(struct root_key *, struct error *);
void root_key_wipe(struct root_key *);
int root_key_volume_id(const struct root_key *, const char *name, uint8_t out[VOLUME_ID_LEN], struct error *);

/* Fill in what follows from volume, epoch, keyid and secret. */
int volume_keys_derive(struct volume_keys *, struct error *);
void volume_keys_wipe(struct volume_keys *);
/* volume || epoch u32 || keyid: the context VC of the format. */
#define VOLUME_CONTEXT_LEN (VOLUME_ID_LEN + 4 + KEY_ID_LEN)
void volume_keys_context(const struct volume_keys *, uint8_t out[VOLUME_CONTEXT_LEN]);

/* A volume name is 1 to 255 bytes of printable ASCII without space, '/' allowed inside.  ERR_USAGE otherwise. */
int volume_name_check(const char *name, struct error *);

/* The volume key object (a signed envelope, format.md section 3): a new one with a random secret; and one that was
 * read. */
int volume_keys_create(const struct root_key *, const char *name, uint32_t epoch, int64_t now_s,
    struct volume_keys *out, struct buf *out_object, struct error *);
int volume_keys_parse(const struct root_key *, const void *object, size_t len, struct volume_keys *out, struct error *);

/* Random session id and key, sealed to the volume. */
int session_key_create(const struct volume_keys *, struct session_key *out, struct error *);
/* From session, sealed and commitment: open and check the key.  ERR_CORRUPT when it does not open or is not the
 * committed one. */
int session_key_open(const struct volume_keys *, struct session_key *, struct error *);
void session_key_wipe(struct session_key *);
/* The AEAD key of one pack. */
int session_key_pack(const struct session_key *, const uint8_t volume[VOLUME_ID_LEN], uint8_t kind, uint32_t seq,
    uint8_t out[KEY_LEN], struct error *);

#endif
