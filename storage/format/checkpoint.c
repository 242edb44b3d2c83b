/* Checkpoints: reference tables and nothing else. */

#include "checkpoint.h"

#include <string.h>

#include "cleanup.h"
#include "error.h"
#include "reftable.h"
#include "wire.h"

#define MAGIC     "K\1"
#define MAGIC_LEN 2

int
checkpoint_encode(const struct frame_ref *frames, size_t count, struct buf *out, struct error *err)
{
	CLEANUP(reftable_free) struct reftable refs = {0};
	size_t i, number;
	int r;

	for (i = 0; i < count; i++) {
		r = reftable_add(&refs, &frames[i], &number, err);
		if (r < 0)
			return r;
		if (MAGIC_LEN + reftable_size(&refs) > FRAME_PLAIN_MAX)
			return error_set(err, ERR_NOMEM, "a checkpoint of %zu frames is too large", count);
	}
	buf_put(out, MAGIC, MAGIC_LEN);
	reftable_encode(&refs, out);
	return buf_check(out, "checkpoint", err);
}

int
checkpoint_decode(const void *bytes, size_t len, struct frame_ref **out, size_t *out_count, struct error *err)
{
	CLEANUP(reftable_free) struct reftable refs = {0};
	const uint8_t *magic;
	struct wire w;

	wire_init(&w, bytes, len);
	magic = wire_bytes(&w, MAGIC_LEN);
	if (magic == NULL || len > FRAME_PLAIN_MAX || memcmp(magic, MAGIC, MAGIC_LEN) != 0)
		return error_set(err, ERR_CORRUPT, "not a checkpoint");
	if (reftable_decode(&refs, &w, err) < 0)
		return error_prefix(err, "checkpoint");
	if (!wire_done(&w))
		return error_set(err, ERR_CORRUPT, "checkpoint: bytes behind the end");
	*out_count = refs.nframes;
	*out = STEAL(refs.frames);
	return 0;
}
