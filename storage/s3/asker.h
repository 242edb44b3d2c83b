#ifndef ASKER_H_
#define ASKER_H_

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct credential_settings;
struct error;
struct http;
struct http_reply;
struct http_request;

/*
 * What asking for credentials takes: settings, the environment, a clock, connections, and a way to be told to stop.
 * One thread asks at a time; asker_end() comes from any.
 */
struct asker {
	const char *(*getenv)(const char *name);
	int64_t (*now)(void);
	char *profile, *region, *sts_endpoint; /* the settings; NULL: not set */
	struct http *local; /* services of the machine: no proxy, and quickly given up */
	struct http *sts;
	int64_t sts_skew_s; /* its clock less ours, as its answers' dates tell; 0 until they are a minute off */
	unsigned pause_ms; /* before the second try; each further one comes after about twice as long */
	unsigned process_ms; /* for a credential_process */
	pthread_mutex_t lock; /* of ended */
	pthread_cond_t wake;
	bool ended;
};

int asker_init(struct asker *, const struct credential_settings *, struct error *);
/* Also one that asker_init() left half-built, or zeroed. */
void asker_free(struct asker *);
void asker_end(struct asker *);

/* A variable of the environment; NULL when it is not set or empty. */
const char *asker_env(const struct asker *, const char *name);
/* The region for STS: settings, environment, then the given one of a profile (NULL: none), then us-east-1. */
const char *asker_region(const struct asker *, const char *of_profile);
/* Wait; ERR_CANCELLED as soon as asker_end() is called. */
int asker_pause(struct asker *, unsigned ms, struct error *);
/*
 * An exchange that is tried again, after a pause, when the network fails or the service says 429 or 5xx.  0 with the
 * last reply, whatever its status is, when one came.  The reply's body is wiped in between.
 */
int asker_exchange(
    struct asker *, struct http *, const struct http_request *, struct http_reply *, unsigned tries, struct error *);
/* A status that is no success as an error: ERR_UNAVAILABLE where another try was worth it, ERR_DENIED. */
int asker_refused(int status, const char *what, struct error *);

#endif
