#ifndef HPKE_INTERNAL_H_
#define HPKE_INTERNAL_H_

#include "crypto.h"
#include "crypto_internal.h"

/* The inner steps of HPKE, for the published test vectors; hpke_seal() and hpke_open() of crypto.h are made of them. */

/* The other two are in the vectors only. */
#define HPKE_AES_128_GCM       0x0001
#define HPKE_AES_256_GCM       0x0002
#define HPKE_CHACHA20_POLY1305 0x0003

/* RFC 9180 section 4.1: the shared secret, for the sender (who has the ephemeral key) and for the recipient. */
int hpke_encap(const uint8_t ephemeral[KEY_LEN], const uint8_t public_key[KEY_LEN], uint8_t enc[KEY_LEN],
    uint8_t shared[KEY_LEN], struct error *);
int hpke_decap(const uint8_t private_key[KEY_LEN], const uint8_t enc[KEY_LEN], uint8_t shared[KEY_LEN], struct error *);

/* RFC 9180 section 5.1, mode base: the first key_len (at most 32) bytes of the key, and the base nonce. */
int hpke_schedule(const uint8_t shared[KEY_LEN], uint16_t aead_id, const void *info, size_t info_len, uint8_t *key,
    size_t key_len, uint8_t nonce[AEAD_NONCE_LEN], struct error *);

/* hpke_seal() with an ephemeral key of the caller's, which must be random and used once. */
int hpke_seal_with(const uint8_t ephemeral[KEY_LEN], const uint8_t public_key[KEY_LEN], const char *info,
    const void *aad, size_t aad_len, const void *plain, size_t len, uint8_t *out, struct error *);

#endif
