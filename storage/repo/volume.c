/*
 * Volumes: names for chains of snapshots, each with keys of its own.
 *
 * Without its key a volume is lost, so every key object exists twice, and whatever is wrong with one of the two is made
 * good by the other.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "cleanup.h"
#include "envelope.h"
#include "error.h"
#include "object.h"
#include "repo_internal.h"
#include "survey.h"
#include "volume.h"
#include "volume_key.h"
#include "wire.h"

enum { FIRST_EPOCH = 1 };

void
volume_free(struct volume *v)
{
	if (v == NULL)
		return;
	for (size_t i = 0; i < v->nkeys; i++)
		volume_keys_wipe(&v->keys[i]);
	free(v->keys);
	free(v);
}

static void
cleanup_volume_p(struct volume **v)
{
	volume_free(*v);
}

const struct volume_keys *
volume_find_keys(const struct volume *v, uint32_t epoch, const uint8_t keyid[KEY_ID_LEN])
{
	for (size_t i = 0; i < v->nkeys; i++) {
		if (v->keys[i].epoch == epoch && memcmp(v->keys[i].keyid, keyid, KEY_ID_LEN) == 0)
			return &v->keys[i];
	}
	return NULL;
}

/* ---- reading ---- */

/* The key from whichever of the two objects is good; damage of both is reported as that of the first. */
static int
load_either(struct repo *repo, struct volume_key_found *c, struct volume_keys *out, struct error *err)
{
	struct error second;
	int r;

	if (!c->at[VOLUME_KEY_MAIN])
		return volume_key_load(repo, &c->name, VOLUME_KEY_COPY, out, err);
	r = volume_key_load(repo, &c->name, VOLUME_KEY_MAIN, out, err);
	c->good = r == 0;
	if (r == 0 || !volume_key_is_damage(r) || !c->at[VOLUME_KEY_COPY])
		return r;
	if (volume_key_load(repo, &c->name, VOLUME_KEY_COPY, out, &second) == 0)
		return 0;
	return r;
}

static int
by_precedence(const void *a, const void *b)
{
	const struct volume_keys *x = a, *y = b;

	if (x->epoch != y->epoch)
		return x->epoch > y->epoch ? -1 : 1;
	return memcmp(x->keyid, y->keyid, KEY_ID_LEN);
}

/* Load what opens.  1 when there are keys, 0 when there are no key objects at all. */
static int
load_keys(struct volume *v, struct volume_key_list *found, struct error *err)
{
	struct error flaw = {.code = ERR_OK};

	if (found->count == 0)
		return 0;
	v->keys = calloc(found->count, sizeof(v->keys[0]));
	if (v->keys == NULL)
		return error_nomem(err);
	for (size_t i = 0; i < found->count; i++) {
		int r = load_either(v->repo, &found->list[i], &v->keys[v->nkeys], err);

		if (r == 0)
			v->nkeys++;
		else if (!volume_key_is_damage(r))
			return r;
		else if (flaw.code == ERR_OK)
			flaw = *err;
	}
	if (v->nkeys == 0) {
		*err = flaw;
		err->code = flaw.code == ERR_UNSUPPORTED ? ERR_UNSUPPORTED : ERR_CORRUPT;
		return error_prefix(err, "the volume has no key that is intact");
	}
	qsort(v->keys, v->nkeys, sizeof(v->keys[0]), by_precedence);
	return 1;
}

/* ---- creating, and mending ---- */

static int
put_key(struct repo *repo, const struct volume_key_name *name, enum volume_key_place place, const struct buf *object,
    struct error *err)
{
	char key[VOLUME_KEY_PLACE_SIZE];

	volume_key_format(name, place, key);
	return object_put(repo_store(repo), key, object->data, object->len, err);
}

static int
create_key(struct volume *v, const char *name, int64_t now_s, struct error *err)
{
	CLEANUP(buf_free) struct buf object = BUF_INIT(ENVELOPE_MAX);
	CLEANUP(volume_keys_wipe) struct volume_keys keys = {.epoch = 0};
	struct volume_key_name at;
	int r;

	r = volume_keys_create(repo_root_key(v->repo), name, FIRST_EPOCH, now_s, &keys, &object, err);
	if (r < 0)
		return r;
	memset(&at, 0, sizeof(at));
	memcpy(at.volume, keys.volume, sizeof(at.volume));
	at.epoch = keys.epoch;
	memcpy(at.keyid, keys.keyid, sizeof(at.keyid));
	r = put_key(v->repo, &at, VOLUME_KEY_MAIN, &object, err);
	return r < 0 ? r : put_key(v->repo, &at, VOLUME_KEY_COPY, &object, err);
}

/* Which of the two objects of a key that opens is to be written again: 1, with the bytes of the other one; 0: none. */
static int
find_flaw(const struct volume *v, const struct volume_key_found *c, enum volume_key_place *bad, struct buf *good,
    struct error *err)
{
	int r[2];

