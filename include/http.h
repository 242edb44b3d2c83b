#ifndef HTTP_H_
#define HTTP_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct error;

/*
 * HTTP exchanges over libcurl: one request, one reply, no interpretation.
 *
 * A struct http is a pool of connections with one set of TLS and time-out settings; any number of threads use it at the
 * same time, each exchange blocks its caller.  Redirects are never followed, nothing is sent that the caller did not
 * name but Host, Content-Length, User-Agent, Accept and "Accept-Encoding: identity"; no cookie, no .netrc.  Proxies are
 * those of the environment (https_proxy, no_proxy...).  Nothing secret (header values, bodies, queries) is put into
 * messages.
 */
struct http;

struct http_settings {
	const char *ca_file; /* NULL: the system's; certificates in PEM */
	const char *client_cert, *client_key; /* PEM files, both or none */
	bool insecure_tls; /* accept any certificate */
	bool no_proxy; /* also not those of the environment: for link-local services */
	unsigned connect_ms; /* to connect and to agree on TLS; 0: 10 s */
	unsigned stall_s; /* give up when less than 1 KiB/s moved in either direction for so long; 0: 60 s */
};

/* The strings are copied.  ERR_USAGE when a file cannot be read or only one of client_cert and client_key is given. */
int http_new(const struct http_settings *, struct http **out, struct error *);
/* Running and later exchanges fail with ERR_CANCELLED within about a second.  From any thread. */
void http_end(struct http *);
/* No exchange may be running.  Accepts NULL. */
void http_free(struct http *);

struct http_header {
	const char *name; /* lower case */
	const char *value; /* "" is sent as an empty header */
};

struct http_request {
	const char *method; /* GET, HEAD, PUT, POST, DELETE */
	const char *url; /* as it goes over the wire: encoded, dot segments kept */
	const struct http_header *headers;
	size_t nheaders;
	const void *body; /* sent for PUT and POST, with its length, never chunked */
	size_t body_len;
	unsigned total_ms; /* for the whole exchange; 0: no limit */
};

enum { HTTP_HEADERS_MAX = 32, HTTP_VALUE_MAX = 512 };

/*
 * A reply.  Where the body goes: with `into`, the body of status 200 and 206 is put there (and `into_len` is the most
 * that is taken); every other body, and all without `into`, is appended to `body`, whose ceiling is the limit.
 */
struct http_reply {
	/* in */
	void *into;
	size_t into_len;
	struct buf *body;
	/* Names (lower case) of the headers that the caller wants to see. */
	const char *const *wanted;
	size_t nwanted; /* at most HTTP_HEADERS_MAX */
	/* out */
	int status; /* of the last reply head; 0 when none came */
	size_t received; /* bytes of body put into `into` */
	bool sent; /* the request, or a part, may have reached the server */
	char values[HTTP_HEADERS_MAX][HTTP_VALUE_MAX]; /* of wanted[i]; "" when absent; cut when longer */
};

/*
 * One exchange.  0 when a whole reply came, whatever its status: a body shorter than Content-Length is no whole reply.
 * Otherwise reply->status and received tell how far it got, and the code
 * ERR_UNAVAILABLE  the network's fault: refused, reset, timed out, stalled, cut, no such host: worth another try
 * ERR_CORRUPT      the reply is longer than there is room for (into_len, or body's ceiling)
 * ERR_DENIED       the server's certificate is not trusted, or it does not trust ours
 * ERR_CANCELLED    http_end()
 * ERR_USAGE        the URL cannot be used
 * ERR_NOMEM
 * Messages name scheme, host and port, not the path.
 */
int http_exchange(struct http *, const struct http_request *, struct http_reply *, struct error *);

/* A wanted header's value, "" when it is absent or was not wanted. */
const char *http_header_value(const struct http_reply *, const char *name);
/* "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, 5.6.7, all three forms) as seconds since 1970; -1 when it is none. */
int64_t http_date_parse(const char *text);

#endif
