#ifndef OPTIONS_INTERNAL_H_
#define OPTIONS_INTERNAL_H_

#include <stddef.h>

#include "options.h"

/* The table of options, for those who parse and explain them. */

/* How a value is read, and what its place in struct options holds. */
enum option_kind {
	K_FLAG, /* bool */
	K_TEXT, /* const char * */
	K_LIST, /* struct options_list */
	K_NUMBER, /* unsigned, from min to max */
	K_SIZE, /* uint64_t, above zero */
	K_TAG,
	K_COMPRESSION,
	K_PERCENT /* double */
};

struct option_spec {
	char letter; /* 0: none */
	const char *name;
	const char *argument; /* NULL: none */
	enum option_kind kind;
	size_t offset; /* in struct options */
	unsigned commands;
	const char *help;
	unsigned min, max; /* of a number */
};
enum { OPTIONS_TABLE_MAX = 64 };
extern const struct option_spec option_specs[];
extern const size_t option_count;

/* Whether a command has an option. */
static inline bool
option_is_of(const struct option_spec *s, const struct command *c)
{
	return (s->commands & 1u << c->id) != 0;
}

#endif
