#ifndef VERIFY_INTERNAL_H_
#define VERIFY_INTERNAL_H_

#include <pthread.h>
#include <stdatomic.h>

#include "pack.h"
#include "verify.h"

/* What the parts of verify.h share; no one else includes this, except tests. */

struct frames;
struct mac;

/* ---- verify_packs.c: the packs of all snapshots ---- */

/* What a trailer says of one frame, as far as references repeat it. */
struct trailer_record {
	uint32_t offset, clen, plen;
	uint8_t type;
	uint8_t id[ID_SHORT];
};

/* A trailer in memory; the least recently used ones are forgotten. */
struct trailer {
	struct verify_pack *pack;
	struct trailer *before, *after;
	size_t count;
	struct trailer_record records[];
};

struct damage;

struct verify_pack {
	uint32_t session; /* index into sessions */
	uint32_t seq;
	uint32_t len; /* 0: not known yet */
	uint8_t kind; /* 0: no pack */
	bool listed, bad, read;
	union {
		struct trailer *trailer; /* may be NULL */
		struct damage *damage; /* when bad; NULL when there are too many to keep */
	};
};

struct packs {
	struct packlist_session *sessions;
	size_t nsessions, sessions_cap;
	uint32_t *session_slots; /* index + 1, or 0 */
	size_t session_slots_cap;
	struct verify_pack *slots;
	size_t count, cap;
};

/* ERR_CORRUPT when it is known with other keys. */
int packs_add_session(struct packs *, const struct packlist_session *, struct error *);
/* object_len 0: not known.  ERR_CORRUPT when it is known with another length, or its session is not known. */
int packs_add(struct packs *, uint8_t kind, const uint8_t session[SESSION_ID_LEN], uint32_t seq, uint64_t object_len,
    struct error *);
/* NULL when there is none; valid until the next packs_add(). */
struct verify_pack *packs_find(const struct packs *, uint8_t kind, const uint8_t session[SESSION_ID_LEN], uint32_t seq);
void packs_wipe(struct packs *);

/* ---- verify_damage.c: what was found ---- */

#define DAMAGE_KEPT     1000
#define DAMAGE_PATHS    20
#define DAMAGE_ORDINALS 32

struct damage {
	struct damage *next;
	const char *kind; /* "key", "missing", "length", "pack", "frame", "reference", "manifest", "packlist",
			     "catalog", "content" */
	char object[PACK_NAME_LEN + 32];
	char message[512];
	uint32_t ordinals[DAMAGE_ORDINALS];
	size_t nordinals;
	bool whole; /* all frames, or too many to name */
	char (*snapshots)[SNAPSHOT_ID_LEN + 1];
	size_t nsnapshots, nsnapshots_all;
	char *paths[DAMAGE_PATHS];
	size_t npaths;
	uint64_t entries; /* that need it */
	uint64_t last_entry;
};

struct damage_list {
	pthread_mutex_t lock;
	struct damage *first, **last;
	uint64_t count; /* those that are not kept included */
	size_t kept;
};

void damage_list_init(struct damage_list *);
/* Returns NULL when too many are kept, or memory ran out. */
struct damage *damage_add(struct damage_list *, const char *object, const char *kind, const char *message);
/* This frame of the object, too. */
void damage_add_ordinal(struct damage *, uint32_t ordinal);
bool damage_has_ordinal(const struct damage *, uint32_t ordinal);
/* d may be NULL. */
void damage_add_snapshot(struct damage *, const char *snapshot);
/* An entry (numbered, so that it counts once), or several of which only a text can be said. */
void damage_add_entry(struct damage *, uint64_t number, const char *path, size_t len);
void damage_add_entries(
    struct damage *, uint64_t count, const char *first, size_t first_len, const char *end, size_t end_len);
void damage_report(const struct damage_list *, struct report *);
void damage_list_wipe(struct damage_list *);

/* ---- the verification of one volume ---- */

