/*
 * A session from its beginning to its end, and the keeper: the thread that refreshes the intent and writes checkpoints.
 *
 * Threads count themselves in `running`, so that the end of a session does not depend on when the job is waited for.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cleanup.h"
#include "session_internal.h"

enum {
	GLANCE_NS = 100 * 1000 * 1000,
	CHECKPOINT_PACKS = 64,
};

void
session_clock(int64_t *s, uint32_t *ns)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	*s = now.tv_sec;
	*ns = (uint32_t)now.tv_nsec;
}

int64_t
session_now(const struct session *s)
{
	int64_t now_s;
	uint32_t ns;

	s->clock(&now_s, &ns);
	return now_s;
}

bool
session_wait(struct session *s)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += GLANCE_NS;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	(void)pthread_cond_timedwait(&s->changed, &s->lock, &until);
	if (job_failed(s->job))
		s->failed = true;
	return !s->failed;
}

void
session_checkpoint_every(struct session *s, unsigned packs)
{
	(void)pthread_mutex_lock(&s->lock);
	s->checkpoint_packs = packs;
	(void)pthread_mutex_unlock(&s->lock);
}

/* ---- the keeper ---- */

/* A refreshment that fails is tried again at the next time, until the intent is so old that nobody may rely on it. */
static void
refresh(struct session *s)
{
	struct error err;
	int64_t age;

	if (intents_put(s, &err) == 0)
		return;
	(void)pthread_mutex_lock(&s->lock);
	age = session_now(s) - s->refreshed_s;
	if (age >= SESSION_DEADLINE_S)
		s->failed = true;
	(void)pthread_mutex_unlock(&s->lock);
	if (age >= SESSION_DEADLINE_S) {
		(void)error_prefix(&err, "the intent of this export could not be refreshed for 12 hours");
		job_fail(s->job, &err);
	}
}

static void
keeper_thread(void *arg)
{
	struct session *s = arg;
	int64_t tried_s = s->started.s;

	(void)pthread_mutex_lock(&s->lock);
	while (!s->ending && !s->failed) {
		int64_t now_s = session_now(s);

		if (now_s - tried_s >= (int64_t)s->options.refresh_s) {
			tried_s = now_s;
			(void)pthread_mutex_unlock(&s->lock);
			refresh(s);
			(void)pthread_mutex_lock(&s->lock);
		} else if (checkpoints_due(s, now_s)) {
			(void)pthread_mutex_unlock(&s->lock);
			checkpoints_write(s);
			(void)pthread_mutex_lock(&s->lock);
			(void)pthread_cond_broadcast(&s->changed);
		} else {
			(void)session_wait(s);
		}
	}
	s->running--;
	(void)pthread_cond_broadcast(&s->changed);
	(void)pthread_mutex_unlock(&s->lock);
}

static int
keeper_begin(struct session *s, struct error *err)
{
	int r;

	(void)pthread_mutex_lock(&s->lock);
	s->running++;
	(void)pthread_mutex_unlock(&s->lock);
	r = job_spawn(s->job, "keeper", keeper_thread, s, err);
	if (r < 0) {
		(void)pthread_mutex_lock(&s->lock);
		s->running--;
		(void)pthread_mutex_unlock(&s->lock);
	}
	return r;
}

/* ---- beginning ---- */

static int
fill_keyring(struct session *s, struct error *err)
{
	const struct packlist_session *p;
	int r;

	r = keyring_new(s->volume, &s->keyring, err);
	for (size_t i = 0; r == 0 && s->base != NULL && i < s->base->manifest.nsessions; i++)
		r = keyring_add(s->keyring, &s->base->manifest.sessions[i], err);
	for (size_t i = 0; r == 0 && s->base != NULL && (p = packlist_session_at(s->base->packlist, i)) != NULL; i++)
		r = keyring_add(s->keyring, p, err);
	for (size_t i = 0; r == 0 && i < s->nadopted; i++)
		r = keyring_add(s->keyring, &s->adopted[i], err);
	return r < 0 ? r : keyring_add_open(s->keyring, &s->key, err);
}

static int
begin(struct session *s, struct error *err)
{
	int r;

	r = session_key_create(s->keys, &s->key, err);
	if (r < 0)
		return r;
	r = intents_find(s, err);
	if (r < 0)
		return r;
	/* What the intent names is safe from garbage collection; only then it makes sense to look whether it is there.
	 */
	if (s->nothers > 0 && !s->others[0].merged)
		r = intents_put(s, err);
	if (r < 0)
		return r;
	r = adopt_open(s, err);
	if (r < 0)
		return r;
	r = fill_keyring(s, err);
	if (r < 0)
		return r;
	r = uploads_begin(s, err);
	return r < 0 ? r : keeper_begin(s, err);
}

static struct session *
allocate(void)
{
	struct session *s = calloc(1, sizeof(*s));
	pthread_condattr_t attr;

	if (s == NULL)
		return NULL;
	(void)pthread_mutex_init(&s->intent_lock, NULL);
	(void)pthread_mutex_init(&s->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&s->changed, &attr);
	(void)pthread_condattr_destroy(&attr);
	return s;
}

int
session_begin(const struct volume *volume, const struct volume_keys *keys, const struct snapshot *base,
    const struct session_options *options, session_clock_fn *clock, struct job *job, struct session **out,
    struct error *err)
{
	struct session *s;
	int r;

