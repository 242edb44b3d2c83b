/*
 * Credentials of a profile.
 *
 * A profile with a role names whose credentials may assume it: another profile, which may have a role itself, a source
 * outside of profiles, or a token.  Each step of the chain is one request to STS.
 */
#include <stdlib.h>
#include <string.h>

#include "asker.h"
#include "cleanup.h"
#include "credentials_internal.h"
#include "error.h"
#include "profile.h"

enum { CHAIN_MAX = 8 };

/* The profiles on the way, none of which may come again. */
struct chain {
	struct asker *asker;
	const struct profiles *profiles;
	const char *region; /* of the first one: all requests go there */
	const char *names[CHAIN_MAX];
	size_t count;
};

static int follow(struct chain *, const char *profile, struct credentials *out, struct error *);

bool
credentials_profile_applies(const struct profiles *p, const char *profile)
{
	static const char *const keys[] = {"aws_access_key_id", "aws_secret_access_key", "role_arn",
	    "credential_process", "sso_session", "sso_start_url"};

	for (size_t i = 0; i < COUNT_OF(keys); i++) {
		if (profiles_get(p, profile, keys[i]) != NULL)
			return true;
	}
	return false;
}

static const char *
value(const struct chain *c, const char *profile, const char *key)
{
	return profiles_get(c->profiles, profile, key);
}

static int
from_keys(const struct chain *c, const char *profile, struct credentials *out, struct error *err)
{
	const char *access_key = value(c, profile, "aws_access_key_id");
	const char *secret_key = value(c, profile, "aws_secret_access_key");

	if (access_key == NULL || secret_key == NULL)
		return error_set(err, ERR_DENIED, "there is no %s",
		    access_key == NULL ? "aws_access_key_id" : "aws_secret_access_key");
	return credentials_set(out, access_key, secret_key, value(c, profile, "aws_session_token"), INT64_MAX, err);
}

/* What the profile has itself, without a role. */
static int
from_itself(struct chain *c, const char *profile, struct credentials *out, struct error *err)
{
	const char *command = value(c, profile, "credential_process");

	if (value(c, profile, "aws_access_key_id") != NULL || value(c, profile, "aws_secret_access_key") != NULL)
		return from_keys(c, profile, out, err);
	if (command != NULL)
		return credentials_process(c->asker, command, out, err);
	if (value(c, profile, "sso_session") != NULL || value(c, profile, "sso_start_url") != NULL)
		return error_set(err, ERR_UNSUPPORTED,
		    "single sign-on is not supported: use credential_process = aws configure export-credentials");
	return error_set(err, ERR_DENIED, "it has neither keys, role_arn nor credential_process");
}

/* credential_source: who has the credentials that may assume the role. */
static int
from_source(struct chain *c, const char *source, struct credentials *out, struct error *err)
{
	char role[CREDENTIALS_ROLE_MAX];
	bool answered;

	if (strcmp(source, "Environment") == 0)
		return credentials_environment(c->asker, out, err);
	if (strcmp(source, "EcsContainer") == 0)
		return credentials_container(c->asker, out, err);
	if (strcmp(source, "Ec2InstanceMetadata") == 0)
		return credentials_imds(c->asker, out, role, &answered, err);
	return error_set(
	    err, ERR_USAGE, "credential_source is none of Environment, EcsContainer and Ec2InstanceMetadata");
}

/* source_profile: one that names itself means its own keys. */
static int
from_profile(struct chain *c, const char *profile, const char *source, struct credentials *out, struct error *err)
{
	if (strcmp(source, profile) == 0)
		return from_itself(c, profile, out, err);
	if (!profiles_has(c->profiles, source))
		return error_set(err, ERR_USAGE, "there is no profile %s, its source_profile", source);
	return follow(c, source, out, err);
}

static int
by_whom(struct chain *c, const char *profile, struct credentials *out, struct error *err)
{
	const char *source = value(c, profile, "credential_source");
	const char *other = value(c, profile, "source_profile");

	if (source != NULL && other != NULL)
		return error_set(err, ERR_USAGE, "it has both credential_source and source_profile");
	if (source != NULL)
		return from_source(c, source, out, err);
	if (other != NULL)
		return from_profile(c, profile, other, out, err);
	return error_set(err, ERR_USAGE,
	    "it has a role_arn, but neither source_profile, credential_source nor web_identity_token_file");
}

static bool
is_duration(const char *text)
{
	return strspn(text, "0123456789") == strlen(text) && strlen(text) <= 6;
}

static int
assume(struct chain *c, const char *profile, struct credentials *out, struct error *err)
{
	const struct credentials_role role = {
	    .arn = value(c, profile, "role_arn"),
	    .session = value(c, profile, "role_session_name"),
	    .external_id = value(c, profile, "external_id"),
	    .duration = value(c, profile, "duration_seconds"),
	};
	const char *token_file = value(c, profile, "web_identity_token_file");
	struct credentials by = {0};
	int r;

	if (value(c, profile, "mfa_serial") != NULL)
		return error_set(err, ERR_UNSUPPORTED, "nobody can be asked for the code of a device (mfa_serial)");
	if (role.duration != NULL && !is_duration(role.duration))
		return error_set(err, ERR_USAGE, "duration_seconds is no number");
	if (token_file != NULL)
		return credentials_assume_role_with_token(c->asker, c->region, &role, token_file, out, err);
	r = by_whom(c, profile, &by, err);
	if (r == 0)
		r = credentials_assume_role(c->asker, c->region, &role, &by, out, err);
	credentials_wipe(&by);
	return r;
}

/* One step of the chain. */
static int
follow(struct chain *c, const char *profile, struct credentials *out, struct error *err)
{
	int r;

	for (size_t i = 0; i < c->count; i++) {
		if (strcmp(c->names[i], profile) == 0)
			return error_set(err, ERR_USAGE, "source_profile leads back to profile %s", profile);
	}
	if (c->count == COUNT_OF(c->names))
		return error_set(err, ERR_USAGE, "more than %d profiles are chained by source_profile", CHAIN_MAX);
	c->names[c->count++] = profile;
	if (value(c, profile, "role_arn") == NULL)
		r = from_itself(c, profile, out, err);
	else
		r = assume(c, profile, out, err);
	/* The first one is named by who asks. */
	return r < 0 && c->names[0] != profile ? error_prefix(err, "profile %s", profile) : r;
}

int
credentials_profile(
    struct asker *a, const struct profiles *profiles, const char *profile, struct credentials *out, struct error *err)
{
	struct chain c = {.asker = a, .profiles = profiles};

	c.region = asker_region(a, profiles_get(profiles, profile, "region"));
	return follow(&c, profile, out, err);
}