/* So much memory for trailers. */
#define TRAILERS_BYTES (16u * 1024 * 1024)

struct verify {
	const struct volume *volume;
	const struct verify_options *options;
	struct report *report;
	struct progress *progress;
	struct verify_result *result;
	struct keyring *keyring; /* with the sessions of all snapshots */
	struct packs packs;
	struct damage_list damages;

	/* Trailers, by use; the lock is for the threads that fill them in. */
	pthread_mutex_t lock;
	struct trailer *newest, *oldest;
	size_t trailers_bytes;

	uint64_t entry; /* number of the last one, over all snapshots */

	_Atomic size_t next_pack; /* for the threads: slots that nobody has taken */
	_Atomic uint64_t packs_read, frames, bytes_read;
};

/* Whether a failure is damage, not a failure of the verification. */
bool verify_is_damage(int r, const struct error *);
void verify_pack_name(const struct verify *, const struct verify_pack *, char out[PACK_NAME_LEN]);

/* ---- verify_listing.c ---- */

/* All packs are listed, with the right lengths. */
int verify_listing(struct verify *, struct error *);

/* ---- verify_trailers.c ---- */

/* Read and open header, footer and trailer: the records are the caller's to free.  From any thread. */
int verify_read_trailer(
    struct verify *, const struct verify_pack *, struct pack_record **out, size_t *count, struct error *);
/* Keep a trailer for verify_trailer().  From any thread. */
int verify_keep_trailer(
    struct verify *, struct verify_pack *, const struct pack_record *records, size_t count, struct error *);
/* The trailer of a pack that is not bad, from memory or the store.  1, or 0 when the pack turned out to be bad. */
int verify_trailer(struct verify *, struct verify_pack *, const struct trailer **out, struct error *);
/* A pack is bad, as a whole or (ordinal not UINT32_MAX) this frame. */
void verify_bad_pack(struct verify *, struct verify_pack *, const char *kind, uint32_t ordinal, const char *message);
void verify_trailers_wipe(struct verify *);

/* ---- verify_whole.c ---- */

/* All packs, with threads. */
int verify_all_packs(struct verify *, struct error *);
/* Part of the sample. */
bool verify_sampled(const struct verify *, const struct verify_pack *);

/* ---- verify_references.c ---- */

/* What one snapshot refers to, in the order of its catalog. */
struct references {
	struct verify *v;
	const struct snapshot *s;
	bool check; /* compare with trailers and packlist; else only find what is damaged */
	bool incomplete; /* something could not be counted */
	struct packlist *recount; /* when checking */
	/* The frame that was referred to last, with what is not yet added to the recount. */
	bool have_last, last_counts;
	struct frame_ref last;
	uint64_t last_len;
	struct damage *last_damage;
};

/* Wiped by the caller also when it fails. */
int references_init(struct references *, struct verify *, const struct snapshot *, bool check, struct error *);
/* Packs that are bad already, and needed by this snapshot. */
void references_known_damage(struct references *);
/* A reference to so many bytes of a frame, from the entry or (NULL) from the root. */
int references_add(struct references *, const struct frame_ref *, uint64_t len, const struct entry *, struct error *);
/* Count what was added last. */
int references_flush(struct references *, struct error *);
/* A frame could not be read although it should be there: its pack is bad. */
void references_bad_frame(
    struct references *, const struct frame_ref *, const char *kind, const struct entry *, const struct error *);
/* After the last one: live bytes are as many as the packlist says. */
int references_check_live(struct references *, struct error *);
void references_wipe(struct references *);

/*
 * verify_catalog.c: one snapshot's catalog.  With check: references, live bytes, and contents at level 4 (those in
 * blocks that `before`, if it is not NULL, has as well were checked with it); always: who needs what is damaged.
 */
int verify_catalog(struct verify *, const struct snapshot *, const struct root *before, bool check, struct error *);

#endif
