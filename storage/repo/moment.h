#ifndef MOMENT_H_
#define MOMENT_H_

#include <stdbool.h>

#include "manifest.h"

struct error;

/* Times as people write them: "2026-11-22", "2026-11-22T01:02", "2026-11-22T01:02:03.5", each with optional Z or
 * +hh:mm, local time otherwise. */

/* Whether somebody meant a time: it begins like a date. */
bool moment_looks_like(const char *text);
/* ERR_USAGE. */
int moment_parse(const char *text, struct manifest_time *out, struct error *);
/* Like memcmp(). */
int moment_compare(const struct manifest_time *, const struct manifest_time *);

#endif
