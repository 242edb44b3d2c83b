/*
 * Probing a store: what all of them must do.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "buf.h"
#include "cleanup.h"
#include "crypto.h"
#include "error.h"
#include "probe.h"
#include "store.h"
#include "store_internal.h"
#include "wire.h"

enum { NAME_LEN = 8, OBJECTS = 3, BODY_LEN = 1000, CLOCK_SLACK_S = 300 };

struct probe {
	struct store *store;
	probe_fn *fn;
	void *arg;
	char folder[64]; /* "doctor/<random>/" */
	char keys[OBJECTS][80];
	uint8_t body[BODY_LEN];
};

const char *
probe_result_name(enum probe_result r)
{
	static const char *const names[] = {"yes", "no", "ignored", "unknown"};

	return names[r];
}

/* What a call says: it works, is refused, or is broken in a way that ends the probing. */
static int
tell(struct probe *p, const char *name, const char *title, int code, const struct error *why, struct error *err)
{
	struct probe_finding f = {.name = name, .title = title, .needed = true};

	if (code == ERR_CANCELLED || code == ERR_UNAVAILABLE || code == ERR_NO_REPOSITORY) {
		*err = *why;
		return code;
	}
	f.result = code < 0 ? PROBE_NO : PROBE_YES;
	if (code < 0)
		(void)snprintf(f.detail, sizeof(f.detail), "%.255s", why->msg);
	return p->fn(p->arg, &f, err);
}

static int
check_put(struct probe *p, struct error *err)
{
	struct error why;
	int r = 0;

	for (size_t i = 0; r == 0 && i < OBJECTS; i++)
		r = store_put(p->store, p->keys[i], p->body, BODY_LEN - i, &why);
	/* Without that there is nothing to look at. */
	if (r == ERR_DENIED) {
		*err = why;
		return r;
	}
	return tell(p, "put", "objects can be put", r, &why, err);
}

static int
check_load(struct probe *p, struct error *err)
{
	CLEANUP(buf_free) struct buf got = BUF_INIT(BODY_LEN + 1);
	struct error why;
	int r = store_load(p->store, p->keys[0], BODY_LEN, &got, &why);

	if (r == 0 && (got.len != BODY_LEN || memcmp(got.data, p->body, BODY_LEN) != 0))
		r = error_set(&why, ERR_CORRUPT, "what is read is not what was written");
	return tell(p, "get", "objects are read back at once", r, &why, err);
}

static int
check_range(struct probe *p, struct error *err)
{
	uint8_t got[10];
	struct error why;
	int r = store_get(p->store, p->keys[0], 123, got, sizeof(got), &why);

	if (r == 0 && memcmp(got, p->body + 123, sizeof(got)) != 0)
		r = error_set(&why, ERR_CORRUPT, "another part is read than was asked for");
	if (r == 0 && store_get(p->store, p->keys[0], BODY_LEN - 5, got, sizeof(got), &why) != ERR_CORRUPT)
		r = error_set(&why, ERR_CORRUPT, "a part beyond the end is given");
	return tell(p, "range", "parts of objects can be read", r, &why, err);
}

static int
check_size(struct probe *p, struct error *err)
{
	uint64_t size = 0;
	struct error why;
	int r = store_size(p->store, p->keys[1], &size, &why);

	if (r == 0 && size != BODY_LEN - 1)
		r = error_set(&why, ERR_CORRUPT, "an object of %d bytes is said to have %llu", BODY_LEN - 1,
		    (unsigned long long)size);
	return tell(p, "size", "lengths of objects are told", r, &why, err);
}

/* Good to have: names are random, so that nobody else's object is there. */
static int
check_overwrite(struct probe *p, struct error *err)
{
	CLEANUP(buf_free) struct buf got = BUF_INIT(BODY_LEN + 1);
	struct probe_finding f = {.name = "overwrite", .title = "existing objects are left alone", .result = PROBE_YES};
	struct error why;
	int r = store_put(p->store, p->keys[1], "other", 5, &why);

	if (r == ERR_CANCELLED || r == ERR_UNAVAILABLE) {
		*err = why;
		return r;
	}
	if (r != ERR_EXISTS) {
		f.result = r == 0 ? PROBE_NO : PROBE_UNKNOWN;
		(void)snprintf(f.detail, sizeof(f.detail), "%.200s",
		    r == 0 ? "a second put replaces the first; object names are random, so that is safe" : why.msg);
	} else if (store_load(p->store, p->keys[1], BODY_LEN, &got, &why) < 0 || got.len != BODY_LEN - 1) {
		f.result = PROBE_IGNORED;
		(void)snprintf(f.detail, sizeof(f.detail), "a second put was refused, and has replaced the first");
	}
	return p->fn(p->arg, &f, err);
}

