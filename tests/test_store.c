/*
 * Stores in memory and in folders keep the contract; and what only a folder can do wrong.
 *
 * Old kernels and poor file systems are played by a filter that makes single system calls fail in a child process.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "buf.h"
#include "check.h"
#include "cleanup.h"
#include "scratch.h"
#include "store.h"
#include "store_contract.h"
#include "store_fault.h"

enum { PATH_SIZE = 600 };

static char base[256]; /* the folder that all tests work in */

static void
path_of(char path[PATH_SIZE], const char *name)
{
	(void)snprintf(path, PATH_SIZE, "%s/%s", base, name);
}

static void
write_file(const char *path, const char *text)
{
	CLEANUP_FCLOSE FILE *f = fopen(path, "w");

	CHECK(f != NULL && fputs(text, f) >= 0);
}

static struct store *
open_dir(const char *name)
{
	char path[PATH_SIZE];
	struct store *s;
	struct error err;

	path_of(path, name);
	CHECK_OK(store_open(path, true, NULL, &s, &err), &err);
	return s;
}

static void
test_mem(void)
{
	struct store *mem, *s;
	struct error err;

	CHECK_OK(store_mem_open(&mem, &err), &err);
	store_contract(mem);
	CHECK_OK(store_fault_new(mem, &s, &err), &err);
	store_contract(s);
	store_contract_many(s);
	store_free(s);
	store_free(NULL);
}

static void
test_fault(void)
{
	struct store *mem, *s;
	struct buf b = BUF_INIT(100);
	char bytes[4] = "";
	struct error err;

	CHECK_OK(store_mem_open(&mem, &err), &err);
	CHECK_OK(store_fault_new(mem, &s, &err), &err);
	store_fault_fail(s, &(struct store_fault_plan){STORE_FAULT_PUT, 2, false, false, ERR_UNAVAILABLE});
	store_check_put(s, "a", "abc");
	CHECK_INT(store_put(s, "b", "x", 1, &err), ERR_UNAVAILABLE);
	store_check_list(s, "", "a:3 ");
	store_check_put(s, "b", "x");
	/* The answer is lost, the work is done. */
	store_fault_fail(s, &(struct store_fault_plan){STORE_FAULT_ANY, 1, true, true, ERR_UNAVAILABLE});
	CHECK_INT(store_put(s, "c", "x", 1, &err), ERR_UNAVAILABLE);
	CHECK_INT(store_remove(s, "b", &err), ERR_UNAVAILABLE);
	store_fault_fail(s, NULL);
	store_check_list(s, "", "a:3 c:1 ");
	store_fault_flip(s, 2, 1, 0x20);
	CHECK_OK(store_get(s, "a", 0, bytes, 3, &err), &err);
	CHECK_STR(bytes, "abc");
	CHECK_OK(store_get(s, "a", 0, bytes, 3, &err), &err);
	CHECK_STR(bytes, "aBc");
	CHECK_OK(store_get(s, "a", 0, bytes, 3, &err), &err);
	CHECK_STR(bytes, "abc");
	/* A load that fails half-way leaves the buffer as it was. */
	store_fault_fail(s, &(struct store_fault_plan){STORE_FAULT_GET, 1, false, false, ERR_UNAVAILABLE});
	buf_put(&b, "+", 1);
	CHECK_INT(store_load(s, "a", 10, &b, &err), ERR_UNAVAILABLE);
	CHECK_INT(b.len, 1);
	buf_free(&b);
	CHECK_INT(store_fault_count(s, STORE_FAULT_PUT), 4);
	CHECK_INT(store_fault_count(s, STORE_FAULT_GET | STORE_FAULT_LIST), 6);
	CHECK_INT(store_fault_count(s, STORE_FAULT_ANY), 12);
	store_free(s);
}

/* A listing that is out of order, or shows what is no key, as a hostile server might give. */
static int
strange_list(struct store *s, const char *prefix, store_list_fn *fn, void *arg, struct error *err)
{
	static const char *const keys[] = {"../x", "UPPER", "a", "a/", "c", "b"};

	(void)s;
	(void)prefix;
	for (size_t i = 0; i < COUNT_OF(keys); i++) {
		struct store_object object = {keys[i], 1, 2000000000};
		int r = fn(arg, &object, err);

		if (r != 0)
			return r < 0 ? r : 0;
	}
	return 0;
}

