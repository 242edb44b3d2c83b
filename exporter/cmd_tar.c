/*
 * snapferry tar: a snapshot as an archive on standard output.
 */
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "error.h"
#include "frames.h"
#include "select.h"
#include "tar.h"

struct tar_command {
	struct command_context *c;
	struct snapshot *snapshot;
	struct frames *frames;
	struct catalog_reader *reader;
	struct tar *tar;
	struct selector selector;
	const char *path; /* only this and what is below */
	size_t len;
};

/* The selector sees the folders above PATH, as a pass over the whole catalog would show them. */
static int
select_above(struct tar_command *t, struct error *err)
{
	int r = t->len == 0 ? 0 : selector_match(&t->selector, "", 0, true, err);

	for (size_t i = 1; r >= 0 && i < t->len; i++)
		if (t->path[i] == '/')
			r = selector_match(&t->selector, t->path, i, true, err);
	return r < 0 ? r : 0;
}

static int
add_all(struct tar_command *t, struct error *err)
{
	struct progress *p = &t->c->progress;
	struct entry e;
	bool found = false;
	int r = select_above(t, err);

	if (r == 0)
		r = catalog_reader_seek(t->reader, t->path, t->len, err);
	while (r >= 0 && (r = catalog_reader_next(t->reader, &e, err)) > 0 &&
	       entry_path_is_within(t->path, t->len, e.path, e.path_len)) {
		found = true;
		r = selector_match(&t->selector, e.path, e.path_len, e.type == ENTRY_FOLDER, err);
		if (r > 0)
			r = tar_add(t->tar, &e, err);
		(void)atomic_fetch_add_explicit(&p->entries, 1, memory_order_relaxed);
	}
	if (r < 0)
		return r;
	if (!found)
		return error_set(
		    err, ERR_NOT_FOUND, "%s is not in snapshot %s", t->path, t->snapshot->manifest.snapshot);
	return tar_finish(t->tar, err);
}

static int
tar_run(struct tar_command *t, struct error *err)
{
	const struct options *o = t->c->options;
	const struct selection selection = {.includes = o->includes.items,
	    .nincludes = o->includes.count,
	    .excludes = o->excludes.items,
	    .nexcludes = o->excludes.count};
	int r;

	if (o->json)
		return error_set(err, ERR_USAGE, "--json would write into the archive on standard output");
	if (isatty(STDOUT_FILENO) == 1)
		return error_set(err, ERR_USAGE, "will not write an archive to a terminal: use a pipe or > FILE");
	if ((r = command_volume(t->c, err)) < 0 || (r = command_snapshot(t->c, o->snapshot, &t->snapshot, err)) < 0)
		return r;
	if (t->snapshot->manifest.mode == MODE_BLOCK)
		return error_set(err, ERR_USAGE,
		    "the snapshot is one of a device, not of files: snapferry import --block restores it");
	selector_init(&t->selector, &selection);
	if (t->len == 0 && selection.nincludes == 0) {
		atomic_store(&t->c->progress.total_entries, t->snapshot->manifest.statistics.entries);
		atomic_store(&t->c->progress.total_bytes, t->snapshot->manifest.statistics.bytes);
	}
	if ((r = frames_new(t->c->volume, t->snapshot->keyring, &t->frames, err)) == 0 &&
	    (r = catalog_reader_new(t->snapshot, 2, &t->reader, err)) == 0 &&
	    (r = report_progress_start(t->c->report, &t->c->progress, err)) == 0 &&
	    (r = tar_new(STDOUT_FILENO, t->frames, t->c->report, &t->c->progress, &t->tar, err)) == 0)
		r = add_all(t, err);
	selector_wipe(&t->selector);
	return r;
}

int
cmd_tar(const struct options *o)
{
	struct command_context c;
	struct tar_command t = {.c = &c, .path = ""};
	struct error err;
	bool closed;
	int r = command_begin(&c, o, "tar", &err);

	if (o->nargs > 0)
		t.path = command_path(o->args[0], &t.len);
	if (r == 0)
		r = tar_run(&t, &err);
	closed = t.tar != NULL && tar_pipe_closed(t.tar);
	tar_free(t.tar);
	catalog_reader_free(t.reader);
	frames_free(t.frames);
	snapshot_free(t.snapshot);
	/* Whoever closes the pipe knows why: no words about it. */
	if (r < 0 && closed) {
		(void)command_end(&c, 0, &err);
		return 1;
	}
	return command_end(&c, r, &err);
}
