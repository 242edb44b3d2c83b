/*
 * What the tests of whole flows share: see flow.h.
 */
#include "flow.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "cleanup.h"
#include "crypto.h"

void __wrap_session_clock(int64_t *s, uint32_t *ns);
int __wrap_syncfs(int fd);
int __wrap_fsync(int fd);

static atomic_llong clock_ahead = 10;

void
flow_clock_forward(int64_t seconds)
{
	(void)atomic_fetch_add(&clock_ahead, seconds);
}

void
__wrap_session_clock(int64_t *s, uint32_t *ns)
{
	struct timespec now;

	CHECK(clock_gettime(CLOCK_REALTIME, &now) == 0);
	*s = now.tv_sec + atomic_load(&clock_ahead);
	*ns = (uint32_t)now.tv_nsec;
}

int
__wrap_syncfs(int fd)
{
	return fd < 0 ? -1 : 0;
}

int
__wrap_fsync(int fd)
{
	return fd < 0 ? -1 : 0;
}

/* ---- files ---- */

const char *
flow_in(const char *folder, const char *name)
{
	static __thread char texts[8][512];
	static __thread unsigned next;
	char *text = texts[next++ % COUNT_OF(texts)];

	(void)snprintf(text, sizeof texts[0], "%s/%s", folder, name);
	return text;
}

const char *
flow_path(const struct flow *f, const char *name)
{
	return flow_in(f->base, name);
}

static void
write_at(int fd, uint64_t seed, size_t size, off_t at)
{
	CLEANUP_FREE uint8_t *bytes = malloc(size + 8);

	CHECK(bytes != NULL);
	for (size_t i = 0; i < size; i += 8) {
		uint64_t word = check_random(&seed);

		memcpy(bytes + i, &word, sizeof word);
	}
	CHECK_INT(pwrite(fd, bytes, size, at), size);
}

void
flow_write(const char *path, uint64_t seed, size_t size)
{
	CLEANUP_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);

	CHECK(fd >= 0);
	write_at(fd, seed, size, 0);
}

static void
write_sparse(const char *path, off_t size)
{
	CLEANUP_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	CHECK(fd >= 0);
	CHECK(ftruncate(fd, size) == 0);
	write_at(fd, 7, 5000, size / 2);
	write_at(fd, 8, 100, size - 100);
}

static void
make_folder(const char *path)
{
	CHECK(mkdir(path, 0750) == 0);
}

/* Something that no import gives by itself. */
static void
set_times(const char *path, time_t s)
{
	const struct timespec times[2] = {{.tv_sec = s, .tv_nsec = 1}, {.tv_sec = s, .tv_nsec = 123456789}};

	CHECK(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW) == 0);
}

/* Folders last, because making things in them changes their times. */
static void
age(const char *folder, const char *const *names, size_t count)
{
	for (size_t i = count; i-- > 0;)
		set_times(flow_in(folder, names[i]), 1600000000 + (time_t)i);
	set_times(folder, 1500000000);
}

static void
make_common(const char *root)
{
	make_folder(root);
	make_folder(flow_in(root, "d"));
	flow_write(flow_in(root, "one"), 1, 1);
	flow_write(flow_in(root, "d/small"), 2, 5 * 1024);
	CHECK(link(flow_in(root, "d/small"), flow_in(root, "link")) == 0);
	CHECK(symlink("../nowhere", flow_in(root, "d/symlink")) == 0);
	CHECK(mkfifo(flow_in(root, "fifo"), 0600) == 0);
	/* Not every file system has them. */
	(void)setxattr(flow_in(root, "one"), "user.test", "value", 5, 0);
	(void)setxattr(flow_in(root, "d"), "user.folder", "", 0, 0);
}

void
flow_make_small_tree(const char *root, bool chunks)
{
	static const char *const names[] = {"d", "d/small", "d/symlink", "fifo", "one"};

	make_common(root);
	if (chunks)
		flow_write(flow_in(root, "chunk"), 3, 130 * 1024);
	age(root, names, COUNT_OF(names));
}

