#ifndef HTTP_SERVER_H_
#define HTTP_SERVER_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A small HTTP/1.1 server on loopback for tests.  What it does is up to the test: for every request whose head has come
 * a function is called, which takes the body, answers, stalls, or breaks the connection.
 *
 *     static void
 *     answer(struct http_server_call *call, const struct http_server_request *q, void *arg)
 *     {
 *             if (strcmp(q->method, "PUT") == 0 && http_server_take(call, 1000))
 *                     http_server_reset(call);
 *             else
 *                     http_server_reply(call, 200, "etag: \"x\"\r\n", "hello", 5);
 *     }
 *
 *     struct http_server_options o = {.fn = answer};
 *     struct http_server *s = http_server_new(&o);
 *     ... http_server_origin(s) ...
 *     http_server_free(s);
 *
 * Each connection has a thread of its own, in which the function is called, one request after the other.  All requests
 * are recorded.  Whatever fails in the server itself ends the test (check.h).  The process ignores SIGPIPE from
 * http_server_new() on.  Programs that use it are linked with $(SSL_LIBS).
 */
struct http_server;
struct http_server_call;

struct http_server_request {
	unsigned connection; /* its number, from 1 */
	const char *method;
	const char *target; /* as it was sent: "/a?b=c"; with a scheme and host when the server is used as a proxy */
	const char *head; /* all of it, the empty line included */
	const uint8_t *body; /* as much as was taken; NULL while nothing was */
	size_t body_len;
	size_t content_length; /* what the head says; 0 when it says nothing */
	bool expects; /* the client waits for "100 Continue" */
};

typedef void http_server_fn(struct http_server_call *, const struct http_server_request *, void *arg);

struct http_server_options {
	http_server_fn *fn; /* NULL: every request is answered with 200 and an empty body */
	void *arg;
	bool ipv6;
	const char *cert, *key; /* PEM files; with them the server speaks TLS */
	const char *client_ca; /* PEM file; clients must have a certificate of it */
};

/* NULL only when there is no IPv6 loopback. */
struct http_server *http_server_new(const struct http_server_options *);
/* Ends all connections, also where the function stalls, and waits for their threads. */
void http_server_free(struct http_server *);

/* "http://127.0.0.1:12345"; https and localhost with TLS. */
const char *http_server_origin(const struct http_server *);
unsigned http_server_port(const struct http_server *);

/*
 * For the function.  What returns bool gives false when the connection is broken or the server ends: the function
 * should return then.
 */

/* Read len more bytes of the body; before, tell a client that waits for it to send. */
bool http_server_take(struct http_server_call *, size_t len);
/* Read all that is left of the body. */
bool http_server_take_all(struct http_server_call *);
/* From now on behave like a server that does not know "Expect": the body comes when the client is tired of waiting. */
void http_server_ignore_expect(struct http_server_call *);
/* Send bytes as they are. */
bool http_server_send(struct http_server_call *, const void *bytes, size_t len);
/*
 * Send a whole reply with Content-Length.  headers: lines that end in \r\n, NULL for none.  For HEAD and 204 and 304
 * there is no body, its length is told all the same (but not for 204).  The body of the request is read before, unless
 * the client waits for a word: then the connection is closed afterwards.
 */
bool http_server_reply(struct http_server_call *, int status, const char *headers, const void *body, size_t len);
/* Stand still until http_server_go(); not at all when that was called before. */
bool http_server_stall(struct http_server_call *);
/* End the connection when the function returns. */
void http_server_close(struct http_server_call *);
/* The same at once, with a reset. */
void http_server_reset(struct http_server_call *);

/*
 * For the test, from any thread.
 */

/* Let everything that stalls go on; from now on nothing stalls. */
void http_server_go(struct http_server *);
/* Wait until so many requests have come since the beginning; their bodies may still be on the way. */
void http_server_wait(struct http_server *, size_t requests);
/* How many there were so far, and how many connections (with TLS: whose handshake succeeded). */
size_t http_server_requests(struct http_server *);
size_t http_server_connections(struct http_server *);
/* A recorded request, from 0; valid until http_server_free().  To be looked at when its exchange is over. */
const struct http_server_request *http_server_request(struct http_server *, size_t i);
/* A header of it, by name in any case: copied to out, which is returned; "" when there is none. */
const char *http_server_header(const struct http_server_request *, const char *name, char *out, size_t size);

#endif
