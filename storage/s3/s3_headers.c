/*
 * The headers that settings put on requests for objects.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "buf.h"
#include "cleanup.h"
#include "crypto.h"
#include "s3.h"
#include "s3_internal.h"
#include "smallfile.h"

enum { TAGS_MAX = 10, CUSTOMER_KEY_LEN = 32, TEXT_MAX = 16384, FILE_MAX = 256 };

/* Texts are made first, since the buffer moves while it grows: offsets become pointers at the end. */
struct maker {
	struct s3_headers *sets[2]; /* put, get */
	struct buf texts;
	size_t offsets[2][S3_OBJECT_HEADERS_MAX];
};

static size_t
begin_text(struct maker *m)
{
	return m->texts.len;
}

/* Take what was written since begin_text() as a header's value: of puts, or of puts and gets. */
static void
add_header(struct maker *m, const char *name, size_t at, bool get_too)
{
	buf_u8(&m->texts, 0);
	for (size_t i = 0; i <= (size_t)get_too; i++) {
		struct s3_headers *set = m->sets[i];

		m->offsets[i][set->count] = at;
		set->items[set->count++].name = name;
	}
}

static void
add_text(struct maker *m, const char *name, const char *value, bool get_too)
{
	size_t at = begin_text(m);

	buf_printf(&m->texts, "%s", value);
	add_header(m, name, at, get_too);
}

/* Values from outside must not become headers of their own. */
static int
check_value(const char *option, const char *value, struct error *err)
{
	for (const char *p = value; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || (unsigned char)*p > 0x7E)
			return error_set(err, ERR_USAGE, "%s: only printable ASCII is possible", option);
	return *value == '\0' ? error_set(err, ERR_USAGE, "%s: the value is empty", option) : 0;
}

static int
add_encryption(struct maker *m, const struct s3_settings *s, struct error *err)
{
	const char *kind = s->sse != NULL ? s->sse : s->sse_kms_key != NULL ? "aws:kms" : NULL;
	int r;

	if (kind == NULL)
		return 0;
	if (s->sse_customer_key_file != NULL)
		return error_set(err, ERR_USAGE, "--sse and --customer-key-file exclude each other");
	if (strcmp(kind, "AES256") != 0 && strcmp(kind, "aws:kms") != 0 && strcmp(kind, "aws:kms:dsse") != 0)
		return error_set(err, ERR_USAGE, "--sse is AES256, aws:kms or aws:kms:dsse");
	add_text(m, "x-amz-server-side-encryption", kind, false);
	if (s->sse_kms_key == NULL)
		return 0;
	if (strcmp(kind, "AES256") == 0)
		return error_set(err, ERR_USAGE, "--sse-kms-key needs --sse aws:kms");
	r = check_value("--sse-kms-key", s->sse_kms_key, err);
	add_text(m, "x-amz-server-side-encryption-aws-kms-key-id", s->sse_kms_key, false);
	return r;
}

static int
read_key_file(const char *path, uint8_t key[CUSTOMER_KEY_LEN], struct error *err)
{
	CLEANUP(buf_wipe) struct buf raw = BUF_INIT(FILE_MAX + 1);
	CLEANUP(buf_wipe) struct buf decoded = BUF_INIT(FILE_MAX);
	int r = smallfile_read(path, FILE_MAX, &raw, err);

	if (r < 0)
		return r;
	if (raw.len != CUSTOMER_KEY_LEN) {
		while (raw.len > 0 && (raw.data[raw.len - 1] == '\n' || raw.data[raw.len - 1] == '\r'))
			raw.len--;
		if (!base64_decode(&decoded, (const char *)raw.data, raw.len) || decoded.len != CUSTOMER_KEY_LEN)
			return error_set(err, ERR_USAGE, "%s: must hold a key of 32 bytes, raw or in base64", path);
	}
	memcpy(key, raw.len == CUSTOMER_KEY_LEN ? raw.data : decoded.data, CUSTOMER_KEY_LEN);
	return 0;
}

static bool
is_loopback(const struct s3_place *p)
{
	return strncmp(p->endpoint.host, "127.", 4) == 0 || strcmp(p->endpoint.host, "localhost") == 0 ||
	       strcmp(p->endpoint.host, "[::1]") == 0;
}

