/*
 * The export as a whole: open, start the stages, wait, commit.
 */
#include "export.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "error.h"
#include "content.h"
#include "device.h"

/* Items on their way at the same time, at most; what they may hold is counted in places. */
#define EXPORT_WINDOW 32

static pthread_mutex_t running_lock = PTHREAD_MUTEX_INITIALIZER;
static struct job *running; /* for export_cancel() */

void
export_cancel(void)
{
	struct error err;

	(void)error_set(&err, ERR_CANCELLED, "interrupted");
	(void)pthread_mutex_lock(&running_lock);
	if (running != NULL)
		job_fail(running, &err);
	(void)pthread_mutex_unlock(&running_lock);
}

static void
export_set_running(struct job *job)
{
	(void)pthread_mutex_lock(&running_lock);
	running = job;
	(void)pthread_mutex_unlock(&running_lock);
}

void
export_set_walker(struct export *x, struct walker *walker)
{
	(void)pthread_mutex_lock(&x->walker_lock);
	x->walker = walker;
	(void)pthread_mutex_unlock(&x->walker_lock);
}

/* The scan may be waiting for folders that nobody releases any more. */
static void
export_stop_walk(struct export *x)
{
	(void)pthread_mutex_lock(&x->walker_lock);
	if (x->walker != NULL)
		walker_cancel(x->walker);
	(void)pthread_mutex_unlock(&x->walker_lock);
}

static int
adopt_frame(void *arg, const struct frame_ref *ref, struct error *err)
{
	return dedup_adopt(arg, ref, err);
}

static int
export_begin_session(struct export *x, struct error *err)
{
	const struct export_options *o = x->options;
	struct session_options so = {.level = o->level,
	    .pack_size = o->pack_size,
	    .meta_pack_size = o->meta_pack_size,
	    .packers = o->threads,
	    .uploads = o->uploads,
	    .refresh_s = 300,
	    .survey = x->survey};
	struct snapshot *base = x->base;
	size_t adopted;
	int r;

	/* After a rotation of keys the old chain ends: its chunks lie under other keys. */
	if (base != NULL && base->keys != x->keys) {
		snapshot_free(STEAL(x->base));
		base = NULL;
	}
	if ((r = session_begin(x->volume, x->keys, base, &so, session_clock, x->job, &x->session, err)) < 0 ||
	    (r = dedup_new(x->volume, session_keyring(x->session), base, o->dedup_bytes, &x->dedup, err)) < 0)
		return r;
	(void)session_adopted(x->session, &adopted);
	if (adopted == 0)
		return 0;
	report_note(x->report, NULL, 0, "%zu unfinished export%s: what was stored is used again", adopted,
	    adopted == 1 ? "" : "s");
	return session_each_adopted(x->session, adopt_frame, x->dedup, err);
}

static int
export_spawn(struct export *x, struct error *err)
{
	const struct export_options *o = x->options;
	unsigned threads = o->dry_run ? 0 : o->threads;
	int r;

	if ((r = queue_new(2 * EXPORT_WINDOW, 1, &x->work, err)) < 0 ||
	    (r = queue_new(EXPORT_WINDOW, threads + 1, &x->done, err)) < 0 ||
	    (r = job_attach(x->job, x->work, err)) < 0 || (r = job_attach(x->job, x->done, err)) < 0 ||
	    (r = places_new(x->job, &x->places, err)) < 0)
		return r;
	r = job_spawn(x->job, "scan", o->mode == MODE_BLOCK ? scan_device : scan_files, x, err);
	for (unsigned i = 0; r == 0 && i < threads; i++)
		r = job_spawn(x->job, "content", content_thread, x, err);
	return r;
}

static void
task_dispose(void *item)
{
	content_abandon(item);
	free(item);
}

static void
item_dispose(void *item)
{
	item_free(item);
}

/* Also after a failure, at any point: threads have ended when it returns. */
static void
export_close(struct export *x)
{
	struct error err;

	export_set_running(NULL);
	export_stop_walk(x);
	/* The session's packers and keys are in use until the last content thread has ended. */
	if (x->job != NULL) {
		(void)error_set(&err, ERR_CANCELLED, "the export has ended");
		job_fail(x->job, &err);
		if (x->session != NULL)
			session_end(x->session, false);
		(void)job_wait(x->job, &err);
	}
	session_free(x->session);
	job_free(x->job);
	queue_free(x->work, task_dispose);
	queue_free(x->done, item_dispose);
	places_free(x->places);
	dedup_free(x->dedup);
	snapshot_free(x->base);
	survey_free(x->survey);
	device_free(x->device);
	volume_free(x->volume);
	(void)pthread_mutex_destroy(&x->walker_lock);
}