	for (enum volume_key_place place = VOLUME_KEY_MAIN; place <= VOLUME_KEY_COPY; place++) {
		buf_reset(good);
		if (place == VOLUME_KEY_MAIN && c->good) {
			r[place] = 0;
			continue;
		}
		r[place] = c->at[place] ? volume_key_load_object(v->repo, &c->name, place, good, err) : ERR_NOT_FOUND;
		if (r[place] < 0 && !volume_key_is_damage(r[place]))
			return r[place];
	}
	if ((r[0] < 0) == (r[1] < 0))
		return 0;
	*bad = r[0] < 0 ? VOLUME_KEY_MAIN : VOLUME_KEY_COPY;
	/* What a newer program has written is none of ours. */
	if (r[*bad] == ERR_UNSUPPORTED)
		return 0;
	if (*bad == VOLUME_KEY_MAIN)
		return 1;
	buf_reset(good);
	r[0] = volume_key_load_object(v->repo, &c->name, VOLUME_KEY_MAIN, good, err);
	return r[0] < 0 ? r[0] : 1;
}

/*
 * Write the one of the two objects that is missing or damaged, if the other is good.  A damaged one goes first: where
 * this program may not remove, it stays, and the other one serves.
 */
static int
mend(struct volume *v, const struct volume_key_found *c, struct error *err)
{
	CLEANUP(buf_free) struct buf good = BUF_INIT(ENVELOPE_MAX);
	enum volume_key_place bad = VOLUME_KEY_MAIN;
	char key[VOLUME_KEY_PLACE_SIZE];
	struct error ignored;
	int r;

	if (volume_find_keys(v, c->name.epoch, c->name.keyid) == NULL)
		return 0;
	r = find_flaw(v, c, &bad, &good, err);
	if (r <= 0)
		return r;
	volume_key_format(&c->name, bad, key);
	if (c->at[bad] && store_remove(repo_store(v->repo), key, &ignored) < 0)
		return 0;
	return put_key(v->repo, &c->name, bad, &good, err);
}

static int
create_or_mend(
    struct volume *v, const struct volume_key_list *found, const char *name, int64_t now_s, struct error *err)
{
	CLEANUP(volume_key_list_wipe) struct volume_key_list again = {NULL, 0};
	int r;

	for (size_t i = 0; i < found->count; i++) {
		r = mend(v, &found->list[i], err);
		if (r < 0)
			return r;
	}
	if (found->count > 0)
		return 0;
	r = create_key(v, name, now_s, err);
	if (r < 0)
		return r;
	/* Somebody else may have created the volume at the same time: all take the same key of the two. */
	r = volume_key_find(v->repo, v->id, &again, err);
	if (r == 0)
		r = load_keys(v, &again, err);
	if (r == 0)
		r = error_set(err, ERR_CORRUPT, "the store does not list the volume key that was just written");
	return r < 0 ? r : 0;
}

/* ---- opening ---- */

static int
volume_new(struct repo *repo, const char *name, struct volume **out, struct error *err)
{
	CLEANUP(cleanup_volume_p) struct volume *v = NULL;
	int r = volume_name_check(name, err);

	if (r < 0)
		return r;
	v = calloc(1, sizeof(*v));
	if (v == NULL)
		return error_nomem(err);
	v->repo = repo;
	r = root_key_volume_id(repo_root_key(repo), name, v->id, err);
	if (r < 0)
		return r;
	hex_encode(v->id_hex, v->id, sizeof(v->id));
	*out = STEAL(v);
	return 0;
}

int
volume_open(struct repo *repo, const char *name, bool create, int64_t now_s, struct volume **out, struct error *err)
{
	CLEANUP(cleanup_volume_p) struct volume *v = NULL;
	CLEANUP(volume_key_list_wipe) struct volume_key_list found = {NULL, 0};
	int r = volume_new(repo, name, &v, err);

	if (r == 0)
		r = volume_key_find(repo, v->id, &found, err);
	if (r < 0)
		return r;
	r = load_keys(v, &found, err);
	if (r == 0 && !create)
		return error_set(err, ERR_NOT_FOUND, "volume %s does not exist", name);
	if (r >= 0 && create)
		r = create_or_mend(v, &found, name, now_s, err);
	if (r < 0)
		return error_prefix(err, "volume %s", name);
	*out = STEAL(v);
	return 0;
}

static void
cleanup_survey_p(struct survey **s)
{
	survey_free(*s);
}

int
volume_glance(struct repo *repo, const char *name, struct volume **out, struct survey **out_survey, struct error *err)
{
	CLEANUP(cleanup_volume_p) struct volume *v = NULL;
	CLEANUP(cleanup_survey_p) struct survey *survey = NULL;
	CLEANUP(volume_key_list_wipe) struct volume_key_list found = {NULL, 0};
	char prefix[VOLUME_KEY_PLACE_SIZE];
	int r = volume_new(repo, name, &v, err);

	if (r < 0)
		return r;
	(void)snprintf(prefix, sizeof(prefix), "v/%s/", v->id_hex);
	r = survey_new(repo_store(repo), prefix, &survey, err);
	if (r == 0)
		r = volume_key_find_main(repo, v->id, survey, &found, err);
	if (r == 0)
		r = load_keys(v, &found, err);
	if (r == 0)
		return error_set(err, ERR_NOT_FOUND, "volume %s does not exist", name);
	if (r > 0 && v->nkeys < found.count)
		r = error_set(err, ERR_CORRUPT, "%zu of its %zu keys do not open", found.count - v->nkeys, found.count);
	if (r < 0)
		return error_prefix(err, "volume %s", name);
	*out = STEAL(v);
	*out_survey = STEAL(survey);
	return 0;
}
