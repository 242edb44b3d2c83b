/*
 * The contract of store.h.
 */
#include "store_contract.h"

#include <stdatomic.h>

#include "buf.h"
#include "check.h"
#include "cleanup.h"
#include "job.h"
#include "store.h"

enum { WRITERS = 8, MANY = 1100 };

/* Keys of a listing, with a space behind each. */
int
store_collect(void *arg, const struct store_object *object, struct error *err)
{
	(void)err;
	CHECK(object->modified_s > 1000000000);
	buf_printf(arg, "%s:%" PRIu64 " ", object->key, object->size);
	return 0;
}

void
store_check_list(struct store *s, const char *prefix, const char *want)
{
	struct buf b = BUF_INIT(100000);
	struct error err;

	CHECK_OK(store_list(s, prefix, store_collect, &b, &err), &err);
	buf_u8(&b, 0);
	CHECK_STR((char *)b.data, want);
	buf_free(&b);
}

void
store_check_content(struct store *s, const char *key, const char *want)
{
	struct buf b = BUF_INIT(1000);
	struct error err;

	buf_put(&b, "+", 1);
	CHECK_OK(store_load(s, key, 1000, &b, &err), &err);
	CHECK_INT(b.len, strlen(want) + 1);
	CHECK_MEM(b.data + 1, want, strlen(want));
	buf_free(&b);
}

void
store_check_put(struct store *s, const char *key, const char *text)
{
	struct error err;

	CHECK_OK(store_put(s, key, text, strlen(text), &err), &err);
}

static void
contract_keys(struct store *s)
{
	static const char *const bad[] = {"", "/", "a/", "/a", "a//b", ".", "..", "a/./b", "a/../b", ".tmp.1.2", "a/.b",
	    "A", "a b", "a\n", "\xC3\xA4", "a\\b", "a:b"};
	char longest[514];
	uint64_t size;
	struct error err;

	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		CHECK_INT(store_put(s, bad[i], "x", 1, &err), ERR_USAGE);
		CHECK_INT(store_get(s, bad[i], 0, &size, 1, &err), ERR_USAGE);
		CHECK_INT(store_size(s, bad[i], &size, &err), ERR_USAGE);
		CHECK_INT(store_remove(s, bad[i], &err), ERR_USAGE);
	}
	CHECK_INT(store_list(s, "../", store_collect, NULL, &err), ERR_USAGE);
	CHECK_INT(store_list(s, "/", store_collect, NULL, &err), ERR_USAGE);
	CHECK_INT(store_list(s, ".t", store_collect, NULL, &err), ERR_USAGE);
	for (size_t i = 0; i < 513; i++)
		longest[i] = i % 200 == 199 ? '/' : 'k';
	longest[513] = '\0';
	CHECK_INT(store_put(s, longest, "x", 1, &err), ERR_USAGE);
	longest[512] = '\0';
	store_check_put(s, longest, "long");
	store_check_content(s, longest, "long");
	CHECK_OK(store_remove(s, longest, &err), &err);
}

