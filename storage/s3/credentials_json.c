/*
 * Credentials as values, and as the JSON in which processes and services give them.
 *
 * What can be reached is wiped: json-c keeps strings in memory that it frees as it is, so these are overwritten first.
 */
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "credentials_internal.h"
#include "crypto.h"
#include "error.h"
#include "json.h"
#include "timetext.h"

static void
wipe_text(char **text)
{
	if (*text != NULL)
		crypto_wipe(*text, strlen(*text));
	free(*text);
	*text = NULL;
}

void
credentials_wipe(struct credentials *c)
{
	wipe_text(&c->access_key);
	wipe_text(&c->secret_key);
	wipe_text(&c->token);
}

static size_t
len_without_line_ends(const char *text)
{
	size_t len = strlen(text);

	while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
		len--;
	return len;
}

static bool
is_printable(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return false;
	}
	return true;
}

int
credentials_trim_token(char *text, const char *what, struct error *err)
{
	size_t len = len_without_line_ends(text);

	text[len] = '\0';
	if (len == 0)
		return error_set(err, ERR_DENIED, "%s is empty", what);
	if (!is_printable(text, len))
		return error_set(err, ERR_DENIED, "%s has line ends or control characters in it", what);
	return 0;
}

static int
copy_value(const char *value, const char *what, char **out, struct error *err)
{
	*out = strdup(value);
	if (*out == NULL)
		return error_nomem(err);
	return credentials_trim_token(*out, what, err);
}

int
credentials_set(struct credentials *out, const char *access_key, const char *secret_key, const char *token,
    int64_t expires_s, struct error *err)
{
	struct credentials c = {.expires_s = expires_s};
	int r = copy_value(access_key, "the access key", &c.access_key, err);

	if (r == 0)
		r = copy_value(secret_key, "the secret key", &c.secret_key, err);
	if (r == 0 && token != NULL && *token != '\0')
		r = copy_value(token, "the session token", &c.token, err);
	if (r < 0) {
		credentials_wipe(&c);
		return r;
	}
	*out = c;
	return 0;
}

/* "+02:00" behind a time as seconds; false when there is none. */
static bool
parse_offset(const char *at, int64_t *out_s)
{
	static const char form[] = "+00:00";
	int64_t minutes;

	if (strlen(at) != strlen(form) || (at[0] != '+' && at[0] != '-') || at[3] != ':')
		return false;
	for (int i = 1; i < 6; i++) {
		if (i != 3 && (at[i] < '0' || at[i] > '9'))
			return false;
	}
	minutes = ((at[1] - '0') * 10 + at[2] - '0') * 60 + (at[4] - '0') * 10 + at[5] - '0';
	*out_s = (at[0] == '-' ? -60 : 60) * minutes;
	return true;
}

int
credentials_parse_expiration(const char *text, int64_t now_s, int64_t *out_s, struct error *err)
{
	char utc[TIME_TEXT_LEN + 1];
	size_t len = strlen(text);
	int64_t offset_s = 0;
	uint32_t ns;
	int r;

	/* Programs in other languages write what they have in UTC as +00:00. */
	if (len >= 6 && len < sizeof(utc) && parse_offset(text + len - 6, &offset_s)) {
		memcpy(utc, text, len - 6);
		utc[len - 6] = 'Z';
		utc[len - 5] = '\0';
		r = time_parse(utc, out_s, &ns, err);
	} else {
		r = time_parse(text, out_s, &ns, err);
	}
	if (r < 0)
		return error_prefix(err, "Expiration");
	*out_s -= offset_s;
	if (*out_s <= now_s)
		return error_set(
		    err, ERR_DENIED, "the credentials expired already at %s: is this machine's clock right?", text);
	return 0;
}

/* NULL when a member is not there or null. */
static int
get_optional(struct json_object *o, const char *member, const char **out, struct error *err)
{
	struct json_object *m;

	*out = NULL;
	if (!json_object_object_get_ex(o, member, &m) || m == NULL)
		return 0;
	return json_get_string(o, member, out, err);
}

static int
check_kind(struct json_object *o, enum credentials_json kind, struct error *err)
{
	const char *code;
	char quoted[64];
	int64_t version;

	if (kind == CREDENTIALS_JSON_PROCESS)
		return json_get_int(o, "Version", 1, 1, &version, err);
	if (kind == CREDENTIALS_JSON_SERVICE)
		return 0;
	if (json_get_string(o, "Code", &code, err) < 0)
		return err->code;
	if (strcmp(code, "Success") != 0)
		return error_set(
		    err, ERR_DENIED, "the service says %s", error_quote(quoted, sizeof(quoted), code, strlen(code)));
	return 0;
}

static int
parse_members(
    struct json_object *o, enum credentials_json kind, int64_t now_s, struct credentials *out, struct error *err)
{
	const char *access_key, *secret_key, *token, *expiration;
	int64_t expires_s = INT64_MAX;

	if (check_kind(o, kind, err) < 0 || json_get_string(o, "AccessKeyId", &access_key, err) < 0 ||
	    json_get_string(o, "SecretAccessKey", &secret_key, err) < 0 ||
	    get_optional(o, kind == CREDENTIALS_JSON_PROCESS ? "SessionToken" : "Token", &token, err) < 0 ||
	    get_optional(o, "Expiration", &expiration, err) < 0)
		return err->code;
	if (expiration != NULL && credentials_parse_expiration(expiration, now_s, &expires_s, err) < 0)
		return err->code;
	return credentials_set(out, access_key, secret_key, token, expires_s, err);
}

/* Strings are the library's, which shows them as const; nobody else looks at these. */
static void
wipe_strings(struct json_object *o)
{
	json_object_object_foreach(o, name, value)
	{
		(void)name;
		if (json_object_is_type(value, json_type_string))
			crypto_wipe((char *)(uintptr_t)json_object_get_string(value),
			    (size_t)json_object_get_string_len(value));
	}
}

int
credentials_parse_json(const void *bytes, size_t len, enum credentials_json kind, int64_t now_s,
    struct credentials *out, struct error *err)
{
	CLEANUP(json_putp) struct json_object *o = NULL;
	int r = json_read(bytes, len, &o, err);

	if (r < 0)
		return r;
	r = parse_members(o, kind, now_s, out, err);
	wipe_strings(o);
	return r;
}
