/* The two memories of hard links: the walk's inode numbers, and the recorder's content. */
#include <unistd.h>

#include "check.h"
#include "cleanup.h"
#include "record.h"
#include "scan.h"

/* ---- links_see() against a plain array ---- */

#define INODES 4000

static void
test_see_model(void)
{
	static uint32_t left[INODES];
	uint64_t state = 3;
	struct links *l;
	struct error err;
	uint32_t further;

	CHECK_OK(links_new(&l, &err), &err);
	for (int i = 0; i < 300000; i++) {
		size_t k = check_random(&state) % INODES;
		/* Clusters: close numbers, far numbers, multiples. */
		uint64_t ino = k % 3 == 0 ? k : k % 3 == 1 ? k << 40 : k * 65536;
		struct entry e = {.type = ENTRY_FILE,
		    .ino = ino * 8 + k % 3,
		    .nlink = 2 + (uint32_t)(check_random(&state) % 5),
		    .size = k};
		enum links_answer got = links_see(l, &e, false, &further);

		if (left[k] == 0) {
			CHECK_INT(got, LINKS_FIRST);
			left[k] = e.nlink - 1;
		} else {
			CHECK_INT(got, LINKS_FURTHER);
			left[k]--;
		}
		CHECK_INT(further, left[k]);
	}
	links_free(l);
}

/* What is kept for all of them, and what at least for one. */
#define REMEMBERED (8u << 20)

/* Bounded; each file whose last link was seen makes room for one. */
static void
test_see_count(void)
{
	struct links *l;
	struct error err;
	uint32_t further;
	struct entry e = {.type = ENTRY_FILE, .nlink = 2};
	uint64_t accepted = 0;

	CHECK_OK(links_new(&l, &err), &err);
	while (e.ino = accepted + 1, links_see(l, &e, false, &further) == LINKS_FIRST)
		accepted++;
	CHECK(accepted > 1000 && accepted <= REMEMBERED / 256);
	CHECK_INT(links_see(l, &e, false, &further), LINKS_ALONE);
	e.ino = 5;
	CHECK_INT(links_see(l, &e, false, &further), LINKS_FURTHER);
	e.ino = 1000000;
	CHECK_INT(links_see(l, &e, false, &further), LINKS_FIRST);
	e.ino = 5;
	CHECK_INT(links_see(l, &e, false, &further), LINKS_ALONE);
	/* All others are still known. */
	for (uint64_t i = 1; i <= accepted; i++) {
		e.ino = i;
		if (i != 5)
			CHECK_INT(links_see(l, &e, false, &further), LINKS_FURTHER);
	}
	/* And forgotten: everything is there again. */
	e.ino = 1000000;
	CHECK_INT(links_see(l, &e, false, &further), LINKS_FURTHER);
	for (uint64_t i = 1; i <= accepted; i++) {
		e.ino = i + 7777777;
		CHECK_INT(links_see(l, &e, false, &further), LINKS_FIRST);
	}
	links_free(l);
}

/* What is remembered of large files is bounded, too. */
static void
test_see_bytes(void)
{
	struct links *l;
	struct error err;
	uint32_t further;
	struct entry e = {.type = ENTRY_FILE, .nlink = 3, .size = SEGMENT_SIZE};
	size_t accepted = 0;

	CHECK_OK(links_new(&l, &err), &err);
	e.size = SEGMENT_SIZE + 1;
	CHECK_INT(links_see(l, &e, false, &further), LINKS_ALONE);
	e.size = ENTRY_SIZE_MAX;
	CHECK_INT(links_see(l, &e, false, &further), LINKS_ALONE);
	e.size = SEGMENT_SIZE;
	while (e.ino = accepted + 1, links_see(l, &e, false, &further) == LINKS_FIRST)
		accepted++;
	CHECK(accepted > 0 && accepted <= REMEMBERED / (SEGMENT_SIZE / CHUNK_FIXED * sizeof(struct extent)));
	e.ino = 1;
	CHECK_INT(links_see(l, &e, false, &further), LINKS_FURTHER);
	e.ino = 1000;
	CHECK_INT(links_see(l, &e, false, &further), LINKS_ALONE);
	CHECK_INT(further, 0);
	e.ino = 1;
	CHECK_INT(links_see(l, &e, false, &further), LINKS_FURTHER);
	e.ino = 1000;
	CHECK_INT(links_see(l, &e, false, &further), LINKS_FIRST);
	/* Nobody else links to it: nothing is remembered. */
	e = (struct entry){.type = ENTRY_FILE, .nlink = 1, .ino = 500};
	CHECK_INT(links_see(l, &e, false, &further), LINKS_ALONE);
	CHECK_INT(links_see(l, &e, false, &further), LINKS_ALONE);
	links_free(l);
	links_free(NULL);
}

