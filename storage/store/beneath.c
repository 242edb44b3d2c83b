/*
 * Opening files below a folder.
 *
 * The kernel's openat2() does it in one call.  Where it is missing (before Linux 5.6, or refused by the filter of a
 * container runtime) the path is walked component by component.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "beneath.h"
#include "cleanup.h"

enum { COMPONENT_SIZE = 256 };

static int
call_openat2(int fd, const char *path, int flags)
{
	struct open_how how = {
	    .flags = (uint64_t)(unsigned)flags | O_CLOEXEC,
	    .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};

	return (int)syscall(SYS_openat2, fd, path, &how, sizeof(how));
}

void
beneath_init(struct beneath *b, int fd)
{
	CLEANUP_CLOSE int probe = call_openat2(fd, ".", O_PATH | O_DIRECTORY);

	b->fd = fd;
	b->has_openat2 = probe >= 0;
}

/*
 * Open one component.  O_NOFOLLOW alone does not give ELOOP for a symbolic link in two cases: where a folder is wanted
 * it is ENOTDIR, and with O_PATH the link itself would be opened.
 */
static int
open_component(int fd, const char *name, int flags)
{
	CLEANUP_CLOSE int got = openat(fd, name, flags | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (got < 0 && errno == ENOTDIR) {
		errno = fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode) ? ELOOP : ENOTDIR;
		return -1;
	}
	if (got >= 0 && (flags & O_PATH) != 0 && fstat(got, &st) == 0 && S_ISLNK(st.st_mode)) {
		errno = ELOOP;
		return -1;
	}
	return STEAL_FD(got);
}

/* Copy the component at *path and move on to the next one; false when it is too long. */
static bool
next_component(const char **path, char name[COMPONENT_SIZE])
{
	size_t len = strcspn(*path, "/");

	if (len >= COMPONENT_SIZE) {
		errno = ENAMETOOLONG;
		return false;
	}
	memcpy(name, *path, len);
	name[len] = '\0';
	*path += len;
	*path += **path == '/';
	return true;
}

static int
walk(int root, const char *path, int flags)
{
	CLEANUP_CLOSE int held = -1;
	char name[COMPONENT_SIZE];
	int fd = root, next;

	for (;;) {
		if (!next_component(&path, name))
			return -1;
		if (*path == '\0')
			return open_component(fd, name, flags);
		next = open_component(fd, name, O_PATH | O_DIRECTORY);
		if (next < 0)
			return -1;
		cleanup_close_p(&held);
		fd = held = next;
	}
}

int
beneath_open(const struct beneath *b, const char *path, int flags)
{
	if (*path == '\0')
		return openat(b->fd, ".", flags | O_CLOEXEC);
	if (b->has_openat2)
		return call_openat2(b->fd, path, flags);
	return walk(b->fd, path, flags);
}

int
beneath_sync(int folder_fd)
{
	int r;

	do
		r = fsync(folder_fd);
	while (r < 0 && errno == EINTR);
	return r < 0 && (errno == EINVAL || errno == ENOTSUP) ? 0 : r;
}

static int
open_or_make(int fd, const char *name)
{
	int got = open_component(fd, name, O_RDONLY | O_DIRECTORY);

	if (got >= 0 || errno != ENOENT)
		return got;
	/* Somebody else may be making it at the same moment. */
	if (mkdirat(fd, name, 0700) < 0 && errno != EEXIST)
		return -1;
	return open_component(fd, name, O_RDONLY | O_DIRECTORY);
}

int
beneath_make(const struct beneath *b, const char *path)
{
	CLEANUP_CLOSE int fd = beneath_open(b, "", O_RDONLY | O_DIRECTORY);
	char name[COMPONENT_SIZE];
	int next;

	while (fd >= 0 && *path != '\0') {
		if (!next_component(&path, name))
			return -1;
		next = open_or_make(fd, name);
		if (next < 0)
			return -1;
		/* Also when it was there: its maker may not have got so far yet. */
		if (beneath_sync(fd) < 0) {
			cleanup_close_p(&next);
			return -1;
		}
		cleanup_close_p(&fd);
		fd = next;
	}
	return STEAL_FD(fd);
}
