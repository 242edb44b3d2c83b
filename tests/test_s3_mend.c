/* What the store sets right by itself: another region, a wrong clock, credentials that have expired; and where it
 * stops. */
#include <time.h>
#include <unistd.h>

#include "buf.h"
#include "check.h"
#include "cleanup.h"
#include "s3_script.h"
#include "store.h"
#include "store_contract.h"

static const struct s3_server_rules any_region = {.region = "*"};

/* The region for which request i was signed. */
static const char *
region_of(struct s3_script *x, size_t i, char out[64])
{
	char text[512];

	out[0] = '\0';
	(void)http_server_header(
	    http_server_request(s3_server_http(x->server), i), "authorization", text, sizeof(text));
	(void)sscanf(text, "AWS4-HMAC-SHA256 Credential=%*[^/]/%*[^/]/%63[^/]", out);
	return out;
}

static void
test_region(void)
{
	static const struct s3_step steps[] = {
	    SAYS("GET ", 301, "PermanentRedirect", .headers = "x-amz-bucket-region: eu-west-1\r\n"),
	    SAYS("GET ", 301, NULL, .headers = "x-amz-bucket-region: eu-west-1\r\nLocation: http://x.example/\r\n"),
	    SAYS("GET ", 307, "TemporaryRedirect", .headers = "x-amz-bucket-region: eu-west-1\r\n"),
	    SAYS("GET ", 400, "AuthorizationHeaderMalformed", .inside = "<Region>eu-west-1</Region>"),
	    SAYS("GET ", 400, "IllegalLocationConstraintException", .headers = "x-amz-bucket-region: eu-west-1\r\n"),
	    SAYS("GET ", 403, "AccessDenied", .headers = "x-amz-bucket-region: eu-west-1\r\n"),
	};
	char region[64];

	for (size_t i = 0; i < COUNT_OF(steps); i++) {
		struct s3_script x;

		s3_script_begin(&x, &any_region, NULL);
		store_check_put(x.s, "k", "1");
		s3_script_set(&x, &steps[i], 1);
		store_check_content(x.s, "k", "1");
		CHECK_STR(region_of(&x, 1, region), "us-east-1");
		CHECK_STR(region_of(&x, 2, region), "eu-west-1");
		/* It is remembered. */
		store_check_content(x.s, "k", "1");
		CHECK_STR(region_of(&x, 3, region), "eu-west-1");
		CHECK_INT(s3_server_count(x.server, ""), 4);
		s3_script_end(&x);
	}
}

/* The same where there is no body to read. */
static void
test_region_head(void)
{
	static const int statuses[] = {301, 400, 403};
	uint64_t size;
	struct error err;

	for (size_t i = 0; i < COUNT_OF(statuses); i++) {
		const struct s3_step step =
		    SAYS("HEAD ", statuses[i], NULL, .headers = "x-amz-bucket-region: auto\r\n");
		struct s3_script x;

		s3_script_begin(&x, &any_region, NULL);
		store_check_put(x.s, "k", "1");
		s3_script_set(&x, &step, 1);
		CHECK_OK(store_size(x.s, "k", &size, &err), &err);
		s3_script_end(&x);
	}
}

/* What is no region, the same one, or always another one. */
static void
test_region_refused(void)
{
	struct s3_script x;
	struct error err;
	uint64_t size;

	s3_script_begin(&x, &any_region, NULL);
	S3_STEPS(&x, SAYS("HEAD ", 301, NULL, .headers = "Location: https://b.s3.eu-west-1.example/p/k\r\n"));
	s3_script_failed(store_size(x.s, "k", &size, &err), &err, ERR_UNSUPPORTED,
	    "redirects to https://b.s3.eu-west-1.example/p/k", "region", NULL);
	S3_STEPS(&x, SAYS("HEAD ", 301, NULL, .headers = "x-amz-bucket-region: us-east-1\r\n"));
	s3_script_failed(store_size(x.s, "k", &size, &err), &err, ERR_UNSUPPORTED, "", NULL);
	S3_STEPS(&x, SAYS("HEAD ", 301, NULL, .headers = "x-amz-bucket-region: evil.example/x?\r\n"));
	s3_script_failed(store_size(x.s, "k", &size, &err), &err, ERR_UNSUPPORTED, "", NULL);
	CHECK_INT(s3_server_count(x.server, ""), 3);
	S3_STEPS(&x, SAYS("HEAD ", 301, NULL, .headers = "x-amz-bucket-region: a\r\n"),
	    SAYS("HEAD ", 301, NULL, .headers = "x-amz-bucket-region: b\r\n"),
	    SAYS("HEAD ", 301, NULL, .headers = "x-amz-bucket-region: a\r\n"),
	    SAYS("HEAD ", 301, NULL, .headers = "x-amz-bucket-region: b\r\n"));
	s3_script_failed(store_size(x.s, "k", &size, &err), &err, ERR_UNSUPPORTED, "redirects", NULL);
	s3_script_end(&x);
}

