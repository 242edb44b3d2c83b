/*
 * Credentials of a virtual machine's role, from EC2's instance metadata service, version 2.
 *
 * A machine without the service must learn that quickly: time-outs are short.  From within a container the reply to the
 * first request, the one for a token, may never come although the connection stands: by default it may travel one hop.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "asker.h"
#include "buf.h"
#include "cleanup.h"
#include "credentials_internal.h"
#include "error.h"
#include "http.h"
#include "uri.h"

#define ROLES_PATH "/latest/meta-data/iam/security-credentials/"

enum { TOKEN_TRIES = 2, TRIES = 4, TOTAL_MS = 2000, REPLY_MAX = 64 * 1024, TOKEN_MAX = 4096, URL_MAX = 1536 };

static bool
is_disabled(const struct asker *a)
{
	const char *value = asker_env(a, "AWS_EC2_METADATA_DISABLED");

	return value != NULL && strcasecmp(value, "true") == 0;
}

/* Scheme, host and port, and a path where there is a substitute for the service. */
static int
find_base(const struct asker *a, struct buf *out, struct error *err)
{
	const char *named = asker_env(a, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
	const char *mode = asker_env(a, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
	struct uri u;

	if (mode != NULL && strcasecmp(mode, "ipv4") != 0 && strcasecmp(mode, "ipv6") != 0)
		return error_set(err, ERR_USAGE, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE is neither IPv4 nor IPv6");
	if (named == NULL)
		named =
		    mode != NULL && strcasecmp(mode, "ipv6") == 0 ? "http://[fd00:ec2::254]" : "http://169.254.169.254";
	if (uri_parse(named, &u, err) < 0)
		return error_prefix(err, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
	uri_origin(&u, out);
	buf_printf(out, "%s", u.path);
	buf_u8(out, 0);
	return buf_check(out, "AWS_EC2_METADATA_SERVICE_ENDPOINT", err);
}

/* One request; the reply's body gets a NUL. */
static int
ask(struct asker *a, const char *base, const char *method, const char *path, const struct http_header *header,
    struct http_reply *reply, unsigned tries, struct error *err)
{
	char url[URL_MAX];
	const struct http_request request = {
	    .method = method, .url = url, .headers = header, .nheaders = 1, .total_ms = TOTAL_MS};
	int n = snprintf(url, sizeof(url), "%s%s", base, path);

	if (n < 0 || (size_t)n >= sizeof(url))
		return error_set(err, ERR_USAGE, "AWS_EC2_METADATA_SERVICE_ENDPOINT is too long");
	if (asker_exchange(a, a->local, &request, reply, tries, err) < 0)
		return err->code;
	buf_u8(reply->body, 0);
	return buf_check(reply->body, "a reply of the instance metadata service", err);
}

static int
get_token(struct asker *a, const char *base, struct buf *out, bool *out_answered, struct error *err)
{
	static const struct http_header lifetime = {"x-aws-ec2-metadata-token-ttl-seconds", "21600"};
	struct http_reply reply = {.body = out};
	int r = ask(a, base, "PUT", "/latest/api/token", &lifetime, &reply, TOKEN_TRIES, err);

	*out_answered = reply.status != 0;
	if (r == ERR_UNAVAILABLE && reply.sent && reply.status == 0)
		return error_set(err, r,
		    "no answer to the request for a token (in a container, the instance's metadata hop limit must be 2 "
		    "or more)");
	if (r < 0)
		return r;
	if (reply.status != 200)
		return asker_refused(reply.status, "no token from the instance metadata service", err);
	return credentials_trim_token((char *)out->data, "the instance metadata service's token", err);
}

/* The name on the first line. */
static int
get_role(struct asker *a, const char *base, const struct http_header *token, struct buf *out, struct error *err)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+=,.@_-";
	struct http_reply reply = {.body = out};
	char *name;
	size_t len;

	if (ask(a, base, "GET", ROLES_PATH, token, &reply, TRIES, err) < 0)
		return err->code;
	if (reply.status == 404)
		return error_set(err, ERR_DENIED, "the instance has no role");
	if (reply.status != 200)
		return asker_refused(reply.status, "the name of the instance's role", err);
	name = (char *)out->data;
	len = strspn(name, allowed);
	if (len == 0 || len >= CREDENTIALS_ROLE_MAX || (name[len] != '\0' && name[len] != '\n' && name[len] != '\r'))
		return error_set(err, ERR_CORRUPT, "the name of the instance's role makes no sense");
	name[len] = '\0';
	return 0;
}

static int
get_credentials(struct asker *a, const char *base, const struct http_header *token, const char *role,
    struct credentials *out, struct error *err)
{
	CLEANUP(buf_wipe) struct buf body = BUF_INIT(REPLY_MAX);
	struct http_reply reply = {.body = &body};
	char path[256];

	(void)snprintf(path, sizeof(path), ROLES_PATH "%s", role);
	if (ask(a, base, "GET", path, token, &reply, TRIES, err) < 0)
		return err->code;
	if (reply.status != 200)
		return asker_refused(reply.status, "the credentials of the instance's role", err);
	return credentials_parse_json(body.data, body.len - 1, CREDENTIALS_JSON_INSTANCE, a->now(), out, err);
}

int
credentials_imds(
    struct asker *a, struct credentials *out, char role[CREDENTIALS_ROLE_MAX], bool *out_answered, struct error *err)
{
	CLEANUP(buf_free) struct buf base = BUF_INIT(URI_HOST_MAX + URI_PATH_MAX + 32);
	CLEANUP(buf_wipe) struct buf token = BUF_INIT(TOKEN_MAX);
	CLEANUP(buf_free) struct buf name = BUF_INIT(TOKEN_MAX);
	struct http_header header = {"x-aws-ec2-metadata-token", NULL};

	*out_answered = false;
	if (is_disabled(a))
		return error_set(err, ERR_DENIED, "AWS_EC2_METADATA_DISABLED is set");
	if (find_base(a, &base, err) < 0 || get_token(a, (char *)base.data, &token, out_answered, err) < 0)
		return err->code;
	header.value = (const char *)token.data;
	if (get_role(a, (char *)base.data, &header, &name, err) < 0)
		return err->code;
	(void)snprintf(role, CREDENTIALS_ROLE_MAX, "%s", (const char *)name.data);
	return get_credentials(a, (char *)base.data, &header, role, out, err);
}
