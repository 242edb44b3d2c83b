/*
 * Putting an object that must be new, through libs3.
 *
 * libs3 has no conditional put, and 2.0 takes whatever follows "100 Continue" for success unless it is an error in XML.
 * So it is looked before whether the name is taken, and afterwards whether the object is there.  An object carries a
 * random word as its metadata, which tells whether it is this very put's: of an earlier try, whose answer was lost.
 * Servers that write the names of headers in another way than libs3 expects it hide that word; then the MD5 decides.
 */
#include <string.h>
#include <strings.h>

#include "base64.h"
#include "cleanup.h"
#include "crypto.h"
#include "store_libs3_internal.h"
#include "wire.h"

enum { MD5_LEN = 16, MD5_TEXT_SIZE = 32 };

struct put {
	const char *key; /* in the bucket */
	const void *bytes;
	size_t len;
	char id[STORE_LIBS3_ID_SIZE];
	char md5_hex[STORE_LIBS3_ID_SIZE];
	struct buf md5; /* in base64 */
	bool sent; /* perhaps stored */
	bool taken; /* by somebody else */
};

static void
put_wipe(struct put *p)
{
	buf_free(&p->md5);
}

static int
put_make(struct put *p, struct error *err)
{
	uint8_t id[(STORE_LIBS3_ID_SIZE - 1) / 2], sum[MD5_LEN];
	int r = crypto_random(id, sizeof(id), err);

	if (r == 0)
		r = crypto_md5(p->bytes, p->len, sum, err);
	if (r < 0)
		return r;
	hex_encode(p->id, id, sizeof(id));
	hex_encode(p->md5_hex, sum, sizeof(sum));
	base64_encode(&p->md5, sum, sizeof(sum));
	buf_u8(&p->md5, 0);
	return buf_check(&p->md5, "a checksum", err);
}

static bool
is_own(const struct store_libs3_request *r, const struct put *p)
{
	if (!p->sent)
		return false;
	if (r->put_id[0] != '\0')
		return strcmp(r->put_id, p->id) == 0;
	return strcasecmp(r->etag, p->md5_hex) == 0 && (r->length == p->len || r->length == 0);
}

/* Whether something has the name; and whose it is. */
static bool
look(struct store_libs3_request *r, struct put *p)
{
	store_libs3_request_head(r, p->key);
	if (!store_libs3_status_ok(r->status))
		return false;
	p->taken = !is_own(r, p);
	return true;
}

static void
put_try(struct store_libs3_request *r, void *arg)
{
	struct put *p = arg;

	if (look(r, p) || !store_libs3_status_missing(r->status))
		return;
	p->sent = true;
	store_libs3_request_put(r, p->key, p->bytes, p->len, (const char *)p->md5.data, p->id);
	if (!store_libs3_status_ok(r->status))
		return;
	if (!look(r, p) && store_libs3_status_missing(r->status))
		r->status = store_libs3_status_broken();
}

int
store_libs3_put(
    struct store *store, const char *key, const void *bytes, size_t len, enum store_kind kind, struct error *err)
{
	struct store_libs3 *s = (struct store_libs3 *)store;
	char whole[STORE_LIBS3_KEY_SIZE];
	CLEANUP(put_wipe) struct put p = {.key = whole, .bytes = bytes, .len = len, .md5 = BUF_INIT(MD5_TEXT_SIZE)};
	const struct store_libs3_call call = {"PUT", key, put_try, &p};
	struct store_libs3_request last;
	int r = put_make(&p, err);

	(void)kind;
	if (r < 0)
		return r;
	store_libs3_key(s, key, whole);
	r = store_libs3_call(s, &call, &last, err);
	if (r == 0 && p.taken)
		return error_set(err, ERR_EXISTS, "object %s exists already", key);
	return r;
}
