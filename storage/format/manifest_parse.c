/*
 * Reading manifests: what anybody may see.  The signature says who wrote one, not that it makes sense: everything is
 * checked as if it came from anybody.
 */
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "error.h"
#include "json.h"
#include "manifest_internal.h"
#include "statement.h"
#include "timetext.h"

static int
get_u32(struct json_object *json, const char *member, uint32_t *out, struct error *err)
{
	int64_t value;
	int r = json_get_int(json, member, 0, UINT32_MAX, &value, err);

	if (r == 0)
		*out = (uint32_t)value;
	return r;
}

/* The i-th element of an array of objects. */
static int
get_element(struct json_object *array, size_t i, struct json_object **out, struct error *err)
{
	*out = json_object_array_get_idx(array, i);
	if (!json_object_is_type(*out, json_type_object))
		return error_set(err, ERR_CORRUPT, "element %zu of an array is no object", i);
	return 0;
}

static int
get_frame(struct json_object *json, uint8_t type, struct frame_ref *out, struct error *err)
{
	int r = json_get_hex(json, "session", out->session, sizeof(out->session), err);

	if (r == 0)
		r = get_u32(json, "seq", &out->seq, err);
	if (r == 0)
		r = get_u32(json, "ordinal", &out->ordinal, err);
	if (r == 0)
		r = get_u32(json, "offset", &out->offset, err);
	if (r == 0)
		r = get_u32(json, "clen", &out->clen, err);
	if (r == 0)
		r = get_u32(json, "plen", &out->plen, err);
	if (r == 0)
		r = json_get_hex(json, "id", out->id, sizeof(out->id), err);
	out->type = type;
	return r;
}

static int
get_frames(struct json_object *json, const char *member, uint8_t type, struct frame_ref *out, size_t *out_count,
    struct error *err)
{
	struct json_object *array, *element;
	size_t count;
	int r = json_get_array(json, member, MANIFEST_FRAMES_MAX, &array, &count, err);

	for (size_t i = 0; r == 0 && i < count; i++) {
		r = get_element(array, i, &element, err);
		if (r == 0)
			r = get_frame(element, type, &out[i], err);
		if (r < 0)
			return error_prefix(err, "member \"%s\"", member);
	}
	if (r == 0)
		*out_count = count;
	return r;
}

static int
get_session(struct json_object *json, struct packlist_session *out, struct error *err)
{
	int r = json_get_hex(json, "session", out->session, sizeof(out->session), err);

	if (r == 0)
		r = get_u32(json, "epoch", &out->epoch, err);
	if (r == 0)
		r = json_get_hex(json, "key", out->keyid, sizeof(out->keyid), err);
	if (r == 0)
		r = json_get_hex(json, "sealed", out->sealed, sizeof(out->sealed), err);
	if (r == 0)
		r = json_get_hex(json, "commitment", out->commitment, sizeof(out->commitment), err);
	return r;
}

static int
get_sessions(struct json_object *json, struct manifest *m, struct error *err)
{
	struct json_object *array, *element;
	size_t count;
	int r = json_get_array(json, "sessions", MANIFEST_SESSIONS_MAX, &array, &count, err);

	if (r < 0 || count == 0)
		return r;
	m->sessions = calloc(count, sizeof(m->sessions[0]));
	if (m->sessions == NULL)
		return error_nomem(err);
	for (m->nsessions = 0; m->nsessions < count; m->nsessions++) {
		r = get_element(array, m->nsessions, &element, err);
		if (r == 0)
			r = get_session(element, &m->sessions[m->nsessions], err);
		if (r < 0)
			return error_prefix(err, "member \"sessions\"");
	}
	return 0;
}

static int
get_seconds(struct json_object *json, uint64_t *out_ms, struct error *err)
{
	struct json_object *value;
	double seconds;
	int r = statement_get_member(json, "seconds", &value, err);

	if (r < 0)
		return r;
	if (!json_object_is_type(value, json_type_double) && !json_object_is_type(value, json_type_int))
		return error_set(err, ERR_CORRUPT, "member \"seconds\" is no number");
	seconds = json_object_get_double(value);
	/* Written so that it is false for what is not a number. */
	if (!(seconds >= 0 && seconds <= (double)(MANIFEST_MILLISECONDS_MAX / 1000)))
		return error_set(err, ERR_CORRUPT, "member \"seconds\" is out of range");
	*out_ms = (uint64_t)(seconds * 1000 + 0.5);
	return 0;
}

