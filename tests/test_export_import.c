/*
 * Exports and imports as a whole: what comes back, what is stored when little has changed, and what the options do.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "buf.h"
#include "check.h"
#include "cleanup.h"
#include "flow.h"
#include "item.h"
#include "pack.h"
#include "plan.h"
#include "queue.h"

#define TREE_ENTRIES 218
#define TREE_FILES   211

static struct flow f;

static const char *
src(const char *name)
{
	return flow_in(f.source, name);
}

static void
must_export(const struct export_options *o, struct manifest *m)
{
	struct error err;

	CHECK_OK(flow_export(&f, o, m, &err), &err);
	CHECK_INT(f.warnings, 0);
}

static void
must_import(struct import_result *result)
{
	struct error err;

	CHECK_OK(flow_import(&f, NULL, f.target, false, result, &err), &err);
	CHECK_INT(f.warnings, 0);
}

/* Nothing is left of earlier tests. */
static void
fresh(void)
{
	flow_remove(f.source);
	flow_remove(f.target);
	flow_new_repo(&f);
}

static uint64_t
size_of_files(void)
{
	uint64_t sum = 1 + 2 * 5120 + (127 + 129) * 1024 + 3 * 1536 * 1024 + 5120 + 70 * 1024 * 1024;

	for (unsigned i = 0; i < 200; i++)
		sum += 300 + 7 * i;
	return sum;
}

static void
test_round_trip(void)
{
	struct export_options o = flow_export_options(f.source);
	struct import_result result;
	struct manifest m;

	fresh();
	flow_make_tree(f.source);
	must_export(&o, &m);
	CHECK_INT(m.statistics.entries, TREE_ENTRIES);
	CHECK_INT(m.statistics.files, TREE_FILES);
	CHECK_INT(m.statistics.bytes, size_of_files());
	CHECK_INT(m.statistics.added, TREE_ENTRIES);
	CHECK_INT(m.statistics.unchanged + m.statistics.changed + m.statistics.deleted, 0);
	/* Holes, links and equal files are stored once or not at all. */
	CHECK(m.statistics.new_bytes < 3 * 1024 * 1024);
	CHECK(m.statistics.stored_bytes > m.statistics.new_bytes / 2);
	CHECK_INT(m.sequence, 1);
	CHECK_STR(m.parent, "");
	manifest_wipe(&m);

	must_import(&result);
	CHECK(flow_same(f.source, f.target));
	CHECK_INT(result.files, TREE_FILES - 3);
	CHECK_INT(result.links, 3);
	CHECK_INT(result.folders, 5);
	CHECK_INT(result.symlinks, 1);
	CHECK_INT(result.specials, 1);
	CHECK_INT(result.damaged + result.skipped + result.resumed, 0);
	CHECK(result.bytes < 3 * 1024 * 1024);
}

static void
test_unchanged(void)
{
	struct export_options o = flow_export_options(f.source);
	struct manifest first, second;
	size_t objects;

	fresh();
	flow_make_tree(f.source);
	must_export(&o, &first);
	objects = flow_count_objects(&f);
	must_export(&o, &second);
	CHECK_INT(flow_count_objects(&f), objects + 1);
	CHECK_INT(second.statistics.unchanged, TREE_ENTRIES);
	CHECK_INT(second.statistics.changed + second.statistics.added + second.statistics.deleted, 0);
	CHECK_INT(second.statistics.entries, TREE_ENTRIES);
	CHECK_INT(second.statistics.files, TREE_FILES);
	CHECK_INT(second.statistics.bytes, size_of_files());
	CHECK_INT(second.statistics.new_bytes + second.statistics.stored_bytes, 0);
	CHECK_INT(second.nroot, first.nroot);
	CHECK_MEM(second.root, first.root, first.nroot * sizeof first.root[0]);
	CHECK_INT(second.npacklist, first.npacklist);
	CHECK_MEM(second.packlist, first.packlist, first.npacklist * sizeof first.packlist[0]);
	CHECK_STR(second.parent, first.snapshot);
	CHECK_INT(second.sequence, 2);
	manifest_wipe(&first);
	manifest_wipe(&second);

	/* Everything is read again, by other threads, and gives the same catalog to the last byte. */
	for (unsigned threads = 1; threads <= 4; threads += 3) {
		o.full = true;
		o.threads = threads;
		must_export(&o, &first);
		CHECK_INT(first.statistics.unchanged, 0);
		CHECK_INT(first.statistics.changed, TREE_ENTRIES);
		CHECK_INT(first.statistics.new_bytes, 0);
		CHECK_INT(first.statistics.stored_bytes, 0);
		manifest_wipe(&first);
	}
	o.full = false;
	o.ignore_inode = true;
	must_export(&o, &first);
	CHECK_INT(first.statistics.unchanged, TREE_ENTRIES);
	manifest_wipe(&first);
	flow_check_snapshots(&f, f.source, 5);
}

