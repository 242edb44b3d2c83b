/*
 * The store that keeps a list of the calls.
 */
#include "store_trace.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store.h"
#include "store_internal.h"

enum { LINE = 200, LINES = 65536, PAGE = 1000 };

struct store_trace {
	struct store store;
	struct store *inner;
	pthread_mutex_t lock; /* guards what follows */
	char (*lines)[LINE];
	uint64_t count;
	unsigned running, most, delay_ms;
};

static void
request(struct store_trace *t, const char *op, const char *key)
{
	struct timespec pause;

	(void)pthread_mutex_lock(&t->lock);
	if (t->count < LINES)
		(void)snprintf(t->lines[t->count], LINE, "%s %.180s", op, key);
	t->count++;
	if (++t->running > t->most)
		t->most = t->running;
	pause = (struct timespec){.tv_sec = t->delay_ms / 1000, .tv_nsec = (long)(t->delay_ms % 1000) * 1000000};
	(void)pthread_mutex_unlock(&t->lock);
	if (pause.tv_sec != 0 || pause.tv_nsec != 0)
		(void)nanosleep(&pause, NULL);
}

static int
done(struct store_trace *t, int r)
{
	(void)pthread_mutex_lock(&t->lock);
	t->running--;
	(void)pthread_mutex_unlock(&t->lock);
	return r;
}

static int
trace_put(struct store *s, const char *key, const void *bytes, size_t len, enum store_kind kind, struct error *err)
{
	struct store_trace *t = (struct store_trace *)s;

	request(t, "put", key);
	return done(t, t->inner->ops->put(t->inner, key, bytes, len, kind, err));
}

static int
trace_get(struct store *s, const char *key, uint64_t offset, void *bytes, size_t len, struct error *err)
{
	struct store_trace *t = (struct store_trace *)s;

	request(t, "get", key);
	return done(t, store_get(t->inner, key, offset, bytes, len, err));
}

static int
trace_size(struct store *s, const char *key, uint64_t *out_size, struct error *err)
{
	struct store_trace *t = (struct store_trace *)s;

	request(t, "size", key);
	return done(t, store_size(t->inner, key, out_size, err));
}

static int
trace_load(struct store *s, const char *key, size_t limit, struct buf *out, struct error *err)
{
	struct store_trace *t = (struct store_trace *)s;

	request(t, "load", key);
	return done(t, store_load(t->inner, key, limit, out, err));
}

struct page {
	struct store_trace *t;
	const char *prefix;
	store_list_fn *fn;
	void *arg;
	size_t told;
};

static int
tell(void *arg, const struct store_object *object, struct error *err)
{
	struct page *p = arg;

	if (p->told++ % PAGE == 0) {
		request(p->t, "list", p->prefix);
		(void)done(p->t, 0);
	}
	return p->fn(p->arg, object, err);
}

static int
trace_list(struct store *s, const char *prefix, store_list_fn *fn, void *arg, struct error *err)
{
	struct store_trace *t = (struct store_trace *)s;
	struct page p = {.t = t, .prefix = prefix, .fn = fn, .arg = arg};
	int r = store_list(t->inner, prefix, tell, &p, err);

	if (p.told == 0) {
		request(t, "list", prefix);
		(void)done(t, 0);
	}
	return r;
}

static int
trace_remove(struct store *s, const char *key, struct error *err)
{
	struct store_trace *t = (struct store_trace *)s;

	request(t, "remove", key);
	return done(t, store_remove(t->inner, key, err));
}

static void
trace_free(struct store *s)
{
	struct store_trace *t = (struct store_trace *)s;

	(void)pthread_mutex_destroy(&t->lock);
	free(t->lines);
	free(t);
}

static const struct store_ops trace_ops = {
    .name = "trace",
    .put = trace_put,
    .get = trace_get,
    .size = trace_size,
    .load = trace_load,
    .list = trace_list,
    .remove = trace_remove,
    .free = trace_free,
};

int
store_trace_new(struct store *inner, struct store **out, struct error *err)
{
	struct store_trace *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return error_nomem(err);
	t->lines = calloc(LINES, sizeof(t->lines[0]));
	if (t->lines == NULL) {
		free(t);
		return error_nomem(err);
	}
	t->store.ops = &trace_ops;
	t->inner = inner;
	(void)pthread_mutex_init(&t->lock, NULL);
	*out = &t->store;
	return 0;
}

void
store_trace_delay(struct store *s, unsigned ms)
{
	struct store_trace *t = (struct store_trace *)s;

	(void)pthread_mutex_lock(&t->lock);
	t->delay_ms = ms;
	(void)pthread_mutex_unlock(&t->lock);
}

uint64_t
store_trace_requests(struct store *s)
{
	struct store_trace *t = (struct store_trace *)s;
	uint64_t count;

	(void)pthread_mutex_lock(&t->lock);
	count = t->count;
	(void)pthread_mutex_unlock(&t->lock);
	return count;
}

unsigned
store_trace_parallel(struct store *s)
{
	struct store_trace *t = (struct store_trace *)s;
	unsigned most;

	(void)pthread_mutex_lock(&t->lock);
	most = t->most;
	(void)pthread_mutex_unlock(&t->lock);
	return most;
}

static bool
matches(const char *line, const char *op, const char *part)
{
	return strncmp(line, op, strlen(op)) == 0 && strstr(line, part) != NULL;
}

uint64_t
store_trace_count(struct store *s, const char *op, const char *part)
{
	struct store_trace *t = (struct store_trace *)s;
	uint64_t count = 0;

	(void)pthread_mutex_lock(&t->lock);
	for (uint64_t i = 0; i < t->count && i < LINES; i++)
		count += matches(t->lines[i], op, part);
	(void)pthread_mutex_unlock(&t->lock);
	return count;
}

uint64_t
store_trace_first(struct store *s, const char *op, const char *part)
{
	struct store_trace *t = (struct store_trace *)s;
	uint64_t first = 0;

	(void)pthread_mutex_lock(&t->lock);
	for (uint64_t i = 0; first == 0 && i < t->count && i < LINES; i++)
		if (matches(t->lines[i], op, part))
			first = i + 1;
	(void)pthread_mutex_unlock(&t->lock);
	return first;
}

void
store_trace_forget(struct store *s)
{
	struct store_trace *t = (struct store_trace *)s;

	(void)pthread_mutex_lock(&t->lock);
	t->count = 0;
	t->most = 0;
	(void)pthread_mutex_unlock(&t->lock);
}

void
store_trace_print(struct store *s, FILE *to)
{
	struct store_trace *t = (struct store_trace *)s;

	(void)pthread_mutex_lock(&t->lock);
	for (uint64_t i = 0; i < t->count && i < LINES; i++)
		(void)fprintf(to, "%3llu %s\n", (unsigned long long)i + 1, t->lines[i]);
	(void)pthread_mutex_unlock(&t->lock);
}
