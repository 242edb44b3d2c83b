/*
 * Session keys and frames: found by session, opened at first use, shared by threads, and refused when anything is not
 * as the reference says.
 */
#include <pthread.h>
#include <stdbool.h>
#include <unistd.h>

#include "buf.h"
#include "check.h"
#include "cleanup.h"
#include "pack.h"
#include "packlist.h"
#include "repo.h"
#include "segment.h"

enum { SESSIONS = 40, FRAMES = 3, FRAME_LEN = 1000, THREADS = 4 };

/* A volume with sessions of two packs each. */
struct world {
	struct repo *repo;
	struct store *store;
	struct volume *volume;
	struct packlist_session sessions[SESSIONS];
	struct session_key keys[SESSIONS];
	struct frame_ref refs[SESSIONS][FRAMES];
	struct keyring *keyring;
};

static void
fill_plain(size_t session, size_t frame, uint8_t plain[FRAME_LEN])
{
	uint64_t random = 100 * session + frame;

	for (size_t i = 0; i < FRAME_LEN; i++)
		plain[i] = (uint8_t)check_random(&random);
}

/* Frames first .. end - 1 of a session. */
static void
make_pack(struct world *w, size_t i, uint32_t seq, size_t first, size_t end, struct pack *pack, struct sealer *sealer)
{
	char name[PACK_NAME_LEN];
	struct error err;

	CHECK_OK(pack_begin(pack, &w->volume->keys[0], &w->keys[i], 'p', seq, sealer, &err), &err);
	for (size_t n = first; n < end; n++) {
		uint8_t plain[FRAME_LEN], id[ID_LEN];

		fill_plain(i, n, plain);
		CHECK_OK(sealer_id(sealer, FRAME_DATA, plain, sizeof(plain), id, &err), &err);
		CHECK_OK(
		    pack_add(pack, sealer, FRAME_DATA, id, plain, sizeof(plain), 0, 0, &w->refs[i][n], &err), &err);
	}
	CHECK_OK(pack_finish(pack, &err), &err);
	pack_name(w->volume->id, 'p', w->keys[i].session, seq, name);
	CHECK_OK(store_put(w->store, name, pack_bytes(pack), pack_len(pack), &err), &err);
}

static void
world_new(struct world *w)
{
	struct secret secret = {.kind = SECRET_KEY_FILE, .len = KEY_LEN, .bytes = {1, 2}};
	struct sealer *sealer;
	struct pack *pack;
	struct error err;

	memset(w, 0, sizeof(*w));
	CHECK_OK(store_mem_open(&w->store, &err), &err);
	CHECK_OK(repo_init(w->store, &secret, "", 10, 0, &w->repo, &err), &err);
	CHECK_OK(volume_open(w->repo, "vol", true, 0, &w->volume, &err), &err);
	CHECK_OK(sealer_new(&w->volume->keys[0], FRAME_NO_COMPRESSION, &sealer, &err), &err);
	CHECK_OK(pack_new(1 << 16, &pack, &err), &err);
	CHECK_OK(keyring_new(w->volume, &w->keyring, &err), &err);
	for (size_t i = 0; i < SESSIONS; i++) {
		struct packlist_session *s = &w->sessions[i];

		CHECK_OK(session_key_create(&w->volume->keys[0], &w->keys[i], &err), &err);
		make_pack(w, i, 5, 0, 2, pack, sealer);
		make_pack(w, i, 6, 2, FRAMES, pack, sealer);
		memcpy(s->session, w->keys[i].session, SESSION_ID_LEN);
		s->epoch = w->volume->keys[0].epoch;
		memcpy(s->keyid, w->volume->keys[0].keyid, KEY_ID_LEN);
		memcpy(s->sealed, w->keys[i].sealed, SEALED_LEN);
		memcpy(s->commitment, w->keys[i].commitment, 32);
	}
	pack_free(pack);
	sealer_free(sealer);
}

static void
world_free(struct world *w)
{
	keyring_free(w->keyring);
	volume_free(w->volume);
	repo_free(w->repo);
}

