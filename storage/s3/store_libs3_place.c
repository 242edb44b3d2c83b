/*
 * Places of the store over libs3, and what cannot be had through it.
 */
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "store_libs3_internal.h"

#define SCHEME_PREFIX "libs3+"
#define KEY_BYTES     "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._/-"

enum { TEXT_MAX = URI_PATH_MAX + 8, ORIGIN_MAX = URI_HOST_MAX + 32 };

/* A setting that would be passed over in silence, as it is called in the program; NULL: none. */
static const char *
useless_setting(const struct s3_settings *s)
{
	const struct {
		bool set;
		const char *name;
	} settings[] = {
	    {s->endpoint != NULL, "--endpoint"},
	    {s->addressing != NULL && strcmp(s->addressing, "path") != 0, "--addressing"},
	    {s->ca_file != NULL, "--ca-file"},
	    {s->client_cert != NULL || s->client_key != NULL, "--client-cert"},
	    {s->insecure_tls, "--insecure-tls"},
	    {s->storage_class != NULL, "--storage-class"},
	    {s->sse != NULL, "--sse"},
	    {s->sse_kms_key != NULL, "--sse-kms-key"},
	    {s->sse_customer_key_file != NULL, "--customer-key-file"},
	    {s->ntags > 0, "--object-tag"},
	    {s->requester_pays, "--requester-pays"},
	    {s->checksum != NULL && strcmp(s->checksum, "auto") != 0 && strcmp(s->checksum, "md5") != 0, "--checksum"},
	    {s->stall_s > 0, "--stall-time"},
	    {s->first_answer_s > 0, "a time limit for the first answer"},
	};

	for (size_t i = 0; i < COUNT_OF(settings); i++)
		if (settings[i].set)
			return settings[i].name;
	return NULL;
}

static int
check_settings(const struct s3_settings *s, struct error *err)
{
	const char *name = useless_setting(s);

	if (name == NULL)
		return 0;
	return error_set(err, ERR_UNSUPPORTED, "%s has no effect through libs3", name);
}

/* Other bytes are written into URLs in more than one way: libs3 2.0 would take "a b" for "a+b". */
static int
check_prefix(const struct s3_place *p, struct error *err)
{
	if (p->prefix[strspn(p->prefix, KEY_BYTES)] == '\0')
		return 0;
	return error_set(
	    err, ERR_UNSUPPORTED, "through libs3 a prefix has letters, digits and ._/- in it, and nothing else");
}

static int
resolve(const struct uri *url, const struct s3_settings *settings, const struct s3_surroundings *around,
    struct s3_place *out, struct error *err)
{
	CLEANUP(buf_free) struct buf origin = BUF_INIT(ORIGIN_MAX);
	struct s3_settings own = *settings;
	char text[TEXT_MAX];
	int r;

	uri_origin(url, &origin);
	buf_u8(&origin, 0);
	r = buf_check(&origin, "the endpoint", err);
	if (r < 0)
		return r;
	own.endpoint = (const char *)origin.data;
	own.addressing = "path";
	(void)snprintf(text, sizeof(text), "s3:/%s", url->path);
	r = s3_place_resolve(text, &own, around, out, err);
	return r < 0 ? r : check_prefix(out, err);
}

int
store_libs3_place_resolve(const char *text, const struct s3_settings *settings, const struct s3_surroundings *around,
    struct s3_place *out, struct error *err)
{
	struct uri url;
	int r;

	if (strncmp(text, SCHEME_PREFIX, strlen(SCHEME_PREFIX)) != 0)
		return error_set(
		    err, ERR_USAGE, "a repository over libs3 is named libs3+http://host:port/bucket/prefix");
	r = uri_parse(text + strlen(SCHEME_PREFIX), &url, err);
	if (r < 0)
		return r;
	if (url.path[0] == '\0')
		return error_set(err, ERR_USAGE, "the bucket is missing: libs3+http://host:port/bucket/prefix");
	if (url.https && !store_libs3_request_sigv4())
		return error_set(err, ERR_UNSUPPORTED, "this libs3 does not check certificates: no libs3+https://");
	r = check_settings(settings, err);
	return r < 0 ? r : resolve(&url, settings, around, out, err);
}
