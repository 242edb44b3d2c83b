#ifndef ATTRS_INTERNAL_H_
#define ATTRS_INTERNAL_H_

#include "attrs.h"

/* What the parts of attrs.h share; no one else includes this. */

/* Something that has attributes: an open descriptor or, if that is -1, a path. */
struct attrs_place {
	int fd;
	char path[64 + 256];
};

/* Room that is enough for nearly every list and value. */
#define ATTRS_FIRST_TRY 1024u

/* A thing that must not be opened: ERR_USAGE when it is no name. */
int attrs_place_at(struct attrs_place *, int folder_fd, const char *name, struct error *);
/* The kernel's list of names, each with its NUL; *out is room or malloc'ed into *memory.  Nothing where there are no
 * attributes. */
int attrs_list(
    const struct attrs_place *, char *room, size_t size, char **memory, char **out, size_t *out_len, struct error *);

#endif
