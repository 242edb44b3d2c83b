/*
 * Catalogs as they are written, against a model: what is read is what was written, unchanged regions are not stored
 * again, and the packlist of any chain of snapshots is what counting from the beginning gives.
 */
#include "catalog_writer.h"
#include "packlist.h"
#include "world.h"

enum { FOLDERS = 16, FILES = 2000, PART = 100, BUNDLE = 64, SEGMENTS = 3 };

static const struct session_options options = {
    .level = 1, .pack_size = 2 * 1024 * 1024, .packers = 1, .uploads = 2, .refresh_s = 300};

/* A file as it should be: one part of a bundle. */
struct file {
	bool present;
	uint64_t mtime;
	struct extent extent;
	uint8_t id[ID_SHORT];
};

struct model {
	struct world w;
	uint64_t random;
	uint64_t sequence;
	struct file files[FOLDERS][FILES];
	struct extent big[SEGMENTS][4]; /* a large file: data, hole, data, zeros */
	struct frame_ref segments[SEGMENTS];
	struct snapshot *base;
	struct session_totals totals; /* of the last round */
};

/* One export on the way. */
struct round {
	struct session *s;
	struct job *job;
	struct packer *packer;
	struct catalog_writer *writer;
	struct frame_ref bundle;
	unsigned parts; /* used of the bundle */
};

static void
new_bundle(struct model *m, struct round *r)
{
	uint8_t plain[PART * BUNDLE], id[ID_LEN];
	struct error err;

	world_fill(&m->random, plain, 64);
	memset(plain + 64, 7, sizeof(plain) - 64);
	CHECK_OK(packer_id(r->packer, FRAME_BUNDLE, plain, sizeof(plain), id, &err), &err);
	CHECK_OK(packer_add(r->packer, FRAME_BUNDLE, id, plain, sizeof(plain), 0, 0, &r->bundle, &err), &err);
	r->parts = 0;
}

static void
new_content(struct model *m, struct round *r, struct file *f)
{
	struct error err;

	if (r->bundle.plen == 0 || r->parts == BUNDLE)
		new_bundle(m, r);
	f->extent =
	    (struct extent){.kind = EXTENT_DATA, .frame_offset = PART * r->parts++, .len = PART, .frame = r->bundle};
	world_fill(&m->random, f->id, ID_SHORT);
	f->mtime = check_random(&m->random) >> 32;
	CHECK_OK(catalog_writer_account(r->writer, &f->extent, 1, &err), &err);
}

/* Remove, add and change some files, about one in `rarity`. */
static void
mutate(struct model *m, struct round *r, unsigned rarity)
{
	struct error err;

	for (unsigned d = 0; d < FOLDERS; d++)
		for (unsigned i = 0; i < FILES; i++) {
			struct file *f = &m->files[d][i];
			bool was = f->present;

			if (rarity == 0 || check_random(&m->random) % rarity != 0)
				continue;
			if (was)
				CHECK_OK(catalog_writer_unaccount(r->writer, &f->extent, 1, &err), &err);
			f->present = check_random(&m->random) % 4 != 0;
			if (f->present)
				new_content(m, r, f);
		}
}

static void
change_segment(struct model *m, struct round *r, unsigned i, bool change)
{
	struct extent old[4];
	struct frame_ref before = m->segments[i];
	struct error err;
	bool first = before.plen == 0, same = false;

	memcpy(old, m->big[i], sizeof(old));
	if (first || change) {
		struct frame_ref ref;
		uint8_t plain[1000], id[ID_LEN];

		for (unsigned k = 0; k < 4; k++)
			m->big[i][k] = (struct extent){.kind = k == 1   ? EXTENT_HOLE
							       : k == 3 ? EXTENT_ZEROS
									: EXTENT_DATA,
			    .len = SEGMENT_SIZE / 4};
		for (unsigned k = 0; k < 4; k += 2) {
			world_fill(&m->random, plain, sizeof(plain));
			CHECK_OK(packer_id(r->packer, FRAME_DATA, plain, sizeof(plain), id, &err), &err);
			CHECK_OK(packer_add(r->packer, FRAME_DATA, id, plain, sizeof(plain), 0, 0, &ref, &err), &err);
			m->big[i][k].frame = ref;
			m->big[i][k].len = sizeof(plain);
		}
		m->big[i][1].len = SEGMENT_SIZE - 2 * sizeof(plain) - m->big[i][3].len;
	}
	CHECK_OK(catalog_writer_segment(r->writer, m->big[i], 4, first ? NULL : &before, &m->segments[i], &same, &err),
	    &err);
	CHECK_INT(same, !first && !change);
	/* The extents are given in one round and loaded in another. */
	if (!first && change)
		CHECK_OK(catalog_writer_unaccount_segment(
			     r->writer, &before, SEGMENT_SIZE, m->sequence % 2 == 0 ? old : NULL, 4, &err),
		    &err);
}

