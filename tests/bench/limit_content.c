/*
 * The way of content into a repository and back, by one thread, in memory.
 */
#include "limit.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <err.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <zstd.h>

#define CHUNK_MIN   (256u * 1024u)
#define CHUNK_AVG   (1024u * 1024u)
#define CHUNK_MAX   (4u * 1024u * 1024u)
#define GEAR_WINDOW 64u
/* Two bits more and two less than the 20 that belong to an average of 1 MiB. */
#define MASK_BEFORE_AVG (~UINT64_C(0) << (64 - 22))
#define MASK_BEHIND_AVG (~UINT64_C(0) << (64 - 18))

#define ID_LEN  32u
#define TAG_LEN 16u

/* OpenSSL and zstd report success each in their own way. */
static void
must(bool ok, const char *what)
{
	if (!ok)
		errx(1, "%s failed", what);
}

/* --- chunks --- */

static uint64_t gear[256];

static void
fill_gear(void)
{
	uint64_t state = 1;

	for (size_t i = 0; i < 256; i++) {
		/* splitmix64 */
		uint64_t z = (state += UINT64_C(0x9e3779b97f4a7c15));

		z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
		z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
		gear[i] = z ^ (z >> 31);
	}
}

/*
 * Hash on from `from`, and stop behind the byte where the masked bits are zero; 0 when there is none before `to`.
 * Unrolled, because then nothing but the chain of one shift and one addition per byte limits the speed.
 */
static size_t
find_border(const uint8_t *bytes, size_t from, size_t to, uint64_t mask, uint64_t *hash)
{
	uint64_t h = *hash;
	size_t i = from;

	for (; to - i >= 8; i += 8) {
#pragma GCC unroll 8
		for (size_t k = 0; k < 8; k++) {
			h = (h << 1) + gear[bytes[i + k]];
			if ((h & mask) == 0)
				return i + k + 1;
		}
	}
	for (; i < to; i++) {
		h = (h << 1) + gear[bytes[i]];
		if ((h & mask) == 0)
			return i + 1;
	}
	*hash = h;
	return 0;
}

static size_t
next_chunk(const uint8_t *bytes, size_t len)
{
	size_t max = len < CHUNK_MAX ? len : CHUNK_MAX;
	size_t middle = max < CHUNK_AVG ? max : CHUNK_AVG;
	uint64_t hash = 0;
	size_t border;

	if (len <= CHUNK_MIN)
		return len;
	for (size_t i = CHUNK_MIN - GEAR_WINDOW; i < CHUNK_MIN; i++)
		hash = (hash << 1) + gear[bytes[i]];
	border = find_border(bytes, CHUNK_MIN, middle, MASK_BEFORE_AVG, &hash);
	if (border == 0)
		border = find_border(bytes, middle, max, MASK_BEHIND_AVG, &hash);
	return border != 0 ? border : max;
}

/* --- what is done to a chunk --- */

struct engine {
	EVP_MAC_CTX *mac;
	EVP_CIPHER *cipher;
	EVP_CIPHER_CTX *sealer;
	EVP_MD *sha256;
	EVP_MD_CTX *upload;
	ZSTD_CCtx *compressor;
	ZSTD_DCtx *decompressor;
	uint8_t *packed, *sealed, *opened;
	size_t cap;
	uint8_t key[32], nonce[12];
};

static void
engine_init(struct engine *e)
{
	char digest[] = "SHA256";
	const OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_construct_end()};
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);

	*e = (struct engine){
	    .mac = EVP_MAC_CTX_new(hmac),
	    .cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL),
	    .sealer = EVP_CIPHER_CTX_new(),
	    .sha256 = EVP_MD_fetch(NULL, "SHA2-256", NULL),
	    .upload = EVP_MD_CTX_new(),
	    .compressor = ZSTD_createCCtx(),
	    .decompressor = ZSTD_createDCtx(),
	    .cap = ZSTD_compressBound(CHUNK_MAX) + TAG_LEN,
	};
	must(hmac != NULL && e->mac != NULL && e->cipher != NULL && e->sealer != NULL && e->sha256 != NULL &&
		 e->upload != NULL && e->compressor != NULL && e->decompressor != NULL,
	    "set-up");
	e->packed = limit_allocate(e->cap);
	e->sealed = limit_allocate(e->cap);
	e->opened = limit_allocate(CHUNK_MAX);
	memset(e->key, 7, sizeof e->key);
	must(EVP_MAC_init(e->mac, e->key, sizeof e->key, params) == 1, "HMAC");
	must(!ZSTD_isError(ZSTD_CCtx_setParameter(e->compressor, ZSTD_c_compressionLevel, 1)), "zstd level");
	EVP_MAC_free(hmac);
}

