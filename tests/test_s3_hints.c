/*
 * The hints that doctor leaves: they are believed only when they are whole, for this endpoint, and say yes; and neither
 * broken ones nor failures make anything worse than without them.
 */
#include <json-c/json.h>
#include <unistd.h>

#include "buf.h"
#include "check.h"
#include "cleanup.h"
#include "json.h"
#include "malloc_fault.h"
#include "s3.h"
#include "s3_internal.h"
#include "store.h"
#include "store_fault.h"

#define ENDPOINT "https://127.0.0.1:1"
#define OBJECT   "endpoint.json"

enum { HINTS_MAX = 64 * 1024 };

/* The S3 store, but that its objects are in memory, and operations fail as they are told to. */
static struct s3 *s;
static const struct store_ops *network;
static struct store *faulty, *memory;
static unsigned loads;

static int
memory_put(struct store *store, const char *key, const void *bytes, size_t len, enum store_kind kind, struct error *err)
{
	(void)store;
	return faulty->ops->put(faulty, key, bytes, len, kind, err);
}

static int
memory_load(struct store *store, const char *key, size_t limit, struct buf *out, struct error *err)
{
	(void)store;
	loads++;
	return store_load(faulty, key, limit, out, err);
}

static int
memory_remove(struct store *store, const char *key, struct error *err)
{
	(void)store;
	return store_remove(faulty, key, err);
}

static const struct store_ops memory_ops = {
    .name = "memory", .put = memory_put, .load = memory_load, .remove = memory_remove};

static void
begin(void)
{
	const struct s3_settings settings = {.endpoint = ENDPOINT, .region = "us-east-1"};
	struct store *opened;
	struct error err;

	CHECK_OK(store_open("s3://bucket-1/p", false, &settings, &opened, &err), &err);
	CHECK_OK(store_mem_open(&memory, &err), &err);
	CHECK_OK(store_fault_new(memory, &faulty, &err), &err);
	s = (struct s3 *)opened;
	network = s->store.ops;
	s->store.ops = &memory_ops;
	loads = 0;
}

static void
end(void)
{
	s->store.ops = network;
	store_free(&s->store);
	store_free(faulty);
}

static int
save(const char *crc32c, struct error *err)
{
	CLEANUP(json_putp) struct json_object *results = json_object_new_object();

	CHECK(json_object_object_add(results, "other", json_object_new_string("yes")) == 0);
	CHECK(json_object_object_add(results, "crc32c", json_object_new_string(crc32c)) == 0);
	malloc_fault_begin(true);
	int r = s3_hints_save(s, results, err);

	malloc_fault_end();
	return r;
}

/* As a program that has just been started. */
static bool
ask(void)
{
	atomic_store(&s->crc32c, S3_CRC32C_UNKNOWN);
	malloc_fault_begin(true);
	bool yes = s3_hints_crc32c(s);

	malloc_fault_end();
	return yes;
}

static void
check_text(const char *text, size_t len, bool want)
{
	struct error err;

	CHECK_OK(store_remove(memory, OBJECT, &err), &err);
	CHECK_OK(store_put(memory, OBJECT, text, len, &err), &err);
	if (ask() != want)
		(void)fprintf(stderr, "of: %.200s\n", text);
	CHECK_INT(ask(), want);
}

/* ---- what is right ---- */

static void
test_results(void)
{
	struct error err;

	begin();
	CHECK(!ask());
	CHECK_OK(save("yes", &err), &err);
	CHECK(ask());
	CHECK_OK(save("no", &err), &err);
	CHECK(!ask());
	CHECK_OK(save("ignored", &err), &err);
	CHECK(!ask());
	CHECK_OK(save("unknown", &err), &err);
	CHECK(!ask());
	end();
}

/* Asked for each pack, loaded once; also when the answer is no. */
static void
test_once(void)
{
	struct error err;

	begin();
	CHECK(!ask() && !s3_hints_crc32c(s));
	CHECK_INT(loads, 1);
	CHECK_OK(save("yes", &err), &err);
	CHECK(!s3_hints_crc32c(s));
	CHECK(ask() && s3_hints_crc32c(s));
	CHECK_INT(loads, 2);
	end();
}

