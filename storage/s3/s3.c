/*
 * A bucket's prefix as a store: opening it, and its operations on single objects.
 */
#include "s3.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "cleanup.h"
#include "profile.h"
#include "s3_internal.h"
#include "store_internal.h"

enum {
	RETRY_S = 300,
	FIRST_ANSWER_S = 20,
	STALL_S = 60,
};

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

/* ---- reading ---- */

int
s3_call_object(
    struct s3 *s, const char *method, const char *key, void *into, size_t len, struct s3_answer *a, struct error *err)
{
	const struct s3_request q = {
	    .method = method,
	    .key = key,
	    .headers = s->get.items,
	    .nheaders = s->get.count,
	    .into = into,
	    .into_len = len,
	};
	int r = s3_call(s, &q, a, err);

	return r == ERR_NOT_FOUND ? not_found(key, err) : r;
}

static bool
parse_number(const char *text, uint64_t *out)
{
	size_t n = strspn(text, "0123456789");

	*out = 0;
	for (size_t i = 0; i < n && n <= 18; i++)
		*out = *out * 10 + (uint64_t)(text[i] - '0');
	return n > 0 && n <= 18 && text[n] == '\0';
}

static int
s3_size(struct store *store, const char *key, uint64_t *out_size, struct error *err)
{
	struct s3_answer a;
	int r = s3_call_object((struct s3 *)store, "HEAD", key, NULL, 0, &a, err);

	if (r < 0)
		return r;
	if (!parse_number(s3_answer_header(&a, "content-length"), out_size))
		return error_set(err, ERR_UNSUPPORTED, "the server does not tell the length of object %s", key);
	return 0;
}

/* "bytes FIRST-LAST/TOTAL" */
static bool
parse_range(const char *text, uint64_t *first, uint64_t *total)
{
	unsigned long long a, b, t;
	char end;

	if (sscanf(text, "bytes %18llu-%18llu/%18llu%c", &a, &b, &t, &end) != 3)
		return false;
	*first = a;
	*total = t;
	return true;
}

static int
check_range(const struct s3_answer *a, const char *key, uint64_t offset, size_t len, struct error *err)
{
	uint64_t first, total;

	/* The whole object, asked for as a range or not. */
	if (a->reply.status == 200 && offset == 0 && a->reply.received == len)
		return 0;
	if (a->reply.status != 206 || !parse_range(s3_answer_header(a, "content-range"), &first, &total))
		return error_set(
		    err, ERR_UNSUPPORTED, "the server gives another part of object %s than was asked for", key);
	if (total < offset + len)
		return too_short(key, err);
	if (first != offset || a->reply.received != len)
		return error_set(
		    err, ERR_CORRUPT, "the server gives another part of object %s than was asked for", key);
	return 0;
}

static int
s3_get(struct store *store, const char *key, uint64_t offset, void *bytes, size_t len, struct error *err)
{
	struct s3 *s = (struct s3 *)store;
	struct http_header headers[S3_OBJECT_HEADERS_MAX + 1];
	char range[64];
	struct s3_request q = {.method = "GET", .key = key, .headers = headers, .into = bytes, .into_len = len};
	struct s3_answer a;
	uint64_t size;
	int r;

	if (len == 0) {
		r = s3_size(store, key, &size, err);
		return r == 0 && size < offset ? too_short(key, err) : r;
	}
	(void)snprintf(range, sizeof(range), "bytes=%llu-%llu", (unsigned long long)offset,
	    (unsigned long long)(offset + len - 1));
	headers[q.nheaders++] = (struct http_header){"range", range};
	for (size_t i = 0; i < s->get.count; i++)
		headers[q.nheaders++] = s->get.items[i];
	r = s3_call(s, &q, &a, err);
	if (r == ERR_NOT_FOUND)
		return not_found(key, err);
	if (r == ERR_CORRUPT && a.reply.status == 416)
		return too_short(key, err);
	if (r == ERR_CORRUPT && a.reply.status == 200)
		return error_set(err, ERR_UNSUPPORTED, "the server gives object %s as a whole instead of a part", key);
	return r < 0 ? r : check_range(&a, key, offset, len, err);
}

