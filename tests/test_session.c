/* Sessions: what goes in comes back, failure ends everything and hangs nothing, and what a dead session has left is
 * found. */
#include "pack.h"
#include "wire.h"
#include "world.h"

#include "../storage/repo/session_internal.h"

enum { PACK_SIZE = 64 * 1024, FRAME_SIZE = 4096 };

static const struct session_options options = {
    .level = 1, .pack_size = PACK_SIZE, .packers = 1, .uploads = 1, .refresh_s = 300};

/* A frame and where it went. */
struct stored {
	struct frame_ref ref;
	uint64_t seed;
	bool seen;
};

static void
make_content(uint64_t seed, uint8_t out[FRAME_SIZE])
{
	world_fill(&seed, out, FRAME_SIZE);
}

static int
add_one(struct packer *p, uint64_t seed, struct stored *out, struct error *err)
{
	uint8_t plain[FRAME_SIZE], id[ID_LEN];
	int r;

	make_content(seed, plain);
	out->seed = seed;
	out->seen = false;
	r = packer_id(p, FRAME_DATA, plain, sizeof(plain), id, err);
	return r < 0 ? r : packer_add(p, FRAME_DATA, id, plain, sizeof(plain), 1, 2, &out->ref, err);
}

static void
check_content(const struct world *w, struct session *s, const struct stored *stored, size_t count)
{
	uint8_t plain[FRAME_SIZE], want[FRAME_SIZE];
	struct loader *loader;
	struct error err;

	CHECK_OK(loader_new(w->volume, session_keyring(s), &loader, &err), &err);
	for (size_t i = 0; i < count; i++) {
		CHECK_INT(stored[i].ref.plen, FRAME_SIZE);
		CHECK_OK(loader_load(loader, &stored[i].ref, plain, &err), &err);
		CHECK_OK(loader_check_id(loader, &stored[i].ref, plain, &err), &err);
		make_content(stored[i].seed, want);
		CHECK_MEM(plain, want, FRAME_SIZE);
	}
	loader_free(loader);
}

static void
count_stored(void *arg, const struct pack *pack)
{
	CHECK(pack_len(pack) > 0 && pack_frames(pack) > 0);
	atomic_fetch_add((atomic_uint *)arg, 1);
}

/* ---- what goes in comes back ---- */

static void
test_round_trip(void)
{
	enum { N = 200 };
	static struct stored stored[N];
	const uint8_t id[ID_LEN] = {0};
	atomic_uint packs = 0;
	struct session_totals totals;
	struct frame_ref ref;
	struct packer *p;
	struct session *s;
	struct world w;
	struct job *job;
	struct error err;

	world_begin(&w, &options, &job, &s);
	session_on_stored(s, count_stored, &packs);
	CHECK_OK(packer_new(s, 'p', 1, &p, &err), &err);
	for (size_t i = 0; i < N; i++)
		CHECK_OK(add_one(p, i, &stored[i], &err), &err);
	CHECK_INT(packer_add(p, FRAME_CATALOG, id, "x", 1, 0, 0, &ref, &err), ERR_USAGE);
	CHECK_OK(packer_flush(p, &err), &err);
	CHECK_OK(packer_flush(p, &err), &err);
	CHECK_OK(session_drain(s, &err), &err);
	session_totals(s, &totals);
	CHECK_INT(packs, totals.objects);
	CHECK_INT(world_count(&w, "p"), totals.objects);
	CHECK(totals.objects >= N * FRAME_SIZE / PACK_SIZE);
	check_content(&w, s, stored, N);
	packer_free(p);
	session_end(s, true);
	CHECK_OK(job_wait(job, &err), &err);
	world_end(&w, job, s);
}

struct writer {
	struct session *s;
	struct job *job;
	struct stored stored[120];
	uint64_t seed;
};

static void
writer_thread(void *arg)
{
	struct writer *t = arg;
	struct packer *p = NULL;
	struct error err;
	int r;

	r = packer_new(t->s, 'p', 1, &p, &err);
	for (size_t i = 0; r == 0 && i < COUNT_OF(t->stored); i++)
		r = add_one(p, t->seed + i, &t->stored[i], &err);
	if (r == 0)
		r = packer_flush(p, &err);
	if (r < 0)
		job_fail(t->job, &err);
	packer_free(p);
}

