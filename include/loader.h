#ifndef LOADER_H_
#define LOADER_H_

#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "frame.h"
#include "volume.h"

struct error;
struct keyring;

/* One thread's way to read frames: an opener with the last key, and a buffer.  Errors name the pack object; a pack that
 * is missing is ERR_CORRUPT. */
struct loader;
int loader_new(const struct volume *, struct keyring *, struct loader **out, struct error *);
/* Fetch, open and decompress into plain (ref->plen bytes).  The error names the pack object. */
int loader_load(struct loader *, const struct frame_ref *, uint8_t *plain, struct error *);
/* The same for a frame whose sealed bytes (clen, overwritten) are at hand. */
int loader_open(struct loader *, const struct frame_ref *, uint8_t *sealed, uint8_t *plain, struct error *);
/* len bytes at offset of the pack in which ref lies, for loader_open().  From any thread. */
int loader_fetch(
    const struct loader *, const struct frame_ref *, uint64_t offset, void *bytes, size_t len, struct error *);
/* Also compute the id again and compare (verify level 4). */
int loader_check_id(struct loader *, const struct frame_ref *, const uint8_t *plain, struct error *);
/*
 * These frames will be wanted soon: when they lie close together in one pack, all are fetched at once, and
 * loader_load() takes them from memory.  Otherwise, and when the pack is damaged, nothing happens: they are fetched one
 * by one, and the one that is damaged is known.
 */
int loader_ahead(struct loader *, const struct frame_ref *, size_t count, struct error *);
/* Frames that belong together (a root, a packlist), appended to out. */
int loader_load_all(
    struct loader *, const struct frame_ref *, size_t count, size_t limit, struct buf *out, struct error *);
void loader_free(struct loader *);

#endif
