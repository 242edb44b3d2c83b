#ifndef QUEUE_H_
#define QUEUE_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;

/*
 * A bounded queue of pointers between threads.
 *
 * Items come out in the order in which they went in, or, if all are pushed with queue_push_at(), in the order of their
 * sequence numbers 0, 1, 2... without gaps; a push whose number is `capacity` or more ahead of the next pop waits.
 * Items are never NULL and belong to the queue while they are in it.
 */
struct queue;

/* producers: how many queue_close() calls mean that no more items come. */
int queue_new(size_t capacity, unsigned producers, struct queue **out, struct error *);
/* Items still inside are handed to dispose (may be NULL).  Accepts NULL. */
void queue_free(struct queue *, void (*dispose)(void *item));

/* Wait for room and add.  False when the queue was aborted: the item is still the caller's. */
bool queue_push(struct queue *, void *item);
bool queue_push_at(struct queue *, uint64_t seq, void *item);
/* Wait for an item.  NULL when all producers have closed and the queue is empty, or when it was aborted. */
void *queue_pop(struct queue *);
/* An item if one is there now, else NULL. */
void *queue_try_pop(struct queue *);
/* This producer is done. */
void queue_close(struct queue *);
/* Wake everybody: pushes give false, pops NULL, from now on.  Safe to repeat. */
void queue_abort(struct queue *);
size_t queue_len(struct queue *);

#endif
