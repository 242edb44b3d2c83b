/*
 * Envelopes, and the JSON and times inside.  Input: an object as it came from a store, and the same bytes as a payload,
 * a text in base64 and a time.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "buf.h"
#include "cleanup.h"
#include "envelope.h"
#include "error.h"

#define TYPE    "application/vnd.snapferry.manifest+json;version=1"
#define PAYLOAD "{\"format\": \"snapferry-manifest\", \"version\": 1}"

static const uint8_t seed[KEY_LEN] = {1};
static uint8_t public_key[KEY_LEN];

static void
must(bool truth)
{
	if (!truth)
		abort();
}

/* The corpus holds this payload only, and nobody signs another one without the key. */
static void
fuzz_open(const uint8_t *data, size_t len)
{
	CLEANUP(buf_free) struct buf payload = BUF_INIT(ENVELOPE_MAX);
	struct error err;
	int r = envelope_open(TYPE, data, len, public_key, &payload, &err);

	if (r == 0)
		must(payload.len == strlen(PAYLOAD) && memcmp(payload.data, PAYLOAD, payload.len) == 0);
	else
		must(r == ERR_CORRUPT && err.msg[0] != '\0');
}

static void
fuzz_payload(const uint8_t *data, size_t len)
{
	CLEANUP(buf_free) struct buf object = BUF_INIT(ENVELOPE_MAX);
	CLEANUP(buf_free) struct buf payload = BUF_INIT(ENVELOPE_MAX);
	struct error err;

	if (envelope_seal(TYPE, data, len, seed, &object, &err) < 0) {
		must(len > ENVELOPE_MAX / 2);
		return;
	}
	must(envelope_open(TYPE, object.data, object.len, public_key, &payload, &err) == 0);
	must(payload.len == len && (len == 0 || memcmp(payload.data, data, len) == 0));
}

static void
fuzz_json(const uint8_t *data, size_t len)
{
	CLEANUP(json_putp) struct json_object *o = NULL;
	struct json_object *member;
	const char *text;
	uint8_t bytes[4];
	size_t count;
	int64_t n;
	struct error err;

	if (json_read(data, len, &o, &err) < 0) {
		must(o == NULL && err.code == ERR_CORRUPT);
		return;
	}
	if (json_get_string(o, "s", &text, &err) == 0)
		must(strlen(text) <= len);
	if (json_get_int(o, "i", -5, 1000, &n, &err) == 0)
		must(n >= -5 && n <= 1000);
	(void)json_get_hex(o, "h", bytes, sizeof(bytes), &err);
	(void)json_get_object(o, "o", &member, &err);
	if (json_get_array(o, "a", 3, &member, &count, &err) == 0)
		must(count <= 3);
	(void)json_check_format(o, "snapferry-manifest", &err);
}

/* One text for one byte string. */
static void
fuzz_base64(const uint8_t *data, size_t len)
{
	CLEANUP(buf_free) struct buf bytes = BUF_INIT(ENVELOPE_MAX);
	CLEANUP(buf_free) struct buf text = BUF_INIT(2 * ENVELOPE_MAX);

	if (!base64_decode(&bytes, (const char *)data, len) || bytes.failed)
		return;
	base64_encode(&text, bytes.data, bytes.len);
	must(text.len == len && (len == 0 || memcmp(text.data, data, len) == 0));
}

static void
fuzz_time(const uint8_t *data, size_t len)
{
	char text[64] = {0}, again[TIME_TEXT_LEN];
	uint32_t ns, ns2;
	int64_t s, s2;
	struct error err;

	memcpy(text, data, MIN(len, sizeof(text) - 1));
	if (time_parse(text, &s, &ns, &err) < 0)
		return;
	time_format(s, ns, again);
	must(memcmp(text, again, strlen("2026-11-22T01:02:03")) == 0);
	must(time_parse(again, &s2, &ns2, &err) == 0);
	must(s == s2 && ns == ns2 && ns < 1000000000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error err;

	must(crypto_sign_public(seed, public_key, &err) == 0);
	fuzz_open(data, size);
	fuzz_payload(data, size);
	fuzz_json(data, size);
	fuzz_base64(data, size);
	fuzz_time(data, size);
	return 0;
}
