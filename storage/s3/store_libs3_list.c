/*
 * Listings through libs3, page by page, with the first version of the call.
 *
 * To libs3, a page that was cut on the way is as good as a whole one, and then the last one.  The end is believed when
 * it is said twice: behind what seems to be the last page, an empty one.  (Of an empty page libs3 does not even tell
 * whether it is the last one.)
 */
#include <string.h>

#include "cleanup.h"
#include "store_libs3_internal.h"

enum { PAGE = 1000, TEXTS_MAX = PAGE * 1025 };

struct listing {
	char prefix[STORE_LIBS3_KEY_SIZE]; /* in the bucket */
	char last[STORE_LIBS3_KEY_SIZE]; /* the next page begins behind it; "" at the beginning */
	size_t own; /* the part of both that is not the caller's */
	struct store_libs3_page page;
};

static void
list_try(struct store_libs3_request *r, void *arg)
{
	struct listing *l = arg;

	r->page = &l->page;
	store_libs3_request_list(r, l->prefix, l->last[0] != '\0' ? l->last : NULL, PAGE);
}

/* Pass the objects of a page on.  1 when the callback has enough. */
static int
tell(struct listing *l, store_list_fn *fn, void *arg, struct error *err)
{
	for (size_t i = 0; i < l->page.count; i++) {
		const struct store_libs3_object *o = &l->page.objects[i];
		const char *key = (const char *)l->page.texts.data + o->key;
		int r;

		/* A server that ignores the prefix would show us what is others'. */
		if (strncmp(key, l->prefix, strlen(l->prefix)) != 0)
			continue;
		r = fn(arg, &(struct store_object){key + l->own, o->size, o->modified_s}, err);
		if (r != 0)
			return r;
	}
	return 0;
}

/* Where the next page begins. */
static int
step(struct listing *l, struct error *err)
{
	const char *last;

	if (l->page.count == 0)
		return 0;
	last = (const char *)l->page.texts.data + l->page.objects[l->page.count - 1].key;
	if (strlen(last) >= sizeof(l->last) || (l->last[0] != '\0' && strcmp(last, l->last) <= 0))
		return error_set(err, ERR_CORRUPT, "the server's listing does not come forward");
	memcpy(l->last, last, strlen(last) + 1);
	return 0;
}

/* All pages.  1 when the callback has enough. */
static int
each_page(struct store_libs3 *s, struct listing *l, store_list_fn *fn, void *arg, struct error *err)
{
	const struct store_libs3_call call = {"list", NULL, list_try, l};
	struct store_libs3_request last;
	bool ended = false, before;
	int r;

	do {
		r = store_libs3_call(s, &call, &last, err);
		if (r == 0)
			r = tell(l, fn, arg, err);
		if (r == 0)
			r = step(l, err);
		before = ended;
		ended = !l->page.truncated;
	} while (r == 0 && !(ended && before && l->page.count == 0));
	return r;
}

int
store_libs3_list(struct store *store, const char *prefix, store_list_fn *fn, void *arg, struct error *err)
{
	struct store_libs3 *s = (struct store_libs3 *)store;
	struct listing l = {.own = strlen(s->place.prefix), .page = {.texts = BUF_INIT(TEXTS_MAX)}};
	int r;

	store_libs3_key(s, prefix, l.prefix);
	r = each_page(s, &l, fn, arg, err);
	store_libs3_request_page_wipe(&l.page);
	return MIN(r, 0);
}
