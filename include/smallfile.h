#ifndef SMALLFILE_H_
#define SMALLFILE_H_

#include <stddef.h>
#include <sys/types.h>

struct buf;
struct error;

/*
 * Small files with secrets: keys, passphrases, profiles, tokens.
 */

/*
 * Append a file of at most max bytes to out, whose memory is made once and for all: a secret leaves no copies behind.
 * Works with pipes and devices.  ERR_USAGE when it is longer, or what open() and read() say.
 */
int smallfile_read(const char *path, size_t max, struct buf *out, struct error *);

/* What comes from fd until its end, at most max bytes: their number, or -1 with errno. */
ssize_t smallfile_take(int fd, void *out, size_t max);

#endif
