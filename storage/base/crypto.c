/*
 * Thin calls on OpenSSL's EVP interface: random bytes, hashes, key derivation, signatures and key agreement.
 *
 * No call here takes an algorithm by name twice; the ones that matter for speed live in objects (mac.c, aead.c).
 */
#include "crypto.h"

#include <limits.h>
#include <pthread.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include "cleanup.h"
#include "crypto_internal.h"
#include "error.h"

#define SCRYPT_MEMORY_MAX (UINT64_C(1) << 30)
/* More than any scrypt that we admit needs beside its table, which alone is held against the limit. */
#define SCRYPT_MEMORY_SLACK (UINT64_C(1) << 20)

static struct crypto_algorithms algorithms;
static pthread_once_t algorithms_once = PTHREAD_ONCE_INIT;

static void
free_pkey(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
}

static void
free_pkey_ctx(EVP_PKEY_CTX **ctx)
{
	EVP_PKEY_CTX_free(*ctx);
}

static void
free_kdf_ctx(EVP_KDF_CTX **ctx)
{
	EVP_KDF_CTX_free(*ctx);
}

static void
free_md_ctx(EVP_MD_CTX **ctx)
{
	EVP_MD_CTX_free(*ctx);
}

static void
fetch_algorithms(void)
{
	algorithms.sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	algorithms.hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	algorithms.scrypt = EVP_KDF_fetch(NULL, "SCRYPT", NULL);
	algorithms.aes_256_gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
}

int
crypto_algorithms(const struct crypto_algorithms **out, struct error *err)
{
	if (pthread_once(&algorithms_once, fetch_algorithms) != 0)
		return error_set(err, ERR_SYSTEM, "cannot set up OpenSSL");
	if (algorithms.sha256 == NULL || algorithms.hmac == NULL || algorithms.scrypt == NULL ||
	    algorithms.aes_256_gcm == NULL)
		return error_set(err, ERR_SYSTEM, "OpenSSL does not offer SHA-256, HMAC, scrypt and AES-256-GCM");
	*out = &algorithms;
	return 0;
}

int
crypto_fail_as(struct error *err, enum error_code code, const char *what)
{
	unsigned long e = ERR_get_error();
	bool nomem = e != 0 && ERR_GET_REASON(e) == ERR_R_MALLOC_FAILURE;

	ERR_clear_error();
	if (nomem)
		return error_nomem(err);
	return error_set(err, code, "%s", what);
}

int
crypto_fail(struct error *err, const char *what)
{
	unsigned long e = ERR_get_error();
	char reason[256];

	ERR_clear_error();
	if (e == 0)
		return error_set(err, ERR_SYSTEM, "%s: OpenSSL failed without a reason", what);
	if (ERR_GET_REASON(e) == ERR_R_MALLOC_FAILURE)
		return error_nomem(err);
	ERR_error_string_n(e, reason, sizeof(reason));
	return error_set(err, ERR_SYSTEM, "%s: %s", what, reason);
}

int
crypto_random(void *out, size_t len, struct error *err)
{
	uint8_t *p = out;

	while (len > 0) {
		int n = (int)MIN(len, (size_t)INT_MAX);

		if (RAND_bytes(p, n) != 1)
			return crypto_fail(err, "no random bytes");
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

void
crypto_wipe(void *bytes, size_t len)
{
	OPENSSL_cleanse(bytes, len);
}

bool
crypto_equal(const void *a, const void *b, size_t len)
{
	return CRYPTO_memcmp(a, b, len) == 0;
}

int
crypto_sha256(const void *bytes, size_t len, uint8_t out[32], struct error *err)
{
	const struct crypto_algorithms *a;
	int r = crypto_algorithms(&a, err);

	if (r < 0)
		return r;
	if (EVP_Digest(bytes, len, out, NULL, a->sha256, NULL) != 1)
		return crypto_fail(err, "SHA-256");
	return 0;
}

int
crypto_md5(const void *bytes, size_t len, uint8_t out[16], struct error *err)
{
	if (EVP_Digest(bytes, len, out, NULL, EVP_md5(), NULL) != 1)
		return crypto_fail(err, "MD5");
	return 0;
}

/* RFC 5869 with an output of one block: extract, then the first round of expand. */
int
crypto_derive(const uint8_t key[KEY_LEN], const char *label, const void *context, size_t context_len,
    uint8_t out[KEY_LEN], struct error *err)
{
	static const char prefix[] = "snapferry/1/";
	static const uint8_t no_salt[KEY_LEN];
	static const uint8_t first = 1;
	const struct crypto_piece ikm = {key, KEY_LEN};
	const struct crypto_piece info[] = {
	    {prefix, sizeof(prefix) - 1},
	    {label, strlen(label) + 1},
	    {context, context_len},
	    {&first, 1},
	};
	uint8_t prk[32];
	int r = crypto_hmac(no_salt, &ikm, 1, prk, err);

	if (r == 0)
		r = crypto_hmac(prk, info, COUNT_OF(info), out, err);
	crypto_wipe(prk, sizeof(prk));
	return r;
}

/* The conditions of RFC 7914 section 2, and our ceiling for memory. */
static int
check_scrypt(unsigned log_n, unsigned r, unsigned p, struct error *err)
{
	if (log_n < 1 || log_n > 40 || r < 1 || r > 1024 || p < 1 || p > 1024 || log_n >= 16 * r)
		return error_set(err, ERR_USAGE, "scrypt parameters log_n %u, r %u, p %u make no sense", log_n, r, p);
	if (UINT64_C(128) * r << log_n > SCRYPT_MEMORY_MAX)
		return error_set(err, ERR_NOMEM,
		    "scrypt parameters log_n %u, r %u, p %u need more than 1 GiB of memory", log_n, r, p);
	return 0;
}

int
crypto_scrypt(const void *passphrase, size_t len, const uint8_t salt[32], unsigned log_n, unsigned r, unsigned p,
    uint8_t out[KEY_LEN], struct error *err)
{
	CLEANUP(free_kdf_ctx) EVP_KDF_CTX *ctx = NULL;
	const struct crypto_algorithms *a;
	uint64_t n = UINT64_C(1) << (log_n & 63);
	uint64_t memory = SCRYPT_MEMORY_MAX + SCRYPT_MEMORY_SLACK;
	uint32_t r32 = r, p32 = p;
	OSSL_PARAM params[] = {
	    /* The parameters are not written to; the interface has no const. */
	    OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PASSWORD, (void *)(uintptr_t)passphrase, len),
	    OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)(uintptr_t)salt, 32),
	    OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_N, &n),
	    OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_R, &r32),
	    OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_P, &p32),
	    OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_MAXMEM, &memory),
	    OSSL_PARAM_construct_end(),
	};
	int status = check_scrypt(log_n, r, p, err);

	if (status == 0)
		status = crypto_algorithms(&a, err);
	if (status < 0)
		return status;
	ctx = EVP_KDF_CTX_new(a->scrypt);
	if (ctx == NULL)
		return error_nomem(err);
	if (EVP_KDF_derive(ctx, out, KEY_LEN, params) != 1)
		return crypto_fail(err, "scrypt");
	return 0;
}

