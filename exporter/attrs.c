/*
 * Extended attributes between the kernel and the catalog, and the order in which an import sets metadata.
 *
 * Things that must not be opened are reached as /proc/self/fd/<folder>/<name> by the calls that do not follow symlinks.
 */
#include "attrs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "buf.h"
#include "cleanup.h"
#include "error.h"

/* How often something may grow between a question for its size and the answer. */
#define ATTEMPTS 16
/* Enough for nearly every list and value. */
#define FIRST_TRY 1024u

/* Something that has attributes: an open descriptor or, if that is -1, a path. */
struct place {
	int fd;
	char path[64 + 256];
};

static ssize_t
place_list(const struct place *p, char *out, size_t size)
{
	return p->fd >= 0 ? flistxattr(p->fd, out, size) : llistxattr(p->path, out, size);
}

static ssize_t
place_get(const struct place *p, const char *name, void *out, size_t size)
{
	return p->fd >= 0 ? fgetxattr(p->fd, name, out, size) : lgetxattr(p->path, name, out, size);
}

static int
place_set(const struct place *p, const char *name, const void *value, size_t size)
{
	return p->fd >= 0 ? fsetxattr(p->fd, name, value, size, 0) : lsetxattr(p->path, name, value, size, 0);
}

static int
place_remove(const struct place *p, const char *name)
{
	return p->fd >= 0 ? fremovexattr(p->fd, name) : lremovexattr(p->path, name);
}

static bool
proc_is_there(int folder_fd)
{
	char path[64];
	struct stat st;

	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", folder_fd);
	return lstat(path, &st) == 0;
}

