/*
 * Packlists: sessions sorted by id, each with its packs sorted by number.
 *
 * Sorted arrays without an index need the least memory.  A session numbers its packs upwards and a catalog refers to
 * them roughly in that order, so that new ones come at the end, and the pack asked for last is tried first.
 */

#include "packlist.h"

#include <string.h>

#include "array.h"
#include "cleanup.h"
#include "error.h"
#include "pack.h"
#include "packlist_internal.h"
#include "wire.h"

int
packlist_new(struct packlist **out, struct error *err)
{
	struct packlist *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return error_nomem(err);
	*out = l;
	return 0;
}

void
packlist_free(struct packlist *l)
{
	size_t i;

	if (l == NULL)
		return;
	for (i = 0; i < l->nsessions; i++) {
		free(l->packs[i].kinds[0].v);
		free(l->packs[i].kinds[1].v);
	}
	free(l->sessions);
	free(l->packs);
	free(l);
}

/* The first session whose id is not below this one. */
static size_t
session_position(const struct packlist *l, const uint8_t *session)
{
	size_t low = 0, high = l->nsessions;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (memcmp(l->sessions[middle].session, session, SESSION_ID_LEN) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool
session_at(const struct packlist *l, size_t i, const uint8_t *session)
{
	return i < l->nsessions && memcmp(l->sessions[i].session, session, SESSION_ID_LEN) == 0;
}

static bool
session_equal(const struct packlist_session *a, const struct packlist_session *b)
{
	return a->epoch == b->epoch && memcmp(a->keyid, b->keyid, sizeof(a->keyid)) == 0 &&
	       memcmp(a->sealed, b->sealed, sizeof(a->sealed)) == 0 &&
	       memcmp(a->commitment, b->commitment, sizeof(a->commitment)) == 0;
}

int
packlist_add_session(struct packlist *l, const struct packlist_session *s, struct error *err)
{
	size_t i = session_position(l, s->session);
	int r;

	if (session_at(l, i, s->session)) {
		if (session_equal(&l->sessions[i], s))
			return 0;
		return error_set(err, ERR_CORRUPT, "a session has two different keys");
	}
	r = array_reserve(&l->sessions, &l->sessions_capacity, l->nsessions + 1, sizeof(*l->sessions), err);
	if (r == 0)
		r = array_reserve(&l->packs, &l->packs_capacity, l->nsessions + 1, sizeof(*l->packs), err);
	if (r < 0)
		return r;
	memmove(l->sessions + i + 1, l->sessions + i, (l->nsessions - i) * sizeof(*l->sessions));
	memmove(l->packs + i + 1, l->packs + i, (l->nsessions - i) * sizeof(*l->packs));
	l->sessions[i] = *s;
	l->packs[i] = (struct packlist_packs){0};
	l->nsessions++;
	l->last_session = i;
	return 0;
}

const struct packlist_session *
packlist_session(const struct packlist *l, const uint8_t session[SESSION_ID_LEN])
{
	size_t i = session_position(l, session);

	return session_at(l, i, session) ? &l->sessions[i] : NULL;
}

const struct packlist_session *
packlist_session_at(const struct packlist *l, size_t i)
{
	return i < l->nsessions ? &l->sessions[i] : NULL;
}

/* The first pack whose number is not below this one. */
static size_t
pack_position(const struct packlist_kind *k, uint32_t seq)
{
	size_t low = 0, high = k->n;

	if (k->last < k->n && k->v[k->last].seq == seq)
		return k->last;
	if (k->n > 0 && k->v[k->n - 1].seq < seq)
		return k->n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (k->v[middle].seq < seq)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int
find_kind(struct packlist *l, uint8_t kind, const uint8_t *session, struct packlist_kind **out, struct error *err)
{
	if (!session_at(l, l->last_session, session)) {
		l->last_session = session_position(l, session);
		if (!session_at(l, l->last_session, session))
			return error_set(err, ERR_CORRUPT, "the packlist does not know the session of a pack");
	}
	if (kind != 'p' && kind != 'm')
		return error_set(err, ERR_CORRUPT, "no such kind of pack: %d", kind);
	*out = &l->packs[l->last_session].kinds[packlist_kind_index(kind)];
	return 0;
}

/* The pack's record, made when it is missing. */
static int
get_pack(struct packlist *l, uint8_t kind, const uint8_t *session, uint32_t seq, struct packlist_record **out,
    struct error *err)
{
	struct packlist_kind *k;
	size_t i;
	int r;

	r = find_kind(l, kind, session, &k, err);
	if (r < 0)
		return r;
	i = pack_position(k, seq);
	if (i == k->n || k->v[i].seq != seq) {
		r = array_reserve(&k->v, &k->capacity, k->n + 1, sizeof(*k->v), err);
		if (r < 0)
			return r;
		memmove(k->v + i + 1, k->v + i, (k->n - i) * sizeof(*k->v));
		k->v[i] = (struct packlist_record){.seq = seq};
		k->n++;
	}
	k->last = i;
	*out = &k->v[i];
	return 0;
}

int
packlist_set_len(struct packlist *l, uint8_t kind, const uint8_t session[SESSION_ID_LEN], uint32_t seq,
    uint64_t object_len, struct error *err)
{
	struct packlist_record *p;
	int r;

	if (object_len == 0 || object_len > PACK_LEN_MAX)
		return error_set(err, ERR_CORRUPT, "a pack of %llu bytes", (unsigned long long)object_len);
	r = get_pack(l, kind, session, seq, &p, err);
	if (r == 0)
		p->object_len = (uint32_t)object_len;
	return r;
}

int
packlist_add(struct packlist *l, const struct frame_ref *f, uint64_t len, struct error *err)
{
	struct packlist_record *p;
	int r;

	r = get_pack(l, frame_pack_kind(f->type), f->session, f->seq, &p, err);
	if (r < 0)
		return r;
	if (len > PACKLIST_LIVE_MAX - p->live)
		return error_set(err, ERR_CORRUPT, "too many references to one pack");
	l->nlive += p->live == 0 && len > 0;
	p->live += len;
	return 0;
}

int
packlist_sub(struct packlist *l, const struct frame_ref *f, uint64_t len, struct error *err)
{
	struct packlist_kind *k;
	struct packlist_record *p;
	size_t i;
	int r;

	r = find_kind(l, frame_pack_kind(f->type), f->session, &k, err);
	if (r < 0)
		return r;
	i = pack_position(k, f->seq);
	p = i < k->n && k->v[i].seq == f->seq ? &k->v[i] : NULL;
	if (len > (p != NULL ? p->live : 0))
		return error_set(err, ERR_CORRUPT, "the packlist of the parent does not fit its catalog");
	if (p == NULL)
		return 0;
	k->last = i;
	l->nlive -= p->live == len && len > 0;
	p->live -= len;
	return 0;
}

static void
describe(const struct packlist_session *s, uint8_t kind, const struct packlist_record *p, struct packlist_pack *out)
{
	memcpy(out->session, s->session, sizeof(out->session));
	out->kind = kind;
	out->seq = p->seq;
	out->object_len = p->object_len;
	out->live = p->live;
}

bool
packlist_find(const struct packlist *l, uint8_t kind, const uint8_t session[SESSION_ID_LEN], uint32_t seq,
    struct packlist_pack *out)
{
	size_t s = session_position(l, session), i;
	const struct packlist_kind *k;

	if (!session_at(l, s, session) || (kind != 'p' && kind != 'm'))
		return false;
	k = &l->packs[s].kinds[packlist_kind_index(kind)];
	i = pack_position(k, seq);
	if (i == k->n || k->v[i].seq != seq || k->v[i].live == 0)
		return false;
	describe(&l->sessions[s], kind, &k->v[i], out);
	return true;
}

static int
each_of_kind(const struct packlist_session *s, uint8_t kind, const struct packlist_kind *k,
    int (*fn)(void *arg, const struct packlist_pack *, struct error *), void *arg, struct error *err)
{
	struct packlist_pack pack;
	size_t i;
	int r;

	for (i = 0; i < k->n; i++) {
		if (k->v[i].live == 0)
			continue;
		describe(s, kind, &k->v[i], &pack);
		r = fn(arg, &pack, err);
		if (r != 0)
			return r;
	}
	return 0;
}

int
packlist_each(struct packlist *l, int (*fn)(void *arg, const struct packlist_pack *, struct error *), void *arg,
    struct error *err)
{
	size_t i;
	int r;

	for (i = 0; i < l->nsessions; i++) {
		r = each_of_kind(&l->sessions[i], 'p', &l->packs[i].kinds[0], fn, arg, err);
		if (r == 0)
			r = each_of_kind(&l->sessions[i], 'm', &l->packs[i].kinds[1], fn, arg, err);
		if (r != 0)
			return r;
	}
	return 0;
}

size_t
packlist_count(const struct packlist *l)
{
	return l->nlive;
}