static void
test_strange_list(void)
{
	static const struct store_ops ops = {.name = "strange", .list = strange_list};
	struct store s = {&ops};
	struct buf b = BUF_INIT(100);
	struct error err;

	CHECK_INT(store_list(&s, "", store_collect, &b, &err), ERR_CORRUPT);
	CHECK_INT(b.len, 8);
	CHECK_MEM(b.data, "a:1 c:1 ", 8);
	buf_free(&b);
}

static void
test_open(void)
{
	static const struct {
		const char *place;
		enum error_code code;
	} cases[] = {{"", ERR_USAGE}, {"s4://bucket/x", ERR_USAGE}, {"file://host/x", ERR_USAGE},
	    {"ftp://x", ERR_USAGE}, {"/dev/null", ERR_NO_REPOSITORY}, {"/dev/null/x", ERR_NO_REPOSITORY},
	    {"/nowhere/at/all", ERR_NO_REPOSITORY}, {"file:///nowhere/at/all", ERR_NO_REPOSITORY}};
	char path[PATH_SIZE], url[PATH_SIZE + 8];
	struct store *s;
	struct error err;
	struct stat st;

	for (size_t i = 0; i < COUNT_OF(cases); i++)
		CHECK_INT(store_open(cases[i].place, false, NULL, &s, &err), cases[i].code);
#ifndef HAVE_LIBS3
	CHECK_INT(store_open("libs3+http://host/bucket", false, NULL, &s, &err), ERR_UNSUPPORTED);
	CHECK(strstr(err.msg, "--with-libs3") != NULL);
	CHECK_INT(store_open("libs3+https://host/bucket", false, NULL, &s, &err), ERR_UNSUPPORTED);
#endif
	CHECK_INT(store_open("libs3+ftp://host/bucket", false, NULL, &s, &err), ERR_USAGE);
	CHECK_INT(store_open("/dev/null/x", true, NULL, &s, &err), ERR_NO_REPOSITORY);
	path_of(path, "new//parent/repository/");
	CHECK_INT(store_open(path, false, NULL, &s, &err), ERR_NO_REPOSITORY);
	CHECK_OK(store_open(path, true, NULL, &s, &err), &err);
	store_free(s);
	CHECK(stat(path, &st) == 0 && (st.st_mode & 07777) == 0700);
	(void)snprintf(url, sizeof(url), "file://%s", path);
	CHECK_OK(store_open(url, false, NULL, &s, &err), &err);
	store_free(s);
	CHECK(chdir(base) == 0);
	CHECK_OK(store_open("relative/one", true, NULL, &s, &err), &err);
	store_check_put(s, "k", "v");
	store_free(s);
	CHECK_OK(store_open("relative/one", false, NULL, &s, &err), &err);
	store_check_content(s, "k", "v");
	store_free(s);
}

/* Temporary files, alien files, links and special files in the folder. */
static void
test_dir_strangers(void)
{
	struct store *s = open_dir("strangers");
	char path[PATH_SIZE], bytes[4];
	uint64_t size;
	struct error err;
	struct stat st;

	store_check_put(s, "v/a", "x");
	path_of(path, "strangers/v/a");
	CHECK(stat(path, &st) == 0 && (st.st_mode & 07777) == 0600 && st.st_nlink == 1);
	path_of(path, "strangers/v/.tmp.1.2");
	write_file(path, "half");
	path_of(path, "strangers/lost+found");
	CHECK(mkdir(path, 0700) == 0);
	store_check_list(s, "", "v/a:1 ");
	CHECK_INT(store_put(s, "v", "x", 1, &err), ERR_CORRUPT);
	CHECK(strstr(err.msg, "a folder") != NULL);
	CHECK_INT(store_put(s, "v/a/b", "x", 1, &err), ERR_SYSTEM);
	CHECK_INT(err.errnum, ENOTDIR);

	/* A link to a file outside, and one to a folder outside, at the end and on the way. */
	path_of(path, "outside");
	CHECK(mkdir(path, 0700) == 0);
	path_of(path, "outside/secret");
	write_file(path, "secret");
	path_of(path, "strangers/v/link");
	CHECK(symlink("../../outside/secret", path) == 0);
	CHECK_INT(store_get(s, "v/link", 0, bytes, 1, &err), ERR_CORRUPT);
	CHECK_INT(store_size(s, "v/link", &size, &err), ERR_CORRUPT);
	CHECK_INT(store_put(s, "v/link", "x", 1, &err), ERR_CORRUPT);
	CHECK_INT(store_list(s, "v/", store_collect, NULL, &err), ERR_CORRUPT);
	CHECK_OK(store_remove(s, "v/link", &err), &err);
	path_of(path, "strangers/w");
	CHECK(symlink("../outside", path) == 0);
	CHECK_INT(store_get(s, "w/secret", 0, bytes, 1, &err), ERR_CORRUPT);
	CHECK_INT(store_size(s, "w/secret", &size, &err), ERR_CORRUPT);
	CHECK_INT(store_put(s, "w/new", "x", 1, &err), ERR_CORRUPT);
	CHECK_INT(store_put(s, "w/new/deep", "x", 1, &err), ERR_CORRUPT);
	CHECK_INT(store_remove(s, "w/secret", &err), ERR_CORRUPT);
	CHECK_INT(store_list(s, "w/", store_collect, NULL, &err), ERR_CORRUPT);
	CHECK_INT(store_list(s, "w", store_collect, NULL, &err), ERR_CORRUPT);
	path_of(path, "outside/secret");
	CHECK(access(path, F_OK) == 0);
	path_of(path, "outside/new");
	CHECK(access(path, F_OK) != 0);

	/* A pipe makes nobody wait. */
	path_of(path, "strangers/v/pipe");
	CHECK(mkfifo(path, 0600) == 0);
	CHECK_INT(store_get(s, "v/pipe", 0, bytes, 1, &err), ERR_CORRUPT);
	CHECK_INT(store_size(s, "v/pipe", &size, &err), ERR_CORRUPT);
	CHECK_INT(store_list(s, "v/", store_collect, NULL, &err), ERR_CORRUPT);
	store_check_list(s, "v/a", "v/a:1 ");
	store_free(s);
}

