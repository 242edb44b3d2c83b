/*
 * Where a bucket is.
 */
#include "s3_place.h"

#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "cleanup.h"
#include "error.h"
#include "profile.h"
#include "utf8.h"

#define SCHEME         "s3://"
#define REGION_DEFAULT "us-east-1"

enum { QUOTED_SIZE = 160, HOST_MAX = 512 };

static bool
is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Also names that only older or other servers allow: upper case and '_'. */
static bool
is_bucket(const char *name)
{
	size_t n = strlen(name);

	if (n < 3 || n > S3_BUCKET_MAX)
		return false;
	for (size_t i = 0; i < n; i++) {
		char c = name[i];

		if (!is_alnum(c) && !(c >= 'A' && c <= 'Z') && c != '-' && c != '.' && c != '_')
			return false;
	}
	return name[0] != '.' && name[0] != '-' && strstr(name, "..") == NULL;
}

/* Whether the name may be part of a host name for which a wildcard certificate holds. */
static bool
is_host_label(const char *bucket)
{
	size_t n = strlen(bucket);

	for (size_t i = 0; i < n; i++)
		if (!is_alnum(bucket[i]) && bucket[i] != '-')
			return false;
	return is_alnum(bucket[0]) && is_alnum(bucket[n - 1]);
}

static bool
is_region(const char *text)
{
	size_t n = strlen(text);

	if (n == 0 || n > S3_REGION_MAX)
		return false;
	for (size_t i = 0; i < n; i++) {
		char c = text[i];

		if (!is_alnum(c) && !(c >= 'A' && c <= 'Z') && c != '-' && c != '_' && c != '.')
			return false;
	}
	return true;
}

static bool
is_printable(const char *text, size_t n)
{
	for (size_t i = 0, len; i < n; i += len) {
		len = utf8_length(text + i, n - i);
		if (len == 0 || (unsigned char)text[i] < 0x20 || text[i] == 0x7F)
			return false;
	}
	return true;
}

/* Components of printable UTF-8, none of them "", "." or "..", which servers and proxies rewrite. */
static bool
is_prefix(const char *text)
{
	for (const char *p = text;;) {
		size_t n = strcspn(p, "/");

		if (n == 0 || (n <= 2 && strncmp(p, "..", n) == 0) || !is_printable(p, n))
			return false;
		if (p[n] == '\0')
			return true;
		p += n + 1;
	}
}

static int
parse_prefix(const char *text, struct s3_place *out, struct error *err)
{
	char quoted[QUOTED_SIZE];
	size_t n = strlen(text);

	while (n > 0 && text[n - 1] == '/')
		n--;
	if (n == 0)
		return 0;
	if (n > S3_PREFIX_MAX)
		return error_set(err, ERR_USAGE, "the prefix is longer than %d bytes", S3_PREFIX_MAX);
	(void)snprintf(out->prefix, sizeof(out->prefix), "%.*s", (int)n, text);
	if (!is_prefix(out->prefix))
		return error_set(err, ERR_USAGE, "\"%s\" cannot be a prefix in a bucket",
		    error_quote(quoted, sizeof(quoted), text, strlen(text)));
	out->prefix[n] = '/';
	out->prefix[n + 1] = '\0';
	return 0;
}

static int
parse_place(const char *text, struct s3_place *out, struct error *err)
{
	char quoted[QUOTED_SIZE];
	const char *bucket = text + strlen(SCHEME);
	size_t n;

	if (strncmp(text, SCHEME, strlen(SCHEME)) != 0)
		return error_set(err, ERR_USAGE, "a repository in a bucket is named s3://bucket/prefix");
	n = strcspn(bucket, "/");
	(void)snprintf(out->bucket, sizeof(out->bucket), "%.*s", (int)MIN(n, sizeof(out->bucket)), bucket);
	if (n > S3_BUCKET_MAX || !is_bucket(out->bucket))
		return error_set(err, ERR_USAGE, "\"%s\" is not the name of a bucket: s3://bucket/prefix",
		    error_quote(quoted, sizeof(quoted), bucket, n));
	return parse_prefix(bucket[n] == '/' ? bucket + n + 1 : bucket + n, out, err);
}

static const char *
first_of(const char *a, const char *b)
{
	return a != NULL && *a != '\0' ? a : b != NULL && *b != '\0' ? b : NULL;
}

const char *
s3_place_profile(const struct s3_settings *s, const struct s3_surroundings *around)
{
	const char *named = first_of(s->profile, around->getenv("AWS_PROFILE"));

	return named != NULL ? named : "default";
}

