#ifndef RECORD_H_
#define RECORD_H_

#include "export_internal.h"

/* Content of files whose further links follow: inode -> copy of the first link's entry.  The scan bounds how much that
 * is. */
struct remembered;
int remembered_new(struct remembered **out, struct error *);
int remembered_put(struct remembered *, uint64_t ino, const struct entry *, struct error *);
/*
 * NULL when it is not there.  The last of `nlink` links forgets it: the entry is valid until the next call.
 * *without_xattrs: they were too long to be remembered, and must be read again.
 */
const struct entry *remembered_get(struct remembered *, uint64_t ino, bool *without_xattrs);
void remembered_free(struct remembered *);

#endif
