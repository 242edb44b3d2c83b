/* Signed envelopes: only the right key over the right bytes of the right type opens. */
#include "envelope.h"

#include <unistd.h>

#include "base64.h"
#include "buf.h"
#include "check.h"
#include "cleanup.h"

#define TYPE    "application/vnd.snapferry.manifest+json;version=1"
#define PAYLOAD "{\"format\": \"snapferry-manifest\", \"version\": 1}"

static const uint8_t seed[KEY_LEN] = {1}, other_seed[KEY_LEN] = {2};
static uint8_t public_key[KEY_LEN], other_key[KEY_LEN];

static int
try_open(const char *type, const void *object, size_t len, const uint8_t key[KEY_LEN])
{
	struct buf payload = BUF_INIT(JSON_MAX);
	struct error err;
	int r = envelope_open(type, object, len, key, &payload, &err);

	/* Whatever happens to the envelope: if it opens, then to what was signed. */
	if (r == 0) {
		CHECK_INT(payload.len, strlen(PAYLOAD));
		CHECK_MEM(payload.data, PAYLOAD, strlen(PAYLOAD));
	} else {
		CHECK_INT(payload.len, 0);
	}
	buf_free(&payload);
	return r;
}

static void
test_base64(void)
{
	/* RFC 4648 section 10, and both special digits. */
	static const struct {
		const char *bytes, *text;
	} good[] = {
	    {"", ""},
	    {"f", "Zg=="},
	    {"fo", "Zm8="},
	    {"foo", "Zm9v"},
	    {"foob", "Zm9vYg=="},
	    {"fooba", "Zm9vYmE="},
	    {"foobar", "Zm9vYmFy"},
	    {"\xfb\xff\xbf", "+/+/"},
	};
	static const char *const bad[] = {
	    "Z",
	    "Zg",
	    "Zg=",
	    "Zg===",
	    "====",
	    "=AAA",
	    "Z===",
	    "A=A=",
	    "Zg==Zg==",
	    "Zh==",
	    "Zm9=",
	    "Zm9v\n",
	    "Zm 9",
	    "Zm-_",
	    "Zm9\xff",
	    "Zm9vZg",
	    " Zm9",
	    "A=AA",
	    "AA=A",
	};
	struct buf out = BUF_INIT(1000), back = BUF_INIT(1000);
	uint64_t state = 7;
	uint8_t bytes[100];

	for (size_t i = 0; i < COUNT_OF(good); i++) {
		buf_reset(&out);
		base64_encode(&out, good[i].bytes, strlen(good[i].bytes));
		CHECK_INT(out.len, strlen(good[i].text));
		CHECK(out.len == 0 || memcmp(out.data, good[i].text, out.len) == 0);
	}
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		CHECK(!base64_decode(&back, bad[i], strlen(bad[i])));
	for (size_t i = 0; i < COUNT_OF(bytes); i++)
		bytes[i] = (uint8_t)check_random(&state);
	for (size_t len = 1; len < sizeof(bytes); len++) {
		buf_reset(&out);
		buf_reset(&back);
		base64_encode(&out, bytes, len);
		CHECK(base64_decode(&back, (const char *)out.data, out.len));
		CHECK_INT(back.len, len);
		CHECK_MEM(back.data, bytes, len);
	}
	buf_free(&out);
	buf_free(&back);
}

