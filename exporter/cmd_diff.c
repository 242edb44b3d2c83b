/*
 * snapferry diff: what differs between snapshots, or between a snapshot and a folder or device.
 */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "command.h"
#include "diff.h"
#include "error.h"
#include "view.h"

struct diff_command {
	struct command_context *c;
	struct snapshot *a, *b;
	const char *place; /* on disk, or NULL */
	uint64_t added, removed, changed;
	/* The range of a device that may still grow. */
	uint64_t offset, length;
	char *text; /* a path for people */
	size_t text_cap;
};

static const struct {
	unsigned bit;
	const char *name;
} whats[] = {
    {DIFF_TYPE, "type"},
    {DIFF_CONTENT, "content"},
    {DIFF_SIZE, "size"},
    {DIFF_MODE, "mode"},
    {DIFF_OWNER, "owner"},
    {DIFF_MTIME, "mtime"},
    {DIFF_XATTRS, "xattrs"},
    {DIFF_LINK, "link"},
    {DIFF_DEVICE, "device"},
};

/* The whole path, however long. */
static int
path_text(struct diff_command *x, const struct diff_change *change, const char **out, struct error *err)
{
	size_t need = 4 * change->path_len + 8;

	if (x->text_cap < need) {
		char *grown = realloc(x->text, need);

		if (grown == NULL)
			return error_nomem(err);
		x->text = grown;
		x->text_cap = need;
	}
	*out = change->path_len == 0 ? "." : error_quote(x->text, x->text_cap, change->path, change->path_len);
	return 0;
}

static void
tell_json(struct diff_command *x, char kind, const char *path, unsigned what, uint64_t offset, uint64_t length)
{
	struct json_object *o = json_object_new_object(), *list = json_object_new_array();

	(void)json_object_object_add(o, "change",
	    json_object_new_string(kind == '+'   ? "added"
				   : kind == '-' ? "removed"
						 : "modified"));
	(void)json_object_object_add(o, "path", json_object_new_string(path));
	for (size_t i = 0; i < COUNT_OF(whats); i++)
		if (what & whats[i].bit)
			(void)json_object_array_add(list, json_object_new_string(whats[i].name));
	(void)json_object_object_add(o, "what", list);
	if (length > 0) {
		view_add_count(o, "offset", offset);
		view_add_count(o, "length", length);
	}
	report_json(x->c->report, "change", o);
}

static void
what_text(unsigned what, char *out, size_t size)
{
	size_t n = 0;

	out[0] = '\0';
	for (size_t i = 0; i < COUNT_OF(whats) && n < size; i++)
		if (what & whats[i].bit)
			n += (size_t)snprintf(out + n, size - n, "%s%s", n == 0 ? "" : ", ", whats[i].name);
}

/* The range is as long as it gets. */
static void
flush_range(struct diff_command *x)
{
	char bytes[REPORT_TEXT];

	if (x->length == 0)
		return;
	if (report_is_json(x->c->report))
		tell_json(x, 'M', ".", DIFF_CONTENT, x->offset, x->length);
	report_line(x->c->report, "M bytes %llu to %llu  (content, %s)", (unsigned long long)x->offset,
	    (unsigned long long)(x->offset + x->length - 1), report_bytes(x->length, bytes));
	x->changed++;
	x->length = 0;
}

static int
tell(void *arg, const struct diff_change *change, struct error *err)
{
	struct diff_command *x = arg;
	const char *path = "";
	char what[128];
	int r;

	if (change->length > 0) {
		if (x->length == 0 || x->offset + x->length != change->offset) {
			flush_range(x);
			x->offset = change->offset;
		}
		x->length += change->length;
		return 0;
	}
	if ((r = path_text(x, change, &path, err)) < 0)
		return r;
	++*(change->kind == '+' ? &x->added : change->kind == '-' ? &x->removed : &x->changed);
	if (report_is_json(x->c->report))
		tell_json(x, change->kind, path, change->what, 0, 0);
	what_text(change->what, what, sizeof what);
	if (change->kind == 'M')
		report_line(x->c->report, "M %s  (%s)", path, what);
	else
		report_line(x->c->report, "%c %s", change->kind, path);
	return 0;
}

static bool
is_place(const char *arg)
{
	return strchr(arg, '/') != NULL || strcmp(arg, ".") == 0 || strcmp(arg, "..") == 0;
}

/* The second side, when it is a snapshot: the one that was named, else the first one is the second and its parent the
 * first. */
static int
open_sides(struct diff_command *x, struct error *err)
{
	const struct options *o = x->c->options;
	int r;

	if (is_place(o->args[0]))
		return error_set(
		    err, ERR_USAGE, "the first argument is a snapshot: snapferry diff SNAPSHOT [SNAPSHOT|DIRECTORY]");
	if ((r = command_snapshot(x->c, o->args[0], &x->a, err)) < 0)
		return r;
	if (o->nargs > 1 && is_place(o->args[1])) {
		x->place = o->args[1];
		return 0;
	}
	if (o->nargs > 1)
		return command_snapshot(x->c, o->args[1], &x->b, err);
	x->b = STEAL(x->a);
	if (x->b->manifest.parent[0] == '\0')
		return error_set(
		    err, ERR_USAGE, "snapshot %s has no parent: name what to compare it with", x->b->manifest.snapshot);
	return command_snapshot(x->c, x->b->manifest.parent, &x->a, err);
}

static int
diff_run(struct diff_command *x, struct error *err)
{
	const struct diff d = {
	    .report = x->c->report, .progress = &x->c->progress, .quick = x->c->options->quick, .fn = tell, .arg = x};
	int r;

	if ((r = command_volume(x->c, err)) < 0 || (r = open_sides(x, err)) < 0)
		return r;
	if (x->b != NULL && x->a->manifest.mode != x->b->manifest.mode)
		return error_set(err, ERR_USAGE, "one of the snapshots is of files, the other one of a device");
	if (x->b == NULL) {
		atomic_store(&x->c->progress.total_entries, x->a->manifest.statistics.entries);
		if (!d.quick)
			atomic_store(&x->c->progress.total_bytes, x->a->manifest.statistics.bytes);
	}
	if ((r = report_progress_start(x->c->report, &x->c->progress, err)) < 0)
		return r;
	r = x->b != NULL                        ? diff_snapshots(&d, x->a, x->b, err)
	    : x->a->manifest.mode == MODE_BLOCK ? diff_device(&d, x->a, x->place, err)
						: diff_folder(&d, x->a, x->place, err);
	flush_range(x);
	report_progress_stop(x->c->report);
	return r;
}

static void
summary(const struct diff_command *x)
{
	struct json_object *o = json_object_new_object();

	view_add_count(o, "added", x->added);
	view_add_count(o, "removed", x->removed);
	view_add_count(o, "modified", x->changed);
	(void)json_object_object_add(o, "equal", json_object_new_boolean(x->added + x->removed + x->changed == 0));
	report_json(x->c->report, "summary", o);
}

int
cmd_diff(const struct options *o)
{
	struct command_context c;
	struct diff_command x = {.c = &c};
	char text[REPORT_TEXT];
	struct error err;
	int r = command_begin(&c, o, "diff", &err);

	if (r == 0 && (r = diff_run(&x, &err)) == 0) {
		summary(&x);
		if (x.place != NULL && x.added + x.removed + x.changed > 0)
			r = error_set(&err, ERR_DIFFERENT, "%s",
			    report_number(x.added + x.removed + x.changed, "difference", "differences", text));
	}
	snapshot_free(x.a);
	snapshot_free(x.b);
	free(x.text);
	return command_end(&c, r, &err);
}
