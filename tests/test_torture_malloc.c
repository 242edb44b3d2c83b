/*
 * Allocations fail, one at a time or all from one on, in whatever thread makes them: memory, mappings, threads, and the
 * objects of libraries.
 *
 * Nothing crashes, hangs or leaks; the error is an honest one; and what is in the repository stays good.
 *
 * With a number as argument, so many runs of every flow are made instead of the usual few; 0: one for each allocation.
 */
#include <unistd.h>

#include "check.h"
#include "cleanup.h"
#include "flow.h"
#include "malloc_fault.h"

static struct flow f;
static const struct secret secret = {SECRET_PASSPHRASE, 4, "test"};
static const char *at_flow;

static struct report *
quiet_report(void)
{
	struct report_options o = {.command = "test", .json = true, .quiet = true};
	struct report *report;
	struct error err;

	CHECK_OK(report_new(&o, &report, &err), &err);
	return report;
}

static struct store *
empty_store(void)
{
	struct store *mem;
	struct error err;

	CHECK_OK(store_mem_open(&mem, &err), &err);
	return mem;
}

static int
run_init(struct error *err)
{
	struct store *store = empty_store();
	struct repo *repo = NULL;
	int r;

	malloc_fault_begin(false);
	r = repo_init(store, &secret, "test", 10, 1700000000, &repo, err);
	malloc_fault_end();
	if (r == 0)
		repo_free(repo);
	return r;
}

/* A repository owns its store; this one is lent the store of another. */
static int
lent_get(struct store *s, const char *key, uint64_t offset, void *bytes, size_t len, struct error *err)
{
	(void)s;
	return store_get(f.store, key, offset, bytes, len, err);
}

static int
lent_size(struct store *s, const char *key, uint64_t *out_size, struct error *err)
{
	(void)s;
	return store_size(f.store, key, out_size, err);
}

static int
lent_load(struct store *s, const char *key, size_t limit, struct buf *out, struct error *err)
{
	(void)s;
	return store_load(f.store, key, limit, out, err);
}

static int
lent_list(struct store *s, const char *prefix, store_list_fn *fn, void *arg, struct error *err)
{
	(void)s;
	return store_list(f.store, prefix, fn, arg, err);
}

static void
lent_free(struct store *s)
{
	(void)s;
}

static int
run_open(struct error *err)
{
	static const struct store_ops ops = {.name = "lent",
	    .get = lent_get,
	    .size = lent_size,
	    .load = lent_load,
	    .list = lent_list,
	    .free = lent_free};
	struct store lent = {&ops};
	struct repo *repo = NULL;
	int r;

	malloc_fault_begin(false);
	r = repo_open(&lent, &secret, 1, &repo, err);
	malloc_fault_end();
	if (r == 0)
		repo_free(repo);
	return r;
}

static int
run_export_with(const struct export_options *o, struct error *err)
{
	struct report *report = quiet_report();
	struct manifest m;
	int r;

	flow_clock_forward(10);
	malloc_fault_begin(false);
	r = export_run(f.repo, o, report, &f.progress, &m, err);
	malloc_fault_end();
	report_free(report);
	if (r == 0)
		manifest_wipe(&m);
	return r;
}

static int
run_export(struct error *err)
{
	struct export_options o = flow_export_options(f.source);

	return run_export_with(&o, err);
}

static int
run_first_export(struct error *err)
{
	flow_new_repo(&f);
	return run_export(err);
}

static int
run_full_export(struct error *err)
{
	struct export_options o = flow_export_options(f.source);

	o.full = true;
	return run_export_with(&o, err);
}

static int
run_import(struct error *err)
{
	struct import_options o = {.target = f.target, .threads = 2, .connections = 2, .overwrite = true};
	struct report *report = quiet_report();
	struct import_result result;
	struct volume *v = NULL;
	struct manifest m;
	int r;

	malloc_fault_begin(false);
	r = volume_open(f.repo, FLOW_VOLUME, false, 0, &v, err);
	if (r == 0)
		r = snapshot_resolve(v, "latest", &m, err);
	if (r == 0)
		r = import_run(v, &m, &o, report, &f.progress, &result, err);
	malloc_fault_end();
	volume_free(v);
	report_free(report);
	return r;
}

