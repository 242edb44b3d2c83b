/*
 * Block devices and image files as source and as target.  Devices are tested on a loop device where that is allowed.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "scratch.h"
#include "cleanup.h"
#include "../exporter/device_internal.h"

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)

static char base[256];

static const char *
at(const char *rel)
{
	static char paths[4][512];
	static unsigned next;
	char *p = paths[next++ % 4];

	(void)snprintf(p, sizeof paths[0], "%s/%s", base, rel);
	return p;
}

static void
fill(uint8_t *bytes, size_t len, uint64_t seed)
{
	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(check_random(&seed) | 1);
}

/* An image full of bytes that are not zero. */
static void
make_image(const char *path, uint64_t size)
{
	CLEANUP_FREE uint8_t *bytes = malloc(size);
	CLEANUP_FCLOSE FILE *f = fopen(path, "w");

	CHECK(bytes != NULL && f != NULL);
	fill(bytes, size, 1);
	CHECK_INT(fwrite(bytes, 1, size, f), size);
}

static void
check_bytes(const char *path, uint64_t offset, uint64_t len, bool want_zeros)
{
	CLEANUP_CLOSE int fd = open(path, O_RDONLY);
	CLEANUP_FREE uint8_t *bytes = malloc(len);

	CHECK(fd >= 0 && bytes != NULL);
	CHECK_INT(pread(fd, bytes, len, (off_t)offset), len);
	for (uint64_t i = 0; i < len; i++)
		CHECK((bytes[i] == 0) == want_zeros);
}

static struct stat
stat_of(const char *path)
{
	struct stat st;

	CHECK(stat(path, &st) == 0);
	return st;
}

static void
test_source(void)
{
	CLEANUP_FREE uint8_t *bytes = aligned_alloc(4096, 64 * KIB);
	struct device_facts before, after;
	struct device *d;
	struct error err;
	uint64_t start, end;
	bool sparse;
	int fd;

	CHECK(bytes != NULL);
	CHECK_INT(device_open_source(at("none"), &d, &err), ERR_NOT_FOUND);
	CHECK_INT(device_open_source(base, &d, &err), ERR_USAGE);
	CHECK(mkfifo(at("fifo"), 0600) == 0);
	CHECK_INT(device_open_source(at("fifo"), &d, &err), ERR_USAGE);
	make_image(at("image"), MIB);
	CHECK_OK(device_open_source(at("image"), &d, &err), &err);
	CHECK(!device_is_block(d));
	CHECK_INT(device_size(d), MIB);
	CHECK_OK(device_facts(d, &before, &err), &err);
	CHECK_OK(device_read(d, MIB - 64 * KIB, bytes, 64 * KIB, &err), &err);
	CHECK(bytes[0] != 0 && bytes[64 * KIB - 1] != 0);
	CHECK_INT(device_read(d, MIB - 1, bytes, 2, &err), ERR_CORRUPT);
	CHECK_INT(device_read(d, UINT64_MAX, bytes, 2, &err), ERR_CORRUPT);
	CHECK_OK(device_facts(d, &after, &err), &err);
	CHECK(device_facts_equal(&before, &after));
	CHECK_INT(device_next_data(d, 0, &start, &end, &err), 1);
	CHECK(start == 0 && end == MIB);
	CHECK_INT(device_next_data(d, MIB, &start, &end, &err), 0);
	/* It shrinks while it is read. */
	CHECK(truncate(at("image"), 100) == 0);
	CHECK_INT(device_read(d, 0, bytes, 200, &err), ERR_SYSTEM);
	CHECK_INT(device_next_data(d, 200, &start, &end, &err), 0);
	CHECK_OK(device_facts(d, &after, &err), &err);
	CHECK(!device_facts_equal(&before, &after));
	device_free(d);
	device_free(NULL);

	fd = open(at("sparse"), O_RDWR | O_CREAT, 0600);
	CHECK(fd >= 0 && ftruncate(fd, 64 * MIB) == 0 && pwrite(fd, "data", 4, 32 * MIB) == 4);
	(void)close(fd);
	CHECK_OK(device_open_source(at("sparse"), &d, &err), &err);
	CHECK_INT(device_next_data(d, 0, &start, &end, &err), 1);
	CHECK(start <= 32 * MIB && end > 32 * MIB);
	sparse = end < 64 * MIB;
	if (sparse)
		CHECK_INT(device_next_data(d, end, &start, &end, &err), 0);
	/* What another process appends is not part of the volume. */
	CHECK(truncate(at("sparse"), 96 * MIB) == 0);
	fd = open(at("sparse"), O_WRONLY);
	CHECK(fd >= 0 && pwrite(fd, "more", 4, 80 * MIB) == 4);
	(void)close(fd);
	if (sparse)
		CHECK_INT(device_next_data(d, 48 * MIB, &start, &end, &err), 0);
	device_free(d);
}