/* A sparse file may have a hole in every page. */
static void
test_see_sparse(void)
{
	struct links *l;
	struct error err;
	uint32_t further;
	struct entry e = {.type = ENTRY_FILE, .nlink = 2, .size = 100u << 20};
	size_t accepted = 0;

	CHECK_OK(links_new(&l, &err), &err);
	while (e.ino = accepted + 1, links_see(l, &e, true, &further) == LINKS_FIRST)
		accepted++;
	CHECK(accepted > 0 && accepted <= REMEMBERED / (e.size / 4096 * sizeof(struct extent)));
	links_free(l);
}

/* A number that belongs to another file by now gives no link to the old one. */
static void
test_see_other(void)
{
	struct links *l;
	struct error err;
	uint32_t further;
	struct entry e = {.type = ENTRY_FILE, .nlink = 3, .ino = 9, .ctime_s = 1, .ctime_ns = 5};

	CHECK_OK(links_new(&l, &err), &err);
	CHECK_INT(links_see(l, &e, false, &further), LINKS_FIRST);
	e.ctime_ns = 6;
	CHECK_INT(links_see(l, &e, false, &further), LINKS_OTHER);
	e.ctime_ns = 5;
	e.ctime_s = 2;
	CHECK_INT(links_see(l, &e, false, &further), LINKS_OTHER);
	e.ctime_s = 1;
	CHECK_INT(links_see(l, &e, false, &further), LINKS_FURTHER);
	CHECK_INT(links_see(l, &e, false, &further), LINKS_FURTHER);
	CHECK_INT(links_see(l, &e, false, &further), LINKS_FIRST);
	links_free(l);
}

/* ---- remembered ---- */

static void
test_remembered(void)
{
	struct remembered *t;
	struct error err;
	struct extent x[2] = {{.kind = EXTENT_HOLE, .len = 5}, {.kind = EXTENT_DATA, .len = 7}};
	struct entry e = {
	    .type = ENTRY_FILE, .nlink = 3, .path = "a/b", .path_len = 3, .size = 12, .extents = x, .nextents = 2};
	const struct entry *got;
	bool without = true;

	CHECK_OK(remembered_new(&t, &err), &err);
	CHECK(remembered_get(t, 1, &without) == NULL);
	CHECK_OK(remembered_put(t, 1, &e, 2, &err), &err);
	x[0].len = 99; /* it has a copy */
	e.size = 1;
	CHECK_OK(remembered_put(t, 1, &e, 2, &err), &err); /* the first one stays */
	got = remembered_get(t, 1, &without);
	CHECK(!without);
	CHECK(got != NULL && got->size == 12 && got->nextents == 2 && got->extents[0].len == 5);
	got = remembered_get(t, 1, &without);
	CHECK(got != NULL && got->extents[1].len == 7);
	CHECK_MEM(got->path, "a/b", 3);
	CHECK(remembered_get(t, 1, &without) == NULL);
	remembered_free(t);
	remembered_free(NULL);
}

static void
test_remembered_model(void)
{
	static struct {
		uint32_t left;
		uint64_t size;
	} model[1000];
	struct remembered *t;
	struct error err;
	uint64_t state = 11;
	bool without;

	CHECK_OK(remembered_new(&t, &err), &err);
	for (int i = 0; i < 60000; i++) {
		size_t k = check_random(&state) % COUNT_OF(model);
		uint64_t ino = (k + 1) * UINT64_C(0x100000001);

		if (check_random(&state) % 3 == 0) {
			struct entry e = {.type = ENTRY_FILE,
			    .nlink = 2 + (uint32_t)(check_random(&state) % 3),
			    .path = "p",
			    .path_len = 1,
			    .size = check_random(&state)};

			CHECK_OK(remembered_put(t, ino, &e, e.nlink - 1, &err), &err);
			if (model[k].left == 0) {
				model[k].left = e.nlink - 1;
				model[k].size = e.size;
			}
		} else {
			const struct entry *got = remembered_get(t, ino, &without);

			CHECK((got != NULL) == (model[k].left > 0));
			if (got == NULL)
				continue;
			CHECK(got->size == model[k].size);
			model[k].left--;
		}
	}
	remembered_free(t);
}

int
main(void)
{
	(void)alarm(60);
	test_see_model();
	test_see_count();
	test_see_bytes();
	test_see_sparse();
	test_see_other();
	test_remembered();
	test_remembered_model();
	return 0;
}
