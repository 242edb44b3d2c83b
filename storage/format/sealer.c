/*
 * From plaintext to frame: the id, zstd straight into the place where the frame will lie, and AES-256-GCM in place.
 * What does not shrink by at least 1/32 is stored as it is: it would cost time at every restore for nothing.
 */

#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "cleanup.h"
#include "error.h"
#include "frame.h"
#include "frame_internal.h"

struct sealer {
	struct mac *mac;
	struct aead *aead;
	ZSTD_CCtx *zstd; /* NULL: no compression */
	bool has_key;
};

static void
free_sealer_p(struct sealer **s)
{
	sealer_free(*s);
}

static int
zstd_failed(const char *what, size_t code, struct error *err)
{
	return error_set(err, ERR_SYSTEM, "zstd: %s: %s", what, ZSTD_getErrorName(code));
}

/* Set once: compressing keeps parameters from frame to frame. */
static int
new_compressor(int level, ZSTD_CCtx **out, struct error *err)
{
	const struct {
		ZSTD_cParameter name;
		int value;
	} parameters[] = {
	    {ZSTD_c_compressionLevel, level}, {ZSTD_c_contentSizeFlag, 1},
	    {ZSTD_c_checksumFlag, 0}, /* the AEAD tag is a better one */
	};

	if (level < ZSTD_minCLevel() || level > ZSTD_maxCLevel())
		return error_set(err, ERR_USAGE, "there is no compression level %d: choose %d to %d", level,
		    ZSTD_minCLevel(), ZSTD_maxCLevel());
	*out = ZSTD_createCCtx();
	if (*out == NULL)
		return error_nomem(err);
	for (size_t i = 0; i < COUNT_OF(parameters); i++) {
		size_t n = ZSTD_CCtx_setParameter(*out, parameters[i].name, parameters[i].value);

		if (ZSTD_isError(n))
			return zstd_failed("set a parameter", n, err);
	}
	return 0;
}

int
sealer_new(const struct volume_keys *keys, int level, struct sealer **out, struct error *err)
{
	CLEANUP(free_sealer_p) struct sealer *s = calloc(1, sizeof(*s));
	int r;

	if (s == NULL)
		return error_nomem(err);
	if ((r = mac_new(keys->chunk_id, &s->mac, err)) < 0)
		return r;
	if ((r = aead_new(&s->aead, err)) < 0)
		return r;
	if (level != FRAME_NO_COMPRESSION && (r = new_compressor(level, &s->zstd, err)) < 0)
		return r;
	*out = STEAL(s);
	return 0;
}

int
sealer_id(struct sealer *s, uint8_t type, const void *plain, size_t len, uint8_t out[ID_LEN], struct error *err)
{
	return mac_compute(s->mac, &type, sizeof(type), plain, len, out, err);
}

int
sealer_set_key(struct sealer *s, const uint8_t pack_key[KEY_LEN], struct error *err)
{
	int r;

	s->has_key = false;
	if ((r = aead_set_key(s->aead, pack_key, err)) < 0)
		return r;
	s->has_key = true;
	return 0;
}

/* Compress into out, where len bytes fit; *out_len is 0 when it is not worth it. */
static int
compress(struct sealer *s, const void *plain, size_t len, uint8_t *out, size_t *out_len, struct error *err)
{
	size_t room = len - (len + 31) / 32, n;

	*out_len = 0;
	if (s->zstd == NULL || room == 0)
		return 0;
	/* Output that does not fit is how zstd is told what is worth it; it then stops early. */
	n = ZSTD_compress2(s->zstd, out, room, plain, len);
	if (!ZSTD_isError(n)) {
		*out_len = n;
		return 0;
	}
	return ZSTD_getErrorCode(n) == ZSTD_error_dstSize_tooSmall ? 0 : zstd_failed("compress", n, err);
}

int
sealer_seal(struct sealer *s, uint32_t ordinal, uint8_t type, const uint8_t id[ID_LEN], const void *plain, size_t len,
    uint8_t *out, uint32_t *out_clen, struct error *err)
{
	uint8_t aad[FRAME_AAD_LEN];
	size_t body;
	int r;

	if (!s->has_key)
		return error_set(err, ERR_USAGE, "a frame cannot be sealed before a key is set");
	if (type < FRAME_DATA || type > FRAME_TYPE_MAX || len < 1 || len > FRAME_PLAIN_MAX)
		return error_set(err, ERR_USAGE, "there is no frame of type %u with %zu bytes", type, len);
	if ((r = compress(s, plain, len, out + 1, &body, err)) < 0)
		return r;
	out[0] = body > 0 ? FRAME_ZSTD : FRAME_STORED;
	if (body == 0) {
		memcpy(out + 1, plain, len);
		body = len;
	}
	frame_aad(type, (uint32_t)len, id, aad);
	if ((r = aead_seal(s->aead, ordinal, aad, sizeof(aad), out, 1 + body, out, err)) < 0)
		return r;
	*out_clen = (uint32_t)(body + FRAME_OVERHEAD);
	return 0;
}

void
sealer_free(struct sealer *s)
{
	if (s == NULL)
		return;
	mac_free(s->mac);
	aead_free(s->aead);
	(void)ZSTD_freeCCtx(s->zstd);
	free(s);
}
