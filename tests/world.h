#ifndef WORLD_H_
#define WORLD_H_

#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

#include "check.h"
#include "cleanup.h"
#include "job.h"
#include "manifest.h"
#include "repo.h"
#include "session.h"
#include "store_fault.h"

/* A repository in memory with one volume, below a store that can be told to fail, and a clock that stands still: for
 * tests of the writing side. */

struct world {
	struct store *store; /* the failing one; owned by repo */
	struct repo *repo;
	struct volume *volume;
	const struct volume_keys *keys;
};

static atomic_llong world_now = 1700000000;

static inline void
world_clock(int64_t *s, uint32_t *ns)
{
	*s = atomic_load(&world_now);
	*ns = 0;
}

/* A store in memory below one that can be told to fail. */
static inline void
world_new_store(struct store **out)
{
	struct store *mem;
	struct error err;

	CHECK_OK(store_mem_open(&mem, &err), &err);
	CHECK_OK(store_fault_new(mem, out, &err), &err);
}

/* A repository in such a store. */
static inline void
world_new_repo(struct store **store, struct repo **repo)
{
	struct secret secret = {SECRET_PASSPHRASE, 4, "test"};
	struct error err;

	world_new_store(store);
	CHECK_OK(repo_init(*store, &secret, "test", 10, 1700000000, repo, &err), &err);
}

static inline void
world_open(struct world *w)
{
	struct error err;

	world_new_repo(&w->store, &w->repo);
	CHECK_OK(volume_open(w->repo, "data/pg-0", true, 1700000000, &w->volume, &err), &err);
	w->keys = &w->volume->keys[0];
}

static inline void
world_close(struct world *w)
{
	volume_free(w->volume);
	repo_free(w->repo);
}

/* A session of the volume, and the job that it belongs to. */
static inline void
world_session(const struct world *w, const struct snapshot *base, const struct session_options *options,
    struct job **job, struct session **s)
{
	struct error err;

	CHECK_OK(job_new(job, &err), &err);
	CHECK_OK(session_begin(w->volume, w->keys, base, options, world_clock, *job, s, &err), &err);
}

/* The same in a new world; world_end() ends all. */
static inline void
world_begin(struct world *w, const struct session_options *options, struct job **job, struct session **s)
{
	world_open(w);
	world_session(w, NULL, options, job, s);
}

static inline void
world_end(struct world *w, struct job *job, struct session *s)
{
	session_free(s);
	job_free(job);
	world_close(w);
}

static inline int
world_count_one(void *arg, const struct store_object *object, struct error *err)
{
	(void)object;
	(void)err;
	++*(size_t *)arg;
	return 0;
}

/* How many objects of a kind the volume has. */
static inline size_t
world_count(const struct world *w, const char *kind)
{
	char prefix[80];
	struct error err;
	size_t n = 0;

	(void)snprintf(prefix, sizeof(prefix), "v/%s/%s/", w->volume->id_hex, kind);
	CHECK_OK(store_list(w->store, prefix, world_count_one, &n, &err), &err);
	return n;
}

/* Fill in what the catalog writer leaves open, and commit. */
static inline void
world_commit(const struct world *w, struct session *s, uint64_t sequence, struct manifest *m)
{
	uint8_t random[10];
	struct error err;

	CHECK_OK(crypto_random(random, sizeof(random), &err), &err);
	snapshot_id_make((atomic_load(&world_now) + (long long)sequence) * 1000, random, m->snapshot);
	memcpy(m->volume, w->keys->volume, VOLUME_ID_LEN);
	m->epoch = w->keys->epoch;
	memcpy(m->keyid, w->keys->keyid, KEY_ID_LEN);
	m->sequence = sequence;
	m->mode = MODE_FILE;
	m->started.s = m->finished.s = atomic_load(&world_now);
	memcpy(m->session, session_id(s), SESSION_ID_LEN);
	m->tool = strdup("test");
	m->name = strdup(w->keys->name);
	m->source = strdup("/source");
	m->host = strdup("host");
	CHECK_OK(snapshot_commit(w->volume, m, &err), &err);
}

static inline void
world_fill(uint64_t *random, uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)check_random(random);
}

#endif
