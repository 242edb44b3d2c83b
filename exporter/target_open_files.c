/*
 * Descriptors of the files under construction: opened at the first use, kept while somebody writes, and closed, the
 * longest idle first, when there are too many.  A file that is opened again must be the one that was created.
 */

#include <errno.h>
#include <fcntl.h>

#include "cleanup.h"
#include "error.h"
#include "target_internal.h"

static void
idle_remove(struct target_file *f)
{
	struct target *t = f->target;

	*(f->idle_before != NULL ? &f->idle_before->idle_after : &t->idle_first) = f->idle_after;
	*(f->idle_after != NULL ? &f->idle_after->idle_before : &t->idle_last) = f->idle_before;
	f->idle_before = f->idle_after = NULL;
}

static void
idle_append(struct target_file *f)
{
	struct target *t = f->target;

	f->idle_before = t->idle_last;
	f->idle_after = NULL;
	*(t->idle_last != NULL ? &t->idle_last->idle_after : &t->idle_first) = f;
	t->idle_last = f;
}

/*
 * Called with the lock: close the file that is idle longest.  The lock is held meanwhile, so that nobody opens it again
 * before the last byte of it is accepted; this is rare.
 */
static int
close_oldest(struct target *t, struct error *err)
{
	struct target_file *f = t->idle_first;
	struct stat st;
	int fd = f->fd;

	idle_remove(f);
	f->fd = -1;
	t->open_files--;
	if (fstat(fd, &st) < 0) {
		int r = target_errno(&f->e, "examine", err);

		(void)close(fd);
		return r;
	}
	f->dev = st.st_dev;
	f->ino = st.st_ino;
	if (close(fd) < 0 && errno != EINTR)
		return target_errno(&f->e, "close", err);
	return 0;
}

static int
open_again(struct target_file *f, int *out, struct error *err)
{
	CLEANUP_CLOSE int fd = openat(f->folder->fd, f->name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	char shown[256];

	if (fd < 0 || fstat(fd, &st) < 0)
		return target_errno(&f->e, "open again", err);
	if (st.st_dev != f->dev || st.st_ino != f->ino)
		return error_set(err, ERR_EXISTS, "\"%s\" was replaced: something else writes to the target",
		    error_quote(shown, sizeof shown, f->e.path, f->e.path_len));
	*out = STEAL_FD(fd);
	return 0;
}

static int
open_file(struct target_file *f, int *out, struct error *err)
{
	if (f->created)
		return open_again(f, out, err);
	*out = target_create(f->target, f->folder, f->name, &f->e, f->birth_mode, err);
	return *out < 0 ? *out : 0;
}

/* Called with the lock, which is released meanwhile. */
static int
open_shared(struct target_file *f, struct error *err)
{
	struct target *t = f->target;
	int fd = -1, r;

	while (t->open_files >= t->max_files && t->idle_first != NULL) {
		r = close_oldest(t, err);
		if (r < 0)
			return r;
	}
	t->open_files++;
	f->opening = true;
	pthread_mutex_unlock(&t->lock);
	r = open_file(f, &fd, err);
	pthread_mutex_lock(&t->lock);
	f->opening = false;
	if (r < 0)
		t->open_files--;
	else
		f->created = true;
	f->fd = fd;
	pthread_cond_broadcast(&t->file_opened);
	return r;
}

int
target_open_acquire(struct target_file *f, int *fd, struct error *err)
{
	struct target *t = f->target;
	int r = 0;

	pthread_mutex_lock(&t->lock);
	while (f->opening)
		pthread_cond_wait(&t->file_opened, &t->lock);
	if (f->fd < 0)
		r = open_shared(f, err);
	else if (f->users == 0)
		idle_remove(f);
	if (r == 0) {
		f->users++;
		*fd = f->fd;
	}
	pthread_mutex_unlock(&t->lock);
	return r;
}

void
target_open_release(struct target_file *f, uint64_t end)
{
	struct target *t = f->target;

	pthread_mutex_lock(&t->lock);
	f->end = MAX(f->end, end);
	if (--f->users == 0)
		idle_append(f);
	pthread_mutex_unlock(&t->lock);
}

int
target_open_close(struct target_file *f, struct error *err)
{
	struct target *t = f->target;
	int fd;

	pthread_mutex_lock(&t->lock);
	fd = f->fd;
	if (fd >= 0) {
		idle_remove(f);
		f->fd = -1;
		t->open_files--;
	}
	pthread_mutex_unlock(&t->lock);
	if (fd >= 0 && close(fd) < 0 && errno != EINTR)
		return target_errno(&f->e, "close", err);
	return 0;
}
