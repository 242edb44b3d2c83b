/*
 * HMAC-SHA256 with a key that is set up once.
 *
 * Chunk ids are the most frequent use, most of them for files of a few hundred bytes, so a message must not pay for
 * the key's two hash blocks again: EVP_MAC_init() without a key goes back to the state behind them.
 */
#include "crypto.h"

#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "cleanup.h"
#include "crypto_internal.h"
#include "error.h"

struct mac {
	EVP_MAC_CTX *ctx;
};

static void
free_mac_ctx(EVP_MAC_CTX **ctx)
{
	EVP_MAC_CTX_free(*ctx);
}

static int
keyed_context(const void *key, size_t key_len, EVP_MAC_CTX **out, struct error *err)
{
	char digest[] = "SHA256";
	const OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, sizeof(digest) - 1),
	    OSSL_PARAM_construct_end(),
	};
	const struct crypto_algorithms *a;
	int r = crypto_algorithms(&a, err);

	if (r < 0)
		return r;
	*out = EVP_MAC_CTX_new(a->hmac);
	if (*out == NULL)
		return error_nomem(err);
	if (EVP_MAC_init(*out, key, key_len, params) != 1)
		return crypto_fail(err, "HMAC-SHA256");
	return 0;
}

static int
finish(EVP_MAC_CTX *ctx, uint8_t out[ID_LEN], struct error *err)
{
	size_t len = 0;

	if (EVP_MAC_final(ctx, out, &len, ID_LEN) != 1 || len != ID_LEN)
		return crypto_fail(err, "HMAC-SHA256");
	return 0;
}

int
mac_new(const uint8_t key[KEY_LEN], struct mac **out, struct error *err)
{
	struct mac *m = calloc(1, sizeof(*m));
	int r;

	if (m == NULL)
		return error_nomem(err);
	r = keyed_context(key, KEY_LEN, &m->ctx, err);
	if (r < 0) {
		mac_free(m);
		return r;
	}
	*out = m;
	return 0;
}

int
mac_compute(struct mac *m, const void *prefix, size_t prefix_len, const void *bytes, size_t len, uint8_t out[ID_LEN],
    struct error *err)
{
	if (EVP_MAC_init(m->ctx, NULL, 0, NULL) != 1)
		return crypto_fail(err, "HMAC-SHA256");
	if (prefix_len > 0 && EVP_MAC_update(m->ctx, prefix, prefix_len) != 1)
		return crypto_fail(err, "HMAC-SHA256");
	if (len > 0 && EVP_MAC_update(m->ctx, bytes, len) != 1)
		return crypto_fail(err, "HMAC-SHA256");
	return finish(m->ctx, out, err);
}

void
mac_free(struct mac *m)
{
	if (m == NULL)
		return;
	EVP_MAC_CTX_free(m->ctx);
	free(m);
}

int
crypto_hmac(
    const uint8_t key[KEY_LEN], const struct crypto_piece *pieces, size_t count, uint8_t out[32], struct error *err)
{
	CLEANUP(free_mac_ctx) EVP_MAC_CTX *ctx = NULL;
	int r = keyed_context(key, KEY_LEN, &ctx, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		if (pieces[i].len > 0 && EVP_MAC_update(ctx, pieces[i].bytes, pieces[i].len) != 1)
			return crypto_fail(err, "HMAC-SHA256");
	}
	return finish(ctx, out, err);
}

int
crypto_hmac_sha256(const void *key, size_t key_len, const void *bytes, size_t len, uint8_t out[32], struct error *err)
{
	CLEANUP(free_mac_ctx) EVP_MAC_CTX *ctx = NULL;
	int r = keyed_context(key, key_len, &ctx, err);

	if (r < 0)
		return r;
	if (len > 0 && EVP_MAC_update(ctx, bytes, len) != 1)
		return crypto_fail(err, "HMAC-SHA256");
	return finish(ctx, out, err);
}