static const struct {
	const char *name;
	int (*run)(struct error *);
	unsigned long runs; /* about so many */
	bool exports, imports;
} flows[] = {
    {"init", run_init, 1000, false, false},
    {"open", run_open, 1000, false, false},
    {"first export", run_first_export, 150, true, false},
    {"next export", run_export, 150, true, false},
    {"full export", run_full_export, 100, true, false},
    {"import", run_import, 200, false, true},
};

#define MUST(cond) \
	do { \
		if (!(cond)) { \
			(void)fprintf(stderr, "at: %s, allocation %lu: \"%s\"\n", at_flow, nth, err.msg); \
			CHECK(cond); \
		} \
	} while (0)

/* What a failed allocation may lead to: memory or threads are not to be had.  A library does not say why it failed. */
static bool
is_honest(int r)
{
	return r == ERR_NOMEM || r == ERR_SYSTEM;
}

/* Something new for the next export. */
static void
change(unsigned long nth)
{
	flow_write(flow_in(f.source, "one"), nth, 2);
	flow_write(flow_in(f.source, "chunk"), nth + 100000, 135 * 1024);
}

/* The repository is as good as before. */
static void
check_after(size_t i, unsigned long nth)
{
	struct export_options o = flow_export_options(f.source);
	struct error err = {.msg = ""};

	if (flows[i].exports) {
		MUST(flow_export(&f, &o, NULL, &err) == 0);
		flow_check_snapshots(&f, f.source, 1);
	}
	if (flows[i].imports) {
		MUST(flow_import(&f, NULL, f.target, true, NULL, &err) == 0);
		MUST(flow_same(f.source, f.target));
		scratch_remove(f.target);
	}
}

static bool
run_once(size_t i, unsigned long nth, bool and_later, struct error *out)
{
	struct error err = {.msg = ""};
	int r;

	if (flows[i].exports)
		change(nth);
	malloc_fault_plan(nth, and_later);
	r = flows[i].run(&err);
	MUST(r == 0 || is_honest(r));
	MUST(nth > 0 || r == 0);
	*out = err;
	return r == 0;
}

static void
torture(size_t i, unsigned long runs, bool and_later)
{
	struct export_options o = flow_export_options(f.source);
	unsigned long total, step, failed = 0, since = 0;
	struct error err;

	at_flow = flows[i].name;
	flow_new_repo(&f);
	CHECK_OK(flow_export(&f, &o, NULL, &err), &err);
	(void)run_once(i, 0, false, &err);
	total = malloc_fault_calls();
	step = runs == 0 || total < runs ? 1 : total / runs;
	/* With every step another remainder, so that loops do not hide behind the stride. */
	for (unsigned long nth = 1, n = 0; nth <= total; n++, nth = 1 + n * step + n * 7 % step) {
		failed += !run_once(i, nth, and_later, &err);
		/* Dead sessions would pile up, and snapshots; now and then all is looked at. */
		if (++since < 20 && !flows[i].imports)
			continue;
		since = 0;
		check_after(i, nth);
		if (!flows[i].imports) {
			flow_new_repo(&f);
			CHECK_OK(flow_export(&f, &o, NULL, &err), &err);
		}
	}
	check_after(i, total);
	if (getenv("FLOW_VERBOSE") != NULL)
		(void)fprintf(stderr, "%s%s: %lu allocations, every %lu, %lu failed runs\n", at_flow,
		    and_later ? " (all from there)" : "", total, step, failed);
	/* Some things are done without, like deduplication and the removal of intents. */
	CHECK(2 * failed * step > total);
}

int
main(int argc, char **argv)
{
	(void)alarm(argc > 1 ? 3000 : 120);
	flow_begin(&f);
	flow_make_small_tree(f.source, true);
	for (size_t i = 0; i < COUNT_OF(flows); i++) {
		unsigned long runs = argc > 1 ? strtoul(argv[1], NULL, 10) : flows[i].runs;

		torture(i, runs, false);
		torture(i, runs == 0 ? 0 : runs / 4, true);
	}
	flow_end(&f);
	return 0;
}
