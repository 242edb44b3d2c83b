#ifndef REPO_H_
#define REPO_H_

#include <stddef.h>
#include <stdint.h>

#include "slot.h"
#include "store.h"

struct error;

/*
 * A repository: storage's front door.  Opens descriptor and slots; volumes, snapshots and frames are found from there.
 * A struct repo is read-only after opening and may be shared by threads.
 */
struct repo;

/*
 * Make one in an empty place: ERR_EXISTS when there is any object.  Owns the store from then on, also when it fails.
 * now_s: the clock.  scrypt_log_n: 16, less only in tests.
 */
int repo_init(struct store *, const struct secret *, const char *label, unsigned scrypt_log_n, int64_t now_s,
    struct repo **out, struct error *);
/*
 * ERR_NO_REPOSITORY; ERR_WRONG_KEY when no slot opens with any of these secrets and all slots are intact; ERR_CORRUPT
 * when a damaged slot may be the reason, and for all other damage.  Owns the store likewise.
 */
int repo_open(struct store *, const struct secret *secrets, size_t count, struct repo **out, struct error *);
/*
 * For verification: repo.json is the one that was opened, and every key slot is whole as far as that can be seen
 * without its secret.  Objects that are not are passed to bad() with what is wrong.
 */
int repo_check(
    const struct repo *, void (*bad)(void *arg, const char *key, const struct error *), void *arg, struct error *);
struct store *repo_store(const struct repo *);
/* 32 hexadecimal digits. */
const char *repo_id(const struct repo *);
void repo_free(struct repo *);

#include "catalog_reader.h"
#include "keyring.h"
#include "loader.h"
#include "snapshot.h"
#include "volume.h"

#endif
