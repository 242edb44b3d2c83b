/* Putting what must be new, when answers are lost: the put that has won is told apart from others'. */
#include <unistd.h>

#include "check.h"
#include "cleanup.h"
#include "s3_script.h"
#include "store.h"
#include "store_contract.h"

static int
put(struct s3_script *x, const char *text, struct error *err)
{
	return store_put(x->s, "k", text, strlen(text), err);
}

/* The work is done, its answer is lost in one way or another: the next try finds its own object. */
static void
test_own(void)
{
	static const struct s3_step lost[] = {
	    DOES("PUT ", STEP_DONE_RESET),
	    {.beginning = "PUT ", .kind = STEP_DONE_ERROR, .status = 500, .code = "InternalError"},
	    {.beginning = "PUT ", .kind = STEP_DONE_ERROR, .status = 502},
	    {.beginning = "PUT ", .kind = STEP_DONE_ERROR, .status = 503, .code = "SlowDown"},
	    {.beginning = "PUT ", .kind = STEP_DONE_ERROR, .status = 504},
	    {.beginning = "PUT ", .kind = STEP_DONE_ERROR, .status = 400, .code = "RequestTimeout"},
	    {.beginning = "PUT ", .kind = STEP_DONE_ERROR, .status = 409, .code = "OperationAborted"},
	    {.beginning = "PUT ", .kind = STEP_DONE_ERROR, .status = 200, .code = "InternalError"},
	};
	struct error err;

	for (size_t i = 0; i < COUNT_OF(lost); i++) {
		struct s3_script x;

		s3_script_begin(&x, NULL, NULL);
		s3_script_set(&x, &lost[i], 1);
		CHECK_OK(put(&x, "mine", &err), &err);
		CHECK_INT(s3_server_count(x.server, "PUT "), 2);
		CHECK_INT(s3_server_count(x.server, "HEAD "), 1);
		store_check_content(x.s, "k", "mine");
		s3_script_end(&x);
	}
}

/* The same on a connection that was kept: libcurl sends again what broke there, and does not tell. */
static void
test_own_kept(void)
{
	struct s3_script x;
	struct error err;

	s3_script_begin(&x, NULL, NULL);
	store_check_put(x.s, "other", "");
	S3_STEPS(&x, DOES("PUT ", STEP_DONE_RESET));
	CHECK_OK(put(&x, "mine", &err), &err);
	store_check_content(x.s, "k", "mine");
	s3_script_end(&x);
}

/* The name was taken before: by somebody else, also when an answer was lost, also by the same bytes. */
static void
test_foreign(void)
{
	struct s3_script x;
	struct error err;

	s3_script_begin(&x, NULL, NULL);
	CHECK_OK(put(&x, "theirs", &err), &err);
	s3_script_failed(put(&x, "theirs", &err), &err, ERR_EXISTS, "object k exists already", NULL);
	S3_STEPS(&x, DOES("PUT ", STEP_DONE_RESET));
	s3_script_failed(put(&x, "theirs", &err), &err, ERR_EXISTS, "object k exists already", NULL);
	S3_STEPS(&x, SAYS("PUT ", 500, NULL));
	s3_script_failed(put(&x, "mine", &err), &err, ERR_EXISTS, "object k exists already", NULL);
	store_check_content(x.s, "k", "theirs");
	CHECK_INT(s3_server_count(x.server, "HEAD "), 3);
	s3_script_end(&x);
}

/* Whoever took the name has gone when it is looked at. */
static void
test_gone(void)
{
	struct s3_script x;
	struct error err;

	s3_script_begin(&x, NULL, NULL);
	S3_STEPS(&x, DOES("PUT ", STEP_DONE_RESET), SAYS("HEAD ", 404, NULL));
	s3_script_failed(put(&x, "mine", &err), &err, ERR_NOT_FOUND, "k", NULL);
	s3_script_end(&x);
}

/* Two writers at once: the server asks to try again, and one wins. */
static void
test_conflict(void)
{
	struct s3_script x;
	struct error err;

	s3_script_begin(&x, NULL, NULL);
	S3_STEPS(&x, SAYS("PUT ", 409, "ConditionalRequestConflict"));
	CHECK_OK(put(&x, "mine", &err), &err);
	CHECK_INT(s3_server_count(x.server, "PUT "), 2);
	store_check_content(x.s, "k", "mine");
	s3_script_end(&x);
}

