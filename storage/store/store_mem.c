/*
 * A store in memory: a sorted array.
 *
 * Callbacks of a listing run without the lock, so that they may use the store; the listing finds its place again by
 * key.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "error.h"
#include "store.h"
#include "store_internal.h"

struct object {
	char *key;
	uint8_t *bytes;
	size_t len;
	int64_t modified_s;
};

struct store_mem {
	struct store store;
	pthread_mutex_t lock; /* guards the array and what it points to */
	struct object *objects;
	size_t count, cap;
};

/* Index of the first object whose key is not below the given one. */
static size_t
lower_bound(const struct store_mem *m, const char *key)
{
	size_t low = 0, high = m->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(m->objects[middle].key, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct object *
find(const struct store_mem *m, const char *key)
{
	size_t i = lower_bound(m, key);

	return i < m->count && strcmp(m->objects[i].key, key) == 0 ? &m->objects[i] : NULL;
}

static int
not_found(const char *key, struct error *err)
{
	return error_set(err, ERR_NOT_FOUND, "object %s does not exist", key);
}

static void
free_object(struct object *o)
{
	free(o->key);
	free(o->bytes);
}

static int
new_object(struct object *o, const char *key, const void *bytes, size_t len, struct error *err)
{
	o->key = strdup(key);
	o->bytes = malloc(len > 0 ? len : 1);
	o->len = len;
	o->modified_s = time(NULL);
	if (o->key == NULL || o->bytes == NULL) {
		free_object(o);
		return error_nomem(err);
	}
	if (len > 0)
		memcpy(o->bytes, bytes, len);
	return 0;
}

static int
insert(struct store_mem *m, const struct object *o, struct error *err)
{
	size_t i = lower_bound(m, o->key);

	if (find(m, o->key) != NULL)
		return error_set(err, ERR_EXISTS, "object %s exists already", o->key);
	if (m->count == m->cap) {
		size_t cap = m->cap == 0 ? 16 : m->cap * 2;
		struct object *grown = reallocarray(m->objects, cap, sizeof(*grown));

		if (grown == NULL)
			return error_nomem(err);
		m->objects = grown;
		m->cap = cap;
	}
	memmove(&m->objects[i + 1], &m->objects[i], (m->count - i) * sizeof(*o));
	m->objects[i] = *o;
	m->count++;
	return 0;
}

static int
mem_put(struct store *s, const char *key, const void *bytes, size_t len, enum store_kind kind,
    struct error *err)
{
	struct store_mem *m = (struct store_mem *)s;
	struct object o;
	int r;

	(void)kind;
	r = new_object(&o, key, bytes, len, err);
	if (r < 0)
		return r;
	(void)pthread_mutex_lock(&m->lock);
	r = insert(m, &o, err);
	(void)pthread_mutex_unlock(&m->lock);
	if (r < 0)
		free_object(&o);
	return r;
}

static int
mem_get(struct store *s, const char *key, uint64_t offset, void *bytes, size_t len, struct error *err)
{
	struct store_mem *m = (struct store_mem *)s;
	const struct object *o;
	int r = 0;

	(void)pthread_mutex_lock(&m->lock);
	o = find(m, key);
	if (o == NULL)
		r = not_found(key, err);
	else if (offset > o->len || len > o->len - offset)
		r = error_set(err, ERR_CORRUPT, "object %s is too short: %zu bytes", key, o->len);
	else if (len > 0)
		memcpy(bytes, o->bytes + offset, len);
	(void)pthread_mutex_unlock(&m->lock);
	return r;
}

static int
mem_size(struct store *s, const char *key, uint64_t *out_size, struct error *err)
{
	struct store_mem *m = (struct store_mem *)s;
	const struct object *o;
	int r = 0;

	(void)pthread_mutex_lock(&m->lock);
	o = find(m, key);
	if (o == NULL)
		r = not_found(key, err);
	else
		*out_size = o->len;
	(void)pthread_mutex_unlock(&m->lock);
	return r;
}

/* The first object from the given key on; its name is copied to next. */
static bool
next_object(struct store_mem *m, const char *from, char *next, size_t size, struct store_object *out)
{
	bool found;
	size_t i;

	(void)pthread_mutex_lock(&m->lock);
	i = lower_bound(m, from);
	found = i < m->count;
	if (found) {
		(void)snprintf(next, size, "%s", m->objects[i].key);
		*out = (struct store_object){next, m->objects[i].len, m->objects[i].modified_s};
	}
	(void)pthread_mutex_unlock(&m->lock);
	return found;
}

static int
mem_list(struct store *s, const char *prefix, store_list_fn *fn, void *arg, struct error *err)
{
	struct store_mem *m = (struct store_mem *)s;
	char key[520], from[521];
	struct store_object object;
	int r;

	(void)snprintf(from, sizeof(from), "%s", prefix);
	while (next_object(m, from, key, sizeof(key), &object) && strncmp(key, prefix, strlen(prefix)) == 0) {
		/* The smallest string above this key, before the callback gets hold of it. */
		(void)snprintf(from, sizeof(from), "%s\001", key);
		r = fn(arg, &object, err);
		if (r != 0)
			return r < 0 ? r : 0;
	}
	return 0;
}

static int
mem_remove(struct store *s, const char *key, struct error *err)
{
	struct store_mem *m = (struct store_mem *)s;
	struct object *o;

	(void)err;
	(void)pthread_mutex_lock(&m->lock);
	o = find(m, key);
	if (o != NULL) {
		free_object(o);
		m->count--;
		memmove(o, o + 1, (size_t)(m->objects + m->count - o) * sizeof(*o));
	}
	(void)pthread_mutex_unlock(&m->lock);
	return 0;
}

static void
mem_free(struct store *s)
{
	struct store_mem *m = (struct store_mem *)s;

	for (size_t i = 0; i < m->count; i++)
		free_object(&m->objects[i]);
	free(m->objects);
	(void)pthread_mutex_destroy(&m->lock);
	free(m);
}

static const struct store_ops mem_ops = {
    .name = "mem",
    .put = mem_put,
    .get = mem_get,
    .size = mem_size,
    .load = store_load_in_two,
    .list = mem_list,
    .remove = mem_remove,
    .free = mem_free,
};

int
store_mem_open(struct store **out, struct error *err)
{
	struct store_mem *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return error_nomem(err);
	m->store.ops = &mem_ops;
	(void)pthread_mutex_init(&m->lock, NULL);
	*out = &m->store;
	return 0;
}