/* Keys below names that are too deep or too long are not listed, and do not overflow anything. */
static void
test_dir_depth(void)
{
	struct store *s = open_dir("depth");
	char path[PATH_SIZE];
	int fd, next;

	path_of(path, "depth");
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(fd >= 0);
	for (int i = 0; i < 300; i++) {
		CHECK(mkdirat(fd, "dd", 0700) == 0);
		next = openat(fd, "dd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		CHECK(next >= 0);
		(void)close(fd);
		fd = next;
	}
	next = openat(fd, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	CHECK(next >= 0);
	(void)close(next);
	(void)close(fd);
	store_check_list(s, "", "");
	store_free(s);
}

static void
count_temporaries(const char *path, unsigned *out)
{
	DIR *folder = opendir(path);
	const struct dirent *e;

	CHECK(folder != NULL);
	for (*out = 0; (e = readdir(folder)) != NULL;)
		*out += strncmp(e->d_name, ".tmp", 4) == 0;
	(void)closedir(folder);
}

/* A put that runs out of space, on a small file system or at a limit, leaves nothing; a smaller one goes on. */
static void
check_out_of_space(const char *name, int errnum)
{
	struct store *s = open_dir(name);
	size_t len = 4 << 20;
	CLEANUP_FREE char *bytes = calloc(1, len);
	char path[PATH_SIZE];
	unsigned temporaries;
	struct error err;

	CHECK(bytes != NULL);
	store_check_put(s, "p/small", "x");
	CHECK_INT(store_put(s, "p/big", bytes, len, &err), ERR_SYSTEM);
	CHECK_INT(err.errnum, errnum);
	store_check_put(s, "p/other", "y");
	store_check_list(s, "", "p/other:1 p/small:1 ");
	path_of(path, name);
	(void)strcat(path, "/p");
	count_temporaries(path, &temporaries);
	CHECK_INT(temporaries, 0);
	store_free(s);
}

/* Make one system call fail in this process, for good; with bits, only when its argument has all of them. */
static void
forbid(long call, int errnum, unsigned argument, uint32_t bits)
{
	uint32_t at = (uint32_t)(offsetof(struct seccomp_data, args) + 8 * argument);
	struct sock_filter code[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, 4),
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at),
	    BPF_STMT(BPF_ALU | BPF_AND | BPF_K, bits),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, bits, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)errnum),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {COUNT_OF(code), code};

	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
		_exit(77);
}

static void
forbid_tmpfile(void)
{
	forbid(SYS_openat, EOPNOTSUPP, 2, O_TMPFILE);
}

static void
run_contract(void)
{
	struct store *s = open_dir("contract");

	store_contract(s);
	store_free(s);
	test_dir_strangers();
}

