/*
 * Frames that are fetched ahead: the same bytes and the same errors as without that, with fewer requests, several at a
 * time.
 */
#include "ahead.h"

#include <unistd.h>

#include "buf.h"
#include "check.h"
#include "cleanup.h"
#include "frames.h"
#include "pack.h"
#include "packlist.h"
#include "repo.h"
#include "store_fault.h"
#include "store_trace.h"

enum { PACKS = 5, PACK_FRAMES = 60, FRAMES = PACKS * PACK_FRAMES, FRAME_LEN = 100000, LOADS = 3 * FRAMES };

/* A volume with some packs of equal frames. */
static struct store *fault, *trace;
static struct repo *repo;
static struct volume *volume;
static struct keyring *keyring;
static struct session_key session;
static struct frame_ref refs[FRAMES];
static uint8_t plains[FRAMES][FRAME_LEN];
static struct error err;

static void
pack_name_of(size_t pack, char name[PACK_NAME_LEN])
{
	pack_name(volume->id, 'p', session.session, (uint32_t)pack, name);
}

static void
make_pack(struct pack *pack, struct sealer *sealer, size_t seq)
{
	char name[PACK_NAME_LEN];

	CHECK_OK(pack_begin(pack, &volume->keys[0], &session, 'p', (uint32_t)seq, sealer, &err), &err);
	for (size_t i = seq * PACK_FRAMES; i < (seq + 1) * PACK_FRAMES; i++) {
		uint64_t random = i, word;
		uint8_t id[ID_LEN];

		for (size_t k = 0; k < FRAME_LEN; k += 8) {
			word = check_random(&random);
			memcpy(&plains[i][k], &word, 8);
		}
		CHECK_OK(sealer_id(sealer, FRAME_DATA, plains[i], FRAME_LEN, id, &err), &err);
		CHECK_OK(pack_add(pack, sealer, FRAME_DATA, id, plains[i], FRAME_LEN, 0, 0, &refs[i], &err), &err);
	}
	CHECK_OK(pack_finish(pack, &err), &err);
	pack_name_of(seq, name);
	CHECK_OK(store_put(fault, name, pack_bytes(pack), pack_len(pack), &err), &err);
}

static void
add_session(void)
{
	const struct volume_keys *keys = &volume->keys[0];
	struct packlist_session s = {.epoch = keys->epoch};

	memcpy(s.session, session.session, SESSION_ID_LEN);
	memcpy(s.keyid, keys->keyid, KEY_ID_LEN);
	memcpy(s.sealed, session.sealed, SEALED_LEN);
	memcpy(s.commitment, session.commitment, sizeof s.commitment);
	CHECK_OK(keyring_add(keyring, &s, &err), &err);
}

static void
begin(void)
{
	struct secret secret = {.kind = SECRET_KEY_FILE, .len = KEY_LEN, .bytes = {1, 2}};
	struct sealer *sealer;
	struct store *mem;
	struct pack *pack;

	CHECK_OK(store_mem_open(&mem, &err), &err);
	CHECK_OK(store_fault_new(mem, &fault, &err), &err);
	CHECK_OK(store_trace_new(fault, &trace, &err), &err);
	CHECK_OK(repo_init(trace, &secret, "", 10, 0, &repo, &err), &err);
	CHECK_OK(volume_open(repo, "vol", true, 0, &volume, &err), &err);
	CHECK_OK(session_key_create(&volume->keys[0], &session, &err), &err);
	CHECK_OK(keyring_new(volume, &keyring, &err), &err);
	add_session();
	CHECK_OK(sealer_new(&volume->keys[0], FRAME_NO_COMPRESSION, &sealer, &err), &err);
	CHECK_OK(pack_new(8u << 20, &pack, &err), &err);
	for (size_t i = 0; i < PACKS; i++)
		make_pack(pack, sealer, i);
	pack_free(pack);
	sealer_free(sealer);
}

static void
end(void)
{
	keyring_free(keyring);
	volume_free(volume);
	repo_free(repo);
	store_free(fault);
}

/* ---- reading ---- */

