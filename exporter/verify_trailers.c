/*
 * Headers and trailers of packs: what they say, and the store of those that were read.
 */
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "error.h"
#include "pack_tail.h"
#include "verify_internal.h"

static int
check_header(const struct verify *v, const struct verify_pack *p, const uint8_t *bytes, struct error *err)
{
	const struct packlist_session *s = &v->packs.sessions[p->session];
	struct pack_header h;
	int r = pack_header_parse(bytes, &h, err);

	/* A snapshot that is known here needs the pack: a version that is not known can only be damage. */
	if (r == ERR_UNSUPPORTED)
		r = err->code = ERR_CORRUPT;
	if (r < 0)
		return r;
	if (h.kind != p->kind || h.seq != p->seq || memcmp(h.volume, v->volume->id, VOLUME_ID_LEN) != 0 ||
	    memcmp(h.session, s->session, SESSION_ID_LEN) != 0)
		return error_set(err, ERR_CORRUPT, "the pack is another one, under a wrong name");
	if (h.epoch != s->epoch || memcmp(h.keyid, s->keyid, KEY_ID_LEN) != 0 ||
	    memcmp(h.sealed, s->sealed, SEALED_LEN) != 0 ||
	    memcmp(h.commitment, s->commitment, sizeof h.commitment) != 0)
		return error_set(err, ERR_CORRUPT, "the pack names other keys than the snapshots that need it");
	return 0;
}

int
verify_read_trailer(
    struct verify *v, const struct verify_pack *p, struct pack_record **out, size_t *count, struct error *err)
{
	struct store *store = repo_store(v->volume->repo);
	CLEANUP(pack_tail_wipe) struct pack_tail tail = {0};
	uint8_t header[PACK_HEADER_LEN], key[KEY_LEN];
	char name[PACK_NAME_LEN];
	int r;

	if (p->len < PACK_HEADER_LEN + PACK_FOOTER_LEN)
		return error_set(err, ERR_CORRUPT, "%u bytes are too few for a pack", p->len);
	verify_pack_name(v, p, name);
	if ((r = store_get(store, name, 0, header, sizeof header, err)) < 0 ||
	    (r = check_header(v, p, header, err)) < 0 ||
	    (r = pack_tail_fetch(store, name, p->len, header, &tail, err)) < 0 ||
	    (r = keyring_pack_key(v->keyring, p->kind, v->packs.sessions[p->session].session, p->seq, key, err)) < 0)
		return r;
	r = pack_trailer_open(key, header, tail.offset, tail.sealed, tail.len, out, count, err);
	crypto_wipe(key, sizeof key);
	(void)atomic_fetch_add(&v->bytes_read, sizeof header + tail.fetched);
	return r;
}

/* ---- trailers in memory ---- */

static size_t
trailer_size(const struct trailer *t)
{
	return sizeof *t + t->count * sizeof t->records[0];
}

static void
unlink_trailer(struct verify *v, struct trailer *t)
{
	*(t->before == NULL ? &v->newest : &t->before->after) = t->after;
	*(t->after == NULL ? &v->oldest : &t->after->before) = t->before;
}

static void
link_newest(struct verify *v, struct trailer *t)
{
	t->before = NULL;
	t->after = v->newest;
	*(v->newest == NULL ? &v->oldest : &v->newest->before) = t;
	v->newest = t;
}

static void
forget_trailer(struct verify *v, struct trailer *t)
{
	unlink_trailer(v, t);
	v->trailers_bytes -= trailer_size(t);
	t->pack->trailer = NULL;
	free(t);
}

/* The new one stays, however large it is. */
static void
link_trailer(struct verify *v, struct trailer *t)
{
	while (v->oldest != NULL && v->trailers_bytes + trailer_size(t) > TRAILERS_BYTES)
		forget_trailer(v, v->oldest);
	link_newest(v, t);
	v->trailers_bytes += trailer_size(t);
	t->pack->trailer = t;
}

int
verify_keep_trailer(
    struct verify *v, struct verify_pack *p, const struct pack_record *records, size_t count, struct error *err)
{
	struct trailer *t = malloc(sizeof *t + count * sizeof t->records[0]);

	if (t == NULL)
		return error_nomem(err);
	t->pack = p;
	t->count = count;
	for (size_t i = 0; i < count; i++) {
		t->records[i] = (struct trailer_record){.offset = records[i].offset,
		    .clen = records[i].clen,
		    .plen = records[i].plen,
		    .type = records[i].type};
		memcpy(t->records[i].id, records[i].id, ID_SHORT);
	}
	(void)pthread_mutex_lock(&v->lock);
	link_trailer(v, t);
	(void)pthread_mutex_unlock(&v->lock);
	return 0;
}

int
verify_trailer(struct verify *v, struct verify_pack *p, const struct trailer **out, struct error *err)
{
	CLEANUP_FREE struct pack_record *records = NULL;
	size_t count;
	int r;

	if (p->trailer != NULL) {
		unlink_trailer(v, p->trailer);
		link_newest(v, p->trailer);
	} else if ((r = verify_read_trailer(v, p, &records, &count, err)) < 0) {
		if (!verify_is_damage(r, err))
			return r;
		verify_bad_pack(v, p, "pack", UINT32_MAX, err->msg);
		return 0;
	} else if ((r = verify_keep_trailer(v, p, records, count, err)) < 0) {
		return r;
	}
	*out = p->trailer;
	return 1;
}

void
verify_trailers_wipe(struct verify *v)
{
	while (v->oldest != NULL)
		forget_trailer(v, v->oldest);
}

void
verify_bad_pack(struct verify *v, struct verify_pack *p, const char *kind, uint32_t ordinal, const char *message)
{
	char name[PACK_NAME_LEN];

	if (!p->bad) {
		if (p->trailer != NULL)
			forget_trailer(v, p->trailer);
		verify_pack_name(v, p, name);
		p->bad = true;
		p->damage = damage_add(&v->damages, name, kind, message);
	}
	if (p->damage != NULL && ordinal == UINT32_MAX)
		p->damage->whole = true;
	else
		damage_add_ordinal(p->damage, ordinal);
}
