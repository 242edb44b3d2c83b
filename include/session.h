#ifndef SESSION_H_
#define SESSION_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "job.h"
#include "pack.h"
#include "repo.h"

/*
 * One run of an export: its id and key, its intent, its packs on their way to the store.
 *
 * Pack buffers are a fixed pool, which is the back-pressure: a packer that needs a buffer waits until an upload has
 * ended.  There is one buffer for metadata, and so one packer of that kind at a time. Threads (uploads, the refreshing
 * of the intent) run in the caller's job and fail with it.
 */
struct session;

struct session_options {
	int level; /* zstd, or FRAME_NO_COMPRESSION */
	size_t pack_size; /* capacity of a data pack */
	size_t
	    meta_pack_size; /* of a metadata pack; 0: the same.  Large ones make few requests for who reads a catalog */
	unsigned packers; /* data packers that will be open at the same time */
	unsigned uploads; /* uploads in parallel; pool = packers + uploads, and 1 for metadata */
	unsigned refresh_s; /* intent refreshed this often: 300 */
	const struct survey *survey; /* of the volume, made just before; may be NULL */
};

/* The clock: seconds and nanoseconds since 1970.  Tests give their own. */
typedef void session_clock_fn(int64_t *s, uint32_t *ns);
void session_clock(int64_t *s, uint32_t *ns);

/*
 * Start: find dead sessions to adopt (signed intents of this volume and key, started after the base snapshot, or all
 * without one; at most 16, the newest), start threads.  The intent is written when it is needed: here when there is
 * something to adopt, else before the first pack, or by the keeper when the session is refresh_s old.  base: NULL or
 * the snapshot on which this export builds; it must outlive the session.  volume and keys likewise.
 */
int session_begin(const struct volume *, const struct volume_keys *, const struct snapshot *base,
    const struct session_options *, session_clock_fn *, struct job *, struct session **out, struct error *);
const uint8_t *session_id(const struct session *);
const struct session_key *session_key(const struct session *);
/* The adopted sessions, with their keys from the pack headers (opened and checked). */
const struct packlist_session *session_adopted(const struct session *, size_t *out_count);
/* A keyring with the base's, the adopted and the own session. */
struct keyring *session_keyring(struct session *);

/*
 * What the adopted sessions have stored durably: every frame once (from checkpoints, and from the trailers of packs
 * that no checkpoint covers, at most 512 of these per session), data and bundles, and catalog blocks.  object lengths
 * of the packs are remembered for session_fill_lengths().
 */
int session_each_adopted(
    struct session *, int (*fn)(void *arg, const struct frame_ref *, struct error *), void *arg, struct error *);

/* One thread's open pack of a kind, with its sealer. */
struct packer;
/* level as in the options; metadata uses 3. */
int packer_new(struct session *, uint8_t kind, int level, struct packer **out, struct error *);
int packer_id(struct packer *, uint8_t type, const void *plain, size_t len, uint8_t out[ID_LEN], struct error *);
/* Seal a frame into the open pack (a new one when it does not fit; waits for a buffer).  ERR_CANCELLED when the job
 * failed. */
int packer_add(struct packer *, uint8_t type, const uint8_t id[ID_LEN], const void *plain, size_t len,
    uint64_t path_hash, uint64_t file_offset, struct frame_ref *out, struct error *);
/* Hand the open pack to the uploads, even when it is not full. */
int packer_flush(struct packer *, struct error *);
/* Gives its buffer back; unflushed frames are lost.  Accepts NULL. */
void packer_free(struct packer *);

/* Called by upload threads after a pack became durable: its frames may be read from the store now.  Set before packers
 * are used. */
void session_on_stored(struct session *, void (*fn)(void *arg, const struct pack *), void *arg);

/* All packers have flushed: wait until everything is durable.  0 or the job's first error. */
int session_drain(struct session *, struct error *);
/* Object lengths of all packs of this and the adopted sessions that the list names, and the sessions themselves, into
 * the list. */
int session_fill_packlist(struct session *, struct packlist *, struct error *);
struct session_totals {
	uint64_t objects, bytes;
};
void session_totals(struct session *, struct session_totals *out);
/* The own intent, if there is one, is still there; and it is fresh, or the session is young (engine rule: abort when it
 * could not be refreshed for 12 hours).  Before the manifest is written. */
int session_check(struct session *, struct error *);
/* End: threads end (the job is not failed by that); after a commit the own intents and those of adopted sessions are
 * removed, failing which is no failure. */
void session_end(struct session *, bool committed);
/* Ends first if needed.  Accepts NULL. */
void session_free(struct session *);

#endif
