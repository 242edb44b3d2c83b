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

/* What the base has in its place, with an index. */
static size_t
large_old_bytes(const struct entry *old)
{
	size_t count = old->nsegments > 0 ? STRETCH_OLD_MAX : MIN(old->nextents, (size_t)STRETCH_OLD_MAX);

	return count * (sizeof(struct extent) + 4 * sizeof(uint32_t));
}

size_t
large_stretch_bytes(const struct large *f)
{
	uint64_t len = MIN(f->item.entry.size, SEGMENT_SIZE);
	uint64_t least = f->sparse || f->device != NULL ? HOLE_MIN : CHUNK_MIN;
	/* Twice as many, because the lists double when they grow. */
	uint64_t extents = MIN(2 * (len / least + 32), (uint64_t)ENTRY_EXTENTS_MAX);

	return f->arena.used + (size_t)extents * sizeof(struct extent) +
	       (f->item.old == NULL ? 0 : large_old_bytes(f->item.old));
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
