/* Deduplication against an exact model: what is offered is right and may be referred to; what base, dead session and
 * this export have is found. */
#include "catalog_writer.h"
#include "dedup.h"
#include "world.h"

#include "../storage/repo/dedup_internal.h"

enum { FILES = 6000, PART = 50, BUNDLE = 32, CHUNKS = 5, CHUNK = 700, TABLE = 1 << 20 };

static const struct session_options options = {
    .level = 1, .pack_size = 2 * 1024 * 1024, .packers = 1, .uploads = 1, .refresh_s = 300};

/* Something stored: where it must be found, or that it must not. */
struct known {
	uint8_t type;
	uint8_t id[ID_LEN];
	struct dedup_place place;
};

struct set {
	struct known *items;
	size_t count;
};

/* One export on the way. */
struct run {
	struct world *w;
	struct session *s;
	struct job *job;
	struct packer *packer;
	struct catalog_writer *writer;
	uint64_t random;
};

static void
remember(struct set *set, uint8_t type, const uint8_t *id, const struct frame_ref *frame, uint32_t offset, uint32_t len)
{
	struct known *k;

	set->items = realloc(set->items, (set->count + 1) * sizeof(set->items[0]));
	CHECK(set->items != NULL);
	k = &set->items[set->count++];
	memset(k, 0, sizeof(*k));
	k->type = type;
	memcpy(k->id, id, type == FRAME_FILE ? ID_SHORT : ID_LEN);
	k->place = (struct dedup_place){*frame, offset, len};
}

static void
run_begin(struct run *r, struct world *w, const struct snapshot *base, struct dedup *dedup, uint64_t random)
{
	struct error err;

	r->w = w;
	r->random = random;
	world_session(w, base, &options, &r->job, &r->s);
	CHECK_OK(packer_new(r->s, 'p', 1, &r->packer, &err), &err);
	CHECK_OK(catalog_writer_new(r->s, w->keys, base, dedup, &r->writer, &err), &err);
}

static void
run_end(struct run *r)
{
	catalog_writer_free(r->writer);
	packer_free(r->packer);
	session_free(r->s);
	job_free(r->job);
}

static struct frame_ref
seal_random(struct run *r, uint8_t type, size_t len, struct set *set)
{
	uint8_t plain[PART * BUNDLE], id[ID_LEN];
	struct frame_ref ref;
	struct error err;

	world_fill(&r->random, plain, len);
	CHECK_OK(packer_id(r->packer, type, plain, len, id, &err), &err);
	CHECK_OK(packer_add(r->packer, type, id, plain, len, 0, 0, &ref, &err), &err);
	if (set != NULL)
		remember(set, type, id, &ref, 0, ref.plen);
	return ref;
}

static void
add_root(struct run *r)
{
	struct entry e = {.path = "", .type = ENTRY_FOLDER, .mode = 0755, .nlink = 1};
	struct error err;

	CHECK_OK(catalog_writer_add(r->writer, &e, &err), &err);
}

/* So much that a block surely ends here, wherever the volume's key cuts. */
static void
add_filler(struct run *r, unsigned behind)
{
	static char link[60000];
	struct error err;

	memset(link, 'x', sizeof(link));
	for (unsigned i = 0; i < 18; i++) {
		struct entry e = {
		    .type = ENTRY_SYMLINK, .mode = 0777, .nlink = 1, .link = link, .link_len = sizeof(link)};
		char path[32];

		e.path = path;
		e.path_len = (size_t)snprintf(path, sizeof(path), "f%06u-%02u", behind, i);
		CHECK_OK(catalog_writer_add(r->writer, &e, &err), &err);
	}
}

/* Small files in bundles. */
static void
add_small(struct run *r, unsigned from, unsigned count, struct set *frames, struct set *files)
{
	struct frame_ref bundle = {0};
	struct error err;

	for (unsigned i = 0; i < count; i++) {
		struct extent x = {.kind = EXTENT_DATA, .frame_offset = PART * (i % BUNDLE), .len = PART};
		struct entry e = {
		    .type = ENTRY_FILE, .mode = 0644, .nlink = 1, .size = PART, .extents = &x, .nextents = 1};
		char path[16];

		if (i % BUNDLE == 0)
			bundle = seal_random(r, FRAME_BUNDLE, PART * BUNDLE, frames);
		x.frame = bundle;
		e.path = path;
		e.path_len = (size_t)snprintf(path, sizeof(path), "f%06u", from + i);
		world_fill(&r->random, e.file_id, ID_SHORT);
		CHECK_OK(catalog_writer_account(r->writer, &x, 1, &err), &err);
		CHECK_OK(catalog_writer_add(r->writer, &e, &err), &err);
		if (files != NULL)
			remember(files, FRAME_FILE, e.file_id, &bundle, x.frame_offset, PART);
	}
	add_filler(r, from + count - 1);
}

