#ifndef SCRATCH_H_
#define SCRATCH_H_

#include <stdbool.h>
#include <stddef.h>

/* A new folder in $TMPDIR, or in /tmp: its path goes to out. */
void scratch_make(char *out, size_t len, const char *name);
/* What is made in the folder is in memory from now on, for tests that make thousands of files; false if that cannot be.
 * Only this process sees it. */
bool scratch_enter_memory(const char *folder);
/* All of that is gone. */
void scratch_leave_memory(const char *folder);
/* A file, or a folder with all that is in it, also where that is deeper than paths can go.  What is not there is fine.
 */
void scratch_remove(const char *path);

#endif
