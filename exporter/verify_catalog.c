/*
 * One snapshot's catalog: are its references right, and who needs what is damaged?
 *
 * A damaged block costs the entries in it; reading goes on with the next one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "error.h"
#include "frames.h"
#include "verify_internal.h"

#define READAHEAD 4

struct scan {
	struct verify *v;
	const struct snapshot *s;
	const struct root *before;
	bool check;
	struct catalog_reader *reader;
	struct frames *frames;
	struct packlist *recount; /* when checking */
	bool incomplete; /* something could not be counted */
	/* The frame that was referred to last, with what is not yet added to the recount. */
	bool have_last, last_counts;
	struct frame_ref last;
	uint64_t last_len;
	struct damage *last_damage;
	/* Where the reader is. */
	size_t block;
	uint64_t in_block;
	bool block_known; /* the snapshot before had it */
	struct mac *mac;
	const struct volume_keys *mac_keys;
};

/* ---- references ---- */

static int
scan_flush(struct scan *c, struct error *err)
{
	uint64_t len = c->last_len;

	c->last_len = 0;
	return len == 0 || !c->last_counts ? 0 : packlist_add(c->recount, &c->last, len, err);
}

/* Damage that is not in a pack: the snapshot itself is wrong. */
static struct damage *
scan_bad_snapshot(struct scan *c, const char *kind, const char *message)
{
	char object[PACK_NAME_LEN + 32];
	struct damage *d;

	(void)snprintf(object, sizeof object, "v/%s/s/%s.json", c->v->volume->id_hex, c->s->manifest.snapshot);
	d = damage_add(&c->v->damages, object, kind, message);
	damage_add_snapshot(d, c->s->manifest.snapshot);
	return d;
}

/* 1 when the trailer says the same; 0 when the pack is bad now. */
static int
scan_compare(struct scan *c, struct verify_pack *p, const struct frame_ref *ref, struct error *err)
{
	const struct trailer *t;
	const struct trailer_record *record;
	char message[128];
	int r = verify_trailer(c->v, p, &t, err);

	if (r <= 0)
		return r;
	record = ref->ordinal < t->count ? &t->records[ref->ordinal] : NULL;
	if (record != NULL && record->offset == ref->offset && record->clen == ref->clen && record->plen == ref->plen &&
	    record->type == ref->type && memcmp(record->id, ref->id, ID_SHORT) == 0)
		return 1;
	(void)snprintf(message, sizeof message, "frame %u is not the one that snapshot %s refers to", ref->ordinal,
	    c->s->manifest.snapshot);
	verify_bad_pack(c->v, p, "reference", ref->ordinal, message);
	return 0;
}

/* The damage that hits a frame, or NULL. */
static int
scan_frame(struct scan *c, const struct frame_ref *ref, struct damage **out, struct error *err)
{
	uint8_t kind = frame_pack_kind(ref->type);
	struct verify_pack *p = packs_find(&c->v->packs, kind, ref->session, ref->seq);
	struct packlist_pack listed;
	char name[PACK_NAME_LEN], message[PACK_NAME_LEN + 64];
	int r;

	*out = NULL;
	c->last_counts = c->check;
	if (p == NULL || (c->check && !packlist_find(c->s->packlist, kind, ref->session, ref->seq, &listed))) {
		c->last_counts = false;
		c->incomplete = true;
		pack_name(c->v->volume->id, kind, ref->session, ref->seq, name);
		(void)snprintf(
		    message, sizeof message, "its packlist lacks the pack %s, to which the catalog refers", name);
		*out = scan_bad_snapshot(c, "reference", message);
		return 0;
	}
	if (!p->bad && c->check && (r = scan_compare(c, p, ref, err)) < 0)
		return r;
	if (p->bad && p->damage != NULL && damage_has_ordinal(p->damage, ref->ordinal))
		*out = p->damage;
	return 0;
}

/* A reference to so many bytes of a frame, from the entry or (e NULL) from the root. */
static int
scan_reference(struct scan *c, const struct frame_ref *ref, uint64_t len, const struct entry *e, struct error *err)
{
	int r;

	if (!c->have_last || !frame_ref_equal(ref, &c->last)) {
		if ((r = scan_flush(c, err)) < 0)
			return r;
		c->last = *ref;
		c->have_last = true;
		if ((r = scan_frame(c, ref, &c->last_damage, err)) < 0)
			return r;
	}
	c->last_len += len;
	if (c->last_damage != NULL) {
		damage_add_snapshot(c->last_damage, c->s->manifest.snapshot);
		if (e != NULL)
			damage_add_entry(c->last_damage, c->v->entry, e->path, e->path_len);
	}
	return 0;
}

/* A frame could not be read although it should be there: its pack is bad. */
static void
scan_bad_frame(
    struct scan *c, const struct frame_ref *ref, const char *kind, const struct entry *e, const struct error *err)
{
	struct verify_pack *p = packs_find(&c->v->packs, frame_pack_kind(ref->type), ref->session, ref->seq);

