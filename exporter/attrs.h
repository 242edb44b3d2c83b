#ifndef ATTRS_H_
#define ATTRS_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "entry.h"

struct buf;
struct error;

/*
 * Extended attributes (POSIX ACLs, capabilities and SELinux labels are among them), between the kernel and the
 * catalog's sets.
 */

/* Append the set of an open file or folder to out (nothing when there are none or the file system has none).  ERR_NOMEM
 * when above ENTRY_XATTRS_MAX. */
int attrs_read_fd(int fd, struct buf *out, struct error *);
/* The same for something that must not be opened or followed (symlink, device, socket, FIFO): name in folder, by way of
 * /proc/self/fd. */
int attrs_read_at(int folder_fd, const char *name, struct buf *out, struct error *);

/* What an import could not set; each kind is reported once with an example and a count by the caller. */
enum attrs_failure { ATTRS_OWNER = 1, ATTRS_MODE = 2, ATTRS_XATTR = 4, ATTRS_TIMES = 8 };

/*
 * Give an open regular file or folder (fd), or a thing that is not opened (fd -1: name in folder_fd, not followed), the
 * owner, mode, attributes and times of the entry, in the order in which the kernel leaves them alone: owner, mode,
 * attributes (security.capability last), times.  fresh: it was just created by us, so that attributes which the entry
 * lacks (inherited default ACLs) only need removal if present. Attributes on the target that the entry lacks are
 * removed, except security.selinux and the like that the kernel adds by itself. Returns 0 or a mask of what could not
 * be set (err then holds the first reason).  Modes are masked so that a failed change of owner never leaves setuid or
 * setgid for the wrong owner.
 */
unsigned attrs_apply(int fd, int folder_fd, const char *name, const struct entry *, bool fresh, struct error *);

#endif
