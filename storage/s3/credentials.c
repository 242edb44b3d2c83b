/*
 * Where credentials come from, and their renewal.
 *
 * Whoever finds that the credentials are about to expire renews them, without the lock; the others go on with the old
 * ones, or wait while these are no longer valid.  All that waited for one renewal get its outcome, also its error, so
 * that a service that is down is not asked by each of a hundred threads in turn.
 */
#include "credentials.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "asker.h"
#include "cleanup.h"
#include "credentials_internal.h"
#include "error.h"
#include "profile.h"

enum {
	RENEW_S = 300, /* before they expire */
	FAILED_PAUSE_S = 30, /* after a renewal that failed while the old ones are valid */
	PROFILE_MAX = 128 /* of a profile's name in messages */
};

/* Look at a place: 1 with credentials, 0 when it does not apply, negative when it does and fails. */
typedef int look_fn(struct credential_source *, struct credentials *out, struct error *);

struct credential_source {
	struct asker asker;
	look_fn *look; /* at the place that applies; NULL: not yet found */
	char name[PROFILE_MAX + CREDENTIALS_ROLE_MAX]; /* does not change once it is found */
	struct error absent; /* why there is no instance metadata */
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t renewed;
	struct credentials held; /* serial counts them */
	int64_t renew_s; /* when they are to be renewed */
	bool rejected; /* the server says that they have expired */
	bool renewing;
	uint64_t attempts; /* renewals that have ended */
	struct error failure; /* of the last one that failed */
};

static void
free_profiles(struct profiles **p)
{
	profiles_free(*p);
}

static void
name_source(struct credential_source *s, const char *kind, const char *detail)
{
	if (s->look == NULL)
		(void)snprintf(s->name, sizeof(s->name), "%s%s%s", kind, *detail == '\0' ? "" : " ", detail);
}

/* The profile that somebody has chosen; NULL: nobody. */
static const char *
chosen_profile(const struct asker *a)
{
	return a->profile != NULL ? a->profile : asker_env(a, "AWS_PROFILE");
}

static const char *
profile_of(const struct asker *a)
{
	const char *profile = chosen_profile(a);

	return profile != NULL ? profile : "default";
}

