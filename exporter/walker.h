#ifndef WALKER_H_
#define WALKER_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct entry;
struct error;

/*
 * A walk over a folder tree in catalog order (entry_path_compare()): a folder first, then everything in it, names in
 * byte order.
 *
 * Streams: memory is bounded by the names of the folders on the way down (names of one folder beyond 16 MiB are sorted
 * in runs in an unlinked temporary file below $TMPDIR), not by the tree. Only file descriptors relative to the root are
 * used, never a path from outside; depth is not limited by descriptors (at most `max_open` folders are held open by the
 * walk; others are opened again, through "..", and checked by device and inode) nor by PATH_MAX.
 */
struct walker;

/* An open folder, counted: threads that read files later hold it open.  folder_unref() accepts NULL; both are safe from
 * any thread. */
struct folder;
struct folder *folder_ref(struct folder *);
void folder_unref(struct folder *);
int folder_fd(const struct folder *);

struct walker_options {
	bool cross_file_systems; /* also what is mounted below the root */
	bool keep_lost_found; /* also lost+found in the root folder */
	const char *const *excludes; /* globs, see walker_excluded() */
	size_t nexcludes;
	unsigned max_folders; /* folders alive at the same time, those held by readers included; 0: 256 */
};

/* Something that was found.  All pointers are valid until the next walker_next(). */
struct walker_node {
	const char *path; /* relative to the root, "" for the root itself, NUL-terminated */
	size_t path_len;
	const char *name; /* the last component */
	struct folder *parent; /* NULL for the root */
	struct folder *self; /* the folder itself when it is one and could be opened, else NULL */
	struct statx stx; /* basic stats and birth time, symlinks not followed */
	bool mount_point; /* its content is left out */
};

/* Why something is missing from the walk or incomplete. */
enum walker_notice {
	WALKER_UNREADABLE, /* folder could not be opened or listed: errnum */
	WALKER_NO_STAT, /* listed, but cannot be examined: errnum (a name that vanished since is not reported) */
	WALKER_LEFT_OUT_LOST_FOUND,
	WALKER_LEFT_OUT_MOUNT,
	WALKER_TOO_DEEP /* path above ENTRY_PATH_MAX */
};
/* Called from within walker_next(). */
typedef void walker_notice_fn(void *arg, enum walker_notice, const char *path, size_t path_len, int errnum);

/* root: a folder (a symlink to one is followed here, and only here).  ERR_NOT_FOUND, ERR_USAGE when it is no folder,
 * ERR_DENIED. */
int walker_new(const char *root, const struct walker_options *, walker_notice_fn *, void *arg, struct walker **out,
    struct error *);
/* 1 and the next node, 0 at the end, negative only when going on makes no sense (memory, root vanished). */
int walker_next(struct walker *, struct walker_node *out, struct error *);
/* Before blocking for a folder to be released, walker_next() calls this, so that the caller can hand over what it has
 * gathered. */
void walker_on_wait(struct walker *, void (*fn)(void *arg), void *arg);
/* Make a walker_next() that waits for folders, now or later, fail with ERR_CANCELLED.  From any thread. */
void walker_cancel(struct walker *);
void walker_free(struct walker *);

/*
 * What the walk knows of a node, as an entry: content, attributes and a symlink's target are missing, and the path is
 * the node's.  root_dev: the device of the root, by which inode numbers are told apart (0: they do not matter).
 */
void walker_entry(const struct walker_node *, dev_t root_dev, struct entry *out);

/*
 * Whether a path is excluded: a pattern with '/' inside is matched (fnmatch(3), FNM_PATHNAME) against the whole path
 * from the root (a leading '/' is allowed), one without against the last component; a trailing '/' restricts it to
 * folders; "**" matches any number of components.
 */
bool walker_excluded(const struct walker_options *, const char *path, const char *name, bool is_folder);

#endif
