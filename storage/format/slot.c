/*
 * Key slots: the root key, wrapped with a secret that a person or a Job holds.
 *
 * The commitment is looked at before anything is opened: it tells a wrong secret from damage, and it binds the slot
 * to one key, which AES-GCM alone does not.
 */
#include "slot.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include <json-c/json.h>

#include "buf.h"
#include "cleanup.h"
#include "error.h"
#include "json.h"
#include "timetext.h"
#include "wire.h"

#define SLOT_FORMAT           "snapferry-slot"
#define SLOT_MAX              16384
#define LABEL_MAX             255
#define SALT_LEN              32
#define WRAPPED_LEN           (KEY_LEN + TAG_LEN)
#define RECIPIENT_WRAPPED_LEN (KEY_LEN + WRAPPED_LEN)
#define LOG_N_MIN             10
#define LOG_N_MAX             20
#define SCRYPT_R              8
#define SCRYPT_P              1
#define KEY_FILE_PREFIX       "snapferry-key-1 "
#define KEY_FILE_LINE         (sizeof(KEY_FILE_PREFIX) - 1 + 2 * (size_t)KEY_LEN)

/* repo id || slot id: the context of both keys of a slot, and the additional data of what is wrapped. */
struct slot_context {
	uint8_t repository[REPOSITORY_ID_LEN];
	uint8_t id[SLOT_ID_LEN];
};

struct scrypt_params {
	uint8_t salt[SALT_LEN];
	unsigned log_n, r, p;
};

void
secret_wipe(struct secret *s)
{
	crypto_wipe(s, sizeof(*s));
}

static int
check_secret(const struct secret *s, struct error *err)
{
	if (s->kind == SECRET_KEY_FILE) {
		if (s->len != KEY_LEN)
			return error_set(err, ERR_USAGE, "a key has %d bytes, not %zu", KEY_LEN, s->len);
		return 0;
	}
	if (s->kind != SECRET_PASSPHRASE || s->len < 1 || s->len > sizeof(s->bytes))
		return error_set(err, ERR_USAGE, "a passphrase has 1 to %zu bytes, not %zu", sizeof(s->bytes), s->len);
	if (memchr(s->bytes, '\0', s->len) != NULL)
		return error_set(err, ERR_USAGE, "a passphrase cannot hold a NUL byte");
	return 0;
}

/* The 64 digits of a key file's line. */
static bool
parse_key_line(const char *text, size_t len, uint8_t out[KEY_LEN])
{
	char digits[2 * KEY_LEN + 1] = {0};
	bool ok;

	if (len == KEY_FILE_LINE + 1 && text[len - 1] == '\n')
		len--;
	else if (len == KEY_FILE_LINE + 2 && memcmp(text + len - 2, "\r\n", 2) == 0)
		len -= 2;
	if (len != KEY_FILE_LINE || memcmp(text, KEY_FILE_PREFIX, sizeof(KEY_FILE_PREFIX) - 1) != 0)
		return false;
	memcpy(digits, text + sizeof(KEY_FILE_PREFIX) - 1, 2 * (size_t)KEY_LEN);
	ok = hex_decode(out, KEY_LEN, digits);
	crypto_wipe(digits, sizeof(digits));
	return ok;
}

int
secret_parse_key_file(const void *bytes, size_t len, struct secret *out, struct error *err)
{
	memset(out, 0, sizeof(*out));
	if (len == KEY_LEN) {
		memcpy(out->bytes, bytes, KEY_LEN);
	} else if (!parse_key_line(bytes, len, out->bytes)) {
		secret_wipe(out);
		return error_set(err, ERR_USAGE,
		    "a key file is one line \"%s\" and %d lower case hexadecimal digits, or %d bytes", KEY_FILE_PREFIX,
		    2 * KEY_LEN, KEY_LEN);
	}
	/* What a file of zeros, or a disk that lost its content, looks like. */
	if (memcmp(out->bytes, out->bytes + 1, KEY_LEN - 1) == 0) {
		secret_wipe(out);
		return error_set(err, ERR_USAGE, "the key consists of %d equal bytes", KEY_LEN);
	}
	out->kind = SECRET_KEY_FILE;
	out->len = KEY_LEN;
	return 0;
}

