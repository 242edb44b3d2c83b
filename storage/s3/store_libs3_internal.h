#ifndef STORE_LIBS3_INTERNAL_H_
#define STORE_LIBS3_INTERNAL_H_

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "credentials.h"
#include "error.h"
#include "s3_internal.h"
#include "s3_place.h"
#include "store.h"

/*
 * What the files of the store over libs3 share.  libs3's own types are known to store_libs3_request.c and
 * store_libs3_status.c alone: elsewhere an S3Status is an int.
 */

enum {
	STORE_LIBS3_HOST_MAX = 300, /* with port */
	STORE_LIBS3_KEY_SIZE = S3_PREFIX_MAX + 2 + 513, /* prefix and key */
	STORE_LIBS3_ID_SIZE = 33, /* 16 bytes in hexadecimal */
	STORE_LIBS3_TEXT_MAX = 200,
};

struct store_libs3 {
	struct store store;
	struct s3_place place;
	char host[STORE_LIBS3_HOST_MAX];
	struct credential_source *credentials;
	unsigned retry_s;
	atomic_bool answered; /* something of the endpoint has answered */
	atomic_bool ended;
	pthread_mutex_t lock; /* of ended_cond */
	pthread_cond_t ended_cond;
};

/* ---- places (store_libs3_place.c) ---- */

/* "libs3+http://host:port/bucket/prefix".  ERR_USAGE, or ERR_UNSUPPORTED with what libs3 cannot do. */
int store_libs3_place_resolve(
    const char *text, const struct s3_settings *, const struct s3_surroundings *, struct s3_place *out, struct error *);

/* ---- single requests (store_libs3_request.c) ---- */

/* A page of a listing. */
struct store_libs3_object {
	size_t key; /* offset in texts */
	uint64_t size;
	int64_t modified_s;
};
struct store_libs3_page {
	struct store_libs3_object *objects;
	size_t count, capacity;
	struct buf texts; /* keys, each with its NUL */
	bool truncated;
};
void store_libs3_request_page_wipe(struct store_libs3_page *);

/* A request, and what came of it. */
struct store_libs3_request {
	struct store_libs3 *s;
	const struct credentials *credentials;
	int status; /* an S3Status */
	char text[STORE_LIBS3_TEXT_MAX]; /* what the server says, printable; or "" */
	uint64_t length; /* of the body, as its head tells; 0 also when libs3 has not understood that */
	char put_id[STORE_LIBS3_ID_SIZE]; /* of the object; "" when libs3 shows none */
	char etag[STORE_LIBS3_ID_SIZE]; /* without quotes, cut; often the MD5 */
	void *into; /* where a body goes, and the most that is taken */
	size_t room, received;
	bool too_long; /* the body is longer than that; it was given up, and status is S3StatusOK */
	const uint8_t *from; /* what is left of the body that is sent */
	size_t left;
	struct store_libs3_page *page;
	int failed; /* an S3Status that libs3 does not take from its callback */
};

/* Once in a process, before any request.  ERR_SYSTEM. */
int store_libs3_request_begin(struct error *);
/* Whether this libs3 signs with Signature Version 4: then it also knows session tokens and checks certificates. */
bool store_libs3_request_sigv4(void);
/* Each blocks until its answer is there.  Keys are those of the bucket.  into, room and page are set by the caller. */
void store_libs3_request_head(struct store_libs3_request *, const char *key);
/* len 0: to the end. */
void store_libs3_request_get(struct store_libs3_request *, const char *key, uint64_t offset, size_t len);
/* S3StatusOK does not mean that the object was stored: see store_libs3_put.c. */
void store_libs3_request_put(struct store_libs3_request *, const char *key, const void *bytes, size_t len,
    const char *md5_base64, const char *put_id);
void store_libs3_request_delete(struct store_libs3_request *, const char *key);
/* At most `most` objects behind marker (NULL: from the first one on), into page, which is emptied before. */
void store_libs3_request_list(struct store_libs3_request *, const char *prefix, const char *marker, unsigned most);

/* ---- statuses (store_libs3_status.c), pure ---- */

/* What it means, by the rules of s3_verdict(); what cannot be mended through libs3 is not asked for. */
struct s3_verdict store_libs3_status_verdict(int status, bool of_object);
bool store_libs3_status_ok(int status);
bool store_libs3_status_missing(int status); /* no such object; after a HEAD perhaps no such bucket */
bool store_libs3_status_answered(int status); /* a server has said that */
/* "AccessDenied", "ConnectionFailed". */
const char *store_libs3_status_name(int status);
/* For a request that came to an end, and whose result makes no sense: worth another try. */
int store_libs3_status_broken(void);

/* ---- calls (store_libs3_call.c) ---- */

/* Makes one request or several, of which the last one's status counts; again for each try. */
typedef void store_libs3_try_fn(struct store_libs3_request *, void *arg);
struct store_libs3_call {
	const char *name, *key; /* for messages; key NULL: the bucket */
	store_libs3_try_fn *fn;
	void *arg;
};
/* As s3_call(): until there is an answer that counts, the time for retries is over, or the store ends. */
int store_libs3_call(
    struct store_libs3 *, const struct store_libs3_call *, struct store_libs3_request *, struct error *);

/* ERR_UNSUPPORTED when libs3 cannot sign with these. */
int store_libs3_call_check(const struct credentials *, struct error *);

/* ---- operations ---- */

/* The key in the bucket. */
void store_libs3_key(const struct store_libs3 *, const char *key, char out[STORE_LIBS3_KEY_SIZE]);
int store_libs3_put(struct store *, const char *key, const void *bytes, size_t len, enum store_kind, struct error *);
int store_libs3_list(struct store *, const char *prefix, store_list_fn *fn, void *arg, struct error *);

#endif
