/*
 * What all stores have in common: keys are checked before an implementation sees them, and what a listing gives is
 * checked before a caller sees it.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "cleanup.h"
#include "error.h"
#include "s3.h"
#include "store.h"
#include "store_internal.h"

enum { KEY_MAX = 512, QUOTED_SIZE = 200 };

static bool
is_key_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

/* A key, or when partial the beginning of one. */
static bool
is_key(const char *key, bool partial)
{
	bool start = true;
	size_t n;

	for (n = 0; key[n] != '\0'; n++) {
		if (n >= KEY_MAX)
			return false;
		if (key[n] == '/' ? start : !is_key_byte(key[n]) || (start && key[n] == '.'))
			return false;
		start = key[n] == '/';
	}
	return partial || !start;
}

static int
check_key(const char *key, struct error *err)
{
	char quoted[QUOTED_SIZE];

	if (is_key(key, false))
		return 0;
	return error_set(
	    err, ERR_USAGE, "\"%s\" is not a valid object key", error_quote(quoted, sizeof(quoted), key, strlen(key)));
}

static int
too_short(const char *key, struct error *err)
{
	return error_set(err, ERR_CORRUPT, "object %s is shorter than it must be", key);
}

int
store_put(struct store *s, const char *key, const void *bytes, size_t len, struct error *err)
{
	int r = check_key(key, err);

	return r < 0 ? r : s->ops->put(s, key, bytes, len, STORE_META, err);
}

int
store_put_bulk(struct store *s, const char *key, const void *bytes, size_t len, struct error *err)
{
	int r = check_key(key, err);

	return r < 0 ? r : s->ops->put(s, key, bytes, len, STORE_BULK, err);
}

int
store_get(struct store *s, const char *key, uint64_t offset, void *bytes, size_t len, struct error *err)
{
	int r = check_key(key, err);

	if (r < 0)
		return r;
	/* No object is as long as that, and implementations may add the two. */
	if (offset > (uint64_t)INT64_MAX || len > (uint64_t)INT64_MAX - offset)
		return too_short(key, err);
	return s->ops->get(s, key, offset, bytes, len, err);
}

int
store_size(struct store *s, const char *key, uint64_t *out_size, struct error *err)
{
	int r = check_key(key, err);

	return r < 0 ? r : s->ops->size(s, key, out_size, err);
}

int
store_load(struct store *s, const char *key, size_t limit, struct buf *out, struct error *err)
{
	size_t before = out->len;
	int r = check_key(key, err);

	if (r == 0)
		r = s->ops->load(s, key, limit, out, err);
	if (r < 0)
		out->len = before;
	return r;
}

int
store_too_long(const char *key, uint64_t size, size_t limit, struct error *err)
{
	return error_set(err, ERR_CORRUPT, "object %s has %llu bytes, more than the %zu that are possible", key,
	    (unsigned long long)size, limit);
}

int
store_load_in_two(struct store *s, const char *key, size_t limit, struct buf *out, struct error *err)
{
	uint64_t size;
	uint8_t *at;
	int r;

	r = s->ops->size(s, key, &size, err);
	if (r < 0)
		return r;
	if (size > limit)
		return store_too_long(key, size, limit, err);
	at = buf_extend(out, (size_t)size);
	if (at == NULL)
		return buf_check(out, key, err);
	return s->ops->get(s, key, 0, at, (size_t)size, err);
}

/* Between a listing and its reader. */
struct filter {
	const char *prefix;
	size_t prefix_len;
	store_list_fn *fn;
	void *arg;
	char last[KEY_MAX + 1];
};

static int
filter_object(void *arg, const struct store_object *object, struct error *err)
{
	struct filter *f = arg;

	/* Whatever else lies in the folder or bucket is not ours. */
	if (!is_key(object->key, false) || strncmp(object->key, f->prefix, f->prefix_len) != 0)
		return 0;
	/* Readers merge listings, and must not run in circles when a server repeats a page. */
	if (strcmp(object->key, f->last) <= 0)
		return error_set(err, ERR_CORRUPT, "the store lists %s behind %s, out of order", object->key, f->last);
	(void)snprintf(f->last, sizeof(f->last), "%s", object->key);
	return f->fn(f->arg, object, err);
}

