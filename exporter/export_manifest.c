/*
 * What the manifest says of an export, beside its catalog: who made it, when, of what, and the numbers.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "device.h"
#include "error.h"
#include "export_internal.h"

static char *
export_host(void)
{
	char name[256] = "";

	if (gethostname(name, sizeof name - 1) < 0)
		name[0] = '\0';
	return strdup(name);
}

static int
manifest_copy_strings(const struct export_options *o, struct manifest *m, struct error *err)
{
	m->tool = strdup(PACKAGE_STRING);
	m->name = strdup(o->volume_name);
	m->source = realpath(o->source, NULL);
	m->host = export_host();
	m->tags = calloc(o->ntags + 1, sizeof *m->tags);
	m->excludes = calloc(o->nexcludes + 1, sizeof *m->excludes);
	if (m->tool == NULL || m->name == NULL || m->source == NULL || m->host == NULL || m->tags == NULL ||
	    m->excludes == NULL)
		return error_nomem(err);
	for (size_t i = 0; i < o->ntags; i++) {
		m->tags[i].key = strdup(o->tags[i].key);
		m->tags[i].value = strdup(o->tags[i].value);
		m->ntags = i + 1;
		if (m->tags[i].key == NULL || m->tags[i].value == NULL)
			return error_nomem(err);
	}
	for (size_t i = 0; i < o->nexcludes; i++) {
		m->excludes[i] = strdup(o->excludes[i]);
		m->nexcludes = i + 1;
		if (m->excludes[i] == NULL)
			return error_nomem(err);
	}
	return 0;
}

int
export_manifest_describe(struct export *x, struct manifest *m, struct error *err)
{
	const struct export_options *o = x->options;
	uint8_t random[10];
	int r;

	if ((r = crypto_random(random, sizeof random, err)) < 0 || (r = manifest_copy_strings(o, m, err)) < 0)
		return r;
	session_clock(&m->finished.s, &m->finished.ns);
	m->started = x->started;
	/* By the start: a snapshot shows the volume as it was then, and "as of" a time looks for that. */
	snapshot_id_make(x->started.s * 1000 + x->started.ns / 1000000, random, m->snapshot);
	if (x->volume != NULL) {
		memcpy(m->volume, x->volume->id, sizeof m->volume);
		m->epoch = x->keys->epoch;
		memcpy(m->keyid, x->keys->keyid, sizeof m->keyid);
	}
	m->mode = o->mode;
	m->size = x->device == NULL ? 0 : device_size(x->device);
	m->sequence = 1;
	if (x->base != NULL) {
		m->sequence = x->base->manifest.sequence + 1;
		memcpy(m->parent, x->base->manifest.snapshot, sizeof m->parent);
		memcpy(m->parent_sha256, x->base->manifest.sha256, sizeof m->parent_sha256);
	}
	if (x->session != NULL)
		memcpy(m->session, session_id(x->session), sizeof m->session);
	return 0;
}

void
export_manifest_statistics(struct export *x, struct manifest *m)
{
	struct session_totals totals = {0, 0};

	if (x->session != NULL)
		session_totals(x->session, &totals);
	m->statistics = x->statistics;
	m->statistics.new_bytes = atomic_load(&x->new_bytes);
	m->statistics.stored_bytes = totals.bytes;
	m->statistics.warnings = report_warnings(x->report);
	m->statistics.milliseconds = (uint64_t)((m->finished.s - m->started.s) * 1000 +
						((int64_t)m->finished.ns - (int64_t)m->started.ns) / 1000000);
}
