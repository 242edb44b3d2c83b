/*
 * Probing an S3 endpoint: what it can do is found, and what it cannot; what stays of that, and what fails.
 */
#include <stdatomic.h>
#include <unistd.h>

#include "check.h"
#include "cleanup.h"
#include "probing.h"
#include "store.h"

/* ---- servers that cannot, or do not look ---- */

static void
test_rules(void)
{
	probing_check_rules((struct s3_server_rules){.page = 0}, PROBING_PLAIN);
	probing_check_rules((struct s3_server_rules){.no_condition = true},
	    "conditional-create=no conditional-race=unknown " PROBING_PLAIN);
	probing_check_rules((struct s3_server_rules){.ignores_condition = true},
	    "conditional-create=ignored conditional-race=no " PROBING_PLAIN);
	probing_check_rules((struct s3_server_rules){.unchecked = S3_SERVER_SHA256}, "sha256=ignored " PROBING_PLAIN);
	probing_check_rules((struct s3_server_rules){.unchecked = S3_SERVER_MD5}, "md5=ignored " PROBING_PLAIN);
	probing_check_rules((struct s3_server_rules){.unchecked = S3_SERVER_CRC32C}, "crc32c=ignored " PROBING_PLAIN);
	probing_check_rules((struct s3_server_rules){.no_list2 = true}, "list-v2=no " PROBING_PLAIN);
	probing_check_rules((struct s3_server_rules){.old_list = true}, "list-v2=no " PROBING_PLAIN);
	probing_check_rules((struct s3_server_rules){.page = 1}, "list-v2=no list-v1=no " PROBING_PLAIN);
	probing_check_rules((struct s3_server_rules){.ignores_max_keys = true}, "list-v2=no list-v1=no " PROBING_PLAIN);
	probing_check_rules((struct s3_server_rules){.no_delete_many = true}, "delete-many=no " PROBING_PLAIN);
}

/* ---- the bucket ---- */

struct configuration {
	const char *query;
	int status;
	const char *body;
};

static bool
configured(struct http_server_call *call, const struct s3_server_request *q, void *arg)
{
	const struct configuration *c = arg;

	return q->key == NULL && strncmp(q->query, c->query, strlen(c->query)) == 0 &&
	       probing_reply(call, c->status, c->body);
}

static void
test_bucket(void)
{
	static const struct {
		struct configuration c;
		const char *want;
	} cases[] = {
	    {{"versioning=", 200, "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"},
		"object-lock=no "},
	    {{"versioning=", 200, "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>"},
		PROBING_PLAIN},
	    {{"versioning=", 200, ""}, PROBING_PLAIN},
	    {{"versioning=", 501, ""}, PROBING_PLAIN},
	    {{"versioning=", 405, ""}, PROBING_PLAIN},
	    {{"versioning=", 403, ""}, "versioning=unknown object-lock=no "},
	    {{"versioning=", 500, ""}, "versioning=unknown object-lock=no "},
	    {{"object-lock=", 200,
		 "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>"},
		"versioning=no "},
	    {{"object-lock=", 404, "<Error><Code>ObjectLockConfigurationNotFoundError</Code></Error>"}, PROBING_PLAIN},
	    {{"object-lock=", 403, ""}, "versioning=no object-lock=unknown "},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct configuration c = cases[i].c;

		probing_check_rules((struct s3_server_rules){.script = configured, .arg = &c}, cases[i].want);
	}
}

/* ---- clocks ---- */

/* Half an hour is more than signatures may be off: it is made up for, and told. */
static void
test_clock(void)
{
	static const struct {
		int64_t skew_s;
		const char *want, *said;
	} cases[] = {
	    {0, PROBING_PLAIN, ""},
	    {30, PROBING_PLAIN, "ahead of"},
	    {-30, PROBING_PLAIN, "behind"},
	    {100, "clock=no " PROBING_PLAIN, "ahead of this machine's; signatures"},
	    {-100, "clock=no " PROBING_PLAIN, "behind this machine's; signatures"},
	    {1800, "clock=no " PROBING_PLAIN, "ahead of this machine's; signatures"},
	    {-1800, "clock=no " PROBING_PLAIN, "behind this machine's; signatures"},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct probing x;

		probing_begin(&x, &(struct s3_server_rules){.skew_s = cases[i].skew_s}, NULL);
		probing_check(&x, cases[i].want, PROBING_FINDINGS);
		CHECK(strstr(x.clock, cases[i].said) != NULL);
		probing_end(&x);
	}
}

/* ---- keys of customers ---- */

static bool
tells_encryption(struct http_server_call *call, const struct s3_server_request *q, void *arg)
{
	(void)arg;
	if (!probing_is(q, "HEAD /bucket-1/" PROBING_OBJECT "s3-17 "))
		return false;
	(void)http_server_reply(call, 200, "x-amz-server-side-encryption-customer-algorithm: AES256\r\n", "", 0);
	return true;
}

