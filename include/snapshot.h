#ifndef SNAPSHOT_H_
#define SNAPSHOT_H_

#include <stddef.h>

#include "entry.h"
#include "manifest.h"
#include "packlist.h"
#include "root.h"
#include "volume.h"

struct error;
struct keyring;
struct loader;
struct snapshot;
struct survey;

/* The snapshots of a volume. */

/* The ids of all snapshots of a volume, oldest first (they sort by time).  *out: malloc'ed array. */
int snapshot_ids(const struct volume *, char (**out)[SNAPSHOT_ID_LEN + 1], size_t *out_count, struct error *);
/* Read, check and parse one manifest. */
int snapshot_load(const struct volume *, const char *id, struct manifest *out, struct error *);
/*
 * Load many of them, up to `connections` at the same time, and tell them in order: code and err are as snapshot_load()
 * gives them, m is NULL when it fails, and wiped afterwards unless fn has taken its content (and zeroed it).  What fn
 * returns, when negative, ends it all.  At most 2 * connections manifests are in memory.
 */
#define SNAPSHOT_CONNECTIONS 64 /* enough for 1,000 in a second, where each takes 50 ms */
struct snapshot_name {
	const struct volume *volume;
	const char *id;
};
typedef int snapshot_each_fn(void *arg, size_t i, int code, struct manifest *m, struct error *err);
int snapshot_each(
    const struct snapshot_name *, size_t count, unsigned connections, snapshot_each_fn *fn, void *arg, struct error *);
/*
 * The same for who opens them all, one after the other: s is the snapshot if it is small (root and packlist together at
 * most SNAPSHOT_AHEAD_MAX) and opens, so that it could be opened ahead, otherwise NULL, and fn is to open it from m.
 * With s, m is its manifest, and both are freed afterwards.  What is in memory of snapshots opened ahead is decoded:
 * at most 2 * connections * 6 * SNAPSHOT_AHEAD_MAX, and 8 MiB for each one that is being opened if its repository is
 * forged.
 */
#define SNAPSHOT_AHEAD_MAX (256 * 1024)
typedef int snapshot_each_open_fn(
    void *arg, size_t i, int code, struct manifest *m, struct snapshot *s, struct error *err);
int snapshot_each_open(const struct snapshot_name *, size_t count, unsigned connections, snapshot_each_open_fn *fn,
    void *arg, struct error *);
/*
 * What a person writes: "latest", a full id, a unique prefix of one, or a time ("2026-11-22", "2026-11-22T01:02",
 * "...:03", with optional Z or +hh:mm; local time otherwise; what is not given is zero): the newest snapshot that was
 * started at or before it.  ERR_NOT_FOUND, ERR_USAGE when a prefix is not unique (the candidates are named).  A damaged
 * manifest that might be the answer is ERR_CORRUPT, never silently an older one.
 */
int snapshot_resolve(const struct volume *, const char *spec, struct manifest *out, struct error *);
/* The newest, from a survey of the volume (may be NULL) if that shows it.  ERR_NOT_FOUND. */
int snapshot_newest(const struct volume *, const struct survey *, struct manifest *out, struct error *);
/* Commit: put the manifest, read it back, compare.  Also succeeds when the same bytes are there already. */
int snapshot_commit(const struct volume *, struct manifest *, struct error *);

/* A snapshot opened for reading, with its root and the keys of all its sessions.  Read-only once opened; threads may
 * share it. */
struct snapshot {
	const struct volume *volume;
	const struct volume_keys *keys;
	struct manifest manifest;
	struct root root;
	struct packlist *packlist;
	struct keyring *keyring;
};
/* Takes the manifest's content over (also on failure). */
int snapshot_open(const struct volume *, struct manifest *, struct snapshot **out, struct error *);
void snapshot_free(struct snapshot *);

/* The extents of segment i (of entry->nsegments).  *out is malloc'ed. */
int snapshot_load_segment(
    struct loader *, const struct entry *, size_t i, struct extent **out, size_t *out_count, struct error *);

#endif