/* ---- changes ---- */

static void
append(void)
{
	CLEANUP_FCLOSE FILE *file = fopen(src("one"), "a");

	CHECK(file != NULL && fputs("more", file) > 0);
}

/* Size and time stay, only ctime tells. */
static void
rewrite_in_place(void)
{
	struct stat st;
	CLEANUP_CLOSE int fd = open(src("d/e/f/127k"), O_WRONLY);

	CHECK(fd >= 0 && fstat(fd, &st) == 0);
	CHECK(pwrite(fd, "another", 7, 1000) == 7);
	CHECK(futimens(fd, (struct timespec[2]){st.st_atim, st.st_mtim}) == 0);
}

static void
write_into_linked(void)
{
	CLEANUP_CLOSE int fd = open(src("d/nothing/big-three"), O_WRONLY);

	CHECK(fd >= 0 && pwrite(fd, "another", 7, 700000) == 7);
}

static void
change_mode(void)
{
	CHECK(chmod(src("twin"), 0604) == 0);
}

static void
change_folder(void)
{
	CHECK(chmod(src("d/e/f"), 0701) == 0);
}

static void
change_attribute(void)
{
	CHECK(setxattr(src("twin"), "user.more", "x", 1, 0) == 0 || geteuid() != 0);
	CHECK(chmod(src("twin"), 0605) == 0);
}

static void
rename_small(void)
{
	CHECK(rename(src("d/e/many-7"), src("d/e/zzz")) == 0);
}

static void
rename_folder(void)
{
	CHECK(rename(src("d/e"), src("e")) == 0);
}

static void
remove_small(void)
{
	CHECK(unlink(src("e/many-8")) == 0);
}

static void
remove_linked(void)
{
	CHECK(unlink(src("e/big-too")) == 0);
}

static void
folder_to_file(void)
{
	flow_remove(src("e/f"));
	flow_write(src("e/f"), 77, 1000);
}

static void
file_to_folder(void)
{
	CHECK(unlink(src("e/f")) == 0);
	CHECK(mkdir(src("e/f"), 0700) == 0);
	flow_write(src("e/f/inside"), 78, 200000);
}

static void
retarget(void)
{
	CHECK(unlink(src("d/symlink")) == 0);
	CHECK(symlink("elsewhere", src("d/symlink")) == 0);
}

static void
grow(void)
{
	flow_write(src("e/f/inside"), 78, 3000000);
}

static void
shrink(void)
{
	flow_write(src("e/f/inside"), 78, 30);
}

static void
empty_it(void)
{
	flow_write(src("e/f/inside"), 78, 0);
}

static void
change_sparse(void)
{
	CLEANUP_CLOSE int fd = open(src("sparse"), O_WRONLY);

	CHECK(fd >= 0 && pwrite(fd, "x", 1, 66 * 1024 * 1024) == 1);
}

static void
add_link(void)
{
	CHECK(link(src("fifo"), src("fifo-too")) == 0);
	CHECK(link(src("one"), src("one-too")) == 0);
}

static void
remove_almost_all(void)
{
	flow_remove(src("e"));
	flow_remove(src("d"));
	CHECK(unlink(src("big")) < 0 || unlink(src("sparse")) == 0);
}

static const struct {
	const char *name;
	void (*apply)(void);
	int changed, added, deleted; /* -1: whatever */
	uint64_t new_bytes; /* at most */
} changes[] = {
    {"append", append, 1, 0, 0, 5},
    {"rewrite", rewrite_in_place, 1, 0, 0, 127 * 1024},
    {"linked", write_into_linked, 3, 0, 0, 1536 * 1024},
    {"mode", change_mode, 1, 0, 0, 0},
    {"folder's mode", change_folder, 1, 0, 0, 0},
    {"attribute", change_attribute, 1, 0, 0, 0},
    {"rename", rename_small, 1, 1, 1, 0},
    {"rename a folder", rename_folder, -1, -1, -1, 0},
    {"remove", remove_small, 1, 0, 1, 0},
    {"remove a link", remove_linked, 3, 0, 1, 0},
    {"folder to file", folder_to_file, 2, 0, 2, 1000},
    {"file to folder", file_to_folder, 2, 1, 0, 200000},
    {"symlink", retarget, 2, 0, 0, 0},
    {"grow", grow, 1, 0, 0, 3000000},
    {"shrink", shrink, 1, 0, 0, 30},
    {"empty", empty_it, 1, 0, 0, 0},
    {"sparse", change_sparse, 1, 0, 0, 1024 * 1024},
    {"links", add_link, 3, 2, 0, 0},
    {"remove much", remove_almost_all, -1, 0, -1, 0},
};

