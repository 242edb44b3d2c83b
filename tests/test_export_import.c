/*
 * Exports and imports as a whole: what comes back, what is stored when nothing has changed, and what several at once
 * do.
 */
#include "flow.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "cleanup.h"
#include "item.h"

static struct flow f;

static const char *
src(const char *name)
{
	return flow_in(f.source, name);
}

static void
test_round_trip(void)
{
	struct export_options o = flow_export_options(f.source);
	struct import_result result;
	struct manifest m;

	flow_fresh(&f);
	flow_make_tree(f.source);
	flow_must_export(&f, &o, &m);
	CHECK_INT(m.statistics.entries, FLOW_TREE_ENTRIES);
	CHECK_INT(m.statistics.files, FLOW_TREE_FILES);
	CHECK_INT(m.statistics.bytes, flow_tree_bytes());
	CHECK_INT(m.statistics.added, FLOW_TREE_ENTRIES);
	CHECK_INT(m.statistics.unchanged + m.statistics.changed + m.statistics.deleted, 0);
	/* Holes, links and equal files are stored once or not at all. */
	CHECK(m.statistics.new_bytes < 3 * 1024 * 1024);
	CHECK(m.statistics.stored_bytes > m.statistics.new_bytes / 2);
	CHECK_INT(m.sequence, 1);
	CHECK_STR(m.parent, "");
	manifest_wipe(&m);

	flow_must_import(&f, &result);
	CHECK(flow_same(f.source, f.target));
	CHECK_INT(result.files, FLOW_TREE_FILES - 3);
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

	flow_fresh(&f);
	flow_make_tree(f.source);
	flow_must_export(&f, &o, &first);
	objects = flow_count_objects(&f);
	flow_must_export(&f, &o, &second);
	CHECK_INT(flow_count_objects(&f), objects + 1);
	CHECK_INT(second.statistics.unchanged, FLOW_TREE_ENTRIES);
	CHECK_INT(second.statistics.changed + second.statistics.added + second.statistics.deleted, 0);
	CHECK_INT(second.statistics.entries, FLOW_TREE_ENTRIES);
	CHECK_INT(second.statistics.files, FLOW_TREE_FILES);
	CHECK_INT(second.statistics.bytes, flow_tree_bytes());
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
		flow_must_export(&f, &o, &first);
		CHECK_INT(first.statistics.unchanged, 0);
		CHECK_INT(first.statistics.changed, FLOW_TREE_ENTRIES);
		CHECK_INT(first.statistics.new_bytes, 0);
		CHECK_INT(first.statistics.stored_bytes, 0);
		manifest_wipe(&first);
	}
	o.full = false;
	o.ignore_inode = true;
	flow_must_export(&f, &o, &first);
	CHECK_INT(first.statistics.unchanged, FLOW_TREE_ENTRIES);
	manifest_wipe(&first);
	flow_check_snapshots(&f, f.source, 5);
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

	flow_fresh(&f);
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

	flow_fresh(&f);
	flow_make_tree(f.source);
	many.repo = NULL;
	flow_new_repo(&many);
	o.threads = 1;
	flow_must_export(&f, &o, NULL);
	o.threads = 4;
	CHECK_OK(flow_export(&many, &o, NULL, &err), &err);
	collect(&f, &a, &x, &v);
	collect(&many, &b, &y, &w);
	do {
		CHECK_OK(r = catalog_reader_next(a, &p, &err), &err);
		CHECK_INT(catalog_reader_next(b, &q, &err), r);
		CHECK(r == 0 || same_entry(&p, &q));
	} while (r == 1);
	CHECK_INT(x->root.entries, FLOW_TREE_ENTRIES);
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

	flow_fresh(&f);
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
			flow_must_export(&f, &o, NULL);
		else
			CHECK_OK(flow_import(&f, NULL, f.target, r == 0, NULL, &err), &err);
	}
	CHECK(flow_same(f.source, f.target));
}

/* ---- other file systems below the source ---- */

static void
make_mounted(const char *name, uint64_t seed)
{
	char at[320];

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
	flow_must_export(&f, &o, NULL);
	flow_must_import(&f, NULL);
	CHECK(flow_same(f.source, f.target));
	flow_must_export(&f, &o, &m);
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
	flow_fresh(&f);
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
	static void (*const tests[])(void) = {test_round_trip, test_unchanged, test_two_at_once,
	    test_threads_do_not_matter, test_cancel, test_cross_file_systems};

	(void)alarm(120);
	flow_begin(&f);
	for (size_t i = 0; i < COUNT_OF(tests); i++)
		tests[i]();
	flow_end(&f);
	return 0;
}