/* An image file may be in use.  (Whether a device is, nobody can tell.) */
static int
export_check_device(struct export *x, const struct device_facts *before, struct error *err)
{
	struct device_facts after;
	int r;

	if (x->device == NULL)
		return 0;
	if ((r = device_facts(x->device, &after, err)) < 0)
		return r;
	if (!device_facts_equal(before, &after))
		report_warn(x->report, x->options->source, strlen(x->options->source),
		    "changed while it was read: its copy may be inconsistent");
	return 0;
}

/* From the last item to the commit. */
static int
export_commit(struct export *x, struct catalog_writer *writer, struct manifest *m, struct error *err)
{
	int r;

	if ((r = catalog_writer_finish(writer, m, err)) < 0 || (r = export_manifest_describe(x, m, err)) < 0)
		return r;
	export_manifest_statistics(x, m);
	if ((r = export_check_keys(x, m->statistics.stored_bytes > 0, err)) < 0 ||
	    (r = session_check(x->session, err)) < 0 || (r = job_error(x->job, err)) < 0)
		return r;
	/* From here on the snapshot may exist: an interruption comes too late. */
	export_set_running(NULL);
	if ((r = snapshot_commit(x->volume, m, err)) < 0)
		return r;
	session_end(x->session, true);
	return 0;
}

static int
export_body(struct export *x, struct manifest *m, struct error *err)
{
	struct catalog_writer *writer = NULL;
	struct device_facts before;
	int r;

	if (x->device != NULL && (r = device_facts(x->device, &before, err)) < 0)
		return r;
	if ((r = export_open(x, err)) < 0 || (r = job_new(&x->job, err)) < 0)
		return r;
	export_set_running(x->job);
	if (!x->options->dry_run &&
	    ((r = export_begin_session(x, err)) < 0 ||
		(r = catalog_writer_new(x->session, x->keys, x->base, x->dedup, &writer, err)) < 0))
		return r;
	r = export_spawn(x, err);
	if (r == 0)
		r = record_all(x, writer, err);
	else
		job_fail(x->job, err);
	if (r == 0)
		r = export_check_device(x, &before, err);
	if (r < 0) {
		export_stop_walk(x);
	} else if (x->options->dry_run) {
		r = export_manifest_describe(x, m, err);
		export_manifest_statistics(x, m);
	} else {
		r = export_commit(x, writer, m, err);
	}
	catalog_writer_free(writer);
	/* What a thread met first says more than what it led to here. */
	if (r < 0 && job_failed(x->job))
		r = job_error(x->job, err);
	return r;
}

/* *used_base: what the repository says is in it; nothing else of the repository is read by an export. */
static int
export_once(struct export *x, struct manifest *out, bool *used_base, struct error *err)
{
	const struct export_options *o = x->options;
	int r;

	memset(out, 0, sizeof *out);
	(void)pthread_mutex_init(&x->walker_lock, NULL);
	r = o->mode == MODE_BLOCK ? device_open_source(o->source, &x->device, err) : 0;
	if (r == 0)
		r = export_body(x, out, err);
	*used_base = x->base != NULL;
	export_close(x);
	if (r < 0)
		manifest_wipe(out);
	return r;
}

int
export_run(struct repo *repo, const struct export_options *o, struct report *report, struct progress *progress,
    struct manifest *out, struct error *err)
{
	const struct export fresh = {.options = o, .report = report, .progress = progress, .repo = repo};
	struct export x = fresh;
	bool used_base;
	int r = export_once(&x, out, &used_base, err);

	if (r != ERR_CORRUPT || !used_base)
		return r;
	/* Damage in the base must not be the end of all exports of this volume.  What this attempt has stored is
	 * adopted by the next one. */
	report_warn(
	    report, NULL, 0, "the previous snapshot is damaged, everything is read and stored anew: %s", err->msg);
	atomic_store(&progress->bytes, 0);
	atomic_store(&progress->entries, 0);
	x = fresh;
	x.without_base = true;
	return export_once(&x, out, &used_base, err);
}
