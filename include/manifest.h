#ifndef MANIFEST_H_
#define MANIFEST_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frame.h"
#include "keys.h"
#include "packlist.h"

struct buf;
struct error;

/* Manifests and intents, JSON in signed envelopes: docs/format.md section 9.  Pure: no store, no clock. */

#define SNAPSHOT_ID_LEN       36 /* text of a UUID, without the NUL */
#define MANIFEST_FRAMES_MAX   64
#define MANIFEST_TAGS_MAX     64
#define MANIFEST_EXCLUDES_MAX 1024
#define MANIFEST_SESSIONS_MAX (2 * MANIFEST_FRAMES_MAX)

enum manifest_mode { MODE_FILE, MODE_BLOCK };

struct manifest_time {
	int64_t s;
	uint32_t ns;
};

struct manifest_tag {
	char *key, *value;
};

struct manifest_statistics {
	uint64_t entries; /* in the catalog */
	uint64_t files; /* regular files */
	uint64_t bytes; /* sum of their sizes; of a device its size */
	uint64_t unchanged, changed, added, deleted; /* entries, against the parent; JSON "new" is added */
	uint64_t new_bytes; /* plaintext stored by this export */
	uint64_t stored_bytes; /* objects written by this export */
	uint64_t warnings;
	uint64_t milliseconds; /* JSON "seconds" is a number with fraction */
};

/* Strings are malloc'ed; manifest_wipe() frees them.  Sizes of arrays stand beside them. */
struct manifest {
	char snapshot[SNAPSHOT_ID_LEN + 1];
	uint8_t volume[VOLUME_ID_LEN];
	uint32_t epoch;
	uint8_t keyid[KEY_ID_LEN];
	uint64_t sequence;
	char parent[SNAPSHOT_ID_LEN + 1]; /* "" for none */
	uint8_t parent_sha256[32];
	enum manifest_mode mode;
	struct manifest_time started, finished;
	uint8_t session[SESSION_ID_LEN];
	struct frame_ref root[MANIFEST_FRAMES_MAX];
	size_t nroot;
	struct frame_ref packlist[MANIFEST_FRAMES_MAX];
	size_t npacklist;
	struct packlist_session *sessions; /* those that root and packlist name */
	size_t nsessions;
	struct manifest_statistics statistics;
	char *tool;
	/* the private part */
	char *name, *source, *host;
	struct manifest_tag *tags;
	size_t ntags;
	char **excludes;
	size_t nexcludes;
	uint64_t size;
	/* not in the payload: SHA-256 and length of the object that was parsed or encoded */
	uint8_t sha256[32];
	size_t object_len;
};

/*
 * Append the object to out; sha256 and object_len are set.  ERR_USAGE when something is not as the format wants it, so
 * that what was encoded can be parsed. volume, epoch and keyid must be those of the keys.  Strings that are NULL count
 * as empty, a name that is NULL as the volume's; in source, host, tool and excludes, which are for people, bytes that
 * are not UTF-8 become U+FFFD, while tags must be UTF-8.
 */
int manifest_encode(struct manifest *, const struct volume_keys *, struct buf *out, struct error *);
/* The keys must be those of the manifest's epoch and keyid: ERR_WRONG_KEY when it was signed by another key,
 * ERR_CORRUPT for anything else. */
int manifest_parse(const void *object, size_t len, const struct volume_keys *, struct manifest *out, struct error *);
void manifest_wipe(struct manifest *);
/*
 * Snapshot ids: a UUID of version 7 from a time (that of the export's start, by which snapshots are found) and random
 * bytes; whether a text is a UUID in lower case; its 16 bytes; and its time, false when it is of another version.
 */
#define SNAPSHOT_ID_BYTES 16
void snapshot_id_make(int64_t ms, const uint8_t random[10], char out[SNAPSHOT_ID_LEN + 1]);
bool snapshot_id_valid(const char *);
bool snapshot_id_bytes(const char *, uint8_t out[SNAPSHOT_ID_BYTES]);
bool snapshot_id_time(const char *, int64_t *out_ms);

struct intent {
	uint8_t volume[VOLUME_ID_LEN];
	uint32_t epoch;
	uint8_t keyid[KEY_ID_LEN];
	uint8_t session[SESSION_ID_LEN];
	char base[SNAPSHOT_ID_LEN + 1]; /* "" for none */
	uint8_t (*adopted)[SESSION_ID_LEN];
	size_t nadopted;
	struct manifest_time started, refreshed;
};
#define INTENT_ADOPTED_MAX 1024

int intent_encode(const struct intent *, const struct volume_keys *, struct buf *out, struct error *);
int intent_parse(const void *object, size_t len, const struct volume_keys *, struct intent *out, struct error *);
void intent_wipe(struct intent *);

#endif
