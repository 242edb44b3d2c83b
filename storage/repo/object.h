#ifndef OBJECT_H_
#define OBJECT_H_

#include <stddef.h>

struct error;
struct store;
struct survey;

/*
 * Small objects of a repository that must not get lost: descriptor, slots, keys, manifests.
 */

/*
 * Put an object, read it back and compare.  When the put fails although these very bytes are there now (its answer was
 * lost), that is success; ERR_EXISTS when others are.  ERR_CORRUPT when the store gives back something else than it was
 * given.
 */
int object_put(struct store *, const char *key, const void *bytes, size_t len, struct error *);

/* The keys below a prefix, in byte order, without the prefix. */
struct object_list {
	char **names;
	size_t count, capacity;
	size_t prefix_len, max;
};
/* ERR_CORRUPT when there are more than max. */
int object_list(struct store *, const char *prefix, size_t max, struct object_list *out, struct error *);
int object_list_surveyed(
    const struct survey *, struct store *, const char *prefix, size_t max, struct object_list *out, struct error *);
void object_list_wipe(struct object_list *);

#endif
