/*
 * The import as a whole: open snapshot and target, start the stages, wait, finish.
 */
#include "import.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cleanup.h"
#include "device.h"
#include "error.h"
#include "import_internal.h"

/* Windows of the planner, filled or on their way: each takes up to 6 MiB, and gives at least one range to fetch. */
#define WINDOWS 8

static pthread_mutex_t running_lock = PTHREAD_MUTEX_INITIALIZER;
static struct import *running; /* for import_cancel() */

void
import_cancel(void)
{
	struct error err;

	(void)error_set(&err, ERR_CANCELLED, "interrupted");
	(void)pthread_mutex_lock(&running_lock);
	if (running != NULL)
		import_fail(running, &err);
	(void)pthread_mutex_unlock(&running_lock);
}

static void
import_set_running(struct import *x)
{
	(void)pthread_mutex_lock(&running_lock);
	running = x;
	(void)pthread_mutex_unlock(&running_lock);
}

void
import_fail(struct import *x, const struct error *err)
{
	job_fail(x->job, err);
	if (x->target != NULL)
		target_cancel(x->target);
}

void
import_damaged(struct import *x, const char *path, size_t path_len, const struct error *why)
{
	(void)atomic_fetch_add(&x->damaged, 1);
	report_warn(x->report, path, path_len, "cannot be restored: %s", why->msg);
}

static void
import_warn(void *arg, const char *path, size_t path_len, const char *what)
{
	report_warn(((struct import *)arg)->report, path, path_len, "%s", what);
}

/* A dry run refuses the same targets, and leaves them as they are. */
static int
import_open_target(struct import *x, struct error *err)
{
	const struct import_options *o = x->options;
	struct target_options t = {.overwrite = o->overwrite};

	if (x->snapshot->manifest.mode == MODE_BLOCK) {
		/* To open an image that is not there would make it. */
		if (o->dry_run && access(o->target, F_OK) < 0 && errno == ENOENT)
			return 0;
		return device_open_target(o->target, x->snapshot->manifest.size, o->overwrite, &x->device, err);
	}
	memcpy(t.id, x->snapshot->manifest.snapshot, sizeof x->snapshot->manifest.snapshot);
	if (o->dry_run)
		return target_check(o->target, &t, err);
	return target_open(o->target, &t, import_warn, x, &x->target, err);
}

static void
range_buffer_free(void *item)
{
	struct range_buffer *b = item;

	if (b->bytes != NULL)
		(void)munmap(b->bytes, RANGE_BUFFER_LEN);
	free(b);
}

void
range_buffer_give_back(struct import *x, struct range_buffer *b)
{
	if (!queue_push(x->spare, b))
		range_buffer_free(b);
}

