/*
 * From frame to plaintext.  Under a committed session key the AEAD says that the writer made these bytes, but not that
 * the writer was honest or sane: what zstd is given is checked first, so that it can never need more memory than the
 * reference promised.
 */

#include <string.h>
#include <zstd.h>

#include "cleanup.h"
#include "error.h"
#include "frame.h"
#include "frame_internal.h"
#include "wire.h"

#define ZSTD_MAGIC      UINT32_C(0xFD2FB528)
#define ZSTD_WINDOW_MIN UINT32_C(1024)

struct opener {
	struct aead *aead;
	ZSTD_DCtx *zstd;
	bool has_key;
};

static void
free_opener_p(struct opener **o)
{
	opener_free(*o);
}

int
opener_new(struct opener **out, struct error *err)
{
	CLEANUP(free_opener_p) struct opener *o = calloc(1, sizeof(*o));
	int r;

	if (o == NULL)
		return error_nomem(err);
	if ((r = aead_new(&o->aead, err)) < 0)
		return r;
	if ((o->zstd = ZSTD_createDCtx()) == NULL)
		return error_nomem(err);
	*out = STEAL(o);
	return 0;
}

int
opener_set_key(struct opener *o, const uint8_t pack_key[KEY_LEN], struct error *err)
{
	int r;

	o->has_key = false;
	if ((r = aead_set_key(o->aead, pack_key, err)) < 0)
		return r;
	o->has_key = true;
	return 0;
}

/*
 * Whether this is a zstd frame of the current format (RFC 8878 section 3.1.1) whose window is no larger than the
 * plaintext.  Skippable frames and the formats from before version 0.8, which zstd can also read, are not.
 */
static bool
zstd_frame_begins(const uint8_t *body, size_t len, uint32_t plen)
{
	struct wire w;
	uint8_t descriptor, window;
	uint64_t base;

	wire_init(&w, body, len);
	if (wire_u32(&w) != ZSTD_MAGIC)
		return false;
	descriptor = wire_u8(&w);
	if ((descriptor & 0x20) != 0)
		return !w.bad; /* a single segment: the window is the content */
	window = wire_u8(&w);
	if (w.bad)
		return false;
	base = UINT64_C(1) << (10 + (window >> 3));
	return base + base / 8 * (window & 7) <= MAX(plen, ZSTD_WINDOW_MIN);
}

/* Decompress exactly one frame of len bytes that gives exactly plen bytes. */
static int
decompress(struct opener *o, const uint8_t *body, size_t len, uint8_t *plain, uint32_t plen, struct error *err)
{
	size_t n;

	if (!zstd_frame_begins(body, len, plen))
		return error_set(err, ERR_CORRUPT, "compressed data have no valid beginning");
	if (ZSTD_getFrameContentSize(body, len) != plen)
		return error_set(err, ERR_CORRUPT, "compressed data are not of the length they must have");
	if (ZSTD_findFrameCompressedSize(body, len) != len)
		return error_set(err, ERR_CORRUPT, "compressed data do not end where they must");
	n = ZSTD_decompressDCtx(o->zstd, plain, plen, body, len);
	if (ZSTD_isError(n))
		return error_set(err, ERR_CORRUPT, "compressed data are damaged: %s", ZSTD_getErrorName(n));
	if (n != plen)
		return error_set(err, ERR_CORRUPT, "compressed data give %zu bytes, not %u", n, plen);
	return 0;
}

static int
unpack(struct opener *o, const uint8_t *opened, size_t len, uint8_t *plain, uint32_t plen, struct error *err)
{
	switch (opened[0]) {
	case FRAME_STORED:
		if (len - 1 != plen)
			return error_set(err, ERR_CORRUPT, "stored data have %zu bytes, not %u", len - 1, plen);
		memcpy(plain, opened + 1, plen);
		return 0;
	case FRAME_ZSTD:
		return decompress(o, opened + 1, len - 1, plain, plen, err);
	default:
		return error_set(err, ERR_CORRUPT, "unknown compression method %u", opened[0]);
	}
}

int
opener_open(struct opener *o, const struct frame_ref *ref, uint8_t *sealed, uint8_t *plain, struct error *err)
{
	uint8_t aad[FRAME_AAD_LEN];

	if (!o->has_key)
		return error_set(err, ERR_USAGE, "a frame cannot be opened before a key is set");
	if (!frame_ref_valid(ref))
		return error_set(err, ERR_CORRUPT, "frame %u: the reference to it makes no sense", ref->ordinal);
	frame_aad(ref->type, ref->plen, ref->id, aad);
	if (aead_open(o->aead, ref->ordinal, aad, sizeof(aad), sealed, ref->clen, sealed, err) < 0 ||
	    unpack(o, sealed, ref->clen - TAG_LEN, plain, ref->plen, err) < 0)
		return error_prefix(err, "frame %u", ref->ordinal);
	return 0;
}

void
opener_free(struct opener *o)
{
	if (o == NULL)
		return;
	aead_free(o->aead);
	(void)ZSTD_freeDCtx(o->zstd);
	free(o);
}
