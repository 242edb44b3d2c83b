/*
 * Block devices and image files: what source and target have in common, and the source.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "device_internal.h"
#include "error.h"

/* Enough for every device that exists; those with smaller blocks do not mind. */
#define DIRECT_ALIGN 4096u

int
device_new(const char *path, struct device **out, struct error *err)
{
	struct device *d = calloc(1, sizeof *d);

	if (d == NULL)
		return error_nomem(err);
	d->fd = d->direct = -1;
	(void)error_quote(d->name, sizeof d->name, path, strlen(path));
	*out = d;
	return 0;
}

void
device_free(struct device *d)
{
	if (d == NULL)
		return;
	cleanup_close_p(&d->direct);
	cleanup_close_p(&d->fd);
	free(d);
}

int
device_examine(struct device *d, uint64_t *size, struct error *err)
{
	struct stat st;

	if (fstat(d->fd, &st) < 0)
		return error_errno(err, "examine %s", d->name);
	d->block = S_ISBLK(st.st_mode);
	if (!d->block && !S_ISREG(st.st_mode))
		return error_set(err, ERR_USAGE, "%s is neither a block device nor a file", d->name);
	*size = (uint64_t)st.st_size;
	if (d->block && ioctl(d->fd, BLKGETSIZE64, size) < 0)
		return error_errno(err, "ask for the size of %s", d->name);
	return 0;
}

int
device_check_range(const struct device *d, uint64_t offset, uint64_t len, struct error *err)
{
	if (offset <= d->size && len <= d->size - offset)
		return 0;
	return error_set(err, ERR_CORRUPT, "%llu bytes at %llu of %s are behind the end of the volume at %llu",
	    (unsigned long long)len, (unsigned long long)offset, d->name, (unsigned long long)d->size);
}

int
device_open_source(const char *path, struct device **out, struct error *err)
{
	struct device *d = NULL;
	int r;

	*out = NULL;
	r = device_new(path, &d, err);
	if (r < 0)
		return r;
	/* Not to wait for a writer if it is a FIFO; neither devices nor files care. */
	d->fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	r = d->fd < 0 ? error_errno(err, "open %s", d->name) : device_examine(d, &d->size, err);
	if (r < 0) {
		device_free(d);
		return r;
	}
	if (d->block)
		d->direct = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	*out = d;
	return 0;
}

bool
device_is_block(const struct device *d)
{
	return d->block;
}

uint64_t
device_size(const struct device *d)
{
	return d->size;
}

int
device_facts(struct device *d, struct device_facts *out, struct error *err)
{
	struct stat st;
	uint64_t size;
	int r;

	r = device_examine(d, &size, err);
	if (r < 0)
		return r;
	memset(out, 0, sizeof *out);
	out->size = size;
	if (d->block)
		return 0;
	if (fstat(d->fd, &st) < 0)
		return error_errno(err, "examine %s", d->name);
	out->dev = st.st_dev;
	out->ino = st.st_ino;
	out->mtime_s = st.st_mtim.tv_sec;
	out->mtime_ns = (uint32_t)st.st_mtim.tv_nsec;
	out->ctime_s = st.st_ctim.tv_sec;
	out->ctime_ns = (uint32_t)st.st_ctim.tv_nsec;
	return 0;
}

bool
device_facts_equal(const struct device_facts *a, const struct device_facts *b)
{
	return a->size == b->size && a->dev == b->dev && a->ino == b->ino && a->mtime_s == b->mtime_s &&
	       a->mtime_ns == b->mtime_ns && a->ctime_s == b->ctime_s && a->ctime_ns == b->ctime_ns;
}

/* As much as the direct way gives; the rest, if any, goes through the page cache. */
static size_t
read_direct(struct device *d, uint64_t offset, uint8_t *bytes, size_t len)
{
	size_t done = 0;

	if (d->direct < 0 || ((uintptr_t)bytes | offset | len) % DIRECT_ALIGN != 0 ||
	    atomic_load_explicit(&d->direct_refused, memory_order_relaxed))
		return 0;
	while (done < len) {
		ssize_t n = pread(d->direct, bytes + done, len - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EINVAL)
			atomic_store(&d->direct_refused, true);
		if (n <= 0)
			break;
		done += (size_t)n;
		/* Direct reads that end early (behind a bad block) cannot go on where they are. */
		if ((size_t)n % DIRECT_ALIGN != 0)
			break;
	}
	return done;
}

int
device_read(struct device *d, uint64_t offset, void *bytes, size_t len, struct error *err)
{
	uint8_t *p = bytes;
	size_t done;
	int r;

	r = device_check_range(d, offset, len, err);
	if (r < 0)
		return r;
	done = read_direct(d, offset, p, len);
	while (done < len) {
		ssize_t n = pread(d->fd, p + done, len - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, "read %s at %llu", d->name, (unsigned long long)(offset + done));
		if (n == 0)
			return error_set(err, ERR_SYSTEM,
			    "%s ends at %llu, before its end at %llu: it became shorter while it was read", d->name,
			    (unsigned long long)(offset + done), (unsigned long long)d->size);
		done += (size_t)n;
	}
	return 0;
}

int
device_next_data(struct device *d, uint64_t offset, uint64_t *out_start, uint64_t *out_end, struct error *err)
{
	off_t start, end;

	if (offset >= d->size)
		return 0;
	*out_start = offset;
	*out_end = d->size;
	if (d->block)
		return 1;
	/* The position of the descriptor, which this moves, is used by nobody. */
	start = lseek(d->fd, (off_t)offset, SEEK_DATA);
	if (start < 0 && errno == ENXIO)
		return 0;
	if (start < 0 && (errno == EINVAL || errno == EOPNOTSUPP))
		return 1;
	if (start < 0)
		return error_errno(err, "look for data in %s at %llu", d->name, (unsigned long long)offset);
	if ((uint64_t)start >= d->size)
		return 0;
	end = lseek(d->fd, start, SEEK_HOLE);
	*out_start = (uint64_t)start;
	/* A file that shrinks meanwhile is noticed when it is read. */
	if (end > start)
		*out_end = MIN((uint64_t)end, d->size);
	return 1;
}
