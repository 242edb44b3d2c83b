/*
 * The bounded queue: a ring in which an item's place follows from its number.
 *
 * Invariants, under the lock:
 *   1. The slots hold items with numbers head .. head + capacity - 1; number n lives in slots[n % capacity].
 *   2. queue_push() numbers its items itself: tail is the next number.
 *   3. A consumer is signalled when the slot of head becomes full, and each pop that leaves it full signals the next
 * one; so a full head slot never meets consumers that all sleep.
 */
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "error.h"
#include "queue.h"

struct queue {
	pthread_mutex_t lock; /* guards everything below */
	pthread_cond_t room;
	pthread_cond_t items;
	size_t capacity;
	size_t len;
	size_t waiting; /* threads that wait for room */
	uint64_t head;
	uint64_t tail;
	unsigned producers;
	bool aborted;
	void *slots[];
};

int
queue_new(size_t capacity, unsigned producers, struct queue **out, struct error *err)
{
	struct queue *q;

	if (capacity == 0 || capacity > (SIZE_MAX - sizeof(*q)) / sizeof(q->slots[0]))
		return error_set(err, ERR_USAGE, "a queue cannot have %zu places", capacity);
	q = calloc(1, sizeof(*q) + capacity * sizeof(q->slots[0]));
	if (q == NULL)
		return error_nomem(err);
	q->capacity = capacity;
	q->producers = producers;
	/* With default attributes these never fail on Linux. */
	(void)pthread_mutex_init(&q->lock, NULL);
	(void)pthread_cond_init(&q->room, NULL);
	(void)pthread_cond_init(&q->items, NULL);
	*out = q;
	return 0;
}

void
queue_free(struct queue *q, void (*dispose)(void *item))
{
	if (q == NULL)
		return;
	for (size_t i = 0; i < q->capacity && dispose != NULL; i++) {
		void *item = q->slots[(q->head + i) % q->capacity];

		if (item != NULL)
			dispose(item);
	}
	(void)pthread_cond_destroy(&q->items);
	(void)pthread_cond_destroy(&q->room);
	(void)pthread_mutex_destroy(&q->lock);
	free(q);
}

static void **
slot_of(struct queue *q, uint64_t seq)
{
	return &q->slots[seq % q->capacity];
}

/* The number is read through a pointer, because for queue_push() it moves while others wait. */
static bool
add(struct queue *q, const uint64_t *seq, void *item)
{
	while (!q->aborted && *seq >= q->head + q->capacity) {
		q->waiting++;
		(void)pthread_cond_wait(&q->room, &q->lock);
		q->waiting--;
	}
	if (q->aborted)
		return false;
	assert(*seq >= q->head && *slot_of(q, *seq) == NULL);
	*slot_of(q, *seq) = item;
	q->len++;
	if (*seq == q->head)
		(void)pthread_cond_signal(&q->items);
	return true;
}

bool
queue_push(struct queue *q, void *item)
{
	bool added;

	assert(item != NULL);
	(void)pthread_mutex_lock(&q->lock);
	added = add(q, &q->tail, item);
	q->tail += added;
	(void)pthread_mutex_unlock(&q->lock);
	return added;
}

bool
queue_push_at(struct queue *q, uint64_t seq, void *item)
{
	bool added;

	assert(item != NULL);
	(void)pthread_mutex_lock(&q->lock);
	added = add(q, &seq, item);
	(void)pthread_mutex_unlock(&q->lock);
	return added;
}

/* Take the item of head if it is there. */
static void *
take(struct queue *q)
{
	void *item;

	/* When nobody can fill a gap any more, what lies behind it is still handed out. */
	while (q->producers == 0 && q->len > 0 && *slot_of(q, q->head) == NULL)
		q->head++;
	item = *slot_of(q, q->head);
	if (item == NULL)
		return NULL;
	*slot_of(q, q->head) = NULL;
	q->head++;
	q->len--;
	/* With numbers, only one of those who wait may be the right one. */
	if (q->waiting > 0)
		(void)pthread_cond_broadcast(&q->room);
	if (*slot_of(q, q->head) != NULL)
		(void)pthread_cond_signal(&q->items);
	return item;
}

void *
queue_pop(struct queue *q)
{
	void *item = NULL;

	(void)pthread_mutex_lock(&q->lock);
	while (!q->aborted && (item = take(q)) == NULL && q->producers > 0)
		(void)pthread_cond_wait(&q->items, &q->lock);
	(void)pthread_mutex_unlock(&q->lock);
	return item;
}

void *
queue_try_pop(struct queue *q)
{
	void *item;

	(void)pthread_mutex_lock(&q->lock);
	item = q->aborted ? NULL : take(q);
	(void)pthread_mutex_unlock(&q->lock);
	return item;
}

void
queue_close(struct queue *q)
{
	(void)pthread_mutex_lock(&q->lock);
	if (q->producers > 0)
		q->producers--;
	if (q->producers == 0)
		(void)pthread_cond_broadcast(&q->items);
	(void)pthread_mutex_unlock(&q->lock);
}

void
queue_abort(struct queue *q)
{
	(void)pthread_mutex_lock(&q->lock);
	q->aborted = true;
	(void)pthread_cond_broadcast(&q->room);
	(void)pthread_cond_broadcast(&q->items);
	(void)pthread_mutex_unlock(&q->lock);
}

size_t
queue_len(struct queue *q)
{
	size_t len;

	(void)pthread_mutex_lock(&q->lock);
	len = q->len;
	(void)pthread_mutex_unlock(&q->lock);
	return len;
}
