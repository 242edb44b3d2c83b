#ifndef JOB_H_
#define JOB_H_

#include <stdbool.h>

struct error;
struct queue;

/*
 * Threads and queues that fail together.
 *
 * The first job_fail() is kept, and aborts every attached queue; all threads then see false or NULL from their queues,
 * dispose of what they hold and return.  job_wait() joins them all and gives the first error.
 */
struct job;

int job_new(struct job **out, struct error *);
/* Joins whatever still runs (after an abort).  Accepts NULL. */
void job_free(struct job *);
/* Attach before threads use the queue; the job must be freed or waited for before the queue is freed. */
int job_attach(struct job *, struct queue *, struct error *);
/* Run fn(arg) in a new thread named name (at most 15 bytes).  When this fails, the job fails. */
int job_spawn(struct job *, const char *name, void (*fn)(void *arg), void *arg, struct error *);
void job_fail(struct job *, const struct error *);
bool job_failed(struct job *);
/* Copies the first error to err and returns its code, or 0. */
int job_error(struct job *, struct error *);
/* Join all threads and let go of the queues (attach those that are used again).  0 or the first error.  May be called
 * again, and followed by new job_spawn() calls when it gave 0. */
int job_wait(struct job *, struct error *);

#endif
