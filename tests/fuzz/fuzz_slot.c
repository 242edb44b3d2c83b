/*
 * Key slots.  Input: the JSON of a slot, tried with a key file and, when its scrypt is cheap or out of bounds, with a
 * passphrase; and the bytes of a key file.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "cleanup.h"
#include "error.h"
#include "json.h"
#include "slot.h"

static void
must(bool truth)
{
	if (!truth)
		abort();
}

/* Whether opening it with a passphrase takes only a moment. */
static bool
is_cheap(const uint8_t *data, size_t len)
{
	CLEANUP(json_putp) struct json_object *o = NULL;
	struct json_object *scrypt;
	int64_t log_n;
	struct error err;

	if (json_read(data, len, &o, &err) < 0 || json_get_object(o, "scrypt", &scrypt, &err) < 0)
		return true;
	return json_get_int(scrypt, "log_n", 11, 20, &log_n, &err) < 0;
}

/* The corpus knows one root key, and nobody makes a slot for another one without the secret. */
static void
try_open(const uint8_t *data, size_t len, const struct secret *s)
{
	struct root_key root = {{0}, {0}, {0}, {0}};
	struct error err;
	int r;

	memset(root.repository, 0xaa, sizeof(root.repository));
	r = slot_open(data, len, s, &root, &err);
	if (r == 0) {
		for (size_t i = 0; i < KEY_LEN; i++)
			must(root.key[i] == 0x42);
	} else {
		must(r == ERR_WRONG_KEY || r == ERR_CORRUPT || r == ERR_UNSUPPORTED || r == ERR_NOMEM);
		must(err.code == (enum error_code)r && err.msg[0] != '\0');
	}
}

static void
fuzz_key_file(const uint8_t *data, size_t len)
{
	CLEANUP(buf_free) struct buf text = BUF_INIT(1024);
	struct secret s, again;
	struct error err;

	if (secret_parse_key_file(data, len, &s, &err) < 0)
		return;
	must(s.kind == SECRET_KEY_FILE && s.len == KEY_LEN);
	must(secret_format_key_file(&s, &text, &err) == 0);
	must(secret_parse_key_file(text.data, text.len, &again, &err) == 0);
	must(memcmp(&s, &again, sizeof(s)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char words[] = "correct horse";
	struct secret key = {.kind = SECRET_KEY_FILE, .len = KEY_LEN};
	struct secret passphrase = {.kind = SECRET_PASSPHRASE, .len = sizeof(words) - 1};

	for (size_t i = 0; i < KEY_LEN; i++)
		key.bytes[i] = (uint8_t)i;
	memcpy(passphrase.bytes, words, sizeof(words) - 1);
	try_open(data, size, &key);
	if (is_cheap(data, size))
		try_open(data, size, &passphrase);
	fuzz_key_file(data, size);
	return 0;
}
