/*
 * Reading the parts of a pack that are no frames: header, footer, trailer.  Header and footer are not secret and
 * anybody can write them; the trailer is authenticated, and still checked as if it were not.
 */

#include <string.h>

#include "cleanup.h"
#include "error.h"
#include "le.h"
#include "pack.h"
#include "pack_internal.h"
#include "wire.h"

static void
free_aead_p(struct aead **a)
{
	aead_free(*a);
}

static void
read_bytes(struct wire *w, void *out, size_t len)
{
	const uint8_t *p = wire_bytes(w, len);

	if (p != NULL)
		memcpy(out, p, len);
}

int
pack_header_parse(const uint8_t *bytes, struct pack_header *out, struct error *err)
{
	struct pack_header h;
	struct wire w;
	uint8_t version, suite;
	uint32_t zero;

	wire_init(&w, bytes, PACK_HEADER_LEN);
	if (memcmp(wire_bytes(&w, 4), PACK_MAGIC, 4) != 0)
		return error_set(err, ERR_CORRUPT, "this is no pack");
	version = wire_u8(&w);
	suite = wire_u8(&w);
	if (version != PACK_VERSION || suite != PACK_SUITE)
		return error_set(
		    err, ERR_UNSUPPORTED, "packs of version %u with suite %u are not known here", version, suite);
	h.kind = wire_u8(&w);
	zero = wire_u8(&w);
	h.seq = wire_u32(&w);
	zero |= wire_u32(&w);
	read_bytes(&w, h.volume, sizeof(h.volume));
	read_bytes(&w, h.session, sizeof(h.session));
	h.epoch = wire_u32(&w);
	zero |= wire_u32(&w);
	read_bytes(&w, h.keyid, sizeof(h.keyid));
	read_bytes(&w, h.sealed, sizeof(h.sealed));
	read_bytes(&w, h.commitment, sizeof(h.commitment));
	if (!wire_done(&w) || zero != 0 || (h.kind != 'p' && h.kind != 'm'))
		return error_set(err, ERR_CORRUPT, "the header of the pack is damaged");
	*out = h;
	return 0;
}

int
pack_check(const uint8_t header[PACK_HEADER_LEN], uint32_t offset, uint32_t len, uint8_t out[PACK_CHECK_LEN],
    struct error *err)
{
	uint8_t bytes[PACK_HEADER_LEN + 8], hash[32];
	int r;

	memcpy(bytes, header, PACK_HEADER_LEN);
	le_put32(bytes + PACK_HEADER_LEN, offset);
	le_put32(bytes + PACK_HEADER_LEN + 4, len);
	if ((r = crypto_sha256(bytes, sizeof(bytes), hash, err)) < 0)
		return r;
	memcpy(out, hash, PACK_CHECK_LEN);
	return 0;
}

int
pack_footer_parse(const uint8_t *header, const uint8_t *footer, uint64_t object_len, uint32_t *out_offset,
    uint32_t *out_len, struct error *err)
{
	uint8_t want[PACK_CHECK_LEN];
	const uint8_t *check;
	uint32_t offset, len;
	struct wire w;
	int r;

	wire_init(&w, footer, PACK_FOOTER_LEN);
	offset = wire_u32(&w);
	len = wire_u32(&w);
	check = wire_bytes(&w, PACK_CHECK_LEN);
	if (memcmp(wire_bytes(&w, 8), PACK_END_MAGIC, 8) != 0)
		return error_set(err, ERR_CORRUPT, "the pack has no footer: it is cut or damaged");
	if ((r = pack_check(header, offset, len, want, err)) < 0)
		return r;
	if (!crypto_equal(check, want, sizeof(want)))
		return error_set(err, ERR_CORRUPT, "the footer of the pack is damaged, or of another pack");
	/* How much padding there is was the writer's choice. */
	if (object_len > PACK_LEN_MAX || offset < PACK_HEADER_LEN || len < PACK_TRAILER_HEAD + TAG_LEN ||
	    (uint64_t)offset + len + PACK_FOOTER_LEN != object_len)
		return error_set(err, ERR_CORRUPT, "the footer of the pack does not fit its length");
	*out_offset = offset;
	*out_len = len;
	return 0;
}