/* The public half of a raw private key. */
static int
raw_public(const char *algorithm, const uint8_t private_key[KEY_LEN], uint8_t out[KEY_LEN], struct error *err)
{
	CLEANUP(free_pkey)
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key_ex(NULL, algorithm, NULL, private_key, KEY_LEN);
	size_t len = KEY_LEN;

	if (key == NULL || EVP_PKEY_get_raw_public_key(key, out, &len) != 1 || len != KEY_LEN)
		return crypto_fail(err, algorithm);
	return 0;
}

int
crypto_sign_public(const uint8_t seed[KEY_LEN], uint8_t out_public[KEY_LEN], struct error *err)
{
	return raw_public("ED25519", seed, out_public, err);
}

int
crypto_seal_public(const uint8_t private_key[KEY_LEN], uint8_t out_public[KEY_LEN], struct error *err)
{
	return raw_public("X25519", private_key, out_public, err);
}

int
crypto_sign(const uint8_t seed[KEY_LEN], const void *bytes, size_t len, uint8_t out[SIGNATURE_LEN], struct error *err)
{
	CLEANUP(free_pkey)
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key_ex(NULL, "ED25519", NULL, seed, KEY_LEN);
	CLEANUP(free_md_ctx) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t out_len = SIGNATURE_LEN;

	if (key == NULL || ctx == NULL || EVP_DigestSignInit_ex(ctx, NULL, NULL, NULL, NULL, key, NULL) != 1 ||
	    EVP_DigestSign(ctx, out, &out_len, bytes, len) != 1 || out_len != SIGNATURE_LEN)
		return crypto_fail(err, "sign with Ed25519");
	return 0;
}

int
crypto_verify(const uint8_t public_key[KEY_LEN], const void *bytes, size_t len, const uint8_t signature[SIGNATURE_LEN],
    struct error *err)
{
	CLEANUP(free_pkey)
	EVP_PKEY *key = EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, public_key, KEY_LEN);
	CLEANUP(free_md_ctx) EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	if (key == NULL || ctx == NULL || EVP_DigestVerifyInit_ex(ctx, NULL, NULL, NULL, NULL, key, NULL) != 1)
		return crypto_fail(err, "verify with Ed25519");
	if (EVP_DigestVerify(ctx, signature, SIGNATURE_LEN, bytes, len) != 1)
		return crypto_fail_as(err, ERR_CORRUPT, "the signature is not valid");
	return 0;
}

int
crypto_exchange(
    const uint8_t private_key[KEY_LEN], const uint8_t public_key[KEY_LEN], uint8_t out[KEY_LEN], struct error *err)
{
	CLEANUP(free_pkey)
	EVP_PKEY *mine = EVP_PKEY_new_raw_private_key_ex(NULL, "X25519", NULL, private_key, KEY_LEN);
	CLEANUP(free_pkey)
	EVP_PKEY *theirs = EVP_PKEY_new_raw_public_key_ex(NULL, "X25519", NULL, public_key, KEY_LEN);
	CLEANUP(free_pkey_ctx) EVP_PKEY_CTX *ctx = NULL;
	size_t len = KEY_LEN;

	if (mine == NULL || theirs == NULL)
		return crypto_fail(err, "X25519");
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, mine, NULL);
	if (ctx == NULL || EVP_PKEY_derive_init(ctx) != 1 || EVP_PKEY_derive_set_peer(ctx, theirs) != 1)
		return crypto_fail(err, "X25519");
	if (EVP_PKEY_derive(ctx, out, &len) != 1 || len != KEY_LEN)
		return crypto_fail_as(err, ERR_CORRUPT, "the X25519 public key is of low order");
	return 0;
}
