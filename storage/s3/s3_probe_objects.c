/*
 * What differs between S3 servers in putting and removing objects: conditions, checksums, encryption, batches.
 */
#include <stdatomic.h>
#include <stdio.h>

#include "cleanup.h"
#include "job.h"
#include "s3_probe_internal.h"

/* SHA-256 and MD5 of nothing, which no body of ours is. */
#define WRONG_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define WRONG_MD5    "1B2M2Y8AsgTpgAmY7PhCfg=="
#define WRONG_CRC32C "AAAAAA=="

enum { RACERS = 4, REMOVED = 12 };

static const char body[] = "snapferry doctor";

/* What every probe puts, with these headers too; false_hash: in the signature instead of the body's, or NULL. */
static int
put_signed(struct s3_probe *p, const char *key, const struct http_header *headers, size_t nheaders,
    const char *false_hash, struct s3_answer *a, struct error *err)
{
	struct http_header all[S3_OBJECT_HEADERS_MAX + 4];
	struct s3_request q = {.method = "PUT",
	    .key = key,
	    .headers = all,
	    .body = body,
	    .body_len = sizeof(body) - 1,
	    .once = true,
	    .false_hash = false_hash};

	for (size_t i = 0; i < p->s->put.count; i++)
		all[q.nheaders++] = p->s->put.items[i];
	for (size_t i = 0; i < nheaders; i++)
		all[q.nheaders++] = headers[i];
	return s3_call(p->s, &q, a, err);
}

static int
put(struct s3_probe *p, const char *key, const struct http_header *headers, size_t nheaders, struct s3_answer *a,
    struct error *err)
{
	return put_signed(p, key, headers, nheaders, NULL, a, err);
}

static bool
exists(struct s3_probe *p, const char *key)
{
	struct s3_answer a;
	struct error ignored;

	return s3_call_object(p->s, "HEAD", key, NULL, 0, &a, &ignored) == 0;
}

static void
discard(struct s3_probe *p, const char *key)
{
	struct error ignored;

	(void)store_remove(&p->s->store, key, &ignored);
}

/* ---- conditional create ---- */

int
s3_probe_condition(struct s3_probe *p, struct error *err)
{
	static const struct http_header condition = {"if-none-match", "*"};
	const char *key = s3_probe_key(p), *detail = "";
	enum probe_result result = PROBE_UNKNOWN;
	struct s3_answer a;
	struct error why;
	int r = put(p, key, &condition, 1, &a, &why);

	if (r == ERR_UNSUPPORTED) {
		result = PROBE_NO;
		detail = "names are looked for before each put instead; object names are random, so that is safe";
	} else if (r == 0) {
		r = put(p, key, &condition, 1, &a, &why);
		result = r == ERR_EXISTS ? PROBE_YES : r == 0 ? PROBE_IGNORED : PROBE_UNKNOWN;
		if (result == PROBE_IGNORED)
			detail =
			    "the server overwrites in spite of If-None-Match; object names are random, so that is safe";
	}
	if (result == PROBE_UNKNOWN)
		detail = why.msg;
	r = s3_probe_tell(p, "conditional-create", "a put can insist on a new name", result, detail, err);
	discard(p, key);
	return r;
}

struct race {
	struct s3_probe *p;
	const char *key;
	atomic_uint winners, losers;
};

static void
racer(void *arg)
{
	static const struct http_header condition = {"if-none-match", "*"};
	struct race *race = arg;
	struct s3_answer a;
	struct error ignored;
	int r = put(race->p, race->key, &condition, 1, &a, &ignored);

	if (r == 0)
		atomic_fetch_add(&race->winners, 1);
	/* 409: another one is at it. */
	else if (r == ERR_EXISTS || a.reply.status == 409)
		atomic_fetch_add(&race->losers, 1);
}

