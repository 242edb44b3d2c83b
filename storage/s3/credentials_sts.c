/*
 * Roles assumed with STS, AWS's Security Token Service, or another server that speaks its language.
 *
 * Requests are forms in the body of a POST: what is in a URL ends up in logs, and a web identity token is a secret.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "asker.h"
#include "buf.h"
#include "cleanup.h"
#include "credentials_internal.h"
#include "error.h"
#include "http.h"
#include "sigv4.h"
#include "smallfile.h"
#include "uri.h"

#define FORM_TYPE "application/x-www-form-urlencoded; charset=utf-8"

enum {
	TRIES = 4,
	TOTAL_MS = 20 * 1000,
	FORM_MAX = 256 * 1024,
	REPLY_MAX = 64 * 1024,
	TOKEN_FILE_MAX = 64 * 1024,
	PARAMETERS_MAX = 8,
	/* A signature may be five minutes old. */
	SKEW_MIN_S = 60
};

/* One request. */
struct call {
	const char *action, *region;
	struct sigv4_pair parameters[PARAMETERS_MAX];
	size_t count;
	const struct credentials *by; /* NULL: not signed */
	const char *secret; /* what must not come back in a message; NULL: nothing */
};

static void
put(struct call *c, const char *name, const char *value)
{
	if (value != NULL)
		c->parameters[c->count++] = (struct sigv4_pair){name, value};
}

