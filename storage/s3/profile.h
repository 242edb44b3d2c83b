#ifndef PROFILE_H_
#define PROFILE_H_

#include <stdbool.h>
#include <stddef.h>

struct error;

/*
 * AWS's two INI files as one: what AWS_SHARED_CREDENTIALS_FILE says about a profile goes before what AWS_CONFIG_FILE
 * says (docs.aws.amazon.com/sdkref: "Shared config and credentials files").  Read-only once loaded.
 *
 * A profile is [x] in the credentials file, [profile x] in the other, which has also [default] and, named by a profile,
 * [services x].  Lines that begin with '#' or ';' are comments, and so is what follows one of them behind white space.
 * White space around names and values does not count, quotes do.  A key that is there twice has its last value; one
 * without a value is not there.  "group =" may be followed by "key = value" on lines that are indented further.
 */
struct profiles;

/* Missing files are empty ones, unless the environment names them; without HOME so are those that it does not name.  At
 * most 1 MiB each.  getenv: NULL for the process's own.  ERR_USAGE, with file and line, when a file makes no sense. */
int profiles_load(const char *(*getenv)(const char *name), struct profiles **out, struct error *);
/* The contents of the two files; NULL: none. */
int profiles_parse(const void *credentials, size_t credentials_len, const void *config, size_t config_len,
    struct profiles **out, struct error *);
/* Whether there is a section of that name in either file. */
bool profiles_has(const struct profiles *, const char *profile);
/* The value of a key (lower case), NULL when it is not there. */
const char *profiles_get(const struct profiles *, const char *profile, const char *key);
/* The value of "key = value" indented below "group =" (as addressing_style below s3). */
const char *profiles_get_nested(const struct profiles *, const char *profile, const char *group, const char *key);
/* endpoint_url of the s3 service: from the section [services X] that the profile names, then the profile itself. */
const char *profiles_s3_endpoint(const struct profiles *, const char *profile);
/* Accepts NULL; wipes. */
void profiles_free(struct profiles *);

#endif
