/*
 * Putting an object that must be new.
 *
 * A put carries a random word as the object's metadata.  When the answer to a put was lost and the next try finds the
 * name taken, that word tells whether the object there is this very put's.
 */
#include <endian.h>
#include <string.h>

#include "base64.h"
#include "buf.h"
#include "cleanup.h"
#include "crc32c.h"
#include "crypto.h"
#include "s3_internal.h"
#include "wire.h"

enum {
	PUT_ID_LEN = 16,
	PUT_HEADERS_MAX = S3_OBJECT_HEADERS_MAX + 6,
	CHECKSUM_TEXT_SIZE = 32,
};

/* What a put sends beside its body. */
struct put {
	char id[2 * PUT_ID_LEN + 1];
	struct buf checksum; /* in base64 */
	struct http_header headers[PUT_HEADERS_MAX];
	struct s3_request request;
};

static void
put_wipe(struct put *p)
{
	buf_free(&p->checksum);
}

static void
add_header(struct put *p, const char *name, const char *value)
{
	p->headers[p->request.nheaders++] = (struct http_header){name, value};
}

static int
add_encoded(struct put *p, const char *name, const uint8_t *bytes, size_t len, struct error *err)
{
	base64_encode(&p->checksum, bytes, len);
	buf_u8(&p->checksum, 0);
	add_header(p, name, (const char *)p->checksum.data);
	return buf_check(&p->checksum, "a checksum", err);
}

/* SHA-256 is in the signature; what comes beside it, or instead of it. */
static int
add_checksum(struct s3 *s, struct put *p, enum store_kind kind, struct error *err)
{
	uint8_t sum[16];
	int r;

	if (kind == STORE_BULK && s3_hints_crc32c(s)) {
		uint32_t crc = htobe32(crc32c(p->request.body, p->request.body_len));

		p->request.unsigned_body = true;
		return add_encoded(p, "x-amz-checksum-crc32c", (const uint8_t *)&crc, sizeof(crc), err);
	}
	if (!s->with_md5)
		return 0;
	r = crypto_md5(p->request.body, p->request.body_len, sum, err);
	return r < 0 ? r : add_encoded(p, "content-md5", sum, sizeof(sum), err);
}

static int
put_make(struct s3 *s, struct put *p, enum store_kind kind, struct error *err)
{
	uint8_t id[PUT_ID_LEN];
	int r = crypto_random(id, sizeof(id), err);

	if (r < 0)
		return r;
	hex_encode(p->id, id, sizeof(id));
	p->request.headers = p->headers;
	add_header(p, "x-amz-meta-put-id", p->id);
	if (kind == STORE_BULK && s->storage_class != NULL)
		add_header(p, "x-amz-storage-class", s->storage_class);
	for (size_t i = 0; i < s->put.count; i++)
		add_header(p, s->put.items[i].name, s->put.items[i].value);
	return add_checksum(s, p, kind, err);
}

/* The name is taken: by an earlier try of this put?  Its answer may have been lost, or an error; and a request that
 * broke on a kept connection was perhaps sent twice without our knowledge. */
static int
explain_taken(struct s3 *s, const struct put *p, struct error *err)
{
	struct s3_answer there;
	int r = s3_call_object(s, "HEAD", p->request.key, NULL, 0, &there, err);

	if (r < 0)
		return r;
	if (strcmp(s3_answer_header(&there, "x-amz-meta-put-id"), p->id) == 0)
		return 0;
	return error_set(err, ERR_EXISTS, "object %s exists already", p->request.key);
}

/* For servers that put without a condition only: look before. */
static int
put_unconditionally(struct s3 *s, struct put *p, struct error *err)
{
	struct s3_answer a;
	int r = s3_call_object(s, "HEAD", p->request.key, NULL, 0, &a, err);

	if (r == 0)
		return error_set(err, ERR_EXISTS, "object %s exists already", p->request.key);
	return r == ERR_NOT_FOUND ? s3_call(s, &p->request, &a, err) : r;
}

static bool
lacks_condition(int r, const struct s3_answer *a)
{
	return r == ERR_UNSUPPORTED && (a->reply.status == 501 || strcmp(a->code, "NotImplemented") == 0);
}

static int
put_new(struct s3 *s, struct put *p, struct error *err)
{
	struct s3_answer a;
	int r;

	if (atomic_load(&s->no_condition))
		return put_unconditionally(s, p, err);
	add_header(p, "if-none-match", "*");
	r = s3_call(s, &p->request, &a, err);
	if (r == ERR_EXISTS)
		return explain_taken(s, p, err);
	if (!lacks_condition(r, &a))
		return r;
	p->request.nheaders--;
	r = put_unconditionally(s, p, err);
	/* It may have been something else that the server lacks. */
	if (r == 0)
		atomic_store(&s->no_condition, true);
	return r;
}

int
s3_put(struct store *store, const char *key, const void *bytes, size_t len, enum store_kind kind, struct error *err)
{
	struct s3 *s = (struct s3 *)store;
	CLEANUP(put_wipe)
	struct put p = {
	    .checksum = BUF_INIT(CHECKSUM_TEXT_SIZE),
	    .request = {.method = "PUT", .key = key, .body = bytes, .body_len = len},
	};
	int r = put_make(s, &p, kind, err);

	return r < 0 ? r : put_new(s, &p, err);
}
