/*
 * Every operation of the store fails once, in every way, during every flow; every answer is damaged once.
 *
 * Whatever happens: no crash and no hang, an honest error (or success, when the failure was of something that is not
 * needed), every snapshot that was committed before can be imported, and the next run succeeds.
 */
#include <unistd.h>

#include "check.h"
#include "cleanup.h"
#include "flow.h"

static struct flow f;

/* More operations than any flow here has: a loop that gets there would never end. */
#define MANY 1000

static const struct {
	const char *name;
	enum error_code code;
	bool and_later, after;
} ways[] = {
    {"unavailable once", ERR_UNAVAILABLE, false, false},
    {"failing from there on", ERR_SYSTEM, true, false},
    {"lost answer", ERR_UNAVAILABLE, false, true},
};

/* Which failure the test is at, for whoever reads of an abort. */
static const char *at_flow, *at_way;
static uint64_t at_nth;
static struct error err;

static void
say_where(void)
{
	static char line[800];

	(void)snprintf(
	    line, sizeof line, "at: %s, %s, operation %" PRIu64 ": \"%s\"\n", at_flow, at_way, at_nth, err.msg);
	(void)fputs(line, stderr);
}

#define MUST(cond) \
	do { \
		if (!(cond)) { \
			say_where(); \
			CHECK(cond); \
		} \
	} while (0)

static void
plan_failure(size_t way, uint64_t nth)
{
	const struct store_fault_plan plan = {.ops = STORE_FAULT_ANY,
	    .nth = nth,
	    .and_later = ways[way].and_later,
	    .after = ways[way].after,
	    .code = ways[way].code};

	at_way = ways[way].name;
	at_nth = nth;
	store_fault_fail(f.store, &plan);
}

/* True when the planned failure happened: without it there is nothing more to see. */
static bool
end_failure(uint64_t before, uint64_t nth)
{
	bool happened = store_fault_count(f.store, STORE_FAULT_ANY) - before >= nth;

	store_fault_fail(f.store, NULL);
	return happened;
}

/* ---- init ---- */

static bool
init_fails_at(size_t way, uint64_t nth)
{
	struct secret secret = {SECRET_PASSPHRASE, 4, "test"};
	struct store *mem;
	struct repo *repo = NULL;
	int r;

	repo_free(STEAL(f.repo));
	CHECK_OK(store_mem_open(&mem, &err), &err);
	CHECK_OK(store_fault_new(mem, &f.store, &err), &err);
	plan_failure(way, nth);
	/* The store is the repository's, and gone when this fails. */
	r = repo_init(f.store, &secret, "test", 10, 1700000000, &repo, &err);
	MUST(r == 0 || r == ways[way].code);
	if (r < 0)
		return true;
	f.repo = repo;
	return end_failure(0, nth);
}

/* ---- export ---- */

static void
change_a_little(uint64_t seed)
{
	flow_write(flow_in(f.source, "one"), seed, 2);
	flow_write(flow_in(f.source, "chunk"), seed + 1000, 135 * 1024);
	(void)unlink(flow_in(f.source, "d/new"));
	flow_write(flow_in(f.source, "d/new"), seed, 20);
}

static bool
export_fails_at(size_t way, uint64_t nth, bool incremental)
{
	struct export_options o = flow_export_options(f.source);
	uint64_t before;
	size_t snapshots, added;
	bool happened;
	int r;

	flow_new_repo(&f);
	if (incremental) {
		CHECK_OK(flow_export(&f, &o, NULL, &err), &err);
		change_a_little(nth);
	}
	snapshots = flow_count_snapshots(&f);
	before = store_fault_count(f.store, STORE_FAULT_ANY);
	plan_failure(way, nth);
	r = flow_export(&f, &o, NULL, &err);
	MUST(r == 0 || r == ways[way].code);
	happened = end_failure(before, nth);
	MUST(happened || r == 0);
	/* After a success the snapshot is there.  After a failure it may be: when it could not be read back. */
	added = flow_count_snapshots(&f) - snapshots;
	MUST(added == 1 || (r < 0 && added == 0));
	flow_check_snapshots(&f, f.source, added);
	if (r < 0) {
		CHECK_OK(flow_export(&f, &o, NULL, &err), &err);
		MUST(f.warnings == 0);
		flow_check_snapshots(&f, f.source, 1);
	}
	return happened;
}

static bool
first_export_fails_at(size_t way, uint64_t nth)
{
	return export_fails_at(way, nth, false);
}

static bool
next_export_fails_at(size_t way, uint64_t nth)
{
	return export_fails_at(way, nth, true);
}

/* ---- import ---- */