	c->have_last = false;
	c->incomplete = true;
	if (p == NULL)
		return;
	verify_bad_pack(c->v, p, kind, ref->ordinal, err->msg);
	damage_add_snapshot(p->damage, c->s->manifest.snapshot);
	if (e != NULL)
		damage_add_entry(p->damage, c->v->entry, e->path, e->path_len);
}

/* ---- entries ---- */

static int
scan_extents(struct scan *c, const struct entry *e, const struct extent *x, size_t count, struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++)
		if (x[i].kind == EXTENT_DATA)
			r = scan_reference(c, &x[i].frame, x[i].len, e, err);
	return r;
}

static int
scan_segments(struct scan *c, const struct entry *e, struct error *err)
{
	for (size_t i = 0; i < e->nsegments; i++) {
		CLEANUP_FREE struct extent *x = NULL;
		const struct frame_ref *ref = &e->segments[i];
		size_t count;
		int r = scan_reference(c, ref, ref->plen, e, err);

		if (r < 0 || (r = scan_flush(c, err)) < 0)
			return r;
		r = snapshot_load_segment(frames_loader(c->frames), e, i, &x, &count, err);
		if (r < 0 && verify_is_damage(r, err)) {
			scan_bad_frame(c, ref, "segment", e, err);
			continue;
		}
		if (r < 0 || (r = scan_extents(c, e, x, count, err)) < 0)
			return r;
	}
	return 0;
}

static int
scan_mac(struct scan *c, const struct frame_ref *ref, struct error *err)
{
	const struct volume_keys *keys;
	int r = keyring_volume_keys(c->s->keyring, ref->session, &keys, err);

	if (r < 0 || keys == c->mac_keys)
		return r;
	mac_free(c->mac);
	c->mac = NULL;
	c->mac_keys = NULL;
	if ((r = mac_new(keys->chunk_id, &c->mac, err)) == 0)
		c->mac_keys = keys;
	return r;
}

/* A small file is the part of its bundle that its id says. */
static int
scan_content(struct scan *c, const struct entry *e, struct error *err)
{
	static const uint8_t type = FRAME_FILE;
	const struct extent *x = &e->extents[0];
	struct verify_pack *p = packs_find(&c->v->packs, 'p', x->frame.session, x->frame.seq);
	char name[PACK_NAME_LEN];
	uint8_t id[ID_LEN];
	const uint8_t *plain;
	struct damage *d;
	int r;

	if (p == NULL || p->bad || !verify_sampled(c->v, p))
		return 0;
	r = frames_load(c->frames, &x->frame, &plain, err);
	if (r < 0 && verify_is_damage(r, err)) {
		scan_bad_frame(c, &x->frame, "frame", e, err);
		return 0;
	}
	if (r < 0 || (r = scan_mac(c, &x->frame, err)) < 0 ||
	    (r = mac_compute(c->mac, &type, 1, plain + x->frame_offset, (size_t)x->len, id, err)) < 0)
		return r;
	if (crypto_equal(id, e->file_id, ID_SHORT))
		return 0;
	verify_pack_name(c->v, p, name);
	d = damage_add(&c->v->damages, name, "content", "a small file in it has not the content that its id says");
	damage_add_snapshot(d, c->s->manifest.snapshot);
	damage_add_entry(d, c->v->entry, e->path, e->path_len);
	return 0;
}

static int
scan_entry(struct scan *c, const struct entry *e, struct error *err)
{
	int r = e->nsegments > 0 ? scan_segments(c, e, err) : scan_extents(c, e, e->extents, e->nextents, err);

	if (r == 0 && c->check && c->v->options->level >= 4 && entry_in_bundle(e) && !c->block_known)
		r = scan_content(c, e, err);
	return r;
}

/* ---- blocks ---- */

/* Whether the snapshot before has the very same block: then its entries' contents were checked. */
static bool
block_was_before(const struct scan *c, size_t block)
{
	const struct root_block *b = &c->s->root.blocks[block];
	size_t i;

	if (c->before == NULL || c->before->nblocks == 0)
		return false;
	/* Blocks are cut at the same names: look around the place where it would be. */
	i = root_find(c->before, b->separator, b->separator_len);
	for (size_t k = i == 0 ? 0 : i - 1; k < c->before->nblocks && k <= i + 1; k++)
		if (frame_ref_equal(&c->before->blocks[k].frame, &b->frame))
			return true;
	return false;
}

static void
enter_block(struct scan *c, size_t block)
{
	c->block = block;
	c->in_block = 0;
	c->block_known = block_was_before(c, block);
}

