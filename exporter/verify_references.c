/*
 * What a snapshot's catalog refers to: are the references right, do they add up to what the packlist says, and which of
 * them are damaged?
 */
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "verify_internal.h"

int
references_init(struct references *x, struct verify *v, const struct snapshot *s, bool check, struct error *err)
{
	const struct packlist_session *session;
	int r = 0;

	*x = (struct references){.v = v, .s = s, .check = check};
	if (check)
		r = packlist_new(&x->recount, err);
	for (size_t i = 0; check && r == 0 && (session = packlist_session_at(s->packlist, i)) != NULL; i++)
		r = packlist_add_session(x->recount, session, err);
	return r;
}

void
references_wipe(struct references *x)
{
	packlist_free(x->recount);
}

void
references_known_damage(struct references *x)
{
	const struct manifest *m = &x->s->manifest;
	struct packlist_pack listed;

	for (size_t i = 0; x->v->damages.count > 0 && i < x->v->packs.cap; i++) {
		const struct verify_pack *p = &x->v->packs.slots[i];
		const uint8_t *session = p->kind == 0 ? NULL : x->v->packs.sessions[p->session].session;
		bool needed =
		    p->kind != 0 && p->bad && packlist_find(x->s->packlist, p->kind, session, p->seq, &listed);

		for (size_t k = 0; p->kind == 'm' && p->bad && !needed && k < m->nroot + m->npacklist; k++) {
			const struct frame_ref *ref = k < m->nroot ? &m->root[k] : &m->packlist[k - m->nroot];

			needed = ref->seq == p->seq && memcmp(ref->session, session, SESSION_ID_LEN) == 0;
		}
		if (needed)
			damage_add_snapshot(p->damage, m->snapshot);
	}
}

int
references_flush(struct references *x, struct error *err)
{
	uint64_t len = x->last_len;

	x->last_len = 0;
	return len == 0 || !x->last_counts ? 0 : packlist_add(x->recount, &x->last, len, err);
}

/* Damage that is not in a pack: the snapshot itself is wrong. */
static struct damage *
bad_snapshot(struct references *x, const char *kind, const char *message)
{
	char object[PACK_NAME_LEN + 32];
	struct damage *d;

	(void)snprintf(object, sizeof object, "v/%s/s/%s.json", x->v->volume->id_hex, x->s->manifest.snapshot);
	d = damage_add(&x->v->damages, object, kind, message);
	damage_add_snapshot(d, x->s->manifest.snapshot);
	return d;
}

/* 1 when the trailer says the same; 0 when the pack is bad now. */
static int
compare_trailer(struct references *x, struct verify_pack *p, const struct frame_ref *ref, struct error *err)
{
	const struct trailer *t;
	const struct trailer_record *record;
	char message[128];
	int r = verify_trailer(x->v, p, &t, err);

	if (r <= 0)
		return r;
	record = ref->ordinal < t->count ? &t->records[ref->ordinal] : NULL;
	if (record != NULL && record->offset == ref->offset && record->clen == ref->clen && record->plen == ref->plen &&
	    record->type == ref->type && memcmp(record->id, ref->id, ID_SHORT) == 0)
		return 1;
	(void)snprintf(message, sizeof message, "frame %u is not the one that snapshot %s refers to", ref->ordinal,
	    x->s->manifest.snapshot);
	verify_bad_pack(x->v, p, "reference", ref->ordinal, message);
	return 0;
}

/* The damage that hits a frame, or NULL. */
static int
find_damage(struct references *x, const struct frame_ref *ref, struct damage **out, struct error *err)
{
	uint8_t kind = frame_pack_kind(ref->type);
	struct verify_pack *p = packs_find(&x->v->packs, kind, ref->session, ref->seq);
	struct packlist_pack listed;
	char name[PACK_NAME_LEN], message[PACK_NAME_LEN + 64];
	int r;

	*out = NULL;
	x->last_counts = x->check;
	if (p == NULL || (x->check && !packlist_find(x->s->packlist, kind, ref->session, ref->seq, &listed))) {
		x->last_counts = false;
		x->incomplete = true;
		pack_name(x->v->volume->id, kind, ref->session, ref->seq, name);
		(void)snprintf(
		    message, sizeof message, "its packlist lacks the pack %s, to which the catalog refers", name);
		*out = bad_snapshot(x, "reference", message);
		return 0;
	}
	if (!p->bad && x->check && (r = compare_trailer(x, p, ref, err)) < 0)
		return r;
	if (p->bad && p->damage != NULL && damage_has_ordinal(p->damage, ref->ordinal))
		*out = p->damage;
	return 0;
}

int
references_add(
    struct references *x, const struct frame_ref *ref, uint64_t len, const struct entry *e, struct error *err)
{
	int r;

	if (!x->have_last || !frame_ref_equal(ref, &x->last)) {
		if ((r = references_flush(x, err)) < 0)
			return r;
		x->last = *ref;
		x->have_last = true;
		if ((r = find_damage(x, ref, &x->last_damage, err)) < 0)
			return r;
	}
	x->last_len += len;
	if (x->last_damage != NULL) {
		damage_add_snapshot(x->last_damage, x->s->manifest.snapshot);
		if (e != NULL)
			damage_add_entry(x->last_damage, x->v->entry, e->path, e->path_len);
	}
	return 0;
}

void
references_bad_frame(
    struct references *x, const struct frame_ref *ref, const char *kind, const struct entry *e, const struct error *err)
{
	struct verify_pack *p = packs_find(&x->v->packs, frame_pack_kind(ref->type), ref->session, ref->seq);

	x->have_last = false;
	x->incomplete = true;
	if (p == NULL)
		return;
	verify_bad_pack(x->v, p, kind, ref->ordinal, err->msg);
	damage_add_snapshot(p->damage, x->s->manifest.snapshot);
	if (e != NULL)
		damage_add_entry(p->damage, x->v->entry, e->path, e->path_len);
}

struct live {
	struct references *references;
	bool wrong;
	char message[PACK_NAME_LEN + 128];
};

static int
compare_live(void *arg, const struct packlist_pack *listed, struct error *err)
{
	struct live *l = arg;
	struct packlist_pack counted = {.live = 0};
	char name[PACK_NAME_LEN];

	(void)err;
	if (packlist_find(l->references->recount, listed->kind, listed->session, listed->seq, &counted) &&
	    counted.live == listed->live)
		return 0;
	pack_name(l->references->v->volume->id, listed->kind, listed->session, listed->seq, name);
	(void)snprintf(l->message, sizeof l->message, "its packlist says %llu live bytes of pack %s, the catalog %llu",
	    (unsigned long long)listed->live, name, (unsigned long long)counted.live);
	l->wrong = true;
	return 1;
}

/* Every counted pack is listed, or the reference was found wrong: one direction is enough. */
int
references_check_live(struct references *x, struct error *err)
{
	struct live l = {.references = x};
	int r;

	if (x->incomplete)
		return 0;
	r = packlist_each(x->s->packlist, compare_live, &l, err);
	if (r < 0)
		return r;
	if (l.wrong)
		(void)bad_snapshot(x, "packlist", l.message);
	return 0;
}