static int
get_statistics(struct json_object *json, struct manifest_statistics *out, struct error *err)
{
	const struct {
		const char *member;
		uint64_t *out;
	} numbers[] = {
	    {"entries", &out->entries},
	    {"files", &out->files},
	    {"bytes", &out->bytes},
	    {"new_bytes", &out->new_bytes},
	    {"stored_bytes", &out->stored_bytes},
	    {"unchanged", &out->unchanged},
	    {"changed", &out->changed},
	    {"new", &out->added},
	    {"deleted", &out->deleted},
	    {"warnings", &out->warnings},
	};
	struct json_object *statistics;
	int r = json_get_object(json, "statistics", &statistics, err);

	for (size_t i = 0; r == 0 && i < COUNT_OF(numbers); i++)
		r = manifest_get_u64(statistics, numbers[i].member, numbers[i].out, err);
	return r < 0 ? r : get_seconds(statistics, &out->milliseconds, err);
}

static int
get_parent(struct json_object *json, struct manifest *m, struct error *err)
{
	struct json_object *parent;
	int r = statement_get_member(json, "parent", &parent, err);

	if (r < 0 || parent == NULL)
		return r;
	r = json_get_object(json, "parent", &parent, err);
	if (r == 0)
		r = statement_get_snapshot(parent, "snapshot", false, m->parent, err);
	if (r == 0)
		r = json_get_hex(parent, "sha256", m->parent_sha256, sizeof(m->parent_sha256), err);
	return r;
}

static int
get_mode(struct json_object *json, struct manifest *m, struct error *err)
{
	const char *mode;
	int r = json_get_string(json, "mode", &mode, err);

	if (r < 0)
		return r;
	if (strcmp(mode, "file") != 0 && strcmp(mode, "block") != 0)
		return error_set(err, ERR_CORRUPT, "member \"mode\" is unknown");
	m->mode = strcmp(mode, "block") == 0 ? MODE_BLOCK : MODE_FILE;
	return 0;
}

/* Members that say nothing to this version, but must be as the format wants them. */
static int
check_reserved(struct json_object *json, struct error *err)
{
	struct json_object *value;
	struct manifest_time ignored;
	int64_t shards;
	int r = json_get_int(json, "shards", 1, INT64_MAX, &shards, err);

	if (r < 0)
		return r;
	if (shards != 1)
		return error_set(err, ERR_UNSUPPORTED, "it has %lld shards; this version reads one", (long long)shards);
	r = statement_get_member(json, "retain_until", &value, err);
	if (r < 0 || value == NULL)
		return r;
	return statement_get_time(json, "retain_until", &ignored, err);
}

static int
get_public(struct json_object *json, struct manifest *m, struct error *err)
{
	const char *flaw;
	int r = statement_get_snapshot(json, "snapshot", false, m->snapshot, err);

	if (r == 0)
		r = manifest_get_u64(json, "sequence", &m->sequence, err);
	if (r == 0)
		r = get_parent(json, m, err);
	if (r == 0)
		r = get_mode(json, m, err);
	if (r == 0)
		r = statement_get_time(json, "started", &m->started, err);
	if (r == 0)
		r = statement_get_time(json, "finished", &m->finished, err);
	if (r == 0)
		r = json_get_hex(json, "session", m->session, sizeof(m->session), err);
	if (r == 0)
		r = check_reserved(json, err);
	if (r == 0)
		r = get_sessions(json, m, err);
	if (r == 0)
		r = get_frames(json, "root", FRAME_ROOT, m->root, &m->nroot, err);
	if (r == 0)
		r = get_frames(json, "packlist", FRAME_PACKLIST, m->packlist, &m->npacklist, err);
	if (r == 0)
		r = get_statistics(json, &m->statistics, err);
	if (r == 0)
		r = manifest_get_text(json, "tool", &m->tool, err);
	if (r < 0)
		return r;
	flaw = manifest_flaw(m);
	return flaw == NULL ? 0 : error_set(err, ERR_CORRUPT, "%s", flaw);
}

static int
parse(struct json_object *json, const struct volume_keys *keys, struct manifest *m, struct error *err)
{
	int r;

	memcpy(m->volume, keys->volume, sizeof(m->volume));
	m->epoch = keys->epoch;
	memcpy(m->keyid, keys->keyid, sizeof(m->keyid));
	r = get_public(json, m, err);
	return r < 0 ? r : manifest_private_parse(json, keys, m, err);
}

int
manifest_parse(const void *object, size_t len, const struct volume_keys *keys, struct manifest *out, struct error *err)
{
	CLEANUP(json_putp) struct json_object *json = NULL;
	CLEANUP(manifest_wipe) struct manifest m = {0};
	int r;

	r = statement_open(MANIFEST_TYPE, MANIFEST_FORMAT, object, len, keys, &json, err);
	if (r == 0)
		r = parse(json, keys, &m, err);
	if (r == 0)
		r = crypto_sha256(object, len, m.sha256, err);
	if (r < 0)
		return r;
	m.object_len = len;
	*out = m;
	memset(&m, 0, sizeof(m));
	return 0;
}
