/*
 * Building packs in memory.  Two areas are mapped once for the largest pack there can be: the object itself, in which
 * frames are sealed where they will lie, and the records that become its trailer.  So adding a frame allocates nothing
 * and cannot fail for want of memory, and pages that no pack has reached cost none.
 */

#include <string.h>
#include <sys/mman.h>

#include "cleanup.h"
#include "error.h"
#include "le.h"
#include "pack.h"
#include "pack_internal.h"
#include "wire.h"

#define CAPACITY_MIN (64u * 1024)
/* What every pack has behind its frames, besides the records. */
#define END_LEN (PACK_TRAILER_HEAD + TAG_LEN + PACK_FOOTER_LEN)

struct pack {
	struct pack_header header;
	struct aead *aead; /* seals the trailer; the frames have the sealer's */
	uint8_t *bytes;
	size_t capacity;
	size_t len;
	struct pack_record *records;
	size_t record_cap, frames;
	bool open; /* begun, not finished, and nothing failed */
};

static void
free_pack_p(struct pack **p)
{
	pack_free(*p);
}

void
pack_name(const uint8_t volume[VOLUME_ID_LEN], uint8_t kind, const uint8_t session[SESSION_ID_LEN], uint32_t seq,
    char out[PACK_NAME_LEN])
{
	char v[2 * VOLUME_ID_LEN + 1], s[2 * SESSION_ID_LEN + 1];

	hex_encode(v, volume, VOLUME_ID_LEN);
	hex_encode(s, session, SESSION_ID_LEN);
	(void)snprintf(out, PACK_NAME_LEN, "v/%s/%c/%s/%08x", v, kind, s, seq);
}

static unsigned
log2_floor(uint64_t n)
{
	return 63 - (unsigned)__builtin_clzll(n);
}

uint64_t
pack_padme(uint64_t n)
{
	unsigned e;
	uint64_t mask;

	if (n < 2)
		return n;
	e = log2_floor(n);
	mask = (UINT64_C(1) << (e - (log2_floor(e) + 1))) - 1;
	/* The lengths just below 2^64 have no next one. */
	return n > UINT64_MAX - mask ? UINT64_MAX : (n + mask) & ~mask;
}

static void *
map(size_t len, struct error *err)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED) {
		(void)error_errno(err, "allocate %zu bytes for a pack", len);
		return NULL;
	}
	return p;
}

int
pack_new(size_t capacity, struct pack **out, struct error *err)
{
	CLEANUP(free_pack_p) struct pack *p = NULL;
	int r;

	if (capacity < CAPACITY_MIN || capacity > PACK_LEN_MAX)
		return error_set(err, ERR_USAGE, "a pack of %zu bytes cannot be: from %u to %u", capacity, CAPACITY_MIN,
		    PACK_LEN_MAX);
	if ((p = calloc(1, sizeof(*p))) == NULL)
		return error_nomem(err);
	if ((p->bytes = map(capacity, err)) == NULL)
		return err->code;
	p->capacity = capacity;
	/* As many as there can be frames of one byte. */
	p->record_cap =
	    MIN((capacity - PACK_HEADER_LEN - END_LEN) / (frame_bound(1) + PACK_RECORD_LEN), (size_t)PACK_FRAMES_MAX);
	if ((p->records = map(p->record_cap * sizeof(*p->records), err)) == NULL)
		return err->code;
	if ((r = aead_new(&p->aead, err)) < 0)
		return r;
	*out = STEAL(p);
	return 0;
}

static void
write_header(const struct pack_header *h, uint8_t out[PACK_HEADER_LEN])
{
	memset(out, 0, PACK_HEADER_LEN);
	memcpy(out, PACK_MAGIC, 4);
	out[4] = PACK_VERSION;
	out[5] = PACK_SUITE;
	out[6] = h->kind;
	le_put32(out + 8, h->seq);
	memcpy(out + 16, h->volume, VOLUME_ID_LEN);
	memcpy(out + 32, h->session, SESSION_ID_LEN);
	le_put32(out + 48, h->epoch);
	memcpy(out + 56, h->keyid, KEY_ID_LEN);
	memcpy(out + 64, h->sealed, SEALED_LEN);
	memcpy(out + 144, h->commitment, sizeof(h->commitment));
}

static void
fill_header(
    struct pack_header *h, const struct volume_keys *keys, const struct session_key *key, uint8_t kind, uint32_t seq)
{
	h->kind = kind;
	h->seq = seq;
	h->epoch = keys->epoch;
	memcpy(h->volume, keys->volume, sizeof(h->volume));
	memcpy(h->keyid, keys->keyid, sizeof(h->keyid));
	memcpy(h->session, key->session, sizeof(h->session));
	memcpy(h->sealed, key->sealed, sizeof(h->sealed));
	memcpy(h->commitment, key->commitment, sizeof(h->commitment));
}

int
pack_begin(struct pack *p, const struct volume_keys *keys, const struct session_key *key, uint8_t kind, uint32_t seq,
    struct sealer *sealer, struct error *err)
{
	uint8_t pack_key[KEY_LEN];
	int r;

	p->open = false;
	p->len = p->frames = 0;
	if (kind != 'p' && kind != 'm')
		return error_set(err, ERR_USAGE, "there is no kind of pack %u", kind);
	if ((r = session_key_pack(key, keys->volume, kind, seq, pack_key, err)) == 0 &&
	    (r = aead_set_key(p->aead, pack_key, err)) == 0)
		r = sealer_set_key(sealer, pack_key, err);
	crypto_wipe(pack_key, sizeof(pack_key));
	if (r < 0)
		return r;
	fill_header(&p->header, keys, key, kind, seq);
	write_header(&p->header, p->bytes);
	p->len = PACK_HEADER_LEN;
	p->open = true;
	return 0;
}

