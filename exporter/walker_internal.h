#ifndef WALKER_INTERNAL_H_
#define WALKER_INTERNAL_H_

#include "walker.h"

/* walker_new() with another limit for the memory of names than NAMES_LIMIT: tests reach the temporary file with it. */
int walker_new_limited(const char *root, const struct walker_options *, size_t names_limit, walker_notice_fn *,
    void *arg, struct walker **out, struct error *);

#endif
