/*
 * One snapshot's catalog: all that it refers to, and who needs what is damaged.
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
	struct references references;
	/* Where the reader is. */
	size_t block;
	uint64_t in_block;
	bool block_known; /* the snapshot before had it */
	struct mac *mac;
	const struct volume_keys *mac_keys;
};

/* ---- entries ---- */

static int
scan_extents(struct scan *c, const struct entry *e, const struct extent *x, size_t count, struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++)
		if (x[i].kind == EXTENT_DATA)
			r = references_add(&c->references, &x[i].frame, x[i].len, e, err);
	return r;
}

static int
scan_segments(struct scan *c, const struct entry *e, struct error *err)
{
	for (size_t i = 0; i < e->nsegments; i++) {
		CLEANUP_FREE struct extent *x = NULL;
		const struct frame_ref *ref = &e->segments[i];
		size_t count;
		int r = references_add(&c->references, ref, ref->plen, e, err);

		if (r < 0 || (r = references_flush(&c->references, err)) < 0)
			return r;
		r = snapshot_load_segment(frames_loader(c->frames), e, i, &x, &count, err);
		if (r < 0 && verify_is_damage(r, err)) {
			references_bad_frame(&c->references, ref, "segment", e, err);
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
		references_bad_frame(&c->references, &x->frame, "frame", e, err);
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
	references_bad_frame(&c->references, &b->frame, "catalog", NULL, err);
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
	return references_flush(&c->references, err);
}

static int
scan_open(struct scan *c, struct error *err)
{
	int r = references_init(&c->references, c->v, c->s, c->check, err);

	if (r == 0)
		r = catalog_reader_new(c->s, READAHEAD, &c->reader, err);
	return r < 0 ? r : frames_new(c->v->volume, c->s->keyring, &c->frames, err);
}

int
verify_catalog(struct verify *v, const struct snapshot *s, const struct root *before, bool check, struct error *err)
{
	struct scan c = {.v = v, .s = s, .before = before, .check = check};
	int r = scan_open(&c, err);

	if (r == 0)
		references_known_damage(&c.references);
	for (size_t i = 0; r == 0 && i < s->root.nblocks; i++)
		r = references_add(&c.references, &s->root.blocks[i].frame, s->root.blocks[i].frame.plen, NULL, err);
	if (r == 0)
		r = scan_entries(&c, err);
	if (r == 0 && check)
		r = references_check_live(&c.references, err);
	catalog_reader_free(c.reader);
	frames_free(c.frames);
	references_wipe(&c.references);
	mac_free(c.mac);
	return r;
}
