#ifndef DEDUP_H_
#define DEDUP_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "repo.h"

/*
 * Which content the volume has already: the deduplication beyond "the same path in the parent snapshot".
 *
 * There is no index in the repository.  Ids stand in catalog blocks, segments and checkpoints ("sources"); this keeps
 * 32 bits of each id and the number of its source in a table of bounded size (beyond the bound only ids with k zero
 * bits are kept, k growing), loads a source when a fingerprint matches, and keeps the last few sources decoded: what
 * was written together is found together.  The base snapshot is read at the first question that nothing else answers.
 * A miss costs storage, never correctness; a hit is always exact (16 bytes of keyed id, same type).
 * Safe from any thread.
 */
struct dedup;

struct dedup_place {
	struct frame_ref frame;
	uint32_t offset; /* of a small file in its bundle; 0 for frames */
	uint32_t len; /* of the content */
};

/* base may be NULL.  table_bytes: ceiling of the fingerprint table (default 16 MiB); it grows as needed. */
int dedup_new(const struct volume *, struct keyring *, const struct snapshot *base, size_t table_bytes,
    struct dedup **out, struct error *);
/* type: FRAME_DATA, FRAME_BUNDLE or FRAME_FILE.  1 and *out, or 0.  A source that cannot be read (damage, missing)
 * counts as a miss and is remembered as bad: never an error of the export; see dedup_bad_sources(). */
int dedup_find(struct dedup *, uint8_t type, const uint8_t id[ID_LEN], struct dedup_place *out, struct error *);
/* Content that this export has just sealed: kept exactly, in a ring of the last 32,768. */
void dedup_recent(struct dedup *, uint8_t type, const uint8_t id[ID_LEN], const struct dedup_place *);
/* One durable frame of an adopted session: data and bundles are remembered exactly as checkpoints do (in memory as
 * sources of at most 2,048 frames each, kept compact), catalog blocks become sources. */
int dedup_adopt(struct dedup *, const struct frame_ref *, struct error *);
/*
 * A catalog block, or a segment of `covers` bytes, of this export was sealed (its plaintext is given, so that it need
 * not be read now).  It is not read again before dedup_stored() has said that it is durable; until then only the ring
 * knows what is in it.
 */
void dedup_source(struct dedup *, const struct frame_ref *, uint64_t covers, const void *plain, size_t len);
/* All metadata packs of this export with smaller numbers are durable. */
void dedup_stored(struct dedup *, uint32_t seq);
uint64_t dedup_bad_sources(struct dedup *);
void dedup_free(struct dedup *);

#endif