void
flow_make_tree(const char *root)
{
	static const char *const names[] = {"d", "d/e", "d/e/f", "d/empty", "d/small", "d/symlink", "fifo", "one",
	    "d/e/f/127k", "d/e/f/129k", "big", "sparse", "d/nothing", "twin"};
	char name[32];

	make_common(root);
	make_folder(flow_in(root, "d/e"));
	make_folder(flow_in(root, "d/e/f"));
	make_folder(flow_in(root, "d/nothing"));
	CHECK(chmod(flow_in(root, "d/nothing"), 01777) == 0);
	flow_write(flow_in(root, "d/empty"), 0, 0);
	flow_write(flow_in(root, "d/e/f/127k"), 3, 127 * 1024);
	flow_write(flow_in(root, "d/e/f/129k"), 4, 129 * 1024);
	flow_write(flow_in(root, "big"), 5, 1536 * 1024);
	flow_write(flow_in(root, "twin"), 2, 5 * 1024);
	CHECK(chmod(flow_in(root, "big"), 0400) == 0);
	CHECK(link(flow_in(root, "big"), flow_in(root, "d/e/big-too")) == 0);
	CHECK(link(flow_in(root, "big"), flow_in(root, "d/nothing/big-three")) == 0);
	write_sparse(flow_in(root, "sparse"), 70 * 1024 * 1024);
	for (unsigned i = 0; i < 200; i++) {
		(void)snprintf(name, sizeof name, "d/e/many-%u", i);
		flow_write(flow_in(root, name), 100 + i, 300 + 7 * i);
	}
	age(root, names, COUNT_OF(names));
}

