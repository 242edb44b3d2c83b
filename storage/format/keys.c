/*
 * The tree of keys from the root key to those of volumes, and the object that carries a volume's.
 */
#include "keys.h"

#include <inttypes.h>
#include <string.h>

#include <json-c/json.h>

#include "buf.h"
#include "cleanup.h"
#include "envelope.h"
#include "error.h"
#include "le.h"
#include "wire.h"

#define VOLUME_TYPE   "application/vnd.snapferry.volume+json;version=1"
#define VOLUME_FORMAT "snapferry-volume"
#define WRAPPED_MAX   (KEY_LEN + VOLUME_NAME_MAX + TAG_LEN)

int
root_key_derive(struct root_key *root, struct error *err)
{
	int r = crypto_derive(root->key, "admin", root->repository, REPOSITORY_ID_LEN, root->admin_seed, err);

	if (r < 0)
		return r;
	return crypto_sign_public(root->admin_seed, root->admin_public, err);
}

void
root_key_wipe(struct root_key *root)
{
	crypto_wipe(root, sizeof(*root));
}

static void
mac_freep(struct mac **m)
{
	mac_free(*m);
}

int
root_key_volume_id(const struct root_key *root, const char *name, uint8_t out[VOLUME_ID_LEN], struct error *err)
{
	CLEANUP(mac_freep) struct mac *m = NULL;
	uint8_t key[KEY_LEN], digest[ID_LEN];
	int r = volume_name_check(name, err);

	if (r == 0)
		r = crypto_derive(root->key, "volume-id", root->repository, REPOSITORY_ID_LEN, key, err);
	if (r < 0)
		return r;
	r = mac_new(key, &m, err);
	crypto_wipe(key, sizeof(key));
	if (r == 0)
		r = mac_compute(m, NULL, 0, name, strlen(name), digest, err);
	if (r == 0)
		memcpy(out, digest, VOLUME_ID_LEN);
	return r;
}

int
volume_name_check(const char *name, struct error *err)
{
	size_t len = strlen(name);
	char quoted[128];

	if (len < 1 || len > VOLUME_NAME_MAX)
		return error_set(err, ERR_USAGE, "a volume name has 1 to %d bytes, not %zu", VOLUME_NAME_MAX, len);
	for (size_t i = 0; i < len; i++) {
		if (name[i] < 0x21 || name[i] > 0x7e)
			return error_set(err, ERR_USAGE, "volume name \"%s\" has bytes other than printable ASCII",
			    error_quote(quoted, sizeof(quoted), name, len));
	}
	if (name[0] == '/' || name[len - 1] == '/')
		return error_set(err, ERR_USAGE, "volume name \"%s\" begins or ends with '/'",
		    error_quote(quoted, sizeof(quoted), name, len));
	return 0;
}

void
volume_keys_context(const struct volume_keys *v, uint8_t out[VOLUME_CONTEXT_LEN])
{
	memcpy(out, v->volume, VOLUME_ID_LEN);
	le_put32(out + VOLUME_ID_LEN, v->epoch);
	memcpy(out + VOLUME_ID_LEN + 4, v->keyid, KEY_ID_LEN);
}

int
volume_keys_derive(struct volume_keys *v, struct error *err)
{
	const struct {
		const char *label;
		uint8_t *out;
	} keys[] = {
	    {"chunk-id", v->chunk_id},
	    {"gear", v->gear},
	    {"manifest", v->manifest},
	    {"state", v->state},
	    {"seal", v->seal_private},
	    {"sign", v->sign_seed},
	};
	uint8_t context[VOLUME_CONTEXT_LEN];
	int r;

	volume_keys_context(v, context);
	for (size_t i = 0; i < COUNT_OF(keys); i++) {
		r = crypto_derive(v->secret, keys[i].label, context, sizeof(context), keys[i].out, err);
		if (r < 0)
			return r;
	}
	r = crypto_seal_public(v->seal_private, v->seal_public, err);
	if (r < 0)
		return r;
	return crypto_sign_public(v->sign_seed, v->sign_public, err);
}

void
volume_keys_wipe(struct volume_keys *v)
{
	crypto_wipe(v, sizeof(*v));
}