static void
test_fresh_image(void)
{
	struct device *d, *second;
	struct error err;

	CHECK_INT(device_open_target(base, MIB, true, &d, &err), ERR_USAGE);
	CHECK_INT(device_open_target(at("no/such"), MIB, true, &d, &err), ERR_NOT_FOUND);
	CHECK_INT(device_open_target(at("huge"), UINT64_MAX, true, &d, &err), ERR_CORRUPT);
	CHECK_OK(device_open_target(at("new"), 64 * MIB, false, &d, &err), &err);
	CHECK_INT(device_open_target(at("new"), 64 * MIB, true, &second, &err), ERR_EXISTS);
	CHECK_OK(device_zero(d, 0, MIB, &err), &err);
	CHECK_OK(device_write(d, MIB, "data", 4, &err), &err);
	CHECK_OK(device_zero(d, 2 * MIB, 62 * MIB, &err), &err);
	CHECK_INT(device_zero(d, 2 * MIB, 62 * MIB + 1, &err), ERR_CORRUPT);
	CHECK_INT(device_write(d, 64 * MIB - 1, "xx", 2, &err), ERR_CORRUPT);
	CHECK_OK(device_finish(d, &err), &err);
	device_free(d);
	CHECK_INT(stat_of(at("new")).st_size, 64 * MIB);
	CHECK_INT(stat_of(at("new")).st_mode & 07777, 0600);
	CHECK((uint64_t)stat_of(at("new")).st_blocks * 512 < 2 * MIB);
	check_bytes(at("new"), MIB, 4, false);
	check_bytes(at("new"), 0, MIB, true);
	CHECK_INT(device_open_target(at("new"), 64 * MIB, false, &d, &err), ERR_EXISTS);
	CHECK_OK(device_open_target(at("nothing"), 0, false, &d, &err), &err);
	CHECK_OK(device_finish(d, &err), &err);
	device_free(d);
	CHECK_INT(stat_of(at("nothing")).st_size, 0);
}

static int
no_fallocate(int fd, int mode, off_t offset, off_t len)
{
	(void)fd, (void)mode, (void)offset, (void)len;
	errno = EOPNOTSUPP;
	return -1;
}

/* An image with old content: what is zero in the volume is zero afterwards, with and without holes in files. */
static void
test_old_image(void)
{
	for (int punch = 0; punch < 2; punch++) {
		struct device *d;
		struct error err;

		make_image(at("old"), 4 * MIB);
		CHECK_OK(device_open_target(at("old"), 3 * MIB, true, &d, &err), &err);
		if (!punch)
			d->fallocate = no_fallocate;
		CHECK_OK(device_zero(d, 100, 2 * MIB, &err), &err);
		CHECK_OK(device_zero(d, 3 * MIB - 10, 10, &err), &err);
		CHECK_OK(device_finish(d, &err), &err);
		device_free(d);
		CHECK_INT(stat_of(at("old")).st_size, 3 * MIB);
		check_bytes(at("old"), 0, 100, false);
		check_bytes(at("old"), 100, 2 * MIB, true);
		check_bytes(at("old"), 2 * MIB + 100, MIB - 110, false);
		check_bytes(at("old"), 3 * MIB - 10, 10, true);
	}
}

static void
test_growing_image(void)
{
	struct device *d;
	struct error err;

	make_image(at("old"), 4 * MIB);
	CHECK_OK(device_open_target(at("old"), 8 * MIB, true, &d, &err), &err);
	CHECK_OK(device_zero(d, 2 * MIB, 6 * MIB, &err), &err);
	CHECK_OK(device_finish(d, &err), &err);
	device_free(d);
	CHECK_INT(stat_of(at("old")).st_size, 8 * MIB);
	check_bytes(at("old"), 0, 2 * MIB, false);
	check_bytes(at("old"), 2 * MIB, 6 * MIB, true);
}

/* A loop device over the file; its descriptor (the device goes away with it), or -1. */
static int
attach(const char *file, char *name, size_t size)
{
	CLEANUP_CLOSE int control = open("/dev/loop-control", O_RDWR);
	CLEANUP_CLOSE int backing = open(file, O_RDWR);
	struct loop_info64 info = {.lo_flags = LO_FLAGS_AUTOCLEAR};

	CHECK(backing >= 0);
	for (int tries = 0; control >= 0 && tries < 16; tries++) {
		int n = ioctl(control, LOOP_CTL_GET_FREE), fd;

		if (n < 0)
			return -1;
		(void)snprintf(name, size, "/dev/loop%d", n);
		fd = open(name, O_RDWR);
		if (fd < 0)
			return -1;
		if (ioctl(fd, LOOP_SET_FD, backing) == 0) {
			CHECK(ioctl(fd, LOOP_SET_STATUS64, &info) == 0);
			return fd;
		}
		(void)close(fd);
	}
	return -1;
}

static unsigned calls;

