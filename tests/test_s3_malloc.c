/*
 * Allocations fail in the S3 store, each of every call once, and all from each on: the error is an honest one, nothing
 * is leaked, and the store works as before.
 */
#include <unistd.h>

#include "buf.h"
#include "check.h"
#include "cleanup.h"
#include "malloc_fault.h"
#include "s3_script.h"
#include "store.h"
#include "store_contract.h"

static struct s3_script x;

static int
run_open(struct error *err)
{
	static const char *const tags[] = {"a=b"};
	const struct s3_settings settings = {.endpoint = http_server_origin(s3_server_http(x.server)),
	    .storage_class = "STANDARD",
	    .tags = tags,
	    .ntags = 1};
	struct store *s;
	int r;

	malloc_fault_begin(true);
	r = store_open("s3://" S3_SERVER_BUCKET "/p", false, &settings, &s, err);
	malloc_fault_end();
	if (r == 0)
		store_free(s);
	return r;
}

static int
run_put(struct error *err)
{
	int r;

	malloc_fault_begin(true);
	r = store_put_bulk(x.s, "new", "bytes", 5, err);
	malloc_fault_end();
	return r;
}

/* The first answer is an error with a text, the next one finds the name taken. */
static int
run_lost_put(struct error *err)
{
	static const struct s3_step step = {
	    .beginning = "PUT ", .kind = STEP_DONE_ERROR, .status = 500, .code = "InternalError"};

	(void)s3_script_drop(&x);
	s3_script_set(&x, &step, 1);
	return run_put(err);
}

static int
run_get(struct error *err)
{
	char bytes[3];
	int r;

	malloc_fault_begin(true);
	r = store_get(x.s, "a/1", 1, bytes, 3, err);
	malloc_fault_end();
	return r;
}

static int
run_size(struct error *err)
{
	uint64_t size;
	int r;

	malloc_fault_begin(true);
	r = store_size(x.s, "a/1", &size, err);
	malloc_fault_end();
	return r;
}

static int
run_load(struct error *err)
{
	CLEANUP(buf_free) struct buf b = BUF_INIT(100);
	int r;

	malloc_fault_begin(true);
	r = store_load(x.s, "a/1", 100, &b, err);
	malloc_fault_end();
	CHECK_INT(b.len, r == 0 ? 5 : 0);
	return r;
}

/* What is not there is not told from what cannot be known. */
static int
run_missing(struct error *err)
{
	uint64_t size;
	char byte;
	int r;

	malloc_fault_begin(true);
	r = store_get(x.s, "nothing", 0, &byte, 1, err);
	if (r == ERR_NOT_FOUND)
		r = store_size(x.s, "nothing", &size, err);
	malloc_fault_end();
	return r == ERR_NOT_FOUND ? 0 : r;
}

static int
count_object(void *arg, const struct store_object *object, struct error *err)
{
	unsigned *n = arg;

	(void)object;
	(void)err;
	++*n;
	return 0;
}

static int
run_list(struct error *err)
{
	unsigned n = 0;
	int r;

	malloc_fault_begin(true);
	r = store_list(x.s, "a/", count_object, &n, err);
	malloc_fault_end();
	CHECK(r < 0 || n == 3);
	return r;
}

static int
run_remove(struct error *err)
{
	int r;

	malloc_fault_begin(true);
	r = store_remove(x.s, "new", err);
	malloc_fault_end();
	return r;
}

static int
run_remove_many(struct error *err)
{
	static const char *const keys[] = {"b/1", "b/2"};
	static const struct s3_step step = DOES("POST ", STEP_RAW,
	    .raw = "HTTP/1.1 200 OK\r\n\r\n<DeleteResult><Error><Key>p/b/2</Key><Code>InternalError</Code></Error>"
		   "</DeleteResult>");
	int r;

	(void)s3_script_drop(&x);
	s3_script_set(&x, &step, 1);
	malloc_fault_begin(true);
	r = store_remove_many(x.s, keys, COUNT_OF(keys), NULL, NULL, err);
	malloc_fault_end();
	return r;
}

static const struct {
	const char *name;
	int (*run)(struct error *);
} flows[] = {
    {"open", run_open},
    {"put", run_put},
    {"lost put", run_lost_put},
    {"get", run_get},
    {"size", run_size},
    {"load", run_load},
    {"missing", run_missing},
    {"list", run_list},
    {"remove", run_remove},
    {"remove many", run_remove_many},
};

/* A library does not say why it failed. */
static bool
is_honest(int r, const struct error *err)
{
	return r == 0 || ((r == ERR_NOMEM || r == ERR_SYSTEM) && (int)err->code == r && err->msg[0] != '\0');
}

/* A fresh connection and fresh buffers each time, so that every allocation is made. */
static void
reopen(void)
{
	struct error err;

	store_free(x.s);
	x.s = s3_server_open(x.server, "p", NULL);
	CHECK_OK(store_remove(x.s, "new", &err), &err);
	store_free(x.s);
	x.s = s3_server_open(x.server, "p", NULL);
}

static void
torture(size_t i, bool and_later)
{
	unsigned long total, failed = 0;
	struct error err;

	reopen();
	malloc_fault_plan(0, false);
	CHECK_OK(flows[i].run(&err), &err);
	total = malloc_fault_calls();
	CHECK(total > 3);
	for (unsigned long nth = 1; nth <= total; nth++) {
		int r;

		reopen();
		malloc_fault_plan(nth, and_later);
		r = flows[i].run(&err);
		failed += r < 0;
		if (!is_honest(r, &err))
			(void)fprintf(stderr, "at: %s, allocation %lu: %d \"%s\"\n", flows[i].name, nth, r, err.msg);
		CHECK(is_honest(r, &err));
		malloc_fault_plan(0, false);
		/* The same store, not a new one. */
		store_check_content(x.s, "a/1", "12345");
	}
	if (getenv("FLOW_VERBOSE") != NULL)
		(void)fprintf(stderr, "%s: %lu allocations, %lu failed runs\n", flows[i].name, total, failed);
	CHECK(failed * 10 >= total * 9);
}

int
main(void)
{
	(void)alarm(300);
	s3_script_begin(&x, &(struct s3_server_rules){.page = 2}, NULL);
	store_check_put(x.s, "a/1", "12345");
	store_check_put(x.s, "a/2", "");
	store_check_put(x.s, "a/3", "");
	for (size_t i = 0; i < COUNT_OF(flows); i++) {
		torture(i, false);
		torture(i, true);
	}
	(void)s3_script_drop(&x);
	s3_script_end(&x);
	return 0;
}
