/*
 * Which content the volume has already.  One lock around everything: a question that the table answers with no takes
 * far less than sealing a frame.
 *
 * A frame is offered only if the snapshot to come may refer to it: the base does, or it lies in a pack of an adopted
 * session that is known to be there, or this export has made it.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "checkpoint.h"
#include "cleanup.h"
#include "dedup_internal.h"

enum {
	BATCH = 2048,
	TABLE_DEFAULT = 16 * 1024 * 1024,
	MEMORY_MIN = 1024 * 1024,
	SOURCES_MAX = INT32_MAX,
};

enum source_kind { SOURCE_BASE, SOURCE_ADOPTED, SOURCE_OWN, SOURCE_MEMORY };

struct source {
	union {
		struct frame_ref ref;
		struct {
			uint8_t *bytes; /* an encoded checkpoint; NULL while the batch is open */
			size_t len;
		} memory;
	};
	uint32_t covers;
	uint8_t kind;
	bool bad;
};

struct dedup {
	pthread_mutex_t lock; /* guards everything */
	const struct snapshot *base;
	struct loader *loader;
	struct dedup_table table;
	struct dedup_recent *recent;
	struct dedup_sessions adopted;
	uint8_t own[SESSION_ID_LEN];
	bool own_known;
	uint32_t stored; /* own metadata packs below are durable */
	struct source *sources;
	size_t nsources, sources_cap;
	size_t scanned; /* adopted sources below this one have been */
	bool base_scanned;
	struct frame_ref *batch; /* adopted frames that are not yet a source; the last source stands for them */
	size_t nbatch;
	uint32_t batch_source;
	size_t memory_bytes, memory_max;
	size_t oldest; /* no source below keeps bytes in memory */
	struct dedup_cache cache;
	uint64_t bad;
};

int
dedup_new(const struct volume *volume, struct keyring *keyring, const struct snapshot *base, size_t table_bytes,
    struct dedup **out, struct error *err)
{
	struct dedup *d = calloc(1, sizeof(*d));
	int r;

	if (d == NULL)
		return error_nomem(err);
	(void)pthread_mutex_init(&d->lock, NULL);
	d->base = base;
	if (table_bytes == 0)
		table_bytes = TABLE_DEFAULT;
	dedup_table_init(&d->table, table_bytes);
	d->memory_max = MAX(table_bytes, (size_t)MEMORY_MIN);
	d->recent = dedup_recent_new();
	r = d->recent == NULL ? error_nomem(err) : loader_new(volume, keyring, &d->loader, err);
	if (r < 0) {
		dedup_free(d);
		return r;
	}
	*out = d;
	return 0;
}

void
dedup_free(struct dedup *d)
{
	if (d == NULL)
		return;
	dedup_cache_wipe(&d->cache);
	for (size_t i = 0; i < d->nsources; i++)
		if (d->sources[i].kind == SOURCE_MEMORY)
			free(d->sources[i].memory.bytes);
	free(d->sources);
	free(d->batch);
	dedup_sessions_wipe(&d->adopted);
	dedup_recent_free(d->recent);
	dedup_table_wipe(&d->table);
	loader_free(d->loader);
	(void)pthread_mutex_destroy(&d->lock);
	free(d);
}

static bool
may_offer(const struct dedup *d, const struct frame_ref *ref)
{
	struct packlist_pack found;

	if (d->own_known && memcmp(ref->session, d->own, SESSION_ID_LEN) == 0)
		return true;
	if (dedup_sessions_have(&d->adopted, ref))
		return true;
	return d->base != NULL &&
	       packlist_find(d->base->packlist, frame_pack_kind(ref->type), ref->session, ref->seq, &found);
}

/* ---- sources ---- */

static int
add_source(struct dedup *d, enum source_kind kind, const struct frame_ref *ref, uint32_t covers, uint32_t *out,
    struct error *err)
{
	struct source *src;
	int r;

	if (d->nsources == SOURCES_MAX)
		return error_nomem(err);
	r = array_reserve(&d->sources, &d->sources_cap, d->nsources + 1, sizeof(d->sources[0]), err);
	if (r < 0)
		return r;
	src = &d->sources[d->nsources];
	memset(src, 0, sizeof(*src));
	src->kind = (uint8_t)kind;
	src->covers = covers;
	if (ref != NULL)
		src->ref = *ref;
	*out = (uint32_t)d->nsources++;
	return 0;
}