int
s3_probe_race(struct s3_probe *p, struct error *err)
{
	struct race race = {.p = p, .key = s3_probe_key(p)};
	char detail[80];
	struct job *job;
	unsigned winners, losers;
	int r = job_new(&job, err);

	for (size_t i = 0; r == 0 && i < RACERS; i++)
		r = job_spawn(job, "racer", racer, &race, err);
	if (r == 0)
		r = job_wait(job, err);
	job_free(job);
	if (r < 0)
		return r;
	winners = atomic_load(&race.winners);
	losers = atomic_load(&race.losers);
	(void)snprintf(detail, sizeof(detail), "of %d at the same time, %u succeeded and %u were refused", RACERS,
	    winners, losers);
	r = s3_probe_tell(p, "conditional-race", "of several such puts one wins",
	    winners == 1 && losers == RACERS - 1 ? PROBE_YES
	    : winners > 1                        ? PROBE_NO
						 : PROBE_UNKNOWN,
	    detail, err);
	discard(p, race.key);
	return r;
}

/* ---- checksums ---- */

/* Put with something wrong: a server that checks refuses, and stores nothing. */
static int
check_wrong(struct s3_probe *p, const char *name, const char *title, const struct http_header *header,
    const char *false_hash, const char *consequence, struct error *err)
{
	const char *key = s3_probe_key(p);
	struct s3_answer a;
	struct error why;
	enum probe_result result;
	int r = put_signed(p, key, header, header != NULL, false_hash, &a, &why);

	result = r == 0 ? PROBE_IGNORED : a.reply.status == 400 && !exists(p, key) ? PROBE_YES : PROBE_UNKNOWN;
	r = s3_probe_tell(p, name, title, result,
	    result == PROBE_IGNORED   ? consequence
	    : result == PROBE_UNKNOWN ? why.msg
				      : "",
	    err);
	discard(p, key);
	return r;
}

int
s3_probe_checksums(struct s3_probe *p, struct error *err)
{
	static const struct http_header md5 = {"content-md5", WRONG_MD5},
					crc32c = {"x-amz-checksum-crc32c", WRONG_CRC32C};
	int r = check_wrong(p, "sha256", "the payload's SHA-256 is checked", NULL, WRONG_SHA256,
	    "what is damaged on the way is stored: --checksum md5 if that is checked, and TLS", err);

	if (r >= 0)
		r = check_wrong(p, "md5", "Content-MD5 is checked", &md5, NULL, "", err);
	return r < 0 ? r : check_wrong(p, "crc32c", "x-amz-checksum-crc32c is checked", &crc32c, NULL, "", err);
}

/* ---- encryption ---- */

int
s3_probe_encryption(struct s3_probe *p, struct error *err)
{
	static const char customer[] = "x-amz-server-side-encryption-customer-algorithm";
	const char *key = s3_probe_key(p);
	struct s3_answer a;
	struct error why;
	enum probe_result result;
	int r;

	/* Only of interest when the user has asked for it. */
	if (p->s->get.count == 0)
		return 0;
	r = put(p, key, NULL, 0, &a, &why);
	if (r == 0)
		r = s3_call_object(p->s, "HEAD", key, NULL, 0, &a, &why);
	result = r < 0 ? PROBE_NO : s3_answer_header(&a, customer)[0] != '\0' ? PROBE_YES : PROBE_IGNORED;
	r = s3_probe_tell(p, "sse-customer-key", "encrypts with the customer's key", result,
	    r < 0                     ? why.msg
	    : result == PROBE_IGNORED ? "the server stores without it"
				      : "",
	    err);
	discard(p, key);
	return r;
}

/* ---- removing ---- */

int
s3_probe_remove_many(struct s3_probe *p, struct error *err)
{
	char names[REMOVED][S3_PROBE_KEY_SIZE];
	const char *keys[REMOVED];
	struct s3_answer a;
	struct error why;
	enum probe_result result = PROBE_UNKNOWN;
	int r = 0;

	for (size_t i = 0; r == 0 && i < REMOVED; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "%s", s3_probe_key(p));
		keys[i] = names[i];
		r = put(p, keys[i], NULL, 0, &a, &why);
	}
	if (r == 0 && s3_remove_many(&p->s->store, keys, REMOVED, NULL, NULL, &why) == 0)
		result = exists(p, keys[0]) || exists(p, keys[REMOVED - 1]) ? PROBE_IGNORED
			 : atomic_load(&p->s->no_delete_many)               ? PROBE_NO
									    : PROBE_YES;
	for (size_t i = 0; i < REMOVED && result != PROBE_YES; i++)
		discard(p, names[i]);
	return s3_probe_tell(p, "delete-many", "many objects are removed with one request", result,
	    result == PROBE_YES ? "" : "they are removed one by one", err);
}
