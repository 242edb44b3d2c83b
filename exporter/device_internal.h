#ifndef DEVICE_INTERNAL_H_
#define DEVICE_INTERNAL_H_

#include <stdatomic.h>
#include <sys/types.h>

#include "device.h"

/* What the parts of device.h share; no one else includes this, except tests. */

struct device {
	int fd;
	int direct; /* the same source with O_DIRECT, or -1 */
	bool block;
	uint64_t size; /* of the volume */
	uint64_t old_size; /* of an image, before anything was written */
	atomic_bool direct_refused; /* the device wants another alignment */

	/* What a target turned out not to be able to do. */
	atomic_bool no_zeroout, no_discard, no_punch;

	/* Tests: the kernel's calls that clear stretches; NULL for the real ones. */
	int (*ioctl)(int fd, unsigned long request, uint64_t range[2]);
	int (*fallocate)(int fd, int mode, off_t offset, off_t len);

	char name[256]; /* printable, for messages */
};

/* device.c */
int device_new(const char *path, struct device **out, struct error *);
/* Size of what is open; tells devices from files. */
int device_examine(struct device *, uint64_t *size, struct error *);
int device_check_range(const struct device *, uint64_t offset, uint64_t len, struct error *);

#endif
