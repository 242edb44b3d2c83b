/*
 * What the tests of whole flows share: see flow.h.
 */
#include "flow.h"

#include <stdatomic.h>
#include <time.h>

#include "check.h"
#include "world.h"

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

void
flow_new_repo(struct flow *f)
{
	repo_free(f->repo);
	world_new_repo(&f->store, &f->repo);
}

void
flow_begin(struct flow *f)
{
	memset(f, 0, sizeof *f);
	scratch_make(f->base, sizeof f->base, "flow");
	(void)snprintf(f->source, sizeof f->source, "%s/source", f->base);
	(void)snprintf(f->target, sizeof f->target, "%s/target", f->base);
	CHECK(freopen("/dev/null", "w", stdout) != NULL);
	flow_new_repo(f);
}

void
flow_end(struct flow *f)
{
	repo_free(f->repo);
	scratch_remove(f->base);
}

void
flow_fresh(struct flow *f)
{
	scratch_remove(f->source);
	scratch_remove(f->target);
	flow_new_repo(f);
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
	char target[300];
	struct error err;

	(void)snprintf(target, sizeof target, "%s/check", f->base);
	for (size_t i = 0; i < count; i++) {
		CHECK_OK(flow_import(f, ids[i], target, false, NULL, &err), &err);
		CHECK_INT(f->warnings, 0);
		CHECK(i + equal < count || flow_same(source, target));
		scratch_remove(target);
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

void
flow_must_export(struct flow *f, const struct export_options *o, struct manifest *out)
{
	struct error err;

	CHECK_OK(flow_export(f, o, out, &err), &err);
	CHECK_INT(f->warnings, 0);
}

void
flow_must_import(struct flow *f, struct import_result *out)
{
	struct error err;

	CHECK_OK(flow_import(f, NULL, f->target, false, out, &err), &err);
	CHECK_INT(f->warnings, 0);
}
