#ifndef DIFF_H_
#define DIFF_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "repo.h"
#include "report.h"

struct device;

/*
 * The differences between two snapshots, or between a snapshot and what is on disk: a merge of two sorted streams.
 * What an import cannot restore is not compared: ctime, inode numbers and counts of links.
 */

/* What differs. */
enum diff_what {
	DIFF_TYPE = 1,
	DIFF_CONTENT = 2,
	DIFF_SIZE = 4,
	DIFF_MODE = 8,
	DIFF_OWNER = 16,
	DIFF_MTIME = 32,
	DIFF_XATTRS = 64,
	DIFF_LINK = 128,
	DIFF_DEVICE = 256
};

/* One difference.  Ranges are those of devices: kind 'M', what DIFF_CONTENT, length above 0. */
struct diff_change {
	char kind; /* '+': only on the second side, '-': only on the first, 'M' */
	unsigned what; /* of 'M' */
	const char *path;
	size_t path_len;
	uint64_t offset, length;
};
/* 0 to go on, or negative. */
typedef int diff_change_fn(void *arg, const struct diff_change *, struct error *);

struct diff {
	struct report *report; /* for what cannot be read */
	struct progress *progress;
	bool quick; /* sizes and times instead of contents of files on disk */
	diff_change_fn *fn;
	void *arg;
};

/* Two snapshots of one volume.  Contents are compared by ids, and read only where that does not decide. */
int diff_snapshots(const struct diff *, const struct snapshot *a, const struct snapshot *b, struct error *);
/* With a folder, without what was excluded from the snapshot. */
int diff_folder(const struct diff *, const struct snapshot *, const char *folder, struct error *);
/* A snapshot of a device with a device or image. */
int diff_device(const struct diff *, const struct snapshot *, const char *path, struct error *);

/* What the parts share. */
unsigned diff_metadata(const struct entry *, const struct entry *);
int diff_tell(const struct diff *, char kind, const struct entry *, unsigned what, struct error *);

/* ---- diff_content.c: contents in a repository ---- */

/* A stretch differs.  0 to go on, 1: enough, or negative. */
typedef int diff_range_fn(void *arg, uint64_t offset, uint64_t len, struct error *);
struct frames;
struct diff_side {
	const struct snapshot *snapshot;
	struct frames *frames;
	const struct entry *entry;
};
/* The bytes that both have (what one has more is the caller's): 1 when fn said so, 0 at the end. */
int diff_contents(const struct diff_side *a, const struct diff_side *b, diff_range_fn *fn, void *arg, struct error *);

/* ---- diff_disk.c: contents on disk ---- */

struct diff_disk;
int diff_disk_new(const struct snapshot *, struct progress *, struct diff_disk **out, struct error *);
/* The same with an open file, or a device (then fd is -1).  What is missing at its end is a difference. */
int diff_disk_compare(
    struct diff_disk *, const struct entry *, int fd, struct device *, diff_range_fn *fn, void *arg, struct error *);
void diff_disk_free(struct diff_disk *);

#endif
