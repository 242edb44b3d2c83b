#ifndef SCAN_H_
#define SCAN_H_

#include "export_internal.h"

/*
 * The scan: merges the sorted live tree with the base's sorted catalog, and hands out items of work.  One thread.
 */

/* Files with several links of which one has been seen: the others need not be read.  Bounded; a file that does not fit
 * is read again, and deduplicated. */
struct links;
int links_new(struct links **out, struct error *);
/* LINKS_OTHER: the number belongs to another file now, or to another state of it; it must not become a link of what
 * came before. */
enum links_answer { LINKS_ALONE, LINKS_FIRST, LINKS_FURTHER, LINKS_OTHER };
/* What to do with an entry of nlink > 1, and how many further names of the file are waited for. */
enum links_answer links_see(struct links *, const struct entry *, bool sparse, uint32_t *further);
void links_free(struct links *);

struct scan {
	struct export *x;
	struct walker *walker;
	struct catalog_reader *reader; /* NULL without a base */
	struct entry old; /* its current entry */
	bool have_old;
	struct item *batch; /* being filled */
	const struct folder *last_folder;
	uint64_t seq;
	struct links *links;
	struct buf text; /* attributes, symlink targets */
};

/* Attributes of what the content threads do not open, and the target of a symlink; valid until the next call.  1: go
 * on, 0: it vanished. */
int scan_entry_details(struct scan *, const struct walker_node *, struct entry *, struct error *);
bool scan_entry_sparse(const struct walker_node *);
/* Bundles know no holes: a small file that seems to have one is read like a large file. */
bool scan_entry_may_have_holes(const struct walker_node *);

/* Room for one more entry, which will take so many bytes of the arena, in the current batch; hands a full one out. */
int scan_slot(struct scan *, size_t bytes, size_t small_bytes, struct item_entry **out, struct error *);
/* Hand out the current batch. */
int scan_flush(struct scan *, struct error *);
/* Hand out all stretches of a large file; takes the reference over. */
int scan_large(struct scan *, struct large *, struct error *);

#endif