static void
fill_folder(unsigned d, char path[32], struct entry *e)
{
	memset(e, 0, sizeof(*e));
	e->path = path;
	e->path_len = d == 0 ? 0 : (size_t)snprintf(path, 32, "d%03u", d);
	e->type = ENTRY_FOLDER;
	e->mode = 0755;
	e->nlink = 1;
	e->ino = d + 1;
}

static void
fill_file(const struct model *m, unsigned d, unsigned i, char path[32], struct entry *e)
{
	const struct file *f = &m->files[d][i];

	memset(e, 0, sizeof(*e));
	e->path = path;
	/* Files of the root folder come before the folders. */
	e->path_len = (size_t)(d == 0 ? snprintf(path, 32, "a%05u", i) : snprintf(path, 32, "d%03u/f%05u", d, i));
	e->type = ENTRY_FILE;
	e->mode = 0644;
	e->uid = e->gid = 1000;
	e->nlink = 1;
	e->ino = 100000 + d * FILES + i;
	e->mtime_s = e->ctime_s = (int64_t)f->mtime;
	e->size = PART;
	memcpy(e->file_id, f->id, ID_SHORT);
	e->extents = &f->extent;
	e->nextents = 1;
}

static void
fill_big(const struct model *m, struct entry *e)
{
	memset(e, 0, sizeof(*e));
	e->path = "zz";
	e->path_len = 2;
	e->type = ENTRY_FILE;
	e->mode = 0600;
	e->nlink = 1;
	e->size = SEGMENTS * SEGMENT_SIZE;
	e->segments = m->segments;
	e->nsegments = SEGMENTS;
}

/* Every entry of the model, in order. */
static size_t
each_entry(const struct model *m, void (*fn)(void *arg, const struct entry *), void *arg)
{
	struct entry e;
	char path[32];
	size_t n = 1;

	for (unsigned d = 0; d < FOLDERS; d++) {
		fill_folder(d, path, &e);
		fn(arg, &e);
		n++;
		for (unsigned i = 0; i < FILES; i++)
			if (m->files[d][i].present) {
				fill_file(m, d, i, path, &e);
				fn(arg, &e);
				n++;
			}
	}
	fill_big(m, &e);
	fn(arg, &e);
	return n;
}

static void
write_entry(void *arg, const struct entry *e)
{
	struct error err;

	CHECK_OK(catalog_writer_add(arg, e, &err), &err);
}

static void
read_entry(void *arg, const struct entry *want)
{
	struct entry got;
	struct error err;
	int r;

	r = catalog_reader_next(arg, &got, &err);
	CHECK_OK(r, &err);
	CHECK_INT(r, 1);
	CHECK_INT(got.path_len, want->path_len);
	CHECK_MEM(got.path, want->path, want->path_len);
	CHECK(entry_same_metadata(&got, want));
	CHECK_INT(got.ino, want->ino);
	CHECK_INT(got.nextents, want->nextents);
	CHECK_INT(got.nsegments, want->nsegments);
	for (size_t i = 0; i < got.nsegments; i++)
		CHECK(frame_ref_equal(&got.segments[i], &want->segments[i]));
	if (got.nextents == 1) {
		CHECK(frame_ref_equal(&got.extents->frame, &want->extents->frame));
		CHECK_MEM(got.file_id, want->file_id, ID_SHORT);
	}
}

/* ---- the packlist, counted from the beginning ---- */

static void
count_entry(void *arg, const struct entry *e)
{
	struct error err;

	for (size_t i = 0; i < e->nextents; i++)
		CHECK_OK(packlist_add(arg, &e->extents[i].frame, e->extents[i].len, &err), &err);
}

struct comparison {
	struct packlist *want;
	size_t seen;
};

static int
compare_pack(void *arg, const struct packlist_pack *got, struct error *err)
{
	struct comparison *c = arg;
	struct packlist_pack want;

	(void)err;
	CHECK(packlist_find(c->want, got->kind, got->session, got->seq, &want));
	CHECK_INT(got->live, want.live);
	CHECK(got->object_len > 200);
	c->seen++;
	return 0;
}