/* It can still be asked, now or soon. */
static bool
is_alive(const struct dedup *d, uint32_t n)
{
	return n < d->nsources && !d->sources[n].bad;
}

static void
add_fingerprint(struct dedup *d, const uint8_t *id, uint32_t source)
{
	uint32_t known = dedup_table_find(&d->table, id);

	if (known == UINT32_MAX || !is_alive(d, known))
		dedup_table_add(&d->table, id, source);
}

static void
add_fingerprints(struct dedup *d, const struct dedup_content *c, uint32_t source)
{
	for (size_t i = 0; i < c->nitems; i++)
		if (may_offer(d, &c->frames[c->items[i].frame]))
			add_fingerprint(d, c->items[i].id, source);
}

static int
load_content(struct dedup *d, const struct source *src, struct dedup_content *out, struct error *err)
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
mark_bad(struct dedup *d, uint32_t n)
{
	d->sources[n].bad = true;
	d->bad++;
}

static const struct dedup_content *
get_content(struct dedup *d, uint32_t n)
{
	const struct dedup_content *known = dedup_cache_get(&d->cache, n);
	struct source *src = &d->sources[n];
	struct dedup_content content = {0};
	struct error err;
	int r;

	if (known != NULL || src->bad || (src->kind == SOURCE_OWN && src->ref.seq >= d->stored))
		return known;
	r = load_content(d, src, &content, &err);
	if (r == 0)
		r = dedup_content_index(&content, &err);
	if (r < 0) {
		mark_bad(d, n);
		dedup_content_wipe(&content);
		return NULL;
	}
	return dedup_cache_put(&d->cache, n, &content);
}

/* ---- questions ---- */

static bool
find_in(struct dedup *d, const struct dedup_content *c, uint8_t type, const uint8_t *id, struct dedup_place *out)
{
	const struct dedup_item *it = c == NULL ? NULL : dedup_content_find(c, type, id);

	if (it == NULL || !may_offer(d, &c->frames[it->frame]))
		return false;
	*out = (struct dedup_place){c->frames[it->frame], it->offset, it->len};
	return true;
}

static bool
find_by_table(struct dedup *d, uint8_t type, const uint8_t *id, struct dedup_place *out)
{
	uint32_t n;

	/* When the table knows only some ids, their neighbours are found in the sources that it has led to. */
	for (size_t i = 0; d->table.sampled > 0 && i < DEDUP_CACHED; i++)
		if (d->cache.places[i].full && find_in(d, &d->cache.places[i].content, type, id, out)) {
			(void)dedup_cache_get(&d->cache, d->cache.places[i].source);
			return true;
		}
	n = dedup_table_find(&d->table, id);
	return is_alive(d, n) && find_in(d, get_content(d, n), type, id, out);
}

/* Read a source for the first time. */
static void
scan_source(struct dedup *d, uint32_t n)
{
	enum source_kind kind = d->sources[n].kind;
	struct dedup_content content = {0};
	struct error err;

	if (load_content(d, &d->sources[n], &content, &err) < 0) {
		mark_bad(d, n);
		dedup_content_wipe(&content);
		return;
	}
	add_fingerprints(d, &content, n);
	for (size_t i = 0; i < content.nsegments; i++) {
		uint32_t segment;

		if (may_offer(d, &content.segments[i].ref) &&
		    add_source(d, kind, &content.segments[i].ref, content.segments[i].covers, &segment, &err) == 0)
			scan_source(d, segment);
	}
	dedup_content_wipe(&content);
}

/* Read what has never been read: the base, and catalog blocks of adopted sessions. */
static bool
scan(struct dedup *d)
{
	size_t adopted_end = d->nsources;
	bool any = false;
	struct error err;
	uint32_t n;

	for (; d->scanned < adopted_end; d->scanned++)
		if (d->sources[d->scanned].kind == SOURCE_ADOPTED) {
			scan_source(d, (uint32_t)d->scanned);
			any = true;
		}
	for (size_t i = 0; d->base != NULL && !d->base_scanned && i < d->base->root.nblocks; i++)
		if (add_source(d, SOURCE_BASE, &d->base->root.blocks[i].frame, 0, &n, &err) == 0) {
			scan_source(d, n);
			any = true;
		}
	d->base_scanned = true;
	/* Segments found on the way have been scanned with their blocks. */
	d->scanned = d->nsources;
	return any;
}

