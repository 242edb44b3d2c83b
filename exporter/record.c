/*
 * The recorder: takes complete items in catalog order, writes them into the catalog, and keeps account of what the
 * snapshot refers to.
 */
#include "record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "attrs.h"
#include "buf.h"
#include "cleanup.h"
#include "content.h"
#include "error.h"
#include "large.h"
#include "source.h"

struct record {
	struct export *x;
	struct catalog_writer *writer;
	struct remembered *links;
	struct content *content; /* for names that must be read here; made when the first one comes */
	struct buf xattrs; /* of an entry whose batch could not keep them */
};

/* The snapshot does not refer to the content of this entry of the base any more; of its segments only to those from
 * `first` on. */
static int
record_release(struct record *k, const struct entry *old, size_t first, struct error *err)
{
	int r = catalog_writer_unaccount(k->writer, old->extents, old->nextents, err);

	for (size_t i = first; r == 0 && i < old->nsegments; i++) {
		uint64_t covers = MIN(SEGMENT_SIZE, old->size - (uint64_t)i * SEGMENT_SIZE);

		r = catalog_writer_unaccount_segment(k->writer, &old->segments[i], covers, NULL, 0, err);
	}
	return r;
}

/* A further link gets the content of the name that was read.  False when there is none. */
static bool
record_link(struct record *k, struct item_entry *ie)
{
	const struct entry *first = remembered_get(k->links, ie->entry.ino, &ie->late);
	struct entry *e = &ie->entry;

	if (first == NULL)
		return false;
	e->flags |= first->flags;
	e->size = first->size;
	memcpy(e->file_id, first->file_id, sizeof e->file_id);
	e->xattrs = first->xattrs;
	e->xattrs_len = first->xattrs_len;
	e->extents = first->extents;
	e->nextents = first->nextents;
	return true;
}

static int
record_add(struct record *k, const struct entry *e, struct error *err)
{
	struct export *x = k->x;

	x->statistics.entries++;
	if (e->type == ENTRY_FILE || e->type == ENTRY_VOLUME) {
		x->statistics.files++;
		x->statistics.bytes += e->size;
	}
	(void)atomic_fetch_add_explicit(&x->progress->entries, 1, memory_order_relaxed);
	return k->writer == NULL ? 0 : catalog_writer_add(k->writer, e, err);
}

/* Attributes that would have made a batch too large.  A change since the content was read shows in the change time. */
static int
record_late(struct record *k, struct item_entry *ie, struct error *err)
{
	struct report *report = k->x->report;
	struct entry *e = &ie->entry;
	CLEANUP_CLOSE int fd = source_open(ie);
	int r;

	e->xattrs = NULL;
	e->xattrs_len = 0;
	if (fd < 0) {
		report_warn(report, e->path, e->path_len, "attributes could not be read: %s", strerror(errno));
		return 0;
	}
	buf_reset(&k->xattrs);
	r = attrs_read_fd(fd, &k->xattrs, err);
	if (r == ERR_NOMEM)
		return r;
	if (r < 0) {
		report_warn(report, e->path, e->path_len, "attributes could not be read: %s", err->msg);
		return 0;
	}
	e->xattrs_len = k->xattrs.len;
	e->xattrs = e->xattrs_len > 0 ? k->xattrs.data : NULL;
	if (!(e->flags & ENTRY_CHANGED) && !source_unchanged(fd, e, k->x->root_dev)) {
		e->flags |= ENTRY_CHANGED;
		report_warn(report, e->path, e->path_len, "changed while it was read: its copy may be inconsistent");
	}
	return 0;
}

static int
record_remember(struct record *k, const struct item_entry *ie, struct error *err)
{
	/* What has grown beyond one segment is read again for each name: what all of them may take is bounded. */
	if (ie->further == 0 || ie->entry.nsegments > 0)
		return 0;
	return remembered_put(k->links, ie->entry.ino, &ie->entry, ie->further, err);
}

