/*
 * Verification of one volume: first what stands alone (manifests, packs), then what ties it together (catalogs).
 */
#include "verify.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "error.h"
#include "verify_internal.h"

/* Snapshots that are opened at the same time, unless they are large: those one by one. */
enum { CONNECTIONS = 8 };

struct chain {
	struct verify *verify;
	char (*ids)[SNAPSHOT_ID_LEN + 1];
	size_t count;
	bool *opens; /* by snapshot */
	/* The manifest before. */
	char last[SNAPSHOT_ID_LEN + 1];
	uint8_t last_sha256[32];
};

bool
verify_is_damage(int r, const struct error *err)
{
	return r == ERR_CORRUPT || r == ERR_NOT_FOUND || r == ERR_WRONG_KEY || (r == ERR_SYSTEM && err->errnum == EIO);
}

void
verify_pack_name(const struct verify *v, const struct verify_pack *p, char out[PACK_NAME_LEN])
{
	pack_name(v->volume->id, p->kind, v->packs.sessions[p->session].session, p->seq, out);
}

static void
bad_manifest(struct verify *v, const char *id, const char *kind, const char *message)
{
	char object[PACK_NAME_LEN + 32];

	(void)snprintf(object, sizeof object, "v/%s/s/%s.json", v->volume->id_hex, id);
	damage_add_snapshot(damage_add(&v->damages, object, kind, message), id);
}

/* ---- level 0 ---- */

/* All that is under the key needs it: no snapshot is named. */
static void
bad_key(void *arg, const char *key, const struct error *why)
{
	struct verify *v = arg;

	(void)damage_add(&v->damages, key, "key", why->msg);
}

/* The parent, if it still exists, is the one that was meant. */
static int
check_parent(struct verify *v, struct chain *chain, const struct manifest *m, struct error *err)
{
	struct manifest parent;
	uint8_t sha256[32];
	int r;

	if (m->parent[0] == '\0')
		return 0;
	if (strcmp(m->parent, chain->last) == 0) {
		memcpy(sha256, chain->last_sha256, sizeof sha256);
	} else {
		/* A parent that was removed is none of our business, and a damaged one is reported itself. */
		if ((r = snapshot_load(v->volume, m->parent, &parent, err)) < 0)
			return verify_is_damage(r, err) || r == ERR_UNSUPPORTED ? 0 : r;
		memcpy(sha256, parent.sha256, sizeof sha256);
		manifest_wipe(&parent);
	}
	if (memcmp(sha256, m->parent_sha256, sizeof sha256) != 0)
		bad_manifest(v, m->snapshot, "chain", "the parent snapshot is another one than when this one was made");
	return 0;
}

static int
add_pack(void *arg, const struct packlist_pack *p, struct error *err)
{
	struct verify *v = arg;

	return packs_add(&v->packs, p->kind, p->session, p->seq, p->object_len, err);
}

static int
add_session(struct verify *v, const struct packlist_session *s, struct error *err)
{
	int r = keyring_add(v->keyring, s, err);

	return r < 0 ? r : packs_add_session(&v->packs, s, err);
}

/* The packs of root and packlist are named by the manifest alone. */
static int
add_manifest(struct verify *v, const struct manifest *m, struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < m->nsessions; i++)
		r = add_session(v, &m->sessions[i], err);
	for (size_t i = 0; r == 0 && i < m->nroot; i++)
		r = packs_add(&v->packs, 'm', m->root[i].session, m->root[i].seq, 0, err);
	for (size_t i = 0; r == 0 && i < m->npacklist; i++)
		r = packs_add(&v->packs, 'm', m->packlist[i].session, m->packlist[i].seq, 0, err);
	return r;
}

static int
add_snapshot(struct verify *v, const struct snapshot *s, struct error *err)
{
	const struct packlist_session *session;
	int r = 0;

	for (size_t i = 0; r == 0 && (session = packlist_session_at(s->packlist, i)) != NULL; i++)
		r = add_session(v, session, err);
	return r < 0 ? r : packlist_each(s->packlist, add_pack, v, err);
}

/* s: the snapshot, if it is open already. */
static int
add_all(struct verify *v, struct manifest *m, const struct snapshot *s, struct error *err)
{
	struct snapshot *own = NULL;
	int r = add_manifest(v, m, err);

	if (r == 0 && s == NULL) {
		r = snapshot_open(v->volume, m, &own, err);
		s = own;
	}
	if (r == 0)
		r = add_snapshot(v, s, err);
	snapshot_free(own);
	return MIN(r, 0);
}

static int
check_manifest(
    struct verify *v, struct chain *chain, size_t i, struct manifest *m, const struct snapshot *s, struct error *err)
{
	int r = check_parent(v, chain, m, err);

	if (r < 0)
		return r;
	memcpy(chain->last, m->snapshot, sizeof chain->last);
	memcpy(chain->last_sha256, m->sha256, sizeof chain->last_sha256);
	r = add_all(v, m, s, err);
	chain->opens[i] = r == 0;
	if (r < 0 && verify_is_damage(r, err)) {
		bad_manifest(v, chain->ids[i], "snapshot", err->msg);
		return 0;
	}
	return r;
}

