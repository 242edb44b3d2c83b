/* Open folders, counted one by one and all together. */
#include "folder.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "error.h"
#include "walker.h"

struct folder_pool {
	pthread_mutex_t lock;
	pthread_cond_t released;
	unsigned alive, max;
	bool cancelled;
	bool owned;
};

struct folder {
	atomic_uint refs;
	int fd;
	struct folder_pool *pool;
};

struct folder_pool *
folder_pool_new(unsigned max)
{
	struct folder_pool *p = calloc(1, sizeof *p);

	if (p == NULL)
		return NULL;
	(void)pthread_mutex_init(&p->lock, NULL);
	(void)pthread_cond_init(&p->released, NULL);
	p->max = max;
	p->owned = true;
	return p;
}

static void
pool_destroy(struct folder_pool *p)
{
	(void)pthread_cond_destroy(&p->released);
	(void)pthread_mutex_destroy(&p->lock);
	free(p);
}

void
folder_pool_free(struct folder_pool *p)
{
	bool last;

	if (p == NULL)
		return;
	(void)pthread_mutex_lock(&p->lock);
	p->owned = false;
	last = p->alive == 0;
	(void)pthread_mutex_unlock(&p->lock);
	if (last)
		pool_destroy(p);
}

bool
folder_pool_full(struct folder_pool *p)
{
	bool full;

	(void)pthread_mutex_lock(&p->lock);
	full = p->alive >= p->max;
	(void)pthread_mutex_unlock(&p->lock);
	return full;
}

int
folder_pool_wait(struct folder_pool *p, struct error *err)
{
	bool cancelled;

	(void)pthread_mutex_lock(&p->lock);
	while (p->alive >= p->max && !p->cancelled)
		(void)pthread_cond_wait(&p->released, &p->lock);
	cancelled = p->cancelled;
	(void)pthread_mutex_unlock(&p->lock);
	return cancelled ? error_set(err, ERR_CANCELLED, "cancelled") : 0;
}

void
folder_pool_cancel(struct folder_pool *p)
{
	(void)pthread_mutex_lock(&p->lock);
	p->cancelled = true;
	(void)pthread_cond_broadcast(&p->released);
	(void)pthread_mutex_unlock(&p->lock);
}

struct folder *
folder_new(struct folder_pool *pool, int fd)
{
	struct folder *f = malloc(sizeof *f);

	if (f == NULL) {
		(void)close(fd);
		return NULL;
	}
	atomic_init(&f->refs, 1);
	f->fd = fd;
	f->pool = pool;
	(void)pthread_mutex_lock(&pool->lock);
	pool->alive++;
	(void)pthread_mutex_unlock(&pool->lock);
	return f;
}

struct folder *
folder_ref(struct folder *f)
{
	(void)atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed);
	return f;
}

void
folder_unref(struct folder *f)
{
	struct folder_pool *pool;
	bool last;

	if (f == NULL || atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel) > 1)
		return;
	pool = f->pool;
	/* Closed before it is counted as gone: whoever waits may need the descriptor. */
	(void)close(f->fd);
	free(f);
	(void)pthread_mutex_lock(&pool->lock);
	pool->alive--;
	last = pool->alive == 0 && !pool->owned;
	(void)pthread_cond_signal(&pool->released);
	(void)pthread_mutex_unlock(&pool->lock);
	if (last)
		pool_destroy(pool);
}

int
folder_fd(const struct folder *f)
{
	return f->fd;
}
