/*
 * One try of a call: signed, sent, and its answer understood.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "buf.h"
#include "cleanup.h"
#include "s3_internal.h"
#include "s3_xml.h"

enum {
	HEADERS_MAX = 24,
	URL_MAX = 8192,
	SECRET_HEADER_MAX = 16384, /* session tokens are long */
	SKEW_MAX_S = 15 * 60, /* servers refuse what was signed earlier or later than that */
	QUOTED_SIZE = 300,
};

/* The headers of replies that anybody looks at. */
static const char *const wanted[] = {"content-length", "content-range", "date", "etag", "last-modified", "location",
    "retry-after", "x-amz-bucket-region", "x-amz-meta-put-id", "x-amz-object-lock-mode",
    "x-amz-server-side-encryption-customer-algorithm", "x-amz-version-id"};

const char *
s3_answer_header(const struct s3_answer *a, const char *name)
{
	return http_header_value(&a->reply, name);
}

/* ---- one try ---- */

/* What a try is made of. */
struct
try {
	struct s3 *s;
	const struct s3_request *q;
	const char *hash; /* of the body */
	struct s3_place place; /* as it was at the beginning */
	struct credentials credentials;
	struct buf url, host, path, authorization;
	struct http_header headers[HEADERS_MAX];
	size_t nheaders;
	struct sigv4_signature signature;
	int64_t skew_s; /* as it was when this was signed */
};

static void
try_wipe(struct try *t)
{
	credentials_wipe(&t->credentials);
	buf_free(&t->url);
	buf_free(&t->host);
	buf_free(&t->path);
	buf_wipe(&t->authorization);
}

static void
add_header(struct try *t, const char *name, const char *value)
{
	t->headers[t->nheaders++] = (struct http_header){name, value};
}

static const char *
text(struct buf *b)
{
	buf_u8(b, 0);
	return (const char *)b->data;
}

static int
compose_url(struct try *t, struct error *err)
{
	const struct s3_request *q = t->q;
	int r;

	s3_place_host(&t->place, &t->host);
	s3_place_path(&t->place, q->key, &t->path);
	s3_place_origin(&t->place, &t->url);
	buf_put(&t->url, t->path.data, t->path.len);
	if (q->nquery > 0) {
		buf_u8(&t->url, '?');
		r = sigv4_query(q->query, q->nquery, &t->url, err);
		if (r < 0)
			return r;
	}
	(void)text(&t->host);
	(void)text(&t->path);
	(void)text(&t->url);
	r = buf_check(&t->url, "the URL", err);
	if (r == 0)
		r = buf_check(&t->path, "the URL", err);
	return r < 0 ? r : buf_check(&t->host, "the host name", err);
}

static int
sign(struct try *t, struct error *err)
{
	const struct s3_request *q = t->q;
	const int64_t skew_s = (int64_t)atomic_load(&t->s->skew_s);
	struct sigv4_request request = {
	    .method = q->method,
	    .host = (const char *)t->host.data,
	    .path = (const char *)t->path.data,
	    .query = q->query,
	    .nquery = q->nquery,
	    .headers = t->headers,
	    .nheaders = t->nheaders,
	    .payload_hash = t->hash,
	    .region = t->place.region,
	    .service = "s3",
	    .access_key = t->credentials.access_key,
	    .secret_key = t->credentials.secret_key,
	    .token = t->credentials.token,
	    .now_s = time(NULL) + skew_s,
	};
	int r = sigv4_sign(&request, &t->signature, &t->authorization, err);

	t->skew_s = skew_s;
	if (r < 0)
		return r;
	add_header(t, "authorization", text(&t->authorization));
	add_header(t, "x-amz-date", t->signature.date);
	add_header(t, "x-amz-content-sha256", t->hash);
	if (t->credentials.token != NULL && t->credentials.token[0] != '\0')
		add_header(t, "x-amz-security-token", t->credentials.token);
	return buf_check(&t->authorization, "the signature", err);
}