static void
test_changes(void)
{
	struct export_options o = flow_export_options(f.source);
	struct manifest m;

	fresh();
	flow_make_tree(f.source);
	must_export(&o, NULL);
	for (size_t i = 0; i < COUNT_OF(changes); i++) {
		changes[i].apply();
		must_export(&o, &m);
		const struct manifest_statistics *s = &m.statistics;

		CHECK_INT(s->unchanged + s->changed + s->added, s->entries);
		if ((changes[i].changed >= 0 && s->changed != (uint64_t)changes[i].changed) ||
		    (changes[i].added >= 0 && s->added != (uint64_t)changes[i].added) ||
		    (changes[i].deleted >= 0 && s->deleted != (uint64_t)changes[i].deleted) ||
		    s->new_bytes > changes[i].new_bytes) {
			(void)fprintf(stderr,
			    "%s: %" PRIu64 " changed, %" PRIu64 " added, %" PRIu64 " deleted, %" PRIu64 " new bytes\n",
			    changes[i].name, s->changed, s->added, s->deleted, s->new_bytes);
			abort();
		}
		manifest_wipe(&m);
		must_import(NULL);
		if (!flow_same(f.source, f.target)) {
			(void)fprintf(stderr, "after: %s\n", changes[i].name);
			abort();
		}
		flow_remove(f.target);
	}
	flow_check_snapshots(&f, f.source, 1);
}

/* ---- options ---- */

static bool
exists(const char *folder, const char *name)
{
	struct stat st;

	return lstat(flow_in(folder, name), &st) == 0;
}

static void
test_selection(void)
{
	const char *const excludes[] = {"many-*", "/d/nothing", "fifo"};
	const char *const includes[] = {"d/e/f", "one"}, *const not [] = {"129k"};
	struct export_options o = flow_export_options(f.source);
	struct import_options in = {.target = f.target, .threads = 1, .connections = 1};
	struct manifest m;
	struct error err;

	fresh();
	flow_make_tree(f.source);
	o.excludes = excludes;
	o.nexcludes = COUNT_OF(excludes);
	must_export(&o, &m);
	CHECK_INT(m.statistics.entries, TREE_ENTRIES - 200 - 2 - 1);
	CHECK_INT(m.nexcludes, COUNT_OF(excludes));
	CHECK_STR(m.excludes[1], "/d/nothing");
	manifest_wipe(&m);
	must_import(NULL);
	CHECK(!exists(f.target, "d/e/many-3") && !exists(f.target, "d/nothing") && !exists(f.target, "fifo"));
	CHECK(exists(f.target, "d/e/f/127k") && exists(f.target, "d/e/big-too"));
	flow_remove(f.target);

	in.selection.includes = includes;
	in.selection.nincludes = COUNT_OF(includes);
	in.selection.excludes = not ;
	in.selection.nexcludes = COUNT_OF(not );
	CHECK_OK(flow_import_with(&f, NULL, &in, NULL, &err), &err);
	CHECK(exists(f.target, "d/e/f/127k") && exists(f.target, "one"));
	CHECK(!exists(f.target, "d/e/f/129k") && !exists(f.target, "big") && !exists(f.target, "d/small"));
	/* Folders on the way have their attributes, too. */
	flow_remove(flow_in(f.target, "d/e/f"));
	CHECK(exists(f.target, "d/e"));
	flow_remove(f.target);

	in.dry_run = true;
	CHECK_OK(flow_import_with(&f, NULL, &in, NULL, &err), &err);
	CHECK(!exists(f.target, ""));
	/* It refuses what an import would refuse. */
	CHECK(mkdir(f.target, 0700) == 0);
	CHECK_OK(flow_import_with(&f, NULL, &in, NULL, &err), &err);
	flow_write(flow_in(f.target, "mine"), 1, 1);
	CHECK_INT(flow_import_with(&f, NULL, &in, NULL, &err), ERR_EXISTS);
	in.overwrite = true;
	CHECK_OK(flow_import_with(&f, NULL, &in, NULL, &err), &err);
	CHECK(!exists(f.target, "one") && exists(f.target, "mine"));
	flow_remove(f.target);
}

