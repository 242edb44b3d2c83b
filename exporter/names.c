/* The names of the folders on the way down: reading them, and handing them out. */
#include "names.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cleanup.h"
#include "error.h"
#include "names_internal.h"

/* One system call lists about 4,000 names of usual length. */
#define DIRENTS (128u * 1024)
/* A folder gets at least this part of the limit to sort in, however much the ones above it take. */
#define ROOM_PART 64u

/* What getdents64(2) writes. */
struct kernel_dirent {
	uint64_t ino;
	int64_t off;
	uint16_t reclen;
	uint8_t type;
	char name[];
};

static void
free_gather(struct gather *g)
{
	free(g->runs);
}

int
names_new(size_t limit, struct names **out, struct error *err)
{
	struct names *n = calloc(1, sizeof *n);

	if (n == NULL)
		return error_nomem(err);
	n->limit = limit;
	n->file = -1;
	n->cap = 64 * 1024;
	n->arena = malloc(n->cap);
	n->dirents = malloc(DIRENTS);
	if (n->arena == NULL || n->dirents == NULL) {
		names_free(n);
		return error_nomem(err);
	}
	*out = n;
	return 0;
}

void
names_free(struct names *n)
{
	if (n == NULL)
		return;
	if (n->file >= 0)
		(void)close(n->file);
	free(n->window);
	free(n->levels);
	free(n->dirents);
	free(n->scratch);
	free(n->arena);
	free(n);
}

static int
need_arena(struct names *n, size_t len, struct error *err)
{
	size_t cap = n->cap;
	uint8_t *grown;

	if (len <= n->cap - n->len)
		return 0;
	while (cap - n->len < len)
		cap *= 2;
	grown = realloc(n->arena, cap);
	if (grown == NULL)
		return error_nomem(err);
	n->arena = grown;
	n->cap = cap;
	return 0;
}

/* Take a record that lies at the end of the arena into account: order, and what all names begin with. */
static void
account(struct names *n, struct gather *g)
{
	const uint8_t *record = n->arena + n->len, *first = n->arena + g->base;
	size_t len = record_name_len(record);

	if (g->count == 0) {
		g->common = len;
		g->sorted = true;
	} else {
		size_t i = 0, max = MIN(len, g->common);

		while (i < max && record[RECORD_HEAD + i] == first[RECORD_HEAD + i])
			i++;
		g->common = i;
		/* Equal names are left to names_sort(). */
		g->sorted = g->sorted && record_compare(n->arena + g->last, record) < 0;
	}
	g->last = n->len;
	g->count++;
	n->len += RECORD_HEAD + len;
}

static int
append(struct names *n, struct gather *g, const struct kernel_dirent *d, struct error *err)
{
	size_t len = strnlen(d->name, NAMES_LEN_MAX), used;
	uint8_t *record;
	int r;

	if ((len == 1 && d->name[0] == '.') || (len == 2 && d->name[0] == '.' && d->name[1] == '.'))
		return 0;
	if ((r = need_arena(n, RECORD_HEAD + len, err)) < 0)
		return r;
	record = n->arena + n->len;
	record[0] = d->type;
	record[1] = (uint8_t)len;
	record[2] = (uint8_t)(len >> 8);
	memcpy(record + RECORD_HEAD, d->name, len);
	account(n, g);
	used = n->len - g->base;
	return used + names_sort_room(g->count, used) > g->room ? names_spill(n, g, err) : 0;
}

static int
list(struct names *n, struct gather *g, int fd, int *errnum, struct error *err)
{
	for (;;) {
		long len = syscall(SYS_getdents64, fd, n->dirents, DIRENTS);
		int r;

		if (len < 0 && errno == EINTR)
			continue;
		*errnum = len < 0 ? errno : 0;
		if (len <= 0)
			return 0;
		for (long at = 0; at < len;) {
			const struct kernel_dirent *d = (const void *)(n->dirents + at);

			if ((r = append(n, g, d, err)) < 0)
				return r;
			at += d->reclen;
		}
	}
}

/* Sort what was listed where it lies. */
static int
settle_in_memory(struct names *n, const struct gather *g, struct level *level, struct error *err)
{
	const uint8_t *sorted;
	size_t len;
	int r = g->count == 0 ? 0 : names_sort(n, g, &sorted, &len, err);

	if (r < 0)
		return r;
	if (g->count > 0 && sorted != n->arena + g->base) {
		memcpy(n->arena + g->base, sorted, len);
		n->len = g->base + len;
	}
	level->pos = g->base;
	level->end = n->len;
	return 0;
}

static int
fill_level(struct names *n, struct level *level, int fd, int *errnum, struct error *err)
{
	size_t left = n->len < n->limit ? n->limit - n->len : 0;
	CLEANUP(free_gather) struct gather g = {.base = n->len, .room = MAX(left, n->limit / ROOM_PART)};
	int r;

	if ((r = list(n, &g, fd, errnum, err)) < 0)
		return r;
	if (g.nruns == 0 && (n->len <= n->limit || g.count == 0))
		return settle_in_memory(n, &g, level, err);
	if (g.count > 0 && (r = names_spill(n, &g, err)) < 0)
		return r;
	return names_merge(n, &g, level, err);
}

int
names_push(struct names *n, int fd, int *errnum, struct error *err)
{
	struct level level = {.arena_base = n->len, .file_base = n->file_end};
	int r;

	if (n->depth == n->levels_cap) {
		size_t cap = n->levels_cap == 0 ? 64 : 2 * n->levels_cap;
		struct level *grown = reallocarray(n->levels, cap, sizeof *grown);

		if (grown == NULL)
			return error_nomem(err);
		n->levels = grown;
		n->levels_cap = cap;
	}
	if ((r = fill_level(n, &level, fd, errnum, err)) < 0)
		return r;
	n->levels[n->depth++] = level;
	return 0;
}

int
names_next(struct names *n, struct name *out, struct error *err)
{
	struct level *level = &n->levels[n->depth - 1];
	const uint8_t *record = n->arena + level->pos;
	int r;

	if (level->pos == level->end)
		return 0;
	if (level->spilled && (r = names_spilled_record(n, level->pos, level->end, &record, err)) < 0)
		return r;
	out->type = record[0];
	out->len = record_name_len(record);
	out->bytes = (const char *)record + RECORD_HEAD;
	level->pos += record_len(record);
	return 1;
}

void
names_pop(struct names *n)
{
	const struct level *level = &n->levels[--n->depth];

	n->len = level->arena_base;
	if (level->spilled)
		names_spill_drop(n, level->file_base);
}
