/*
 * A packer: one thread's open pack, and the sealer that fills it.
 */
#include <stdlib.h>

#include "session_internal.h"

struct packer {
	struct session *session;
	struct sealer *sealer;
	struct pack *pack; /* NULL: none is open */
	uint8_t kind;
};

int
packer_new(struct session *s, uint8_t kind, int level, struct packer **out, struct error *err)
{
	struct packer *p = calloc(1, sizeof(*p));
	int r;

	if (p == NULL)
		return error_nomem(err);
	p->session = s;
	p->kind = kind;
	r = sealer_new(s->keys, level, &p->sealer, err);
	if (r < 0) {
		packer_free(p);
		return r;
	}
	*out = p;
	return 0;
}

void
packer_free(struct packer *p)
{
	if (p == NULL)
		return;
	if (p->pack != NULL)
		uploads_give_back(p->session, p->pack);
	sealer_free(p->sealer);
	free(p);
}

int
packer_id(struct packer *p, uint8_t type, const void *plain, size_t len, uint8_t out[ID_LEN], struct error *err)
{
	return sealer_id(p->sealer, type, plain, len, out, err);
}

static int
open_pack(struct packer *p, struct error *err)
{
	struct pack *pack;
	uint32_t seq;
	int r;

	r = uploads_take(p->session, p->kind, &pack, &seq, err);
	if (r < 0)
		return r;
	r = pack_begin(pack, p->session->keys, &p->session->key, p->kind, seq, p->sealer, err);
	if (r < 0) {
		uploads_give_back(p->session, pack);
		return r;
	}
	p->pack = pack;
	return 0;
}

int
packer_add(struct packer *p, uint8_t type, const uint8_t id[ID_LEN], const void *plain, size_t len, uint64_t path_hash,
    uint64_t file_offset, struct frame_ref *out, struct error *err)
{
	int r;

	if (frame_pack_kind(type) != p->kind)
		return error_set(
		    err, ERR_USAGE, "a frame of type %u does not belong into a pack of kind '%c'", type, p->kind);
	if (p->pack != NULL && pack_frames(p->pack) > 0 && !pack_fits(p->pack, len)) {
		r = packer_flush(p, err);
		if (r < 0)
			return r;
	}
	if (p->pack == NULL) {
		r = open_pack(p, err);
		if (r < 0)
			return r;
	}
	return pack_add(p->pack, p->sealer, type, id, plain, len, path_hash, file_offset, out, err);
}

int
packer_flush(struct packer *p, struct error *err)
{
	struct pack *pack = p->pack;

	if (pack == NULL || pack_frames(pack) == 0)
		return 0;
	p->pack = NULL;
	return uploads_push(p->session, pack, err);
}