/* What is foreseen, and what is read. */
struct play {
	size_t foreseen[LOADS], loads[LOADS];
	size_t nforeseen, nloads;
	size_t next;
	size_t pause; /* so many are told before "none for now" is said once; 0: never */
	bool paused;
};

static bool
next_frame(void *arg, struct frame_ref *out)
{
	struct play *p = arg;

	p->paused = !p->paused && p->pause > 0 && p->next % p->pause == 0;
	if (p->paused || p->next == p->nforeseen)
		return false;
	*out = refs[p->foreseen[p->next++]];
	return true;
}

/* Exactly what is foreseen is read. */
static void
add_load(struct play *p, size_t frame)
{
	p->foreseen[p->nforeseen++] = frame;
	p->loads[p->nloads++] = frame;
}

/* Load all, with so many connections (0: nothing ahead); how many were loaded before it failed, with err set. */
static size_t
play(struct play *p, unsigned connections, int *code)
{
	struct ahead *ahead = NULL;
	struct frames *frames;
	const uint8_t *plain;
	size_t done = 0;

	p->next = 0;
	store_trace_forget(trace);
	CHECK_OK(frames_new(volume, keyring, &frames, &err), &err);
	if (connections > 0)
		CHECK_OK(ahead_new(frames_loader(frames), connections, next_frame, p, &ahead, &err), &err);
	frames_set_ahead(frames, ahead);
	*code = 0;
	while (*code == 0 && done < p->nloads) {
		*code = frames_load(frames, &refs[p->loads[done]], &plain, &err);
		if (*code == 0)
			CHECK_MEM(plain, plains[p->loads[done++]], FRAME_LEN);
	}
	ahead_free(ahead);
	frames_free(frames);
	return done;
}

static void
must_play(struct play *p, unsigned connections)
{
	int code;

	CHECK_INT(play(p, connections, &code), p->nloads);
	CHECK_OK(code, &err);
}

/* All packs, one frame of each in turn, as several threads of an export lay them out. */
static struct play *
all_frames(void)
{
	static struct play p;

	p = (struct play){0};
	for (size_t i = 0; i < FRAMES; i++)
		add_load(&p, i % PACKS * PACK_FRAMES + i / PACKS);
	return &p;
}

/* ---- tests ---- */

/* Neighbours are fetched together, and several at a time. */
static void
test_requests(void)
{
	struct play *p = all_frames();

	must_play(p, 0);
	CHECK_INT(store_trace_requests(trace), FRAMES);
	CHECK_INT(store_trace_parallel(trace), 1);
	must_play(p, 1);
	CHECK_INT(store_trace_parallel(trace), 1);
	CHECK(store_trace_requests(trace) <= FRAMES / 3);
	store_trace_delay(trace, 10);
	must_play(p, 8);
	CHECK(store_trace_requests(trace) <= FRAMES / 10);
	CHECK(store_trace_parallel(trace) >= 4);
	CHECK(store_trace_parallel(trace) <= 8);
	store_trace_delay(trace, 0);
}

/* Frames come again after a while, or at once; some are not told in time. */
static void
test_order(void)
{
	static struct play p;
	uint64_t random = 1;

	for (unsigned round = 0; round < 12; round++) {
		p = (struct play){.pause = round % 3 * 7};
		while (p.nloads < LOADS) {
			size_t frame = check_random(&random) % (round % 2 == 0 ? 12 : FRAMES);

			for (size_t n = 1 + check_random(&random) % 3; n > 0 && p.nloads < LOADS; n--)
				add_load(&p, frame);
		}
		must_play(&p, 1 + round % 4 * 3);
	}
}

/* What is told and what is read need not agree: that costs requests, nothing else. */
static void
test_wrong_foresight(void)
{
	static struct play p;
	uint64_t random = 2;

	for (unsigned round = 0; round < 8; round++) {
		p = (struct play){0};
		for (size_t i = 0; i < FRAMES; i++) {
			uint64_t what = check_random(&random) % 4;

			if (what != 0)
				p.foreseen[p.nforeseen++] = i;
			if (what != 1)
				p.loads[p.nloads++] = i;
		}
		must_play(&p, 1 + round);
	}
	p.nforeseen = 0;
	must_play(&p, 3);
}

