#ifndef LARGE_H_
#define LARGE_H_

#include "device.h"
#include "item.h"

/*
 * A file of at least CHUNK_BUNDLED bytes, or a device, while it is being read: what its stretches have in common.  It
 * lives as long as one of them.
 */
struct large {
	struct arena arena;
	struct item_entry item;
	int fd; /* open from the beginning on, so that all pieces are of the same file; -1 for a device */
	struct device *device; /* instead of a file: borrowed */
	bool sparse;
	atomic_uint failure; /* enum large_failure, the worst so far */
	atomic_int errnum;
	struct frame_ref *segments; /* filled by the recorder */
	size_t nsegments;
	atomic_uint refs; /* of whoever made it, and one for each stretch */
};

/* The smallest hole that file systems keep (and above what some of them store beside the inode, without blocks). */
#define HOLE_MIN 4096

enum large_failure { LARGE_OK, LARGE_CHANGED, LARGE_UNREADABLE };

/* With one reference. */
int large_new(struct large **out, struct error *);
/*
 * Open the file of an entry and take it as it is now: what is copied of the entry is its own, `folder`, `name` and
 * `old` are not taken over.  1, or 0 and *errnum, which source_failed() understands.
 */
int large_open(const struct item_entry *, dev_t root_dev, struct large **out, int *errnum, struct error *);
/* How many stretches it has; none when it is empty. */
size_t large_stretches(const struct large *);
/* What one of them may take of memory, with what all of them share. */
size_t large_stretch_bytes(const struct large *);
/* Note a failure; the worst one stays. */
void large_fail(struct large *, enum large_failure, int errnum);
/* Accepts NULL. */
void large_unref(struct large *);

#endif
