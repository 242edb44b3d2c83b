/*
 * Snapshots made by hand: see forge.h.
 */
#include "forge.h"

#include "../storage/format/frame_internal.h"
#include "check.h"
#include "cleanup.h"
#include "manifest.h"
#include "store.h"

#define BLOCK_MAX (16u * 1024 * 1024) /* more than a block may have: the frame is the limit */

static struct error err;

static uint64_t
zigzag(int64_t n)
{
	return ((uint64_t)n << 1) ^ (uint64_t)(n >> 63);
}

/* ---- keys and packs ---- */

static void
make_key(struct forge *f)
{
	CHECK_OK(session_key_create(f->keys, &f->key, &err), &err);
}

static struct pack *
begin_pack(struct forge *f, uint8_t kind, size_t capacity)
{
	struct pack *p;

	CHECK_OK(pack_new(capacity, &p, &err), &err);
	CHECK_OK(pack_begin(p, f->keys, &f->key, kind, 0, f->sealer, &err), &err);
	return p;
}

static void
block_init(struct forge_block *b)
{
	memset(b, 0, sizeof *b);
	buf_init(&b->sets, BLOCK_MAX);
	buf_init(&b->entries, BLOCK_MAX);
	buf_init(&b->path, BLOCK_MAX);
	buf_init(&b->first, BLOCK_MAX);
	b->last_frame = -1;
}

static void
block_free(struct forge_block *b)
{
	reftable_free(&b->refs);
	buf_free(&b->sets);
	buf_free(&b->entries);
	buf_free(&b->path);
	buf_free(&b->first);
}

static struct packlist_session
named_session(const struct forge *f)
{
	struct packlist_session s = {.epoch = f->keys->epoch};

	memcpy(s.session, f->key.session, sizeof s.session);
	memcpy(s.keyid, f->keys->keyid, sizeof s.keyid);
	memcpy(s.sealed, f->key.sealed, sizeof s.sealed);
	memcpy(s.commitment, f->key.commitment, sizeof s.commitment);
	return s;
}

void
forge_begin(struct forge *f, struct repo *repo, const char *volume_name, int level, size_t capacity)
{
	static const uint8_t random[10] = {1};
	struct packlist_session s;

	memset(f, 0, sizeof *f);
	f->repo = repo;
	CHECK_OK(volume_open(repo, volume_name, true, 1700000000, &f->volume, &err), &err);
	f->keys = &f->volume->keys[0];
	make_key(f);
	CHECK_OK(sealer_new(f->keys, level, &f->sealer, &err), &err);
	f->packs[0] = begin_pack(f, 'p', capacity);
	f->packs[1] = begin_pack(f, 'm', capacity);
	CHECK_OK(packlist_new(&f->list, &err), &err);
	s = named_session(f);
	CHECK_OK(packlist_add_session(f->list, &s, &err), &err);
	block_init(&f->block);
	buf_init(&f->root_blocks, BLOCK_MAX);
	buf_init(&f->separator, BLOCK_MAX);
	buf_init(&f->root, BLOCK_MAX);
	buf_init(&f->packlist, BLOCK_MAX);
	snapshot_id_make(1700000000000, random, f->manifest.snapshot);
}

static struct pack *
pack_of(struct forge *f, uint8_t type)
{
	return f->packs[frame_pack_kind(type) == 'p' ? 0 : 1];
}

static void
set_pack_key(struct forge *f, uint8_t kind, uint32_t seq)
{
	uint8_t key[KEY_LEN];

	CHECK_OK(session_key_pack(&f->key, f->keys->volume, kind, seq, key, &err), &err);
	CHECK_OK(sealer_set_key(f->sealer, key, &err), &err);
}

struct frame_ref
forge_frame(struct forge *f, uint8_t type, const void *plain, size_t len, bool true_id)
{
	struct pack *p = pack_of(f, type);
	uint8_t id[ID_LEN] = {type, (uint8_t)pack_frames(p), (uint8_t)(pack_frames(p) >> 8)};
	struct frame_ref ref;

	if (true_id)
		CHECK_OK(sealer_id(f->sealer, type, plain, len, id, &err), &err);
	set_pack_key(f, frame_pack_kind(type), 0);
	CHECK_OK(pack_add(p, f->sealer, type, id, plain, len, 0, 0, &ref, &err), &err);
	return ref;
}