/* The reader failed: name the block, and go on behind it.  1, or 0 when it was the last one. */
static int
scan_skip_block(struct scan *c, struct error *err)
{
	const struct root *root = &c->s->root;
	size_t bad = c->in_block > 0 && c->in_block >= root->blocks[c->block].entries ? c->block + 1 : c->block;
	const struct root_block *b, *next;
	struct verify_pack *p;
	int r;

	if (bad >= root->nblocks)
		return 0;
	b = &root->blocks[bad];
	next = bad + 1 < root->nblocks ? b + 1 : NULL;
	scan_bad_frame(c, &b->frame, "catalog", NULL, err);
	p = packs_find(&c->v->packs, 'm', b->frame.session, b->frame.seq);
	if (p != NULL && p->bad)
		damage_add_entries(p->damage, b->entries, b->separator, b->separator_len,
		    next == NULL ? NULL : next->separator, next == NULL ? 0 : next->separator_len);
	if (next == NULL)
		return 0;
	r = catalog_reader_seek(c->reader, next->separator, next->separator_len, err);
	enter_block(c, bad + 1);
	return r < 0 ? r : 1;
}

static int
scan_entries(struct scan *c, struct error *err)
{
	struct entry e;
	int r;

	enter_block(c, 0);
	while ((r = catalog_reader_next(c->reader, &e, err)) != 0) {
		if (r < 0 && !verify_is_damage(r, err))
			return r;
		if (r < 0) {
			if ((r = scan_skip_block(c, err)) <= 0)
				return r;
			continue;
		}
		if (catalog_reader_block(c->reader) != c->block)
			enter_block(c, catalog_reader_block(c->reader));
		c->in_block++;
		c->v->entry++;
		(void)atomic_fetch_add_explicit(&c->v->progress->entries, 1, memory_order_relaxed);
		if ((r = scan_entry(c, &e, err)) < 0)
			return r;
	}
	return scan_flush(c, err);
}

/* ---- live bytes ---- */

struct live {
	struct scan *scan;
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
	if (packlist_find(l->scan->recount, listed->kind, listed->session, listed->seq, &counted) &&
	    counted.live == listed->live)
		return 0;
	pack_name(l->scan->v->volume->id, listed->kind, listed->session, listed->seq, name);
	(void)snprintf(l->message, sizeof l->message, "its packlist says %llu live bytes of pack %s, the catalog %llu",
	    (unsigned long long)listed->live, name, (unsigned long long)counted.live);
	l->wrong = true;
	return 1;
}

/* Every counted pack is listed, or the reference was found wrong: one direction is enough. */
static int
scan_live(struct scan *c, struct error *err)
{
	struct live l = {.scan = c};
	int r;

	if (c->incomplete)
		return 0;
	r = packlist_each(c->s->packlist, compare_live, &l, err);
	if (r < 0)
		return r;
	if (l.wrong)
		(void)scan_bad_snapshot(c, "packlist", l.message);
	return 0;
}

/* ---- all of it ---- */

/* The packs that are bad already, and needed here. */
static void
scan_known_damage(struct scan *c)
{
	const struct manifest *m = &c->s->manifest;
	struct packlist_pack listed;

	for (size_t i = 0; c->v->damages.count > 0 && i < c->v->packs.cap; i++) {
		const struct verify_pack *p = &c->v->packs.slots[i];
		const uint8_t *session = p->kind == 0 ? NULL : c->v->packs.sessions[p->session].session;
		bool needed =
		    p->kind != 0 && p->bad && packlist_find(c->s->packlist, p->kind, session, p->seq, &listed);

		for (size_t k = 0; p->kind == 'm' && p->bad && !needed && k < m->nroot + m->npacklist; k++) {
			const struct frame_ref *ref = k < m->nroot ? &m->root[k] : &m->packlist[k - m->nroot];

			needed = ref->seq == p->seq && memcmp(ref->session, session, SESSION_ID_LEN) == 0;
		}
		if (needed)
			damage_add_snapshot(p->damage, m->snapshot);
	}
}

static int
scan_open(struct scan *c, struct error *err)
{
	const struct packlist_session *session;
	int r;

	if ((r = catalog_reader_new(c->s, READAHEAD, &c->reader, err)) < 0 ||
	    (r = frames_new(c->v->volume, c->s->keyring, &c->frames, err)) < 0 || !c->check)
		return r;
	r = packlist_new(&c->recount, err);
	for (size_t i = 0; r == 0 && (session = packlist_session_at(c->s->packlist, i)) != NULL; i++)
		r = packlist_add_session(c->recount, session, err);
	return r;
}

int
verify_catalog(struct verify *v, const struct snapshot *s, const struct root *before, bool check, struct error *err)
{
	struct scan c = {.v = v, .s = s, .before = before, .check = check};
	int r = scan_open(&c, err);

	if (r == 0)
		scan_known_damage(&c);
	for (size_t i = 0; r == 0 && i < s->root.nblocks; i++)
		r = scan_reference(&c, &s->root.blocks[i].frame, s->root.blocks[i].frame.plen, NULL, err);
	if (r == 0)
		r = scan_entries(&c, err);
	if (r == 0 && check)
		r = scan_live(&c, err);
	catalog_reader_free(c.reader);
	frames_free(c.frames);
	packlist_free(c.recount);
	mac_free(c.mac);
	return r;
}
