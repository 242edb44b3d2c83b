/*
 * What an archive gets, read ahead or not: the same archive, the same end when something is damaged or fails, and fewer
 * requests.
 */
#include <archive.h>
#include <archive_entry.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ahead.h"
#include "check.h"
#include "cleanup.h"
#include "extents.h"
#include "flow.h"
#include "frames.h"
#include "select.h"
#include "store_trace.h"
#include "tar.h"

static const struct selection all;
static struct flow f;
/* Of the snapshot that is open. */
static struct store *trace;
static struct repo *repo;
static struct volume *volume;

/* ---- archives ---- */

struct archived {
	uint8_t *bytes; /* malloc'ed */
	size_t len;
	size_t members;
	int code;
	struct error err;
};

static void
slurp(int fd, struct archived *out)
{
	struct stat st;

	CHECK(fstat(fd, &st) == 0);
	out->len = (size_t)st.st_size;
	out->bytes = malloc(out->len + 1);
	CHECK(out->bytes != NULL);
	CHECK_INT(pread(fd, out->bytes, out->len, 0), out->len);
}

static int
add_all(struct tar *tar, struct tar_members *members, struct archived *out)
{
	const struct tar_member *m;
	int r;

	while ((r = tar_members_next(members, &m, &out->err)) > 0) {
		if ((r = tar_add(tar, m, &out->err)) < 0)
			return r;
		out->members++;
	}
	return r < 0 ? r : tar_finish(tar, &out->err);
}

/* connections 0: nothing is read ahead. */
static void
archive(const struct snapshot *s, const char *path, const struct selection *selection, unsigned connections,
    struct archived *out)
{
	const struct report_options quiet = {.command = "test", .json = true, .quiet = true};
	CLEANUP_CLOSE int fd = memfd_create("archive", MFD_CLOEXEC);
	struct tar_members *members;
	struct ahead *ahead = NULL;
	struct progress progress = {0};
	struct frames *frames;
	struct report *report;
	struct tar *tar;
	struct error err;

	CHECK(fd >= 0);
	*out = (struct archived){0};
	CHECK_OK(report_new(&quiet, &report, &err), &err);
	CHECK_OK(frames_new(s->volume, s->keyring, &frames, &err), &err);
	CHECK_OK(
	    tar_members_new(s, path, strlen(path), selection, frames_loader(frames), report, &progress, &members, &err),
	    &err);
	if (connections > 0)
		CHECK_OK(ahead_new(frames_loader(frames), connections, tar_members_frame, members, &ahead, &err), &err);
	frames_set_ahead(frames, ahead);
	CHECK_OK(tar_new(fd, frames, report, &progress, &tar, &err), &err);
	out->code = add_all(tar, members, out);
	tar_free(tar);
	if (out->code == 0 && path[0] == '\0')
		CHECK_INT(progress.entries, s->root.entries);
	ahead_free(ahead);
	tar_members_free(members);
	frames_free(frames);
	report_free(report);
	slurp(fd, out);
}

/* ---- trees ---- */

/* Entries that take far more than is read ahead at a time, with content here and there. */
static void
make_long_tree(const char *source)
{
	char target[4000];

	memset(target, 'x', sizeof target - 1);
	target[sizeof target - 1] = '\0';
	CHECK(mkdir(source, 0700) == 0);
	for (unsigned i = 0; i < 3000; i++) {
		char name[32];

		(void)snprintf(name, sizeof name, "%04u", i);
		if (i % 300 != 7)
			CHECK(symlink(target, flow_in(source, name)) == 0);
		else
			flow_write(flow_in(source, name), i, i % 600 == 7 ? 150 * 1024 : 100);
	}
}

static void
make_files(const char *source)
{
	CHECK(mkdir(source, 0700) == 0);
	for (unsigned i = 0; i < 100; i++) {
		char name[32];

		(void)snprintf(name, sizeof name, "%02u", i);
		flow_write(flow_in(source, name), i, 130 * 1024 + i);
	}
	flow_write(flow_in(source, "large"), 1000, 6 * 1024 * 1024);
}