static void
check_packlist(const struct model *m, const struct snapshot *snap)
{
	struct comparison c = {0};
	const struct packlist_session *p;
	struct error err;

	CHECK_OK(packlist_new(&c.want, &err), &err);
	for (size_t i = 0; (p = packlist_session_at(snap->packlist, i)) != NULL; i++)
		CHECK_OK(packlist_add_session(c.want, p, &err), &err);
	(void)each_entry(m, count_entry, c.want);
	for (size_t i = 0; i < SEGMENTS; i++) {
		CHECK_OK(packlist_add(c.want, &m->segments[i], m->segments[i].plen, &err), &err);
		for (size_t k = 0; k < 4; k++)
			if (m->big[i][k].kind == EXTENT_DATA)
				CHECK_OK(packlist_add(c.want, &m->big[i][k].frame, m->big[i][k].len, &err), &err);
	}
	for (size_t i = 0; i < snap->root.nblocks; i++)
		CHECK_OK(
		    packlist_add(c.want, &snap->root.blocks[i].frame, snap->root.blocks[i].frame.plen, &err), &err);
	CHECK_OK(packlist_each(snap->packlist, compare_pack, &c, &err), &err);
	CHECK_INT(c.seen, packlist_count(c.want));
	packlist_free(c.want);
}

static void
check_snapshot(const struct model *m, struct snapshot *snap, size_t entries)
{
	struct catalog_reader *reader;
	struct entry e;
	struct error err;

	CHECK_INT(snap->root.entries, entries);
	CHECK_INT(snap->manifest.statistics.entries, entries);
	CHECK_OK(catalog_reader_new(snap, 0, &reader, &err), &err);
	(void)each_entry(m, read_entry, reader);
	CHECK_INT(catalog_reader_next(reader, &e, &err), 0);
	catalog_reader_free(reader);
	check_packlist(m, snap);
}

/* ---- rounds ---- */

/* One export: rarity of changes (0: none), and whether a segment changes.  Returns how many blocks the base has too. */
static size_t
run_round(struct model *m, unsigned rarity, bool segment, struct dedup *dedup)
{
	struct round r = {0};
	struct manifest manifest = {0};
	struct snapshot *snap;
	struct error err;
	size_t entries, same = 0;

	world_session(&m->w, m->base, &options, &r.job, &r.s);
	CHECK_OK(packer_new(r.s, 'p', 1, &r.packer, &err), &err);
	CHECK_OK(catalog_writer_new(r.s, m->w.keys, m->base, dedup, &r.writer, &err), &err);
	mutate(m, &r, rarity);
	for (unsigned i = 0; i < SEGMENTS; i++)
		change_segment(m, &r, i, segment && i == m->sequence % SEGMENTS);
	CHECK_OK(packer_flush(r.packer, &err), &err);
	entries = each_entry(m, write_entry, r.writer);
	CHECK_OK(catalog_writer_finish(r.writer, &manifest, &err), &err);
	session_totals(r.s, &m->totals);
	m->sequence++;
	atomic_fetch_add(&world_now, 10);
	world_commit(&m->w, r.s, m->sequence, &manifest);
	catalog_writer_free(r.writer);
	packer_free(r.packer);
	session_end(r.s, true);
	CHECK_OK(job_wait(r.job, &err), &err);
	session_free(r.s);
	job_free(r.job);
	CHECK_INT(world_count(&m->w, "i"), 0);

	CHECK_OK(snapshot_open(m->w.volume, &manifest, &snap, &err), &err);
	check_snapshot(m, snap, entries);
	for (size_t i = 0; m->base != NULL && i < snap->root.nblocks; i++)
		for (size_t k = 0; k < m->base->root.nblocks; k++)
			same += frame_ref_equal(&snap->root.blocks[i].frame, &m->base->root.blocks[k].frame);
	if (m->base != NULL && rarity == 0 && !segment) {
		CHECK_INT(snap->manifest.nroot, m->base->manifest.nroot);
		CHECK(frame_ref_equal(&snap->manifest.root[0], &m->base->manifest.root[0]));
		CHECK(frame_ref_equal(&snap->manifest.packlist[0], &m->base->manifest.packlist[0]));
	}
	snapshot_free(m->base);
	m->base = snap;
	return same;
}