/* Many packers, a pool of the smallest size, several uploads. */
static void
test_threads(void)
{
	static struct writer writers[3];
	struct session_options many = options;
	struct session *s;
	struct job *own, *job;
	struct world w;
	struct error err;

	many.packers = COUNT_OF(writers);
	many.uploads = 2;
	world_open(&w);
	CHECK_OK(job_new(&job, &err), &err);
	CHECK_OK(job_new(&own, &err), &err);
	CHECK_OK(session_begin(w.volume, w.keys, NULL, &many, world_clock, job, &s, &err), &err);
	session_checkpoint_every(s, 3);
	for (size_t i = 0; i < COUNT_OF(writers); i++) {
		writers[i].s = s;
		writers[i].job = own;
		writers[i].seed = i * 1000;
		CHECK_OK(job_spawn(own, "writer", writer_thread, &writers[i], &err), &err);
	}
	CHECK_OK(job_wait(own, &err), &err);
	CHECK_OK(session_drain(s, &err), &err);
	for (size_t i = 0; i < COUNT_OF(writers); i++)
		check_content(&w, s, writers[i].stored, COUNT_OF(writers[i].stored));
	CHECK_OK(session_check(s, &err), &err);
	session_free(s);
	job_free(job);
	job_free(own);
	world_close(&w);
}

static void
test_packlist(void)
{
	struct stored stored[40];
	struct packlist *list;
	struct packlist_pack found;
	struct packer *p;
	struct session *s;
	struct world w;
	struct job *job;
	struct error err;
	char name[PACK_NAME_LEN];
	uint64_t size;

	world_begin(&w, &options, &job, &s);
	CHECK_OK(packer_new(s, 'p', 1, &p, &err), &err);
	for (size_t i = 0; i < COUNT_OF(stored); i++)
		CHECK_OK(add_one(p, i, &stored[i], &err), &err);
	CHECK_OK(packer_flush(p, &err), &err);
	CHECK_OK(session_drain(s, &err), &err);
	CHECK_OK(packlist_new(&list, &err), &err);
	CHECK_OK(session_fill_packlist(s, list, &err), &err);
	CHECK_INT(packlist_count(list), 0);
	CHECK_OK(packlist_add(list, &stored[0].ref, FRAME_SIZE, &err), &err);
	CHECK_OK(session_fill_packlist(s, list, &err), &err);
	CHECK_INT(packlist_count(list), 1);
	CHECK(packlist_find(list, 'p', session_id(s), 0, &found));
	pack_name(w.keys->volume, 'p', session_id(s), 0, name);
	CHECK_OK(store_size(w.store, name, &size, &err), &err);
	CHECK_INT(found.object_len, size);
	CHECK_INT(found.live, FRAME_SIZE);
	packlist_free(list);
	packer_free(p);
	world_end(&w, job, s);
}

/* ---- failure ---- */

static void
test_upload_fails(void)
{
	static const struct store_fault_plan plan = {
	    .ops = STORE_FAULT_PUT, .nth = 2, .and_later = true, .code = ERR_UNAVAILABLE};
	struct stored one;
	struct packer *p;
	struct session *s;
	struct world w;
	struct job *job;
	struct error err;
	int r = 0;

	world_begin(&w, &options, &job, &s);
	CHECK_OK(packer_new(s, 'p', 1, &p, &err), &err);
	store_fault_fail(w.store, &plan);
	for (size_t i = 0; r == 0 && i < 1000; i++)
		r = add_one(p, i, &one, &err);
	CHECK_INT(r, ERR_CANCELLED);
	CHECK_INT(session_drain(s, &err), ERR_UNAVAILABLE);
	CHECK_INT(packer_flush(p, &err) == 0 || err.code == ERR_CANCELLED, 1);
	packer_free(p);
	session_end(s, false);
	CHECK_INT(job_wait(job, &err), ERR_UNAVAILABLE);
	job_free(job);
	session_free(s);
	world_close(&w);
}

