/*
 * What "snapferry doctor" has found out about the endpoint, kept beside the repository for later runs.
 *
 * These are hints and nothing more: they are not signed, and whoever can write them can do worse to the bucket.  So
 * they decide only what is safe either way: which checksum guards an upload whose content is authenticated anyway. They
 * are read once, before the first pack of data is put over TLS.
 */
#include <json-c/json.h>
#include <string.h>
#include <time.h>

#include "buf.h"
#include "cleanup.h"
#include "json.h"
#include "s3_internal.h"
#include "timetext.h"

#define HINTS_OBJECT "endpoint.json"
#define HINTS_FORMAT "snapferry-endpoint"

enum { HINTS_MAX = 64 * 1024 };

static int
origin(struct s3 *s, struct buf *out, struct error *err)
{
	(void)pthread_mutex_lock(&s->lock);
	s3_place_origin(&s->place, out);
	(void)pthread_mutex_unlock(&s->lock);
	buf_u8(out, 0);
	return buf_check(out, "the URL", err);
}

int
s3_hints_save(struct s3 *s, struct json_object *results, struct error *err)
{
	CLEANUP(json_putp) struct json_object *j = json_object_new_object();
	CLEANUP(buf_free) struct buf where = BUF_INIT(HINTS_MAX);
	char now[TIME_TEXT_LEN];
	const char *text;
	int r = origin(s, &where, err);

	if (r < 0)
		return r;
	if (j == NULL)
		return error_nomem(err);
	time_format(time(NULL), 0, now);
	(void)json_object_object_add(j, "format", json_object_new_string(HINTS_FORMAT));
	(void)json_object_object_add(j, "version", json_object_new_int(1));
	(void)json_object_object_add(j, "tested", json_object_new_string(now));
	(void)json_object_object_add(j, "endpoint", json_object_new_string((const char *)where.data));
	(void)json_object_object_add(j, "results", json_object_get(results));
	text = json_object_to_json_string_ext(j, JSON_C_TO_STRING_PLAIN);
	if (text == NULL)
		return error_nomem(err);
	/* Objects are never replaced: the old one goes first.  Without one, the next run goes by what it meets. */
	r = store_remove(&s->store, HINTS_OBJECT, err);
	return r < 0 ? r : store_put(&s->store, HINTS_OBJECT, text, strlen(text), err);
}

/* Whether the hints are about this endpoint, and say yes to that. */
static bool
says_yes(struct s3 *s, struct json_object *j, const char *name)
{
	CLEANUP(buf_free) struct buf where = BUF_INIT(HINTS_MAX);
	struct json_object *results;
	const char *endpoint, *result;
	struct error ignored;

	return json_check_format(j, HINTS_FORMAT, &ignored) == 0 &&
	       json_get_string(j, "endpoint", &endpoint, &ignored) == 0 && origin(s, &where, &ignored) == 0 &&
	       strcmp(endpoint, (const char *)where.data) == 0 &&
	       json_get_object(j, "results", &results, &ignored) == 0 &&
	       json_get_string(results, name, &result, &ignored) == 0 && strcmp(result, "yes") == 0;
}

static bool
load_crc32c(struct s3 *s)
{
	CLEANUP(buf_free) struct buf object = BUF_INIT(HINTS_MAX);
	CLEANUP(json_putp) struct json_object *j = NULL;
	struct error ignored;

	return store_load(&s->store, HINTS_OBJECT, HINTS_MAX, &object, &ignored) == 0 &&
	       json_read(object.data, object.len, &j, &ignored) == 0 && says_yes(s, j, "crc32c");
}

bool
s3_hints_crc32c(struct s3 *s)
{
	int known = atomic_load(&s->crc32c);

	if (known == S3_CRC32C_UNKNOWN) {
		/* Several threads may ask at once: all get the same answer. */
		known = load_crc32c(s) ? S3_CRC32C_YES : S3_CRC32C_NO;
		atomic_store(&s->crc32c, known);
	}
	return known == S3_CRC32C_YES;
}
