/* Which paths an export leaves out. */
#include "walker.h"

#include <fnmatch.h>
#include <string.h>

/* Longer than any component that a path can have, twice: brackets and backslashes need room. */
#define COMPONENT_MAX 1024u

/* The component at the front of a text, and what is behind its slash (NULL: nothing). */
struct part {
	const char *text;
	size_t len;
	const char *rest;
};

static struct part
first_part(const char *text)
{
	const char *slash = strchrnul(text, '/');

	return (struct part){text, (size_t)(slash - text), *slash == '/' ? slash + 1 : NULL};
}

static bool
is_any_depth(struct part p)
{
	return p.len == 2 && p.text[0] == '*' && p.text[1] == '*';
}

static bool
part_matches(struct part pattern, struct part name)
{
	char p[COMPONENT_MAX], n[COMPONENT_MAX];

	if (pattern.len >= sizeof p || name.len >= sizeof n)
		return false;
	memcpy(p, pattern.text, pattern.len);
	memcpy(n, name.text, name.len);
	p[pattern.len] = n[name.len] = '\0';
	return fnmatch(p, n, 0) == 0;
}

/*
 * Component by component.  After a mismatch the last "**" takes one component more, as '*' does with letters; the ones
 * before it have found the shortest stretch that will do and need not be tried again.  NULL: nothing is left.
 */
static bool
path_matches(const char *pattern, const char *path)
{
	const char *retry_pattern = NULL, *retry_path = NULL;

	while (path != NULL) {
		struct part name = first_part(path);
		struct part p = pattern == NULL ? (struct part){"", 0, NULL} : first_part(pattern);

		if (pattern != NULL && is_any_depth(p)) {
			if (p.rest == NULL)
				return true;
			pattern = retry_pattern = p.rest;
			retry_path = path;
		} else if (pattern != NULL && part_matches(p, name)) {
			pattern = p.rest;
			path = name.rest;
		} else if (retry_path != NULL) {
			retry_path = first_part(retry_path).rest;
			path = retry_path;
			pattern = retry_pattern;
		} else {
			return false;
		}
	}
	while (pattern != NULL && is_any_depth(first_part(pattern)))
		pattern = first_part(pattern).rest;
	return pattern == NULL;
}

static bool
pattern_matches(const char *pattern, const char *path, const char *name, bool is_folder)
{
	char copy[4096];
	size_t len = strlen(pattern);

	if (len > 1 && pattern[len - 1] == '/') {
		if (!is_folder || len > sizeof copy)
			return false;
		memcpy(copy, pattern, len - 1);
		copy[len - 1] = '\0';
		pattern = copy;
	}
	if (strchr(pattern, '/') == NULL)
		return fnmatch(pattern, name, 0) == 0;
	return path_matches(*pattern == '/' ? pattern + 1 : pattern, path);
}

bool
walker_excluded(const struct walker_options *o, const char *path, const char *name, bool is_folder)
{
	for (size_t i = 0; i < o->nexcludes; i++) {
		if (pattern_matches(o->excludes[i], path, name, is_folder))
			return true;
	}
	return false;
}