/* One large file with a segment: its chunks are known to the segment only. */
static void
add_large(struct run *r, struct set *set)
{
	struct entry e = {
	    .path = "z", .path_len = 1, .type = ENTRY_FILE, .mode = 0600, .nlink = 1, .size = CHUNKS * CHUNK};
	struct extent x[CHUNKS];
	struct frame_ref segment;
	struct error err;
	bool same;

	for (unsigned i = 0; i < CHUNKS; i++)
		x[i] =
		    (struct extent){.kind = EXTENT_DATA, .len = CHUNK, .frame = seal_random(r, FRAME_DATA, CHUNK, set)};
	CHECK_OK(catalog_writer_segment(r->writer, x, CHUNKS, NULL, &segment, &same, &err), &err);
	e.segments = &segment;
	e.nsegments = 1;
	CHECK_OK(catalog_writer_add(r->writer, &e, &err), &err);
}

static struct snapshot *
make_base(struct world *w, struct set *set)
{
	struct manifest manifest = {0};
	struct snapshot *snap;
	struct run r;
	struct error err;

	run_begin(&r, w, NULL, NULL, 1);
	add_root(&r);
	add_small(&r, 0, FILES, set, set);
	add_large(&r, set);
	CHECK_OK(packer_flush(r.packer, &err), &err);
	CHECK_OK(catalog_writer_finish(r.writer, &manifest, &err), &err);
	world_commit(w, r.s, 1, &manifest);
	session_end(r.s, true);
	run_end(&r);
	CHECK_OK(snapshot_open(w->volume, &manifest, &snap, &err), &err);
	CHECK(snap->root.nblocks >= 2);
	atomic_fetch_add(&world_now, 10);
	return snap;
}

/* A session that dies: `have` is durable, catalog blocks also refer to `lost`, whose pack never left. */
static void
make_dead(struct world *w, const struct snapshot *base, struct set *have, struct set *lost)
{
	struct run r;
	struct error err;

	run_begin(&r, w, base, NULL, 2);
	add_root(&r);
	add_small(&r, 0, FILES, have, have);
	CHECK_OK(packer_flush(r.packer, &err), &err);
	add_small(&r, FILES, FILES, lost, lost);
	atomic_fetch_add(&world_now, 61);
	add_large(&r, lost); /* hands the old metadata pack over */
	CHECK_OK(session_drain(r.s, &err), &err);
	run_end(&r);
}

static int
adopt(void *arg, const struct frame_ref *ref, struct error *err)
{
	return dedup_adopt(arg, ref, err);
}

static bool
is_found(struct dedup *d, const struct known *k)
{
	struct dedup_place got;
	struct error err;
	int r;

	r = dedup_find(d, k->type, k->id, &got, &err);
	CHECK_OK(r, &err);
	if (r == 0)
		return false;
	CHECK(frame_ref_equal(&got.frame, &k->place.frame));
	CHECK_INT(got.offset, k->place.offset);
	CHECK_INT(got.len, k->place.len);
	return true;
}

static size_t
count_found(struct dedup *d, const struct set *set)
{
	size_t n = 0;

	for (size_t i = 0; i < set->count; i++)
		n += is_found(d, &set->items[i]);
	return n;
}