void
forge_reseal(struct forge *f, const struct frame_ref *ref, const uint8_t *body)
{
	uint8_t *there = (uint8_t *)(uintptr_t)pack_bytes(pack_of(f, ref->type)) + ref->offset;
	uint8_t key[KEY_LEN], aad[FRAME_AAD_LEN];
	struct aead *aead;

	frame_aad(ref->type, ref->plen, ref->id, aad);
	CHECK_OK(session_key_pack(&f->key, f->keys->volume, frame_pack_kind(ref->type), ref->seq, key, &err), &err);
	CHECK_OK(aead_new(&aead, &err), &err);
	CHECK_OK(aead_set_key(aead, key, &err), &err);
	CHECK_OK(aead_seal(aead, ref->ordinal, aad, sizeof aad, body, ref->clen - TAG_LEN, there, &err), &err);
	aead_free(aead);
}

/* ---- blocks ---- */

static void
account(struct forge *f, const struct frame_ref *ref, uint64_t len)
{
	struct error ignored;

	(void)packlist_add(f->list, ref, len, &ignored);
}

static uint64_t
difference_in(struct reftable *t, int64_t *last, const struct frame_ref *ref)
{
	size_t number;
	int64_t before = *last;

	CHECK_OK(reftable_add(t, ref, &number, &err), &err);
	*last = (int64_t)number;
	return zigzag(*last - before);
}

uint64_t
forge_difference(struct forge *f, const struct frame_ref *ref)
{
	return difference_in(&f->block.refs, &f->block.last_frame, ref);
}

static void
put_extent(struct reftable *t, int64_t *last, const struct extent *x, struct buf *out)
{
	bool whole = x->frame_offset == 0 && x->len == x->frame.plen;

	if (x->kind != EXTENT_DATA) {
		buf_varint(out, x->kind);
		buf_varint(out, x->len);
		return;
	}
	buf_varint(out, difference_in(t, last, &x->frame) << 2 | (whole ? 0 : 1));
	if (!whole) {
		buf_varint(out, x->frame_offset);
		buf_varint(out, x->len);
	}
}

static void
put_content(struct forge *f, const struct entry *e)
{
	struct forge_block *b = &f->block;

	buf_varint(&b->entries, e->nextents);
	for (size_t i = 0; i < e->nextents; i++) {
		put_extent(&b->refs, &b->last_frame, &e->extents[i], &b->entries);
		if (e->extents[i].kind == EXTENT_DATA)
			account(f, &e->extents[i].frame, e->extents[i].len);
	}
	for (size_t i = 0; i < e->nsegments; i++)
		buf_varint(&b->entries, difference_in(&b->refs, &b->last_frame, &e->segments[i]));
	if (entry_in_bundle(e))
		buf_put(&b->entries, e->file_id, sizeof e->file_id);
}

static void
put_path(struct forge_block *b, const struct entry *e)
{
	size_t shared = entry_path_common((char *)b->path.data, b->path.len, e->path, e->path_len);

	buf_varint(&b->entries, shared);
	buf_varint(&b->entries, e->path_len - shared);
	buf_put(&b->entries, e->path + shared, e->path_len - shared);
	b->path.len = shared;
	buf_put(&b->path, e->path + shared, e->path_len - shared);
	if (b->count == 0)
		buf_put(&b->first, e->path, e->path_len);
}

static void
put_set(struct forge_block *b, const struct entry *e)
{
	if (e->xattrs != b->last_set) {
		buf_varint(&b->sets, e->xattrs_len);
		buf_put(&b->sets, e->xattrs, e->xattrs_len);
		b->last_set = e->xattrs;
		b->nsets++;
	}
	buf_varint(&b->entries, b->nsets - 1);
}

