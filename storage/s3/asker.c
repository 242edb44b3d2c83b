/*
 * What asking for credentials takes.
 */
#include "asker.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "buf.h"
#include "cleanup.h"
#include "credentials.h"
#include "crypto.h"
#include "error.h"
#include "http.h"

enum { LOCAL_CONNECT_MS = 1000, PAUSE_MS = 200, PROCESS_MS = 60 * 1000 };

static const char *
process_env(const char *name)
{
	return getenv(name);
}

static int64_t
process_now(void)
{
	return (int64_t)time(NULL);
}

static int
copy_text(const char *text, char **out, struct error *err)
{
	if (text == NULL || *text == '\0')
		return 0;
	*out = strdup(text);
	return *out == NULL ? error_nomem(err) : 0;
}

/* Pauses are measured by a clock that nobody sets. */
static void
init_wake(struct asker *a)
{
	pthread_condattr_t attr;

	(void)pthread_mutex_init(&a->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&a->wake, &attr);
	(void)pthread_condattr_destroy(&attr);
}

int
asker_init(struct asker *a, const struct credential_settings *s, struct error *err)
{
	const struct http_settings local = {.no_proxy = true, .connect_ms = LOCAL_CONNECT_MS};
	const struct http_settings sts = {.ca_file = s->ca_file};

	memset(a, 0, sizeof(*a));
	a->getenv = s->getenv == NULL ? process_env : s->getenv;
	a->now = s->now == NULL ? process_now : s->now;
	a->pause_ms = PAUSE_MS;
	a->process_ms = PROCESS_MS;
	init_wake(a);
	if (copy_text(s->profile, &a->profile, err) < 0 || copy_text(s->region, &a->region, err) < 0 ||
	    copy_text(s->sts_endpoint, &a->sts_endpoint, err) < 0 || http_new(&local, &a->local, err) < 0 ||
	    http_new(&sts, &a->sts, err) < 0)
		return err->code;
	return 0;
}

void
asker_free(struct asker *a)
{
	http_free(a->local);
	http_free(a->sts);
	free(a->profile);
	free(a->region);
	free(a->sts_endpoint);
	if (a->getenv == NULL)
		return;
	(void)pthread_cond_destroy(&a->wake);
	(void)pthread_mutex_destroy(&a->lock);
}

void
asker_end(struct asker *a)
{
	http_end(a->local);
	http_end(a->sts);
	(void)pthread_mutex_lock(&a->lock);
	a->ended = true;
	(void)pthread_cond_broadcast(&a->wake);
	(void)pthread_mutex_unlock(&a->lock);
}

const char *
asker_env(const struct asker *a, const char *name)
{
	const char *value = a->getenv(name);

	return value == NULL || *value == '\0' ? NULL : value;
}

const char *
asker_region(const struct asker *a, const char *of_profile)
{
	const char *region = a->region;

	if (region == NULL)
		region = asker_env(a, "AWS_REGION");
	if (region == NULL)
		region = asker_env(a, "AWS_DEFAULT_REGION");
	if (region == NULL)
		region = of_profile;
	return region == NULL ? "us-east-1" : region;
}

int
asker_pause(struct asker *a, unsigned ms, struct error *err)
{
	struct timespec until;
	bool ended;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	(void)pthread_mutex_lock(&a->lock);
	while (!a->ended && pthread_cond_timedwait(&a->wake, &a->lock, &until) == 0)
		;
	ended = a->ended;
	(void)pthread_mutex_unlock(&a->lock);
	return ended ? error_set(err, ERR_CANCELLED, "cancelled") : 0;
}

static bool
is_transient(int status)
{
	return status >= 500 || status == 429;
}

/* Many machines that start together do not come back together: between one half and one and a half of ms. */
static unsigned
jitter(unsigned ms)
{
	uint16_t random = UINT16_MAX / 2;
	struct error ignored;

	(void)crypto_random(&random, sizeof(random), &ignored);
	return ms / 2 + (unsigned)((uint64_t)ms * random / UINT16_MAX);
}

int
asker_exchange(struct asker *a, struct http *h, const struct http_request *request, struct http_reply *reply,
    unsigned tries, struct error *err)
{
	unsigned pause_ms = a->pause_ms;
	int r;

	for (unsigned i = 1;; i++, pause_ms *= 2) {
		r = http_exchange(h, request, reply, err);
		if (i >= tries || (r == 0 && !is_transient(reply->status)) || (r < 0 && r != ERR_UNAVAILABLE))
			return r;
		if (asker_pause(a, jitter(pause_ms), err) < 0)
			return err->code;
		if (reply->body->len > 0)
			crypto_wipe(reply->body->data, reply->body->len);
		buf_reset(reply->body);
	}
}

int
asker_refused(int status, const char *what, struct error *err)
{
	return error_set(err, is_transient(status) ? ERR_UNAVAILABLE : ERR_DENIED, "%s: HTTP status %d", what, status);
}