static void
check_strangers(struct dedup *d, const struct set *set)
{
	struct dedup_place got;
	struct error err;
	uint64_t random = 99;

	for (unsigned i = 0; i < 5000; i++) {
		uint8_t id[ID_LEN];

		world_fill(&random, id, sizeof(id));
		CHECK_INT(dedup_find(d, FRAME_DATA, id, &got, &err), 0);
		CHECK_INT(dedup_find(d, FRAME_FILE, id, &got, &err), 0);
	}
	for (size_t i = 0; i < set->count; i += 97) {
		struct known k = set->items[i];

		/* The right fingerprint, another id; the right id, another type. */
		k.id[ID_SHORT - 1] ^= 1;
		CHECK_INT(dedup_find(d, k.type, k.id, &got, &err), 0);
		CHECK_INT(
		    dedup_find(d, k.type == FRAME_FILE ? FRAME_DATA : FRAME_FILE, set->items[i].id, &got, &err), 0);
	}
}

static struct dedup *
open_dedup(struct run *r, const struct snapshot *base, size_t table)
{
	struct dedup *d;
	struct error err;

	CHECK_OK(dedup_new(r->w->volume, session_keyring(r->s), base, table, &d, &err), &err);
	CHECK_OK(session_each_adopted(r->s, adopt, d, &err), &err);
	return d;
}

static void
test_all(struct world *w, const struct snapshot *base, const struct set *in_base, const struct set *have,
    const struct set *lost)
{
	struct dedup *d;
	struct run r;

	run_begin(&r, w, base, NULL, 3);
	d = open_dedup(&r, base, TABLE);
	CHECK_INT(count_found(d, have), have->count);
	CHECK_INT(count_found(d, in_base), in_base->count);
	CHECK_INT(count_found(d, lost), 0);
	check_strangers(d, in_base);
	check_strangers(d, have);
	CHECK_INT(dedup_bad_sources(d), 0);
	dedup_free(d);
	run_end(&r);
}

/* With a table that is far too small some is found, by fingerprints and by neighbourhood, and nothing wrong. */
static void
test_sampling(struct world *w, const struct snapshot *base, const struct set *in_base, const struct set *have,
    const struct set *lost)
{
	struct dedup *d;
	struct run r;
	size_t n;

	run_begin(&r, w, base, NULL, 3);
	d = open_dedup(&r, base, 4096);
	n = count_found(d, in_base);
	CHECK(n > in_base->count / 4);
	(void)count_found(d, have);
	CHECK_INT(count_found(d, lost), 0);
	check_strangers(d, in_base);
	dedup_free(d);
	run_end(&r);
}

static void
test_damaged_block(struct world *w, const struct snapshot *base, const struct set *in_base)
{
	struct dedup *d;
	struct run r;
	struct error err;
	size_t n;

	run_begin(&r, w, base, NULL, 3);
	CHECK_OK(dedup_new(w->volume, session_keyring(r.s), base, TABLE, &d, &err), &err);
	store_fault_flip(w->store, 1, 100, 0x10);
	n = count_found(d, in_base);
	CHECK(n > 0 && n < in_base->count);
	CHECK_INT(dedup_bad_sources(d), 1);
	store_fault_flip(w->store, 0, 0, 0);
	dedup_free(d);
	run_end(&r);
}

/* Content is known from the moment when it is sealed; from its catalog block when that is durable. */
static void
test_own(struct world *w, const struct snapshot *base)
{
	struct set frames = {0}, files = {0};
	const uint8_t other[ID_LEN] = {1};
	struct dedup *d;
	struct run r;
	struct error err;

	run_begin(&r, w, base, NULL, 3);
	CHECK_OK(dedup_new(w->volume, session_keyring(r.s), base, TABLE, &d, &err), &err);
	catalog_writer_free(r.writer);
	CHECK_OK(catalog_writer_new(r.s, w->keys, base, d, &r.writer, &err), &err);
	add_root(&r);
	add_small(&r, 0, FILES, &frames, &files);
	add_large(&r, &frames);
	CHECK_INT(count_found(d, &files), 0);
	for (size_t i = 0; i < files.count; i++)
		dedup_recent(d, FRAME_FILE, files.items[i].id, &files.items[i].place);
	CHECK_INT(count_found(d, &files), files.count);
	/* The ring forgets. */
	for (size_t i = 0; i < DEDUP_RECENT; i++)
		dedup_recent(d, FRAME_DATA, other, &files.items[0].place);
	CHECK_INT(count_found(d, &files), 0);
	CHECK_INT(dedup_bad_sources(d), 0);
	CHECK_OK(packer_flush(r.packer, &err), &err);
	atomic_fetch_add(&world_now, 61);
	{
		struct entry e = {.path = "zz", .path_len = 2, .type = ENTRY_FIFO, .nlink = 1};
		struct frame_ref ref;
		struct extent x = {.kind = EXTENT_HOLE, .len = 77};
		bool same;

		CHECK_OK(catalog_writer_add(r.writer, &e, &err), &err);
		CHECK_OK(session_drain(r.s, &err), &err);
		CHECK_OK(catalog_writer_segment(r.writer, &x, 1, NULL, &ref, &same, &err), &err);
	}
	CHECK_INT(count_found(d, &files), files.count);
	CHECK(is_found(d, &frames.items[frames.count - 1]));
	CHECK_INT(dedup_bad_sources(d), 0);
	dedup_free(d);
	run_end(&r);
	free(frames.items);
	free(files.items);
}