/* All that stands in front of what depends on the type. */
static void
put_front(struct forge_block *b, const struct entry *e)
{
	unsigned head =
	    e->type | (e->xattrs_len > 0 ? 0x10u : 0) | (e->nlink > 1 ? 0x20u : 0) | (e->flags != 0 ? 0x40u : 0);

	buf_u8(&b->entries, (uint8_t)head);
	put_path(b, e);
	buf_varint(&b->entries, e->mode);
	buf_varint(&b->entries, e->uid);
	buf_varint(&b->entries, e->gid);
	buf_zigzag(&b->entries, e->mtime_s - b->mtime_s);
	buf_varint(&b->entries, e->mtime_ns);
	buf_zigzag(&b->entries, 0);
	buf_varint(&b->entries, 0);
	buf_zigzag(&b->entries, (int64_t)(e->ino - b->ino));
	if (e->nlink > 1)
		buf_varint(&b->entries, e->nlink);
	if (e->flags != 0)
		buf_u8(&b->entries, e->flags);
	if (e->xattrs_len > 0)
		put_set(b, e);
	b->mtime_s = e->mtime_s;
	b->ino = e->ino;
	b->count++;
}

void
forge_entry_raw(struct forge *f, const struct entry *e, const void *content, size_t len)
{
	put_front(&f->block, e);
	buf_varint(&f->block.entries, e->size);
	buf_put(&f->block.entries, content, len);
	f->bytes += e->size;
}

void
forge_entry(struct forge *f, const struct entry *e)
{
	struct buf *out = &f->block.entries;

	put_front(&f->block, e);
	switch (e->type) {
	case ENTRY_FILE:
	case ENTRY_VOLUME:
		f->bytes += e->size;
		buf_varint(out, e->size);
		if (e->nextents > 0 || e->nsegments > 0)
			put_content(f, e);
		break;
	case ENTRY_SYMLINK:
		buf_varint(out, e->link_len);
		buf_put(out, e->link, e->link_len);
		break;
	case ENTRY_CHAR_DEVICE:
	case ENTRY_BLOCK_DEVICE:
		buf_varint(out, e->dev_major);
		buf_varint(out, e->dev_minor);
		break;
	default:
		break;
	}
}

void
forge_root_add(struct forge *f, const struct frame_ref *ref, const char *separator, size_t len, uint64_t entries)
{
	size_t shared = entry_path_common((char *)f->separator.data, f->separator.len, separator, len), number;

	CHECK_OK(reftable_add(&f->root_refs, ref, &number, &err), &err);
	account(f, ref, ref->plen);
	buf_varint(&f->root_blocks, shared);
	buf_varint(&f->root_blocks, len - shared);
	buf_put(&f->root_blocks, separator + shared, len - shared);
	f->separator.len = shared;
	buf_put(&f->separator, separator + shared, len - shared);
	buf_varint(&f->root_blocks, number);
	buf_varint(&f->root_blocks, entries);
	f->nblocks++;
	f->entries += entries;
}

static void
put_tables(struct buf *out, char kind, const struct reftable *refs)
{
	buf_u8(out, (uint8_t)kind);
	buf_u8(out, 1);
	reftable_encode(refs, out);
}

void
forge_block_end(struct forge *f)
{
	CLEANUP(buf_free) struct buf plain = BUF_INIT(FRAME_PLAIN_MAX);
	struct forge_block *b = &f->block;
	struct frame_ref ref;

	if (b->count == 0)
		return;
	put_tables(&plain, 'C', &b->refs);
	buf_varint(&plain, b->nsets);
	buf_put(&plain, b->sets.data, b->sets.len);
	buf_varint(&plain, b->count);
	buf_put(&plain, b->entries.data, b->entries.len);
	CHECK_OK(buf_check(&plain, "block", &err), &err);
	ref = forge_frame(f, FRAME_CATALOG, plain.data, plain.len, true);
	if (f->next_separator != NULL)
		forge_root_add(f, &ref, f->next_separator, strlen(f->next_separator), b->count);
	else
		forge_root_add(f, &ref, (char *)b->first.data, b->first.len, b->count);
	f->next_separator = NULL;
	block_free(b);
	block_init(b);
}

