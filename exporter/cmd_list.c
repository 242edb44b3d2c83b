/*
 * snapferry list: volumes and their snapshots.
 *
 * Everything is small and may be far away: first the volumes are opened and listed, many at a time, then all manifests
 * are loaded, many at a time.  They are told in order all the same.
 */
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "command.h"
#include "error.h"
#include "parallel.h"
#include "view.h"

/* A volume, the ids of its snapshots, or why there are none. */
struct listed {
	struct volume *volume;
	char (*ids)[SNAPSHOT_ID_LEN + 1];
	size_t count;
	int code;
	struct error err;
};

/* What is on its way through the listing. */
struct listing {
	struct command_context *c;
	uint64_t snapshots;
	char **names; /* of volumes */
	size_t count, capacity;
	struct listed *volumes; /* of these names */
	size_t told; /* of these volumes what is wrong has been told */
	struct snapshot_name *all;
	size_t nall;
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

/* ---- volumes ---- */

static void *
make_listed(void *arg, size_t i)
{
	const struct listing *l = arg;
	struct listed *v = calloc(1, sizeof *v);

	if (v == NULL)
		return NULL;
	v->code = volume_open(l->c->repo, l->names[i], false, 0, &v->volume, &v->err);
	if (v->code == 0)
		v->code = snapshot_ids(v->volume, &v->ids, &v->count, &v->err);
	return v;
}

static void
listed_free(void *result)
{
	struct listed *v = result;

	free(v->ids);
	volume_free(v->volume);
	free(v);
}

/* One that is damaged does not hide the others, unless it is the one that was asked for. */
static int
take_listed(void *arg, size_t i, void *result, struct error *err)
{
	struct listing *l = arg;
	struct listed *v = result;

	if (v->code < 0 && (l->c->options->volume != NULL || (v->code != ERR_CORRUPT && v->code != ERR_WRONG_KEY))) {
		int r = v->code;

		*err = v->err;
		listed_free(v);
		return r;
	}
	l->volumes[i] = *v;
	l->nall += v->count;
	free(v);
	return 0;
}

static int
open_volumes(struct listing *l, struct error *err)
{
	const struct parallel p = {.count = l->count,
	    .threads = SNAPSHOT_CONNECTIONS,
	    .make = make_listed,
	    .take = take_listed,
	    .dispose = listed_free,
	    .arg = l};

	l->volumes = calloc(l->count + 1, sizeof *l->volumes);
	return l->volumes == NULL ? error_nomem(err) : parallel_run(&p, err);
}

/* ---- snapshots ---- */

/* In their place among the others: the volumes before the end that are damaged. */
static void
tell_damaged(struct listing *l, size_t end)
{
	for (; l->told < end; l->told++)
		if (l->volumes[l->told].code < 0)
			report_warn(
			    l->c->report, NULL, 0, "volume %s: %s", l->names[l->told], l->volumes[l->told].err.msg);
}

static size_t
volume_of(const struct listing *l, const struct volume *v)
{
	size_t i = l->told;

	while (l->volumes[i].volume != v)
		i++;
	return i;
}

/* A damaged manifest is reported, and the others are listed; one that was removed meanwhile is not there. */
static int
list_one(void *arg, size_t i, int code, struct manifest *m, struct error *err)
{
	struct listing *l = arg;

	tell_damaged(l, volume_of(l, l->all[i].volume));
	if (code == ERR_CORRUPT || code == ERR_WRONG_KEY)
		report_warn(l->c->report, NULL, 0, "snapshot %s: %s", l->all[i].id, err->msg);
	else if (code == 0)
		list_snapshot(l, m);
	else if (code != ERR_NOT_FOUND)
		return code;
	return 0;
}

static int
list_all(struct listing *l, struct error *err)
{
	size_t n = 0;
	int r = open_volumes(l, err);

	if (r < 0)
		return r;
	l->all = calloc(l->nall + 1, sizeof *l->all);
	if (l->all == NULL)
		return error_nomem(err);
	for (size_t i = 0; i < l->count; i++)
		for (size_t k = 0; k < l->volumes[i].count; k++)
			l->all[n++] = (struct snapshot_name){l->volumes[i].volume, l->volumes[i].ids[k]};
	r = snapshot_each(l->all, n, SNAPSHOT_CONNECTIONS, list_one, l, err);
	if (r == 0)
		tell_damaged(l, l->count);
	return r;
}

static int
note_volume(void *arg, const char *name, struct error *err)
{
	struct listing *l = arg;
	int r = array_reserve(&l->names, &l->capacity, l->count + 1, sizeof l->names[0], err);

	if (r < 0)
		return r;
	l->names[l->count] = strdup(name);
	if (l->names[l->count] == NULL)
		return error_nomem(err);
	l->count++;
	return 0;
}

static void
listing_wipe(struct listing *l)
{
	for (size_t i = 0; i < l->count; i++) {
		free(l->names[i]);
		if (l->volumes != NULL) {
			free(l->volumes[i].ids);
			volume_free(l->volumes[i].volume);
		}
	}
	free(l->names);
	free(l->volumes);
	free(l->all);
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
	struct listing l = {.c = &c};
	struct error err;
	int r = command_begin(&c, o, "list", &err);

	if (r == 0 && o->volume != NULL)
		r = note_volume(&l, o->volume, &err);
	else if (r == 0)
		r = volume_list(c.repo, note_volume, list_bad, &l, &err);
	if (r == 0)
		r = list_all(&l, &err);
	if (r == 0)
		list_tell(&l);
	listing_wipe(&l);
	return command_end(&c, r, &err);
}
