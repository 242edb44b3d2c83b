/*
 * The end of a catalog: root, packlist, and what the manifest says of them.
 *
 * Both are cut into frames; a frame that the base has is not stored again, so that an export without changes stores
 * nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "catalog_writer_internal.h"
#include "cleanup.h"
#include "session_internal.h"

enum { PIECE_MAX = 4 * 1024 * 1024 };

static const struct frame_ref *
find_frame(const struct frame_ref *frames, size_t count, const uint8_t *id, size_t plen)
{
	for (size_t i = 0; i < count; i++)
		if (frames[i].plen == plen && memcmp(frames[i].id, id, ID_SHORT) == 0)
			return &frames[i];
	return NULL;
}

static int
store_pieces(struct catalog_writer *w, uint8_t type, const struct buf *bytes, const struct frame_ref *old, size_t nold,
    struct frame_ref out[MANIFEST_FRAMES_MAX], size_t *out_count, struct error *err)
{
	size_t piece = MIN((size_t)PIECE_MAX, w->session->options.pack_size / 4);
	int r;

	*out_count = 0;
	for (size_t pos = 0; pos < bytes->len; pos += piece) {
		struct buf part = {.data = bytes->data + pos, .len = MIN(piece, bytes->len - pos)};
		const struct frame_ref *known;
		uint8_t id[ID_LEN];

		if (*out_count == MANIFEST_FRAMES_MAX)
			return error_set(err, ERR_NOMEM,
			    "the catalog needs more than %d frames for its %s: make the packs larger",
			    MANIFEST_FRAMES_MAX, type == FRAME_ROOT ? "root" : "packlist");
		r = packer_id(w->packer, type, part.data, part.len, id, err);
		if (r < 0)
			return r;
		known = find_frame(old, nold, id, part.len);
		if (known != NULL) {
			out[(*out_count)++] = *known;
			continue;
		}
		r = catalog_writer_store(w, type, id, &part, &out[*out_count], err);
		if (r < 0)
			return r;
		++*out_count;
	}
	return 0;
}

static int
settle(struct catalog_writer *w, struct error *err)
{
	int r = catalog_writer_flush(w, err);

	return r < 0 ? r : session_drain(w->session, err);
}

/* The blocks of the base go, the blocks of the new root come: most of them are the same. */
static int
account_blocks(struct catalog_writer *w, struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < w->root.nblocks; i++)
		r = packlist_add(w->packlist, &w->root.blocks[i].frame, w->root.blocks[i].frame.plen, err);
	for (size_t i = 0; r == 0 && w->base != NULL && i < w->base->root.nblocks; i++)
		r = packlist_sub(w->packlist, &w->base->root.blocks[i].frame, w->base->root.blocks[i].frame.plen, err);
	return r;
}

static const struct packlist_session *
known_session(const struct catalog_writer *w, const uint8_t session[SESSION_ID_LEN])
{
	const struct packlist_session *p = packlist_session(w->packlist, session);

	for (size_t i = 0; p == NULL && w->base != NULL && i < w->base->manifest.nsessions; i++)
		if (memcmp(w->base->manifest.sessions[i].session, session, SESSION_ID_LEN) == 0)
			p = &w->base->manifest.sessions[i];
	return p;
}

static int
name_sessions(
    struct catalog_writer *w, struct manifest *m, const struct frame_ref *frames, size_t count, struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		const struct packlist_session *p;
		size_t j = 0;

		while (j < m->nsessions && memcmp(m->sessions[j].session, frames[i].session, SESSION_ID_LEN) != 0)
			j++;
		if (j < m->nsessions)
			continue;
		p = known_session(w, frames[i].session);
		if (p == NULL)
			return error_set(err, ERR_CORRUPT,
			    "the base snapshot does not name the session of its own root or packlist");
		m->sessions[m->nsessions++] = *p;
	}
	return 0;
}

static int
fill_sessions(struct catalog_writer *w, struct manifest *m, struct error *err)
{
	int r;

	free(m->sessions);
	m->nsessions = 0;
	m->sessions = calloc(m->nroot + m->npacklist, sizeof(m->sessions[0]));
	if (m->sessions == NULL)
		return error_nomem(err);
	r = name_sessions(w, m, m->root, m->nroot, err);
	return r < 0 ? r : name_sessions(w, m, m->packlist, m->npacklist, err);
}

static int
finish_root(struct catalog_writer *w, struct manifest *m, struct error *err)
{
	CLEANUP(buf_free) struct buf bytes = BUF_INIT(ROOT_ENCODED_MAX);
	const struct manifest *base = w->base != NULL ? &w->base->manifest : NULL;
	int r;

	r = root_encode(&w->root, &bytes, err);
	if (r == 0)
		r = store_pieces(w, FRAME_ROOT, &bytes, base != NULL ? base->root : NULL,
		    base != NULL ? base->nroot : 0, m->root, &m->nroot, err);
	return r;
}

static int
finish_packlist(struct catalog_writer *w, struct manifest *m, struct error *err)
{
	CLEANUP(buf_free) struct buf bytes = BUF_INIT(PACKLIST_ENCODED_MAX);
	const struct manifest *base = w->base != NULL ? &w->base->manifest : NULL;
	int r;

	r = session_fill_packlist(w->session, w->packlist, err);
	if (r == 0)
		r = packlist_encode(w->packlist, &bytes, err);
	if (r == 0)
		r = store_pieces(w, FRAME_PACKLIST, &bytes, base != NULL ? base->packlist : NULL,
		    base != NULL ? base->npacklist : 0, m->packlist, &m->npacklist, err);
	return r;
}

int
catalog_writer_finish(struct catalog_writer *w, struct manifest *m, struct error *err)
{
	int r;

	r = catalog_writer_cut(w, err);
	if (r < 0)
		return r;
	r = account_blocks(w, err);
	if (r < 0)
		return r;
	/* The lengths of packs are known when they are stored. */
	r = settle(w, err);
	if (r < 0)
		return r;
	/* Together in a pack of their own, so that a reader gets both with one request. */
	r = finish_root(w, m, err);
	if (r < 0)
		return r;
	r = finish_packlist(w, m, err);
	if (r < 0)
		return r;
	m->statistics.entries = w->root.entries;
	r = fill_sessions(w, m, err);
	return r < 0 ? r : settle(w, err);
}