static void
test_chain(void)
{
	static struct model m = {.random = 1};
	size_t blocks, same;

	world_open(&m.w);
	(void)run_round(&m, 1, false, NULL);
	blocks = m.base->root.nblocks;
	CHECK(blocks >= 4);
	CHECK(m.totals.objects >= 3);

	/* Nothing changed: nothing stored. */
	same = run_round(&m, 0, false, NULL);
	CHECK_INT(same, blocks);
	CHECK_INT(m.totals.objects, 0);

	/* Hardly anything: most blocks are the same. */
	same = run_round(&m, FOLDERS * FILES, true, NULL);
	CHECK(same >= 1 && same < m.base->root.nblocks);

	for (unsigned i = 0; i < 8; i++)
		(void)run_round(&m, i % 3 == 0 ? 20 : 3000, i % 2 == 0, NULL);
	snapshot_free(m.base);
	world_close(&m.w);
}

/* An entry that needs a block of its own, and names of all lengths. */
static void
test_huge_entry(void)
{
	enum { EXTENTS = 60000, SOME = 25000, SMALL = 40, MANY = 240000 };
	static struct extent extents[EXTENTS];
	static char path[SMALL][32];
	struct round r = {0};
	struct manifest manifest = {0};
	struct snapshot *snap;
	struct catalog_reader *reader;
	struct session_options large = options;
	struct entry e = {.type = ENTRY_FOLDER, .mode = 0755, .nlink = 1, .path = ""}, got;
	struct frame_ref *segments;
	struct world w;
	struct error err;
	uint64_t random = 3;

	large.pack_size = 16 * 1024 * 1024;
	world_begin(&w, &large, &r.job, &r.s);
	CHECK_OK(catalog_writer_new(r.s, w.keys, NULL, NULL, &r.writer, &err), &err);
	CHECK_OK(packer_new(r.s, 'p', 1, &r.packer, &err), &err);
	CHECK_OK(catalog_writer_add(r.writer, &e, &err), &err);
	for (size_t i = 0; i < EXTENTS; i++) {
		uint8_t plain[9], id[ID_LEN];

		world_fill(&random, plain, sizeof(plain));
		CHECK_OK(packer_id(r.packer, FRAME_DATA, plain, sizeof(plain), id, &err), &err);
		extents[i] = (struct extent){.kind = EXTENT_DATA, .len = sizeof(plain)};
		CHECK_OK(
		    packer_add(r.packer, FRAME_DATA, id, plain, sizeof(plain), 0, 0, &extents[i].frame, &err), &err);
	}
	CHECK_OK(packer_flush(r.packer, &err), &err);
	for (size_t i = 0; i < SMALL; i++) {
		e = (struct entry){.type = ENTRY_FILE, .mode = 0644, .nlink = 1, .path = path[i]};
		e.path_len = (size_t)snprintf(path[i], sizeof(path[i]), "f%03zu", i);
		if (i % 4 == 1) {
			e.extents = extents;
			e.nextents = EXTENTS;
			e.size = EXTENTS * 9;
			CHECK_OK(catalog_writer_account(r.writer, extents, EXTENTS, &err), &err);
		}
		CHECK_OK(catalog_writer_add(r.writer, &e, &err), &err);
	}
	/* Out of order. */
	CHECK_INT(catalog_writer_add(r.writer, &e, &err), ERR_USAGE);
	/* Together these two are too much for a frame. */
	e = (struct entry){.type = ENTRY_FILE,
	    .mode = 0644,
	    .nlink = 1,
	    .path = "g",
	    .path_len = 1,
	    .extents = extents,
	    .nextents = SOME,
	    .size = SOME * 9};
	CHECK_OK(catalog_writer_account(r.writer, extents, SOME, &err), &err);
	CHECK_OK(catalog_writer_add(r.writer, &e, &err), &err);
	segments = calloc(MANY, sizeof(segments[0]));
	CHECK(segments != NULL);
	for (uint32_t i = 0; i < MANY; i++) {
		segments[i] = (struct frame_ref){.seq = 1 + i / 1000,
		    .ordinal = i % 1000,
		    .offset = 200000000,
		    .clen = 3000000,
		    .plen = 4000000,
		    .type = FRAME_SEGMENT};
		memcpy(segments[i].session, session_id(r.s), SESSION_ID_LEN);
		world_fill(&random, segments[i].id, ID_SHORT);
	}
	e = (struct entry){.type = ENTRY_FILE,
	    .mode = 0644,
	    .nlink = 1,
	    .path = "h",
	    .path_len = 1,
	    .segments = segments,
	    .nsegments = MANY,
	    .size = MANY * SEGMENT_SIZE};
	CHECK_OK(catalog_writer_add(r.writer, &e, &err), &err);
	free(segments);
	CHECK_OK(catalog_writer_finish(r.writer, &manifest, &err), &err);
	world_commit(&w, r.s, 1, &manifest);
	CHECK_OK(snapshot_open(w.volume, &manifest, &snap, &err), &err);
	CHECK(snap->root.nblocks >= 9);
	CHECK_OK(catalog_reader_new(snap, 2, &reader, &err), &err);
	for (size_t i = 0; i < 1 + SMALL; i++) {
		CHECK_INT(catalog_reader_next(reader, &got, &err), 1);
		CHECK_INT(got.nextents, i > 0 && (i - 1) % 4 == 1 ? EXTENTS : 0);
	}
	CHECK_INT(catalog_reader_next(reader, &got, &err), 1);
	CHECK_INT(got.nextents, SOME);
	CHECK_INT(catalog_reader_next(reader, &got, &err), 1);
	CHECK_INT(got.nsegments, MANY);
	CHECK_INT(catalog_reader_next(reader, &got, &err), 0);
	catalog_reader_free(reader);
	snapshot_free(snap);
	catalog_writer_free(r.writer);
	packer_free(r.packer);
	world_end(&w, r.job, r.s);
}