int
secret_format_key_file(const struct secret *s, struct buf *out, struct error *err)
{
	if (s->kind != SECRET_KEY_FILE)
		return error_set(err, ERR_USAGE, "a passphrase has no key file");
	if (check_secret(s, err) < 0)
		return err->code;
	buf_printf(out, "%s", KEY_FILE_PREFIX);
	buf_hex(out, s->bytes, KEY_LEN);
	buf_u8(out, '\n');
	return buf_check(out, "key file", err);
}

/* The key that the slot's keys come from. */
static int
slot_kek(const struct secret *s, const struct scrypt_params *params, uint8_t out[KEY_LEN], struct error *err)
{
	if (s->kind == SECRET_PASSPHRASE)
		return crypto_scrypt(s->bytes, s->len, params->salt, params->log_n, params->r, params->p, out, err);
	memcpy(out, s->bytes, KEY_LEN);
	return 0;
}

/* Commitment and wrapping key. */
static int
slot_keys(const struct secret *s, const struct scrypt_params *params, const struct slot_context *context,
    uint8_t out_commitment[KEY_LEN], uint8_t out_wrap[KEY_LEN], struct error *err)
{
	uint8_t kek[KEY_LEN];
	int r = slot_kek(s, params, kek, err);

	if (r == 0)
		r = crypto_derive(kek, "slot-commitment", context, sizeof(*context), out_commitment, err);
	if (r == 0)
		r = crypto_derive(kek, "slot-wrap", context, sizeof(*context), out_wrap, err);
	crypto_wipe(kek, sizeof(kek));
	return r;
}

/* A label goes into JSON as it is, but for what JSON must escape. */
static int
put_label(struct buf *out, const char *label, struct error *err)
{
	size_t len = strlen(label);

	if (len > LABEL_MAX)
		return error_set(err, ERR_USAGE, "a label has at most %d bytes, not %zu", LABEL_MAX, len);
	for (size_t i = 0; i < len; i++) {
		if ((uint8_t)label[i] < 0x20 || label[i] == 0x7f)
			return error_set(err, ERR_USAGE, "a label cannot hold control characters");
		if (label[i] == '"' || label[i] == '\\')
			buf_u8(out, '\\');
		buf_u8(out, (uint8_t)label[i]);
	}
	return 0;
}

static void
put_scrypt(struct buf *out, const struct scrypt_params *params)
{
	buf_printf(out, " \"scrypt\": {\"salt\": \"");
	buf_hex(out, params->salt, SALT_LEN);
	buf_printf(out, "\", \"log_n\": %u, \"r\": %u, \"p\": %u},\n", params->log_n, params->r, params->p);
}

static int
format_slot(const struct slot_context *context, const struct secret *s, const char *label, int64_t now_s,
    const struct scrypt_params *params, const uint8_t commitment[KEY_LEN], const uint8_t wrapped[WRAPPED_LEN],
    struct buf *out, struct error *err)
{
	CLEANUP(json_putp) struct json_object *check = NULL;
	char created[TIME_TEXT_LEN];
	size_t start = out->len;
	int r;

	time_format(now_s, 0, created);
	buf_printf(out, "{\"format\": \"%s\", \"version\": 1, \"id\": \"", SLOT_FORMAT);
	buf_hex(out, context->id, SLOT_ID_LEN);
	buf_printf(out, "\", \"repository\": \"");
	buf_hex(out, context->repository, REPOSITORY_ID_LEN);
	buf_printf(out, "\", \"kind\": \"%s\", \"label\": \"", s->kind == SECRET_PASSPHRASE ? "scrypt" : "raw");
	r = put_label(out, label, err);
	if (r < 0)
		return r;
	buf_printf(out, "\", \"created\": \"%s\",\n", created);
	if (s->kind == SECRET_PASSPHRASE)
		put_scrypt(out, params);
	buf_printf(out, " \"commitment\": \"");
	buf_hex(out, commitment, KEY_LEN);
	buf_printf(out, "\", \"wrapped\": \"");
	buf_hex(out, wrapped, WRAPPED_LEN);
	buf_printf(out, "\"}\n");
	r = buf_check(out, "key slot", err);
	if (r < 0)
		return r;
	/* The one thing that can make it unreadable is a label that is not UTF-8. */
	if (json_read(out->data + start, out->len - start, &check, err) == ERR_CORRUPT)
		return error_set(err, ERR_USAGE, "a label must be valid UTF-8");
	return check == NULL ? (int)err->code : 0;
}

