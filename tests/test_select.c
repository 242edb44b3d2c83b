/* Selection by globs in one pass, against a model that looks at every path anew. */
#include "select.h"

#include <unistd.h>

#include "check.h"
#include "cleanup.h"
#include "entry.h"
#include "walker.h"

struct node {
	char path[64];
	bool is_folder;
};

static bool
any(const char *const *globs, size_t count, const char *path, bool is_folder)
{
	const struct walker_options o = {.excludes = globs, .nexcludes = count};
	const char *slash = strrchr(path, '/');

	return walker_excluded(&o, path, slash == NULL ? path : slash + 1, is_folder);
}

/* The path itself, or one of the folders above it. */
static bool
any_above(const char *const *globs, size_t count, const char *path, bool is_folder)
{
	char part[64];

	for (size_t i = 1; path[i] != '\0'; i++) {
		if (path[i] != '/')
			continue;
		(void)snprintf(part, sizeof(part), "%.*s", (int)i, path);
		if (any(globs, count, part, true))
			return true;
	}
	return any(globs, count, path, is_folder);
}

static bool
model(const struct selection *s, const struct node *n)
{
	if (n->path[0] == '\0')
		return s->nincludes == 0;
	if (any_above(s->excludes, s->nexcludes, n->path, n->is_folder))
		return false;
	return s->nincludes == 0 || any_above(s->includes, s->nincludes, n->path, n->is_folder);
}

static size_t
compare(const struct selection *selection, const struct node *nodes, size_t count)
{
	struct selector s;
	struct error err;
	size_t selected = 0;

	selector_init(&s, selection);
	for (size_t i = 0; i < count; i++) {
		char padded[70];
		size_t len = strlen(nodes[i].path);
		int got;

		/* What follows the path must not matter. */
		(void)snprintf(padded, sizeof(padded), "%s/x", nodes[i].path);
		got = selector_match(&s, padded, len, nodes[i].is_folder, &err);
		CHECK_OK(got, &err);
		if (got != (int)model(selection, &nodes[i]))
			fprintf(stderr, "path \"%s\"\n", nodes[i].path);
		CHECK_INT(got, model(selection, &nodes[i]));
		selected += got > 0;
	}
	selector_wipe(&s);
	return selected;
}

static const struct node tree[] = {
    {"", true},
    {"a", true},
    {"a/b", true},
    {"a/b/c.log", false},
    {"a/b/keep", false},
    {"a/x.log", true},
    {"a/x.log/in", false},
    {"a-", false},
    {"a.log", false},
    {"ab", true},
    {"ab/b", false},
    {"data", true},
    {"data/db", true},
    {"data/db/tmp", true},
    {"data/db/tmp/b", false},
    {"data/db/z.tmp", false},
};

static void
test_cases(void)
{
	static const struct {
		const char *include, *exclude;
		size_t selected;
	} cases[] = {
	    {NULL, NULL, 16},
	    {"a", NULL, 6},
	    {"/a", NULL, 6},
	    {"b", NULL, 5},
	    {"nothing", NULL, 0},
	    {"*.log", NULL, 4},
	    {"*.log/", NULL, 2},
	    {"data/db", NULL, 4},
	    {"data/*/tmp", NULL, 2},
	    {"**/tmp", NULL, 2},
	    {NULL, "*.log", 12},
	    {NULL, "a", 10},
	    {NULL, "tmp/", 14},
	    {NULL, "*", 1},
	    /* Below an include all is selected, also when there are excludes. */
	    {"a", "*.log", 3},
	    {"a", "b", 3},
	    {"data", "tmp", 3},
	    {"data", "data", 0},
	    {"data/db/tmp", "db", 0},
	    {"*", "**/tmp/b", 14},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct selection s = {
		    &cases[i].include, cases[i].include != NULL, &cases[i].exclude, cases[i].exclude != NULL};

		CHECK_INT(compare(&s, tree, COUNT_OF(tree)), cases[i].selected);
	}
}

static int
node_compare(const void *a, const void *b)
{
	const struct node *x = a, *y = b;

	return entry_path_compare(x->path, strlen(x->path), y->path, strlen(y->path));
}

/* A random tree of short names, in catalog order. */
static size_t
grow(struct node *nodes, size_t max, uint64_t *state)
{
	static const char *const names[] = {"a", "b", "ab", "a-", "c.log", "t"};
	size_t n = 1, unique = 0;

	nodes[0] = (struct node){"", true};
	for (int tries = 0; tries < 200 && n < max; tries++) {
		const struct node *parent = &nodes[check_random(state) % n];
		struct node *k = &nodes[n];

		if (!parent->is_folder || strlen(parent->path) > 20)
			continue;
		memcpy(k->path, parent->path, sizeof(k->path));
		if (k->path[0] != '\0')
			strcat(k->path, "/");
		strcat(k->path, names[check_random(state) % COUNT_OF(names)]);
		k->is_folder = check_random(state) % 2 == 0;
		for (unique = 0; strcmp(nodes[unique].path, k->path) != 0; unique++)
			;
		n += unique == n;
	}
	qsort(nodes, n, sizeof(*nodes), node_compare);
	return n;
}

static void
test_random(void)
{
	static const char *const globs[] = {
	    "a", "b/", "*.log", "/a", "a/b", "a/**", "**/t", "ab/*", "t", "a*", "**/a/**/b", "/t/a/", "[ab]"};
	struct node nodes[60];
	uint64_t state = 7;

	for (int round = 0; round < 3000; round++) {
		size_t n = grow(nodes, COUNT_OF(nodes), &state);
		const char *in[3], *out[3];
		struct selection s = {in, check_random(&state) % 4, out, check_random(&state) % 4};

		for (size_t i = 0; i < 3; i++) {
			in[i] = globs[check_random(&state) % COUNT_OF(globs)];
			out[i] = globs[check_random(&state) % COUNT_OF(globs)];
		}
		(void)compare(&s, nodes, n);
	}
}

int
main(void)
{
	(void)alarm(60);
	test_cases();
	test_random();
	return 0;
}
