/*
 * The names of volume key objects, finding those of a volume, and reading one of them.
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
#include "volume_key.h"
#include "wire.h"

#define KEYS_MAX 1000 /* in one place */

/* Decode the digits of len bytes at *p and step over them. */
static bool
take_hex(const char **p, void *out, size_t len)
{
	char digits[2 * VOLUME_ID_LEN + 1];

	if (strnlen(*p, 2 * len) < 2 * len)
		return false;
	memcpy(digits, *p, 2 * len);
	digits[2 * len] = '\0';
	*p += 2 * len;
	return hex_decode(out, len, digits);
}

bool
volume_key_parse_main(const char *text, struct volume_key_name *out)
{
	uint8_t epoch[4];

	if (!take_hex(&text, epoch, sizeof(epoch)) || *text++ != '-' ||
	    !take_hex(&text, out->keyid, sizeof(out->keyid)) || strcmp(text, ".json") != 0)
		return false;
	out->epoch = (uint32_t)epoch[0] << 24 | (uint32_t)epoch[1] << 16 | (uint32_t)epoch[2] << 8 | epoch[3];
	return true;
}

bool
volume_key_parse_copy(const char *text, struct volume_key_name *out)
{
	return take_hex(&text, out->volume, sizeof(out->volume)) && *text++ == '-' && volume_key_parse_main(text, out);
}

void
volume_key_format(const struct volume_key_name *n, enum volume_key_place place, char out[VOLUME_KEY_PLACE_SIZE])
{
	char volume[2 * VOLUME_ID_LEN + 1], keyid[2 * KEY_ID_LEN + 1];

	hex_encode(volume, n->volume, sizeof(n->volume));
	hex_encode(keyid, n->keyid, sizeof(n->keyid));
	(void)snprintf(out, VOLUME_KEY_PLACE_SIZE,
	    place == VOLUME_KEY_MAIN ? "v/%s/k/%08x-%s.json" : VOLUME_KEY_COPIES "%s-%08x-%s.json", volume, n->epoch,
	    keyid);
}

static void
note_found(struct volume_key_list *l, const struct volume_key_name *name, enum volume_key_place place)
{
	size_t i = 0;

	while (i < l->count && memcmp(&l->list[i].name, name, sizeof(*name)) != 0)
		i++;
	if (i == l->count)
		l->list[l->count++] = (struct volume_key_found){.name = *name};
	l->list[i].at[place] = true;
}

/* Add what lies in one place. */
static int
find_in(struct repo *repo, const uint8_t volume[VOLUME_ID_LEN], enum volume_key_place place,
    const struct survey *survey, struct volume_key_list *out, struct error *err)
{
	CLEANUP(object_list_wipe) struct object_list found = {0};
	char hex[2 * VOLUME_ID_LEN + 1], prefix[VOLUME_KEY_PLACE_SIZE];
	struct volume_key_name name;
	void *list;
	int r;

	hex_encode(hex, volume, VOLUME_ID_LEN);
	(void)snprintf(prefix, sizeof(prefix), place == VOLUME_KEY_MAIN ? "v/%s/k/" : VOLUME_KEY_COPIES "%s-", hex);
	r = object_list_surveyed(survey, repo_store(repo), prefix, KEYS_MAX, &found, err);
	if (r < 0)
		return r;
	list = realloc(out->list, (out->count + found.count + 1) * sizeof(out->list[0]));
	if (list == NULL)
		return error_nomem(err);
	out->list = list;
	memset(&name, 0, sizeof(name));
	memcpy(name.volume, volume, sizeof(name.volume));
	for (size_t i = 0; i < found.count; i++)
		if (volume_key_parse_main(found.names[i], &name))
			note_found(out, &name, place);
	return 0;
}

int
volume_key_find_main(struct repo *repo, const uint8_t volume[VOLUME_ID_LEN], const struct survey *survey,
    struct volume_key_list *out, struct error *err)
{
	*out = (struct volume_key_list){NULL, 0};
	return find_in(repo, volume, VOLUME_KEY_MAIN, survey, out, err);
}

int
volume_key_find(struct repo *repo, const uint8_t volume[VOLUME_ID_LEN], struct volume_key_list *out, struct error *err)
{
	int r = volume_key_find_main(repo, volume, NULL, out, err);

	return r < 0 ? r : find_in(repo, volume, VOLUME_KEY_COPY, NULL, out, err);
}

void
volume_key_list_wipe(struct volume_key_list *l)
{
	free(l->list);
	*l = (struct volume_key_list){NULL, 0};
}

bool
volume_key_is_damage(int code)
{
	return code == ERR_CORRUPT || code == ERR_NOT_FOUND || code == ERR_UNSUPPORTED;
}

/* Append the object to *object, and open it. */
static int
load(struct repo *repo, const struct volume_key_name *name, enum volume_key_place place, struct buf *object,
    struct volume_keys *out, struct error *err)
{
	char key[VOLUME_KEY_PLACE_SIZE];
	int r;

	volume_key_format(name, place, key);
	r = store_load(repo_store(repo), key, ENVELOPE_MAX, object, err);
	if (r < 0)
		return r;
	r = volume_keys_parse(repo_root_key(repo), object->data, object->len, out, err);
	if (r < 0)
		return error_prefix(err, "%s", key);
	if (memcmp(out->volume, name->volume, VOLUME_ID_LEN) != 0 || out->epoch != name->epoch ||
	    memcmp(out->keyid, name->keyid, KEY_ID_LEN) != 0) {
		volume_keys_wipe(out);
		return error_set(err, ERR_CORRUPT, "%s holds another key than its name says", key);
	}
	return 0;
}

int
volume_key_load(struct repo *repo, const struct volume_key_name *name, enum volume_key_place place,
    struct volume_keys *out, struct error *err)
{
	CLEANUP(buf_free) struct buf object = BUF_INIT(ENVELOPE_MAX);

	return load(repo, name, place, &object, out, err);
}

int
volume_key_load_object(struct repo *repo, const struct volume_key_name *name, enum volume_key_place place,
    struct buf *out, struct error *err)
{
	CLEANUP(volume_keys_wipe) struct volume_keys keys = {.epoch = 0};

	return load(repo, name, place, out, &keys, err);
}
