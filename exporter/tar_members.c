/*
 * What an archive gets: entries of the catalog, read ahead in two lots, of which the one is written while the other is
 * read.
 */
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "error.h"
#include "extents.h"
#include "item.h"
#include "repo.h"
#include "select.h"
#include "tar.h"

struct node {
	struct tar_member member; /* first: what the caller has is a node */
	struct node *after;
};

struct lot {
	struct arena arena; /* with its nodes */
	struct node *last;
};

struct tar_members {
	struct catalog_reader *reader;
	struct selector selector;
	struct tar_links *links;
	struct loader *loader;
	struct report *report;
	struct progress *progress;
	const struct snapshot *snapshot;
	const char *path;
	size_t len;
	bool found, links_full;
	/* Those that were read; the first one is the caller's, once it has been given out. */
	struct lot lots[2];
	size_t writing, reading; /* lots */
	struct node *first, *last;
	bool given;
	/* Where the frames are: the extents of a node, or its beginning; NULL: none that was read has more. */
	struct node *at;
	struct extents extents;
	bool in_extents;
	bool lost; /* a segment could not be read: who writes this file will see why */
	int end; /* 1: of the catalog, negative: err */
	struct error err;
};

/* ---- reading ---- */

/* The selector sees the folders above PATH, as a pass over the whole catalog would show them. */
static int
select_above(struct tar_members *m, struct error *err)
{
	int r = m->len == 0 ? 0 : selector_match(&m->selector, "", 0, true, err);

	for (size_t i = 1; r >= 0 && i < m->len; i++)
		if (m->path[i] == '/')
			r = selector_match(&m->selector, m->path, i, true, err);
	return r < 0 ? r : 0;
}

/* The next entry that is selected: 1, or 0 at the end. */
static int
next_entry(struct tar_members *m, struct entry *e, struct error *err)
{
	int r;

	while ((r = catalog_reader_next(m->reader, e, err)) > 0 &&
	       entry_path_is_within(m->path, m->len, e->path, e->path_len)) {
		m->found = true;
		r = selector_match(&m->selector, e->path, e->path_len, e->type == ENTRY_FOLDER, err);
		if (r != 0)
			return r;
		(void)atomic_fetch_add_explicit(&m->progress->entries, 1, memory_order_relaxed);
	}
	if (r < 0)
		return r;
	return m->found
		   ? 0
		   : error_set(err, ERR_NOT_FOUND, "%s is not in snapshot %s", m->path, m->snapshot->manifest.snapshot);
}

/* What of an entry is never an own member, nor remembered as the first one. */
static bool
is_left_out(const struct entry *e)
{
	return e->type == ENTRY_SOCKET || ((e->flags & ENTRY_UNREADABLE) && e->type != ENTRY_FOLDER);
}

/* Whether the entry is a further name of a member. */
static int
find_link(struct tar_members *m, struct arena *arena, struct tar_member *member, struct error *err)
{
	const struct entry *e = &member->entry;
	const char *path;
	size_t len;
	bool full;
	int r;

	if (e->nlink < 2 || e->type == ENTRY_FOLDER || is_left_out(e))
		return 0;
	r = tar_links_find(m->links, e, &path, &len, &full, err);
	if (full && !m->links_full) {
		m->links_full = true;
		report_note(m->report, e->path, e->path_len,
		    "too many hard links at the same time: from here on some are archived as separate files");
	}
	if (r <= 0)
		return r;
	member->first = arena_copy(arena, path, len);
	member->first_len = len;
	return member->first == NULL ? error_nomem(err) : 0;
}

static int
add_node(struct tar_members *m, const struct entry *e, struct error *err)
{
	struct lot *lot = &m->lots[m->reading];
	struct node *n = arena_alloc(&lot->arena, sizeof *n);
	int r;

	if (n == NULL)
		return error_nomem(err);
	*n = (struct node){0};
	if ((r = item_copy_entry(&lot->arena, e, &n->member.entry, err)) < 0 ||
	    (r = find_link(m, &lot->arena, &n->member, err)) < 0)
		return r;
	*(m->last == NULL ? &m->first : &m->last->after) = n;
	m->last = lot->last = n;
	if (m->at == NULL)
		m->at = n;
	return 0;
}

