/*
 * The scripted HTTP server: one connection, its requests and replies.
 *
 * A request's body is published under the server's lock before anything is sent, so that whoever got the reply may read
 * it.
 */
#include <stdio.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "cleanup.h"
#include "http_server.h"
#include "http_server_internal.h"

/* ---- bytes ---- */

/* The descriptor is used outside of the lock: only the connection's own thread closes it. */
static ssize_t
receive(struct http_server_connection *c, void *out, size_t len)
{
	if (c->fd < 0)
		return -1;
	return c->ssl != NULL ? SSL_read(c->ssl, out, (int)MIN(len, (size_t)1 << 30)) : recv(c->fd, out, len, 0);
}

static bool
send_all(struct http_server_connection *c, const void *bytes, size_t len)
{
	const char *p = bytes;

	while (len > 0) {
		ssize_t n = -1;

		if (c->fd >= 0)
			n = c->ssl != NULL ? SSL_write(c->ssl, p, (int)MIN(len, (size_t)1 << 30))
					   : send(c->fd, p, len, MSG_NOSIGNAL);
		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

void
http_server_end(struct http_server_connection *c, bool reset)
{
	const struct linger linger = {1, 0};
	int fd;

	if (c->fd < 0)
		return;
	if (reset)
		CHECK(setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) == 0);
	else if (c->ssl != NULL)
		(void)SSL_shutdown(c->ssl);
	(void)pthread_mutex_lock(&c->server->lock);
	fd = c->fd;
	c->fd = -1;
	(void)close(fd);
	(void)pthread_mutex_unlock(&c->server->lock);
}

/* ---- requests ---- */

const char *
http_server_header(const struct http_server_request *q, const char *name, char *out, size_t size)
{
	size_t len = strlen(name);
	const char *line;

	out[0] = '\0';
	for (line = strstr(q->head, "\r\n"); line != NULL; line = strstr(line, "\r\n")) {
		line += 2;
		if (strncasecmp(line, name, len) != 0 || line[len] != ':')
			continue;
		line += len + 1 + strspn(line + len + 1, " ");
		(void)snprintf(out, size, "%.*s", (int)strcspn(line, "\r\n"), line);
		break;
	}
	return out;
}

/* Where the head ends, or 0. */
static size_t
head_length(const struct http_server_connection *c)
{
	const char *end = memmem(c->in, c->in_len, "\r\n\r\n", 4);

	return end == NULL ? 0 : (size_t)(end - c->in) + 4;
}

static void
drop_input(struct http_server_connection *c, size_t len)
{
	memmove(c->in, c->in + len, c->in_len - len);
	c->in_len -= len;
}

static struct http_server_request *
parse_head(struct http_server_connection *c, size_t len)
{
	struct http_server_request *q = calloc(1, sizeof(*q));
	char *head = strndup(c->in, len), *method, *target, value[32];

	CHECK(q != NULL && head != NULL);
	CHECK(sscanf(head, "%ms %ms", &method, &target) == 2);
	q->connection = c->number;
	q->method = method;
	q->target = target;
	q->head = head;
	q->content_length = strtoul(http_server_header(q, "content-length", value, sizeof(value)), NULL, 10);
	q->expects = strcasecmp(http_server_header(q, "expect", value, sizeof(value)), "100-continue") == 0;
	return q;
}

/* The next request's head; NULL when the client has gone. */
static struct http_server_request *
next_request(struct http_server_connection *c)
{
	struct http_server_request *q;
	size_t len;

	while ((len = head_length(c)) == 0) {
		ssize_t n;

		CHECK(c->in_len < sizeof(c->in));
		n = receive(c, c->in + c->in_len, sizeof(c->in) - c->in_len);
		if (n <= 0)
			return NULL;
		c->in_len += (size_t)n;
	}
	q = parse_head(c, len);
	drop_input(c, len);
	return q;
}

static void
record(struct http_server *s, struct http_server_request *q)
{
	(void)pthread_mutex_lock(&s->lock);
	CHECK(s->nrecords < RECORDS_MAX);
	s->records[s->nrecords++] = q;
	(void)pthread_cond_broadcast(&s->changed);
	(void)pthread_mutex_unlock(&s->lock);
}

static void
publish_body(struct http_server_call *call)
{
	(void)pthread_mutex_lock(&call->c->server->lock);
	call->request->body = call->body;
	call->request->body_len = call->taken;
	(void)pthread_mutex_unlock(&call->c->server->lock);
}

static bool
read_body(struct http_server_call *call, size_t len)
{
	struct http_server_connection *c = call->c;
	size_t buffered = MIN(len, c->in_len), end = call->taken + len;

	if (call->body == NULL)
		call->body = malloc(call->request->content_length + 1);
	CHECK(call->body != NULL);
	memcpy(call->body + call->taken, c->in, buffered);
	drop_input(c, buffered);
	call->taken += buffered;
	while (call->taken < end) {
		ssize_t n = receive(c, call->body + call->taken, end - call->taken);

		if (n <= 0)
			return false;
		call->taken += (size_t)n;
	}
	return true;
}

bool
http_server_take(struct http_server_call *call, size_t len)
{
	bool good;

	CHECK(len <= call->request->content_length - call->taken);
	if (call->request->expects && !call->told) {
		static const char word[] = "HTTP/1.1 100 Continue\r\n\r\n";

		call->told = true;
		if (!send_all(call->c, word, strlen(word)))
			return false;
	}
	good = read_body(call, len);
	publish_body(call);
	return good;
}

bool
http_server_take_all(struct http_server_call *call)
{
	return http_server_take(call, call->request->content_length - call->taken);
}

void
http_server_ignore_expect(struct http_server_call *call)
{
	call->told = true;
}

/* ---- replies ---- */

bool
http_server_send(struct http_server_call *call, const void *bytes, size_t len)
{
	call->answered = true;
	return send_all(call->c, bytes, len);
}

bool
http_server_reply(struct http_server_call *call, int status, const char *headers, const void *body, size_t len)
{
	bool waits = call->request->expects && !call->told && call->request->content_length > 0;
	CLEANUP_FREE char *head = NULL;
	char length[64] = "";

	if (waits)
		call->closing = true;
	else if (!http_server_take_all(call))
		return false;
	if (status != 204)
		(void)snprintf(length, sizeof(length), "Content-Length: %zu\r\n", len);
	CHECK(asprintf(&head, "HTTP/1.1 %d Scripted\r\n%s%s%s\r\n", status, headers == NULL ? "" : headers, length,
		  waits ? "Connection: close\r\n" : "") > 0);
	if (!http_server_send(call, head, strlen(head)))
		return false;
	if (strcmp(call->request->method, "HEAD") == 0 || status == 204 || status == 304)
		return true;
	return http_server_send(call, body, len);
}

bool
http_server_stall(struct http_server_call *call)
{
	struct http_server *s = call->c->server;
	bool stopping;

	(void)pthread_mutex_lock(&s->lock);
	while (!s->stopping && !s->going)
		(void)pthread_cond_wait(&s->changed, &s->lock);
	stopping = s->stopping;
	(void)pthread_mutex_unlock(&s->lock);
	return !stopping;
}

void
http_server_close(struct http_server_call *call)
{
	call->answered = true;
	call->closing = true;
}

void
http_server_reset(struct http_server_call *call)
{
	http_server_close(call);
	http_server_end(call->c, true);
}

bool
http_server_serve(struct http_server_connection *c)
{
	const struct http_server_options *o = &c->server->options;
	struct http_server_call call = {.c = c, .request = next_request(c)};

	if (call.request == NULL)
		return false;
	record(c->server, call.request);
	if (o->fn != NULL)
		o->fn(&call, call.request, o->arg);
	if (!call.answered)
		(void)http_server_reply(&call, 200, NULL, "", 0);
	if (call.body != NULL && call.request->body == NULL)
		free(call.body);
	return !call.closing;
}