static void
test_clock(void)
{
	static const int64_t skews[] = {-864000, -1000, 1000, 7200, 86400000};

	for (size_t i = 0; i < COUNT_OF(skews); i++) {
		const struct s3_server_rules rules = {.skew_s = skews[i]};
		struct s3_script x;

		s3_script_begin(&x, &rules, NULL);
		store_check_put(x.s, "k", "1");
		CHECK_INT(s3_server_count(x.server, ""), 2);
		store_check_content(x.s, "k", "1");
		CHECK_INT(s3_server_count(x.server, ""), 3);
		/* The clock is set, back or forth: ours, or the server's. */
		x.rules.skew_s = 0;
		s3_server_set(x.server, &x.rules);
		store_check_content(x.s, "k", "1");
		CHECK_INT(s3_server_count(x.server, ""), 5);
		s3_script_end(&x);
	}
}

static const char *
date_line(int64_t skew_s, char out[64])
{
	time_t then = time(NULL) + skew_s;
	struct tm tm;

	CHECK(strftime(out, 64, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", gmtime_r(&then, &tm)) > 0);
	return out;
}

/* The same where there is no body that says why: the date does. */
static void
test_clock_head(void)
{
	static const int64_t skews[] = {-864000, -1000, 1000, 7200, 86400000};
	uint64_t size;
	struct error err;

	for (size_t i = 0; i < COUNT_OF(skews); i++) {
		const struct s3_server_rules rules = {.skew_s = skews[i]};
		struct s3_script x;

		s3_script_begin(&x, &rules, NULL);
		s3_script_failed(store_size(x.s, "k", &size, &err), &err, ERR_NOT_FOUND, "", NULL);
		CHECK_INT(s3_server_count(x.server, "HEAD "), 2);
		s3_script_failed(store_size(x.s, "k", &size, &err), &err, ERR_NOT_FOUND, "", NULL);
		CHECK_INT(s3_server_count(x.server, "HEAD "), 3);
		s3_script_end(&x);
	}
}

/* A refusal is one when there is no date, when it is right, and when it was believed already. */
static void
test_clock_head_refused(void)
{
	static const struct s3_server_rules ahead = {.skew_s = 7200};
	char near[64], far[64];
	const struct s3_step steps[] = {SAYS("HEAD ", 403, NULL),
	    SAYS("HEAD ", 403, NULL, .headers = date_line(600, near)),
	    SAYS("HEAD ", 403, NULL, .headers = date_line(7200, far)),
	    SAYS("DELETE ", 403, "AccessDenied", .headers = far)};
	uint64_t size;
	struct s3_script x;
	struct error err;

	s3_script_begin(&x, NULL, NULL);
	s3_script_set(&x, steps, 2);
	for (size_t i = 1; i <= 2; i++) {
		s3_script_failed(store_size(x.s, "k", &size, &err), &err, ERR_DENIED, "HTTP status 403", NULL);
		CHECK_INT(s3_server_count(x.server, "HEAD "), i);
	}
	/* Nor when the server gives another reason. */
	s3_script_set(&x, &steps[3], 1);
	s3_script_failed(store_remove(x.s, "k", &err), &err, ERR_DENIED, "AccessDenied", NULL);
	CHECK_INT(s3_server_count(x.server, "DELETE "), 1);
	s3_script_end(&x);
	s3_script_begin(&x, &ahead, NULL);
	s3_script_set(&x, &steps[2], 1);
	s3_script_failed(store_size(x.s, "k", &size, &err), &err, ERR_DENIED, "HTTP status 403", NULL);
	CHECK_INT(s3_server_count(x.server, "HEAD "), 2);
	s3_script_end(&x);
}

/* Servers that do not tell their time, or are never content. */
static void
test_clock_refused(void)
{
	struct s3_step steps[4];
	char date[64];
	struct s3_script x;
	struct error err;

	s3_script_begin(&x, NULL, NULL);
	S3_STEPS(&x, SAYS("DELETE ", 403, "RequestTimeTooSkewed"));
	s3_script_failed(store_remove(x.s, "k", &err), &err, ERR_DENIED, "RequestTimeTooSkewed", NULL);
	S3_STEPS(&x, SAYS("DELETE ", 403, "RequestTimeTooSkewed", .headers = "Date: now\r\n"));
	s3_script_failed(store_remove(x.s, "k", &err), &err, ERR_DENIED, "RequestTimeTooSkewed", NULL);
	CHECK_INT(s3_server_count(x.server, ""), 2);
	(void)date_line(0, date);
	for (size_t i = 0; i < COUNT_OF(steps); i++)
		steps[i] = (struct s3_step)SAYS("DELETE ", 403, "RequestTimeTooSkewed", .headers = date);
	s3_script_set(&x, steps, COUNT_OF(steps));
	s3_script_failed(store_remove(x.s, "k", &err), &err, ERR_DENIED, "RequestTimeTooSkewed", NULL);
	s3_script_end(&x);
}

/* ---- credentials ---- */

/* A command that gives other credentials each time: token-1, token-2... */
static void
write_process(const char *folder)
{
	char path[300];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/config", folder);
	CHECK((f = fopen(path, "w")) != NULL);
	CHECK(fprintf(f, "[default]\ncredential_process = /bin/sh %s/process\n", folder) > 0 && fclose(f) == 0);
	(void)snprintf(path, sizeof(path), "%s/process", folder);
	CHECK((f = fopen(path, "w")) != NULL);
	CHECK(fprintf(f,
		  "echo >>%s/calls\nn=$(wc -l <%s/calls)\necho '{\"Version\": 1, \"AccessKeyId\": \"%s\", "
		  "\"SecretAccessKey\": \"%s\", \"SessionToken\": \"token-'$n'\", \"Expiration\": "
		  "\"2999-01-01T00:00:00Z\"}'\n",
		  folder, folder, S3_SERVER_ACCESS_KEY, S3_SERVER_SECRET) > 0 &&
	      fclose(f) == 0);
	(void)snprintf(path, sizeof(path), "%s/config", folder);
	CHECK(unsetenv("AWS_ACCESS_KEY_ID") == 0 && unsetenv("AWS_SECRET_ACCESS_KEY") == 0);
	CHECK(setenv("AWS_CONFIG_FILE", path, 1) == 0);
	(void)snprintf(path, sizeof(path), "%s/none", folder);
	CHECK(setenv("HOME", path, 1) == 0);
}

static void
remove_process(const char *folder)
{
	static const char *const names[] = {"config", "process", "calls"};
	char path[300];

	for (size_t i = 0; i < COUNT_OF(names); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		CHECK(unlink(path) == 0);
	}
	CHECK(rmdir(folder) == 0);
}

static void
test_credentials(void)
{
	char folder[] = "/tmp/s3_mend.XXXXXX";
	struct s3_server *server = s3_server_new(&(struct s3_server_rules){.token = "token-1"});
	struct store *s;
	struct error err;

	CHECK(mkdtemp(folder) != NULL);
	write_process(folder);
	s = s3_server_open(server, "p", NULL);
	store_check_put(s, "k", "1");
	CHECK_INT(s3_server_count(server, ""), 1);
	/* They have expired earlier than they said: asked for once more, and remembered. */
	s3_server_set(server, &(struct s3_server_rules){.token = "token-2"});
	store_check_content(s, "k", "1");
	CHECK_INT(s3_server_count(server, ""), 3);
	store_check_content(s, "k", "1");
	CHECK_INT(s3_server_count(server, ""), 4);
	/* No others are to be had that are good. */
	s3_server_set(server, &(struct s3_server_rules){.token = "token-no"});
	s3_script_failed(store_remove(s, "k", &err), &err, ERR_DENIED, "ExpiredToken", NULL);
	CHECK(s3_server_count(server, "") <= 8);
	store_free(s);
	CHECK_INT(s3_server_forged(server), 0);
	s3_server_free(server);
	remove_process(folder);
}

/* Those of the environment cannot be renewed. */
static void
test_fixed_credentials(void)
{
	struct s3_server *server = s3_server_new(&(struct s3_server_rules){.token = "token-1"});
	struct store *s;
	struct error err;

	CHECK(setenv("AWS_SESSION_TOKEN", "token-0", 1) == 0);
	s = s3_server_open(server, "p", NULL);
	s3_script_failed(store_remove(s, "k", &err), &err, ERR_DENIED, "ExpiredToken", NULL);
	CHECK(s3_server_count(server, "") <= 4);
	store_free(s);
	CHECK(setenv("AWS_SESSION_TOKEN", "token-1", 1) == 0);
	s = s3_server_open(server, "p", NULL);
	store_check_put(s, "k", "1");
	store_check_content(s, "k", "1");
	store_free(s);
	CHECK_INT(s3_server_forged(server), 0);
	s3_server_free(server);
}

/* A signature that is wrong once may have been damaged on its way. */
static void
test_signature(void)
{
	struct s3_script x;
	struct error err;

	s3_script_begin(&x, NULL, NULL);
	S3_STEPS(&x, SAYS("DELETE ", 403, "SignatureDoesNotMatch"));
	CHECK_OK(store_remove(x.s, "k", &err), &err);
	S3_STEPS(&x, SAYS("DELETE ", 403, "SignatureDoesNotMatch"), SAYS("DELETE ", 403, "SignatureDoesNotMatch"));
	s3_script_failed(store_remove(x.s, "k", &err), &err, ERR_DENIED, "SignatureDoesNotMatch", NULL);
	s3_script_end(&x);
}

int
main(void)
{
	(void)alarm(120);
	test_region();
	test_region_head();
	test_region_refused();
	test_clock();
	test_clock_head();
	test_clock_refused();
	test_clock_head_refused();
	test_credentials();
	test_fixed_credentials();
	test_signature();
	return 0;
}
