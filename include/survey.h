#ifndef SURVEY_H_
#define SURVEY_H_

#include "store.h"

struct error;

/*
 * What one request shows of the objects below a prefix, so that several who want to list a part of them need not ask
 * again.  It is as old as it is: only for those who come right after it was made, and whom it does not harm that
 * something was added or removed since.
 */
struct survey;

/*
 * The first SURVEY_MAX objects (as many as a bucket tells at a time).  A listing that does not come to
 * its end, because of something among them that is none, gives a survey of what comes before.
 */
#define SURVEY_MAX 1000
int survey_new(struct store *, const char *prefix, struct survey **out, struct error *);
/* As store_list(), from the survey (may be NULL) if it has seen everything with this prefix, else from the store. */
int survey_list(
    const struct survey *, struct store *, const char *prefix, store_list_fn *fn, void *arg, struct error *);
/* Accepts NULL. */
void survey_free(struct survey *);

#endif