/* Each put has a word of its own, which stays the same over its tries. */
static void
test_put_id(void)
{
	char first[64], second[64], other[64];
	struct s3_script x;
	struct error err;

	s3_script_begin(&x, NULL, NULL);
	S3_STEPS(&x, SAYS("PUT ", 500, NULL));
	CHECK_OK(put(&x, "a", &err), &err);
	store_check_put(x.s, "l", "a");
	(void)http_server_header(
	    http_server_request(s3_server_http(x.server), 0), "x-amz-meta-put-id", first, sizeof(first));
	(void)http_server_header(
	    http_server_request(s3_server_http(x.server), 1), "x-amz-meta-put-id", second, sizeof(second));
	(void)http_server_header(
	    http_server_request(s3_server_http(x.server), 2), "x-amz-meta-put-id", other, sizeof(other));
	CHECK_INT(strlen(first), 32);
	CHECK_STR(second, first);
	CHECK(strcmp(other, first) != 0);
	s3_script_end(&x);
}

/* 501 may mean something else than the condition: then it stays an error, and the condition is not given up. */
static void
test_unsupported(void)
{
	struct s3_script x;
	struct error err;

	s3_script_begin(&x, NULL, NULL);
	S3_STEPS(
	    &x, SAYS("PUT ", 501, "NotImplemented"), SAYS("HEAD ", 404, NULL), SAYS("PUT ", 501, "NotImplemented"));
	s3_script_failed(put(&x, "a", &err), &err, ERR_UNSUPPORTED, "NotImplemented", NULL);
	S3_STEPS(&x, SAYS("PUT ", 501, NULL), SAYS("HEAD ", 403, NULL));
	s3_script_failed(put(&x, "a", &err), &err, ERR_DENIED, "403", NULL);
	S3_STEPS(&x, SAYS("PUT ", 400, "InvalidStorageClass"));
	s3_script_failed(put(&x, "a", &err), &err, ERR_UNSUPPORTED, "InvalidStorageClass", NULL);
	CHECK_INT(s3_server_count(x.server, "PUT "), 4);
	CHECK_OK(put(&x, "a", &err), &err);
	CHECK_INT(s3_server_count(x.server, "HEAD "), 2);
	s3_script_end(&x);
}

/* Without conditions, a put whose answer was lost is put again. */
static void
test_unconditional(void)
{
	const struct s3_server_rules rules = {.no_condition = true};
	struct s3_script x;
	struct error err;

	s3_script_begin(&x, &rules, NULL);
	store_check_put(x.s, "first", "1");
	S3_STEPS(&x, DOES("PUT ", STEP_DONE_RESET), SAYS("PUT ", 500, NULL));
	CHECK_OK(put(&x, "mine", &err), &err);
	store_check_content(x.s, "k", "mine");
	CHECK_INT(s3_server_count(x.server, "PUT "), 5);
	s3_script_end(&x);
}

/* A body that libcurl asks for leave to send; the server takes it, refuses it before, or breaks off half-way. */
static void
test_large(void)
{
	enum { LEN = 3 * 1024 * 1024 + 7 };
	uint8_t *bytes = malloc(LEN), *back = malloc(LEN);
	uint64_t random = 1;
	struct s3_script x;
	struct error err;

	CHECK(bytes != NULL && back != NULL);
	for (size_t i = 0; i < LEN; i++)
		bytes[i] = (uint8_t)check_random(&random);
	s3_script_begin(&x, NULL, NULL);
	S3_STEPS(&x, SAYS("PUT ", 503, "SlowDown"), DOES("PUT ", STEP_RESET), SAYS("PUT ", 500, "InternalError"));
	CHECK_OK(store_put_bulk(x.s, "k", bytes, LEN, &err), &err);
	CHECK_OK(store_get(x.s, "k", 0, back, LEN, &err), &err);
	CHECK_MEM(back, bytes, LEN);
	s3_script_end(&x);
	free(bytes);
	free(back);
}

int
main(void)
{
	(void)alarm(120);
	test_own();
	test_own_kept();
	test_foreign();
	test_gone();
	test_conflict();
	test_put_id();
	test_unsupported();
	test_unconditional();
	test_large();
	return 0;
}
