/*
 * Threads and queues that fail together.
 *
 * The job's lock is taken before a queue's lock, never the other way round: queues know nothing of jobs.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "cleanup.h"
#include "error.h"
#include "job.h"
#include "queue.h"

enum { STACK_SIZE = 1024 * 1024 };

struct job {
	pthread_mutex_t lock; /* guards everything below; failed is written under it and read without */
	pthread_t *threads;
	size_t thread_count, thread_cap;
	struct queue **queues;
	size_t queue_count, queue_cap;
	struct error first;
	atomic_bool failed;
};

/* What a new thread needs to know; it frees this itself. */
struct start {
	void (*fn)(void *arg);
	void *arg;
	char name[16];
};

int
job_new(struct job **out, struct error *err)
{
	struct job *j = calloc(1, sizeof(*j));

	if (j == NULL)
		return error_nomem(err);
	(void)pthread_mutex_init(&j->lock, NULL);
	atomic_init(&j->failed, false);
	*out = j;
	return 0;
}

static void
fail_locked(struct job *j, const struct error *err)
{
	if (!atomic_load(&j->failed)) {
		j->first = *err;
		atomic_store(&j->failed, true);
	}
	for (size_t i = 0; i < j->queue_count; i++)
		queue_abort(j->queues[i]);
}

void
job_fail(struct job *j, const struct error *err)
{
	(void)pthread_mutex_lock(&j->lock);
	fail_locked(j, err);
	(void)pthread_mutex_unlock(&j->lock);
}

bool
job_failed(struct job *j)
{
	return atomic_load(&j->failed);
}

int
job_error(struct job *j, struct error *err)
{
	int r = 0;

	(void)pthread_mutex_lock(&j->lock);
	if (atomic_load(&j->failed)) {
		*err = j->first;
		r = err->code;
	}
	(void)pthread_mutex_unlock(&j->lock);
	return r;
}

/* Room for one more item of the given size in a growing array. */
static bool
make_room(void *array_p, size_t count, size_t *cap, size_t item_size)
{
	void **array = array_p;
	size_t new_cap = *cap == 0 ? 8 : *cap * 2;
	void *grown;

	if (count < *cap)
		return true;
	grown = reallocarray(*array, new_cap, item_size);
	if (grown == NULL)
		return false;
	*array = grown;
	*cap = new_cap;
	return true;
}

int
job_attach(struct job *j, struct queue *q, struct error *err)
{
	bool room;

	(void)pthread_mutex_lock(&j->lock);
	room = make_room(&j->queues, j->queue_count, &j->queue_cap, sizeof(j->queues[0]));
	if (room)
		j->queues[j->queue_count++] = q;
	if (room && atomic_load(&j->failed))
		queue_abort(q);
	(void)pthread_mutex_unlock(&j->lock);
	return room ? 0 : error_nomem(err);
}

static void *
run(void *arg)
{
	struct start start = *(struct start *)arg;

	free(arg);
	(void)pthread_setname_np(pthread_self(), start.name);
	start.fn(start.arg);
	return NULL;
}

/* Signals belong to the thread that waits for them; only faults, which hit the thread that made them, get through. */
static int
create_quiet_thread(pthread_t *out, struct start *start)
{
	pthread_attr_t attr;
	sigset_t all, old;
	int r;

	r = pthread_attr_init(&attr);
	if (r != 0)
		return r;
	r = pthread_attr_setstacksize(&attr, STACK_SIZE);
	if (r == 0)
		r = pthread_attr_setguardsize(&attr, (size_t)sysconf(_SC_PAGESIZE));
	if (r == 0) {
		(void)sigfillset(&all);
		(void)sigdelset(&all, SIGSEGV);
		(void)sigdelset(&all, SIGBUS);
		(void)sigdelset(&all, SIGFPE);
		(void)sigdelset(&all, SIGILL);
		(void)pthread_sigmask(SIG_SETMASK, &all, &old);
		r = pthread_create(out, &attr, run, start);
		(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	}
	(void)pthread_attr_destroy(&attr);
	return r;
}

static int
spawn_locked(struct job *j, const char *name, void (*fn)(void *arg), void *arg, struct error *err)
{
	CLEANUP_FREE struct start *start = NULL;

	if (atomic_load(&j->failed)) {
		*err = j->first;
		return err->code;
	}
	start = malloc(sizeof(*start));
	if (start == NULL || !make_room(&j->threads, j->thread_count, &j->thread_cap, sizeof(j->threads[0])))
		return error_nomem(err);
	start->fn = fn;
	start->arg = arg;
	(void)snprintf(start->name, sizeof(start->name), "%s", name);
	errno = create_quiet_thread(&j->threads[j->thread_count], start);
	if (errno != 0)
		return error_errno(err, "cannot start the thread %s", name);
	start = NULL;
	j->thread_count++;
	return 0;
}

int
job_spawn(struct job *j, const char *name, void (*fn)(void *arg), void *arg, struct error *err)
{
	int r;

	(void)pthread_mutex_lock(&j->lock);
	r = spawn_locked(j, name, fn, arg, err);
	if (r < 0)
		fail_locked(j, err);
	(void)pthread_mutex_unlock(&j->lock);
	return r;
}

/* Threads may start further threads while they are waited for; so they are taken out one by one. */
static void
join_all(struct job *j)
{
	(void)pthread_mutex_lock(&j->lock);
	while (j->thread_count > 0) {
		pthread_t thread = j->threads[--j->thread_count];

		(void)pthread_mutex_unlock(&j->lock);
		(void)pthread_join(thread, NULL);
		(void)pthread_mutex_lock(&j->lock);
	}
	/* From here on the queues may be freed by their owner. */
	j->queue_count = 0;
	(void)pthread_mutex_unlock(&j->lock);
}

int
job_wait(struct job *j, struct error *err)
{
	join_all(j);
	return job_error(j, err);
}

void
job_free(struct job *j)
{
	struct error err;
	bool running;

	if (j == NULL)
		return;
	(void)pthread_mutex_lock(&j->lock);
	running = j->thread_count > 0;
	(void)pthread_mutex_unlock(&j->lock);
	if (running) {
		(void)error_set(&err, ERR_CANCELLED, "given up before the end");
		job_fail(j, &err);
	}
	join_all(j);
	(void)pthread_mutex_destroy(&j->lock);
	free(j->threads);
	free(j->queues);
	free(j);
}
