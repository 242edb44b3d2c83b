/* Which answers are worth another try, how long is waited, when it is given up, and what is said then. */
#include <time.h>
#include <unistd.h>

#include "buf.h"
#include "check.h"
#include "cleanup.h"
#include "s3_script.h"
#include "store.h"
#include "store_contract.h"

/* Each is told once; the next try is answered as always. */
static void
test_tried_again(void)
{
	static const struct s3_step steps[] = {
	    SAYS("GET ", 500, "InternalError"),
	    SAYS("GET ", 500, NULL),
	    SAYS("GET ", 502, NULL),
	    SAYS("GET ", 503, "SlowDown"),
	    SAYS("GET ", 503, NULL),
	    SAYS("GET ", 504, NULL),
	    SAYS("GET ", 429, NULL),
	    SAYS("GET ", 408, NULL),
	    SAYS("GET ", 409, "OperationAborted"),
	    SAYS("GET ", 400, "RequestTimeout"),
	    SAYS("GET ", 400, "ThrottlingException"),
	    SAYS("GET ", 307, "TemporaryRedirect"),
	    DOES("GET ", STEP_RESET),
	    DOES("GET ", STEP_RAW, .raw = ""),
	    DOES("GET ", STEP_RAW, .raw = "HTTP/1.1 200 OK\r\nContent-Le"),
	    DOES("GET ", STEP_RAW, .raw = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n1"),
	    DOES("GET ", STEP_RAW, .raw = "HTTP/1.1 206 OK\r\nContent-Length: 5\r\n\r\n12"),
	    DOES("GET ", STEP_RAW, .raw = "SSH-2.0-OpenSSH\r\n"),
	};
	struct s3_script x;

	s3_script_begin(&x, NULL, NULL);
	store_check_put(x.s, "k", "12345");
	for (size_t i = 0; i < COUNT_OF(steps); i++) {
		s3_script_set(&x, &steps[i], 1);
		store_check_content(x.s, "k", "12345");
		CHECK_INT(s3_server_count(x.server, "GET "), 2 * (i + 1));
	}
	s3_script_end(&x);
}

static void
test_not_tried_again(void)
{
	static const struct {
		struct s3_step step;
		enum error_code code;
		const char *said;
	} cases[] = {
	    {SAYS("GET ", 403, "AccessDenied"), ERR_DENIED, "AccessDenied (HTTP status 403): it is AccessDenied"},
	    {SAYS("GET ", 403, "InvalidAccessKeyId"), ERR_DENIED, "InvalidAccessKeyId"},
	    {SAYS("GET ", 403, NULL), ERR_DENIED, "HTTP status 403"},
	    {SAYS("GET ", 401, NULL), ERR_DENIED, "HTTP status 401"},
	    {SAYS("GET ", 404, "NoSuchKey"), ERR_NOT_FOUND, "object k does not exist"},
	    {SAYS("GET ", 404, NULL), ERR_NOT_FOUND, "object k does not exist"},
	    {SAYS("GET ", 404, "NoSuchBucket"), ERR_NO_REPOSITORY, "bucket bucket-1 does not exist"},
	    {SAYS("GET ", 403, "InvalidObjectState"), ERR_UNSUPPORTED, "InvalidObjectState"},
	    {SAYS("GET ", 403, "QuotaExceeded"), ERR_SYSTEM, "QuotaExceeded"},
	    {SAYS("GET ", 507, NULL), ERR_SYSTEM, "HTTP status 507"},
	    {SAYS("GET ", 501, "NotImplemented"), ERR_UNSUPPORTED, "NotImplemented"},
	    {SAYS("GET ", 405, "MethodNotAllowed"), ERR_UNSUPPORTED, "MethodNotAllowed"},
	    {SAYS("GET ", 400, "InvalidArgument"), ERR_UNSUPPORTED, "InvalidArgument"},
	    {SAYS("GET ", 302, NULL, .headers = "Location: http://login.example/\x01\r\n"), ERR_UNSUPPORTED,
		"redirects to http://login.example/\\x01"},
	    {DOES("GET ", STEP_RAW, .raw = "HTTP/1.1 403 No\r\nContent-Length: 21\r\n\r\n<html>forbidden</html"),
		ERR_DENIED, "HTTP status 403"},
	};
	struct s3_script x;

	s3_script_begin(&x, NULL, NULL);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		CLEANUP(buf_free) struct buf b = BUF_INIT(100);
		struct error err;

		s3_script_set(&x, &cases[i].step, 1);
		s3_script_failed(store_load(x.s, "k", 100, &b, &err), &err, cases[i].code, cases[i].said, NULL);
		CHECK_INT(s3_server_count(x.server, "GET "), i + 1);
	}
	s3_script_end(&x);
}