/* What the reader still has is not fetched again. */
static void
test_kept(void)
{
	static struct play p;

	p = (struct play){0};
	for (size_t i = 0; i < FRAMES; i++)
		add_load(&p, i % FRAMES_KEPT);
	/* Whatever else was asked for came before this. */
	add_load(&p, 2 * PACK_FRAMES);
	must_play(&p, 1);
	CHECK_INT(store_trace_requests(trace), 2);
}

static size_t
requests_of(size_t count, size_t step)
{
	static struct play p;

	p = (struct play){0};
	for (size_t i = 0; i < count; i++)
		add_load(&p, i * step);
	must_play(&p, 1);
	return (size_t)store_trace_requests(trace);
}

/* What lies between frames is fetched along only while it fits into the window. */
static void
test_gaps(void)
{
	const size_t window = AHEAD_SPAN / FRAME_LEN;

	CHECK_INT(requests_of(window, 1), 1);
	CHECK_INT(requests_of(window / 2, 3), 2);
	CHECK_INT(requests_of(window, 3), window);
}

/* The store fails: so does the reader, with what came before in order.  What is missing is fetched again by itself. */
static void
test_failures(void)
{
	struct play *p = all_frames();
	struct store_fault_plan plan = {.ops = STORE_FAULT_GET, .nth = 1, .code = ERR_UNAVAILABLE};
	size_t failed = 0;
	int code;

	for (;; plan.nth++) {
		store_fault_fail(fault, &plan);
		(void)play(p, 1 + (unsigned)plan.nth % 5, &code);
		if (code == 0)
			break;
		CHECK_INT(code, ERR_UNAVAILABLE);
		failed++;
	}
	CHECK(failed >= FRAMES / 30);
	plan.code = ERR_NOT_FOUND;
	for (plan.nth = 1; plan.nth < 10; plan.nth++) {
		store_fault_fail(fault, &plan);
		must_play(p, 4);
	}
	store_fault_fail(fault, NULL);
}

/* The reader goes away while gets are on their way. */
static void
test_end(void)
{
	struct play *p = all_frames();

	store_trace_delay(trace, 20);
	p->nloads = 1;
	must_play(p, 8);
	store_trace_delay(trace, 0);
}

/* Damage hits the same frames, and is told in the same words, as when they are read one by one. */
static void
check_damage(void)
{
	struct play *p = all_frames();
	struct error want;
	size_t done;
	int code;

	done = play(p, 0, &code);
	CHECK(done > 0 && done < FRAMES);
	CHECK_INT(code, ERR_CORRUPT);
	want = err;
	for (unsigned connections = 1; connections < 9; connections += 3) {
		CHECK_INT(play(p, connections, &code), done);
		CHECK_INT(code, ERR_CORRUPT);
		CHECK_STR(err.msg, want.msg);
	}
}

static void
test_damage(void)
{
	struct buf whole = BUF_INIT(PACK_LEN_MAX);
	const struct frame_ref *f = &refs[2 * PACK_FRAMES + 20];
	char name[PACK_NAME_LEN];

	pack_name_of(2, name);
	CHECK_OK(store_load(fault, name, PACK_LEN_MAX, &whole, &err), &err);
	/* A damaged frame, a pack that ends in the middle of one, no pack at all. */
	whole.data[f->offset + 5] ^= 1;
	CHECK_OK(store_remove(fault, name, &err), &err);
	CHECK_OK(store_put(fault, name, whole.data, whole.len, &err), &err);
	check_damage();
	whole.data[f->offset + 5] ^= 1;
	CHECK_OK(store_remove(fault, name, &err), &err);
	CHECK_OK(store_put(fault, name, whole.data, f->offset + 7, &err), &err);
	check_damage();
	CHECK_OK(store_remove(fault, name, &err), &err);
	check_damage();
	CHECK_OK(store_put(fault, name, whole.data, whole.len, &err), &err);
	buf_free(&whole);
}

int
main(void)
{
	(void)alarm(60);
	begin();
	test_requests();
	test_order();
	test_wrong_foresight();
	test_kept();
	test_gaps();
	test_failures();
	test_end();
	test_damage();
	end();
	return 0;
}