/* The key that wraps the secret of a volume key object. */
static int
wrapping_key(
    const struct root_key *root, const uint8_t context[VOLUME_CONTEXT_LEN], uint8_t out[KEY_LEN], struct error *err)
{
	return crypto_derive(root->key, "volume-key", context, VOLUME_CONTEXT_LEN, out, err);
}

/* secret || name, sealed.  Gives the length. */
static int
wrap_secret(const struct root_key *root, const struct volume_keys *v, uint8_t out[WRAPPED_MAX], size_t *out_len,
    struct error *err)
{
	uint8_t context[VOLUME_CONTEXT_LEN], key[KEY_LEN];
	uint8_t plain[KEY_LEN + VOLUME_NAME_MAX];
	size_t len = KEY_LEN + strlen(v->name);
	int r;

	volume_keys_context(v, context);
	memcpy(plain, v->secret, KEY_LEN);
	memcpy(plain + KEY_LEN, v->name, len - KEY_LEN);
	r = wrapping_key(root, context, key, err);
	if (r == 0)
		r = aead_seal_once(key, context, sizeof(context), plain, len, out, err);
	crypto_wipe(key, sizeof(key));
	crypto_wipe(plain, sizeof(plain));
	*out_len = len + TAG_LEN;
	return r;
}

static int
format_object(
    const struct root_key *root, const struct volume_keys *v, int64_t now_s, struct buf *out, struct error *err)
{
	CLEANUP(buf_free) struct buf payload = BUF_INIT(4096);
	uint8_t wrapped[WRAPPED_MAX];
	char created[TIME_TEXT_LEN];
	size_t wrapped_len;
	int r = wrap_secret(root, v, wrapped, &wrapped_len, err);

	if (r < 0)
		return r;
	time_format(now_s, 0, created);
	buf_printf(&payload, "{\"format\": \"%s\", \"version\": 1, \"volume\": \"", VOLUME_FORMAT);
	buf_hex(&payload, v->volume, VOLUME_ID_LEN);
	buf_printf(&payload, "\", \"epoch\": %" PRIu32 ", \"key\": \"", v->epoch);
	buf_hex(&payload, v->keyid, KEY_ID_LEN);
	buf_printf(&payload, "\", \"created\": \"%s\", \"seal_public\": \"", created);
	buf_hex(&payload, v->seal_public, KEY_LEN);
	buf_printf(&payload, "\", \"sign_public\": \"");
	buf_hex(&payload, v->sign_public, KEY_LEN);
	buf_printf(&payload, "\", \"wrapped\": \"");
	buf_hex(&payload, wrapped, wrapped_len);
	buf_printf(&payload, "\"}");
	r = buf_check(&payload, "volume key object", err);
	if (r < 0)
		return r;
	return envelope_seal(VOLUME_TYPE, payload.data, payload.len, root->admin_seed, out, err);
}

int
volume_keys_create(const struct root_key *root, const char *name, uint32_t epoch, int64_t now_s,
    struct volume_keys *out, struct buf *out_object, struct error *err)
{
	int r;

	memset(out, 0, sizeof(*out));
	r = root_key_volume_id(root, name, out->volume, err);
	if (r < 0)
		return r;
	/* root_key_volume_id() has checked the length. */
	memcpy(out->name, name, strlen(name));
	out->epoch = epoch;
	r = crypto_random(out->keyid, KEY_ID_LEN, err);
	if (r == 0)
		r = crypto_random(out->secret, KEY_LEN, err);
	if (r == 0)
		r = volume_keys_derive(out, err);
	if (r == 0)
		r = format_object(root, out, now_s, out_object, err);
	if (r < 0)
		volume_keys_wipe(out);
	return r;
}

/* What the payload says in clear, into v; the wrapped secret apart. */
static int
parse_members(
    struct json_object *o, struct volume_keys *v, uint8_t wrapped[WRAPPED_MAX], size_t *wrapped_len, struct error *err)
{
	const char *created, *hex;
	int64_t epoch, seconds;
	uint32_t ns;
	int r = json_check_format(o, VOLUME_FORMAT, err);