/* A snapshot of such a tree, in the store that counts. */
static struct snapshot *
export_and_open(void (*make)(const char *source))
{
	struct export_options o = flow_export_options(f.source);
	struct secret secret = {SECRET_PASSPHRASE, 4, "test"};
	struct snapshot *s;
	struct manifest m;
	struct error err;

	flow_fresh(&f);
	make(f.source);
	flow_must_export(&f, &o, NULL);
	CHECK_OK(store_trace_new(f.store, &trace, &err), &err);
	CHECK_OK(repo_open(trace, &secret, 1, &repo, &err), &err);
	CHECK_OK(volume_open(repo, FLOW_VOLUME, false, 0, &volume, &err), &err);
	CHECK_OK(snapshot_resolve(volume, "latest", &m, &err), &err);
	CHECK_OK(snapshot_open(volume, &m, &s, &err), &err);
	return s;
}

static void
close_snapshot(struct snapshot *s)
{
	snapshot_free(s);
	volume_free(volume);
	repo_free(repo);
}

/* ---- tests ---- */

/* With any number of connections. */
static void
check_same(const struct snapshot *s, const char *path, const struct selection *selection, const struct archived *want)
{
	struct archived got;

	for (unsigned connections = 1; connections < 9; connections += 3) {
		archive(s, path, selection, connections, &got);
		CHECK_INT(got.code, want->code);
		if (want->code < 0)
			CHECK_STR(got.err.msg, want->err.msg);
		CHECK_INT(got.members, want->members);
		CHECK_INT(got.len, want->len);
		CHECK_MEM(got.bytes, want->bytes, want->len);
		free(got.bytes);
	}
}

/* Whatever is asked for: all, a folder, a file, what is not there, what globs select. */
static void
test_same(void (*make)(const char *), const char *folder, const char *file)
{
	const char *glob = "*[0-4]*";
	const struct selection some = {.includes = &glob, .nincludes = 1}, others = {.excludes = &glob, .nexcludes = 1};
	const struct {
		const char *path;
		const struct selection *selection;
	} cases[] = {{"", &all}, {folder, &all}, {file, &all}, {"no/such", &all}, {"", &some}, {"", &others}};
	struct archived want;
	struct snapshot *s = export_and_open(make);

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		archive(s, cases[i].path, cases[i].selection, 0, &want);
		CHECK_INT(want.code, i == 3 ? ERR_NOT_FOUND : 0);
		CHECK(i == 3 || want.members > 0);
		CHECK(i != 0 || want.members == s->root.entries);
		check_same(s, cases[i].path, cases[i].selection, &want);
		free(want.bytes);
	}
	close_snapshot(s);
}

/* How many frames are known before the archive goes on. */
static size_t
count_frames(struct tar_members *members)
{
	struct frame_ref frame;
	size_t count = 0;

	while (tar_members_frame(members, &frame))
		count++;
	return count;
}

/* However much there is, only so much is read ahead, and the rest when that has been written. */
static void
check_bounded(struct tar_members *members, const struct progress *progress, uint64_t total)
{
	size_t known = count_frames(members), files = 0, entries = 0;
	const struct tar_member *m;
	struct error err;

	CHECK(known >= 2 && known <= 2 * TAR_MEMBERS_LEN / 4000 / 300 + 1);
	CHECK_INT(progress->entries, 0);
	while (tar_members_next(members, &m, &err) > 0) {
		/* What is needed for a member is known before it is needed. */
		files += entry_has_content(&m->entry);
		CHECK(files <= known);
		CHECK_INT(progress->entries, ++entries);
		known += count_frames(members);
	}
	CHECK_INT(files, 10);
	CHECK_INT(known, 10);
	CHECK_INT(entries, total);
}

/* Nobody asks for frames until half of the members are written: those that come now are the later ones'. */
static void
check_overtaken(struct tar_members *members, const struct progress *progress, uint64_t total)
{
	size_t known = 0, files = 0;
	const struct tar_member *m;
	struct error err;

	while (tar_members_next(members, &m, &err) > 0) {
		if (progress->entries < total / 2)
			continue;
		files += entry_has_content(&m->entry);
		known += count_frames(members);
		CHECK(files <= known);
	}
	CHECK_INT(files, 5);
	CHECK_INT(known, 5);
}

