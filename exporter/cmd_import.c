/*
 * snapferry import
 */
#include <json-c/json.h>
#include <stdio.h>

#include "command.h"
#include "error.h"
#include "import.h"
#include "view.h"

enum { REMOTE_CONNECTIONS = 16 };

static void
import_tell_json(struct command_context *c, const char *snapshot, const struct import_result *n, uint64_t ms)
{
	struct json_object *j = json_object_new_object();

	view_add_text(j, "snapshot", snapshot);
	view_add_text(j, "target", c->options->args[0]);
	(void)json_object_object_add(j, "dry_run", json_object_new_boolean(c->options->dry_run));
	(void)json_object_object_add(j, "resumed", json_object_new_boolean(n->resumed));
	view_add_count(j, "files", n->files);
	view_add_count(j, "folders", n->folders);
	view_add_count(j, "symlinks", n->symlinks);
	view_add_count(j, "specials", n->specials);
	view_add_count(j, "links", n->links);
	view_add_count(j, "bytes", n->bytes);
	view_add_count(j, "skipped", n->skipped);
	view_add_count(j, "left_out", n->left_out);
	view_add_count(j, "damaged", n->damaged);
	view_add_count(j, "warnings", report_warnings(c->report));
	view_add_seconds(j, "seconds", ms);
	report_json(c->report, "summary", j);
}

static void
import_tell(struct command_context *c, const char *snapshot, const struct import_result *n, uint64_t ms)
{
	char files[REPORT_TEXT], folders[REPORT_TEXT], others[REPORT_TEXT], bytes[REPORT_TEXT], time[REPORT_TEXT],
	    rate[REPORT_TEXT], skipped[REPORT_TEXT], left_out[REPORT_TEXT];

	import_tell_json(c, snapshot, n, ms);
	if (c->options->quiet)
		return;
	if (c->options->dry_run) {
		report_line(c->report, "Nothing was written: snapshot %s can be imported.", snapshot);
		return;
	}
	report_line(c->report, "Snapshot %s is restored in %s.", snapshot, c->options->args[0]);
	report_line(c->report, "  %s in %s, %s, %s; in %s (%s)", report_bytes(n->bytes, bytes),
	    report_number(n->files, "file", "files", files), report_number(n->folders, "folder", "folders", folders),
	    report_number(n->symlinks + n->specials + n->links, "other", "others", others), report_duration(ms, time),
	    report_rate(n->bytes, ms, rate));
	if (n->resumed)
		report_line(c->report, "  an interrupted import was continued: %s there already",
		    report_number(n->skipped, "file was", "files were", skipped));
	if (n->left_out > 0)
		report_line(c->report, "  %s left out, as asked for",
		    report_number(n->left_out, "device node was", "device nodes were", left_out));
}

static int
import_prepare(struct command_context *c, struct manifest *m, struct error *err)
{
	const struct options *o = c->options;
	int r = command_volume(c, err);

	if (r < 0 || (r = snapshot_resolve(c->volume, o->snapshot, m, err)) < 0)
		return r;
	if ((m->mode == MODE_BLOCK) != o->block) {
		r = error_set(err, ERR_USAGE, "snapshot %s is of a %s: import it %s --block", m->snapshot,
		    m->mode == MODE_BLOCK ? "device" : "folder", m->mode == MODE_BLOCK ? "with" : "without");
		manifest_wipe(m);
	}
	return r;
}

int
cmd_import(const struct options *o)
{
	struct command_context c;
	struct command_resources res;
	struct import_options x;
	struct import_result result;
	struct manifest m;
	char snapshot[SNAPSHOT_ID_LEN + 1];
	struct error err;
	int r = command_begin(&c, o, "import", &err);

	if (r == 0 && (r = command_resources(o, REMOTE_CONNECTIONS, &res, &err)) == 0 &&
	    (r = command_on_signal(import_cancel, &err)) == 0 && (r = import_prepare(&c, &m, &err)) == 0) {
		x = (struct import_options){.target = o->args[0],
		    .overwrite = o->overwrite,
		    .no_devices = o->no_devices,
		    .dry_run = o->dry_run,
		    .threads = res.threads,
		    .connections = res.connections,
		    .selection = {o->includes.items, o->includes.count, o->excludes.items, o->excludes.count}};
		(void)snprintf(snapshot, sizeof snapshot, "%s", m.snapshot);
		r = report_progress_start(c.report, &c.progress, &err);
		if (r == 0)
			r = import_run(c.volume, &m, &x, c.report, &c.progress, &result, &err);
		else
			manifest_wipe(&m);
		report_progress_stop(c.report);
		if (r == 0)
			import_tell(&c, snapshot, &result, command_elapsed_ms(&c));
	}
	return command_end(&c, r, &err);
}
