/*
 * Adoption: what a dead session has stored durably need not be stored again.
 *
 * Only what the listing of its packs shows is believed to be there.  A damaged pack of a dead session is nobody's loss
 * and is passed over in silence; that the store does not answer is an error as always.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "cleanup.h"
#include "checkpoint.h"
#include "pack_tail.h"
#include "session_internal.h"
#include "wire.h"

enum {
	PACKS_MAX = 1 << 20,
	HEADER_TRIES = 8,
	TRAILERS_MAX = 512,
	PREFIX_LEN = 80,
};

/* Damage: go on without it. */
static bool
is_damage(int r)
{
	return r == ERR_CORRUPT || r == ERR_NOT_FOUND || r == ERR_UNSUPPORTED || r == ERR_WRONG_KEY || r == ERR_USAGE;
}

struct listing {
	struct other_session *o;
	uint8_t kind;
	size_t prefix_len;
};

static int
note_pack(void *arg, const struct store_object *object, struct error *err)
{
	const struct listing *l = arg;
	struct other_session *o = l->o;
	const char *digits = object->key + l->prefix_len;
	uint8_t seq[4];
	int r;

	if (strlen(digits) != 8 || !hex_decode(seq, sizeof(seq), digits) || object->size > PACK_LEN_MAX ||
	    object->size < PACK_HEADER_LEN + PACK_FOOTER_LEN)
		return 0;
	if (o->npacks == PACKS_MAX)
		return 1;
	r = array_reserve(&o->packs, &o->cap, o->npacks + 1, sizeof(o->packs[0]), err);
	if (r < 0)
		return r;
	o->packs[o->npacks++] = (struct adopted_pack){
	    .seq = (uint32_t)seq[0] << 24 | (uint32_t)seq[1] << 16 | (uint32_t)seq[2] << 8 | seq[3],
	    .len = (uint32_t)object->size,
	    .kind = l->kind,
	};
	return 0;
}

static int
list_packs(struct session *s, struct other_session *o, uint8_t kind, struct error *err)
{
	struct listing l = {.o = o, .kind = kind};
	char prefix[PREFIX_LEN], hex[2 * SESSION_ID_LEN + 1];
	int r;

	hex_encode(hex, o->key.session, SESSION_ID_LEN);
	(void)snprintf(prefix, sizeof(prefix), "v/%s/%c/%s/", s->volume->id_hex, kind, hex);
	l.prefix_len = strlen(prefix);
	r = store_list(s->store, prefix, note_pack, &l, err);
	return r < 0 ? r : 0;
}

/* The header as it must be of this pack; raw: its bytes. */
static int
load_header(struct session *s, const struct other_session *o, const struct adopted_pack *p,
    uint8_t raw[PACK_HEADER_LEN], struct pack_header *out, struct error *err)
{
	char name[PACK_NAME_LEN];
	int r = 0;

	pack_name(s->keys->volume, p->kind, o->key.session, p->seq, name);
	if (o->opened && p == &o->packs[o->opened_by])
		memcpy(raw, o->header, PACK_HEADER_LEN);
	else
		r = store_get(s->store, name, 0, raw, PACK_HEADER_LEN, err);
	if (r == 0)
		r = pack_header_parse(raw, out, err);
	if (r < 0)
		return r;
	if (out->kind != p->kind || out->seq != p->seq || out->epoch != s->keys->epoch ||
	    memcmp(out->keyid, s->keys->keyid, KEY_ID_LEN) != 0 ||
	    memcmp(out->volume, s->keys->volume, VOLUME_ID_LEN) != 0 ||
	    memcmp(out->session, o->key.session, SESSION_ID_LEN) != 0)
		return error_set(err, ERR_CORRUPT, "%s has the header of another pack", name);
	return 0;
}

static int
open_session(struct session *s, struct other_session *o, struct error *err)
{
	size_t tries = MIN(o->npacks, (size_t)HEADER_TRIES);
	int r = 0;

	for (size_t i = 0; i < tries && !o->opened; i++) {
		struct pack_header header;

		o->opened_by = i * (o->npacks / tries);
		r = load_header(s, o, &o->packs[o->opened_by], o->header, &header, err);
		if (r == 0) {
			memcpy(o->key.sealed, header.sealed, SEALED_LEN);
			memcpy(o->key.commitment, header.commitment, sizeof(o->key.commitment));
			r = session_key_open(s->keys, &o->key, err);
		}
		if (r < 0 && !is_damage(r))
			return r;
		o->opened = r == 0;
	}
	return 0;
}

static void
add_adopted(struct session *s, const struct other_session *o)
{
	struct packlist_session *p = &s->adopted[s->nadopted++];

	memcpy(p->session, o->key.session, SESSION_ID_LEN);
	p->epoch = s->keys->epoch;
	memcpy(p->keyid, s->keys->keyid, KEY_ID_LEN);
	memcpy(p->sealed, o->key.sealed, SEALED_LEN);
	memcpy(p->commitment, o->key.commitment, sizeof(p->commitment));
}

int
adopt_open(struct session *s, struct error *err)
{
	int r;

	s->adopted = calloc(SESSION_ADOPTED_MAX, sizeof(s->adopted[0]));
	if (s->adopted == NULL)
		return error_nomem(err);
	for (size_t i = 0; i < s->nothers && !s->others[i].merged; i++) {
		struct other_session *o = &s->others[i];

		r = list_packs(s, o, 'm', err);
		if (r == 0)
			r = list_packs(s, o, 'p', err);
		if (r == 0)
			r = open_session(s, o, err);
		if (r < 0)
			return r;
		if (o->opened)
			add_adopted(s, o);
	}
	return 0;
}

