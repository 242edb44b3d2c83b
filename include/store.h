#ifndef STORE_H_
#define STORE_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe.h"

struct buf;
struct error;
struct s3_settings;

/*
 * An object store: a flat map from keys to immutable byte strings.
 *
 * Keys match [a-z0-9._-]+(/[a-z0-9._-]+)*, no component begins with ".", at most 512 bytes; store.c checks that for
 * every implementation, and hides from listings what is no key.  A key that is also the folder of another one need not
 * work.  Every call is safe from any thread.  A put is atomic and durable: when it returns 0 the object survives a
 * power cut, and whatever happens a reader sees the whole object or none of it.  An existing object is never replaced.
 * Implementations retry what is worth retrying; ERR_UNAVAILABLE means that they have given up.
 */
struct store;

struct store_object {
	const char *key; /* valid during the callback */
	uint64_t size;
	int64_t modified_s; /* the store's own clock, seconds since 1970 */
};

/* Return 0 to go on, 1 to stop early without failure, negative (with err set) to fail. */
typedef int store_list_fn(void *arg, const struct store_object *, struct error *);

/* An object that could not be removed, and why.  As store_list_fn. */
typedef int store_removed_fn(void *arg, const char *key, const struct error *why, struct error *);

/* What an object is for: a store may keep the two in different places. */
enum store_kind {
	STORE_META, /* small, read often */
	STORE_BULK /* packs of data: large, written once, read seldom */
};

struct store_ops {
	const char *name; /* "dir", "mem", "s3": for messages */
	int (*put)(struct store *, const char *key, const void *bytes, size_t len, enum store_kind, struct error *);
	int (*get)(struct store *, const char *key, uint64_t offset, void *bytes, size_t len, struct error *);
	int (*size)(struct store *, const char *key, uint64_t *out_size, struct error *);
	int (*load)(struct store *, const char *key, size_t limit, struct buf *out, struct error *);
	int (*list)(struct store *, const char *prefix, store_list_fn *fn, void *arg, struct error *);
	int (*remove)(struct store *, const char *key, struct error *);
	/* NULL: one by one. */
	int (*remove_many)(
	    struct store *, const char *const *keys, size_t count, store_removed_fn *fn, void *arg, struct error *);
	/* What this kind can do beside the contract (probe.h); keys below folder are free.  NULL: nothing. */
	int (*probe)(struct store *, const char *folder, probe_fn *fn, void *arg, struct error *);
	void (*end)(struct store *); /* NULL: no call waits for long */
	void (*free)(struct store *);
};

/* First member of every implementation's own structure. */
struct store {
	const struct store_ops *ops;
};

/* Store bytes[0..len) as key.  ERR_EXISTS if the key is taken (the object there is untouched). */
int store_put(struct store *, const char *key, const void *bytes, size_t len, struct error *);
/* The same for a pack of data, which may go into another storage class. */
int store_put_bulk(struct store *, const char *key, const void *bytes, size_t len, struct error *);
/* Read exactly len bytes at offset.  ERR_NOT_FOUND, or ERR_CORRUPT if the object is too short. */
int store_get(struct store *, const char *key, uint64_t offset, void *bytes, size_t len, struct error *);
/* The object's length.  ERR_NOT_FOUND. */
int store_size(struct store *, const char *key, uint64_t *out_size, struct error *);
/* Append the whole object to out; ERR_CORRUPT if it is longer than limit. */
int store_load(struct store *, const char *key, size_t limit, struct buf *out, struct error *);
/* Every object whose key starts with prefix ("" for all; "v/ab/" for a folder), in byte order of the keys, in constant
 * memory per folder level. ERR_CORRUPT if the store gives them in another order.  The callback may use the store. */
int store_list(struct store *, const char *prefix, store_list_fn *fn, void *arg, struct error *);
/* Remove an object, durably.  Removing what is not there succeeds. */
int store_remove(struct store *, const char *key, struct error *);
/* Remove many at once, which may take far fewer calls.  What cannot be removed is passed to failed() (NULL: the first
 * one ends it), and the others are removed all the same.  Negative when the store as a whole cannot. */
int store_remove_many(
    struct store *, const char *const *keys, size_t count, store_removed_fn *failed, void *arg, struct error *);
/* Whoever waits in the store, now or later, gives up soon with ERR_CANCELLED: the program is to end.  From any thread.
 */
void store_end(struct store *);
/* Accepts NULL. */
void store_free(struct store *);

/*
 * A repository's place: a path, file:///path, s3://bucket/prefix, or libs3+http://host:port/bucket/prefix (s3.h;
 * settings are for these two alone, NULL: as the environment says).  With create, a missing folder is made (one level
 * and its parents, mode 0700); without, a missing one is ERR_NO_REPOSITORY.  Buckets are never made.  Unknown schemes
 * are ERR_USAGE.
 */
int store_open(const char *place, bool create, const struct s3_settings *settings, struct store **out, struct error *);
/* The folder path itself, for store_open() and tests. */
int store_dir_open(const char *path, bool create, struct store **out, struct error *);
/* An empty store in memory, for tests. */
int store_mem_open(struct store **out, struct error *);
/* A store that passes everything on to another one, not faster than so many bytes a second (0: no limit), over all
 * threads; up to one second's worth may come at once after a pause.  Owns inner from then on, also when it fails. */
int store_limit_new(
    struct store *inner, uint64_t upload_per_s, uint64_t download_per_s, struct store **out, struct error *);

#endif