/* What is left out because it was asked for is no warning.  Nodes are made by root, where that is allowed. */
static void
test_no_devices(void)
{
	struct import_options in = {.target = f.target, .threads = 1, .connections = 1, .no_devices = true};
	struct export_options o = flow_export_options(f.source);
	struct import_result result;
	struct error err;

	fresh();
	flow_make_tree(f.source);
	if (mknod(src("d/null"), S_IFCHR | 0600, makedev(1, 3)) < 0) {
		(void)puts("device nodes cannot be made here: not tested");
		return;
	}
	CHECK(link(src("d/null"), src("null-too")) == 0);
	CHECK(mknod(src("disk"), S_IFBLK | 0600, makedev(7, 200)) == 0);
	must_export(&o, NULL);
	for (int dry = 1; dry >= 0; dry--) {
		in.dry_run = dry == 1;
		CHECK_OK(flow_import_with(&f, NULL, &in, &result, &err), &err);
		CHECK_INT(f.warnings, 0);
		CHECK_INT(result.left_out, 3);
	}
	CHECK_INT(result.specials, 1);
	CHECK(unlink(src("d/null")) == 0 && unlink(src("null-too")) == 0 && unlink(src("disk")) == 0);
	CHECK(!exists(f.target, "d/null") && !exists(f.target, "null-too") && !exists(f.target, "disk"));
	CHECK(exists(f.target, "fifo") && exists(f.target, "d/small"));
}

static void
test_dry_run(void)
{
	struct export_options o = flow_export_options(f.source);
	size_t objects;
	struct manifest m;

	fresh();
	flow_make_tree(f.source);
	o.dry_run = true;
	objects = flow_count_objects(&f);
	must_export(&o, &m);
	CHECK_INT(m.statistics.added, TREE_ENTRIES);
	CHECK_INT(m.statistics.bytes, size_of_files());
	manifest_wipe(&m);
	CHECK_INT(flow_count_objects(&f), objects);
	CHECK_INT(flow_count_snapshots(&f), 0);

	o.dry_run = false;
	must_export(&o, NULL);
	objects = flow_count_objects(&f);
	CHECK(unlink(src("one")) == 0);
	flow_write(src("sparse"), 1, 10);
	o.dry_run = true;
	must_export(&o, &m);
	CHECK_INT(m.statistics.deleted, 1);
	CHECK_INT(m.statistics.changed, 2);
	CHECK_INT(m.statistics.unchanged, TREE_ENTRIES - 3);
	manifest_wipe(&m);
	CHECK_INT(flow_count_objects(&f), objects);
	CHECK_INT(flow_count_snapshots(&f), 1);
}

static void
check_images(void)
{
	enum { SIZE = 3 * 1024 * 1024 + 4096 };
	CLEANUP_FREE char *a = malloc(SIZE + 1), *b = malloc(SIZE + 1);
	CLEANUP_CLOSE int x = open(f.source, O_RDONLY), y = open(f.target, O_RDONLY);

	CHECK(a != NULL && b != NULL && x >= 0 && y >= 0);
	CHECK_INT(read(x, a, SIZE + 1), SIZE);
	CHECK_INT(read(y, b, SIZE + 1), SIZE);
	CHECK_MEM(a, b, SIZE);
}

static void
test_block(void)
{
	struct export_options o = flow_export_options(f.source);
	struct manifest m;
	struct error err;

	fresh();
	flow_write(f.source, 9, 2 * 1024 * 1024);
	CHECK(truncate(f.source, 3 * 1024 * 1024 + 4096) == 0);
	o.mode = MODE_BLOCK;
	must_export(&o, &m);
	CHECK(m.mode == MODE_BLOCK);
	CHECK_INT(m.size, 3 * 1024 * 1024 + 4096);
	CHECK_INT(m.statistics.new_bytes, 2 * 1024 * 1024);
	manifest_wipe(&m);
	CHECK_OK(flow_import(&f, NULL, f.target, false, NULL, &err), &err);
	check_images();

	CLEANUP_CLOSE int fd = open(f.source, O_WRONLY);

	CHECK(fd >= 0 && pwrite(fd, "x", 1, 700000) == 1 && pwrite(fd, "y", 1, 3 * 1024 * 1024 + 4000) == 1);
	must_export(&o, &m);
	/* One block of 256 KiB, and the 4 KiB at the end. */
	CHECK_INT(m.statistics.new_bytes, 256 * 1024 + 4096);
	manifest_wipe(&m);
	CHECK_OK(flow_import(&f, NULL, f.target, true, NULL, &err), &err);
	check_images();

	/* A volume holds one kind of snapshots. */
	CHECK(unlink(f.source) == 0 && unlink(f.target) == 0);
	flow_make_small_tree(f.source, false);
	o.mode = MODE_FILE;
	CHECK_INT(flow_export(&f, &o, NULL, &err), ERR_USAGE);
}

/* ---- several at once ---- */

static void *
export_thread(void *arg)
{
	struct flow *mine = arg;
	struct export_options o = flow_export_options(mine->source);
	struct error err;

	CHECK_OK(flow_export(mine, &o, NULL, &err), &err);
	return NULL;
}

