/*
 * Packs as objects: the listing, their headers and trailers, and everything in them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "error.h"
#include "job.h"
#include "verify_internal.h"
#include "wire.h"

/* Packs are read in stretches of this, which hold at least one frame. */
#define STRETCH (FRAME_PLAIN_MAX + FRAME_OVERHEAD)

/* ---- level 1 ---- */

/* "<session>/<seq>" behind the prefix. */
static struct verify_pack *
find_listed(const struct verify *v, uint8_t kind, const char *name)
{
	uint8_t session[SESSION_ID_LEN], seq[4];
	char hex[2 * SESSION_ID_LEN + 1];

	if (strlen(name) != 2 * SESSION_ID_LEN + 9 || name[2 * SESSION_ID_LEN] != '/')
		return NULL;
	memcpy(hex, name, 2 * SESSION_ID_LEN);
	hex[2 * SESSION_ID_LEN] = '\0';
	if (!hex_decode(session, sizeof session, hex) || !hex_decode(seq, sizeof seq, name + 2 * SESSION_ID_LEN + 1))
		return NULL;
	return packs_find(
	    &v->packs, kind, session, (uint32_t)seq[0] << 24 | (uint32_t)seq[1] << 16 | (uint32_t)seq[2] << 8 | seq[3]);
}

struct listing {
	struct verify *v;
	uint8_t kind;
	size_t prefix_len;
};

static int
listed(void *arg, const struct store_object *object, struct error *err)
{
	struct listing *l = arg;
	struct verify_pack *p = find_listed(l->v, l->kind, object->key + l->prefix_len);
	char message[128];

	(void)err;
	if (p == NULL)
		return 0;
	p->listed = true;
	if (p->len == 0 && object->size <= PACK_LEN_MAX)
		p->len = (uint32_t)object->size;
	if (p->len != object->size) {
		(void)snprintf(message, sizeof message, "the pack has %llu bytes instead of %u",
		    (unsigned long long)object->size, p->len);
		verify_bad_pack(l->v, p, "length", UINT32_MAX, message);
	}
	return 0;
}

int
verify_listing(struct verify *v, struct error *err)
{
	static const uint8_t kinds[] = {'m', 'p'};

	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		struct listing l = {.v = v, .kind = kinds[i]};
		char prefix[PACK_NAME_LEN];
		int r;

		l.prefix_len = (size_t)snprintf(prefix, sizeof prefix, "v/%s/%c/", v->volume->id_hex, kinds[i]);
		if ((r = store_list(repo_store(v->volume->repo), prefix, listed, &l, err)) < 0)
			return r;
	}
	for (size_t i = 0; i < v->packs.cap; i++) {
		struct verify_pack *p = &v->packs.slots[i];

		if (p->kind != 0 && !p->listed)
			verify_bad_pack(v, p, "missing", UINT32_MAX, "the pack is missing");
	}
	return 0;
}

/* ---- headers and trailers ---- */

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

