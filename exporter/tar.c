/*
 * A pax archive by way of libarchive.
 *
 * libarchive decides once per archive whether names are UTF-8 or bytes, so there are two writers into one stream: one
 * for names that are UTF-8, in a UTF-8 locale of its own, and one for all others.  Only the first one writes the end
 * mark.
 */
#include "tar.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <locale.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cleanup.h"
#include "error.h"
#include "extents.h"
#include "frames.h"

#define BLOCK      512
#define OUT_SIZE   (256u * 1024)
#define ZEROS_SIZE (64u * 1024 * 1024)

enum { NAMES_UTF8, NAMES_BYTES, NAMES_COUNT };

struct tar {
	int fd;
	struct frames *frames;
	struct report *report;
	struct progress *progress;
	struct archive *archives[NAMES_COUNT];
	locale_t utf8, old;
	void *zeros; /* never touched: address space without memory */
	int errnum; /* of the first write that failed */
	bool finished, closing;
	bool in_content; /* of a member, which is not complete yet */
	size_t out_len;
	uint8_t out[OUT_SIZE];
};

/* ---- output ---- */

static bool
out_flush(struct tar *t)
{
	size_t done = 0;

	while (t->errnum == 0 && done < t->out_len) {
		ssize_t n = write(t->fd, t->out + done, t->out_len - done);
		struct pollfd p = {.fd = t->fd, .events = POLLOUT};

		if (n >= 0)
			done += (size_t)n;
		else if (errno == EAGAIN)
			(void)poll(&p, 1, -1);
		else if (errno != EINTR)
			t->errnum = errno;
	}
	t->out_len = 0;
	return t->errnum == 0;
}

static la_ssize_t
out_write(struct archive *a, void *arg, const void *bytes, size_t len)
{
	struct tar *t = arg;
	size_t n = MIN(len, OUT_SIZE - t->out_len);

	if (t->closing) {
		archive_set_error(a, ECANCELED, "closing");
		return -1;
	}
	memcpy(t->out + t->out_len, bytes, n);
	t->out_len += n;
	if (t->out_len == OUT_SIZE && !out_flush(t)) {
		archive_set_error(a, t->errnum, "write");
		return -1;
	}
	return (la_ssize_t)n;
}

bool
tar_pipe_closed(const struct tar *t)
{
	return t->errnum == EPIPE;
}

static int
tar_failed(struct tar *t, struct archive *a, struct error *err)
{
	if (t->errnum != 0) {
		errno = t->errnum;
		return error_errno(err, "write the archive");
	}
	if (archive_errno(a) == ENOMEM)
		return error_nomem(err);
	return error_set(err, ERR_UNSUPPORTED, "cannot be put into an archive: %s", archive_error_string(a));
}

/* ---- the writers ---- */

static int
tar_writer(struct tar *t, int names, struct error *err)
{
	struct archive *a = archive_write_new();

	if (a == NULL)
		return error_nomem(err);
	t->archives[names] = a;
	if (archive_write_set_format_pax(a) != ARCHIVE_OK ||
	    archive_write_set_format_option(a, "pax", "xattrheader", "SCHILY") != ARCHIVE_OK ||
	    (names == NAMES_BYTES && archive_write_set_format_option(a, "pax", "hdrcharset", "BINARY") != ARCHIVE_OK) ||
	    archive_write_set_bytes_per_block(a, 0) != ARCHIVE_OK ||
	    archive_write_open(a, t, NULL, out_write, NULL) != ARCHIVE_OK)
		return tar_failed(t, a, err);
	return 0;
}

int
tar_new(int fd, struct frames *frames, struct report *report, struct progress *progress, struct tar **out,
    struct error *err)
{
	struct tar *t = calloc(1, sizeof *t);
	int r;

