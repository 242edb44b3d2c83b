#ifndef BENEATH_H_
#define BENEATH_H_

#include <stdbool.h>

/*
 * Opening files below a folder that others may write to, without being led out of it.
 *
 * Paths are relative, without empty, "." or ".." components; "" is the folder itself.  No symbolic link on the way, nor
 * at the end, is followed.  Functions return a descriptor or 0, or -1 with errno: ELOOP says that a symbolic link was
 * met, ENOTDIR that something else stands where a folder should be.
 */
struct beneath {
	int fd;
	bool has_openat2;
};

/* Takes the descriptor of the folder, which the caller still closes. */
void beneath_init(struct beneath *, int fd);
int beneath_open(const struct beneath *, const char *path, int flags);
/* Open a folder for reading; make it and its parents (mode 0700) if need be.  The names of all of them are durable on
 * return. */
int beneath_make(const struct beneath *, const char *path);
/* Make the names in a folder durable.  File systems that cannot do this for a folder are taken as they are. */
int beneath_sync(int folder_fd);

#endif