	if (r == 0)
		r = json_get_hex(o, "volume", v->volume, VOLUME_ID_LEN, err);
	if (r == 0)
		r = json_get_int(o, "epoch", 0, UINT32_MAX, &epoch, err);
	if (r == 0)
		r = json_get_hex(o, "key", v->keyid, KEY_ID_LEN, err);
	if (r == 0)
		r = json_get_string(o, "created", &created, err);
	if (r == 0)
		r = time_parse(created, &seconds, &ns, err);
	if (r == 0)
		r = json_get_hex(o, "seal_public", v->seal_public, KEY_LEN, err);
	if (r == 0)
		r = json_get_hex(o, "sign_public", v->sign_public, KEY_LEN, err);
	if (r == 0)
		r = json_get_string(o, "wrapped", &hex, err);
	if (r < 0)
		return r;
	v->epoch = (uint32_t)epoch;
	*wrapped_len = strlen(hex) / 2;
	if (*wrapped_len < KEY_LEN + 1 + TAG_LEN || *wrapped_len > WRAPPED_MAX ||
	    !hex_decode(wrapped, *wrapped_len, hex))
		return error_set(err, ERR_CORRUPT, "member \"wrapped\" is no wrapped secret");
	return 0;
}

/* Secret and name, and whether the name is the one that the volume's id stands for. */
static int
unwrap_secret(
    const struct root_key *root, struct volume_keys *v, const uint8_t *wrapped, size_t wrapped_len, struct error *err)
{
	uint8_t context[VOLUME_CONTEXT_LEN], key[KEY_LEN], id[VOLUME_ID_LEN];
	uint8_t plain[KEY_LEN + VOLUME_NAME_MAX];
	size_t name_len = wrapped_len - TAG_LEN - KEY_LEN;
	int r;

	volume_keys_context(v, context);
	r = wrapping_key(root, context, key, err);
	if (r == 0)
		r = aead_open_once(key, context, sizeof(context), wrapped, wrapped_len, plain, err);
	if (r == 0) {
		memcpy(v->secret, plain, KEY_LEN);
		memcpy(v->name, plain + KEY_LEN, name_len);
	}
	crypto_wipe(key, sizeof(key));
	crypto_wipe(plain, sizeof(plain));
	if (r < 0)
		return r;

	if (strlen(v->name) != name_len || volume_name_check(v->name, err) < 0)
		return error_set(err, ERR_CORRUPT, "the volume key holds a bad volume name");
	r = root_key_volume_id(root, v->name, id, err);
	if (r == 0 && !crypto_equal(id, v->volume, VOLUME_ID_LEN))
		return error_set(err, ERR_CORRUPT, "the volume key is of volume \"%s\", which has another id", v->name);
	return r;
}

static int
parse_object(const struct root_key *root, const void *object, size_t len, struct volume_keys *v, struct error *err)
{
	CLEANUP(buf_free) struct buf payload = BUF_INIT(ENVELOPE_MAX);
	CLEANUP(json_putp) struct json_object *o = NULL;
	uint8_t wrapped[WRAPPED_MAX], seal_public[KEY_LEN], sign_public[KEY_LEN];
	size_t wrapped_len;
	int r = envelope_open(VOLUME_TYPE, object, len, root->admin_public, &payload, err);

	if (r == 0)
		r = json_read(payload.data, payload.len, &o, err);
	if (r == 0)
		r = parse_members(o, v, wrapped, &wrapped_len, err);
	if (r == 0)
		r = unwrap_secret(root, v, wrapped, wrapped_len, err);
	if (r < 0)
		return r;
	memcpy(seal_public, v->seal_public, KEY_LEN);
	memcpy(sign_public, v->sign_public, KEY_LEN);
	r = volume_keys_derive(v, err);
	if (r < 0)
		return r;
	if (!crypto_equal(seal_public, v->seal_public, KEY_LEN) || !crypto_equal(sign_public, v->sign_public, KEY_LEN))
		return error_set(err, ERR_CORRUPT, "the public keys do not belong to the secret");
	return 0;
}

int
volume_keys_parse(
    const struct root_key *root, const void *object, size_t len, struct volume_keys *out, struct error *err)
{
	int r;

	memset(out, 0, sizeof(*out));
	r = parse_object(root, object, len, out, err);
	if (r < 0) {
		volume_keys_wipe(out);
		return error_prefix(err, "volume key");
	}
	return 0;
}
