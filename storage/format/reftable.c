/*
 * Reference tables.
 *
 * Small files come in runs that share a bundle, so a frame is first compared with the one asked for last; all else goes
 * through hash indexes, so that adding is O(1) and a table of a million frames is no slower than one of ten.
 */

#include "reftable.h"

#include <string.h>

#include "array.h"
#include "buf.h"
#include "error.h"
#include "varint.h"
#include "wire.h"

struct reftable_pack {
	uint32_t session;
	uint32_t seq;
	uint8_t kind;
};

/* The fewest bytes that an item takes. */
#define FRAME_SIZE_MIN (6 + ID_SHORT)
#define PACK_SIZE_MIN  3

static uint64_t
session_hash(const uint8_t *session)
{
	return hashidx_bytes(1, session, SESSION_ID_LEN);
}

static uint64_t
pack_hash(const struct reftable_pack *pack)
{
	return hashidx_mix(hashidx_mix(2, pack->session), (uint64_t)pack->seq << 8 | pack->kind);
}

static uint64_t
frame_hash(const struct frame_ref *f)
{
	uint64_t hash = hashidx_mix(3, (uint64_t)f->ordinal << 32 | f->seq);

	return hashidx_bytes(hashidx_mix(hash, f->offset), f->id, sizeof(f->id));
}

static bool
session_equal(const void *table, uint32_t item, const void *key)
{
	const struct reftable *t = table;

	return memcmp(t->sessions[item], key, SESSION_ID_LEN) == 0;
}

static bool
pack_equal(const void *table, uint32_t item, const void *key)
{
	const struct reftable *t = table;
	const struct reftable_pack *a = &t->packs[item], *b = key;

	return a->session == b->session && a->seq == b->seq && a->kind == b->kind;
}

static bool
frame_equal(const void *table, uint32_t item, const void *key)
{
	const struct reftable *t = table;

	return frame_ref_equal(&t->frames[item], key);
}

static int
add_session(struct reftable *t, const uint8_t *session, uint32_t *out, struct error *err)
{
	uint64_t hash = session_hash(session);
	int r;

	*out = hashidx_find(&t->session_index, hash, session_equal, t, session);
	if (*out != HASHIDX_NONE)
		return 0;
	r = array_reserve(&t->sessions, &t->sessions_capacity, t->nsessions + 1, sizeof(*t->sessions), err);
	if (r < 0 || (r = hashidx_push(&t->session_index, hash, err)) < 0)
		return r;
	*out = (uint32_t)t->nsessions;
	memcpy(t->sessions[t->nsessions++], session, SESSION_ID_LEN);
	t->items_size += SESSION_ID_LEN;
	return 0;
}

static int
add_pack(struct reftable *t, const struct frame_ref *f, uint32_t *out, struct error *err)
{
	struct reftable_pack pack = {.seq = f->seq, .kind = frame_pack_kind(f->type)};
	uint64_t hash;
	int r;

	r = add_session(t, f->session, &pack.session, err);
	if (r < 0)
		return r;
	hash = pack_hash(&pack);
	*out = hashidx_find(&t->pack_index, hash, pack_equal, t, &pack);
	if (*out != HASHIDX_NONE)
		return 0;
	r = array_reserve(&t->packs, &t->packs_capacity, t->npacks + 1, sizeof(*t->packs), err);
	if (r < 0 || (r = hashidx_push(&t->pack_index, hash, err)) < 0)
		return r;
	*out = (uint32_t)t->npacks;
	t->packs[t->npacks++] = pack;
	t->items_size += varint_len(pack.session) + 1 + varint_len(pack.seq);
	return 0;
}

static int
add_frame(struct reftable *t, const struct frame_ref *f, size_t *out, struct error *err)
{
	uint64_t hash = frame_hash(f);
	uint32_t found, pack;
	int r;

	found = hashidx_find(&t->frame_index, hash, frame_equal, t, f);
	if (found != HASHIDX_NONE) {
		*out = found;
		return 0;
	}
	r = add_pack(t, f, &pack, err);
	if (r < 0)
		return r;
	r = array_reserve(&t->frames, &t->frames_capacity, t->nframes + 1, sizeof(*t->frames), err);
	if (r < 0 || (r = hashidx_push(&t->frame_index, hash, err)) < 0)
		return r;
	*out = t->nframes;
	t->frames[t->nframes++] = *f;
	t->items_size += varint_len(pack) + 1 + varint_len(f->ordinal) + varint_len(f->offset) + varint_len(f->clen) +
			 varint_len(f->plen) + ID_SHORT;
	return 0;
}

