/* Removing many objects: batches, what the server could not remove, and servers that know no batches. */
#include <unistd.h>

#include "buf.h"
#include "check.h"
#include "cleanup.h"
#include "s3_script.h"
#include "store.h"
#include "store_contract.h"

enum { MANY = 1200 };

static char texts[MANY][16];
static const char *keys[MANY];

#define DELETED(inside) "HTTP/1.1 200 OK\r\n\r\n<DeleteResult>" inside "</DeleteResult>"
#define FAILED(key)     "<Error><Key>" key "</Key><Code>InternalError</Code><Message>no</Message></Error>"
#define SENDS(answer)   DOES("POST ", STEP_RAW, .raw = answer)

/* "KEY=CODE " for each; the second argument of store_remove_many(). */
static int
note_failed(void *arg, const char *key, const struct error *why, struct error *err)
{
	(void)err;
	buf_printf(arg, "%s=%d ", key, (int)why->code);
	return 0;
}

static int
enough(void *arg, const char *key, const struct error *why, struct error *err)
{
	(void)note_failed(arg, key, why, err);
	return 1;
}

static int
refuse(void *arg, const char *key, const struct error *why, struct error *err)
{
	(void)arg;
	(void)why;
	return error_set(err, ERR_DIFFERENT, "not %s", key);
}

static void
put_all(struct s3_script *x, size_t count)
{
	for (size_t i = 0; i < count; i++)
		store_check_put(x->s, keys[i], "");
}

static void
check_noted(struct buf *b, const char *want)
{
	buf_u8(b, 0);
	CHECK_STR((char *)b->data, want);
	buf_reset(b);
}

/* What the batch could not remove is tried alone, and only what fails then has failed. */
static void
test_failures(void)
{
	CLEANUP(buf_free) struct buf b = BUF_INIT(1000);
	struct s3_script x;
	struct error err;

	s3_script_begin(&x, NULL, NULL);
	put_all(&x, 5);
	S3_STEPS(&x, SENDS(DELETED(FAILED("p/k00000") FAILED("p/k00002") FAILED("p/k00004"))),
	    SAYS("DELETE /bucket-1/p/k00002", 403, "AccessDenied"));
	CHECK_OK(store_remove_many(x.s, keys, 5, note_failed, &b, &err), &err);
	check_noted(&b, "k00002=-6 ");
	store_check_list(x.s, "", "k00001:0 k00002:0 k00003:0 ");
	CHECK_INT(s3_server_count(x.server, "DELETE "), 3);

	/* Nobody listens: the first failure ends it. */
	S3_STEPS(&x, SENDS(DELETED(FAILED("p/k00001") FAILED("p/k00002"))), SAYS("DELETE ", 403, "AccessDenied"));
	s3_script_failed(store_remove_many(x.s, keys, 5, NULL, NULL, &err), &err, ERR_DENIED, "AccessDenied", NULL);
	CHECK_INT(s3_server_count(x.server, "DELETE "), 4);
	s3_script_end(&x);
}

/* Who listens may end it, with an error or without. */
static void
test_listener(void)
{
	CLEANUP(buf_free) struct buf b = BUF_INIT(1000);
	struct s3_script x;
	struct error err;

	s3_script_begin(&x, NULL, NULL);
	put_all(&x, 3);
	S3_STEPS(&x, SENDS(DELETED(FAILED("p/k00000") FAILED("p/k00001"))), SAYS("DELETE ", 403, NULL));
	CHECK_OK(store_remove_many(x.s, keys, 3, enough, &b, &err), &err);
	check_noted(&b, "k00000=-6 ");
	CHECK_INT(s3_server_count(x.server, "POST "), 1);
	CHECK_INT(s3_server_count(x.server, "DELETE "), 1);
	S3_STEPS(&x, SENDS(DELETED(FAILED("p/k00000") FAILED("p/k00001"))), SAYS("DELETE ", 403, NULL));
	s3_script_failed(store_remove_many(x.s, keys, 3, refuse, NULL, &err), &err, ERR_DIFFERENT, "not k00000", NULL);
	CHECK_INT(s3_server_count(x.server, "POST "), 2);
	CHECK_INT(s3_server_count(x.server, "DELETE "), 2);
	s3_script_end(&x);
}

/* Of a failure that means something for the call as a whole, nobody concludes that of one object's. */
static void
test_object_failures(void)
{
	static const struct s3_step alone[] = {SAYS("DELETE ", 405, "MethodNotAllowed"), SAYS("DELETE ", 501, NULL)};
	CLEANUP(buf_free) struct buf b = BUF_INIT(1000);
	struct s3_script x;
	struct error err;

	s3_script_begin(&x, NULL, NULL);
	for (size_t i = 0; i < COUNT_OF(alone); i++) {
		const struct s3_step steps[] = {SENDS(DELETED(FAILED("p/k00001"))), alone[i]};

		s3_script_set(&x, steps, COUNT_OF(steps));
		s3_script_failed(store_remove_many(x.s, keys, 2, NULL, NULL, &err), &err, ERR_UNSUPPORTED, "", NULL);
		s3_script_set(&x, steps, COUNT_OF(steps));
		CHECK_OK(store_remove_many(x.s, keys, 2, note_failed, &b, &err), &err);
		check_noted(&b, "k00001=-10 ");
		s3_script_set(&x, NULL, 0);
	}
	CHECK_INT(s3_server_count(x.server, "DELETE "), 4);
	CHECK_INT(s3_server_count(x.server, "POST "), 4);
	s3_script_end(&x);
}

