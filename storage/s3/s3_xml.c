/*
 * S3's answers in XML.
 *
 * One reader for all: it keeps the path of open elements as text ("/ListBucketResult/Contents/Key") and the characters
 * of the innermost one, and calls back at each end.  Which namespace an element is in does not matter.
 */
#include "s3_xml.h"

#include <expat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "buf.h"
#include "cleanup.h"
#include "error.h"
#include "timetext.h"

enum { DEPTH_MAX = 16, PATH_SIZE = 512, TEXT_MAX = 4096 };

struct reader {
	XML_Parser parser;
	char path[PATH_SIZE];
	size_t depth;
	struct buf text; /* of the innermost element, NUL-terminated at its end */
	void (*on_begin)(struct reader *);
	int (*on_end)(struct reader *, const char *text);
	void *arg;
	struct error *err;
	int code;
};

/* Some callbacks still come after this, as the end of an element that is empty: they must not do anything. */
static void
stop(struct reader *r, int code)
{
	r->code = code;
	(void)XML_StopParser(r->parser, XML_FALSE);
}

static int
too_much(struct reader *r, const char *what)
{
	return error_set(r->err, ERR_CORRUPT, "the server's XML has %s", what);
}

static void XMLCALL
begin_element(void *arg, const XML_Char *name, const XML_Char **attributes)
{
	struct reader *r = arg;
	const char *local = strrchr(name, ':');
	size_t len = strlen(r->path);

	(void)attributes;
	if (r->code != 0)
		return;
	local = local != NULL ? local + 1 : name;
	if (++r->depth > DEPTH_MAX || len + strlen(local) + 2 > sizeof(r->path)) {
		stop(r, too_much(r, "elements too deep"));
		return;
	}
	(void)snprintf(r->path + len, sizeof(r->path) - len, "/%s", local);
	buf_reset(&r->text);
	if (r->on_begin != NULL)
		r->on_begin(r);
}

static void XMLCALL
end_element(void *arg, const XML_Char *name)
{
	struct reader *r = arg;
	int code;

	(void)name;
	if (r->code != 0)
		return;
	buf_u8(&r->text, 0);
	code = buf_check(&r->text, "a text in the server's XML", r->err);
	if (code == 0)
		code = r->on_end(r, (const char *)r->text.data);
	if (code != 0)
		stop(r, code);
	buf_reset(&r->text);
	*strrchr(r->path, '/') = '\0';
	r->depth--;
}

static void XMLCALL
add_text(void *arg, const XML_Char *text, int len)
{
	struct reader *r = arg;

	if (r->code != 0)
		return;
	if ((size_t)len > TEXT_MAX - r->text.len)
		stop(r, too_much(r, "a text that is too long"));
	else
		buf_put(&r->text, text, (size_t)len);
}

/* Entities of a document type can blow up; S3 has no use for them. */
static void XMLCALL
refuse_doctype(void *arg, const XML_Char *name, const XML_Char *sysid, const XML_Char *pubid, int internal)
{
	struct reader *r = arg;

	(void)name;
	(void)sysid;
	(void)pubid;
	(void)internal;
	stop(r, too_much(r, "a document type"));
}

/* Servers keep connections alive with white space, which XML does not allow before its declaration. */
static const char *
skip_white(const char *body, size_t *len)
{
	while (*len > 0 && strchr(" \t\r\n", *body) != NULL && *body != '\0') {
		body++;
		--*len;
	}
	return body;
}

static int
read_xml(struct reader *r, const char *body, size_t len)
{
	body = skip_white(body, &len);
	if (len > INT32_MAX)
		return too_much(r, "too many bytes");
	buf_init(&r->text, TEXT_MAX + 1);
	r->parser = XML_ParserCreate(NULL);
	if (r->parser == NULL)
		return error_nomem(r->err);
	XML_SetUserData(r->parser, r);
	XML_SetElementHandler(r->parser, begin_element, end_element);
	XML_SetCharacterDataHandler(r->parser, add_text);
	XML_SetStartDoctypeDeclHandler(r->parser, refuse_doctype);
	if (XML_Parse(r->parser, body, (int)len, 1) != XML_STATUS_OK && r->code == 0)
		r->code = XML_GetErrorCode(r->parser) == XML_ERROR_NO_MEMORY
			      ? error_nomem(r->err)
			      : error_set(r->err, ERR_CORRUPT, "the server's XML is not well-formed: %s",
				    XML_ErrorString(XML_GetErrorCode(r->parser)));
	XML_ParserFree(r->parser);
	buf_free(&r->text);
	return r->code;
}

