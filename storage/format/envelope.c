/*
 * Signed JSON.  The signature covers the payload's bytes as they are and its type, so that nothing needs a canonical
 * form and a manifest can never pass for an intent.
 */
#include "envelope.h"

#include <stdbool.h>
#include <string.h>

#include <json-c/json.h>

#include "base64.h"
#include "buf.h"
#include "cleanup.h"
#include "error.h"

#define SIGNATURES_MAX 16

/* What is signed: DSSE's pre-authentication encoding. */
static int
signed_bytes(const char *payload_type, const void *payload, size_t len, struct buf *out, struct error *err)
{
	buf_printf(out, "DSSEv1 %zu %s %zu ", strlen(payload_type), payload_type, len);
	buf_put(out, payload, len);
	return buf_check(out, "payload of an envelope", err);
}

int
envelope_seal(const char *payload_type, const void *payload, size_t len, const uint8_t seed[KEY_LEN], struct buf *out,
    struct error *err)
{
	CLEANUP(buf_free) struct buf message = BUF_INIT(ENVELOPE_MAX);
	uint8_t public_key[KEY_LEN], signature[SIGNATURE_LEN];
	size_t before = out->len;
	int r = signed_bytes(payload_type, payload, len, &message, err);

	if (r == 0)
		r = crypto_sign_public(seed, public_key, err);
	if (r == 0)
		r = crypto_sign(seed, message.data, message.len, signature, err);
	if (r < 0)
		return r;
	buf_printf(out, "{\"payload_type\": \"%s\", \"payload\": \"", payload_type);
	base64_encode(out, payload, len);
	buf_printf(out, "\", \"signatures\": [{\"key\": \"");
	buf_hex(out, public_key, sizeof(public_key));
	buf_printf(out, "\", \"signature\": \"");
	buf_hex(out, signature, sizeof(signature));
	buf_printf(out, "\", \"certificate\": null}]}\n");
	r = buf_check(out, "envelope", err);
	if (r == 0 && out->len - before > ENVELOPE_MAX)
		return error_set(err, ERR_NOMEM, "envelope is too large");
	return r;
}

/* One element of "signatures": 1 if it is a valid one by this key, 0 if it is by another key. */
static int
check_signature(
    struct json_object *element, const uint8_t public_key[KEY_LEN], const struct buf *message, struct error *err)
{
	uint8_t key[KEY_LEN], signature[SIGNATURE_LEN];
	struct json_object *certificate;
	int r;

	if (!json_object_is_type(element, json_type_object))
		return error_set(err, ERR_CORRUPT, "a signature is no object");
	if (!json_object_object_get_ex(element, "certificate", &certificate) ||
	    !(certificate == NULL || json_object_is_type(certificate, json_type_string)))
		return error_set(err, ERR_CORRUPT, "member \"certificate\" is missing or no string");
	r = json_get_hex(element, "key", key, sizeof(key), err);
	if (r == 0)
		r = json_get_hex(element, "signature", signature, sizeof(signature), err);
	if (r < 0 || !crypto_equal(key, public_key, KEY_LEN))
		return r;
	r = crypto_verify(public_key, message->data, message->len, signature, err);
	return r < 0 ? r : 1;
}

static int
check_signatures(
    struct json_object *envelope, const uint8_t public_key[KEY_LEN], const struct buf *message, struct error *err)
{
	struct json_object *signatures;
	size_t count;
	bool found = false;
	int r = json_get_array(envelope, "signatures", SIGNATURES_MAX, &signatures, &count, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		r = check_signature(json_object_array_get_idx(signatures, i), public_key, message, err);
		if (r < 0)
			return r;
		found = found || r > 0;
	}
	if (!found)
		return error_set(err, ERR_CORRUPT, "there is no signature by the expected key");
	return 0;
}

int
envelope_open(const char *payload_type, const void *object, size_t len, const uint8_t public_key[KEY_LEN],
    struct buf *out_payload, struct error *err)
{
	CLEANUP(json_putp) struct json_object *envelope = NULL;
	CLEANUP(buf_free) struct buf payload = BUF_INIT(ENVELOPE_MAX);
	CLEANUP(buf_free) struct buf message = BUF_INIT(ENVELOPE_MAX + 256);
	const char *type, *base64;
	char quoted[128];
	int r = json_read(object, len, &envelope, err);

	if (r == 0)
		r = json_get_string(envelope, "payload_type", &type, err);
	if (r == 0)
		r = json_get_string(envelope, "payload", &base64, err);
	if (r < 0)
		return r;
	if (strcmp(type, payload_type) != 0)
		return error_set(err, ERR_CORRUPT, "the payload is of type \"%s\", not %s",
		    error_quote(quoted, sizeof(quoted), type, strlen(type)), payload_type);
	if (!base64_decode(&payload, base64, strlen(base64)))
		return error_set(err, ERR_CORRUPT, "the payload is not in base64");
	r = buf_check(&payload, "payload of an envelope", err);
	if (r == 0)
		r = signed_bytes(payload_type, payload.data, payload.len, &message, err);
	if (r == 0)
		r = check_signatures(envelope, public_key, &message, err);
	if (r < 0)
		return r;
	buf_put(out_payload, payload.data, payload.len);
	return buf_check(out_payload, "payload of an envelope", err);
}