static bool
refuses_encryption(struct http_server_call *call, const struct s3_server_request *q, void *arg)
{
	(void)arg;
	return probing_is(q, "PUT /bucket-1/" PROBING_OBJECT "s3-17 ") &&
	       s3_server_error(call, 501, "NotImplemented", "", NULL);
}

static void
test_encryption(void)
{
	static const struct {
		s3_server_fn *script;
		const char *want;
	} cases[] = {
	    {NULL, PROBING_PLAIN "sse-customer-key=ignored "},
	    {tells_encryption, PROBING_PLAIN},
	    {refuses_encryption, PROBING_PLAIN "sse-customer-key=no "},
	};
	char path[] = "/tmp/s3_probe.XXXXXX";
	int fd = mkstemp(path);

	CHECK(fd >= 0 && write(fd, "sunny weather with 32 bytes here", 32) == 32 && close(fd) == 0);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct probing x;

		probing_begin(&x, &(struct s3_server_rules){.script = cases[i].script}, path);
		probing_check(&x, cases[i].want, PROBING_FINDINGS + 1);
		probing_end(&x);
	}
	CHECK(unlink(path) == 0);
}

/* ---- what stays, and what fails ---- */

static bool
refuses_hints(struct http_server_call *call, const struct s3_server_request *q, void *arg)
{
	(void)arg;
	return probing_is(q, "PUT /bucket-1/p/endpoint.json ") && s3_server_error(call, 403, "AccessDenied", "", NULL);
}

/* The results are kept, anew each time, and that this fails is no more than a finding. */
static void
test_hints(void)
{
	CLEANUP(buf_free) struct buf b = BUF_INIT(65536);
	struct s3_server_rules rules = {.unchecked = S3_SERVER_CRC32C};
	struct error err;
	struct probing x;

	probing_begin(&x, &rules, NULL);
	CHECK_OK(probing_run(&x, &err), &err);
	CHECK_OK(store_load(x.s, "endpoint.json", 65536, &b, &err), &err);
	buf_u8(&b, 0);
	CHECK(strstr((char *)b.data, "\"sha256\":\"yes\"") != NULL);
	CHECK(strstr((char *)b.data, "\"crc32c\":\"ignored\"") != NULL);
	s3_server_set(x.server, &(struct s3_server_rules){.damage_expected = true});
	CHECK_OK(probing_run(&x, &err), &err);
	buf_reset(&b);
	CHECK_OK(store_load(x.s, "endpoint.json", 65536, &b, &err), &err);
	buf_u8(&b, 0);
	CHECK(strstr((char *)b.data, "\"crc32c\":\"yes\"") != NULL);
	probing_end(&x);
	probing_check_rules((struct s3_server_rules){.script = refuses_hints}, PROBING_PLAIN "hints=no ");
}

/* Whoever listens has had enough, at any finding. */
static void
test_stop(void)
{
	for (unsigned n = 1; n <= PROBING_FINDINGS; n++) {
		struct error err;
		struct probing x;

		probing_begin(&x, &(struct s3_server_rules){.page = 0}, NULL);
		x.stop_at = n;
		CHECK_INT(probing_run(&x, &err), ERR_USAGE);
		CHECK_STR(err.msg, "enough");
		CHECK_INT(x.findings, n);
		probing_end(&x);
	}
}

struct refusal {
	atomic_uint count;
	unsigned nth;
	int status;
};

/* Removing is allowed: the probe is to clean up. */
static bool
refuse_nth(struct http_server_call *call, const struct s3_server_request *q, void *arg)
{
	struct refusal *f = arg;

	if (f->nth == 0 || probing_is(q, "DELETE ") || probing_is(q, "POST "))
		return false;
	return atomic_fetch_add(&f->count, 1) + 1 == f->nth &&
	       s3_server_error(call, f->status, f->status == 403 ? "AccessDenied" : "InternalError", "", NULL);
}

/* Whichever request is refused or breaks: an error or a finding, and nothing is left. */
static void
test_failures(int status)
{
	for (unsigned nth = 1;; nth++) {
		struct refusal f = {.status = status};
		struct error err;
		struct probing x;
		unsigned seen;
		int r;

		probing_begin(&x, &(struct s3_server_rules){.script = refuse_nth, .arg = &f}, NULL);
		f.nth = nth;
		r = probing_run(&x, &err);
		seen = atomic_load(&f.count);
		f.nth = 0;
		CHECK(r == 0 || (r == ERR_DENIED && (int)err.code == r));
		CHECK(r < 0 || x.findings == PROBING_FINDINGS);
		probing_end(&x);
		CHECK(nth < 200);
		if (seen < nth) {
			CHECK(nth > 30);
			break;
		}
	}
}

int
main(void)
{
	(void)alarm(120);
	test_rules();
	test_bucket();
	test_clock();
	test_encryption();
	test_hints();
	test_stop();
	test_failures(403);
	test_failures(500);
	return 0;
}
