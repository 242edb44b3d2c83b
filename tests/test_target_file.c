/* Files under construction in the target of an import: parts in any order, by several threads, with few descriptors. */
#include "landing.h"

#include <pthread.h>
#include <unistd.h>

#include "check.h"
#include "cleanup.h"

static void
test_content(void)
{
	struct entry e = landing_entry(ENTRY_FILE, "d/file");
	struct target_file *f;
	struct target *t;
	struct error err;
	uint8_t want[100] = {0};

	t = landing_begin();
	/* A hole first, data, zeros, a hole last; parts in any order. */
	e.size = UINT64_C(1) << 33;
	CHECK_INT(landing_file(t, &e, 3, &f, &err), 2);
	CHECK_OK(target_file_write(f, (UINT64_C(1) << 32), "data", 4, &err), &err);
	CHECK_OK(target_file_done(f, &err), &err);
	CHECK_OK(target_file_zeros(f, 4096, 65536, &err), &err);
	CHECK_OK(target_file_done(f, &err), &err);
	CHECK_INT(target_file_write(f, e.size - 1, "xx", 2, &err), ERR_CORRUPT);
	CHECK_INT(target_file_zeros(f, UINT64_MAX, 2, &err), ERR_CORRUPT);
	CHECK_OK(target_file_done(f, &err), &err);
	CHECK_INT(landing_stat("root/d/file").st_size, e.size);
	CHECK(landing_stat("root/d/file").st_blocks * 512 >= 65536);
	CHECK(landing_stat("root/d/file").st_blocks * 512 < 1024 * 1024);
	/* Zeros to the end, and over what was written before. */
	e = landing_entry(ENTRY_FILE, "d/zeros");
	e.size = 100;
	CHECK_INT(landing_file(t, &e, 1, &f, &err), 2);
	CHECK_OK(target_file_zeros(f, 50, 50, &err), &err);
	CHECK_OK(target_file_write(f, 0, want, 50, &err), &err);
	CHECK_OK(target_file_done(f, &err), &err);
	landing_check("root/d/zeros", want, 100);
	/* Never written at all. */
	e = landing_entry(ENTRY_FILE, "d/hole");
	e.size = 100;
	CHECK_INT(landing_file(t, &e, 1, &f, &err), 2);
	CHECK_OK(target_file_done(f, &err), &err);
	landing_check("root/d/hole", want, 100);
	/* Given up: nothing stays, neither the file nor the name of its group. */
	e = landing_entry(ENTRY_FILE, "d/gone");
	e.size = 4;
	e.nlink = 2;
	CHECK_INT(landing_file(t, &e, 2, &f, &err), 2);
	CHECK_OK(target_file_write(f, 0, "xx", 2, &err), &err);
	target_file_abandon(f);
	CHECK(landing_exists("root/d/gone"));
	CHECK_OK(target_file_done(f, &err), &err);
	CHECK(!landing_exists("root/d/gone") && !landing_exists("root/" LANDING_MARKER "/new/7.1"));
	e.nlink = 1;
	CHECK_INT(landing_file(t, &e, 1, &f, &err), 2);
	target_file_abandon(f);
	target_file_abandon(NULL);
	CHECK(!landing_exists("root/d/gone"));
	landing_finish(t);
}

/* Many files at once, with few descriptors and several threads. */
#define MANY  64
#define PARTS 8
static struct target_file *many[MANY];

static void *
write_parts(void *arg)
{
	unsigned first = *(unsigned *)arg;
	struct error err;

	for (unsigned part = first; part < PARTS; part += 4)
		for (unsigned i = 0; i < MANY; i++) {
			uint8_t bytes[16];

			memset(bytes, (int)(i + part), sizeof bytes);
			CHECK_OK(target_file_write(many[i], part * 16, bytes, 16, &err), &err);
			CHECK_OK(target_file_done(many[i], &err), &err);
		}
	return NULL;
}

static void
test_few_descriptors(void)
{
	unsigned first[4] = {0, 1, 2, 3};
	pthread_t threads[4];
	struct target *t;
	struct error err;

	t = landing_begin();
	t->max_files = 3;
	for (unsigned i = 0; i < MANY; i++) {
		char path[16] = "";
		struct entry e = landing_entry(ENTRY_FILE, path);

		(void)snprintf(path, sizeof path, "d/%02u", i);
		e.path_len = strlen(path);
		e.size = 16 * PARTS;
		e.ino = i;
		e.nlink = i % 2 + 1;
		e.mode = 0444;
		CHECK_INT(landing_file(t, &e, PARTS, &many[i], &err), 2);
		CHECK(t->open_files <= 3);
	}
	for (unsigned i = 0; i < 4; i++)
		CHECK(pthread_create(&threads[i], NULL, write_parts, &first[i]) == 0);
	for (unsigned i = 0; i < 4; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	CHECK_INT(t->open_files, 0);
	landing_finish(t);
	for (unsigned i = 0; i < MANY; i++) {
		uint8_t want[16 * PARTS];
		char rel[32];

		for (unsigned j = 0; j < sizeof want; j++)
			want[j] = (uint8_t)(i + j / 16);
		(void)snprintf(rel, sizeof rel, "root/d/%02u", i);
		landing_check(rel, want, sizeof want);
		CHECK_INT(landing_stat(rel).st_mode & 07777, 0444);
	}
}

/* A file that was replaced while its descriptor was closed is not written to. */
static void
test_replaced(void)
{
	struct entry e = landing_entry(ENTRY_FILE, "a");
	struct target_file *a, *b;
	struct target *t;
	struct error err;

	landing_fresh();
	landing_put("outside/x", "");
	t = landing_open(false);
	t->max_files = 1;
	e.size = 4;
	CHECK_INT(landing_file(t, &e, 1, &a, &err), 2);
	CHECK_OK(target_file_write(a, 0, "xx", 2, &err), &err);
	e.path = "b";
	CHECK_INT(landing_file(t, &e, 1, &b, &err), 2);
	CHECK_OK(target_file_write(b, 0, "xx", 2, &err), &err);
	CHECK(unlink(landing_path("root/a")) == 0 && link(landing_path("outside/x"), landing_path("root/a")) == 0);
	CHECK_INT(target_file_write(a, 2, "xx", 2, &err), ERR_EXISTS);
	target_file_abandon(a);
	CHECK_OK(target_file_done(b, &err), &err);
	target_free(t);
	CHECK_INT(landing_stat("outside/x").st_size, 0);
}

int
main(void)
{
	static void (*const tests[])(void) = {test_content, test_few_descriptors, test_replaced};

	landing_tests("test_target_file", tests, COUNT_OF(tests));
	return 0;
}
