/*
 * Replies as they come in: heads line by line, bodies piece by piece.
 *
 * An exchange may have several heads (100 Continue, and the reply to a request that is sent again); the last one
 * counts.
 */
#include <curl/curl.h>
#include <string.h>
#include <strings.h>

#include "buf.h"
#include "cleanup.h"
#include "error.h"
#include "http.h"
#include "http_internal.h"

/* Bytes of all heads and trailers of an exchange, "100 Continue" without end included. */
enum { HEADS_MAX = 64 * 1024 };

int
http_reply_reset(struct http_reply *reply, struct error *err)
{
	if (reply->nwanted > HTTP_HEADERS_MAX)
		return error_set(err, ERR_USAGE, "too many headers are wanted");
	reply->status = 0;
	reply->received = 0;
	reply->sent = false;
	reply->timed_out = false;
	for (size_t i = 0; i < reply->nwanted; i++)
		reply->values[i][0] = '\0';
	return 0;
}

const char *
http_header_value(const struct http_reply *reply, const char *name)
{
	for (size_t i = 0; i < reply->nwanted; i++) {
		if (strcmp(reply->wanted[i], name) == 0)
			return reply->values[i];
	}
	return "";
}

/* Keep a header's value if it is wanted: the first one, when there are several. */
static void
keep_value(struct http_reply *reply, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len), *value, *end = line + len;
	size_t name_len, value_len;

	if (colon == NULL)
		return;
	name_len = (size_t)(colon - line);
	for (value = colon + 1; value < end && (*value == ' ' || *value == '\t'); value++)
		;
	while (end > value && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r' || end[-1] == '\n'))
		end--;
	value_len = MIN((size_t)(end - value), (size_t)HTTP_VALUE_MAX - 1);
	for (size_t i = 0; i < reply->nwanted; i++) {
		if (strlen(reply->wanted[i]) != name_len || strncasecmp(reply->wanted[i], line, name_len) != 0 ||
		    reply->values[i][0] != '\0')
			continue;
		memcpy(reply->values[i], value, value_len);
		reply->values[i][value_len] = '\0';
	}
}

/* A head is complete.  "100 Continue" is no reply, and the others below 200 are none either. */
static void
end_head(struct http_handle *h)
{
	long status = 0;

	h->in_head = false;
	(void)curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status == 100)
		h->continued = true;
	if (status >= 200 && status <= 999)
		h->reply->status = (int)status;
}

size_t
http_reply_head(char *line, size_t size, size_t n, void *arg)
{
	struct http_handle *h = arg;
	size_t len = size * n;

	h->head_bytes += len;
	if (h->head_bytes > HEADS_MAX) {
		h->broken = ERR_CORRUPT;
		return 0;
	}
	if (len >= 5 && memcmp(line, "HTTP/", 5) == 0 && !h->in_head) {
		h->in_head = true;
		for (size_t i = 0; i < h->reply->nwanted; i++)
			h->reply->values[i][0] = '\0';
	} else if (h->in_head && len > 0 && (line[0] == '\r' || line[0] == '\n')) {
		end_head(h);
	} else if (h->in_head) {
		keep_value(h->reply, line, len);
	}
	/* Else it is a trailer, of which nobody wants to know. */
	return len;
}

/* The body of a success goes straight to where the caller wants it. */
static bool
put_into(struct http_reply *reply, const char *bytes, size_t len)
{
	if (len > reply->into_len - reply->received)
		return false;
	if (len > 0)
		memcpy((char *)reply->into + reply->received, bytes, len);
	reply->received += len;
	return true;
}

size_t
http_reply_body(char *bytes, size_t size, size_t n, void *arg)
{
	struct http_handle *h = arg;
	struct http_reply *reply = h->reply;
	size_t len = size * n;

	if (reply->into != NULL && (reply->status == 200 || reply->status == 206)) {
		if (!put_into(reply, bytes, len))
			h->broken = ERR_CORRUPT;
	} else if (reply->body == NULL || len > reply->body->limit - MIN(reply->body->len, reply->body->limit)) {
		h->broken = ERR_CORRUPT;
	} else {
		buf_put(reply->body, bytes, len);
		if (reply->body->failed)
			h->broken = ERR_NOMEM;
	}
	return h->broken == ERR_OK ? len : 0;
}
