/* What the walk leaves out: lost+found, other file systems, and what was excluded. */
#include "walk.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "names.h"

static void
test_lost_found(void)
{
	struct walker_options o = {.max_folders = 0};
	CLEANUP(walk_paths_free) struct walk_paths got = {0}, all = {0}, file = {0};
	struct walk_notices notices;

	walk_put_folder("lost+found");
	walk_put_file("lost+found/x");
	walk_put_folder("sub");
	walk_put_folder("sub/lost+found");
	walk_list(&got, &o, NAMES_LIMIT, &notices);
	CHECK_INT(got.n, 3);
	CHECK_STR(got.paths[2], "sub/lost+found");
	CHECK_INT(notices.counts[WALKER_LEFT_OUT_LOST_FOUND], 1);
	o.keep_lost_found = true;
	walk_list(&all, &o, NAMES_LIMIT, &notices);
	CHECK_INT(all.n, 5);
	CHECK_INT(walk_notices_all(&notices), 0);
	walk_clean();
	walk_put_file("lost+found");
	o.keep_lost_found = false;
	walk_list(&file, &o, NAMES_LIMIT, &notices);
	CHECK_INT(file.n, 2);
	walk_clean();
}

static void
mount_cases(void)
{
	struct walker_options o = {.max_folders = 0};
	CLEANUP(walk_paths_free) struct walk_paths got = {0}, all = {0};
	struct walk_notices notices;
	char tmpfs[PATH_MAX + 16], source[PATH_MAX + 16], target[PATH_MAX + 16];

	walk_put_folder("a");
	walk_put_file("a/x");
	walk_put_folder("bind");
	walk_put_folder("tmpfs");
	(void)snprintf(tmpfs, sizeof tmpfs, "%s/tmpfs", walk_root);
	(void)snprintf(source, sizeof source, "%s/a", walk_root);
	(void)snprintf(target, sizeof target, "%s/bind", walk_root);
	if (mount("none", tmpfs, "tmpfs", 0, "size=1m") < 0 || mount(source, target, "none", MS_BIND, NULL) < 0) {
		printf("mounting is not permitted: its cases are skipped\n");
		return;
	}
	walk_put_file("tmpfs/in");
	walk_list(&got, &o, NAMES_LIMIT, &notices);
	CHECK_INT(got.n, 5);
	/* The same file system mounted a second time is left out as well. */
	CHECK_INT(notices.counts[WALKER_LEFT_OUT_MOUNT], 2);
	CHECK_INT(walk_notices_all(&notices), 2);
	o.cross_file_systems = true;
	walk_list(&all, &o, NAMES_LIMIT, &notices);
	CHECK_INT(all.n, 7);
	CHECK_STR(all.paths[4], "bind/x");
	CHECK_STR(all.paths[6], "tmpfs/in");
	CHECK_INT(walk_notices_all(&notices), 0);
}

/* In a process with mounts of its own, which go away with it. */
static void
test_mounts(void)
{
	pid_t child;
	int status;

	(void)fflush(stdout);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		(void)alarm(20);
		if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0)
			printf("no mounts of our own: their cases are skipped\n");
		else
			mount_cases();
		(void)fflush(stdout);
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child);
	CHECK_INT(status, 0);
	walk_clean();
}