static void
test_two_at_once(void)
{
	struct flow two[2];
	pthread_t threads[2];

	fresh();
	flow_make_tree(f.source);
	for (unsigned round = 1; round <= 2; round++) {
		for (size_t i = 0; i < 2; i++) {
			two[i] = f;
			CHECK(pthread_create(&threads[i], NULL, export_thread, &two[i]) == 0);
		}
		for (size_t i = 0; i < 2; i++)
			CHECK(pthread_join(threads[i], NULL) == 0);
		CHECK_INT(flow_count_snapshots(&f), 2 * round);
	}
	flow_check_snapshots(&f, f.source, 4);
}

static void
collect(struct flow *flow, struct catalog_reader **reader, struct snapshot **snapshot, struct volume **v)
{
	struct manifest m;
	struct error err;

	CHECK_OK(volume_open(flow->repo, FLOW_VOLUME, false, 0, v, &err), &err);
	CHECK_OK(snapshot_resolve(*v, "latest", &m, &err), &err);
	CHECK_OK(snapshot_open(*v, &m, snapshot, &err), &err);
	CHECK_OK(catalog_reader_new(*snapshot, 0, reader, &err), &err);
}

static bool
same_entry(const struct entry *a, const struct entry *b)
{
	return a->path_len == b->path_len && memcmp(a->path, b->path, a->path_len) == 0 && a->type == b->type &&
	       a->flags == b->flags && a->mode == b->mode && a->uid == b->uid && a->gid == b->gid &&
	       a->nlink == b->nlink && a->ino == b->ino && a->size == b->size && a->mtime_s == b->mtime_s &&
	       a->mtime_ns == b->mtime_ns && a->ctime_s == b->ctime_s && a->ctime_ns == b->ctime_ns &&
	       a->xattrs_len == b->xattrs_len && a->link_len == b->link_len && a->nsegments == b->nsegments &&
	       entry_in_bundle(a) == entry_in_bundle(b);
}

/* Repositories differ in their keys, so cuts and references do; all else must not depend on the number of threads. */
static void
test_threads_do_not_matter(void)
{
	struct flow many = f;
	struct export_options o = flow_export_options(f.source);
	struct catalog_reader *a, *b;
	struct snapshot *x, *y;
	struct volume *v, *w;
	struct error err;
	struct entry p, q;
	int r;

	fresh();
	flow_make_tree(f.source);
	many.repo = NULL;
	flow_new_repo(&many);
	o.threads = 1;
	must_export(&o, NULL);
	o.threads = 4;
	CHECK_OK(flow_export(&many, &o, NULL, &err), &err);
	collect(&f, &a, &x, &v);
	collect(&many, &b, &y, &w);
	do {
		CHECK_OK(r = catalog_reader_next(a, &p, &err), &err);
		CHECK_INT(catalog_reader_next(b, &q, &err), r);
		CHECK(r == 0 || same_entry(&p, &q));
	} while (r == 1);
	CHECK_INT(x->root.entries, TREE_ENTRIES);
	catalog_reader_free(a);
	catalog_reader_free(b);
	snapshot_free(x);
	snapshot_free(y);
	volume_free(v);
	volume_free(w);
	flow_check_snapshots(&many, f.source, 1);
	flow_check_snapshots(&f, f.source, 1);
	repo_free(many.repo);
}

static atomic_bool cancelling;

static void *
cancel_thread(void *arg)
{
	void (*cancel)(void) = *(void (**)(void))arg;

	while (atomic_load(&cancelling)) {
		cancel();
		(void)sched_yield();
	}
	return NULL;
}

/* An interruption at any moment ends the flow, and the next one is none the worse. */
static void
test_cancel(void)
{
	struct export_options o = flow_export_options(f.source);
	void (*cancel[])(void) = {export_cancel, import_cancel};
	struct error err;

	fresh();
	flow_make_tree(f.source);
	for (size_t i = 0; i < 2; i++) {
		pthread_t thread;
		int r;

		atomic_store(&cancelling, true);
		CHECK(pthread_create(&thread, NULL, cancel_thread, &cancel[i]) == 0);
		r = i == 0 ? flow_export(&f, &o, NULL, &err) : flow_import(&f, NULL, f.target, false, NULL, &err);
		atomic_store(&cancelling, false);
		CHECK(pthread_join(thread, NULL) == 0);
		CHECK(r == 0 || r == ERR_CANCELLED);
		if (i == 0)
			must_export(&o, NULL);
		else
			CHECK_OK(flow_import(&f, NULL, f.target, r == 0, NULL, &err), &err);
	}
	CHECK(flow_same(f.source, f.target));
}

/* ---- interrupted imports ---- */

