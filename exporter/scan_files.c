/*
 * The scan of a folder tree: two sorted streams, the live walk and the base's catalog, are merged in one pass and
 * constant memory.
 */
#include <errno.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "cleanup.h"
#include "error.h"
#include "large.h"
#include "scan.h"
#include "source.h"

/* Whether the base's entry is surely still the same thing with the same content and attributes. */
static bool
scan_unchanged(const struct scan *s, const struct entry *old, const struct entry *now)
{
	const struct export *x = s->x;

	return !x->options->full && old->type == now->type && old->flags == now->flags &&
	       (old->ino == now->ino || x->options->ignore_inode) && old->size == now->size &&
	       old->mtime_s == now->mtime_s && old->mtime_ns == now->mtime_ns && old->ctime_s == now->ctime_s &&
	       old->ctime_ns == now->ctime_ns && now->ctime_s < x->trusted_s && old->mode == now->mode &&
	       old->uid == now->uid && old->gid == now->gid && old->nlink == now->nlink &&
	       old->dev_major == now->dev_major && old->dev_minor == now->dev_minor;
}

/* The next entry of the base. */
static int
scan_advance(struct scan *s, struct error *err)
{
	int r = s->reader == NULL ? 0 : catalog_reader_next(s->reader, &s->old, err);

	if (r < 0)
		return error_prefix(err, "previous snapshot %s", s->x->base->manifest.snapshot);
	s->have_old = r == 1;
	return 0;
}

/* An entry of the base that is not needed as it is any more: only content matters, to account for it. */
static bool
entry_refers(const struct entry *e)
{
	return e->nextents > 0 || e->nsegments > 0;
}

static int
scan_give_up_old(struct scan *s, struct error *err)
{
	struct item_entry *ie;
	int r;

	if (!entry_refers(&s->old))
		return 0;
	if ((r = scan_slot(s, item_entry_bytes(&s->old), 0, &ie, err)) < 0)
		return r;
	ie->change = ITEM_GONE;
	return item_copy_entry(&s->batch->batch->arena, &s->old, &ie->entry, err);
}

static int
scan_gone(struct scan *s, struct error *err)
{
	int r = scan_give_up_old(s, err);

	s->x->statistics.deleted++;
	return r < 0 ? r : scan_advance(s, err);
}

static int
scan_keep(struct scan *s, struct error *err)
{
	struct item_entry *ie;
	int r;

	if ((r = scan_slot(s, item_entry_bytes(&s->old), 0, &ie, err)) < 0)
		return r;
	ie->change = ITEM_KEEP;
	if ((r = item_copy_entry(&s->batch->batch->arena, &s->old, &ie->entry, err)) < 0)
		return r;
	s->x->statistics.unchanged++;
	(void)atomic_fetch_add_explicit(&s->x->progress->bytes, s->old.size, memory_order_relaxed);
	return scan_advance(s, err);
}

/* The base's entry under the same path, when it holds references that are given up. */
static int
scan_old(struct scan *s, struct arena *a, struct item_entry *ie, struct error *err)
{
	struct entry *copy;

	if (!s->have_old || !entry_refers(&s->old))
		return 0;
	copy = arena_alloc(a, sizeof *copy);
	if (copy == NULL)
		return error_nomem(err);
	ie->old = copy;
	return item_copy_entry(a, &s->old, copy, err);
}

static size_t
scan_old_bytes(const struct scan *s)
{
	return s->have_old && entry_refers(&s->old) ? sizeof s->old + item_entry_bytes(&s->old) : 0;
}

/* An entry for the current batch. */
static int
scan_put(struct scan *s, const struct walker_node *n, const struct item_entry *what, bool same_path, struct error *err)
{
	size_t bytes = item_entry_bytes(&what->entry) + (same_path ? scan_old_bytes(s) : 0);
	struct item_entry *ie;
	struct batch *b;
	int r;

	if ((r = scan_slot(s, bytes, what->read ? what->entry.size : 0, &ie, err)) < 0)
		return r;
	b = s->batch->batch;
	ie->change = ITEM_FRESH;
	if ((r = item_copy_entry(&b->arena, &what->entry, &ie->entry, err)) < 0 ||
	    (same_path && (r = scan_old(s, &b->arena, ie, err)) < 0))
		return r;
	ie->link = what->link;
	ie->further = what->further;
	ie->read = what->read;
	if (ie->read || ie->link) {
		ie->name = ie->entry.path + (n->name - n->path);
		ie->folder = folder_ref(n->parent);
		b->folders += n->parent != s->last_folder;
		s->last_folder = n->parent;
	}
	return 0;
}

/* It could not be opened, or the name is gone since the walk saw it. */
static int
scan_failed(
    struct scan *s, const struct walker_node *n, struct item_entry *what, bool same_path, int errnum, struct error *err)
{
	what->read = false;
	source_failed(s->x->report, what, errnum);
	if (!what->dropped)
		return scan_put(s, n, what, same_path, err);
	return same_path ? scan_give_up_old(s, err) : 0;
}

/* A large file is opened here, once: whatever happens to its name, all its pieces come from the same file. */
static int
scan_read_large(struct scan *s, const struct walker_node *n, struct item_entry *what, bool same_path, struct error *err)
{
	struct large *f;
	int errnum, r;

	what->folder = n->parent;
	what->name = n->name;
	if ((r = large_open(what, s->x->root_dev, &f, &errnum, err)) < 0)
		return r;
	if (r == 0)
		return scan_failed(s, n, what, same_path, errnum, err);
	if (large_stretches(f) == 0) {
		f->item.read = true;
		r = scan_put(s, n, &f->item, same_path, err);
		large_unref(f);
		return r;
	}
	if (same_path && (r = scan_old(s, &f->arena, &f->item, err)) < 0) {
		large_unref(f);
		return r;
	}
	source_settle(&f->item.entry);
	return scan_large(s, f, err);
}

