/* How many requests a command makes of a store in which each of them costs a round trip. */
#include <stdio.h>
#include <unistd.h>

#include "check.h"
#include "cleanup.h"
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

static int
find_copy(void *arg, const struct store_object *object, struct error *err)
{
	(void)err;
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

/* Opening for an export looks at both objects of a key, at each once; only to mend the copy the first is read again. */
static void
test_both_keys(void)
{
	struct export_options o;
	struct volume *v;
	struct counted c;
	struct flow f;
	struct error err;
	char key[200] = "";

	flow_begin(&f);
	flow_make_small_tree(f.source, false);
	o = flow_export_options(f.source);
	CHECK_OK(flow_export(&f, &o, NULL, &err), &err);
	CHECK_OK(store_list(f.store, "volumes/", find_copy, key, &err), &err);
	counted_begin(&c, &f);
	for (uint64_t mends = 0; mends <= 1; mends++) {
		store_trace_forget(c.trace);
		CHECK_OK(volume_open(c.flow.repo, FLOW_VOLUME, true, 0, &v, &err), &err);
		volume_free(v);
		CHECK_INT(store_trace_count(c.trace, "load", "/k/"), 1 + mends);
		/* Looked at, or looked at once it is written. */
		CHECK_INT(store_trace_count(c.trace, "load", "volumes/"), 1);
		CHECK_INT(store_trace_count(c.trace, "put", "volumes/"), mends);
		if (mends == 0)
			CHECK_OK(store_remove(f.store, key, &err), &err);
	}
	counted_end(&c);
	flow_end(&f);
}

enum { SNAPSHOTS = 500 };

/* The flow's snapshot again and again, the n-th made n seconds after it. */
static void
make_snapshots(const struct volume *v)
{
	static const uint8_t random[10];
	struct manifest m;
	struct error err;
	int64_t ms;

	CHECK_OK(snapshot_resolve(v, "latest", &m, &err), &err);
	CHECK(snapshot_id_time(m.snapshot, &ms));
	for (int64_t i = 1; i < SNAPSHOTS; i++) {
		snapshot_id_make(ms + i * 1000, random, m.snapshot);
		m.started.s++;
		m.sequence++;
		CHECK_OK(snapshot_commit(v, &m, &err), &err);
	}
	manifest_wipe(&m);
}

static void
spoil_snapshot(const struct flow *f, const struct volume *v, const char *id, bool missing)
{
	char name[128];
	struct error err;

	(void)snprintf(name, sizeof name, "v/%s/s/%s.json", v->id_hex, id);
	CHECK_OK(store_remove(f->store, name, &err), &err);
	if (!missing)
		CHECK_OK(store_put(f->store, name, "{}", 2, &err), &err);
}

struct seen {
	size_t next, stop_at; /* SIZE_MAX: never */
	const struct snapshot_name *names;
};

static int
see_snapshot(void *arg, size_t i, int code, struct manifest *m, struct error *err)
{
	struct seen *s = arg;

	CHECK_INT(i, s->next++);
	CHECK_INT(code, i == 7 ? ERR_CORRUPT : i == 300 ? ERR_NOT_FOUND : 0);
	CHECK((m == NULL) == (code < 0));
	if (m != NULL)
		CHECK_STR(m->snapshot, s->names[i].id);
	else
		CHECK(strstr(err->msg, s->names[i].id) != NULL);
	return i == s->stop_at ? error_set(err, ERR_DENIED, "enough") : 0;
}

/* A volume with many snapshots, whose requests are counted. */
struct many {
	struct flow f;
	struct counted c;
	struct volume *v;
	char (*ids)[SNAPSHOT_ID_LEN + 1];
	struct snapshot_name names[SNAPSHOTS];
};

static void
many_begin(struct many *m)
{
	struct export_options o;
	struct error err;
	size_t count;

	flow_begin(&m->f);
	flow_make_small_tree(m->f.source, false);
	o = flow_export_options(m->f.source);
	CHECK_OK(flow_export(&m->f, &o, NULL, &err), &err);
	counted_begin(&m->c, &m->f);
	CHECK_OK(volume_open(m->c.flow.repo, FLOW_VOLUME, false, 0, &m->v, &err), &err);
	make_snapshots(m->v);
	CHECK_OK(snapshot_ids(m->v, &m->ids, &count, &err), &err);
	CHECK_INT(count, SNAPSHOTS);
	for (size_t i = 0; i < count; i++)
		m->names[i] = (struct snapshot_name){m->v, m->ids[i]};
}

/* Slow from now on, so that much is under way at the same time. */
static void
many_count(struct many *m)
{
	store_trace_forget(m->c.trace);
	store_trace_delay(m->c.trace, 5);
}

static void
many_end(struct many *m)
{
	free(m->ids);
	volume_free(m->v);
	counted_end(&m->c);
	flow_end(&m->f);
}

/* Manifests are loaded at the same time, told in order, and each only once. */
static void
test_many_snapshots(void)
{
	struct many m;
	struct seen seen = {.names = m.names, .stop_at = SIZE_MAX};
	struct error err;

	many_begin(&m);
	spoil_snapshot(&m.f, m.v, m.ids[7], false);
	spoil_snapshot(&m.f, m.v, m.ids[300], true);
	many_count(&m);
	CHECK_OK(snapshot_each(m.names, SNAPSHOTS, SNAPSHOT_CONNECTIONS, see_snapshot, &seen, &err), &err);
	CHECK_INT(seen.next, SNAPSHOTS);
	CHECK_INT(store_trace_requests(m.c.trace), SNAPSHOTS);
	CHECK(store_trace_parallel(m.c.trace) >= 32);
	CHECK(store_trace_parallel(m.c.trace) <= SNAPSHOT_CONNECTIONS);
	seen = (struct seen){.names = m.names, .stop_at = 100};
	CHECK_INT(snapshot_each(m.names, SNAPSHOTS, SNAPSHOT_CONNECTIONS, see_snapshot, &seen, &err), ERR_DENIED);
	CHECK_INT(seen.next, 101);
	many_end(&m);
}

static int
see_open(void *arg, size_t i, int code, struct manifest *m, struct snapshot *s, struct error *err)
{
	struct seen *seen = arg;

	CHECK_INT(i, seen->next++);
	CHECK_INT(code, i == 7 ? ERR_CORRUPT : 0);
	if (code < 0)
		return 0;
	CHECK_STR(m->snapshot, seen->names[i].id);
	/* The one whose lists are in a pack that is gone is for the listener to open, and to fail. */
	CHECK((s == NULL) == (i == 3));
	CHECK(s == NULL || (&s->manifest == m && s->packlist != NULL));
	if (i == 3)
		CHECK_INT(snapshot_open(seen->names[i].volume, m, &s, err), ERR_CORRUPT);
	return i == seen->stop_at ? error_set(err, ERR_DENIED, "enough") : 0;
}

enum { FEW = 40 };

/* The snapshot's lists are in packs that do not exist. */
static void
lose_lists(const struct flow *f, const struct volume *v, const char *id)
{
	struct manifest m;
	struct error err;

	CHECK_OK(snapshot_load(v, id, &m, &err), &err);
	spoil_snapshot(f, v, id, true);
	for (size_t i = 0; i < m.nroot; i++)
		m.root[i].seq += 1000;
	for (size_t i = 0; i < m.npacklist; i++)
		m.packlist[i].seq += 1000;
	CHECK_OK(snapshot_commit(v, &m, &err), &err);
	manifest_wipe(&m);
}

/* Snapshots are opened at the same time, with two requests each, and told in order. */
static void
test_many_opened(void)
{
	struct many m;
	struct seen seen = {.names = m.names, .stop_at = SIZE_MAX};
	struct error err;

	many_begin(&m);
	spoil_snapshot(&m.f, m.v, m.ids[7], false);
	lose_lists(&m.f, m.v, m.ids[3]);
	many_count(&m);
	CHECK_OK(snapshot_each_open(m.names, FEW, 8, see_open, &seen, &err), &err);
	CHECK_INT(seen.next, FEW);
	CHECK(store_trace_parallel(m.c.trace) >= 4);
	/* Eight, and what cannot be opened ahead is opened by who is told, while they go on. */
	CHECK(store_trace_parallel(m.c.trace) <= 8 + 1);
	many_end(&m);
}

int
main(void)
{
	(void)alarm(60);
	test_unchanged_export();
	test_changed_export();
	test_glance(true);
	test_glance(false);
	test_both_keys();
	test_many_snapshots();
	test_many_opened();
	return 0;
}