static void
test_excluded(void)
{
	static const struct {
		const char *pattern, *path;
		bool is_folder, want;
	} cases[] = {
	    {"*.tmp", "a.tmp", false, true},
	    {"*.tmp", "x/y/a.tmp", false, true},
	    {"*.tmp", "x/a.tmp/y", false, false},
	    {"a", "a", true, true},
	    {"a", "b", true, false},
	    {"cache/", "cache", true, true},
	    {"cache/", "x/cache", true, true},
	    {"cache/", "cache", false, false},
	    {"/cache", "cache", false, true},
	    {"/cache", "x/cache", false, false},
	    {"/cache/", "cache", true, true},
	    {"/cache/", "cache", false, false},
	    {"a/b", "a/b", false, true},
	    {"a/b", "x/a/b", false, false},
	    {"a/*", "a/b", false, true},
	    {"a/*", "a/b/c", false, false},
	    {"a/*", "a", true, false},
	    {"a*/b", "ax/b", false, true},
	    {"a*b/c", "a/b/c", false, false},
	    {"**/b", "b", false, true},
	    {"**/b", "a/b", false, true},
	    {"**/b", "a/a/b", false, true},
	    {"**/b", "a/a/bb", false, false},
	    {"a/**/b", "a/b", false, true},
	    {"a/**/b", "a/x/b", false, true},
	    {"a/**/b", "a/x/y/b", false, true},
	    {"a/**/b", "x/a/b", false, false},
	    {"a/**", "a/x/y", false, true},
	    {"a/**", "a", true, true},
	    {"a/**", "ab", true, false},
	    {"**/a/**/b/**/c", "x/a/y/b/b/z/c", false, true},
	    {"**/a/**/b/**/c", "x/a/y/c/z/b", false, false},
	    {"**/a/b", "a/a/b", false, true},
	    {"**/a/a/b", "a/a/a/b", false, true},
	    {"**/*.log/", "x/y.log", true, true},
	    {"**/*.log/", "x/y.log", false, false},
	    {"**", "x/y", false, true},
	    {"/**", "x/y", false, true},
	    {"a/[bc]", "a/c", false, true},
	    {"a/[!bc]", "a/c", false, false},
	    {"a\\*", "a*", false, true},
	    {"a\\*", "ab", false, false},
	    {"?", "\xff", false, true},
	    {"", "a", false, false},
	    {"/", "a", true, false},
	    {"//", "a", true, false},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const struct walker_options o = {.excludes = &cases[i].pattern, .nexcludes = 1};
		const char *slash = strrchr(cases[i].path, '/');
		bool got =
		    walker_excluded(&o, cases[i].path, slash == NULL ? cases[i].path : slash + 1, cases[i].is_folder);

		if (got != cases[i].want)
			fprintf(stderr, "case %zu: %s and %s\n", i, cases[i].pattern, cases[i].path);
		CHECK_INT(got, cases[i].want);
	}

	/* Not a chance for a path that is made to take long. */
	CLEANUP_FREE char *path = malloc(40001);
	const char *const slow = "**/a/**/a/**/a/**/a/**/a/**/a/**/b";
	const struct walker_options o = {.excludes = &slow, .nexcludes = 1};

	CHECK(path != NULL);
	for (size_t i = 0; i < 40000; i++)
		path[i] = "a/"[i % 2];
	path[39999] = '\0';
	CHECK(!walker_excluded(&o, path, "a", false));
}

static void
test_excludes(void)
{
	static const char *const excludes[] = {"*.tmp", "/a/b/", "**/skip/**"};
	static const struct walker_options o = {.excludes = excludes, .nexcludes = COUNT_OF(excludes)};
	static const char *const want[] = {"", "a", "a/c", "x"};
	CLEANUP(walk_paths_free) struct walk_paths got = {0};
	struct walk_notices notices;

	walk_put_folder("a");
	walk_put_folder("a/b");
	walk_put_file("a/b/f");
	walk_put_file("a/c");
	walk_put_file("a/d.tmp");
	walk_put_folder("skip");
	walk_put_file("skip/f");
	walk_put_folder("x");
	walk_put_folder("x/skip");
	walk_list(&got, &o, NAMES_LIMIT, &notices);
	CHECK_INT(got.n, COUNT_OF(want));
	for (size_t i = 0; i < got.n; i++)
		CHECK_STR(got.paths[i], want[i]);
	walk_clean();
}

int
main(void)
{
	static void (*const tests[])(void) = {test_lost_found, test_mounts, test_excluded, test_excludes};

	walk_tests("test_walker_exclude", tests, COUNT_OF(tests));
	return 0;
}
