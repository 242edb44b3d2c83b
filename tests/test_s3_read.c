/* Reading when the server gives something else than was asked for. */
#include <unistd.h>

#include "buf.h"
#include "check.h"
#include "cleanup.h"
#include "s3_script.h"
#include "store.h"
#include "store_contract.h"

#define HEAD(status, length) "HTTP/1.1 " status " Scripted\r\nContent-Length: " length "\r\n"

/* Bytes 2 to 4 of "0123456789". */
static int
get(struct s3_script *x, char out[8], struct error *err)
{
	memset(out, 0, 8);
	return store_get(x->s, "k", 2, out, 3, err);
}

static void
test_range_good(void)
{
	char bytes[8];
	struct s3_script x;
	struct error err;

	s3_script_begin(&x, NULL, NULL);
	store_check_put(x.s, "k", "0123456789");
	CHECK_OK(get(&x, bytes, &err), &err);
	CHECK_STR(bytes, "234");
	/* Without a length, and in pieces. */
	S3_STEPS(&x, DOES("GET ", STEP_RAW, .raw = "HTTP/1.1 206 OK\r\nContent-Range: bytes 2-4/10\r\n\r\nabc"),
	    DOES("GET ", STEP_RAW,
		.raw = "HTTP/1.1 206 OK\r\nContent-Range: bytes 2-4/10\r\nTransfer-Encoding: chunked\r\n\r\n"
		       "1\r\nd\r\n2\r\nef\r\n0\r\n\r\n"));
	CHECK_OK(get(&x, bytes, &err), &err);
	CHECK_STR(bytes, "abc");
	CHECK_OK(get(&x, bytes, &err), &err);
	CHECK_STR(bytes, "def");
	/* All of it is what was asked for: a range is not needed. */
	S3_STEPS(&x, DOES("GET ", STEP_RAW, .raw = HEAD("200", "3") "\r\nabc"));
	CHECK_OK(store_get(x.s, "k", 0, bytes, 3, &err), &err);
	CHECK_MEM(bytes, "abc", 3);
	s3_script_end(&x);
}

static void
test_range_bad(void)
{
	static const struct {
		struct s3_step step;
		enum error_code code;
		const char *said;
	} cases[] = {
	    /* Another part. */
	    {DOES("GET ", STEP_RAW, .raw = HEAD("206", "3") "Content-Range: bytes 1-3/10\r\n\r\n123"), ERR_CORRUPT,
		"part of object k"},
	    {DOES("GET ", STEP_RAW, .raw = HEAD("206", "2") "Content-Range: bytes 2-3/10\r\n\r\n23"), ERR_CORRUPT,
		"part of object k"},
	    {DOES("GET ", STEP_RAW, .raw = HEAD("206", "4") "Content-Range: bytes 2-5/10\r\n\r\n2345"), ERR_CORRUPT,
		"too long"},
	    {DOES("GET ", STEP_RAW, .raw = HEAD("206", "0") "Content-Range: bytes 2-4/10\r\n\r\n"), ERR_CORRUPT,
		"part of object k"},
	    {DOES("GET ", STEP_RAW, .raw = HEAD("206", "3") "Content-Range: bytes 0-9/10\r\n\r\n012"), ERR_CORRUPT,
		"part of object k"},
	    /* A range that ignores itself. */
	    {DOES("GET ", STEP_RAW, .raw = HEAD("206", "3") "\r\n234"), ERR_UNSUPPORTED, "part of object k"},
	    {DOES("GET ", STEP_RAW, .raw = HEAD("206", "3") "Content-Range: bytes */10\r\n\r\n234"), ERR_UNSUPPORTED,
		"part of object k"},
	    {DOES("GET ", STEP_RAW, .raw = HEAD("206", "3") "Content-Range: bytes 2-4/10 x\r\n\r\n234"),
		ERR_UNSUPPORTED, "part of object k"},
	    {DOES("GET ", STEP_RAW, .raw = HEAD("206", "3") "Content-Range: lines 2-4/10\r\n\r\n234"), ERR_UNSUPPORTED,
		"part of object k"},
	    /* The range is ignored. */
	    {DOES("GET ", STEP_RAW, .raw = HEAD("200", "3") "\r\n012"), ERR_UNSUPPORTED, "part of object k"},
	    {DOES("GET ", STEP_RAW, .raw = HEAD("200", "10") "\r\n0123456789"), ERR_UNSUPPORTED, "object k as a whole"},
	    /* The object has become shorter. */
	    {DOES("GET ", STEP_RAW, .raw = HEAD("206", "1") "Content-Range: bytes 2-2/3\r\n\r\n2"), ERR_CORRUPT,
		"object k is shorter"},
	    {SAYS("GET ", 416, "InvalidRange"), ERR_CORRUPT, "object k is shorter"},
	    {SAYS("GET ", 416, NULL), ERR_CORRUPT, "object k is shorter"},
	    {SAYS("GET ", 204, NULL), ERR_UNSUPPORTED, "part of object k"},
	};
	char bytes[8];
	struct s3_script x;
	struct error err;

	s3_script_begin(&x, NULL, NULL);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		s3_script_set(&x, &cases[i].step, 1);
		s3_script_failed(get(&x, bytes, &err), &err, cases[i].code, cases[i].said, NULL);
		CHECK_INT(s3_server_count(x.server, "GET "), i + 1);
		/* No byte behind those that were asked for. */
		CHECK_INT(bytes[3], 0);
	}
	s3_script_end(&x);
}

