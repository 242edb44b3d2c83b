#ifndef DEVICE_H_
#define DEVICE_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;

/*
 * A volume that is exported or imported as blocks: a block device, or an image file.
 *
 * Reading and writing are safe from any thread.  A target is never changed outside [0, size of the volume).
 */
struct device;

/* What tells whether an image file was changed while it was read: ask before and after.  Devices have a size only. */
struct device_facts {
	uint64_t size;
	uint64_t dev, ino;
	int64_t mtime_s, ctime_s;
	uint32_t mtime_ns, ctime_ns;
};

/* For reading.  Devices are read past the page cache when memory, offset and length are multiples of 4096.  ERR_USAGE
 * when it is neither a device nor a file. */
int device_open_source(const char *path, struct device **out, struct error *);
/*
 * For writing a volume of this size: an existing device that is not in use (ERR_DENIED; ERR_USAGE when it is smaller
 * than the volume; what lies behind the volume on a larger one stays as it is), else an image file, which is made
 * (0600) if needed.  An image that is not empty is ERR_EXISTS unless overwrite, and has the size of the volume in the
 * end.  ERR_EXISTS as well when another import writes to the image.
 */
int device_open_target(const char *path, uint64_t size, bool overwrite, struct device **out, struct error *);

bool device_is_block(const struct device *);
/* Size of the source, or of the volume that is written to the target. */
uint64_t device_size(const struct device *);
int device_facts(struct device *, struct device_facts *out, struct error *);
bool device_facts_equal(const struct device_facts *, const struct device_facts *);

/* The full length, or an error. */
int device_read(struct device *, uint64_t offset, void *bytes, size_t len, struct error *);
/* 1 and the next stretch at or behind offset that may hold other bytes than zeros (all of a device does), 0 when only
 * zeros follow. */
int device_next_data(struct device *, uint64_t offset, uint64_t *out_start, uint64_t *out_end, struct error *);

int device_write(struct device *, uint64_t offset, const void *bytes, size_t len, struct error *);
/* Make it read as zeros, without writing them if possible.  On an image that was empty this does nothing: what was
 * written before stays. */
int device_zero(struct device *, uint64_t offset, uint64_t len, struct error *);
/* All is written: set the size of an image, and sync to disk. */
int device_finish(struct device *, struct error *);
/* Accepts NULL. */
void device_free(struct device *);

#endif
