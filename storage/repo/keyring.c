/*
 * Session keys for reading.
 *
 * Opening one costs a Diffie-Hellman, and most snapshots need few of the sessions that they name at any moment, so that
 * keys are opened when they are asked for.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "error.h"
#include "keyring.h"
#include "volume.h"
#include "wire.h"

struct item {
	struct session_key key; /* the key itself once opened */
	uint32_t epoch;
	uint8_t keyid[KEY_ID_LEN];
	bool opened;
};

struct keyring {
	const struct volume *volume;
	pthread_mutex_t lock; /* guards everything below */
	struct item *items; /* by session id */
	size_t count, capacity;
};

int
keyring_new(const struct volume *volume, struct keyring **out, struct error *err)
{
	struct keyring *k = calloc(1, sizeof(*k));

	if (k == NULL)
		return error_nomem(err);
	k->volume = volume;
	(void)pthread_mutex_init(&k->lock, NULL);
	*out = k;
	return 0;
}

void
keyring_free(struct keyring *k)
{
	if (k == NULL)
		return;
	crypto_wipe(k->items, k->count * sizeof(k->items[0]));
	free(k->items);
	(void)pthread_mutex_destroy(&k->lock);
	free(k);
}

/* The first item that is not below session. */
static size_t
find(const struct keyring *k, const uint8_t session[SESSION_ID_LEN])
{
	size_t low = 0, high = k->count;

	/* Lists come sorted, so that the place is mostly the end. */
	if (k->count > 0 && memcmp(k->items[k->count - 1].key.session, session, SESSION_ID_LEN) < 0)
		return k->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (memcmp(k->items[middle].key.session, session, SESSION_ID_LEN) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool
is_at(const struct keyring *k, size_t i, const uint8_t session[SESSION_ID_LEN])
{
	return i < k->count && memcmp(k->items[i].key.session, session, SESSION_ID_LEN) == 0;
}

static bool
is_same(const struct item *a, const struct item *b)
{
	return a->epoch == b->epoch && memcmp(a->keyid, b->keyid, KEY_ID_LEN) == 0 &&
	       memcmp(a->key.sealed, b->key.sealed, SEALED_LEN) == 0 &&
	       memcmp(a->key.commitment, b->key.commitment, sizeof(a->key.commitment)) == 0;
}

/* Grow by hand: memory that held keys is wiped before it is given back. */
static int
reserve(struct keyring *k, struct error *err)
{
	struct item *items = NULL;
	size_t capacity = 0;
	int r;

	if (k->count < k->capacity)
		return 0;
	r = array_reserve(&items, &capacity, 2 * k->count + 1, sizeof(items[0]), err);
	if (r < 0)
		return r;
	if (k->count > 0)
		memcpy(items, k->items, k->count * sizeof(items[0]));
	crypto_wipe(k->items, k->count * sizeof(k->items[0]));
	free(k->items);
	k->items = items;
	k->capacity = capacity;
	return 0;
}

static int
add_locked(struct keyring *k, const struct item *item, struct error *err)
{
	char hex[2 * SESSION_ID_LEN + 1];
	size_t i = find(k, item->key.session);
	int r;

	if (is_at(k, i, item->key.session)) {
		if (!is_same(&k->items[i], item)) {
			hex_encode(hex, item->key.session, SESSION_ID_LEN);
			return error_set(err, ERR_CORRUPT, "session %s is given with two different keys", hex);
		}
		if (item->opened)
			k->items[i] = *item;
		return 0;
	}
	r = reserve(k, err);
	if (r < 0)
		return r;
	memmove(k->items + i + 1, k->items + i, (k->count - i) * sizeof(k->items[0]));
	k->items[i] = *item;
	k->count++;
	return 0;
}

static int
add(struct keyring *k, const struct item *item, struct error *err)
{
	int r;

	(void)pthread_mutex_lock(&k->lock);
	r = add_locked(k, item, err);
	(void)pthread_mutex_unlock(&k->lock);
	return r;
}

int
keyring_add(struct keyring *k, const struct packlist_session *s, struct error *err)
{
	struct item item = {.epoch = s->epoch};

	memcpy(item.keyid, s->keyid, sizeof(item.keyid));
	memcpy(item.key.session, s->session, sizeof(item.key.session));
	memcpy(item.key.sealed, s->sealed, sizeof(item.key.sealed));
	memcpy(item.key.commitment, s->commitment, sizeof(item.key.commitment));
	return add(k, &item, err);
}

/* A session key does not say to which of the volume's keys it is sealed; the one that opens it is it. */
int
keyring_add_open(struct keyring *k, const struct session_key *key, struct error *err)
{
	for (size_t i = 0; i < k->volume->nkeys; i++) {
		const struct volume_keys *keys = &k->volume->keys[i];
		struct item item = {.key = *key, .epoch = keys->epoch, .opened = true};
		struct error why;
		int r;

		r = session_key_open(keys, &item.key, &why);
		/* Not the key's fault. */
		if (r == ERR_NOMEM || r == ERR_SYSTEM) {
			*err = why;
			return r;
		}
		if (r < 0)
			continue;
		memcpy(item.keyid, keys->keyid, sizeof(item.keyid));
		r = add(k, &item, err);
		session_key_wipe(&item.key);
		return r;
	}
	return error_set(err, ERR_USAGE, "a session's key is not sealed to any key of volume %s", k->volume->id_hex);
}

static int
find_volume_keys(const struct keyring *k, const struct item *item, const struct volume_keys **out, struct error *err)
{
	char keyid[2 * KEY_ID_LEN + 1];

	*out = volume_find_keys(k->volume, item->epoch, item->keyid);
	if (*out != NULL)
		return 0;
	hex_encode(keyid, item->keyid, sizeof(item->keyid));
	return error_set(err, ERR_CORRUPT, "volume key %08x-%s, under which it was written, is missing or damaged",
	    item->epoch, keyid);
}

static int
look_up(struct keyring *k, const uint8_t session[SESSION_ID_LEN], struct item **out, struct error *err)
{
	char hex[2 * SESSION_ID_LEN + 1];
	size_t i = find(k, session);

	if (!is_at(k, i, session)) {
		hex_encode(hex, session, SESSION_ID_LEN);
		return error_set(err, ERR_CORRUPT, "session %s is not named by the snapshot", hex);
	}
	*out = &k->items[i];
	return 0;
}

static int
open_locked(struct keyring *k, const uint8_t session[SESSION_ID_LEN], struct session_key *out, struct error *err)
{
	const struct volume_keys *keys;
	struct item *item;
	int r = look_up(k, session, &item, err);

	if (r == 0 && !item->opened) {
		r = find_volume_keys(k, item, &keys, err);
		if (r == 0)
			r = session_key_open(keys, &item->key, err);
		item->opened = r == 0;
	}
	if (r == 0)
		*out = item->key;
	return r;
}

int
keyring_pack_key(struct keyring *k, uint8_t kind, const uint8_t session[SESSION_ID_LEN], uint32_t seq,
    uint8_t out[KEY_LEN], struct error *err)
{
	struct session_key key;
	int r;

	(void)pthread_mutex_lock(&k->lock);
	r = open_locked(k, session, &key, err);
	(void)pthread_mutex_unlock(&k->lock);
	if (r < 0)
		return r;
	r = session_key_pack(&key, k->volume->id, kind, seq, out, err);
	session_key_wipe(&key);
	return r;
}

int
keyring_volume_keys(
    struct keyring *k, const uint8_t session[SESSION_ID_LEN], const struct volume_keys **out, struct error *err)
{
	struct item *item;
	int r;

	(void)pthread_mutex_lock(&k->lock);
	r = look_up(k, session, &item, err);
	if (r == 0)
		r = find_volume_keys(k, item, out, err);
	(void)pthread_mutex_unlock(&k->lock);
	return r;
}
