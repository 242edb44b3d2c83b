/*
 * Large files and devices: one piece of up to CHUNK_PIECE bytes at a time becomes a list of extents.  Holes are found
 * by SEEK_DATA, zeros by looking; a chunk is taken from the base's file of the same path, from elsewhere in the volume,
 * or stored.
 */
#include "content.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "error.h"
#include "large.h"
#include "source.h"

/* A catalog holds 65,536 extents for a segment; a piece that has more holes than its share stores the rest of them as
 * zeros. */
#define PIECE_EXTENTS_MAX (65536 / (SEGMENT_SIZE / CHUNK_PIECE) - 512)

/* One piece while it is read. */
struct span {
	struct content *c;
	struct stretch *s;
	struct piece *piece;
	int fd; /* -1 for a device */
	enum chunk_method method;
	uint64_t path_hash;
};

/* ---- what the base has in the place of this stretch ---- */

static int
old_load(struct content *c, struct stretch *s, struct error *err)
{
	const struct entry *old = s->file->item.old;
	int r;

	if (old == NULL)
		return 0;
	if (old->nsegments == 0) {
		if (s->index != 0 || old->nextents == 0 || old->nextents > STRETCH_OLD_MAX)
			return 0;
		s->old_extents = malloc(old->nextents * sizeof *old->extents);
		if (s->old_extents == NULL)
			return error_nomem(err);
		memcpy(s->old_extents, old->extents, old->nextents * sizeof *old->extents);
		s->old_count = old->nextents;
		return 0;
	}
	if (s->index >= old->nsegments)
		return 0;
	if (c->loader == NULL && (r = loader_new(c->x->volume, session_keyring(c->x->session), &c->loader, err)) < 0)
		return r;
	if ((r = snapshot_load_segment(c->loader, old, s->index, &s->old_extents, &s->old_count, err)) < 0)
		return r;
	if (s->old_count > STRETCH_OLD_MAX) {
		free(STEAL(s->old_extents));
		s->old_count = 0;
	}
	return 0;
}

static size_t
old_slots(size_t count)
{
	size_t n = 64;

	while (n < 2 * count)
		n *= 2;
	return n;
}

static int
old_index(struct stretch *s, struct error *err)
{
	size_t n = old_slots(s->old_count), slot;

	s->old_hash = calloc(n, sizeof *s->old_hash);
	if (s->old_hash == NULL)
		return error_nomem(err);
	for (size_t i = 0; i < s->old_count; i++) {
		const struct extent *x = &s->old_extents[i];

		if (x->kind != EXTENT_DATA || x->frame.type != FRAME_DATA)
			continue;
		memcpy(&slot, x->frame.id, sizeof slot);
		for (slot &= n - 1; s->old_hash[slot] != 0; slot = (slot + 1) & (n - 1))
			;
		s->old_hash[slot] = (uint32_t)(i + 1);
	}
	return 0;
}

/* Threads that share the stretch load it once. */
static int
old_prepare(struct content *c, struct stretch *s, struct error *err)
{
	int r = 0;

	(void)pthread_mutex_lock(&s->old_lock);
	if (!s->old_loaded) {
		r = old_load(c, s, err);
		if (r == ERR_CORRUPT || r == ERR_NOT_FOUND) {
			/* The base is damaged here: its chunks are no help, and are stored anew. */
			report_warn(c->x->report, s->file->item.entry.path, s->file->item.entry.path_len,
			    "the previous snapshot is damaged here: %s", err->msg);
			r = 0;
		}
		if (r == 0)
			r = old_index(s, err);
		s->old_loaded = r == 0;
	}
	(void)pthread_mutex_unlock(&s->old_lock);
	return r;
}

static const struct frame_ref *
old_find(const struct stretch *s, const uint8_t id[ID_LEN], size_t len)
{
	size_t n = old_slots(s->old_count), slot;

	memcpy(&slot, id, sizeof slot);
	for (slot &= n - 1; s->old_hash[slot] != 0; slot = (slot + 1) & (n - 1)) {
		const struct frame_ref *f = &s->old_extents[s->old_hash[slot] - 1].frame;

		if (f->plen == len && memcmp(f->id, id, ID_SHORT) == 0)
			return f;
	}
	return NULL;
}