int
reftable_add(struct reftable *t, const struct frame_ref *f, size_t *out_number, struct error *err)
{
	struct reftable_mark mark;
	int r;

	if (t->last < t->nframes && frame_ref_equal(&t->frames[t->last], f)) {
		*out_number = t->last;
		return 0;
	}
	if (!frame_ref_valid(f))
		return error_set(err, ERR_USAGE, "a frame reference is not valid");
	if (t->nframes >= HASHIDX_NONE - 1)
		return error_nomem(err);
	mark = reftable_mark(t);
	r = add_frame(t, f, out_number, err);
	if (r < 0)
		reftable_rollback(t, &mark);
	else
		t->last = *out_number;
	return r;
}

struct reftable_mark
reftable_mark(const struct reftable *t)
{
	return (struct reftable_mark){t->nsessions, t->npacks, t->nframes, t->items_size};
}

void
reftable_rollback(struct reftable *t, const struct reftable_mark *mark)
{
	while (t->nframes > mark->nframes)
		hashidx_pop(&t->frame_index, frame_hash(&t->frames[--t->nframes]));
	while (t->npacks > mark->npacks)
		hashidx_pop(&t->pack_index, pack_hash(&t->packs[--t->npacks]));
	while (t->nsessions > mark->nsessions)
		hashidx_pop(&t->session_index, session_hash(t->sessions[--t->nsessions]));
	t->items_size = mark->items_size;
}

size_t
reftable_size(const struct reftable *t)
{
	return t->items_size + varint_len(t->nsessions) + varint_len(t->npacks) + varint_len(t->nframes);
}

static void
encode_frame(const struct reftable *t, const struct frame_ref *f, struct buf *out)
{
	struct reftable_pack key = {.seq = f->seq, .kind = frame_pack_kind(f->type)};
	uint32_t pack;

	key.session = hashidx_find(&t->session_index, session_hash(f->session), session_equal, t, f->session);
	pack = hashidx_find(&t->pack_index, pack_hash(&key), pack_equal, t, &key);
	buf_varint(out, pack);
	buf_u8(out, f->type);
	buf_varint(out, f->ordinal);
	buf_varint(out, f->offset);
	buf_varint(out, f->clen);
	buf_varint(out, f->plen);
	buf_put(out, f->id, sizeof(f->id));
}

void
reftable_encode(const struct reftable *t, struct buf *out)
{
	size_t i;

	buf_varint(out, t->nsessions);
	for (i = 0; i < t->nsessions; i++)
		buf_put(out, t->sessions[i], SESSION_ID_LEN);
	buf_varint(out, t->npacks);
	for (i = 0; i < t->npacks; i++) {
		buf_varint(out, t->packs[i].session);
		buf_u8(out, t->packs[i].kind);
		buf_varint(out, t->packs[i].seq);
	}
	buf_varint(out, t->nframes);
	for (i = 0; i < t->nframes; i++)
		encode_frame(t, &t->frames[i], out);
}

/*
 * "In order of first use" is checked here for sessions and packs, and where frames are used for those: a number may be
 * one more than the highest before it, and all must occur.
 */
static bool
next_in_order(uint64_t number, size_t *used)
{
	if (number == *used)
		(*used)++;
	return number < *used;
}

static int
decode_sessions(struct reftable *t, struct wire *w, struct error *err)
{
	/* Every session has a pack and every pack a frame, so their bytes must be there, too. */
	size_t n = wire_count(w, SESSION_ID_LEN + PACK_SIZE_MIN + FRAME_SIZE_MIN);
	const uint8_t *bytes;
	int r;

	r = array_reserve(&t->sessions, &t->sessions_capacity, n, sizeof(*t->sessions), err);
	if (r < 0)
		return r;
	bytes = wire_bytes(w, n * SESSION_ID_LEN);
	if (bytes == NULL)
		return error_set(err, ERR_CORRUPT, "reference tables are cut");
	if (n > 0)
		memcpy(t->sessions, bytes, n * SESSION_ID_LEN);
	t->nsessions = n;
	return 0;
}