/* ---- errors ---- */

static void
copy_text(char *out, size_t size, const char *text)
{
	(void)error_quote(out, size, text, strlen(text));
}

static int
error_end(struct reader *r, const char *text)
{
	struct s3_xml_error *e = r->arg;

	if (strcmp(r->path, "/Error/Code") == 0)
		copy_text(e->code, sizeof(e->code), text);
	else if (strcmp(r->path, "/Error/Message") == 0)
		copy_text(e->message, sizeof(e->message), text);
	else if (strcmp(r->path, "/Error/Region") == 0)
		copy_text(e->region, sizeof(e->region), text);
	else if (strcmp(r->path, "/Error/Endpoint") == 0)
		copy_text(e->endpoint, sizeof(e->endpoint), text);
	return 0;
}

bool
s3_xml_error(const void *body, size_t len, struct s3_xml_error *out)
{
	struct error ignored;
	struct reader r = {.on_end = error_end, .arg = out, .err = &ignored};

	memset(out, 0, sizeof(*out));
	(void)read_xml(&r, body, len);
	return out->code[0] != '\0';
}

/* ---- lists ---- */

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
list_begin(struct reader *r)
{
	struct list_reader *l = r->arg;

	if (strcmp(r->path, "/ListBucketResult") == 0)
		l->is_list = true;
	else if (strcmp(r->path, "/ListBucketResult/Contents") == 0)
		l->has = 0;
}

static int
list_end(struct reader *r, const char *text)
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
	struct reader reader = {.on_begin = list_begin, .on_end = list_end, .arg = &l, .err = err};
	int r;

	memset(out, 0, sizeof(*out));
	r = read_xml(&reader, body, len);
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

/* ---- deletions ---- */

struct deleted_reader {
	s3_xml_failed_fn *fn;
	void *arg;
	char key[TEXT_MAX + 1], code[64];
	unsigned count;
	bool is_result;
};

static void
deleted_begin(struct reader *r)
{
	struct deleted_reader *d = r->arg;

	if (strcmp(r->path, "/DeleteResult") == 0)
		d->is_result = true;
	else if (strcmp(r->path, "/DeleteResult/Error") == 0)
		d->key[0] = d->code[0] = '\0';
}

static int
deleted_end(struct reader *r, const char *text)
{
	struct deleted_reader *d = r->arg;

	if (strcmp(r->path, "/DeleteResult/Error/Key") == 0)
		(void)snprintf(d->key, sizeof(d->key), "%s", text);
	else if (strcmp(r->path, "/DeleteResult/Error/Code") == 0)
		copy_text(d->code, sizeof(d->code), text);
	else if (strcmp(r->path, "/DeleteResult/Error") == 0)
		return ++d->count > S3_XML_ITEMS_MAX ? too_much(r, "too many errors")
						     : d->fn(d->arg, d->key, d->code, r->err);
	return 0;
}

int
s3_xml_deleted(const void *body, size_t len, s3_xml_failed_fn *fn, void *arg, struct error *err)
{
	struct deleted_reader d = {.fn = fn, .arg = arg};
	struct reader reader = {.on_begin = deleted_begin, .on_end = deleted_end, .arg = &d, .err = err};
	int r = read_xml(&reader, body, len);

	if (r == 0 && !d.is_result)
		r = error_set(err, ERR_CORRUPT, "the server's answer is no result of a deletion");
	return r;
}

void
s3_xml_escape(struct buf *out, const char *text)
{
	for (const char *p = text; *p != '\0'; p++) {
		unsigned char c = (unsigned char)*p;

		if (c == '&' || c == '<' || c == '>' || c == '"' || c < 0x20)
			buf_printf(out, "&#%u;", c);
		else
			buf_u8(out, c);
	}
}
