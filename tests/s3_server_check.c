/*
 * The S3 server in memory: whether a request is signed as it must be.
 */
#include <ctype.h>
#include <endian.h>
#include <time.h>

#include "base64.h"
#include "buf.h"
#include "check.h"
#include "cleanup.h"
#include "crc32c.h"
#include "crypto.h"
#include "s3_server_internal.h"
#include "sigv4.h"
#include "timetext.h"

enum { VALUE_SIZE = 8192, SKEW_MAX_S = 900 };

/* The parts of an Authorization header. */
struct claim {
	char access_key[128], date[16], region[64], service[16], names[2048], signature[80];
};

static bool
parse_claim(const char *text, struct claim *c)
{
	return sscanf(text,
		   "AWS4-HMAC-SHA256 Credential=%127[^/]/%15[^/]/%63[^/]/%15[^/]/aws4_request, "
		   "SignedHeaders=%2047[^,], Signature=%79s",
		   c->access_key, c->date, c->region, c->service, c->names, c->signature) == 6;
}

static bool
is_named(const char *names, const char *name, size_t len)
{
	for (const char *p = names; p != NULL; p = strchr(p, ';')) {
		p += *p == ';';
		if (strncasecmp(p, name, len) == 0 && (p[len] == ';' || p[len] == '\0'))
			return true;
	}
	return false;
}

/* All headers that S3 gives a meaning to are signed, and none is there twice. */
static bool
all_signed(const struct http_server_request *http, const char *names)
{
	for (const char *line = strstr(http->head, "\r\n") + 2; *line != '\r'; line = strstr(line, "\r\n") + 2) {
		size_t len = strcspn(line, ":");

		if ((strncasecmp(line, "x-amz-", 6) == 0 || strncasecmp(line, "content-md5", 11) == 0 ||
			strncasecmp(line, "if-", 3) == 0 || strncasecmp(line, "range", 5) == 0) &&
		    !is_named(names, line, len)) {
			fprintf(stderr, "not signed: %.*s\n", (int)len, line);
			return false;
		}
	}
	return is_named(names, "host", 4);
}

