/*
 * Selection of paths by globs, in catalog order.
 */
#include "select.h"

#include <stdlib.h>
#include <string.h>

#include "entry.h"
#include "error.h"
#include "walker.h"

void
selector_init(struct selector *s, const struct selection *selection)
{
	memset(s, 0, sizeof *s);
	s->selection = selection;
}

void
selector_wipe(struct selector *s)
{
	free(s->included.path);
	free(s->excluded.path);
	free(s->text);
	memset(s, 0, sizeof *s);
}

static int
keep_text(char **text, size_t *cap, const char *bytes, size_t len, struct error *err)
{
	if (*cap < len + 1) {
		char *grown = realloc(*text, len + 1);

		if (grown == NULL)
			return error_nomem(err);
		*text = grown;
		*cap = len + 1;
	}
	memcpy(*text, bytes, len);
	(*text)[len] = '\0';
	return 0;
}

/* Whether path is below the scope; one that is left behind ends. */
static bool
scope_holds(struct selector_scope *s, const char *path, size_t len)
{
	if (s->set)
		s->set = entry_path_is_below(s->path, s->len, path, len);
	return s->set;
}

static int
scope_enter(struct selector_scope *s, const char *path, size_t len, struct error *err)
{
	int r = keep_text(&s->path, &s->cap, path, len, err);

	s->len = len;
	s->set = r == 0;
	return r;
}

static bool
matches(const char *const *globs, size_t count, const char *path, bool is_folder)
{
	const struct walker_options o = {.excludes = globs, .nexcludes = count};
	const char *slash = strrchr(path, '/');

	return walker_excluded(&o, path, slash == NULL ? path : slash + 1, is_folder);
}

int
selector_match(struct selector *s, const char *path, size_t len, bool is_folder, struct error *err)
{
	const struct selection *sel = s->selection;
	bool in;
	int r;

	/* The root itself is part of everything, and never excluded. */
	if (len == 0 || (sel->nincludes == 0 && sel->nexcludes == 0))
		return sel->nincludes == 0;
	in = scope_holds(&s->included, path, len) || sel->nincludes == 0;
	if (scope_holds(&s->excluded, path, len))
		return 0;
	if (in && sel->nexcludes == 0)
		return 1;
	if ((r = keep_text(&s->text, &s->text_cap, path, len, err)) < 0)
		return r;
	if (matches(sel->excludes, sel->nexcludes, s->text, is_folder)) {
		r = scope_enter(&s->excluded, path, len, err);
		return r < 0 ? r : 0;
	}
	if (in)
		return 1;
	if (!matches(sel->includes, sel->nincludes, s->text, is_folder))
		return 0;
	r = scope_enter(&s->included, path, len, err);
	return r < 0 ? r : 1;
}
