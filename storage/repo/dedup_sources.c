/*
 * Sources: what knows ids, by number.  Most are frames of the repository; what was adopted is kept here, encoded as
 * checkpoints are.
 */
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "checkpoint.h"
#include "cleanup.h"
#include "dedup_internal.h"
#include "error.h"

enum { BATCH = 2048, SOURCES_MAX = INT32_MAX };

int
dedup_sources_add(struct dedup_sources *d, enum dedup_kind kind, const struct frame_ref *ref, uint32_t covers,
    uint32_t *out, struct error *err)
{
	struct dedup_source *src;
	int r;

	if (d->count == SOURCES_MAX)
		return error_nomem(err);
	r = array_reserve(&d->v, &d->cap, d->count + 1, sizeof(d->v[0]), err);
	if (r < 0)
		return r;
	src = &d->v[d->count];
	memset(src, 0, sizeof(*src));
	src->kind = (uint8_t)kind;
	src->covers = covers;
	if (ref != NULL)
		src->ref = *ref;
	*out = (uint32_t)d->count++;
	return 0;
}

bool
dedup_sources_alive(const struct dedup_sources *d, uint32_t n)
{
	return n < d->count && !d->v[n].bad;
}

static int
load_content(struct dedup_sources *d, const struct dedup_source *src, struct dedup_content *out, struct error *err)
{
	CLEANUP_FREE uint8_t *plain = NULL;
	int r;

	if (src->kind == SOURCE_MEMORY)
		return dedup_content_decode(FRAME_CHECKPOINT, src->memory.bytes, src->memory.len, 0, out, err);
	if (!frame_ref_valid(&src->ref))
		return error_set(err, ERR_CORRUPT, "a reference is not valid");
	plain = malloc(src->ref.plen);
	if (plain == NULL)
		return error_nomem(err);
	r = loader_load(d->loader, &src->ref, plain, err);
	return r < 0 ? r : dedup_content_decode(src->ref.type, plain, src->ref.plen, src->covers, out, err);
}

/* One bad source is some content stored twice. */
static void
mark_bad(struct dedup_sources *d, uint32_t n, struct dedup_content *content)
{
	d->v[n].bad = true;
	d->bad++;
	dedup_content_wipe(content);
}

bool
dedup_sources_load(struct dedup_sources *d, uint32_t n, struct dedup_content *out)
{
	struct error err;

	if (load_content(d, &d->v[n], out, &err) == 0)
		return true;
	mark_bad(d, n, out);
	return false;
}

const struct dedup_content *
dedup_sources_content(struct dedup_sources *d, uint32_t n)
{
	const struct dedup_content *known = dedup_cache_get(&d->cache, n);
	struct dedup_source *src = &d->v[n];
	struct dedup_content content = {0};
	struct error err;

	if (known != NULL || src->bad || (src->kind == SOURCE_OWN && src->ref.seq >= d->stored) ||
	    !dedup_sources_load(d, n, &content))
		return known;
	if (dedup_content_index(&content, &err) < 0) {
		mark_bad(d, n, &content);
		return NULL;
	}
	return dedup_cache_put(&d->cache, n, &content);
}

/* ---- adopted frames ---- */

/* Those that were adopted first are forgotten first: catalog blocks know most of them as well. */
static void
bound_memory(struct dedup_sources *d)
{
	for (; d->memory_bytes > d->memory_max && d->oldest < d->count; d->oldest++) {
		struct dedup_source *src = &d->v[d->oldest];

		if (src->kind != SOURCE_MEMORY || src->memory.bytes == NULL)
			continue;
		d->memory_bytes -= src->memory.len;
		free(src->memory.bytes);
		src->memory.bytes = NULL;
		src->bad = true;
	}
}

void
dedup_sources_settle(struct dedup_sources *d)
{
	struct buf plain = BUF_INIT(FRAME_PLAIN_MAX);
	struct dedup_source *src;
	struct error err;
	void *shrunk;

	if (d->nbatch == 0)
		return;
	src = &d->v[d->batch_source];
	if (checkpoint_encode(d->batch, d->nbatch, &plain, &err) < 0) {
		buf_free(&plain);
		src->bad = true;
	} else {
		shrunk = realloc(plain.data, plain.len);
		src->memory.bytes = shrunk != NULL ? shrunk : plain.data;
		src->memory.len = plain.len;
		d->memory_bytes += plain.len;
	}
	d->nbatch = 0;
	free(STEAL(d->batch));
	bound_memory(d);
}

int
dedup_sources_adopt(struct dedup_sources *d, const struct frame_ref *ref, uint32_t *out, struct error *err)
{
	int r;

	if (d->nbatch == BATCH)
		dedup_sources_settle(d);
	if (d->batch == NULL) {
		d->batch = malloc(BATCH * sizeof(d->batch[0]));
		if (d->batch == NULL)
			return error_nomem(err);
	}
	if (d->nbatch == 0) {
		r = dedup_sources_add(d, SOURCE_MEMORY, NULL, 0, &d->batch_source, err);
		if (r < 0)
			return r;
	}
	d->batch[d->nbatch++] = *ref;
	*out = d->batch_source;
	return 0;
}

void
dedup_sources_wipe(struct dedup_sources *d)
{
	dedup_cache_wipe(&d->cache);
	for (size_t i = 0; i < d->count; i++)
		if (d->v[i].kind == SOURCE_MEMORY)
			free(d->v[i].memory.bytes);
	free(d->v);
	free(d->batch);
	loader_free(d->loader);
	memset(d, 0, sizeof(*d));
}
