/* Extended attributes read and applied: on a file system that has them, on one that has none, with and without rights.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "attrs.h"
#include "buf.h"
#include "check.h"
#include "scratch.h"
#include "cleanup.h"

#define NOBODY 65534u

static char folder[PATH_MAX];
static int folder_fd;
static bool user_xattrs;

/* POSIX ACLs as Linux gives them: version 2, then tag u16, permissions u16, id u32. */
static const uint8_t acl[] = {2, 0, 0, 0, /* user:: */ 1, 0, 6, 0, 255, 255, 255, 255, /* user:1000 */ 2, 0, 6, 0, 0xe8,
    3, 0, 0,
    /* group:: */ 4, 0, 4, 0, 255, 255, 255, 255, /* mask */ 16, 0, 6, 0, 255, 255, 255, 255,
    /* other */ 32, 0, 0, 0, 255, 255, 255, 255};
static const uint8_t capability[] = {1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};

static int
make_file(const char *name)
{
	int fd;

	(void)unlinkat(folder_fd, name, 0);
	fd = openat(folder_fd, name, O_RDWR | O_CREAT | O_EXCL, 0600);
	CHECK(fd >= 0);
	return fd;
}

static struct entry
entry_of(const char *name, enum entry_type type, uint32_t mode)
{
	return (struct entry){.path = name,
	    .path_len = strlen(name),
	    .type = (uint8_t)type,
	    .mode = mode,
	    .uid = geteuid(),
	    .gid = getegid(),
	    .nlink = 1,
	    .mtime_s = 1234567890,
	    .mtime_ns = 987654321};
}

/* The value in a set, or -1. */
static ssize_t
find(const struct buf *set, const char *name, const uint8_t **value)
{
	struct xattr x;
	struct error err;
	size_t pos = 0;

	while (set->len > 0 && entry_xattr_next(set->data, set->len, &pos, &x, &err) == 1) {
		if (x.name_len == strlen(name) && memcmp(x.name, name, x.name_len) == 0) {
			*value = x.value;
			return (ssize_t)x.value_len;
		}
	}
	return -1;
}

static void
test_read(void)
{
	CLEANUP_CLOSE int fd = make_file("read");
	CLEANUP(buf_free) struct buf set = BUF_INIT(2 * ENTRY_XATTRS_MAX), at = BUF_INIT(2 * ENTRY_XATTRS_MAX);
	const uint8_t *value;
	struct error err;

	CHECK_OK(attrs_read_fd(fd, &set, &err), &err);
	CHECK_INT(find(&set, "user.b", &value), -1);
	if (!user_xattrs)
		return;
	CHECK(fsetxattr(fd, "user.b", "second", 6, 0) == 0);
	CHECK(fsetxattr(fd, "user.a", "", 0, 0) == 0);
	CHECK(fsetxattr(fd, "user.ab\xff", "\0x", 2, 0) == 0);
	buf_reset(&set);
	CHECK_OK(attrs_read_fd(fd, &set, &err), &err);
	CHECK_OK(entry_xattrs_check(set.data, set.len, &err), &err);
	CHECK_INT(find(&set, "user.b", &value), 6);
	CHECK_MEM(value, "second", 6);
	CHECK_INT(find(&set, "user.a", &value), 0);
	CHECK_INT(find(&set, "user.ab\xff", &value), 2);
	CHECK_OK(attrs_read_at(folder_fd, "read", &at, &err), &err);
	CHECK_INT(at.len, set.len);
	CHECK_MEM(at.data, set.data, set.len);
	/* Appended, not replaced. */
	CHECK_OK(attrs_read_fd(fd, &at, &err), &err);
	CHECK_INT(at.len, 2 * set.len);
	CHECK_INT(attrs_read_at(folder_fd, "nothing", &at, &err), ERR_NOT_FOUND);
	CHECK_INT(attrs_read_at(folder_fd, "..", &at, &err), ERR_USAGE);
	CHECK_INT(attrs_read_at(folder_fd, "a/b", &at, &err), ERR_USAGE);
	CHECK_INT(attrs_read_at(folder_fd, "", &at, &err), ERR_USAGE);
}

