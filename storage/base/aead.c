/*
 * AES-256-GCM with contexts that are used again and again.
 *
 * Sealing and opening have a context each, keyed when first used: a writer never pays for the other direction, and
 * no context ever changes direction without its key being set anew.
 */
#include "crypto.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "cleanup.h"
#include "crypto_internal.h"
#include "error.h"

enum direction { OPEN = 0, SEAL = 1 };

struct aead {
	const struct crypto_algorithms *algorithms;
	EVP_CIPHER_CTX *ctx[2];
	bool keyed[2];
	bool has_key;
	uint8_t key[KEY_LEN];
};

static void
aead_clear(struct aead *a)
{
	EVP_CIPHER_CTX_free(a->ctx[OPEN]);
	EVP_CIPHER_CTX_free(a->ctx[SEAL]);
	crypto_wipe(a->key, sizeof(a->key));
}

int
aead_new(struct aead **out, struct error *err)
{
	const struct crypto_algorithms *algorithms;
	struct aead *a;
	int r = crypto_algorithms(&algorithms, err);

	if (r < 0)
		return r;
	a = calloc(1, sizeof(*a));
	if (a == NULL)
		return error_nomem(err);
	a->algorithms = algorithms;
	*out = a;
	return 0;
}

void
aead_free(struct aead *a)
{
	if (a == NULL)
		return;
	aead_clear(a);
	free(a);
}

int
aead_set_key(struct aead *a, const uint8_t key[KEY_LEN], struct error *err)
{
	(void)err;
	memcpy(a->key, key, KEY_LEN);
	a->has_key = true;
	a->keyed[OPEN] = false;
	a->keyed[SEAL] = false;
	return 0;
}

static void
nonce_of(uint64_t ordinal, uint8_t out[AEAD_NONCE_LEN])
{
	memset(out, 0, AEAD_NONCE_LEN);
	for (size_t i = 0; i < 8; i++)
		out[AEAD_NONCE_LEN - 1 - i] = (uint8_t)(ordinal >> (8 * i));
}

/* Make the context of one direction ready for a message. */
static int
start(struct aead *a, enum direction d, const uint8_t nonce[AEAD_NONCE_LEN], struct error *err)
{
	if (!a->has_key)
		return error_set(err, ERR_USAGE, "AES-256-GCM has no key yet");
	if (a->ctx[d] == NULL) {
		a->ctx[d] = EVP_CIPHER_CTX_new();
		if (a->ctx[d] == NULL)
			return error_nomem(err);
		if (EVP_CipherInit_ex2(a->ctx[d], a->algorithms->aes_256_gcm, NULL, NULL, d, NULL) != 1) {
			EVP_CIPHER_CTX_free(STEAL(a->ctx[d]));
			return crypto_fail(err, "AES-256-GCM");
		}
	}
	if (EVP_CipherInit_ex2(a->ctx[d], NULL, a->keyed[d] ? NULL : a->key, nonce, d, NULL) != 1)
		return crypto_fail(err, "AES-256-GCM");
	a->keyed[d] = true;
	return 0;
}

/* Feed len bytes; out is NULL for additional data. */
static int
update(EVP_CIPHER_CTX *ctx, uint8_t *out, const void *bytes, size_t len, struct error *err)
{
	int n;

	if (len == 0)
		return 0;
	if (EVP_CipherUpdate(ctx, out, &n, bytes, (int)len) != 1 || (size_t)n != len)
		return crypto_fail(err, "AES-256-GCM");
	return 0;
}

static int
check_lengths(size_t aad_len, size_t len, struct error *err)
{
	if (aad_len > INT_MAX || len > INT_MAX - TAG_LEN)
		return error_set(
		    err, ERR_USAGE, "%zu bytes are too long for one AES-256-GCM message", MAX(aad_len, len));
	return 0;
}