/* The length of the whole object when its frames end at len. */
static size_t
object_len(size_t len, size_t frames)
{
	return (size_t)pack_padme(len + END_LEN + frames * PACK_RECORD_LEN);
}

/* The PADME length never falls when a frame turns out shorter than feared, so what fits here can always be finished. */
bool
pack_fits(const struct pack *p, size_t plen)
{
	if (!p->open || plen < 1 || plen > FRAME_PLAIN_MAX || p->frames >= p->record_cap)
		return false;
	return object_len(p->len + frame_bound(plen), p->frames + 1) <= p->capacity;
}

size_t
pack_frames(const struct pack *p)
{
	return p->frames;
}

int
pack_add(struct pack *p, struct sealer *sealer, uint8_t type, const uint8_t id[ID_LEN], const void *plain, size_t len,
    uint64_t path_hash, uint64_t file_offset, struct frame_ref *out_ref, struct error *err)
{
	struct pack_record *record;
	uint32_t clen;
	int r;

	if (!p->open || type < FRAME_DATA || type > FRAME_TYPE_MAX || frame_pack_kind(type) != p->header.kind)
		return error_set(err, ERR_USAGE, "no frame of type %u can be added to this pack", type);
	if (len < 1 || len > FRAME_PLAIN_MAX)
		return error_set(err, ERR_USAGE, "there is no frame of %zu bytes", len);
	if (!pack_fits(p, len))
		return error_set(err, ERR_NOMEM, "a frame of %zu bytes does not fit into the pack", len);
	r = sealer_seal(sealer, (uint32_t)p->frames, type, id, plain, len, p->bytes + p->len, &clen, err);
	if (r < 0) {
		p->open = false; /* the ordinal may have been used: never seal something else with it */
		return r;
	}
	record = &p->records[p->frames];
	memcpy(record->id, id, ID_LEN);
	record->type = type;
	record->offset = (uint32_t)p->len;
	record->clen = clen;
	record->plen = (uint32_t)len;
	record->path_hash = path_hash;
	record->file_offset = file_offset;
	pack_ref(p, p->frames, out_ref);
	p->len += clen;
	p->frames++;
	return 0;
}

static void
write_record(const struct pack_record *record, uint8_t out[PACK_RECORD_LEN])
{
	memcpy(out, record->id, ID_LEN);
	le_put32(out + 32, record->type); /* and three zero bytes */
	le_put32(out + 36, record->offset);
	le_put32(out + 40, record->clen);
	le_put32(out + 44, record->plen);
	le_put64(out + 48, record->path_hash);
	le_put64(out + 56, record->file_offset);
}

/* The bytes under the trailer may be those of an earlier pack: all len of them are written. */
static void
write_trailer(const struct pack *p, uint8_t *out, size_t len)
{
	uint8_t *end = out + len;

	le_put32(out, (uint32_t)p->frames);
	le_put32(out + 4, 0);
	out += PACK_TRAILER_HEAD;
	for (size_t i = 0; i < p->frames; i++, out += PACK_RECORD_LEN)
		write_record(&p->records[i], out);
	memset(out, 0, (size_t)(end - out));
}

static int
write_footer(const uint8_t *header, uint32_t offset, uint32_t len, uint8_t out[PACK_FOOTER_LEN], struct error *err)
{
	le_put32(out, offset);
	le_put32(out + 4, len);
	memcpy(out + 8 + PACK_CHECK_LEN, PACK_END_MAGIC, 8);
	return pack_check(header, offset, len, out + 8, err);
}

int
pack_finish(struct pack *p, struct error *err)
{
	size_t end = object_len(p->len, p->frames), len = end - p->len - PACK_FOOTER_LEN;
	uint8_t *trailer = p->bytes + p->len;
	int r;

	if (!p->open)
		return error_set(err, ERR_USAGE, "a pack can be finished once, after it was begun and nothing failed");
	p->open = false;
	write_trailer(p, trailer, len - TAG_LEN);
	r = aead_seal(p->aead, PACK_TRAILER_ORDINAL, p->bytes, PACK_HEADER_LEN, trailer, len - TAG_LEN, trailer, err);
	if (r < 0)
		return r;
	r = write_footer(p->bytes, (uint32_t)p->len, (uint32_t)len, p->bytes + end - PACK_FOOTER_LEN, err);
	if (r < 0)
		return r;
	p->len = end;
	return 0;
}

const uint8_t *
pack_bytes(const struct pack *p)
{
	return p->bytes;
}

size_t
pack_len(const struct pack *p)
{
	return p->len;
}

const struct pack_header *
pack_header(const struct pack *p)
{
	return &p->header;
}

const struct pack_record *
pack_record(const struct pack *p, size_t i)
{
	return &p->records[i];
}

void
pack_ref(const struct pack *p, size_t i, struct frame_ref *out)
{
	const struct pack_record *record = &p->records[i];

	memcpy(out->session, p->header.session, sizeof(out->session));
	out->seq = p->header.seq;
	out->ordinal = (uint32_t)i;
	out->offset = record->offset;
	out->clen = record->clen;
	out->plen = record->plen;
	out->type = record->type;
	memcpy(out->id, record->id, sizeof(out->id));
}

void
pack_free(struct pack *p)
{
	if (p == NULL)
		return;
	aead_free(p->aead);
	if (p->records != NULL)
		(void)munmap(p->records, p->record_cap * sizeof(*p->records));
	if (p->bytes != NULL)
		(void)munmap(p->bytes, p->capacity);
	free(p);
}
