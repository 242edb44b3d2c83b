/*
 * Hybrid public key encryption, RFC 9180: single shot, mode base, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM.
 *
 * Composed by hand because OpenSSL has it only from 3.2 on.  Every output that this suite needs has at most 32 bytes,
 * so HKDF's expand is always one HMAC.
 */
#include "hpke_internal.h"

#include <string.h>

#include "cleanup.h"
#include "crypto_internal.h"
#include "error.h"

#define KEM_ID    0x0020
#define KDF_ID    0x0001
#define MODE_BASE 0
#define HASH_LEN  32
#define SUITE_MAX 10

static const char version_label[] = "HPKE-v1";
static const uint8_t no_salt[KEY_LEN];

/* "KEM" || kem, or "HPKE" || kem || kdf || aead: keeps the derivations of different suites apart. */
struct suite {
	uint8_t bytes[SUITE_MAX];
	size_t len;
};

static const struct suite kem_suite = {{'K', 'E', 'M', KEM_ID >> 8, KEM_ID & 0xff}, 5};

static struct suite
hpke_suite(uint16_t aead_id)
{
	return (struct suite){{'H', 'P', 'K', 'E', KEM_ID >> 8, KEM_ID & 0xff, KDF_ID >> 8, KDF_ID & 0xff,
				  (uint8_t)(aead_id >> 8), (uint8_t)aead_id},
	    10};
}

/* Sections 4: LabeledExtract. */
static int
labeled_extract(const struct suite *suite, const uint8_t salt[KEY_LEN], const char *label, const void *ikm,
    size_t ikm_len, uint8_t out[HASH_LEN], struct error *err)
{
	const struct crypto_piece pieces[] = {
	    {version_label, sizeof(version_label) - 1},
	    {suite->bytes, suite->len},
	    {label, strlen(label)},
	    {ikm, ikm_len},
	};

	return crypto_hmac(salt, pieces, COUNT_OF(pieces), out, err);
}

/* Section 4: LabeledExpand, for out_len of at most HASH_LEN. */
static int
labeled_expand(const struct suite *suite, const uint8_t prk[HASH_LEN], const char *label, const void *info,
    size_t info_len, uint8_t *out, size_t out_len, struct error *err)
{
	const uint8_t length[2] = {(uint8_t)(out_len >> 8), (uint8_t)out_len};
	static const uint8_t first = 1;
	const struct crypto_piece pieces[] = {
	    {length, sizeof(length)},
	    {version_label, sizeof(version_label) - 1},
	    {suite->bytes, suite->len},
	    {label, strlen(label)},
	    {info, info_len},
	    {&first, 1},
	};
	uint8_t block[HASH_LEN];
	int r;

	if (out_len > HASH_LEN)
		return error_set(err, ERR_USAGE, "HPKE: %zu bytes are more than one block", out_len);
	r = crypto_hmac(prk, pieces, COUNT_OF(pieces), block, err);
	if (r == 0)
		memcpy(out, block, out_len);
	crypto_wipe(block, sizeof(block));
	return r;
}

/* The same on both sides once the Diffie-Hellman value is known. */
static int
shared_secret(const uint8_t private_key[KEY_LEN], const uint8_t peer[KEY_LEN], const uint8_t enc[KEY_LEN],
    const uint8_t recipient[KEY_LEN], uint8_t out[KEY_LEN], struct error *err)
{
	uint8_t dh[KEY_LEN], prk[HASH_LEN], context[2 * KEY_LEN];
	int r = crypto_exchange(private_key, peer, dh, err);

	memcpy(context, enc, KEY_LEN);
	memcpy(context + KEY_LEN, recipient, KEY_LEN);
	if (r == 0)
		r = labeled_extract(&kem_suite, no_salt, "eae_prk", dh, sizeof(dh), prk, err);
	if (r == 0)
		r = labeled_expand(&kem_suite, prk, "shared_secret", context, sizeof(context), out, KEY_LEN, err);
	crypto_wipe(dh, sizeof(dh));
	crypto_wipe(prk, sizeof(prk));
	return r;
}

int
hpke_encap(const uint8_t ephemeral[KEY_LEN], const uint8_t public_key[KEY_LEN], uint8_t enc[KEY_LEN],
    uint8_t shared[KEY_LEN], struct error *err)
{
	int r = crypto_seal_public(ephemeral, enc, err);

	if (r < 0)
		return r;
	return shared_secret(ephemeral, public_key, enc, public_key, shared, err);
}