/* Somebody else's failure ends a packer that waits, and the session's threads, in whatever order things are freed. */
static void
test_job_fails(bool session_first)
{
	struct stored one;
	struct packer *p;
	struct session *s;
	struct world w;
	struct job *job;
	struct error err;

	world_begin(&w, &options, &job, &s);
	CHECK_OK(packer_new(s, 'p', 1, &p, &err), &err);
	CHECK_OK(add_one(p, 1, &one, &err), &err);
	(void)error_set(&err, ERR_DENIED, "elsewhere");
	job_fail(job, &err);
	CHECK_INT(packer_flush(p, &err), ERR_CANCELLED);
	CHECK_INT(add_one(p, 1, &one, &err), ERR_CANCELLED);
	CHECK_INT(session_drain(s, &err), ERR_DENIED);
	packer_free(p);
	if (session_first) {
		session_free(s);
		job_free(job);
	} else {
		job_free(job);
		session_free(s);
	}
	world_close(&w);
}

/* Everything that a session does, for the tests below. */
static int whole_session(
    const struct world *w, struct job *job, struct stored *stored, size_t count, struct error *err);

static int
ignore_frame(void *arg, const struct frame_ref *ref, struct error *err)
{
	(void)arg;
	(void)ref;
	(void)err;
	return 0;
}

static void
free_packer(struct packer **p)
{
	packer_free(*p);
}

static void
free_session(struct session **s)
{
	session_free(*s);
}

static int
whole_session(const struct world *w, struct job *job, struct stored *stored, size_t count, struct error *err)
{
	CLEANUP(free_session) struct session *s = NULL;
	CLEANUP(free_packer) struct packer *p = NULL;
	int r;

	r = session_begin(w->volume, w->keys, NULL, &options, world_clock, job, &s, err);
	if (r < 0)
		return r;
	r = session_each_adopted(s, ignore_frame, NULL, err);
	if (r == 0)
		r = packer_new(s, 'p', 1, &p, err);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = add_one(p, i, &stored[i], err);
	if (r == 0)
		r = packer_flush(p, err);
	if (r == 0)
		r = session_drain(s, err);
	if (r == 0)
		r = session_check(s, err);
	if (r == 0) {
		store_fault_fail(w->store, NULL);
		check_content(w, s, stored, count);
		session_end(s, true);
	}
	return r;
}

/* The n-th operation of a session fails, for all n: it ends, with an error or with what it promises. */
static void
test_every_failure(bool after)
{
	struct stored stored[40];
	unsigned failures = 0, successes = 0;

	for (uint64_t n = 1; successes < 20 && n < 200; n++) {
		struct store_fault_plan plan = {
		    .ops = STORE_FAULT_ANY, .nth = n, .after = after, .code = ERR_UNAVAILABLE};
		struct world w;
		struct job *job;
		struct error err;
		int r;

		world_open(&w);
		CHECK_OK(job_new(&job, &err), &err);
		/* A dead one, to be adopted. */
		{
			struct session *dead;
			struct packer *p;

			CHECK_OK(session_begin(w.volume, w.keys, NULL, &options, world_clock, job, &dead, &err), &err);
			CHECK_OK(packer_new(dead, 'p', 1, &p, &err), &err);
			for (size_t i = 0; i < 20; i++)
				CHECK_OK(add_one(p, 100 + i, &stored[i], &err), &err);
			CHECK_OK(packer_flush(p, &err), &err);
			CHECK_OK(session_drain(dead, &err), &err);
			packer_free(p);
			session_free(dead);
		}
		store_fault_fail(w.store, &plan);
		r = whole_session(&w, job, stored, COUNT_OF(stored), &err);
		CHECK(r == 0 || r == ERR_UNAVAILABLE || r == ERR_CANCELLED);
		failures += r < 0;
		successes += r == 0;
		job_free(job);
		world_close(&w);
	}
	CHECK(failures >= 8 && successes == 20);
}

/* ---- lost answers ---- */

