#ifndef TARGET_H_
#define TARGET_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "entry.h"

struct error;

/*
 * A folder into which a snapshot is imported.
 *
 * Safety: everything is created through descriptors of folders that this program opened itself below the root, one
 * component at a time, without following symlinks; nothing that a catalog or another process does makes a write land
 * outside.
 *
 * One thread (the planner) walks the catalog and calls the target_folder_*, target_special() and target_file_new()
 * functions; workers call target_file_write(), _zeros() and _done() and target_small(), from any thread.
 *
 * While an import runs, the folder ".snapferry-<id>" in the root marks it, and holds a name for the first file of each
 * hard-link group (named by inode number and type of the source), so that groups need no memory.  An import of the same
 * snapshot that finds the marker goes on where the other one was killed: files whose size and time are right are done,
 * because times are set last.  That holds as long as the machine runs: after a power loss, files may have kept size and
 * time but not their content.  So the marker remembers the kernel's boot id, or that everything was synced when the
 * import was told to stop; when neither holds, nothing is skipped until an import gets through.
 *
 * Folders are made with mode 0700 and get their own attributes last; the umask of the process is 0 from target_open()
 * to target_free(), so that a file can be created with its final mode.
 */
struct target;

struct target_options {
	char id[64]; /* snapshot, part of the marker's name */
	bool overwrite; /* the target may hold other things: what the snapshot has replaces it, the rest stays */
};

struct target_counters {
	uint64_t files, folders, symlinks, specials, links, bytes_written, skipped;
};

/* Something could not be restored as it was: counted warning.  what is a constant text for each kind.  Thread-safe on
 * the callee's side. */
typedef void target_warn_fn(void *arg, const char *path, size_t path_len, const char *what);

/*
 * Make (if needed, one level, 0700) and lock the root (flock on it, or on a file in the marker where folders cannot be
 * locked: ERR_EXISTS when another import runs). A root that is not empty (lost+found and nothing else counts as empty)
 * is ERR_EXISTS unless overwrite or the marker of the same snapshot is there. A default ACL of the root is removed: the
 * entry of the root brings back what belongs there.
 */
int target_open(
    const char *path, const struct target_options *, target_warn_fn *, void *arg, struct target **out, struct error *);
/* What target_open() would say to the content of the root, with nothing made, locked or changed.  A root that is not
 * there yet is fine. */
int target_check(const char *path, const struct target_options *, struct error *);
bool target_resuming(const struct target *);
/* Make a target_parent() that waits, now or later, fail with ERR_CANCELLED.  From any thread. */
void target_cancel(struct target *);

/* A folder of the target, counted like walker.h's. */
struct target_folder;
struct target_folder *target_folder_ref(struct target_folder *);
void target_folder_unref(struct target_folder *);

/*
 * Planner: the folder in which the entry lies.  Entries come in catalog order; folders on the way that the caller left
 * out (a subset is imported) are created with mode 0700 and get their attributes in the second pass, if at all.  A new
 * reference in *out; ERR_CORRUPT when the path leads through something that is no folder in the catalog or on disk. At
 * most 512 folders are alive (fewer when RLIMIT_NOFILE is small): waits for workers to release theirs; calls on_wait
 * (may be NULL) first (so does a later target_folder_make() or target_finish_folder()).
 */
int target_parent(struct target *, const char *path, size_t path_len, void (*on_wait)(void *), void *arg,
    struct target_folder **out, struct error *);
/* Planner: create the folder of this entry (an existing one is used).  Its attributes come last, by
 * target_finish_folder(). */
int target_folder_make(struct target *, const struct entry *, struct error *);
/* Planner: a symlink, FIFO, socket or device (or a further hard link of one), complete with its attributes. */
int target_special(struct target *, struct target_folder *, const struct entry *, struct error *);

/*
 * A hard link to a file that this import has created before (same inode number, nlink > 1): 1 when it was made (nothing
 * else to do), 0 when the file must be created from its content, TARGET_LINK_LOST when a file of the group was
 * abandoned (nothing is there under this name), negative on failure.  Planner only; the first file of a group is
 * registered when its target_file is created.
 */
#define TARGET_LINK_LOST 2
int target_link(struct target *, struct target_folder *, const struct entry *, struct error *);

/*
 * Second pass, when files were abandoned: remove a name that was linked before its group was lost.  1: it is gone now;
 * 0: it is none, or was gone before (abandoned itself, or TARGET_LINK_LOST): whoever tells of damaged files tells of
 * each name once.
 */
int target_link_remove_lost(struct target *, const struct entry *, struct error *);

/*
 * Any thread: a regular file whose whole content is at hand, in one go: the same as target_file_new(), _write() and
 * _done(), but it registers nothing for hard links (a file with nlink > 1 needs a target_file).  One that is there
 * already, whole, from an interrupted import is left alone.
 */
int target_small(
    struct target *, struct target_folder *, const struct entry *, const void *bytes, size_t len, struct error *);
/* Planner, to avoid fetching for nothing: 1 when this regular file (nlink 1) is there, whole, from an interrupted
 * import; it is counted as skipped. */
int target_file_there(struct target *, struct target_folder *, const struct entry *, struct error *);

/* A regular file under construction.  Copies what it needs of the entry. */
struct target_file;
/*
 * Planner.  parts: how many target_file_done() calls complete it.  1 and *out; or 0 when it is already there, whole,
 * from an interrupted import (nothing to do). The file is opened at the first write and closed when complete (or
 * earlier, descriptors are limited), with O_CREAT|O_EXCL; an existing one is unlinked first. An empty file has parts 1
 * as well.
 */
int target_file_new(struct target *, struct target_folder *, const struct entry *, unsigned parts,
    struct target_file **out, struct error *);
/* Workers.  Failures of the file system (no space, I/O) are errors that end the import. */
int target_file_write(struct target_file *, uint64_t offset, const void *bytes, size_t len, struct error *);
/* Allocated zeros (fallocate, else written).  Holes need no call: the file is extended to its size at the end. */
int target_file_zeros(struct target_file *, uint64_t offset, uint64_t len, struct error *);
/* One part is complete.  The last one sets size, owner, mode, attributes and times, and frees the file (also when it
 * fails: then the file is removed). */
int target_file_done(struct target_file *, struct error *);
/* Give up a part (after a failure elsewhere): the last one removes the incomplete file and frees.  With nlink > 1 the
 * whole group is lost. */
void target_file_abandon(struct target_file *);

/* Second pass, any order in which a folder comes after everything below it (deepest first): attributes and times of a
 * folder (path "" is the root). */
int target_finish_folder(struct target *, const struct entry *, struct error *);
/*
 * Everything is there, the root's attributes too: sync the file system to disk, then remove the marker.  That changes
 * the root's times: the caller gives it its attributes once more.
 */
int target_finish(struct target *, struct error *);
void target_counters(struct target *, struct target_counters *out);
/* After all workers have released their files and folders.  Without target_finish() before, the marker stays, unless
 * nothing was imported. */
void target_free(struct target *);

#endif