int
slot_create(const struct root_key *root, const struct secret *s, const char *label, unsigned log_n, int64_t now_s,
    char out_id[2 * SLOT_ID_LEN + 1], struct buf *out_json, struct error *err)
{
	struct scrypt_params params = {{0}, log_n, SCRYPT_R, SCRYPT_P};
	struct slot_context context;
	uint8_t commitment[KEY_LEN], wrap[KEY_LEN], wrapped[WRAPPED_LEN];
	int r = check_secret(s, err);

	if (r < 0)
		return r;
	if (s->kind == SECRET_PASSPHRASE && (log_n < LOG_N_MIN || log_n > LOG_N_MAX))
		return error_set(err, ERR_USAGE, "scrypt's log_n is %d to %d, not %u", LOG_N_MIN, LOG_N_MAX, log_n);
	memcpy(context.repository, root->repository, REPOSITORY_ID_LEN);
	r = crypto_random(context.id, SLOT_ID_LEN, err);
	if (r == 0)
		r = crypto_random(params.salt, SALT_LEN, err);
	if (r == 0)
		r = slot_keys(s, &params, &context, commitment, wrap, err);
	if (r == 0)
		r = aead_seal_once(wrap, &context, sizeof(context), root->key, KEY_LEN, wrapped, err);
	crypto_wipe(wrap, sizeof(wrap));
	if (r == 0)
		r = format_slot(&context, s, label, now_s, &params, commitment, wrapped, out_json, err);
	if (r == 0)
		hex_encode(out_id, context.id, SLOT_ID_LEN);
	return r;
}

/* Whether a slot of this kind is for a secret of ours; ERR_WRONG_KEY if not. */
static int
check_kind(struct json_object *o, const struct secret *s, struct error *err)
{
	const char *kind;
	int r = json_get_string(o, "kind", &kind, err);

	if (r < 0)
		return r;
	if (strcmp(kind, s->kind == SECRET_PASSPHRASE ? "scrypt" : "raw") == 0)
		return 0;
	if (strcmp(kind, "scrypt") == 0 || strcmp(kind, "raw") == 0 || strcmp(kind, "x25519") == 0)
		return error_set(err, ERR_WRONG_KEY, "the key slot is of kind %s", kind);
	return error_set(err, ERR_CORRUPT, "a key slot is of no known kind");
}

static int
parse_scrypt(struct json_object *slot, struct scrypt_params *out, struct error *err)
{
	struct json_object *o;
	int64_t log_n, block, parallel;
	int r = json_get_object(slot, "scrypt", &o, err);

	if (r == 0)
		r = json_get_hex(o, "salt", out->salt, SALT_LEN, err);
	if (r == 0)
		r = json_get_int(o, "log_n", LOG_N_MIN, LOG_N_MAX, &log_n, err);
	if (r == 0)
		r = json_get_int(o, "r", 1, 16, &block, err);
	if (r == 0)
		r = json_get_int(o, "p", 1, 4, &parallel, err);
	if (r < 0)
		return r;
	/* RFC 7914 section 2: N is below 2^(128 * r / 8). */
	if (log_n >= 16 * block)
		return error_set(err, ERR_CORRUPT, "member \"log_n\" is too large for this \"r\"");
	out->log_n = (unsigned)log_n;
	out->r = (unsigned)block;
	out->p = (unsigned)parallel;
	return 0;
}

static int
parse_head(
    struct json_object *o, const uint8_t repository[REPOSITORY_ID_LEN], struct slot_context *context, struct error *err)
{
	int r = json_check_format(o, SLOT_FORMAT, err);

	if (r == 0)
		r = json_get_hex(o, "repository", context->repository, REPOSITORY_ID_LEN, err);
	if (r == 0 && memcmp(context->repository, repository, REPOSITORY_ID_LEN) != 0)
		return error_set(err, ERR_CORRUPT, "the key slot is of another repository");
	return r;
}

/* What slots of all kinds have, and those of a passphrase. */
static int
parse_body(struct json_object *o, bool scrypt, struct slot_context *context, struct scrypt_params *params,
    uint8_t commitment[KEY_LEN], struct error *err)
{
	const char *label, *created;
	int64_t seconds;
	uint32_t ns;
	int r = json_get_hex(o, "id", context->id, SLOT_ID_LEN, err);

	if (r == 0)
		r = json_get_string(o, "label", &label, err);
	if (r == 0)
		r = json_get_string(o, "created", &created, err);
	if (r == 0)
		r = time_parse(created, &seconds, &ns, err);
	if (r == 0 && scrypt)
		r = parse_scrypt(o, params, err);
	return r < 0 ? r : json_get_hex(o, "commitment", commitment, KEY_LEN, err);
}

