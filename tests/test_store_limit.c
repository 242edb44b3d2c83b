/*
 * The promises of store_limit_new(): rates are kept, and everything else is the store below.  Lower bounds of time
 * only: a busy machine takes longer, never less.
 */
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "buf.h"
#include "check.h"
#include "store.h"

static uint8_t bytes[256 * 1024];

static uint64_t
clock_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static struct store *
open_limited(uint64_t up, uint64_t down)
{
	struct store *mem, *s;
	struct error err;

	CHECK_OK(store_mem_open(&mem, &err), &err);
	CHECK_OK(store_limit_new(mem, up, down, &s, &err), &err);
	return s;
}

static int
count_one(void *arg, const struct store_object *object, struct error *err)
{
	(void)err;
	CHECK_STR(object->key, "a/b");
	++*(int *)arg;
	return 0;
}

/* With and without limits the calls do what they do without the wrapper. */
static void
test_same(void)
{
	static const uint64_t rates[][2] = {{0, 0}, {UINT64_MAX, UINT64_MAX}, {1000000, 0}};

	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		struct store *s = open_limited(rates[i][0], rates[i][1]);
		struct error err;
		uint64_t size;
		int count = 0;
		char got[4];

		CHECK_OK(store_put(s, "a/b", "0123456789", 10, &err), &err);
		CHECK_INT(store_put(s, "a/b", "x", 1, &err), ERR_EXISTS);
		CHECK_OK(store_get(s, "a/b", 3, got, 4, &err), &err);
		CHECK_MEM(got, "3456", 4);
		CHECK_INT(store_get(s, "a/b", 8, got, 4, &err), ERR_CORRUPT);
		CHECK_INT(store_get(s, "none", 0, got, 4, &err), ERR_NOT_FOUND);
		CHECK_OK(store_size(s, "a/b", &size, &err), &err);
		CHECK_INT(size, 10);
		CHECK_OK(store_list(s, "a/", count_one, &count, &err), &err);
		CHECK_INT(count, 1);
		CHECK_OK(store_remove(s, "a/b", &err), &err);
		CHECK_INT(store_size(s, "a/b", &size, &err), ERR_NOT_FOUND);
		store_free(s);
	}
}

/* A new bucket is empty; what is taken has to be paid, however large it is. */
static void
test_rate(void)
{
	const uint64_t rate = sizeof(bytes) * 4;
	struct store *s = open_limited(rate, rate * 2);
	uint64_t start = clock_ms(), middle;
	struct error err;

	CHECK_OK(store_put(s, "one", bytes, sizeof(bytes), &err), &err);
	middle = clock_ms();
	CHECK(middle - start >= 249);
	/* The downloads have a bucket of their own, which has filled meanwhile: only what it did not hold is waited
	 * for. */
	CHECK_OK(store_get(s, "one", 0, bytes, sizeof(bytes), &err), &err);
	CHECK_OK(store_get(s, "one", 0, bytes, sizeof(bytes), &err), &err);
	CHECK_OK(store_get(s, "one", 0, bytes, sizeof(bytes), &err), &err);
	CHECK(clock_ms() - start >= 374);
	store_free(s);
}

static void *
put_thread(void *arg)
{
	struct store *s = arg;
	struct error err;
	char key[32];

	(void)snprintf(key, sizeof(key), "k%lx", (unsigned long)pthread_self());
	CHECK_OK(store_put(s, key, bytes, sizeof(bytes) / 4, &err), &err);
	return NULL;
}

/* Threads share the rate. */
static void
test_threads(void)
{
	struct store *s = open_limited(sizeof(bytes) * 4, 0);
	uint64_t start = clock_ms();
	pthread_t threads[4];

	for (size_t i = 0; i < 4; i++)
		CHECK(pthread_create(&threads[i], NULL, put_thread, s) == 0);
	for (size_t i = 0; i < 4; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	CHECK(clock_ms() - start >= 249);
	store_free(s);
}

static void *
put_for_hours(void *arg)
{
	struct error err;

	/* At one byte a second nobody would wait for the end of this. */
	CHECK_INT(store_put(arg, "slow", bytes, sizeof(bytes), &err), ERR_CANCELLED);
	return NULL;
}

/* Waiting ends when it is told to, whether it has begun or not, and nothing was transferred. */
static void
test_end(void)
{
	struct store *inner, *s;
	struct error err;
	pthread_t thread;
	uint64_t size;

	CHECK_OK(store_mem_open(&inner, &err), &err);
	CHECK_OK(store_limit_new(inner, 1, 0, &s, &err), &err);
	CHECK_INT(pthread_create(&thread, NULL, put_for_hours, s), 0);
	store_end(s);
	CHECK_INT(pthread_join(thread, NULL), 0);
	(void)put_for_hours(s);
	CHECK_INT(store_size(s, "slow", &size, &err), ERR_NOT_FOUND);
	store_free(s);
}

int
main(void)
{
	(void)alarm(60);
	test_same();
	test_rate();
	test_threads();
	test_end();
	return 0;
}
