/*
 * The map of a sparse file, in bounded memory: when there are too many runs, those with the smallest gaps between them
 * are joined.
 */
#include <stdlib.h>

#include "cleanup.h"
#include "error.h"
#include "tar.h"

static uint64_t
runs_end(const struct tar_run *run)
{
	return run->offset + run->len;
}

/* Join neighbours until half of the table is free. */
static void
runs_join(struct tar_runs *r)
{
	while (r->count > TAR_RUNS_MAX / 2) {
		size_t kept = 0;

		r->min_gap = MAX(2 * r->min_gap, UINT64_C(4096));
		for (size_t i = 1; i < r->count; i++) {
			struct tar_run *last = &r->runs[kept];

			if (r->runs[i].offset - runs_end(last) < r->min_gap)
				last->len = runs_end(&r->runs[i]) - last->offset;
			else
				r->runs[++kept] = r->runs[i];
		}
		r->count = kept + 1;
	}
}

int
tar_runs_add(struct tar_runs *r, uint64_t offset, uint64_t len, struct error *err)
{
	struct tar_run *last;

	if (r->count == TAR_RUNS_MAX)
		runs_join(r);
	last = r->count == 0 ? NULL : &r->runs[r->count - 1];
	if (last != NULL && (offset == runs_end(last) || offset - runs_end(last) < r->min_gap)) {
		last->len = offset + len - last->offset;
		return 0;
	}
	if (r->count == r->cap) {
		size_t cap = MAX(2 * r->cap, (size_t)16);
		struct tar_run *grown = reallocarray(r->runs, cap, sizeof *grown);

		if (grown == NULL)
			return error_nomem(err);
		r->runs = grown;
		r->cap = cap;
	}
	r->runs[r->count++] = (struct tar_run){offset, len};
	return 0;
}

void
tar_runs_wipe(struct tar_runs *r)
{
	free(r->runs);
	*r = (struct tar_runs){0};
}