/* What has to be signed beside what the signer adds by itself. */
static size_t
collect_headers(const struct http_server_request *http, const char *names, struct http_header *out, struct buf *texts)
{
	static const char *const own[] = {"host", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token"};
	size_t n = 0;

	for (const char *p = names; *p != '\0'; p += *p == ';') {
		size_t len = strcspn(p, ";");
		char value[VALUE_SIZE];
		bool is_own = false;

		for (size_t i = 0; i < COUNT_OF(own); i++)
			is_own |= strlen(own[i]) == len && strncmp(own[i], p, len) == 0;
		if (!is_own) {
			CHECK(n < SIGV4_HEADERS_MAX && texts->cap - texts->len > 2 * VALUE_SIZE);
			out[n].name = (const char *)texts->data + texts->len;
			buf_printf(texts, "%.*s%c", (int)len, p, 0);
			out[n].value = (const char *)texts->data + texts->len;
			buf_printf(texts, "%s%c", http_server_header(http, out[n].name, value, sizeof(value)), 0);
			n++;
		}
		p += len;
	}
	return n;
}

static size_t
collect_query(const struct s3_server_request *q, struct sigv4_pair *out, struct buf *texts)
{
	size_t n = 0;

	for (const char *p = q->query; *p != '\0'; p += *p == '&') {
		size_t len = strcspn(p, "&"), name = strcspn(p, "&=");
		char text[4096];

		CHECK(n < SIGV4_PAIRS_MAX && texts->cap - texts->len > 2 * sizeof(text));
		s3_server_decode(p, name, text, sizeof(text));
		out[n].name = (const char *)texts->data + texts->len;
		buf_printf(texts, "%s%c", text, 0);
		s3_server_decode(p + name + (p[name] == '='), len - name - (p[name] == '='), text, sizeof(text));
		out[n].value = (const char *)texts->data + texts->len;
		buf_printf(texts, "%s%c", text, 0);
		n++;
		p += len;
	}
	return n;
}

/* 20261124T131201Z */
static int64_t
parse_date(const char *d)
{
	char text[32];
	struct error err;
	uint32_t ns;
	int64_t s;

	(void)snprintf(text, sizeof(text), "%.4s-%.2s-%.5s:%.2s:%.2sZ", d, d + 4, d + 6, d + 11, d + 13);
	return strlen(d) == 16 && time_parse(text, &s, &ns, &err) == 0 ? s : -1;
}

/* Whether a header, when it is there, is these bytes in base64. */
static bool
sum_is(const struct http_server_request *http, const char *header, const void *sum, size_t len)
{
	CLEANUP(buf_free) struct buf text = BUF_INIT(100);
	char claimed[64];

	if (*http_server_header(http, header, claimed, sizeof(claimed)) == '\0')
		return true;
	base64_encode(&text, sum, len);
	return strlen(claimed) == text.len && memcmp(claimed, text.data, text.len) == 0;
}

/* S3's word for what is wrong with the body; NULL: nothing. */
static const char *
find_damage(const struct s3_server_rules *rules, const struct http_server_request *http, const char *hash)
{
	uint32_t crc = htobe32(crc32c(http->body, http->body_len));
	char real[SIGV4_HASH_LEN + 1];
	uint8_t md5[16];
	struct error err;

	if (http->body_len != http->content_length)
		return "IncompleteBody";
	CHECK_OK(sigv4_hash(http->body, http->body_len, real, &err), &err);
	CHECK_OK(crypto_md5(http->body, http->body_len, md5, &err), &err);
	if ((rules->unchecked & S3_SERVER_SHA256) == 0 && strcmp(hash, real) != 0 && strcmp(hash, SIGV4_UNSIGNED) != 0)
		return "XAmzContentSHA256Mismatch";
	if ((rules->unchecked & S3_SERVER_MD5) == 0 && !sum_is(http, "content-md5", md5, sizeof(md5)))
		return "BadDigest";
	if ((rules->unchecked & S3_SERVER_CRC32C) == 0 && !sum_is(http, "x-amz-checksum-crc32c", &crc, sizeof(crc)))
		return "BadDigest";
	return NULL;
}

static bool
signature_is_good(const struct s3_server_request *q, const struct claim *c, int64_t date_s, const char *hash)
{
	CLEANUP(buf_free) struct buf texts = BUF_INIT(1 << 20), authorization = BUF_INIT(1 << 16);
	char host[300], path[4096], token[VALUE_SIZE];
	struct http_header headers[SIGV4_HEADERS_MAX];
	struct sigv4_pair query[SIGV4_PAIRS_MAX];
	struct sigv4_signature again;
	struct error err;
	struct sigv4_request r = {
	    .method = q->method,
	    .host = http_server_header(q->http, "host", host, sizeof(host)),
	    .path = path,
	    .query = query,
	    .headers = headers,
	    .payload_hash = hash,
	    .region = c->region,
	    .service = c->service,
	    .access_key = c->access_key,
	    .secret_key = S3_SERVER_SECRET,
	    .token = http_server_header(q->http, "x-amz-security-token", token, sizeof(token)),
	    .now_s = date_s,
	};

	/* The texts must not move while pointers are taken. */
	CHECK(buf_extend(&texts, 1 << 19) != NULL);
	texts.len = 0;
	(void)snprintf(path, sizeof(path), "%.*s", (int)strcspn(q->http->target, "?"), q->http->target);
	r.nquery = collect_query(q, query, &texts);
	r.nheaders = collect_headers(q->http, c->names, headers, &texts);
	CHECK_OK(sigv4_sign(&r, &again, &authorization, &err), &err);
	return strcmp(again.hex, c->signature) == 0 && strncmp(c->date, again.date, 8) == 0 &&
	       strcmp(c->service, "s3") == 0 && strcmp(c->access_key, S3_SERVER_ACCESS_KEY) == 0;
}

static bool
refuse_forged(struct s3_server *s, struct http_server_call *call, const struct s3_server_request *q, const char *why)
{
	(void)fprintf(stderr, "%s: %s %s\n", why, q->method, q->http->target);
	(void)pthread_mutex_lock(&s->lock);
	s->forged++;
	(void)pthread_mutex_unlock(&s->lock);
	(void)s3_server_error(call, 403, "SignatureDoesNotMatch", "", NULL);
	return false;
}

bool
s3_server_check(struct s3_server *s, const struct s3_server_rules *rules, struct http_server_call *call,
    const struct s3_server_request *q)
{
	const char *region = rules->region != NULL ? rules->region : "us-east-1";
	char text[VALUE_SIZE], hash[128], date[32], inside[128], line[64];
	int64_t now_s = (int64_t)time(NULL) + rules->skew_s, date_s;
	const char *damage;
	struct claim c;

	(void)http_server_header(q->http, "x-amz-content-sha256", hash, sizeof(hash));
	date_s = parse_date(http_server_header(q->http, "x-amz-date", date, sizeof(date)));
	if (!parse_claim(http_server_header(q->http, "authorization", text, sizeof(text)), &c))
		return refuse_forged(s, call, q, "no authorization");
	if (!all_signed(q->http, c.names) || !signature_is_good(q, &c, date_s, hash))
		return refuse_forged(s, call, q, "wrong signature");
	damage = find_damage(rules, q->http, hash);
	if (damage != NULL && !rules->damage_expected)
		return refuse_forged(s, call, q, "wrong hash");
	if (damage != NULL)
		return !s3_server_error(call, 400, damage, "", NULL);
	s3_server_date(rules, line, sizeof(line));
	if (date_s < now_s - SKEW_MAX_S || date_s > now_s + SKEW_MAX_S)
		return !s3_server_error(call, 403, "RequestTimeTooSkewed", "", line);
	(void)snprintf(inside, sizeof(inside), "<Region>%s</Region>", region);
	if (strcmp(region, "*") != 0 && strcmp(c.region, region) != 0)
		return !s3_server_error(call, 400, "AuthorizationHeaderMalformed", inside, NULL);
	if (rules->token != NULL &&
	    strcmp(rules->token, http_server_header(q->http, "x-amz-security-token", text, sizeof(text))) != 0)
		return !s3_server_error(call, 400, "ExpiredToken", "", NULL);
	return true;
}
