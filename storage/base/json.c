/*
 * Strict reading of JSON, over json-c.
 *
 * json-c is lenient where it can be, even when told to be strict: it stops at a NUL byte, takes single quotes, converts
 * between types and saturates numbers.  What is
 * read here may come from an attacker, so each of these is refused instead.
 */
#include "json.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include <json-c/json.h>

#include "buf.h"
#include "cleanup.h"
#include "error.h"
#include "utf8.h"
#include "wire.h"

#define DEPTH_MAX 16

static void
free_tokener(struct json_tokener **tok)
{
	if (*tok != NULL)
		json_tokener_free(*tok);
}

void
json_putp(struct json_object **o)
{
	json_object_put(*o);
}

/* A character above ASCII as JSON escapes. */
static void
put_escaped(struct buf *out, const uint8_t *p, size_t n)
{
	uint32_t c = p[0] & (0xFFu >> (n + 1));

	for (size_t i = 1; i < n; i++)
		c = c << 6 | (p[i] & 0x3Fu);
	if (c < 0x10000)
		buf_printf(out, "\\u%04x", (unsigned)c);
	else
		buf_printf(out, "\\u%04x\\u%04x", (unsigned)(0xD7C0 + (c >> 10)), (unsigned)(0xDC00 + (c & 0x3FF)));
}

/*
 * A look at the text before json-c sees it: counts what opens an object or array, and refuses what is not UTF-8 and
 * what json-c takes for JSON although it is none (strings in single quotes, comments, control characters), behind which
 * containers could hide.  The copy in out is ASCII: json-c 0.18, when strict, takes other characters for control
 * characters.
 */
static int
scan(const char *text, size_t len, struct buf *out, struct error *err)
{
	static const char outside[] = " \t\r\n{}[]:,\"0123456789+-.eEtrufalsn";
	size_t containers = 0, n;
	bool in_string = false;

	for (size_t i = 0; i < len; i += n) {
		n = utf8_length(text + i, len - i);
		if (n == 0 ||
		    (in_string ? (uint8_t)text[i] < 0x20 : memchr(outside, text[i], sizeof(outside) - 1) == NULL))
			return error_set(err, ERR_CORRUPT, "JSON is broken at byte %zu", i);
		if (in_string && text[i] == '\\' && i + 1 < len && (uint8_t)text[i + 1] < 0x80)
			n = 2;
		else if (text[i] == '"')
			in_string = !in_string;
		else if (!in_string && (text[i] == '{' || text[i] == '['))
			containers++;
		if ((uint8_t)text[i] < 0x80)
			buf_put(out, text + i, n);
		else
			put_escaped(out, (const uint8_t *)text + i, n);
	}
	if (containers > JSON_CONTAINERS_MAX)
		return error_set(err, ERR_CORRUPT, "JSON holds more than %d objects and arrays", JSON_CONTAINERS_MAX);
	return buf_check(out, "JSON", err);
}

/* White space to the end.  json-c refuses the rest too; this keeps the promise whatever its version. */
static bool
is_blank(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (memchr(" \t\r\n", text[i], 4) == NULL)
			return false;
	}
	return true;
}

int
json_read(const void *bytes, size_t len, struct json_object **out, struct error *err)
{
	CLEANUP(free_tokener) struct json_tokener *tok = NULL;
	CLEANUP(json_putp) struct json_object *o = NULL;
	/* What is read may be secret. */
	CLEANUP(buf_wipe) struct buf text = BUF_INIT(6 * (size_t)JSON_MAX);
	enum json_tokener_error e;
	size_t end;
	int r;

	if (len > JSON_MAX)
		return error_set(err, ERR_CORRUPT, "JSON of %zu bytes is longer than %d", len, JSON_MAX);
	if (len == 0)
		return error_set(err, ERR_CORRUPT, "JSON is empty");
	r = scan(bytes, len, &text, err);
	if (r < 0)
		return r;
	tok = json_tokener_new_ex(DEPTH_MAX);
	if (tok == NULL)
		return error_nomem(err);
	json_tokener_set_flags(tok, JSON_TOKENER_STRICT);
	o = json_tokener_parse_ex(tok, (const char *)text.data, (int)text.len);
	e = json_tokener_get_error(tok);
	end = json_tokener_get_parse_end(tok);
	if (e == json_tokener_continue)
		return error_set(err, ERR_CORRUPT, "JSON ends too early");
	if (e != json_tokener_success)
		return error_set(err, ERR_CORRUPT, "JSON is broken at byte %zu: %s", end, json_tokener_error_desc(e));
	if (!is_blank((const char *)text.data + end, text.len - end))
		return error_set(err, ERR_CORRUPT, "JSON has something behind its end");
	if (!json_object_is_type(o, json_type_object))
		return error_set(err, ERR_CORRUPT, "JSON is no object");
	*out = STEAL(o);
	return 0;
}

