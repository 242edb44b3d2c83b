/*
 * A snapshot opened for reading: from its manifest to the list of its catalog's blocks and the keys of its packs.
 */
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "cleanup.h"
#include "error.h"
#include "keyring.h"
#include "loader.h"
#include "segment.h"
#include "snapshot.h"

void
snapshot_free(struct snapshot *s)
{
	if (s == NULL)
		return;
	keyring_free(s->keyring);
	packlist_free(s->packlist);
	root_wipe(&s->root);
	manifest_wipe(&s->manifest);
	free(s);
}

static void
cleanup_snapshot_p(struct snapshot **s)
{
	snapshot_free(*s);
}

static void
cleanup_loader_p(struct loader **l)
{
	loader_free(*l);
}

/* The packlist, and with it the sessions of all packs. */
static int
open_packlist(struct snapshot *s, struct loader *loader, struct error *err)
{
	CLEANUP(buf_free) struct buf bytes = BUF_INIT(PACKLIST_ENCODED_MAX);
	const struct packlist_session *session;
	int r = loader_load_all(loader, s->manifest.packlist, s->manifest.npacklist, PACKLIST_ENCODED_MAX, &bytes, err);

	if (r == 0)
		r = packlist_decode(bytes.data, bytes.len, &s->packlist, err);
	for (size_t i = 0; r == 0 && (session = packlist_session_at(s->packlist, i)) != NULL; i++)
		r = keyring_add(s->keyring, session, err);
	return r < 0 ? error_prefix(err, "packlist") : 0;
}

static int
open_root(struct snapshot *s, struct loader *loader, struct error *err)
{
	CLEANUP(buf_free) struct buf bytes = BUF_INIT(ROOT_ENCODED_MAX);
	int r = loader_load_all(loader, s->manifest.root, s->manifest.nroot, ROOT_ENCODED_MAX, &bytes, err);

	if (r == 0)
		r = root_decode(bytes.data, bytes.len, &s->root, err);
	return r < 0 ? error_prefix(err, "catalog root") : 0;
}

/* Root and packlist are written one behind the other. */
static int
fetch_lists(const struct manifest *m, struct loader *loader, struct error *err)
{
	struct frame_ref refs[2 * MANIFEST_FRAMES_MAX];

	memcpy(refs, m->root, m->nroot * sizeof(refs[0]));
	memcpy(refs + m->nroot, m->packlist, m->npacklist * sizeof(refs[0]));
	return loader_ahead(loader, refs, m->nroot + m->npacklist, err);
}

static int
open_parts(struct snapshot *s, struct error *err)
{
	CLEANUP(cleanup_loader_p) struct loader *loader = NULL;
	int r;

	s->keys = volume_find_keys(s->volume, s->manifest.epoch, s->manifest.keyid);
	if (s->keys == NULL)
		return error_set(err, ERR_CORRUPT, "its volume key is missing or damaged");
	r = keyring_new(s->volume, &s->keyring, err);
	for (size_t i = 0; r == 0 && i < s->manifest.nsessions; i++)
		r = keyring_add(s->keyring, &s->manifest.sessions[i], err);
	if (r == 0)
		r = loader_new(s->volume, s->keyring, &loader, err);
	if (r == 0)
		r = fetch_lists(&s->manifest, loader, err);
	if (r == 0)
		r = open_packlist(s, loader, err);
	return r < 0 ? r : open_root(s, loader, err);
}

int
snapshot_open(const struct volume *v, struct manifest *m, struct snapshot **out, struct error *err)
{
	CLEANUP(cleanup_snapshot_p) struct snapshot *s = calloc(1, sizeof(*s));
	int r;

	if (s == NULL) {
		manifest_wipe(m);
		return error_nomem(err);
	}
	s->volume = v;
	s->manifest = *m;
	memset(m, 0, sizeof(*m));
	r = open_parts(s, err);
	if (r < 0)
		return error_prefix(err, "snapshot %s", s->manifest.snapshot);
	*out = STEAL(s);
	return 0;
}

int
snapshot_load_segment(struct loader *loader, const struct entry *entry, size_t i, struct extent **out,
    size_t *out_count, struct error *err)
{
	CLEANUP_FREE uint8_t *plain = NULL;
	const struct frame_ref *ref;
	int r;

	if (i >= entry->nsegments || i >= (entry->size + SEGMENT_SIZE - 1) / SEGMENT_SIZE)
		return error_set(err, ERR_USAGE, "there is no segment %zu", i);
	ref = &entry->segments[i];
	if (ref->type != FRAME_SEGMENT || !frame_ref_valid(ref))
		return error_set(err, ERR_CORRUPT, "segment %zu is no segment", i);
	plain = malloc(ref->plen);
	if (plain == NULL)
		return error_nomem(err);
	r = loader_load(loader, ref, plain, err);
	if (r == 0)
		r = segment_decode(
		    plain, ref->plen, MIN(SEGMENT_SIZE, entry->size - i * SEGMENT_SIZE), out, out_count, err);
	return r < 0 ? error_prefix(err, "segment %zu", i) : 0;
}
