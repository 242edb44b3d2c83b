/*
 * AWS Signature Version 4.
 *
 * The signature is one HMAC over a short text that names the time, the scope and the hash of the canonical request: a
 * text form of the request on which both sides agree.  Its rules are strict where HTTP is lax (encoding, order, white
 * space), and a request that is sent in another form than the signed one is refused.  The signing key costs four HMACs
 * of one block each, which is little beside the request that it signs: it is derived every time, and nobody keeps it.
 */
#include "sigv4.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "cleanup.h"
#include "crypto.h"
#include "error.h"
#include "timetext.h"
#include "uri.h"
#include "wire.h"

#define ALGORITHM "AWS4-HMAC-SHA256"

enum {
	TEXT_MAX = 64 * 1024,
	OWN_HEADERS = 4 /* host, x-amz-content-sha256, x-amz-date, x-amz-security-token */
};

/* The headers to be signed, sorted by name. */
struct signed_headers {
	struct http_header list[SIGV4_HEADERS_MAX + OWN_HEADERS];
	size_t count;
};

static void
put_text(struct buf *b, const char *text)
{
	buf_put(b, text, strlen(text));
}

int
sigv4_hash(const void *bytes, size_t len, char out[SIGV4_HASH_LEN + 1], struct error *err)
{
	uint8_t hash[32];
	int r = crypto_sha256(bytes, len, hash, err);

	if (r < 0)
		return r;
	hex_encode(out, hash, sizeof(hash));
	return 0;
}

static int
compare_pairs(const void *a, const void *b)
{
	const struct sigv4_pair *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order != 0 ? order : strcmp(x->value, y->value);
}

/* Encoded names and values behind each other, each with a NUL. */
static int
encode_pairs(const struct sigv4_pair *query, size_t nquery, struct buf *out, struct error *err)
{
	for (size_t i = 0; i < nquery; i++) {
		uri_encode(out, query[i].name, false);
		buf_u8(out, 0);
		uri_encode(out, query[i].value, false);
		buf_u8(out, 0);
	}
	return buf_check(out, "the query of a request", err);
}

/* Sorted by name, then value, and not as lines: "a=" stands before "a-b=", although '-' is smaller than '='. */
int
sigv4_query(const struct sigv4_pair *query, size_t nquery, struct buf *out, struct error *err)
{
	CLEANUP(buf_free) struct buf text = BUF_INIT(TEXT_MAX);
	struct sigv4_pair encoded[SIGV4_PAIRS_MAX];
	const char *at;
	int r;

	if (nquery > COUNT_OF(encoded))
		return error_set(err, ERR_USAGE, "a request has more than %zu parameters", COUNT_OF(encoded));
	r = encode_pairs(query, nquery, &text, err);
	if (r < 0)
		return r;
	at = (const char *)text.data;
	for (size_t i = 0; i < nquery; i++) {
		encoded[i].name = at;
		at += strlen(at) + 1;
		encoded[i].value = at;
		at += strlen(at) + 1;
	}
	qsort(encoded, nquery, sizeof(*encoded), compare_pairs);
	for (size_t i = 0; i < nquery; i++)
		buf_printf(out, "%s%s=%s", i == 0 ? "" : "&", encoded[i].name, encoded[i].value);
	return buf_check(out, "the query of a request", err);
}

static void
add_header(struct signed_headers *h, const char *name, const char *value)
{
	h->list[h->count++] = (struct http_header){name, value};
}

