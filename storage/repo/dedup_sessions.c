/*
 * Which packs of adopted sessions are there: a catalog block may have become durable before the data to which it
 * refers.
 */
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "dedup_internal.h"

enum { SEQ_MAX = 1 << 24, SESSIONS_MAX = 64 };

static size_t
bit_of(const struct frame_ref *ref)
{
	return (size_t)ref->seq * 2 + (frame_pack_kind(ref->type) == 'm');
}

static struct dedup_packs *
find_session(const struct dedup_sessions *s, const uint8_t session[SESSION_ID_LEN])
{
	for (size_t i = 0; i < s->count; i++)
		if (memcmp(s->sessions[i].session, session, SESSION_ID_LEN) == 0)
			return &s->sessions[i];
	return NULL;
}

int
dedup_sessions_add(struct dedup_sessions *s, const struct frame_ref *ref, struct error *err)
{
	struct dedup_packs *p = find_session(s, ref->session);
	size_t bit = bit_of(ref), old;
	int r;

	if (ref->seq >= SEQ_MAX || (p == NULL && s->count == SESSIONS_MAX))
		return 0;
	if (p == NULL) {
		r = array_reserve(&s->sessions, &s->cap, s->count + 1, sizeof(s->sessions[0]), err);
		if (r < 0)
			return r;
		p = &s->sessions[s->count++];
		memset(p, 0, sizeof(*p));
		memcpy(p->session, ref->session, SESSION_ID_LEN);
	}
	old = p->nwords;
	r = array_reserve(&p->bits, &p->nwords, bit / 64 + 1, sizeof(p->bits[0]), err);
	if (r < 0)
		return r;
	memset(p->bits + old, 0, (p->nwords - old) * sizeof(p->bits[0]));
	p->bits[bit / 64] |= UINT64_C(1) << (bit % 64);
	return 0;
}

bool
dedup_sessions_have(const struct dedup_sessions *s, const struct frame_ref *ref)
{
	const struct dedup_packs *p = find_session(s, ref->session);
	size_t bit = bit_of(ref);

	return p != NULL && bit / 64 < p->nwords && (p->bits[bit / 64] >> (bit % 64) & 1) != 0;
}

void
dedup_sessions_wipe(struct dedup_sessions *s)
{
	for (size_t i = 0; i < s->count; i++)
		free(s->sessions[i].bits);
	free(s->sessions);
	memset(s, 0, sizeof(*s));
}
