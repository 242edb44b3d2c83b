/*
 * Intents.  Input: a byte that says which, then an object as it comes (0), or a payload that is given the right
 * signature (1).
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "cleanup.h"
#include "envelope.h"
#include "error.h"
#include "manifest.h"

#define TYPE "application/vnd.snapferry.intent+json;version=1"

static struct volume_keys keys;

static void
must(bool truth)
{
	if (!truth)
		abort();
}

static void
check(const uint8_t *object, size_t len)
{
	CLEANUP(intent_wipe) struct intent a = {.epoch = 0}, b = {.epoch = 0};
	CLEANUP(buf_free) struct buf again = BUF_INIT(ENVELOPE_MAX);
	struct error err;
	int r = intent_parse(object, len, &keys, &a, &err);

	if (r < 0) {
		must(r == ERR_CORRUPT || r == ERR_UNSUPPORTED || r == ERR_WRONG_KEY);
		return;
	}
	must(intent_encode(&a, &keys, &again, &err) == 0);
	must(intent_parse(again.data, again.len, &keys, &b, &err) == 0);
	must(a.nadopted == b.nadopted && memcmp(a.adopted, b.adopted, a.nadopted * SESSION_ID_LEN) == 0);
	must(strcmp(a.base, b.base) == 0 && memcmp(a.session, b.session, SESSION_ID_LEN) == 0);
	must(a.started.s == b.started.s && a.started.ns == b.started.ns);
	must(a.refreshed.s == b.refreshed.s && a.refreshed.ns == b.refreshed.ns);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	CLEANUP(buf_free) struct buf object = BUF_INIT(ENVELOPE_MAX);
	struct error err;

	if (keys.epoch == 0) {
		memcpy(keys.name, "vol", 4);
		keys.epoch = 1;
		must(volume_keys_derive(&keys, &err) == 0);
	}
	if (len == 0)
		return 0;
	if (data[0] % 2 == 0)
		check(data + 1, len - 1);
	else if (envelope_seal(TYPE, data + 1, len - 1, keys.sign_seed, &object, &err) == 0)
		check(object.data, object.len);
	return 0;
}
