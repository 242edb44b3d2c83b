#ifndef KEYRING_H_
#define KEYRING_H_

#include <stdint.h>

#include "keys.h"
#include "packlist.h"

struct error;
struct volume;

/*
 * Session keys for reading, found by session id.  A session is added from a manifest or packlist (its commitment is
 * authentic because the manifest is signed) and opened at first use. Safe from any thread.
 */
struct keyring;
int keyring_new(const struct volume *, struct keyring **out, struct error *);
/* The same again is fine; ERR_CORRUPT when it differs. */
int keyring_add(struct keyring *, const struct packlist_session *, struct error *);
/* A session whose key is at hand (the one that is being written).  ERR_USAGE when it is not sealed to any key of the
 * volume. */
int keyring_add_open(struct keyring *, const struct session_key *, struct error *);
/* ERR_CORRUPT when the session is unknown ("not named by the snapshot"). */
int keyring_pack_key(struct keyring *, uint8_t kind, const uint8_t session[SESSION_ID_LEN], uint32_t seq,
    uint8_t out[KEY_LEN], struct error *);
/* The volume's keys under which the session was written; they live as long as the volume. */
int keyring_volume_keys(
    struct keyring *, const uint8_t session[SESSION_ID_LEN], const struct volume_keys **out, struct error *);
void keyring_free(struct keyring *);

#endif
