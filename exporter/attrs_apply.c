/*
 * The order in which an import sets metadata.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "attrs_internal.h"
#include "cleanup.h"
#include "error.h"

static int
place_set(const struct attrs_place *p, const char *name, const void *value, size_t size)
{
	return p->fd >= 0 ? fsetxattr(p->fd, name, value, size, 0) : lsetxattr(p->path, name, value, size, 0);
}

static int
place_remove(const struct attrs_place *p, const char *name)
{
	return p->fd >= 0 ? fremovexattr(p->fd, name) : lremovexattr(p->path, name);
}

struct apply {
	struct attrs_place place;
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
	char room[ATTRS_FIRST_TRY], *list;
	size_t len;
	struct error err;

	if (attrs_list(&a->place, room, sizeof room - 1, &memory, &list, &len, &err) < 0) {
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

	if (fd < 0 && attrs_place_at(&a.place, folder_fd, name, err) < 0)
		return ATTRS_OWNER | ATTRS_MODE | ATTRS_XATTR | ATTRS_TIMES;
	apply_owner(&a);
	apply_mode(&a);
	apply_attributes(&a);
	apply_times(&a);
	if (a.failures != 0)
		*err = a.reason;
	return a.failures;
}