static int
add_customer_key(struct maker *m, const struct s3 *s, const struct s3_settings *settings, struct error *err)
{
	uint8_t key[CUSTOMER_KEY_LEN], md5[16];
	size_t at;
	int r;

	if (settings->sse_customer_key_file == NULL)
		return 0;
	if (!s->place.aws && !s->place.endpoint.https && !is_loopback(&s->place))
		return error_set(err, ERR_USAGE, "--customer-key-file: the key would go over the network in clear");
	r = read_key_file(settings->sse_customer_key_file, key, err);
	if (r == 0)
		r = crypto_md5(key, sizeof(key), md5, err);
	if (r < 0)
		return r;
	add_text(m, "x-amz-server-side-encryption-customer-algorithm", "AES256", true);
	at = begin_text(m);
	base64_encode(&m->texts, key, sizeof(key));
	add_header(m, "x-amz-server-side-encryption-customer-key", at, true);
	at = begin_text(m);
	base64_encode(&m->texts, md5, sizeof(md5));
	add_header(m, "x-amz-server-side-encryption-customer-key-md5", at, true);
	crypto_wipe(key, sizeof(key));
	return 0;
}

static int
add_tags(struct maker *m, const struct s3_settings *s, struct error *err)
{
	size_t at = begin_text(m);

	if (s->ntags == 0)
		return 0;
	if (s->ntags > TAGS_MAX)
		return error_set(err, ERR_USAGE, "--object-tag: an object has at most %d tags", TAGS_MAX);
	for (size_t i = 0; i < s->ntags; i++) {
		const char *equals = strchr(s->tags[i], '=');
		char key[129];

		if (equals == NULL || equals == s->tags[i] || (size_t)(equals - s->tags[i]) >= sizeof(key) ||
		    strlen(equals + 1) > 256)
			return error_set(err, ERR_USAGE,
			    "--object-tag %s: must be KEY=VALUE, at most 128 and 256 bytes", s->tags[i]);
		(void)snprintf(key, sizeof(key), "%.*s", (int)(equals - s->tags[i]), s->tags[i]);
		if (i > 0)
			buf_u8(&m->texts, '&');
		uri_encode(&m->texts, key, false);
		buf_u8(&m->texts, '=');
		uri_encode(&m->texts, equals + 1, false);
	}
	add_header(m, "x-amz-tagging", at, false);
	return 0;
}

static int
set_checksum(struct s3 *s, const char *name, struct error *err)
{
	bool tls = s->place.aws || s->place.endpoint.https;

	/* In clear, only the signature over the content keeps others from changing it on the way. */
	atomic_store(&s->crc32c, tls ? S3_CRC32C_UNKNOWN : S3_CRC32C_NO);
	if (name == NULL || strcmp(name, "auto") == 0)
		return 0;
	if (strcmp(name, "crc32c") == 0) {
		if (!tls)
			return error_set(err, ERR_USAGE, "--checksum crc32c needs an https endpoint");
		atomic_store(&s->crc32c, S3_CRC32C_YES);
		return 0;
	}
	s->with_md5 = strcmp(name, "md5") == 0;
	if (!s->with_md5 && strcmp(name, "sha256") != 0)
		return error_set(err, ERR_USAGE, "--checksum is auto, sha256, md5 or crc32c");
	atomic_store(&s->crc32c, S3_CRC32C_NO);
	return 0;
}

static int
set_storage_class(struct s3 *s, const char *name, struct error *err)
{
	int r;

	if (name == NULL)
		return 0;
	r = check_value("--storage-class", name, err);
	if (r < 0)
		return r;
	s->storage_class = strdup(name);
	return s->storage_class == NULL ? error_nomem(err) : 0;
}

/* Values become pointers when their buffer has its last place. */
static int
settle(struct s3 *s, struct maker *m, struct error *err)
{
	int r = buf_check(&m->texts, "the settings' headers", err);

	if (r < 0)
		return r;
	s->texts = (char *)m->texts.data;
	s->texts_len = m->texts.len;
	for (size_t i = 0; i < 2; i++)
		for (size_t k = 0; k < m->sets[i]->count; k++)
			m->sets[i]->items[k].value = s->texts + m->offsets[i][k];
	memset(&m->texts, 0, sizeof(m->texts));
	return 0;
}

int
s3_headers_make(struct s3 *s, const struct s3_settings *settings, struct error *err)
{
	struct maker m = {.sets = {&s->put, &s->get}, .texts = BUF_INIT(TEXT_MAX)};
	int r = add_encryption(&m, settings, err);

	if (r == 0)
		r = add_customer_key(&m, s, settings, err);
	if (r == 0)
		r = add_tags(&m, settings, err);
	if (r == 0)
		r = set_checksum(s, settings->checksum, err);
	if (r == 0)
		r = set_storage_class(s, settings->storage_class, err);
	if (r == 0)
		r = settle(s, &m, err);
	s->requester_pays = settings->requester_pays;
	buf_wipe(&m.texts);
	return r;
}

void
s3_headers_wipe(struct s3 *s)
{
	if (s->texts != NULL)
		crypto_wipe(s->texts, s->texts_len);
	free(s->texts);
	free(s->storage_class);
}