static void
test_lost_answer(bool same)
{
	static const struct store_fault_plan lost = {
	    .ops = STORE_FAULT_PUT, .nth = 1, .after = true, .code = ERR_EXISTS};
	struct stored one;
	char name[PACK_NAME_LEN];
	struct packer *p;
	struct session *s;
	struct world w;
	struct job *job;
	struct error err;

	world_begin(&w, &options, &job, &s);
	CHECK_OK(packer_new(s, 'p', 1, &p, &err), &err);
	CHECK_OK(add_one(p, 1, &one, &err), &err);
	if (same) {
		store_fault_fail(w.store, &lost);
	} else {
		pack_name(w.keys->volume, 'p', session_id(s), 0, name);
		CHECK_OK(store_put(w.store, name, "junk", 4, &err), &err);
	}
	CHECK_OK(packer_flush(p, &err), &err);
	if (same) {
		CHECK_OK(session_drain(s, &err), &err);
		check_content(&w, s, &one, 1);
	} else {
		CHECK_INT(session_drain(s, &err), ERR_CORRUPT);
	}
	packer_free(p);
	world_end(&w, job, s);
}

/* ---- intents ---- */

static int
remove_object(void *arg, const struct store_object *object, struct error *err)
{
	(void)err;
	(void)snprintf(arg, 160, "%s", object->key);
	return 1;
}

static void
last_intent(const struct world *w, char out[160])
{
	char prefix[80];
	struct error err;

	out[0] = '\0';
	(void)snprintf(prefix, sizeof(prefix), "v/%s/i/", w->volume->id_hex);
	CHECK_OK(store_list(w->store, prefix, remove_object, out, &err), &err);
}

static int
store_one(struct session *s, struct error *err)
{
	struct stored one;
	struct packer *p;
	int r;

	CHECK_OK(packer_new(s, 'p', 1, &p, err), err);
	r = add_one(p, 1, &one, err);
	if (r == 0)
		r = packer_flush(p, err);
	if (r == 0)
		r = session_drain(s, err);
	packer_free(p);
	return r;
}

/* Who stores nothing, and is not here for long, announces nothing, and has nothing to remove. */
static void
test_no_intent(void)
{
	struct session *s;
	struct world w;
	struct job *job;
	struct error err;
	uint64_t calls;

	world_open(&w);
	calls = store_fault_count(w.store, STORE_FAULT_ANY);
	world_session(&w, NULL, &options, &job, &s);
	atomic_fetch_add(&world_now, 290);
	CHECK_OK(session_drain(s, &err), &err);
	CHECK_OK(session_check(s, &err), &err);
	session_end(s, true);
	CHECK_INT(store_fault_count(w.store, STORE_FAULT_ANY) - calls, 1);
	CHECK_INT(world_count(&w, "i"), 0);
	world_end(&w, job, s);
}

/* The intent is durable before the first pack is put, and without it none is. */
static void
test_intent_first(void)
{
	for (uint64_t nth = 1; nth <= 2; nth++) {
		struct store_fault_plan plan = {.ops = STORE_FAULT_PUT, .nth = nth, .code = ERR_UNAVAILABLE};
		struct session *s;
		struct world w;
		struct job *job;
		struct error err;

		world_begin(&w, &options, &job, &s);
		store_fault_fail(w.store, &plan);
		CHECK_INT(store_one(s, &err), ERR_UNAVAILABLE);
		CHECK_INT(world_count(&w, "i"), nth - 1);
		CHECK_INT(world_count(&w, "p"), 0);
		world_end(&w, job, s);
	}
}

