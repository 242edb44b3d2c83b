#ifndef CRYPTO_H_
#define CRYPTO_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;

/* The cryptography that the format uses, as thin calls on OpenSSL's EVP interface.  All failures other than "does not
 * open" and "does not verify" are ERR_SYSTEM with OpenSSL's reason.  Stateless functions are safe from any thread;
 * contexts belong to one thread at a time. */

#define KEY_LEN       32
#define ID_LEN        32 /* a full chunk id */
#define ID_SHORT      16 /* what references carry */
#define TAG_LEN       16
#define HPKE_OVERHEAD 48 /* encapsulated key and tag */
#define SIGNATURE_LEN 64

int crypto_random(void *out, size_t len, struct error *);
/* Overwrite secrets so that the compiler cannot leave it out. */
void crypto_wipe(void *bytes, size_t len);
/* Compare in constant time. */
bool crypto_equal(const void *a, const void *b, size_t len);

int crypto_sha256(const void *bytes, size_t len, uint8_t out[32], struct error *);
/* HMAC-SHA256 with a key of any length but 0. */
int crypto_hmac_sha256(const void *key, size_t key_len, const void *bytes, size_t len, uint8_t out[32], struct error *);
/* For protocols that want it as a checksum; protects against nobody. */
int crypto_md5(const void *bytes, size_t len, uint8_t out[16], struct error *);
/* K(key, label, context) of docs/format.md section 2. */
int crypto_derive(const uint8_t key[KEY_LEN], const char *label, const void *context, size_t context_len,
    uint8_t out[KEY_LEN], struct error *);
/* RFC 7914; ERR_NOMEM when the parameters need more than 1 GiB. */
int crypto_scrypt(const void *passphrase, size_t len, const uint8_t salt[32], unsigned log_n, unsigned r, unsigned p,
    uint8_t out[KEY_LEN], struct error *);

/* Ed25519 (RFC 8032) and X25519 (RFC 7748) from 32 byte seeds and private keys. */
int crypto_sign_public(const uint8_t seed[KEY_LEN], uint8_t out_public[KEY_LEN], struct error *);
int crypto_sign(const uint8_t seed[KEY_LEN], const void *bytes, size_t len, uint8_t out[SIGNATURE_LEN], struct error *);
/* 0, or ERR_CORRUPT when the signature is not valid. */
int crypto_verify(const uint8_t public_key[KEY_LEN], const void *bytes, size_t len,
    const uint8_t signature[SIGNATURE_LEN], struct error *);
int crypto_seal_public(const uint8_t private_key[KEY_LEN], uint8_t out_public[KEY_LEN], struct error *);

/*
 * RFC 9180 single shot, base mode, X25519 / HKDF-SHA256 / AES-256-GCM.  out: len + HPKE_OVERHEAD bytes (enc ||
 * ciphertext || tag). hpke_open gives len - HPKE_OVERHEAD bytes, or ERR_CORRUPT.
 */
int hpke_seal(const uint8_t public_key[KEY_LEN], const char *info, const void *aad, size_t aad_len, const void *plain,
    size_t len, uint8_t *out, struct error *);
int hpke_open(const uint8_t private_key[KEY_LEN], const char *info, const void *aad, size_t aad_len, const void *sealed,
    size_t len, uint8_t *out, struct error *);

/* HMAC-SHA256 with one key, many messages: type || bytes. */
struct mac;
int mac_new(const uint8_t key[KEY_LEN], struct mac **out, struct error *);
/* HMAC(key, prefix || bytes), in one call without copying bytes. */
int mac_compute(struct mac *, const void *prefix, size_t prefix_len, const void *bytes, size_t len, uint8_t out[ID_LEN],
    struct error *);
void mac_free(struct mac *);

/* AES-256-GCM with a reusable context. */
struct aead;
int aead_new(struct aead **out, struct error *);
int aead_set_key(struct aead *, const uint8_t key[KEY_LEN], struct error *);
/* out: len + TAG_LEN bytes; may be the same memory as plain.  nonce: u32 zero || ordinal big-endian.  Never seal two
 * messages with one key and ordinal. */
int aead_seal(struct aead *, uint64_t ordinal, const void *aad, size_t aad_len, const void *plain, size_t len,
    uint8_t *out, struct error *);
/* len counts the tag; out: len - TAG_LEN bytes, may be the same memory.  ERR_CORRUPT when it does not open; out then
 * holds zeros. */
int aead_open(struct aead *, uint64_t ordinal, const void *aad, size_t aad_len, const void *sealed, size_t len,
    uint8_t *out, struct error *);
void aead_free(struct aead *);
/* One message with a key of its own: ordinal 0. */
int aead_seal_once(const uint8_t key[KEY_LEN], const void *aad, size_t aad_len, const void *plain, size_t len,
    uint8_t *out, struct error *);
int aead_open_once(const uint8_t key[KEY_LEN], const void *aad, size_t aad_len, const void *sealed, size_t len,
    uint8_t *out, struct error *);

#endif