/* An error inside of a success, where a body is read. */
static void
test_error_in_success(void)
{
	struct s3_script x;
	struct error err;

	s3_script_begin(&x, NULL, NULL);
	S3_STEPS(&x, SAYS("PUT ", 200, "InternalError"), SAYS("GET ", 200, "InternalError"),
	    SAYS("POST ", 200, "SlowDown"), SAYS("POST ", 200, "InternalError"));
	store_check_put(x.s, "k", "1");
	store_check_put(x.s, "l", "2");
	store_check_list(x.s, "", "k:1 l:1 ");
	CHECK_OK(store_remove_many(x.s, (const char *const[]){"k", "l"}, 2, NULL, NULL, &err), &err);
	store_check_list(x.s, "", "");
	s3_script_end(&x);
}

static void
test_give_up(void)
{
	static const struct s3_step steps[100] = {[0 ... 99] = SAYS("HEAD ", 500, NULL)};
	const struct s3_settings settings = {.retry_s = 1};
	struct s3_script x;
	struct error err;
	int64_t begun = s3_script_clock();
	uint64_t size;
	size_t taken;

	s3_script_begin(&x, NULL, &settings);
	s3_script_set(&x, steps, COUNT_OF(steps));
	s3_script_failed(store_size(x.s, "k", &size, &err), &err, ERR_UNAVAILABLE, "given up after ", " tries in ",
	    "s3://bucket-1: HEAD k: ", "HTTP status 500", NULL);
	CHECK(s3_script_clock() - begun < 3000);
	taken = s3_script_drop(&x);
	CHECK(taken >= 3 && taken < 30);
	s3_script_end(&x);
}

/* Nobody listens, and nobody ever has. */
static void
test_refused(void)
{
	const struct s3_settings settings = {.retry_s = 1};
	struct s3_server *server = s3_server_new(&(struct s3_server_rules){.page = 0});
	struct store *s = s3_server_open(server, "p", &settings);
	int64_t begun = s3_script_clock();
	struct error err;
	uint64_t size;

	s3_server_free(server);
	s3_script_failed(store_size(s, "k", &size, &err), &err, ERR_UNAVAILABLE, "given up after ", "s3://bucket-1",
	    "http://127.0.0.1:", NULL);
	CHECK(s3_script_clock() - begun < 3000);
	store_free(s);
}

/* An exchange that stands still is tried again after a time, and this is given up, too. */
static void
test_stalled(void)
{
	static const struct s3_step steps[10] = {[0 ... 9] = DOES("DELETE ", STEP_STALL)};
	const struct s3_settings settings = {.retry_s = 3, .stall_s = 1};
	struct s3_script x;
	struct error err;
	int64_t begun = s3_script_clock();

	s3_script_begin(&x, NULL, &settings);
	S3_STEPS(&x, DOES("PUT ", STEP_STALL));
	store_check_put(x.s, "k", "1");
	CHECK(s3_script_clock() - begun >= 900);
	CHECK_INT(s3_server_count(x.server, "PUT "), 2);
	s3_script_set(&x, steps, COUNT_OF(steps));
	begun = s3_script_clock();
	s3_script_failed(
	    store_remove(x.s, "k", &err), &err, ERR_UNAVAILABLE, "given up after ", "s3://bucket-1", "too slow", NULL);
	CHECK(s3_script_clock() - begun < 10000);
	(void)s3_script_drop(&x);
	s3_script_end(&x);
}

/* One connection that stalls for longer than all tries may take is not the end; two are. */
static void
test_second_try(void)
{
	const struct s3_settings settings = {.retry_s = 1, .stall_s = 2};
	struct s3_script x;
	struct error err;

	s3_script_begin(&x, NULL, &settings);
	S3_STEPS(&x, DOES("DELETE ", STEP_STALL));
	CHECK_OK(store_remove(x.s, "k", &err), &err);
	CHECK_INT(s3_server_count(x.server, "DELETE "), 2);
	S3_STEPS(&x, DOES("DELETE ", STEP_STALL), DOES("DELETE ", STEP_STALL));
	s3_script_failed(
	    store_remove(x.s, "k", &err), &err, ERR_UNAVAILABLE, "given up after 2 tries in ", "too slow", NULL);
	CHECK_INT(s3_server_count(x.server, "DELETE "), 4);
	s3_script_end(&x);
}

