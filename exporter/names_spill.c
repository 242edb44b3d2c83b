/*
 * Names that do not fit into memory: sorted runs in a temporary file, merged until one is left.
 *
 * The runs of a level lie behind each other in one region of the file; a pass of merging writes fewer and longer ones
 * to a second region of the same size behind it, the next pass comes back to the first one.
 */
#include "names_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

#include "cleanup.h"
#include "error.h"

#define FAN_IN 16u
#define BUFFER (64u * 1024)

static int
open_temporary(const char *folder)
{
	char path[PATH_MAX];
	int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	/* Not every file system has nameless files. */
	if (fd >= 0 || (size_t)snprintf(path, sizeof path, "%s/snapferry-XXXXXX", folder) >= sizeof path)
		return fd;
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		(void)unlink(path);
	return fd;
}

static int
need_file(struct names *n, struct error *err)
{
	const char *folder = getenv("TMPDIR");

	if (n->file >= 0)
		return 0;
	if (folder == NULL || *folder == '\0')
		folder = "/tmp";
	n->file = open_temporary(folder);
	if (n->file < 0)
		return error_errno(err, "create a temporary file in %s (set TMPDIR to another folder)", folder);
	n->window = malloc(BUFFER);
	return n->window == NULL ? error_nomem(err) : 0;
}

static int
write_at(struct names *n, const uint8_t *bytes, size_t len, uint64_t at, struct error *err)
{
	n->window_len = 0;
	while (len > 0) {
		ssize_t w = pwrite(n->file, bytes, len, (off_t)at);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return error_errno(err, "write names to a temporary file (TMPDIR)");
		bytes += w;
		at += (uint64_t)w;
		len -= (size_t)w;
	}
	return 0;
}

static int
read_at(const struct names *n, uint8_t *out, size_t len, uint64_t at, struct error *err)
{
	while (len > 0) {
		ssize_t r = pread(n->file, out, len, (off_t)at);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return error_errno(err, "read names from a temporary file");
		if (r == 0)
			return error_set(err, ERR_SYSTEM, "a temporary file became shorter");
		out += r;
		at += (uint64_t)r;
		len -= (size_t)r;
	}
	return 0;
}

int
names_spill(struct names *n, struct gather *g, struct error *err)
{
	const uint8_t *sorted;
	size_t len;
	int r;

	if ((r = need_file(n, err)) < 0)
		return r;
	if (g->nruns == g->runs_cap) {
		size_t cap = g->runs_cap == 0 ? 16 : 2 * g->runs_cap;
		struct run *grown = reallocarray(g->runs, cap, sizeof *grown);

		if (grown == NULL)
			return error_nomem(err);
		g->runs = grown;
		g->runs_cap = cap;
	}
	if ((r = names_sort(n, g, &sorted, &len, err)) < 0 || (r = write_at(n, sorted, len, n->file_end, err)) < 0)
		return r;
	g->runs[g->nruns++] = (struct run){n->file_end, len};
	n->file_end += len;
	n->len = g->base;
	g->count = 0;
	return 0;
}

/* A run that is read in order. */
struct source {
	uint8_t *buffer;
	size_t pos, have;
	struct run left;
	bool done;
};

/* The source's next record, whole, is at buffer + pos, or it is done. */
static int
source_fill(const struct names *n, struct source *s, struct error *err)
{
	size_t rest = s->have - s->pos, more;
	int r;

	if (rest >= RECORD_HEAD && rest >= record_len(s->buffer + s->pos))
		return 0;
	memmove(s->buffer, s->buffer + s->pos, rest);
	more = (size_t)MIN(s->left.len, (uint64_t)(BUFFER - rest));
	if ((r = read_at(n, s->buffer + rest, more, s->left.at, err)) < 0)
		return r;
	s->left.at += more;
	s->left.len -= more;
	s->pos = 0;
	s->have = rest + more;
	s->done = s->have == 0;
	return 0;
}

struct merger {
	struct source sources[FAN_IN];
	size_t nsources;
	uint8_t *out;
	size_t out_len;
	uint64_t out_at;
	uint8_t last[RECORD_MAX]; /* written; of no name at first */
	uint8_t *memory;
};

