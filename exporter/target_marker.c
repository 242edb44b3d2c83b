/*
 * The marker of a running import: the folder ".snapferry-<id>" in the root.
 *
 * It holds two folders with names of hard-link groups: "new", those that this import began, and "old", those of
 * interrupted imports of the same snapshot.  They are kept apart because a file in "new" may still be empty and is
 * linked all the same, while one in "old" counts only when it is whole.
 *
 * The file "boot" says under which boot of the kernel the files were written.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/xattr.h>

#include "cleanup.h"
#include "error.h"
#include "target_internal.h"

#define LINKS     "new"
#define OLD_LINKS "old"
#define LOCK_FILE "lock"
#define BOOT_FILE "boot"

/* The text in BOOT_FILE: a boot id, or SYNCED.  Always as long, so that writing it in place is all or nothing. */
#define BOOT_LEN 37
#define SYNCED   "everything up to here is on the disk\n"
_Static_assert(sizeof SYNCED == BOOT_LEN + 1, "texts of equal length");

#define OPEN_FOLDER (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

static inline void
closedir_p(DIR **d)
{
	if (*d != NULL)
		(void)closedir(*d);
}
#define CLEANUP_CLOSEDIR CLEANUP(closedir_p)

/* A stream over a folder, apart from the descriptor and its position. */
static DIR *
list(int folder)
{
	CLEANUP_CLOSE int fd = openat(folder, ".", OPEN_FOLDER);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (d != NULL)
		(void)STEAL_FD(fd);
	return d;
}

/* 1 and the next name, 0 at the end. */
static int
next_name(DIR *d, const char **name, struct error *err)
{
	struct dirent *e;

	do {
		errno = 0;
		e = readdir(d);
		if (e == NULL)
			return errno == 0 ? 0 : error_errno(err, "list a folder of the target");
	} while (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0);
	*name = e->d_name;
	return 1;
}

static int
open_root(struct target *t, const char *path, struct error *err)
{
	t->root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (t->root < 0 && errno == ENOTDIR)
		return error_set(err, ERR_USAGE, "the target \"%s\" is no folder", path);
	if (t->root < 0)
		return error_errno(err, "open the target folder \"%s\"", path);
	return 0;
}

static int
lock(int fd, bool *done, struct error *err)
{
	*done = flock(fd, LOCK_EX | LOCK_NB) == 0;
	if (!*done && errno == EWOULDBLOCK)
		return error_set(err, ERR_EXISTS, "another import runs in this target");
	return 0;
}

/* Look at what is in the root: its own marker, and anything that forbids an import without overwrite. */
static int
look_around(struct target *t, const char *path, struct error *err)
{
	CLEANUP_CLOSEDIR DIR *d = list(t->root);
	char found[128] = "";
	const char *name;
	char shown[128];
	int r;

	if (d == NULL)
		return error_errno(err, "list the target folder \"%s\"", path);
	while ((r = next_name(d, &name, err)) > 0) {
		if (strcmp(name, t->marker_name) == 0)
			t->resuming = true;
		else if (strcmp(name, "lost+found") != 0)
			(void)error_quote(found, sizeof found, name, strlen(name));
	}
	if (r < 0 || t->resuming || t->options.overwrite || found[0] == 0)
		return r;
	(void)error_quote(shown, sizeof shown, path, strlen(path));
	if (strncmp(found, TARGET_MARKER_PREFIX, strlen(TARGET_MARKER_PREFIX)) == 0)
		return error_set(err, ERR_EXISTS,
		    "the target \"%s\" holds an unfinished import of another snapshot (%s); finish that one, or allow "
		    "to overwrite",
		    shown, found + strlen(TARGET_MARKER_PREFIX));
	return error_set(err, ERR_EXISTS,
	    "the target \"%s\" is not empty (it holds \"%s\"); empty it, or allow to overwrite", shown, found);
}

static int
make_folder(int parent, const char *name, int *out, struct error *err)
{
	if (mkdirat(parent, name, 0700) < 0 && errno != EEXIST)
		return error_errno(err, "make the marker folder %s in the target", name);
	*out = openat(parent, name, OPEN_FOLDER);
	if (*out < 0)
		return error_errno(err, "open the marker folder %s in the target", name);
	return 0;
}

/* What an interrupted import has called new is old now. */
static int
age_links(struct target *t, struct error *err)
{
	CLEANUP_CLOSEDIR DIR *d = list(t->links);
	const char *name;
	int r;

	if (d == NULL)
		return error_errno(err, "list the marker folder in the target");
	while ((r = next_name(d, &name, err)) > 0) {
		/* The same file under both names stays as it is by POSIX, so that the new name goes by itself. */
		if (renameat(t->links, name, t->old_links, name) < 0 ||
		    (unlinkat(t->links, name, 0) < 0 && errno != ENOENT))
			return error_errno(err, "rename in the marker folder of the target");
	}
	return r;
}

/* False: there is none of the right length. */
static bool
read_boot(int folder, const char *name, char out[BOOT_LEN])
{
	CLEANUP_CLOSE int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	return fd >= 0 && read(fd, out, BOOT_LEN) == BOOT_LEN;
}

/* Durably, before anything that it speaks of. */
static int
write_boot(struct target *t, const char text[BOOT_LEN], struct error *err)
{
	CLEANUP_CLOSE int fd = openat(t->marker, BOOT_FILE, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0 || pwrite(fd, text, BOOT_LEN, 0) != BOOT_LEN || fsync(fd) < 0)
		return error_errno(err, "write the boot id into the marker folder of the target");
	return 0;
}