static int
decode_packs(struct reftable *t, struct wire *w, struct error *err)
{
	size_t n = wire_count(w, PACK_SIZE_MIN + FRAME_SIZE_MIN), used = 0;
	int r;

	r = array_reserve(&t->packs, &t->packs_capacity, n, sizeof(*t->packs), err);
	if (r < 0)
		return r;
	for (t->npacks = 0; t->npacks < n; t->npacks++) {
		struct reftable_pack *pack = &t->packs[t->npacks];

		pack->session = (uint32_t)varint_get_max(w, UINT32_MAX);
		pack->kind = wire_u8(w);
		pack->seq = (uint32_t)varint_get_max(w, UINT32_MAX);
		if (w->bad || !next_in_order(pack->session, &used) || used > t->nsessions ||
		    (pack->kind != 'p' && pack->kind != 'm'))
			return error_set(err, ERR_CORRUPT, "pack %zu of the reference tables is malformed", t->npacks);
	}
	if (w->bad || used != t->nsessions)
		return error_set(err, ERR_CORRUPT, "the reference tables have sessions without packs");
	return 0;
}

static bool
decode_frame(const struct reftable *t, struct wire *w, size_t *used, struct frame_ref *out)
{
	const struct reftable_pack *pack;
	uint64_t number = varint_get(w);
	const uint8_t *id;

	out->type = wire_u8(w);
	out->ordinal = (uint32_t)varint_get_max(w, UINT32_MAX);
	out->offset = (uint32_t)varint_get_max(w, UINT32_MAX);
	out->clen = (uint32_t)varint_get_max(w, UINT32_MAX);
	out->plen = (uint32_t)varint_get_max(w, UINT32_MAX);
	id = wire_bytes(w, sizeof(out->id));
	if (id == NULL || !next_in_order(number, used) || *used > t->npacks)
		return false;
	memcpy(out->id, id, sizeof(out->id));
	pack = &t->packs[number];
	memcpy(out->session, t->sessions[pack->session], sizeof(out->session));
	out->seq = pack->seq;
	return frame_ref_valid(out) && frame_pack_kind(out->type) == pack->kind;
}

static int
decode_frames(struct reftable *t, struct wire *w, struct error *err)
{
	size_t n = wire_count(w, FRAME_SIZE_MIN), used = 0;
	int r;

	r = array_reserve(&t->frames, &t->frames_capacity, n, sizeof(*t->frames), err);
	if (r < 0)
		return r;
	for (t->nframes = 0; t->nframes < n; t->nframes++)
		if (!decode_frame(t, w, &used, &t->frames[t->nframes]))
			return error_set(
			    err, ERR_CORRUPT, "frame %zu of the reference tables is malformed", t->nframes);
	if (w->bad || used != t->npacks)
		return error_set(err, ERR_CORRUPT, "the reference tables have packs without frames");
	return 0;
}

int
reftable_decode(struct reftable *t, struct wire *w, struct error *err)
{
	int r;

	reftable_reset(t);
	r = decode_sessions(t, w, err);
	if (r == 0)
		r = decode_packs(t, w, err);
	if (r == 0)
		r = decode_frames(t, w, err);
	if (r < 0)
		reftable_reset(t);
	return r;
}

void
reftable_reset(struct reftable *t)
{
	t->nsessions = t->npacks = t->nframes = 0;
	t->items_size = 0;
	t->last = 0;
	hashidx_reset(&t->session_index);
	hashidx_reset(&t->pack_index);
	hashidx_reset(&t->frame_index);
}

void
reftable_free(struct reftable *t)
{
	free(t->sessions);
	free(t->packs);
	free(t->frames);
	hashidx_free(&t->session_index);
	hashidx_free(&t->pack_index);
	hashidx_free(&t->frame_index);
	memset(t, 0, sizeof(*t));
}