static void
test_lots(void (*check)(struct tar_members *, const struct progress *, uint64_t total))
{
	struct progress progress = {0};
	struct tar_members *members;
	struct frames *frames;
	struct snapshot *s = export_and_open(make_long_tree);
	struct error err;

	CHECK_OK(frames_new(s->volume, s->keyring, &frames, &err), &err);
	CHECK_OK(tar_members_new(s, "", 0, &all, frames_loader(frames), NULL, &progress, &members, &err), &err);
	check(members, &progress, s->root.entries);
	tar_members_free(members);
	frames_free(frames);
	close_snapshot(s);
}

static size_t
count_links(const struct archived *x)
{
	struct archive *a = archive_read_new();
	struct archive_entry *ae;
	size_t count = 0;

	CHECK(archive_read_support_format_tar(a) == ARCHIVE_OK);
	CHECK(archive_read_open_memory(a, x->bytes, x->len) == ARCHIVE_OK);
	while (archive_read_next_header(a, &ae) == ARCHIVE_OK)
		count += archive_entry_hardlink(ae) != NULL;
	CHECK(archive_read_free(a) == ARCHIVE_OK);
	return count;
}

/* Further names are told from first ones, and are no content that is fetched. */
static void
test_links(void)
{
	struct archived x;
	struct snapshot *s = export_and_open(flow_make_tree);

	archive(s, "", &all, 4, &x);
	CHECK_INT(x.code, 0);
	CHECK_INT(count_links(&x), 3);
	free(x.bytes);
	close_snapshot(s);
}

/* What is told of frames is what is read: nothing is fetched a second time. */
static void
test_requests(void)
{
	struct archived one, got;
	struct snapshot *s = export_and_open(make_files);
	uint64_t requests;

	store_trace_forget(trace);
	archive(s, "", &all, 0, &one);
	requests = store_trace_count(trace, "get", "/p/");
	CHECK(requests >= 100);
	free(one.bytes);
	store_trace_forget(trace);
	store_trace_delay(trace, 10);
	archive(s, "", &all, 8, &got);
	CHECK(store_trace_count(trace, "get", "/p/") <= requests / 5);
	CHECK(store_trace_parallel(trace) >= 4);
	free(got.bytes);
	close_snapshot(s);
}

/* The n-th get fails: the archive ends with that, and is the beginning of the whole one up to there. */
static void
test_failures(void)
{
	struct store_fault_plan plan = {.ops = STORE_FAULT_GET, .nth = 1, .code = ERR_UNAVAILABLE};
	struct archived want, got;
	struct snapshot *s = export_and_open(make_files);

	archive(s, "", &all, 0, &want);
	for (;; plan.nth++) {
		store_fault_fail(f.store, &plan);
		archive(s, "", &all, 1 + (unsigned)plan.nth % 4, &got);
		if (got.code == 0)
			break;
		CHECK_INT(got.code, ERR_UNAVAILABLE);
		CHECK(got.members < want.members);
		/* What a reader takes for damage comes last. */
		CHECK(got.len <= want.len && got.len >= 512);
		CHECK_MEM(got.bytes, want.bytes, got.len - 512);
		free(got.bytes);
	}
	CHECK(plan.nth > 8);
	store_fault_fail(f.store, NULL);
	free(got.bytes);
	free(want.bytes);
	close_snapshot(s);
}

static int
find_data_pack(void *arg, const struct store_object *object, struct error *err)
{
	(void)err;
	if (strstr(object->key, "/p/") == NULL)
		return 0;
	(void)snprintf(arg, 200, "%s", object->key);
	return 1;
}

/* A pack is missing: the archive ends at the first file that needs it, with its name. */
static void
test_damage(void)
{
	struct archived want;
	char key[200] = "";
	struct snapshot *s = export_and_open(make_files);

	CHECK_OK(store_list(f.store, "v/", find_data_pack, key, &want.err), &want.err);
	CHECK_OK(store_remove(f.store, key, &want.err), &want.err);
	archive(s, "", &all, 0, &want);
	CHECK_INT(want.code, ERR_CORRUPT);
	check_same(s, "", &all, &want);
	free(want.bytes);
	close_snapshot(s);
}

int
main(void)
{
	(void)alarm(60);
	flow_begin(&f);
	test_same(flow_make_tree, "d", "d/e/f/129k");
	test_same(make_long_tree, "0300", "0307");
	test_lots(check_bounded);
	test_lots(check_overtaken);
	test_links();
	test_requests();
	test_failures();
	test_damage();
	flow_end(&f);
	return 0;
}
