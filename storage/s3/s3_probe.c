/*
 * Probing an S3 endpoint: what differs between servers.
 *
 * Every check does the thing and looks at what came of it, since servers answer 200 to headers that they do not know.
 */
#include <json-c/json.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base64.h"
#include "buf.h"
#include "cleanup.h"
#include "crypto.h"
#include "job.h"
#include "json.h"
#include "s3_internal.h"
#include "s3_xml.h"

/* SHA-256 and MD5 of nothing, which no body of ours is. */
#define WRONG_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define WRONG_MD5    "1B2M2Y8AsgTpgAmY7PhCfg=="
#define WRONG_CRC32C "AAAAAA=="

enum { KEY_SIZE = 96, RACERS = 4, BODY_MAX = 64 * 1024, LATENCY_ROUNDS = 5, SKEW_MAX_S = 60, REMOVED = 12 };

struct probe {
	struct s3 *s;
	const char *folder;
	probe_fn *fn;
	void *arg;
	char key[KEY_SIZE]; /* made by the last name_key() */
	unsigned names;
	struct json_object *results; /* what was found, by name */
};

static const char body[] = "snapferry doctor";

static int
tell(struct probe *p, const char *name, const char *title, enum probe_result result, const char *detail,
    struct error *err)
{
	struct probe_finding f = {.name = name, .title = title, .result = result};

	(void)snprintf(f.detail, sizeof(f.detail), "%.255s", detail);
	(void)json_object_object_add(p->results, name, json_object_new_string(probe_result_name(result)));
	return p->fn(p->arg, &f, err);
}

/* A fresh name; checks remove what they put themselves. */
static const char *
name_key(struct probe *p)
{
	(void)snprintf(p->key, sizeof(p->key), "%ss3-%u", p->folder, p->names++);
	return p->key;
}

static int
put(struct probe *p, const char *key, const struct http_header *headers, size_t nheaders, struct s3_answer *a,
    struct error *err)
{
	struct http_header all[S3_OBJECT_HEADERS_MAX + 4];
	struct s3_request q = {
	    .method = "PUT", .key = key, .headers = all, .body = body, .body_len = sizeof(body) - 1, .once = true};

	for (size_t i = 0; i < p->s->put.count; i++)
		all[q.nheaders++] = p->s->put.items[i];
	for (size_t i = 0; i < nheaders; i++)
		all[q.nheaders++] = headers[i];
	return s3_call(p->s, &q, a, err);
}

static bool
exists(struct probe *p, const char *key)
{
	struct s3_answer a;
	struct error ignored;

	return s3_call_object(p->s, "HEAD", key, NULL, 0, &a, &ignored) == 0;
}

static void
discard(struct probe *p, const char *key)
{
	struct error ignored;

	(void)store_remove(&p->s->store, key, &ignored);
}

/* ---- conditional create ---- */

static int
check_condition(struct probe *p, struct error *err)
{
	static const struct http_header condition = {"if-none-match", "*"};
	const char *key = name_key(p), *detail = "";
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
	r = tell(p, "conditional-create", "a put can insist on a new name", result, detail, err);
	discard(p, key);
	return r;
}

