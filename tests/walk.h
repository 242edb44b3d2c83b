#ifndef WALK_H_
#define WALK_H_

#include <limits.h>
#include <stdbool.h>

#include "../exporter/walker_internal.h"
#include "cleanup.h"

/* For tests of the walk: a tree in a temporary folder, a walk that checks and lists every node, and a model that reads
 * everything and sorts it. */

extern char walk_base[PATH_MAX]; /* temporary folder */
extern char walk_root[PATH_MAX + 8]; /* of the walk: a folder in it, empty between the tests */
extern bool walk_in_memory; /* thousands of files are no matter */

/* A growing list of paths. */
struct walk_paths {
	char **paths;
	size_t n, cap;
};

/* What the walker has told. */
struct walk_notices {
	unsigned counts[WALKER_TOO_DEEP + 1];
	int errnum; /* of the last one */
	char path[64];
};

/* Set everything up, do the tests, and leave nothing behind. */
void walk_tests(const char *name, void (*const tests[])(void), size_t count);

void walk_paths_add(struct walk_paths *, const char *path);
void walk_paths_free(struct walk_paths *);

/* A walker_notice_fn; the argument is a struct walk_notices. */
void walk_on_notice(void *notices, enum walker_notice, const char *path, size_t path_len, int errnum);
unsigned walk_notices_all(const struct walk_notices *);

/* Walk and list; every node is checked. */
void walk_list(struct walk_paths *, const struct walker_options *, size_t limit, struct walk_notices *);
void walk_check_same(const struct walk_paths *got, const struct walk_paths *want);
/* The walk gives what is there, in order. */
void walk_check_like_model(const struct walker_options *, size_t limit);

/* Below the root. */
void walk_put_file(const char *path);
void walk_put_folder(const char *path);
/* Nothing is in the root any more. */
void walk_clean(void);

#endif
