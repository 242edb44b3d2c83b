/*
 * JSON signed with a volume's key: the frame of intents and manifests.
 *
 * Documents are written by hand into a buffer, because every one of them has a fixed shape; only reading needs a
 * library.
 */
#include <json-c/json.h>
#include <string.h>

#include "buf.h"
#include "cleanup.h"
#include "envelope.h"
#include "error.h"
#include "statement.h"
#include "utf8.h"
#include "timetext.h"

enum { SIGNATURES_MAX = 16 };

#define TIME_MIN_S INT64_C(-62135596800) /* 0001-01-01 */
#define TIME_MAX_S INT64_C(253402300799) /* 9999-12-31 */

/* Whether the envelope is intact, but signed by somebody else. */
static bool
signed_by_another(const char *payload_type, const void *object, size_t len)
{
	CLEANUP(json_putp) struct json_object *envelope = NULL;
	struct json_object *list;
	struct error ignored;
	size_t count;

	if (json_read(object, len, &envelope, &ignored) < 0 ||
	    json_get_array(envelope, "signatures", SIGNATURES_MAX, &list, &count, &ignored) < 0)
		return false;
	for (size_t i = 0; i < count; i++) {
		CLEANUP(buf_free) struct buf payload = BUF_INIT(ENVELOPE_MAX);
		struct json_object *element = json_object_array_get_idx(list, i);
		uint8_t key[KEY_LEN];

		if (json_object_is_type(element, json_type_object) &&
		    json_get_hex(element, "key", key, sizeof(key), &ignored) == 0 &&
		    envelope_open(payload_type, object, len, key, &payload, &ignored) == 0)
			return true;
	}
	return false;
}

static int
check_keys(struct json_object *json, const struct volume_keys *keys, struct error *err)
{
	uint8_t volume[VOLUME_ID_LEN], keyid[KEY_ID_LEN];
	int64_t epoch;
	int r;

	r = json_get_hex(json, "volume", volume, sizeof(volume), err);
	if (r < 0)
		return r;
	r = json_get_int(json, "epoch", 0, UINT32_MAX, &epoch, err);
	if (r < 0)
		return r;
	r = json_get_hex(json, "key", keyid, sizeof(keyid), err);
	if (r < 0)
		return r;
	if (memcmp(volume, keys->volume, sizeof(volume)) != 0)
		return error_set(err, ERR_CORRUPT, "it belongs to another volume");
	if (epoch != (int64_t)keys->epoch || memcmp(keyid, keys->keyid, sizeof(keyid)) != 0)
		return error_set(err, ERR_CORRUPT, "it names another key than the one that signed it");
	return 0;
}

int
statement_open(const char *payload_type, const char *format, const void *object, size_t len,
    const struct volume_keys *keys, struct json_object **out, struct error *err)
{
	CLEANUP(json_putp) struct json_object *json = NULL;
	CLEANUP(buf_free) struct buf payload = BUF_INIT(ENVELOPE_MAX);
	int r;

	r = envelope_open(payload_type, object, len, keys->sign_public, &payload, err);
	if (r == ERR_CORRUPT && signed_by_another(payload_type, object, len))
		return error_set(err, ERR_WRONG_KEY, "it is signed by another key");
	if (r < 0)
		return r;
	r = json_read(payload.data, payload.len, &json, err);
	if (r < 0)
		return r;
	r = json_check_format(json, format, err);
	if (r < 0)
		return r;
	r = check_keys(json, keys, err);
	if (r < 0)
		return r;
	*out = STEAL(json);
	return 0;
}

int
statement_seal(const char *payload_type, const struct buf *payload, const struct volume_keys *keys, struct buf *out,
    struct error *err)
{
	if (payload->len > STATEMENT_PAYLOAD_MAX)
		return error_set(err, ERR_USAGE, "%zu bytes are too much for a signed document", payload->len);
	return envelope_seal(payload_type, payload->data, payload->len, keys->sign_seed, out, err);
}

void
statement_put_head(struct buf *b, const char *format, const struct volume_keys *keys)
{
	buf_printf(b, "{\"format\":\"%s\",\"version\":1,\"volume\":", format);
	statement_put_hex(b, keys->volume, sizeof(keys->volume));
	buf_printf(b, ",\"epoch\":%u,\"key\":", (unsigned)keys->epoch);
	statement_put_hex(b, keys->keyid, sizeof(keys->keyid));
	buf_put(b, ",", 1);
}

/* (A sequence cannot run past the NUL at the end of a text, which is no continuation byte: four are always "left".) */
bool
statement_text_valid(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t n;

	for (; *p != '\0'; p += n) {
		n = utf8_length(p, 4);
		if (n == 0)
			return false;
	}
	return true;
}

void
statement_put_text(struct buf *b, const char *text)
{
	const unsigned char *p = (const unsigned char *)(text == NULL ? "" : text);

	buf_put(b, "\"", 1);
	while (*p != '\0') {
		size_t n = utf8_length(p, 4);

		if (n == 0)
			buf_printf(b, "\\ufffd");
		else if (*p < 0x20)
			buf_printf(b, "\\u%04x", *p);
		else if (*p == '"' || *p == '\\')
			buf_printf(b, "\\%c", *p);
		else
			buf_put(b, p, n);
		p += n == 0 ? 1 : n;
	}
	buf_put(b, "\"", 1);
}

void
statement_put_hex(struct buf *b, const void *bytes, size_t len)
{
	buf_put(b, "\"", 1);
	buf_hex(b, bytes, len);
	buf_put(b, "\"", 1);
}

void
statement_put_time(struct buf *b, const struct manifest_time *t)
{
	char text[TIME_TEXT_LEN];

	time_format(t->s, t->ns, text);
	buf_printf(b, "\"%s\"", text);
}

void
statement_put_snapshot(struct buf *b, const char *id)
{
	if (id[0] == '\0')
		buf_printf(b, "null");
	else
		buf_printf(b, "\"%s\"", id);
}

bool
statement_time_valid(const struct manifest_time *t)
{
	return t->s >= TIME_MIN_S && t->s <= TIME_MAX_S && t->ns < 1000000000;
}

int
statement_get_time(struct json_object *json, const char *member, struct manifest_time *out, struct error *err)
{
	const char *text;
	int r;

	r = json_get_string(json, member, &text, err);
	if (r < 0)
		return r;
	r = time_parse(text, &out->s, &out->ns, err);
	return r < 0 ? error_prefix(err, "member \"%s\"", member) : 0;
}

int
statement_get_member(struct json_object *json, const char *member, struct json_object **out, struct error *err)
{
	if (!json_object_is_type(json, json_type_object) || !json_object_object_get_ex(json, member, out))
		return error_set(err, ERR_CORRUPT, "member \"%s\" is missing", member);
	return 0;
}

int
statement_get_snapshot(
    struct json_object *json, const char *member, bool optional, char out[SNAPSHOT_ID_LEN + 1], struct error *err)
{
	struct json_object *value;
	const char *text;
	int r;

	r = statement_get_member(json, member, &value, err);
	if (r < 0)
		return r;
	if (value == NULL && optional) {
		out[0] = '\0';
		return 0;
	}
	r = json_get_string(json, member, &text, err);
	if (r < 0)
		return r;
	if (!snapshot_id_valid(text))
		return error_set(err, ERR_CORRUPT, "member \"%s\" is no snapshot id", member);
	memcpy(out, text, SNAPSHOT_ID_LEN + 1);
	return 0;
}