/* A device without BLKZEROOUT, whose discards leave everything as it was. */
static int
lying_ioctl(int fd, unsigned long request, uint64_t range[2])
{
	(void)fd, (void)range;
	calls++;
	if (request == BLKDISCARD)
		return 0;
	errno = EOPNOTSUPP;
	return -1;
}

/* A device without BLKZEROOUT, whose discards give zeros. */
static int
discarding_ioctl(int fd, unsigned long request, uint64_t range[2])
{
	static const uint8_t zeros[4096];

	if (request != BLKDISCARD) {
		errno = EOPNOTSUPP;
		return -1;
	}
	calls++;
	for (uint64_t i = 0; i < range[1]; i += 512)
		CHECK(pwrite(fd, zeros, 512, (off_t)(range[0] + i)) == 512);
	return 0;
}

static void
test_loop_device(void)
{
	CLEANUP_FREE uint8_t *bytes = aligned_alloc(4096, 256 * KIB);
	int (*const ioctls[])(int, unsigned long, uint64_t[2]) = {NULL, lying_ioctl, discarding_ioctl};
	CLEANUP_CLOSE int loop = -1;
	char name[64];
	struct device *d, *second;
	struct error err;
	uint64_t start, end;

	CHECK(bytes != NULL);
	make_image(at("disk"), 4 * MIB);
	loop = attach(at("disk"), name, sizeof name);
	if (loop < 0) {
		(void)puts("no loop devices here: block devices not tested");
		return;
	}
	CHECK_INT(device_open_target(name, 4 * MIB + 1, true, &d, &err), ERR_USAGE);
	CHECK(strstr(err.msg, "4194304") != NULL && strstr(err.msg, "4194305") != NULL);
	for (size_t i = 0; i < COUNT_OF(ioctls); i++) {
		CHECK_OK(device_open_target(name, 3 * MIB, false, &d, &err), &err);
		CHECK(device_is_block(d));
		CHECK_INT(device_open_target(name, 3 * MIB, false, &second, &err), ERR_DENIED);
		d->ioctl = ioctls[i];
		fill(bytes, 256 * KIB, 2);
		for (uint64_t at_byte = 0; at_byte < 3 * MIB; at_byte += 256 * KIB)
			CHECK_OK(device_write(d, at_byte, bytes, 256 * KIB, &err), &err);
		CHECK_INT(device_write(d, 3 * MIB - 1, bytes, 2, &err), ERR_CORRUPT);
		calls = 0;
		CHECK_OK(device_zero(d, 256 * KIB, 512 * KIB, &err), &err);
		CHECK_OK(device_zero(d, MIB + 100, MIB, &err), &err);
		CHECK_OK(device_zero(d, 3 * MIB - 700, 700, &err), &err);
		CHECK_OK(device_zero(d, 2 * MIB + 600, 3, &err), &err);
		CHECK_INT(calls, i == 0 ? 0 : i == 1 ? 2 : 3);
		/* The kernel was never asked for what it must refuse. */
		CHECK(i != 0 || !d->no_zeroout);
		CHECK_OK(device_finish(d, &err), &err);
		device_free(d);
		check_bytes(name, 0, 256 * KIB, false);
		check_bytes(name, 256 * KIB, 512 * KIB, true);
		check_bytes(name, 768 * KIB, 256 * KIB + 100, false);
		check_bytes(name, MIB + 100, MIB, true);
		check_bytes(name, 2 * MIB + 100, 500, false);
		check_bytes(name, 2 * MIB + 600, 3, true);
		check_bytes(name, 2 * MIB + 603, MIB - 603 - 700, false);
		check_bytes(name, 3 * MIB - 700, 700, true);
		check_bytes(name, 3 * MIB, MIB, false);
	}
	CHECK_OK(device_open_source(name, &d, &err), &err);
	CHECK_INT(device_size(d), 4 * MIB);
	CHECK_INT(device_next_data(d, 5, &start, &end, &err), 1);
	CHECK(start == 5 && end == 4 * MIB);
	CHECK_OK(device_read(d, 256 * KIB, bytes, 256 * KIB, &err), &err);
	CHECK(bytes[0] == 0 && bytes[256 * KIB - 1] == 0);
	CHECK_OK(device_read(d, 0, bytes + 1, 256 * KIB - 1, &err), &err);
	CHECK(bytes[1] != 0 && bytes[256 * KIB - 1] != 0);
	CHECK_OK(device_read(d, 0, bytes, 256 * KIB, &err), &err);
	CHECK(bytes[0] != 0 && bytes[256 * KIB - 1] != 0);
	device_free(d);
}

int
main(void)
{
	static const char *const names[] = {"image", "fifo", "sparse", "new", "nothing", "old", "disk"};

	(void)alarm(60);
	scratch_make(base, sizeof base, "test_device");
	test_source();
	test_fresh_image();
	test_old_image();
	test_growing_image();
	test_loop_device();
	for (size_t i = 0; i < COUNT_OF(names); i++)
		(void)unlink(at(names[i]));
	CHECK(rmdir(base) == 0);
	return 0;
}