static void
test_content(void)
{
	CLEANUP(buf_free) struct buf b = BUF_INIT(HINTS_MAX);
	CLEANUP(json_putp) struct json_object *j = NULL;
	struct json_object *results;
	const char *text;
	struct error err;

	begin();
	CHECK_OK(save("yes", &err), &err);
	CHECK_OK(store_load(memory, OBJECT, HINTS_MAX, &b, &err), &err);
	CHECK_OK(json_read(b.data, b.len, &j, &err), &err);
	CHECK_OK(json_check_format(j, "snapferry-endpoint", &err), &err);
	CHECK_OK(json_get_string(j, "endpoint", &text, &err), &err);
	CHECK_STR(text, ENDPOINT);
	CHECK_OK(json_get_string(j, "tested", &text, &err), &err);
	CHECK_OK(json_get_object(j, "results", &results, &err), &err);
	CHECK_OK(json_get_string(results, "other", &text, &err), &err);
	CHECK_STR(text, "yes");
	end();
}

/* ---- what somebody else has put there ---- */

#define HEAD         "{\"format\":\"snapferry-endpoint\",\"version\":1,"
#define HERE         "\"endpoint\":\"" ENDPOINT "\","
#define RESULTS(yes) "\"results\":{\"crc32c\":" yes "}}"

static void
test_hostile(void)
{
	static const char *const texts[] = {
	    "",
	    "{",
	    "null",
	    "[]",
	    "{}",
	    "\"yes\"",
	    "\xFF\xFE",
	    HEAD HERE,
	    HEAD HERE "\"results\":{\"crc32c\":\"yes\"}",
	    HEAD HERE RESULTS("\"yes\"") "x",
	    "{\"format\":\"snapferry-pack\",\"version\":1," HERE RESULTS("\"yes\""),
	    "{\"format\":7,\"version\":1," HERE RESULTS("\"yes\""),
	    "{\"format\":\"snapferry-endpoint\",\"version\":2," HERE RESULTS("\"yes\""),
	    "{\"format\":\"snapferry-endpoint\",\"version\":\"1\"," HERE RESULTS("\"yes\""),
	    "{\"format\":\"snapferry-endpoint\"," HERE RESULTS("\"yes\""),
	    HEAD RESULTS("\"yes\""),
	    HEAD "\"endpoint\":null," RESULTS("\"yes\""),
	    HEAD "\"endpoint\":1," RESULTS("\"yes\""),
	    HEAD "\"endpoint\":[\"" ENDPOINT "\"]," RESULTS("\"yes\""),
	    HEAD "\"endpoint\":\"\"," RESULTS("\"yes\""),
	    HEAD "\"endpoint\":\"" ENDPOINT "0\"," RESULTS("\"yes\""),
	    HEAD "\"endpoint\":\"" ENDPOINT "/\"," RESULTS("\"yes\""),
	    HEAD "\"endpoint\":\"" ENDPOINT "\\u0000.example\"," RESULTS("\"yes\""),
	    HEAD "\"endpoint\":\"http://127.0.0.1:1\"," RESULTS("\"yes\""),
	    HEAD "\"endpoint\":\"https://s3.example\"," RESULTS("\"yes\""),
	    HEAD HERE "\"results\":null}",
	    HEAD HERE "\"results\":\"yes\"}",
	    HEAD HERE "\"results\":[{\"crc32c\":\"yes\"}]}",
	    HEAD HERE "\"results\":{}}",
	    HEAD HERE RESULTS("true"),
	    HEAD HERE RESULTS("1"),
	    HEAD HERE RESULTS("null"),
	    HEAD HERE RESULTS("[\"yes\"]"),
	    HEAD HERE RESULTS("{\"yes\":\"yes\"}"),
	    HEAD HERE RESULTS("\"\""),
	    HEAD HERE RESULTS("\"YES\""),
	    HEAD HERE RESULTS("\"yes \""),
	    HEAD HERE RESULTS("\"yes\\u0000\""),
	};

	begin();
	check_text(HEAD HERE RESULTS("\"yes\""), strlen(HEAD HERE RESULTS("\"yes\"")), true);
	for (size_t i = 0; i < COUNT_OF(texts); i++)
		check_text(texts[i], strlen(texts[i]), false);
	/* A NUL ends nothing. */
	check_text(HEAD HERE RESULTS("\"yes\""), sizeof(HEAD HERE RESULTS("\"yes\"")), false);
	end();
}

