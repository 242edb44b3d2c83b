/* A survey gives what a listing of the store would give, and asks the store only for what it has not seen. */
#include <stdio.h>
#include <unistd.h>

#include "check.h"
#include "cleanup.h"
#include "store.h"
#include "store_fault.h"
#include "store_trace.h"
#include "survey.h"

struct keys {
	char text[65536];
	size_t count, stop_at; /* 0: never */
};

static int
note_key(void *arg, const struct store_object *object, struct error *err)
{
	struct keys *k = arg;
	size_t len = strlen(k->text);

	(void)err;
	(void)snprintf(k->text + len, sizeof k->text - len, "%s %llu,", object->key, (unsigned long long)object->size);
	return ++k->count == k->stop_at;
}

/* The same as from the store, with so many requests. */
static void
check_list(const struct survey *s, struct store *trace, const char *prefix, size_t stop_at, uint64_t requests)
{
	static struct keys got, want;
	struct error err;

	got = (struct keys){.stop_at = stop_at};
	want = (struct keys){.stop_at = stop_at};
	CHECK_OK(store_list(trace, prefix, note_key, &want, &err), &err);
	store_trace_forget(trace);
	CHECK_OK(survey_list(s, trace, prefix, note_key, &got, &err), &err);
	CHECK_STR(got.text, want.text);
	CHECK_INT(got.count, want.count);
	CHECK_INT(store_trace_requests(trace), requests);
}

static void
put(struct store *store, const char *folder, size_t count)
{
	char key[64];
	struct error err;

	for (size_t i = 0; i < count; i++) {
		(void)snprintf(key, sizeof key, "v/%s/%08zu", folder, i);
		CHECK_OK(store_put(store, key, key, i % 9, &err), &err);
	}
}

/* filler: objects in the middle, behind which nothing is seen when there are many. */
static void
test_lists(size_t filler, bool has_s, bool whole)
{
	struct store *mem, *trace;
	struct survey *s;
	struct error err;

	CHECK_OK(store_mem_open(&mem, &err), &err);
	CHECK_OK(store_trace_new(mem, &trace, &err), &err);
	put(mem, "g", 1);
	put(mem, "i", 3);
	put(mem, "m", filler);
	put(mem, "s", 7);
	put(mem, "s2", 2);
	CHECK_OK(store_put(mem, "w/other", "", 0, &err), &err);
	CHECK_OK(survey_new(trace, "v/", &s, &err), &err);
	CHECK_INT(store_trace_requests(trace), 1);
	check_list(s, trace, "v/g/", 0, 0);
	check_list(s, trace, "v/i/", 0, 0);
	check_list(s, trace, "v/i/", 2, 0);
	check_list(s, trace, "v/h/", 0, 0);
	check_list(s, trace, "v/s/", 0, !has_s);
	check_list(s, trace, "v/s", 3, !whole);
	check_list(s, trace, "v/t/", 0, !whole);
	check_list(s, trace, "v/", 5, !whole);
	check_list(s, trace, "w/", 0, 1);
	check_list(s, trace, "v", 1, 1);
	check_list(NULL, trace, "v/g/", 0, 1);
	survey_free(s);
	survey_free(NULL);
	store_free(trace);
	store_free(mem);
}

static void
test_empty(void)
{
	struct store *mem, *trace;
	struct survey *s;
	struct error err;

	CHECK_OK(store_mem_open(&mem, &err), &err);
	CHECK_OK(store_trace_new(mem, &trace, &err), &err);
	CHECK_OK(survey_new(trace, "v/", &s, &err), &err);
	check_list(s, trace, "v/i/", 0, 0);
	survey_free(s);
	store_free(trace);
	store_free(mem);
}

static int
fail_third(void *arg, const struct store_object *object, struct error *err)
{
	(void)object;
	return ++*(size_t *)arg == 3 ? error_set(err, ERR_DENIED, "the third") : 0;
}

/* What the callback says is passed on; a store that does not answer is an error; damage is not that of a survey. */
static void
test_failures(void)
{
	struct store_fault_plan plan = {.ops = STORE_FAULT_LIST, .nth = 1, .code = ERR_UNAVAILABLE};
	struct store *mem, *fault, *trace;
	struct survey *s;
	struct error err;
	size_t calls = 0;

	CHECK_OK(store_mem_open(&mem, &err), &err);
	CHECK_OK(store_fault_new(mem, &fault, &err), &err);
	CHECK_OK(store_trace_new(fault, &trace, &err), &err);
	put(mem, "i", 5);
	CHECK_OK(survey_new(trace, "v/", &s, &err), &err);
	CHECK_INT(survey_list(s, trace, "v/i/", fail_third, &calls, &err), ERR_DENIED);
	CHECK_INT(calls, 3);
	survey_free(s);
	store_fault_fail(fault, &plan);
	CHECK_INT(survey_new(trace, "v/", &s, &err), ERR_UNAVAILABLE);
	plan.code = ERR_CORRUPT;
	store_fault_fail(fault, &plan);
	CHECK_OK(survey_new(trace, "v/", &s, &err), &err);
	check_list(s, trace, "v/i/", 0, 1);
	survey_free(s);
	store_free(trace);
	store_free(fault);
}

int
main(void)
{
	(void)alarm(60);
	test_lists(20, true, true);
	test_lists(SURVEY_MAX - 14, true, true);
	test_lists(SURVEY_MAX - 13, true, false);
	test_lists(SURVEY_MAX - 11, false, false);
	test_lists(SURVEY_MAX + 5, false, false);
	test_empty();
	test_failures();
	return 0;
}