static bool
import_fails_at(size_t way, uint64_t nth)
{
	struct import_options o = {.target = f.target, .threads = 2, .connections = 2};
	uint64_t before = store_fault_count(f.store, STORE_FAULT_ANY);
	bool happened;
	int r;

	plan_failure(way, nth);
	r = flow_import_with(&f, NULL, &o, NULL, &err);
	MUST(r == 0 || r == ways[way].code);
	happened = end_failure(before, nth);
	MUST(happened || r == 0);
	if (r < 0)
		CHECK_OK(flow_import_with(&f, NULL, &o, NULL, &err), &err);
	MUST(f.warnings == 0);
	MUST(flow_same(f.source, f.target));
	scratch_remove(f.target);
	return happened;
}

static const struct {
	const char *name;
	bool (*fails_at)(size_t way, uint64_t nth);
} flows[] = {
    {"init", init_fails_at},
    {"first export", first_export_fails_at},
    {"next export", next_export_fails_at},
    {"import", import_fails_at},
};

static void
test_failures(void)
{
	for (size_t i = 0; i < COUNT_OF(flows); i++)
		for (size_t way = 0; way < COUNT_OF(ways); way++) {
			uint64_t nth = 1;

			at_flow = flows[i].name;
			while (flows[i].fails_at(way, nth)) {
				MUST(nth < MANY);
				nth++;
			}
			/* The loop was no empty one. */
			MUST(nth > 3);
		}
}

/* ---- damaged answers ---- */

static const size_t places[] = {0, 100, SIZE_MAX / 2, SIZE_MAX};

static bool
is_damage(int r)
{
	/* Damage of a manifest's or slot's text may look like another version, key or id. */
	return r == ERR_CORRUPT || r == ERR_NOT_FOUND || r == ERR_WRONG_KEY || r == ERR_UNSUPPORTED ||
	       r == ERR_NO_REPOSITORY;
}

static void
plan_flip(size_t place, uint64_t nth)
{
	static char name[40];

	(void)snprintf(name, sizeof name, "byte %zu inverted", places[place]);
	at_way = name;
	at_nth = nth;
	store_fault_flip(f.store, nth, places[place], 0x11);
}

static bool
end_flip(uint64_t before, uint64_t nth)
{
	store_fault_flip(f.store, 0, 0, 0);
	return store_fault_count(f.store, STORE_FAULT_GET) - before >= nth;
}

static bool
damaged_import(size_t place, uint64_t nth)
{
	struct import_options o = {.target = f.target, .threads = 2, .connections = 2};
	uint64_t before = store_fault_count(f.store, STORE_FAULT_GET);
	struct import_result result;
	bool happened;
	int r;

	plan_flip(place, nth);
	r = flow_import_with(&f, NULL, &o, &result, &err);
	MUST(r == 0 || is_damage(r));
	happened = end_flip(before, nth);
	MUST(happened || r == 0);
	if (r < 0) {
		o.overwrite = true;
		CHECK_OK(flow_import_with(&f, NULL, &o, NULL, &err), &err);
	}
	MUST(flow_same(f.source, f.target));
	scratch_remove(f.target);
	return happened;
}

static bool
damaged_export(size_t place, uint64_t nth)
{
	struct export_options o = flow_export_options(f.source);
	uint64_t before;
	bool happened;
	int r;

	flow_new_repo(&f);
	CHECK_OK(flow_export(&f, &o, NULL, &err), &err);
	change_a_little(nth + place);
	before = store_fault_count(f.store, STORE_FAULT_GET);
	plan_flip(place, nth);
	r = flow_export(&f, &o, NULL, &err);
	MUST(r == 0 || is_damage(r));
	happened = end_flip(before, nth);
	MUST(happened || r == 0);
	if (r < 0)
		CHECK_OK(flow_export(&f, &o, NULL, &err), &err);
	flow_check_snapshots(&f, f.source, 1);
	return happened;
}

static void
test_damage(void)
{
	struct export_options o = flow_export_options(f.source);

	for (size_t place = 0; place < COUNT_OF(places); place++) {
		at_flow = "damaged export";
		for (uint64_t nth = 1; damaged_export(place, nth); nth++)
			MUST(nth < MANY);
		flow_new_repo(&f);
		CHECK_OK(flow_export(&f, &o, NULL, &err), &err);
		at_flow = "damaged import";
		for (uint64_t nth = 1; damaged_import(place, nth); nth++)
			MUST(nth < MANY);
	}
}

int
main(void)
{
	(void)alarm(120);
	flow_begin(&f);
	flow_make_small_tree(f.source, true);
	test_failures();
	test_damage();
	flow_end(&f);
	return 0;
}
