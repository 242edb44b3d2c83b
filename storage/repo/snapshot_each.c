/*
 * Many snapshots, their manifests loaded or they themselves opened at the same time, and told in order.
 */
#include <stdlib.h>

#include "error.h"
#include "parallel.h"
#include "snapshot.h"

struct loaded {
	int code;
	struct manifest manifest;
	struct snapshot *snapshot; /* opened ahead, with the manifest in it; or NULL */
	struct error err;
};

struct each {
	const struct snapshot_name *names;
	snapshot_each_fn *fn; /* this one, or the other */
	snapshot_each_open_fn *open_fn;
	void *arg;
};

static size_t
plain_size(const struct frame_ref *refs, size_t count)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++)
		n += refs[i].plen;
	return n;
}

/* What cannot be opened is left to who is told: there it fails in its turn, when what goes before it has been told. */
static void
open_ahead(struct loaded *l, const struct snapshot_name *name)
{
	const struct manifest *m = &l->manifest;
	struct error ignored;

	if (plain_size(m->root, m->nroot) + plain_size(m->packlist, m->npacklist) > SNAPSHOT_AHEAD_MAX)
		return;
	if (snapshot_open(name->volume, &l->manifest, &l->snapshot, &ignored) < 0)
		l->code = snapshot_load(name->volume, name->id, &l->manifest, &l->err);
}

static void *
make_loaded(void *arg, size_t i)
{
	const struct each *each = arg;
	const struct snapshot_name *name = &each->names[i];
	struct loaded *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->code = snapshot_load(name->volume, name->id, &l->manifest, &l->err);
	if (l->code == 0 && each->open_fn != NULL)
		open_ahead(l, name);
	return l;
}

static void
loaded_free(void *result)
{
	struct loaded *l = result;

	snapshot_free(l->snapshot);
	if (l->code == 0)
		manifest_wipe(&l->manifest);
	free(l);
}

static int
take_loaded(void *arg, size_t i, void *result, struct error *err)
{
	const struct each *each = arg;
	struct loaded *l = result;
	struct manifest *m = l->code < 0 ? NULL : l->snapshot != NULL ? &l->snapshot->manifest : &l->manifest;
	int r;

	/* Told as if it were loaded only now. */
	if (l->code < 0)
		*err = l->err;
	r = each->open_fn != NULL ? each->open_fn(each->arg, i, l->code, m, l->snapshot, err)
				  : each->fn(each->arg, i, l->code, m, err);
	loaded_free(l);
	return r;
}

static int
run(struct each *each, size_t count, unsigned connections, struct error *err)
{
	const struct parallel p = {.count = count,
	    .threads = connections,
	    .make = make_loaded,
	    .take = take_loaded,
	    .dispose = loaded_free,
	    .arg = each};

	return parallel_run(&p, err);
}

int
snapshot_each(const struct snapshot_name *names, size_t count, unsigned connections, snapshot_each_fn *fn, void *arg,
    struct error *err)
{
	struct each each = {.names = names, .fn = fn, .arg = arg};

	return run(&each, count, connections, err);
}

int
snapshot_each_open(const struct snapshot_name *names, size_t count, unsigned connections, snapshot_each_open_fn *fn,
    void *arg, struct error *err)
{
	struct each each = {.names = names, .open_fn = fn, .arg = arg};

	return run(&each, count, connections, err);
}