	if (options->packers == 0 || options->uploads == 0 || options->refresh_s == 0)
		return error_set(err, ERR_USAGE, "a session needs packers, uploads and an interval");
	s = allocate();
	if (s == NULL)
		return error_nomem(err);
	s->volume = volume;
	s->keys = keys;
	s->base = base;
	s->options = *options;
	s->clock = clock;
	s->job = job;
	s->store = repo_store(volume->repo);
	s->checkpoint_packs = CHECKPOINT_PACKS;
	clock(&s->started.s, &s->started.ns);
	s->checkpoint_s = s->refreshed_s = s->started.s;
	r = begin(s, err);
	if (r < 0) {
		session_free(s);
		return r;
	}
	*out = s;
	return 0;
}

/* ---- questions ---- */

const uint8_t *
session_id(const struct session *s)
{
	return s->key.session;
}

const struct session_key *
session_key(const struct session *s)
{
	return &s->key;
}

const struct packlist_session *
session_adopted(const struct session *s, size_t *out_count)
{
	*out_count = s->nadopted;
	return s->adopted;
}

struct keyring *
session_keyring(struct session *s)
{
	return s->keyring;
}

void
session_on_stored(struct session *s, void (*fn)(void *arg, const struct pack *), void *arg)
{
	/* Upload threads look at these only when there is a pack, which is handed over under the lock later. */
	s->on_stored_arg = arg;
	s->on_stored = fn;
}

void
session_totals(struct session *s, struct session_totals *out)
{
	(void)pthread_mutex_lock(&s->lock);
	*out = s->totals;
	(void)pthread_mutex_unlock(&s->lock);
}

int
session_check(struct session *s, struct error *err)
{
	int64_t age;

	(void)pthread_mutex_lock(&s->lock);
	age = session_now(s) - s->refreshed_s;
	(void)pthread_mutex_unlock(&s->lock);
	if (age >= SESSION_DEADLINE_S)
		return error_set(
		    err, ERR_UNAVAILABLE, "the intent of this export is older than 12 hours: export again");
	return intents_check(s, err);
}

/* ---- packlist ---- */

static int
fill_len(struct packlist *list, uint8_t kind, const uint8_t session[SESSION_ID_LEN], uint32_t seq, uint64_t len,
    struct error *err)
{
	struct packlist_pack found;

	if (len == 0 || !packlist_find(list, kind, session, seq, &found))
		return 0;
	return packlist_set_len(list, kind, session, seq, len, err);
}

static int
fill_own(struct session *s, struct packlist *list, struct error *err)
{
	struct packlist_session own = {.epoch = s->keys->epoch};
	int r;

	memcpy(own.session, s->key.session, SESSION_ID_LEN);
	memcpy(own.keyid, s->keys->keyid, KEY_ID_LEN);
	memcpy(own.sealed, s->key.sealed, SEALED_LEN);
	memcpy(own.commitment, s->key.commitment, sizeof(own.commitment));
	r = packlist_add_session(list, &own, err);
	(void)pthread_mutex_lock(&s->lock);
	for (size_t kind = 0; kind < 2; kind++)
		for (size_t seq = 0; r == 0 && seq < s->lens_cap[kind]; seq++)
			r = fill_len(
			    list, kind == 0 ? 'p' : 'm', s->key.session, (uint32_t)seq, s->lens[kind][seq], err);
	(void)pthread_mutex_unlock(&s->lock);
	return r;
}

int
session_fill_packlist(struct session *s, struct packlist *list, struct error *err)
{
	int r;

	r = fill_own(s, list, err);
	for (size_t i = 0; r == 0 && i < s->nadopted; i++)
		r = packlist_add_session(list, &s->adopted[i], err);
	for (size_t i = 0; r == 0 && i < s->nothers; i++) {
		const struct other_session *o = &s->others[i];

		for (size_t j = 0; r == 0 && o->opened && j < o->npacks; j++)
			r = fill_len(list, o->packs[j].kind, o->key.session, o->packs[j].seq, o->packs[j].len, err);
	}
	return r;
}

/* ---- end ---- */

int
session_drain(struct session *s, struct error *err)
{
	bool failed;

	(void)pthread_mutex_lock(&s->lock);
	while (!s->ending && !s->failed && (s->ring_len > 0 || s->busy > 0))
		(void)session_wait(s);
	failed = s->failed || s->ending;
	(void)pthread_mutex_unlock(&s->lock);
	if (job_error(s->job, err) < 0)
		return err->code;
	return failed ? error_set(err, ERR_CANCELLED, "the export has ended early") : 0;
}

void
session_end(struct session *s, bool committed)
{
	(void)pthread_mutex_lock(&s->lock);
	if (s->ended) {
		(void)pthread_mutex_unlock(&s->lock);
		return;
	}
	s->ending = s->ended = true;
	(void)pthread_cond_broadcast(&s->changed);
	while (s->running > 0)
		(void)pthread_cond_wait(&s->changed, &s->lock);
	(void)pthread_mutex_unlock(&s->lock);
	if (committed)
		intents_remove(s);
}

void
session_free(struct session *s)
{
	if (s == NULL)
		return;
	session_end(s, false);
	keyring_free(s->keyring);
	pack_free(s->checkpoint_pack);
	sealer_free(s->checkpoint_sealer);
	uploads_free(s);
	adopt_free(s);
	free(s->fresh);
	session_key_wipe(&s->key);
	(void)pthread_cond_destroy(&s->changed);
	(void)pthread_mutex_destroy(&s->lock);
	(void)pthread_mutex_destroy(&s->intent_lock);
	free(s);
}
