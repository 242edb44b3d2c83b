#ifndef SCRATCH_H_
#define SCRATCH_H_

#include <stddef.h>

/* A new folder in $TMPDIR, or in /tmp: its path goes to out. */
void scratch_make(char *out, size_t len, const char *name);
/* A file, or a folder with all that is in it, also where that is deeper than paths can go.  What is not there is fine.
 */
void scratch_remove(const char *path);

#endif