/* An entry of a batch that is complete. */
static int
record_complete(struct record *k, struct item_entry *ie, struct error *err)
{
	int r = 0;

	if (ie->old != NULL && (r = record_release(k, ie->old, 0, err)) < 0)
		return r;
	if (ie->dropped)
		return 0;
	if (ie->late && (r = record_late(k, ie, err)) < 0)
		return r;
	if ((r = record_remember(k, ie, err)) < 0)
		return r;
	if (ie->change == ITEM_FRESH)
		r = catalog_writer_account(k->writer, ie->entry.extents, ie->entry.nextents, err);
	return r < 0 ? r : record_add(k, &ie->entry, err);
}

/* ---- large files ---- */

static int
stretch_join(struct stretch *s, struct piece *out, struct error *err)
{
	uint64_t len = 0;
	int r = 0;

	memset(out, 0, sizeof *out);
	for (size_t i = 0; r == 0 && i < s->npieces; i++)
		for (size_t k = 0; r == 0 && k < s->pieces[i].count; k++) {
			len += s->pieces[i].extents[k].len;
			r = piece_add(out, &s->pieces[i].extents[k], err);
		}
	if (r == 0 && len != s->len)
		r = error_set(err, ERR_SYSTEM, "a stretch was not read completely");
	if (r < 0)
		free(STEAL(out->extents));
	return r;
}

static const struct frame_ref *
large_old_segment(const struct large *f, size_t index)
{
	const struct entry *old = f->item.old;

	return old != NULL && index < old->nsegments ? &old->segments[index] : NULL;
}

/* One segment of a file that has several. */
static int
record_segment(struct record *k, struct stretch *s, const struct piece *p, struct error *err)
{
	struct large *f = s->file;
	const struct frame_ref *old = large_old_segment(f, s->index);
	bool same;
	int r;

	if (f->segments == NULL) {
		f->segments = calloc(large_stretches(f), sizeof *f->segments);
		if (f->segments == NULL)
			return error_nomem(err);
	}
	r = catalog_writer_segment(k->writer, p->extents, p->count, old, &f->segments[f->nsegments], &same, err);
	if (r < 0)
		return r;
	f->nsegments++;
	if (old == NULL || same)
		return 0;
	uint64_t covers = MIN(SEGMENT_SIZE, f->item.old->size - (uint64_t)s->index * SEGMENT_SIZE);

	return catalog_writer_unaccount_segment(k->writer, old, covers, s->old_extents, s->old_count, err);
}

/* The file could not be read to its end: forget what of it is in the catalog's account. */
static int
large_discard(struct record *k, struct large *f, struct error *err)
{
	uint64_t size = f->item.entry.size;
	int r = 0;

	for (size_t i = 0; r == 0 && i < f->nsegments; i++)
		r = catalog_writer_unaccount_segment(
		    k->writer, &f->segments[i], MIN(SEGMENT_SIZE, size - (uint64_t)i * SEGMENT_SIZE), NULL, 0, err);
	return r;
}

static void
large_report(struct record *k, struct large *f)
{
	struct entry *e = &f->item.entry;

	switch (atomic_load(&f->failure)) {
	case LARGE_CHANGED:
		e->flags |= ENTRY_CHANGED;
		report_warn(
		    k->x->report, e->path, e->path_len, "changed while it was read: its copy may be inconsistent");
		break;
	case LARGE_UNREADABLE:
		e->flags |= ENTRY_UNREADABLE;
		report_warn(k->x->report, e->path, e->path_len, "content could not be read: %s",
		    strerror(atomic_load(&f->errnum)));
		break;
	default:
		break;
	}
}

/* The last stretch: the entry itself.  p: the extents of a file that has no segments. */
static int
record_large_end(struct record *k, struct large *f, const struct piece *p, struct error *err)
{
	struct entry *e = &f->item.entry;
	bool lost = atomic_load(&f->failure) >= LARGE_UNREADABLE;
	int r = 0;

	large_report(k, f);
	if (f->item.old != NULL && (r = record_release(k, f->item.old, f->nsegments, err)) < 0)
		return r;
	if (lost) {
		r = large_discard(k, f, err);
	} else if (f->nsegments > 0) {
		e->segments = f->segments;
		e->nsegments = f->nsegments;
	} else {
		e->extents = p->extents;
		e->nextents = p->count;
		r = catalog_writer_account(k->writer, p->extents, p->count, err);
	}
	if (r < 0)
		return r;
	if ((r = record_remember(k, &f->item, err)) < 0)
		return r;
	return record_add(k, e, err);
}