static void close_batch(struct dedup *);

int
dedup_find(struct dedup *d, uint8_t type, const uint8_t id[ID_LEN], struct dedup_place *out, struct error *err)
{
	bool found;

	(void)err;
	(void)pthread_mutex_lock(&d->lock);
	found = dedup_recent_find(d->recent, type, id, out);
	if (!found) {
		if (d->nbatch > 0)
			close_batch(d);
		found = find_by_table(d, type, id, out);
	}
	if (!found && (!d->base_scanned || d->scanned < d->nsources))
		found = scan(d) && find_by_table(d, type, id, out);
	(void)pthread_mutex_unlock(&d->lock);
	return found;
}

void
dedup_recent(struct dedup *d, uint8_t type, const uint8_t id[ID_LEN], const struct dedup_place *place)
{
	(void)pthread_mutex_lock(&d->lock);
	dedup_recent_add(d->recent, type, id, place);
	(void)pthread_mutex_unlock(&d->lock);
}

/* ---- adopted frames ---- */

/* Those that were adopted first are forgotten first: catalog blocks know most of them as well. */
static void
bound_memory(struct dedup *d)
{
	for (; d->memory_bytes > d->memory_max && d->oldest < d->nsources; d->oldest++) {
		struct source *src = &d->sources[d->oldest];

		if (src->kind != SOURCE_MEMORY || src->memory.bytes == NULL)
			continue;
		d->memory_bytes -= src->memory.len;
		free(src->memory.bytes);
		src->memory.bytes = NULL;
		src->bad = true;
	}
}

static void
close_batch(struct dedup *d)
{
	struct buf plain = BUF_INIT(FRAME_PLAIN_MAX);
	struct source *src = &d->sources[d->batch_source];
	struct error err;
	void *shrunk;

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

static int
adopt_frame(struct dedup *d, const struct frame_ref *ref, struct error *err)
{
	int r;

	if (d->batch == NULL) {
		d->batch = malloc(BATCH * sizeof(d->batch[0]));
		if (d->batch == NULL)
			return error_nomem(err);
	}
	if (d->nbatch == 0) {
		r = add_source(d, SOURCE_MEMORY, NULL, 0, &d->batch_source, err);
		if (r < 0)
			return r;
	}
	d->batch[d->nbatch++] = *ref;
	add_fingerprint(d, ref->id, d->batch_source);
	if (d->nbatch == BATCH)
		close_batch(d);
	return 0;
}

int
dedup_adopt(struct dedup *d, const struct frame_ref *ref, struct error *err)
{
	uint32_t n;
	int r;

	(void)pthread_mutex_lock(&d->lock);
	r = dedup_sessions_add(&d->adopted, ref, err);
	if (r == 0 && ref->type == FRAME_CATALOG)
		r = add_source(d, SOURCE_ADOPTED, ref, 0, &n, err);
	else if (r == 0 && (ref->type == FRAME_DATA || ref->type == FRAME_BUNDLE))
		r = adopt_frame(d, ref, err);
	(void)pthread_mutex_unlock(&d->lock);
	return r;
}

/* ---- the own catalog ---- */

void
dedup_source(struct dedup *d, const struct frame_ref *ref, uint64_t covers, const void *plain, size_t len)
{
	struct dedup_content content = {0};
	struct error err;
	uint32_t n;

	(void)pthread_mutex_lock(&d->lock);
	memcpy(d->own, ref->session, SESSION_ID_LEN);
	d->own_known = true;
	if (dedup_content_decode(ref->type, plain, len, (uint32_t)covers, &content, &err) == 0 &&
	    add_source(d, SOURCE_OWN, ref, (uint32_t)covers, &n, &err) == 0)
		add_fingerprints(d, &content, n);
	(void)pthread_mutex_unlock(&d->lock);
	dedup_content_wipe(&content);
}

void
dedup_stored(struct dedup *d, uint32_t seq)
{
	(void)pthread_mutex_lock(&d->lock);
	d->stored = MAX(d->stored, seq);
	(void)pthread_mutex_unlock(&d->lock);
}

uint64_t
dedup_bad_sources(struct dedup *d)
{
	uint64_t bad;

	(void)pthread_mutex_lock(&d->lock);
	bad = d->bad;
	(void)pthread_mutex_unlock(&d->lock);
	return bad;
}
