/*
 * Queues and jobs: order, bounds, several producers and consumers, abort in every state, threads that fail.
 *
 * Where a thread must be asleep in a queue before the test goes on, the test would pass as well if it were not yet:
 * nothing depends on timing.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "check.h"
#include "cleanup.h"
#include "job.h"
#include "queue.h"

enum { ITEMS = 2000, MAX_THREADS = 4 };

/* Items are addresses in this array: what an item is can be told from where it points. */
static char items[ITEMS];

static size_t
number_of(const void *item)
{
	return (size_t)((const char *)item - items);
}

static void
test_single(void)
{
	struct queue *q;
	struct error err;

	CHECK_INT(queue_new(0, 1, &q, &err), ERR_USAGE);
	CHECK_INT(queue_new(SIZE_MAX, 1, &q, &err), ERR_USAGE);
	queue_free(NULL, NULL);

	CHECK_OK(queue_new(3, 2, &q, &err), &err);
	CHECK(queue_try_pop(q) == NULL);
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < 3; i++)
			CHECK(queue_push(q, &items[i]));
		CHECK_INT(queue_len(q), 3);
		for (size_t i = 0; i < 3; i++)
			CHECK((i % 2 != 0 ? queue_pop(q) : queue_try_pop(q)) == &items[i]);
	}
	CHECK(queue_push(q, &items[7]));
	queue_close(q);
	queue_close(q);
	queue_close(q); /* one too many does no harm */
	CHECK(queue_pop(q) == &items[7]);
	CHECK(queue_pop(q) == NULL && queue_pop(q) == NULL && queue_try_pop(q) == NULL);
	queue_free(q, NULL);
}

static void
test_sequence(void)
{
	static const uint64_t order[] = {2, 0, 1, 3};
	struct queue *q;
	struct error err;

	CHECK_OK(queue_new(4, 1, &q, &err), &err);
	CHECK(queue_push_at(q, 2, &items[2]) && queue_try_pop(q) == NULL && queue_len(q) == 1);
	for (size_t i = 1; i < COUNT_OF(order); i++)
		CHECK(queue_push_at(q, order[i], &items[order[i]]));
	for (size_t i = 0; i < COUNT_OF(order); i++)
		CHECK(queue_pop(q) == &items[i]);
	/* A gap that nobody can fill any more loses nothing and stops nobody. */
	CHECK(queue_push_at(q, 5, &items[5]) && queue_push_at(q, 7, &items[7]));
	queue_close(q);
	CHECK(queue_pop(q) == &items[5] && queue_pop(q) == &items[7] && queue_pop(q) == NULL);
	queue_free(q, NULL);
}

static size_t disposed;

static void
dispose(void *item)
{
	disposed += number_of(item);
}

static void
test_dispose(void)
{
	struct queue *q;
	struct error err;

	CHECK_OK(queue_new(8, 1, &q, &err), &err);
	CHECK(queue_push_at(q, 3, &items[100]) && queue_push_at(q, 0, &items[20]) && queue_push_at(q, 1, &items[3]));
	CHECK(queue_pop(q) == &items[20]);
	queue_abort(q);
	queue_abort(q);
	CHECK(!queue_push(q, &items[1]) && !queue_push_at(q, 2, &items[1]));
	CHECK(queue_pop(q) == NULL && queue_try_pop(q) == NULL);
	queue_free(q, dispose);
	CHECK_INT(disposed, 103);
}

/* Producers -> first -> workers -> second, by number -> one consumer. */
struct pipeline {
	struct job *job;
	struct queue *first, *second;
	unsigned producers, workers;
	atomic_size_t next; /* item to produce */
	size_t fail_at; /* the worker that gets this item fails */
	atomic_uchar seen[ITEMS];
	size_t consumed;
	bool in_order;
};

static void
produce(void *arg)
{
	struct pipeline *p = arg;

	for (;;) {
		size_t i = atomic_fetch_add(&p->next, 1);

		if (i >= ITEMS || !queue_push(p->first, &items[i]))
			break;
	}
	queue_close(p->first);
}

static void
work(void *arg)
{
	struct pipeline *p = arg;
	struct error err;
	void *item;

	while ((item = queue_pop(p->first)) != NULL) {
		if (number_of(item) == p->fail_at) {
			(void)error_set(&err, ERR_CORRUPT, "item %zu", number_of(item));
			job_fail(p->job, &err);
			return;
		}
		if (!queue_push_at(p->second, number_of(item), item))
			return;
	}
	queue_close(p->second);
}

static void
consume(void *arg)
{
	struct pipeline *p = arg;
	void *item;

	while ((item = queue_pop(p->second)) != NULL) {
		p->in_order &= number_of(item) == p->consumed;
		p->consumed++;
		atomic_fetch_add(&p->seen[number_of(item)], 1);
	}
}

