#ifndef ATTRSET_H_
#define ATTRSET_H_

#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "hashidx.h"

struct error;
struct wire;

/*
 * The attribute sets of a block, each stored once: docs/format.md section 6.  attrset_init() first; for one direction
 * at a time: attrset_add() and attrset_encode(), or attrset_decode() and attrset_get().
 */
struct attrset {
	struct attrset_place *places;
	size_t count, capacity;
	struct buf bytes; /* writers: varint length || set, one behind the other */
	const uint8_t *base; /* readers: what the places refer to */
	struct hashidx index;
};

void attrset_init(struct attrset *);
/* The number of a set; a new one is checked (ERR_USAGE) and goes to the end. */
int attrset_add(struct attrset *, const uint8_t *set, size_t len, size_t *out_number, struct error *);
/* Take away all sets from this number on. */
void attrset_rollback(struct attrset *, size_t count);
/* The encoded size, exactly. */
size_t attrset_size(const struct attrset *);
void attrset_encode(const struct attrset *, struct buf *out);

/* Read and check all sets, in place.  ERR_CORRUPT. */
int attrset_decode(struct attrset *, struct wire *, struct error *);
/* number < count. */
const uint8_t *attrset_get(const struct attrset *, size_t number, size_t *out_len);

void attrset_reset(struct attrset *);
void attrset_free(struct attrset *);

#endif
