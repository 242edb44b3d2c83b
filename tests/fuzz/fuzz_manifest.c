/*
 * Manifests.  Input: a byte that says which, then an object as it comes (0), a payload that is given the right
 * signature (1), or the plaintext of a private part, which is given the right seal in an otherwise good manifest (2).
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "cleanup.h"
#include "envelope.h"
#include "error.h"
#include "manifest.h"

#define TYPE "application/vnd.snapferry.manifest+json;version=1"

static struct volume_keys keys;
static struct buf template_payload;

static void
must(bool truth)
{
	if (!truth)
		abort();
}

/* The public part of a good manifest, up to where the private part's digits begin. */
static void
make_template(void)
{
	struct packlist_session session = {.epoch = 1};
	struct manifest m = {.snapshot = "01934f00-0000-7000-8000-000000000001", .epoch = 1};
	struct buf object;
	struct error err;
	uint8_t *at;

	buf_init(&object, ENVELOPE_MAX);
	buf_init(&template_payload, ENVELOPE_MAX);
	memcpy(keys.name, "vol", 4);
	keys.epoch = 1;
	must(volume_keys_derive(&keys, &err) == 0);
	m.nroot = m.npacklist = m.nsessions = 1;
	m.sessions = &session;
	m.root[0] = (struct frame_ref){.offset = 176, .clen = 100, .plen = 100, .type = FRAME_ROOT};
	m.packlist[0] = (struct frame_ref){.offset = 276, .clen = 100, .plen = 100, .type = FRAME_PACKLIST};
	must(manifest_encode(&m, &keys, &object, &err) == 0);
	must(envelope_open(TYPE, object.data, object.len, keys.sign_public, &template_payload, &err) == 0);
	at = memmem(template_payload.data, template_payload.len, "\"private\":\"", 11);
	must(at != NULL);
	template_payload.len = (size_t)(at - template_payload.data) + 11;
	buf_free(&object);
}

/* What was accepted can be written, and is the same when it is read again. */
static void
check(const uint8_t *object, size_t len)
{
	CLEANUP(manifest_wipe) struct manifest a = {.epoch = 0}, b = {.epoch = 0};
	CLEANUP(buf_free) struct buf again = BUF_INIT(ENVELOPE_MAX), third = BUF_INIT(ENVELOPE_MAX);
	struct error err;
	int r = manifest_parse(object, len, &keys, &a, &err);

	if (r < 0) {
		must(r == ERR_CORRUPT || r == ERR_UNSUPPORTED || r == ERR_WRONG_KEY);
		return;
	}
	must(snapshot_id_valid(a.snapshot) && a.nroot > 0 && a.npacklist > 0 && a.object_len == len);
	for (size_t i = 0; i < a.nroot; i++)
		must(frame_ref_valid(&a.root[i]) && a.root[i].type == FRAME_ROOT);
	must(manifest_encode(&a, &keys, &again, &err) == 0);
	must(manifest_parse(again.data, again.len, &keys, &b, &err) == 0);
	must(a.ntags == b.ntags && a.nexcludes == b.nexcludes && strcmp(a.source, b.source) == 0);
	must(manifest_encode(&b, &keys, &third, &err) == 0);
	must(third.len == again.len && memcmp(third.data, again.data, third.len) == 0);
}

static void
check_payload(const uint8_t *payload, size_t len)
{
	CLEANUP(buf_free) struct buf object = BUF_INIT(ENVELOPE_MAX);
	struct error err;

	if (envelope_seal(TYPE, payload, len, keys.sign_seed, &object, &err) == 0)
		check(object.data, object.len);
}

static void
check_private(const uint8_t *plain, size_t len)
{
	static const uint8_t id[SNAPSHOT_ID_BYTES] = {0x01, 0x93, 0x4f, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 1};
	CLEANUP(buf_free) struct buf payload = BUF_INIT(ENVELOPE_MAX), sealed = BUF_INIT(ENVELOPE_MAX);
	uint8_t key[KEY_LEN], *out = buf_extend(&sealed, len + TAG_LEN);
	struct error err;

	must(crypto_derive(keys.manifest, "private", id, sizeof(id), key, &err) == 0);
	if (out == NULL || aead_seal_once(key, id, sizeof(id), plain, len, out, &err) < 0)
		return;
	buf_put(&payload, template_payload.data, template_payload.len);
	buf_hex(&payload, sealed.data, sealed.len);
	buf_printf(&payload, "\"}");
	if (buf_check(&payload, "payload", &err) == 0)
		check_payload(payload.data, payload.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (template_payload.len == 0)
		make_template();
	if (len == 0)
		return 0;
	switch (data[0] % 4) {
	case 1:
		check_payload(data + 1, len - 1);
		break;
	case 2:
		check_private(data + 1, len - 1);
		break;
	default:
		check(data + 1, len - 1);
		break;
	}
	return 0;
}
