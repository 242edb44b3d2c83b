#ifndef MALLOC_FAULT_H_
#define MALLOC_FAULT_H_

#include <stdbool.h>

/*
 * Allocations that fail: memory, mappings, threads, and the objects of libraries.
 *
 * Linked with --wrap for each function (WRAP_MALLOC in Makefile.am): the calls of the project's own code come here,
 * those within libraries do not.
 */

/* The nth allocation fails (0: none), or all from there on; the count begins anew. */
void malloc_fault_plan(unsigned long nth, bool and_later);
/* Allocations are counted, and fail when it is their turn, from here on: in all threads, or in this one only. */
void malloc_fault_begin(bool only_here);
void malloc_fault_end(void);
/* How many were counted since the plan. */
unsigned long malloc_fault_calls(void);

#endif