/* Read and open header, footer and trailer. */
static int
read_trailer(struct verify *v, const struct verify_pack *p, struct pack_record **out, size_t *count, struct error *err)
{
	struct store *store = repo_store(v->volume->repo);
	CLEANUP_FREE uint8_t *sealed = NULL;
	uint8_t header[PACK_HEADER_LEN], footer[PACK_FOOTER_LEN], key[KEY_LEN];
	char name[PACK_NAME_LEN];
	uint32_t offset, len;
	int r;

	if (p->len < PACK_HEADER_LEN + PACK_FOOTER_LEN)
		return error_set(err, ERR_CORRUPT, "%u bytes are too few for a pack", p->len);
	verify_pack_name(v, p, name);
	if ((r = store_get(store, name, 0, header, sizeof header, err)) < 0 ||
	    (r = check_header(v, p, header, err)) < 0 ||
	    (r = store_get(store, name, p->len - sizeof footer, footer, sizeof footer, err)) < 0 ||
	    (r = pack_footer_parse(header, footer, p->len, &offset, &len, err)) < 0)
		return r;
	sealed = malloc(len);
	if (sealed == NULL)
		return error_nomem(err);
	if ((r = store_get(store, name, offset, sealed, len, err)) < 0 ||
	    (r = keyring_pack_key(v->keyring, p->kind, v->packs.sessions[p->session].session, p->seq, key, err)) < 0)
		return r;
	r = pack_trailer_open(key, header, offset, sealed, len, out, count, err);
	crypto_wipe(key, sizeof key);
	(void)atomic_fetch_add(&v->bytes_read, sizeof header + sizeof footer + len);
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

/* Called with the lock held.  The new one stays, however large it is. */
static void
keep_trailer(struct verify *v, struct trailer *t)
{
	while (v->oldest != NULL && v->trailers_bytes + trailer_size(t) > TRAILERS_BYTES)
		forget_trailer(v, v->oldest);
	link_newest(v, t);
	v->trailers_bytes += trailer_size(t);
	t->pack->trailer = t;
}

static struct trailer *
make_trailer(struct verify_pack *p, const struct pack_record *records, size_t count)
{
	struct trailer *t = malloc(sizeof *t + count * sizeof t->records[0]);

	if (t == NULL)
		return NULL;
	t->pack = p;
	t->count = count;
	for (size_t i = 0; i < count; i++) {
		t->records[i] = (struct trailer_record){.offset = records[i].offset,
		    .clen = records[i].clen,
		    .plen = records[i].plen,
		    .type = records[i].type};
		memcpy(t->records[i].id, records[i].id, ID_SHORT);
	}
	return t;
}

int
verify_trailer(struct verify *v, struct verify_pack *p, const struct trailer **out, struct error *err)
{
	CLEANUP_FREE struct pack_record *records = NULL;
	struct trailer *t = p->trailer;
	size_t count;
	int r;

	if (t != NULL) {
		unlink_trailer(v, t);
		link_newest(v, t);
		*out = t;
		return 1;
	}
	if ((r = read_trailer(v, p, &records, &count, err)) < 0) {
		if (!verify_is_damage(r, err))
			return r;
		verify_bad_pack(v, p, "pack", UINT32_MAX, err->msg);
		return 0;
	}
	if ((t = make_trailer(p, records, count)) == NULL)
		return error_nomem(err);
	keep_trailer(v, t);
	*out = t;
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

/* ---- whole packs ---- */

bool
verify_sampled(const struct verify *v, const struct verify_pack *p)
{
	uint64_t h = v->options->day, word;
	char name[PACK_NAME_LEN];

	if (v->options->sample >= 100)
		return true;
	memset(name, 0, sizeof name);
	verify_pack_name(v, p, name);
	for (size_t i = 0; i < sizeof name; i += sizeof word) {
		memcpy(&word, name + i, sizeof word);
		h = (h ^ word) * UINT64_C(0x9E3779B97F4A7C15);
		h ^= h >> 29;
	}
	return (double)(h >> 11) / 9007199254740992.0 * 100 < v->options->sample;
}

struct whole {
	struct verify *v;
	struct loader *loader;
	uint8_t *sealed, *plain;
};

/* One frame whose sealed bytes are at hand. */
static int
check_frame(struct whole *w, struct verify_pack *p, const struct frame_ref *ref, uint8_t *sealed, struct error *err)
{
	int r = loader_open(w->loader, ref, sealed, w->plain, err);

	if (r == 0 && w->v->options->level >= 4)
		r = loader_check_id(w->loader, ref, w->plain, err);
	(void)atomic_fetch_add(&w->v->frames, 1);
	if (r < 0 && verify_is_damage(r, err)) {
		verify_bad_pack(w->v, p, "frame", ref->ordinal, err->msg);
		return 0;
	}
	return r;
}

static void
make_ref(const struct verify *v, const struct verify_pack *p, const struct pack_record *record, size_t i,
    struct frame_ref *out)
{
	*out = (struct frame_ref){.seq = p->seq,
	    .ordinal = (uint32_t)i,
	    .offset = record->offset,
	    .clen = record->clen,
	    .plen = record->plen,
	    .type = record->type};
	memcpy(out->session, v->packs.sessions[p->session].session, SESSION_ID_LEN);
	memcpy(out->id, record->id, ID_SHORT);
}

/* All frames, in stretches of whole frames. */
static int
check_whole(struct whole *w, struct verify_pack *p, const struct pack_record *records, size_t count, struct error *err)
{
	struct verify *v = w->v;
	struct frame_ref ref;
	size_t first = 0, end;

	p->read = true;
	(void)atomic_fetch_add(&v->packs_read, 1);
	for (; first < count; first = end) {
		uint32_t start = records[first].offset, len = 0;
		int r;

		for (end = first; end < count && records[end].offset + records[end].clen - start <= STRETCH; end++)
			len = records[end].offset + records[end].clen - start;
		make_ref(v, p, &records[first], first, &ref);
		if (end == first || !frame_ref_valid(&ref) || frame_pack_kind(ref.type) != p->kind) {
			verify_bad_pack(v, p, "pack", UINT32_MAX, "the trailer describes an impossible frame");
			return 0;
		}
		if ((r = loader_fetch(w->loader, &ref, start, w->sealed, len, err)) < 0) {
			if (!verify_is_damage(r, err))
				return r;
			verify_bad_pack(v, p, "pack", UINT32_MAX, err->msg);
			return 0;
		}
		(void)atomic_fetch_add(&v->bytes_read, len);
		(void)atomic_fetch_add(&v->progress->bytes, len);
		for (size_t i = first; i < end; i++) {
			make_ref(v, p, &records[i], i, &ref);
			if ((r = check_frame(w, p, &ref, w->sealed + (ref.offset - start), err)) < 0)
				return r;
		}
	}
	return 0;
}

static int
check_pack(struct whole *w, struct verify_pack *p, struct error *err)
{
	CLEANUP_FREE struct pack_record *records = NULL;
	struct verify *v = w->v;
	struct trailer *t;
	size_t count;
	int r = read_trailer(v, p, &records, &count, err);

	if (r < 0 && verify_is_damage(r, err)) {
		verify_bad_pack(v, p, "pack", UINT32_MAX, err->msg);
		return 0;
	}
	if (r == 0 && v->options->level >= 3 && verify_sampled(v, p))
		r = check_whole(w, p, records, count, err);
	if (r < 0 || p->bad)
		return r;
	/* Most of them are needed again, for the references. */
	if ((t = make_trailer(p, records, count)) == NULL)
		return error_nomem(err);
	(void)pthread_mutex_lock(&v->lock);
	keep_trailer(v, t);
	(void)pthread_mutex_unlock(&v->lock);
	return 0;
}

/* ---- threads ---- */

struct work {
	struct verify *v;
	struct job *job;
};

static int
work_all(struct whole *w, struct job *job, struct error *err)
{
	struct verify *v = w->v;
	int r = loader_new(v->volume, v->keyring, &w->loader, err);
	size_t i;

	w->sealed = malloc(STRETCH);
	w->plain = malloc(FRAME_PLAIN_MAX);
	if (r == 0 && (w->sealed == NULL || w->plain == NULL))
		r = error_nomem(err);
	while (r == 0 && !job_failed(job) && (i = atomic_fetch_add(&v->next_pack, 1)) < v->packs.cap) {
		struct verify_pack *p = &v->packs.slots[i];

		if (p->kind == 0 || p->bad)
			continue;
		r = check_pack(w, p, err);
		(void)atomic_fetch_add(&v->progress->entries, 1);
	}
	loader_free(w->loader);
	free(w->sealed);
	free(w->plain);
	return r;
}

static void
work_thread(void *arg)
{
	struct work *work = arg;
	struct whole w = {.v = work->v};
	struct error err;

	if (work_all(&w, work->job, &err) < 0)
		job_fail(work->job, &err);
}

int
verify_all_packs(struct verify *v, struct error *err)
{
	struct work work = {.v = v};
	int r = job_new(&work.job, err);

	atomic_store(&v->next_pack, 0);
	for (unsigned i = 0; r == 0 && i < MAX(v->options->threads, 1u); i++)
		r = job_spawn(work.job, "verify", work_thread, &work, err);
	if (work.job != NULL) {
		int failed = job_wait(work.job, err);

		r = failed < 0 ? failed : r;
	}
	job_free(work.job);
	return r;
}
