/*
 * One call of the store over libs3: tried again while that makes sense.
 */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "cleanup.h"
#include "store_libs3_internal.h"

enum {
	MENDS_MAX = 3,
	FIRST_ANSWER_S = 20, /* how long a server that has never answered is believed in */
};

/* How far a call has come. */
struct progress {
	int64_t begun_ms;
	unsigned tries, mends;
};

static int64_t
clock_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int
describe(const struct store_libs3_call *c, const struct store_libs3_request *r, enum error_code code, struct error *err)
{
	const char *bucket = r->s->place.bucket;

	if (code == ERR_NO_REPOSITORY)
		return error_set(err, code, "bucket %s does not exist", bucket);
	return error_set(err, code, "libs3, bucket %s at %s: %s %s: %s%s%s%s", bucket, r->s->host, c->name,
	    c->key != NULL ? c->key : "the bucket", store_libs3_status_answered(r->status) ? "the server says " : "",
	    store_libs3_status_name(r->status), r->text[0] != '\0' ? ": " : "", r->text);
}

int
store_libs3_call_check(const struct credentials *c, struct error *err)
{
	if (c->token == NULL || c->token[0] == '\0' || store_libs3_request_sigv4())
		return 0;
	return error_set(
	    err, ERR_UNSUPPORTED, "this libs3 knows no session tokens: credentials without one are needed");
}

static int
cancelled(struct error *err)
{
	return error_set(err, ERR_CANCELLED, "cancelled");
}

/* On S3_DONE err is untouched. */
static struct s3_verdict
try_once(struct store_libs3 *s, const struct store_libs3_call *c, struct store_libs3_request *r, struct error *err)
{
	CLEANUP(credentials_wipe) struct credentials credentials = {0};
	struct s3_verdict v;
	int code = atomic_load(&s->ended) ? cancelled(err) : credential_source_get(s->credentials, &credentials, err);

	if (code == 0)
		code = store_libs3_call_check(&credentials, err);
	if (code < 0)
		return (struct s3_verdict){S3_FAIL, code, S3_MEND_NOTHING};
	*r = (struct store_libs3_request){.s = s, .credentials = &credentials};
	c->fn(r, c->arg);
	r->credentials = NULL;
	if (store_libs3_status_answered(r->status) || r->length > 0)
		atomic_store(&s->answered, true);
	v = store_libs3_status_verdict(r->status, c->key != NULL);
	if (v.action == S3_DONE)
		return v;
	if (v.mend == S3_MEND_CREDENTIALS)
		credential_source_expired(s->credentials, credentials.serial);
	(void)describe(c, r, v.code, err);
	return v;
}

/* False when the store has ended. */
static bool
pause_until(struct store_libs3 *s, int64_t due_ms)
{
	const struct timespec until = {.tv_sec = due_ms / 1000, .tv_nsec = due_ms % 1000 * 1000000};

	(void)pthread_mutex_lock(&s->lock);
	while (!atomic_load(&s->ended) && clock_ms() < due_ms)
		(void)pthread_cond_timedwait(&s->ended_cond, &s->lock, &until);
	(void)pthread_mutex_unlock(&s->lock);
	return !atomic_load(&s->ended);
}

static unsigned
choose_pause(unsigned tries, const struct s3_verdict *v)
{
	uint32_t random;

	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		random = UINT32_MAX / 2;
	return s3_pause_ms(tries, v->action == S3_RETRY_SLOWER, random);
}

/* Another try makes sense now or after a pause: 1; or does not: the error. */
static int
again(struct store_libs3 *s, struct progress *p, const struct s3_verdict *v, struct error *err)
{
	unsigned limit_s = atomic_load(&s->answered) ? s->retry_s : MIN(s->retry_s, (unsigned)FIRST_ANSWER_S);
	int64_t due;

	if (atomic_load(&s->ended))
		return cancelled(err);
	if (v->mend != S3_MEND_NOTHING && p->mends++ < MENDS_MAX && (v->mend != S3_MEND_AGAIN || p->mends == 1))
		return 1;
	if (v->action == S3_FAIL)
		return v->code;
	due = clock_ms() + choose_pause(p->tries, v);
	if (due - p->begun_ms >= (int64_t)limit_s * 1000)
		return error_prefix(err, "given up after %u %s in %lld s", p->tries, p->tries == 1 ? "try" : "tries",
		    (long long)(clock_ms() - p->begun_ms) / 1000);
	return pause_until(s, due) ? 1 : cancelled(err);
}

int
store_libs3_call(
    struct store_libs3 *s, const struct store_libs3_call *c, struct store_libs3_request *r, struct error *err)
{
	struct progress p = {.begun_ms = clock_ms()};
	int more;

	do {
		struct s3_verdict v = try_once(s, c, r, err);

		if (v.action == S3_DONE)
			return 0;
		p.tries++;
		more = again(s, &p, &v, err);
	} while (more > 0);
	return more;
}