static int
parse_slot(struct json_object *o, const struct secret *s, const uint8_t repository[REPOSITORY_ID_LEN],
    struct slot_context *context, struct scrypt_params *params, uint8_t commitment[KEY_LEN],
    uint8_t wrapped[WRAPPED_LEN], struct error *err)
{
	int r = parse_head(o, repository, context, err);

	if (r == 0)
		r = check_kind(o, s, err);
	if (r == 0)
		r = parse_body(o, s->kind == SECRET_PASSPHRASE, context, params, commitment, err);
	return r < 0 ? r : json_get_hex(o, "wrapped", wrapped, WRAPPED_LEN, err);
}

int
slot_check(const void *json, size_t len, const uint8_t repository[REPOSITORY_ID_LEN], char out_id[2 * SLOT_ID_LEN + 1],
    struct error *err)
{
	CLEANUP(json_putp) struct json_object *o = NULL;
	uint8_t commitment[KEY_LEN], recipient[KEY_LEN], wrapped[RECIPIENT_WRAPPED_LEN];
	struct slot_context context;
	struct scrypt_params params;
	const char *kind = "";
	bool recipient_kind;
	int r = len > SLOT_MAX ? error_set(err, ERR_CORRUPT, "a key slot of %zu bytes is too large", len)
			       : json_read(json, len, &o, err);

	if (r == 0)
		r = parse_head(o, repository, &context, err);
	if (r == 0)
		r = json_get_string(o, "kind", &kind, err);
	if (r < 0)
		return r;
	recipient_kind = strcmp(kind, "x25519") == 0;
	if (!recipient_kind && strcmp(kind, "scrypt") != 0 && strcmp(kind, "raw") != 0)
		return error_set(err, ERR_CORRUPT, "a key slot is of no known kind");
	r = parse_body(o, strcmp(kind, "scrypt") == 0, &context, &params, commitment, err);
	if (r == 0 && recipient_kind)
		r = json_get_hex(o, "recipient", recipient, sizeof(recipient), err);
	if (r == 0)
		r = json_get_hex(o, "wrapped", wrapped, recipient_kind ? sizeof(wrapped) : WRAPPED_LEN, err);
	if (r == 0)
		hex_encode(out_id, context.id, SLOT_ID_LEN);
	return r;
}

static int
open_wrapped(const uint8_t wrap[KEY_LEN], const struct slot_context *context, const uint8_t wrapped[WRAPPED_LEN],
    uint8_t out[KEY_LEN], struct error *err)
{
	int r = aead_open_once(wrap, context, sizeof(*context), wrapped, WRAPPED_LEN, out, err);

	if (r == ERR_CORRUPT)
		return error_set(err, ERR_CORRUPT, "the key slot is ours, but what it wraps is damaged");
	return r;
}

int
slot_open(const void *json, size_t len, const struct secret *s, struct root_key *root, struct error *err)
{
	CLEANUP(json_putp) struct json_object *o = NULL;
	struct slot_context context;
	struct scrypt_params params = {{0}, 0, 0, 0};
	uint8_t commitment[KEY_LEN], ours[KEY_LEN], wrap[KEY_LEN], wrapped[WRAPPED_LEN];
	int r = check_secret(s, err);

	if (r < 0)
		return r;
	if (len > SLOT_MAX)
		return error_set(err, ERR_CORRUPT, "a key slot of %zu bytes is too large", len);
	r = json_read(json, len, &o, err);
	if (r == 0)
		r = parse_slot(o, s, root->repository, &context, &params, commitment, wrapped, err);
	if (r == 0)
		r = slot_keys(s, &params, &context, ours, wrap, err);
	if (r < 0)
		return r;
	if (!crypto_equal(commitment, ours, KEY_LEN))
		r = error_set(err, ERR_WRONG_KEY, "the key slot does not open with this %s",
		    s->kind == SECRET_PASSPHRASE ? "passphrase" : "key file");
	if (r == 0)
		r = open_wrapped(wrap, &context, wrapped, root->key, err);
	crypto_wipe(wrap, sizeof(wrap));
	return r;
}
