/* The tree of keys: what follows from what, and what is refused. */
#include "keys.h"

#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

#include "buf.h"
#include "check.h"
#include "cleanup.h"
#include "envelope.h"
#include "wire.h"

#define VOLUME_TYPE "application/vnd.snapferry.volume+json;version=1"

static void
make_root(struct root_key *root, uint8_t repository, uint8_t key)
{
	struct error err;

	memset(root, 0, sizeof(*root));
	memset(root->repository, repository, sizeof(root->repository));
	memset(root->key, key, sizeof(root->key));
	CHECK_OK(root_key_derive(root, &err), &err);
}

static bool
is_zero(const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i < len; i++) {
		if (p[i] != 0)
			return false;
	}
	return true;
}

static void
test_names(void)
{
	static const struct {
		const char *name;
		int code;
	} cases[] = {
	    {"a", 0},
	    {"prod/postgres-0", 0},
	    {"a//b", 0},
	    {"..", 0},
	    {"!\"\\~", 0},
	    {"", ERR_USAGE},
	    {"/a", ERR_USAGE},
	    {"a/", ERR_USAGE},
	    {"/", ERR_USAGE},
	    {"a b", ERR_USAGE},
	    {"a\n", ERR_USAGE},
	    {"a\x7f", ERR_USAGE},
	    {"\xc3\xa4", ERR_USAGE},
	};
	char name[VOLUME_NAME_MAX + 2];
	struct error err;

	for (size_t i = 0; i < COUNT_OF(cases); i++)
		CHECK_INT(volume_name_check(cases[i].name, &err), cases[i].code);
	memset(name, 'n', sizeof(name));
	name[VOLUME_NAME_MAX + 1] = '\0';
	CHECK_INT(volume_name_check(name, &err), ERR_USAGE);
	name[VOLUME_NAME_MAX] = '\0';
	CHECK_OK(volume_name_check(name, &err), &err);
}

static void
test_root(void)
{
	struct root_key a, b;
	uint8_t id[VOLUME_ID_LEN], other[VOLUME_ID_LEN], key[KEY_LEN], mac[ID_LEN];
	struct mac *m;
	struct error err;

	make_root(&a, 1, 2);
	make_root(&b, 1, 2);
	CHECK_MEM(&a, &b, sizeof(a));
	CHECK_OK(crypto_derive(a.key, "admin", a.repository, REPOSITORY_ID_LEN, key, &err), &err);
	CHECK_MEM(a.admin_seed, key, KEY_LEN);

	/* The id of a volume, as the format says it. */
	CHECK_OK(root_key_volume_id(&a, "prod/db", id, &err), &err);
	CHECK_OK(crypto_derive(a.key, "volume-id", a.repository, REPOSITORY_ID_LEN, key, &err), &err);
	CHECK_OK(mac_new(key, &m, &err), &err);
	CHECK_OK(mac_compute(m, NULL, 0, "prod/db", 7, mac, &err), &err);
	mac_free(m);
	CHECK_MEM(id, mac, VOLUME_ID_LEN);

	CHECK_OK(root_key_volume_id(&a, "prod/dc", other, &err), &err);
	CHECK(memcmp(id, other, sizeof(id)) != 0);
	make_root(&b, 3, 2);
	CHECK(memcmp(a.admin_seed, b.admin_seed, KEY_LEN) != 0);
	CHECK_OK(root_key_volume_id(&b, "prod/db", other, &err), &err);
	CHECK(memcmp(id, other, sizeof(id)) != 0);
	make_root(&b, 1, 4);
	CHECK(memcmp(a.admin_seed, b.admin_seed, KEY_LEN) != 0);
	CHECK_OK(root_key_volume_id(&b, "prod/db", other, &err), &err);
	CHECK(memcmp(id, other, sizeof(id)) != 0);
	CHECK_INT(root_key_volume_id(&b, "", other, &err), ERR_USAGE);

	root_key_wipe(&a);
	CHECK(is_zero(&a, sizeof(a)));
}

