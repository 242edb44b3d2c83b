#ifndef AHEAD_H_
#define AHEAD_H_

#include <stdbool.h>
#include <stdint.h>

#include "frame.h"

struct ahead;
struct error;
struct loader;

/*
 * Sealed frames that are fetched before they are asked for, many at the same time.
 *
 *   plan (the caller's thread)  --spans by number-->  fetch (c threads)  --spans in order-->  the caller
 *
 * Whoever reads frames knows which ones come next.  A window of those is sorted by place, cut into spans (span.h), and
 * these are numbered in the order in which the reader will come to them.  There are two windows, of
 * (connections + 1) * AHEAD_SPAN bytes (or one frame, if that is longer): while one is read the other is fetched.  One
 * thread uses it, that of frames.h; the calls of `next` come from there as well.
 */

#define AHEAD_SPAN (2u * 1024 * 1024)
#define AHEAD_GAP  (256u * 1024) /* between two frames, fetched along */

/* The next frame that will be read: true, or false when none is known for now (it may be asked again). Frames may
 * repeat: what frames.h still keeps is left out. */
typedef bool ahead_next_fn(void *arg, struct frame_ref *out);

/* The loader is borrowed, and may be used by others. */
int ahead_new(
    const struct loader *, unsigned connections, ahead_next_fn *next, void *arg, struct ahead **out, struct error *);
/*
 * The sealed bytes of a frame, to be opened in place, valid until the next call: 1.  0: it was not foreseen, or its
 * pack is damaged around there: whoever fetches that one frame sees whether it is itself.  Negative when the store
 * fails, also for a later one.
 */
int ahead_take(struct ahead *, const struct frame_ref *, uint8_t **out, struct error *);
/* Waits for the gets that are on their way (store_end() shortens that).  Accepts NULL. */
void ahead_free(struct ahead *);

#endif