static int
compose(struct try *t, struct error *err)
{
	int r;

	(void)pthread_mutex_lock(&t->s->lock);
	t->place = t->s->place;
	(void)pthread_mutex_unlock(&t->s->lock);
	r = credential_source_get(t->s->credentials, &t->credentials, err);
	if (r == 0)
		r = compose_url(t, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < t->q->nheaders; i++)
		add_header(t, t->q->headers[i].name, t->q->headers[i].value);
	if (t->s->requester_pays)
		add_header(t, "x-amz-request-payer", "requester");
	return sign(t, err);
}

/* Sizes decide how long an exchange may take: 16 KiB/s is the slowest that is worth waiting for. */
static unsigned
total_ms(const struct s3_request *q)
{
	return 120000u + (unsigned)MIN((q->body_len + q->into_len) / 16, (size_t)3600000);
}

static int
exchange(struct try *t, struct s3_answer *a, struct buf *body, struct error *err)
{
	const struct s3_request *q = t->q;
	const struct http_request request = {
	    .method = q->method,
	    .url = (const char *)t->url.data,
	    .headers = t->headers,
	    .nheaders = t->nheaders,
	    .body = q->body,
	    .body_len = q->body_len,
	    .total_ms = total_ms(q),
	};

	a->reply.into = q->into;
	a->reply.into_len = q->into_len;
	a->reply.body = body;
	a->reply.wanted = wanted;
	a->reply.nwanted = COUNT_OF(wanted);
	atomic_fetch_add(&t->s->requests, 1);
	return http_exchange(t->s->http, &request, &a->reply, err);
}

/* ---- understanding the answer ---- */

static int
describe(const struct try *t, const struct s3_answer *a, const struct s3_xml_error *xml, enum error_code code,
    struct error *err)
{
	const char *key = t->q->key != NULL ? t->q->key : "the bucket";
	const char *location = s3_answer_header(a, "location");
	char quoted[QUOTED_SIZE];

	if (a->reply.status >= 300 && a->reply.status < 400)
		return error_set(err, code, "s3://%s: the server redirects to %s: set the endpoint and the region",
		    t->place.bucket,
		    error_quote(quoted, sizeof(quoted), location[0] != '\0' ? location : xml->endpoint,
			strlen(location[0] != '\0' ? location : xml->endpoint)));
	if (code == ERR_NO_REPOSITORY)
		return error_set(err, code, "bucket %s does not exist", t->place.bucket);
	if (xml->code[0] == '\0')
		return error_set(err, code, "s3://%s: %s %s: the server answers with HTTP status %d", t->place.bucket,
		    t->q->method, key, a->reply.status);
	return error_set(err, code, "s3://%s: %s %s: the server says %s (HTTP status %d)%s%s", t->place.bucket,
	    t->q->method, key, xml->code, a->reply.status, xml->message[0] != '\0' ? ": " : "", xml->message);
}

/* Whatever the reason that is given: a server that names another region wants that one. */
static bool
other_region(const struct try *t, const struct s3_answer *a, const char *region)
{
	return a->reply.status >= 300 && a->reply.status <= 403 && region[0] != '\0' &&
	       strcmp(region, t->place.region) != 0;
}

static void
move(struct try *t, const char *region, struct s3_verdict *v)
{
	bool moved;

	(void)pthread_mutex_lock(&t->s->lock);
	moved = s3_place_move(&t->s->place, region) || strcmp(t->s->place.region, t->place.region) != 0;
	(void)pthread_mutex_unlock(&t->s->lock);
	if (!moved)
		v->mend = S3_MEND_NOTHING;
}

static void
set_clock(struct try *t, const struct s3_answer *a, struct s3_verdict *v)
{
	int64_t theirs = http_date_parse(s3_answer_header(a, "date"));

	if (theirs < 0)
		v->mend = S3_MEND_NOTHING;
	else
		atomic_store(&t->s->skew_s, theirs - time(NULL));
}