/* Every key differs from every other one, and from itself in every other context. */
static void
test_volume_derive(void)
{
	struct volume_keys v[5];
	uint8_t context[VOLUME_CONTEXT_LEN];
	const uint8_t *keys[COUNT_OF(v) * 8];
	size_t count = 0;
	struct error err;

	for (size_t i = 0; i < COUNT_OF(v); i++) {
		memset(&v[i], 0, sizeof(v[i]));
		memset(v[i].secret, 9, KEY_LEN);
		v[i].epoch = 0x01020304;
	}
	v[1].volume[VOLUME_ID_LEN - 1] = 1;
	v[2].epoch++;
	v[3].keyid[KEY_ID_LEN - 1] = 1;
	v[4].secret[KEY_LEN - 1]++;
	for (size_t i = 0; i < COUNT_OF(v); i++) {
		CHECK_OK(volume_keys_derive(&v[i], &err), &err);
		keys[count++] = v[i].chunk_id;
		keys[count++] = v[i].gear;
		keys[count++] = v[i].manifest;
		keys[count++] = v[i].state;
		keys[count++] = v[i].seal_private;
		keys[count++] = v[i].seal_public;
		keys[count++] = v[i].sign_seed;
		keys[count++] = v[i].sign_public;
	}
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < i; j++)
			CHECK(memcmp(keys[i], keys[j], KEY_LEN) != 0);
	}
	volume_keys_context(&v[3], context);
	CHECK(is_zero(context, VOLUME_ID_LEN));
	CHECK_MEM(context + VOLUME_ID_LEN, "\x04\x03\x02\x01\0\0\0\0\0\0\0\x01", 12);
	volume_keys_wipe(&v[0]);
	CHECK(is_zero(&v[0], sizeof(v[0])));
}

/* Golden values, computed by another implementation of HKDF, X25519 and Ed25519. */
static void
test_volume_golden(void)
{
	static const struct {
		size_t offset;
		const char *hex;
	} cases[] = {
	    {offsetof(struct volume_keys, chunk_id),
		"4dd12b7358a8c36e467b1387f588feff9d291c58335433d02f8b84fe6ac6ccf9"},
	    {offsetof(struct volume_keys, gear), "ebbe95ad359d08fdf057efd241ec4ac9e4f4e6eeaf31462e07b22b0c6b82268b"},
	    {offsetof(struct volume_keys, manifest),
		"076c65c1bf8467645235d5666788e6222e2d194aa242f56ed0217fe5b5119924"},
	    {offsetof(struct volume_keys, state), "d69a591290cce9cfeb6d6c70cefb87d493db81c056b2eeee2edc7a4bd0c078a7"},
	    {offsetof(struct volume_keys, seal_public),
		"9eb6e046d4108d995157c4b8a0c832b9f984861661c8114010fc9b75a3f2e94d"},
	    {offsetof(struct volume_keys, sign_public),
		"190eb662b9050c5657d09c0c53f1fd339c3b81fee19120e2cba5973c6bd70586"},
	};
	struct volume_keys v = {.epoch = 7};
	uint8_t want[KEY_LEN];
	struct error err;

	memset(v.volume, 0x11, sizeof(v.volume));
	memset(v.keyid, 0x22, sizeof(v.keyid));
	memset(v.secret, 0x33, sizeof(v.secret));
	CHECK_OK(volume_keys_derive(&v, &err), &err);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		CHECK(hex_decode(want, KEY_LEN, cases[i].hex));
		CHECK_MEM((const uint8_t *)&v + cases[i].offset, want, KEY_LEN);
	}
}