/* Fail at the last thing that is fetched: the planner is through, so the empty file is there. */
static uint64_t
interrupt_import(void)
{
	struct store_fault_plan plan = {.ops = STORE_FAULT_GET, .code = ERR_UNAVAILABLE};
	struct import_options in = {.target = f.target, .threads = 1, .connections = 1};
	uint64_t before = store_fault_count(f.store, STORE_FAULT_GET);
	struct error err;

	CHECK_OK(flow_import_with(&f, NULL, &in, NULL, &err), &err);
	/* The second pass over the catalog reads one block. */
	plan.nth = store_fault_count(f.store, STORE_FAULT_GET) - before - 1;
	flow_remove(f.target);
	store_fault_fail(f.store, &plan);
	CHECK_INT(flow_import_with(&f, NULL, &in, NULL, &err), ERR_UNAVAILABLE);
	store_fault_fail(f.store, NULL);
	return plan.nth;
}

/* As after a power loss: size and time are right, the content is not. */
static void
spoil(void)
{
	const char *bad = flow_in(f.target, "one");
	struct stat st;
	int fd;

	CHECK(stat(src("one"), &st) == 0);
	(void)unlink(bad);
	fd = open(bad, O_WRONLY | O_CREAT, 0640);
	CHECK(fd >= 0 && write(fd, "", 1) == 1);
	CHECK(futimens(fd, (struct timespec[2]){st.st_mtim, st.st_mtim}) == 0);
	CHECK(close(fd) == 0);
}

