/*
 * S3's answers in XML: the reader, and all answers but lists.
 */
#include "s3_xml.h"

#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "cleanup.h"
#include "error.h"
#include "s3_xml_internal.h"

/* Some callbacks still come after this, as the end of an element that is empty: they must not do anything. */
static void
stop(struct s3_xml_reader *r, int code)
{
	r->code = code;
	(void)XML_StopParser(r->parser, XML_FALSE);
}

static int
too_much(struct s3_xml_reader *r, const char *what)
{
	return error_set(r->err, ERR_CORRUPT, "the server's XML has %s", what);
}

static void XMLCALL
begin_element(void *arg, const XML_Char *name, const XML_Char **attributes)
{
	struct s3_xml_reader *r = arg;
	const char *local = strrchr(name, ':');
	size_t len = strlen(r->path);

	(void)attributes;
	if (r->code != 0)
		return;
	local = local != NULL ? local + 1 : name;
	if (++r->depth > S3_XML_DEPTH_MAX || len + strlen(local) + 2 > sizeof(r->path)) {
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
	struct s3_xml_reader *r = arg;
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
	struct s3_xml_reader *r = arg;

	if (r->code != 0)
		return;
	if ((size_t)len > S3_XML_TEXT_MAX - r->text.len)
		stop(r, too_much(r, "a text that is too long"));
	else
		buf_put(&r->text, text, (size_t)len);
}

/* Entities of a document type can blow up; S3 has no use for them. */
static void XMLCALL
refuse_doctype(void *arg, const XML_Char *name, const XML_Char *sysid, const XML_Char *pubid, int internal)
{
	struct s3_xml_reader *r = arg;

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

int
s3_xml_read(struct s3_xml_reader *r, const char *body, size_t len)
{
	body = skip_white(body, &len);
	if (len > INT32_MAX)
		return too_much(r, "too many bytes");
	buf_init(&r->text, S3_XML_TEXT_MAX + 1);
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
error_end(struct s3_xml_reader *r, const char *text)
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
	struct s3_xml_reader r = {.on_end = error_end, .arg = out, .err = &ignored};

	memset(out, 0, sizeof(*out));
	(void)s3_xml_read(&r, body, len);
	return out->code[0] != '\0';
}

/* ---- deletions ---- */

struct deleted_reader {
	s3_xml_failed_fn *fn;
	void *arg;
	char key[S3_XML_TEXT_MAX + 1], code[64];
	unsigned count;
	bool is_result;
};

static void
deleted_begin(struct s3_xml_reader *r)
{
	struct deleted_reader *d = r->arg;

	if (strcmp(r->path, "/DeleteResult") == 0)
		d->is_result = true;
	else if (strcmp(r->path, "/DeleteResult/Error") == 0)
		d->key[0] = d->code[0] = '\0';
}

static int
deleted_end(struct s3_xml_reader *r, const char *text)
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
	struct s3_xml_reader reader = {.on_begin = deleted_begin, .on_end = deleted_end, .arg = &d, .err = err};
	int r = s3_xml_read(&reader, body, len);

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