static int
find_region(const struct s3_settings *s, const struct s3_surroundings *around, struct s3_place *out, struct error *err)
{
	char quoted[QUOTED_SIZE];
	const char *named =
	    first_of(s->region, first_of(around->getenv("AWS_REGION"), around->getenv("AWS_DEFAULT_REGION")));

	named = first_of(named, profiles_get(around->profiles, s3_place_profile(s, around), "region"));
	out->region_guessed = named == NULL;
	if (named == NULL)
		named = REGION_DEFAULT;
	if (!is_region(named))
		return error_set(err, ERR_USAGE, "\"%s\" is not the name of a region",
		    error_quote(quoted, sizeof(quoted), named, strlen(named)));
	(void)snprintf(out->region, sizeof(out->region), "%s", named);
	return 0;
}

static bool
is_true(const char *text)
{
	return text != NULL && strcasecmp(text, "true") == 0;
}

static bool
ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && strcmp(text + n - m, end) == 0;
}

static int
find_endpoint(
    const struct s3_settings *s, const struct s3_surroundings *around, struct s3_place *out, struct error *err)
{
	const char *profile = s3_place_profile(s, around), *named;
	int r;

	named =
	    first_of(s->endpoint, first_of(around->getenv("AWS_ENDPOINT_URL_S3"), around->getenv("AWS_ENDPOINT_URL")));
	named = first_of(named, profiles_s3_endpoint(around->profiles, profile));
	if (named == NULL) {
		out->aws = true;
		out->dualstack = is_true(around->getenv("AWS_USE_DUALSTACK_ENDPOINT"));
		out->fips = is_true(around->getenv("AWS_USE_FIPS_ENDPOINT"));
		return 0;
	}
	r = uri_parse(named, &out->endpoint, err);
	return r < 0 ? error_prefix(err, "endpoint") : 0;
}

/* An address, in front of which no name can be put. */
static bool
is_address(const char *host)
{
	return host[0] == '[' || host[strspn(host, "0123456789.")] == '\0';
}

/* AWS wants the bucket in the host name; most others run without wildcard names. */
static int
find_addressing(
    const struct s3_settings *s, const struct s3_surroundings *around, struct s3_place *out, struct error *err)
{
	const char *profile = s3_place_profile(s, around);
	const char *named =
	    first_of(s->addressing, profiles_get_nested(around->profiles, profile, "s3", "addressing_style"));
	bool usual = out->aws || ends_with(out->endpoint.host, ".amazonaws.com") ||
		     ends_with(out->endpoint.host, ".amazonaws.com.cn");

	if (named == NULL || strcmp(named, "auto") == 0)
		out->virtual_host = usual && is_host_label(out->bucket);
	else if (strcmp(named, "virtual") == 0)
		out->virtual_host = true;
	else if (strcmp(named, "path") != 0)
		return error_set(err, ERR_USAGE, "addressing is auto, path or virtual, not \"%s\"", named);
	if (out->virtual_host && !out->aws && is_address(out->endpoint.host))
		return error_set(err, ERR_USAGE, "no bucket can be put before an address: use --addressing path");
	if (out->virtual_host && !is_host_label(out->bucket))
		return error_set(
		    err, ERR_USAGE, "bucket %s cannot be part of a host name: use --addressing path", out->bucket);
	return 0;
}

int
s3_place_resolve(const char *text, const struct s3_settings *s, const struct s3_surroundings *around,
    struct s3_place *out, struct error *err)
{
	int r;

	memset(out, 0, sizeof(*out));
	r = parse_place(text, out, err);
	if (r == 0)
		r = find_region(s, around, out, err);
	if (r == 0)
		r = find_endpoint(s, around, out, err);
	return r < 0 ? r : find_addressing(s, around, out, err);
}

bool
s3_place_move(struct s3_place *p, const char *region)
{
	if (!is_region(region) || strcmp(region, p->region) == 0)
		return false;
	(void)snprintf(p->region, sizeof(p->region), "%s", region);
	p->region_guessed = false;
	return true;
}

static void
aws_host(const struct s3_place *p, struct buf *out)
{
	buf_printf(out, "s3%s%s.%s.amazonaws.com%s", p->fips ? "-fips" : "", p->dualstack ? ".dualstack" : "",
	    p->region, strncmp(p->region, "cn-", 3) == 0 ? ".cn" : "");
}

void
s3_place_host(const struct s3_place *p, struct buf *out)
{
	if (p->virtual_host)
		buf_printf(out, "%s.", p->bucket);
	if (p->aws)
		aws_host(p, out);
	else
		uri_host(&p->endpoint, out);
}

void
s3_place_origin(const struct s3_place *p, struct buf *out)
{
	buf_printf(out, "%s://", p->aws || p->endpoint.https ? "https" : "http");
	s3_place_host(p, out);
}

void
s3_place_path(const struct s3_place *p, const char *key, struct buf *out)
{
	buf_printf(out, "%s/", p->endpoint.path);
	if (!p->virtual_host)
		uri_encode(out, p->bucket, false);
	if (key == NULL)
		return;
	if (!p->virtual_host)
		buf_printf(out, "/");
	uri_encode(out, p->prefix, true);
	uri_encode(out, key, true);
}
