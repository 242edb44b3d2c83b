/* How many requests a command makes of a store in which each of them costs a round trip. */
#include <stdio.h>
#include <unistd.h>

#include "check.h"
#include "flow.h"
#include "store_trace.h"
#include "survey.h"

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
	check_at_most(&c, 10);
	counted_end(&c);
	flow_check_snapshots(&f, f.source, 2);
	flow_end(&f);
}

/* With changes: what is announced comes before what is stored, and the manifest after all of it. */
static void
test_changed_export(void)
{
	struct export_options o;
	struct counted c;
	struct flow f;
	struct error err;

	flow_begin(&f);
	flow_make_small_tree(f.source, true);
	o = flow_export_options(f.source);
	CHECK_OK(flow_export(&f, &o, NULL, &err), &err);
	flow_write(flow_in(f.source, "more"), 7, 200 * 1024);
	counted_begin(&c, &f);
	CHECK_OK(flow_export(&c.flow, &o, NULL, &err), &err);
	check_at_most(&c, 22);
	CHECK_INT(store_trace_first(c.trace, "put", ""), store_trace_first(c.trace, "put", "/i/"));
	CHECK_INT(store_trace_count(c.trace, "put", "/i/"), 1);
	CHECK_INT(store_trace_count(c.trace, "put", "/p/"), 1);
	CHECK_INT(store_trace_count(c.trace, "put", "/m/"), 2);
	CHECK(store_trace_first(c.trace, "list", "volumes/") != 0);
	CHECK(store_trace_first(c.trace, "list", "volumes/") < store_trace_first(c.trace, "put", "/s/"));
	CHECK(store_trace_first(c.trace, "size", "/i/") < store_trace_first(c.trace, "put", "/s/"));
	CHECK(store_trace_first(c.trace, "remove", "/i/") > store_trace_first(c.trace, "load", "/s/"));
	CHECK_INT(store_trace_count(c.trace, "remove", ""), 1);
	counted_end(&c);
	flow_check_snapshots(&f, f.source, 1);
	flow_end(&f);
}

static int
find_key(void *arg, const struct store_object *object, struct error *err)
{
	(void)err;
	if (strstr(object->key, "/k/") == NULL)
		return 0;
	(void)snprintf(arg, 200, "%s", object->key);
	return 1;
}

/* A key whose first object is missing or damaged: a glance does not do, the copy does, and the export mends it. */
static void
test_glance(bool missing)
{
	struct export_options o;
	struct volume *v;
	struct survey *survey;
	struct flow f;
	struct error err;
	char key[200] = "";

	flow_begin(&f);
	flow_make_small_tree(f.source, false);
	o = flow_export_options(f.source);
	CHECK_INT(volume_glance(f.repo, FLOW_VOLUME, &v, &survey, &err), ERR_NOT_FOUND);
	CHECK_OK(flow_export(&f, &o, NULL, &err), &err);
	CHECK_OK(volume_glance(f.repo, FLOW_VOLUME, &v, &survey, &err), &err);
	CHECK_INT(v->nkeys, 1);
	volume_free(v);
	survey_free(survey);
	CHECK_OK(store_list(f.store, "v/", find_key, key, &err), &err);
	CHECK_OK(store_remove(f.store, key, &err), &err);
	if (!missing)
		CHECK_OK(store_put(f.store, key, "{}", 2, &err), &err);
	CHECK_INT(volume_glance(f.repo, FLOW_VOLUME, &v, &survey, &err), missing ? ERR_NOT_FOUND : ERR_CORRUPT);
	CHECK_OK(flow_export(&f, &o, NULL, &err), &err);
	CHECK_OK(volume_glance(f.repo, FLOW_VOLUME, &v, &survey, &err), &err);
	volume_free(v);
	survey_free(survey);
	/* A further one that does not open may be the newest. */
	memcpy(strrchr(key, '/'), "/00000002-", 10);
	CHECK_OK(store_put(f.store, key, "{}", 2, &err), &err);
	CHECK_INT(volume_glance(f.repo, FLOW_VOLUME, &v, &survey, &err), ERR_CORRUPT);
	CHECK_OK(flow_export(&f, &o, NULL, &err), &err);
	flow_check_snapshots(&f, f.source, 3);
	flow_end(&f);
}

int
main(void)
{
	(void)alarm(60);
	test_unchanged_export();
	test_changed_export();
	test_glance(true);
	test_glance(false);
	return 0;
}
