/*
 * The headers of a request in libcurl's notation: "name: value", "name;" for an empty one, "name:" for one that libcurl
 * would send by itself and must not.
 */
#include <curl/curl.h>
#include <string.h>

#include "buf.h"
#include "cleanup.h"
#include "error.h"
#include "http.h"
#include "http_internal.h"

enum { LINE_MAX_LEN = 64 * 1024 };

/* A token of RFC 9110, in lower case. */
static bool
is_name(const char *name)
{
	return name[0] != '\0' && name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~")] == '\0';
}

/* Nothing that ends the line: whoever controls a value must not be able to add headers. */
static bool
is_value(const char *value)
{
	for (const char *p = value; *p != '\0'; p++) {
		if (((unsigned char)*p < 0x20 && *p != '\t') || *p == 0x7F)
			return false;
	}
	return true;
}

static int
append(struct curl_slist **list, const char *line, struct error *err)
{
	struct curl_slist *longer = curl_slist_append(*list, line);

	if (longer == NULL)
		return error_nomem(err);
	*list = longer;
	return 0;
}

static int
append_header(struct curl_slist **list, const struct http_header *header, struct error *err)
{
	CLEANUP(buf_wipe) struct buf line = BUF_INIT(LINE_MAX_LEN);

	if (!is_name(header->name))
		return error_set(err, ERR_USAGE, "the name of a header cannot be sent");
	if (!is_value(header->value))
		return error_set(err, ERR_USAGE, "the value of the header %s cannot be sent", header->name);
	buf_put(&line, header->name, strlen(header->name));
	if (header->value[0] == '\0') {
		buf_put(&line, ";", 2);
	} else {
		buf_put(&line, ": ", 2);
		buf_put(&line, header->value, strlen(header->value) + 1);
	}
	if (buf_check(&line, "a header", err) < 0)
		return err->code;
	return append(list, (const char *)line.data, err);
}

static bool
has(const struct http_request *q, const char *name)
{
	for (size_t i = 0; i < q->nheaders; i++) {
		if (strcmp(q->headers[i].name, name) == 0)
			return true;
	}
	return false;
}

int
http_headers(const struct http_request *q, bool asks, struct curl_slist **out, struct error *err)
{
	for (size_t i = 0; i < q->nheaders; i++) {
		if (append_header(out, &q->headers[i], err) < 0)
			return err->code;
	}
	if (!has(q, "accept-encoding") && append(out, "Accept-Encoding: identity", err) < 0)
		return err->code;
	/* libcurl asks by itself, some versions of it even before bodies of a few bytes. */
	if (!asks && !has(q, "expect"))
		return append(out, "Expect:", err);
	return 0;
}