/* The manifest of snapshot i and, perhaps, the snapshot, or why there is none. */
static int
check_snapshot(void *arg, size_t i, int code, struct manifest *m, struct snapshot *s, struct error *err)
{
	struct chain *chain = arg;
	struct verify *v = chain->verify;
	int r = code;

	if (r == ERR_NOT_FOUND && v->options->snapshot == NULL)
		return 0; /* removed meanwhile */
	v->result->snapshots++;
	if (r == 0)
		r = check_manifest(v, chain, i, m, s, err);
	if (r == ERR_UNSUPPORTED) {
		report_warn(v->report, NULL, 0, "snapshot %s cannot be checked: %s", chain->ids[i], err->msg);
		return 0;
	}
	if (r < 0 && verify_is_damage(r, err)) {
		bad_manifest(v, chain->ids[i], "manifest", err->msg);
		return 0;
	}
	return r;
}

static int
check_snapshots(struct verify *v, struct chain *chain, struct error *err)
{
	CLEANUP_FREE struct snapshot_name *names = calloc(chain->count + 1, sizeof *names);

	if (names == NULL)
		return error_nomem(err);
	for (size_t i = 0; i < chain->count; i++)
		names[i] = (struct snapshot_name){v->volume, chain->ids[i]};
	return snapshot_each_open(names, chain->count, CONNECTIONS, check_snapshot, chain, err);
}

/* ---- catalogs ---- */

static int
open_again(struct verify *v, const char *id, struct snapshot **out, struct error *err)
{
	struct manifest m;
	int r = snapshot_load(v->volume, id, &m, err);

	return r < 0 ? r : snapshot_open(v->volume, &m, out, err);
}

static int
check_catalogs(struct verify *v, const struct chain *chain, struct error *err)
{
	bool check = v->options->level >= 2;
	struct snapshot *before = NULL;
	int r = 0;

	for (size_t i = 0; r == 0 && i < chain->count; i++) {
		struct snapshot *s = NULL;

		if (!chain->opens[i])
			continue;
		r = open_again(v, chain->ids[i], &s, err);
		if (r == ERR_NOT_FOUND) {
			r = 0; /* removed meanwhile */
			continue;
		}
		if (r == 0)
			r = verify_catalog(v, s, before == NULL ? NULL : &before->root, check, err);
		snapshot_free(before);
		before = s;
	}
	snapshot_free(before);
	return r;
}

static int
verify_steps(struct verify *v, struct chain *chain, struct error *err)
{
	unsigned level = v->options->level;
	int r = keyring_new(v->volume, &v->keyring, err);

	if (r == 0)
		r = volume_check_keys(v->volume, bad_key, v, err);
	if (r == 0)
		r = check_snapshots(v, chain, err);
	if (r == 0 && level >= 1)
		r = verify_listing(v, err);
	if (r == 0 && level >= 2)
		r = verify_all_packs(v, err);
	/* Without checks the catalogs are only read to find out who needs what is damaged. */
	if (r == 0 && (level >= 2 || (level == 1 && v->damages.count > 0)))
		r = check_catalogs(v, chain, err);
	return r;
}

static int
chain_ids(const struct volume *volume, const struct verify_options *o, struct chain *chain, struct error *err)
{
	int r = 0;

	if (o->snapshot == NULL) {
		r = snapshot_ids(volume, &chain->ids, &chain->count, err);
	} else {
		chain->ids = calloc(1, sizeof *chain->ids);
		if (chain->ids == NULL)
			return error_nomem(err);
		(void)snprintf(chain->ids[0], sizeof *chain->ids, "%s", o->snapshot);
		chain->count = 1;
	}
	if (r < 0)
		return r;
	chain->opens = calloc(chain->count + 1, sizeof *chain->opens);
	return chain->opens == NULL ? error_nomem(err) : 0;
}

int
verify_volume(const struct volume *volume, const struct verify_options *o, struct report *report,
    struct progress *progress, struct verify_result *result, struct error *err)
{
	struct verify v = {.volume = volume, .options = o, .report = report, .progress = progress, .result = result};
	struct chain chain = {.verify = &v};
	int r = chain_ids(volume, o, &chain, err);

	damage_list_init(&v.damages);
	(void)pthread_mutex_init(&v.lock, NULL);
	if (r == 0)
		r = verify_steps(&v, &chain, err);
	/* What was found is told even when the rest could not be looked at. */
	damage_report(&v.damages, report);
	result->packs += v.packs.count;
	result->packs_read += v.packs_read;
	result->frames += v.frames;
	result->bytes_read += v.bytes_read;
	result->damage += v.damages.count;
	verify_trailers_wipe(&v);
	packs_wipe(&v.packs);
	damage_list_wipe(&v.damages);
	keyring_free(v.keyring);
	(void)pthread_mutex_destroy(&v.lock);
	free(chain.ids);
	free(chain.opens);
	return r;
}
