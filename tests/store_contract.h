#ifndef STORE_CONTRACT_H_
#define STORE_CONTRACT_H_

struct error;
struct store;
struct store_object;

/* The promises of store.h, as tests that every store must pass.  The store is empty before and after. */
void store_contract(struct store *);
/* The same for a store that cannot promise that one alone of several puts of the same key succeeds. */
void store_contract_without_races(struct store *);
/* The same for more objects than a server tells of, or removes, with one call. */
void store_contract_many(struct store *);

/* A new object with this text. */
void store_check_put(struct store *, const char *key, const char *text);
/* The object is this text. */
void store_check_content(struct store *, const char *key, const char *want);
/* The listing is this: "key:size " for each object. */
void store_check_list(struct store *, const char *prefix, const char *want);
/* For store_list(): append "key:size " to a struct buf. */
int store_collect(void *buf, const struct store_object *, struct error *);

#endif
