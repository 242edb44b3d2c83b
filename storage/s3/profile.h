#ifndef PROFILE_H_
#define PROFILE_H_

#include <stdbool.h>

struct error;

/*
 * AWS's two INI files as one: what AWS_SHARED_CREDENTIALS_FILE says about a profile goes before what AWS_CONFIG_FILE
 * says (docs.aws.amazon.com/sdkref: "Shared config and credentials files").  Read-only once loaded.
 */
struct profiles;

/* Missing files are empty ones, unless the environment names them.  At most 1 MiB each.  getenv: NULL for the process's
 * own. */
int profiles_load(const char *(*getenv)(const char *name), struct profiles **out, struct error *);
/* Whether there is a section of that name in either file. */
bool profiles_has(const struct profiles *, const char *profile);
/* The value of a key (lower case), NULL when it is not there. */
const char *profiles_get(const struct profiles *, const char *profile, const char *key);
/* The value of "key = value" indented below "group =" (as endpoint_url below s3, in a services section). */
const char *profiles_get_nested(const struct profiles *, const char *profile, const char *group, const char *key);
/* endpoint_url of the s3 service: from the section [services X] that the profile names, then the profile itself. */
const char *profiles_s3_endpoint(const struct profiles *, const char *profile);
/* Accepts NULL; wipes.  profiles_freep() is for CLEANUP(). */
void profiles_free(struct profiles *);
void profiles_freep(struct profiles **);

#endif
