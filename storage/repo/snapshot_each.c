/*
 * Many manifests, loaded at the same time and told in order.
 */
#include <stdlib.h>

#include "error.h"
#include "parallel.h"
#include "snapshot.h"

struct loaded {
	int code;
	struct manifest manifest;
	struct error err;
};

struct each {
	const struct snapshot_name *names;
	snapshot_each_fn *fn;
	void *arg;
};

static void *
make_loaded(void *arg, size_t i)
{
	const struct snapshot_name *name = &((const struct each *)arg)->names[i];
	struct loaded *l = calloc(1, sizeof(*l));

	if (l != NULL)
		l->code = snapshot_load(name->volume, name->id, &l->manifest, &l->err);
	return l;
}

static void
loaded_free(void *result)
{
	struct loaded *l = result;

	if (l->code == 0)
		manifest_wipe(&l->manifest);
	free(l);
}

static int
take_loaded(void *arg, size_t i, void *result, struct error *err)
{
	const struct each *each = arg;
	struct loaded *l = result;
	int r;

	/* Told as if it were loaded only now. */
	if (l->code < 0)
		*err = l->err;
	r = each->fn(each->arg, i, l->code, l->code == 0 ? &l->manifest : NULL, err);
	loaded_free(l);
	return r;
}

int
snapshot_each(const struct snapshot_name *names, size_t count, unsigned connections, snapshot_each_fn *fn, void *arg,
    struct error *err)
{
	struct each each = {.names = names, .fn = fn, .arg = arg};
	const struct parallel p = {.count = count,
	    .threads = connections,
	    .make = make_loaded,
	    .take = take_loaded,
	    .dispose = loaded_free,
	    .arg = &each};

	return parallel_run(&p, err);
}
