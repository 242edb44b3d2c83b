/*
 * A bucket's prefix as a store over libs3: opening it, reading and removing single objects.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "profile.h"
#include "store_internal.h"
#include "store_libs3_internal.h"

enum { RETRY_S = 300 };

void
store_libs3_key(const struct store_libs3 *s, const char *key, char out[STORE_LIBS3_KEY_SIZE])
{
	(void)snprintf(out, STORE_LIBS3_KEY_SIZE, "%s%s", s->place.prefix, key);
}

static int
not_found(const char *key, struct error *err)
{
	return error_set(err, ERR_NOT_FOUND, "object %s does not exist", key);
}

static int
too_short(const char *key, struct error *err)
{
	return error_set(err, ERR_CORRUPT, "object %s is shorter than it must be", key);
}

/* ---- lengths ---- */

/* The object's length.  A listing tells it, too, also where libs3 does not understand the server's headers; and the
 * object itself comes before all others whose keys begin like its own. */
static bool
find_size(struct store_libs3_request *r, const char *key, uint64_t *size)
{
	struct store_libs3_page page = {.texts = BUF_INIT(4096)};
	bool found;

	store_libs3_request_head(r, key);
	*size = r->length;
	if (!store_libs3_status_ok(r->status) || *size > 0)
		return store_libs3_status_ok(r->status);
	r->page = &page;
	store_libs3_request_list(r, key, NULL, 1);
	r->page = NULL;
	found = store_libs3_status_ok(r->status) && page.count == 1 && strcmp((const char *)page.texts.data, key) == 0;
	if (found)
		*size = page.objects[0].size;
	else if (store_libs3_status_ok(r->status))
		r->status = store_libs3_status_broken();
	store_libs3_request_page_wipe(&page);
	return found;
}

struct size_call {
	const char *key; /* in the bucket */
	uint64_t size;
};

static void
size_try(struct store_libs3_request *r, void *arg)
{
	struct size_call *c = arg;

	(void)find_size(r, c->key, &c->size);
}

static int
libs3_size(struct store *store, const char *key, uint64_t *out_size, struct error *err)
{
	struct store_libs3 *s = (struct store_libs3 *)store;
	char whole[STORE_LIBS3_KEY_SIZE];
	struct size_call size = {.key = whole};
	const struct store_libs3_call call = {"HEAD", key, size_try, &size};
	struct store_libs3_request last;
	int r;

	store_libs3_key(s, key, whole);
	r = store_libs3_call(s, &call, &last, err);
	if (r < 0)
		return r == ERR_NOT_FOUND ? not_found(key, err) : r;
	*out_size = size.size;
	return 0;
}

/* ---- reading ---- */

struct get_call {
	const char *key; /* in the bucket */
	uint64_t offset;
	size_t len; /* 0: to the end */
	void *into;
	size_t room, received;
	uint64_t told; /* the length of what was sent, 0: unknown */
	bool too_long;
};

static void
get_try(struct store_libs3_request *r, void *arg)
{
	struct get_call *g = arg;
	uint64_t size, rest;

	r->into = g->into;
	r->room = g->room;
	store_libs3_request_get(r, g->key, g->offset, g->len);
	g->received = r->received;
	g->told = r->length;
	g->too_long = r->too_long;
	if (!store_libs3_status_ok(r->status) || g->too_long || g->told > 0 || (g->len > 0 && g->received == g->len))
		return;
	/* Nobody has told how much there should be: is that all? */
	if (!find_size(r, g->key, &size))
		return;
	rest = size > g->offset ? size - g->offset : 0;
	if (g->received != (g->len > 0 ? MIN(rest, (uint64_t)g->len) : rest))
		r->status = store_libs3_status_broken();
}

/* Missing objects are told, 416 is too_short(). */
static int
get(struct store_libs3 *s, const char *key, struct get_call *g, struct error *err)
{
	char whole[STORE_LIBS3_KEY_SIZE];
	const struct store_libs3_call call = {"GET", key, get_try, g};
	struct store_libs3_request last;
	int r;

	store_libs3_key(s, key, whole);
	g->key = whole;
	r = store_libs3_call(s, &call, &last, err);
	g->key = NULL;
	if (r == ERR_CORRUPT)
		return too_short(key, err);
	return r == ERR_NOT_FOUND ? not_found(key, err) : r;
}

static int
libs3_get(struct store *store, const char *key, uint64_t offset, void *bytes, size_t len, struct error *err)
{
	struct get_call g = {.offset = offset, .len = len, .into = bytes, .room = len};
	uint64_t size;
	int r;

	if (len == 0) {
		r = libs3_size(store, key, &size, err);
		return r == 0 && size < offset ? too_short(key, err) : r;
	}
	r = get((struct store_libs3 *)store, key, &g, err);
	if (r < 0)
		return r;
	if (g.too_long)
		return error_set(err, ERR_UNSUPPORTED, "the server gives object %s as a whole instead of a part", key);
	return g.received < len ? too_short(key, err) : 0;
}