static void
test_keyring(struct world *w)
{
	uint8_t got[KEY_LEN], want[KEY_LEN];
	const struct volume_keys *keys;
	struct packlist_session other = w->sessions[3];
	struct session_key stranger = w->keys[1];
	struct error err;

	CHECK_INT(keyring_pack_key(w->keyring, 'p', w->sessions[0].session, 5, got, &err), ERR_CORRUPT);
	CHECK(strstr(err.msg, "not named by the snapshot") != NULL);
	CHECK_INT(keyring_volume_keys(w->keyring, w->sessions[0].session, &keys, &err), ERR_CORRUPT);
	for (size_t round = 0; round < 2; round++) {
		for (size_t i = 0; i < SESSIONS; i++) {
			if (i % 7 == 1)
				CHECK_OK(keyring_add_open(w->keyring, &w->keys[i], &err), &err);
			else
				CHECK_OK(keyring_add(w->keyring, &w->sessions[i], &err), &err);
		}
	}
	for (size_t i = 0; i < SESSIONS; i++) {
		for (uint32_t seq = 0; seq < 2; seq++) {
			CHECK_OK(keyring_pack_key(w->keyring, 'm', w->sessions[i].session, seq, got, &err), &err);
			CHECK_OK(session_key_pack(&w->keys[i], w->volume->id, 'm', seq, want, &err), &err);
			CHECK_MEM(got, want, KEY_LEN);
		}
		CHECK_OK(keyring_volume_keys(w->keyring, w->sessions[i].session, &keys, &err), &err);
		CHECK(keys == &w->volume->keys[0]);
	}
	/* The same session with another key. */
	other.sealed[0] ^= 1;
	CHECK_INT(keyring_add(w->keyring, &other, &err), ERR_CORRUPT);
	/* A key that does not open, and one of a volume key that is not there: found when they are needed. */
	other.session[0] ^= 1;
	CHECK_OK(keyring_add(w->keyring, &other, &err), &err);
	CHECK_INT(keyring_pack_key(w->keyring, 'p', other.session, 0, got, &err), ERR_CORRUPT);
	CHECK_INT(keyring_pack_key(w->keyring, 'p', other.session, 0, got, &err), ERR_CORRUPT);
	other = w->sessions[4];
	other.session[0] ^= 1;
	other.epoch += 7;
	CHECK_OK(keyring_add(w->keyring, &other, &err), &err);
	CHECK_INT(keyring_pack_key(w->keyring, 'p', other.session, 0, got, &err), ERR_CORRUPT);
	CHECK(strstr(err.msg, "missing or damaged") != NULL);
	stranger.session[5] ^= 1;
	CHECK_INT(keyring_add_open(w->keyring, &stranger, &err), ERR_USAGE);
}

static void
test_loads(struct world *w)
{
	struct loader *l;
	uint8_t plain[FRAME_LEN], want[FRAME_LEN], sealed[FRAME_LEN + FRAME_OVERHEAD];
	struct buf all = BUF_INIT(3 * FRAME_LEN);
	struct error err;

	CHECK_OK(loader_new(w->volume, w->keyring, &l, &err), &err);
	for (size_t i = 0; i < SESSIONS; i++) {
		for (size_t n = 0; n < FRAMES; n++) {
			const struct frame_ref *ref = &w->refs[i][n];

			fill_plain(i, n, want);
			CHECK_OK(loader_load(l, ref, plain, &err), &err);
			CHECK_MEM(plain, want, FRAME_LEN);
			CHECK_OK(loader_check_id(l, ref, plain, &err), &err);
			plain[7] ^= 1;
			CHECK_INT(loader_check_id(l, ref, plain, &err), ERR_CORRUPT);
			CHECK_OK(loader_fetch(l, ref, ref->offset, sealed, ref->clen, &err), &err);
			CHECK_OK(loader_open(l, ref, sealed, plain, &err), &err);
			CHECK_MEM(plain, want, FRAME_LEN);
		}
	}
	CHECK_INT(loader_load_all(l, w->refs[0], FRAMES, FRAMES * FRAME_LEN - 1, &all, &err), ERR_CORRUPT);
	CHECK_OK(loader_load_all(l, w->refs[0], FRAMES, FRAMES * FRAME_LEN, &all, &err), &err);
	CHECK_INT(all.len, FRAMES * FRAME_LEN);
	fill_plain(0, 2, want);
	CHECK_MEM(all.data + 2 * FRAME_LEN, want, FRAME_LEN);
	buf_free(&all);
	loader_free(l);
	loader_free(NULL);
}

