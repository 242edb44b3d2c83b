/*
 * Removing many objects with one request (DeleteObjects), or one by one where that does not exist.
 *
 * What the server could not remove in a batch is tried once more alone, which tells why; so the batch is a matter of
 * speed only.
 */
#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "buf.h"
#include "cleanup.h"
#include "crypto.h"
#include "s3_internal.h"
#include "s3_xml.h"

enum {
	BATCH_MAX = 1000, /* AWS's limit */
	BATCH_MIN = 10,
	BODY_MAX = 2 * 1024 * 1024,
	MD5_TEXT_SIZE = 32,
};

struct removal {
	struct s3 *s;
	const char *const *keys; /* of the batch */
	size_t count;
	store_removed_fn *fn;
	void *arg;
};

static int
remove_alone(struct removal *m, const char *key, struct error *err)
{
	struct error why;
	int r = m->s->store.ops->remove(&m->s->store, key, &why);

	if (r == 0)
		return 0;
	if (m->fn == NULL || r == ERR_CANCELLED || r == ERR_UNAVAILABLE) {
		*err = why;
		return r;
	}
	return m->fn(m->arg, key, &why, err);
}

/* Whether a key in the bucket is of the batch; NULL, or the caller's name for it. */
static const char *
find_told(const struct removal *m, const char *key)
{
	size_t own = strlen(m->s->place.prefix);

	if (strncmp(key, m->s->place.prefix, own) != 0)
		return NULL;
	for (size_t i = 0; i < m->count; i++)
		if (strcmp(m->keys[i], key + own) == 0)
			return m->keys[i];
	return NULL;
}

static int
remove_failed(void *arg, const char *key, const char *code, struct error *err)
{
	struct removal *m = arg;
	const char *told = find_told(m, key);

	(void)code;
	if (told == NULL)
		return error_set(err, ERR_CORRUPT, "the server could not remove something that it was not told to");
	return remove_alone(m, told, err);
}

static int
compose_body(const struct s3 *s, const char *const *keys, size_t count, struct buf *out, struct error *err)
{
	buf_printf(out, "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Quiet>true</Quiet>");
	for (size_t i = 0; i < count; i++) {
		buf_printf(out, "<Object><Key>");
		s3_xml_escape(out, s->place.prefix);
		s3_xml_escape(out, keys[i]);
		buf_printf(out, "</Key></Object>");
	}
	buf_printf(out, "</Delete>");
	return buf_check(out, "a list of objects to be removed", err);
}

static int
call_batch(struct removal *m, struct buf *reply, struct s3_answer *a, struct error *err)
{
	CLEANUP(buf_free) struct buf body = BUF_INIT(BODY_MAX);
	CLEANUP(buf_free) struct buf md5_text = BUF_INIT(MD5_TEXT_SIZE);
	const struct sigv4_pair query = {"delete", ""};
	struct http_header headers[] = {{"content-md5", NULL}, {"content-type", "application/xml"}};
	struct s3_request q = {.method = "POST", .query = &query, .nquery = 1, .headers = headers, .out = reply};
	uint8_t md5[16];
	int r = compose_body(m->s, m->keys, m->count, &body, err);

	if (r == 0)
		r = crypto_md5(body.data, body.len, md5, err);
	if (r < 0)
		return r;
	base64_encode(&md5_text, md5, sizeof(md5));
	buf_u8(&md5_text, 0);
	r = buf_check(&md5_text, "Content-MD5", err);
	if (r < 0)
		return r;
	headers[0].value = (const char *)md5_text.data;
	q.nheaders = COUNT_OF(headers);
	q.body = body.data;
	q.body_len = body.len;
	q.divisible = m->count > BATCH_MIN;
	return s3_call(m->s, &q, a, err);
}

/* The call as a whole has failed: it may work in another way, if not for one key alone. */
static bool
other_way(struct removal *m, int r, const struct s3_answer *a, size_t *batch)
{
	if (r == ERR_UNSUPPORTED) {
		atomic_store(&m->s->no_delete_many, true);
		return true;
	}
	if (r != ERR_UNAVAILABLE || m->count <= BATCH_MIN)
		return false;
	/* A slow server has been asked once for too many at a time; any other has had all the time for retries. */
	*batch = MAX(m->count / (a->timed_out ? 2 : 10), (size_t)BATCH_MIN);
	return true;
}

/* Remove the beginning of the keys; *done tells how many have been dealt with. */
static int
remove_some(struct removal *m, size_t *batch, size_t *done, struct error *err)
{
	CLEANUP(buf_free) struct buf reply = BUF_INIT(BODY_MAX);
	struct s3_answer a = {.tries = 0};
	int r;

	*done = 1;
	if (m->count == 1 || atomic_load(&m->s->no_delete_many))
		return remove_alone(m, m->keys[0], err);
	m->count = *done = MIN(*batch, m->count);
	r = call_batch(m, &reply, &a, err);
	if (r == 0)
		return s3_xml_deleted(reply.data, reply.len, remove_failed, m, err);
	*done = 0;
	return other_way(m, r, &a, batch) ? 0 : r;
}

int
s3_remove_many(
    struct store *store, const char *const *keys, size_t count, store_removed_fn *fn, void *arg, struct error *err)
{
	struct removal m = {.s = (struct s3 *)store, .fn = fn, .arg = arg};
	size_t batch = BATCH_MAX;
	int r = 0;

	for (size_t i = 0, n; r == 0 && i < count; i += n) {
		m.keys = keys + i;
		m.count = count - i;
		r = remove_some(&m, &batch, &n, err);
	}
	return MIN(r, 0);
}
