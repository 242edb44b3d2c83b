#ifndef CREDENTIALS_H_
#define CREDENTIALS_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;

/*
 * AWS credentials: found where AWS's own tools find them, and renewed in time.  In this order, the first that applies:
 *
 *   1. environment     AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN
 *   2. web identity    AWS_WEB_IDENTITY_TOKEN_FILE + AWS_ROLE_ARN [+ AWS_ROLE_SESSION_NAME]: AssumeRoleWithWebIdentity
 *   3. profile         in AWS_SHARED_CREDENTIALS_FILE (~/.aws/credentials) and AWS_CONFIG_FILE (~/.aws/config): keys,
 *                      role_arn with source_profile, credential_source or web_identity_token_file, credential_process
 *   4. container       AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI, with AWS_CONTAINER_AUTHORIZATION_TOKEN
 *                      [_FILE] (ECS and EKS Pod Identity); without TLS only from this machine
 *   5. instance        IMDSv2 [AWS_EC2_METADATA_DISABLED, AWS_EC2_METADATA_SERVICE_ENDPOINT[_MODE]]
 *
 * Explicit choice of a profile (settings or AWS_PROFILE) puts the profile first.  A source that applies and fails is an
 * error: the next one is not tried, since it might be somebody else's.  A Velero credentials file is a shared
 * credentials file.  Single sign-on and MFA are not supported.
 *
 * Values are taken without the line ends behind them, and otherwise as they are.  No message holds a secret.  Files and
 * tokens are read again at each renewal.  Services are tried a few times when the network or they themselves fail.
 */
struct credentials {
	char *access_key, *secret_key;
	char *token; /* NULL: none */
	int64_t expires_s; /* seconds since 1970; INT64_MAX: never */
	uint64_t serial; /* counts up with each renewal */
};
/* Wipes. */
void credentials_wipe(struct credentials *);

struct credential_settings {
	const char *profile; /* NULL: AWS_PROFILE, then "default" */
	const char *region; /* for STS; NULL: environment, profile, then us-east-1 */
	const char *sts_endpoint; /* NULL: AWS_ENDPOINT_URL_STS, AWS_ENDPOINT_URL, then AWS's in the region */
	const char *ca_file; /* for STS */
	const char *(*getenv)(const char *name); /* NULL: the process's own */
	int64_t (*now)(void); /* NULL: time() */
};

/* Where credentials come from.  Safe from any thread. */
struct credential_source;
/* Finds which source applies, and asks it once.  ERR_DENIED when it refuses, and "no credentials: ..." when there is
 * none; ERR_USAGE when settings, variables or files make no sense; ERR_UNAVAILABLE, ERR_CORRUPT from services. */
int credential_source_new(const struct credential_settings *, struct credential_source **out, struct error *);
/* A copy of the present ones: renewed when they expire within five minutes, or have lived for half of their time if
 * they live for less than ten (by one thread, the others go on with the old ones while these are valid).  A renewal
 * that fails is an error only once the old ones have expired; until then the next one comes half a minute later. */
int credential_source_get(struct credential_source *, struct credentials *out, struct error *);
/* The server says that those with this serial have expired: the next get renews them, if nobody has already. */
void credential_source_expired(struct credential_source *, uint64_t serial);
/* Calls that wait for a service give up with ERR_CANCELLED within about a second; what is valid is still given. */
void credential_source_end(struct credential_source *);
/* "environment", "profile backup", "web identity", "container", "instance role x": for messages. */
const char *credential_source_name(const struct credential_source *);
/* Accepts NULL; wipes. */
void credential_source_free(struct credential_source *);

#endif
