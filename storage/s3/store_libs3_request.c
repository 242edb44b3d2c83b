/*
 * Single requests through libs3: what it is given, and what its callbacks are told.
 *
 * One source for libs3 2.0 and 4.x (HAVE_LIBS3_SIGV4).  Requests have no context of libs3's: each is done by the thread
 * that calls, and its callbacks come in that thread.
 */
#include <libs3.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "array.h"
#include "cleanup.h"
#include "store_libs3_internal.h"

#define PUT_ID_NAME "put-id"

#ifdef HAVE_LIBS3_SIGV4
/* An argument of all requests since 4.x.  16 KiB/s is the slowest that is worth waiting for. */
#define TIMEOUT(bytes) (int)(120000 + MIN((uint64_t)(bytes) / 16, (uint64_t)3600000)),
#else
#define TIMEOUT(bytes)
#endif

/* ---- beginning ---- */

static pthread_once_t begun = PTHREAD_ONCE_INIT;
static S3Status begun_status;

/* Never ended: that would also clean up libxml2 for everybody else in the process. */
static void
begin(void)
{
	int flags = S3_INIT_ALL;

#ifdef HAVE_LIBS3_SIGV4
	flags |= S3_INIT_VERIFY_PEER;
#endif
	begun_status = S3_initialize("snapferry", flags, NULL);
}

int
store_libs3_request_begin(struct error *err)
{
	(void)pthread_once(&begun, begin);
	return begun_status == S3StatusOK ? 0 : error_set(err, ERR_SYSTEM, "libs3 does not start");
}

bool
store_libs3_request_sigv4(void)
{
#ifdef HAVE_LIBS3_SIGV4
	return true;
#else
	return false;
#endif
}

static S3BucketContext
bucket_of(const struct store_libs3_request *r)
{
	S3BucketContext bucket;

	memset(&bucket, 0, sizeof(bucket));
	bucket.hostName = r->s->host;
	bucket.bucketName = r->s->place.bucket;
	bucket.protocol = r->s->place.endpoint.https ? S3ProtocolHTTPS : S3ProtocolHTTP;
	bucket.uriStyle = S3UriStylePath;
	bucket.accessKeyId = r->credentials->access_key;
	bucket.secretAccessKey = r->credentials->secret_key;
#ifdef HAVE_LIBS3_SIGV4
	bucket.securityToken = r->credentials->token;
	bucket.authRegion = r->s->place.region;
#endif
	return bucket;
}

/* ---- callbacks ---- */

static S3Status
go_on(const struct store_libs3_request *r)
{
	return atomic_load(&r->s->ended) ? S3StatusAbortedByCallback : S3StatusOK;
}

static void
note_etag(struct store_libs3_request *r, const char *etag)
{
	etag += strspn(etag, "\"");
	(void)snprintf(r->etag, sizeof(r->etag), "%.*s", (int)strcspn(etag, "\""), etag);
}

static S3Status
on_properties(const S3ResponseProperties *p, void *arg)
{
	struct store_libs3_request *r = arg;

	r->length = p->contentLength;
	if (p->eTag != NULL)
		note_etag(r, p->eTag);
	for (int i = 0; i < p->metaDataCount; i++)
		if (strcasecmp(p->metaData[i].name, PUT_ID_NAME) == 0)
			(void)snprintf(r->put_id, sizeof(r->put_id), "%s", p->metaData[i].value);
	return go_on(r);
}

static void
on_complete(S3Status status, const S3ErrorDetails *details, void *arg)
{
	struct store_libs3_request *r = arg;

	r->status = (int)status;
	if (status != S3StatusOK && details != NULL && details->message != NULL)
		(void)error_quote(r->text, sizeof(r->text), details->message, strlen(details->message));
}

static S3Status
on_received(int size, const char *bytes, void *arg)
{
	struct store_libs3_request *r = arg;
	size_t len = (size_t)size;

	if (len > r->room - r->received) {
		r->too_long = true;
		return S3StatusAbortedByCallback;
	}
	memcpy((uint8_t *)r->into + r->received, bytes, len);
	r->received += len;
	return go_on(r);
}

static int
on_send(int size, char *bytes, void *arg)
{
	struct store_libs3_request *r = arg;
	size_t len = MIN((size_t)size, r->left);

	if (go_on(r) != S3StatusOK)
		return -1;
	if (len > 0)
		memcpy(bytes, r->from, len);
	r->from += len;
	r->left -= len;
	return (int)len;
}

