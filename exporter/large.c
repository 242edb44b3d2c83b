/*
 * Large files while they are read.
 */
#include "large.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "error.h"
#include "source.h"

int
large_new(struct large **out, struct error *err)
{
	*out = calloc(1, sizeof **out);
	if (*out == NULL)
		return error_nomem(err);
	atomic_init(&(*out)->refs, 1);
	(*out)->fd = -1;
	return 0;
}

int
large_open(const struct item_entry *ie, dev_t root_dev, struct large **out, int *errnum, struct error *err)
{
	CLEANUP_CLOSE int fd = source_open(ie);
	struct large *f;
	struct stat st;
	int r;

	*errnum = errno;
	if (fd < 0)
		return 0;
	if ((r = large_new(&f, err)) < 0)
		return r;
	f->item.change = ITEM_FRESH;
	f->item.further = ie->further;
	if ((r = item_copy_entry(&f->arena, &ie->entry, &f->item.entry, err)) < 0) {
		large_unref(f);
		return r;
	}
	if (!source_refresh(fd, &f->item, root_dev, &st)) {
		large_unref(f);
		*errnum = ENOENT;
		return 0;
	}
	f->fd = STEAL_FD(fd);
	f->sparse = (uint64_t)st.st_blocks * 512 < f->item.entry.size;
	*out = f;
	return 1;
}

size_t
large_stretches(const struct large *f)
{
	return (size_t)((f->item.entry.size + SEGMENT_SIZE - 1) / SEGMENT_SIZE);
}

void
large_fail(struct large *f, enum large_failure failure, int errnum)
{
	unsigned seen = atomic_load(&f->failure);

	while (seen < (unsigned)failure && !atomic_compare_exchange_weak(&f->failure, &seen, (unsigned)failure))
		;
	if (errnum != 0)
		atomic_store(&f->errnum, errnum);
}

void
large_unref(struct large *f)
{
	if (f == NULL || atomic_fetch_sub(&f->refs, 1) != 1)
		return;
	if (f->fd >= 0)
		(void)close(f->fd);
	free(f->segments);
	arena_free(&f->arena);
	free(f);
}
