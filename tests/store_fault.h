#ifndef STORE_FAULT_H_
#define STORE_FAULT_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

struct store;

/*
 * A store that wraps another one and fails when it is told to.
 *
 * Calls may come from any thread.  Calls are counted from 1, for each operation and for any set of operations as a
 * whole, from the last store_fault_fail() or store_fault_flip() on for these, and from the beginning for
 * store_fault_count().  store_load() is a size and a get.
 */
enum store_fault_op {
	STORE_FAULT_PUT = 1,
	STORE_FAULT_GET = 2,
	STORE_FAULT_SIZE = 4,
	STORE_FAULT_LIST = 8,
	STORE_FAULT_REMOVE = 16,
	STORE_FAULT_ANY = 31
};

struct store_fault_plan {
	unsigned ops; /* which calls count: a sum of enum store_fault_op */
	uint64_t nth; /* which of them fails */
	bool and_later; /* all that follow fail too */
	bool after; /* the work is done, only the answer is lost */
	enum error_code code; /* what the caller sees */
};

/* Owns inner when it succeeds. */
int store_fault_new(struct store *inner, struct store **out, struct error *);
/* From now on follow this plan instead of the last one; NULL: none. */
void store_fault_fail(struct store *, const struct store_fault_plan *);
/* Invert bits of one byte, at position at (modulo the length), of what the nth get from now on returns; nth 0: none. */
void store_fault_flip(struct store *, uint64_t nth, size_t at, uint8_t bits);
/* How many calls of these kinds there were, failed ones included. */
uint64_t store_fault_count(struct store *, unsigned ops);

#endif
