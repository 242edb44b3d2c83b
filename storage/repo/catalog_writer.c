/*
 * The catalog as it is written: entries into blocks, blocks and segments into metadata packs, references into the
 * packlist.
 *
 * A block ends where the keyed hash of a path says so.  After a change the cuts fall on the old places again, and the
 * blocks from there on are the base's.
 */
#include <stdlib.h>
#include <string.h>

#include "block.h"
#include "catalog_writer_internal.h"
#include "cleanup.h"
#include "session_internal.h"

enum {
	CUT_BITS = 11,
	CUT_ENTRIES = 512,
	CUT_SIZE = 64 * 1024,
	BLOCK_SIZE = 1024 * 1024,
	FLUSH_S = 60,
};

/* ---- where to cut ---- */

static uint64_t
fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t
path_hash(const struct catalog_writer *w, const char *path, size_t len)
{
	uint64_t hash = w->hash_key[0] ^ len, word;

	for (; len >= sizeof(word); path += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, path, sizeof(word));
		hash = fold(hash ^ word, w->hash_key[1]);
	}
	word = 0;
	memcpy(&word, path, len);
	hash = fold(hash ^ word, w->hash_key[1]);
	return fold(hash, w->hash_key[1] ^ UINT64_C(0x9E3779B97F4A7C15));
}

static bool
cut_before(const struct catalog_writer *w, const struct entry *e)
{
	size_t entries = block_encoder_entries(w->encoder);

	if (entries == 0)
		return false;
	if (entries < CUT_ENTRIES && block_encoder_size(w->encoder) < CUT_SIZE)
		return false;
	return (path_hash(w, e->path, e->path_len) & ((1u << CUT_BITS) - 1)) == 0;
}

/* ---- the base's blocks ---- */

static size_t
slot_of(const struct catalog_writer *w, const uint8_t *id)
{
	uint64_t word;

	memcpy(&word, id, sizeof(word));
	return (size_t)word & (w->base_slots - 1);
}

static int
index_base(struct catalog_writer *w, struct error *err)
{
	const struct root *root = &w->base->root;

	w->base_slots = 16;
	while (w->base_slots < 2 * root->nblocks)
		w->base_slots *= 2;
	w->base_blocks = calloc(w->base_slots, sizeof(w->base_blocks[0]));
	if (w->base_blocks == NULL)
		return error_nomem(err);
	for (size_t i = 0; i < root->nblocks; i++) {
		size_t slot = slot_of(w, root->blocks[i].frame.id);

		while (w->base_blocks[slot] != 0)
			slot = (slot + 1) & (w->base_slots - 1);
		w->base_blocks[slot] = (uint32_t)i + 1;
	}
	return 0;
}

static const struct frame_ref *
find_base_block(const struct catalog_writer *w, const uint8_t *id, size_t plen)
{
	if (w->base_slots == 0)
		return NULL;
	for (size_t slot = slot_of(w, id); w->base_blocks[slot] != 0; slot = (slot + 1) & (w->base_slots - 1)) {
		const struct frame_ref *ref = &w->base->root.blocks[w->base_blocks[slot] - 1].frame;

		if (memcmp(ref->id, id, ID_SHORT) == 0 && ref->plen == plen)
			return ref;
	}
	return NULL;
}

/* ---- making and freeing ---- */

/* The list starts as the base's; what is no longer referred to is subtracted. */
static int
begin_packlist(struct catalog_writer *w, struct error *err)
{
	CLEANUP(buf_free) struct buf bytes = BUF_INIT(PACKLIST_ENCODED_MAX);
	const struct packlist_session *adopted;
	const struct session_key *key = session_key(w->session);
	struct packlist_session own = {.epoch = w->keys->epoch};
	size_t n;
	int r;

	if (w->base == NULL) {
		r = packlist_new(&w->packlist, err);
	} else {
		r = packlist_encode(w->base->packlist, &bytes, err);
		if (r == 0)
			r = packlist_decode(bytes.data, bytes.len, &w->packlist, err);
	}
	if (r < 0)
		return r;
	memcpy(own.session, key->session, SESSION_ID_LEN);
	memcpy(own.keyid, w->keys->keyid, KEY_ID_LEN);
	memcpy(own.sealed, key->sealed, SEALED_LEN);
	memcpy(own.commitment, key->commitment, sizeof(own.commitment));
	r = packlist_add_session(w->packlist, &own, err);
	adopted = session_adopted(w->session, &n);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = packlist_add_session(w->packlist, &adopted[i], err);
	return r;
}

static int
begin(struct catalog_writer *w, struct error *err)
{
	int r;

	r = packer_new(w->session, 'm', SESSION_META_LEVEL, &w->packer, err);
	if (r < 0)
		return r;
	r = block_encoder_new(&w->encoder, err);
	if (r < 0)
		return r;
	r = begin_packlist(w, err);
	if (r < 0)
		return r;
	return w->base == NULL ? 0 : index_base(w, err);
}

int
catalog_writer_new(struct session *session, const struct volume_keys *keys, const struct snapshot *base,
    struct dedup *dedup, struct catalog_writer **out, struct error *err)
{
	struct catalog_writer *w = calloc(1, sizeof(*w));
	int r;