static int
s3_load(struct store *store, const char *key, size_t limit, struct buf *out, struct error *err)
{
	size_t before = out->len, room = MIN(limit, out->limit - out->len);
	struct s3_answer a;
	uint64_t size;
	uint8_t *at = buf_extend(out, room);
	int r;

	if (at == NULL)
		return buf_check(out, key, err);
	r = s3_call_object((struct s3 *)store, "GET", key, at, room, &a, err);
	out->len = before;
	if (r == ERR_CORRUPT && a.reply.status == 200 && parse_number(s3_answer_header(&a, "content-length"), &size) &&
	    size > room)
		return size > limit ? store_too_long(key, size, limit, err)
				    : error_set(err, ERR_NOMEM, "object %s is too large", key);
	if (r < 0)
		return r;
	out->len = before + a.reply.received;
	return 0;
}

/* ---- removing ---- */

static int
s3_remove(struct store *store, const char *key, struct error *err)
{
	const struct s3_request q = {.method = "DELETE", .key = key};
	struct s3_answer a;
	int r = s3_call((struct s3 *)store, &q, &a, err);

	return r == ERR_NOT_FOUND ? 0 : r;
}

/* ---- beginning and end ---- */

static void
s3_end(struct store *store)
{
	struct s3 *s = (struct s3 *)store;

	(void)pthread_mutex_lock(&s->lock);
	s->ended = true;
	(void)pthread_cond_broadcast(&s->ended_cond);
	(void)pthread_mutex_unlock(&s->lock);
	http_end(s->http);
	credential_source_end(s->credentials);
}

static void
s3_free(struct store *store)
{
	struct s3 *s = (struct s3 *)store;

	http_free(s->http);
	credential_source_free(s->credentials);
	s3_headers_wipe(s);
	(void)pthread_cond_destroy(&s->ended_cond);
	(void)pthread_mutex_destroy(&s->lock);
	free(s);
}

static const struct store_ops s3_ops = {
    .name = "s3",
    .put = s3_put,
    .get = s3_get,
    .size = s3_size,
    .load = s3_load,
    .list = s3_list,
    .remove = s3_remove,
    .remove_many = s3_remove_many,
    .probe = s3_probe,
    .end = s3_end,
    .free = s3_free,
};

static struct s3 *
allocate(void)
{
	struct s3 *s = calloc(1, sizeof(*s));
	pthread_condattr_t attr;

	if (s == NULL)
		return NULL;
	s->store.ops = &s3_ops;
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

static const char *
find_ca_file(const struct s3_settings *settings, const struct s3_surroundings *around)
{
	if (settings->ca_file != NULL)
		return settings->ca_file;
	return environment("AWS_CA_BUNDLE") != NULL
		   ? environment("AWS_CA_BUNDLE")
		   : profiles_get(around->profiles, s3_place_profile(settings, around), "ca_bundle");
}

static int
open_parts(struct s3 *s, const struct s3_settings *settings, const struct s3_surroundings *around, struct error *err)
{
	const struct http_settings http = {
	    .ca_file = find_ca_file(settings, around),
	    .client_cert = settings->client_cert,
	    .client_key = settings->client_key,
	    .insecure_tls = settings->insecure_tls,
	    .stall_s = settings->stall_s > 0 ? settings->stall_s : STALL_S,
	};
	const struct credential_settings credentials = {
	    .profile = settings->profile,
	    .region = s->place.region,
	    .ca_file = http.ca_file,
	};
	int r = s3_headers_make(s, settings, err);

	if (r == 0)
		r = http_new(&http, &s->http, err);
	return r < 0 ? r : credential_source_new(&credentials, &s->credentials, err);
}

static void
cleanup_profiles_p(struct profiles **p)
{
	profiles_free(*p);
}

int
s3_open(const char *place, const struct s3_settings *settings, struct store **out, struct error *err)
{
	static const struct s3_settings none;
	CLEANUP(cleanup_profiles_p) struct profiles *profiles = NULL;
	struct s3_surroundings around = {.getenv = environment};
	struct s3 *s;
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
	s->first_answer_s = settings->first_answer_s > 0 ? settings->first_answer_s : FIRST_ANSWER_S;
	r = s3_place_resolve(place, settings, &around, &s->place, err);
	if (r == 0)
		r = open_parts(s, settings, &around, err);
	if (r < 0) {
		s3_free(&s->store);
		return r;
	}
	*out = &s->store;
	return 0;
}