static void
old_kernel(void)
{
	forbid(SYS_openat2, ENOSYS, 0, 0);
	run_contract();
}

static void
no_tmpfile(void)
{
	forbid_tmpfile();
	run_contract();
}

static void
no_links(void)
{
	forbid(SYS_linkat, EPERM, 0, 0);
	run_contract();
}

static void
no_links_no_replace(void)
{
	struct store *s = open_dir("none");
	char path[PATH_SIZE];
	unsigned temporaries;
	struct error err;

	forbid(SYS_linkat, EPERM, 0, 0);
	forbid(SYS_renameat2, EINVAL, 0, 0);
	CHECK_INT(store_put(s, "p", "x", 1, &err), ERR_UNSUPPORTED);
	path_of(path, "none");
	count_temporaries(path, &temporaries);
	CHECK_INT(temporaries, 0);
	store_check_list(s, "", "");
	store_free(s);
}

static void
small_disk(void)
{
	char path[PATH_SIZE];

	path_of(path, "disk");
	CHECK(mkdir(path, 0700) == 0);
	if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", "none", MS_REC | MS_PRIVATE, "") != 0 ||
	    mount("tmpfs", path, "tmpfs", 0, "size=1m,mode=700") != 0)
		_exit(77);
	check_out_of_space("disk/one", ENOSPC);
	forbid_tmpfile();
	check_out_of_space("disk/two", ENOSPC);
	CHECK(mount("none", path, "none", MS_REMOUNT | MS_RDONLY, "") == 0);

	struct store *s = open_dir("disk/one");
	struct error err;

	CHECK_INT(store_put(s, "p/new", "x", 1, &err), ERR_DENIED);
	CHECK_INT(store_put(s, "q/new", "x", 1, &err), ERR_DENIED);
	CHECK_INT(store_remove(s, "p/small", &err), ERR_DENIED);
	store_check_content(s, "p/small", "x");
	store_free(s);
}

static void
small_limit(void)
{
	struct rlimit limit = {1 << 20, 1 << 20};

	(void)signal(SIGXFSZ, SIG_IGN);
	CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	check_out_of_space("limit1", EFBIG);
	forbid_tmpfile();
	check_out_of_space("limit2", EFBIG);
}

/* Another user's folder: readable, not writable. */
static void
read_only_folder(void)
{
	struct store *s = open_dir("readonly");
	char path[PATH_SIZE];
	struct error err;

	store_check_put(s, "v/a", "x");
	path_of(path, "readonly/v");
	CHECK(chmod(path, 0500) == 0);
	if (geteuid() == 0) {
		/* The superuser may write anyway; as somebody else all of it must be reachable first. */
		path_of(path, "readonly/v/a");
		CHECK(chmod(base, 0755) == 0 && chmod(path, 0644) == 0);
		path_of(path, "readonly/v");
		CHECK(chmod(path, 0555) == 0);
		path_of(path, "readonly");
		CHECK(chmod(path, 0555) == 0);
		if (setresuid(65534, 65534, 65534) != 0)
			_exit(77);
	}
	CHECK_INT(store_put(s, "v/b", "x", 1, &err), ERR_DENIED);
	CHECK_INT(store_put(s, "v/new/b", "x", 1, &err), ERR_DENIED);
	CHECK_INT(store_remove(s, "v/a", &err), ERR_DENIED);
	store_check_content(s, "v/a", "x");
	store_check_list(s, "v/", "v/a:1 ");
	store_free(s);
}

/* Run a test in a child and a folder of its own; what the machine does not allow is said and passed over. */
static void
in_child(const char *name, void (*test)(void))
{
	int status;
	pid_t pid;

	scratch_make(base, sizeof base, "store");
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		(void)alarm(60);
		test();
		exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 77));
	if (WEXITSTATUS(status) == 77)
		fprintf(stderr, "%s: not possible here\n", name);
	scratch_remove(base);
	CHECK(access(base, F_OK) < 0);
}

int
main(void)
{
	(void)alarm(60);
	(void)umask(022);
	test_mem();
	test_fault();
	test_strange_list();
	in_child("open", test_open);
	in_child("contract", run_contract);
	in_child("depth", test_dir_depth);
	in_child("old kernel", old_kernel);
	in_child("no temporary files", no_tmpfile);
	in_child("no links", no_links);
	in_child("no links and no rename", no_links_no_replace);
	in_child("small disk", small_disk);
	in_child("small limit", small_limit);
	in_child("read-only folder", read_only_folder);
	return 0;
}