static void
test_volume_object(void)
{
	struct buf object = BUF_INIT(65536), again = BUF_INIT(65536);
	struct volume_keys made, got, second;
	struct root_key root, other;
	char name[VOLUME_NAME_MAX + 1];
	struct error err;

	make_root(&root, 1, 2);
	CHECK_OK(volume_keys_create(&root, "prod/db", UINT32_MAX, 1700000000, &made, &object, &err), &err);
	CHECK_STR(made.name, "prod/db");
	memset(&got, 0xff, sizeof(got));
	CHECK_OK(volume_keys_parse(&root, object.data, object.len, &got, &err), &err);
	CHECK_MEM(&got, &made, sizeof(made));

	CHECK_OK(volume_keys_create(&root, "prod/db", UINT32_MAX, 1700000000, &second, &again, &err), &err);
	CHECK_MEM(second.volume, made.volume, VOLUME_ID_LEN);
	CHECK(memcmp(second.keyid, made.keyid, KEY_ID_LEN) != 0);
	CHECK(memcmp(second.secret, made.secret, KEY_LEN) != 0);

	/* The longest name. */
	memset(name, 'n', sizeof(name));
	name[VOLUME_NAME_MAX] = '\0';
	buf_reset(&again);
	CHECK_OK(volume_keys_create(&root, name, 0, 0, &second, &again, &err), &err);
	CHECK_OK(volume_keys_parse(&root, again.data, again.len, &got, &err), &err);
	CHECK_STR(got.name, name);

	/* Of another repository, with another root key, cut anywhere; nothing secret stays behind. */
	make_root(&other, 3, 2);
	CHECK_INT(volume_keys_parse(&other, object.data, object.len, &got, &err), ERR_CORRUPT);
	make_root(&other, 1, 3);
	CHECK_INT(volume_keys_parse(&other, object.data, object.len, &got, &err), ERR_CORRUPT);
	CHECK(is_zero(&got, sizeof(got)));
	for (size_t len = 0; len < object.len - 1; len++)
		CHECK_INT(volume_keys_parse(&root, object.data, len, &got, &err), ERR_CORRUPT);

	CHECK_INT(volume_keys_create(&root, "a b", 0, 0, &got, &again, &err), ERR_USAGE);
	buf_free(&again);
	again.limit = 100;
	CHECK_INT(volume_keys_create(&root, "a", 0, 0, &got, &again, &err), ERR_NOMEM);
	CHECK(is_zero(&got, sizeof(got)));
	buf_free(&object);
	buf_free(&again);
}

/* Change the payload of an object, sign it again as an administrator would, and see that it does not pass. */
static void
test_volume_forged(void)
{
	static const struct {
		const char *find, *replace;
		int code;
	} cases[] = {
	    {"\"version\": 1", "\"version\": 2", ERR_UNSUPPORTED},
	    {"snapferry-volume", "snapferry-vOlume", ERR_CORRUPT},
	    {"\"epoch\": 5", "\"epoch\": 6", ERR_CORRUPT},
	    {"\"epoch\": 5", "\"epoch\":-5", ERR_CORRUPT},
	    {"\"epoch\": 5", "\"epocX\": 5", ERR_CORRUPT},
	    {"\"key\": \"", "\"kez\": \"", ERR_CORRUPT},
	    {"\"volume\": \"", "\"volume\":1\"", ERR_CORRUPT},
	    {"\"created\": \"2", "\"created\": \"x", ERR_CORRUPT},
	    {"\"wrapped\": \"", "\"wrapper\": \"", ERR_CORRUPT},
	    {"\"seal_public\": \"", "\"seal_publiC\": \"", ERR_CORRUPT},
	};
	static const char *const hexes[] = {"volume", "key", "seal_public", "sign_public", "wrapped"};
	struct buf object = BUF_INIT(65536), payload = BUF_INIT(65536), forged = BUF_INIT(65536);
	struct volume_keys v;
	struct root_key root;
	struct error err;
	char find[32];

	make_root(&root, 1, 2);
	CHECK_OK(volume_keys_create(&root, "prod/db", 5, 1700000000, &v, &object, &err), &err);
	CHECK_OK(envelope_open(VOLUME_TYPE, object.data, object.len, root.admin_public, &payload, &err), &err);
	buf_u8(&payload, '\0');
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char *text = strdup((const char *)payload.data), *at;

		CHECK(text != NULL);
		at = strstr(text, cases[i].find);
		CHECK(at != NULL);
		memcpy(at, cases[i].replace, strlen(cases[i].replace));
		buf_reset(&forged);
		CHECK_OK(envelope_seal(VOLUME_TYPE, text, strlen(text), root.admin_seed, &forged, &err), &err);
		CHECK_INT(volume_keys_parse(&root, forged.data, forged.len, &v, &err), cases[i].code);
		free(text);
	}
	for (size_t i = 0; i < COUNT_OF(hexes); i++) {
		char *text = strdup((const char *)payload.data), *at;

		CHECK(text != NULL);
		(void)snprintf(find, sizeof(find), "\"%s\": \"", hexes[i]);
		at = strstr(text, find);
		CHECK(at != NULL);
		at += strlen(find) + 3;
		*at = *at == 'a' ? 'b' : 'a';
		buf_reset(&forged);
		CHECK_OK(envelope_seal(VOLUME_TYPE, text, strlen(text), root.admin_seed, &forged, &err), &err);
		CHECK_INT(volume_keys_parse(&root, forged.data, forged.len, &v, &err), ERR_CORRUPT);
		free(text);
	}
	buf_free(&object);
	buf_free(&payload);
	buf_free(&forged);
}

