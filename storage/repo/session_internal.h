#ifndef SESSION_INTERNAL_H_
#define SESSION_INTERNAL_H_

#include <pthread.h>

#include "error.h"
#include "manifest.h"
#include "session.h"

/*
 * What the files of a session share: session.c (beginning, end, the keeper thread), uploads.c (buffers on their way to
 * the store), packer.c, intents.c (the announcements of this and other sessions), adopt.c (what dead sessions have
 * left), checkpoints.c.
 */

#define SESSION_META_LEVEL  3
#define SESSION_ADOPTED_MAX 16
#define SESSION_DEADLINE_S  (12 * 3600) /* without a refreshed intent */

/* A pack of an adopted session; sorted by kind ('m' before 'p') and seq. */
struct adopted_pack {
	uint32_t seq;
	uint32_t len;
	uint32_t next; /* frames below this ordinal have been reported */
	uint8_t kind;
};

/* Another session whose intent was found. */
struct other_session {
	struct session_key key; /* only the id until it is opened */
	struct manifest_time started, refreshed;
	uint32_t last; /* number of its newest intent */
	bool merged; /* the base snapshot refers to it already */
	bool opened; /* adopted: its key is known */
	size_t opened_by; /* the pack from whose header */
	uint8_t header[PACK_HEADER_LEN];
	struct adopted_pack *packs;
	size_t npacks, cap;
};

struct session {
	/* fixed when threads start */
	const struct volume *volume;
	const struct volume_keys *keys;
	const struct snapshot *base;
	struct session_options options;
	session_clock_fn *clock;
	struct job *job;
	struct store *store;
	struct session_key key;
	struct keyring *keyring;
	struct other_session *others; /* those to be adopted, and those that are merged */
	size_t nothers;
	struct packlist_session *adopted;
	size_t nadopted;
	void (*on_stored)(void *arg, const struct pack *);
	void *on_stored_arg;

	/* of the keeper thread */
	struct manifest_time started;
	struct pack *checkpoint_pack;
	struct sealer *checkpoint_sealer;

	/* one intent is put at a time; taken before the lock below, never within it */
	pthread_mutex_t intent_lock;
	uint32_t intent_first; /* those with smaller numbers are gone; guarded by intent_lock */

	pthread_mutex_t lock; /* guards everything below */
	pthread_cond_t changed;
	bool ending, failed, ended;
	unsigned running; /* threads */
	uint32_t intent_next; /* number of the next intent */
	bool announced; /* an intent is stored */
	uint32_t intent_last; /* its number */
	int64_t refreshed_s; /* when it was stored; until then, when the session began */
	struct pack **buffers; /* all for data: nbuffers pointers, then the two below */
	size_t nbuffers;
	struct pack **spare; /* for data */
	size_t nspare;
	struct pack *meta, *spare_meta; /* the one for metadata; NULL while it is in use */
	struct pack **ring; /* finished packs that wait for an upload thread */
	size_t ring_head, ring_len;
	unsigned busy; /* packs in the hands of upload threads */
	uint32_t next_seq[2]; /* 0: data, 1: metadata */
	uint32_t *lens[2]; /* object lengths by seq, 0: not stored */
	size_t lens_cap[2];
	uint32_t meta_stored; /* all metadata packs below are stored */
	struct session_totals totals;
	struct frame_ref *fresh; /* stored frames that no checkpoint has */
	size_t nfresh, fresh_cap;
	unsigned fresh_packs;
	unsigned checkpoint_packs; /* this many make a checkpoint */
	int64_t checkpoint_s; /* time of the last one */
};

/* ---- session.c ---- */

int64_t session_now(const struct session *);
/*
 * Wait for a change, with the lock held; false when the job has failed.  A failing job wakes its queues, but not this
 * condition, therefore nobody sleeps for more than a moment without looking.
 */
bool session_wait(struct session *);
/* Knob for tests: packs per checkpoint. */
void session_checkpoint_every(struct session *, unsigned packs);

/* ---- uploads.c ---- */

int uploads_begin(struct session *, struct error *);
/* Threads have ended. */
void uploads_free(struct session *);
/* An empty buffer, and the number of the pack that it will be; waits.  ERR_CANCELLED when the job has failed. */
int uploads_take(struct session *, uint8_t kind, struct pack **out, uint32_t *out_seq, struct error *);
/* Back, unused; or finished and to be stored. */
void uploads_give_back(struct session *, struct pack *);
int uploads_push(struct session *, struct pack *, struct error *);
uint32_t uploads_seq(struct session *, uint8_t kind);
/* Put an object under a name of our own: when it exists, it must be the one that we have put before the answer was
 * lost. */
int uploads_put(struct session *, const char *key, const void *bytes, size_t len, struct error *);
/* Put a finished pack, and keep the books. */
int uploads_store(struct session *, const struct pack *, struct error *);
/* Metadata packs of this session with smaller numbers are all durable. */
uint32_t uploads_meta_stored(struct session *);

/* ---- intents.c ---- */

/* Find the intents of other sessions. */
int intents_find(struct session *, struct error *);
/* Write the next intent; its predecessors are removed. */
int intents_put(struct session *, struct error *);
/* Write the first one unless there is one: before anything else is stored. */
int intents_ensure(struct session *, struct error *);
/* The newest intent is there, if one was written. */
int intents_check(struct session *, struct error *);
/* After a commit: remove the own ones, and those of adopted and merged sessions unless these seem alive. */
void intents_remove(struct session *);

/* ---- adopt.c ---- */

/* List the packs of the sessions to be adopted and open their keys. */
int adopt_open(struct session *, struct error *);
void adopt_free(struct session *);

/* ---- checkpoints.c ---- */

/* With the lock held: a data pack was stored; is a checkpoint due? */
void checkpoints_note(struct session *, const struct pack *);
bool checkpoints_due(const struct session *, int64_t now_s);
/* Write one, without the lock.  Failure costs the next session some time, and this one nothing. */
void checkpoints_write(struct session *);

#endif
