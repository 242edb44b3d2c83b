/* How many requests a command makes of a store in which each of them costs a round trip. */
#include <stdio.h>
#include <unistd.h>

#include "check.h"
#include "flow.h"
#include "store_trace.h"

/* The flow's repository, opened anew through a store that counts. */
struct counted {
	struct flow flow; /* a copy whose repo is the counted one */
	struct store *trace;
};

static void
counted_begin(struct counted *c, const struct flow *f)
{
	struct secret secret = {SECRET_PASSPHRASE, 4, "test"};
	struct error err;

	c->flow = *f;
	CHECK_OK(store_trace_new(f->store, &c->trace, &err), &err);
	CHECK_OK(repo_open(c->trace, &secret, 1, &c->flow.repo, &err), &err);
}

static void
counted_end(struct counted *c)
{
	repo_free(c->flow.repo);
}

/* What a run that fails shows. */
static void
check_at_most(struct counted *c, uint64_t most)
{
	if (store_trace_requests(c->trace) > most)
		store_trace_print(c->trace, stderr);
	CHECK(store_trace_requests(c->trace) <= most);
}

/* Nothing has changed: nothing is announced, nothing stored, and hardly anything asked. */
static void
test_unchanged_export(void)
{
	struct export_options o;
	struct counted c;
	struct flow f;
	struct error err;

	flow_begin(&f);
	flow_make_small_tree(f.source, true);
	o = flow_export_options(f.source);
	CHECK_OK(flow_export(&f, &o, NULL, &err), &err);
	counted_begin(&c, &f);
	CHECK_OK(flow_export(&c.flow, &o, NULL, &err), &err);
	check_at_most(&c, 19);
	counted_end(&c);
	flow_check_snapshots(&f, f.source, 2);
	flow_end(&f);
}

int
main(void)
{
	(void)alarm(60);
	test_unchanged_export();
	return 0;
}