struct seen {
	size_t count;
	int64_t oldest_s, newest_s;
};

static int
note(void *arg, const struct store_object *object, struct error *err)
{
	struct seen *s = arg;

	(void)err;
	if (s->count == 0 || object->modified_s < s->oldest_s)
		s->oldest_s = object->modified_s;
	if (s->count == 0 || object->modified_s > s->newest_s)
		s->newest_s = object->modified_s;
	s->count++;
	return 0;
}

static int
check_list(struct probe *p, struct error *err)
{
	struct seen seen = {0};
	struct error why;
	int r = store_list(p->store, p->folder, note, &seen, &why), told;

	if (r == 0 && seen.count != OBJECTS)
		r = error_set(&why, ERR_CORRUPT, "%zu of %d objects are listed", seen.count, OBJECTS);
	told = tell(p, "list", "objects are listed at once, in order", r, &why, err);
	if (told < 0 || r < 0)
		return told;
	if (seen.newest_s - seen.oldest_s > CLOCK_SLACK_S)
		r = error_set(&why, ERR_CORRUPT, "objects put one after the other differ in time by %lld s",
		    (long long)(seen.newest_s - seen.oldest_s));
	return tell(p, "times", "times of objects are those of their puts", r, &why, err);
}

static int
check_remove(struct probe *p, struct error *err)
{
	const char *keys[OBJECTS];
	struct seen seen = {0};
	struct probe_finding f = {.name = "remove", .title = "objects can be removed", .result = PROBE_YES};
	struct error why;
	int r;

	for (size_t i = 0; i < OBJECTS; i++)
		keys[i] = p->keys[i];
	r = store_remove_many(p->store, keys, OBJECTS, NULL, NULL, &why);
	if (r == 0)
		r = store_list(p->store, p->folder, note, &seen, &why);
	if (r == ERR_CANCELLED || r == ERR_UNAVAILABLE) {
		*err = why;
		return r;
	}
	/* Exporters need no right to remove; garbage collection does. */
	if (r < 0) {
		f.result = r == ERR_DENIED ? PROBE_NO : PROBE_UNKNOWN;
		(void)snprintf(f.detail, sizeof(f.detail), "%.150s: only garbage collection needs it", why.msg);
	} else if (seen.count > 0) {
		f.result = PROBE_IGNORED;
		(void)snprintf(f.detail, sizeof(f.detail), "%zu objects are still listed", seen.count);
	}
	return p->fn(p->arg, &f, err);
}

static int
begin(struct probe *p, struct error *err)
{
	uint8_t name[NAME_LEN];
	char hex[2 * NAME_LEN + 1];
	int r = crypto_random(name, sizeof(name), err);

	if (r == 0)
		r = crypto_random(p->body, sizeof(p->body), err);
	if (r < 0)
		return r;
	hex_encode(hex, name, sizeof(name));
	(void)snprintf(p->folder, sizeof(p->folder), "doctor/%s/", hex);
	for (int i = 0; i < OBJECTS; i++)
		(void)snprintf(p->keys[i], sizeof(p->keys[i]), "%s%c", p->folder, 'a' + i);
	return 0;
}

int
store_probe(struct store *s, probe_fn *fn, void *arg, struct error *err)
{
	static int (*const checks[])(struct probe *, struct error *) = {
	    check_put, check_load, check_range, check_size, check_overwrite, check_list};
	struct probe p = {.store = s, .fn = fn, .arg = arg};
	struct error ignored;
	int r = begin(&p, err);

	if (r < 0)
		return r;
	for (size_t i = 0; r >= 0 && i < COUNT_OF(checks); i++)
		r = checks[i](&p, err);
	if (r >= 0 && s->ops->probe != NULL)
		r = s->ops->probe(s, p.folder, fn, arg, err);
	if (r >= 0)
		return check_remove(&p, err);
	for (size_t i = 0; i < OBJECTS; i++)
		(void)store_remove(s, p.keys[i], &ignored);
	return r;
}
