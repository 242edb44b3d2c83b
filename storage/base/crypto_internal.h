#ifndef CRYPTO_INTERNAL_H_
#define CRYPTO_INTERNAL_H_

#include "crypto.h"

#include <openssl/types.h>

#include "error.h"

/* What the files that implement crypto.h share, and nobody else sees. */

/* Fetched once for the whole process: a fetch walks the providers and takes locks. */
struct crypto_algorithms {
	EVP_MD *sha256;
	EVP_MAC *hmac;
	EVP_KDF *scrypt;
	EVP_CIPHER *aes_256_gcm;
};

/* Give the algorithms; ERR_SYSTEM when OpenSSL has one of them switched off. */
int crypto_algorithms(const struct crypto_algorithms **out, struct error *);

/* Turn the oldest error of OpenSSL's queue of this thread into ours, "<what>: <reason>", and empty the queue. */
int crypto_fail(struct error *, const char *what);
/* The same for "it does not open": code, unless memory ran out. */
int crypto_fail_as(struct error *, enum error_code code, const char *what);

/* One stretch of a message that is not contiguous. */
struct crypto_piece {
	const void *bytes;
	size_t len;
};

/* HMAC-SHA256 of all pieces behind each other.  An empty HMAC key is the same as one of zeros. */
int crypto_hmac(const uint8_t key[KEY_LEN], const struct crypto_piece *, size_t count, uint8_t out[32], struct error *);

/* aead_seal() and aead_open() with any nonce. */
#define AEAD_NONCE_LEN 12
int aead_seal_nonce(struct aead *, const uint8_t nonce[AEAD_NONCE_LEN], const void *aad, size_t aad_len,
    const void *plain, size_t len, uint8_t *out, struct error *);
int aead_open_nonce(struct aead *, const uint8_t nonce[AEAD_NONCE_LEN], const void *aad, size_t aad_len,
    const void *sealed, size_t len, uint8_t *out, struct error *);

/* The X25519 function.  ERR_CORRUPT when the public key is a point of low order, which makes the result zero. */
int crypto_exchange(
    const uint8_t private_key[KEY_LEN], const uint8_t public_key[KEY_LEN], uint8_t out[KEY_LEN], struct error *);

#endif
