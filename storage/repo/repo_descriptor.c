/*
 * A repository's descriptor, repo.json: what it is, signed with the admin key, which it names itself.
 */
#include <json-c/json.h>

#include "buf.h"
#include "cleanup.h"
#include "envelope.h"
#include "error.h"
#include "json.h"
#include "repo_internal.h"
#include "store.h"
#include "timetext.h"
#include "wire.h"

#define REPO_TYPE   "application/vnd.snapferry.repository+json;version=1"
#define REPO_FORMAT "snapferry-repository"

enum { SUITE = 1, SIGNATURES_MAX = 16 };

int
repo_descriptor_make(const struct root_key *root, int64_t now_s, struct buf *out, struct error *err)
{
	CLEANUP(buf_free) struct buf payload = BUF_INIT(ENVELOPE_MAX);
	char created[TIME_TEXT_LEN], id[2 * REPOSITORY_ID_LEN + 1];
	int r;

	hex_encode(id, root->repository, sizeof(root->repository));
	time_format(now_s, 0, created);
	buf_printf(&payload, "{\"format\":\"" REPO_FORMAT "\",\"version\":1,\"id\":\"%s\"", id);
	buf_printf(&payload, ",\"created\":\"%s\",\"suite\":%d,\"admin_key\":\"", created, SUITE);
	buf_hex(&payload, root->admin_public, sizeof(root->admin_public));
	buf_printf(&payload, "\"}");
	r = buf_check(&payload, REPO_OBJECT, err);
	return r < 0 ? r : envelope_seal(REPO_TYPE, payload.data, payload.len, root->admin_seed, out, err);
}

static int
parse_descriptor(const struct buf *payload, struct repo_descriptor *out, struct error *err)
{
	CLEANUP(json_putp) struct json_object *json = NULL;
	const char *created;
	int64_t suite, s;
	uint32_t ns;
	int r;

	r = json_read(payload->data, payload->len, &json, err);
	if (r == 0)
		r = json_check_format(json, REPO_FORMAT, err);
	if (r == 0)
		r = json_get_hex(json, "id", out->id, sizeof(out->id), err);
	if (r == 0)
		r = json_get_string(json, "created", &created, err);
	if (r == 0)
		r = time_parse(created, &s, &ns, err);
	if (r == 0)
		r = json_get_int(json, "suite", 1, INT64_MAX, &suite, err);
	if (r == 0)
		r = json_get_hex(json, "admin_key", out->admin_key, sizeof(out->admin_key), err);
	if (r == 0 && suite != SUITE)
		r = error_set(
		    err, ERR_UNSUPPORTED, "its cryptographic suite %lld is newer than this program", (long long)suite);
	return r;
}

/* Open the envelope by one of the keys that it names; whether that is the right one is seen later. */
static int
open_self_signed(const struct buf *object, struct buf *out_payload, uint8_t out_key[KEY_LEN], struct error *err)
{
	CLEANUP(json_putp) struct json_object *envelope = NULL;
	struct json_object *signatures;
	size_t count;
	int r;

	r = json_read(object->data, object->len, &envelope, err);
	if (r == 0)
		r = json_get_array(envelope, "signatures", SIGNATURES_MAX, &signatures, &count, err);
	if (r == 0 && count == 0)
		r = error_set(err, ERR_CORRUPT, "it is not signed");
	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		struct json_object *element = json_object_array_get_idx(signatures, i);

		if (!json_object_is_type(element, json_type_object))
			return error_set(err, ERR_CORRUPT, "a signature is no object");
		r = json_get_hex(element, "key", out_key, KEY_LEN, err);
		if (r < 0)
			return r;
		out_payload->len = 0;
		r = envelope_open(REPO_TYPE, object->data, object->len, out_key, out_payload, err);
		if (r != ERR_CORRUPT)
			return r;
	}
	return r;
}

int
repo_descriptor_read(struct store *store, struct repo_descriptor *out, struct error *err)
{
	CLEANUP(buf_free) struct buf object = BUF_INIT(ENVELOPE_MAX);
	CLEANUP(buf_free) struct buf payload = BUF_INIT(ENVELOPE_MAX);
	uint8_t key[KEY_LEN];
	int r;

	r = store_load(store, REPO_OBJECT, ENVELOPE_MAX, &object, err);
	if (r == ERR_NOT_FOUND)
		return error_set(err, ERR_NO_REPOSITORY, "there is no repository: %s is missing", REPO_OBJECT);
	if (r < 0)
		return r;
	r = open_self_signed(&object, &payload, key, err);
	if (r == 0)
		r = parse_descriptor(&payload, out, err);
	if (r == 0 && !crypto_equal(key, out->admin_key, KEY_LEN))
		r = error_set(err, ERR_CORRUPT, "it is not signed by the key that it names");
	return r < 0 ? error_prefix(err, "%s", REPO_OBJECT) : 0;
}
