/*
 * Whether the keys of volumes are as safe as they should be: each of them lies in two places, and one of the two going
 * is nothing that any other command would notice.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "buf.h"
#include "cleanup.h"
#include "envelope.h"
#include "error.h"
#include "repo_internal.h"
#include "volume.h"
#include "volume_key.h"

#define KEYS_MAX ((size_t)1000000)

/* One object of the two. */
struct half {
	struct buf object;
	char key[VOLUME_KEY_PLACE_SIZE];
	int r;
	struct error why;
};

static void
half_wipe(struct half *h)
{
	buf_free(&h->object);
}

static int
half_load(struct half *h, struct repo *repo, const struct volume_key_name *name, enum volume_key_place place,
    struct error *err)
{
	buf_init(&h->object, ENVELOPE_MAX);
	volume_key_format(name, place, h->key);
	h->r = volume_key_load_object(repo, name, place, &h->object, &h->why);
	if (h->r == 0 || volume_key_is_damage(h->r))
		return 0;
	*err = h->why;
	return h->r;
}

/* What is wrong with h, given that the other one is good, or not. */
static void
half_tell(const struct half *h, const struct half *other, volume_bad_key_fn *bad, void *arg)
{
	struct error e;

	if (h->r == ERR_NOT_FOUND)
		(void)error_set(&e, h->r, "this copy of the volume's key is missing");
	else
		(void)error_set(&e, h->r, "this copy of the volume's key is damaged: %.200s", h->why.msg);
	if (other->r < 0)
		(void)snprintf(e.msg + strlen(e.msg), sizeof(e.msg) - strlen(e.msg),
		    "; so is the other copy: what was exported under this key cannot be read without a backup of "
		    "either");
	else
		(void)snprintf(e.msg + strlen(e.msg), sizeof(e.msg) - strlen(e.msg),
		    "; %s, the other copy, still works, and the next export that stores something %s", other->key,
		    h->r == ERR_UNSUPPORTED ? "leaves this one alone" : "makes this one again");
	bad(arg, h->key, &e);
}

static int
check_key(struct repo *repo, const struct volume_key_name *name, volume_bad_key_fn *bad, void *arg, struct error *err)
{
	CLEANUP(half_wipe) struct half main = {.r = 0}, copy = {.r = 0};
	struct error e;
	int r;

	if ((r = half_load(&main, repo, name, VOLUME_KEY_MAIN, err)) < 0 ||
	    (r = half_load(&copy, repo, name, VOLUME_KEY_COPY, err)) < 0)
		return r;
	if (main.r < 0)
		half_tell(&main, &copy, bad, arg);
	if (copy.r < 0)
		half_tell(&copy, &main, bad, arg);
	if (main.r < 0 || copy.r < 0 ||
	    (main.object.len == copy.object.len && memcmp(main.object.data, copy.object.data, copy.object.len) == 0))
		return 0;
	(void)error_set(&e, ERR_CORRUPT,
	    "this copy of the volume's key is not the same as %s, which is the one in use, although both are signed: "
	    "when all "
	    "snapshots verify, remove this one, and the next export that stores something makes it again",
	    main.key);
	bad(arg, copy.key, &e);
	return 0;
}

int
volume_check_keys(const struct volume *v, volume_bad_key_fn *bad, void *arg, struct error *err)
{
	CLEANUP(volume_key_list_wipe) struct volume_key_list found = {NULL, 0};
	int r = volume_key_find(v->repo, v->id, &found, err);

	for (size_t i = 0; r == 0 && i < found.count; i++)
		r = check_key(v->repo, &found.list[i].name, bad, arg, err);
	return r;
}

/* ---- all volumes ---- */

struct all {
	struct volume_key_name *keys; /* in no order, some of them twice */
	size_t count, capacity;
};

static void
all_wipe(struct all *a)
{
	free(a->keys);
}

static int
note_key(void *arg, const struct store_object *object, struct error *err)
{
	enum { ID_DIGITS = 2 * VOLUME_ID_LEN };
	struct volume_key_name name;
	struct all *a = arg;
	const char *key = object->key;
	char copy[VOLUME_KEY_PLACE_SIZE];
	int r;

	memset(&name, 0, sizeof(name));
	if (strncmp(key, "v/", 2) == 0) {
		/* "v/<volume>/k/<rest>" has the parts of "volumes/<volume>-<rest>". */
		if (strlen(key) < 2 + ID_DIGITS + 3 || strncmp(key + 2 + ID_DIGITS, "/k/", 3) != 0)
			return 0;
		(void)snprintf(copy, sizeof(copy), "%.*s-%s", ID_DIGITS, key + 2, key + 2 + ID_DIGITS + 3);
		key = copy;
	} else {
		key += strlen(VOLUME_KEY_COPIES);
	}
	if (!volume_key_parse_copy(key, &name))
		return 0;
	if (a->count == KEYS_MAX)
		return error_set(err, ERR_CORRUPT, "there are more than %zu volume keys", KEYS_MAX);
	r = array_reserve(&a->keys, &a->capacity, a->count + 1, sizeof(a->keys[0]), err);
	if (r == 0)
		a->keys[a->count++] = name;
	return r;
}

static int
by_name(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct volume_key_name));
}

/* The volume of keys[0..count), by its name; when no key opens, they are what is told. */
static int
visit(struct repo *repo, const struct volume_key_name *keys, size_t count,
    int (*fn)(void *arg, const char *name, struct error *), volume_bad_key_fn *bad, void *arg, struct error *err)
{
	for (size_t i = 0; i < count; i++)
		for (enum volume_key_place place = VOLUME_KEY_MAIN; place <= VOLUME_KEY_COPY; place++) {
			CLEANUP(volume_keys_wipe) struct volume_keys opened = {.epoch = 0};
			int r = volume_key_load(repo, &keys[i], place, &opened, err);

			if (r == 0)
				return fn(arg, opened.name, err);
			if (!volume_key_is_damage(r))
				return r;
		}
	for (size_t i = 0; i < count; i++) {
		int r = i > 0 && by_name(&keys[i], &keys[i - 1]) == 0 ? 0 : check_key(repo, &keys[i], bad, arg, err);

		if (r < 0)
			return r;
	}
	return 0;
}

int
volume_list_all(struct repo *repo, int (*fn)(void *arg, const char *name, struct error *), volume_bad_key_fn *bad,
    void *arg, struct error *err)
{
	CLEANUP(all_wipe) struct all all = {NULL, 0, 0};
	int r = store_list(repo_store(repo), VOLUME_KEY_COPIES, note_key, &all, err);

	if (r == 0)
		r = store_list(repo_store(repo), "v/", note_key, &all, err);
	if (r < 0)
		return r;
	if (all.count > 0)
		qsort(all.keys, all.count, sizeof(all.keys[0]), by_name);
	for (size_t i = 0, end; r == 0 && i < all.count; i = end) {
		for (end = i; end < all.count && memcmp(all.keys[end].volume, all.keys[i].volume, VOLUME_ID_LEN) == 0;)
			end++;
		r = visit(repo, all.keys + i, end - i, fn, bad, arg, err);
	}
	return r;
}