/* The right text, but for white space or brackets without end. */
static void
test_huge(void)
{
	static const char good[] = HEAD HERE RESULTS("\"yes\"");
	static char text[HINTS_MAX + 1];

	begin();
	memset(text, ' ', sizeof(text));
	memcpy(text + sizeof(text) - strlen(good), good, strlen(good));
	check_text(text + 1, sizeof(text) - 1, true);
	check_text(text, sizeof(text), false);
	memset(text, '[', sizeof(text));
	memcpy(text, "{\"a\":", 5);
	check_text(text, sizeof(text) - 1, false);
	end();
}

/* ---- what fails ---- */

/* Whichever operation fails: saving tells, and then there are no hints, or the old ones; asking says no. */
static void
test_store_fails(void)
{
	static const enum error_code codes[] = {ERR_UNAVAILABLE, ERR_DENIED, ERR_SYSTEM, ERR_CANCELLED, ERR_CORRUPT};
	struct error err;

	begin();
	for (size_t i = 0; i < COUNT_OF(codes); i++) {
		struct store_fault_plan plan = {.ops = STORE_FAULT_ANY, .nth = 1, .code = codes[i]};

		CHECK_OK(save("yes", &err), &err);
		store_fault_fail(faulty, &plan);
		CHECK_INT(save("no", &err), codes[i]);
		CHECK_INT(err.code, codes[i]);
		CHECK(ask());
		plan.nth = 2;
		store_fault_fail(faulty, &plan);
		CHECK_INT(save("yes", &err), codes[i]);
		CHECK(!ask());
		plan.nth = 3;
		store_fault_fail(faulty, &plan);
		CHECK_OK(save("yes", &err), &err);
		/* Now it is the load's turn. */
		CHECK(!ask());
		store_fault_fail(faulty, NULL);
		CHECK(ask());
	}
	end();
}

static void
test_saving_allocates(bool and_later)
{
	unsigned long total, failed = 0;
	struct error err;

	begin();
	/* The store in memory grows with its first object alone. */
	CHECK_OK(save("yes", &err), &err);
	malloc_fault_plan(0, false);
	CHECK_OK(save("yes", &err), &err);
	total = malloc_fault_calls();
	CHECK(total > 3);
	for (unsigned long n = 1; n <= total; n++) {
		int r;

		malloc_fault_plan(n, and_later);
		r = save("yes", &err);
		malloc_fault_plan(0, false);
		CHECK(r == 0 || (r == ERR_NOMEM && err.code == ERR_NOMEM && err.msg[0] != '\0'));
		failed += r < 0;
		/* Nothing wrong is left: no hints, or such as are as good as before. */
		(void)ask();
		CHECK_OK(save("yes", &err), &err);
		CHECK(ask());
	}
	CHECK_INT(failed, total);
	end();
}

static void
test_asking_allocates(bool and_later)
{
	unsigned long total;
	struct error err;

	begin();
	CHECK_OK(save("yes", &err), &err);
	malloc_fault_plan(0, false);
	CHECK(ask());
	total = malloc_fault_calls();
	CHECK(total > 3);
	for (unsigned long n = 1; n <= total; n++) {
		malloc_fault_plan(n, and_later);
		CHECK(!ask());
		malloc_fault_plan(0, false);
		CHECK(ask());
	}
	end();
}

int
main(void)
{
	(void)alarm(120);
	CHECK(setenv("AWS_ACCESS_KEY_ID", "AKID", 1) == 0 && setenv("AWS_SECRET_ACCESS_KEY", "secret", 1) == 0);
	test_results();
	test_once();
	test_content();
	test_hostile();
	test_huge();
	test_store_fails();
	test_saving_allocates(false);
	test_saving_allocates(true);
	test_asking_allocates(false);
	test_asking_allocates(true);
	return 0;
}