void
forge_segment(const struct extent *x, size_t count, struct buf *out)
{
	CLEANUP(buf_free) struct buf extents = BUF_INIT(FRAME_PLAIN_MAX);
	struct reftable refs = {0};
	int64_t last = -1;

	for (size_t i = 0; i < count; i++)
		put_extent(&refs, &last, &x[i], &extents);
	put_tables(out, 'S', &refs);
	buf_varint(out, count);
	buf_put(out, extents.data, extents.len);
	CHECK_OK(buf_check(out, "segment", &err), &err);
	reftable_free(&refs);
}

/* ---- the end ---- */

static void
encode_root(struct forge *f)
{
	if (f->root.len > 0)
		return;
	put_tables(&f->root, 'R', &f->root_refs);
	buf_u64(&f->root, f->entries);
	buf_u64(&f->root, f->bytes);
	buf_varint(&f->root, f->nblocks);
	buf_put(&f->root, f->root_blocks.data, f->root_blocks.len);
}

static void
put_pack(struct forge *f, unsigned i)
{
	char name[PACK_NAME_LEN];

	if (pack_frames(f->packs[i]) == 0)
		return;
	CHECK_OK(pack_finish(f->packs[i], &err), &err);
	pack_name(f->keys->volume, i == 0 ? 'p' : 'm', f->key.session, 0, name);
	CHECK_OK(store_put(repo_store(f->repo), name, pack_bytes(f->packs[i]), pack_len(f->packs[i]), &err), &err);
}

/* Root and packlist, in a session of their own that only the manifest names: the packlist has the lengths of finished
 * packs. */
static void
put_last_pack(struct forge *f, struct session_key *last, struct frame_ref *root, struct frame_ref *list)
{
	struct session_key first = f->key;
	struct pack *metadata = f->packs[1];
	struct packlist_session s;

	for (unsigned i = 0; i < 2; i++)
		if (pack_frames(f->packs[i]) > 0)
			CHECK_OK(packlist_set_len(
				     f->list, i == 0 ? 'p' : 'm', first.session, 0, pack_len(f->packs[i]), &err),
			    &err);
	if (f->packlist.len == 0)
		CHECK_OK(packlist_encode(f->list, &f->packlist, &err), &err);
	make_key(f);
	*last = f->key;
	f->packs[1] = begin_pack(f, 'm', 4 * FRAME_PLAIN_MAX);
	*root = forge_frame(f, FRAME_ROOT, f->root.data, f->root.len, true);
	*list = forge_frame(f, FRAME_PACKLIST, f->packlist.data, f->packlist.len, true);
	put_pack(f, 1);
	s = named_session(f);
	f->manifest.sessions = malloc(sizeof s);
	CHECK(f->manifest.sessions != NULL);
	f->manifest.sessions[0] = s;
	f->manifest.nsessions = 1;
	pack_free(f->packs[1]);
	f->packs[1] = metadata;
	f->key = first;
}

void
forge_commit(struct forge *f)
{
	struct manifest *m = &f->manifest;
	struct session_key last;

	forge_block_end(f);
	encode_root(f);
	put_pack(f, 0);
	put_pack(f, 1);
	put_last_pack(f, &last, &m->root[0], &m->packlist[0]);
	m->nroot = m->npacklist = 1;
	memcpy(m->volume, f->keys->volume, sizeof m->volume);
	m->epoch = f->keys->epoch;
	memcpy(m->keyid, f->keys->keyid, sizeof m->keyid);
	m->sequence = 1;
	m->started.s = m->finished.s = 1700000000;
	memcpy(m->session, last.session, sizeof m->session);
	m->statistics.entries = f->entries;
	m->statistics.bytes = f->bytes;
	m->source = strdup("/source");
	CHECK_OK(snapshot_commit(f->volume, m, &err), &err);
}

void
forge_end(struct forge *f)
{
	manifest_wipe(&f->manifest);
	block_free(&f->block);
	reftable_free(&f->root_refs);
	buf_free(&f->root_blocks);
	buf_free(&f->separator);
	buf_free(&f->root);
	buf_free(&f->packlist);
	packlist_free(f->list);
	pack_free(f->packs[0]);
	pack_free(f->packs[1]);
	sealer_free(f->sealer);
	volume_free(f->volume);
}