	if (w == NULL)
		return error_nomem(err);
	w->session = session;
	w->keys = keys;
	w->base = base;
	w->dedup = dedup;
	w->flushed_s = session_now(session);
	memcpy(w->hash_key, keys->gear, sizeof(w->hash_key));
	w->hash_key[1] |= 1;
	buf_init(&w->plain, FRAME_PLAIN_MAX);
	buf_init(&w->first, ENTRY_PATH_MAX);
	buf_init(&w->last, ENTRY_PATH_MAX);
	buf_init(&w->before, ENTRY_PATH_MAX);
	r = begin(w, err);
	if (r < 0) {
		catalog_writer_free(w);
		return r;
	}
	*out = w;
	return 0;
}

void
catalog_writer_free(struct catalog_writer *w)
{
	if (w == NULL)
		return;
	packer_free(w->packer);
	loader_free(w->loader);
	packlist_free(w->packlist);
	root_wipe(&w->root);
	block_encoder_free(w->encoder);
	buf_free(&w->plain);
	buf_free(&w->first);
	buf_free(&w->last);
	buf_free(&w->before);
	free(w->base_blocks);
	free(w);
}

/* ---- storing ---- */

int
catalog_writer_flush(struct catalog_writer *w, struct error *err)
{
	w->unflushed = false;
	w->flushed_s = session_now(w->session);
	return packer_flush(w->packer, err);
}

/* A killed export shall not lose more than a minute, however little there is to store. */
static int
flush_old(struct catalog_writer *w, struct error *err)
{
	if (!w->unflushed || session_now(w->session) - w->flushed_s < FLUSH_S)
		return 0;
	return catalog_writer_flush(w, err);
}

int
catalog_writer_store(struct catalog_writer *w, uint8_t type, const uint8_t id[ID_LEN], const struct buf *plain,
    struct frame_ref *out, struct error *err)
{
	int r;

	r = packer_add(w->packer, type, id, plain->data, plain->len, 0, 0, out, err);
	if (r < 0)
		return r;
	/* The time of the oldest frame counts; a pack that was full has gone by itself. */
	if (!w->unflushed || out->seq != w->open_seq)
		w->flushed_s = session_now(w->session);
	w->open_seq = out->seq;
	w->unflushed = true;
	if (w->dedup != NULL)
		dedup_stored(w->dedup, uploads_meta_stored(w->session));
	return flush_old(w, err);
}

static int
store_block(struct catalog_writer *w, struct frame_ref *out, struct error *err)
{
	const struct frame_ref *known;
	uint8_t id[ID_LEN];
	int r;

	r = packer_id(w->packer, FRAME_CATALOG, w->plain.data, w->plain.len, id, err);
	if (r < 0)
		return r;
	known = find_base_block(w, id, w->plain.len);
	if (known != NULL) {
		*out = *known;
		return 0;
	}
	r = catalog_writer_store(w, FRAME_CATALOG, id, &w->plain, out, err);
	if (r == 0 && w->dedup != NULL)
		dedup_source(w->dedup, out, 0, w->plain.data, w->plain.len);
	return r;
}

static int
set_path(struct buf *b, const void *path, size_t len, struct error *err)
{
	buf_reset(b);
	buf_put(b, path, len);
	return buf_check(b, "a path", err);
}

int
catalog_writer_cut(struct catalog_writer *w, struct error *err)
{
	size_t entries = block_encoder_entries(w->encoder);
	struct frame_ref ref;
	struct buf swap;
	int r;

	if (entries == 0)
		return 0;
	buf_reset(&w->plain);
	r = block_encoder_finish(w->encoder, &w->plain, err);
	if (r == 0)
		r = store_block(w, &ref, err);
	if (r == 0)
		r = root_add(&w->root, (const char *)w->first.data, w->first.len, (const char *)w->before.data,
		    w->before.len, &ref, entries, err);
	swap = w->before;
	w->before = w->last;
	w->last = swap;
	return r;
}

int
catalog_writer_add(struct catalog_writer *w, const struct entry *e, struct error *err)
{
	int r = flush_old(w, err);

	if (r == 0 && cut_before(w, e))
		r = catalog_writer_cut(w, err);
	if (r < 0)
		return r;
	r = block_encoder_add(w->encoder, e, err);
	if (r == ERR_NOMEM && block_encoder_entries(w->encoder) > 0) {
		/* A block of its own for something huge. */
		r = catalog_writer_cut(w, err);
		if (r == 0)
			r = block_encoder_add(w->encoder, e, err);
	}
	if (r == 0 && block_encoder_entries(w->encoder) == 1)
		r = set_path(&w->first, e->path, e->path_len, err);
	if (r == 0)
		r = set_path(&w->last, e->path, e->path_len, err);
	if (r < 0)
		return r;
	if (e->type == ENTRY_FILE || e->type == ENTRY_VOLUME)
		w->root.bytes += e->size;
	return block_encoder_size(w->encoder) >= BLOCK_SIZE ? catalog_writer_cut(w, err) : 0;
}