/* A wrapped name that does not belong to the volume's id, or is none. */
static void
test_volume_names_inside(void)
{
	static const struct {
		const char *name;
		size_t len;
		int code;
	} cases[] = {
	    {"prod/db", 7, 0},
	    {"prod/dc", 7, ERR_CORRUPT},
	    {"prod/db\0", 8, ERR_CORRUPT},
	    {"prod db", 7, ERR_CORRUPT},
	    {"", 0, ERR_CORRUPT},
	};
	struct buf payload = BUF_INIT(65536), object = BUF_INIT(65536);
	struct volume_keys v = {.epoch = 1}, got;
	uint8_t context[VOLUME_CONTEXT_LEN], key[KEY_LEN], plain[KEY_LEN + 16], wrapped[KEY_LEN + 16 + TAG_LEN];
	struct root_key root;
	struct error err;

	make_root(&root, 1, 2);
	CHECK_OK(root_key_volume_id(&root, "prod/db", v.volume, &err), &err);
	CHECK_OK(volume_keys_derive(&v, &err), &err);
	volume_keys_context(&v, context);
	CHECK_OK(crypto_derive(root.key, "volume-key", context, sizeof(context), key, &err), &err);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		size_t len = KEY_LEN + cases[i].len;

		memcpy(plain, v.secret, KEY_LEN);
		memcpy(plain + KEY_LEN, cases[i].name, cases[i].len);
		CHECK_OK(aead_seal_once(key, context, sizeof(context), plain, len, wrapped, &err), &err);
		buf_reset(&payload);
		buf_printf(&payload, "{\"format\": \"snapferry-volume\", \"version\": 1, \"volume\": \"");
		buf_hex(&payload, v.volume, VOLUME_ID_LEN);
		buf_printf(&payload, "\", \"epoch\": 1, \"key\": \"0000000000000000\"");
		buf_printf(&payload, ", \"created\": \"2026-11-22T01:02:03Z\", \"seal_public\": \"");
		buf_hex(&payload, v.seal_public, KEY_LEN);
		buf_printf(&payload, "\", \"sign_public\": \"");
		buf_hex(&payload, v.sign_public, KEY_LEN);
		buf_printf(&payload, "\", \"wrapped\": \"");
		buf_hex(&payload, wrapped, len + TAG_LEN);
		buf_printf(&payload, "\"}");
		buf_reset(&object);
		CHECK_OK(envelope_seal(VOLUME_TYPE, payload.data, payload.len, root.admin_seed, &object, &err), &err);
		CHECK_INT(volume_keys_parse(&root, object.data, object.len, &got, &err), cases[i].code);
	}
	buf_free(&payload);
	buf_free(&object);
}

