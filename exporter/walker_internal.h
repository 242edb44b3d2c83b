#ifndef WALKER_INTERNAL_H_
#define WALKER_INTERNAL_H_

#include "walker.h"

/* walker_new() with another limit for the memory of names than NAMES_LIMIT: tests reach the temporary file with it. */
int walker_new_limited(const char *root, const struct walker_options *, size_t names_limit, walker_notice_fn *,
    void *arg, struct walker **out, struct error *);

/* ---- walker.c ---- */

/* A folder is opened again only if it is still the same one. */
struct walker_identity {
	uint32_t dev_major, dev_minor;
	uint64_t ino;
};

/* A folder on the way down. */
struct walker_level {
	struct folder *folder; /* NULL: closed for want of descriptors; never the one on top */
	size_t path_len;
	struct walker_identity id;
};

struct walker {
	struct walker_options options;
	walker_notice_fn *notice;
	void *notice_arg;
	void (*on_wait)(void *);
	void *on_wait_arg;
	struct folder_pool *pool;
	unsigned keep; /* levels that are held open */
	struct names *names;
	struct walker_level *levels;
	size_t depth, levels_cap;
	size_t first_open; /* levels before this one are closed */
	char *path;
	size_t path_cap;
	struct folder *root;
	struct statx root_stx;
	bool started;
	struct walker_level found; /* handed out, to be entered next; its folder is NULL if there is none */
};

struct walker_identity walker_identity(const struct statx *);
/* About the first path_len bytes of the current path. */
void walker_tell(struct walker *, enum walker_notice, size_t path_len, int errnum);

/* ---- walker_levels.c ---- */

/* One more folder may be opened: waits if it must. */
int walker_make_room(struct walker *, struct error *);
/* A descriptor, or -1 and errno. */
int walker_open_folder(struct walker *, int at, const char *name);
/* Into the folder that was found. */
int walker_enter(struct walker *, struct error *);
/* Out of the folder on top; the one above it is open again. */
int walker_leave(struct walker *, struct error *);

#endif
