#ifndef CREDENTIALS_INTERNAL_H_
#define CREDENTIALS_INTERNAL_H_

#include "credentials.h"

#include <stdbool.h>
#include <stddef.h>

struct asker;
struct profiles;

/*
 * What the files that implement credentials.h share, and nobody else sees.
 *
 * Each way of asking fills struct credentials (serial 0) or fails; no message holds a secret.
 */

/* Copies.  Line ends behind the values do not count; ERR_DENIED when a key is empty or cannot be put into a header. */
int credentials_set(struct credentials *out, const char *access_key, const char *secret_key, const char *token,
    int64_t expires_s, struct error *);
/* A secret in a file or variable: without the line ends behind it, on one line, printable.  ERR_DENIED "<what> ...". */
int credentials_trim_token(char *text, const char *what, struct error *);
/* RFC 3339, in UTC or with an offset.  ERR_CORRUPT; ERR_DENIED when it is in the past. */
int credentials_parse_expiration(const char *text, int64_t now_s, int64_t *out_s, struct error *);

/* Who wrote the JSON. */
enum credentials_json {
	CREDENTIALS_JSON_PROCESS, /* "Version": 1, and SessionToken */
	CREDENTIALS_JSON_SERVICE, /* Token */
	CREDENTIALS_JSON_INSTANCE /* the same with "Code": "Success" */
};
int credentials_parse_json(
    const void *bytes, size_t len, enum credentials_json, int64_t now_s, struct credentials *out, struct error *);

int credentials_environment(struct asker *, struct credentials *out, struct error *);
int credentials_web_identity(struct asker *, const char *region, struct credentials *out, struct error *);
int credentials_container(struct asker *, struct credentials *out, struct error *);
/* out_answered: whether there is a metadata service at all.  role: its name as text for messages. */
enum { CREDENTIALS_ROLE_MAX = 128 };
int credentials_imds(
    struct asker *, struct credentials *out, char role[CREDENTIALS_ROLE_MAX], bool *out_answered, struct error *);

/* Whether a profile says where its credentials are. */
bool credentials_profile_applies(const struct profiles *, const char *profile);
int credentials_profile(
    struct asker *, const struct profiles *, const char *profile, struct credentials *out, struct error *);

/* Run a program without a shell, and read what it prints. */
int credentials_process(struct asker *, const char *command, struct credentials *out, struct error *);
/* The words of a command as a POSIX shell splits them, without expansion of anything: NULL behind the last one.
 * ERR_USAGE. The words are one allocation. */
int credentials_process_split(const char *command, char ***out, struct error *);

/* A role to be assumed. */
struct credentials_role {
	const char *arn;
	const char *session; /* NULL: one is made up */
	const char *external_id, *duration; /* NULL: not sent */
};
/* AssumeRole, signed with other credentials. */
int credentials_assume_role(struct asker *, const char *region, const struct credentials_role *,
    const struct credentials *by, struct credentials *out, struct error *);
/* AssumeRoleWithWebIdentity with the token in a file. */
int credentials_assume_role_with_token(struct asker *, const char *region, const struct credentials_role *,
    const char *token_file, struct credentials *out, struct error *);
/* What STS answered to an action: credentials... */
int credentials_parse_sts(
    const void *bytes, size_t len, const char *action, int64_t now_s, struct credentials *out, struct error *);
/* ... or a code and a message, of which either may be ""; false when it is neither. */
enum { CREDENTIALS_STS_TEXT = 256 };
bool credentials_parse_sts_error(
    const void *bytes, size_t len, char code[CREDENTIALS_STS_TEXT], char message[CREDENTIALS_STS_TEXT]);

#endif
