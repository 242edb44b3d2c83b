/*
 * S3's lists of objects in XML.
 */
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "error.h"
#include "s3_xml.h"
#include "s3_xml_internal.h"
#include "timetext.h"

enum { HAS_KEY = 1, HAS_SIZE = 2, HAS_TIME = 4, HAS_ALL = 7 };

struct list_reader {
	struct s3_xml_list *list;
	struct s3_xml_object now;
	unsigned has;
	bool is_list;
};

static int
hex_digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
				      : -1;
}

static void
url_decode(char *text)
{
	char *to = text;

	for (const char *from = text; *from != '\0'; to++) {
		if (*from == '%' && hex_digit(from[1]) >= 0 && hex_digit(from[2]) >= 0) {
			*to = (char)(hex_digit(from[1]) << 4 | hex_digit(from[2]));
			from += 3;
		} else {
			*to = *from == '+' ? ' ' : *from;
			from++;
		}
	}
	*to = '\0';
}

static int
note_key(struct list_reader *l, const char *text, struct error *err)
{
	struct s3_xml_list *list = l->list;
	size_t n = strlen(text) + 1;
	int r = array_reserve(&list->texts, &list->texts_size, list->texts_len + n, 1, err);

	if (r < 0)
		return r;
	memcpy(list->texts + list->texts_len, text, n);
	l->now.key = list->texts_len;
	l->has |= HAS_KEY;
	list->texts_len += n;
	return 0;
}

static int
note_size(struct list_reader *l, const char *text, struct error *err)
{
	uint64_t n = 0;
	size_t digits = strspn(text, "0123456789");

	if (digits == 0 || digits > 18 || text[digits] != '\0')
		return error_set(err, ERR_CORRUPT, "the server lists an object whose size is no number");
	for (size_t i = 0; i < digits; i++)
		n = n * 10 + (uint64_t)(text[i] - '0');
	l->now.size = n;
	l->has |= HAS_SIZE;
	return 0;
}

static int
note_time(struct list_reader *l, const char *text, struct error *err)
{
	uint32_t ns;
	int r = time_parse(text, &l->now.modified_s, &ns, err);

	l->has |= HAS_TIME;
	return r < 0 ? error_prefix(err, "the server lists an object whose time is none") : 0;
}

static int
end_object(struct list_reader *l, struct error *err)
{
	struct s3_xml_list *list = l->list;
	int r;

	if (l->has != HAS_ALL)
		return error_set(err, ERR_CORRUPT, "the server lists an object without key, size or time");
	if (list->count == S3_XML_ITEMS_MAX)
		return error_set(err, ERR_CORRUPT, "the server lists more than %d objects at once", S3_XML_ITEMS_MAX);
	r = array_reserve(&list->objects, &list->capacity, list->count + 1, sizeof(list->objects[0]), err);
	if (r == 0)
		list->objects[list->count++] = l->now;
	return r;
}

static void
list_begin(struct s3_xml_reader *r)
{
	struct list_reader *l = r->arg;

	if (strcmp(r->path, "/ListBucketResult") == 0)
		l->is_list = true;
	else if (strcmp(r->path, "/ListBucketResult/Contents") == 0)
		l->has = 0;
}

static int
list_end(struct s3_xml_reader *r, const char *text)
{
	static const char top[] = "/ListBucketResult/";
	struct list_reader *l = r->arg;
	const char *name = r->path + sizeof(top) - 1;

	if (strncmp(r->path, top, sizeof(top) - 1) != 0)
		return 0;
	if (strcmp(name, "Contents/Key") == 0)
		return note_key(l, text, r->err);
	if (strcmp(name, "Contents/Size") == 0)
		return note_size(l, text, r->err);
	if (strcmp(name, "Contents/LastModified") == 0)
		return note_time(l, text, r->err);
	if (strcmp(name, "Contents") == 0)
		return end_object(l, r->err);
	if (strcmp(name, "IsTruncated") == 0)
		l->list->truncated = strcmp(text, "true") == 0;
	else if (strcmp(name, "EncodingType") == 0)
		l->list->url_encoded = strcmp(text, "url") == 0;
	else if (strcmp(name, "NextContinuationToken") == 0 && *text != '\0' && l->list->token == NULL &&
		 (l->list->token = strdup(text)) == NULL)
		return error_nomem(r->err);
	return 0;
}

int
s3_xml_list(const void *body, size_t len, struct s3_xml_list *out, struct error *err)
{
	struct list_reader l = {.list = out};
	struct s3_xml_reader reader = {.on_begin = list_begin, .on_end = list_end, .arg = &l, .err = err};
	int r;

	memset(out, 0, sizeof(*out));
	r = s3_xml_read(&reader, body, len);
	if (r == 0 && !l.is_list)
		r = error_set(err, ERR_CORRUPT, "the server's answer is no list of objects");
	for (size_t i = 0; r == 0 && out->url_encoded && i < out->count; i++)
		url_decode(out->texts + out->objects[i].key);
	return r;
}

void
s3_xml_list_wipe(struct s3_xml_list *l)
{
	free(l->objects);
	free(l->texts);
	free(l->token);
	memset(l, 0, sizeof(*l));
}
