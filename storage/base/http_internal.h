#ifndef HTTP_INTERNAL_H_
#define HTTP_INTERNAL_H_

#include "http.h"

#include <curl/curl.h>
#include <stdatomic.h>

#include "error.h"

/* What the files that implement http.h share, and nobody else sees. */

enum { HTTP_ORIGIN_MAX = 320 }; /* scheme://host:port */

/*
 * A libcurl handle with the connections that it keeps, and the exchange that runs on it.  Who took it from the pool
 * owns it; libcurl's callbacks get it as their argument.
 */
struct http_handle {
	struct http_handle *next; /* in the pool */
	CURL *easy;
	char origin[HTTP_ORIGIN_MAX]; /* of the last exchange: to there a connection is kept */
	char text[CURL_ERROR_SIZE]; /* libcurl's message */
	const atomic_bool *ending; /* the pool's */
	/* The exchange. */
	const struct http_request *request;
	struct http_reply *reply;
	size_t uploaded; /* bytes of the body that libcurl has fetched */
	size_t head_bytes; /* of all heads and trailers */
	bool in_head;
	bool continued; /* the server said "100 Continue" */
	enum error_code broken; /* why one of our callbacks gave up; ERR_OK: none did */
};

/* A handle with everything set that is the same for all exchanges.  share: DNS and TLS sessions of all handles. */
int http_handle_new(
    const struct http_settings *, CURLSH *share, const atomic_bool *ending, struct http_handle **out, struct error *);
/* Accepts NULL. */
void http_handle_free(struct http_handle *);
/* Run one exchange; the reply has been reset.  asks: wait for the server's word before the body is sent; libcurl does
 * that only for bodies of more than 1 MiB. */
int http_handle_run(struct http_handle *, const struct http_request *, struct http_reply *, bool asks, struct error *);

/* The request's headers for libcurl.  ERR_USAGE when one cannot be sent.  The list is the caller's. */
int http_headers(const struct http_request *, bool asks, struct curl_slist **out, struct error *);

/* Make a reply empty.  ERR_USAGE when too many headers are wanted. */
int http_reply_reset(struct http_reply *, struct error *);
/* libcurl's callbacks for lines of heads and for pieces of bodies; the last argument is the handle. */
size_t http_reply_head(char *line, size_t size, size_t n, void *handle);
size_t http_reply_body(char *bytes, size_t size, size_t n, void *handle);

/* What libcurl says as an error of ours. */
int http_fail(const struct http_handle *, CURLcode, struct error *);

#endif
