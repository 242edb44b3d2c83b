/*
 * Probing an S3 endpoint: what differs between servers in lists, buckets and the connection.
 *
 * Every check does the thing and looks at what came of it, since servers answer 200 to headers that they do not know.
 */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "buf.h"
#include "cleanup.h"
#include "json.h"
#include "s3_probe_internal.h"
#include "s3_xml.h"

enum { BODY_MAX = 64 * 1024, LATENCY_ROUNDS = 5, SKEW_MAX_S = 60 };

int
s3_probe_tell(struct s3_probe *p, const char *name, const char *title, enum probe_result result, const char *detail,
    struct error *err)
{
	struct probe_finding f = {.name = name, .title = title, .result = result};

	(void)snprintf(f.detail, sizeof(f.detail), "%.255s", detail);
	(void)json_object_object_add(p->results, name, json_object_new_string(probe_result_name(result)));
	return p->fn(p->arg, &f, err);
}

const char *
s3_probe_key(struct s3_probe *p)
{
	(void)snprintf(p->key, sizeof(p->key), "%ss3-%u", p->folder, p->names++);
	return p->key;
}

/* ---- lists ---- */

static int
list_page(struct s3_probe *p, const struct sigv4_pair *extra, size_t nextra, struct s3_xml_list *out, struct error *err)
{
	CLEANUP(buf_free) struct buf reply = BUF_INIT(BODY_MAX);
	struct sigv4_pair query[6];
	char prefix[S3_PREFIX_MAX + S3_PROBE_KEY_SIZE];
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
check_list2(struct s3_probe *p, struct error *err)
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
	return s3_probe_tell(p, "list-v2", "ListObjectsV2 with pages", result,
	    result == PROBE_YES ? "" : "the first version of the call is used instead", err);
}

static int
check_list1(struct s3_probe *p, struct error *err)
{
	CLEANUP(s3_xml_list_wipe) struct s3_xml_list first = {0}, second = {0};
	struct error why = {.msg = ""};
	enum probe_result result = PROBE_NO;

	if (list_page(p, NULL, 0, &first, &why) == 0 && first.count == 2) {
		const struct sigv4_pair next = {"marker", first.texts + first.objects[1].key};

		if (list_page(p, &next, 1, &second, &why) == 0)
			result = pages_work(&first, &second) ? PROBE_YES : PROBE_NO;
	}
	return s3_probe_tell(p, "list-v1", "ListObjects with pages", result, why.msg, err);
}

/* ---- the bucket ---- */

/* What <Status> or a similar element of a bucket's configuration says. */
static int
configuration(struct s3_probe *p, const char *what, const char *wanted, enum probe_result *out, char detail[256])
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
check_versioning(struct s3_probe *p, struct error *err)
{
	enum probe_result result;
	char detail[256];

	(void)configuration(p, "versioning", "<Status>Enabled</Status>", &result, detail);
	if (result == PROBE_YES)
		(void)snprintf(detail, sizeof(detail),
		    "removed objects stay as old versions: a lifecycle rule for noncurrent versions frees their space");
	return s3_probe_tell(p, "versioning", "the bucket keeps versions", result, detail, err);
}

static int
check_object_lock(struct s3_probe *p, struct error *err)
{
	enum probe_result result;
	char detail[256];

	(void)configuration(p, "object-lock", "<ObjectLockEnabled>Enabled</ObjectLockEnabled>", &result, detail);
	return s3_probe_tell(p, "object-lock", "the bucket can lock objects", result, detail, err);
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
check_connection(struct s3_probe *p, struct error *err)
{
	int64_t us[LATENCY_ROUNDS], skew = 0;
	char detail[256], key[S3_PROBE_KEY_SIZE];
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
	r = s3_probe_tell(p, "endpoint", "the endpoint answers", PROBE_YES, detail, err);
	if (r < 0)
		return r;
	if (http_date_parse(s3_answer_header(&a, "date")) >= 0)
		skew = http_date_parse(s3_answer_header(&a, "date")) - time(NULL);
	(void)snprintf(detail, sizeof(detail), "the server's clock is %lld s %s this machine's%s",
	    (long long)llabs(skew), skew < 0 ? "behind" : "ahead of",
	    llabs(skew) > SKEW_MAX_S ? "; signatures are corrected for it, but set the clocks right" : "");
	return s3_probe_tell(
	    p, "clock", "the clocks agree", llabs(skew) <= SKEW_MAX_S ? PROBE_YES : PROBE_NO, detail, err);
}

int
s3_probe(struct store *store, const char *folder, probe_fn *fn, void *arg, struct error *err)
{
	static s3_probe_check_fn *const checks[] = {check_connection, s3_probe_condition, s3_probe_race,
	    s3_probe_checksums, check_list2, check_list1, s3_probe_remove_many, check_versioning, check_object_lock,
	    s3_probe_encryption};
	CLEANUP(json_putp) struct json_object *results = json_object_new_object();
	struct error why;
	struct s3_probe p = {.s = (struct s3 *)store, .folder = folder, .fn = fn, .arg = arg, .results = results};
	int r = 0;

	for (size_t i = 0; r >= 0 && i < COUNT_OF(checks); i++)
		r = checks[i](&p, err);
	if (r < 0)
		return r;
	r = s3_hints_save(p.s, results, &why);
	return s3_probe_tell(&p, "hints", "the results are kept for later runs", r < 0 ? PROBE_NO : PROBE_YES,
	    r < 0 ? why.msg : "", err);
}
