#ifndef ROOT_H_
#define ROOT_H_

#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "frame.h"

struct error;

/* Roots: the list of a catalog's blocks (docs/format.md section 6). */

struct root_block {
	char *separator; /* malloc'ed, not NUL-terminated; empty for the first block */
	size_t separator_len;
	uint64_t entries;
	struct frame_ref frame;
};

struct root {
	uint64_t entries; /* of all blocks */
	uint64_t bytes; /* sum of file sizes: the caller's */
	struct root_block *blocks;
	size_t nblocks;
	size_t capacity;
	size_t separator_bytes;
};
/* What one may cost: decoded, with what it is decoded from, less than ROOT_MEMORY_MAX, whatever it claims. */
#define ROOT_BLOCKS_MAX     (256u * 1024)
#define ROOT_ENCODED_MAX    (16u * 1024 * 1024)
#define ROOT_SEPARATORS_MAX (32u * 1024 * 1024) /* all separators of a root together */
#define ROOT_MEMORY_MAX     (96u * 1024 * 1024)

/*
 * Append a block whose first path is given, and count its entries; the separator is the shortest path that is above
 * last (the last path of the block before; ignored for the first) and not above first.  ERR_USAGE when first is not
 * above last; ERR_NOMEM over ROOT_BLOCKS_MAX or ROOT_SEPARATORS_MAX.
 */
int root_add(struct root *, const char *first, size_t first_len, const char *last, size_t last_len,
    const struct frame_ref *, uint64_t entries, struct error *);
/* At least one block, all different; ERR_USAGE. */
int root_encode(const struct root *, struct buf *out, struct error *);
/* Into a zeroed or wiped root.  ERR_CORRUPT. */
int root_decode(const void *bytes, size_t len, struct root *out, struct error *);
/* Index of the block in which path would be. */
size_t root_find(const struct root *, const char *path, size_t len);
/* Index of the block in which the first path would be that comes after everything below this folder. */
size_t root_find_after(const struct root *, const char *folder, size_t len);
void root_wipe(struct root *);

#endif