/* More names and longer values than the first try has room for. */
static void
test_read_large(void)
{
	CLEANUP_CLOSE int fd = make_file("large");
	CLEANUP(buf_free) struct buf set = BUF_INIT(ENTRY_XATTRS_MAX);
	char name[200], value[3000];
	const uint8_t *got;
	struct error err;
	unsigned n = 0;

	if (!user_xattrs)
		return;
	memset(value, 'v', sizeof value);
	/* As much as the file system takes: ext4 has one block for all. */
	for (; n < 12; n++) {
		(void)snprintf(name, sizeof name, "user.%0150u", n);
		if (fsetxattr(fd, name, value, n == 0 ? 1500 : 20, 0) < 0)
			break;
	}
	CHECK(n > 7);
	CHECK_OK(attrs_read_fd(fd, &set, &err), &err);
	CHECK_OK(entry_xattrs_check(set.data, set.len, &err), &err);
	for (unsigned i = 0; i < n; i++) {
		(void)snprintf(name, sizeof name, "user.%0150u", i);
		CHECK_INT(find(&set, name, &got), i == 0 ? 1500 : 20);
	}
}

static void
test_read_other(void)
{
	CLEANUP(buf_free) struct buf set = BUF_INIT(ENTRY_XATTRS_MAX);
	const uint8_t *value;
	struct error err;

	(void)unlinkat(folder_fd, "link", 0);
	CHECK(symlinkat("/nowhere/at/all", folder_fd, "link") == 0);
	CHECK_OK(attrs_read_at(folder_fd, "link", &set, &err), &err);
	CHECK_INT(find(&set, "trusted.t", &value), -1);
	if (geteuid() == 0) {
		char path[PATH_MAX + 8];

		(void)snprintf(path, sizeof path, "%s/link", folder);
		if (lsetxattr(path, "trusted.t", "T", 1, 0) == 0) {
			buf_reset(&set);
			CHECK_OK(attrs_read_at(folder_fd, "link", &set, &err), &err);
			CHECK_INT(find(&set, "trusted.t", &value), 1);
		}
	}
	/* No file system of the kernel's own tables has attributes. */
	CLEANUP_CLOSE int fd = open("/proc/self/status", O_RDONLY);

	buf_reset(&set);
	CHECK(fd >= 0);
	CHECK_OK(attrs_read_fd(fd, &set, &err), &err);
	CHECK_INT(find(&set, "user.x", &value), -1);
}

/* What happens between two system calls of the code under test: the next list is followed by this. */
static void (*after_list)(int fd);

ssize_t
flistxattr(int fd, char *list, size_t size)
{
	ssize_t len = syscall(SYS_flistxattr, fd, list, size);
	void (*hook)(int) = after_list;
	int saved = errno;

	after_list = NULL;
	if (hook != NULL)
		hook(fd);
	errno = saved;
	return len;
}

static void
remove_one(int fd)
{
	CHECK(fremovexattr(fd, "user.b") == 0);
}

static void
enlarge_one(int fd)
{
	static const char value[1600] = "";

	CHECK(fsetxattr(fd, "user.b", value, sizeof value, 0) == 0);
}

static void
add_long_name(int fd)
{
	char name[250];

	memset(name, 'n', sizeof name);
	memcpy(name, "user.", 5);
	name[sizeof name - 1] = '\0';
	CHECK(fsetxattr(fd, name, "", 0, 0) == 0);
}

