/*
 * Trailers of packs in a store.
 */
#include "pack_tail.h"

#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "error.h"
#include "store.h"

/* Records of so many frames, and all padding that the length allows: more is rare. */
enum { USUAL_FRAMES = 256 };

static size_t
usual_len(uint64_t object_len)
{
	uint64_t padding = pack_padme(object_len + 1) - object_len;
	uint64_t len = padding + USUAL_FRAMES * PACK_RECORD_LEN + PACK_FOOTER_LEN;

	return (size_t)MIN(len, object_len - PACK_HEADER_LEN);
}

/* The trailer begins before what was fetched, which is had bytes long: get what is missing. */
static int
fetch_rest(struct store *store, const char *name, struct pack_tail *t, size_t had, struct error *err)
{
	size_t have = had - PACK_FOOTER_LEN, missing = t->len - have;
	uint8_t *whole = malloc(t->len);
	int r;

	if (whole == NULL)
		return error_nomem(err);
	memcpy(whole + missing, t->bytes, have);
	free(t->bytes);
	t->bytes = whole;
	r = store_get(store, name, t->offset, whole, missing, err);
	if (r == 0)
		t->fetched += missing;
	return r;
}

int
pack_tail_fetch(struct store *store, const char *name, uint64_t object_len, const uint8_t header[PACK_HEADER_LEN],
    struct pack_tail *out, struct error *err)
{
	size_t len = usual_len(object_len);
	int r;

	*out = (struct pack_tail){.bytes = malloc(len)};
	if (out->bytes == NULL)
		return error_nomem(err);
	if ((r = store_get(store, name, object_len - len, out->bytes, len, err)) < 0)
		return r;
	out->fetched = len;
	r = pack_footer_parse(header, out->bytes + len - PACK_FOOTER_LEN, object_len, &out->offset, &out->len, err);
	if (r == 0 && out->len + PACK_FOOTER_LEN > len) {
		r = fetch_rest(store, name, out, len, err);
		out->sealed = out->bytes;
	} else if (r == 0) {
		out->sealed = out->bytes + len - PACK_FOOTER_LEN - out->len;
	}
	return r;
}

void
pack_tail_wipe(struct pack_tail *t)
{
	free(t->bytes);
	*t = (struct pack_tail){0};
}