static int
libs3_load(struct store *store, const char *key, size_t limit, struct buf *out, struct error *err)
{
	size_t before = out->len, room = MIN(limit, out->limit - out->len);
	struct get_call g = {.room = room, .into = buf_extend(out, room)};
	int r;

	if (g.into == NULL)
		return buf_check(out, key, err);
	r = get((struct store_libs3 *)store, key, &g, err);
	out->len = before;
	if (r < 0)
		return r;
	if (g.too_long && (g.told > limit || room == limit))
		return store_too_long(key, MAX(g.told, (uint64_t)limit + 1), limit, err);
	if (g.too_long)
		return error_set(err, ERR_NOMEM, "object %s is too large", key);
	out->len = before + g.received;
	return 0;
}

/* ---- removing ---- */

static void
remove_try(struct store_libs3_request *r, void *arg)
{
	store_libs3_request_delete(r, arg);
}

static int
libs3_remove(struct store *store, const char *key, struct error *err)
{
	struct store_libs3 *s = (struct store_libs3 *)store;
	char whole[STORE_LIBS3_KEY_SIZE];
	const struct store_libs3_call call = {"DELETE", key, remove_try, whole};
	struct store_libs3_request last;
	int r;

	store_libs3_key(s, key, whole);
	r = store_libs3_call(s, &call, &last, err);
	return r == ERR_NOT_FOUND ? 0 : r;
}

/* ---- beginning and end ---- */

static void
libs3_end(struct store *store)
{
	struct store_libs3 *s = (struct store_libs3 *)store;

	(void)pthread_mutex_lock(&s->lock);
	atomic_store(&s->ended, true);
	(void)pthread_cond_broadcast(&s->ended_cond);
	(void)pthread_mutex_unlock(&s->lock);
	credential_source_end(s->credentials);
}

static void
libs3_free(struct store *store)
{
	struct store_libs3 *s = (struct store_libs3 *)store;

	credential_source_free(s->credentials);
	(void)pthread_cond_destroy(&s->ended_cond);
	(void)pthread_mutex_destroy(&s->lock);
	free(s);
}

static const struct store_ops libs3_ops = {
    .name = "libs3",
    .put = store_libs3_put,
    .get = libs3_get,
    .size = libs3_size,
    .load = libs3_load,
    .list = store_libs3_list,
    .remove = libs3_remove,
    .end = libs3_end,
    .free = libs3_free,
};

static struct store_libs3 *
allocate(void)
{
	struct store_libs3 *s = calloc(1, sizeof(*s));
	pthread_condattr_t attr;

	if (s == NULL)
		return NULL;
	s->store.ops = &libs3_ops;
	(void)pthread_mutex_init(&s->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&s->ended_cond, &attr);
	(void)pthread_condattr_destroy(&attr);
	return s;
}

static const char *
environment(const char *name)
{
	const char *value = getenv(name);

	return value != NULL && *value != '\0' ? value : NULL;
}

static int
set_host(struct store_libs3 *s, struct error *err)
{
	CLEANUP(buf_free) struct buf host = BUF_INIT(sizeof(s->host) - 1);
	int r;

	s3_place_host(&s->place, &host);
	r = buf_check(&host, "the host name", err);
	if (r == 0)
		memcpy(s->host, host.data, host.len);
	return r;
}

static int
open_parts(struct store_libs3 *s, const struct s3_settings *settings, struct error *err)
{
	const struct credential_settings credentials = {.profile = settings->profile, .region = s->place.region};
	CLEANUP(credentials_wipe) struct credentials first = {0};
	int r = set_host(s, err);

	if (r == 0)
		r = store_libs3_request_begin(err);
	if (r == 0)
		r = credential_source_new(&credentials, &s->credentials, err);
	if (r == 0)
		r = credential_source_get(s->credentials, &first, err);
	return r < 0 ? r : store_libs3_call_check(&first, err);
}

static void
cleanup_profiles_p(struct profiles **p)
{
	profiles_free(*p);
}

int
store_libs3_open(const char *place, const struct s3_settings *settings, struct store **out, struct error *err)
{
	static const struct s3_settings none;
	CLEANUP(cleanup_profiles_p) struct profiles *profiles = NULL;
	struct s3_surroundings around = {.getenv = environment};
	struct store_libs3 *s;
	int r = profiles_load(environment, &profiles, err);

	if (r < 0)
		return r;
	if (settings == NULL)
		settings = &none;
	around.profiles = profiles;
	s = allocate();
	if (s == NULL)
		return error_nomem(err);
	s->retry_s = settings->retry_s > 0 ? settings->retry_s : RETRY_S;
	r = store_libs3_place_resolve(place, settings, &around, &s->place, err);
	if (r == 0)
		r = open_parts(s, settings, err);
	if (r < 0) {
		libs3_free(&s->store);
		return r;
	}
	*out = &s->store;
	return 0;
}