/* A body that ends too early is asked for again. */
static void
test_range_cut(void)
{
	char bytes[8];
	struct s3_script x;
	struct error err;

	s3_script_begin(&x, NULL, NULL);
	store_check_put(x.s, "k", "0123456789");
	S3_STEPS(&x, DOES("GET ", STEP_RAW, .raw = HEAD("206", "3") "Content-Range: bytes 2-4/10\r\n\r\nxy"),
	    DOES("GET ", STEP_RAW, .raw = HEAD("206", "3") "Content-Range: bytes 2-4/10\r\n\r\n"));
	CHECK_OK(get(&x, bytes, &err), &err);
	CHECK_STR(bytes, "234");
	s3_script_end(&x);
}

static void
test_size(void)
{
	static const char *const bad[] = {
	    "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"};
	struct s3_script x;
	struct error err;
	uint64_t size;

	s3_script_begin(&x, NULL, NULL);
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		const struct s3_step step = DOES("HEAD ", STEP_RAW, .raw = bad[i]);

		s3_script_set(&x, &step, 1);
		s3_script_failed(
		    store_size(x.s, "k", &size, &err), &err, ERR_UNSUPPORTED, "the length of object k", NULL);
		s3_script_set(&x, NULL, 0);
	}
	S3_STEPS(&x, DOES("HEAD ", STEP_RAW, .raw = HEAD("200", "123456789012345678") "\r\n"));
	CHECK_OK(store_size(x.s, "k", &size, &err), &err);
	CHECK_INT(size, 123456789012345678);
	s3_script_end(&x);
}

static void
load(struct s3_script *x, size_t room, size_t limit, enum error_code code, const char *said)
{
	CLEANUP(buf_free) struct buf b = BUF_INIT(room);
	struct error err;

	buf_put(&b, "+", 1);
	s3_script_failed(store_load(x->s, "k", limit, &b, &err), &err, code, said, NULL);
	CHECK_INT(b.len, 1);
	CHECK_MEM(b.data, "+", 1);
}

