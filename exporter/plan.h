#ifndef PLAN_H_
#define PLAN_H_

#include <stdatomic.h>
#include <stdint.h>

#include "frame.h"
#include "item.h"
#include "queue.h"
#include "repo.h"
#include "target.h"

struct device;

/*
 * What an import wants from packs, sorted into ranges that are fetched at once (span.h).
 *
 * The planner puts wants into a window; a full one is sorted by place, cut into ranges, and handed out.  A window's
 * memory lives until its last range is done.
 */

/* Longest range (unless one frame is longer), and the gap that is fetched along rather than starting another range. */
#define RANGE_LEN    (4u * 1024 * 1024)
#define RANGE_GAP    (256u * 1024)
#define WINDOW_WANTS 16384
#define WINDOW_ARENA (4u * 1024 * 1024)

/* A file (or device) that is written in several parts.  Done when everybody who counts in `pending` is. */
struct output {
	struct target_file *file; /* or */
	struct device *device;
	char *path;
	size_t path_len;
	atomic_uint pending;
	atomic_bool damaged;
};

/* len bytes of a frame, from frame_offset on, go to offset of the output; or they are all of a small file. */
struct want {
	struct frame_ref frame; /* first: span.h */
	uint32_t frame_offset, len;
	uint64_t offset;
	struct output *output; /* either */
	const struct entry *small; /* or, in the window's arena */
	struct target_folder *folder; /* of small: a reference */
};

struct window {
	struct queue *home; /* where it goes when it is done: windows are a fixed set, which bounds their memory */
	struct arena arena;
	size_t held; /* by outputs that began in it, and end at the latest with the next one */
	struct want *wants;
	size_t count;
	atomic_uint pending; /* ranges, and the planner */
};

/* Neighbouring bytes of one pack, and who wants what of them: wants[0..count), sorted by place, in the window. */
struct range {
	struct window *window;
	struct want *wants;
	size_t count;
	uint32_t offset, len;
	struct range_buffer *buffer; /* with the bytes, after the fetch */
};

/* One that lives in the queue `home`. */
int window_new(struct queue *home, struct window **out, struct error *);
void window_free(struct window *);
/* Take an empty one, waiting until there is one: ERR_CANCELLED when the queue was aborted. */
int window_take(struct queue *home, struct window **out, struct error *);
bool window_full(const struct window *);
/* Sort, cut and push all ranges; the window is given away, and goes home with its last range, also on failure (false:
 * the queue was aborted; undelivered wants are disposed of). */
bool window_send(struct window *, struct queue *ranges, struct error *);
/* This range is done: free it. */
void range_free(struct range *);

/* Give a want up or declare it done: settles its output or folder.  damaged: the output is lost. */
int want_settle(struct want *, bool damaged, struct error *);
int output_settle(struct output *, bool damaged, struct error *);

#endif
