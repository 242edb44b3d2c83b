#ifndef STORE_TRACE_H_
#define STORE_TRACE_H_

#include <stdint.h>
#include <stdio.h>

#include "error.h"

struct store;

/*
 * A store that passes everything on to another one and keeps a list of the calls, as a bucket would see them: each is
 * one request, a listing one for each 1,000 keys that were told.  Calls may come from any thread.
 */

/* Does not own inner, so that several can be opened on the same objects, one after the other. */
int store_trace_new(struct store *inner, struct store **out, struct error *);
/* Each request takes so long from now on. */
void store_trace_delay(struct store *, unsigned ms);
/* Requests since the beginning, or since they were forgotten; and the most at the same time. */
uint64_t store_trace_requests(struct store *);
unsigned store_trace_parallel(struct store *);
/* Those whose line, "put KEY", "get KEY", "load KEY", "size KEY", "list PREFIX" or "remove KEY", begins with op and
 * contains part. */
uint64_t store_trace_count(struct store *, const char *op, const char *part);
/* The number of the first such request, from 1 on; 0: there is none. */
uint64_t store_trace_first(struct store *, const char *op, const char *part);
void store_trace_forget(struct store *);
void store_trace_print(struct store *, FILE *);

#endif