static void
test_seal_and_open(void)
{
	struct buf object = BUF_INIT(JSON_MAX);
	struct error err;

	CHECK_OK(envelope_seal(TYPE, PAYLOAD, strlen(PAYLOAD), seed, &object, &err), &err);
	CHECK_INT(try_open(TYPE, object.data, object.len, public_key), 0);
	CHECK_INT(try_open(TYPE, object.data, object.len, other_key), ERR_CORRUPT);
	CHECK_INT(try_open("application/vnd.snapferry.intent+json;version=1", object.data, object.len, public_key),
	    ERR_CORRUPT);
	/* Every truncation; the last byte is a line end. */
	for (size_t len = 0; len < object.len - 1; len++)
		CHECK_INT(try_open(TYPE, object.data, len, public_key), ERR_CORRUPT);
	CHECK_INT(try_open(TYPE, object.data, object.len - 1, public_key), 0);
	/* Every flip of one bit: refused, or harmless (white space, names of members that nobody reads). */
	for (size_t i = 0; i < 8 * object.len; i++) {
		object.data[i / 8] ^= (uint8_t)(1 << i % 8);
		(void)try_open(TYPE, object.data, object.len, public_key);
		object.data[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	buf_free(&object);
}

/* What DSSE says is signed, put together by hand. */
static void
test_signed_bytes(void)
{
	static const char message[] = "DSSEv1 29 http://example.com/HelloWorld 11 hello world";
	struct buf object = BUF_INIT(JSON_MAX);
	uint8_t signature[SIGNATURE_LEN];
	char hex[2 * SIGNATURE_LEN + 1] = {0}, *at;
	struct buf digits = BUF_INIT(1000);
	struct error err;

	CHECK_OK(envelope_seal("http://example.com/HelloWorld", "hello world", 11, seed, &object, &err), &err);
	CHECK_OK(crypto_sign(seed, message, strlen(message), signature, &err), &err);
	buf_hex(&digits, signature, sizeof(signature));
	memcpy(hex, digits.data, 2 * (size_t)SIGNATURE_LEN);
	buf_u8(&object, '\0');
	at = strstr((char *)object.data, hex);
	CHECK(at != NULL);
	CHECK(strstr((char *)object.data, "\"aGVsbG8gd29ybGQ=\"") != NULL);
	buf_free(&object);
	buf_free(&digits);
}

static void
put_signature(struct buf *out, const uint8_t key_seed[KEY_LEN], const char *message, const char *certificate)
{
	uint8_t key[KEY_LEN], signature[SIGNATURE_LEN];
	struct error err;

	CHECK_OK(crypto_sign_public(key_seed, key, &err), &err);
	CHECK_OK(crypto_sign(key_seed, message, strlen(message), signature, &err), &err);
	buf_printf(out, "{\"key\": \"");
	buf_hex(out, key, sizeof(key));
	buf_printf(out, "\", \"signature\": \"");
	buf_hex(out, signature, sizeof(signature));
	buf_printf(out, "\"%s}", certificate);
}

/* Envelopes that other programs may write: '1' and '2' are signatures by the two keys, 'b' a bad one by the first. */
static void
test_signatures(void)
{
	static const struct {
		const char *order, *certificate;
		int code;
	} cases[] = {
	    {"1", ", \"certificate\": null", 0},
	    {"1", ", \"certificate\": \"AAAA\"", 0},
	    {"1", "", ERR_CORRUPT},
	    {"1", ", \"certificate\": 5", ERR_CORRUPT},
	    {"21", ", \"certificate\": null", 0},
	    {"12", ", \"certificate\": null", 0},
	    {"2", ", \"certificate\": null", ERR_CORRUPT},
	    {"b", ", \"certificate\": null", ERR_CORRUPT},
	    {"1b", ", \"certificate\": null", ERR_CORRUPT},
	    {"", ", \"certificate\": null", ERR_CORRUPT},
	    {"n", ", \"certificate\": null", ERR_CORRUPT},
	    {"2222222222222221", ", \"certificate\": null", 0},
	    {"22222222222222221", ", \"certificate\": null", ERR_CORRUPT},
	};
	struct buf object = BUF_INIT(JSON_MAX);
	char message[256];

	(void)snprintf(message, sizeof(message), "DSSEv1 %zu %s %zu %s", strlen(TYPE), TYPE, strlen(PAYLOAD), PAYLOAD);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		buf_reset(&object);
		buf_printf(&object, "{\"signatures\": [");
		for (const char *p = cases[i].order; *p != '\0'; p++) {
			if (p > cases[i].order)
				buf_printf(&object, ", ");
			if (*p == 'n')
				buf_printf(&object, "null");
			else
				put_signature(&object, *p == '2' ? other_seed : seed, *p == 'b' ? "bad" : message,
				    cases[i].certificate);
		}
		buf_printf(&object, "], \"payload\": \"");
		base64_encode(&object, PAYLOAD, strlen(PAYLOAD));
		buf_printf(&object, "\", \"new\": 1, \"payload_type\": \"%s\"}", TYPE);
		CHECK_INT(try_open(TYPE, object.data, object.len, public_key), cases[i].code);
	}
	buf_free(&object);
}

/* A type beside the signed one: the signature is right, the envelope lies. */
static void
test_type_beside(void)
{
	struct buf object = BUF_INIT(JSON_MAX);
	struct error err;
	char *at;

	CHECK_OK(envelope_seal(TYPE, PAYLOAD, strlen(PAYLOAD), seed, &object, &err), &err);
	at = memmem(object.data, object.len, "manifest+json", 13);
	CHECK(at != NULL);
	*at = 'M';
	CHECK_INT(try_open(TYPE, object.data, object.len, public_key), ERR_CORRUPT);
	buf_free(&object);
}

static void
test_hostile(void)
{
	static const char *const cases[] = {
	    "{}",
	    "[]",
	    "{\"payload_type\": \"" TYPE "\"}",
	    "{\"payload_type\": \"" TYPE "\", \"payload\": \"\"}",
	    "{\"payload_type\": \"" TYPE "\", \"payload\": \"\", \"signatures\": {}}",
	    "{\"payload_type\": \"" TYPE "\", \"payload\": \"\", \"signatures\": []}",
	    "{\"payload_type\": \"" TYPE "\", \"payload\": \"\", \"signatures\": [1, [], null, \"\"]}",
	    "{\"payload_type\": \"" TYPE "\", \"payload\": \"\", \"signatures\": [{}]}",
	    "{\"payload_type\": \"" TYPE "\", \"payload\": \"!\", \"signatures\": [{}]}",
	    "{\"payload_type\": \"" TYPE "\\u0000\", \"payload\": \"\", \"signatures\": []}",
	    "{\"payload_type\": [], \"payload\": \"\", \"signatures\": []}",
	    "{\"payload_type\": \"" TYPE "\", \"payload\": {}, \"signatures\": []}",
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		CHECK_INT(try_open(TYPE, cases[i], strlen(cases[i]), public_key), ERR_CORRUPT);
}

static void
test_sizes(void)
{
	static uint8_t bytes[JSON_MAX];
	struct buf object = BUF_INIT(4 * JSON_MAX), payload = BUF_INIT(JSON_MAX), tiny = BUF_INIT(100);
	size_t largest = (JSON_MAX - 512) / 4 * 3;
	struct error err;

	CHECK_OK(envelope_seal(TYPE, "", 0, seed, &object, &err), &err);
	CHECK_OK(envelope_open(TYPE, object.data, object.len, public_key, &payload, &err), &err);
	CHECK_INT(payload.len, 0);
	buf_reset(&object);
	memset(bytes, 'x', sizeof(bytes));
	CHECK_OK(envelope_seal(TYPE, bytes, largest, seed, &object, &err), &err);
	CHECK(object.len <= ENVELOPE_MAX);
	CHECK_OK(envelope_open(TYPE, object.data, object.len, public_key, &payload, &err), &err);
	CHECK_INT(payload.len, largest);
	CHECK_MEM(payload.data, bytes, largest);
	CHECK_INT(envelope_open(TYPE, object.data, object.len, public_key, &tiny, &err), ERR_NOMEM);
	buf_reset(&object);
	CHECK_INT(envelope_seal(TYPE, bytes, JSON_MAX / 4 * 3 + 1, seed, &object, &err), ERR_NOMEM);
	buf_reset(&object);
	CHECK_INT(envelope_seal(TYPE, bytes, JSON_MAX, seed, &object, &err), ERR_NOMEM);
	buf_reset(&tiny);
	CHECK_INT(envelope_seal(TYPE, bytes, 10, seed, &tiny, &err), ERR_NOMEM);
	buf_free(&object);
	buf_free(&payload);
	buf_free(&tiny);
}

int
main(void)
{
	struct error err;

	(void)alarm(60);
	CHECK_OK(crypto_sign_public(seed, public_key, &err), &err);
	CHECK_OK(crypto_sign_public(other_seed, other_key, &err), &err);
	test_base64();
	test_seal_and_open();
	test_signed_bytes();
	test_signatures();
	test_type_beside();
	test_hostile();
	test_sizes();
	return 0;
}
