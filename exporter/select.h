#ifndef SELECT_H_
#define SELECT_H_

#include <stdbool.h>
#include <stddef.h>

/*
 * Which paths of a snapshot a command is about: those that match an include (all, without includes), with everything
 * below them, and no exclude. Globs as in walker_excluded().
 */
struct selection {
	const char *const *includes;
	size_t nincludes;
	const char *const *excludes;
	size_t nexcludes;
};

/* The path below which everything is in, or out, for the time being. */
struct selector_scope {
	char *path; /* malloc'ed */
	size_t len, cap;
	bool set;
};

/*
 * Stateful over one pass in catalog order, so that "everything below" costs nothing: remembers the paths that were
 * included and excluded last.  path need not be NUL-terminated.
 */
struct selector {
	const struct selection *selection;
	struct selector_scope included, excluded;
	char *text;
	size_t text_cap;
};

struct error;
void selector_init(struct selector *, const struct selection *);
/* 1 selected, 0 not, negative: out of memory. */
int selector_match(struct selector *, const char *path, size_t len, bool is_folder, struct error *);
void selector_wipe(struct selector *);

#endif