static int
run_pipeline(struct pipeline *p, size_t first, size_t second, struct error *err)
{
	CHECK_OK(job_new(&p->job, err), err);
	CHECK_OK(queue_new(first, p->producers, &p->first, err), err);
	CHECK_OK(queue_new(second, p->workers, &p->second, err), err);
	CHECK_OK(job_attach(p->job, p->first, err), err);
	CHECK_OK(job_attach(p->job, p->second, err), err);
	p->in_order = true;
	for (unsigned i = 0; i < p->producers; i++)
		(void)job_spawn(p->job, "produce", produce, p, err);
	for (unsigned i = 0; i < p->workers; i++)
		(void)job_spawn(p->job, "work", work, p, err);
	(void)job_spawn(p->job, "consume", consume, p, err);
	return job_wait(p->job, err);
}

static void
free_pipeline(struct pipeline *p)
{
	job_free(p->job);
	queue_free(p->first, NULL);
	queue_free(p->second, NULL);
}

/*
 * With one producer the numbers go into the first queue in order, so that any window works.  With several, two of them
 * may swap, and an item can wait in the first queue behind others that are up to `producers` ahead; the window must
 * have room for those.
 */
static void
test_pipeline(void)
{
	static const struct {
		unsigned producers, workers;
		size_t first, second;
	} cases[] = {{1, 1, 1, 1}, {1, 3, 1, 1}, {1, 4, 2, 1}, {1, 4, 5, 3}, {1, 2, 64, 2}, {1, 4, 100, 4000},
	    {3, 3, 1, ITEMS}, {4, 4, 7, ITEMS}};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct pipeline p = {.producers = cases[i].producers, .workers = cases[i].workers, .fail_at = ITEMS};
		struct error err;

		CHECK_OK(run_pipeline(&p, cases[i].first, cases[i].second, &err), &err);
		CHECK_INT(p.consumed, ITEMS);
		CHECK(p.in_order);
		for (size_t n = 0; n < ITEMS; n++)
			CHECK_INT(p.seen[n], 1);
		free_pipeline(&p);
	}
}

static void
test_failing_pipeline(void)
{
	static const size_t places[] = {0, 1, 2, 7, ITEMS / 2, ITEMS - 1};

	for (size_t i = 0; i < COUNT_OF(places) * 4; i++) {
		struct pipeline p = {.producers = 1, .workers = 1 + i % 4, .fail_at = places[i / 4]};
		struct error err;

		CHECK_INT(run_pipeline(&p, 1 + i % 3, 1 + i % 5, &err), ERR_CORRUPT);
		CHECK(job_failed(p.job));
		CHECK(p.consumed <= p.fail_at && p.in_order);
		free_pipeline(&p);
	}
}

struct sleeper {
	struct queue *q;
	bool push;
	uint64_t at;
	atomic_uint *ended;
};

static void
sleep_in_queue(void *arg)
{
	struct sleeper *s = arg;

	if (s->push)
		CHECK(!queue_push_at(s->q, s->at, &items[0]));
	else
		CHECK(queue_pop(s->q) == NULL);
	atomic_fetch_add(s->ended, 1);
}

/* Threads that wait in pushes and pops are all woken by a failure elsewhere, and by job_free(). */
static void
test_abort(void)
{
	for (unsigned round = 0; round < 20; round++) {
		struct queue *empty, *full;
		struct sleeper sleepers[MAX_THREADS];
		atomic_uint ended = 0;
		struct error err;
		struct job *job;

		CHECK_OK(job_new(&job, &err), &err);
		CHECK_OK(queue_new(2, 1, &empty, &err), &err);
		CHECK_OK(queue_new(2, 1, &full, &err), &err);
		CHECK_OK(job_attach(job, empty, &err), &err);
		CHECK_OK(job_attach(job, full, &err), &err);
		CHECK(queue_push_at(full, 0, &items[0]) && queue_push_at(full, 1, &items[1]));
		for (unsigned i = 0; i < MAX_THREADS; i++) {
			sleepers[i] = (struct sleeper){i % 2 != 0 ? full : empty, i % 2 != 0, 2 + i, &ended};
			CHECK_OK(job_spawn(job, "sleeper", sleep_in_queue, &sleepers[i], &err), &err);
		}
		if (round % 2 != 0) {
			(void)error_set(&err, ERR_CANCELLED, "round %u", round);
			job_fail(job, &err);
			(void)error_set(&err, ERR_CORRUPT, "too late");
			job_fail(job, &err);
			CHECK_INT(job_wait(job, &err), ERR_CANCELLED);
			CHECK_INT(job_wait(job, &err), ERR_CANCELLED);
			CHECK(strstr(err.msg, "round") != NULL);
		}
		job_free(job);
		CHECK_INT(ended, MAX_THREADS);
		queue_free(empty, NULL);
		queue_free(full, NULL);
	}
}

static void
pop_one(void *arg)
{
	CHECK(queue_pop(arg) != NULL);
}

