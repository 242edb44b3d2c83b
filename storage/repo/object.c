/*
 * Small objects on which everything else hangs: written with a look back, and listed.
 */
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "buf.h"
#include "cleanup.h"
#include "error.h"
#include "object.h"
#include "store.h"
#include "survey.h"

/* 0 when the object holds exactly these bytes. */
static int
check_same(struct store *store, const char *key, const void *bytes, size_t len, struct error *err)
{
	CLEANUP(buf_wipe) struct buf got = BUF_INIT(len + 1);
	int r = store_load(store, key, len, &got, err);

	if (r < 0)
		return r;
	if (got.len != len || (len > 0 && memcmp(got.data, bytes, len) != 0))
		return error_set(err, ERR_CORRUPT, "object %s does not hold what was written", key);
	return 0;
}

int
object_put(struct store *store, const char *key, const void *bytes, size_t len, struct error *err)
{
	struct error ignored;
	int r = store_put(store, key, bytes, len, err);

	if (r < 0)
		return check_same(store, key, bytes, len, &ignored) == 0 ? 0 : r;
	r = check_same(store, key, bytes, len, err);
	return r < 0 ? error_prefix(err, "%s was written, but could not be read back", key) : 0;
}

static int
note_name(void *arg, const struct store_object *object, struct error *err)
{
	struct object_list *l = arg;
	int r;

	if (l->count == l->max)
		return error_set(err, ERR_CORRUPT, "there are more than %zu objects like %s", l->max, object->key);
	r = array_reserve(&l->names, &l->capacity, l->count + 1, sizeof(l->names[0]), err);
	if (r < 0)
		return r;
	l->names[l->count] = strdup(object->key + l->prefix_len);
	if (l->names[l->count] == NULL)
		return error_nomem(err);
	l->count++;
	return 0;
}

int
object_list_surveyed(const struct survey *survey, struct store *store, const char *prefix, size_t max,
    struct object_list *out, struct error *err)
{
	*out = (struct object_list){.prefix_len = strlen(prefix), .max = max};
	return survey_list(survey, store, prefix, note_name, out, err);
}

int
object_list(struct store *store, const char *prefix, size_t max, struct object_list *out, struct error *err)
{
	return object_list_surveyed(NULL, store, prefix, max, out, err);
}

void
object_list_wipe(struct object_list *l)
{
	for (size_t i = 0; i < l->count; i++)
		free(l->names[i]);
	free(l->names);
	memset(l, 0, sizeof(*l));
}
