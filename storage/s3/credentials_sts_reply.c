/*
 * What STS answers, in XML, read strictly.
 *
 * Only the places that are asked for are looked at: each at most once, with nothing but text in it.  There are no
 * document types, and with them no entities but those of XML itself.
 */
#include <expat.h>
#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "cleanup.h"
#include "credentials_internal.h"
#include "crypto.h"
#include "error.h"

enum { DEPTH_MAX = 16, PATH_MAX_LEN = 512, VALUE_MAX = 16 * 1024, FIELDS_MAX = 4 };

/* The text at a place like "/ErrorResponse/Error/Code". */
struct field {
	char path[PATH_MAX_LEN];
	struct buf text; /* with a NUL behind it in the end */
	bool found;
};

struct reader {
	XML_Parser parser;
	char path[PATH_MAX_LEN]; /* of the open elements */
	size_t path_len;
	unsigned depth;
	struct field *fields, *open; /* open: the one whose text is coming */
	size_t count;
	bool refused;
};

static void
free_parser(XML_Parser *parser)
{
	if (*parser != NULL)
		XML_ParserFree(*parser);
}

static void
refuse(struct reader *r)
{
	r->refused = true;
	(void)XML_StopParser(r->parser, XML_FALSE);
}

static void XMLCALL
on_doctype(void *arg, const XML_Char *name, const XML_Char *system, const XML_Char *public, int has_subset)
{
	(void)name;
	(void)system;
	(void)public;
	(void)has_subset;
	refuse(arg);
}

static void XMLCALL
on_start(void *arg, const XML_Char *name, const XML_Char **attributes)
{
	struct reader *r = arg;
	size_t len = strlen(name);

	(void)attributes;
	if (r->refused)
		return;
	if (r->open != NULL || ++r->depth > DEPTH_MAX || len + 1 >= sizeof(r->path) - r->path_len) {
		refuse(r);
		return;
	}
	r->path[r->path_len] = '/';
	memcpy(r->path + r->path_len + 1, name, len + 1);
	r->path_len += len + 1;
	for (size_t i = 0; i < r->count; i++) {
		if (strcmp(r->path, r->fields[i].path) != 0)
			continue;
		if (r->fields[i].found)
			refuse(r);
		r->fields[i].found = true;
		r->open = &r->fields[i];
	}
}

static void XMLCALL
on_text(void *arg, const XML_Char *text, int len)
{
	struct reader *r = arg;

	if (r->open != NULL)
		buf_put(&r->open->text, text, (size_t)len);
}

static void XMLCALL
on_end(void *arg, const XML_Char *name)
{
	struct reader *r = arg;

	/* An empty element ends although the parser was stopped at its beginning. */
	if (r->refused)
		return;
	r->open = NULL;
	r->depth--;
	r->path_len -= strlen(name) + 1;
	r->path[r->path_len] = '\0';
}

static void
fields_init(struct field *fields, size_t count, const char *below, const char *const *names)
{
	for (size_t i = 0; i < count; i++) {
		buf_init(&fields[i].text, VALUE_MAX);
		(void)snprintf(fields[i].path, sizeof(fields[i].path), "%s/%s", below, names[i]);
		fields[i].found = false;
	}
}

static void
fields_wipe(struct field *fields, size_t count)
{
	for (size_t i = 0; i < count; i++)
		buf_wipe(&fields[i].text);
}

static int
read_fields(const void *bytes, size_t len, struct field *fields, size_t count, struct error *err)
{
	CLEANUP(free_parser) XML_Parser parser = XML_ParserCreate(NULL);
	struct reader r = {.parser = parser, .fields = fields, .count = count};

	if (parser == NULL)
		return error_nomem(err);
	XML_SetUserData(parser, &r);
	XML_SetElementHandler(parser, on_start, on_end);
	XML_SetCharacterDataHandler(parser, on_text);
	XML_SetStartDoctypeDeclHandler(parser, on_doctype);
	if (XML_Parse(parser, bytes, (int)len, XML_TRUE) != XML_STATUS_OK || r.refused) {
		if (XML_GetErrorCode(parser) == XML_ERROR_NO_MEMORY)
			return error_nomem(err);
		return error_set(err, ERR_CORRUPT, "the reply of STS is no XML that we know, at line %lu",
		    (unsigned long)XML_GetCurrentLineNumber(parser));
	}
	for (size_t i = 0; i < count; i++) {
		buf_u8(&fields[i].text, 0);
		if (buf_check(&fields[i].text, "a value of STS", err) < 0)
			return err->code;
	}
	return 0;
}

static const char *
text_of(const struct field *f)
{
	return (const char *)f->text.data;
}

static int
set_credentials(const struct field f[FIELDS_MAX], int64_t now_s, struct credentials *out, struct error *err)
{
	int64_t expires_s = INT64_MAX;

	for (size_t i = 0; i < FIELDS_MAX; i++) {
		if (f[i].text.len <= 1)
			return error_set(err, ERR_CORRUPT, "the reply of STS has no %s", strrchr(f[i].path, '/') + 1);
	}
	if (credentials_parse_expiration(text_of(&f[3]), now_s, &expires_s, err) < 0)
		return err->code;
	return credentials_set(out, text_of(&f[0]), text_of(&f[1]), text_of(&f[2]), expires_s, err);
}

int
credentials_parse_sts(
    const void *bytes, size_t len, const char *action, int64_t now_s, struct credentials *out, struct error *err)
{
	static const char *const names[FIELDS_MAX] = {"AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"};
	struct field fields[FIELDS_MAX];
	char below[128];
	int r;

	(void)snprintf(below, sizeof(below), "/%sResponse/%sResult/Credentials", action, action);
	fields_init(fields, FIELDS_MAX, below, names);
	r = read_fields(bytes, len, fields, FIELDS_MAX, err);
	if (r == 0)
		r = set_credentials(fields, now_s, out, err);
	fields_wipe(fields, FIELDS_MAX);
	return r;
}

bool
credentials_parse_sts_error(
    const void *bytes, size_t len, char code[CREDENTIALS_STS_TEXT], char message[CREDENTIALS_STS_TEXT])
{
	static const char *const names[] = {"Code", "Message"};
	struct field fields[COUNT_OF(names)];
	struct error ignored;
	bool good;

	fields_init(fields, COUNT_OF(names), "/ErrorResponse/Error", names);
	good = read_fields(bytes, len, fields, COUNT_OF(names), &ignored) == 0 && fields[0].found;
	if (good) {
		(void)error_quote(code, CREDENTIALS_STS_TEXT, text_of(&fields[0]), fields[0].text.len - 1);
		(void)error_quote(message, CREDENTIALS_STS_TEXT, text_of(&fields[1]), fields[1].text.len - 1);
	}
	fields_wipe(fields, COUNT_OF(names));
	return good;
}
