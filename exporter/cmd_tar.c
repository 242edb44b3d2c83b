/*
 * snapferry tar: a snapshot as an archive on standard output.
 */
#include <unistd.h>

#include "ahead.h"
#include "command.h"
#include "error.h"
#include "frames.h"
#include "select.h"
#include "tar.h"

enum { REMOTE_CONNECTIONS = 8 };

struct tar_command {
	struct command_context *c;
	struct snapshot *snapshot;
	struct selection selection;
	struct frames *frames;
	struct tar_members *members;
	struct ahead *ahead;
	struct tar *tar;
	const char *path; /* only this and what is below */
	size_t len;
};

static int
add_all(struct tar_command *t, struct error *err)
{
	const struct tar_member *member;
	int r;

	while ((r = tar_members_next(t->members, &member, err)) > 0)
		if ((r = tar_add(t->tar, member, err)) < 0)
			return r;
	return r < 0 ? r : tar_finish(t->tar, err);
}

static int
tar_check(const struct options *o, struct error *err)
{
	if (o->json)
		return error_set(err, ERR_USAGE, "--json would write into the archive on standard output");
	if (isatty(STDOUT_FILENO) == 1)
		return error_set(err, ERR_USAGE, "will not write an archive to a terminal: use a pipe or > FILE");
	return 0;
}

static int
tar_open(struct tar_command *t, struct error *err)
{
	const struct options *o = t->c->options;
	int r;

	if ((r = command_volume(t->c, err)) < 0 || (r = command_snapshot(t->c, o->snapshot, &t->snapshot, err)) < 0)
		return r;
	if (t->snapshot->manifest.mode == MODE_BLOCK)
		return error_set(err, ERR_USAGE,
		    "the snapshot is one of a device, not of files: snapferry import --block restores it");
	t->selection = (struct selection){o->includes.items, o->includes.count, o->excludes.items, o->excludes.count};
	if (t->len == 0 && t->selection.nincludes == 0) {
		atomic_store(&t->c->progress.total_entries, t->snapshot->manifest.statistics.entries);
		atomic_store(&t->c->progress.total_bytes, t->snapshot->manifest.statistics.bytes);
	}
	return 0;
}

static int
tar_run(struct tar_command *t, struct error *err)
{
	struct command_context *c = t->c;
	struct command_resources resources;
	int r;

	if ((r = tar_check(c->options, err)) < 0 ||
	    (r = command_resources(c->options, REMOTE_CONNECTIONS, &resources, err)) < 0 ||
	    (r = tar_open(t, err)) < 0 || (r = frames_new(c->volume, t->snapshot->keyring, &t->frames, err)) < 0 ||
	    (r = tar_members_new(t->snapshot, t->path, t->len, &t->selection, frames_loader(t->frames), c->report,
		 &c->progress, &t->members, err)) < 0 ||
	    (r = ahead_new(
		 frames_loader(t->frames), resources.connections, tar_members_frame, t->members, &t->ahead, err)) < 0)
		return r;
	frames_set_ahead(t->frames, t->ahead);
	if ((r = report_progress_start(c->report, &c->progress, err)) < 0 ||
	    (r = tar_new(STDOUT_FILENO, t->frames, c->report, &c->progress, &t->tar, err)) < 0)
		return r;
	return add_all(t, err);
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
	/* What was being fetched ahead is not waited for. */
	if (r < 0 && c.repo != NULL)
		store_end(repo_store(c.repo));
	ahead_free(t.ahead);
	tar_members_free(t.members);
	frames_free(t.frames);
	snapshot_free(t.snapshot);
	/* Whoever closes the pipe knows why: no words about it. */
	if (r < 0 && closed) {
		(void)command_end(&c, 0, &err);
		return 1;
	}
	return command_end(&c, r, &err);
}
