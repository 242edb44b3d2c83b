/*
 * Differences between two snapshots.
 */
#include "diff.h"

#include <string.h>

#include "cleanup.h"
#include "error.h"
#include "frames.h"

#define READAHEAD 2

unsigned
diff_metadata(const struct entry *a, const struct entry *b)
{
	unsigned what = 0;

	if (a->type != b->type)
		return DIFF_TYPE;
	if (a->mode != b->mode)
		what |= DIFF_MODE;
	if (a->uid != b->uid || a->gid != b->gid)
		what |= DIFF_OWNER;
	if (a->mtime_s != b->mtime_s || a->mtime_ns != b->mtime_ns)
		what |= DIFF_MTIME;
	if (a->xattrs_len != b->xattrs_len || (a->xattrs_len > 0 && memcmp(a->xattrs, b->xattrs, a->xattrs_len) != 0))
		what |= DIFF_XATTRS;
	if ((a->type == ENTRY_FILE || a->type == ENTRY_VOLUME) && a->size != b->size)
		what |= DIFF_SIZE | DIFF_CONTENT;
	if (a->type == ENTRY_SYMLINK && (a->link_len != b->link_len || memcmp(a->link, b->link, a->link_len) != 0))
		what |= DIFF_LINK;
	if ((a->type == ENTRY_CHAR_DEVICE || a->type == ENTRY_BLOCK_DEVICE) &&
	    (a->dev_major != b->dev_major || a->dev_minor != b->dev_minor))
		what |= DIFF_DEVICE;
	return what;
}

int
diff_tell(const struct diff *d, char kind, const struct entry *e, unsigned what, struct error *err)
{
	struct diff_change change = {.kind = kind, .what = what, .path = e->path, .path_len = e->path_len};

	return d->fn(d->arg, &change, err);
}

struct pair {
	const struct diff *d;
	struct diff_side a, b;
};

static int
enough(void *arg, uint64_t offset, uint64_t len, struct error *err)
{
	(void)arg;
	(void)offset;
	(void)len;
	(void)err;
	return 1;
}

static int
tell_range(void *arg, uint64_t offset, uint64_t len, struct error *err)
{
	const struct diff *d = arg;
	struct diff_change change = {.kind = 'M', .what = DIFF_CONTENT, .path = "", .offset = offset, .length = len};

	return d->fn(d->arg, &change, err);
}

/* Devices tell which stretches differ, and what one is longer. */
static int
compare_devices(struct pair *p, const struct entry *a, const struct entry *b, struct error *err)
{
	int r = a->size != b->size ? diff_tell(p->d, 'M', a, DIFF_SIZE, err) : 0;

	if (r == 0)
		r = diff_contents(&p->a, &p->b, tell_range, (void *)p->d, err);
	if (r == 0 && a->size != b->size)
		r = tell_range((void *)p->d, MIN(a->size, b->size), MAX(a->size, b->size) - MIN(a->size, b->size), err);
	return r;
}

static int
compare_entries(struct pair *p, const struct entry *a, const struct entry *b, struct error *err)
{
	unsigned what = diff_metadata(a, b);
	int r = 0;

	p->a.entry = a;
	p->b.entry = b;
	if (a->type == ENTRY_VOLUME && b->type == ENTRY_VOLUME)
		return compare_devices(p, a, b, err);
	if (a->type == ENTRY_FILE && b->type == ENTRY_FILE && (what & DIFF_CONTENT) == 0) {
		if (((a->flags | b->flags) & ENTRY_UNREADABLE) != 0)
			what |= a->flags == b->flags ? 0 : DIFF_CONTENT;
		else if ((r = diff_contents(&p->a, &p->b, enough, NULL, err)) > 0)
			what |= DIFF_CONTENT;
	}
	if (r < 0)
		return error_prefix(err, "%.*s", (int)MIN(a->path_len, (size_t)200), a->path);
	return what == 0 ? 0 : diff_tell(p->d, 'M', a, what, err);
}

static int
merge(struct pair *p, struct catalog_reader *ra, struct catalog_reader *rb, struct error *err)
{
	struct entry a, b;
	int ha = catalog_reader_next(ra, &a, err), hb = ha < 0 ? 0 : catalog_reader_next(rb, &b, err), r;

	while (ha > 0 || hb > 0) {
		int order = ha <= 0 ? 1 : hb <= 0 ? -1 : entry_path_compare(a.path, a.path_len, b.path, b.path_len);

		if (ha < 0 || hb < 0)
			break;
		(void)atomic_fetch_add_explicit(&p->d->progress->entries, 1, memory_order_relaxed);
		r = order < 0   ? diff_tell(p->d, '-', &a, 0, err)
		    : order > 0 ? diff_tell(p->d, '+', &b, 0, err)
				: compare_entries(p, &a, &b, err);
		if (r < 0)
			return r;
		if (order <= 0)
			ha = catalog_reader_next(ra, &a, err);
		if (order >= 0 && ha >= 0)
			hb = catalog_reader_next(rb, &b, err);
	}
	return ha < 0 ? ha : hb;
}

int
diff_snapshots(const struct diff *d, const struct snapshot *a, const struct snapshot *b, struct error *err)
{
	struct pair p = {.d = d, .a = {.snapshot = a}, .b = {.snapshot = b}};
	struct catalog_reader *ra = NULL, *rb = NULL;
	int r;

	if ((r = catalog_reader_new(a, READAHEAD, &ra, err)) == 0 &&
	    (r = catalog_reader_new(b, READAHEAD, &rb, err)) == 0 &&
	    (r = frames_new(a->volume, a->keyring, &p.a.frames, err)) == 0 &&
	    (r = frames_new(b->volume, b->keyring, &p.b.frames, err)) == 0)
		r = merge(&p, ra, rb, err);
	frames_free(p.a.frames);
	frames_free(p.b.frames);
	catalog_reader_free(ra);
	catalog_reader_free(rb);
	return r;
}
