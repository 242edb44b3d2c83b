/*
 * Probing S3 endpoints that say one thing and do another.
 */
#include <stdatomic.h>
#include <unistd.h>

#include "check.h"
#include "cleanup.h"
#include "probing.h"

enum { ALL_CHECKSUMS = S3_SERVER_SHA256 | S3_SERVER_MD5 | S3_SERVER_CRC32C };

/* Puts of the probe's own: yes, and nothing. */
static bool
put_nothing(struct http_server_call *call, const struct s3_server_request *q, void *arg)
{
	(void)arg;
	return probing_is(q, "PUT /bucket-1/" PROBING_OBJECT "s3-") && probing_reply(call, 200, "");
}

/* It complains of checksums that do not fit, and has stored all the same. */
static bool
store_damage(struct http_server_call *call, const struct s3_server_request *q, void *arg)
{
	static const char *const keys[] = {"s3-2 ", "s3-3 ", "s3-4 "};
	char beginning[64];

	(void)arg;
	for (size_t i = 0; i < COUNT_OF(keys); i++) {
		(void)snprintf(beginning, sizeof(beginning), "PUT /bucket-1/" PROBING_OBJECT "%s", keys[i]);
		if (probing_is(q, beginning))
			return s3_server_error(call, 400, "BadDigest", "", NULL);
	}
	return false;
}

/* Of several at a time: all but the first are told to come again, which is a refusal, too. */
static bool
race_conflicts(struct http_server_call *call, const struct s3_server_request *q, void *arg)
{
	return probing_is(q, "PUT /bucket-1/" PROBING_OBJECT "s3-1 ") && atomic_fetch_add((atomic_uint *)arg, 1) > 0 &&
	       s3_server_error(call, 409, "ConditionalRequestConflict", "", NULL);
}

static bool
race_breaks(struct http_server_call *call, const struct s3_server_request *q, void *arg)
{
	(void)arg;
	return probing_is(q, "PUT /bucket-1/" PROBING_OBJECT "s3-1 ") &&
	       s3_server_error(call, 500, "InternalError", "", NULL);
}

/* Removing many: done, says the server. */
static bool
delete_nothing(struct http_server_call *call, const struct s3_server_request *q, void *arg)
{
	(void)arg;
	return probing_is(q, "POST ") && probing_reply(call, 200, "<DeleteResult></DeleteResult>");
}

/* One of the keys made trouble, and is removed alone. */
static bool
delete_partly(struct http_server_call *call, const struct s3_server_request *q, void *arg)
{
	(void)arg;
	return probing_is(q, "POST ") && probing_reply(call, 200,
					     "<DeleteResult><Error><Key>" PROBING_OBJECT
					     "s3-7</Key><Code>InternalError</Code></Error></DeleteResult>");
}

/* Nothing was removed, and one key alone is told of. */
static bool
delete_fails(struct http_server_call *call, const struct s3_server_request *q, void *arg)
{
	(void)arg;
	return probing_is(q, "POST ") && probing_reply(call, 200,
					     "<DeleteResult><Error><Key>" PROBING_OBJECT
					     "s3-5</Key><Code>InternalError</Code></Error></DeleteResult>");
}

/* It could not remove what nobody has told it to. */
static bool
delete_foreign(struct http_server_call *call, const struct s3_server_request *q, void *arg)
{
	(void)arg;
	return probing_is(q, "POST ") &&
	       probing_reply(call, 200,
		   "<DeleteResult><Error><Key>q/other</Key><Code>InternalError</Code></Error></DeleteResult>");
}

#define CONTENT(key) \
	"<Contents><Key>" PROBING_OBJECT key \
	"</Key><LastModified>2026-11-24T17:00:53.000Z</LastModified><Size>1</Size></Contents>"
#define LIST(content, truncated, token) \
	"<ListBucketResult>" content "<IsTruncated>" truncated "</IsTruncated>" token "</ListBucketResult>"
#define TOKEN "<NextContinuationToken>next</NextContinuationToken>"

static bool
is_second_page(const struct s3_server_request *q)
{
	return strstr(q->query, "continuation-token=") != NULL || strstr(q->query, "marker=") != NULL;
}

static bool
is_probed_page(const struct s3_server_request *q)
{
	return probing_is(q, "GET /bucket-1?") && strstr(q->query, "max-keys=2") != NULL;
}

/* By hash, or whatever. */
static bool
list_unsorted(struct http_server_call *call, const struct s3_server_request *q, void *arg)
{
	(void)arg;
	return is_probed_page(q) && probing_reply(call, 200,
					is_second_page(q) ? LIST(CONTENT("b"), "false", "")
							  : LIST(CONTENT("a") CONTENT("c"), "true", TOKEN));
}

/* The same page again and again. */
static bool
list_repeats(struct http_server_call *call, const struct s3_server_request *q, void *arg)
{
	(void)arg;
	return is_probed_page(q) && probing_reply(call, 200, LIST(CONTENT("a") CONTENT("b"), "true", TOKEN));
}

/* There is more, and no word how to get at it. */
static bool
list_ends(struct http_server_call *call, const struct s3_server_request *q, void *arg)
{
	(void)arg;
	return is_probed_page(q) &&
	       probing_reply(
		   call, 200, is_second_page(q) ? LIST("", "false", "") : LIST(CONTENT("a") CONTENT("b"), "true", ""));
}

static bool
list_empty(struct http_server_call *call, const struct s3_server_request *q, void *arg)
{
	(void)arg;
	return is_probed_page(q) && probing_reply(call, 200, LIST("", "false", ""));
}

static bool
list_no_xml(struct http_server_call *call, const struct s3_server_request *q, void *arg)
{
	(void)arg;
	return is_probed_page(q) && probing_reply(call, 200, "<html>welcome");
}

static void
test_lies(void)
{
	static const struct {
		s3_server_fn *script, *after;
		unsigned unchecked;
		const char *want;
	} cases[] = {
	    {put_nothing, NULL, ALL_CHECKSUMS,
		"conditional-create=ignored conditional-race=no sha256=ignored md5=ignored "
		"crc32c=ignored " PROBING_PLAIN},
	    {NULL, store_damage, ALL_CHECKSUMS, "sha256=unknown md5=unknown crc32c=unknown " PROBING_PLAIN},
	    {race_conflicts, NULL, 0, PROBING_PLAIN},
	    {race_breaks, NULL, 0, "conditional-race=unknown " PROBING_PLAIN},
	    {delete_nothing, NULL, 0, "delete-many=ignored " PROBING_PLAIN},
	    {delete_fails, NULL, 0, "delete-many=ignored " PROBING_PLAIN},
	    {NULL, delete_partly, 0, PROBING_PLAIN},
	    {delete_foreign, NULL, 0, "delete-many=unknown " PROBING_PLAIN},
	    {list_unsorted, NULL, 0, "list-v2=no list-v1=no " PROBING_PLAIN},
	    {list_repeats, NULL, 0, "list-v2=no list-v1=no " PROBING_PLAIN},
	    {list_ends, NULL, 0, "list-v2=no list-v1=no " PROBING_PLAIN},
	    {list_empty, NULL, 0, "list-v2=no list-v1=no " PROBING_PLAIN},
	    {list_no_xml, NULL, 0, "list-v2=no list-v1=no " PROBING_PLAIN},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		atomic_uint count = 0;

		probing_check_rules((struct s3_server_rules){.script = cases[i].script,
					.after = cases[i].after,
					.unchecked = cases[i].unchecked,
					.arg = &count},
		    cases[i].want);
	}
}

int
main(void)
{
	(void)alarm(120);
	test_lies();
	return 0;
}