static int
place_at(struct place *p, int folder_fd, const char *name, struct error *err)
{
	size_t len = strlen(name);

	if (len == 0 || len > 255 || strchr(name, '/') != NULL || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return error_set(err, ERR_USAGE, "not a name in a folder");
	p->fd = -1;
	(void)snprintf(p->path, sizeof p->path, "/proc/self/fd/%d/%s", folder_fd, name);
	return 0;
}

/* --- reading --- */

/* The kernel's list of names, each with its NUL; *out is room or malloc'ed into *memory.  Nothing where there are no
 * attributes. */
static int
list_names(
    const struct place *p, char *room, size_t size, char **memory, char **out, size_t *out_len, struct error *err)
{
	ssize_t len = place_list(p, room, size);

	*out = room;
	for (int i = 0; len < 0 && errno == ERANGE && i < ATTEMPTS; i++) {
		len = place_list(p, NULL, 0);
		if (len < 0)
			break;
		/* With some room for what comes in the meantime. */
		size = (size_t)len + FIRST_TRY;
		free(*memory);
		*memory = *out = malloc(size);
		if (*memory == NULL)
			return error_nomem(err);
		len = place_list(p, *out, size);
	}
	*out_len = len < 0 ? 0 : (size_t)len;
	if (len >= 0 || errno == ENOTSUP)
		return 0;
	return error_errno(err, "list extended attributes");
}

/* 1 and the value, 0 when the attribute is not there any more. */
static int
get_value(const struct place *p, const char *name, uint8_t **memory, size_t *cap, size_t *len, struct error *err)
{
	char quoted[300];

	for (int i = 0; i < ATTEMPTS; i++) {
		ssize_t got = place_get(p, name, *memory, *cap);
		uint8_t *grown;

		/* With no room at all, the kernel answers with the size. */
		if (got >= 0 && (size_t)got <= *cap && *cap > 0) {
			*len = (size_t)got;
			return 1;
		}
		if (got < 0 && (errno == ENODATA || errno == ENOTSUP))
			return 0;
		if (got < 0 && errno != ERANGE)
			break;
		if (got < 0 && (got = place_get(p, name, NULL, 0)) < 0)
			continue;
		if ((size_t)got > ENTRY_XATTRS_MAX)
			return error_set(err, ERR_NOMEM, "an extended attribute is too large");
		grown = realloc(*memory, (size_t)got + FIRST_TRY);
		if (grown == NULL)
			return error_nomem(err);
		*memory = grown;
		*cap = (size_t)got + FIRST_TRY;
	}
	return error_errno(err, "read extended attribute %s", error_quote(quoted, sizeof quoted, name, strlen(name)));
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The attributes behind each other, as the set has them, and their number. */
static int
gather(const struct place *p, char **names, size_t nnames, struct buf *out, size_t *count, struct error *err)
{
	CLEANUP_FREE uint8_t *value = NULL;
	size_t cap = 0, len = 0;

	*count = 0;
	for (size_t i = 0; i < nnames; i++) {
		int r;

		if (i > 0 && strcmp(names[i], names[i - 1]) == 0)
			continue;
		if ((r = get_value(p, names[i], &value, &cap, &len, err)) < 0)
			return r;
		if (r == 0)
			continue;
		buf_varint(out, strlen(names[i]));
		buf_put(out, names[i], strlen(names[i]));
		buf_varint(out, len);
		buf_put(out, value, len);
		if ((r = buf_check(out, "set of extended attributes", err)) < 0)
			return r;
		++*count;
	}
	return 0;
}

static int
put_set(const struct place *p, char *list, size_t list_len, struct buf *out, struct error *err)
{
	CLEANUP_FREE char **names = NULL;
	CLEANUP(buf_free) struct buf body = BUF_INIT(ENTRY_XATTRS_MAX), head = BUF_INIT(16);
	size_t n = 0, count;
	int r;

	for (size_t at = 0; at < list_len; at += strlen(list + at) + 1)
		n++;
	names = calloc(n, sizeof *names);
	if (names == NULL)
		return error_nomem(err);
	n = 0;
	for (size_t at = 0; at < list_len; at += strlen(list + at) + 1) {
		/* A file system that lists an attribute without a name is not worth failing for. */
		if (list[at] != '\0')
			names[n++] = list + at;
	}
	qsort(names, n, sizeof *names, compare_names);
	if ((r = gather(p, names, n, &body, &count, err)) < 0 || count == 0)
		return r;
	buf_varint(&head, count);
	if ((r = buf_check(&head, "set of extended attributes", err)) < 0)
		return r;
	if (head.len + body.len > ENTRY_XATTRS_MAX)
		return error_set(err, ERR_NOMEM, "set of extended attributes is too large");
	buf_put(out, head.data, head.len);
	buf_put(out, body.data, body.len);
	return buf_check(out, "set of extended attributes", err);
}

static int
read_place(const struct place *p, struct buf *out, struct error *err)
{
	CLEANUP_FREE char *memory = NULL;
	char room[FIRST_TRY], *list;
	size_t len;
	int r = list_names(p, room, sizeof room - 1, &memory, &list, &len, err);

	if (r < 0 || len == 0)
		return r;
	/* The last name must end within the memory, whatever the file system says; both rooms have a byte to spare. */
	list[len - 1] = '\0';
	return put_set(p, list, len, out, err);
}

int
attrs_read_fd(int fd, struct buf *out, struct error *err)
{
	const struct place p = {.fd = fd};

	return read_place(&p, out, err);
}

int
attrs_read_at(int folder_fd, const char *name, struct buf *out, struct error *err)
{
	struct place p;
	int r = place_at(&p, folder_fd, name, err);

	if (r < 0)
		return r;
	r = read_place(&p, out, err);
	if (r == ERR_NOT_FOUND && !proc_is_there(folder_fd))
		return error_set(
		    err, ERR_UNSUPPORTED, "attributes of what cannot be opened need /proc, which is not mounted");
	return r;
}

/* --- applying --- */

struct apply {
	struct place place;
	int folder_fd;
	const char *name;
	const struct entry *e;
	bool fresh, owner_failed;
	bool refused; /* an attribute could not be set for lack of permission on the file */
	unsigned failures;
	struct error reason; /* of the first failure */
};

/* Count a failure; errno says why. */
static void
failed(struct apply *a, enum attrs_failure kind, const char *what)
{
	if (a->failures == 0)
		(void)error_errno(&a->reason, "%s", what);
	a->failures |= kind;
}

static int
change_owner(const struct apply *a, uid_t uid, gid_t gid)
{
	if (a->place.fd >= 0)
		return fchown(a->place.fd, uid, gid);
	return fchownat(a->folder_fd, a->name, uid, gid, AT_SYMLINK_NOFOLLOW);
}

static void
apply_owner(struct apply *a)
{
	const struct entry *e = a->e;

	/* For the kernel, this number means "as it is". */
	if (e->uid == UINT32_MAX || e->gid == UINT32_MAX)
		errno = EINVAL;
	else if (change_owner(a, e->uid, e->gid) == 0)
		return;
	failed(a, ATTRS_OWNER, "set owner");
	a->owner_failed = true;
	/* Who may not give files away may still be in the group. */
	if (e->gid != UINT32_MAX && change_owner(a, (uid_t)-1, e->gid) < 0)
		return;
}

static int
change_mode(const struct apply *a, mode_t mode)
{
	if (a->place.fd >= 0)
		return fchmod(a->place.fd, mode);
	return fchmodat(a->folder_fd, a->name, mode, AT_SYMLINK_NOFOLLOW);
}

static mode_t
wanted_mode(const struct apply *a)
{
	mode_t mode = a->e->mode & 07777;

	return a->owner_failed ? mode & (mode_t) ~(S_ISUID | S_ISGID) : mode;
}

static void
apply_mode(struct apply *a)
{
	mode_t mode = wanted_mode(a);
	struct stat st;

	if (a->e->type == ENTRY_SYMLINK)
		return;
	if (change_mode(a, mode) < 0) {
		failed(a, ATTRS_MODE, "set mode");
		return;
	}
	if ((a->e->mode & (S_ISUID | S_ISGID)) == 0)
		return;
	/* The kernel takes the set-group-id bit away silently from who is not in the group. */
	if (mode != (a->e->mode & 07777) ||
	    (a->place.fd >= 0 && fstat(a->place.fd, &st) == 0 && (st.st_mode & 07777) != mode)) {
		errno = EPERM;
		failed(a, ATTRS_MODE, "set mode with set-user-id or set-group-id");
	}
}

/* The attribute is in the entry's set. */
static bool
wanted_attribute(const struct entry *e, const char *name)
{
	struct xattr x;
	struct error ignored;
	size_t pos = 0;

	while (e->xattrs_len > 0 && entry_xattr_next(e->xattrs, e->xattrs_len, &pos, &x, &ignored) == 1) {
		if (x.name_len == strlen(name) && memcmp(x.name, name, x.name_len) == 0)
			return true;
	}
	return false;
}

static bool
begins(const char *name, const char *with)
{
	return strncmp(name, with, strlen(with)) == 0;
}

/* What nobody asked for and what is not the kernel's own.  A new file can only have inherited an ACL. */
static bool
may_remove(const struct apply *a, const char *name)
{
	if (begins(name, "system.posix_acl_"))
		return true;
	return !a->fresh &&
	       (begins(name, "user.") || begins(name, "trusted.") || strcmp(name, "security.capability") == 0);
}

static void
remove_others(struct apply *a)
{
	CLEANUP_FREE char *memory = NULL;
	char room[FIRST_TRY], *list;
	size_t len;
	struct error err;

	if (list_names(&a->place, room, sizeof room - 1, &memory, &list, &len, &err) < 0) {
		/* With nothing to set, a list that cannot be had is no loss. */
		if (a->e->xattrs_len > 0)
			failed(a, ATTRS_XATTR, "list extended attributes");
		return;
	}
	if (len == 0)
		return;
	list[len - 1] = '\0';
	for (size_t at = 0; at < len; at += strlen(list + at) + 1) {
		const char *name = list + at;

		if (may_remove(a, name) && !wanted_attribute(a->e, name) && place_remove(&a->place, name) < 0 &&
		    errno != ENODATA)
			failed(a, ATTRS_XATTR, "remove an extended attribute");
	}
}

static void
set_attribute(struct apply *a, const struct xattr *x)
{
	char name[256], what[sizeof a->reason.msg / 2], quoted[200];
	int r = -1;

	(void)error_quote(quoted, sizeof quoted, x->name, x->name_len);
	(void)snprintf(what, sizeof what, "set extended attribute %s", quoted);
	if (x->name_len >= sizeof name || memchr(x->name, '\0', x->name_len) != NULL) {
		errno = ERANGE;
	} else {
		memcpy(name, x->name, x->name_len);
		name[x->name_len] = '\0';
		r = place_set(&a->place, name, x->value, x->value_len);
	}
	if (r == 0)
		return;
	if (errno == EACCES)
		a->refused = true;
	failed(a, ATTRS_XATTR, what);
}

/* All but capabilities, or only these: any later change would take them away. */
static void
set_attributes(struct apply *a, bool capability)
{
	static const char cap[] = "security.capability";
	const struct entry *e = a->e;
	struct xattr x;
	struct error err;
	size_t pos = 0;
	int r;

	while ((r = entry_xattr_next(e->xattrs, e->xattrs_len, &pos, &x, &err)) == 1) {
		bool is_cap = x.name_len == sizeof cap - 1 && memcmp(x.name, cap, sizeof cap - 1) == 0;

		if (is_cap != capability)
			continue;
		if (is_cap && a->owner_failed) {
			/* They are worth as much as set-user-id. */
			errno = EPERM;
			failed(a, ATTRS_XATTR, "set capabilities for the wrong owner");
			continue;
		}
		set_attribute(a, &x);
	}
	if (r < 0) {
		errno = EINVAL;
		failed(a, ATTRS_XATTR, "read the set of extended attributes");
	}
}

static void
apply_attributes(struct apply *a)
{
	remove_others(a);
	if (a->e->xattrs_len == 0)
		return;
	struct error first = a->reason;
	unsigned before = a->failures;

	set_attributes(a, false);
	/* The owner of a file that is read-only may set its attributes only while it is not. */
	if (a->refused && a->place.fd >= 0 && (a->e->mode & S_IWUSR) == 0 &&
	    fchmod(a->place.fd, (wanted_mode(a) | S_IWUSR) & 01777) == 0) {
		a->failures = before;
		a->reason = first;
		set_attributes(a, false);
		if (fchmod(a->place.fd, wanted_mode(a)) < 0)
			failed(a, ATTRS_MODE, "set mode");
	}
	set_attributes(a, true);
}

static void
apply_times(struct apply *a)
{
	const struct entry *e = a->e;
	/* The time of access is not part of a snapshot. */
	const struct timespec times[2] = {
	    {.tv_sec = e->mtime_s, .tv_nsec = e->mtime_ns},
	    {.tv_sec = e->mtime_s, .tv_nsec = e->mtime_ns},
	};
	int r;

	if (e->mtime_ns >= 1000000000u) {
		/* Some such numbers mean "now" or "as it is" for the kernel. */
		errno = EINVAL;
		r = -1;
	} else if (a->place.fd >= 0) {
		r = futimens(a->place.fd, times);
	} else {
		r = utimensat(a->folder_fd, a->name, times, AT_SYMLINK_NOFOLLOW);
	}
	if (r < 0)
		failed(a, ATTRS_TIMES, "set times");
}

unsigned
attrs_apply(int fd, int folder_fd, const char *name, const struct entry *e, bool fresh, struct error *err)
{
	struct apply a = {.place = {.fd = fd}, .folder_fd = folder_fd, .name = name, .e = e, .fresh = fresh};

	if (fd < 0 && place_at(&a.place, folder_fd, name, err) < 0)
		return ATTRS_OWNER | ATTRS_MODE | ATTRS_XATTR | ATTRS_TIMES;
	apply_owner(&a);
	apply_mode(&a);
	apply_attributes(&a);
	apply_times(&a);
	if (a.failures != 0)
		*err = a.reason;
	return a.failures;
}
