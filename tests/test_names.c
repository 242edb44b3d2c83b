/* Names of folders that do not fit into memory. */
#include "walk.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "names.h"

/* In memory, making that many files takes no time; on a disk, fewer must do. */
#define MANY (walk_in_memory ? 300000u : 20000u)

/*
 * A large folder through the temporary file.  Hard links are the fastest way to names, up to what the file system
 * allows for one file.  The names are asked for directly: examining the files would tell nothing new.
 */
static void
test_spill(void)
{
	CLEANUP_CLOSE int fd = -1;
	struct names *names;
	struct name name;
	struct error err;
	char text[64], last[64] = "";
	unsigned count = 0, folders = 0;
	uint64_t seed = 8;
	int errnum, r;

	fd = open(walk_root, O_RDONLY | O_DIRECTORY);
	CHECK(fd >= 0);
	for (unsigned i = 0; i < MANY; i++) {
		char first[32];

		(void)snprintf(first, sizeof first, "%08x-%06u", (unsigned)check_random(&seed), i);
		if (i % 30000 == 0) {
			(void)snprintf(text, sizeof text, "%s", first);
			CHECK(mknodat(fd, first, S_IFREG | 0600, 0) == 0);
		} else {
			CHECK(linkat(fd, text, fd, first, 0) == 0);
		}
	}
	/* About sixty runs, which are two passes. */
	CHECK_OK(names_new(MANY, &names, &err), &err);
	CHECK_OK(names_push(names, fd, &errnum, &err), &err);
	CHECK_INT(errnum, 0);
	while ((r = names_next(names, &name, &err)) == 1) {
		CHECK(name.len < sizeof text);
		memcpy(text, name.bytes, name.len);
		text[name.len] = '\0';
		CHECK(strcmp(last, text) < 0);
		(void)snprintf(last, sizeof last, "%s", text);
		/* Now and then another folder comes on top, as in a walk: as large and left early. */
		if (count == MANY / 2) {
			CHECK(lseek(fd, 0, SEEK_SET) == 0);
			CHECK_OK(names_push(names, fd, &errnum, &err), &err);
			CHECK_INT(names_next(names, &name, &err), 1);
			names_pop(names);
			folders++;
		}
		count++;
	}
	CHECK_OK(r, &err);
	CHECK_INT(count, MANY);
	CHECK_INT(folders, 1);
	names_pop(names);
	names_free(names);
}

/* A temporary file that cannot be made is an error that says where. */
static void
test_no_temporary(void)
{
	static const struct walker_options o = {.max_folders = 0};
	const char *old = getenv("TMPDIR");
	CLEANUP_FREE char *saved = old == NULL ? NULL : strdup(old);
	struct walker *w;
	struct walker_node n;
	struct error err;
	int r;

	walk_put_file("a");
	walk_put_file("b");
	CHECK(setenv("TMPDIR", "/nowhere/at/all", 1) == 0);
	CHECK_OK(walker_new_limited(walk_root, &o, 0, NULL, NULL, &w, &err), &err);
	while ((r = walker_next(w, &n, &err)) == 1)
		;
	CHECK(r < 0);
	CHECK(strstr(err.msg, "/nowhere/at/all") != NULL);
	walker_free(w);
	if (saved != NULL)
		CHECK(setenv("TMPDIR", saved, 1) == 0);
	else
		CHECK(unsetenv("TMPDIR") == 0);
	walk_clean();
}

int
main(void)
{
	static void (*const tests[])(void) = {test_no_temporary, test_spill};

	walk_tests("test_names", tests, COUNT_OF(tests));
	return 0;
}
