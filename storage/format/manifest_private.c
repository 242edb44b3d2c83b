/*
 * Reading the private part of manifests: what only holders of the volume's key may see.
 */
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "cleanup.h"
#include "error.h"
#include "json.h"
#include "manifest_internal.h"
#include "statement.h"
#include "wire.h"

int
manifest_get_u64(struct json_object *json, const char *member, uint64_t *out, struct error *err)
{
	int64_t value;
	int r = json_get_int(json, member, 0, INT64_MAX, &value, err);

	if (r == 0)
		*out = (uint64_t)value;
	return r;
}

static int
copy_text(const char *text, char **out, struct error *err)
{
	*out = strdup(text);
	return *out == NULL ? error_nomem(err) : 0;
}

int
manifest_get_text(struct json_object *json, const char *member, char **out, struct error *err)
{
	const char *text;
	int r = json_get_string(json, member, &text, err);

	return r < 0 ? r : copy_text(text, out, err);
}

static int
get_tags(struct json_object *json, struct manifest *m, struct error *err)
{
	struct json_object *tags;
	size_t count;
	int r = json_get_object(json, "tags", &tags, err);

	if (r < 0)
		return r;
	count = (size_t)json_object_object_length(tags);
	if (count > MANIFEST_TAGS_MAX)
		return error_set(err, ERR_CORRUPT, "there are more than %d tags", MANIFEST_TAGS_MAX);
	m->tags = calloc(count + 1, sizeof(m->tags[0]));
	if (m->tags == NULL)
		return error_nomem(err);
	json_object_object_foreach(tags, key, value)
	{
		struct manifest_tag *t = &m->tags[m->ntags++];

		(void)value;
		if (key[0] == '\0')
			return error_set(err, ERR_CORRUPT, "a tag has no key");
		r = copy_text(key, &t->key, err);
		if (r == 0)
			r = manifest_get_text(tags, key, &t->value, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int
get_excludes(struct json_object *json, struct manifest *m, struct error *err)
{
	struct json_object *array;
	size_t count;
	int r = json_get_array(json, "excludes", MANIFEST_EXCLUDES_MAX, &array, &count, err);

	if (r < 0)
		return r;
	m->excludes = calloc(count + 1, sizeof(m->excludes[0]));
	if (m->excludes == NULL)
		return error_nomem(err);
	for (size_t i = 0; i < count; i++) {
		struct json_object *value = json_object_array_get_idx(array, i);
		const char *text;

		if (!json_object_is_type(value, json_type_string))
			return error_set(err, ERR_CORRUPT, "an exclude pattern is no string");
		text = json_object_get_string(value);
		if (strlen(text) != (size_t)json_object_get_string_len(value))
			return error_set(err, ERR_CORRUPT, "an exclude pattern holds a NUL");
		r = copy_text(text, &m->excludes[m->nexcludes++], err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int
get_private(struct json_object *json, const struct volume_keys *keys, struct manifest *m, struct error *err)
{
	int r = manifest_get_text(json, "name", &m->name, err);

	if (r == 0 && strcmp(m->name, keys->name) != 0)
		r = error_set(err, ERR_CORRUPT, "it names another volume");
	if (r == 0)
		r = manifest_get_text(json, "source", &m->source, err);
	if (r == 0)
		r = manifest_get_text(json, "host", &m->host, err);
	if (r == 0)
		r = manifest_get_u64(json, "size", &m->size, err);
	if (r == 0)
		r = get_tags(json, m, err);
	return r < 0 ? r : get_excludes(json, m, err);
}

/* The plaintext of the private part. */
static int
open_private(struct json_object *json, const struct volume_keys *keys, const struct manifest *m, struct buf *out,
    struct error *err)
{
	CLEANUP_FREE uint8_t *sealed = NULL;
	uint8_t key[KEY_LEN], snapshot[SNAPSHOT_ID_BYTES], *plain;
	const char *hex;
	size_t len;
	int r = json_get_string(json, "private", &hex, err);

	if (r < 0)
		return r;
	len = strlen(hex) / 2;
	if (len <= TAG_LEN || len > STATEMENT_PAYLOAD_MAX)
		return error_set(err, ERR_CORRUPT, "the private part is of impossible length");
	sealed = malloc(len);
	plain = buf_extend(out, len - TAG_LEN);
	if (sealed == NULL || plain == NULL)
		return error_nomem(err);
	if (!hex_decode(sealed, len, hex))
		return error_set(err, ERR_CORRUPT, "the private part is not hexadecimal");
	r = manifest_private_key(m, keys, key, snapshot, err);
	if (r == 0)
		r = aead_open_once(key, snapshot, sizeof(snapshot), sealed, len, plain, err);
	crypto_wipe(key, sizeof(key));
	return r;
}

int
manifest_private_parse(struct json_object *json, const struct volume_keys *keys, struct manifest *m, struct error *err)
{
	CLEANUP(json_putp) struct json_object *inner = NULL;
	CLEANUP(buf_wipe) struct buf plain = BUF_INIT(STATEMENT_PAYLOAD_MAX);
	int r = open_private(json, keys, m, &plain, err);

	if (r == 0)
		r = json_read(plain.data, plain.len, &inner, err);
	if (r == 0)
		r = get_private(inner, keys, m, err);
	return r < 0 ? error_prefix(err, "private part") : 0;
}
