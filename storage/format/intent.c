/*
 * Intents: what a running session announces, so that garbage collection leaves its packs alone and the next session
 * finds what a dead one left behind.
 */
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "cleanup.h"
#include "envelope.h"
#include "error.h"
#include "json.h"
#include "statement.h"
#include "wire.h"

#define INTENT_TYPE   "application/vnd.snapferry.intent+json;version=1"
#define INTENT_FORMAT "snapferry-intent"

void
intent_wipe(struct intent *i)
{
	free(i->adopted);
	memset(i, 0, sizeof(*i));
}

static int
check_writable(const struct intent *i, const struct volume_keys *keys, struct error *err)
{
	const char *flaw = NULL;

	if (memcmp(i->volume, keys->volume, VOLUME_ID_LEN) != 0 || i->epoch != keys->epoch ||
	    memcmp(i->keyid, keys->keyid, KEY_ID_LEN) != 0)
		flaw = "it names other keys than those that sign it";
	else if (i->base[0] != '\0' && !snapshot_id_valid(i->base))
		flaw = "its base is no snapshot id";
	else if (i->nadopted > INTENT_ADOPTED_MAX)
		flaw = "it adopts too many sessions";
	else if (!statement_time_valid(&i->started) || !statement_time_valid(&i->refreshed))
		flaw = "a time is out of range";
	return flaw == NULL ? 0 : error_set(err, ERR_USAGE, "the intent cannot be written: %s", flaw);
}

int
intent_encode(const struct intent *i, const struct volume_keys *keys, struct buf *out, struct error *err)
{
	CLEANUP(buf_free) struct buf payload = BUF_INIT(ENVELOPE_MAX);
	int r;

	r = check_writable(i, keys, err);
	if (r < 0)
		return r;
	statement_put_head(&payload, INTENT_FORMAT, keys);
	buf_printf(&payload, "\"session\":");
	statement_put_hex(&payload, i->session, sizeof(i->session));
	buf_printf(&payload, ",\"base\":");
	statement_put_snapshot(&payload, i->base);
	buf_printf(&payload, ",\"adopted\":[");
	for (size_t n = 0; n < i->nadopted; n++) {
		buf_printf(&payload, n == 0 ? "" : ",");
		statement_put_hex(&payload, i->adopted[n], sizeof(i->adopted[n]));
	}
	buf_printf(&payload, "],\"started\":");
	statement_put_time(&payload, &i->started);
	buf_printf(&payload, ",\"refreshed\":");
	statement_put_time(&payload, &i->refreshed);
	buf_printf(&payload, "}");
	r = buf_check(&payload, "intent", err);
	return r < 0 ? r : statement_seal(INTENT_TYPE, &payload, keys, out, err);
}

static int
get_adopted(struct json_object *json, struct intent *out, struct error *err)
{
	struct json_object *array;
	size_t count;
	int r = json_get_array(json, "adopted", INTENT_ADOPTED_MAX, &array, &count, err);

	if (r < 0)
		return r;
	out->adopted = calloc(count + 1, sizeof(out->adopted[0]));
	if (out->adopted == NULL)
		return error_nomem(err);
	for (size_t i = 0; i < count; i++) {
		struct json_object *value = json_object_array_get_idx(array, i);

		if (!json_object_is_type(value, json_type_string) ||
		    !hex_decode(out->adopted[i], SESSION_ID_LEN, json_object_get_string(value)))
			return error_set(err, ERR_CORRUPT, "an adopted session is no session id");
	}
	out->nadopted = count;
	return 0;
}

int
intent_parse(const void *object, size_t len, const struct volume_keys *keys, struct intent *out, struct error *err)
{
	CLEANUP(json_putp) struct json_object *json = NULL;
	CLEANUP(intent_wipe) struct intent i = {.epoch = keys->epoch};
	int r;

	memcpy(i.volume, keys->volume, sizeof(i.volume));
	memcpy(i.keyid, keys->keyid, sizeof(i.keyid));
	r = statement_open(INTENT_TYPE, INTENT_FORMAT, object, len, keys, &json, err);
	if (r == 0)
		r = json_get_hex(json, "session", i.session, sizeof(i.session), err);
	if (r == 0)
		r = statement_get_snapshot(json, "base", true, i.base, err);
	if (r == 0)
		r = get_adopted(json, &i, err);
	if (r == 0)
		r = statement_get_time(json, "started", &i.started, err);
	if (r == 0)
		r = statement_get_time(json, "refreshed", &i.refreshed, err);
	if (r < 0)
		return r;
	*out = i;
	memset(&i, 0, sizeof(i));
	return 0;
}