static void
free_merger(struct merger *m)
{
	free(m->memory);
}

static struct source *
smallest(struct merger *m)
{
	struct source *best = NULL;

	for (size_t i = 0; i < m->nsources; i++) {
		struct source *s = &m->sources[i];

		if (!s->done && (best == NULL || record_compare(s->buffer + s->pos, best->buffer + best->pos) < 0))
			best = s;
	}
	return best;
}

static int
merger_flush(struct names *n, struct merger *m, struct error *err)
{
	int r = write_at(n, m->out, m->out_len, m->out_at, err);

	m->out_at += m->out_len;
	m->out_len = 0;
	return r;
}

/* Merge up to FAN_IN runs into one at m->out_at. */
static int
merge_group(
    struct names *n, struct merger *m, const struct run *runs, size_t nruns, struct run *result, struct error *err)
{
	struct source *s;
	int r;

	*result = (struct run){m->out_at, 0};
	m->nsources = nruns;
	memset(m->last, 0, RECORD_HEAD);
	for (size_t i = 0; i < nruns; i++) {
		m->sources[i] = (struct source){.buffer = m->memory + i * BUFFER, .left = runs[i]};
		if ((r = source_fill(n, &m->sources[i], err)) < 0)
			return r;
	}
	while ((s = smallest(m)) != NULL) {
		const uint8_t *record = s->buffer + s->pos;
		size_t len = record_len(record);

		if (record_compare(record, m->last) != 0) {
			if (m->out_len + len > BUFFER && (r = merger_flush(n, m, err)) < 0)
				return r;
			memcpy(m->out + m->out_len, record, len);
			memcpy(m->last, record, len);
			m->out_len += len;
		}
		s->pos += len;
		if ((r = source_fill(n, s, err)) < 0)
			return r;
	}
	if ((r = merger_flush(n, m, err)) < 0)
		return r;
	result->len = m->out_at - result->at;
	return 0;
}

int
names_merge(struct names *n, struct gather *g, struct level *level, struct error *err)
{
	uint64_t region = n->file_end - level->file_base, to = n->file_end;
	CLEANUP(free_merger) struct merger m = {.memory = NULL};
	int r;

	if (g->nruns > 1) {
		m.memory = malloc((FAN_IN + 1) * (size_t)BUFFER);
		if (m.memory == NULL)
			return error_nomem(err);
		m.out = m.memory + FAN_IN * (size_t)BUFFER;
		n->file_end += region;
	}
	while (g->nruns > 1) {
		size_t groups = 0;

		m.out_at = to;
		for (size_t i = 0; i < g->nruns; i += FAN_IN, groups++) {
			struct run merged;

			if ((r = merge_group(n, &m, g->runs + i, MIN(g->nruns - i, (size_t)FAN_IN), &merged, err)) < 0)
				return r;
			g->runs[groups] = merged;
		}
		g->nruns = groups;
		to = to == level->file_base ? level->file_base + region : level->file_base;
	}
	level->spilled = true;
	level->pos = g->runs[0].at;
	level->end = g->runs[0].at + g->runs[0].len;
	return 0;
}

int
names_spilled_record(struct names *n, uint64_t pos, uint64_t end, const uint8_t **out, struct error *err)
{
	uint64_t skip = pos - n->window_at;
	int r;

	if (pos < n->window_at || skip + RECORD_HEAD > n->window_len ||
	    skip + record_len(n->window + skip) > n->window_len) {
		size_t len = (size_t)MIN(end - pos, (uint64_t)BUFFER);

		n->window_len = 0;
		if ((r = read_at(n, n->window, len, pos, err)) < 0)
			return r;
		n->window_at = pos;
		n->window_len = len;
		skip = 0;
	}
	*out = n->window + skip;
	return 0;
}

void
names_spill_drop(struct names *n, uint64_t end)
{
	n->file_end = end;
	n->window_len = 0;
	/* Gives space back early; nothing depends on it. */
	if (ftruncate(n->file, (off_t)end) < 0)
		return;
}
