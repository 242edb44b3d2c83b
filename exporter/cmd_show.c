/*
 * snapferry show: one manifest.
 */
#include <json-c/json.h>
#include <string.h>

#include "command.h"
#include "error.h"
#include "view.h"

/* Texts from elsewhere must not move the cursor of a terminal. */
#define SHOW_TEXT 4200

static const char *
show_quoted(const char *text, char out[SHOW_TEXT])
{
	return error_quote(out, SHOW_TEXT, text, strlen(text));
}

static void
show_text(struct command_context *c, const struct manifest *m)
{
	const struct manifest_statistics *s = &m->statistics;
	char one[SHOW_TEXT], other[SHOW_TEXT];
	char time[VIEW_TIME], a[REPORT_TEXT], b[REPORT_TEXT], d[REPORT_TEXT], e[REPORT_TEXT];

	report_line(c->report, "snapshot    %s", m->snapshot);
	report_line(c->report, "volume      %s", m->name);
	report_line(c->report, "sequence    %llu", (unsigned long long)m->sequence);
	report_line(c->report, "parent      %s", m->parent[0] == '\0' ? "none" : m->parent);
	report_line(c->report, "started     %s", view_time(&m->started, time));
	report_line(c->report, "finished    %s", view_time(&m->finished, time));
	report_line(c->report, "source      %s on %s (%s)", show_quoted(m->source, one), show_quoted(m->host, other),
	    m->mode == MODE_BLOCK ? "device" : "folder");
	report_line(c->report, "size        %s in %s", report_bytes(s->bytes, a),
	    report_number(s->entries, "entry", "entries", b));
	report_line(c->report, "entries     %s unchanged, %s changed, %s new, %s deleted",
	    report_count(s->unchanged, a), report_count(s->changed, b), report_count(s->added, d),
	    report_count(s->deleted, e));
	report_line(
	    c->report, "new data    %s, stored as %s", report_bytes(s->new_bytes, a), report_bytes(s->stored_bytes, b));
	report_line(c->report, "took        %s", report_duration(s->milliseconds, a));
	report_line(c->report, "warnings    %s", report_count(s->warnings, a));
	report_line(c->report, "written by  %s", show_quoted(m->tool, one));
	for (size_t i = 0; i < m->ntags; i++)
		report_line(c->report, "tag         %s=%s", show_quoted(m->tags[i].key, one),
		    show_quoted(m->tags[i].value, other));
	for (size_t i = 0; i < m->nexcludes; i++)
		report_line(c->report, "excluded    %s", show_quoted(m->excludes[i], one));
}

int
cmd_show(const struct options *o)
{
	struct command_context c;
	struct manifest m;
	struct error err;
	int r = command_begin(&c, o, "show", &err);

	if (r == 0 && (r = command_volume(&c, &err)) == 0 &&
	    (r = snapshot_resolve(c.volume, o->snapshot, &m, &err)) == 0) {
		show_text(&c, &m);
		report_json(c.report, "summary", view_manifest(&m));
		manifest_wipe(&m);
	}
	return command_end(&c, r, &err);
}