static void
test_intents(void)
{
	char first[160], now[160];
	struct session *s;
	struct world w;
	struct job *job;
	struct error err;

	world_begin(&w, &options, &job, &s);
	CHECK_INT(world_count(&w, "i"), 0);
	/* Once it lasts for a while, a session announces itself; and now and then again. */
	for (first[0] = '\0'; strstr(first, "00000002.json") == NULL; memcpy(first, now, sizeof(first))) {
		atomic_fetch_add(&world_now, 301);
		do {
			(void)sched_yield();
			last_intent(&w, now);
		} while (strcmp(first, now) == 0);
	}
	CHECK_OK(session_check(s, &err), &err);
	session_end(s, true);
	CHECK_INT(world_count(&w, "i"), 0);
	session_free(s);
	job_free(job);

	/* Without a commit it stays. */
	world_session(&w, NULL, &options, &job, &s);
	CHECK_OK(store_one(s, &err), &err);
	session_end(s, false);
	CHECK_INT(world_count(&w, "i"), 1);
	/* Gone behind the session's back: no commit any more. */
	last_intent(&w, now);
	CHECK_OK(store_remove(w.store, now, &err), &err);
	CHECK_INT(session_check(s, &err), ERR_UNAVAILABLE);
	world_end(&w, job, s);
}

/* The answers to some puts and removals are lost: in the end none of the own intents is left. */
static void
test_intents_lost(unsigned ops)
{
	struct store_fault_plan plan = {.ops = ops, .nth = 1, .after = ops == STORE_FAULT_PUT, .code = ERR_UNAVAILABLE};
	struct session *s;
	struct world w;
	struct job *job;
	struct error err;
	char before[160], now[160];

	world_begin(&w, &options, &job, &s);
	CHECK_OK(store_one(s, &err), &err);
	store_fault_fail(w.store, &plan);
	last_intent(&w, before);
	for (unsigned i = 0; i < 2; i++) {
		uint64_t puts = store_fault_count(w.store, STORE_FAULT_PUT);

		atomic_fetch_add(&world_now, 301);
		while (store_fault_count(w.store, STORE_FAULT_PUT) == puts)
			(void)sched_yield();
	}
	CHECK_OK(session_check(s, &err), &err);
	session_end(s, true);
	last_intent(&w, now);
	CHECK_STR(now, "");
	world_end(&w, job, s);
}

/* announced: there was a first intent, long ago. */
static void
test_refresh_fails(bool announced)
{
	static const struct store_fault_plan plan = {
	    .ops = STORE_FAULT_PUT, .nth = 1, .and_later = true, .code = ERR_UNAVAILABLE};
	struct session *s;
	struct world w;
	struct job *job;
	struct error err;

	world_begin(&w, &options, &job, &s);
	if (announced)
		CHECK_OK(store_one(s, &err), &err);
	store_fault_fail(w.store, &plan);
	/* The keeper tries, and tries again. */
	for (uint64_t before, i = 0; i < 2; i++) {
		before = store_fault_count(w.store, STORE_FAULT_PUT);
		atomic_fetch_add(&world_now, 301);
		while (store_fault_count(w.store, STORE_FAULT_PUT) == before)
			(void)sched_yield();
		CHECK(!job_failed(job));
	}
	atomic_fetch_add(&world_now, 12 * 3600);
	CHECK_INT(session_check(s, &err), ERR_UNAVAILABLE);
	CHECK_INT(job_wait(job, &err), ERR_UNAVAILABLE);
	CHECK(strstr(err.msg, "12 hours") != NULL);
	world_end(&w, job, s);
}

/* ---- adoption ---- */

struct expected {
	struct stored *stored;
	size_t count, seen;
};

static int
see_frame(void *arg, const struct frame_ref *ref, struct error *err)
{
	struct expected *x = arg;

	(void)err;
	for (size_t i = 0; i < x->count; i++)
		if (frame_ref_equal(&x->stored[i].ref, ref)) {
			CHECK(!x->stored[i].seen);
			x->stored[i].seen = true;
			x->seen++;
			return 0;
		}
	CHECK_STR("this frame", "a frame that was durable");
	return 0;
}

/*
 * A session dies with `durable` frames stored and some more in an open pack.  every: packs per checkpoint (0: none).
 * lost: a pack that is removed afterwards, or -1.
 */
