/*
 * Volume key objects.  Input: a byte that says which, then an object as it came from a store, a payload that the
 * administrator signs, or the plaintext of its wrapped secret.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "cleanup.h"
#include "envelope.h"
#include "error.h"
#include "keys.h"

#define TYPE "application/vnd.snapferry.volume+json;version=1"

static void
must(bool truth)
{
	if (!truth)
		abort();
}

static void
parse(const struct root_key *root, const void *object, size_t len)
{
	uint8_t id[VOLUME_ID_LEN];
	struct volume_keys v, again;
	struct error err;
	int r = volume_keys_parse(root, object, len, &v, &err);

	if (r < 0) {
		static const uint8_t zero[KEY_LEN];

		must(r == ERR_CORRUPT || r == ERR_UNSUPPORTED);
		must(memcmp(v.secret, zero, KEY_LEN) == 0);
		return;
	}
	must(volume_name_check(v.name, &err) == 0);
	must(root_key_volume_id(root, v.name, id, &err) == 0);
	must(memcmp(id, v.volume, VOLUME_ID_LEN) == 0);
	again = v;
	must(volume_keys_derive(&again, &err) == 0);
	must(memcmp(&again, &v, sizeof(v)) == 0);
}

static void
parse_payload(const struct root_key *root, const void *payload, size_t len)
{
	CLEANUP(buf_free) struct buf object = BUF_INIT(ENVELOPE_MAX);
	struct error err;

	if (envelope_seal(TYPE, payload, len, root->admin_seed, &object, &err) == 0)
		parse(root, object.data, object.len);
}

/* A payload around this plaintext that is right in everything else. */
static void
parse_wrapped(const struct root_key *root, const uint8_t *plain, size_t len)
{
	CLEANUP(buf_free) struct buf payload = BUF_INIT(65536);
	uint8_t context[VOLUME_CONTEXT_LEN], key[KEY_LEN], wrapped[1024 + TAG_LEN];
	struct volume_keys v = {.epoch = 1};
	struct error err;

	len = MIN(len, sizeof(wrapped) - TAG_LEN);
	must(root_key_volume_id(root, "prod/db", v.volume, &err) == 0);
	memcpy(v.secret, plain, MIN(len, (size_t)KEY_LEN));
	must(volume_keys_derive(&v, &err) == 0);
	volume_keys_context(&v, context);
	must(crypto_derive(root->key, "volume-key", context, sizeof(context), key, &err) == 0);
	must(aead_seal_once(key, context, sizeof(context), plain, len, wrapped, &err) == 0);
	buf_printf(&payload, "{\"format\": \"snapferry-volume\", \"version\": 1, \"volume\": \"");
	buf_hex(&payload, v.volume, VOLUME_ID_LEN);
	buf_printf(&payload, "\", \"epoch\": 1, \"key\": \"0000000000000000\", \"created\": \"2026-11-22T01:02:03Z\"");
	buf_printf(&payload, ", \"seal_public\": \"");
	buf_hex(&payload, v.seal_public, KEY_LEN);
	buf_printf(&payload, "\", \"sign_public\": \"");
	buf_hex(&payload, v.sign_public, KEY_LEN);
	buf_printf(&payload, "\", \"wrapped\": \"");
	buf_hex(&payload, wrapped, len + TAG_LEN);
	buf_printf(&payload, "\"}");
	parse_payload(root, payload.data, payload.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct root_key root = {{1}, {2}, {0}, {0}};
	struct error err;

	if (size == 0)
		return 0;
	must(root_key_derive(&root, &err) == 0);
	if (data[0] == 'w')
		parse_wrapped(&root, data + 1, size - 1);
	else if (data[0] == 'p')
		parse_payload(&root, data + 1, size - 1);
	else
		parse(&root, data + 1, size - 1);
	return 0;
}