/* What is a minute old is handed over, so that a killed export does not lose it. */
static void
test_flush(void)
{
	struct extent hole = {.kind = EXTENT_HOLE, .len = 5000};
	struct entry e = {.type = ENTRY_FOLDER, .mode = 0755, .nlink = 1, .path = ""};
	struct frame_ref ref;
	struct round r = {0};
	struct world w;
	struct error err;
	bool same;

	world_begin(&w, &options, &r.job, &r.s);
	CHECK_OK(catalog_writer_new(r.s, w.keys, NULL, NULL, &r.writer, &err), &err);
	CHECK_OK(catalog_writer_segment(r.writer, &hole, 1, NULL, &ref, &same, &err), &err);
	CHECK_OK(session_drain(r.s, &err), &err);
	CHECK_INT(world_count(&w, "m"), 0);
	atomic_fetch_add(&world_now, 61);
	CHECK_OK(catalog_writer_add(r.writer, &e, &err), &err);
	CHECK_OK(session_drain(r.s, &err), &err);
	CHECK_INT(world_count(&w, "m"), 1);
	catalog_writer_free(r.writer);
	world_end(&w, r.job, r.s);
}

/* A pack that was full has gone by itself: the minute is that of the next one. */
static void
test_flush_after_full(void)
{
	struct extent hole = {.kind = EXTENT_HOLE, .len = 5000};
	struct frame_ref first, ref = {0};
	struct round r = {0};
	struct world w;
	struct error err;
	bool same;

	world_begin(&w, &options, &r.job, &r.s);
	CHECK_OK(catalog_writer_new(r.s, w.keys, NULL, NULL, &r.writer, &err), &err);
	CHECK_OK(catalog_writer_segment(r.writer, &hole, 1, NULL, &first, &same, &err), &err);
	atomic_fetch_add(&world_now, 59);
	do {
		hole.len++;
		CHECK_OK(catalog_writer_segment(r.writer, &hole, 1, NULL, &ref, &same, &err), &err);
	} while (ref.seq == first.seq);
	atomic_fetch_add(&world_now, 59);
	CHECK_OK(catalog_writer_segment(r.writer, &hole, 1, NULL, &ref, &same, &err), &err);
	CHECK_OK(session_drain(r.s, &err), &err);
	CHECK_INT(world_count(&w, "m"), 1);
	atomic_fetch_add(&world_now, 1);
	hole.len++;
	CHECK_OK(catalog_writer_segment(r.writer, &hole, 1, NULL, &ref, &same, &err), &err);
	CHECK_OK(session_drain(r.s, &err), &err);
	CHECK_INT(world_count(&w, "m"), 2);
	catalog_writer_free(r.writer);
	world_end(&w, r.job, r.s);
}

int
main(void)
{
	(void)alarm(60);
	test_chain();
	test_huge_entry();
	test_flush();
	test_flush_after_full();
	return 0;
}