	if (t == NULL)
		return error_nomem(err);
	t->fd = fd;
	t->frames = frames;
	t->report = report;
	t->progress = progress;
	t->zeros = mmap(NULL, ZEROS_SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	t->utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	if (t->utf8 != (locale_t)0)
		t->old = uselocale(t->utf8);
	r = t->zeros == MAP_FAILED ? error_errno(err, "reserve address space") : 0;
	if (r == 0)
		r = tar_writer(t, NAMES_UTF8, err);
	if (r == 0)
		r = tar_writer(t, NAMES_BYTES, err);
	if (r < 0) {
		tar_free(t);
		return r;
	}
	*out = t;
	return 0;
}

int
tar_finish(struct tar *t, struct error *err)
{
	int r = archive_write_close(t->archives[NAMES_UTF8]);

	if (r != ARCHIVE_OK || !out_flush(t))
		return tar_failed(t, t->archives[NAMES_UTF8], err);
	t->finished = true;
	return 0;
}

/*
 * A reader notices when content is missing, but many take the end of a member for the end of the archive.  The header
 * of an extended header that does not come makes them fail as well, and names no file.
 */
static void
cut_off(struct tar *t)
{
	char block[BLOCK] = "incomplete";
	unsigned sum = 8 * ' ';

	if (!t->in_content) {
		memcpy(block + 100, "0000600", 8); /* mode, owner, group, size, time */
		memcpy(block + 108, "0000000", 8);
		memcpy(block + 116, "0000000", 8);
		memcpy(block + 124, "00000001000", 12);
		memcpy(block + 136, "00000000000", 12);
		block[156] = 'x';
		memcpy(block + 257, "ustar\00000", 8);
		for (size_t i = 0; i < BLOCK; i++)
			sum += (unsigned char)block[i];
		(void)snprintf(block + 148, 8, "%06o", sum);
		block[155] = ' ';
		if (t->out_len + BLOCK > OUT_SIZE)
			(void)out_flush(t);
		memcpy(t->out + t->out_len, block, BLOCK);
		t->out_len += BLOCK;
	}
	(void)out_flush(t);
}

void
tar_free(struct tar *t)
{
	if (t == NULL)
		return;
	/* Nothing that they still want to write is wanted: no padding of a member, no end mark. */
	t->closing = true;
	for (int i = 0; i < NAMES_COUNT; i++)
		if (t->archives[i] != NULL)
			(void)archive_write_free(t->archives[i]);
	if (!t->finished)
		cut_off(t);
	if (t->zeros != NULL && t->zeros != MAP_FAILED)
		(void)munmap(t->zeros, ZEROS_SIZE);
	if (t->utf8 != (locale_t)0) {
		(void)uselocale(t->old);
		freelocale(t->utf8);
	}
	free(t);
}

/* ---- content ---- */

static int
put_bytes(struct tar *t, struct archive *a, const void *bytes, size_t len, struct error *err)
{
	const uint8_t *p = bytes;

	while (len > 0) {
		la_ssize_t n = archive_write_data(a, p, len);

		if (n <= 0)
			return tar_failed(t, a, err);
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int
put_extent(struct tar *t, struct archive *a, const struct extent *x, struct error *err)
{
	const uint8_t *plain;
	int r = 0;

	if (x->kind == EXTENT_DATA) {
		r = frames_load(t->frames, &x->frame, &plain, err);
		if (r == 0)
			r = put_bytes(t, a, plain + x->frame_offset, (size_t)x->len, err);
		if (r == 0)
			(void)atomic_fetch_add_explicit(&t->progress->bytes, x->len, memory_order_relaxed);
		return r;
	}
	/* Not written where the map has no data, but libarchive counts them. */
	for (uint64_t left = x->len; r == 0 && left > 0; left -= MIN(left, (uint64_t)ZEROS_SIZE))
		r = put_bytes(t, a, t->zeros, (size_t)MIN(left, (uint64_t)ZEROS_SIZE), err);
	if (r == 0)
		(void)atomic_fetch_add_explicit(&t->progress->bytes, x->len, memory_order_relaxed);
	return r;
}

static int
put_content(struct tar *t, struct archive *a, const struct entry *e, struct error *err)
{
	struct extents all;
	const struct extent *x;
	int r;

	extents_begin(&all, frames_loader(t->frames), e);
	while ((r = extents_next(&all, &x, err)) > 0 && (r = put_extent(t, a, x, err)) == 0)
		;
	extents_end(&all);
	return r;
}

/* The map, when there is anything to leave out. */
static int
add_map(struct tar *t, struct archive_entry *ae, const struct entry *e, struct error *err)
{
	struct tar_runs runs = {0};
	struct extents all;
	const struct extent *x;
	uint64_t offset = 0;
	int r = 0;

	extents_begin(&all, frames_loader(t->frames), e);
	while (r == 0 && (r = extents_next(&all, &x, err)) > 0) {
		r = x->kind == EXTENT_DATA ? tar_runs_add(&runs, offset, x->len, err) : 0;
		offset += x->len;
	}
	extents_end(&all);
	if (r == 0 && runs.count == 0 && e->size > 0)
		archive_entry_sparse_add_entry(ae, (la_int64_t)e->size, 0);
	else if (r == 0 && (runs.count > 1 || (runs.count == 1 && runs.runs[0].len != e->size)))
		for (size_t i = 0; i < runs.count; i++)
			archive_entry_sparse_add_entry(
			    ae, (la_int64_t)runs.runs[i].offset, (la_int64_t)runs.runs[i].len);
	tar_runs_wipe(&runs);
	return r;
}

/* ---- members ---- */

static int
put_member(struct tar *t, struct archive_entry *ae, const struct entry *e, bool content, bool utf8, struct error *err)
{
	struct archive *a = t->archives[utf8 ? NAMES_UTF8 : NAMES_BYTES];
	int r = archive_write_header(a, ae);

	if (r < ARCHIVE_WARN)
		return tar_failed(t, a, err);
	if (r == ARCHIVE_WARN)
		report_warn(t->report, e->path, e->path_len, "not archived as it was: %s", archive_error_string(a));
	t->in_content = content && entry_has_content(e);
	if (content && (r = put_content(t, a, e, err)) < 0)
		return r;
	t->in_content = false;
	/* The writers take turns: nothing of this member may come later. */
	return archive_write_finish_entry(a) < ARCHIVE_WARN ? tar_failed(t, a, err) : 0;
}

static int
add_entry(struct tar *t, struct archive_entry *ae, const struct tar_member *m, struct error *err)
{
	const struct entry *e = &m->entry;
	bool utf8 =
	    tar_is_text(e->path, e->path_len) && (e->type != ENTRY_SYMLINK || tar_is_text(e->link, e->link_len));
	int r = tar_header(ae, e, m->first == NULL, err);

	if (r < 0)
		return r;
	if (m->first != NULL) {
		if ((r = tar_set_hardlink(ae, m->first, m->first_len, err)) < 0)
			return r;
		return put_member(t, ae, e, false, utf8 && tar_is_text(m->first, m->first_len), err);
	}
	if (e->type == ENTRY_FILE) {
		archive_entry_set_size(ae, (la_int64_t)e->size);
		if ((r = add_map(t, ae, e, err)) < 0)
			return r;
	}
	return put_member(t, ae, e, e->type == ENTRY_FILE, utf8, err);
}

int
tar_add(struct tar *t, const struct tar_member *m, struct error *err)
{
	const struct entry *e = &m->entry;
	char quoted[300];
	struct archive_entry *ae;
	int r;

	if (e->type == ENTRY_SOCKET) {
		report_note(t->report, e->path, e->path_len, "left out: an archive cannot hold sockets");
		return 0;
	}
	if (e->flags & ENTRY_UNREADABLE)
		report_warn(t->report, e->path, e->path_len,
		    e->type == ENTRY_FOLDER ? "the folder's content could not be read when it was exported"
					    : "left out: it could not be read when it was exported");
	if ((e->flags & ENTRY_UNREADABLE) && e->type != ENTRY_FOLDER)
		return 0;
	if (e->flags & ENTRY_CHANGED)
		report_note(t->report, e->path, e->path_len, "was being changed when it was exported");
	ae = archive_entry_new();
	if (ae == NULL)
		return error_nomem(err);
	r = add_entry(t, ae, m, err);
	archive_entry_free(ae);
	if (r < 0 && t->errnum == 0)
		return error_prefix(err, "%s", error_quote(quoted, sizeof quoted, e->path, e->path_len));
	return r;
}