/* The member, which must be there and of this type. */
static int
get(struct json_object *o, const char *member, enum json_type type, struct json_object **out, struct error *err)
{
	if (!json_object_object_get_ex(o, member, out))
		return error_set(err, ERR_CORRUPT, "member \"%s\" is missing", member);
	if (!json_object_is_type(*out, type))
		return error_set(err, ERR_CORRUPT, "member \"%s\" is no %s", member, json_type_to_name(type));
	return 0;
}

int
json_get_string(struct json_object *o, const char *member, const char **out, struct error *err)
{
	struct json_object *m;
	int r = get(o, member, json_type_string, &m, err);

	if (r < 0)
		return r;
	*out = json_object_get_string(m);
	if (*out == NULL)
		return error_nomem(err);
	if (strlen(*out) != (size_t)json_object_get_string_len(m))
		return error_set(err, ERR_CORRUPT, "member \"%s\" holds a NUL", member);
	return 0;
}

int
json_get_int(struct json_object *o, const char *member, int64_t min, int64_t max, int64_t *out, struct error *err)
{
	struct json_object *m;
	int r = get(o, member, json_type_int, &m, err);

	if (r < 0)
		return r;
	*out = json_object_get_int64(m);
	/* A number beyond 64 bits looks like the nearest one; for positive ones the unsigned value tells, for negative
	 * ones nothing does, so the smallest of all stands for "out of range". */
	if (*out < min || *out > max || *out == INT64_MIN ||
	    (*out == INT64_MAX && json_object_get_uint64(m) != INT64_MAX))
		return error_set(
		    err, ERR_CORRUPT, "member \"%s\" is not between %" PRId64 " and %" PRId64, member, min, max);
	return 0;
}

int
json_get_hex(struct json_object *o, const char *member, void *out, size_t len, struct error *err)
{
	const char *hex;
	int r = json_get_string(o, member, &hex, err);

	if (r < 0)
		return r;
	if (!hex_decode(out, len, hex))
		return error_set(err, ERR_CORRUPT, "member \"%s\" is not %zu bytes in hexadecimal", member, len);
	return 0;
}

int
json_get_object(struct json_object *o, const char *member, struct json_object **out, struct error *err)
{
	return get(o, member, json_type_object, out, err);
}

int
json_get_array(struct json_object *o, const char *member, size_t max, struct json_object **out, size_t *out_count,
    struct error *err)
{
	int r = get(o, member, json_type_array, out, err);

	if (r < 0)
		return r;
	*out_count = json_object_array_length(*out);
	if (*out_count > max)
		return error_set(err, ERR_CORRUPT, "member \"%s\" has more than %zu elements", member, max);
	return 0;
}

int
json_check_format(struct json_object *o, const char *format, struct error *err)
{
	const char *found;
	char quoted[64];
	int64_t version;
	int r = json_get_string(o, "format", &found, err);

	if (r < 0)
		return r;
	if (strcmp(found, format) != 0)
		return error_set(err, ERR_CORRUPT, "this is no %s but \"%s\"", format,
		    error_quote(quoted, sizeof(quoted), found, strlen(found)));
	r = json_get_int(o, "version", 1, INT64_MAX, &version, err);
	if (r < 0)
		return r;
	if (version != 1)
		return error_set(
		    err, ERR_UNSUPPORTED, "%s of version %" PRId64 " needs a newer program", format, version);
	return 0;
}
