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
 * name but Host, Content-Length, User-Agent, Accept, "Accept-Encoding: identity" and, as told below, Expect; no cookie,
 * no .netrc.  Proxies are those of the environment (https_proxy, no_proxy...).  Nothing secret (header values, bodies,
 * queries) is put into messages.
 *
 * A request that breaks on a kept connection before a byte of the reply has come may be sent again over a new one,
 * without the caller's knowledge: a server may see it twice.  Bodies of more than 1 MiB ask first ("Expect:
 * 100-continue"), so that a server that refuses is heard before its connection breaks; a server that does not answer
 * within a second gets the body, and is not asked again.  Who names the header expect decides for himself.
 *
 * HTTP/1.1, or HTTP/2 where a server offers it when TLS is agreed on; one exchange at a time on a connection.
 *
 * An exchange takes 100 KiB of memory beside the caller's buffers, 650 KiB with PUT and POST, and up to 1 MiB more when
 * a server sends a lot of headers; one that sends more than 64 KiB of them is cut off.  With TLS a connection keeps the
 * authorities' certificates, 1 MiB for the system's, as long as it lasts.  The process must ignore SIGPIPE.
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

/* The strings are copied.  A renewed client certificate is seen by the next connection, a renewed ca_file within a day.
 * ERR_USAGE when a file cannot be read or only one of client_cert and client_key is given. */
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
	struct buf *body; /* NULL: there is no room for any */
	/* Names (lower case) of the headers that the caller wants to see. */
	const char *const *wanted;
	size_t nwanted; /* at most HTTP_HEADERS_MAX */
	/* out */
	int status; /* of the last reply head; 0 when none came: "100 Continue" is none */
	size_t received; /* bytes of body put into `into` */
	bool sent; /* the request, or a part, may have reached the server */
	bool timed_out; /* the exchange took too long, or stood still */
	/* Of wanted[i]: "" when absent, the first of several, cut when longer.  Foreign bytes. */
	char values[HTTP_HEADERS_MAX][HTTP_VALUE_MAX];
};

/*
 * One exchange.  0 when a whole reply came, whatever its status: a body shorter than Content-Length is no whole reply.
 * Otherwise reply->status and received tell how far it got, and the code
 * ERR_UNAVAILABLE  the network's fault: refused, reset, timed out, stalled, cut, no such host: worth another try
 * ERR_CORRUPT      the reply is longer than there is room for (into_len, body's ceiling, or its head)
 * ERR_DENIED       the server's certificate is not trusted, or it does not trust ours (this may also look like a cut)
 * ERR_CANCELLED    http_end()
 * ERR_USAGE        the URL, a header or a file of the settings cannot be used
 * ERR_NOMEM        also a line of a head without end, before libcurl 8.6
 * ERR_SYSTEM       libcurl cannot do what is needed
 * Messages name scheme, host and port, not the path.
 */
int http_exchange(struct http *, const struct http_request *, struct http_reply *, struct error *);

/* A wanted header's value, "" when it is absent or was not wanted. */
const char *http_header_value(const struct http_reply *, const char *name);
/* "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, 5.6.7, all three forms) as seconds since 1970; -1 when it is none or
 * before that.  Years of two digits are 1970 to 2069. */
int64_t http_date_parse(const char *text);

#endif
