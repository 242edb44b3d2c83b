/* Items of an export: arenas, deep copies, pieces, stretches and their disposal. */
#include "large.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "check.h"
#include "cleanup.h"

static struct error err;

static void
test_arena(void)
{
	struct arena a = {0};
	uint64_t state = 1;
	struct {
		uint8_t *at;
		size_t len;
	} parts[2000];
	size_t used = 0;

	arena_free(&a); /* an empty one */
	for (size_t i = 0; i < COUNT_OF(parts); i++) {
		parts[i].len = i % 100 == 0 ? 100000 : check_random(&state) % 200;
		parts[i].at = arena_alloc(&a, parts[i].len);
		CHECK(parts[i].at != NULL);
		CHECK_INT((uintptr_t)parts[i].at % 8, 0);
		memset(parts[i].at, (int)(i & 0xFF), parts[i].len);
		used += (parts[i].len + 7) / 8 * 8;
	}
	CHECK_INT(a.used, used);
	for (size_t i = 0; i < COUNT_OF(parts); i++)
		for (size_t k = 0; k < parts[i].len; k++)
			CHECK_INT(parts[i].at[k], i & 0xFF);
	CHECK_MEM(arena_copy(&a, "hello", 5), "hello", 5);
	CHECK(arena_copy(&a, NULL, 0) != NULL);
	arena_free(&a);
	CHECK(a.blocks == NULL && a.used == 0 && a.left == 0);
}

static void
test_copy(void)
{
	struct arena a = {0};
	struct extent x[3] = {
	    {.kind = EXTENT_HOLE, .len = 1}, {.kind = EXTENT_ZEROS, .len = 2}, {.kind = EXTENT_DATA, .len = 3}};
	struct frame_ref s[2] = {{.seq = 1}, {.seq = 2}};
	char path[] = "a/path", link[] = "target";
	uint8_t xattrs[] = {1, 2, 3};
	struct entry e = {.path = path,
	    .path_len = 6,
	    .type = ENTRY_FILE,
	    .mode = 0640,
	    .nlink = 2,
	    .ino = 77,
	    .size = 6,
	    .link = link,
	    .link_len = 6,
	    .xattrs = xattrs,
	    .xattrs_len = 3,
	    .extents = x,
	    .nextents = 3,
	    .segments = s,
	    .nsegments = 2};
	struct entry got, bare = {.path = "", .type = ENTRY_FOLDER, .nlink = 1};

	CHECK_OK(item_copy_entry(&a, &e, &got, &err), &err);
	memset(path, 'x', 6);
	memset(link, 'x', 6);
	memset(xattrs, 9, 3);
	memset(x, 9, sizeof(x));
	memset(s, 9, sizeof(s));
	CHECK_STR(got.path, "a/path");
	CHECK_MEM(got.link, "target", 6);
	CHECK_INT(got.xattrs[2], 3);
	CHECK_INT(got.extents[2].len, 3);
	CHECK_INT(got.segments[1].seq, 2);
	CHECK(got.ino == 77 && got.mode == 0640 && got.nextents == 3 && got.nsegments == 2);
	CHECK_OK(item_copy_entry(&a, &bare, &got, &err), &err);
	CHECK_STR(got.path, "");
	CHECK(got.link == NULL && got.xattrs == NULL && got.extents == NULL && got.segments == NULL);
	arena_free(&a);
}

/* Against a model that writes every byte's kind down. */
static void
test_piece(void)
{
	struct piece p = {0};
	uint64_t state = 5, total = 0, sum = 0;
	uint8_t kinds[3] = {EXTENT_DATA, EXTENT_HOLE, EXTENT_ZEROS}, last = 255;
	size_t expected = 0;

	for (int i = 0; i < 5000; i++) {
		struct extent x = {.kind = kinds[check_random(&state) % 3],
		    .len = 1 + check_random(&state) % 1000,
		    .frame = {.ordinal = (uint32_t)i}};

		expected += x.kind == EXTENT_DATA || x.kind != last;
		last = x.kind;
		total += x.len;
		CHECK_OK(piece_add(&p, &x, &err), &err);
	}
	CHECK_INT(p.count, expected);
	CHECK(p.capacity >= p.count);
	for (size_t i = 0; i < p.count; i++) {
		sum += p.extents[i].len;
		if (i > 0 && p.extents[i].kind != EXTENT_DATA)
			CHECK(p.extents[i].kind != p.extents[i - 1].kind);
	}
	CHECK_INT(sum, total);
	free(p.extents);
}

