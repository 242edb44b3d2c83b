/* What the scan hands out: never more than fits into the places that there are. */
#include "scan.h"

#include <stdatomic.h>
#include <unistd.h>

#include "check.h"
#include "cleanup.h"
#include "job.h"
#include "large.h"

static atomic_size_t alive, peak;

static void
count_alive(size_t bytes)
{
	size_t now = atomic_fetch_add(&alive, bytes) + bytes, seen = atomic_load(&peak);

	while (now > seen && !atomic_compare_exchange_weak(&peak, &seen, now))
		;
}

/* ---- places ---- */

static void
test_places(void)
{
	struct places *p;
	struct job *job;
	struct error err;

	CHECK_INT(places_for(0), 1);
	CHECK_INT(places_for(BATCH_ATTRIBUTES), 1);
	CHECK_INT(places_for(BATCH_ATTRIBUTES + 1), 2);
	CHECK_INT(places_for(BATCH_ATTRIBUTES + PLACE_BYTES), 2);
	CHECK_INT(places_for(BATCH_ATTRIBUTES + 3 * PLACE_BYTES + 1), 5);
	CHECK_INT(places_for(SIZE_MAX / 2), PLACES);
	CHECK_OK(job_new(&job, &err), &err);
	CHECK_OK(places_new(job, &p, &err), &err);
	for (int i = 0; i < 3; i++) {
		CHECK(places_take(p, PLACES - 1) && places_take(p, 1));
		places_give_back(p, PLACES);
	}
	/* Whoever waits is woken. */
	CHECK(places_take(p, PLACES));
	(void)error_set(&err, ERR_CANCELLED, "enough");
	job_fail(job, &err);
	CHECK(!places_take(p, 1));
	job_free(job);
	places_free(p);
	places_free(NULL);
}

/* ---- batches ---- */

struct shape {
	const char *name;
	size_t nextents, nsegments, path_len;
	size_t count; /* entries */
};

static const struct shape shapes[] = {
    {"files", 1, 0, 40, 40000},
    {"long lists", ENTRY_EXTENTS_MAX, 0, 10, 150},
    {"middling lists", 3000, 0, 10, 1000},
    {"segments", 0, 100000, 10, 60},
    {"long paths", 0, 0, 100000, 1500},
};

struct run {
	struct export x;
	const struct shape *shape;
};

static void
make_entry(const struct shape *shape, struct entry *e)
{
	*e = (struct entry){.type = ENTRY_FILE, .nlink = 1};
	e->path = calloc(1, shape->path_len);
	e->path_len = shape->path_len;
	e->extents = calloc(shape->nextents + 1, sizeof *e->extents);
	e->nextents = shape->nextents;
	e->segments = calloc(shape->nsegments + 1, sizeof *e->segments);
	e->nsegments = shape->nsegments;
	CHECK(e->path != NULL && e->extents != NULL && e->segments != NULL);
}

static void
free_entry(struct entry *e)
{
	free((void *)(uintptr_t)e->path);
	free((void *)(uintptr_t)e->extents);
	free((void *)(uintptr_t)e->segments);
}

static void
hand_out(void *arg)
{
	struct run *run = arg;
	struct scan s = {.x = &run->x};
	struct entry e;
	struct error err;

	make_entry(run->shape, &e);
	for (size_t i = 0; i < run->shape->count; i++) {
		struct item_entry *ie;

		CHECK_OK(scan_slot(&s, item_entry_bytes(&e), 0, &ie, &err), &err);
		count_alive((s.batch->batch->count > 1 ? 0 : BATCH_ENTRIES * sizeof *ie) + item_entry_bytes(&e));
		CHECK_OK(item_copy_entry(&s.batch->batch->arena, &e, &ie->entry, &err), &err);
	}
	CHECK_OK(scan_flush(&s, &err), &err);
	queue_close(run->x.done);
	free_entry(&e);
}

/* A recorder that takes its time, so that all that may be handed out is. */
static size_t
take_all(struct run *run)
{
	size_t count = 0;
	struct item *it;

	while ((it = queue_pop(run->x.done)) != NULL) {
		size_t places = it->places, bytes = BATCH_ENTRIES * sizeof *it->batch->entries;

		(void)usleep(1000);
		for (size_t i = 0; i < it->batch->count; i++)
			bytes += item_entry_bytes(&it->batch->entries[i].entry);
		count += it->batch->count;
		item_free(it);
		(void)atomic_fetch_sub(&alive, bytes);
		places_give_back(run->x.places, places);
	}
	return count;
}

static void
test_batches(void)
{
	static const struct export_options options;

	for (size_t i = 0; i < COUNT_OF(shapes); i++) {
		struct run run = {.x = {.options = &options}, .shape = &shapes[i]};
		struct error err;

		atomic_store(&peak, 0);
		CHECK_OK(queue_new(4096, 1, &run.x.done, &err), &err);
		CHECK_OK(job_new(&run.x.job, &err), &err);
		CHECK_OK(job_attach(run.x.job, run.x.done, &err), &err);
		CHECK_OK(places_new(run.x.job, &run.x.places, &err), &err);
		CHECK_OK(job_spawn(run.x.job, "scan", hand_out, &run, &err), &err);
		CHECK_INT(take_all(&run), shapes[i].count);
		CHECK_OK(job_wait(run.x.job, &err), &err);
		if (atomic_load(&peak) > PLACES * (size_t)PLACE_BYTES) {
			(void)fprintf(stderr, "%s: %zu bytes at a time\n", shapes[i].name, atomic_load(&peak));
			abort();
		}
		CHECK_INT(atomic_load(&alive), 0);
		job_free(run.x.job);
		queue_free(run.x.done, NULL);
		places_free(run.x.places);
	}
}

/* ---- stretches ---- */

static void
test_stretch_bytes(void)
{
	struct entry old = {.type = ENTRY_FILE, .nextents = 10};
	struct large *f;
	struct error err;

	CHECK_OK(large_new(&f, &err), &err);
	f->item.entry.size = CHUNK_BUNDLED;
	CHECK_INT(places_for(large_stretch_bytes(f)), 1);
	f->item.entry.size = 100 * SEGMENT_SIZE;
	CHECK(large_stretch_bytes(f) >= SEGMENT_SIZE / CHUNK_MIN * sizeof(struct extent));
	CHECK(places_for(large_stretch_bytes(f)) <= PLACES / 8);
	f->sparse = true;
	CHECK(large_stretch_bytes(f) >= ENTRY_EXTENTS_MAX * sizeof(struct extent));
	f->item.old = &old;
	size_t with_few = large_stretch_bytes(f);

	old.nextents = ENTRY_EXTENTS_MAX;
	CHECK(large_stretch_bytes(f) >= with_few + (STRETCH_OLD_MAX - 10) * sizeof(struct extent));
	old = (struct entry){.type = ENTRY_FILE, .nsegments = 5};
	CHECK(large_stretch_bytes(f) >= with_few + (STRETCH_OLD_MAX - 10) * sizeof(struct extent));
	/* At least two at a time, so that no thread waits for the end of another's stretch. */
	CHECK(places_for(large_stretch_bytes(f)) <= PLACES / 2);
	large_unref(f);
}

int
main(void)
{
	(void)alarm(120);
	test_places();
	test_batches();
	test_stretch_bytes();
	return 0;
}
