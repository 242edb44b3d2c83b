/*
 * Opening a file of the volume, and noticing that it changes.
 */
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "cleanup.h"

/* A stamp further in the future than this is no question of ticks, and not waited for. */
#define SETTLE_TRIES 40
#define SETTLE_NS    1000000

int
source_open_at(const struct folder *folder, const char *name)
{
	const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	int fd = openat(folder_fd(folder), name, flags | O_NOATIME);

	/* O_NOATIME is for the owner and for root only. */
	return fd < 0 && errno == EPERM ? openat(folder_fd(folder), name, flags) : fd;
}

int
source_open(const struct item_entry *ie)
{
	return source_open_at(ie->folder, ie->name);
}

static bool
source_is_gone(int errnum)
{
	return errnum == ENOENT || errnum == ELOOP || errnum == ENXIO || errnum == ENOTDIR || errnum == EISDIR;
}

void
source_failed(struct report *report, struct item_entry *ie, int errnum)
{
	struct entry *e = &ie->entry;

	if (source_is_gone(errnum)) {
		ie->dropped = true;
		report_warn(report, e->path, e->path_len, "vanished before it could be read: left out");
	} else {
		e->flags |= ENTRY_UNREADABLE;
		report_warn(report, e->path, e->path_len, "content could not be read: %s", strerror(errnum));
	}
}

void
source_settle(const struct entry *e)
{
	static const struct timespec tick = {0, SETTLE_NS};
	struct timespec now;

	for (unsigned i = 0; i < SETTLE_TRIES; i++) {
		/* The clock that the kernel stamps files with. */
		if (clock_gettime(CLOCK_REALTIME_COARSE, &now) < 0 || now.tv_sec > e->ctime_s ||
		    (now.tv_sec == e->ctime_s && now.tv_nsec > (long)e->ctime_ns))
			return;
		(void)nanosleep(&tick, NULL);
	}
}

bool
source_unchanged(int fd, const struct entry *e, dev_t root_dev)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || item_ino(st.st_ino, st.st_dev, root_dev) != e->ino ||
	    (uint64_t)st.st_size != e->size || st.st_mtim.tv_sec != e->mtime_s ||
	    (uint32_t)st.st_mtim.tv_nsec != e->mtime_ns)
		return false;
	/* A file that was replaced under its name has lost a link, which counts as a change of the inode, not of the
	 * content. */
	return st.st_nlink < e->nlink ||
	       (st.st_ctim.tv_sec == e->ctime_s && (uint32_t)st.st_ctim.tv_nsec == e->ctime_ns);
}

bool
source_refresh(int fd, struct item_entry *ie, dev_t root_dev, struct stat *st)
{
	struct entry *e = &ie->entry;
	uint64_t walked = e->ino;

	if (fstat(fd, st) < 0 || !S_ISREG(st->st_mode))
		return false;
	e->size = (uint64_t)st->st_size;
	e->ino = item_ino(st->st_ino, st->st_dev, root_dev);
	if (e->ino != walked)
		ie->further = 0;
	/* A file that was unlinked meanwhile has none any more. */
	e->nlink = MAX((uint32_t)st->st_nlink, 1u);
	e->mode = st->st_mode & 07777;
	e->uid = st->st_uid;
	e->gid = st->st_gid;
	e->mtime_s = st->st_mtim.tv_sec;
	e->mtime_ns = (uint32_t)st->st_mtim.tv_nsec;
	e->ctime_s = st->st_ctim.tv_sec;
	e->ctime_ns = (uint32_t)st->st_ctim.tv_nsec;
	return true;
}
