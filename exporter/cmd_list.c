/*
 * snapferry list: volumes and their snapshots.
 */
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "command.h"
#include "error.h"
#include "view.h"

/* What is on its way through the listing. */
struct listing {
	struct command_context *c;
	uint64_t snapshots;
};

static void
list_header(struct command_context *c)
{
	report_line(c->report, "%-36s  %-19s  %10s  %12s  %10s  %s", "SNAPSHOT", "STARTED", "SIZE", "ENTRIES", "STORED",
	    "VOLUME");
}

static void
list_details(struct command_context *c, const struct manifest *m)
{
	char source[700], other[700];

	report_line(c->report, "    %s on %s, %s", error_quote(source, sizeof source, m->source, strlen(m->source)),
	    error_quote(other, sizeof other, m->host, strlen(m->host)), m->mode == MODE_BLOCK ? "device" : "folder");
	for (size_t i = 0; i < m->ntags; i++)
		report_line(c->report, "    %s=%s",
		    error_quote(source, sizeof source, m->tags[i].key, strlen(m->tags[i].key)),
		    error_quote(other, sizeof other, m->tags[i].value, strlen(m->tags[i].value)));
}

static void
list_snapshot(struct listing *l, const struct manifest *m)
{
	struct command_context *c = l->c;
	char time[VIEW_TIME], size[REPORT_TEXT], entries[REPORT_TEXT], stored[REPORT_TEXT];

	if (l->snapshots++ == 0)
		list_header(c);
	report_json(c->report, "snapshot", view_manifest(m));
	report_line(c->report, "%-36s  %-19s  %10s  %12s  %10s  %s", m->snapshot, view_time(&m->started, time),
	    report_bytes(m->statistics.bytes, size), report_count(m->statistics.entries, entries),
	    report_bytes(m->statistics.stored_bytes, stored), m->name);
	if (c->options->long_listing)
		list_details(c, m);
}

/* A damaged manifest is reported, and the others are listed. */
static int
list_volume(struct listing *l, const struct volume *v, struct error *err)
{
	CLEANUP_FREE char(*ids)[SNAPSHOT_ID_LEN + 1] = NULL;
	size_t count = 0;
	int r = snapshot_ids(v, &ids, &count, err);

	for (size_t i = 0; r == 0 && i < count; i++) {
		struct manifest m;

		r = snapshot_load(v, ids[i], &m, err);
		if (r == ERR_CORRUPT || r == ERR_WRONG_KEY) {
			report_warn(l->c->report, NULL, 0, "snapshot %s: %s", ids[i], err->msg);
			r = 0;
		} else if (r == 0) {
			list_snapshot(l, &m);
			manifest_wipe(&m);
		}
	}
	return r;
}

static int
list_named(void *arg, const char *name, struct error *err)
{
	struct listing *l = arg;
	struct volume *v;
	int r = volume_open(l->c->repo, name, false, 0, &v, err);

	if (r < 0)
		return r;
	r = list_volume(l, v, err);
	volume_free(v);
	return r;
}

/* One of all volumes: one that is damaged does not hide the others. */
static int
list_one_of_all(void *arg, const char *name, struct error *err)
{
	int r = list_named(arg, name, err);

	if (r != ERR_CORRUPT && r != ERR_WRONG_KEY)
		return r;
	report_warn(((struct listing *)arg)->c->report, NULL, 0, "volume %s: %s", name, err->msg);
	return 0;
}

static void
list_bad(void *arg, const char *key, const struct error *why)
{
	report_warn(((struct listing *)arg)->c->report, NULL, 0, "%s: %s", key, why->msg);
}

static void
list_tell(struct listing *l)
{
	struct json_object *j = json_object_new_object();

	view_add_count(j, "snapshots", l->snapshots);
	report_json(l->c->report, "summary", j);
	if (l->snapshots == 0 && !l->c->options->quiet)
		report_line(l->c->report, "No snapshots yet: snapferry export makes one.");
}

int
cmd_list(const struct options *o)
{
	struct command_context c;
	struct listing l = {&c, 0};
	struct error err;
	int r = command_begin(&c, o, "list", &err);

	if (r == 0 && o->volume != NULL)
		r = list_named(&l, o->volume, &err);
	else if (r == 0)
		r = volume_list(c.repo, list_one_of_all, list_bad, &l, &err);
	if (r == 0)
		list_tell(&l);
	return command_end(&c, r, &err);
}
