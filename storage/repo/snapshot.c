/*
 * The snapshots of a volume: their manifests listed, found, read and committed.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "buf.h"
#include "cleanup.h"
#include "envelope.h"
#include "error.h"
#include "moment.h"
#include "object.h"
#include "repo.h"
#include "survey.h"

enum {
	MANIFEST_NAME_SIZE = 96,
	CANDIDATES_SHOWN = 5,
};

typedef char snapshot_id_text[SNAPSHOT_ID_LEN + 1];

static void
manifest_prefix(const struct volume *v, char out[MANIFEST_NAME_SIZE])
{
	(void)snprintf(out, MANIFEST_NAME_SIZE, "v/%s/s/", v->id_hex);
}

static void
manifest_name(const struct volume *v, const char *id, char out[MANIFEST_NAME_SIZE])
{
	(void)snprintf(out, MANIFEST_NAME_SIZE, "v/%s/s/%s.json", v->id_hex, id);
}

/* ---- listing ---- */

struct id_list {
	snapshot_id_text *ids;
	size_t count, capacity;
	size_t prefix_len;
};

static int
note_id(void *arg, const struct store_object *object, struct error *err)
{
	struct id_list *l = arg;
	const char *name = object->key + l->prefix_len;
	snapshot_id_text id;
	int r;

	if (strlen(name) != SNAPSHOT_ID_LEN + 5 || strcmp(name + SNAPSHOT_ID_LEN, ".json") != 0)
		return 0;
	memcpy(id, name, SNAPSHOT_ID_LEN);
	id[SNAPSHOT_ID_LEN] = '\0';
	if (!snapshot_id_valid(id))
		return 0;
	r = array_reserve(&l->ids, &l->capacity, l->count + 1, sizeof(l->ids[0]), err);
	if (r == 0)
		memcpy(l->ids[l->count++], id, sizeof(id));
	return r;
}

static int
list_ids(const struct volume *v, const struct survey *survey, struct id_list *out, struct error *err)
{
	char prefix[MANIFEST_NAME_SIZE];
	int r;

	manifest_prefix(v, prefix);
	*out = (struct id_list){.prefix_len = strlen(prefix)};
	/* The array is never NULL, so that callers need not tell "none" apart. */
	r = array_reserve(&out->ids, &out->capacity, 1, sizeof(out->ids[0]), err);
	if (r == 0)
		r = survey_list(survey, repo_store(v->repo), prefix, note_id, out, err);
	if (r < 0)
		free(STEAL(out->ids));
	return r < 0 ? r : 0;
}

int
snapshot_ids(const struct volume *v, char (**out)[SNAPSHOT_ID_LEN + 1], size_t *out_count, struct error *err)
{
	struct id_list list;
	int r = list_ids(v, NULL, &list, err);

	if (r < 0)
		return r;
	*out = list.ids;
	*out_count = list.count;
	return 0;
}

/* ---- loading ---- */

/* The manifest does not say in clear who signed it: the key that fits is it. */
static int
parse_with_any_key(const struct volume *v, const struct buf *object, struct manifest *out, struct error *err)
{
	for (size_t i = 0; i < v->nkeys; i++) {
		int r = manifest_parse(object->data, object->len, &v->keys[i], out, err);

		if (r != ERR_WRONG_KEY)
			return r;
	}
	return error_set(err, ERR_CORRUPT, "it is signed by a key that the volume does not have (any more)");
}

static int
parse_named(const struct volume *v, const struct buf *object, const char *id, struct manifest *out, struct error *err)
{
	int r = parse_with_any_key(v, object, out, err);

	if (r == 0 && strcmp(out->snapshot, id) != 0) {
		r = error_set(err, ERR_CORRUPT, "it is the manifest of snapshot %s", out->snapshot);
		manifest_wipe(out);
	}
	return r;
}

int
snapshot_load(const struct volume *v, const char *id, struct manifest *out, struct error *err)
{
	CLEANUP(buf_free) struct buf object = BUF_INIT(ENVELOPE_MAX);
	char name[MANIFEST_NAME_SIZE], quoted[64];
	int r;

	if (!snapshot_id_valid(id))
		return error_set(
		    err, ERR_USAGE, "\"%s\" is no snapshot id", error_quote(quoted, sizeof(quoted), id, strlen(id)));
	manifest_name(v, id, name);
	r = store_load(repo_store(v->repo), name, ENVELOPE_MAX, &object, err);
	if (r == ERR_NOT_FOUND)
		return error_set(err, ERR_NOT_FOUND, "snapshot %s does not exist", id);
	if (r == 0)
		r = parse_named(v, &object, id, out, err);
	return r < 0 ? error_prefix(err, "manifest %s", name) : 0;
}

/* ---- finding ---- */

static int
resolve_prefix(const struct volume *v, snapshot_id_text *ids, size_t count, const char *prefix, struct manifest *out,
    struct error *err)
{
	CLEANUP(buf_free) struct buf names = BUF_INIT(1024);
	size_t found = 0, len = strlen(prefix), last = 0;