/* One push can make several items ready: as many consumers must wake up, although nobody closes or aborts the queue. */
static void
test_wake_chain(void)
{
	for (unsigned round = 0; round < 50; round++) {
		struct queue *q;
		struct error err;
		struct job *job;

		CHECK_OK(job_new(&job, &err), &err);
		CHECK_OK(queue_new(MAX_THREADS, 1, &q, &err), &err);
		for (unsigned i = 0; i < MAX_THREADS; i++)
			CHECK_OK(job_spawn(job, "pop one", pop_one, q, &err), &err);
		for (unsigned i = 0; i < round % 20; i++)
			(void)sched_yield();
		for (unsigned i = MAX_THREADS; i-- > 0;)
			CHECK(queue_push_at(q, i, &items[i]));
		CHECK_OK(job_wait(job, &err), &err);
		CHECK_INT(queue_len(q), 0);
		job_free(job);
		queue_free(q, NULL);
	}
}

struct look {
	char name[16];
	bool blocked, faults_open;
	size_t stack, guard;
};

static void
look_around(void *arg)
{
	struct look *l = arg;
	pthread_attr_t attr;
	sigset_t mask;

	CHECK_INT(pthread_getname_np(pthread_self(), l->name, sizeof(l->name)), 0);
	CHECK_INT(pthread_sigmask(SIG_SETMASK, NULL, &mask), 0);
	l->blocked =
	    sigismember(&mask, SIGTERM) == 1 && sigismember(&mask, SIGINT) == 1 && sigismember(&mask, SIGUSR1) == 1;
	l->faults_open = sigismember(&mask, SIGSEGV) == 0 && sigismember(&mask, SIGBUS) == 0;
	CHECK_INT(pthread_getattr_np(pthread_self(), &attr), 0);
	CHECK_INT(pthread_attr_getstacksize(&attr, &l->stack), 0);
	CHECK_INT(pthread_attr_getguardsize(&attr, &l->guard), 0);
	(void)pthread_attr_destroy(&attr);
}

static void
test_thread(void)
{
	struct look look = {.name = ""};
	sigset_t before, after;
	struct error err;
	struct job *job;

	CHECK_INT(pthread_sigmask(SIG_SETMASK, NULL, &before), 0);
	CHECK_OK(job_new(&job, &err), &err);
	CHECK_OK(job_spawn(job, "a name that is too long", look_around, &look, &err), &err);
	CHECK_OK(job_wait(job, &err), &err);
	CHECK_INT(pthread_sigmask(SIG_SETMASK, NULL, &after), 0);
	CHECK_INT(sigismember(&after, SIGTERM), sigismember(&before, SIGTERM));
	CHECK_STR(look.name, "a name that is ");
	CHECK(look.blocked && look.faults_open);
	/* Tools that watch memory may make the stack larger. */
	CHECK(look.stack >= 1024 * 1024 && look.guard >= 4096);

	/* After a wait without failure the job can be used again, and queues of before may be gone. */
	struct queue *q;

	CHECK_OK(queue_new(1, 1, &q, &err), &err);
	CHECK_OK(job_attach(job, q, &err), &err);
	CHECK_OK(job_spawn(job, "again", look_around, &look, &err), &err);
	CHECK_OK(job_wait(job, &err), &err);
	CHECK_INT(job_error(job, &err), 0);
	queue_free(q, NULL);
	(void)error_set(&err, ERR_UNAVAILABLE, "gone");
	job_fail(job, &err);
	CHECK_INT(job_error(job, &err), ERR_UNAVAILABLE);

	/* A failed job starts no thread and aborts what is attached. */
	CHECK_OK(queue_new(1, 1, &q, &err), &err);
	CHECK_OK(job_attach(job, q, &err), &err);
	CHECK(queue_pop(q) == NULL);
	CHECK_INT(job_spawn(job, "never", look_around, NULL, &err), ERR_UNAVAILABLE);
	job_free(job);
	queue_free(q, NULL);
	job_free(NULL);
}

struct nest {
	struct job *job;
	unsigned depth;
	atomic_uint *count;
};

static void
spawn_more(void *arg)
{
	struct nest *n = arg;
	struct error err;

	atomic_fetch_add(n->count, 1);
	if (n->depth > 0)
		CHECK_OK(job_spawn(n->job, "nested", spawn_more, n - 1, &err), &err);
}

/* Threads that are started by threads are waited for, too. */
static void
test_nested(void)
{
	struct nest nests[10];
	atomic_uint count = 0;
	struct error err;
	struct job *job;

	CHECK_OK(job_new(&job, &err), &err);
	for (unsigned i = 0; i < COUNT_OF(nests); i++)
		nests[i] = (struct nest){job, i, &count};
	CHECK_OK(job_spawn(job, "nested", spawn_more, &nests[COUNT_OF(nests) - 1], &err), &err);
	CHECK_OK(job_wait(job, &err), &err);
	CHECK_INT(count, COUNT_OF(nests));
	job_free(job);
}

int
main(void)
{
	(void)alarm(60);
	test_single();
	test_sequence();
	test_dispose();
	test_pipeline();
	test_failing_pipeline();
	test_abort();
	test_wake_chain();
	test_thread();
	test_nested();
	return 0;
}
