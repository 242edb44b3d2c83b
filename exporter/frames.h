#ifndef FRAMES_H_
#define FRAMES_H_

#include <stdint.h>

#include "frame.h"

struct ahead;
struct error;
struct keyring;
struct loader;
struct volume;

/*
 * Frames that are read one after the other, with the last few kept: neighbouring small files lie in the same bundles.
 * For one thread.  At most FRAMES_KEPT frames are in memory.
 */
#define FRAMES_KEPT 4
struct frames;

int frames_new(const struct volume *, struct keyring *, struct frames **out, struct error *);
/* From now on take what was fetched ahead; borrowed. */
void frames_set_ahead(struct frames *, struct ahead *);
/* The frame's plaintext (ref->plen bytes), valid until the next call.  ERR_CORRUPT names the pack object. */
int frames_load(struct frames *, const struct frame_ref *, const uint8_t **out, struct error *);
/* For segments. */
struct loader *frames_loader(struct frames *);
/* Accepts NULL. */
void frames_free(struct frames *);

#endif
