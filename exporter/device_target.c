/*
 * A block device or an image file as the target of an import.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "device_internal.h"
#include "error.h"

#define SECTOR    512u
#define ZEROS_LEN (256u * 1024)

static uint8_t zeros[ZEROS_LEN];

/* O_EXCL on a block device: nobody else, a mounted file system above all, may have it. */
static int
open_block(struct device *d, const char *path, struct error *err)
{
	d->fd = open(path, O_RDWR | O_EXCL | O_CLOEXEC);
	if (d->fd < 0 && errno == EBUSY)
		return error_set(
		    err, ERR_DENIED, "%s is in use (mounted, or part of another device): unmount it first", d->name);
	if (d->fd < 0)
		return error_errno(err, "open %s for writing", d->name);
	return 0;
}

static int
open_image(struct device *d, const char *path, struct error *err)
{
	d->fd = open(path, O_RDWR | O_CREAT | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
	if (d->fd < 0 && errno == EISDIR)
		return error_set(err, ERR_USAGE, "%s is neither a block device nor a file", d->name);
	if (d->fd < 0)
		return error_errno(err, "open %s for writing", d->name);
	return 0;
}

static int
check_block(const struct device *d, uint64_t there, struct error *err)
{
	if (there >= d->size)
		return 0;
	return error_set(err, ERR_USAGE, "%s is too small: it has %llu bytes, the volume has %llu", d->name,
	    (unsigned long long)there, (unsigned long long)d->size);
}

static int
check_image(struct device *d, bool overwrite, struct error *err)
{
	/* File systems that cannot lock are trusted to have one import at a time. */
	if (flock(d->fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
		return error_set(err, ERR_EXISTS, "another import writes to %s", d->name);
	if (d->old_size > 0 && !overwrite)
		return error_set(err, ERR_EXISTS, "%s is not empty: remove it, or allow to overwrite", d->name);
	return 0;
}

static int
open_and_check(struct device *d, const char *path, bool overwrite, struct error *err)
{
	struct stat st;
	uint64_t there;
	bool block = stat(path, &st) == 0 && S_ISBLK(st.st_mode);
	int r;

	r = block ? open_block(d, path, err) : open_image(d, path, err);
	if (r < 0)
		return r;
	r = device_examine(d, &there, err);
	if (r < 0)
		return r;
	if (d->block != block)
		return error_set(err, ERR_USAGE, "%s was replaced while it was opened", d->name);
	if (block)
		return check_block(d, there, err);
	d->old_size = there;
	return check_image(d, overwrite, err);
}

int
device_open_target(const char *path, uint64_t size, bool overwrite, struct device **out, struct error *err)
{
	struct device *d = NULL;
	int r;

	*out = NULL;
	if (size > INT64_MAX)
		return error_set(err, ERR_CORRUPT, "impossible size of a volume");
	r = device_new(path, &d, err);
	if (r < 0)
		return r;
	d->size = size;
	r = open_and_check(d, path, overwrite, err);
	if (r < 0) {
		device_free(d);
		return r;
	}
	*out = d;
	return 0;
}

static int
write_all(struct device *d, uint64_t offset, const uint8_t *p, size_t len, struct error *err)
{
	while (len > 0) {
		ssize_t n = pwrite(d->fd, p, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, "write %s at %llu", d->name, (unsigned long long)offset);
		if (n == 0)
			return error_set(
			    err, ERR_SYSTEM, "%s takes no more bytes at %llu", d->name, (unsigned long long)offset);
		p += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

int
device_write(struct device *d, uint64_t offset, const void *bytes, size_t len, struct error *err)
{
	int r = device_check_range(d, offset, len, err);

	return r < 0 ? r : write_all(d, offset, bytes, len, err);
}

static int
write_zeros(struct device *d, uint64_t offset, uint64_t len, struct error *err)
{
	while (len > 0) {
		size_t n = (size_t)MIN(len, (uint64_t)sizeof zeros);
		int r = write_all(d, offset, zeros, n, err);

		if (r < 0)
			return r;
		offset += n;
		len -= n;
	}
	return 0;
}

static int
zero_image(struct device *d, uint64_t offset, uint64_t len, struct error *err)
{
	/* Behind the old end there is nothing to clear: the file is extended by a hole. */
	if (offset >= d->old_size)
		return 0;
	len = MIN(len, d->old_size - offset);
	while (!atomic_load_explicit(&d->no_punch, memory_order_relaxed)) {
		int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

		if ((d->fallocate != NULL ? d->fallocate : fallocate)(d->fd, mode, (off_t)offset, (off_t)len) == 0)
			return 0;
		if (errno != EINTR)
			atomic_store(&d->no_punch, true);
	}
	return write_zeros(d, offset, len, err);
}

static int
clear_call(struct device *d, unsigned long request, uint64_t offset, uint64_t len)
{
	uint64_t range[2] = {offset, len};
	int r;

	do
		r = d->ioctl != NULL ? d->ioctl(d->fd, request, range) : ioctl(d->fd, request, range);
	while (r < 0 && errno == EINTR);
	return r;
}

/* What a discard leaves behind is up to the device: look. */
static bool
reads_as_zeros(struct device *d, uint64_t offset, uint64_t len)
{
	CLEANUP_FREE uint8_t *bytes = malloc(ZEROS_LEN);

	while (bytes != NULL && len > 0) {
		ssize_t n = pread(d->fd, bytes, (size_t)MIN(len, (uint64_t)ZEROS_LEN), (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 || memcmp(bytes, zeros, (size_t)n) != 0)
			return false;
		offset += (uint64_t)n;
		len -= (uint64_t)n;
	}
	return bytes != NULL;
}

/* Whole sectors of a device. */
static int
zero_sectors(struct device *d, uint64_t offset, uint64_t len, struct error *err)
{
	if (!atomic_load_explicit(&d->no_zeroout, memory_order_relaxed)) {
		if (clear_call(d, BLKZEROOUT, offset, len) == 0)
			return 0;
		atomic_store(&d->no_zeroout, true);
	}
	if (!atomic_load_explicit(&d->no_discard, memory_order_relaxed)) {
		if (clear_call(d, BLKDISCARD, offset, len) == 0 && reads_as_zeros(d, offset, len))
			return 0;
		atomic_store(&d->no_discard, true);
	}
	return write_zeros(d, offset, len, err);
}

static int
zero_block(struct device *d, uint64_t offset, uint64_t len, struct error *err)
{
	uint64_t head = MIN(len, (SECTOR - offset % SECTOR) % SECTOR);
	uint64_t middle = (len - head) / SECTOR * SECTOR;
	int r;

	r = write_zeros(d, offset, head, err);
	if (r == 0 && middle > 0)
		r = zero_sectors(d, offset + head, middle, err);
	if (r == 0)
		r = write_zeros(d, offset + head + middle, len - head - middle, err);
	return r;
}

int
device_zero(struct device *d, uint64_t offset, uint64_t len, struct error *err)
{
	int r = device_check_range(d, offset, len, err);

	if (r < 0 || len == 0)
		return r;
	return d->block ? zero_block(d, offset, len, err) : zero_image(d, offset, len, err);
}

int
device_finish(struct device *d, struct error *err)
{
	int fd;

	if (!d->block && ftruncate(d->fd, (off_t)d->size) < 0)
		return error_errno(err, "set the size of %s", d->name);
	if (fsync(d->fd) < 0)
		return error_errno(err, "sync %s to disk", d->name);
	/* Some file systems tell of failed writes only now. */
	fd = STEAL_FD(d->fd);
	if (close(fd) < 0 && errno != EINTR)
		return error_errno(err, "close %s", d->name);
	return 0;
}