static void
contract_objects(struct store *s)
{
	char bytes[8] = "";
	uint64_t size = 99;
	struct error err;
	struct buf b = BUF_INIT(4);

	store_check_put(s, "repo.json", "descriptor");
	store_check_put(s, "v/0/p/1/00000000", "pack");
	store_check_put(s, "v/0/p/1/00000001", "");
	CHECK_INT(store_put(s, "repo.json", "other", 5, &err), ERR_EXISTS);
	store_check_content(s, "repo.json", "descriptor");
	store_check_content(s, "v/0/p/1/00000001", "");
	CHECK_OK(store_size(s, "v/0/p/1/00000000", &size, &err), &err);
	CHECK_INT(size, 4);
	CHECK_OK(store_get(s, "repo.json", 2, bytes, 3, &err), &err);
	CHECK_STR(bytes, "scr");
	CHECK_OK(store_get(s, "repo.json", 10, bytes, 0, &err), &err);
	CHECK_OK(store_get(s, "v/0/p/1/00000001", 0, bytes, 0, &err), &err);
	CHECK_INT(store_get(s, "repo.json", 11, bytes, 0, &err), ERR_CORRUPT);
	CHECK_INT(store_get(s, "v/0/p/1/00000001", 1, bytes, 0, &err), ERR_CORRUPT);
	CHECK_INT(store_get(s, "repo.json", 8, bytes, 3, &err), ERR_CORRUPT);
	CHECK_INT(store_get(s, "repo.json", 100, bytes, 1, &err), ERR_CORRUPT);
	CHECK_INT(store_get(s, "repo.json", UINT64_MAX, bytes, 1, &err), ERR_CORRUPT);
	CHECK_INT(store_get(s, "repo.json", INT64_MAX, bytes, 1, &err), ERR_CORRUPT);
	/* Not there: no such name, no such folder, a folder, below an object. */
	static const char *const missing[] = {"repo.jso", "w/0", "v", "v/0/p", "repo.json/x"};
	for (size_t i = 0; i < COUNT_OF(missing); i++) {
		CHECK_INT(store_get(s, missing[i], 0, bytes, 1, &err), ERR_NOT_FOUND);
		CHECK_INT(store_size(s, missing[i], &size, &err), ERR_NOT_FOUND);
		CHECK_INT(store_load(s, missing[i], 10, &b, &err), ERR_NOT_FOUND);
		CHECK_OK(store_remove(s, missing[i], &err), &err);
	}
	/* Too long for the limit, and for the buffer. */
	CHECK_INT(store_load(s, "repo.json", 9, &b, &err), ERR_CORRUPT);
	CHECK_INT(store_load(s, "repo.json", 10, &b, &err), ERR_NOMEM);
	CHECK_INT(b.len, 0);
	buf_free(&b);
	CHECK_OK(store_remove(s, "v/0/p/1/00000000", &err), &err);
	CHECK_INT(store_size(s, "v/0/p/1/00000000", &size, &err), ERR_NOT_FOUND);
	store_check_put(s, "v/0/p/1/00000000", "new");
	CHECK_OK(store_remove(s, "v/0/p/1/00000000", &err), &err);
	CHECK_OK(store_remove(s, "v/0/p/1/00000001", &err), &err);
	CHECK_OK(store_remove(s, "repo.json", &err), &err);
	store_check_list(s, "", "");
}

static int
stop_at_second(void *arg, const struct store_object *object, struct error *err)
{
	int *calls = arg;

	(void)object;
	(void)err;
	return ++*calls == 2;
}

static int
fail_at_first(void *arg, const struct store_object *object, struct error *err)
{
	(void)arg;
	return error_set(err, ERR_DIFFERENT, "%s", object->key);
}

static int
remove_listed(void *arg, const struct store_object *object, struct error *err)
{
	return store_remove(arg, object->key, err);
}

static void
contract_list(struct store *s)
{
	/* '-' and '.' sort below '/', digits and letters above it. */
	static const char *const keys[] = {"b", "a0", "a/y", "a-b", "a.c", "a/x/1", "a_", "a/x/0", "a/x-", "ab/c"};
	int calls = 0;
	struct error err;

	for (size_t i = 0; i < COUNT_OF(keys); i++)
		store_check_put(s, keys[i], keys[i]);
	store_check_list(s, "", "a-b:3 a.c:3 a/x-:4 a/x/0:5 a/x/1:5 a/y:3 a0:2 a_:2 ab/c:4 b:1 ");
	store_check_list(s, "a", "a-b:3 a.c:3 a/x-:4 a/x/0:5 a/x/1:5 a/y:3 a0:2 a_:2 ab/c:4 ");
	store_check_list(s, "a/", "a/x-:4 a/x/0:5 a/x/1:5 a/y:3 ");
	store_check_list(s, "a/x", "a/x-:4 a/x/0:5 a/x/1:5 ");
	store_check_list(s, "a/x/1", "a/x/1:5 ");
	store_check_list(s, "a/x/1/", "");
	store_check_list(s, "ab", "ab/c:4 ");
	store_check_list(s, "abc", "");
	store_check_list(s, "c/d", "");
	store_check_list(s, "b/", "");
	CHECK_OK(store_list(s, "", stop_at_second, &calls, &err), &err);
	CHECK_INT(calls, 2);
	CHECK_INT(store_list(s, "", fail_at_first, NULL, &err), ERR_DIFFERENT);
	CHECK_STR(err.msg, "a-b");
	CHECK_OK(store_list(s, "", remove_listed, s, &err), &err);
	store_check_list(s, "", "");
}

struct race {
	struct store *s;
	const char *key;
	unsigned number;
	atomic_uint *won;
	atomic_uint *winner;
};

static void
race_put(void *arg)
{
	struct race *race = arg;
	char text[4096];
	struct error err;
	int r;

	memset(text, (int)('a' + race->number), sizeof(text));
	r = store_put(race->s, race->key, text, sizeof(text), &err);
	if (r == 0) {
		atomic_fetch_add(race->won, 1);
		atomic_store(race->winner, race->number);
	} else {
		CHECK_INT(r, ERR_EXISTS);
	}
	/* Whoever won: it is whole. */
	CHECK_OK(store_get(race->s, race->key, 0, text, sizeof(text), &err), &err);
	CHECK(memcmp(text, text + 1, sizeof(text) - 1) == 0);
}