static void
test_stretches(void)
{
	static const uint64_t sizes[] = {CHUNK_BUNDLED, CHUNK_PIECE - 1, CHUNK_PIECE, CHUNK_PIECE + 1, SEGMENT_SIZE - 1,
	    SEGMENT_SIZE, SEGMENT_SIZE + 1, 2 * SEGMENT_SIZE, 3 * SEGMENT_SIZE + CHUNK_PIECE + 5};

	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		size_t count = (size_t)((sizes[i] + SEGMENT_SIZE - 1) / SEGMENT_SIZE);
		struct item *items[8];
		struct large *f;
		uint64_t sum = 0;

		CHECK_OK(large_new(&f, &err), &err);
		f->item.entry.size = sizes[i];
		for (size_t k = 0; k < count; k++) {
			struct stretch *s;

			CHECK_OK(item_new_stretch(f, k, &items[k], &err), &err);
			s = items[k]->stretch;
			CHECK(items[k]->batch == NULL && s->file == f);
			CHECK_INT(s->index, k);
			CHECK_INT(s->last, k + 1 == count);
			CHECK(s->len > 0 && s->len <= SEGMENT_SIZE && (s->last || s->len == SEGMENT_SIZE));
			CHECK_INT(s->npieces, (s->len + CHUNK_PIECE - 1) / CHUNK_PIECE);
			CHECK(s->npieces <= COUNT_OF(s->pieces));
			CHECK_INT(atomic_load(&s->pending), s->npieces);
			sum += s->len;
		}
		CHECK_INT(sum, sizes[i]);
		CHECK_INT(atomic_load(&f->refs), 1 + count);
		/* The file lives until the last one is gone, in any order. */
		large_unref(f);
		for (size_t k = 0; k < count; k++) {
			size_t which = (k + i) % count;

			if (which == 0) {
				struct extent x = {.kind = EXTENT_HOLE, .len = 1};

				CHECK_OK(piece_add(&items[which]->stretch->pieces[0], &x, &err), &err);
				items[which]->stretch->old_extents = malloc(sizeof(struct extent));
				items[which]->stretch->old_hash = malloc(10);
			}
			item_free(items[which]);
		}
	}
	large_unref(NULL);
	item_free(NULL);
}

static void
test_batch(void)
{
	struct item *it;

	CHECK_OK(item_new_batch(&it, &err), &err);
	CHECK(it->batch != NULL && it->stretch == NULL && it->batch->count == 0);
	for (size_t i = 0; i < BATCH_ENTRIES; i++) {
		struct entry e = {.path = "some/path", .path_len = 9, .nlink = 1, .type = ENTRY_FILE};
		struct item_entry *n = &it->batch->entries[it->batch->count];

		memset(n, 0, sizeof(*n));
		CHECK_OK(item_copy_entry(&it->batch->arena, &e, &n->entry, &err), &err);
		it->batch->count++;
	}
	item_free(it);
}

static void *
fail_thread(void *arg)
{
	for (unsigned i = 0; i < 1000; i++)
		large_fail(arg,
		    i % 3 == 0   ? LARGE_CHANGED
		    : i % 3 == 1 ? LARGE_OK
				 : LARGE_UNREADABLE,
		    i % 3 == 2 ? EIO : 0);
	return NULL;
}

/* The descriptor is closed with the last reference. */
static void
test_descriptor(void)
{
	struct item *it;
	struct large *f;
	int fds[2];
	char byte;

	CHECK_INT(pipe(fds), 0);
	CHECK_OK(large_new(&f, &err), &err);
	CHECK_INT(f->fd, -1);
	f->fd = fds[1];
	f->item.entry.size = 1;
	CHECK_OK(item_new_stretch(f, 0, &it, &err), &err);
	large_unref(f);
	CHECK_INT(write(fds[1], "x", 1), 1);
	item_free(it);
	CHECK_INT(read(fds[0], &byte, 1), 1);
	CHECK_INT(read(fds[0], &byte, 1), 0);
	(void)close(fds[0]);
}

static void
test_numbers(void)
{
	CHECK(item_ino(5, 1, 1) == 5);
	CHECK(item_ino(5, 2, 1) != 5);
	CHECK(item_ino(5, 2, 1) == item_ino(5, 2, 1));
	CHECK(item_ino(5, 2, 1) != item_ino(5, 3, 1));
	CHECK(item_ino(5, 2, 1) != item_ino(6, 2, 1));
}

static void
test_failures(void)
{
	struct large *f;
	pthread_t threads[4];

	CHECK_OK(large_new(&f, &err), &err);
	CHECK_INT(atomic_load(&f->failure), LARGE_OK);
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		CHECK_INT(pthread_create(&threads[i], NULL, fail_thread, f), 0);
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		CHECK_INT(pthread_join(threads[i], NULL), 0);
	CHECK_INT(atomic_load(&f->failure), LARGE_UNREADABLE);
	CHECK_INT(atomic_load(&f->errnum), EIO);
	large_fail(f, LARGE_CHANGED, 0);
	CHECK_INT(atomic_load(&f->failure), LARGE_UNREADABLE);
	large_unref(f);
}

int
main(void)
{
	(void)alarm(60);
	test_arena();
	test_copy();
	test_piece();
	test_stretches();
	test_batch();
	test_failures();
	test_descriptor();
	test_numbers();
	return 0;
}