/*
 * Whether files of the interrupted import can be trusted.  If not, the old boot id stays: what this import does not get
 * to write again remains doubtful for the next one.
 */
static int
check_boot(struct target *t, struct error *err)
{
	char now[BOOT_LEN] = "", before[BOOT_LEN];
	bool known = read_boot(AT_FDCWD, "/proc/sys/kernel/random/boot_id", now);
	bool found = t->resuming && read_boot(t->marker, BOOT_FILE, before);

	t->trusting = !t->resuming || (found && memcmp(before, SYNCED, BOOT_LEN) == 0) ||
		      (found && known && memcmp(before, now, BOOT_LEN) == 0);
	return t->trusting ? write_boot(t, now, err) : 0;
}

static int
open_lock_file(struct target *t, struct error *err)
{
	bool locked;

	t->lock_file = openat(t->marker, LOCK_FILE, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (t->lock_file < 0)
		return error_errno(err, "make the lock file in the target");
	return lock(t->lock_file, &locked, err);
}

static int
empty_folder(int fd, struct error *err)
{
	CLEANUP_CLOSEDIR DIR *d = list(fd);
	const char *name;
	int r;

	if (d == NULL)
		return error_errno(err, "list the marker folder in the target");
	while ((r = next_name(d, &name, err)) > 0)
		if (unlinkat(fd, name, 0) < 0 && errno != ENOENT)
			return error_errno(err, "remove a name from the marker folder in the target");
	return r;
}

/* Remove one of the two folders with all names in it; one that is not there is fine. */
static int
remove_links(int marker, const char *name, struct error *err)
{
	CLEANUP_CLOSE int fd = openat(marker, name, OPEN_FOLDER);
	int r;

	if (fd < 0)
		return errno == ENOENT ? 0 : error_errno(err, "open the marker folder in the target");
	r = empty_folder(fd, err);
	if (r == 0 && unlinkat(marker, name, AT_REMOVEDIR) < 0)
		r = error_errno(err, "remove the marker folder from the target");
	return r;
}

static int
remove_marker(int root, const char *name, struct error *err)
{
	CLEANUP_CLOSE int fd = openat(root, name, OPEN_FOLDER);
	int r;

	if (fd < 0)
		return error_errno(err, "open the marker folder in the target");
	r = remove_links(fd, LINKS, err);
	if (r == 0)
		r = remove_links(fd, OLD_LINKS, err);
	if (r == 0 && unlinkat(fd, LOCK_FILE, 0) < 0 && errno != ENOENT)
		r = error_errno(err, "remove the lock file from the target");
	if (r == 0 && unlinkat(fd, BOOT_FILE, 0) < 0 && errno != ENOENT)
		r = error_errno(err, "remove the boot id from the target");
	if (r == 0 && unlinkat(root, name, AT_REMOVEDIR) < 0)
		r = error_errno(err, "remove the marker folder from the target");
	return r;
}

/* With the root locked no import runs: markers of other snapshots are left-overs of one that this import replaces. */
static int
remove_stale(struct target *t, struct error *err)
{
	CLEANUP_CLOSEDIR DIR *d = list(t->root);
	const char *name;
	int r;

	if (d == NULL)
		return error_errno(err, "list the target folder");
	while ((r = next_name(d, &name, err)) > 0)
		if (strncmp(name, TARGET_MARKER_PREFIX, strlen(TARGET_MARKER_PREFIX)) == 0 &&
		    strcmp(name, t->marker_name) != 0) {
			/* Only what looks like ours to the end is removed; anything else stays, as all that the
			 * snapshot lacks. */
			struct error ignored;

			(void)remove_marker(t->root, name, &ignored);
		}
	return r;
}

int
target_marker_open(struct target *t, const char *path, struct error *err)
{
	bool locked = false;
	int r;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return error_errno(err, "make the target folder \"%s\"", path);
	r = open_root(t, path, err);
	if (r == 0)
		r = lock(t->root, &locked, err);
	if (r == 0)
		r = look_around(t, path, err);
	if (r == 0)
		r = make_folder(t->root, t->marker_name, &t->marker, err);
	if (r == 0 && !locked)
		r = open_lock_file(t, err);
	if (r == 0 && locked && t->options.overwrite)
		r = remove_stale(t, err);
	if (r == 0)
		r = check_boot(t, err);
	if (r == 0)
		r = make_folder(t->marker, OLD_LINKS, &t->old_links, err);
	if (r == 0)
		r = make_folder(t->marker, LINKS, &t->links, err);
	if (r == 0 && t->resuming)
		r = age_links(t, err);
	if (r == 0)
		(void)fremovexattr(t->root, "system.posix_acl_default");
	return r;
}

int
target_marker_check(struct target *t, const char *path, struct error *err)
{
	int r = open_root(t, path, err);

	if (r == ERR_NOT_FOUND)
		return 0;
	return r < 0 ? r : look_around(t, path, err);
}

int
target_marker_remove(struct target *t, struct error *err)
{
	return remove_marker(t->root, t->marker_name, err);
}

void
target_marker_keep(struct target *t)
{
	struct error ignored;

	if (t->trusting && syncfs(t->root) == 0)
		(void)write_boot(t, SYNCED, &ignored);
}
