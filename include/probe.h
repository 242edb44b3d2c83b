#ifndef PROBE_H_
#define PROBE_H_

#include <stdbool.h>

struct error;
struct store;

/*
 * What a store really does, found out by doing it: never by what it says of itself, nor by a 200.
 */
enum probe_result {
	PROBE_YES,
	PROBE_NO, /* refused, or not there */
	PROBE_IGNORED, /* accepted, and not done */
	PROBE_UNKNOWN /* could not be found out: not permitted to ask */
};

struct probe_finding {
	const char *name; /* for machines: "conditional-create" */
	const char *title; /* for people */
	enum probe_result result;
	bool needed; /* without it, a repository does not work here */
	char detail[256]; /* what was seen, and what follows from it; "" when there is nothing to add */
};

/* Return 0 to go on, negative (with err set) to stop. */
typedef int probe_fn(void *arg, const struct probe_finding *, struct error *);

/*
 * Try everything, in objects of its own below "doctor/", which are removed afterwards.  First what every store must do,
 * then what its kind can do beside.  Negative only when nothing can be said at all: no connection, no permission, or
 * fn() wants to stop.
 */
int store_probe(struct store *, probe_fn *fn, void *arg, struct error *);

/* "yes", "no", "ignored", "unknown". */
const char *probe_result_name(enum probe_result);

#endif