static void
test_load(void)
{
	CLEANUP(buf_free) struct buf b = BUF_INIT(5);
	struct s3_script x;
	struct error err;

	s3_script_begin(&x, NULL, NULL);
	load(&x, 100, 10, ERR_NOT_FOUND, "object k does not exist");
	load(&x, 100, 0, ERR_NOT_FOUND, "object k does not exist");
	load(&x, 1, 10, ERR_NOT_FOUND, "object k does not exist");
	store_check_put(x.s, "k", "12345");
	load(&x, 100, 4, ERR_CORRUPT, "object k has 5 bytes, more than the 4 that are possible");
	load(&x, 100, 0, ERR_CORRUPT, "object k has 5 bytes, more than the 0 that are possible");
	load(&x, 4, 10, ERR_NOMEM, "object k is too large");
	load(&x, 1, 5, ERR_NOMEM, "object k is too large");
	/* A server that does not tell the length at the beginning. */
	S3_STEPS(&x, DOES("GET ", STEP_RAW,
			 .raw = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n\r\n"));
	load(&x, 100, 4, ERR_CORRUPT, "too long");
	S3_STEPS(&x, DOES("GET ", STEP_RAW, .raw = "HTTP/1.1 200 OK\r\n\r\n12345"));
	CHECK_OK(store_load(x.s, "k", 5, &b, &err), &err);
	CHECK_INT(b.len, 5);
	/* What does not fit into a full buffer. */
	CHECK_INT(store_load(x.s, "k", 5, &b, &err), ERR_NOMEM);
	CHECK_INT(b.len, 5);
	/* Nothing fits also there. */
	CHECK_OK(store_put(x.s, "empty", "", 0, &err), &err);
	CHECK_OK(store_load(x.s, "empty", 5, &b, &err), &err);
	CHECK_OK(store_load(x.s, "empty", 0, &b, &err), &err);
	CHECK_INT(b.len, 5);
	s3_script_end(&x);
}

/* Into a buffer that has no memory yet, without limit for any. */
static void
test_load_nothing(void)
{
	CLEANUP(buf_free) struct buf b = BUF_INIT(0);
	struct s3_script x;
	struct error err;

	s3_script_begin(&x, NULL, NULL);
	s3_script_failed(store_load(x.s, "k", 0, &b, &err), &err, ERR_NOT_FOUND, "k", NULL);
	store_check_put(x.s, "k", "12345");
	s3_script_failed(store_load(x.s, "k", 0, &b, &err), &err, ERR_CORRUPT, "more than the 0", NULL);
	store_check_put(x.s, "l", "");
	CHECK_OK(store_load(x.s, "l", 0, &b, &err), &err);
	CHECK_INT(b.len, 0);
	s3_script_end(&x);
}

/* An object that begins like an error is an object. */
static void
test_object_like_error(void)
{
	static const char text[] = "<?xml version=\"1.0\"?><Error><Code>InternalError</Code></Error>";
	struct s3_script x;

	s3_script_begin(&x, NULL, NULL);
	store_check_put(x.s, "k", text);
	store_check_content(x.s, "k", text);
	CHECK_INT(s3_server_count(x.server, "GET "), 1);
	s3_script_end(&x);
}

/* Large objects, by parts, from several connections. */
static void
test_parts(void)
{
	enum { LEN = 1000003, PART = 70001 };
	uint8_t *bytes = malloc(LEN), *part = malloc(PART);
	struct s3_script x;
	struct error err;

	CHECK(bytes != NULL && part != NULL);
	for (size_t i = 0; i < LEN; i++)
		bytes[i] = (uint8_t)(i * 7 >> 3);
	s3_script_begin(&x, NULL, NULL);
	CHECK_OK(store_put_bulk(x.s, "k", bytes, LEN, &err), &err);
	for (size_t at = 0; at < LEN; at += PART) {
		size_t len = MIN((size_t)PART, LEN - at);

		CHECK_OK(store_get(x.s, "k", at, part, len, &err), &err);
		CHECK_MEM(part, bytes + at, len);
	}
	CHECK_INT(http_server_connections(s3_server_http(x.server)), 1);
	s3_script_end(&x);
	free(bytes);
	free(part);
}

int
main(void)
{
	(void)alarm(120);
	test_range_good();
	test_range_bad();
	test_range_cut();
	test_size();
	test_load();
	test_load_nothing();
	test_object_like_error();
	test_parts();
	return 0;
}