static void
engine_free(struct engine *e)
{
	EVP_MAC_CTX_free(e->mac);
	EVP_CIPHER_free(e->cipher);
	EVP_CIPHER_CTX_free(e->sealer);
	EVP_MD_free(e->sha256);
	EVP_MD_CTX_free(e->upload);
	(void)ZSTD_freeCCtx(e->compressor);
	(void)ZSTD_freeDCtx(e->decompressor);
	free(e->packed);
	free(e->sealed);
	free(e->opened);
}

/* A nonce is used for one frame only. */
static void
set_nonce(struct engine *e, uint64_t ordinal)
{
	memcpy(e->nonce, &ordinal, sizeof ordinal);
}

/* Compress into e->packed; what does not become smaller by a 32nd stays as it is. */
static const uint8_t *
compress(struct engine *e, const uint8_t *chunk, size_t len, size_t *packed_len)
{
	size_t n = ZSTD_compress2(e->compressor, e->packed, e->cap, chunk, len);

	must(!ZSTD_isError(n), "zstd");
	if (n >= len - len / 32) {
		*packed_len = len;
		return chunk;
	}
	*packed_len = n;
	return e->packed;
}

/* Seal into out, with the tag behind; returns the length. */
static size_t
seal(struct engine *e, uint64_t ordinal, const uint8_t *aad, const uint8_t *bytes, size_t len, uint8_t *out)
{
	int n, end;

	set_nonce(e, ordinal);
	must(EVP_EncryptInit_ex2(e->sealer, e->cipher, e->key, e->nonce, NULL) == 1 &&
		 EVP_EncryptUpdate(e->sealer, NULL, &n, aad, ID_LEN) == 1 &&
		 EVP_EncryptUpdate(e->sealer, out, &n, bytes, (int)len) == 1 &&
		 EVP_EncryptFinal_ex(e->sealer, out + n, &end) == 1 &&
		 EVP_CIPHER_CTX_ctrl(e->sealer, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, out + len) == 1,
	    "AES-256-GCM");
	return len + TAG_LEN;
}

static void
compute_id(struct engine *e, const uint8_t *chunk, size_t len, uint8_t id[ID_LEN])
{
	size_t n;

	must(EVP_MAC_init(e->mac, NULL, 0, NULL) == 1 && EVP_MAC_update(e->mac, chunk, len) == 1 &&
		 EVP_MAC_final(e->mac, id, &n, ID_LEN) == 1,
	    "HMAC");
}

/* --- there --- */

/* The whole way of the sample, once; returns the stored bytes. */
static uint64_t
store_sample(struct engine *e, const struct limit_sample *s, bool upload, uint64_t *ordinal)
{
	uint64_t stored = 0;
	uint8_t digest[ID_LEN], id[ID_LEN];
	unsigned n;

	must(EVP_DigestInit_ex2(e->upload, e->sha256, NULL) == 1, "SHA-256");
	for (size_t at = 0, len; at < s->len; at += len) {
		const uint8_t *chunk = s->bytes + at, *packed;
		size_t packed_len, sealed_len;

		len = next_chunk(chunk, s->len - at);
		compute_id(e, chunk, len, id);
		packed = compress(e, chunk, len, &packed_len);
		sealed_len = seal(e, (*ordinal)++, id, packed, packed_len, e->sealed);
		if (upload)
			must(EVP_DigestUpdate(e->upload, e->sealed, sealed_len) == 1, "SHA-256");
		stored += sealed_len;
	}
	must(EVP_DigestFinal_ex(e->upload, digest, &n) == 1, "SHA-256");
	return stored;
}

