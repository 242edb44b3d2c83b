#ifndef S3_PLACE_H_
#define S3_PLACE_H_

#include <stdbool.h>

#include "s3.h"
#include "uri.h"

struct buf;
struct error;
struct profiles;

/*
 * Where a bucket is: from s3://bucket/prefix, settings, environment and profile to the parts of a URL.  Pure but for
 * the environment, which the caller gives.
 */

enum { S3_BUCKET_MAX = 63, S3_PREFIX_MAX = 400, S3_REGION_MAX = 63 };

struct s3_place {
	char bucket[S3_BUCKET_MAX + 1];
	char prefix[S3_PREFIX_MAX + 2]; /* "" or "a/b/": what our keys begin with in the bucket */
	char region[S3_REGION_MAX + 1]; /* never empty */
	bool region_guessed; /* nobody has named it: the endpoint may correct it */
	bool aws; /* the endpoint is AWS's own, and follows from the region */
	bool dualstack, fips;
	bool virtual_host; /* bucket.host/key rather than host/bucket/key */
	struct uri endpoint; /* unless aws */
};

/* What decides, beside the settings. */
struct s3_surroundings {
	const char *(*getenv)(const char *name);
	const struct profiles *profiles;
};

/* ERR_USAGE with what is wrong. */
int s3_place_resolve(
    const char *text, const struct s3_settings *, const struct s3_surroundings *, struct s3_place *out, struct error *);
/* The profile in use: of the settings, AWS_PROFILE, or "default". */
const char *s3_place_profile(const struct s3_settings *, const struct s3_surroundings *);
/* Another region, which the endpoint has told.  False when the text is no region, or the same as now. */
bool s3_place_move(struct s3_place *, const char *region);
/* Append the Host header; the origin (scheme://host); the encoded path of a key below the prefix (NULL: the bucket
 * itself). */
void s3_place_host(const struct s3_place *, struct buf *out);
void s3_place_origin(const struct s3_place *, struct buf *out);
void s3_place_path(const struct s3_place *, const char *key, struct buf *out);

#endif