static void
contract_race(struct store *s)
{
	for (unsigned round = 0; round < 10; round++) {
		struct race races[WRITERS];
		atomic_uint won = 0, winner = 0;
		char key[64], byte;
		struct error err;
		struct job *job;

		(void)snprintf(key, sizeof(key), "race/%u/object", round);
		CHECK_OK(job_new(&job, &err), &err);
		for (unsigned i = 0; i < WRITERS; i++) {
			races[i] = (struct race){s, key, i, &won, &winner};
			CHECK_OK(job_spawn(job, "race", race_put, &races[i], &err), &err);
		}
		CHECK_OK(job_wait(job, &err), &err);
		job_free(job);
		CHECK_INT(won, 1);
		CHECK_OK(store_get(s, key, 0, &byte, 1, &err), &err);
		CHECK_INT(byte, 'a' + winner);
		CHECK_OK(store_remove(s, key, &err), &err);
	}
}

static int
count_failed(void *arg, const char *key, const struct error *why, struct error *err)
{
	unsigned *calls = arg;

	(void)key;
	(void)why;
	(void)err;
	++*calls;
	return 0;
}

static void
contract_remove_many(struct store *s)
{
	static const char *const keys[] = {"nothing", "rm/1", "rm/2", "rm/nothing", "rm1/3"};
	static const char *const bad[] = {"rm1/4", "../x"};
	unsigned failed = 0;
	struct error err;

	store_check_put(s, "rm/1", "1");
	store_check_put(s, "rm/2", "2");
	store_check_put(s, "rm1/3", "3");
	store_check_put(s, "rm1/4", "4");
	CHECK_INT(store_remove_many(s, bad, COUNT_OF(bad), NULL, NULL, &err), ERR_USAGE);
	CHECK_OK(store_remove_many(s, keys, 0, NULL, NULL, &err), &err);
	CHECK_OK(store_remove_many(s, keys, COUNT_OF(keys), count_failed, &failed, &err), &err);
	CHECK_INT(failed, 0);
	store_check_list(s, "", "rm1/4:1 ");
	CHECK_OK(store_remove_many(s, bad, 1, NULL, NULL, &err), &err);
	store_check_list(s, "", "");
}

static void
contract_bulk(struct store *s)
{
	struct error err;

	CHECK_OK(store_put_bulk(s, "bulk/pack", "bulk", 4, &err), &err);
	CHECK_INT(store_put_bulk(s, "bulk/pack", "bulk", 4, &err), ERR_EXISTS);
	CHECK_INT(store_put(s, "bulk/pack", "bulk", 4, &err), ERR_EXISTS);
	store_check_content(s, "bulk/pack", "bulk");
	CHECK_OK(store_remove(s, "bulk/pack", &err), &err);
}

void
store_contract_without_races(struct store *s)
{
	contract_keys(s);
	contract_objects(s);
	contract_list(s);
	contract_remove_many(s);
	contract_bulk(s);
}

void
store_contract(struct store *s)
{
	store_contract_without_races(s);
	contract_race(s);
}

static int
count_object(void *arg, const struct store_object *object, struct error *err)
{
	unsigned *n = arg;
	char key[32];

	(void)err;
	(void)snprintf(key, sizeof(key), "many/%05u", *n);
	CHECK_STR(object->key, key);
	CHECK_INT(object->size, *n % 7);
	++*n;
	return 0;
}

void
store_contract_many(struct store *s)
{
	static char texts[MANY][32];
	const char *keys[MANY];
	unsigned seen = 0, failed = 0;
	struct error err;

	store_check_put(s, "manx", "before");
	for (unsigned i = 0; i < MANY; i++) {
		(void)snprintf(texts[i], sizeof(texts[i]), "many/%05u", i);
		keys[i] = texts[i];
		CHECK_OK(store_put(s, keys[i], "1234567", i % 7, &err), &err);
	}
	CHECK_OK(store_list(s, "many", count_object, &seen, &err), &err);
	CHECK_INT(seen, MANY);
	CHECK_OK(store_remove_many(s, keys, MANY, count_failed, &failed, &err), &err);
	CHECK_INT(failed, 0);
	store_check_list(s, "", "manx:6 ");
	CHECK_OK(store_remove(s, "manx", &err), &err);
}
