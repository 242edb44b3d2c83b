/*
 * Listings, page by page.
 *
 * The second version of the call where the server has it, otherwise the first.  A page is read to its end before the
 * callback sees it, so that the callback may use the store.
 */
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "cleanup.h"
#include "s3_internal.h"
#include "s3_xml.h"

enum { KEY_SIZE = S3_PREFIX_MAX + 1100, EMPTY_MAX = 1000 };

struct listing {
	struct s3 *s;
	char prefix[KEY_SIZE]; /* in the bucket */
	size_t own; /* its part that is not the caller's */
	char last[KEY_SIZE]; /* the key behind which the next page begins; "" at the beginning */
	char *token; /* what the server calls that place, or NULL */
	unsigned empty; /* pages without objects in a row */
	bool encode; /* have keys percent-encoded: this server's XML cannot be read otherwise */
};

static size_t
make_query(const struct listing *l, struct sigv4_pair query[6])
{
	size_t n = 0;
	bool second = !atomic_load(&l->s->no_list2);

	query[n++] = (struct sigv4_pair){"prefix", l->prefix};
	query[n++] = (struct sigv4_pair){"max-keys", "1000"};
	if (second)
		query[n++] = (struct sigv4_pair){"list-type", "2"};
	if (second && l->token != NULL)
		query[n++] = (struct sigv4_pair){"continuation-token", l->token};
	else if (l->last[0] != '\0')
		query[n++] = (struct sigv4_pair){second ? "start-after" : "marker", l->last};
	if (l->encode)
		query[n++] = (struct sigv4_pair){"encoding-type", "url"};
	return n;
}

static int
ask(struct listing *l, struct buf *body, struct s3_answer *a, struct error *err)
{
	struct sigv4_pair query[6];
	const struct s3_request q = {.method = "GET", .query = query, .nquery = make_query(l, query), .out = body};

	return s3_call(l->s, &q, a, err);
}

/* One page as the server gives it; the other version, or another encoding, when it cannot do this one. */
static int
fetch_page(struct listing *l, struct s3_xml_list *page, struct error *err)
{
	CLEANUP(buf_free) struct buf body = BUF_INIT(S3_LIST_BODY_MAX);
	struct s3_answer a;
	int r = ask(l, &body, &a, err);

	if (r == ERR_UNSUPPORTED && !atomic_load(&l->s->no_list2) && l->token == NULL) {
		struct error other;

		atomic_store(&l->s->no_list2, true);
		r = ask(l, &body, &a, &other);
		if (r < 0) {
			atomic_store(&l->s->no_list2, false);
			return err->code;
		}
	}
	if (r < 0)
		return r;
	r = s3_xml_list(body.data, body.len, page, err);
	if (r != ERR_CORRUPT || l->encode)
		return r;
	l->encode = true;
	s3_xml_list_wipe(page);
	return fetch_page(l, page, err);
}

/* Pass the objects of a page on.  1 when the callback has enough. */
static int
tell(struct listing *l, const struct s3_xml_list *page, store_list_fn *fn, void *arg, struct error *err)
{
	for (size_t i = 0; i < page->count; i++) {
		const struct s3_xml_object *o = &page->objects[i];
		const char *key = page->texts + o->key;
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

/* Where the next page begins; 1 when this was the last one. */
static int
step(struct listing *l, struct s3_xml_list *page, struct error *err)
{
	const char *last;

	if (!page->truncated)
		return 1;
	/* Where much was deleted, a page may find nothing and still know where to go on. */
	if (page->count == 0 && (page->token == NULL || ++l->empty > EMPTY_MAX))
		return error_set(err, ERR_CORRUPT, "the server says that its listing goes on, but gives an empty page");
	if (page->count > 0) {
		last = page->texts + page->objects[page->count - 1].key;
		if (strlen(last) >= sizeof(l->last) || (l->last[0] != '\0' && strcmp(last, l->last) <= 0))
			return error_set(err, ERR_CORRUPT, "the server's listing does not come forward");
		memcpy(l->last, last, strlen(last) + 1);
		l->empty = 0;
	}
	free(l->token);
	l->token = STEAL(page->token);
	/* Old servers take the second version for the first: they have no tokens, and know a marker only. */
	if (l->token == NULL)
		atomic_store(&l->s->no_list2, true);
	return 0;
}

int
s3_list(struct store *store, const char *prefix, store_list_fn *fn, void *arg, struct error *err)
{
	struct s3 *s = (struct s3 *)store;
	struct listing l = {.s = s, .own = strlen(s->place.prefix)};
	int r = 0;

	memcpy(l.prefix, s->place.prefix, l.own);
	memcpy(l.prefix + l.own, prefix, strlen(prefix) + 1);
	while (r == 0) {
		CLEANUP(s3_xml_list_wipe) struct s3_xml_list page = {0};

		r = fetch_page(&l, &page, err);
		if (r == 0)
			r = tell(&l, &page, fn, arg, err);
		if (r == 0)
			r = step(&l, &page, err);
	}
	free(l.token);
	return r < 0 ? r : 0;
}
