#ifndef S3_INTERNAL_H_
#define S3_INTERNAL_H_

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "credentials.h"
#include "error.h"
#include "http.h"
#include "s3_place.h"
#include "sigv4.h"
#include "store.h"

struct buf;
struct json_object;

/* What the files of the S3 store share. */

enum {
	S3_CODE_MAX = 64,
	S3_LIST_BODY_MAX = 8 * 1024 * 1024,
	S3_ANSWER_MAX = 64 * 1024, /* of an error, or of a deletion of a few keys */
};

/* Headers that go with objects, made once from the settings. */
enum { S3_OBJECT_HEADERS_MAX = 8 };
struct s3_headers {
	struct http_header items[S3_OBJECT_HEADERS_MAX];
	size_t count;
};

struct s3 {
	struct store store;
	struct http *http;
	struct credential_source *credentials;
	unsigned retry_s, first_answer_s;
	bool with_md5;
	atomic_int crc32c; /* guards packs instead of SHA-256: */
	char *storage_class; /* of data packs, or NULL */
	char *texts; /* what the headers point to */
	size_t texts_len;
	struct s3_headers put, get; /* for objects; of gets, only a customer's key */
	bool requester_pays;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t ended_cond;
	bool ended;
	struct s3_place place; /* its region may change */
	atomic_llong skew_s; /* the server's clock less ours */
	atomic_bool answered; /* something of the endpoint has answered */
	atomic_bool no_condition; /* the endpoint does not know If-None-Match on PUT */
	atomic_bool no_list2; /* nor ListObjectsV2 */
	atomic_bool no_delete_many; /* nor DeleteObjects */
	atomic_ullong requests; /* sent so far, tries included */
};

enum { S3_CRC32C_UNKNOWN, /* see the hints */ S3_CRC32C_NO, S3_CRC32C_YES };

/* ---- one call (s3_call.c) ---- */

/* A request, as often as it takes.  Everything in it can be sent again. */
struct s3_request {
	const char *method;
	const char *key; /* NULL: the bucket */
	const struct sigv4_pair *query;
	size_t nquery;
	const struct http_header *headers;
	size_t nheaders;
	const void *body;
	size_t body_len;
	void *into; /* where the body of a 200 or 206 goes */
	size_t into_len;
	struct buf *out; /* or here; NULL: it is of no interest */
	bool once; /* one try alone: probes */
	bool divisible; /* a time-out ends it at once: the caller will ask for less */
	bool unsigned_body; /* its bytes are not in the signature */
	const char *false_hash; /* in the signature instead of the body's: probes */
};

struct s3_answer {
	struct http_reply reply; /* the last one; status 0 when there was none */
	char code[S3_CODE_MAX]; /* S3's word for the error, or "" */
	unsigned tries;
	bool timed_out; /* the last try: the server had the request, and took too long; or a proxy says so */
};

/*
 * Send until there is an answer that counts, the time for retries is over, or the store ends.  What has stalled is sent
 * a second time in any case, however long the first try took.  0 for 2xx, otherwise
 *
 * ERR_NOT_FOUND     404 of an object              ERR_NO_REPOSITORY  the bucket does not exist
 * ERR_EXISTS        412                           ERR_DENIED         401, 403, a certificate is not trusted
 * ERR_CORRUPT       416, or a body too long       ERR_UNSUPPORTED    400, 405, 501...: the endpoint cannot
 * ERR_UNAVAILABLE   given up                      ERR_SYSTEM         quota or space exhausted
 * ERR_CANCELLED     store_end()
 */
int s3_call(struct s3 *, const struct s3_request *, struct s3_answer *, struct error *);

/* A header of the reply; those that calls may ask for. */
const char *s3_answer_header(const struct s3_answer *, const char *name);

/* ---- verdicts on answers (s3_verdict.c), pure ---- */

enum s3_action {
	S3_DONE, /* 2xx */
	S3_FAIL, /* with the verdict's code */
	S3_RETRY, /* after a pause */
	S3_RETRY_SLOWER, /* the server is overloaded: after a longer one */
};
struct s3_verdict {
	enum s3_action action;
	enum error_code code; /* what it means when it stays like this */
	enum {
		S3_MEND_NOTHING,
		S3_MEND_REGION, /* to the answer's region */
		S3_MEND_CLOCK, /* to the Date header */
		S3_MEND_CREDENTIALS,
		S3_MEND_AGAIN /* a bit may have flipped on the way */
	} mend;
};
/* code: S3's word, or "". */
struct s3_verdict s3_verdict(int status, const char *code, bool of_object);

/* How long to wait before try n (1 is the second try): full jitter below 100 ms, 200 ms, 400 ms... 20 s; five times as
 * long with slower.  random: uniform over all 32 bits. */
unsigned s3_pause_ms(unsigned n, bool slower, uint32_t random);
/* Retry-After, in seconds or as a date, as milliseconds from now; 0 when there is none; at most a minute. */
unsigned s3_retry_after_ms(const char *value, int64_t now_s);

/* ---- one try (s3_try.c) ---- */

/* Once through the network, with this hash of the body in the signature.  What the answer complains of and can be set
 * right (region, clock, credentials) is set right, for this try's next one and for others; what cannot be is not in the
 * verdict.  On S3_DONE err is untouched. */
struct s3_verdict s3_try(struct s3 *, const struct s3_request *, const char *hash, struct s3_answer *, struct error *);

/* ---- operations ---- */

/* A GET, HEAD or DELETE of one object, with the headers that the settings put on it. */
int s3_call_object(
    struct s3 *, const char *method, const char *key, void *into, size_t len, struct s3_answer *, struct error *);
int s3_put(struct store *, const char *key, const void *bytes, size_t len, enum store_kind, struct error *);
int s3_list(struct store *, const char *prefix, store_list_fn *fn, void *arg, struct error *);
int s3_remove_many(
    struct store *, const char *const *keys, size_t count, store_removed_fn *fn, void *arg, struct error *);

int s3_probe(struct store *, const char *folder, probe_fn *fn, void *arg, struct error *);

/* ---- hints for later runs (s3_hints.c) ---- */

/* Keep what a probe has found: an object of name and "yes", "no", "ignored" or "unknown". */
int s3_hints_save(struct s3 *, struct json_object *results, struct error *);
/* Whether the endpoint has been seen to check x-amz-checksum-crc32c. */
bool s3_hints_crc32c(struct s3 *);

/* ---- headers of objects (s3_headers.c) ---- */

/* From the settings.  ERR_USAGE. */
int s3_headers_make(struct s3 *, const struct s3_settings *, struct error *);
void s3_headers_wipe(struct s3 *);

#endif