static int
scan_add(struct scan *s, const struct walker_node *n, const struct entry *now, bool same_path, struct error *err)
{
	struct item_entry what = {.entry = *now};
	enum links_answer links = LINKS_ALONE;
	struct entry *e = &what.entry;
	int r;

	/* A file that something is mounted over cannot be seen. */
	bool seen = e->type == ENTRY_FILE && !n->mount_point;

	if (seen && e->nlink > 1)
		links = links_see(s->links, e, scan_entry_sparse(n), &what.further);
	if (links == LINKS_OTHER)
		e->nlink = 1;
	if (e->type == ENTRY_FILE && n->mount_point)
		e->flags |= ENTRY_UNREADABLE;
	what.link = links == LINKS_FURTHER;
	what.read = seen && !what.link;
	if (what.read && (e->size >= CHUNK_BUNDLED || scan_entry_may_have_holes(n)))
		return scan_read_large(s, n, &what, same_path, err);
	if (e->type != ENTRY_FILE && (r = scan_entry_details(s, n, e, err)) <= 0)
		return r < 0 ? r : scan_failed(s, n, &what, same_path, ENOENT, err);
	return scan_put(s, n, &what, same_path, err);
}

static int
scan_node(struct scan *s, const struct walker_node *n, struct error *err)
{
	struct entry e;
	int r, order = -1;

	if (n->path_len == 0)
		s->x->root_dev = makedev(n->stx.stx_dev_major, n->stx.stx_dev_minor);
	walker_entry(n, s->x->root_dev, &e);
	if (e.type == ENTRY_FOLDER && n->self == NULL && !n->mount_point)
		e.flags |= ENTRY_UNREADABLE;
	while (s->have_old && (order = entry_path_compare(s->old.path, s->old.path_len, e.path, e.path_len)) < 0)
		if ((r = scan_gone(s, err)) < 0)
			return r;
	bool same_path = s->have_old && order == 0;

	if (same_path && scan_unchanged(s, &s->old, &e))
		return scan_keep(s, err);
	if (same_path)
		s->x->statistics.changed++;
	else
		s->x->statistics.added++;
	if ((r = scan_add(s, n, &e, same_path, err)) < 0)
		return r;
	return same_path ? scan_advance(s, err) : 0;
}

static void
scan_notice(void *arg, enum walker_notice notice, const char *path, size_t len, int errnum)
{
	struct report *report = ((struct scan *)arg)->x->report;

	switch (notice) {
	case WALKER_UNREADABLE:
		report_warn(report, path, len, "folder could not be read: %s", strerror(errnum));
		break;
	case WALKER_NO_STAT:
		report_warn(report, path, len, "could not be examined: %s", strerror(errnum));
		break;
	case WALKER_LEFT_OUT_LOST_FOUND:
		report_note(report, path, len, "left out");
		break;
	case WALKER_LEFT_OUT_MOUNT:
		report_note(report, path, len, "another file system is mounted here: its content is left out");
		break;
	case WALKER_TOO_DEEP:
		report_warn(report, path, len, "the path is too long: left out");
		break;
	}
}

/* The walk waits for folders to be closed: some of them may be held by the batch that is being filled. */
static void
scan_on_wait(void *arg)
{
	struct scan *s = arg;
	struct error err;

	if (scan_flush(s, &err) < 0)
		job_fail(s->x->job, &err);
}

static int
scan_open(struct scan *s, struct error *err)
{
	const struct export_options *o = s->x->options;
	struct walker_options w = {.cross_file_systems = o->cross_file_systems,
	    .excludes = o->excludes,
	    .nexcludes = o->nexcludes,
	    .max_folders = 512};
	int r;

	if ((r = links_new(&s->links, err)) < 0 || (r = walker_new(o->source, &w, scan_notice, s, &s->walker, err)) < 0)
		return r;
	walker_on_wait(s->walker, scan_on_wait, s);
	export_set_walker(s->x, s->walker);
	if (s->x->base != NULL && (r = catalog_reader_new(s->x->base, 2, &s->reader, err)) < 0)
		return r;
	if (s->reader != NULL)
		catalog_reader_whole(s->reader);
	return scan_advance(s, err);
}

static int
scan_run(struct scan *s, struct error *err)
{
	struct walker_node n;
	int r;

	if ((r = scan_open(s, err)) < 0)
		return r;
	while ((r = walker_next(s->walker, &n, err)) > 0) {
		if (job_failed(s->x->job))
			return error_set(err, ERR_CANCELLED, "cancelled");
		if ((r = scan_node(s, &n, err)) < 0)
			return r;
	}
	while (r == 0 && s->have_old)
		r = scan_gone(s, err);
	return r < 0 ? r : scan_flush(s, err);
}

void
scan_files(void *arg)
{
	struct scan s = {.x = arg, .text = BUF_INIT(ENTRY_XATTRS_MAX + ENTRY_LINK_MAX + 1)};
	struct error err;

	if (scan_run(&s, &err) < 0)
		job_fail(s.x->job, &err);
	queue_close(s.x->work);
	queue_close(s.x->done);
	export_set_walker(s.x, NULL);
	item_free(s.batch);
	walker_free(s.walker);
	catalog_reader_free(s.reader);
	links_free(s.links);
	buf_free(&s.text);
}
