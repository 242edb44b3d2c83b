#ifndef SOURCE_H_
#define SOURCE_H_

#include <stdbool.h>
#include <sys/stat.h>

#include "item.h"
#include "report.h"

/*
 * A regular file of the volume while it is read, against what the walk saw of it.
 *
 * A change is noticed by inode, size and time stamps.  Stamps have the grain of the kernel's clock tick: what is
 * written within the tick of the last change leaves no trace.  So a file is read only when the clock has gone past its
 * change time (source_settle()); from then on every change shows.
 */

/* Open it in its folder: no links followed, no waiting on FIFOs, access time left alone if possible.  -1 and errno. */
int source_open(const struct item_entry *);
/* Report that it could not be opened or read.  A name that is gone, or is something else than a file now, is dropped.
 */
void source_failed(struct report *, struct item_entry *, int errnum);
int source_open_at(const struct folder *, const char *name);
/* Wait, a few milliseconds at most, until the clock is past the entry's change time. */
void source_settle(const struct entry *);
/* Whether the open file is still what the entry says. */
bool source_unchanged(int fd, const struct entry *, dev_t root_dev);
/* Take the file as it is now (replaced, or appended to, since the walk).  False when it is no regular file.  Another
 * file than the walk has seen is not what further names stand for. */
bool source_refresh(int fd, struct item_entry *, dev_t root_dev, struct stat *out);

#endif