int
hpke_decap(const uint8_t private_key[KEY_LEN], const uint8_t enc[KEY_LEN], uint8_t shared[KEY_LEN], struct error *err)
{
	uint8_t recipient[KEY_LEN];
	int r = crypto_seal_public(private_key, recipient, err);

	if (r < 0)
		return r;
	return shared_secret(private_key, enc, enc, recipient, shared, err);
}

int
hpke_schedule(const uint8_t shared[KEY_LEN], uint16_t aead_id, const void *info, size_t info_len, uint8_t *key,
    size_t key_len, uint8_t nonce[AEAD_NONCE_LEN], struct error *err)
{
	const struct suite suite = hpke_suite(aead_id);
	uint8_t context[1 + 2 * HASH_LEN] = {MODE_BASE};
	uint8_t secret[HASH_LEN];
	int r = labeled_extract(&suite, no_salt, "psk_id_hash", NULL, 0, context + 1, err);

	if (r == 0)
		r = labeled_extract(&suite, no_salt, "info_hash", info, info_len, context + 1 + HASH_LEN, err);
	if (r == 0)
		r = labeled_extract(&suite, shared, "secret", NULL, 0, secret, err);
	if (r == 0)
		r = labeled_expand(&suite, secret, "key", context, sizeof(context), key, key_len, err);
	if (r == 0)
		r = labeled_expand(&suite, secret, "base_nonce", context, sizeof(context), nonce, AEAD_NONCE_LEN, err);
	crypto_wipe(secret, sizeof(secret));
	return r;
}

static void
aead_freep(struct aead **a)
{
	aead_free(*a);
}

/* An AEAD with the key of this message, and the nonce for its only use. */
static int
message_aead(const uint8_t shared[KEY_LEN], const char *info, struct aead **out, uint8_t nonce[AEAD_NONCE_LEN],
    struct error *err)
{
	uint8_t key[KEY_LEN];
	int r = hpke_schedule(shared, HPKE_AES_256_GCM, info, strlen(info), key, sizeof(key), nonce, err);

	if (r == 0)
		r = aead_new(out, err);
	if (r == 0)
		r = aead_set_key(*out, key, err);
	crypto_wipe(key, sizeof(key));
	return r;
}

int
hpke_seal_with(const uint8_t ephemeral[KEY_LEN], const uint8_t public_key[KEY_LEN], const char *info, const void *aad,
    size_t aad_len, const void *plain, size_t len, uint8_t *out, struct error *err)
{
	CLEANUP(aead_freep) struct aead *a = NULL;
	uint8_t shared[KEY_LEN], nonce[AEAD_NONCE_LEN];
	int r = hpke_encap(ephemeral, public_key, out, shared, err);

	if (r == 0)
		r = message_aead(shared, info, &a, nonce, err);
	if (r == 0)
		r = aead_seal_nonce(a, nonce, aad, aad_len, plain, len, out + KEY_LEN, err);
	crypto_wipe(shared, sizeof(shared));
	return r;
}

int
hpke_seal(const uint8_t public_key[KEY_LEN], const char *info, const void *aad, size_t aad_len, const void *plain,
    size_t len, uint8_t *out, struct error *err)
{
	uint8_t ephemeral[KEY_LEN];
	int r = crypto_random(ephemeral, sizeof(ephemeral), err);

	if (r == 0)
		r = hpke_seal_with(ephemeral, public_key, info, aad, aad_len, plain, len, out, err);
	crypto_wipe(ephemeral, sizeof(ephemeral));
	return r;
}

int
hpke_open(const uint8_t private_key[KEY_LEN], const char *info, const void *aad, size_t aad_len, const void *sealed,
    size_t len, uint8_t *out, struct error *err)
{
	CLEANUP(aead_freep) struct aead *a = NULL;
	const uint8_t *enc = sealed;
	uint8_t shared[KEY_LEN], nonce[AEAD_NONCE_LEN];
	int r;

	if (len < HPKE_OVERHEAD)
		return error_set(err, ERR_CORRUPT, "a sealed key is shorter than its overhead");
	r = hpke_decap(private_key, enc, shared, err);
	if (r == 0)
		r = message_aead(shared, info, &a, nonce, err);
	if (r == 0)
		r = aead_open_nonce(a, nonce, aad, aad_len, enc + KEY_LEN, len - KEY_LEN, out, err);
	crypto_wipe(shared, sizeof(shared));
	return r;
}
