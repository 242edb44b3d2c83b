#ifndef VOLUME_H_
#define VOLUME_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "keys.h"

struct error;
struct repo;
struct survey;

/* A volume with all its keys (at least one).  Read-only once opened; threads may share it. */
struct volume {
	struct repo *repo;
	uint8_t id[VOLUME_ID_LEN];
	char id_hex[2 * VOLUME_ID_LEN + 1];
	struct volume_keys *keys; /* by epoch descending, then keyid ascending: keys[0] is for new chains */
	size_t nkeys;
};

/*
 * ERR_NOT_FOUND "volume %s does not exist", unless create: then its first key object (and the copy below volumes/) is
 * written, and one of the two that is missing or damaged is made again from the other.  Each damaged or missing one is
 * replaced by the other when reading.  ERR_CORRUPT when no key object is left undamaged.
 */
int volume_open(struct repo *, const char *name, bool create, int64_t now_s, struct volume **out, struct error *);
/*
 * The same for one that is known to be in use, with fewer requests, and a survey of its objects, which is the caller's:
 * only the objects below v/ are looked for, and nothing is compared or written.  ERR_NOT_FOUND when there is none of
 * them, ERR_CORRUPT when not every one opens: volume_open() knows what to do then.  A key of which only the copy is
 * left is not seen.
 */
int volume_glance(struct repo *, const char *name, struct volume **out, struct survey **out_survey, struct error *);
/* A key object that is not as it should be: key is its name, the error says what is wrong. */
typedef void volume_bad_key_fn(void *arg, const char *key, const struct error *);
/* The names of all volumes, sorted, no name twice.  Damaged key objects are passed to bad() (may be NULL) with their
 * error. */
int volume_list(struct repo *, int (*fn)(void *arg, const char *name, struct error *), volume_bad_key_fn *bad,
    void *arg, struct error *);
/*
 * For verification.  Every key of the volume must be in both places, open, and be the same bytes in both; bad() is told
 * which is not, whether the other one works, and what to do.
 */
int volume_check_keys(const struct volume *, volume_bad_key_fn *bad, void *arg, struct error *);
/* Like volume_list(), in no special order, but finds volumes whose copies below volumes/ are missing as well, for which
 * it lists all objects.  Only volumes without any key that opens are passed to bad(). */
int volume_list_all(struct repo *, int (*fn)(void *arg, const char *name, struct error *), volume_bad_key_fn *bad,
    void *arg, struct error *);
/* NULL when there is no such key, or it is damaged. */
const struct volume_keys *volume_find_keys(const struct volume *, uint32_t epoch, const uint8_t keyid[KEY_ID_LEN]);
/* Accepts NULL; wipes. */
void volume_free(struct volume *);

#endif