int
aead_seal_nonce(struct aead *a, const uint8_t nonce[AEAD_NONCE_LEN], const void *aad, size_t aad_len, const void *plain,
    size_t len, uint8_t *out, struct error *err)
{
	int n, r = check_lengths(aad_len, len, err);

	if (r == 0)
		r = start(a, SEAL, nonce, err);
	if (r == 0)
		r = update(a->ctx[SEAL], NULL, aad, aad_len, err);
	if (r == 0)
		r = update(a->ctx[SEAL], out, plain, len, err);
	if (r < 0)
		return r;
	if (EVP_CipherFinal_ex(a->ctx[SEAL], out + len, &n) != 1 ||
	    EVP_CIPHER_CTX_ctrl(a->ctx[SEAL], EVP_CTRL_AEAD_GET_TAG, TAG_LEN, out + len) != 1)
		return crypto_fail(err, "AES-256-GCM");
	return 0;
}

/* The part of aead_open() behind the checks; on failure out holds plaintext that nobody must see. */
static int
open_into(struct aead *a, const uint8_t nonce[AEAD_NONCE_LEN], const void *aad, size_t aad_len, const uint8_t *sealed,
    size_t len, uint8_t *out, struct error *err)
{
	uint8_t tag[TAG_LEN], none;
	int n, r = start(a, OPEN, nonce, err);

	/* Kept aside: out may be the memory of sealed. */
	memcpy(tag, sealed + len, TAG_LEN);
	if (r == 0)
		r = update(a->ctx[OPEN], NULL, aad, aad_len, err);
	if (r == 0)
		r = update(a->ctx[OPEN], out, sealed, len, err);
	if (r < 0)
		return r;
	if (EVP_CIPHER_CTX_ctrl(a->ctx[OPEN], EVP_CTRL_AEAD_SET_TAG, TAG_LEN, tag) != 1)
		return crypto_fail(err, "AES-256-GCM");
	if (EVP_CipherFinal_ex(a->ctx[OPEN], &none, &n) != 1)
		return crypto_fail_as(err, ERR_CORRUPT, "sealed bytes do not open: they are damaged or not ours");
	return 0;
}

int
aead_open_nonce(struct aead *a, const uint8_t nonce[AEAD_NONCE_LEN], const void *aad, size_t aad_len,
    const void *sealed, size_t len, uint8_t *out, struct error *err)
{
	int r;

	if (len < TAG_LEN)
		return error_set(err, ERR_CORRUPT, "sealed bytes are shorter than their tag");
	r = check_lengths(aad_len, len - TAG_LEN, err);
	if (r < 0)
		return r;
	r = open_into(a, nonce, aad, aad_len, sealed, len - TAG_LEN, out, err);
	if (r < 0 && len > TAG_LEN)
		crypto_wipe(out, len - TAG_LEN);
	return r;
}

int
aead_seal(struct aead *a, uint64_t ordinal, const void *aad, size_t aad_len, const void *plain, size_t len,
    uint8_t *out, struct error *err)
{
	uint8_t nonce[AEAD_NONCE_LEN];

	nonce_of(ordinal, nonce);
	return aead_seal_nonce(a, nonce, aad, aad_len, plain, len, out, err);
}

int
aead_open(struct aead *a, uint64_t ordinal, const void *aad, size_t aad_len, const void *sealed, size_t len,
    uint8_t *out, struct error *err)
{
	uint8_t nonce[AEAD_NONCE_LEN];

	nonce_of(ordinal, nonce);
	return aead_open_nonce(a, nonce, aad, aad_len, sealed, len, out, err);
}

int
aead_seal_once(const uint8_t key[KEY_LEN], const void *aad, size_t aad_len, const void *plain, size_t len, uint8_t *out,
    struct error *err)
{
	CLEANUP(aead_clear) struct aead a = {0};
	int r = crypto_algorithms(&a.algorithms, err);

	if (r == 0)
		r = aead_set_key(&a, key, err);
	if (r == 0)
		r = aead_seal(&a, 0, aad, aad_len, plain, len, out, err);
	return r;
}

int
aead_open_once(const uint8_t key[KEY_LEN], const void *aad, size_t aad_len, const void *sealed, size_t len,
    uint8_t *out, struct error *err)
{
	CLEANUP(aead_clear) struct aead a = {0};
	int r = crypto_algorithms(&a.algorithms, err);

	if (r == 0)
		r = aead_set_key(&a, key, err);
	if (r == 0)
		r = aead_open(&a, 0, aad, aad_len, sealed, len, out, err);
	return r;
}
