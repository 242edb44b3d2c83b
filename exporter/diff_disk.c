/*
 * A content of a volume and what is on disk: the disk is read, and its ids are computed; the repository's frames are
 * not needed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chunker.h"
#include "cleanup.h"
#include "device.h"
#include "diff.h"
#include "error.h"
#include "extents.h"
#include "frames.h"

#define ZERO_PIECE CHUNK_FIXED
#define ALIGNMENT  4096 /* lets devices be read past the page cache */

struct diff_disk {
	const struct snapshot *snapshot;
	struct progress *progress;
	struct frames *frames; /* for the few parts of frames that have no id of their own */
	struct mac *mac;
	const struct volume_keys *mac_keys;
	uint8_t *bytes; /* FRAME_PLAIN_MAX */
};

/* One comparison. */
struct comparison {
	struct diff_disk *d;
	const struct entry *entry;
	int fd;
	struct device *device;
	uint64_t size; /* of what is on disk */
};

int
diff_disk_new(const struct snapshot *s, struct progress *progress, struct diff_disk **out, struct error *err)
{
	struct diff_disk *d = calloc(1, sizeof *d);
	int r;

	if (d == NULL)
		return error_nomem(err);
	d->snapshot = s;
	d->progress = progress;
	d->bytes = aligned_alloc(ALIGNMENT, FRAME_PLAIN_MAX);
	r = d->bytes == NULL ? error_nomem(err) : frames_new(s->volume, s->keyring, &d->frames, err);
	if (r < 0) {
		diff_disk_free(d);
		return r;
	}
	*out = d;
	return 0;
}

void
diff_disk_free(struct diff_disk *d)
{
	if (d == NULL)
		return;
	frames_free(d->frames);
	mac_free(d->mac);
	free(d->bytes);
	free(d);
}

/* 1: len bytes are in d->bytes; 0: there are not so many. */
static int
read_bytes(struct comparison *c, uint64_t offset, size_t len, struct error *err)
{
	size_t done = 0;

	if (offset + len > c->size)
		return 0;
	(void)atomic_fetch_add_explicit(&c->d->progress->bytes, len, memory_order_relaxed);
	if (c->device != NULL) {
		int r = device_read(c->device, offset, c->d->bytes, len, err);

		return r < 0 ? r : 1;
	}
	while (done < len) {
		ssize_t n = pread(c->fd, c->d->bytes + done, len - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, "read");
		if (n == 0)
			return 0;
		done += (size_t)n;
	}
	return 1;
}

static int
use_mac(struct diff_disk *d, const struct frame_ref *ref, struct error *err)
{
	const struct volume_keys *keys;
	int r = keyring_volume_keys(d->snapshot->keyring, ref->session, &keys, err);

	if (r < 0 || keys == d->mac_keys)
		return r;
	mac_free(d->mac);
	d->mac = NULL;
	d->mac_keys = NULL;
	if ((r = mac_new(keys->chunk_id, &d->mac, err)) == 0)
		d->mac_keys = keys;
	return r;
}

static int
data_differs(struct comparison *c, const struct extent *x, uint64_t offset, bool *out, struct error *err)
{
	struct diff_disk *d = c->d;
	bool whole = x->frame_offset == 0 && x->len == x->frame.plen, bundled = entry_in_bundle(c->entry);
	uint8_t type = bundled ? FRAME_FILE : x->frame.type, id[ID_LEN];
	const uint8_t *plain;
	int r = read_bytes(c, offset, (size_t)x->len, err);

	*out = true;
	if (r <= 0)
		return r;
	if (!whole && !bundled) {
		if ((r = frames_load(d->frames, &x->frame, &plain, err)) < 0)
			return r;
		*out = memcmp(plain + x->frame_offset, d->bytes, (size_t)x->len) != 0;
		return 0;
	}
	if ((r = use_mac(d, &x->frame, err)) < 0 ||
	    (r = mac_compute(d->mac, &type, 1, d->bytes, (size_t)x->len, id, err)) < 0)
		return r;
	*out = memcmp(id, bundled ? c->entry->file_id : x->frame.id, ID_SHORT) != 0;
	return 0;
}

/* The next stretch at or behind offset that may hold data; offset == end when there is none before end. */
static int
next_data(struct comparison *c, uint64_t *offset, uint64_t end, struct error *err)
{
	uint64_t start, stop;
	off_t at;
	int r;

	if (c->device != NULL) {
		if ((r = device_next_data(c->device, *offset, &start, &stop, err)) < 0)
			return r;
		if (r == 0)
			start = end;
		*offset = MAX(start, *offset);
		*offset = MIN(*offset, end);
		return 0;
	}
	at = lseek(c->fd, (off_t)*offset, SEEK_DATA);
	if (at >= 0)
		*offset = MIN((uint64_t)at, end);
	else if (errno == ENXIO)
		*offset = end;
	/* File systems that know no holes have data everywhere. */
	return 0;
}

/* What should be zeros is told piece by piece: a stretch of them may be most of a device. */
static int
compare_zeros(struct comparison *c, uint64_t offset, uint64_t len, diff_range_fn *fn, void *arg, struct error *err)
{
	uint64_t end = offset + len, last = MIN(end, c->size);
	int r;

	for (;;) {
		size_t n;

		if (offset < c->size && (r = next_data(c, &offset, last, err)) < 0)
			return r;
		if (offset >= end)
			return 0;
		/* The disk ends here. */
		if (offset >= c->size)
			return fn(arg, offset, end - offset, err);
		n = (size_t)MIN(last - offset, (uint64_t)ZERO_PIECE);
		if ((r = read_bytes(c, offset, n, err)) < 0)
			return r;
		if ((r == 0 || !chunker_is_zero(c->d->bytes, n)) && (r = fn(arg, offset, n, err)) != 0)
			return r;
		offset += n;
	}
}

static int
compare_data(
    struct comparison *c, const struct extent *x, uint64_t offset, diff_range_fn *fn, void *arg, struct error *err)
{
	bool differs;
	int r = data_differs(c, x, offset, &differs, err);

	return r < 0 ? r : differs ? fn(arg, offset, x->len, err) : 0;
}

static int
compare_extents(struct comparison *c, struct extents *all, diff_range_fn *fn, void *arg, struct error *err)
{
	const struct extent *x;
	uint64_t offset = 0;
	int r;

	while ((r = extents_next(all, &x, err)) > 0) {
		r = x->kind == EXTENT_DATA ? compare_data(c, x, offset, fn, arg, err)
					   : compare_zeros(c, offset, x->len, fn, arg, err);
		if (r != 0)
			return r;
		offset += x->len;
	}
	return r;
}

int
diff_disk_compare(struct diff_disk *d, const struct entry *e, int fd, struct device *device, diff_range_fn *fn,
    void *arg, struct error *err)
{
	struct comparison c = {.d = d, .entry = e, .fd = fd, .device = device};
	struct extents all;
	off_t end;
	int r;

	if (device != NULL) {
		c.size = device_size(device);
	} else {
		if ((end = lseek(fd, 0, SEEK_END)) < 0)
			return error_errno(err, "find the end");
		c.size = (uint64_t)end;
	}
	extents_begin(&all, frames_loader(d->frames), e);
	r = compare_extents(&c, &all, fn, arg, err);
	extents_end(&all);
	return r;
}