static void
set_boot(const char *text)
{
	char path[256];
	struct manifest m;
	struct volume *v;
	struct error err;
	FILE *file;

	CHECK_OK(volume_open(f.repo, FLOW_VOLUME, false, 0, &v, &err), &err);
	CHECK_OK(snapshot_resolve(v, "latest", &m, &err), &err);
	(void)snprintf(path, sizeof path, "%s/.snapferry-%s/boot", f.target, m.snapshot);
	manifest_wipe(&m);
	volume_free(v);
	CHECK(access(path, F_OK) == 0);
	if (text == NULL) {
		CHECK(unlink(path) == 0);
		return;
	}
	file = fopen(path, "w");
	CHECK(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void
test_resume(void)
{
	static const char *const doubtful[] = {"00000000-0000-4000-8000-000000000000\n", "", "everything", NULL};
	struct export_options o = flow_export_options(f.source);
	struct import_result result;
	struct error err;
	struct stat st;
	char boot[64] = "";
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "r");

	CHECK(file != NULL && fgets(boot, sizeof boot, file) != NULL && fclose(file) == 0);
	fresh();
	flow_make_tree(f.source);
	must_export(&o, NULL);

	/* Told to stop: all was synced, and files count.  Killed: they do under the same boot. */
	for (unsigned i = 0; i < 2; i++) {
		(void)interrupt_import();
		spoil();
		if (i == 1)
			set_boot(boot);
		must_import(&result);
		CHECK(result.resumed && result.skipped >= 2);
		CHECK(stat(flow_in(f.target, "one"), &st) == 0);
		flow_remove(f.target);
	}
	for (size_t i = 0; i < COUNT_OF(doubtful); i++) {
		uint64_t nth = interrupt_import();

		spoil();
		set_boot(doubtful[i]);
		/* Interrupted once more, doubt remains. */
		if (i == 0) {
			store_fault_fail(
			    f.store, &(struct store_fault_plan){
					 .ops = STORE_FAULT_GET, .nth = nth, .and_later = true, .code = ERR_SYSTEM});
			CHECK_INT(flow_import(&f, NULL, f.target, false, NULL, &err), ERR_SYSTEM);
			store_fault_fail(f.store, NULL);
			spoil();
		}
		must_import(&result);
		CHECK(result.resumed);
		CHECK_INT(result.skipped, 0);
		CHECK(flow_same(f.source, f.target));
		flow_remove(f.target);
	}
}

/* ---- damaged packs ---- */

struct data_packs {
	char names[8][PACK_NAME_LEN];
	struct buf bytes[8];
	size_t count;
};

static int
note_data_pack(void *arg, const struct store_object *object, struct error *err)
{
	struct data_packs *p = arg;

	if (strstr(object->key, "/p/") == NULL)
		return 0;
	CHECK(p->count < COUNT_OF(p->names));
	(void)snprintf(p->names[p->count], sizeof p->names[0], "%s", object->key);
	p->bytes[p->count] = (struct buf)BUF_INIT(PACK_LEN_MAX);
	return store_load(f.store, object->key, PACK_LEN_MAX, &p->bytes[p->count++], err);
}

/* Missing, or damaged in every frame. */
static void
take_data_packs(struct data_packs *p, bool missing)
{
	struct error err;

	p->count = 0;
	CHECK_OK(store_list(f.store, "v/", note_data_pack, p, &err), &err);
	CHECK(p->count > 0);
	for (size_t i = 0; i < p->count; i++) {
		CLEANUP_FREE uint8_t *bad = malloc(p->bytes[i].len);

		CHECK(bad != NULL);
		for (size_t k = 0; k < p->bytes[i].len; k++)
			bad[k] = (uint8_t)(p->bytes[i].data[k] ^ (k % 16 == 0));
		CHECK_OK(store_remove(f.store, p->names[i], &err), &err);
		if (!missing)
			CHECK_OK(store_put(f.store, p->names[i], bad, p->bytes[i].len, &err), &err);
	}
}

static void
give_data_packs_back(struct data_packs *p)
{
	struct error err;

	for (size_t i = 0; i < p->count; i++) {
		CHECK_OK(store_remove(f.store, p->names[i], &err), &err);
		CHECK_OK(store_put(f.store, p->names[i], p->bytes[i].data, p->bytes[i].len, &err), &err);
		buf_free(&p->bytes[i]);
	}
}

/* A damaged file is absent under all its names, each of them is named once, and it comes back with the pack. */
static void
test_damaged_links(void)
{
	static const char *const names[] = {"big", "d/e/big-too", "d/nothing/big-three", "d/small", "link", "twin"};
	struct export_options o = flow_export_options(f.source);
	struct import_result result;
	struct data_packs packs;
	struct error err;
	struct stat st;

	fresh();
	flow_make_tree(f.source);
	must_export(&o, NULL);
	for (unsigned i = 0; i < 4; i++) {
		struct import_options in = {.target = f.target, .threads = 1 + i, .connections = 4 - i};

		take_data_packs(&packs, i % 2 == 0);
		for (unsigned again = 0; again < 2; again++) {
			CHECK_INT(flow_import_with(&f, NULL, &in, &result, &err), ERR_CORRUPT);
			CHECK_INT(result.resumed, again);
			CHECK_INT(result.damaged, TREE_FILES - 1);
			CHECK_INT(f.warnings, TREE_FILES - 1);
			CHECK_INT(result.links, 0);
			for (size_t k = 0; k < COUNT_OF(names); k++)
				CHECK(lstat(flow_in(f.target, names[k]), &st) < 0);
			CHECK(stat(flow_in(f.target, "d"), &st) == 0 && st.st_mtim.tv_sec == 1600000000);
		}
		give_data_packs_back(&packs);
		must_import(&result);
		CHECK(result.resumed);
		CHECK(flow_same(f.source, f.target));
		flow_remove(f.target);
	}
}

/* What was not asked for stays. */
static void
test_damaged_links_of_a_selection(void)
{
	const char *includes[] = {"d"};
	struct export_options o = flow_export_options(f.source);
	struct import_options in = {.target = f.target, .overwrite = true, .threads = 2, .connections = 2};
	struct import_result result;
	struct data_packs packs;
	struct error err;

	fresh();
	flow_make_tree(f.source);
	must_export(&o, NULL);
	in.selection.includes = includes;
	in.selection.nincludes = 1;
	CHECK(mkdir(f.target, 0700) == 0);
	flow_write(flow_in(f.target, "link"), 1, 10);
	flow_write(flow_in(f.target, "big"), 1, 10);
	take_data_packs(&packs, true);
	CHECK_INT(flow_import_with(&f, NULL, &in, &result, &err), ERR_CORRUPT);
	CHECK_INT(result.damaged, f.warnings);
	CHECK(access(flow_in(f.target, "link"), F_OK) == 0);
	CHECK(access(flow_in(f.target, "big"), F_OK) == 0);
	CHECK(access(flow_in(f.target, "d/small"), F_OK) < 0);
	CHECK(access(flow_in(f.target, "d/nothing/big-three"), F_OK) < 0);
	give_data_packs_back(&packs);
}

/* With few descriptors the planner waits for folders all the time, also when the import fails. */
static void
test_failure_with_few_descriptors(void)
{
	struct export_options o = flow_export_options(f.source);
	struct import_options in = {.target = f.target, .threads = 1, .connections = 1};
	struct rlimit old, few;
	struct error err;
	char name[32];

	fresh();
	CHECK(mkdir(f.source, 0700) == 0);
	for (unsigned i = 0; i < 100; i++) {
		(void)snprintf(name, sizeof name, "%u", i);
		CHECK(mkdir(src(name), 0700) == 0);
		(void)snprintf(name, sizeof name, "%u/file", i);
		flow_write(src(name), 1000 + i, 127 * 1024);
	}
	must_export(&o, NULL);
	CHECK(getrlimit(RLIMIT_NOFILE, &old) == 0);
	few = old;
	few.rlim_cur = 80;
	CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
	for (uint64_t nth = 10; nth < 30; nth++) {
		store_fault_fail(
		    f.store, &(struct store_fault_plan){.ops = STORE_FAULT_GET, .nth = nth, .code = ERR_UNAVAILABLE});
		int r = flow_import_with(&f, NULL, &in, NULL, &err);

		CHECK(r == 0 || r == ERR_UNAVAILABLE);
		store_fault_fail(f.store, NULL);
		flow_remove(f.target);
	}
	must_import(NULL);
	CHECK(flow_same(f.source, f.target));
	CHECK(setrlimit(RLIMIT_NOFILE, &old) == 0);
}

/* Frames of a hostile catalog may overlap: ranges stay as short as their buffers are all the same. */
static void
test_overlapping_frames(void)
{
	enum { COUNT = 40, CLEN = 4 * 1024 * 1024, STEP = 1024 * 1024 };
	struct window *w;
	struct queue *ranges, *home;
	struct range *r;
	struct error err;
	size_t wants = 0;

	CHECK_OK(queue_new(1, 1, &home, &err), &err);
	CHECK_OK(window_new(home, &w, &err), &err);
	CHECK(queue_push(home, w));
	CHECK_OK(window_take(home, &w, &err), &err);
	CHECK_OK(queue_new(COUNT, 1, &ranges, &err), &err);
	for (uint32_t i = 0; i < COUNT; i++)
		w->wants[w->count++] = (struct want){
		    .frame = {.type = FRAME_DATA, .offset = (COUNT - i) * STEP, .clen = CLEN, .plen = CLEN}, .len = 1};
	CHECK(window_send(w, ranges, &err));
	queue_close(ranges);
	while ((r = queue_pop(ranges)) != NULL) {
		CHECK(r->len <= CLEN);
		for (size_t i = 0; i < r->count; i++)
			CHECK(r->wants[i].frame.offset >= r->offset &&
			      r->wants[i].frame.offset - r->offset + CLEN <= r->len);
		wants += r->count;
		range_free(r);
	}
	CHECK_INT(wants, COUNT);
	queue_free(ranges, NULL);
	CHECK((w = queue_pop(home)) != NULL);
	window_free(w);
	queue_free(home, NULL);
}

/* ---- other file systems below the source ---- */

static void
make_mounted(const char *name, uint64_t seed)
{
	char at[128];

	(void)snprintf(at, sizeof at, "%s/%s", f.source, name);
	CHECK(mkdir(at, 0700) == 0);
	if (mount("none", at, "tmpfs", 0, "size=4m") < 0)
		_exit(77);
	flow_write(flow_in(at, "x"), seed, 1000);
	CHECK(link(flow_in(at, "x"), flow_in(at, "y")) == 0);
	flow_write(flow_in(at, "large"), seed, 200000);
	CHECK(link(flow_in(at, "large"), flow_in(at, "larger")) == 0);
}

/* Two new file systems of a kind give the same inode numbers. */
static void
cross_in_child(void)
{
	struct export_options o = flow_export_options(f.source);
	struct stat a, b;
	struct manifest m;

	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		_exit(77);
	CHECK(mkdir(f.source, 0700) == 0);
	make_mounted("a", 1);
	make_mounted("b", 2);
	CHECK(stat(src("a/x"), &a) == 0 && stat(src("b/x"), &b) == 0);
	CHECK_INT(a.st_ino, b.st_ino);
	o.cross_file_systems = true;
	must_export(&o, NULL);
	must_import(NULL);
	CHECK(flow_same(f.source, f.target));
	must_export(&o, &m);
	CHECK_INT(m.statistics.unchanged, 11);
	CHECK_INT(m.statistics.changed, 0);
	manifest_wipe(&m);
	repo_free(f.repo);
	_exit(0);
}

static void
test_cross_file_systems(void)
{
	int status;
	pid_t child;

	CHECK_INT(item_ino(17, 5, 5), 17);
	CHECK(item_ino(17, 5, 6) != 17 && item_ino(17, 5, 6) != item_ino(17, 4, 6));
	CHECK(item_ino(17, 5, 6) != item_ino(18, 5, 6));
	fresh();
	child = fork();
	CHECK(child >= 0);
	if (child == 0)
		cross_in_child();
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 77));
	if (WEXITSTATUS(status) == 77)
		(void)fprintf(stderr, "mounts are not allowed here: file systems below the source are not tested\n");
}

int
main(void)
{
	static void (*const tests[])(void) = {test_round_trip, test_unchanged, test_changes, test_selection,
	    test_no_devices, test_dry_run, test_block, test_two_at_once, test_threads_do_not_matter, test_cancel,
	    test_resume, test_damaged_links, test_damaged_links_of_a_selection, test_failure_with_few_descriptors,
	    test_overlapping_frames, test_cross_file_systems};

	(void)alarm(120);
	flow_begin(&f);
	for (size_t i = 0; i < COUNT_OF(tests); i++)
		tests[i]();
	flow_end(&f);
	return 0;
}
