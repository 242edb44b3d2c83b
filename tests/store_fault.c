/*
 * The store that fails when it is told to.
 *
 * A call is counted, and its fate decided, under the lock; the work itself is done without it.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "store.h"
#include "store_fault.h"
#include "store_internal.h"

enum { OPS = 5 };

struct store_fault {
	struct store store;
	struct store *inner;
	pthread_mutex_t lock; /* guards what follows */
	uint64_t counts[OPS]; /* by number of bit */
	struct store_fault_plan plan;
	uint64_t planned; /* calls since the plan was made that count for it */
	uint64_t flip_nth, flip_gets;
	size_t flip_at;
	uint8_t flip_bits;
};

/* What is to happen to one call. */
struct fate {
	enum error_code before, after;
	size_t flip_at;
	uint8_t flip_bits;
};

static struct fate
decide(struct store_fault *f, unsigned op)
{
	struct fate fate = {0};

	(void)pthread_mutex_lock(&f->lock);
	f->counts[__builtin_ctz(op)]++;
	if ((f->plan.ops & op) != 0) {
		uint64_t n = ++f->planned;

		if (n == f->plan.nth || (f->plan.and_later && n > f->plan.nth))
			*(f->plan.after ? &fate.after : &fate.before) = f->plan.code;
	}
	if (op == STORE_FAULT_GET && f->flip_nth != 0 && ++f->flip_gets == f->flip_nth) {
		fate.flip_at = f->flip_at;
		fate.flip_bits = f->flip_bits;
	}
	(void)pthread_mutex_unlock(&f->lock);
	return fate;
}

static int
inject(enum error_code code, const char *what, const char *key, struct error *err)
{
	return error_set(err, code, "injected failure %s: %s", what, key);
}

static int
finish(int r, const struct fate *fate, const char *key, struct error *err)
{
	return r >= 0 && fate->after != ERR_OK ? inject(fate->after, "after the work", key, err) : r;
}

static int
fault_put(struct store *s, const char *key, const void *bytes, size_t len, enum store_kind kind, struct error *err)
{
	struct store_fault *f = (struct store_fault *)s;
	struct fate fate = decide(f, STORE_FAULT_PUT);

	if (fate.before != ERR_OK)
		return inject(fate.before, "of put", key, err);
	return finish(f->inner->ops->put(f->inner, key, bytes, len, kind, err), &fate, key, err);
}

static int
fault_get(struct store *s, const char *key, uint64_t offset, void *bytes, size_t len, struct error *err)
{
	struct store_fault *f = (struct store_fault *)s;
	struct fate fate = decide(f, STORE_FAULT_GET);
	int r;

	if (fate.before != ERR_OK)
		return inject(fate.before, "of get", key, err);
	r = store_get(f->inner, key, offset, bytes, len, err);
	if (r >= 0 && len > 0)
		((uint8_t *)bytes)[fate.flip_at % len] ^= fate.flip_bits;
	return finish(r, &fate, key, err);
}

static int
fault_size(struct store *s, const char *key, uint64_t *out_size, struct error *err)
{
	struct store_fault *f = (struct store_fault *)s;
	struct fate fate = decide(f, STORE_FAULT_SIZE);

	if (fate.before != ERR_OK)
		return inject(fate.before, "of size", key, err);
	return finish(store_size(f->inner, key, out_size, err), &fate, key, err);
}

static int
fault_list(struct store *s, const char *prefix, store_list_fn *fn, void *arg, struct error *err)
{
	struct store_fault *f = (struct store_fault *)s;
	struct fate fate = decide(f, STORE_FAULT_LIST);

	if (fate.before != ERR_OK)
		return inject(fate.before, "of list", prefix, err);
	return finish(store_list(f->inner, prefix, fn, arg, err), &fate, prefix, err);
}

static int
fault_remove(struct store *s, const char *key, struct error *err)
{
	struct store_fault *f = (struct store_fault *)s;
	struct fate fate = decide(f, STORE_FAULT_REMOVE);

	if (fate.before != ERR_OK)
		return inject(fate.before, "of remove", key, err);
	return finish(store_remove(f->inner, key, err), &fate, key, err);
}

static void
fault_free(struct store *s)
{
	struct store_fault *f = (struct store_fault *)s;

	store_free(f->inner);
	(void)pthread_mutex_destroy(&f->lock);
	free(f);
}

static const struct store_ops fault_ops = {
    .name = "fault",
    .put = fault_put,
    .get = fault_get,
    .size = fault_size,
    .load = store_load_in_two,
    .list = fault_list,
    .remove = fault_remove,
    .free = fault_free,
};

int
store_fault_new(struct store *inner, struct store **out, struct error *err)
{
	struct store_fault *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return error_nomem(err);
	f->store.ops = &fault_ops;
	f->inner = inner;
	(void)pthread_mutex_init(&f->lock, NULL);
	*out = &f->store;
	return 0;
}

void
store_fault_fail(struct store *s, const struct store_fault_plan *plan)
{
	struct store_fault *f = (struct store_fault *)s;

	(void)pthread_mutex_lock(&f->lock);
	f->plan = plan != NULL ? *plan : (struct store_fault_plan){0};
	f->planned = 0;
	(void)pthread_mutex_unlock(&f->lock);
}

void
store_fault_flip(struct store *s, uint64_t nth, size_t at, uint8_t bits)
{
	struct store_fault *f = (struct store_fault *)s;

	(void)pthread_mutex_lock(&f->lock);
	f->flip_nth = nth;
	f->flip_gets = 0;
	f->flip_at = at;
	f->flip_bits = bits;
	(void)pthread_mutex_unlock(&f->lock);
}

uint64_t
store_fault_count(struct store *s, unsigned ops)
{
	struct store_fault *f = (struct store_fault *)s;
	uint64_t sum = 0;

	(void)pthread_mutex_lock(&f->lock);
	for (unsigned bit = 0; bit < OPS; bit++)
		sum += (ops & 1u << bit) != 0 ? f->counts[bit] : 0;
	(void)pthread_mutex_unlock(&f->lock);
	return sum;
}
