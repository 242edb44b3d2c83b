#ifndef DEDUP_INTERNAL_H_
#define DEDUP_INTERNAL_H_

#include "dedup.h"

/*
 * The parts of dedup.c, none of which locks: table (which source might know an id), recent (what was sealed lately),
 * content (of one source, decoded), sources (all of them, by number), sessions (the packs of adopted sessions that are
 * there).
 */

/* ---- dedup_table.c ---- */

#define DEDUP_PARTS 64

/* From the first 32 bits of an id to a source number.  At most one source for a fingerprint: the first. */
struct dedup_table {
	struct dedup_part {
		uint64_t *slots; /* fingerprint << 32 | source + 1; 0: empty */
		uint32_t size; /* a power of two, or 0 */
		uint32_t count;
	} parts[DEDUP_PARTS];
	uint32_t max_size; /* of a part */
	unsigned sampled; /* only fingerprints with so many low bits zero are kept */
};

void dedup_table_init(struct dedup_table *, size_t bytes);
void dedup_table_add(struct dedup_table *, const uint8_t *id, uint32_t source);
/* A source that may know the id, or UINT32_MAX. */
uint32_t dedup_table_find(const struct dedup_table *, const uint8_t *id);
size_t dedup_table_bytes(const struct dedup_table *);
void dedup_table_wipe(struct dedup_table *);

/* ---- dedup_recent.c ---- */

#define DEDUP_RECENT 32768

struct dedup_recent;
struct dedup_recent *dedup_recent_new(void);
void dedup_recent_add(struct dedup_recent *, uint8_t type, const uint8_t *id, const struct dedup_place *);
bool dedup_recent_find(const struct dedup_recent *, uint8_t type, const uint8_t *id, struct dedup_place *out);
void dedup_recent_free(struct dedup_recent *);

/* ---- dedup_content.c ---- */

/* What one source knows: a catalog block, a segment or a checkpoint, decoded. */
struct dedup_item {
	uint8_t id[ID_SHORT];
	uint32_t frame; /* in frames */
	uint32_t offset;
	uint32_t len;
	uint32_t next; /* of the same bucket, + 1 */
	uint8_t type;
};

struct dedup_segment {
	struct frame_ref ref;
	uint32_t covers;
};

struct dedup_content {
	struct frame_ref *frames;
	size_t nframes, frames_cap;
	struct dedup_item *items;
	size_t nitems, items_cap;
	struct dedup_segment *segments; /* of a catalog block: further sources */
	size_t nsegments, segments_cap;
	uint32_t *buckets; /* + 1 */
	size_t nbuckets; /* a power of two; 0: no index yet */
};

/* Into a zeroed content.  By type of frame: FRAME_CATALOG, FRAME_SEGMENT (which covers so many bytes),
 * FRAME_CHECKPOINT. */
int dedup_content_decode(
    uint8_t type, const void *plain, size_t len, uint32_t covers, struct dedup_content *out, struct error *);
/* Prepare for dedup_content_find(). */
int dedup_content_index(struct dedup_content *, struct error *);
const struct dedup_item *dedup_content_find(const struct dedup_content *, uint8_t type, const uint8_t *id);
size_t dedup_content_bytes(const struct dedup_content *);
void dedup_content_wipe(struct dedup_content *);

/* ---- dedup_cache.c ---- */

#define DEDUP_CACHED      8
#define DEDUP_CACHE_BYTES (8u * 1024 * 1024)

/* The contents of a few sources, those used last.  A zeroed cache is an empty one. */
struct dedup_cache {
	struct dedup_cached {
		struct dedup_content content;
		size_t bytes;
		uint64_t used;
		uint32_t source;
		bool full;
	} places[DEDUP_CACHED];
	size_t bytes;
	uint64_t tick;
};

/* NULL when it is not there; valid until the next put. */
const struct dedup_content *dedup_cache_get(struct dedup_cache *, uint32_t source);
/* Takes the content over; makes room first. */
const struct dedup_content *dedup_cache_put(struct dedup_cache *, uint32_t source, struct dedup_content *);
void dedup_cache_wipe(struct dedup_cache *);

/* ---- dedup_sources.c ---- */

enum dedup_kind { SOURCE_BASE, SOURCE_ADOPTED, SOURCE_OWN, SOURCE_MEMORY };

struct dedup_source {
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

/* Zeroed but for loader (owned) and memory_max, it is empty. */
struct dedup_sources {
	struct loader *loader;
	struct dedup_source *v;
	size_t count, cap;
	uint32_t stored; /* own metadata packs below are durable */
	struct frame_ref *batch; /* adopted frames that are not yet a source; batch_source stands for them */
	size_t nbatch;
	uint32_t batch_source;
	size_t memory_bytes, memory_max;
	size_t oldest; /* no source below keeps bytes in memory */
	struct dedup_cache cache;
	uint64_t bad; /* how many could not be read */
};

int dedup_sources_add(
    struct dedup_sources *, enum dedup_kind, const struct frame_ref *, uint32_t covers, uint32_t *out, struct error *);
/* One more adopted frame, and which source will know it. */
int dedup_sources_adopt(struct dedup_sources *, const struct frame_ref *, uint32_t *out, struct error *);
/* Before sources are asked: what was adopted is one. */
void dedup_sources_settle(struct dedup_sources *);
/* It can be asked, now or soon. */
bool dedup_sources_alive(const struct dedup_sources *, uint32_t n);
/* What it knows, into a zeroed content; false when it is bad from now on. */
bool dedup_sources_load(struct dedup_sources *, uint32_t n, struct dedup_content *out);
/* The same out of the cache, with an index; NULL when it cannot be asked.  Valid until the next call. */
const struct dedup_content *dedup_sources_content(struct dedup_sources *, uint32_t n);
void dedup_sources_wipe(struct dedup_sources *);

/* ---- dedup_sessions.c ---- */

/* Packs of adopted sessions from which at least one frame is known to be durable. */
struct dedup_sessions {
	struct dedup_packs {
		uint8_t session[SESSION_ID_LEN];
		uint64_t *bits; /* by seq */
		size_t nwords;
	} * sessions;
	size_t count, cap;
};

int dedup_sessions_add(struct dedup_sessions *, const struct frame_ref *, struct error *);
bool dedup_sessions_have(const struct dedup_sessions *, const struct frame_ref *);
void dedup_sessions_wipe(struct dedup_sessions *);

#endif
