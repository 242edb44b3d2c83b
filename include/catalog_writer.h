#ifndef CATALOG_WRITER_H_
#define CATALOG_WRITER_H_

#include "dedup.h"
#include "session.h"

/*
 * Writes a snapshot's catalog: cuts the stream of entries into blocks at content-defined names, stores blocks and
 * segments that are new, refers to those that the base has already, keeps the packlist, and writes root and packlist.
 * One thread.
 */
struct catalog_writer;

/* base and dedup may be NULL. */
int catalog_writer_new(struct session *, const struct volume_keys *, const struct snapshot *base, struct dedup *,
    struct catalog_writer **out, struct error *);

/* The next entry.  Accounting is separate: an entry that the base has with the same references needs none. */
int catalog_writer_add(struct catalog_writer *, const struct entry *, struct error *);
/*
 * Store a segment; the reference goes into the entry's `segments`.  old: the base's segment in this place or NULL: when
 * the content is the same its reference is given back, nothing is stored and *out_same is true.  Otherwise the new
 * segment is accounted for (itself and its extents).
 */
int catalog_writer_segment(struct catalog_writer *, const struct extent *, size_t count, const struct frame_ref *old,
    struct frame_ref *out, bool *out_same, struct error *);
/* The snapshot refers to these extents now; or no longer. */
int catalog_writer_account(struct catalog_writer *, const struct extent *, size_t count, struct error *);
int catalog_writer_unaccount(struct catalog_writer *, const struct extent *, size_t count, struct error *);
/* It no longer refers to this segment of `covers` bytes: the segment and its extents (which are loaded, unless given:
 * extents != NULL). */
int catalog_writer_unaccount_segment(struct catalog_writer *, const struct frame_ref *, uint64_t covers,
    const struct extent *, size_t count, struct error *);

/*
 * The end: last block, drain of everything that is on its way (the data packers must have flushed), root and packlist,
 * drain again; fills root, packlist and sessions of the manifest, and entries.  When root and packlist are the base's,
 * its frames are named and nothing is stored.
 */
int catalog_writer_finish(struct catalog_writer *, struct manifest *, struct error *);
void catalog_writer_free(struct catalog_writer *);

#endif