int
store_list(struct store *s, const char *prefix, store_list_fn *fn, void *arg, struct error *err)
{
	struct filter f = {.prefix = prefix, .prefix_len = strlen(prefix), .fn = fn, .arg = arg, .last = ""};
	char quoted[QUOTED_SIZE];

	if (!is_key(prefix, true))
		return error_set(err, ERR_USAGE, "\"%s\" is not the beginning of an object key",
		    error_quote(quoted, sizeof(quoted), prefix, f.prefix_len));
	return s->ops->list(s, prefix, filter_object, &f, err);
}

int
store_remove(struct store *s, const char *key, struct error *err)
{
	int r = check_key(key, err);

	return r < 0 ? r : s->ops->remove(s, key, err);
}

static int
remove_one_by_one(
    struct store *s, const char *const *keys, size_t count, store_removed_fn *failed, void *arg, struct error *err)
{
	struct error why;
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++) {
		if (s->ops->remove(s, keys[i], &why) == 0)
			continue;
		/* What ends one will end all. */
		if (failed == NULL || why.code == ERR_CANCELLED || why.code == ERR_UNAVAILABLE) {
			*err = why;
			return why.code;
		}
		r = failed(arg, keys[i], &why, err);
	}
	return MIN(r, 0);
}

int
store_remove_many(
    struct store *s, const char *const *keys, size_t count, store_removed_fn *failed, void *arg, struct error *err)
{
	int (*many)(struct store *, const char *const *, size_t, store_removed_fn *, void *, struct error *) =
	    s->ops->remove_many != NULL ? s->ops->remove_many : remove_one_by_one;

	for (size_t i = 0; i < count; i++) {
		int r = check_key(keys[i], err);

		if (r < 0)
			return r;
	}
	return many(s, keys, count, failed, arg, err);
}

void
store_end(struct store *s)
{
	if (s->ops->end != NULL)
		s->ops->end(s);
}

void
store_free(struct store *s)
{
	if (s != NULL)
		s->ops->free(s);
}

/* Length of "scheme" in "scheme://...", or 0 for a path. */
static size_t
scheme_length(const char *place)
{
	size_t n = 0;

	while (isalnum((unsigned char)place[n]) || (n > 0 && strchr("+.-", place[n]) != NULL && place[n] != '\0'))
		n++;
	return strncmp(place + n, "://", 3) == 0 ? n : 0;
}

/* libs3+http://, libs3+https:// */
static int
open_libs3(const char *place, const struct s3_settings *settings, struct store **out, struct error *err)
{
#ifdef HAVE_LIBS3
	return store_libs3_open(place, settings, out, err);
#else
	(void)place;
	(void)settings;
	(void)out;
	return error_set(err, ERR_UNSUPPORTED, "this program was built without libs3 (configure --with-libs3)");
#endif
}

int
store_open(const char *place, bool create, const struct s3_settings *settings, struct store **out, struct error *err)
{
	size_t n = scheme_length(place);
	char quoted[QUOTED_SIZE];

	if (n == 0)
		return store_dir_open(place, create, out, err);
	if (n == 4 && strncmp(place, "file", 4) == 0) {
		if (place[n + 3] != '/')
			return error_set(
			    err, ERR_USAGE, "a file URL has three slashes and an absolute path: file:///path");
		return store_dir_open(place + n + 3, create, out, err);
	}
	if (n == 2 && strncmp(place, "s3", 2) == 0)
		return s3_open(place, settings, out, err);
	if (n >= 10 && n <= 11 && strncmp(place, "libs3+https", n) == 0)
		return open_libs3(place, settings, out, err);
	return error_set(err, ERR_USAGE,
	    "do not know how to open a repository at %s://, only paths, file:///path and s3://bucket/prefix",
	    error_quote(quoted, sizeof(quoted), place, n));
}