static int
compare_headers(const void *a, const void *b)
{
	const struct http_header *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int
collect_headers(const struct sigv4_request *r, const char *date, struct signed_headers *out, struct error *err)
{
	out->count = 0;
	if (r->nheaders > SIGV4_HEADERS_MAX)
		return error_set(err, ERR_USAGE, "a request has more than %d headers to sign", SIGV4_HEADERS_MAX);
	for (size_t i = 0; i < r->nheaders; i++)
		add_header(out, r->headers[i].name, r->headers[i].value);
	add_header(out, "host", r->host);
	add_header(out, "x-amz-date", date);
	if (strcmp(r->service, "s3") == 0)
		add_header(out, "x-amz-content-sha256", r->payload_hash);
	if (r->token != NULL && *r->token != '\0')
		add_header(out, "x-amz-security-token", r->token);
	qsort(out->list, out->count, sizeof(*out->list), compare_headers);
	return 0;
}

/* Without white space at both ends, and one blank for any amount of it inside. */
static void
put_trimmed(struct buf *b, const char *value)
{
	static const char white[] = " \t";

	value += strspn(value, white);
	while (*value != '\0') {
		size_t word = strcspn(value, white);

		buf_put(b, value, word);
		value += word;
		value += strspn(value, white);
		if (*value != '\0')
			buf_u8(b, ' ');
	}
}

static void
put_names(struct buf *b, const struct signed_headers *h)
{
	for (size_t i = 0; i < h->count; i++)
		buf_printf(b, "%s%s", i == 0 ? "" : ";", h->list[i].name);
}

static int
hash_canonical(
    const struct sigv4_request *r, const struct signed_headers *h, char out[SIGV4_HASH_LEN + 1], struct error *err)
{
	/* The token is in it. */
	CLEANUP(buf_wipe) struct buf text = BUF_INIT(TEXT_MAX);
	int code;

	buf_printf(&text, "%s\n%s\n", r->method, r->path);
	code = sigv4_query(r->query, r->nquery, &text, err);
	if (code < 0)
		return code;
	buf_u8(&text, '\n');
	for (size_t i = 0; i < h->count; i++) {
		buf_printf(&text, "%s:", h->list[i].name);
		put_trimmed(&text, h->list[i].value);
		buf_u8(&text, '\n');
	}
	buf_u8(&text, '\n');
	put_names(&text, h);
	buf_printf(&text, "\n%s", r->payload_hash);
	code = buf_check(&text, "a request's canonical form", err);
	return code < 0 ? code : sigv4_hash(text.data, text.len, out, err);
}

/* The key for one day, region and service, from the secret. */
static int
derive_key(const struct sigv4_request *r, const char *date, uint8_t key[KEY_LEN], struct error *err)
{
	CLEANUP(buf_wipe) struct buf secret = BUF_INIT(TEXT_MAX);
	const char *const steps[] = {r->region, r->service, "aws4_request"};
	int code;

	put_text(&secret, "AWS4");
	put_text(&secret, r->secret_key);
	code = buf_check(&secret, "the secret key", err);
	if (code == 0)
		code = crypto_hmac_sha256(secret.data, secret.len, date, 8, key, err);
	for (size_t i = 0; code == 0 && i < COUNT_OF(steps); i++)
		code = crypto_hmac_sha256(key, KEY_LEN, steps[i], strlen(steps[i]), key, err);
	return code;
}

static int
sign_text(const struct sigv4_request *r, const char *canonical_hash, struct sigv4_signature *out, struct error *err)
{
	CLEANUP(buf_free) struct buf text = BUF_INIT(1024);
	uint8_t key[KEY_LEN], mac[32];
	int code;

	buf_printf(&text, ALGORITHM "\n%s\n%s\n%s", out->date, out->scope, canonical_hash);
	code = buf_check(&text, "the text to sign", err);
	if (code < 0)
		return code;
	code = derive_key(r, out->date, key, err);
	if (code == 0)
		code = crypto_hmac_sha256(key, sizeof(key), text.data, text.len, mac, err);
	crypto_wipe(key, sizeof(key));
	if (code == 0)
		hex_encode(out->hex, mac, sizeof(mac));
	return code;
}

/* 20130524T000000Z from 2013-05-24T00:00:00.000000000Z. */
static void
format_date(int64_t now_s, char out[SIGV4_DATE_LEN + 1])
{
	char text[TIME_TEXT_LEN];

	time_format(now_s, 0, text);
	(void)snprintf(
	    out, SIGV4_DATE_LEN + 1, "%.4s%.2s%.5s%.2s%.2sZ", text, text + 5, text + 8, text + 14, text + 17);
}

int
sigv4_sign(const struct sigv4_request *r, struct sigv4_signature *out, struct buf *authorization, struct error *err)
{
	struct signed_headers headers;
	char hash[SIGV4_HASH_LEN + 1];
	int code, n;

	format_date(r->now_s, out->date);
	n = snprintf(out->scope, sizeof(out->scope), "%.8s/%s/%s/aws4_request", out->date, r->region, r->service);
	if (n < 0 || (size_t)n >= sizeof(out->scope))
		return error_set(err, ERR_USAGE, "the region is too long");
	code = collect_headers(r, out->date, &headers, err);
	if (code == 0)
		code = hash_canonical(r, &headers, hash, err);
	if (code == 0)
		code = sign_text(r, hash, out, err);
	if (code < 0)
		return code;
	buf_printf(authorization, ALGORITHM " Credential=%s/%s, SignedHeaders=", r->access_key, out->scope);
	put_names(authorization, &headers);
	buf_printf(authorization, ", Signature=%s", out->hex);
	return buf_check(authorization, "an authorization", err);
}
