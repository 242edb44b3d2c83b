/*
 * Temporary folders of tests.
 */
#include "scratch.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

void
scratch_make(char *out, size_t len, const char *name)
{
	const char *tmp = getenv("TMPDIR");

	CHECK((size_t)snprintf(out, len, "%s/%s.XXXXXX", tmp != NULL ? tmp : "/tmp", name) < len);
	CHECK(mkdtemp(out) != NULL);
}

bool
scratch_enter_memory(const char *folder)
{
	return unshare(CLONE_NEWNS) == 0 && mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("none", folder, "tmpfs", 0, "mode=0700") == 0;
}

void
scratch_leave_memory(const char *folder)
{
	CHECK(umount2(folder, MNT_DETACH) == 0);
}

/* With a descriptor for each level: paths end at PATH_MAX. */
static void
remove_at(int parent, const char *name)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct dirent *e;
	DIR *d;

	if (fd < 0) {
		(void)unlinkat(parent, name, 0);
		return;
	}
	(void)fchmod(fd, 0700);
	d = fdopendir(fd);
	CHECK(d != NULL);
	while ((e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			remove_at(fd, e->d_name);
	(void)closedir(d);
	(void)unlinkat(parent, name, AT_REMOVEDIR);
}

void
scratch_remove(const char *path)
{
	struct rlimit before, most;

	CHECK(getrlimit(RLIMIT_NOFILE, &before) == 0);
	most = (struct rlimit){before.rlim_max, before.rlim_max};
	CHECK(setrlimit(RLIMIT_NOFILE, &most) == 0);
	remove_at(AT_FDCWD, path);
	CHECK(setrlimit(RLIMIT_NOFILE, &before) == 0);
}