static int
record_stretch(struct record *k, struct stretch *s, struct error *err)
{
	struct large *f = s->file;
	struct piece p = {0};
	int r = 0;

	if (k->writer == NULL)
		return s->last ? record_add(k, &f->item.entry, err) : 0;
	if (atomic_load(&f->failure) < LARGE_UNREADABLE) {
		if ((r = stretch_join(s, &p, err)) < 0)
			return r;
		if (f->item.entry.size > SEGMENT_SIZE)
			r = record_segment(k, s, &p, err);
	}
	if (r == 0 && s->last)
		r = record_large_end(k, f, &p, err);
	free(p.extents);
	return r;
}

/* ---- names whose content is not there ---- */

/* All that a content thread and the recorder do, one stretch after the other. */
static int
record_read(struct record *k, struct large *f, struct error *err)
{
	size_t count = large_stretches(f);
	struct item *it;
	int r = k->content == NULL ? content_new(k->x, &k->content, err) : 0;

	for (size_t i = 0; r == 0 && i < count; i++) {
		if ((r = item_new_stretch(f, i, &it, err)) < 0)
			break;
		for (size_t piece = 0; r == 0 && piece < it->stretch->npieces; piece++)
			r = content_piece(k->content, it->stretch, piece, err);
		if (r == 0)
			r = record_stretch(k, it->stretch, err);
		item_free(it);
	}
	return r;
}

/*
 * A further name of a file whose first one gave no content (it vanished, or is another file's by now) is read instead
 * of that, and remembered for those that follow; a file that has grown too large for its batch is read as what it is.
 * Here, because its place in the catalog is waited for; it happens to few, and costs a window and an open pack.
 */
static int
record_again(struct record *k, struct item_entry *ie, struct error *err)
{
	struct large *f;
	int errnum, r = large_open(ie, k->x->root_dev, &f, &errnum, err);

	if (r < 0)
		return r;
	if (r == 0) {
		source_failed(k->x->report, ie, errnum);
		return record_complete(k, ie, err);
	}
	f->item.old = ie->old;
	source_settle(&f->item.entry);
	if (large_stretches(f) > 0) {
		r = record_read(k, f, err);
	} else {
		f->item.folder = folder_ref(ie->folder);
		f->item.name = ie->name;
		f->item.late = true;
		r = record_complete(k, &f->item, err);
		folder_unref(f->item.folder);
	}
	large_unref(f);
	return r;
}

static int
record_entry(struct record *k, struct item_entry *ie, struct error *err)
{
	if (k->writer == NULL)
		return ie->change == ITEM_GONE ? 0 : record_add(k, &ie->entry, err);
	if (ie->change == ITEM_GONE)
		return record_release(k, &ie->entry, 0, err);
	if (ie->grown || (ie->link && !record_link(k, ie)))
		return record_again(k, ie, err);
	return record_complete(k, ie, err);
}

static int
record_item(struct record *k, struct item *it, struct error *err)
{
	struct batch *b = it->batch;
	int r = 0;

	if (b == NULL)
		return record_stretch(k, it->stretch, err);
	for (size_t i = 0; r == 0 && i < b->count; i++)
		r = record_entry(k, &b->entries[i], err);
	return r;
}

int
record_all(struct export *x, struct catalog_writer *writer, struct error *err)
{
	struct record k = {.x = x, .writer = writer, .xattrs = BUF_INIT(ENTRY_XATTRS_MAX)};
	struct item *it;
	int r = remembered_new(&k.links, err);

	while (r == 0 && (it = queue_pop(x->done)) != NULL) {
		size_t places = it->places;

		r = record_item(&k, it, err);
		item_free(it);
		places_give_back(x->places, places);
	}
	if (r == 0 && k.content != NULL)
		r = content_flush(k.content, err);
	content_free(k.content);
	remembered_free(k.links);
	buf_free(&k.xattrs);
	if (r < 0)
		job_fail(x->job, err);
	return job_error(x->job, err);
}
