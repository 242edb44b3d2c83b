#include "proxy_head.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

size_t
head_length(const char *text, size_t n)
{
	const char *end = memmem(text, n, "\r\n\r\n", 4);

	return end == NULL ? 0 : (size_t)(end - text) + 4;
}

bool
head_is_request(const char *text, size_t n)
{
	return n == 0 || (text[0] >= 'A' && text[0] <= 'Z');
}

/* The value of a header, or NULL.  The head ends with an empty line, so that every search ends. */
static const char *
value_of(const char *text, size_t length, const char *name)
{
	const char *line = text, *end = text + length;
	size_t n = strlen(name);

	while ((line = memmem(line, (size_t)(end - line), "\r\n", 2)) != NULL) {
		line += 2;
		if ((size_t)(end - line) > n && strncasecmp(line, name, n) == 0 && line[n] == ':')
			return line + n + 1 + strspn(line + n + 1, " \t");
	}
	return NULL;
}

static int64_t
body_of(const char *text, size_t length, int64_t otherwise)
{
	const char *value;

	if (value_of(text, length, "Transfer-Encoding") != NULL)
		return BODY_UNKNOWN;
	value = value_of(text, length, "Content-Length");
	return value == NULL ? otherwise : strtoll(value, NULL, 10);
}

void
head_read_request(const char *text, size_t length, struct head *head)
{
	char line[sizeof head->method + sizeof head->path + 2] = "";
	const char *expect = value_of(text, length, "Expect");

	memset(head, 0, sizeof *head);
	head->length = length;
	memcpy(line, text, length < sizeof line - 1 ? length : sizeof line - 1);
	(void)sscanf(line, "%15s %1023s", head->method, head->path);
	head->body = body_of(text, length, 0);
	head->expects = expect != NULL && strncasecmp(expect, "100-continue", 12) == 0;
}

void
head_read_reply(const char *text, size_t length, const char *method, struct head *head)
{
	char line[32] = "";

	memset(head, 0, sizeof *head);
	head->length = length;
	memcpy(line, text, length < sizeof line - 1 ? length : sizeof line - 1);
	(void)sscanf(line, "HTTP/%*s %d", &head->status);
	if (strcmp(method, "HEAD") != 0 && head->status >= 200 && head->status != 204 && head->status != 304)
		head->body = body_of(text, length, BODY_UNKNOWN);
}
