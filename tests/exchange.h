#ifndef EXCHANGE_H_
#define EXCHANGE_H_

#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "check.h"
#include "http.h"

/*
 * An HTTP exchange of a test, with everything that belongs to it.  Begin, set in q and reply what is special, run; then
 * look at reply, body and err; end.  None of it moves while it runs.
 */
struct exchange {
	struct http_request q;
	struct http_reply reply;
	struct buf body;
	struct error err;
	char url[2048];
};

static inline void
exchange_begin(struct exchange *x, const char *method, const char *origin, const char *path)
{
	memset(x, 0, sizeof(*x));
	(void)snprintf(x->url, sizeof(x->url), "%s%s", origin, path);
	buf_init(&x->body, 1 << 20);
	x->q.method = method;
	x->q.url = x->url;
	x->reply.body = &x->body;
}

/* Run it: what http_exchange() gives.  Nothing of path, query, headers or bodies is in a message. */
static inline int
exchange_run(struct exchange *x, struct http *h)
{
	int r = http_exchange(h, &x->q, &x->reply, &x->err);

	CHECK(r == 0 || (x->err.code == (enum error_code)r && x->err.msg[0] != '\0'));
	CHECK(strstr(x->err.msg, "SECRET") == NULL);
	return r;
}

static inline void
exchange_end(struct exchange *x)
{
	buf_free(&x->body);
}

/* Whether the body that came is this text. */
static inline bool
exchange_is(const struct exchange *x, const char *text)
{
	return x->body.len == strlen(text) && (x->body.len == 0 || memcmp(x->body.data, text, x->body.len) == 0);
}

/* A whole exchange of which only the status is of interest; the code when it fails. */
static inline int
exchange_status(struct http *h, const char *method, const char *origin, const char *path)
{
	struct exchange x;
	int r;

	exchange_begin(&x, method, origin, path);
	r = exchange_run(&x, h);
	exchange_end(&x);
	return r == 0 ? x.reply.status : r;
}

static inline struct http *
exchange_client(const struct http_settings *settings)
{
	static const struct http_settings defaults;
	struct error err;
	struct http *h;

	CHECK_OK(http_new(settings != NULL ? settings : &defaults, &h, &err), &err);
	return h;
}

#endif