static void
test_session(void)
{
	struct volume_keys v = {.epoch = 1}, other = {.epoch = 1};
	struct session_key made, got;
	struct error err;

	CHECK_OK(crypto_random(v.secret, KEY_LEN, &err), &err);
	CHECK_OK(volume_keys_derive(&v, &err), &err);
	CHECK_OK(session_key_create(&v, &made, &err), &err);
	got = made;
	crypto_wipe(got.key, KEY_LEN);
	CHECK_OK(session_key_open(&v, &got, &err), &err);
	CHECK_MEM(&got, &made, sizeof(made));

	/* Each of: session, sealed, commitment. */
	for (size_t i = 0; i < sizeof(got); i++) {
		if (i >= offsetof(struct session_key, key) && i < offsetof(struct session_key, key) + KEY_LEN)
			continue;
		got = made;
		((uint8_t *)&got)[i] ^= 1;
		CHECK_INT(session_key_open(&v, &got, &err), ERR_CORRUPT);
		CHECK(is_zero(got.key, KEY_LEN));
	}
	/* Another volume: with other keys, and with the same keys under another id. */
	got = made;
	CHECK_OK(volume_keys_derive(&other, &err), &err);
	CHECK_INT(session_key_open(&other, &got, &err), ERR_CORRUPT);
	other = v;
	other.volume[0] ^= 1;
	got = made;
	CHECK_INT(session_key_open(&other, &got, &err), ERR_CORRUPT);

	session_key_wipe(&got);
	CHECK(is_zero(&got, sizeof(got)));
}

static void
test_pack_key(void)
{
	struct session_key s[2];
	uint8_t volume[2][VOLUME_ID_LEN] = {{1}, {2}};
	uint8_t keys[6][KEY_LEN], context[VOLUME_ID_LEN + SESSION_ID_LEN + 5] = {1};
	struct error err;

	memset(s, 0, sizeof(s));
	s[1].session[SESSION_ID_LEN - 1] = 1;
	CHECK_OK(session_key_pack(&s[0], volume[0], 'p', 0x01020304, keys[0], &err), &err);
	CHECK_OK(session_key_pack(&s[0], volume[1], 'p', 0x01020304, keys[1], &err), &err);
	CHECK_OK(session_key_pack(&s[1], volume[0], 'p', 0x01020304, keys[2], &err), &err);
	CHECK_OK(session_key_pack(&s[0], volume[0], 'm', 0x01020304, keys[3], &err), &err);
	CHECK_OK(session_key_pack(&s[0], volume[0], 'p', 0x01020305, keys[4], &err), &err);
	s[0].key[31] = 1;
	CHECK_OK(session_key_pack(&s[0], volume[0], 'p', 0x01020304, keys[5], &err), &err);
	for (size_t i = 0; i < COUNT_OF(keys); i++) {
		for (size_t j = 0; j < i; j++)
			CHECK(memcmp(keys[i], keys[j], KEY_LEN) != 0);
	}
	memcpy(context + VOLUME_ID_LEN + SESSION_ID_LEN, "p\x04\x03\x02\x01", 5);
	CHECK_OK(crypto_derive(s[0].key, "pack", context, sizeof(context), keys[0], &err), &err);
	CHECK_MEM(keys[0], keys[5], KEY_LEN);
}

int
main(void)
{
	(void)alarm(60);
	test_names();
	test_root();
	test_volume_derive();
	test_volume_golden();
	test_volume_object();
	test_volume_forged();
	test_volume_names_inside();
	test_session();
	test_pack_key();
	return 0;
}
