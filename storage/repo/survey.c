/*
 * What one request shows of the objects below a prefix.
 */
#include "survey.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "error.h"

struct survey {
	size_t prefix_len;
	struct store_object *objects; /* in byte order; keys are malloc'ed */
	size_t count, capacity;
	bool whole; /* there are no more */
	char prefix[];
};

void
survey_free(struct survey *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->count; i++)
		free((char *)s->objects[i].key);
	free(s->objects);
	free(s);
}

static int
note_object(void *arg, const struct store_object *object, struct error *err)
{
	struct survey *s = arg;
	int r = array_reserve(&s->objects, &s->capacity, s->count + 1, sizeof(s->objects[0]), err);

	if (r < 0)
		return r;
	s->objects[s->count] = *object;
	s->objects[s->count].key = strdup(object->key);
	if (s->objects[s->count].key == NULL)
		return error_nomem(err);
	/* To look for one more would be the next request. */
	return ++s->count == SURVEY_MAX;
}

int
survey_new(struct store *store, const char *prefix, struct survey **out, struct error *err)
{
	size_t len = strlen(prefix);
	struct survey *s = calloc(1, sizeof(*s) + len + 1);
	int r;

	if (s == NULL)
		return error_nomem(err);
	s->prefix_len = len;
	memcpy(s->prefix, prefix, len + 1);
	r = store_list(store, prefix, note_object, s, err);
	if (r == ERR_NOMEM || r == ERR_UNAVAILABLE || r == ERR_CANCELLED) {
		survey_free(s);
		return r;
	}
	s->whole = r >= 0 && s->count < SURVEY_MAX;
	*out = s;
	return 0;
}

/* Whether all keys with this prefix lie before the end of what was seen. */
static bool
has_seen(const struct survey *s, const char *prefix, size_t len)
{
	const char *last;

	if (len < s->prefix_len || memcmp(prefix, s->prefix, s->prefix_len) != 0)
		return false;
	if (s->whole || s->count == 0)
		return s->whole;
	last = s->objects[s->count - 1].key;
	return strncmp(last, prefix, len) > 0;
}

int
survey_list(
    const struct survey *s, struct store *store, const char *prefix, store_list_fn *fn, void *arg, struct error *err)
{
	size_t len = strlen(prefix);
	int r = 0;

	if (s == NULL || !has_seen(s, prefix, len))
		return store_list(store, prefix, fn, arg, err);
	for (size_t i = 0; r == 0 && i < s->count; i++)
		if (strncmp(s->objects[i].key, prefix, len) == 0)
			r = fn(arg, &s->objects[i], err);
	return r < 0 ? r : 0;
}