static void
remove_at(int parent, const char *name)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct dirent *e;
	DIR *d;

	if (fd < 0) {
		(void)unlinkat(parent, name, 0);
		return;
	}
	(void)fchmod(fd, 0700);
	d = fdopendir(fd);
	CHECK(d != NULL);
	while ((e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			remove_at(fd, e->d_name);
	(void)closedir(d);
	(void)unlinkat(parent, name, AT_REMOVEDIR);
}

void
flow_remove(const char *path)
{
	remove_at(AT_FDCWD, path);
}

/* ---- comparing ---- */

struct pair {
	dev_t a_dev, b_dev;
	ino_t a, b;
};

struct compare {
	struct pair *links;
	size_t count, cap;
};

static bool
differ(const char *path, const char *what)
{
	(void)fprintf(stderr, "trees differ at \"%s\": %s\n", path, what);
	return false;
}

static bool
same_links(struct compare *c, const struct stat *a, const struct stat *b)
{
	for (size_t i = 0; i < c->count; i++) {
		const struct pair *p = &c->links[i];
		bool same_a = p->a == a->st_ino && p->a_dev == a->st_dev;
		bool same_b = p->b == b->st_ino && p->b_dev == b->st_dev;

		if (same_a || same_b)
			return same_a && same_b;
	}
	if (c->count == c->cap) {
		c->cap = c->cap * 2 + 16;
		c->links = reallocarray(c->links, c->cap, sizeof *c->links);
		CHECK(c->links != NULL);
	}
	c->links[c->count++] = (struct pair){a->st_dev, b->st_dev, a->st_ino, b->st_ino};
	return true;
}

static bool
same_content(const char *a, const char *b, size_t size)
{
	CLEANUP_CLOSE int x = open(a, O_RDONLY | O_CLOEXEC), y = open(b, O_RDONLY | O_CLOEXEC);
	static const size_t step = 1024 * 1024;
	CLEANUP_FREE char *p = malloc(2 * step);

	CHECK(x >= 0 && y >= 0 && p != NULL);
	for (size_t at = 0, len; at < size; at += len) {
		/* Where neither has data there is nothing to compare. */
		off_t in_x = lseek(x, (off_t)at, SEEK_DATA), in_y = lseek(y, (off_t)at, SEEK_DATA);
		off_t next = in_x < 0 ? in_y : in_y < 0 ? in_x : MIN(in_x, in_y);

		if (next < 0)
			return true;
		at = (size_t)next;
		len = MIN(step, size - at);
		if (pread(x, p, len, (off_t)at) != (ssize_t)len || pread(y, p + step, len, (off_t)at) != (ssize_t)len ||
		    memcmp(p, p + step, len) != 0)
			return false;
	}
	return true;
}

static bool
same_symlink(const char *a, const char *b)
{
	char x[4096], y[4096];
	ssize_t n = readlink(a, x, sizeof x), m = readlink(b, y, sizeof y);

	return n > 0 && n == m && memcmp(x, y, (size_t)n) == 0;
}

static bool
same_xattrs(const char *a, const char *b)
{
	char names[4096], x[4096], y[4096];
	ssize_t len = llistxattr(a, names, sizeof names), other = llistxattr(b, NULL, 0);

	if (len < 0 || len != other)
		return len == other;
	for (const char *name = names; name < names + len; name += strlen(name) + 1) {
		ssize_t n = lgetxattr(a, name, x, sizeof x), m = lgetxattr(b, name, y, sizeof y);

		if (n < 0 || n != m || memcmp(x, y, (size_t)n) != 0)
			return false;
	}
	return true;
}

static bool same_node(struct compare *, const char *a, const char *b);

static bool
same_folder(struct compare *c, const char *a, const char *b)
{
	struct dirent **x, **y;
	int n = scandir(a, &x, NULL, alphasort), m = scandir(b, &y, NULL, alphasort);
	bool same = n == m;
	char p[512], q[512];

	CHECK(n >= 0 && m >= 0);
	if (!same)
		(void)differ(b, "number of names");
	for (int i = 0; same && i < n; i++) {
		if (strcmp(x[i]->d_name, y[i]->d_name) != 0)
			same = differ(b, x[i]->d_name);
		if (x[i]->d_name[0] == '.' && (x[i]->d_name[1] == 0 || x[i]->d_name[1] == '.'))
			continue;
		(void)snprintf(p, sizeof p, "%s/%s", a, x[i]->d_name);
		(void)snprintf(q, sizeof q, "%s/%s", b, x[i]->d_name);
		same = same && same_node(c, p, q);
	}
	while (n > 0)
		free(x[--n]);
	while (m > 0)
		free(y[--m]);
	free(x);
	free(y);
	return same;
}

static bool
same_node(struct compare *c, const char *a, const char *b)
{
	struct stat x, y;

	CHECK(lstat(a, &x) == 0 && lstat(b, &y) == 0);
	if (x.st_mode != y.st_mode || x.st_uid != y.st_uid || x.st_gid != y.st_gid || x.st_rdev != y.st_rdev)
		return differ(b, "type, mode or owner");
	if (x.st_mtim.tv_sec != y.st_mtim.tv_sec || x.st_mtim.tv_nsec != y.st_mtim.tv_nsec)
		return differ(b, "time");
	if (!same_xattrs(a, b))
		return differ(b, "extended attributes");
	if (S_ISDIR(x.st_mode))
		return same_folder(c, a, b);
	if (x.st_size != y.st_size || x.st_nlink != y.st_nlink)
		return differ(b, "size or number of links");
	if (x.st_nlink > 1 && !same_links(c, &x, &y))
		return differ(b, "which files are hard links of each other");
	if (S_ISLNK(x.st_mode) && !same_symlink(a, b))
		return differ(b, "target of the symlink");
	if (S_ISREG(x.st_mode) && !same_content(a, b, (size_t)x.st_size))
		return differ(b, "content");
	return true;
}

bool
flow_same(const char *a, const char *b)
{
	struct compare c = {0};
	bool same = same_node(&c, a, b);

	free(c.links);
	return same;
}

/* ---- repository and flows ---- */

void
flow_new_repo(struct flow *f)
{
	struct secret secret = {SECRET_PASSPHRASE, 4, "test"};
	struct store *mem;
	struct error err;

	repo_free(f->repo);
	CHECK_OK(store_mem_open(&mem, &err), &err);
	CHECK_OK(store_fault_new(mem, &f->store, &err), &err);
	CHECK_OK(repo_init(f->store, &secret, "test", 10, 1700000000, &f->repo, &err), &err);
}

void
flow_begin(struct flow *f)
{
	const char *tmp = getenv("TMPDIR");

	memset(f, 0, sizeof *f);
	(void)snprintf(f->base, sizeof f->base, "%s/flow.XXXXXX", tmp != NULL && strlen(tmp) < 40 ? tmp : "/tmp");
	CHECK(mkdtemp(f->base) != NULL);
	(void)snprintf(f->source, sizeof f->source, "%s/source", f->base);
	(void)snprintf(f->target, sizeof f->target, "%s/target", f->base);
	CHECK(freopen("/dev/null", "w", stdout) != NULL);
	flow_new_repo(f);
}

void
flow_end(struct flow *f)
{
	repo_free(f->repo);
	flow_remove(f->base);
}

static struct report *
new_report(void)
{
	struct report_options o = {.command = "test", .json = true, .quiet = true};
	struct report *report;
	struct error err;

	CHECK_OK(report_new(&o, &report, &err), &err);
	return report;
}

struct export_options
flow_export_options(const char *source)
{
	return (struct export_options){
	    .source = source,
	    .volume_name = FLOW_VOLUME,
	    .level = 1,
	    .threads = 2,
	    .uploads = 2,
	    .pack_size = 6 * 1024 * 1024,
	    .dedup_bytes = 1024 * 1024,
	};
}

int
flow_export(struct flow *f, const struct export_options *o, struct manifest *out, struct error *err)
{
	struct report *report = new_report();
	struct manifest m;
	int r;

	flow_clock_forward(10);
	r = export_run(f->repo, o, report, &f->progress, &m, err);
	f->warnings = report_warnings(report);
	report_free(report);
	if (r == 0 && out != NULL)
		*out = m;
	else if (r == 0)
		manifest_wipe(&m);
	return r;
}

int
flow_import_with(
    struct flow *f, const char *snapshot, const struct import_options *o, struct import_result *out, struct error *err)
{
	struct import_result ignored;
	struct report *report;
	struct volume *v;
	struct manifest m;
	int r;

	if ((r = volume_open(f->repo, FLOW_VOLUME, false, 0, &v, err)) < 0)
		return r;
	r = snapshot == NULL ? snapshot_resolve(v, "latest", &m, err) : snapshot_load(v, snapshot, &m, err);
	if (r == 0) {
		report = new_report();
		r = import_run(v, &m, o, report, &f->progress, out == NULL ? &ignored : out, err);
		f->warnings = report_warnings(report);
		report_free(report);
	}
	volume_free(v);
	return r;
}

int
flow_import(struct flow *f, const char *snapshot, const char *target, bool overwrite, struct import_result *out,
    struct error *err)
{
	struct import_options o = {.target = target, .overwrite = overwrite, .threads = 2, .connections = 2};

	return flow_import_with(f, snapshot, &o, out, err);
}

static size_t
list_snapshots(struct flow *f, char (**ids)[SNAPSHOT_ID_LEN + 1])
{
	struct volume *v;
	struct error err;
	size_t count = 0;
	int r = volume_open(f->repo, FLOW_VOLUME, false, 0, &v, &err);

	*ids = NULL;
	if (r == ERR_NOT_FOUND)
		return 0;
	CHECK_OK(r, &err);
	CHECK_OK(snapshot_ids(v, ids, &count, &err), &err);
	volume_free(v);
	return count;
}

size_t
flow_count_snapshots(struct flow *f)
{
	char(*ids)[SNAPSHOT_ID_LEN + 1];
	size_t count = list_snapshots(f, &ids);

	free(ids);
	return count;
}

void
flow_check_snapshots(struct flow *f, const char *source, size_t equal)
{
	char(*ids)[SNAPSHOT_ID_LEN + 1];
	size_t count = list_snapshots(f, &ids);
	char target[96];
	struct error err;

	(void)snprintf(target, sizeof target, "%s/check", f->base);
	for (size_t i = 0; i < count; i++) {
		CHECK_OK(flow_import(f, ids[i], target, false, NULL, &err), &err);
		CHECK_INT(f->warnings, 0);
		CHECK(i + equal < count || flow_same(source, target));
		flow_remove(target);
	}
	free(ids);
}

static int
count_one(void *arg, const struct store_object *object, struct error *err)
{
	(void)object;
	(void)err;
	++*(size_t *)arg;
	return 0;
}

size_t
flow_count_objects(struct flow *f)
{
	struct error err;
	size_t count = 0;

	CHECK_OK(store_list(f->store, "", count_one, &count, &err), &err);
	return count;
}