/* Attributes that come and go while they are read. */
static void
test_race(void)
{
	CLEANUP_CLOSE int fd = make_file("race");
	CLEANUP(buf_free) struct buf set = BUF_INIT(ENTRY_XATTRS_MAX);
	const uint8_t *value;
	struct error err;

	if (!user_xattrs)
		return;
	CHECK(fsetxattr(fd, "user.a", "1", 1, 0) == 0 && fsetxattr(fd, "user.b", "2", 1, 0) == 0);
	after_list = enlarge_one;
	CHECK_OK(attrs_read_fd(fd, &set, &err), &err);
	CHECK_INT(find(&set, "user.a", &value), 1);
	CHECK_INT(find(&set, "user.b", &value), 1600);
	after_list = remove_one;
	buf_reset(&set);
	CHECK_OK(attrs_read_fd(fd, &set, &err), &err);
	CHECK_OK(entry_xattrs_check(set.data, set.len, &err), &err);
	CHECK_INT(find(&set, "user.a", &value), 1);
	CHECK_INT(find(&set, "user.b", &value), -1);
	/* All of them gone is none at all. */
	CHECK(fremovexattr(fd, "user.a") == 0 && fsetxattr(fd, "user.b", "", 0, 0) == 0);
	after_list = remove_one;
	buf_reset(&set);
	CHECK_OK(attrs_read_fd(fd, &set, &err), &err);
	CHECK_INT(set.len, 0);
	/* A list that has grown since: the names that were seen are there. */
	CHECK(fsetxattr(fd, "user.b", "2", 1, 0) == 0);
	after_list = add_long_name;
	CHECK_OK(attrs_read_fd(fd, &set, &err), &err);
	CHECK_INT(find(&set, "user.b", &value), 1);
}