void
limit_store(const char *path, int upload)
{
	struct limit_sample s = limit_sample_read(path);
	struct engine e;
	double speed[LIMIT_ROUNDS];
	uint64_t stored = 0, ordinal = 0;

	fill_gear();
	engine_init(&e);
	for (size_t i = 0; i < LIMIT_ROUNDS; i++) {
		double start = limit_cpu();

		stored = store_sample(&e, &s, upload != 0, &ordinal);
		speed[i] = (double)s.len / 1e6 / (limit_cpu() - start);
	}
	(void)printf("%.1f MB per CPU second, %.1f MB at a time, %.3f of them stored\n", limit_median(speed),
	    (double)s.len / 1e6, (double)stored / (double)s.len);
	engine_free(&e);
	free(s.bytes);
}

/* --- and back --- */

struct frame {
	size_t plain_len, packed_len;
	uint8_t id[ID_LEN];
	uint8_t *sealed;
	bool compressed;
};

struct frames {
	struct frame *items;
	size_t count;
};

static struct frames
seal_sample(struct engine *e, const struct limit_sample *s)
{
	/* The last chunk may be short; every other one has the least length. */
	struct frames all = {.items = limit_allocate((s->len / CHUNK_MIN + 1) * sizeof *all.items)};

	for (size_t at = 0, len; at < s->len; at += len) {
		struct frame *f = &all.items[all.count];
		const uint8_t *packed;

		len = next_chunk(s->bytes + at, s->len - at);
		f->plain_len = len;
		compute_id(e, s->bytes + at, len, f->id);
		packed = compress(e, s->bytes + at, len, &f->packed_len);
		f->compressed = packed == e->packed;
		f->sealed = limit_allocate(f->packed_len + TAG_LEN);
		(void)seal(e, all.count++, f->id, packed, f->packed_len, f->sealed);
	}
	return all;
}

/* Open and decompress one frame; returns the plaintext. */
static const uint8_t *
open_frame(struct engine *e, uint64_t ordinal, const struct frame *f)
{
	uint8_t tag[TAG_LEN];
	int n, end;

	memcpy(tag, f->sealed + f->packed_len, TAG_LEN);
	set_nonce(e, ordinal);
	must(EVP_DecryptInit_ex2(e->sealer, e->cipher, e->key, e->nonce, NULL) == 1 &&
		 EVP_DecryptUpdate(e->sealer, NULL, &n, f->id, ID_LEN) == 1 &&
		 EVP_DecryptUpdate(e->sealer, e->packed, &n, f->sealed, (int)f->packed_len) == 1 &&
		 EVP_CIPHER_CTX_ctrl(e->sealer, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, tag) == 1 &&
		 EVP_DecryptFinal_ex(e->sealer, e->packed + n, &end) == 1,
	    "opening");
	if (!f->compressed)
		return e->packed;
	must(ZSTD_decompressDCtx(e->decompressor, e->opened, CHUNK_MAX, e->packed, f->packed_len) == f->plain_len,
	    "decompression");
	return e->opened;
}

static void
check_id(struct engine *e, const struct frame *f, const uint8_t *chunk)
{
	uint8_t id[ID_LEN];

	compute_id(e, chunk, f->plain_len, id);
	must(memcmp(id, f->id, ID_LEN) == 0, "the comparison of an id");
}

void
limit_restore(const char *path, int ids)
{
	struct limit_sample s = limit_sample_read(path);
	struct engine e;
	struct frames all;
	double speed[LIMIT_ROUNDS];

	fill_gear();
	engine_init(&e);
	all = seal_sample(&e, &s);
	for (size_t i = 0; i < LIMIT_ROUNDS; i++) {
		double start = limit_cpu();

		for (size_t k = 0; k < all.count; k++) {
			const uint8_t *chunk = open_frame(&e, k, &all.items[k]);

			if (ids)
				check_id(&e, &all.items[k], chunk);
		}
		speed[i] = (double)s.len / 1e6 / (limit_cpu() - start);
	}
	(void)printf("%.1f MB per CPU second, %.1f MB at a time\n", limit_median(speed), (double)s.len / 1e6);
	for (size_t k = 0; k < all.count; k++)
		free(all.items[k].sealed);
	free(all.items);
	engine_free(&e);
	free(s.bytes);
}
