#ifndef VAULT_H_
#define VAULT_H_

#include <stdbool.h>

#include "buf.h"
#include "repo.h"
#include "store_fault.h"

/* For tests of repositories as objects: a store in memory that outlives the repositories in it and can be told to fail,
 * and secrets that open them or do not. */

#define VAULT_NOW INT64_C(1732237323)

extern struct secret vault_passphrase, vault_key_file, vault_wrong_passphrase, vault_wrong_key_file;

void vault_make_secrets(void);

struct store *vault_new_store(void);
/* The same store for a repository that owns its store. */
struct store *vault_share(struct store *);
void vault_fail(struct store *, unsigned ops, uint64_t nth, bool later, bool after, enum error_code code);

struct repo *vault_init(struct store *, const struct secret *);
int vault_try_open(struct store *, const struct secret *, struct error *);

/* The first key below a prefix, "" for none. */
const char *vault_first_key(struct store *, const char *prefix);
size_t vault_count(struct store *, const char *prefix);
void vault_load(struct store *, const char *key, struct buf *out);
void vault_replace(struct store *, const char *key, const void *bytes, size_t len);
/* Change the character behind the first occurrence of text; for hexadecimal members. */
void vault_damage(struct store *, const char *key, const char *text);

#endif
