/*
 * Credentials of a container: the agents of ECS, EKS Pod Identity and the like.
 *
 * The agent is on this machine, so its URL may be one without TLS, if it leads nowhere else: a variable of the
 * environment must not send the token that identifies us over a network in the clear.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "asker.h"
#include "buf.h"
#include "cleanup.h"
#include "credentials_internal.h"
#include "error.h"
#include "http.h"
#include "smallfile.h"
#include "uri.h"

#define ECS_ORIGIN "http://169.254.170.2"

enum { TRIES = 4, TOTAL_MS = 5000, REPLY_MAX = 64 * 1024, TOKEN_MAX = 16 * 1024, URL_MAX = 2048 };

/* Loopback, and the addresses of ECS's and EKS's agents. */
static bool
is_local(const char *host)
{
	static const char *const agents[] = {"169.254.170.2", "169.254.170.23", "[fd00:ec2::23]", "[::1]", "localhost"};
	struct in_addr v4;

	for (size_t i = 0; i < COUNT_OF(agents); i++) {
		if (strcmp(host, agents[i]) == 0)
			return true;
	}
	return inet_pton(AF_INET, host, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127;
}

/* The origin of a URL is what counts here; its path and query are the agent's. */
static int
check_full_url(const char *url, struct error *err)
{
	const char *authority = strstr(url, "://");
	char origin[URL_MAX];
	struct uri u;
	size_t len;

	len = authority == NULL ? strlen(url) : (size_t)(authority + 3 - url) + strcspn(authority + 3, "/?#");
	if (len >= sizeof(origin) || strlen(url) >= URL_MAX)
		return error_set(err, ERR_USAGE, "AWS_CONTAINER_CREDENTIALS_FULL_URI is too long");
	memcpy(origin, url, len);
	origin[len] = '\0';
	if (uri_parse(origin, &u, err) < 0)
		return error_prefix(err, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
	if (!u.https && !is_local(u.host))
		return error_set(err, ERR_DENIED,
		    "AWS_CONTAINER_CREDENTIALS_FULL_URI: without TLS only loopback and the agents of ECS and EKS are "
		    "asked, not %s",
		    u.host);
	return 0;
}

static int
find_url(const struct asker *a, char out[URL_MAX], struct error *err)
{
	const char *relative = asker_env(a, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
	const char *full = asker_env(a, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
	int n;

	if (relative == NULL && full == NULL)
		return error_set(err, ERR_DENIED,
		    "neither AWS_CONTAINER_CREDENTIALS_FULL_URI nor AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is set");
	if (relative == NULL) {
		(void)snprintf(out, URL_MAX, "%s", full);
		return check_full_url(full, err);
	}
	if (*relative != '/')
		return error_set(err, ERR_USAGE, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI does not begin with a slash");
	n = snprintf(out, URL_MAX, ECS_ORIGIN "%s", relative);
	if (n < 0 || n >= URL_MAX)
		return error_set(err, ERR_USAGE, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is too long");
	return 0;
}

/* The token, if there is one: from a file, which is read each time since tokens expire, or a variable. */
static int
get_token(const struct asker *a, struct buf *out, struct error *err)
{
	const char *file = asker_env(a, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	const char *value = asker_env(a, "AWS_CONTAINER_AUTHORIZATION_TOKEN");

	if (file == NULL && value == NULL)
		return 0;
	if (file != NULL && smallfile_read(file, TOKEN_MAX, out, err) < 0) {
		err->code = err->code == ERR_NOMEM ? ERR_NOMEM : ERR_DENIED;
		return error_prefix(err, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	}
	if (file == NULL)
		buf_put(out, value, strlen(value));
	if (out->len > 0 && memchr(out->data, '\0', out->len) != NULL)
		return error_set(err, ERR_DENIED, "the container's authorization token holds a NUL byte");
	buf_u8(out, 0);
	if (buf_check(out, "the container's authorization token", err) < 0)
		return err->code;
	return credentials_trim_token((char *)out->data, "the container's authorization token", err);
}

int
credentials_container(struct asker *a, struct credentials *out, struct error *err)
{
	CLEANUP(buf_wipe) struct buf token = BUF_INIT(TOKEN_MAX + 2);
	CLEANUP(buf_wipe) struct buf body = BUF_INIT(REPLY_MAX);
	char url[URL_MAX];
	struct http_header header = {"authorization", NULL};
	struct http_request request = {.method = "GET", .url = url, .headers = &header, .total_ms = TOTAL_MS};
	struct http_reply reply = {.body = &body};

	if (find_url(a, url, err) < 0 || get_token(a, &token, err) < 0)
		return err->code;
	if (token.len > 0) {
		header.value = (const char *)token.data;
		request.nheaders = 1;
	}
	if (asker_exchange(a, a->local, &request, &reply, TRIES, err) < 0)
		return err->code;
	/* What it says in a failure might repeat the token. */
	if (reply.status != 200)
		return asker_refused(reply.status, "the container's credential service", err);
	return credentials_parse_json(body.data, body.len, CREDENTIALS_JSON_SERVICE, a->now(), out, err);
}