void
adopt_free(struct session *s)
{
	for (size_t i = 0; i < s->nothers; i++) {
		session_key_wipe(&s->others[i].key);
		free(s->others[i].packs);
	}
	free(s->others);
	free(s->adopted);
}

/* ---- the frames ---- */

static void
free_loader(struct loader **p)
{
	loader_free(*p);
}

struct walk {
	struct session *s;
	struct other_session *o;
	struct loader *loader;
	int (*fn)(void *arg, const struct frame_ref *, struct error *);
	void *arg;
};

static struct adopted_pack *
find_pack(const struct other_session *o, uint8_t kind, uint32_t seq)
{
	size_t low = 0, high = o->npacks;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		struct adopted_pack *p = &o->packs[mid];

		if (p->kind == kind && p->seq == seq)
			return p;
		if (p->kind != kind ? p->kind < kind : p->seq < seq)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

/* Report a frame of a pack that is there, once: frames of a pack come in the order in which they lie. */
static int
report(struct walk *w, const struct frame_ref *ref, struct error *err)
{
	struct adopted_pack *p;

	if (memcmp(ref->session, w->o->key.session, SESSION_ID_LEN) != 0 || !frame_ref_valid(ref))
		return 0;
	p = find_pack(w->o, frame_pack_kind(ref->type), ref->seq);
	if (p == NULL || ref->ordinal < p->next || (uint64_t)ref->offset + ref->clen > p->len)
		return 0;
	p->next = ref->ordinal + 1;
	return w->fn(w->arg, ref, err);
}

static int
load_trailer(
    struct walk *w, const struct adopted_pack *p, struct pack_record **out, size_t *out_count, struct error *err)
{
	CLEANUP(pack_tail_wipe) struct pack_tail tail = {0};
	struct pack_header header;
	uint8_t raw[PACK_HEADER_LEN], key[KEY_LEN];
	char name[PACK_NAME_LEN];
	int r;

	r = load_header(w->s, w->o, p, raw, &header, err);
	if (r < 0)
		return r;
	pack_name(w->s->keys->volume, p->kind, w->o->key.session, p->seq, name);
	r = pack_tail_fetch(w->s->store, name, p->len, raw, &tail, err);
	if (r == 0)
		r = session_key_pack(&w->o->key, w->s->keys->volume, p->kind, p->seq, key, err);
	if (r == 0)
		r = pack_trailer_open(key, raw, tail.offset, tail.sealed, tail.len, out, out_count, err);
	crypto_wipe(key, sizeof(key));
	return r;
}

static int
report_checkpoint(struct walk *w, const struct frame_ref *ref, struct error *err)
{
	CLEANUP_FREE uint8_t *plain = malloc(ref->plen);
	CLEANUP_FREE struct frame_ref *frames = NULL;
	size_t count = 0;
	int r;

	if (plain == NULL)
		return error_nomem(err);
	r = loader_load(w->loader, ref, plain, err);
	if (r == 0)
		r = checkpoint_decode(plain, ref->plen, &frames, &count, err);
	if (r < 0)
		return is_damage(r) ? 0 : r;
	for (size_t i = 0; i < count; i++)
		if (frames[i].type == FRAME_DATA || frames[i].type == FRAME_BUNDLE) {
			r = report(w, &frames[i], err);
			if (r < 0)
				return r;
		}
	return 0;
}

/* What a pack's trailer says: frames themselves, and checkpoints are followed. */
static int
walk_pack(struct walk *w, const struct adopted_pack *p, struct error *err)
{
	CLEANUP_FREE struct pack_record *records = NULL;
	size_t count = 0;
	int r;

	r = load_trailer(w, p, &records, &count, err);
	if (r < 0)
		return is_damage(r) ? 0 : r;
	for (size_t i = 0; i < count; i++) {
		const struct pack_record *c = &records[i];
		struct frame_ref ref = {.seq = p->seq,
		    .ordinal = (uint32_t)i,
		    .offset = c->offset,
		    .clen = c->clen,
		    .plen = c->plen,
		    .type = c->type};

		memcpy(ref.session, w->o->key.session, SESSION_ID_LEN);
		memcpy(ref.id, c->id, ID_SHORT);
		if (!frame_ref_valid(&ref) || frame_pack_kind(ref.type) != p->kind)
			continue;
		if (ref.type == FRAME_CHECKPOINT)
			r = report_checkpoint(w, &ref, err);
		else if (ref.type == FRAME_DATA || ref.type == FRAME_BUNDLE || ref.type == FRAME_CATALOG)
			r = report(w, &ref, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int
walk_session(struct walk *w, struct error *err)
{
	struct other_session *o = w->o;
	size_t trailers = 0;
	int r;

	for (size_t i = 0; i < o->npacks; i++)
		o->packs[i].next = 0;
	for (size_t i = 0; i < o->npacks; i++) {
		const struct adopted_pack *p = &o->packs[i];

		/* Data packs come behind the checkpoints that cover them. */
		if (p->kind == 'p' && (p->next > 0 || trailers++ >= TRAILERS_MAX))
			continue;
		r = walk_pack(w, p, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int
session_each_adopted(
    struct session *s, int (*fn)(void *arg, const struct frame_ref *, struct error *), void *arg, struct error *err)
{
	CLEANUP(free_loader) struct loader *loader = NULL;
	struct walk w = {.s = s, .fn = fn, .arg = arg};
	int r;

	if (s->nadopted == 0)
		return 0;
	r = loader_new(s->volume, s->keyring, &loader, err);
	if (r < 0)
		return r;
	w.loader = loader;
	for (size_t i = 0; i < s->nothers; i++) {
		w.o = &s->others[i];
		if (!w.o->opened)
			continue;
		r = walk_session(&w, err);
		if (r < 0)
			return r;
	}
	return 0;
}
