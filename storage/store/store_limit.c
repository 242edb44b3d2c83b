/*
 * A store that keeps to a rate.
 *
 * Each direction has a bucket that holds what a second may carry.  A transfer takes its bytes at once, if need be more
 * than there are, and waits until the debt, its own and that of those before it, is paid: so the order of arrival is
 * kept and nobody starves.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "buf.h"
#include "error.h"
#include "store.h"

#define NANO UINT64_C(1000000000)

struct bucket {
	pthread_mutex_t lock;
	pthread_cond_t ended_cond;
	bool ended; /* store_end() */
	uint64_t per_s; /* 0: no limit */
	uint64_t paid_ns; /* when all that was taken so far is paid for, on the monotonic clock */
};

struct store_limit {
	struct store store;
	struct store *inner;
	struct bucket up, down;
};

static uint64_t
clock_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NANO + (uint64_t)now.tv_nsec;
}

static void
bucket_init(struct bucket *b, uint64_t per_s)
{
	pthread_condattr_t attr;

	(void)pthread_mutex_init(&b->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&b->ended_cond, &attr);
	(void)pthread_condattr_destroy(&attr);
	b->per_s = per_s;
	b->paid_ns = clock_ns();
}

static void
bucket_wipe(struct bucket *b)
{
	(void)pthread_cond_destroy(&b->ended_cond);
	(void)pthread_mutex_destroy(&b->lock);
}

/* How long so many bytes take, without overflow. */
static uint64_t
price_ns(uint64_t bytes, uint64_t per_s)
{
	double ns = (double)bytes / (double)per_s * (double)NANO;

	/* A century is as good as forever, and leaves room to add. */
	return ns > 3e18 ? UINT64_C(3000000000000000000) : (uint64_t)ns;
}

static int
bucket_take(struct bucket *b, size_t len, struct error *err)
{
	uint64_t now, due;
	struct timespec until;
	bool ended;

	if (b->per_s == 0 || len == 0)
		return 0;
	(void)pthread_mutex_lock(&b->lock);
	now = clock_ns();
	/* A bucket that was left alone is full, and holds one second. */
	if (now > NANO && b->paid_ns < now - NANO)
		b->paid_ns = now - NANO;
	due = b->paid_ns + price_ns(len, b->per_s);
	if (due < b->paid_ns)
		due = UINT64_MAX;
	b->paid_ns = due;
	until.tv_sec = (time_t)(due / NANO);
	until.tv_nsec = (long)(due % NANO);
	while (!b->ended && clock_ns() < due)
		(void)pthread_cond_timedwait(&b->ended_cond, &b->lock, &until);
	ended = b->ended;
	(void)pthread_mutex_unlock(&b->lock);
	return ended ? error_set(err, ERR_CANCELLED, "cancelled") : 0;
}

static void
bucket_end(struct bucket *b)
{
	(void)pthread_mutex_lock(&b->lock);
	b->ended = true;
	(void)pthread_cond_broadcast(&b->ended_cond);
	(void)pthread_mutex_unlock(&b->lock);
}

static int
limit_put(struct store *s, const char *key, const void *bytes, size_t len, enum store_kind kind, struct error *err)
{
	struct store_limit *l = (struct store_limit *)s;
	int r = bucket_take(&l->up, len, err);

	return r < 0 ? r : l->inner->ops->put(l->inner, key, bytes, len, kind, err);
}

static int
limit_get(struct store *s, const char *key, uint64_t offset, void *bytes, size_t len, struct error *err)
{
	struct store_limit *l = (struct store_limit *)s;
	int r = bucket_take(&l->down, len, err);

	return r < 0 ? r : store_get(l->inner, key, offset, bytes, len, err);
}

static int
limit_size(struct store *s, const char *key, uint64_t *out_size, struct error *err)
{
	return store_size(((struct store_limit *)s)->inner, key, out_size, err);
}

/* Paid for afterwards, when the length is known: it is bounded, and a debt slows down the next one. */
static int
limit_load(struct store *s, const char *key, size_t limit, struct buf *out, struct error *err)
{
	struct store_limit *l = (struct store_limit *)s;
	size_t before = out->len;
	int r = store_load(l->inner, key, limit, out, err);

	return r < 0 ? r : bucket_take(&l->down, out->len - before, err);
}

static int
limit_list(struct store *s, const char *prefix, store_list_fn *fn, void *arg, struct error *err)
{
	return store_list(((struct store_limit *)s)->inner, prefix, fn, arg, err);
}

static int
limit_remove(struct store *s, const char *key, struct error *err)
{
	return store_remove(((struct store_limit *)s)->inner, key, err);
}

static void
limit_end(struct store *s)
{
	struct store_limit *l = (struct store_limit *)s;

	bucket_end(&l->up);
	bucket_end(&l->down);
	store_end(l->inner);
}

static void
limit_free(struct store *s)
{
	struct store_limit *l = (struct store_limit *)s;

	store_free(l->inner);
	bucket_wipe(&l->up);
	bucket_wipe(&l->down);
	free(l);
}

static const struct store_ops limit_ops = {
    .name = "limit",
    .put = limit_put,
    .get = limit_get,
    .size = limit_size,
    .load = limit_load,
    .list = limit_list,
    .remove = limit_remove,
    .end = limit_end,
    .free = limit_free,
};

int
store_limit_new(
    struct store *inner, uint64_t upload_per_s, uint64_t download_per_s, struct store **out, struct error *err)
{
	struct store_limit *l = calloc(1, sizeof(*l));

	if (l == NULL) {
		store_free(inner);
		return error_nomem(err);
	}
	l->store.ops = &limit_ops;
	l->inner = inner;
	bucket_init(&l->up, upload_per_s);
	bucket_init(&l->down, download_per_s);
	*out = &l->store;
	return 0;
}