static int
import_add_buffer(struct import *x, struct error *err)
{
	struct range_buffer *b = calloc(1, sizeof *b);

	if (b == NULL)
		return error_nomem(err);
	b->bytes =
	    mmap(NULL, RANGE_BUFFER_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (b->bytes == MAP_FAILED) {
		b->bytes = NULL;
		range_buffer_free(b);
		return error_nomem(err);
	}
	if (queue_push(x->spare, b))
		return 0;
	range_buffer_free(b);
	return error_set(err, ERR_CANCELLED, "cancelled");
}

static int
import_add_window(struct import *x, struct error *err)
{
	struct window *w;
	int r = window_new(x->windows, &w, err);

	if (r < 0 || queue_push(x->windows, w))
		return r;
	window_free(w);
	return error_set(err, ERR_CANCELLED, "cancelled");
}

static void
window_dispose(void *item)
{
	window_free(item);
}

static int
import_start(struct import *x, struct error *err)
{
	const struct import_options *o = x->options;
	unsigned buffers = o->connections + o->threads + 2;
	int r;

	if ((r = job_new(&x->job, err)) < 0 || (r = queue_new(buffers, 1, &x->ranges, err)) < 0 ||
	    (r = queue_new(buffers, o->connections, &x->fetched, err)) < 0 ||
	    (r = queue_new(buffers, 1, &x->spare, err)) < 0 || (r = queue_new(WINDOWS, 1, &x->windows, err)) < 0 ||
	    (r = job_attach(x->job, x->windows, err)) < 0 || (r = job_attach(x->job, x->ranges, err)) < 0 ||
	    (r = job_attach(x->job, x->fetched, err)) < 0 || (r = job_attach(x->job, x->spare, err)) < 0)
		return r;
	import_set_running(x);
	for (unsigned i = 0; r == 0 && i < buffers; i++)
		r = import_add_buffer(x, err);
	for (unsigned i = 0; r == 0 && i < WINDOWS; i++)
		r = import_add_window(x, err);
	for (unsigned i = 0; r == 0 && i < o->connections; i++)
		r = job_spawn(x->job, "fetch", fetch_thread, x, err);
	for (unsigned i = 0; r == 0 && i < o->threads; i++)
		r = job_spawn(x->job, "restore", restore_thread, x, err);
	return r;
}

static void
range_dispose(void *item)
{
	struct range *r = item;
	struct error ignored;

	for (size_t i = 0; i < r->count; i++)
		(void)want_settle(&r->wants[i], true, &ignored);
	if (r->buffer != NULL)
		range_buffer_free(r->buffer);
	range_free(r);
}

/* Threads end first; then what was left in queues is disposed of, buffers last. */
static void
import_close(struct import *x)
{
	import_set_running(NULL);
	job_free(x->job);
	queue_free(x->ranges, range_dispose);
	queue_free(x->fetched, range_dispose);
	queue_free(x->spare, range_buffer_free);
	queue_free(x->windows, window_dispose);
	target_free(x->target);
	device_free(x->device);
	snapshot_free(x->snapshot);
}

static void
import_count(struct import *x, struct import_result *out)
{
	struct target_counters c = {0};

	if (x->target != NULL)
		target_counters(x->target, &c);
	out->files = c.files;
	out->folders = c.folders;
	out->symlinks = c.symlinks;
	out->specials = c.specials;
	out->links = c.links;
	out->skipped = c.skipped;
	out->bytes = atomic_load(&x->bytes);
	out->left_out = x->left_out;
	out->damaged = atomic_load(&x->damaged);
	out->resumed = x->target != NULL && target_resuming(x->target);
}

static int
import_body(struct import *x, struct error *err)
{
	bool block = x->snapshot->manifest.mode == MODE_BLOCK;
	int r, e;

	if ((r = import_open_target(x, err)) < 0 || (r = import_start(x, err)) < 0)
		return r;
	atomic_store(&x->progress->total_entries, x->snapshot->root.entries);
	atomic_store(&x->progress->total_bytes, x->snapshot->root.bytes);
	r = !block ? plan_files(x, err) : x->options->dry_run ? 0 : plan_device(x, err);
	if (block && x->options->dry_run)
		queue_close(x->ranges);
	/* Threads first, whatever the planner said: the first failure of all is the one to report. */
	e = job_wait(x->job, err);
	if (r < 0 || e < 0)
		return e < 0 ? e : r;
	if (x->options->dry_run)
		return 0;
	r = block ? device_finish(x->device, err) : finish_folders(x, err);
	if (r == 0 && atomic_load(&x->damaged) > 0)
		r = error_set(err, ERR_CORRUPT, "%llu file%s could not be restored: the repository is damaged",
		    (unsigned long long)atomic_load(&x->damaged), atomic_load(&x->damaged) == 1 ? "" : "s");
	return r;
}

int
import_run(const struct volume *volume, struct manifest *manifest, const struct import_options *o,
    struct report *report, struct progress *progress, struct import_result *out, struct error *err)
{
	struct import x = {.options = o, .report = report, .progress = progress, .volume = volume};
	int r = snapshot_open(volume, manifest, &x.snapshot, err);

	memset(out, 0, sizeof *out);
	if (r == 0)
		r = import_body(&x, err);
	import_count(&x, out);
	import_close(&x);
	return r;
}
