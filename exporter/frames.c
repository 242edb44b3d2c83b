/*
 * The last few frames, by least recent use.
 */
#include "frames.h"

#include <stdlib.h>

#include "ahead.h"
#include "cleanup.h"
#include "error.h"
#include "repo.h"

struct kept {
	struct frame_ref ref;
	uint8_t *plain; /* NULL: empty */
	size_t cap;
	uint64_t used;
};

struct frames {
	struct loader *loader;
	struct ahead *ahead; /* may be NULL */
	struct kept kept[FRAMES_KEPT];
	uint64_t clock;
};

int
frames_new(const struct volume *volume, struct keyring *keyring, struct frames **out, struct error *err)
{
	struct frames *f = calloc(1, sizeof *f);
	int r;

	if (f == NULL)
		return error_nomem(err);
	if ((r = loader_new(volume, keyring, &f->loader, err)) < 0) {
		frames_free(f);
		return r;
	}
	*out = f;
	return 0;
}

void
frames_set_ahead(struct frames *f, struct ahead *ahead)
{
	f->ahead = ahead;
}

struct loader *
frames_loader(struct frames *f)
{
	return f->loader;
}

/* The place of this frame, or the one that was not used for the longest time. */
static struct kept *
frames_find(struct frames *f, const struct frame_ref *ref)
{
	struct kept *oldest = &f->kept[0];

	for (size_t i = 0; i < FRAMES_KEPT; i++) {
		struct kept *k = &f->kept[i];

		if (k->used > 0 && frame_ref_equal(&k->ref, ref))
			return k;
		if (k->used < oldest->used)
			oldest = k;
	}
	oldest->used = 0;
	return oldest;
}

static int
frames_read(struct frames *f, const struct frame_ref *ref, uint8_t *plain, struct error *err)
{
	uint8_t *sealed;
	int r = f->ahead == NULL ? 0 : ahead_take(f->ahead, ref, &sealed, err);

	return r < 0   ? r
	       : r > 0 ? loader_open(f->loader, ref, sealed, plain, err)
		       : loader_load(f->loader, ref, plain, err);
}

int
frames_load(struct frames *f, const struct frame_ref *ref, const uint8_t **out, struct error *err)
{
	struct kept *k = frames_find(f, ref);
	int r;

	if (k->used == 0) {
		if (k->cap < ref->plen) {
			free(k->plain);
			k->cap = 0;
			k->plain = malloc(ref->plen);
			if (k->plain == NULL)
				return error_nomem(err);
			k->cap = ref->plen;
		}
		if ((r = frames_read(f, ref, k->plain, err)) < 0)
			return r;
		k->ref = *ref;
	}
	k->used = ++f->clock;
	*out = k->plain;
	return 0;
}

void
frames_free(struct frames *f)
{
	if (f == NULL)
		return;
	loader_free(f->loader);
	for (size_t i = 0; i < FRAMES_KEPT; i++)
		free(f->kept[i].plain);
	free(f);
}
