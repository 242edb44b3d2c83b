/*
 * snapferry doctor: what the place of a repository can do.
 */
#include <json-c/json.h>
#include <stdio.h>

#include "command.h"
#include "error.h"
#include "probe.h"
#include "store.h"

struct doctor {
	struct command_context *c;
	unsigned findings, missing;
	char first_missing[320]; /* what is missing first, and why */
};

static int
doctor_tell(void *arg, const struct probe_finding *f, struct error *err)
{
	struct doctor *d = arg;
	struct json_object *j = json_object_new_object();

	(void)err;
	(void)json_object_object_add(j, "name", json_object_new_string(f->name));
	(void)json_object_object_add(j, "result", json_object_new_string(probe_result_name(f->result)));
	(void)json_object_object_add(j, "needed", json_object_new_boolean(f->needed));
	(void)json_object_object_add(j, "title", json_object_new_string(f->title));
	(void)json_object_object_add(j, "detail", json_object_new_string(f->detail));
	report_json(d->c->report, "check", j);
	report_line(d->c->report, "%-8s %-20s %s", probe_result_name(f->result), f->name, f->title);
	if (f->detail[0] != '\0')
		report_line(d->c->report, "%29s %s", "", f->detail);
	d->findings++;
	if (f->needed && f->result != PROBE_YES && d->missing++ == 0)
		(void)snprintf(d->first_missing, sizeof d->first_missing, "%s%s%s", f->title,
		    f->detail[0] != '\0' ? ": " : "", f->detail);
	return 0;
}

static void
doctor_summary(const struct doctor *d)
{
	struct json_object *j = json_object_new_object();

	(void)json_object_object_add(j, "repository", json_object_new_string(d->c->options->repository));
	(void)json_object_object_add(j, "checks", json_object_new_uint64(d->findings));
	(void)json_object_object_add(j, "missing", json_object_new_uint64(d->missing));
	report_json(d->c->report, "summary", j);
	if (d->missing == 0 && !d->c->options->quiet)
		report_line(d->c->report, "%s can hold a repository.", d->c->options->repository);
}

int
cmd_doctor(const struct options *o)
{
	struct command_context c;
	struct doctor d = {.c = &c};
	struct store *store = NULL;
	struct error err;
	int r = command_begin_report(&c, o, "doctor", &err);

	if (r == 0)
		r = store_open(o->repository, false, &o->s3, &store, &err);
	if (r == 0)
		r = store_probe(store, doctor_tell, &d, &err);
	store_free(store);
	if (r == 0) {
		doctor_summary(&d);
		if (d.missing > 0)
			r = error_set(&err, ERR_UNSUPPORTED, "%s cannot hold a repository: not true here: %s",
			    o->repository, d.first_missing);
	}
	return command_end(&c, r, &err);
}
