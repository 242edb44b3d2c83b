#ifndef REPO_INTERNAL_H_
#define REPO_INTERNAL_H_

#include "keys.h"
#include "slot.h"

struct buf;
struct repo;
struct store;

/* For the other files of this folder: the key from which those of volumes follow. */
const struct root_key *repo_root_key(const struct repo *);

/* ---- repo_descriptor.c ---- */

#define REPO_OBJECT "repo.json"

/* What repo.json says, signed by the key that it names itself. */
struct repo_descriptor {
	uint8_t id[REPOSITORY_ID_LEN];
	uint8_t admin_key[KEY_LEN];
};

int repo_descriptor_make(const struct root_key *, int64_t now_s, struct buf *out, struct error *);
/* ERR_NO_REPOSITORY when there is none. */
int repo_descriptor_read(struct store *, struct repo_descriptor *out, struct error *);

/* ---- repo_slots.c ---- */

#define SLOT_OBJECT_MAX (64u * 1024)

/* The root key, whose `repository` is set, from whichever slot one of the secrets opens: see repo_open(). */
int repo_slots_open(struct store *, const struct secret *, size_t count, struct root_key *, struct error *);
/* See repo_check(). */
int repo_slots_check(struct store *, const uint8_t repository[REPOSITORY_ID_LEN],
    void (*bad)(void *arg, const char *key, const struct error *), void *arg, struct error *);

#endif
