/*
 * Packs as a whole: headers and trailers of all of them, and every frame of those that are in the sample.
 */
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "error.h"
#include "job.h"
#include "verify_internal.h"

/* Packs are read in stretches of this, which hold at least one frame. */
#define STRETCH (FRAME_PLAIN_MAX + FRAME_OVERHEAD)

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
	size_t count;
	int r = verify_read_trailer(v, p, &records, &count, err);

	if (r < 0 && verify_is_damage(r, err)) {
		verify_bad_pack(v, p, "pack", UINT32_MAX, err->msg);
		return 0;
	}
	if (r == 0 && v->options->level >= 3 && verify_sampled(v, p))
		r = check_whole(w, p, records, count, err);
	if (r < 0 || p->bad)
		return r;
	/* Most of them are needed again, for the references. */
	return verify_keep_trailer(v, p, records, count, err);
}

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