/* What was fetched ahead is not asked for again; what does not lie together is not fetched ahead. */
static void
test_ahead(struct world *w)
{
	struct frame_ref *refs = w->refs[SESSIONS - 1], swapped[2] = {refs[1], refs[0]}, beyond[2] = {refs[0], refs[1]};
	struct loader *l;
	uint8_t plain[FRAME_LEN], want[FRAME_LEN];
	char name[PACK_NAME_LEN];
	struct error err;

	/* A pack that is shorter than the manifest says: its beginning can still be had. */
	CHECK_OK(loader_new(w->volume, w->keyring, &l, &err), &err);
	beyond[1].offset += 70000;
	CHECK_OK(loader_ahead(l, beyond, 2, &err), &err);
	CHECK_OK(loader_load(l, &refs[0], plain, &err), &err);
	CHECK_INT(loader_load(l, &beyond[1], plain, &err), ERR_CORRUPT);

	CHECK_OK(loader_ahead(l, refs, 2, &err), &err);
	pack_name(w->volume->id, 'p', refs[0].session, refs[0].seq, name);
	CHECK_OK(store_remove(w->store, name, &err), &err);
	for (size_t round = 0; round < 2; round++)
		for (size_t n = 0; n < 2; n++) {
			fill_plain(SESSIONS - 1, n, want);
			CHECK_OK(loader_load(l, &refs[n], plain, &err), &err);
			CHECK_MEM(plain, want, FRAME_LEN);
		}
	fill_plain(SESSIONS - 1, 2, want);
	CHECK_OK(loader_load(l, &refs[2], plain, &err), &err);
	CHECK_MEM(plain, want, FRAME_LEN);
	/* In two packs; in the wrong order; one alone; none: none of them asks for the pack that has gone. */
	CHECK_OK(loader_ahead(l, refs, FRAMES, &err), &err);
	CHECK_INT(loader_load(l, &refs[0], plain, &err), ERR_CORRUPT);
	CHECK_OK(loader_ahead(l, swapped, 2, &err), &err);
	CHECK_OK(loader_ahead(l, refs, 1, &err), &err);
	CHECK_OK(loader_ahead(l, NULL, 0, &err), &err);
	/* A pack that is missing is told by the load. */
	CHECK_OK(loader_ahead(l, refs, 2, &err), &err);
	CHECK_INT(loader_load(l, &refs[0], plain, &err), ERR_CORRUPT);
	CHECK(strstr(err.msg, "missing") != NULL);
	loader_free(l);
}

/* Every field of a reference counts, and the pack is named. */
static void
test_wrong_references(struct world *w)
{
	struct loader *l;
	uint8_t plain[FRAME_LEN + 1];
	struct error err;

	CHECK_OK(loader_new(w->volume, w->keyring, &l, &err), &err);
	for (int i = 0; i < 9; i++) {
		struct frame_ref ref = w->refs[2][1];
		char name[PACK_NAME_LEN];

		switch (i) {
		case 0:
			ref.seq++;
			break;
		case 1:
			ref.ordinal++;
			break;
		case 2:
			ref.offset++;
			break;
		case 3:
			ref.clen--;
			break;
		case 4:
			ref.plen--;
			break;
		case 5:
			ref.id[0] ^= 1;
			break;
		case 6:
			ref.type = FRAME_BUNDLE;
			break;
		case 7:
			ref.offset = 1 << 30;
			break;
		default:
			memcpy(ref.session, w->sessions[3].session, SESSION_ID_LEN);
			break;
		}
		CHECK_INT(loader_load(l, &ref, plain, &err), ERR_CORRUPT);
		pack_name(w->volume->id, 'p', ref.session, ref.seq, name);
		/* A reference that is impossible in itself says nothing about a pack. */
		CHECK(i == 3 || i == 4 || strstr(err.msg, name) != NULL);
		/* The loader goes on as before. */
		CHECK_OK(loader_load(l, &w->refs[2][1], plain, &err), &err);
	}
	loader_free(l);
}

