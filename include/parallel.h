#ifndef PARALLEL_H_
#define PARALLEL_H_

#include <stddef.h>

struct error;

/*
 * Many small pieces of work that mostly wait (for a store), done at the same time, with results in order.
 *
 * Pieces are numbered from 0.  Up to 2 * threads results are in memory at a time, and the one that is taken: those that
 * are being made, and those that wait for an earlier one.
 */
struct parallel {
	size_t count;
	unsigned threads; /* at most */
	/* The result of piece i, made in any thread.  Its own failures are part of it; NULL: there is no memory. */
	void *(*make)(void *arg, size_t i);
	/* Results in order, in the caller's thread; takes them.  A failure ends it all. */
	int (*take)(void *arg, size_t i, void *result, struct error *);
	/* A result that was not taken. */
	void (*dispose)(void *result);
	void *arg;
};
int parallel_run(const struct parallel *, struct error *);

#endif
