#ifndef TARGET_INTERNAL_H_
#define TARGET_INTERNAL_H_

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "entry.h"
#include "target.h"

struct error;

/* What the parts of target.h share; no one else includes this, except tests. */

#define TARGET_NAME_MAX      256 /* a component and its NUL */
#define TARGET_MARKER_PREFIX ".snapferry-"

/* Owner that a file has when it is created in a folder, as uid << 32 | gid. */
#define TARGET_OWNER_UNKNOWN UINT64_MAX

struct target_folder {
	struct target *target;
	atomic_uint refs;
	int fd;
	bool inherits; /* a default ACL is given to what is created here */
	bool closed; /* no one else can get in: a folder on the way has mode 0700 and our owner */
	dev_t dev;
	ino_t ino;
	_Atomic uint64_t owner; /* what creation gives, once seen, else TARGET_OWNER_UNKNOWN */
};

/* One component of the planner's current path; folders higher up than the window are closed, but for the root. */
struct target_level {
	size_t end; /* the folder's path is the first `end` bytes */
	struct target_folder *folder; /* NULL when closed; then it was: */
	bool closed;
	dev_t dev;
	ino_t ino;
};

struct target {
	struct target_options options;
	target_warn_fn *warn;
	void *warn_arg;
	bool resuming;
	bool trusting; /* what looks whole is whole: no power loss can have emptied it */
	bool finished;
	mode_t old_umask;
	bool umask_set;

	int root; /* for the lock, the marker and syncfs */
	int marker;
	int lock_file; /* where folders cannot be locked */
	int links; /* names of hard-link groups that this import began */
	int old_links; /* and those of the interrupted ones */
	atomic_bool loss_unmarked; /* a group is lost, and the marker does not say so */
	unsigned link_limit; /* for tests: behave as if the kernel allowed no more links of a file */
	char marker_name[sizeof ".snapferry-" + 64];

	/* The planner's way down. */
	char *path;
	size_t path_cap;
	struct target_level *levels;
	size_t depth, levels_cap;
	void (*on_wait)(void *arg); /* from the last target_parent() */
	void *on_wait_arg;

	pthread_mutex_t lock;
	pthread_cond_t folder_released, file_opened;
	bool cancelled;
	unsigned folders, max_folders, window;
	unsigned open_files, max_files;
	struct target_file *idle_first,
	    *idle_last; /* open, but nobody writes: closed when descriptors get scarce, oldest first */

	_Atomic uint64_t n_files, n_folders, n_symlinks, n_specials, n_links, n_bytes, n_skipped;
};

struct target_file {
	struct target *target;
	struct target_folder *folder;
	struct entry e; /* its pointers lead into bytes[] */
	const char *name;
	mode_t birth_mode;
	atomic_uint parts;
	atomic_bool abandoned;

	/* Under the target's lock. */
	int fd;
	unsigned users; /* threads that use fd */
	bool opening;
	bool created;
	dev_t dev; /* of a created file that was closed meanwhile */
	ino_t ino;
	uint64_t end; /* of what was written */
	struct target_file *idle_before, *idle_after;

	char bytes[];
};

/* target.c */
/* The path is one that a catalog may have, and does not lead into the marker.  Its first bytes (0, or the path of a
 * folder above) are known to be right. */
int target_check_path(const struct target *, const struct entry *, size_t known, struct error *);
/* The last component. */
void target_name(char out[TARGET_NAME_MAX], const char *path, size_t path_len);
void target_warning(struct target *, const struct entry *, const char *what);
/* One warning for each bit of enum attrs_failure. */
void target_warn_attrs(struct target *, const struct entry *, unsigned failures);
/* error_errno() with "<doing> <path>". */
int target_errno(const struct entry *, const char *doing, struct error *);

/* target_marker.c */
int target_marker_open(struct target *, const char *root_path, struct error *);
/* The same as far as nothing is changed by it. */
int target_marker_check(struct target *, const char *root_path, struct error *);
int target_marker_remove(struct target *, struct error *);
/* The import ends before its time: what is there is made durable, so that a later one can trust it after a restart,
 * too. */
void target_marker_keep(struct target *);

/* target_folder.c */
/* Opening waits until there may be one more folder, and gives a new reference in *out. */
int target_folder_open_root(struct target *, struct target_folder **out, struct error *);
/* The folder at this path in its parent. */
int target_folder_open(struct target *, const struct target_folder *parent, const struct entry *at, bool create,
    struct target_folder **out, struct error *);
/* The folder that holds child now, wherever that is: 1, or 0 when it cannot be opened this way.  closed: it lies in one
 * into which no one else can get. */
int target_folder_open_above(
    struct target *, const struct target_folder *child, bool closed, struct target_folder **out, struct error *);

/* target_way.c */
int target_way_begin(struct target *, struct error *);
void target_way_end(struct target *);
/* Make the folder that holds this entry the planner's current one; borrowed in *out.  The path is checked. */
int target_way_to_parent(
    struct target *, const struct entry *, bool create, struct target_folder **out, struct error *);

/* target_create.c */
/* Make way for an entry whose name is taken: ERR_EXISTS when it must not be, or is a folder that holds something. */
int target_clear(struct target *, struct target_folder *, const char *name, const struct entry *, struct error *);
/* O_CREAT|O_EXCL, after making way; the descriptor or a negative code. */
int target_create(
    struct target *, struct target_folder *, const char *name, const struct entry *, mode_t, struct error *);
/* The mode with which a file is best created: the final one, or 0600 when that waits for target_settle(). */
mode_t target_birth_mode(struct target_folder *, const struct entry *);
/* Owner, mode, attributes and times of a file that was created with target_birth_mode(), or other bits. */
void target_settle(
    struct target *, struct target_folder *, const char *name, const struct entry *, int fd, mode_t birth_mode);
int target_write_all(int fd, const struct entry *, uint64_t offset, const void *bytes, size_t len, struct error *);
/* Whether st is the entry, restored to the end: type, size of a file, time. */
bool target_is_whole(const struct stat *, const struct entry *);

/* target_open_files.c */
/* Open the file, or use it together with others; release it with the end of what was written (0: nothing). */
int target_open_acquire(struct target_file *, int *fd, struct error *);
void target_open_release(struct target_file *, uint64_t end);
/* Close it for good; nobody uses it. */
int target_open_close(struct target_file *, struct error *);

/* target_link.c */
/* Register the first name of a hard-link group.  A file system that cannot is a warning. */
int target_link_register(
    struct target *, struct target_folder *, const char *name, const struct entry *, struct error *);
/* Any thread: a file of this group is damaged. */
void target_link_lose(struct target *, const struct entry *);

#endif