/* https://sts.REGION.amazonaws.com, unless somebody says otherwise. */
static int
find_endpoint(struct asker *a, const char *region, struct uri *out, struct error *err)
{
	const char *named = a->sts_endpoint;
	char url[256], quoted[64];

	/* docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html */
	if (named == NULL)
		named = asker_env(a, "AWS_ENDPOINT_URL_STS");
	if (named == NULL)
		named = asker_env(a, "AWS_ENDPOINT_URL");
	if (named != NULL)
		return uri_parse(named, out, err) < 0 ? error_prefix(err, "the endpoint of STS") : 0;
	if (strspn(region, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(region) || strlen(region) > 64)
		return error_set(err, ERR_USAGE,
		    "there is no STS in a region \"%s\": set AWS_REGION or AWS_ENDPOINT_URL_STS",
		    error_quote(quoted, sizeof(quoted), region, strlen(region)));
	(void)snprintf(
	    url, sizeof(url), "https://sts.%s.amazonaws.com%s", region, strncmp(region, "cn-", 3) == 0 ? ".cn" : "");
	return uri_parse(url, out, err);
}

static int
sign(struct asker *a, const struct call *c, const struct uri *u, const struct buf *form, struct sigv4_signature *out,
    struct buf *authorization, struct error *err)
{
	static const struct http_header type[] = {{"content-type", FORM_TYPE}};
	CLEANUP(buf_free) struct buf host = BUF_INIT(URI_HOST_MAX + 16);
	char hash[SIGV4_HASH_LEN + 1];
	struct sigv4_request r = {
	    .method = "POST",
	    .path = *u->path == '\0' ? "/" : u->path,
	    .headers = type,
	    .nheaders = COUNT_OF(type),
	    .payload_hash = hash,
	    .region = c->region,
	    .service = "sts",
	    .access_key = c->by->access_key,
	    .secret_key = c->by->secret_key,
	    .token = c->by->token,
	    .now_s = a->now() + a->sts_skew_s,
	};

	uri_host(u, &host);
	buf_u8(&host, 0);
	if (buf_check(&host, "the endpoint of STS", err) < 0 || sigv4_hash(form->data, form->len, hash, err) < 0)
		return err->code;
	r.host = (const char *)host.data;
	if (sigv4_sign(&r, out, authorization, err) < 0)
		return err->code;
	buf_u8(authorization, 0);
	return buf_check(authorization, "an authorization", err);
}

/* Errors that STS calls the client's although they pass. */
static bool
is_transient(const char *code)
{
	static const char *const codes[] = {"Throttling", "ThrottlingException", "RequestLimitExceeded",
	    "IDPCommunicationError", "ServiceUnavailable", "InternalFailure"};

	for (size_t i = 0; i < COUNT_OF(codes); i++) {
		if (strcmp(code, codes[i]) == 0)
			return true;
	}
	return false;
}

/* Whether a piece of a secret is in a text: a server that repeats what it got would put it into a log. */
static bool
tells(const char *text, const char *secret)
{
	enum { PIECE = 16 };
	size_t len = strlen(text);

	for (size_t i = 0; secret != NULL && i + PIECE <= len; i++) {
		if (memmem(secret, strlen(secret), text + i, PIECE) != NULL)
			return true;
	}
	return false;
}

static int
refused(const struct call *c, int status, const struct buf *body, struct error *err)
{
	char code[CREDENTIALS_STS_TEXT], message[CREDENTIALS_STS_TEXT];

	if (!credentials_parse_sts_error(body->data, body->len, code, message))
		return asker_refused(status, c->action, err);
	if (tells(message, c->secret))
		message[0] = '\0';
	if (tells(code, c->secret))
		return asker_refused(status, c->action, err);
	return error_set(err, is_transient(code) || status >= 500 ? ERR_UNAVAILABLE : ERR_DENIED, "%s: %s%s%s",
	    c->action, code, *message == '\0' ? "" : ": ", message);
}

/* By whose clock credentials expire and signatures are made: STS's own. */
static void
note_clock(struct asker *a, const struct http_reply *reply)
{
	int64_t theirs = http_date_parse(http_header_value(reply, "date"));

	if (theirs >= 0 && llabs(theirs - a->now() - a->sts_skew_s) > SKEW_MIN_S)
		a->sts_skew_s = theirs - a->now();
}

/* Send a form that is made; headers: what it needs beside the type. */
static int
exchange(struct asker *a, const struct call *c, const struct uri *u, const struct buf *form,
    const struct http_header *headers, size_t nheaders, struct credentials *out, struct error *err)
{
	CLEANUP(buf_free) struct buf url = BUF_INIT(URI_HOST_MAX + URI_PATH_MAX + 32);
	CLEANUP(buf_wipe) struct buf body = BUF_INIT(REPLY_MAX);
	struct http_request request = {
	    .method = "POST",
	    .headers = headers,
	    .nheaders = nheaders,
	    .body = form->data,
	    .body_len = form->len,
	    .total_ms = TOTAL_MS,
	};
	static const char *const wanted[] = {"date"};
	struct http_reply reply = {.body = &body, .wanted = wanted, .nwanted = COUNT_OF(wanted)};

	uri_origin(u, &url);
	buf_printf(&url, "%s", *u->path == '\0' ? "/" : u->path);
	buf_u8(&url, 0);
	if (buf_check(&url, "the endpoint of STS", err) < 0)
		return err->code;
	request.url = (const char *)url.data;
	if (asker_exchange(a, a->sts, &request, &reply, TRIES, err) < 0)
		return error_prefix(err, "%s", c->action);
	note_clock(a, &reply);
	if (reply.status != 200)
		return refused(c, reply.status, &body, err);
	if (credentials_parse_sts(body.data, body.len, c->action, a->now() + a->sts_skew_s, out, err) < 0)
		return error_prefix(err, "%s", c->action);
	out->expires_s -= a->sts_skew_s;
	return 0;
}

/* Sign a form, if that is needed, and send it. */
static int
attempt(struct asker *a, const struct call *c, const struct uri *u, const struct buf *form, struct credentials *out,
    struct error *err)
{
	CLEANUP(buf_free) struct buf authorization = BUF_INIT(4096);
	struct http_header headers[4] = {{"content-type", FORM_TYPE}};
	struct sigv4_signature signature;
	size_t nheaders = 1;

	if (c->by != NULL) {
		if (sign(a, c, u, form, &signature, &authorization, err) < 0)
			return err->code;
		headers[nheaders++] = (struct http_header){"authorization", (const char *)authorization.data};
		headers[nheaders++] = (struct http_header){"x-amz-date", signature.date};
		if (c->by->token != NULL)
			headers[nheaders++] = (struct http_header){"x-amz-security-token", c->by->token};
	}
	return exchange(a, c, u, form, headers, nheaders, out, err);
}

static int
run(struct asker *a, struct call *c, struct credentials *out, struct error *err)
{
	CLEANUP(buf_wipe) struct buf form = BUF_INIT(FORM_MAX);
	int64_t skew_s = a->sts_skew_s;
	struct uri u;
	int r;

	if (find_endpoint(a, c->region, &u, err) < 0 || sigv4_query(c->parameters, c->count, &form, err) < 0)
		return err->code;
	r = attempt(a, c, &u, &form, out, err);
	/* STS has one word for a signature that is wrong and one of the wrong time: its clock tells which it is. */
	if (r == ERR_DENIED && c->by != NULL && a->sts_skew_s != skew_s)
		r = attempt(a, c, &u, &form, out, err);
	return r;
}

/* The parameters of both actions. */
static void
begin(struct asker *a, struct call *c, const struct credentials_role *role, char session[64])
{
	(void)snprintf(session, 64, "snapferry-%" PRId64, a->now());
	put(c, "Action", c->action);
	put(c, "Version", "2011-06-15");
	put(c, "RoleArn", role->arn);
	put(c, "RoleSessionName", role->session != NULL ? role->session : session);
	put(c, "DurationSeconds", role->duration);
}

int
credentials_assume_role(struct asker *a, const char *region, const struct credentials_role *role,
    const struct credentials *by, struct credentials *out, struct error *err)
{
	struct call c = {.action = "AssumeRole", .region = region, .by = by, .secret = by->secret_key};
	char session[64];

	begin(a, &c, role, session);
	put(&c, "ExternalId", role->external_id);
	return run(a, &c, out, err);
}

int
credentials_assume_role_with_token(struct asker *a, const char *region, const struct credentials_role *role,
    const char *token_file, struct credentials *out, struct error *err)
{
	CLEANUP(buf_wipe) struct buf token = BUF_INIT(TOKEN_FILE_MAX + 2);
	struct call c = {.action = "AssumeRoleWithWebIdentity", .region = region};
	char session[64];

	/* It is read each time: whoever issued it puts a new one there before it expires. */
	if (smallfile_read(token_file, TOKEN_FILE_MAX, &token, err) < 0) {
		err->code = err->code == ERR_NOMEM ? ERR_NOMEM : ERR_DENIED;
		return error_prefix(err, "web identity token");
	}
	if (token.len > 0 && memchr(token.data, '\0', token.len) != NULL)
		return error_set(err, ERR_DENIED, "web identity token %s holds a NUL byte", token_file);
	buf_u8(&token, 0);
	if (buf_check(&token, "the web identity token", err) < 0 ||
	    credentials_trim_token((char *)token.data, token_file, err) < 0)
		return err->code;
	c.secret = (const char *)token.data;
	begin(a, &c, role, session);
	put(&c, "WebIdentityToken", c.secret);
	return run(a, &c, out, err);
}

int
credentials_web_identity(struct asker *a, const char *region, struct credentials *out, struct error *err)
{
	const struct credentials_role role = {
	    .arn = asker_env(a, "AWS_ROLE_ARN"), .session = asker_env(a, "AWS_ROLE_SESSION_NAME")};

	if (role.arn == NULL)
		return error_set(err, ERR_DENIED, "AWS_WEB_IDENTITY_TOKEN_FILE is set, but not AWS_ROLE_ARN");
	return credentials_assume_role_with_token(
	    a, region, &role, asker_env(a, "AWS_WEB_IDENTITY_TOKEN_FILE"), out, err);
}
