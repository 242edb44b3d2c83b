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

#include "cleanup.h"
#include "dedup_internal.h"
#include "error.h"

enum {
	TABLE_DEFAULT = 16 * 1024 * 1024,
	MEMORY_MIN = 1024 * 1024,
};

struct dedup {
	pthread_mutex_t lock; /* guards everything */
	const struct snapshot *base;
	struct dedup_table table;
	struct dedup_recent *recent;
	struct dedup_sessions adopted;
	struct dedup_sources sources;
	uint8_t own[SESSION_ID_LEN];
	bool own_known;
	size_t scanned; /* adopted sources below this one have been */
	bool base_scanned;
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
	d->sources.memory_max = MAX(table_bytes, (size_t)MEMORY_MIN);
	d->recent = dedup_recent_new();
	r = d->recent == NULL ? error_nomem(err) : loader_new(volume, keyring, &d->sources.loader, err);
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
	dedup_sources_wipe(&d->sources);
	dedup_sessions_wipe(&d->adopted);
	dedup_recent_free(d->recent);
	dedup_table_wipe(&d->table);
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

static void
add_fingerprint(struct dedup *d, const uint8_t *id, uint32_t source)
{
	uint32_t known = dedup_table_find(&d->table, id);

	if (known == UINT32_MAX || !dedup_sources_alive(&d->sources, known))
		dedup_table_add(&d->table, id, source);
}

static void
add_fingerprints(struct dedup *d, const struct dedup_content *c, uint32_t source)
{
	for (size_t i = 0; i < c->nitems; i++)
		if (may_offer(d, &c->frames[c->items[i].frame]))
			add_fingerprint(d, c->items[i].id, source);
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
		if (d->sources.cache.places[i].full && find_in(d, &d->sources.cache.places[i].content, type, id, out)) {
			(void)dedup_cache_get(&d->sources.cache, d->sources.cache.places[i].source);
			return true;
		}
	n = dedup_table_find(&d->table, id);
	return dedup_sources_alive(&d->sources, n) && find_in(d, dedup_sources_content(&d->sources, n), type, id, out);
}

/* Read a source for the first time. */
static void
scan_source(struct dedup *d, uint32_t n)
{
	enum dedup_kind kind = d->sources.v[n].kind;
	struct dedup_content content = {0};
	struct error err;

	if (!dedup_sources_load(&d->sources, n, &content))
		return;
	add_fingerprints(d, &content, n);
	for (size_t i = 0; i < content.nsegments; i++) {
		uint32_t segment;

		if (may_offer(d, &content.segments[i].ref) &&
		    dedup_sources_add(
			&d->sources, kind, &content.segments[i].ref, content.segments[i].covers, &segment, &err) == 0)
			scan_source(d, segment);
	}
	dedup_content_wipe(&content);
}

/* Read what has never been read: the base, and catalog blocks of adopted sessions. */
static bool
scan(struct dedup *d)
{
	size_t adopted_end = d->sources.count;
	bool any = false;
	struct error err;
	uint32_t n;

	for (; d->scanned < adopted_end; d->scanned++)
		if (d->sources.v[d->scanned].kind == SOURCE_ADOPTED) {
			scan_source(d, (uint32_t)d->scanned);
			any = true;
		}
	for (size_t i = 0; d->base != NULL && !d->base_scanned && i < d->base->root.nblocks; i++)
		if (dedup_sources_add(&d->sources, SOURCE_BASE, &d->base->root.blocks[i].frame, 0, &n, &err) == 0) {
			scan_source(d, n);
			any = true;
		}
	d->base_scanned = true;
	/* Segments found on the way have been scanned with their blocks. */
	d->scanned = d->sources.count;
	return any;
}

int
dedup_find(struct dedup *d, uint8_t type, const uint8_t id[ID_LEN], struct dedup_place *out, struct error *err)
{
	bool found;

	(void)err;
	(void)pthread_mutex_lock(&d->lock);
	found = dedup_recent_find(d->recent, type, id, out);
	if (!found) {
		dedup_sources_settle(&d->sources);
		found = find_by_table(d, type, id, out);
	}
	if (!found && (!d->base_scanned || d->scanned < d->sources.count))
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

/* Catalog blocks are sources; data and bundles are known to one that is made of them. */
static int
adopt(struct dedup *d, const struct frame_ref *ref, struct error *err)
{
	uint32_t n;
	int r;

	if (ref->type == FRAME_CATALOG)
		return dedup_sources_add(&d->sources, SOURCE_ADOPTED, ref, 0, &n, err);
	if (ref->type != FRAME_DATA && ref->type != FRAME_BUNDLE)
		return 0;
	r = dedup_sources_adopt(&d->sources, ref, &n, err);
	if (r == 0)
		add_fingerprint(d, ref->id, n);
	return r;
}

int
dedup_adopt(struct dedup *d, const struct frame_ref *ref, struct error *err)
{
	int r;

	(void)pthread_mutex_lock(&d->lock);
	r = dedup_sessions_add(&d->adopted, ref, err);
	if (r == 0)
		r = adopt(d, ref, err);
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
	    dedup_sources_add(&d->sources, SOURCE_OWN, ref, (uint32_t)covers, &n, &err) == 0)
		add_fingerprints(d, &content, n);
	(void)pthread_mutex_unlock(&d->lock);
	dedup_content_wipe(&content);
}

void
dedup_stored(struct dedup *d, uint32_t seq)
{
	(void)pthread_mutex_lock(&d->lock);
	d->sources.stored = MAX(d->sources.stored, seq);
	(void)pthread_mutex_unlock(&d->lock);
}

uint64_t
dedup_bad_sources(struct dedup *d)
{
	uint64_t bad;

	(void)pthread_mutex_lock(&d->lock);
	bad = d->sources.bad;
	(void)pthread_mutex_unlock(&d->lock);
	return bad;
}
