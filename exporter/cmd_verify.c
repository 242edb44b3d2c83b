/*
 * snapferry verify: can the snapshots be restored?
 */
#include <json-c/json.h>
#include <time.h>

#include "command.h"
#include "error.h"
#include "verify.h"
#include "view.h"

enum { REMOTE_CONNECTIONS = 8 };

struct verify_command {
	struct command_context *c;
	struct verify_options options;
	struct verify_result result;
	uint64_t volumes, damaged_keys;
	uint64_t milliseconds;
};

static int
verify_one(void *arg, const char *name, struct error *err)
{
	struct verify_command *x = arg;
	struct volume *volume = NULL;
	int r = volume_open(x->c->repo, name, false, 0, &volume, err);

	if (r < 0)
		return r;
	x->volumes++;
	r = verify_volume(volume, &x->options, x->c->report, &x->c->progress, &x->result, err);
	volume_free(volume);
	return r < 0 ? error_prefix(err, "volume %s", name) : 0;
}

/* Descriptor, slots, and keys of volumes of which none opens. */
static void
bad_key(void *arg, const char *key, const struct error *err)
{
	struct verify_command *x = arg;

	x->result.damage++;
	damage_tell(x->c->report, key, "key", err->msg);
}

static void
summary(const struct verify_command *x)
{
	const struct verify_result *r = &x->result;
	struct report *report = x->c->report;
	struct json_object *o = json_object_new_object();
	char snapshots[REPORT_TEXT], packs[REPORT_TEXT], bytes[REPORT_TEXT], read[REPORT_TEXT], frames[REPORT_TEXT],
	    volumes[REPORT_TEXT], time[REPORT_TEXT];

	view_add_count(o, "level", x->options.level);
	(void)json_object_object_add(o, "sample", json_object_new_double(x->options.sample));
	view_add_count(o, "volumes", x->volumes);
	view_add_count(o, "snapshots", r->snapshots);
	view_add_count(o, "packs", r->packs);
	view_add_count(o, "packs_read", r->packs_read);
	view_add_count(o, "bytes_read", r->bytes_read);
	view_add_count(o, "frames", r->frames);
	view_add_count(o, "damage", r->damage);
	view_add_seconds(o, "seconds", x->milliseconds);
	report_json(report, "summary", o);
	if (x->c->options->quiet)
		return;
	report_line(report, "verified at level %u: %s, %s, %s, in %s", x->options.level,
	    report_number(x->volumes, "volume", "volumes", volumes),
	    report_number(r->snapshots, "snapshot", "snapshots", snapshots),
	    report_number(r->packs, "pack", "packs", packs), report_duration(x->milliseconds, time));
	if (x->options.level >= 3)
		report_line(report, "read %s of %s (sample of %g %%), %s, %s", report_count(r->packs_read, read), packs,
		    x->options.sample, report_bytes(r->bytes_read, bytes),
		    report_number(r->frames, "frame", "frames", frames));
	if (r->damage == 0)
		report_line(report, "no damage found");
	else
		report_line(report, "damage found: %llu", (unsigned long long)r->damage);
}

static int
prepare(struct verify_command *x, struct error *err)
{
	const struct options *o = x->c->options;
	struct command_resources resources;
	int r;

	if (o->level > VERIFY_LEVEL_MAX)
		return error_set(err, ERR_USAGE, "there are levels 0 to %u", VERIFY_LEVEL_MAX);
	if (!(o->sample > 0 && o->sample <= 100))
		return error_set(err, ERR_USAGE, "a sample has more than 0 and at most 100 percent");
	if ((r = command_resources(o, REMOTE_CONNECTIONS, &resources, err)) < 0)
		return r;
	x->options = (struct verify_options){
	    .level = o->level, .sample = o->sample, .threads = resources.threads, .day = (uint64_t)time(NULL) / 86400};
	/* Trailers are small and far away: many at a time, as long as nothing is computed. */
	if (o->level == 2)
		x->options.threads =
		    resources.threads > resources.connections ? resources.threads : resources.connections;
	return 0;
}

static int
verify_run(struct verify_command *x, struct error *err)
{
	const struct options *o = x->c->options;
	struct manifest m;
	int r;

	if ((r = repo_check(x->c->repo, bad_key, x, err)) < 0)
		return r;
	if (o->volume == NULL)
		return volume_list_all(x->c->repo, verify_one, bad_key, x, err);
	if (!o->snapshot_given)
		return verify_one(x, o->volume, err);
	if ((r = command_volume(x->c, err)) < 0 || (r = snapshot_resolve(x->c->volume, o->snapshot, &m, err)) < 0)
		return r;
	x->options.snapshot = m.snapshot;
	r = verify_one(x, o->volume, err);
	x->options.snapshot = NULL;
	manifest_wipe(&m);
	return r;
}

int
cmd_verify(const struct options *o)
{
	struct command_context c;
	struct verify_command x = {.c = &c};
	struct error err;
	int r = command_begin(&c, o, "verify", &err);

	if (r == 0 && (r = prepare(&x, &err)) == 0 && (r = report_progress_start(c.report, &c.progress, &err)) == 0)
		r = verify_run(&x, &err);
	if (c.report != NULL)
		report_progress_stop(c.report);
	x.milliseconds = command_elapsed_ms(&c);
	if (r == 0)
		summary(&x);
	if (r == 0 && x.result.damage > 0)
		r = error_set(
		    &err, ERR_CORRUPT, "the repository is damaged: %llu findings", (unsigned long long)x.result.damage);
	return command_end(&c, r, &err);
}
