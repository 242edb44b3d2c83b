/*
 * Many small pieces of work at the same time, with results in order.
 */
#include "parallel.h"

#include <stdatomic.h>

#include "cleanup.h"
#include "error.h"
#include "job.h"
#include "queue.h"

struct run {
	const struct parallel *p;
	struct job *job;
	struct queue *results; /* by number */
	atomic_size_t next;
};

static void
worker(void *arg)
{
	struct run *run = arg;
	const struct parallel *p = run->p;
	struct error err;
	size_t i;

	while (!job_failed(run->job) && (i = atomic_fetch_add(&run->next, 1)) < p->count) {
		void *result = p->make(p->arg, i);

		if (result == NULL) {
			(void)error_nomem(&err);
			job_fail(run->job, &err);
		} else if (!queue_push_at(run->results, i, result)) {
			p->dispose(result);
		}
	}
	queue_close(run->results);
}

static int
run_here(const struct parallel *p, struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < p->count; i++) {
		void *result = p->make(p->arg, i);

		r = result == NULL ? error_nomem(err) : p->take(p->arg, i, result, err);
	}
	return r;
}

static int
run_threads(struct run *run, unsigned threads, struct error *err)
{
	const struct parallel *p = run->p;
	void *result;
	int r = job_attach(run->job, run->results, err);

	for (unsigned t = 0; r == 0 && t < threads; t++)
		r = job_spawn(run->job, "parallel", worker, run, err);
	for (size_t i = 0; r == 0 && (result = queue_pop(run->results)) != NULL; i++)
		r = p->take(p->arg, i, result, err);
	if (r < 0)
		job_fail(run->job, err);
	return job_wait(run->job, err);
}

int
parallel_run(const struct parallel *p, struct error *err)
{
	unsigned threads = (unsigned)MIN(p->count, (size_t)p->threads);
	struct run run = {.p = p};
	int r;

	if (threads <= 1)
		return run_here(p, err);
	r = job_new(&run.job, err);
	if (r == 0)
		r = queue_new(threads, threads, &run.results, err);
	if (r == 0)
		r = run_threads(&run, threads, err);
	job_free(run.job);
	queue_free(run.results, p->dispose);
	return r;
}
