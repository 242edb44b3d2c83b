#ifndef IMPORT_INTERNAL_H_
#define IMPORT_INTERNAL_H_

#include "import.h"
#include "job.h"
#include "plan.h"

/* Sealed bytes of one range. */
struct range_buffer {
	uint8_t *bytes; /* RANGE_BUFFER_LEN, mapped: untouched pages cost nothing */
};
#define RANGE_BUFFER_LEN (FRAME_PLAIN_MAX + FRAME_OVERHEAD + RANGE_LEN)

/* What the stages of one import share. */
struct import {
	const struct import_options *options;
	struct report *report;
	struct progress *progress;
	const struct volume *volume;
	struct snapshot *snapshot;
	struct target *target; /* file mode, or */
	struct device *device; /* block mode */
	struct job *job;
	struct queue *ranges; /* plan -> fetch */
	struct queue *fetched; /* fetch -> restore */
	struct queue *spare; /* empty range buffers */
	struct queue *windows; /* empty windows of the planner */
	uint64_t left_out; /* the planner's */
	_Atomic uint64_t damaged;
	_Atomic uint64_t bytes;
};

/* The first failure ends all stages: also a planner that waits for folders which nobody releases any more. */
void import_fail(struct import *, const struct error *);
/* Back to the empty ones, or freed when the import has failed. */
void range_buffer_give_back(struct import *, struct range_buffer *);

/* Threads (arg: struct import). */
void fetch_thread(void *arg);
void restore_thread(void *arg);

/* Count and report a file that cannot be restored. */
void import_damaged(struct import *, const char *path, size_t path_len, const struct error *why);
/* The same for a further name of a file that is damaged. */
void import_lost_link(struct import *, const struct entry *);

/* Plan everything, in the caller's thread. */
int plan_files(struct import *, struct error *);
int plan_device(struct import *, struct error *);
/* Second pass: attributes of folders, the root's last. */
int finish_folders(struct import *, struct error *);

#endif