/* How long one object takes when the first answer is this. */
static int64_t
time_of_answer(struct s3_script *x, int status, const char *headers)
{
	const struct s3_step step = SAYS("HEAD ", status, NULL, .headers = headers);
	int64_t begun = s3_script_clock();
	struct error err;
	uint64_t size;

	s3_script_set(x, &step, 1);
	CHECK_OK(store_size(x->s, "k", &size, &err), &err);
	s3_script_set(x, NULL, 0);
	return s3_script_clock() - begun;
}

/* A server that accepts and never says a word is not believed in for as long as one that has answered before.  A try
 * takes the second of the stall, so there is time for the two that there are in any case, or for several. */
static void
test_never_answered(void)
{
	static const struct s3_step steps[100] = {[0 ... 99] = DOES("DELETE ", STEP_STALL)};
	const struct s3_settings settings = {.retry_s = 6, .first_answer_s = 1, .stall_s = 1};
	struct s3_script x;
	struct error err;

	s3_script_begin(&x, NULL, &settings);
	s3_script_set(&x, steps, COUNT_OF(steps));
	s3_script_failed(store_remove(x.s, "k", &err), &err, ERR_UNAVAILABLE, "given up after 2 tries", NULL);
	CHECK_INT(s3_script_drop(&x), 2);
	/* An error is an answer. */
	S3_STEPS(&x, SAYS("PUT ", 403, "AccessDenied"));
	s3_script_failed(store_put(x.s, "k", "", 0, &err), &err, ERR_DENIED, "AccessDenied", NULL);
	s3_script_set(&x, steps, COUNT_OF(steps));
	s3_script_failed(store_remove(x.s, "k", &err), &err, ERR_UNAVAILABLE, "given up after ", NULL);
	CHECK(s3_script_drop(&x) > 2);
	s3_script_end(&x);
}

static void
test_retry_after(void)
{
	struct s3_script x;
	char date[64];
	time_t then;
	struct tm tm;

	s3_script_begin(&x, NULL, NULL);
	store_check_put(x.s, "k", "1");
	CHECK(time_of_answer(&x, 500, NULL) < 900);
	CHECK(time_of_answer(&x, 503, "Retry-After: 1\r\n") >= 990);
	CHECK(time_of_answer(&x, 429, "Retry-After: 1\r\n") >= 990);
	/* Between one and two seconds from now, and as much of the first as has passed less. */
	then = time(NULL) + 2;
	CHECK(strftime(date, sizeof(date), "Retry-After: %a, %d %b %Y %H:%M:%S GMT\r\n", gmtime_r(&then, &tm)) > 0);
	CHECK(time_of_answer(&x, 503, date) >= 900);
	s3_script_end(&x);
}

/* Waiting longer than there is time for is no use: given up at once. */
static void
test_retry_after_too_long(void)
{
	const struct s3_settings settings = {.retry_s = 10};
	struct s3_script x;
	struct error err;
	int64_t begun = s3_script_clock();
	uint64_t size;

	s3_script_begin(&x, NULL, &settings);
	S3_STEPS(&x, SAYS("HEAD ", 503, "SlowDown", .headers = "Retry-After: 3600\r\n"));
	s3_script_failed(store_size(x.s, "k", &size, &err), &err, ERR_UNAVAILABLE, "given up after 1 try in 0 s",
	    "HTTP status 503", NULL);
	CHECK(s3_script_clock() - begun < 900);
	/* What the server wanted then is not what counts when the next try gets no answer at all. */
	S3_STEPS(&x, SAYS("HEAD ", 503, NULL, .headers = "Retry-After: 1\r\n"), DOES("HEAD ", STEP_RESET));
	store_check_put(x.s, "k", "1");
	begun = s3_script_clock();
	CHECK_OK(store_size(x.s, "k", &size, &err), &err);
	CHECK(s3_script_clock() - begun < 1900);
	s3_script_end(&x);
}

int
main(void)
{
	(void)alarm(120);
	test_tried_again();
	test_not_tried_again();
	test_error_in_success();
	test_give_up();
	test_refused();
	test_stalled();
	test_second_try();
	test_never_answered();
	test_retry_after();
	test_retry_after_too_long();
	return 0;
}
