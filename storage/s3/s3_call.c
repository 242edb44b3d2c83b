/*
 * One call to the server: tried again while that makes sense.
 */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "cleanup.h"
#include "s3_internal.h"

enum {
	MENDS_MAX = 3,
};

static int64_t
clock_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* False when the store has ended. */
static bool
pause_until(struct s3 *s, int64_t due_ms)
{
	const struct timespec until = {.tv_sec = due_ms / 1000, .tv_nsec = due_ms % 1000 * 1000000};
	bool ended;

	(void)pthread_mutex_lock(&s->lock);
	while (!s->ended && clock_ms() < due_ms)
		(void)pthread_cond_timedwait(&s->ended_cond, &s->lock, &until);
	ended = s->ended;
	(void)pthread_mutex_unlock(&s->lock);
	return !ended;
}

static unsigned
choose_pause(const struct s3_answer *a, const struct s3_verdict *v)
{
	uint32_t random;
	unsigned own, asked = s3_retry_after_ms(s3_answer_header(a, "retry-after"), time(NULL));

	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		random = UINT32_MAX / 2;
	own = s3_pause_ms(a->tries, v->action == S3_RETRY_SLOWER, random);
	/* Not all at the very moment that the server has named. */
	return asked > 0 ? asked + own / 4 : own;
}

static int
give_up(const struct s3_answer *a, int64_t begun_ms, struct error *err)
{
	return error_prefix(err, "given up after %u %s in %lld s", a->tries, a->tries == 1 ? "try" : "tries",
	    (long long)(clock_ms() - begun_ms) / 1000);
}

/* Another try makes sense now or after a pause: 1; or does not: the error. */
static int
again(struct s3 *s, const struct s3_request *q, struct s3_answer *a, const struct s3_verdict *v, unsigned *mends,
    int64_t begun_ms, struct error *err)
{
	unsigned limit_s = atomic_load(&s->answered) ? s->retry_s : MIN(s->retry_s, s->first_answer_s);
	int64_t due;

	if (v->mend != S3_MEND_NOTHING && (*mends)++ < MENDS_MAX && !q->once &&
	    (v->mend != S3_MEND_AGAIN || *mends == 1))
		return 1;
	if (v->action == S3_FAIL || q->once || (q->divisible && a->timed_out))
		return v->code;
	/* The verdict may be about the answer; that there is none that counts is what remains. */
	due = clock_ms() + choose_pause(a, v);
	/* A single connection that stalls may take all the time: that is no sign that the next one would. */
	if (due - begun_ms >= (int64_t)limit_s * 1000 &&
	    (a->tries > 1 || (a->reply.status != 0 && !a->reply.timed_out)))
		return give_up(a, begun_ms, err);
	return pause_until(s, due) ? 1 : error_set(err, ERR_CANCELLED, "cancelled");
}

int
s3_call(struct s3 *s, const struct s3_request *q, struct s3_answer *a, struct error *err)
{
	char hash[SIGV4_HASH_LEN + 1] = SIGV4_UNSIGNED;
	int64_t begun_ms = clock_ms();
	unsigned mends = 0;
	int r = 0;

	memset(a, 0, sizeof(*a));
	if (q->false_hash != NULL)
		(void)snprintf(hash, sizeof(hash), "%s", q->false_hash);
	else if (!q->unsigned_body)
		r = sigv4_hash(q->body, q->body_len, hash, err);
	while (r >= 0) {
		struct s3_verdict v = s3_try(s, q, hash, a, err);

		if (v.action == S3_DONE)
			return 0;
		r = again(s, q, a, &v, &mends, begun_ms, err);
	}
	return r;
}
