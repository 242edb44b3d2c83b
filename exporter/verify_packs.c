/*
 * The set of packs that a volume's snapshots name: hash tables with open addressing.
 */
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "error.h"
#include "verify_internal.h"

static uint64_t
mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

/* Session ids are random: their bytes are a hash. */
static uint64_t
session_hash(const uint8_t session[SESSION_ID_LEN])
{
	uint64_t h;

	memcpy(&h, session, sizeof h);
	return mix(h);
}

/* The slot of a session, or the free one where it would be. */
static uint32_t *
session_slot(const struct packs *p, const uint8_t session[SESSION_ID_LEN])
{
	size_t i = (size_t)session_hash(session) & (p->session_slots_cap - 1);

	while (p->session_slots[i] != 0 &&
	       memcmp(p->sessions[p->session_slots[i] - 1].session, session, SESSION_ID_LEN) != 0)
		i = (i + 1) & (p->session_slots_cap - 1);
	return &p->session_slots[i];
}

static int
grow_sessions(struct packs *p, struct error *err)
{
	size_t cap = MAX(2 * p->sessions_cap, (size_t)16);
	struct packlist_session *grown = reallocarray(p->sessions, cap, sizeof *grown);
	uint32_t *slots;

	if (grown == NULL)
		return error_nomem(err);
	p->sessions = grown;
	slots = calloc(2 * cap, sizeof *slots);
	if (slots == NULL)
		return error_nomem(err);
	free(p->session_slots);
	p->session_slots = slots;
	p->session_slots_cap = 2 * cap;
	p->sessions_cap = cap;
	for (size_t i = 0; i < p->nsessions; i++)
		*session_slot(p, p->sessions[i].session) = (uint32_t)i + 1;
	return 0;
}

static bool
session_equal(const struct packlist_session *a, const struct packlist_session *b)
{
	return a->epoch == b->epoch && memcmp(a->keyid, b->keyid, KEY_ID_LEN) == 0 &&
	       memcmp(a->sealed, b->sealed, SEALED_LEN) == 0 && memcmp(a->commitment, b->commitment, 32) == 0;
}

int
packs_add_session(struct packs *p, const struct packlist_session *s, struct error *err)
{
	uint32_t *slot;
	int r;

	if (p->nsessions == p->sessions_cap && (r = grow_sessions(p, err)) < 0)
		return r;
	slot = session_slot(p, s->session);
	if (*slot != 0)
		return session_equal(&p->sessions[*slot - 1], s)
			   ? 0
			   : error_set(err, ERR_CORRUPT, "two snapshots name different keys for one session");
	p->sessions[p->nsessions++] = *s;
	*slot = (uint32_t)p->nsessions;
	return 0;
}

/* ---- packs ---- */

static struct verify_pack *
pack_slot(const struct packs *p, uint8_t kind, uint32_t session, uint32_t seq)
{
	size_t i = (size_t)mix(((uint64_t)session << 32 | seq) * 2 + (kind == 'm')) & (p->cap - 1);

	while (p->slots[i].kind != 0 &&
	       (p->slots[i].seq != seq || p->slots[i].session != session || p->slots[i].kind != kind))
		i = (i + 1) & (p->cap - 1);
	return &p->slots[i];
}

static int
grow_packs(struct packs *p, struct error *err)
{
	struct packs bigger = *p;

	bigger.cap = MAX(2 * p->cap, (size_t)64);
	bigger.slots = calloc(bigger.cap, sizeof *bigger.slots);
	if (bigger.slots == NULL)
		return error_nomem(err);
	for (size_t i = 0; i < p->cap; i++)
		if (p->slots[i].kind != 0)
			*pack_slot(&bigger, p->slots[i].kind, p->slots[i].session, p->slots[i].seq) = p->slots[i];
	free(p->slots);
	*p = bigger;
	return 0;
}

int
packs_add(struct packs *p, uint8_t kind, const uint8_t session[SESSION_ID_LEN], uint32_t seq, uint64_t object_len,
    struct error *err)
{
	uint32_t index = p->session_slots_cap == 0 ? 0 : *session_slot(p, session);
	struct verify_pack *k;
	int r;

	if (index == 0)
		return error_set(err, ERR_CORRUPT, "a pack belongs to a session that is not named");
	if (object_len > PACK_LEN_MAX)
		return error_set(
		    err, ERR_CORRUPT, "a pack of %llu bytes is impossible", (unsigned long long)object_len);
	if (4 * (p->count + 1) > 3 * p->cap && (r = grow_packs(p, err)) < 0)
		return r;
	k = pack_slot(p, kind, index - 1, seq);
	if (k->kind == 0) {
		k->kind = kind;
		k->session = index - 1;
		k->seq = seq;
		p->count++;
	}
	if (k->len != 0 && object_len != 0 && k->len != object_len)
		return error_set(err, ERR_CORRUPT, "two packlists name different lengths for pack %08x", seq);
	if (object_len != 0)
		k->len = (uint32_t)object_len;
	return 0;
}

struct verify_pack *
packs_find(const struct packs *p, uint8_t kind, const uint8_t session[SESSION_ID_LEN], uint32_t seq)
{
	uint32_t index = p->session_slots_cap == 0 ? 0 : *session_slot(p, session);
	struct verify_pack *k = index == 0 || p->cap == 0 ? NULL : pack_slot(p, kind, index - 1, seq);

	return k == NULL || k->kind == 0 ? NULL : k;
}

void
packs_wipe(struct packs *p)
{
	free(p->sessions);
	free(p->session_slots);
	free(p->slots);
	memset(p, 0, sizeof *p);
}