/* libs3 reads "2026-11-22T01:02:03.000Z" as local time: what localtime() makes of that are the numbers in UTC again. */
static int64_t
undo_local_time(int64_t s)
{
	time_t local = (time_t)s;
	struct tm numbers;

	return localtime_r(&local, &numbers) == NULL ? s : (int64_t)timegm(&numbers);
}

static bool
add_object(struct store_libs3_page *page, const S3ListBucketContent *c)
{
	struct store_libs3_object o = {page->texts.len, c->size, undo_local_time(c->lastModified)};
	struct error ignored;

	buf_put(&page->texts, c->key, strlen(c->key) + 1);
	if (page->texts.failed ||
	    array_reserve(&page->objects, &page->capacity, page->count + 1, sizeof(o), &ignored) < 0)
		return false;
	page->objects[page->count++] = o;
	return true;
}

/* A part of a page. */
static S3Status
on_listed(int truncated, const char *next, int count, const S3ListBucketContent *contents, int nprefixes,
    const char **prefixes, void *arg)
{
	struct store_libs3_request *r = arg;

	(void)next;
	(void)nprefixes;
	(void)prefixes;
	r->page->truncated = truncated != 0;
	for (int i = 0; i < count; i++) {
		if (contents[i].lastModified < 0)
			r->failed = S3StatusXmlParseFailure;
		else if (!add_object(r->page, &contents[i]))
			r->failed = S3StatusOutOfMemory;
	}
	return r->failed != S3StatusOK ? (S3Status)r->failed : go_on(r);
}

void
store_libs3_request_page_wipe(struct store_libs3_page *page)
{
	free(page->objects);
	buf_free(&page->texts);
}

static const S3ResponseHandler response_handler = {on_properties, on_complete};

/* ---- requests ---- */

static void
reset(struct store_libs3_request *r)
{
	r->status = S3StatusInternalError;
	r->text[0] = '\0';
	r->length = 0;
	r->put_id[0] = '\0';
	r->etag[0] = '\0';
	r->received = 0;
	r->too_long = false;
	r->failed = S3StatusOK;
}

void
store_libs3_request_head(struct store_libs3_request *r, const char *key)
{
	const S3BucketContext bucket = bucket_of(r);

	reset(r);
	S3_head_object(&bucket, key, NULL, TIMEOUT(0) & response_handler, r);
}

void
store_libs3_request_get(struct store_libs3_request *r, const char *key, uint64_t offset, size_t len)
{
	const S3BucketContext bucket = bucket_of(r);
	const S3GetObjectHandler handler = {response_handler, on_received};

	reset(r);
	S3_get_object(&bucket, key, NULL, offset, len, NULL, TIMEOUT(r->room) & handler, r);
	if (r->too_long)
		r->status = S3StatusOK;
	/* To libs3, a body that was cut is as good as a whole one. */
	else if (r->status == S3StatusOK && r->length != 0 && r->length != r->received)
		r->status = store_libs3_status_broken();
}

void
store_libs3_request_put(struct store_libs3_request *r, const char *key, const void *bytes, size_t len,
    const char *md5_base64, const char *put_id)
{
	const S3BucketContext bucket = bucket_of(r);
	const S3NameValue meta = {PUT_ID_NAME, put_id};
	const S3PutObjectHandler handler = {response_handler, on_send};
	S3PutProperties properties;

	reset(r);
	memset(&properties, 0, sizeof(properties));
	properties.md5 = md5_base64;
	properties.expires = -1;
	properties.metaDataCount = 1;
	properties.metaData = &meta;
	r->from = bytes;
	r->left = len;
	S3_put_object(&bucket, key, len, &properties, NULL, TIMEOUT(len) & handler, r);
}

void
store_libs3_request_delete(struct store_libs3_request *r, const char *key)
{
	const S3BucketContext bucket = bucket_of(r);

	reset(r);
	S3_delete_object(&bucket, key, NULL, TIMEOUT(0) & response_handler, r);
}

void
store_libs3_request_list(struct store_libs3_request *r, const char *prefix, const char *marker, unsigned most)
{
	const S3BucketContext bucket = bucket_of(r);
	const S3ListBucketHandler handler = {response_handler, on_listed};

	reset(r);
	r->page->count = 0;
	r->page->truncated = false;
	buf_reset(&r->page->texts);
	S3_list_bucket(&bucket, prefix, marker, NULL, (int)most, NULL, TIMEOUT(0) & handler, r);
	/* What it is told at the end of a page, libs3 passes over. */
	if (r->status == S3StatusOK)
		r->status = r->failed;
}
