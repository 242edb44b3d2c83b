/*
 * Making a file appear whole and for good.
 *
 * The bytes go to a file without a name (O_TMPFILE), or where that is not to be had to a hidden one, and are made
 * durable before they are linked to the name, which fails when the name is taken.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "newfile.h"

enum { TEMPORARY_TRIES = 10000 };

/* Objects from this size on are written past the page cache, in units that every device takes. */
#define DIRECT_MIN       (1024u * 1024)
#define DIRECT_ALIGNMENT 4096u

void
newfile_init(struct newfile *n)
{
	atomic_init(&n->counter, 0);
	atomic_init(&n->no_tmpfile, false);
}

static int
write_all(int fd, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = ENOSPC;
		if (n <= 0)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/*
 * Write what can be written past the page cache; how much that was.
 *
 * A pack is synced at once and seldom read again on this machine: copying it into the page cache costs as much as
 * encrypting it, and drives out what is of use there.  Every failure only means that the rest goes the ordinary way,
 * which will meet it again if it is real.
 */
static size_t
write_direct(int fd, const uint8_t *bytes, size_t len)
{
	size_t whole = len - len % DIRECT_ALIGNMENT, done = 0;
	int flags = fcntl(fd, F_GETFL);

	if (len < DIRECT_MIN || (uintptr_t)bytes % DIRECT_ALIGNMENT != 0 || flags < 0 ||
	    fcntl(fd, F_SETFL, flags | O_DIRECT) < 0)
		return 0;
	while (done < whole) {
		ssize_t n = write(fd, bytes + done, whole - done);

		if (n <= 0)
			break;
		done += (size_t)n;
		if (n % DIRECT_ALIGNMENT != 0)
			break;
	}
	(void)fcntl(fd, F_SETFL, flags);
	return done;
}

static int
write_durably(int fd, const void *bytes, size_t len)
{
	size_t direct = write_direct(fd, bytes, len);
	int r = write_all(fd, (const uint8_t *)bytes + direct, len - direct);

	if (r < 0)
		return r;
	do
		r = fsync(fd);
	while (r < 0 && errno == EINTR);
	return r;
}

/* Can something else be tried when linking failed like this? */
static bool
is_lack(int errnum)
{
	return errnum == EOPNOTSUPP || errnum == EINVAL || errnum == ENOSYS || errnum == EISDIR || errnum == ENOENT ||
	       errnum == EPERM || errnum == EXDEV;
}

/* Write and link a file without a name.  1: done, 0: cannot be done here and nothing happened, -1: failed. */
static int
put_unnamed(int folder_fd, const char *name, const void *bytes, size_t len)
{
	CLEANUP_CLOSE int fd = openat(folder_fd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	char path[64];

	if (fd < 0)
		return is_lack(errno) ? 0 : -1;
	if (write_durably(fd, bytes, len) < 0)
		return -1;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (linkat(AT_FDCWD, path, folder_fd, name, AT_SYMLINK_FOLLOW) == 0)
		return 1;
	return is_lack(errno) ? 0 : -1;
}

static int
open_temporary(struct newfile *n, int folder_fd, char name[64])
{
	int fd = -1;

	/* A name may be left over from a process with the same number that was killed. */
	for (int i = 0; i < TEMPORARY_TRIES && fd < 0; i++) {
		(void)snprintf(name, 64, ".tmp.%ld.%u", (long)getpid(), atomic_fetch_add(&n->counter, 1));
		fd = openat(folder_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd < 0 && errno != EEXIST)
			return -1;
	}
	return fd;
}

/* Give a named temporary file its name for good, and take the temporary one away. */
static int
link_temporary(int folder_fd, int fd, const char *temporary, const char *name)
{
	struct stat st;

	if (linkat(folder_fd, temporary, folder_fd, name, 0) == 0)
		return unlinkat(folder_fd, temporary, 0);
	/* A file server whose first answer was lost finds its own link when it is asked again. */
	if (errno == EEXIST) {
		if (fstat(fd, &st) == 0 && st.st_nlink == 2)
			return unlinkat(folder_fd, temporary, 0);
		errno = EEXIST;
		return -1;
	}
	if (!is_lack(errno))
		return -1;
	return renameat2(folder_fd, temporary, folder_fd, name, RENAME_NOREPLACE);
}

static int
put_named(struct newfile *n, int folder_fd, const char *name, const void *bytes, size_t len)
{
	char temporary[64];
	CLEANUP_CLOSE int fd = open_temporary(n, folder_fd, temporary);
	int saved;

	if (fd < 0)
		return -1;
	if (write_durably(fd, bytes, len) == 0 && link_temporary(folder_fd, fd, temporary, name) == 0)
		return 0;
	saved = errno;
	(void)unlinkat(folder_fd, temporary, 0);
	errno = saved;
	return -1;
}

int
newfile_put(struct newfile *n, int folder_fd, const char *name, const void *bytes, size_t len)
{
	int r;

	if (!atomic_load(&n->no_tmpfile)) {
		r = put_unnamed(folder_fd, name, bytes, len);
		if (r != 0)
			return r < 0 ? r : 0;
	}
	r = put_named(n, folder_fd, name, bytes, len);
	if (r == 0)
		atomic_store(&n->no_tmpfile, true);
	return r;
}