/* The server names what it was not told to remove: nothing of that is touched. */
static void
test_strangers(void)
{
	struct s3_script x;
	struct error err;

	s3_script_begin(&x, NULL, NULL);
	put_all(&x, 3);
	S3_STEPS(&x, SENDS(DELETED(FAILED("q/k00000"))), SENDS(DELETED(FAILED("p/k00002"))), SENDS(DELETED(FAILED(""))),
	    SENDS("HTTP/1.1 200 OK\r\n\r\nwhat?"), SENDS("HTTP/1.1 200 OK\r\n\r\n"));
	for (size_t i = 0; i < 5; i++)
		s3_script_failed(store_remove_many(x.s, keys, 2, NULL, NULL, &err), &err, ERR_CORRUPT, "", NULL);
	store_check_list(x.s, "", "k00000:0 k00001:0 k00002:0 ");
	CHECK_INT(s3_server_count(x.server, "DELETE "), 0);
	s3_script_end(&x);
}

static void
test_not_implemented(void)
{
	static const struct s3_step refusals[] = {
	    SAYS("POST ", 501, "NotImplemented"), SAYS("POST ", 405, NULL), SAYS("POST ", 400, "InvalidRequest")};
	struct error err;

	for (size_t i = 0; i < COUNT_OF(refusals); i++) {
		struct s3_script x;

		s3_script_begin(&x, NULL, NULL);
		put_all(&x, 4);
		s3_script_set(&x, &refusals[i], 1);
		CHECK_OK(store_remove_many(x.s, keys, 3, NULL, NULL, &err), &err);
		store_check_list(x.s, "", "k00003:0 ");
		CHECK_OK(store_remove_many(x.s, keys + 2, 2, NULL, NULL, &err), &err);
		CHECK_INT(s3_server_count(x.server, "POST "), 1);
		CHECK_INT(s3_server_count(x.server, "DELETE "), 5);
		s3_script_end(&x);
	}
}

static size_t
keys_in(const struct http_server_request *q)
{
	size_t n = 0;

	for (const char *p = (const char *)q->body;
	     (p = memmem(p, q->body_len - (size_t)(p - (const char *)q->body), "<Key>", 5)) != NULL; p++)
		n++;
	return n;
}

/* A server that cannot remove so many in time: the batches are halved at once, long before retries are given up. */
static void
test_slow(void)
{
	const struct s3_settings settings = {.retry_s = 60, .stall_s = 1};
	struct s3_script x;
	struct error err;

	s3_script_begin(&x, NULL, &settings);
	S3_STEPS(&x, DOES("POST ", STEP_STALL), SAYS("POST ", 504, NULL));
	put_all(&x, 30);
	CHECK_OK(store_remove_many(x.s, keys, MANY, NULL, NULL, &err), &err);
	store_check_list(x.s, "", "");
	/* 1000, 500, then 250 until 1200 are done. */
	CHECK_INT(s3_server_count(x.server, "POST "), 2 + 5);
	CHECK_INT(keys_in(s3_server_last(x.server, "POST ")), 200);
	CHECK_INT(s3_server_count(x.server, "DELETE "), 0);
	s3_script_end(&x);
}

/* What breaks is no sign that there were too many; and of a few there is nothing to be halved. */
static void
test_not_slow(void)
{
	const struct s3_settings settings = {.retry_s = 60, .stall_s = 1};
	struct s3_script x;
	struct error err;

	s3_script_begin(&x, NULL, &settings);
	S3_STEPS(&x, DOES("POST ", STEP_RESET), SAYS("POST ", 503, "SlowDown"));
	CHECK_OK(store_remove_many(x.s, keys, 1000, NULL, NULL, &err), &err);
	CHECK_INT(s3_server_count(x.server, "POST "), 3);
	CHECK_INT(keys_in(s3_server_last(x.server, "POST ")), 1000);
	S3_STEPS(&x, DOES("POST ", STEP_STALL));
	CHECK_OK(store_remove_many(x.s, keys, 10, NULL, NULL, &err), &err);
	CHECK_INT(s3_server_count(x.server, "POST "), 5);
	CHECK_INT(keys_in(s3_server_last(x.server, "POST ")), 10);
	s3_script_end(&x);
}

/* One that cannot do it at all: given up, in a time that somebody may wait for. */
static void
test_unavailable(void)
{
	static const struct s3_step steps[200] = {[0 ... 199] = SAYS("POST ", 500, "InternalError")};
	const struct s3_settings settings = {.retry_s = 1};
	CLEANUP(buf_free) struct buf b = BUF_INIT(1000);
	int64_t begun = s3_script_clock();
	struct s3_script x;
	struct error err;

	s3_script_begin(&x, NULL, &settings);
	s3_script_set(&x, steps, COUNT_OF(steps));
	s3_script_failed(store_remove_many(x.s, keys, MANY, note_failed, &b, &err), &err, ERR_UNAVAILABLE,
	    "given up after", "InternalError", NULL);
	CHECK_INT(b.len, 0);
	CHECK(s3_script_clock() - begun < 10000);
	(void)s3_script_drop(&x);
	s3_script_end(&x);
}

int
main(void)
{
	(void)alarm(120);
	for (size_t i = 0; i < MANY; i++) {
		(void)snprintf(texts[i], sizeof(texts[i]), "k%05zu", i);
		keys[i] = texts[i];
	}
	test_failures();
	test_listener();
	test_object_failures();
	test_strangers();
	test_not_implemented();
	test_slow();
	test_not_slow();
	test_unavailable();
	return 0;
}