/* A refusal without a body, as of a HEAD, does not say that the clock is why; its date does. */
static bool
other_clock(const struct try *t, const struct s3_answer *a)
{
	int64_t theirs = http_date_parse(s3_answer_header(a, "date"));

	return a->reply.status == 403 && a->code[0] == '\0' && theirs >= 0 &&
	       llabs(theirs - time(NULL) - t->skew_s) > SKEW_MAX_S;
}

/* Set right what the answer complains of; what cannot be is taken out of the verdict. */
static void
mend(struct try *t, const struct s3_answer *a, const char *region, struct s3_verdict *v)
{
	switch (v->mend) {
	case S3_MEND_REGION:
		move(t, region, v);
		break;
	case S3_MEND_CLOCK:
		set_clock(t, a, v);
		break;
	case S3_MEND_CREDENTIALS:
		credential_source_expired(t->s->credentials, t->credentials.serial);
		break;
	case S3_MEND_AGAIN:
	case S3_MEND_NOTHING:
		break;
	}
}

/*
 * Servers refuse to read with another customer's key than the one with which was written, AWS as it refuses everything
 * (403), others as a request that makes no sense (400).
 */
static void
suspect_customer_key(const struct try *t, const struct s3_answer *a, struct s3_verdict *v, struct error *err)
{
	bool reads = strcmp(t->q->method, "GET") == 0 || strcmp(t->q->method, "HEAD") == 0;
	bool refused =
	    (a->reply.status == 400 && v->code == ERR_UNSUPPORTED) || (a->reply.status == 403 && v->code == ERR_DENIED);

	if (!reads || !refused || t->q->key == NULL || t->s->get.count == 0 || v->mend != S3_MEND_NOTHING)
		return;
	err->code = v->code = ERR_DENIED;
	(void)error_prefix(err, "--customer-key-file is another key than the object's, or access is denied");
}

static struct s3_verdict
judge(struct try *t, struct s3_answer *a, const struct buf *body, struct error *err)
{
	struct s3_xml_error xml = {.code = ""};
	const char *region = s3_answer_header(a, "x-amz-bucket-region");
	struct s3_verdict v;

	if (body->len > 0)
		(void)s3_xml_error(body->data, body->len, &xml);
	(void)snprintf(a->code, sizeof(a->code), "%s", xml.code);
	v = s3_verdict(a->reply.status, xml.code, t->q->key != NULL);
	if (v.action == S3_DONE)
		return v;
	if (region[0] == '\0')
		region = xml.region;
	if (other_region(t, a, region))
		v.mend = S3_MEND_REGION;
	else if (other_clock(t, a))
		v.mend = S3_MEND_CLOCK;
	mend(t, a, region, &v);
	(void)describe(t, a, &xml, v.code, err);
	suspect_customer_key(t, a, &v, err);
	return v;
}

struct s3_verdict
s3_try(struct s3 *s, const struct s3_request *q, const char *hash, struct s3_answer *a, struct error *err)
{
	CLEANUP(try_wipe)
	struct try t = {.s = s,
	    .q = q,
	    .hash = hash,
	    .url = BUF_INIT(URL_MAX),
	    .host = BUF_INIT(URL_MAX),
	    .path = BUF_INIT(URL_MAX),
	    .authorization = BUF_INIT(SECRET_HEADER_MAX)};
	CLEANUP(buf_free) struct buf own = BUF_INIT(S3_ANSWER_MAX);
	struct buf *body = q->out != NULL ? q->out : &own;
	int r = compose(&t, err);

	if (r < 0)
		return (struct s3_verdict){S3_FAIL, r, S3_MEND_NOTHING};
	buf_reset(body);
	a->tries++;
	r = exchange(&t, a, body, err);
	a->timed_out = r == 0 ? a->reply.status == 504 : a->reply.sent && a->reply.timed_out;
	if (a->reply.status != 0)
		atomic_store(&s->answered, true);
	if (r == 0)
		return judge(&t, a, body, err);
	(void)error_prefix(err, "s3://%s", t.place.bucket);
	return (struct s3_verdict){r == ERR_UNAVAILABLE ? S3_RETRY : S3_FAIL, r, S3_MEND_NOTHING};
}