int
credentials_environment(struct asker *a, struct credentials *out, struct error *err)
{
	const char *access_key = asker_env(a, "AWS_ACCESS_KEY_ID");
	const char *secret_key = asker_env(a, "AWS_SECRET_ACCESS_KEY");

	if (access_key == NULL || secret_key == NULL)
		return error_set(err, ERR_DENIED, "%s is not set",
		    access_key == NULL ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY");
	return credentials_set(out, access_key, secret_key, asker_env(a, "AWS_SESSION_TOKEN"), INT64_MAX, err);
}

static int
look_environment(struct credential_source *s, struct credentials *out, struct error *err)
{
	struct asker *a = &s->asker;

	if (asker_env(a, "AWS_ACCESS_KEY_ID") == NULL && asker_env(a, "AWS_SECRET_ACCESS_KEY") == NULL)
		return 0;
	name_source(s, "environment", "");
	return credentials_environment(a, out, err) < 0 ? err->code : 1;
}

static int
look_web_identity(struct credential_source *s, struct credentials *out, struct error *err)
{
	CLEANUP(free_profiles) struct profiles *profiles = NULL;
	struct asker *a = &s->asker;
	const char *region;

	if (asker_env(a, "AWS_WEB_IDENTITY_TOKEN_FILE") == NULL)
		return 0;
	name_source(s, "web identity", "");
	if (profiles_load(a->getenv, &profiles, err) < 0)
		return err->code;
	region = asker_region(a, profiles_get(profiles, profile_of(a), "region"));
	return credentials_web_identity(a, region, out, err) < 0 ? err->code : 1;
}

/* The files are read each time: what is mounted from a Secret changes under a running program. */
static int
look_profile(struct credential_source *s, struct credentials *out, struct error *err)
{
	CLEANUP(free_profiles) struct profiles *profiles = NULL;
	const char *profile = profile_of(&s->asker);
	char quoted[PROFILE_MAX];

	name_source(s, "profile", error_quote(quoted, sizeof(quoted), profile, strlen(profile)));
	if (profiles_load(s->asker.getenv, &profiles, err) < 0)
		return err->code;
	if (!credentials_profile_applies(profiles, profile)) {
		if (strcmp(profile, "default") != 0 && !profiles_has(profiles, profile))
			return error_set(
			    err, ERR_USAGE, "there is no such profile in AWS's credentials and config files");
		return 0;
	}
	return credentials_profile(&s->asker, profiles, profile, out, err) < 0 ? err->code : 1;
}

static int
look_container(struct credential_source *s, struct credentials *out, struct error *err)
{
	struct asker *a = &s->asker;

	if (asker_env(a, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") == NULL &&
	    asker_env(a, "AWS_CONTAINER_CREDENTIALS_FULL_URI") == NULL)
		return 0;
	name_source(s, "container", "");
	return credentials_container(a, out, err) < 0 ? err->code : 1;
}

static int
look_instance(struct credential_source *s, struct credentials *out, struct error *err)
{
	char role[CREDENTIALS_ROLE_MAX] = "";
	bool answered;
	int r;

	name_source(s, "instance role", "");
	r = credentials_imds(&s->asker, out, role, &answered, err);
	name_source(s, "instance role", role);
	if ((r == ERR_UNAVAILABLE || r == ERR_DENIED) && !answered && s->look == NULL) {
		s->absent = *err;
		return 0;
	}
	return r < 0 ? r : 1;
}

/* Keep new ones.  Those that live for less than ten minutes are renewed at half of their time. */
static void
hold(struct credential_source *s, struct credentials *fresh)
{
	int64_t now_s = s->asker.now();
	int64_t left_s = fresh->expires_s - now_s;

	fresh->serial = s->held.serial + 1;
	credentials_wipe(&s->held);
	s->held = *fresh;
	s->rejected = false;
	s->renew_s = left_s > 2 * RENEW_S ? fresh->expires_s - RENEW_S : now_s + left_s / 2;
}

static int
no_credentials(struct credential_source *s, struct error *err)
{
	const char *profile = profile_of(&s->asker);
	char quoted[PROFILE_MAX];

	return error_set(err, ERR_DENIED,
	    "no credentials: looked at AWS_ACCESS_KEY_ID, AWS_WEB_IDENTITY_TOKEN_FILE, profile %s, "
	    "AWS_CONTAINER_CREDENTIALS_FULL_URI and _RELATIVE_URI, instance metadata (%s)",
	    error_quote(quoted, sizeof(quoted), profile, strlen(profile)), s->absent.msg);
}

static int
find_source(struct credential_source *s, struct error *err)
{
	static look_fn *const usual[] = {
	    look_environment, look_web_identity, look_profile, look_container, look_instance};
	static look_fn *const chosen[] = {
	    look_profile, look_environment, look_web_identity, look_container, look_instance};
	look_fn *const *order = chosen_profile(&s->asker) != NULL ? chosen : usual;
	struct credentials fresh;

	for (size_t i = 0; i < COUNT_OF(usual); i++) {
		int r = order[i](s, &fresh, err);

		if (r < 0)
			return error_prefix(err, "credentials from %s", s->name);
		if (r > 0) {
			s->look = order[i];
			hold(s, &fresh);
			return 0;
		}
	}
	return no_credentials(s, err);
}

int
credential_source_new(const struct credential_settings *settings, struct credential_source **out, struct error *err)
{
	struct credential_source *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return error_nomem(err);
	(void)pthread_mutex_init(&s->lock, NULL);
	(void)pthread_cond_init(&s->renewed, NULL);
	if (asker_init(&s->asker, settings, err) < 0 || find_source(s, err) < 0) {
		credential_source_free(s);
		return err->code;
	}
	*out = s;
	return 0;
}

static bool
is_valid(const struct credential_source *s)
{
	return !s->rejected && s->asker.now() < s->held.expires_s;
}

/* With the lock, which nobody has while a service is asked. */
static int
ask_again(struct credential_source *s, struct error *err)
{
	struct credentials fresh;
	int r;

	s->renewing = true;
	(void)pthread_mutex_unlock(&s->lock);
	r = s->look(s, &fresh, err);
	if (r == 0)
		r = error_set(err, ERR_UNAVAILABLE, "they are no longer there");
	if (r < 0)
		(void)error_prefix(err, "credentials from %s", s->name);
	(void)pthread_mutex_lock(&s->lock);
	if (r > 0) {
		hold(s, &fresh);
	} else {
		s->failure = *err;
		s->renew_s = s->asker.now() + FAILED_PAUSE_S;
	}
	s->renewing = false;
	s->attempts++;
	(void)pthread_cond_broadcast(&s->renewed);
	return r < 0 ? r : 0;
}

/* With the lock: what is held is good afterwards, or it is an error. */
static int
make_valid(struct credential_source *s, struct error *err)
{
	bool valid = is_valid(s);
	uint64_t attempts = s->attempts;

	if (valid && (s->renewing || s->asker.now() < s->renew_s))
		return 0;
	if (!s->renewing)
		return ask_again(s, err) < 0 && !is_valid(s) ? (int)err->code : 0;
	while (s->attempts == attempts)
		(void)pthread_cond_wait(&s->renewed, &s->lock);
	if (is_valid(s))
		return 0;
	*err = s->failure;
	return err->code;
}

int
credential_source_get(struct credential_source *s, struct credentials *out, struct error *err)
{
	int r;

	(void)pthread_mutex_lock(&s->lock);
	r = make_valid(s, err);
	if (r == 0)
		r = credentials_set(out, s->held.access_key, s->held.secret_key, s->held.token, s->held.expires_s, err);
	if (r == 0)
		out->serial = s->held.serial;
	(void)pthread_mutex_unlock(&s->lock);
	return r;
}

void
credential_source_expired(struct credential_source *s, uint64_t serial)
{
	(void)pthread_mutex_lock(&s->lock);
	if (serial == s->held.serial)
		s->rejected = true;
	(void)pthread_mutex_unlock(&s->lock);
}

void
credential_source_end(struct credential_source *s)
{
	asker_end(&s->asker);
}

const char *
credential_source_name(const struct credential_source *s)
{
	return s->name;
}

void
credential_source_free(struct credential_source *s)
{
	if (s == NULL)
		return;
	credentials_wipe(&s->held);
	asker_free(&s->asker);
	(void)pthread_cond_destroy(&s->renewed);
	(void)pthread_mutex_destroy(&s->lock);
	free(s);
}
