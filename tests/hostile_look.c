/*
 * Everything else that reads a hostile snapshot: see hostile.h.
 */
#include "hostile.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "ahead.h"
#include "check.h"
#include "cleanup.h"
#include "diff.h"
#include "frames.h"
#include "select.h"
#include "tar.h"
#include "verify.h"

static struct error err;

static struct report *
quiet_report(void)
{
	struct report_options o = {.command = "test", .json = getenv("HOSTILE_VERBOSE") == NULL, .quiet = true};
	struct report *report;

	CHECK_OK(report_new(&o, &report, &err), &err);
	return report;
}

/* As tar does; what is huge in an archive is not worth the time. */
static void
add_all(struct tar *tar, struct tar_members *members)
{
	const struct tar_member *m;
	struct error ignored;
	int r = 0;

	while (r == 0 && tar_members_next(members, &m, &ignored) > 0)
		r = m->entry.size > 1u << 30 ? 0 : tar_add(tar, m, &ignored);
	if (r == 0)
		(void)tar_finish(tar, &ignored);
}

static void
read_all(const struct volume *v, const struct snapshot *s, struct report *report)
{
	CLEANUP_CLOSE int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	const struct selection all = {0};
	struct tar_members *members = NULL;
	struct ahead *ahead = NULL;
	struct progress progress = {0};
	struct frames *frames;
	struct tar *tar;

	CHECK_OK(frames_new(v, s->keyring, &frames, &err), &err);
	CHECK_OK(tar_members_new(s, "", 0, &all, frames_loader(frames), report, &progress, &members, &err), &err);
	CHECK_OK(ahead_new(frames_loader(frames), 2, tar_members_frame, members, &ahead, &err), &err);
	frames_set_ahead(frames, ahead);
	CHECK_OK(tar_new(null, frames, report, &progress, &tar, &err), &err);
	add_all(tar, members);
	tar_free(tar);
	ahead_free(ahead);
	tar_members_free(members);
	frames_free(frames);
}

static int
ignore_change(void *arg, const struct diff_change *change, struct error *e)
{
	(void)arg;
	(void)change;
	(void)e;
	return 0;
}

static void
compare_all(const struct snapshot *s, struct report *report)
{
	struct progress progress = {0};
	const struct diff d = {.report = report, .progress = &progress, .fn = ignore_change};
	struct error ignored;
	struct stat st;

	(void)diff_snapshots(&d, s, s, &ignored);
	if (s->manifest.mode == MODE_FILE && stat(hostile_flow.target, &st) == 0)
		(void)diff_folder(&d, s, hostile_flow.target, &ignored);
	else if (s->manifest.mode == MODE_BLOCK && stat(hostile_flow.target, &st) == 0 && s->manifest.size < 1u << 30)
		(void)diff_device(&d, s, hostile_flow.target, &ignored);
}

void
hostile_look_around(const char *name, const char *id, bool good)
{
	struct verify_options o = {.level = VERIFY_LEVEL_MAX, .sample = 100, .threads = 2};
	struct report *report = quiet_report();
	struct verify_result result = {0};
	struct progress progress = {0};
	struct snapshot *s = NULL;
	struct error ignored;
	struct manifest m;
	struct volume *v;
	size_t before = hostile_memory_start();

	CHECK_OK(volume_open(hostile_flow.repo, FLOW_VOLUME, false, 0, &v, &err), &err);
	CHECK_OK(verify_volume(v, &o, report, &progress, &result, &err), &err);
	if (good && result.damage > 0)
		(void)fprintf(stderr, "%s: verify finds damage\n", name);
	CHECK(!good || result.damage == 0);
	hostile_memory_check(name, "verify", before);
	before = hostile_memory_start();
	CHECK_OK(snapshot_load(v, id, &m, &err), &err);
	if (snapshot_open(v, &m, &s, &ignored) == 0) {
		read_all(v, s, report);
		hostile_memory_check(name, "tar", before);
		before = hostile_memory_start();
		compare_all(s, report);
		hostile_memory_check(name, "diff", before);
	}
	snapshot_free(s);
	volume_free(v);
	report_free(report);
}
