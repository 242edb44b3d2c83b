/* The walk while things vanish or turn into others, and where it may not go. */
#include "walk.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check.h"
#include "names.h"

/* What comes behind the current node vanishes, or turns into something else. */
static void
test_vanish(void)
{
	static const struct walker_options o = {.max_folders = 0};
	static const char *const want[] = {"", "a", "d", "d/x", "l"};
	CLEANUP(walk_paths_free) struct walk_paths got = {0};
	CLEANUP_CLOSE int fd = open(walk_root, O_RDONLY | O_DIRECTORY);
	struct walk_notices notices = {.errnum = 0};
	struct walker *w;
	struct walker_node n;
	struct error err;
	int r;

	walk_put_file("a");
	walk_put_folder("b");
	walk_put_file("c");
	walk_put_folder("d");
	walk_put_file("d/x");
	walk_put_folder("e");
	walk_put_folder("l");
	CHECK_OK(walker_new(walk_root, &o, walk_on_notice, &notices, &w, &err), &err);
	while ((r = walker_next(w, &n, &err)) == 1) {
		walk_paths_add(&got, n.path);
		if (strcmp(n.path, "a") == 0) {
			CHECK(unlinkat(fd, "b", AT_REMOVEDIR) == 0 && unlinkat(fd, "c", 0) == 0);
		} else if (strcmp(n.path, "d/x") == 0) {
			CHECK(unlinkat(fd, "e", AT_REMOVEDIR) == 0 && unlinkat(fd, "l", AT_REMOVEDIR) == 0);
			CHECK(symlinkat("/etc", fd, "l") == 0);
		} else if (strcmp(n.path, "l") == 0) {
			/* Not a folder any more, and not followed. */
			CHECK(S_ISLNK(n.stx.stx_mode) && n.self == NULL);
		}
	}
	CHECK_OK(r, &err);
	walker_free(w);
	CHECK_INT(got.n, COUNT_OF(want));
	for (size_t i = 0; i < got.n; i++)
		CHECK_STR(got.paths[i], want[i]);
	CHECK_INT(walk_notices_all(&notices), 0);
	walk_clean();
}

/* What happens between the look at a name and the opening of it. */
static const char *strike_name;

int
statx(int fd, const char *restrict name, int flags, unsigned mask, struct statx *restrict st)
{
	int r = (int)syscall(SYS_statx, fd, name, flags, mask, st);

	if (strike_name != NULL && strcmp(name, strike_name) == 0) {
		strike_name = NULL;
		CHECK(unlinkat(fd, name, AT_REMOVEDIR) == 0);
		if (*name == 's')
			CHECK(symlinkat("/etc", fd, name) == 0);
		if (*name == 'f')
			CHECK(mknodat(fd, name, S_IFREG | 0600, 0) == 0);
	}
	return r;
}

static void
test_vanish_unopened(void)
{
	static const char *const names[] = {"gone", "symlink", "file"};
	static const struct walker_options o = {.max_folders = 0};

	for (size_t i = 0; i < COUNT_OF(names); i++) {
		CLEANUP(walk_paths_free) struct walk_paths got = {0};
		struct walk_notices notices;

		walk_put_folder(names[i]);
		walk_put_file("z");
		strike_name = names[i];
		walk_list(&got, &o, NAMES_LIMIT, &notices);
		CHECK(strike_name == NULL);
		CHECK_INT(got.n, 2);
		CHECK_STR(got.paths[1], "z");
		CHECK_INT(walk_notices_all(&notices), 0);
		walk_clean();
	}
}

/* A folder that is handed out and gone before it is entered is an empty one. */
static void
test_vanish_handed_out(void)
{
	static const struct walker_options o = {.max_folders = 0};
	struct walk_notices notices = {.errnum = 0};
	struct walker *w;
	struct walker_node n;
	struct error err;
	char path[PATH_MAX + 16];

	walk_put_folder("d");
	CHECK_OK(walker_new(walk_root, &o, walk_on_notice, &notices, &w, &err), &err);
	CHECK_INT(walker_next(w, &n, &err), 1);
	CHECK_INT(walker_next(w, &n, &err), 1);
	CHECK_STR(n.path, "d");
	(void)snprintf(path, sizeof path, "%s/d", walk_root);
	CHECK(rmdir(path) == 0);
	CHECK_INT(walker_next(w, &n, &err), 0);
	CHECK_INT(walk_notices_all(&notices), 0);
	walker_free(w);
}

static void
test_unreadable(void)
{
	static const struct walker_options o = {.max_folders = 0};
	static const char *const want[] = {"", "closed", "listed", "open", "open/x"};
	CLEANUP(walk_paths_free) struct walk_paths got = {0};
	struct walk_notices notices = {.errnum = 0};
	bool was_root = geteuid() == 0;
	struct walker *w;
	struct walker_node n;
	struct error err;
	char path[PATH_MAX + 16];
	int r;

	walk_put_folder("closed");
	walk_put_file("closed/x");
	walk_put_folder("listed");
	walk_put_file("listed/x");
	walk_put_folder("open");
	walk_put_file("open/x");
	(void)snprintf(path, sizeof path, "%s/closed", walk_root);
	CHECK(chmod(path, 0) == 0);
	(void)snprintf(path, sizeof path, "%s/listed", walk_root);
	CHECK(chmod(path, 0444) == 0);
	if (was_root) {
		CHECK(chmod(walk_base, 0755) == 0 && chmod(walk_root, 0755) == 0);
		(void)snprintf(path, sizeof path, "%s/open", walk_root);
		CHECK(chmod(path, 0755) == 0);
		CHECK(seteuid(65534) == 0);
	}
	CHECK_OK(walker_new(walk_root, &o, walk_on_notice, &notices, &w, &err), &err);
	while ((r = walker_next(w, &n, &err)) == 1) {
		walk_paths_add(&got, n.path);
		CHECK(strcmp(n.path, "closed") != 0 || n.self == NULL);
	}
	CHECK_OK(r, &err);
	walker_free(w);
	if (was_root)
		CHECK(seteuid(0) == 0);
	CHECK_INT(got.n, COUNT_OF(want));
	for (size_t i = 0; i < got.n; i++)
		CHECK_STR(got.paths[i], want[i]);
	CHECK_INT(notices.counts[WALKER_UNREADABLE], 1);
	CHECK_INT(notices.counts[WALKER_NO_STAT], 1);
	CHECK_STR(notices.path, "listed/x");
	CHECK_INT(notices.errnum, EACCES);
	(void)snprintf(path, sizeof path, "%s/closed", walk_root);
	CHECK(chmod(path, 0700) == 0);
	(void)snprintf(path, sizeof path, "%s/listed", walk_root);
	CHECK(chmod(path, 0700) == 0);
	walk_clean();
}

int
main(void)
{
	static void (*const tests[])(void) = {
	    test_vanish, test_vanish_unopened, test_vanish_handed_out, test_unreadable};

	walk_tests("test_walker_changes", tests, COUNT_OF(tests));
	return 0;
}