/* ---- chunks ---- */

static int
span_plain(struct span *p, uint8_t kind, uint64_t len, struct error *err)
{
	struct extent x = {.kind = kind, .len = len};

	return len == 0 ? 0 : piece_add(p->piece, &x, err);
}

static int
span_chunk(struct span *p, uint64_t pos, const uint8_t *bytes, size_t len, struct error *err)
{
	struct content *c = p->c;
	struct dedup_place place = {.len = (uint32_t)len};
	struct extent x = {.kind = EXTENT_DATA, .len = len};
	const struct frame_ref *old;
	uint8_t id[ID_LEN];
	int r;

	if (chunker_is_zero(bytes, len))
		return span_plain(p, EXTENT_ZEROS, len, err);
	if ((r = packer_id(c->packer, FRAME_DATA, bytes, len, id, err)) < 0)
		return r;
	if ((old = old_find(p->s, id, len)) != NULL) {
		x.frame = *old;
		return piece_add(p->piece, &x, err);
	}
	if ((r = dedup_find(c->x->dedup, FRAME_DATA, id, &place, err)) < 0)
		return r;
	if (r == 0) {
		r = packer_add(c->packer, FRAME_DATA, id, bytes, len, p->path_hash, pos, &place.frame, err);
		if (r < 0)
			return r;
		(void)atomic_fetch_add(&c->x->new_bytes, len);
		dedup_recent(c->x->dedup, FRAME_DATA, id, &place);
	}
	x.frame = place.frame;
	return piece_add(p->piece, &x, err);
}

/* How long the next chunk at pos is, given have bytes. */
static size_t
span_cut(struct span *p, uint64_t pos, const uint8_t *bytes, size_t have)
{
	struct export *x = p->c->x;

	if (p->method == CHUNK_BY_POSITION)
		return MIN(have, CHUNK_FIXED - (size_t)(pos % CHUNK_FIXED));
	if (p->s->file->item.entry.size < CHUNK_AVG)
		return have;
	return chunker_cut(&x->chunker, bytes, have);
}

/* len bytes at pos, or fewer at the end of a file that shrank; -1 and errno. */
static ssize_t
span_read(struct span *p, uint64_t pos, uint8_t *bytes, size_t len, struct error *err)
{
	size_t have = 0;

	if (p->fd < 0) {
		int r = device_read(p->s->file->device, pos, bytes, len, err);

		return r < 0 ? r : (ssize_t)len;
	}
	while (have < len) {
		ssize_t got = pread(p->fd, bytes + have, len - have, (off_t)(pos + have));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_errno(err, "read");
		if (got == 0)
			break;
		have += (size_t)got;
	}
	return (ssize_t)have;
}

/*
 * Data from pos to end.  0, or 1 when the file ends earlier (*out_pos is where), or negative: ERR_SYSTEM and the like
 * from reading are told apart from failures of the export by *out_read_failed.
 */
static int
span_data(struct span *p, uint64_t pos, uint64_t end, uint64_t *out_pos, bool *out_read_failed, struct error *err)
{
	uint8_t *window = p->c->window;
	size_t start = 0, have = 0;
	bool eof = false;
	int r;

	*out_read_failed = false;
	while (pos < end) {
		if (have < CHUNK_MAX && !eof && pos + have < end) {
			size_t want = (size_t)MIN((uint64_t)CONTENT_WINDOW, end - pos) - have;
			ssize_t got;

			memmove(window, window + start, have);
			start = 0;
			got = span_read(p, pos + have, window + have, want, err);
			if (got < 0) {
				*out_read_failed = true;
				return (int)got;
			}
			eof = (size_t)got < want;
			have += (size_t)got;
		}
		if (have == 0)
			break;
		size_t len = span_cut(p, pos, window + start, have);

		if ((r = span_chunk(p, pos, window + start, len, err)) < 0)
			return r;
		(void)atomic_fetch_add(&p->c->x->progress->bytes, len);
		pos += len;
		start += len;
		have -= len;
	}
	*out_pos = pos;
	return pos < end ? 1 : 0;
}