struct race {
	struct probe *p;
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

static int
check_race(struct probe *p, struct error *err)
{
	struct race race = {.p = p, .key = name_key(p)};
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
	r = tell(p, "conditional-race", "of several such puts one wins",
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
check_wrong(struct probe *p, const char *name, const char *title, const struct http_header *header,
    const char *false_hash, const char *consequence, struct error *err)
{
	const char *key = name_key(p);
	struct http_header all[S3_OBJECT_HEADERS_MAX + 1];
	struct s3_request q = {.method = "PUT",
	    .key = key,
	    .headers = all,
	    .body = body,
	    .body_len = sizeof(body) - 1,
	    .once = true,
	    .false_hash = false_hash};
	struct s3_answer a;
	struct error why;
	enum probe_result result;
	int r;

	for (size_t i = 0; i < p->s->put.count; i++)
		all[q.nheaders++] = p->s->put.items[i];
	if (header != NULL)
		all[q.nheaders++] = *header;
	r = s3_call(p->s, &q, &a, &why);
	result = r == 0 ? PROBE_IGNORED : a.reply.status == 400 && !exists(p, key) ? PROBE_YES : PROBE_UNKNOWN;
	r = tell(p, name, title, result,
	    result == PROBE_IGNORED   ? consequence
	    : result == PROBE_UNKNOWN ? why.msg
				      : "",
	    err);
	discard(p, key);
	return r;
}

static int
check_checksums(struct probe *p, struct error *err)
{
	static const struct http_header md5 = {"content-md5", WRONG_MD5},
					crc32c = {"x-amz-checksum-crc32c", WRONG_CRC32C};
	int r = check_wrong(p, "sha256", "the payload's SHA-256 is checked", NULL, WRONG_SHA256,
	    "what is damaged on the way is stored: --checksum md5 if that is checked, and TLS", err);

	if (r >= 0)
		r = check_wrong(p, "md5", "Content-MD5 is checked", &md5, NULL, "", err);
	return r < 0 ? r : check_wrong(p, "crc32c", "x-amz-checksum-crc32c is checked", &crc32c, NULL, "", err);
}

/* ---- lists ---- */

static int
list_page(struct probe *p, const struct sigv4_pair *extra, size_t nextra, struct s3_xml_list *out, struct error *err)
{
	CLEANUP(buf_free) struct buf reply = BUF_INIT(BODY_MAX);
	struct sigv4_pair query[6];
	char prefix[S3_PREFIX_MAX + KEY_SIZE];
	struct s3_request q = {.method = "GET", .query = query, .nquery = 2, .out = &reply};
	struct s3_answer a;
	int r;

	(void)snprintf(prefix, sizeof(prefix), "%s%s", p->s->place.prefix, p->folder);
	query[0] = (struct sigv4_pair){"prefix", prefix};
	query[1] = (struct sigv4_pair){"max-keys", "2"};
	for (size_t i = 0; i < nextra; i++)
		query[q.nquery++] = extra[i];
	r = s3_call(p->s, &q, &a, err);
	return r < 0 ? r : s3_xml_list(reply.data, reply.len, out, err);
}

/* The generic part has put a, b and c: pages of two. */
static bool
pages_work(const struct s3_xml_list *first, const struct s3_xml_list *second)
{
	return first->count == 2 && first->truncated && second->count == 1 && !second->truncated &&
	       strcmp(first->texts + first->objects[1].key, second->texts + second->objects[0].key) < 0;
}

static int
check_list2(struct probe *p, struct error *err)
{
	static const struct sigv4_pair two = {"list-type", "2"};
	CLEANUP(s3_xml_list_wipe) struct s3_xml_list first = {0}, second = {0};
	struct error why = {.msg = ""};
	enum probe_result result = PROBE_NO;

	if (list_page(p, &two, 1, &first, &why) == 0) {
		const struct sigv4_pair next[] = {two, {"continuation-token", first.token != NULL ? first.token : ""}};

		if (first.token != NULL && list_page(p, next, COUNT_OF(next), &second, &why) == 0)
			result = pages_work(&first, &second) ? PROBE_YES : PROBE_NO;
	}
	return tell(p, "list-v2", "ListObjectsV2 with pages", result,
	    result == PROBE_YES ? "" : "the first version of the call is used instead", err);
}

static int
check_list1(struct probe *p, struct error *err)
{
	CLEANUP(s3_xml_list_wipe) struct s3_xml_list first = {0}, second = {0};
	struct error why = {.msg = ""};
	enum probe_result result = PROBE_NO;

	if (list_page(p, NULL, 0, &first, &why) == 0 && first.count == 2) {
		const struct sigv4_pair next = {"marker", first.texts + first.objects[1].key};

		if (list_page(p, &next, 1, &second, &why) == 0)
			result = pages_work(&first, &second) ? PROBE_YES : PROBE_NO;
	}
	return tell(p, "list-v1", "ListObjects with pages", result, why.msg, err);
}

/* ---- the bucket ---- */

/* What <Status> or a similar element of a bucket's configuration says. */
static int
configuration(struct probe *p, const char *what, const char *wanted, enum probe_result *out, char detail[256])
{
	CLEANUP(buf_free) struct buf reply = BUF_INIT(BODY_MAX);
	const struct sigv4_pair query = {what, ""};
	const struct s3_request q = {.method = "GET", .query = &query, .nquery = 1, .out = &reply, .once = true};
	struct s3_answer a;
	struct error why;
	int r = s3_call(p->s, &q, &a, &why);

	detail[0] = '\0';
	if (r == 0) {
		buf_u8(&reply, 0);
		*out = buf_check(&reply, what, &why) == 0 && strstr((char *)reply.data, wanted) != NULL ? PROBE_YES
													: PROBE_NO;
	} else {
		*out =
		    a.reply.status == 404 || a.reply.status == 501 || a.reply.status == 405 ? PROBE_NO : PROBE_UNKNOWN;
		if (*out == PROBE_UNKNOWN)
			(void)snprintf(detail, 256, "%.250s", why.msg);
	}
	return r;
}

static int
check_versioning(struct probe *p, struct error *err)
{
	enum probe_result result;
	char detail[256];

	(void)configuration(p, "versioning", "<Status>Enabled</Status>", &result, detail);
	if (result == PROBE_YES)
		(void)snprintf(detail, sizeof(detail),
		    "removed objects stay as old versions: a lifecycle rule for noncurrent versions frees their space");
	return tell(p, "versioning", "the bucket keeps versions", result, detail, err);
}

static int
check_object_lock(struct probe *p, struct error *err)
{
	enum probe_result result;
	char detail[256];

	(void)configuration(p, "object-lock", "<ObjectLockEnabled>Enabled</ObjectLockEnabled>", &result, detail);
	return tell(p, "object-lock", "the bucket can lock objects", result, detail, err);
}

static int
check_encryption(struct probe *p, struct error *err)
{
	static const char customer[] = "x-amz-server-side-encryption-customer-algorithm";
	const char *key = name_key(p);
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
	r = tell(p, "sse-customer-key", "encrypts with the customer's key", result,
	    r < 0                     ? why.msg
	    : result == PROBE_IGNORED ? "the server stores without it"
				      : "",
	    err);
	discard(p, key);
	return r;
}

/* ---- the connection ---- */

static int64_t
clock_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int
compare_int64(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static int
check_connection(struct probe *p, struct error *err)
{
	int64_t us[LATENCY_ROUNDS], skew = 0;
	char detail[256], key[KEY_SIZE];
	CLEANUP(buf_free) struct buf origin = BUF_INIT(BODY_MAX);
	struct s3_answer a;
	int r = 0;

	(void)snprintf(key, sizeof(key), "%sa", p->folder);
	for (size_t i = 0; r == 0 && i < LATENCY_ROUNDS; i++) {
		us[i] = clock_us();
		r = s3_call_object(p->s, "HEAD", key, NULL, 0, &a, err);
		us[i] = clock_us() - us[i];
	}
	if (r < 0)
		return r;
	qsort(us, LATENCY_ROUNDS, sizeof(us[0]), compare_int64);
	s3_place_origin(&p->s->place, &origin);
	buf_u8(&origin, 0);
	r = buf_check(&origin, "the URL", err);
	if (r < 0)
		return r;
	(void)snprintf(detail, sizeof(detail), "%.150s, region %s: %.1f ms a request", (char *)origin.data,
	    p->s->place.region, (double)us[LATENCY_ROUNDS / 2] / 1000);
	r = tell(p, "endpoint", "the endpoint answers", PROBE_YES, detail, err);
	if (r < 0)
		return r;
	if (http_date_parse(s3_answer_header(&a, "date")) >= 0)
		skew = http_date_parse(s3_answer_header(&a, "date")) - time(NULL);
	(void)snprintf(detail, sizeof(detail), "the server's clock is %lld s %s this machine's%s",
	    (long long)llabs(skew), skew < 0 ? "behind" : "ahead of",
	    llabs(skew) > SKEW_MAX_S ? "; signatures are corrected for it, but set the clocks right" : "");
	return tell(p, "clock", "the clocks agree", llabs(skew) <= SKEW_MAX_S ? PROBE_YES : PROBE_NO, detail, err);
}

static int
check_remove_many(struct probe *p, struct error *err)
{
	char names[REMOVED][KEY_SIZE];
	const char *keys[REMOVED];
	struct s3_answer a;
	struct error why;
	enum probe_result result = PROBE_UNKNOWN;
	int r = 0;

	for (size_t i = 0; r == 0 && i < REMOVED; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "%s", name_key(p));
		keys[i] = names[i];
		r = put(p, keys[i], NULL, 0, &a, &why);
	}
	if (r == 0 && s3_remove_many(&p->s->store, keys, REMOVED, NULL, NULL, &why) == 0)
		result = exists(p, keys[0]) || exists(p, keys[REMOVED - 1]) ? PROBE_IGNORED
			 : atomic_load(&p->s->no_delete_many)               ? PROBE_NO
									    : PROBE_YES;
	for (size_t i = 0; i < REMOVED && result != PROBE_YES; i++)
		discard(p, names[i]);
	return tell(p, "delete-many", "many objects are removed with one request", result,
	    result == PROBE_YES ? "" : "they are removed one by one", err);
}

int
s3_probe(struct store *store, const char *folder, probe_fn *fn, void *arg, struct error *err)
{
	static int (*const checks[])(struct probe *, struct error *) = {check_connection, check_condition, check_race,
	    check_checksums, check_list2, check_list1, check_remove_many, check_versioning, check_object_lock,
	    check_encryption};
	CLEANUP(json_putp) struct json_object *results = json_object_new_object();
	struct error why;
	struct probe p = {.s = (struct s3 *)store, .folder = folder, .fn = fn, .arg = arg, .results = results};
	int r = 0;

	for (size_t i = 0; r >= 0 && i < COUNT_OF(checks); i++)
		r = checks[i](&p, err);
	if (r < 0)
		return r;
	r = s3_hints_save(p.s, results, &why);
	return tell(&p, "hints", "the results are kept for later runs", r < 0 ? PROBE_NO : PROBE_YES,
	    r < 0 ? why.msg : "", err);
}
