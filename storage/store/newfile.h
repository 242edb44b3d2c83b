#ifndef NEWFILE_H_
#define NEWFILE_H_

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* New files of one file system, from any thread. */
struct newfile {
	atomic_uint counter; /* of temporary names */
	atomic_bool no_tmpfile; /* the file system was found to lack O_TMPFILE, or the process /proc */
};

void newfile_init(struct newfile *);
/*
 * Write a file (mode 0600) whose content is durable before its name is there; the caller makes the name durable by
 * syncing the folder. Returns 0, or -1 with errno: EEXIST when the name is taken; EINVAL, ENOSYS or EOPNOTSUPP when the
 * file system can neither link a file nor rename it without replacing another.  Temporary names start with ".tmp.";
 * none is left behind unless the process dies.
 */
int newfile_put(struct newfile *, int folder_fd, const char *name, const void *bytes, size_t len);

#endif
