#ifndef NAMES_H_
#define NAMES_H_

#include <stddef.h>
#include <stdint.h>

struct error;

/*
 * The names of the folders on the way down, sorted as bytes, as a stack: the walker's memory.  Private to the walker.
 *
 * All levels together hold at most `limit` bytes in memory (the room to sort one of them included); what does not fit
 * is sorted in runs in one unlinked temporary file below $TMPDIR, in which levels lie behind each other as they do in
 * memory.
 */
struct names;

#define NAMES_LIMIT (16u * 1024 * 1024)

/* A name longer than the format allows is cut at one byte more than that, which is enough to tell. */
#define NAMES_LEN_MAX 256u

struct name {
	const char *bytes; /* not NUL-terminated; valid until the next call */
	size_t len;
	unsigned char type; /* DT_..., DT_UNKNOWN when the file system does not say */
};

int names_new(size_t limit, struct names **out, struct error *);
void names_free(struct names *);

/*
 * Read the names in an open folder, without "." and ".." and without repetitions, and put them on top.  *errnum: 0, or
 * why the listing ended early; what was listed until then is there all the same.  Fails for want of memory or of a
 * temporary file.
 */
int names_push(struct names *, int fd, int *errnum, struct error *);
/* The next name of the level on top: 1, 0 at the end. */
int names_next(struct names *, struct name *out, struct error *);
void names_pop(struct names *);

#endif
