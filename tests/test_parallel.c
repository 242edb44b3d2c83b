/* Results come in order, not too many at a time, and every failure ends it without losing one. */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "cleanup.h"
#include "error.h"
#include "parallel.h"

struct test {
	size_t fail_at; /* take() fails there, or make() has no memory; SIZE_MAX: never */
	bool in_make;
	size_t next;
	atomic_uint running, most, alive, most_alive;
};

static struct test *now; /* for dispose() */

static void
note_most(atomic_uint *most, unsigned n)
{
	unsigned old = atomic_load(most);

	while (old < n && !atomic_compare_exchange_weak(most, &old, n))
		continue;
}

static void *
make(void *arg, size_t i)
{
	const struct timespec pause = {.tv_nsec = (long)(i * 7919 % 13) * 100000};
	struct test *t = arg;
	size_t *result;

	if (t->in_make && i == t->fail_at)
		return NULL;
	note_most(&t->most, atomic_fetch_add(&t->running, 1) + 1);
	note_most(&t->most_alive, atomic_fetch_add(&t->alive, 1) + 1);
	(void)nanosleep(&pause, NULL);
	result = malloc(sizeof *result);
	CHECK(result != NULL);
	*result = i * 3;
	(void)atomic_fetch_sub(&t->running, 1);
	return result;
}

static void
dispose(void *result)
{
	(void)atomic_fetch_sub(&now->alive, 1);
	free(result);
}

static int
take(void *arg, size_t i, void *result, struct error *err)
{
	struct test *t = arg;

	CHECK_INT(i, t->next++);
	CHECK_INT(*(size_t *)result, i * 3);
	dispose(result);
	return !t->in_make && i == t->fail_at ? error_set(err, ERR_DENIED, "no more") : 0;
}

static void
run(size_t count, unsigned threads, size_t fail_at, bool in_make)
{
	struct test t = {.fail_at = fail_at, .in_make = in_make};
	struct parallel p = {
	    .count = count, .threads = threads, .make = make, .take = take, .dispose = dispose, .arg = &t};
	struct error err = {0};
	int r;

	now = &t;
	r = parallel_run(&p, &err);
	CHECK_INT(r, fail_at >= count ? 0 : in_make ? ERR_NOMEM : ERR_DENIED);
	CHECK_INT(err.code, r);
	if (fail_at >= count)
		CHECK_INT(t.next, count);
	else
		CHECK(t.next <= fail_at + 1);
	CHECK_INT(atomic_load(&t.alive), 0);
	CHECK(atomic_load(&t.most) <= MAX(threads, 1u));
	/* Those in the queue, those that wait for room in it, and the one that is taken. */
	CHECK(atomic_load(&t.most_alive) <= 2 * threads + 1);
	if (count >= 200 && fail_at >= count && threads > 1)
		CHECK(atomic_load(&t.most) > 1);
}

int
main(void)
{
	static const size_t counts[] = {0, 1, 2, 7, 300};
	static const unsigned threads[] = {0, 1, 2, 5, 64};

	(void)alarm(60);
	for (size_t c = 0; c < COUNT_OF(counts); c++)
		for (size_t n = 0; n < COUNT_OF(threads); n++) {
			run(counts[c], threads[n], SIZE_MAX, false);
			for (size_t at = 0; at < counts[c]; at += 1 + at) {
				run(counts[c], threads[n], at, false);
				run(counts[c], threads[n], at, true);
			}
		}
	return 0;
}
