/*
 * snapferry export
 */
#include <json-c/json.h>

#include "command.h"
#include "error.h"
#include "export.h"
#include "view.h"

enum { REMOTE_CONNECTIONS = 6 };

static void
export_tell(struct command_context *c, const struct manifest *m, bool dry_run)
{
	const struct manifest_statistics *s = &m->statistics;
	char entries[REPORT_TEXT], bytes[REPORT_TEXT], unchanged[REPORT_TEXT], changed[REPORT_TEXT], added[REPORT_TEXT],
	    deleted[REPORT_TEXT], fresh[REPORT_TEXT], stored[REPORT_TEXT], time[REPORT_TEXT], rate[REPORT_TEXT];
	struct json_object *j = view_manifest(m);

	(void)json_object_object_add(j, "dry_run", json_object_new_boolean(dry_run));
	report_json(c->report, "summary", j);
	if (c->options->quiet)
		return;
	if (dry_run)
		report_line(c->report, "Nothing was written: this is what an export would look at.");
	else
		report_line(c->report, "Snapshot %s of volume %s is stored.", m->snapshot, m->name);
	report_line(c->report, "  %s in %s (%s unchanged, %s changed, %s new, %s deleted)",
	    report_bytes(s->bytes, bytes), report_number(s->entries, "entry", "entries", entries),
	    report_count(s->unchanged, unchanged), report_count(s->changed, changed), report_count(s->added, added),
	    report_count(s->deleted, deleted));
	if (!dry_run)
		report_line(c->report, "  %s new data, %s stored after deduplication, compression and encryption",
		    report_bytes(s->new_bytes, fresh), report_bytes(s->stored_bytes, stored));
	report_line(c->report, "  in %s (%s)", report_duration(s->milliseconds, time),
	    report_rate(s->bytes, s->milliseconds, rate));
	if (s->warnings > 0)
		report_line(c->report, "  with %s: not everything could be read as it should",
		    report_number(s->warnings, "warning", "warnings", fresh));
}

static void
export_set_options(const struct options *o, const struct command_resources *res, struct export_options *x)
{
	*x = (struct export_options){
	    .source = o->args[0],
	    .volume_name = o->volume,
	    .mode = o->block ? MODE_BLOCK : MODE_FILE,
	    .tags = o->tags,
	    .ntags = o->ntags,
	    .excludes = o->excludes.items,
	    .nexcludes = o->excludes.count,
	    .cross_file_systems = o->cross_file_systems,
	    .ignore_inode = o->ignore_inode,
	    .full = o->full,
	    .dry_run = o->dry_run,
	    .level = o->compression,
	    .threads = res->threads,
	    .uploads = res->connections,
	    .pack_size = res->pack_size,
	    .meta_pack_size = res->meta_pack_size,
	    .dedup_bytes = res->dedup_bytes,
	};
}

int
cmd_export(const struct options *o)
{
	struct command_context c;
	struct command_resources res;
	struct export_options x;
	struct manifest m;
	struct error err;
	int r = command_begin(&c, o, "export", &err);

	if (r == 0 && (r = command_resources(o, REMOTE_CONNECTIONS, &res, &err)) == 0 &&
	    (r = command_on_signal(export_cancel, &err)) == 0 &&
	    (r = report_progress_start(c.report, &c.progress, &err)) == 0) {
		export_set_options(o, &res, &x);
		r = export_run(c.repo, &x, c.report, &c.progress, &m, &err);
		report_progress_stop(c.report);
		if (r == 0) {
			export_tell(&c, &m, o->dry_run);
			manifest_wipe(&m);
		}
	}
	return command_end(&c, r, &err);
}