/* Read one more.  False at the end, after a failure, and when both lots are full. */
static bool
read_one(struct tar_members *m)
{
	struct entry e;
	int r;

	if (m->end != 0)
		return false;
	if (m->lots[m->reading].arena.used >= TAR_MEMBERS_LEN) {
		if (m->reading != m->writing)
			return false;
		m->reading = !m->reading;
	}
	r = next_entry(m, &e, &m->err);
	if (r > 0)
		r = add_node(m, &e, &m->err) < 0 ? m->err.code : 1;
	m->end = r > 0 ? 0 : r < 0 ? r : 1;
	return r > 0;
}

/* ---- frames ---- */

/* Go on to the next node. */
static void
pass(struct tar_members *m)
{
	if (m->in_extents)
		extents_end(&m->extents);
	m->in_extents = m->lost = false;
	m->at = m->at->after;
}

static bool
has_frames(const struct tar_member *m)
{
	return m->entry.type == ENTRY_FILE && m->first == NULL && !is_left_out(&m->entry);
}

bool
tar_members_frame(void *members, struct frame_ref *out)
{
	struct tar_members *m = members;
	const struct extent *x;
	struct error err;
	int r;

	while (!m->lost && (m->at != NULL || read_one(m))) {
		if (!m->in_extents) {
			extents_begin(&m->extents, m->loader, &m->at->member.entry);
			m->in_extents = true;
		}
		r = has_frames(&m->at->member) ? extents_next(&m->extents, &x, &err) : 0;
		if (r > 0 && x->kind == EXTENT_DATA) {
			*out = x->frame;
			return true;
		}
		m->lost = r < 0;
		if (r == 0)
			pass(m);
	}
	return false;
}

/* ---- members ---- */

/* The first one is written. */
static void
drop_first(struct tar_members *m)
{
	struct node *n = m->first;
	struct lot *lot = &m->lots[m->writing];

	if (m->at == n)
		pass(m);
	m->first = n->after;
	if (m->first == NULL)
		m->last = NULL;
	if (n != lot->last)
		return;
	arena_free(&lot->arena);
	lot->last = NULL;
	if (m->reading != m->writing)
		m->writing = m->reading;
}

int
tar_members_next(struct tar_members *m, const struct tar_member **out, struct error *err)
{
	if (m->given)
		drop_first(m);
	m->given = false;
	if (m->first == NULL && !read_one(m)) {
		if (m->end < 0)
			*err = m->err;
		return m->end < 0 ? m->end : 0;
	}
	m->given = true;
	(void)atomic_fetch_add_explicit(&m->progress->entries, 1, memory_order_relaxed);
	*out = &m->first->member;
	return 1;
}

/* ---- beginning and end ---- */

int
tar_members_new(const struct snapshot *s, const char *path, size_t len, const struct selection *selection,
    struct loader *loader, struct report *report, struct progress *progress, struct tar_members **out,
    struct error *err)
{
	struct tar_members *m = calloc(1, sizeof *m);
	int r;

	if (m == NULL)
		return error_nomem(err);
	m->snapshot = s;
	m->path = path;
	m->len = len;
	m->loader = loader;
	m->report = report;
	m->progress = progress;
	selector_init(&m->selector, selection);
	if ((r = tar_links_new(&m->links, err)) == 0 && (r = catalog_reader_new(s, 2, &m->reader, err)) == 0 &&
	    (r = select_above(m, err)) == 0)
		r = catalog_reader_seek(m->reader, path, len, err);
	if (r < 0) {
		tar_members_free(m);
		return r;
	}
	*out = m;
	return 0;
}

void
tar_members_free(struct tar_members *m)
{
	if (m == NULL)
		return;
	if (m->in_extents)
		extents_end(&m->extents);
	arena_free(&m->lots[0].arena);
	arena_free(&m->lots[1].arena);
	catalog_reader_free(m->reader);
	tar_links_free(m->links);
	selector_wipe(&m->selector);
	free(m);
}
