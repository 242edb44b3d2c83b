/* Packlists as bytes: docs/format.md section 7. */

#include "packlist.h"

#include <string.h>

#include "array.h"
#include "cleanup.h"
#include "error.h"
#include "pack.h"
#include "packlist_internal.h"
#include "varint.h"
#include "wire.h"

#define MAGIC     "L\1"
#define MAGIC_LEN 2

/* A session without packs, and a pack of the shortest numbers. */
#define SESSION_SIZE_MIN (SESSION_ID_LEN + 4 + KEY_ID_LEN + SEALED_LEN + 32 + 2)
#define PACK_SIZE_MIN    3

static size_t
count_live(const struct packlist_kind *k)
{
	size_t i, n = 0;

	for (i = 0; i < k->n; i++)
		n += k->v[i].live > 0;
	return n;
}

static int
encode_kind(const struct packlist_kind *k, struct buf *out, struct error *err)
{
	uint32_t before = 0;
	size_t i;

	buf_varint(out, count_live(k));
	for (i = 0; i < k->n; i++) {
		const struct packlist_record *p = &k->v[i];

		if (p->live == 0)
			continue;
		if (p->object_len == 0)
			return error_set(err, ERR_USAGE, "the length of pack %08x was never said", p->seq);
		buf_varint(out, p->seq - before);
		buf_varint(out, p->object_len);
		buf_varint(out, p->live);
		before = p->seq;
	}
	return 0;
}

static int
encode_session(const struct packlist_session *s, const struct packlist_packs *packs, struct buf *out, struct error *err)
{
	int r;

	buf_put(out, s->session, sizeof(s->session));
	buf_u32(out, s->epoch);
	buf_put(out, s->keyid, sizeof(s->keyid));
	buf_put(out, s->sealed, sizeof(s->sealed));
	buf_put(out, s->commitment, sizeof(s->commitment));
	r = encode_kind(&packs->kinds[0], out, err);
	return r < 0 ? r : encode_kind(&packs->kinds[1], out, err);
}

static bool
is_live(const struct packlist_packs *packs)
{
	return count_live(&packs->kinds[0]) > 0 || count_live(&packs->kinds[1]) > 0;
}

int
packlist_encode(struct packlist *l, struct buf *out, struct error *err)
{
	CLEANUP(buf_free) struct buf bytes = BUF_INIT(PACKLIST_ENCODED_MAX);
	size_t i, n = 0;
	int r;

	for (i = 0; i < l->nsessions; i++)
		n += is_live(&l->packs[i]);
	if (n > PACKLIST_SESSIONS_MAX || l->nlive > PACKLIST_PACKS_MAX)
		return error_set(err, ERR_NOMEM, "a packlist of %zu packs of %zu exports is too long", l->nlive, n);
	buf_put(&bytes, MAGIC, MAGIC_LEN);
	buf_varint(&bytes, n);
	for (i = 0; i < l->nsessions; i++) {
		if (!is_live(&l->packs[i]))
			continue;
		r = encode_session(&l->sessions[i], &l->packs[i], &bytes, err);
		if (r < 0)
			return r;
	}
	r = buf_check(&bytes, "packlist", err);
	if (r < 0)
		return r;
	buf_put(out, bytes.data, bytes.len);
	return buf_check(out, "packlist", err);
}

static int
decode_kind(struct packlist *l, struct packlist_kind *k, struct wire *w, size_t *left, struct error *err)
{
	size_t n = wire_count(w, PACK_SIZE_MIN);
	uint64_t before = 0;
	int r;

	if (n > *left)
		return error_set(err, ERR_CORRUPT, "packlist: too many packs");
	*left -= n;
	r = array_new(&k->v, &k->capacity, n, sizeof(*k->v), err);
	if (r < 0)
		return r;
	for (k->n = 0; k->n < n; k->n++) {
		struct packlist_record *p = &k->v[k->n];
		uint64_t step = varint_get_max(w, UINT32_MAX - before);

		p->seq = (uint32_t)(before + step);
		p->object_len = (uint32_t)varint_get_max(w, PACK_LEN_MAX);
		p->live = varint_get_max(w, PACKLIST_LIVE_MAX);
		if (w->bad || (step == 0 && k->n > 0) || p->object_len == 0)
			return error_set(err, ERR_CORRUPT, "packlist: a pack is malformed");
		l->nlive += p->live > 0;
		before = p->seq;
	}
	return 0;
}

static int
decode_session(struct packlist *l, struct wire *w, size_t *left, struct error *err)
{
	struct packlist_session *s = &l->sessions[l->nsessions];
	const uint8_t *id = wire_bytes(w, SESSION_ID_LEN), *keyid, *sealed, *commitment;
	struct packlist_packs *packs = &l->packs[l->nsessions];
	int r;

	s->epoch = wire_u32(w);
	keyid = wire_bytes(w, sizeof(s->keyid));
	sealed = wire_bytes(w, sizeof(s->sealed));
	commitment = wire_bytes(w, sizeof(s->commitment));
	if (w->bad)
		return error_set(err, ERR_CORRUPT, "packlist: a session is cut");
	if (l->nsessions > 0 && memcmp(s[-1].session, id, SESSION_ID_LEN) >= 0)
		return error_set(err, ERR_CORRUPT, "packlist: sessions are out of order");
	memcpy(s->session, id, sizeof(s->session));
	memcpy(s->keyid, keyid, sizeof(s->keyid));
	memcpy(s->sealed, sealed, sizeof(s->sealed));
	memcpy(s->commitment, commitment, sizeof(s->commitment));
	*packs = (struct packlist_packs){0};
	l->nsessions++;
	r = decode_kind(l, &packs->kinds[0], w, left, err);
	return r < 0 ? r : decode_kind(l, &packs->kinds[1], w, left, err);
}

static int
decode(struct packlist *l, struct wire *w, struct error *err)
{
	const uint8_t *magic = wire_bytes(w, MAGIC_LEN);
	size_t n, left = PACKLIST_PACKS_MAX;
	int r;

	if (magic == NULL || memcmp(magic, MAGIC, MAGIC_LEN) != 0)
		return error_set(err, ERR_CORRUPT, "not a packlist");
	n = wire_count(w, SESSION_SIZE_MIN);
	if (n > PACKLIST_SESSIONS_MAX)
		return error_set(err, ERR_CORRUPT, "packlist: too many sessions");
	r = array_new(&l->sessions, &l->sessions_capacity, n, sizeof(*l->sessions), err);
	if (r == 0)
		r = array_new(&l->packs, &l->packs_capacity, n, sizeof(*l->packs), err);
	for (; r == 0 && n > 0; n--)
		r = decode_session(l, w, &left, err);
	if (r < 0)
		return r;
	return wire_done(w) ? 0 : error_set(err, ERR_CORRUPT, "packlist: malformed");
}

int
packlist_decode(const void *bytes, size_t len, struct packlist **out, struct error *err)
{
	struct packlist *l;
	struct wire w;
	int r;

	if (len > PACKLIST_ENCODED_MAX)
		return error_set(err, ERR_CORRUPT, "a packlist of %zu bytes", len);
	r = packlist_new(&l, err);
	if (r < 0)
		return r;
	wire_init(&w, bytes, len);
	r = decode(l, &w, err);
	if (r < 0) {
		packlist_free(l);
		return r;
	}
	*out = l;
	return 0;
}
