#ifndef RECORD_H_
#define RECORD_H_

#include "export_internal.h"

/* Content of files of which further names follow: inode -> copy of the entry that was read.  The scan bounds how much
 * that is. */
struct remembered;
int remembered_new(struct remembered **out, struct error *);
/* For so many names to come; the first one stays. */
int remembered_put(struct remembered *, uint64_t ino, const struct entry *, uint32_t further, struct error *);
/*
 * NULL when it is not there.  The last of the further names forgets it: the entry is valid until the next call.
 * *without_xattrs: they were too long to be remembered, and must be read again.
 */
const struct entry *remembered_get(struct remembered *, uint64_t ino, bool *without_xattrs);
void remembered_free(struct remembered *);

#endif