static void
test_adoption(unsigned every, size_t durable, int lost)
{
	static struct stored stored[400];
	struct expected x = {.stored = stored};
	const struct packlist_session *adopted;
	struct packer *p;
	struct session *s;
	struct world w;
	struct job *job;
	struct error err;
	uint64_t gets;
	size_t n;

	world_begin(&w, &options, &job, &s);
	session_checkpoint_every(s, every == 0 ? UINT32_MAX : every);
	CHECK_OK(packer_new(s, 'p', 1, &p, &err), &err);
	for (size_t i = 0; i < durable; i++)
		CHECK_OK(add_one(p, i, &stored[i], &err), &err);
	CHECK_OK(packer_flush(p, &err), &err);
	CHECK_OK(session_drain(s, &err), &err);
	for (size_t i = 0; i < 5; i++) {
		struct stored never;

		CHECK_OK(add_one(p, 5000 + i, &never, &err), &err);
	}
	while (every > 0 && world_count(&w, "m") == 0)
		(void)sched_yield();
	packer_free(p);
	session_free(s);

	for (size_t i = 0; i < durable; i++)
		if ((int)stored[i].ref.seq != lost)
			stored[x.count++] = stored[i];
	if (lost >= 0) {
		char name[PACK_NAME_LEN];

		CHECK(x.count < durable);
		pack_name(w.keys->volume, 'p', stored[0].ref.session, (uint32_t)lost, name);
		CHECK_OK(store_remove(w.store, name, &err), &err);
	}
	CHECK_OK(session_begin(w.volume, w.keys, NULL, &options, world_clock, job, &s, &err), &err);
	adopted = session_adopted(s, &n);
	CHECK_INT(n, 1);
	CHECK_MEM(adopted->session, stored[0].ref.session, SESSION_ID_LEN);
	gets = store_fault_count(w.store, STORE_FAULT_GET);
	CHECK_OK(session_each_adopted(s, see_frame, &x, &err), &err);
	/* Header and tail of each pack; one header was read to find the key. */
	if (every == 0)
		CHECK_INT(store_fault_count(w.store, STORE_FAULT_GET) - gets, 2 * world_count(&w, "p") - 1);
	CHECK_INT(x.seen, x.count);
	check_content(&w, s, stored, x.count);
	/* Once dead for long enough, its intent goes with ours. */
	CHECK_INT(world_count(&w, "i"), 2);
	atomic_fetch_add(&world_now, 700);
	session_end(s, true);
	CHECK_INT(world_count(&w, "i"), 0);
	world_end(&w, job, s);
}

/* Bytes of a dead session's packs are turned around: never a wrong frame, never a failure. */
static void
test_damaged_adoption(void)
{
	static struct stored stored[60];

	for (uint64_t nth = 1; nth < 24; nth++) {
		struct expected x = {.stored = stored};
		struct packer *p;
		struct session *s;
		struct world w;
		struct job *job;
		struct error err;

		world_begin(&w, &options, &job, &s);
		CHECK_OK(packer_new(s, 'p', 1, &p, &err), &err);
		for (x.count = 0; x.count < COUNT_OF(stored); x.count++)
			CHECK_OK(add_one(p, x.count, &stored[x.count], &err), &err);
		CHECK_OK(packer_flush(p, &err), &err);
		CHECK_OK(session_drain(s, &err), &err);
		packer_free(p);
		session_free(s);
		store_fault_flip(w.store, nth, (size_t)nth * 37, 0x40);
		CHECK_OK(session_begin(w.volume, w.keys, NULL, &options, world_clock, job, &s, &err), &err);
		CHECK_OK(session_each_adopted(s, see_frame, &x, &err), &err);
		world_end(&w, job, s);
	}
}

int
main(void)
{
	(void)alarm(60);
	test_round_trip();
	test_threads();
	test_packlist();
	test_upload_fails();
	test_job_fails(true);
	test_job_fails(false);
	test_every_failure(false);
	test_every_failure(true);
	test_lost_answer(true);
	test_lost_answer(false);
	test_no_intent();
	test_intent_first();
	test_intents();
	test_intents_lost(STORE_FAULT_PUT);
	test_intents_lost(STORE_FAULT_REMOVE);
	test_refresh_fails(false);
	test_refresh_fails(true);
	test_adoption(0, 100, -1);
	test_adoption(2, 300, -1);
	test_adoption(2, 300, 1);
	test_adoption(0, 100, 0);
	test_damaged_adoption();
	return 0;
}