	for (size_t i = 0; i < count; i++) {
		if (strncmp(ids[i], prefix, len) != 0)
			continue;
		if (found < CANDIDATES_SHOWN)
			buf_printf(&names, "%s%s", found == 0 ? "" : ", ", ids[i]);
		last = i;
		found++;
	}
	if (found == 0)
		return error_set(err, ERR_NOT_FOUND, "there is no snapshot whose id begins with %s", prefix);
	if (found == 1)
		return snapshot_load(v, ids[last], out, err);
	return error_set(err, ERR_USAGE, "%zu snapshots begin with %s: %.*s%s", found, prefix, (int)names.len,
	    names.data == NULL ? "" : (const char *)names.data, found > CANDIDATES_SHOWN ? "..." : "");
}

/*
 * The newest that was started at or before the time.  Ids carry the time of the start, so that younger ones need not be
 * read; what counts is what the manifest says.
 */
static int
resolve_time(const struct volume *v, snapshot_id_text *ids, size_t count, const char *text, struct manifest *out,
    struct error *err)
{
	struct manifest_time limit;
	int r = moment_parse(text, &limit, err);

	if (r < 0)
		return r;
	for (size_t i = count; i-- > 0;) {
		int64_t ms;

		if (snapshot_id_time(ids[i], &ms) && ms / 1000 > limit.s)
			continue;
		r = snapshot_load(v, ids[i], out, err);
		/* Removed since the listing. */
		if (r == ERR_NOT_FOUND)
			continue;
		if (r < 0)
			return r;
		if (moment_compare(&out->started, &limit) <= 0)
			return 0;
		manifest_wipe(out);
	}
	return error_set(err, ERR_NOT_FOUND, "there is no snapshot from %s or before", text);
}

/* Whether this may be the beginning of an id; in lower case to out, which people forget. */
static bool
looks_like_prefix(const char *spec, snapshot_id_text out)
{
	static const char pattern[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
	size_t len = strlen(spec);

	if (len == 0 || len > SNAPSHOT_ID_LEN)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = spec[i] >= 'A' && spec[i] <= 'F' ? (char)(spec[i] - 'A' + 'a') : spec[i];

		if (pattern[i] == '-' ? c != '-' : !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return false;
		out[i] = c;
	}
	out[len] = '\0';
	return true;
}

int
snapshot_resolve(const struct volume *v, const char *spec, struct manifest *out, struct error *err)
{
	CLEANUP_FREE snapshot_id_text *ids = NULL;
	char quoted[64];
	snapshot_id_text prefix;
	bool latest = strcmp(spec, "latest") == 0, is_time = moment_looks_like(spec);
	bool is_prefix = !latest && !is_time && looks_like_prefix(spec, prefix);
	size_t count;
	int r;

	if (!latest && !is_time && !is_prefix)
		return error_set(err, ERR_USAGE,
		    "\"%s\" is no snapshot: give \"latest\", an id, the beginning of one, or a time",
		    error_quote(quoted, sizeof(quoted), spec, strlen(spec)));
	if (is_prefix && snapshot_id_valid(prefix))
		return snapshot_load(v, prefix, out, err);
	if (latest)
		return snapshot_newest(v, NULL, out, err);
	r = snapshot_ids(v, &ids, &count, err);
	if (r < 0)
		return r;
	if (count == 0)
		return error_set(err, ERR_NOT_FOUND, "volume %s has no snapshot", v->keys[0].name);
	return is_time ? resolve_time(v, ids, count, spec, out, err) : resolve_prefix(v, ids, count, prefix, out, err);
}

int
snapshot_newest(const struct volume *v, const struct survey *survey, struct manifest *out, struct error *err)
{
	struct id_list list;
	int r = list_ids(v, survey, &list, err);

	if (r < 0)
		return r;
	if (list.count == 0)
		r = error_set(err, ERR_NOT_FOUND, "volume %s has no snapshot", v->keys[0].name);
	else
		r = snapshot_load(v, list.ids[list.count - 1], out, err);
	free(list.ids);
	return r;
}

/* ---- committing ---- */

int
snapshot_commit(const struct volume *v, struct manifest *m, struct error *err)
{
	CLEANUP(buf_free) struct buf object = BUF_INIT(ENVELOPE_MAX);
	const struct volume_keys *keys = volume_find_keys(v, m->epoch, m->keyid);
	char name[MANIFEST_NAME_SIZE];
	int r;

	if (keys == NULL)
		return error_set(err, ERR_USAGE, "the manifest names a key that the volume does not have");
	r = manifest_encode(m, keys, &object, err);
	if (r < 0)
		return r;
	manifest_name(v, m->snapshot, name);
	r = object_put(repo_store(v->repo), name, object.data, object.len, err);
	return r < 0 ? error_prefix(err, "commit of snapshot %s", m->snapshot) : 0;
}
