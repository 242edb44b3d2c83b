#ifndef STORE_INTERNAL_H_
#define STORE_INTERNAL_H_

#include "store.h"

/* For implementations. */

/* A load() made of a size() and a get(), for stores where a call costs nothing. */
int store_load_in_two(struct store *, const char *key, size_t limit, struct buf *out, struct error *);
/* ERR_CORRUPT: the object is longer than its reader can take. */
int store_too_long(const char *key, uint64_t size, size_t limit, struct error *);

#endif
