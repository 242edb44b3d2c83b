/*
 * Reading frames out of packs.
 *
 * A pack's key is derived once for a run of frames of the same pack, which is how readers ask for them.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "keyring.h"
#include "loader.h"
#include "pack.h"
#include "repo.h"

enum {
	AHEAD_MAX = 8 * 1024 * 1024,
	AHEAD_GAP_MAX = 128 * 1024, /* fetched and thrown away rather than asked for twice */
};

struct loader {
	const struct volume *volume;
	struct keyring *keyring;
	struct opener *opener;
	/* the pack whose key the opener has */
	bool has_key;
	uint8_t kind;
	uint32_t seq;
	uint8_t session[SESSION_ID_LEN];
	/* for ids: whose key the mac has */
	struct mac *mac;
	const struct volume_keys *mac_keys;
	uint8_t *sealed;
	size_t sealed_size;
	/* the part of a pack that was fetched ahead; ahead_len 0: none */
	struct frame_ref ahead_first; /* for the name of the pack */
	uint8_t *ahead;
	size_t ahead_len;
};

int
loader_new(const struct volume *volume, struct keyring *keyring, struct loader **out, struct error *err)
{
	struct loader *l = calloc(1, sizeof(*l));
	int r;

	if (l == NULL)
		return error_nomem(err);
	l->volume = volume;
	l->keyring = keyring;
	r = opener_new(&l->opener, err);
	if (r < 0) {
		loader_free(l);
		return r;
	}
	*out = l;
	return 0;
}

void
loader_free(struct loader *l)
{
	if (l == NULL)
		return;
	opener_free(l->opener);
	mac_free(l->mac);
	free(l->sealed);
	free(l->ahead);
	free(l);
}

/* Put "<pack>, frame <n>" before the message. */
static int
name_frame(const struct loader *l, const struct frame_ref *ref, struct error *err)
{
	char name[PACK_NAME_LEN];

	pack_name(l->volume->id, frame_pack_kind(ref->type), ref->session, ref->seq, name);
	return error_prefix(err, "pack %s, frame %u", name, ref->ordinal);
}

static int
use_key(struct loader *l, const struct frame_ref *ref, struct error *err)
{
	uint8_t kind = frame_pack_kind(ref->type), key[KEY_LEN];
	int r;

	if (l->has_key && l->kind == kind && l->seq == ref->seq &&
	    memcmp(l->session, ref->session, SESSION_ID_LEN) == 0)
		return 0;
	l->has_key = false;
	r = keyring_pack_key(l->keyring, kind, ref->session, ref->seq, key, err);
	if (r < 0)
		return r;
	r = opener_set_key(l->opener, key, err);
	crypto_wipe(key, sizeof(key));
	if (r < 0)
		return r;
	l->has_key = true;
	l->kind = kind;
	l->seq = ref->seq;
	memcpy(l->session, ref->session, SESSION_ID_LEN);
	return 0;
}

int
loader_open(struct loader *l, const struct frame_ref *ref, uint8_t *sealed, uint8_t *plain, struct error *err)
{
	int r;

	if (!frame_ref_valid(ref))
		return error_set(err, ERR_CORRUPT, "a frame's reference makes no sense");
	r = use_key(l, ref, err);
	if (r == 0)
		r = opener_open(l->opener, ref, sealed, plain, err);
	return r < 0 ? name_frame(l, ref, err) : 0;
}

int
loader_fetch(
    const struct loader *l, const struct frame_ref *ref, uint64_t offset, void *bytes, size_t len, struct error *err)
{
	char name[PACK_NAME_LEN];
	int r;

	pack_name(l->volume->id, frame_pack_kind(ref->type), ref->session, ref->seq, name);
	r = store_get(repo_store(l->volume->repo), name, offset, bytes, len, err);
	/* Something refers to it, so that its absence is damage. */
	if (r == ERR_NOT_FOUND)
		return error_set(err, ERR_CORRUPT, "pack %s is missing", name);
	return r < 0 ? name_frame(l, ref, err) : 0;
}

/* ---- fetching ahead ---- */

static bool
same_pack(const struct frame_ref *a, const struct frame_ref *b)
{
	return frame_pack_kind(a->type) == frame_pack_kind(b->type) && a->seq == b->seq &&
	       memcmp(a->session, b->session, SESSION_ID_LEN) == 0;
}