static void
check_status(const char *name, const struct entry *e)
{
	struct stat st;

	CHECK(fstatat(folder_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0);
	CHECK_INT(st.st_uid, e->uid);
	CHECK_INT(st.st_gid, e->gid);
	if (e->type != ENTRY_SYMLINK)
		CHECK_INT(st.st_mode & 07777, e->mode);
	CHECK_INT(st.st_mtim.tv_sec, e->mtime_s);
	CHECK_INT(st.st_mtim.tv_nsec, e->mtime_ns);
}

/* What was read from one file comes back on another one. */
static void
test_round_trip(void)
{
	CLEANUP_CLOSE int from = make_file("from"), to = make_file("to");
	CLEANUP(buf_free) struct buf set = BUF_INIT(ENTRY_XATTRS_MAX), again = BUF_INIT(ENTRY_XATTRS_MAX);
	struct entry e = entry_of("to", ENTRY_FILE, 0640);
	struct error err;
	bool with_acl;

	if (!user_xattrs)
		return;
	CHECK(fsetxattr(from, "user.one", "1", 1, 0) == 0);
	with_acl = fsetxattr(from, "system.posix_acl_access", acl, sizeof acl, 0) == 0;
	if (geteuid() == 0) {
		e.uid = 1234;
		e.gid = 4321;
		e.mode = 04750;
		CHECK(fchown(from, e.uid, e.gid) == 0);
		(void)fsetxattr(from, "trusted.two", "2", 1, 0);
		(void)fsetxattr(from, "security.capability", capability, sizeof capability, 0);
	}
	if (with_acl)
		e.mode = (e.mode & ~0777u) | 0660;
	CHECK_OK(attrs_read_fd(from, &set, &err), &err);
	e.xattrs = set.data;
	e.xattrs_len = set.len;
	/* What is there and not wanted goes away, if it is not new. */
	CHECK(fsetxattr(to, "user.stale", "s", 1, 0) == 0);
	CHECK_INT(attrs_apply(to, folder_fd, "to", &e, false, &err), 0);
	CHECK_OK(attrs_read_fd(to, &again, &err), &err);
	CHECK_INT(again.len, set.len);
	CHECK_MEM(again.data, set.data, set.len);
	check_status("to", &e);
	/* A second time nothing changes; by name it is the same. */
	CHECK_INT(attrs_apply(to, folder_fd, "to", &e, true, &err), 0);
	CHECK_INT(attrs_apply(-1, folder_fd, "to", &e, false, &err), 0);
	buf_reset(&again);
	CHECK_OK(attrs_read_fd(to, &again, &err), &err);
	CHECK_INT(again.len, set.len);
	CHECK_MEM(again.data, set.data, set.len);
	/* And an entry without attributes takes all of them away, the ACL with them, and leaves the mode. */
	e = entry_of("to", ENTRY_FILE, 0751);
	CHECK_INT(attrs_apply(to, folder_fd, "to", &e, false, &err), 0);
	check_status("to", &e);
	CHECK(fgetxattr(to, "user.one", NULL, 0) < 0 && errno == ENODATA);
	CHECK(fgetxattr(to, "system.posix_acl_access", NULL, 0) < 0);
}

/* An ACL that a new file inherited does not survive. */
static void
test_inherited(void)
{
	CLEANUP_CLOSE int sub = -1, fd = -1;
	struct entry e = entry_of("f", ENTRY_FILE, 0640);
	struct stat st;
	struct error err;

	(void)mkdirat(folder_fd, "sub", 0700);
	sub = openat(folder_fd, "sub", O_RDONLY | O_DIRECTORY);
	CHECK(sub >= 0);
	if (fsetxattr(sub, "system.posix_acl_default", acl, sizeof acl, 0) < 0)
		return;
	fd = openat(sub, "f", O_RDWR | O_CREAT, 0600);
	CHECK(fd >= 0 && fgetxattr(fd, "system.posix_acl_access", NULL, 0) > 0);
	CHECK_INT(attrs_apply(fd, sub, "f", &e, true, &err), 0);
	CHECK(fgetxattr(fd, "system.posix_acl_access", NULL, 0) < 0);
	CHECK(fstat(fd, &st) == 0);
	CHECK_INT(st.st_mode & 07777, 0640);
	CHECK(unlinkat(sub, "f", 0) == 0);
}

static void
test_specials(void)
{
	struct entry link = entry_of("link", ENTRY_SYMLINK, 0777), fifo = entry_of("fifo", ENTRY_FIFO, 01622);
	struct error err;

	(void)unlinkat(folder_fd, "link", 0);
	(void)unlinkat(folder_fd, "fifo", 0);
	CHECK(symlinkat("/nowhere", folder_fd, "link") == 0);
	CHECK(mkfifoat(folder_fd, "fifo", 0600) == 0);
	if (geteuid() == 0)
		link.uid = fifo.gid = 77;
	CHECK_INT(attrs_apply(-1, folder_fd, "link", &link, true, &err), 0);
	CHECK_INT(attrs_apply(-1, folder_fd, "fifo", &fifo, true, &err), 0);
	check_status("link", &link);
	check_status("fifo", &fifo);
	CHECK_INT(attrs_apply(-1, folder_fd, "../x", &fifo, true, &err),
	    ATTRS_OWNER | ATTRS_MODE | ATTRS_XATTR | ATTRS_TIMES);
}

/* What foreign catalogs may ask for. */
static void
test_hostile(void)
{
	static const uint8_t damaged[] = {9, 200, 'x'}, nul[] = {1, 6, 'u', 's', 'e', 'r', '.', 0, 1, 'v'};
	CLEANUP_CLOSE int fd = make_file("hostile");
	struct entry e = entry_of("hostile", ENTRY_FILE, 0600);
	struct error err;

	e.xattrs = damaged;
	e.xattrs_len = sizeof damaged;
	CHECK_INT(attrs_apply(fd, folder_fd, "hostile", &e, true, &err), ATTRS_XATTR);
	e.xattrs = nul;
	e.xattrs_len = sizeof nul;
	CHECK_INT(attrs_apply(fd, folder_fd, "hostile", &e, true, &err), ATTRS_XATTR);
	e.xattrs_len = 0;
	e.mtime_ns = (1u << 30) - 1; /* "now" */
	CHECK_INT(attrs_apply(fd, folder_fd, "hostile", &e, true, &err), ATTRS_TIMES);
	e.mtime_ns = 0;
	e.uid = UINT32_MAX;
	e.mode = 06755;
	CHECK_INT(attrs_apply(fd, folder_fd, "hostile", &e, true, &err), ATTRS_OWNER | ATTRS_MODE);
	CHECK(err.msg[0] != '\0');

	struct stat st;

	CHECK(fstat(fd, &st) == 0);
	CHECK_INT(st.st_mode & 07777, 0755);
}

/* Who may not give files away: the rest is set all the same, and no set-user-id is left behind. */
static void
test_unprivileged(void)
{
	static const uint8_t set[] = {1, 6, 'u', 's', 'e', 'r', '.', 'x', 1, 'v'};
	static const uint8_t caps[] = {1, 19, 's', 'e', 'c', 'u', 'r', 'i', 't', 'y', '.', 'c', 'a', 'p', 'a', 'b', 'i',
	    'l', 'i', 't', 'y', 20, 1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
	CLEANUP_CLOSE int fd = make_file("mine");
	struct entry e;
	struct stat st;
	struct error err;
	char v[2];

	if (geteuid() == 0) {
		CHECK(fchown(fd, NOBODY, NOBODY) == 0);
		CHECK(setegid(NOBODY) == 0 && seteuid(NOBODY) == 0);
	}
	/* The mode is read-only, which must not keep the owner's attributes away. */
	e = entry_of("mine", ENTRY_FILE, 0444);
	if (user_xattrs) {
		e.xattrs = set;
		e.xattrs_len = sizeof set;
	}
	CHECK_INT(attrs_apply(fd, folder_fd, "mine", &e, true, &err), 0);
	check_status("mine", &e);
	if (user_xattrs)
		CHECK(fgetxattr(fd, "user.x", v, sizeof v) == 1);
	e.xattrs_len = 0;
	e.uid = 4;
	e.mode = 0640;
	CHECK_INT(attrs_apply(fd, folder_fd, "mine", &e, true, &err), ATTRS_OWNER);
	CHECK_INT(err.code, ERR_DENIED);
	e.mode = 06711;
	CHECK_INT(attrs_apply(fd, folder_fd, "mine", &e, true, &err), ATTRS_OWNER | ATTRS_MODE);
	CHECK(fstat(fd, &st) == 0);
	CHECK_INT(st.st_mode & 07777, 0711);
	e = entry_of("mine", ENTRY_FILE, 0600);
	e.xattrs = caps;
	e.xattrs_len = sizeof caps;
	CHECK_INT(attrs_apply(fd, folder_fd, "mine", &e, true, &err), ATTRS_XATTR);
	if (getuid() == 0) {
		/* Somebody else's file: nothing at all can be set. */
		CHECK(seteuid(0) == 0 && setegid(0) == 0);
		CHECK(fchown(fd, 0, 0) == 0);
		CHECK(setegid(NOBODY) == 0 && seteuid(NOBODY) == 0);
		e = entry_of("mine", ENTRY_FILE, 0600);
		CHECK_INT(attrs_apply(fd, folder_fd, "mine", &e, true, &err), ATTRS_OWNER | ATTRS_MODE | ATTRS_TIMES);
		CHECK(seteuid(0) == 0 && setegid(0) == 0);
	}
}

/* Without /proc, what cannot be opened has no attributes that could be read, and that is said. */
static void
test_no_proc(void)
{
	pid_t child;
	int status;

	(void)fflush(stdout);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		CLEANUP(buf_free) struct buf set = BUF_INIT(ENTRY_XATTRS_MAX);
		struct error err;

		(void)alarm(20);
		if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0 ||
		    mount("none", "/proc", "tmpfs", 0, NULL) < 0) {
			printf("no mounts of our own: the case without /proc is skipped\n");
		} else {
			CHECK_INT(attrs_read_at(folder_fd, "link", &set, &err), ERR_UNSUPPORTED);
			CHECK(strstr(err.msg, "/proc") != NULL);
		}
		(void)fflush(stdout);
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child);
	CHECK_INT(status, 0);
}

int
main(void)
{
	static const char *const names[] = {"read", "large", "link", "race", "from", "to", "fifo", "hostile", "mine"};
	CLEANUP_CLOSE int fd = -1;

	(void)alarm(60);
	scratch_make(folder, sizeof folder, "test_attrs");
	CHECK(chmod(folder, 0711) == 0);
	folder_fd = open(folder, O_RDONLY | O_DIRECTORY);
	CHECK(folder_fd >= 0);
	fd = make_file("read");
	user_xattrs = fsetxattr(fd, "user.probe", "", 0, 0) == 0;
	if (!user_xattrs)
		printf("no user attributes in %s: their cases are skipped\n", folder);
	test_read();
	test_read_large();
	test_read_other();
	test_race();
	test_round_trip();
	test_inherited();
	test_specials();
	test_no_proc();
	test_hostile();
	test_unprivileged();
	for (size_t i = 0; i < COUNT_OF(names); i++)
		(void)unlinkat(folder_fd, names[i], 0);
	(void)unlinkat(folder_fd, "sub", AT_REMOVEDIR);
	(void)close(folder_fd);
	CHECK(rmdir(folder) == 0);
	return 0;
}
