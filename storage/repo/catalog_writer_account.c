/*
 * Segments, and the accounts of what the snapshot refers to.
 */
#include <stdlib.h>
#include <string.h>

#include "catalog_writer_internal.h"
#include "cleanup.h"
#include "segment.h"
#include "session_internal.h"

int
catalog_writer_segment(struct catalog_writer *w, const struct extent *extents, size_t count,
    const struct frame_ref *old, struct frame_ref *out, bool *out_same, struct error *err)
{
	uint64_t covers = 0;
	uint8_t id[ID_LEN];
	int r;

	buf_reset(&w->plain);
	r = segment_encode(extents, count, &w->plain, err);
	if (r == 0)
		r = packer_id(w->packer, FRAME_SEGMENT, w->plain.data, w->plain.len, id, err);
	if (r < 0)
		return r;
	*out_same = old != NULL && old->type == FRAME_SEGMENT && old->plen == w->plain.len &&
		    memcmp(old->id, id, ID_SHORT) == 0;
	if (*out_same) {
		*out = *old;
		return 0;
	}
	r = catalog_writer_store(w, FRAME_SEGMENT, id, &w->plain, out, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++)
		covers += extents[i].len;
	if (w->dedup != NULL)
		dedup_source(w->dedup, out, covers, w->plain.data, w->plain.len);
	r = packlist_add(w->packlist, out, out->plen, err);
	return r < 0 ? r : catalog_writer_account(w, extents, count, err);
}

int
catalog_writer_account(struct catalog_writer *w, const struct extent *extents, size_t count, struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++)
		if (extents[i].kind == EXTENT_DATA)
			r = packlist_add(w->packlist, &extents[i].frame, extents[i].len, err);
	return r;
}

int
catalog_writer_unaccount(struct catalog_writer *w, const struct extent *extents, size_t count, struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++)
		if (extents[i].kind == EXTENT_DATA)
			r = packlist_sub(w->packlist, &extents[i].frame, extents[i].len, err);
	return r;
}

/* A segment of this export may still be in the open pack, or on its way. */
static int
settle_own(struct catalog_writer *w, const struct frame_ref *ref, struct error *err)
{
	int r;

	if (memcmp(ref->session, session_id(w->session), SESSION_ID_LEN) != 0)
		return 0;
	r = catalog_writer_flush(w, err);
	return r < 0 ? r : session_drain(w->session, err);
}

static int
load_segment(struct catalog_writer *w, const struct frame_ref *ref, uint64_t covers, struct extent **out,
    size_t *out_count, struct error *err)
{
	CLEANUP_FREE uint8_t *plain = NULL;
	int r = settle_own(w, ref, err);

	if (r < 0)
		return r;

	if (w->loader == NULL) {
		r = loader_new(w->session->volume, session_keyring(w->session), &w->loader, err);
		if (r < 0)
			return r;
	}
	if (!frame_ref_valid(ref) || ref->type != FRAME_SEGMENT)
		return error_set(err, ERR_CORRUPT, "a reference to a segment is not valid");
	plain = malloc(ref->plen);
	if (plain == NULL)
		return error_nomem(err);
	r = loader_load(w->loader, ref, plain, err);
	return r < 0 ? r : segment_decode(plain, ref->plen, covers, out, out_count, err);
}

int
catalog_writer_unaccount_segment(struct catalog_writer *w, const struct frame_ref *ref, uint64_t covers,
    const struct extent *extents, size_t count, struct error *err)
{
	CLEANUP_FREE struct extent *loaded = NULL;
	int r;

	if (extents == NULL) {
		r = load_segment(w, ref, covers, &loaded, &count, err);
		if (r < 0)
			return r;
		extents = loaded;
	}
	r = catalog_writer_unaccount(w, extents, count, err);
	return r < 0 ? r : packlist_sub(w->packlist, ref, ref->plen, err);
}