static void
test_nothing(struct world *w)
{
	const uint8_t id[ID_LEN] = {0};
	struct dedup_place place;
	struct dedup *d;
	struct run r;
	struct error err;

	run_begin(&r, w, NULL, NULL, 3);
	CHECK_OK(dedup_new(w->volume, session_keyring(r.s), NULL, 0, &d, &err), &err);
	CHECK_INT(dedup_find(d, FRAME_DATA, id, &place, &err), 0);
	dedup_free(d);
	run_end(&r);
}

/* ---- from several threads ---- */

struct asker {
	struct dedup *d;
	const struct set *set;
};

static void
ask(void *arg)
{
	const struct asker *a = arg;

	for (size_t i = 0; i < a->set->count; i += 13) {
		CHECK(is_found(a->d, &a->set->items[i]));
		dedup_recent(a->d, a->set->items[i].type, a->set->items[i].id, &a->set->items[i].place);
	}
}

static void
test_threads(struct world *w, const struct snapshot *base, const struct set *in_base, const struct set *have)
{
	struct asker askers[4];
	struct job *job;
	struct dedup *d;
	struct run r;
	struct error err;

	run_begin(&r, w, base, NULL, 3);
	d = open_dedup(&r, base, TABLE);
	CHECK_OK(job_new(&job, &err), &err);
	for (size_t i = 0; i < COUNT_OF(askers); i++) {
		askers[i] = (struct asker){d, i % 2 == 0 ? in_base : have};
		CHECK_OK(job_spawn(job, "asker", ask, &askers[i], &err), &err);
	}
	CHECK_OK(job_wait(job, &err), &err);
	job_free(job);
	dedup_free(d);
	run_end(&r);
}

/* The table alone: never above its ceiling, and whoever is sampled is found. */
static void
test_table(void)
{
	for (size_t bytes = 4096; bytes <= 64 * 1024; bytes *= 4) {
		struct dedup_table t;
		uint64_t random = bytes;
		uint32_t found = 0;

		dedup_table_init(&t, bytes);
		for (uint32_t i = 0; i < 20000; i++) {
			uint8_t id[ID_SHORT];

			world_fill(&random, id, sizeof(id));
			dedup_table_add(&t, id, i);
			CHECK(dedup_table_bytes(&t) <= bytes);
		}
		random = bytes;
		for (uint32_t i = 0; i < 20000; i++) {
			uint8_t id[ID_SHORT];
			uint32_t n;

			world_fill(&random, id, sizeof(id));
			n = dedup_table_find(&t, id);
			CHECK(n == UINT32_MAX || n < 20000);
			found += n == i;
			CHECK(t.sampled > 0 || n != UINT32_MAX);
		}
		CHECK(found > bytes / 128);
		dedup_table_wipe(&t);
	}
}

int
main(void)
{
	struct set in_base = {0}, have = {0}, lost = {0};
	struct snapshot *base;
	struct world w;

	(void)alarm(60);
	test_table();
	world_open(&w);
	test_nothing(&w);
	base = make_base(&w, &in_base);
	test_own(&w, base);
	test_damaged_block(&w, base, &in_base);
	make_dead(&w, base, &have, &lost);
	test_all(&w, base, &in_base, &have, &lost);
	test_sampling(&w, base, &in_base, &have, &lost);
	test_threads(&w, base, &in_base, &have);
	snapshot_free(base);
	world_close(&w);
	free(in_base.items);
	free(have.items);
	free(lost.items);
	return 0;
}
