/* The walk through trees that are deeper than there are descriptors, also when parts of them move away. */
#include "walk.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "names.h"
#include "scratch.h"

#define DEPTH 3000u

/* Folders in each other, named by number, each with a file that sorts before and one that sorts behind. */
static void
make_deep(void)
{
	int fd = open(walk_root, O_RDONLY | O_DIRECTORY);

	CHECK(fd >= 0);
	for (unsigned i = 0; i < DEPTH; i++) {
		int below;

		CHECK(mkdirat(fd, "m", 0700) == 0);
		if (i % 100 == 0) {
			CHECK(mknodat(fd, "a", S_IFREG | 0600, 0) == 0);
			CHECK(mknodat(fd, "z", S_IFREG | 0600, 0) == 0);
		}
		below = openat(fd, "m", O_RDONLY | O_DIRECTORY);
		CHECK(below >= 0);
		(void)close(fd);
		fd = below;
	}
	(void)close(fd);
}

static void
remove_deep(void)
{
	int fd = open(walk_root, O_RDONLY | O_DIRECTORY), below;
	unsigned depth = 0;

	for (; (below = openat(fd, "m", O_RDONLY | O_DIRECTORY)) >= 0; depth++) {
		(void)close(fd);
		fd = below;
	}
	for (; depth > 0; depth--) {
		int above = openat(fd, "..", O_RDONLY | O_DIRECTORY);

		CHECK(above >= 0);
		(void)close(fd);
		fd = above;
		CHECK(unlinkat(fd, "m", AT_REMOVEDIR) == 0);
		(void)unlinkat(fd, "a", 0);
		(void)unlinkat(fd, "z", 0);
	}
	(void)close(fd);
}

static unsigned
walk_deep(unsigned max_folders, size_t limit, unsigned stop_at, void (*at_stop)(void), struct walk_notices *notices)
{
	const struct walker_options o = {.max_folders = max_folders};
	struct walker *w;
	struct walker_node n;
	struct error err;
	unsigned count = 0, z = 0;
	int r;

	memset(notices, 0, sizeof *notices);
	CHECK_OK(walker_new_limited(walk_root, &o, limit, walk_on_notice, notices, &w, &err), &err);
	while ((r = walker_next(w, &n, &err)) == 1) {
		z += *n.name == 'z';
		if (++count == stop_at)
			at_stop();
	}
	CHECK_OK(r, &err);
	walker_free(w);
	CHECK(stop_at != 0 || z == DEPTH / 100);
	return count;
}

static void
test_deep(void)
{
	struct rlimit old, few;
	struct walk_notices notices;
	const unsigned all = 1 + DEPTH + 2 * DEPTH / 100;

	make_deep();
	CHECK(getrlimit(RLIMIT_NOFILE, &old) == 0);
	few = (struct rlimit){24, old.rlim_max};
	CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
	CHECK_INT(walk_deep(8, NAMES_LIMIT, 0, NULL, &notices), all);
	CHECK_INT(walk_notices_all(&notices), 0);
	/* More folders wanted than there are descriptors: some are closed when they run out. */
	CHECK_INT(walk_deep(0, NAMES_LIMIT, 0, NULL, &notices), all);
	CHECK_INT(walk_notices_all(&notices), 0);
	CHECK_INT(walk_deep(4, 0, 0, NULL, &notices), all);
	CHECK_INT(walk_notices_all(&notices), 0);
	CHECK(setrlimit(RLIMIT_NOFILE, &old) == 0);
}

static void
move_away(void)
{
	char from[PATH_MAX + 64], to[PATH_MAX + 64];

	(void)snprintf(from, sizeof from, "%s/m/m/m/m/m/m/m/m/m/m/m", walk_root);
	(void)snprintf(to, sizeof to, "%s/moved", walk_base);
	CHECK(rename(from, to) == 0);
}

static void
move_back(void)
{
	char from[PATH_MAX + 64], to[PATH_MAX + 64];

	(void)snprintf(to, sizeof to, "%s/m/m/m/m/m/m/m/m/m/m/m", walk_root);
	(void)snprintf(from, sizeof from, "%s/moved", walk_base);
	CHECK(rename(from, to) == 0);
}

static void
move_and_replace(void)
{
	char path[PATH_MAX + 64];

	move_away();
	(void)snprintf(path, sizeof path, "%s/m/m/m/m/m/m/m/m/m/m/m", walk_root);
	CHECK(mkdir(path, 0700) == 0);
}

/* A folder on the way moves out of the tree while the walk is deep below it and all is closed above. */
static void
test_moved(void)
{
	struct walk_notices notices;
	const unsigned all = 1 + DEPTH + 2 * DEPTH / 100;

	/* Further up everything is found by path, as ".." leads out of the tree. */
	CHECK_INT(walk_deep(8, NAMES_LIMIT, 2000, move_away, &notices), all);
	CHECK_INT(walk_notices_all(&notices), 0);
	move_back();
	CHECK_INT(walk_deep(8, NAMES_LIMIT, 2000, move_and_replace, &notices), all);
	CHECK_INT(walk_notices_all(&notices), 0);
	move_back();
	remove_deep();
}

/* A folder is moved elsewhere and its old parent removed: the rest of that parent is lost, and said to be. */
static struct {
	char from[PATH_MAX + 64], to[PATH_MAX + 64], parent[PATH_MAX + 64];
} lost;

static void
lose_parent(void)
{
	CHECK(rename(lost.from, lost.to) == 0);
	(void)snprintf(lost.from, sizeof lost.from, "%s/gone", walk_base);
	CHECK(rename(lost.parent, lost.from) == 0);
}

static void
test_lost(void)
{
	static const struct walker_options o = {.max_folders = 4};
	struct walker *w;
	struct walker_node n;
	struct walk_notices notices = {.errnum = 0};
	CLEANUP(walk_paths_free) struct walk_paths got = {0};
	static const char *const want[] = {"", "p", "p/q", "p/q/r", "p/q/r/s", "p/q/r/s/t", "p/q/r/s/t/u", "y"};
	struct error err;
	int r;

	walk_put_folder("p");
	walk_put_folder("p/q");
	walk_put_folder("p/q/r");
	walk_put_folder("p/q/r/s");
	walk_put_folder("p/q/r/s/t");
	walk_put_file("p/q/r/s/t/u");
	walk_put_file("p/q/x");
	walk_put_file("p/x");
	walk_put_file("y");
	(void)snprintf(lost.from, sizeof lost.from, "%s/p/q/r", walk_root);
	(void)snprintf(lost.to, sizeof lost.to, "%s/moved", walk_base);
	(void)snprintf(lost.parent, sizeof lost.parent, "%s/p", walk_root);
	CHECK_OK(walker_new(walk_root, &o, walk_on_notice, &notices, &w, &err), &err);
	while ((r = walker_next(w, &n, &err)) == 1) {
		walk_paths_add(&got, n.path);
		if (strcmp(n.path, "p/q/r/s/t/u") == 0)
			lose_parent();
	}
	CHECK_OK(r, &err);
	walker_free(w);
	CHECK_INT(got.n, COUNT_OF(want));
	for (size_t i = 0; i < got.n; i++)
		CHECK_STR(got.paths[i], want[i]);
	CHECK_INT(notices.counts[WALKER_UNREADABLE], 2);
	CHECK_STR(notices.path, "p");
	scratch_remove(lost.from);
	scratch_remove(lost.to);
	walk_clean();
}

int
main(void)
{
	static void (*const tests[])(void) = {test_deep, test_moved, test_lost};

	walk_tests("test_walker_deep", tests, COUNT_OF(tests));
	return 0;
}
