/*
 * Which volumes there are: the copies of their keys, all of which must be read, since their names are sealed in them.
 */
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "error.h"
#include "object.h"
#include "parallel.h"
#include "volume.h"
#include "volume_key.h"

#define VOLUMES_MAX ((size_t)1000000)

enum { CONNECTIONS = 64 };

/* What was read of one key: its volume's name (NULL: both objects are damaged), and what is wrong. */
struct named {
	char *name;
	int code[2]; /* by enum volume_key_place */
	struct error err[2];
};

struct listing {
	struct repo *repo;
	struct volume_key_name *keys;
	size_t nkeys;
	char **names;
	size_t count;
	volume_bad_key_fn *bad;
	void *arg;
};

static void
named_free(void *result)
{
	struct named *n = result;

	free(n->name);
	free(n);
}

static void
listing_wipe(struct listing *l)
{
	for (size_t i = 0; i < l->count; i++)
		free(l->names[i]);
	free(l->names);
	free(l->keys);
}

/* The name from the copy, or else from the object that it is a copy of. */
static void *
make_named(void *arg, size_t i)
{
	CLEANUP(volume_keys_wipe) struct volume_keys keys = {.epoch = 0};
	const struct listing *l = arg;
	struct named *n = calloc(1, sizeof(*n));
	enum volume_key_place place = VOLUME_KEY_COPY;

	if (n == NULL)
		return NULL;
	n->code[place] = volume_key_load(l->repo, &l->keys[i], place, &keys, &n->err[place]);
	if (volume_key_is_damage(n->code[place])) {
		place = VOLUME_KEY_MAIN;
		n->code[place] = volume_key_load(l->repo, &l->keys[i], place, &keys, &n->err[place]);
	}
	if (n->code[place] < 0)
		return n;
	n->name = strdup(keys.name);
	if (n->name != NULL)
		return n;
	named_free(n);
	return NULL;
}

static int
take_named(void *arg, size_t i, void *result, struct error *err)
{
	struct listing *l = arg;
	struct named *n = result;
	char key[VOLUME_KEY_PLACE_SIZE];
	int r = 0;

	for (int place = VOLUME_KEY_COPY; r == 0 && place >= VOLUME_KEY_MAIN; place--) {
		if (n->code[place] == 0)
			continue;
		if (!volume_key_is_damage(n->code[place])) {
			*err = n->err[place];
			r = n->code[place];
		} else if (l->bad != NULL) {
			volume_key_format(&l->keys[i], (enum volume_key_place)place, key);
			l->bad(l->arg, key, &n->err[place]);
		}
	}
	if (r == 0 && n->name != NULL)
		l->names[l->count++] = STEAL(n->name);
	named_free(n);
	return r;
}

static int
find_keys(struct listing *l, struct error *err)
{
	CLEANUP(object_list_wipe) struct object_list copies = {0};
	int r = object_list(repo_store(l->repo), VOLUME_KEY_COPIES, VOLUMES_MAX, &copies, err);

	if (r < 0)
		return r;
	l->names = calloc(copies.count + 1, sizeof(l->names[0]));
	l->keys = calloc(copies.count + 1, sizeof(l->keys[0]));
	if (l->names == NULL || l->keys == NULL)
		return error_nomem(err);
	for (size_t i = 0; i < copies.count; i++)
		l->nkeys += volume_key_parse_copy(copies.names[i], &l->keys[l->nkeys]);
	return 0;
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int
volume_list(struct repo *repo, int (*fn)(void *arg, const char *name, struct error *), volume_bad_key_fn *bad,
    void *arg, struct error *err)
{
	CLEANUP(listing_wipe) struct listing l = {.repo = repo, .bad = bad, .arg = arg};
	int r = find_keys(&l, err);
	const struct parallel p = {.count = l.nkeys,
	    .threads = CONNECTIONS,
	    .make = make_named,
	    .take = take_named,
	    .dispose = named_free,
	    .arg = &l};

	if (r == 0)
		r = parallel_run(&p, err);
	if (r < 0)
		return r;
	qsort(l.names, l.count, sizeof(l.names[0]), by_text);
	for (size_t i = 0; i < l.count; i++) {
		if (i > 0 && strcmp(l.names[i], l.names[i - 1]) == 0)
			continue;
		r = fn(arg, l.names[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}
