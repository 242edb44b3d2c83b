/*
 * The beginning of an export: its volume and its base.
 *
 * Most exports find a volume that is in order and a base under its newest key, so that a glance is enough: the volume's
 * beginning is listed once, and nothing is compared.  Whatever is not as usual is left to the thorough way.
 */
#include "cleanup.h"
#include "error.h"
#include "export_internal.h"

/* A clock tick of the file system, generously: what changed this close to the base's start may have changed again
 * within the tick. */
#define RACY_S 2

/* The manifest of the newest snapshot, which must be of the same kind. */
static int
find_newest(struct export *x, struct manifest *m, struct error *err)
{
	int r = snapshot_newest(x->volume, x->survey, m, err);

	if (r == 0 && m->mode != x->options->mode) {
		r = error_set(err, ERR_USAGE, "volume %s holds snapshots of a %s; give another volume name",
		    x->options->volume_name, m->mode == MODE_BLOCK ? "device" : "folder");
		manifest_wipe(m);
	}
	return r;
}

/* What is unchanged since then need not be read. */
static void
take_base(struct export *x)
{
	const struct manifest *m = &x->base->manifest;

	x->trusted_s = m->started.s - RACY_S;
	atomic_store(&x->progress->total_bytes, m->statistics.bytes);
	atomic_store(&x->progress->total_entries, m->statistics.entries);
}

static void
close_volume(struct export *x)
{
	snapshot_free(STEAL(x->base));
	survey_free(STEAL(x->survey));
	volume_free(STEAL(x->volume));
}

/* 1 when volume and base are open, 0 when they must be looked at more closely. */
static int
open_at_a_glance(struct export *x, struct error *err)
{
	struct manifest m;
	int r = volume_glance(x->repo, x->options->volume_name, &x->volume, &x->survey, err);

	if (r == 0)
		r = find_newest(x, &m, err);
	if (r == 0)
		r = snapshot_open(x->volume, &m, &x->base, err);
	if (r == 0 && x->base->keys == &x->volume->keys[0]) {
		take_base(x);
		return 1;
	}
	close_volume(x);
	/* The other errors may be those of a key that has a good copy; if not, they come again. */
	return r == ERR_UNAVAILABLE || r == ERR_CANCELLED || r == ERR_NOMEM ? r : 0;
}

static int
open_base(struct export *x, struct error *err)
{
	struct manifest m;
	int r = find_newest(x, &m, err);

	if (r < 0)
		return r == ERR_NOT_FOUND ? 0 : r;
	r = snapshot_open(x->volume, &m, &x->base, err);
	if (r == ERR_CORRUPT || r == ERR_NOT_FOUND) {
		report_warn(x->report, NULL, 0,
		    "the previous snapshot is damaged, everything is read and stored anew: %s", err->msg);
		return 0;
	}
	if (r == 0)
		take_base(x);
	return r;
}

static int
open_thoroughly(struct export *x, struct error *err)
{
	const struct export_options *o = x->options;
	int r = volume_open(x->repo, o->volume_name, !o->dry_run, x->started.s, &x->volume, err);

	return r < 0 || x->without_base ? r : open_base(x, err);
}

int
export_open(struct export *x, struct error *err)
{
	int r = 0;

	session_clock(&x->started.s, &x->started.ns);
	if (!x->without_base)
		r = open_at_a_glance(x, err);
	if (r == 0)
		r = open_thoroughly(x, err);
	if (r == ERR_NOT_FOUND && x->options->dry_run)
		return 0;
	if (r < 0)
		return r;
	x->keys = &x->volume->keys[0];
	return chunker_init(&x->chunker, x->keys->gear, err);
}

int
export_check_keys(struct export *x, bool stored, struct error *err)
{
	struct volume *v;
	int r;

	if (x->survey == NULL || !stored)
		return 0;
	r = volume_open(x->repo, x->options->volume_name, true, x->started.s, &v, err);
	if (r == 0)
		volume_free(v);
	return r;
}