/* Read a record; whether it describes a frame that may lie at this place in a pack of this kind. */
static bool
read_record(struct wire *w, uint8_t kind, uint32_t ordinal, uint32_t offset, struct pack_record *out)
{
	struct frame_ref ref = {.ordinal = ordinal};
	uint32_t type;

	read_bytes(w, out->id, sizeof(out->id));
	type = wire_u32(w); /* with three bytes that must be zero */
	ref.offset = out->offset = wire_u32(w);
	ref.clen = out->clen = wire_u32(w);
	ref.plen = out->plen = wire_u32(w);
	out->path_hash = wire_u64(w);
	out->file_offset = wire_u64(w);
	ref.type = out->type = (uint8_t)type;
	return type <= FRAME_TYPE_MAX && frame_pack_kind(out->type) == kind && out->offset == offset &&
	       frame_ref_valid(&ref);
}

static bool
all_zero(struct wire *w)
{
	size_t n = wire_left(w);
	const uint8_t *p = wire_bytes(w, n);
	uint8_t any = 0;

	for (size_t i = 0; i < n; i++)
		any |= p[i];
	return any == 0;
}

static int
parse_trailer(const uint8_t *plain, size_t len, uint8_t kind, uint32_t trailer_offset, struct pack_record **out,
    size_t *out_count, struct error *err)
{
	CLEANUP_FREE struct pack_record *records = NULL;
	uint32_t count, reserved, offset = PACK_HEADER_LEN;
	struct wire w;

	wire_init(&w, plain, len);
	count = wire_u32(&w);
	reserved = wire_u32(&w);
	if (w.bad || reserved != 0 || count > PACK_FRAMES_MAX || count > wire_left(&w) / PACK_RECORD_LEN)
		return error_set(err, ERR_CORRUPT, "the trailer of the pack does not begin as one");
	/* One more, so that there is something to return for none. */
	if ((records = calloc((size_t)count + 1, sizeof(*records))) == NULL)
		return error_nomem(err);
	for (uint32_t i = 0; i < count; i++) {
		if (!read_record(&w, kind, i, offset, &records[i]))
			return error_set(err, ERR_CORRUPT, "the trailer of the pack describes frame %u wrongly", i);
		offset += records[i].clen;
	}
	if (offset != trailer_offset || !all_zero(&w) || !wire_done(&w))
		return error_set(err, ERR_CORRUPT, "the trailer of the pack does not describe all of it");
	*out = STEAL(records);
	*out_count = count;
	return 0;
}

int
pack_trailer_open(const uint8_t pack_key[KEY_LEN], const uint8_t *header, uint32_t trailer_offset, uint8_t *sealed,
    size_t len, struct pack_record **out, size_t *out_count, struct error *err)
{
	CLEANUP(free_aead_p) struct aead *aead = NULL;
	struct pack_header h;
	int r;

	if ((r = pack_header_parse(header, &h, err)) < 0)
		return r;
	if (len < PACK_TRAILER_HEAD + TAG_LEN || len > PACK_LEN_MAX)
		return error_set(err, ERR_CORRUPT, "no pack has a trailer of %zu bytes", len);
	if ((r = aead_new(&aead, err)) < 0)
		return r;
	if ((r = aead_set_key(aead, pack_key, err)) < 0)
		return r;
	if (aead_open(aead, PACK_TRAILER_ORDINAL, header, PACK_HEADER_LEN, sealed, len, sealed, err) < 0)
		return error_prefix(err, "the trailer of the pack");
	return parse_trailer(sealed, len - TAG_LEN, h.kind, trailer_offset, out, out_count, err);
}
