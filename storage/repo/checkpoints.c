/*
 * Checkpoints: a running session notes which frames it has stored, so that the next one finds them quickly if this one
 * dies.
 *
 * What a checkpoint has missed is found in the trailers of the packs, more slowly.  That is why nothing here is ever an
 * error.
 */
#include <stdlib.h>

#include "array.h"
#include "checkpoint.h"
#include "cleanup.h"
#include "session_internal.h"

enum {
	PACK_SIZE = 1024 * 1024,
	FRAMES_EACH = 12288, /* at most 42 bytes each: surely fits a pack */
	FRAMES_DUE = 16384,
	FRAMES_MAX = 131072, /* ceiling of memory: 7 MB */
	INTERVAL_S = 60,
};

void
checkpoints_note(struct session *s, const struct pack *pack)
{
	size_t n = pack_frames(pack);
	struct error err;

	if (n > FRAMES_MAX - s->nfresh ||
	    array_reserve(&s->fresh, &s->fresh_cap, s->nfresh + n, sizeof(s->fresh[0]), &err) < 0)
		return;
	for (size_t i = 0; i < n; i++)
		pack_ref(pack, i, &s->fresh[s->nfresh++]);
	s->fresh_packs++;
}

bool
checkpoints_due(const struct session *s, int64_t now_s)
{
	return s->fresh_packs >= s->checkpoint_packs || s->nfresh >= FRAMES_DUE ||
	       (s->fresh_packs > 0 && now_s - s->checkpoint_s >= INTERVAL_S);
}

static int
prepare(struct session *s, struct error *err)
{
	int r;

	if (s->checkpoint_pack == NULL && (r = pack_new(PACK_SIZE, &s->checkpoint_pack, err)) < 0)
		return r;
	return s->checkpoint_sealer != NULL ? 0 : sealer_new(s->keys, SESSION_META_LEVEL, &s->checkpoint_sealer, err);
}

static int
write_part(struct session *s, const struct frame_ref *frames, size_t count, struct buf *plain, struct error *err)
{
	struct pack *pack = s->checkpoint_pack;
	struct sealer *sealer = s->checkpoint_sealer;
	struct frame_ref ref;
	uint8_t id[ID_LEN];
	int r;

	buf_reset(plain);
	r = checkpoint_encode(frames, count, plain, err);
	if (r < 0)
		return r;
	r = sealer_id(sealer, FRAME_CHECKPOINT, plain->data, plain->len, id, err);
	if (r < 0)
		return r;
	r = pack_begin(pack, s->keys, &s->key, 'm', uploads_seq(s, 'm'), sealer, err);
	if (r < 0)
		return r;
	r = pack_add(pack, sealer, FRAME_CHECKPOINT, id, plain->data, plain->len, 0, 0, &ref, err);
	if (r < 0)
		return r;
	r = pack_finish(pack, err);
	return r < 0 ? r : uploads_store(s, pack, err);
}

void
checkpoints_write(struct session *s)
{
	CLEANUP(buf_free) struct buf plain = BUF_INIT(FRAME_PLAIN_MAX);
	CLEANUP_FREE struct frame_ref *frames = NULL;
	struct error err;
	size_t n;

	(void)pthread_mutex_lock(&s->lock);
	frames = STEAL(s->fresh);
	n = s->nfresh;
	s->nfresh = s->fresh_cap = 0;
	s->fresh_packs = 0;
	(void)pthread_mutex_unlock(&s->lock);

	if (prepare(s, &err) == 0)
		for (size_t i = 0;
		     i < n && write_part(s, frames + i, MIN(n - i, (size_t)FRAMES_EACH), &plain, &err) == 0;
		     i += FRAMES_EACH)
			continue;

	(void)pthread_mutex_lock(&s->lock);
	s->checkpoint_s = session_now(s);
	(void)pthread_mutex_unlock(&s->lock);
}