static void
test_segments(struct world *w)
{
	struct extent extents[2] = {{.kind = EXTENT_HOLE, .len = 4096}, {.kind = EXTENT_ZEROS, .len = 100}}, *got;
	struct buf bytes = BUF_INIT(FRAME_PLAIN_MAX);
	struct entry e = {.type = ENTRY_FILE, .size = 4196, .nlink = 1, .nsegments = 1};
	struct frame_ref ref;
	struct sealer *sealer;
	struct loader *l;
	struct pack *pack;
	char name[PACK_NAME_LEN];
	uint8_t id[ID_LEN];
	size_t count;
	struct error err;

	CHECK_OK(segment_encode(extents, 2, &bytes, &err), &err);
	CHECK_OK(sealer_new(&w->volume->keys[0], 1, &sealer, &err), &err);
	CHECK_OK(pack_new(1 << 16, &pack, &err), &err);
	CHECK_OK(pack_begin(pack, &w->volume->keys[0], &w->keys[0], 'm', 1, sealer, &err), &err);
	CHECK_OK(sealer_id(sealer, FRAME_SEGMENT, bytes.data, bytes.len, id, &err), &err);
	CHECK_OK(pack_add(pack, sealer, FRAME_SEGMENT, id, bytes.data, bytes.len, 0, 0, &ref, &err), &err);
	CHECK_OK(pack_finish(pack, &err), &err);
	pack_name(w->volume->id, 'm', w->keys[0].session, 1, name);
	CHECK_OK(store_put(w->store, name, pack_bytes(pack), pack_len(pack), &err), &err);

	CHECK_OK(loader_new(w->volume, w->keyring, &l, &err), &err);
	e.segments = &ref;
	CHECK_OK(snapshot_load_segment(l, &e, 0, &got, &count, &err), &err);
	CHECK_INT(count, 2);
	CHECK_INT(got[1].len, 100);
	free(got);
	CHECK_INT(snapshot_load_segment(l, &e, 1, &got, &count, &err), ERR_USAGE);
	e.size++;
	CHECK_INT(snapshot_load_segment(l, &e, 0, &got, &count, &err), ERR_CORRUPT);
	e.segments = &w->refs[0][0];
	CHECK_INT(snapshot_load_segment(l, &e, 0, &got, &count, &err), ERR_CORRUPT);
	CHECK(strstr(err.msg, "is no segment") != NULL);
	loader_free(l);
	pack_free(pack);
	sealer_free(sealer);
	buf_free(&bytes);
}

static void *
load_thread(void *arg)
{
	struct world *w = arg;
	struct loader *l;
	uint8_t plain[FRAME_LEN], want[FRAME_LEN];
	struct error err;

	CHECK_OK(loader_new(w->volume, w->keyring, &l, &err), &err);
	for (size_t i = 0; i < SESSIONS; i++) {
		fill_plain(i, 0, want);
		CHECK_OK(loader_load(l, &w->refs[i][0], plain, &err), &err);
		CHECK_MEM(plain, want, FRAME_LEN);
	}
	loader_free(l);
	return NULL;
}

/* Threads that need the same keys for the first time at the same moment. */
static void
test_threads(struct world *w)
{
	pthread_t threads[THREADS];
	struct error err;

	keyring_free(w->keyring);
	CHECK_OK(keyring_new(w->volume, &w->keyring, &err), &err);
	for (size_t i = 0; i < SESSIONS; i++)
		CHECK_OK(keyring_add(w->keyring, &w->sessions[i], &err), &err);
	for (size_t i = 0; i < THREADS; i++)
		CHECK_INT(pthread_create(&threads[i], NULL, load_thread, w), 0);
	for (size_t i = 0; i < THREADS; i++)
		CHECK_INT(pthread_join(threads[i], NULL), 0);
}

int
main(void)
{
	struct world w;

	(void)alarm(60);
	world_new(&w);
	test_keyring(&w);
	test_loads(&w);
	test_wrong_references(&w);
	test_segments(&w);
	test_threads(&w);
	test_ahead(&w);
	world_free(&w);
	return 0;
}