/* How many bytes from the first of the frames to the end of the last, which follow each other; 0: they do not. */
static size_t
span(const struct frame_ref *refs, size_t count)
{
	uint64_t end = refs[0].offset;

	for (size_t i = 0; i < count; i++) {
		if (!frame_ref_valid(&refs[i]) || !same_pack(&refs[i], &refs[0]) || refs[i].offset < end ||
		    refs[i].offset - end > AHEAD_GAP_MAX)
			return 0;
		end = (uint64_t)refs[i].offset + refs[i].clen;
	}
	return end - refs[0].offset > AHEAD_MAX ? 0 : (size_t)(end - refs[0].offset);
}

int
loader_ahead(struct loader *l, const struct frame_ref *refs, size_t count, struct error *err)
{
	size_t len = count < 2 ? 0 : span(refs, count);
	int r;

	l->ahead_len = 0;
	free(l->ahead);
	l->ahead = NULL;
	if (len == 0)
		return 0;
	l->ahead = malloc(len);
	if (l->ahead == NULL)
		return error_nomem(err);
	r = loader_fetch(l, &refs[0], refs[0].offset, l->ahead, len, err);
	if (r == ERR_CORRUPT)
		return 0;
	if (r == 0) {
		l->ahead_first = refs[0];
		l->ahead_len = len;
	}
	return r;
}

/* The sealed bytes of a frame into l->sealed. */
static int
fetch_frame(struct loader *l, const struct frame_ref *ref, struct error *err)
{
	uint64_t from = (uint64_t)ref->offset - l->ahead_first.offset;

	if (l->ahead_len == 0 || !same_pack(ref, &l->ahead_first) || ref->offset < l->ahead_first.offset ||
	    from + ref->clen > l->ahead_len)
		return loader_fetch(l, ref, ref->offset, l->sealed, ref->clen, err);
	memcpy(l->sealed, l->ahead + from, ref->clen);
	return 0;
}

int
loader_load(struct loader *l, const struct frame_ref *ref, uint8_t *plain, struct error *err)
{
	int r;

	if (!frame_ref_valid(ref))
		return error_set(err, ERR_CORRUPT, "a frame's reference makes no sense");
	if (l->sealed_size < ref->clen) {
		free(l->sealed);
		l->sealed_size = 0;
		l->sealed = malloc(ref->clen);
		if (l->sealed == NULL)
			return error_nomem(err);
		l->sealed_size = ref->clen;
	}
	r = fetch_frame(l, ref, err);
	return r < 0 ? r : loader_open(l, ref, l->sealed, plain, err);
}

static int
use_mac(struct loader *l, const struct frame_ref *ref, struct error *err)
{
	const struct volume_keys *keys;
	int r = keyring_volume_keys(l->keyring, ref->session, &keys, err);

	if (r < 0 || keys == l->mac_keys)
		return r;
	mac_free(l->mac);
	l->mac = NULL;
	l->mac_keys = NULL;
	r = mac_new(keys->chunk_id, &l->mac, err);
	if (r == 0)
		l->mac_keys = keys;
	return r;
}

int
loader_check_id(struct loader *l, const struct frame_ref *ref, const uint8_t *plain, struct error *err)
{
	uint8_t id[ID_LEN];
	int r = use_mac(l, ref, err);

	if (r == 0)
		r = mac_compute(l->mac, &ref->type, 1, plain, ref->plen, id, err);
	if (r == 0 && !crypto_equal(id, ref->id, ID_SHORT))
		r = error_set(err, ERR_CORRUPT, "its content is not what its id says");
	return r < 0 ? name_frame(l, ref, err) : 0;
}

int
loader_load_all(
    struct loader *l, const struct frame_ref *refs, size_t count, size_t limit, struct buf *out, struct error *err)
{
	size_t total = 0;

	for (size_t i = 0; i < count; i++) {
		if (refs[i].plen > limit - total)
			return error_set(
			    err, ERR_CORRUPT, "%zu frames together are longer than %zu bytes", count, limit);
		total += refs[i].plen;
	}
	for (size_t i = 0; i < count; i++) {
		uint8_t *at = buf_extend(out, refs[i].plen);
		int r;

		if (at == NULL)
			return buf_check(out, "a structure of several frames", err);
		r = loader_load(l, &refs[i], at, err);
		if (r < 0)
			return r;
	}
	return 0;
}