/* The next data at or after pos: [*start, *stop), both at most end; all holes: *start == end. */
static int
span_next_data(struct span *p, uint64_t pos, uint64_t end, uint64_t *start, uint64_t *stop, struct error *err)
{
	off_t data, hole;

	*start = pos;
	*stop = end;
	if (p->piece->count >= PIECE_EXTENTS_MAX)
		return 0;
	if (p->fd < 0) {
		int r = device_next_data(p->s->file->device, pos, start, stop, err);

		*start = r == 1 ? MIN(*start, end) : end;
		*stop = r == 1 ? MIN(*stop, end) : end;
		return r < 0 ? r : 0;
	}
	if (!p->s->file->sparse)
		return 0;
	data = lseek(p->fd, (off_t)pos, SEEK_DATA);
	if (data < 0) {
		/* ENXIO: a hole up to the end of the file.  Anything else: this file system does not know holes. */
		if (errno == ENXIO)
			*start = end;
		return 0;
	}
	hole = lseek(p->fd, data, SEEK_HOLE);
	*start = MIN((uint64_t)data, end);
	if (hole > data)
		*stop = MIN((uint64_t)hole, end);
	return 0;
}

/* Failures to read the source are noted at the file; others end the export. */
static int
span_walk(struct span *p, uint64_t pos, uint64_t end, struct error *err)
{
	uint64_t start, stop;
	bool read_failed;
	int r;

	while (pos < end) {
		if ((r = span_next_data(p, pos, end, &start, &stop, err)) < 0)
			return r;
		if ((r = span_plain(p, EXTENT_HOLE, start - pos, err)) < 0)
			return r;
		(void)atomic_fetch_add(&p->c->x->progress->bytes, start - pos);
		pos = start;
		if (pos == end)
			break;
		r = span_data(p, pos, stop, &pos, &read_failed, err);
		if (r < 0 && read_failed && p->fd >= 0) {
			large_fail(p->s->file, LARGE_UNREADABLE, err->errnum);
			return 0;
		}
		if (r < 0)
			return r;
		if (r == 1) {
			large_fail(p->s->file, LARGE_CHANGED, 0);
			return span_plain(p, EXTENT_HOLE, end - pos, err);
		}
	}
	return 0;
}

/* By what the file is called and begins with: the same answer for all pieces. */
static enum chunk_method
large_method(const struct entry *e, int fd)
{
	uint8_t head[64];
	ssize_t got = pread(fd, head, sizeof head, 0);

	return chunker_choose(e->path, e->path_len, e->size, head, got < 0 ? 0 : (size_t)got);
}

int
content_piece(struct content *c, struct stretch *s, size_t index, struct error *err)
{
	struct large *f = s->file;
	uint64_t base = (uint64_t)s->index * SEGMENT_SIZE, start = base + (uint64_t)index * CHUNK_PIECE;
	uint64_t end = MIN(base + s->len, start + CHUNK_PIECE);
	struct span p = {.c = c, .s = s, .piece = &s->pieces[index], .fd = f->fd, .method = CHUNK_BY_POSITION};
	int r;

	if (atomic_load(&f->failure) >= LARGE_UNREADABLE)
		return 0;
	if ((r = old_prepare(c, s, err)) < 0 || (r = content_path_hash(c, &f->item.entry, &p.path_hash, err)) < 0)
		return r;
	if (f->device != NULL)
		return span_walk(&p, start, end, err);
	p.method = large_method(&f->item.entry, f->fd);
	/* The attributes of the file are read with its first piece. */
	if (start == 0 && (r = content_attributes(c, f->fd, &f->item.entry, &f->arena, err)) < 0)
		return r;
	if ((r = span_walk(&p, start, end, err)) < 0)
		return r;
	if (!source_unchanged(f->fd, &f->item.entry, c->x->root_dev))
		large_fail(f, LARGE_CHANGED, 0);
	return 0;
}
