#ifndef SECRETS_H_
#define SECRETS_H_

#include "options.h"
#include "slot.h"

/*
 * Where the user's secret comes from: --key-file, --password-file, $SNAPFERRY_PASSWORD, $SNAPFERRY_PASSWORD_COMMAND, a
 * terminal.  Never an argument.
 */
#define SECRETS_MAX 4

/* All secrets that are configured; ERR_USAGE when there is none, or one is empty or cannot be read. */
int secrets_find(const struct options *, struct secret out[SECRETS_MAX], size_t *out_count, struct error *);
/* The one secret for a new repository: asks twice on a terminal, refuses an empty one. */
int secrets_for_init(const struct options *, struct secret *out, struct error *);

#endif
