/*
 * Repositories, volumes and snapshots on a store in memory that can be told to fail: they are made, found again, and
 * every kind of damage is told apart from a wrong key.
 */
#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "buf.h"
#include "check.h"
#include "cleanup.h"
#include "envelope.h"
#include "packlist.h"
#include "repo.h"
#include "store_fault.h"

#define NOW INT64_C(1732237323)

/* ---- a store that outlives the repositories that own it ---- */

struct shared {
	struct store store;
	struct store *inner;
};

static int
shared_put(struct store *s, const char *key, const void *bytes, size_t len, enum store_kind kind, struct error *err)
{
	struct store *inner = ((struct shared *)s)->inner;

	return inner->ops->put(inner, key, bytes, len, kind, err);
}

static int
shared_get(struct store *s, const char *key, uint64_t offset, void *bytes, size_t len, struct error *err)
{
	return store_get(((struct shared *)s)->inner, key, offset, bytes, len, err);
}

static int
shared_size(struct store *s, const char *key, uint64_t *out_size, struct error *err)
{
	return store_size(((struct shared *)s)->inner, key, out_size, err);
}

static int
shared_load(struct store *s, const char *key, size_t limit, struct buf *out, struct error *err)
{
	return store_load(((struct shared *)s)->inner, key, limit, out, err);
}

static int
shared_list(struct store *s, const char *prefix, store_list_fn *fn, void *arg, struct error *err)
{
	return store_list(((struct shared *)s)->inner, prefix, fn, arg, err);
}

static int
shared_remove(struct store *s, const char *key, struct error *err)
{
	return store_remove(((struct shared *)s)->inner, key, err);
}

static void
shared_free(struct store *s)
{
	free(s);
}

static const struct store_ops shared_ops = {
    .name = "shared",
    .put = shared_put,
    .get = shared_get,
    .size = shared_size,
    .load = shared_load,
    .list = shared_list,
    .remove = shared_remove,
    .free = shared_free,
};

static struct store *
share(struct store *inner)
{
	struct shared *s = calloc(1, sizeof(*s));

	CHECK(s != NULL);
	s->store.ops = &shared_ops;
	s->inner = inner;
	return &s->store;
}

/* ---- helpers ---- */

static struct secret passphrase, key_file, wrong_passphrase, wrong_key_file;

static void
make_secrets(void)
{
	passphrase.kind = wrong_passphrase.kind = SECRET_PASSPHRASE;
	passphrase.len = wrong_passphrase.len = 8;
	memcpy(passphrase.bytes, "open up!", 8);
	memcpy(wrong_passphrase.bytes, "shut up!", 8);
	key_file.kind = wrong_key_file.kind = SECRET_KEY_FILE;
	key_file.len = wrong_key_file.len = KEY_LEN;
	for (uint8_t i = 0; i < KEY_LEN; i++) {
		key_file.bytes[i] = i;
		wrong_key_file.bytes[i] = (uint8_t)(i + 1);
	}
}

static struct store *
new_store(void)
{
	struct store *mem, *fault;
	struct error err;

	CHECK_OK(store_mem_open(&mem, &err), &err);
	CHECK_OK(store_fault_new(mem, &fault, &err), &err);
	return fault;
}

static struct repo *
must_init(struct store *store, const struct secret *secret)
{
	struct repo *repo;
	struct error err;

	CHECK_OK(repo_init(share(store), secret, "test", 10, NOW, &repo, &err), &err);
	return repo;
}

static int
try_open(struct store *store, const struct secret *secret, struct error *err)
{
	struct repo *repo = NULL;
	int r = repo_open(share(store), secret, 1, &repo, err);

	CHECK((r == 0) == (repo != NULL));
	repo_free(repo);
	return r;
}

static int
note_key(void *arg, const struct store_object *object, struct error *err)
{
	(void)err;
	(void)snprintf(arg, 200, "%s", object->key);
	return 1;
}

static int
count_key(void *arg, const struct store_object *object, struct error *err)
{
	(void)object;
	(void)err;
	++*(size_t *)arg;
	return 0;
}

/* The first key below a prefix, "" for none. */
static const char *
first_key(struct store *store, const char *prefix)
{
	static char key[200];
	struct error err;

	key[0] = '\0';
	CHECK_OK(store_list(store, prefix, note_key, key, &err), &err);
	return key;
}

static size_t
count_keys(struct store *store, const char *prefix)
{
	size_t count = 0;
	struct error err;

	CHECK_OK(store_list(store, prefix, count_key, &count, &err), &err);
	return count;
}

static void
load(struct store *store, const char *key, struct buf *out)
{
	struct error err;

	buf_init(out, 1 << 20);
	CHECK_OK(store_load(store, key, 1 << 20, out, &err), &err);
}

static void
replace(struct store *store, const char *key, const void *bytes, size_t len)
{
	struct error err;

	CHECK_OK(store_remove(store, key, &err), &err);
	CHECK_OK(store_put(store, key, bytes, len, &err), &err);
}

/* Change the character behind the first occurrence of text; for hexadecimal members. */
static void
damage(struct store *store, const char *key, const char *text)
{
	CLEANUP(buf_free) struct buf b;
	uint8_t *at;

	load(store, key, &b);
	at = memmem(b.data, b.len, text, strlen(text));
	CHECK(at != NULL);
	at += strlen(text);
	*at = *at == '0' ? '1' : '0';
	replace(store, key, b.data, b.len);
}

static void
fail(struct store *store, unsigned ops, uint64_t nth, bool later, bool after, enum error_code code)
{
	const struct store_fault_plan plan = {ops, nth, later, after, code};

	store_fault_fail(store, &plan);
}

/* ---- repositories ---- */

static void
test_init_and_open(void)
{
	const struct secret *secrets[] = {&passphrase, &key_file};
	const struct secret *wrong[] = {&wrong_passphrase, &wrong_key_file};

	for (size_t i = 0; i < COUNT_OF(secrets); i++) {
		struct store *store = new_store();
		struct repo *repo, *again;
		struct secret both[2] = {*wrong[1 - i], *secrets[i]};
		struct error err;
		char id[40];

		CHECK_INT(try_open(store, secrets[i], &err), ERR_NO_REPOSITORY);
		repo = must_init(store, secrets[i]);
		CHECK_INT(strlen(repo_id(repo)), 32);
		(void)snprintf(id, sizeof(id), "%s", repo_id(repo));
		CHECK(repo_store(repo) != NULL);
		repo_free(repo);
		CHECK_INT(count_keys(store, ""), 2);
		CHECK_OK(repo_open(share(store), secrets[i], 1, &again, &err), &err);
		CHECK_STR(repo_id(again), id);
		repo_free(again);
		CHECK_INT(try_open(store, wrong[i], &err), ERR_WRONG_KEY);
		CHECK_INT(try_open(store, wrong[1 - i], &err), ERR_WRONG_KEY);
		CHECK_OK(repo_open(share(store), both, 2, &again, &err), &err);
		repo_free(again);
		CHECK_INT(repo_open(share(store), NULL, 0, &again, &err), ERR_WRONG_KEY);
		CHECK_INT(repo_init(share(store), secrets[i], "", 10, NOW, &again, &err), ERR_EXISTS);
		CHECK_INT(count_keys(store, ""), 2);
		store_free(store);
	}
}

static void
test_init_in_a_used_place(void)
{
	struct store *store = new_store();
	struct repo *repo;
	struct error err;

	CHECK_OK(store_put(store, "somebody/else", "x", 1, &err), &err);
	CHECK_INT(repo_init(share(store), &key_file, "", 10, NOW, &repo, &err), ERR_EXISTS);
	CHECK(strstr(err.msg, "somebody/else") != NULL);
	CHECK_INT(count_keys(store, ""), 1);
	store_free(store);
}

/* Whichever call fails: a repository that opens, or nothing at all, and honesty about which. */
static void
test_init_fails(void)
{
	for (int after = 0; after < 2; after++) {
		for (uint64_t n = 1;; n++) {
			struct store *store = new_store();
			struct repo *repo = NULL;
			struct error err;
			uint64_t calls;
			int r;

			fail(store, STORE_FAULT_ANY, n, false, after, ERR_UNAVAILABLE);
			r = repo_init(share(store), &key_file, "", 10, NOW, &repo, &err);
			calls = store_fault_count(store, STORE_FAULT_ANY);
			store_fault_fail(store, NULL);
			repo_free(repo);
			if (r == 0) {
				CHECK_INT(try_open(store, &key_file, &err), 0);
			} else {
				CHECK_INT(r, ERR_UNAVAILABLE);
				/* Either it can be done again, or what was written is whole. */
				if (count_keys(store, "") > 0)
					CHECK_INT(try_open(store, &key_file, &err), 0);
			}
			store_free(store);
			if (r == 0 && calls < n)
				break;
			CHECK(n < 100);
		}
	}
}

static void
test_lost_answer(void)
{
	struct store *store = new_store();
	struct repo *repo;
	struct error err;

	/* The second put is that of repo.json: it has worked, but nobody said so. */
	fail(store, STORE_FAULT_PUT, 2, false, true, ERR_UNAVAILABLE);
	CHECK_OK(repo_init(share(store), &key_file, "", 10, NOW, &repo, &err), &err);
	repo_free(repo);
	store_fault_fail(store, NULL);
	CHECK_OK(try_open(store, &key_file, &err), &err);
	store_free(store);
}

static void
test_damaged_slot(void)
{
	static const struct {
		const char *text;
		int want;
	} cases[] = {
	    {"\"wrapped\": \"", ERR_CORRUPT},
	    {"\"commitment\": \"", ERR_WRONG_KEY}, /* none that matches */
	    {"\"repository\": \"", ERR_CORRUPT},
	    {"{\"", ERR_CORRUPT},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct store *store = new_store();
		struct error err;
		char slot[100];

		repo_free(must_init(store, &key_file));
		(void)snprintf(slot, sizeof(slot), "%s", first_key(store, "keys/"));
		damage(store, slot, cases[i].text);
		CHECK_INT(try_open(store, &key_file, &err), cases[i].want);
		if (cases[i].want == ERR_CORRUPT)
			CHECK(strstr(err.msg, slot) != NULL);
		CHECK_OK(store_remove(store, slot, &err), &err);
		CHECK_INT(try_open(store, &key_file, &err), ERR_CORRUPT);
		store_free(store);
	}
}

/* One slot is damaged, another one opens; strange names are left alone. */
static void
test_many_slots(void)
{
	struct store *store = new_store();
	CLEANUP(buf_free) struct buf slot;
	struct error err;

	repo_free(must_init(store, &key_file));
	CHECK_OK(store_put(store, "keys/0000000000000000.json", "garbage", 7, &err), &err);
	CHECK_OK(store_put(store, "keys/readme", "hello", 5, &err), &err);
	CHECK_INT(try_open(store, &key_file, &err), 0);
	CHECK_INT(try_open(store, &wrong_key_file, &err), ERR_CORRUPT);
	CHECK(strstr(err.msg, "keys/0000000000000000.json") != NULL);
	load(store, "keys/0000000000000000.json", &slot);
	CHECK_OK(store_remove(store, "keys/0000000000000000.json", &err), &err);
	CHECK_INT(try_open(store, &wrong_key_file, &err), ERR_WRONG_KEY);
	CHECK_INT(try_open(store, &key_file, &err), 0);

	/* No answer is neither damage nor a wrong key. */
	fail(store, STORE_FAULT_LIST, 1, false, false, ERR_UNAVAILABLE);
	CHECK_INT(try_open(store, &key_file, &err), ERR_UNAVAILABLE);
	fail(store, STORE_FAULT_GET, 2, false, false, ERR_DENIED);
	CHECK_INT(try_open(store, &key_file, &err), ERR_DENIED);
	store_free(store);
}

static void
test_damaged_descriptor(void)
{
	static const struct {
		const char *text;
		int want;
	} cases[] = {
	    {"\"payload\": \"", ERR_CORRUPT},
	    {"\"key\": \"", ERR_CORRUPT},
	    {"\"signature\": \"", ERR_CORRUPT},
	    {"{", ERR_CORRUPT},
	};
	struct store *store = new_store(), *other = new_store();
	CLEANUP(buf_free) struct buf good, foreign;
	struct error err;

	repo_free(must_init(store, &key_file));
	repo_free(must_init(other, &key_file));
	load(store, "repo.json", &good);
	load(other, "repo.json", &foreign);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		damage(store, "repo.json", cases[i].text);
		CHECK_INT(try_open(store, &key_file, &err), cases[i].want);
		CHECK(strstr(err.msg, "repo.json") != NULL);
		replace(store, "repo.json", good.data, good.len);
	}
	for (size_t len = 0; len + 2 < good.len; len += 7) {
		replace(store, "repo.json", good.data, len);
		CHECK_INT(try_open(store, &key_file, &err), ERR_CORRUPT);
	}
	/* The descriptor of another repository, whose slots are not these. */
	replace(store, "repo.json", foreign.data, foreign.len);
	CHECK_INT(try_open(store, &key_file, &err), ERR_CORRUPT);
	store_free(store);
	store_free(other);
}

static void
seal_descriptor(struct store *store, const char *payload, const uint8_t seed[KEY_LEN])
{
	CLEANUP(buf_free) struct buf object = BUF_INIT(ENVELOPE_MAX);
	struct error err;

	CHECK_OK(envelope_seal("application/vnd.snapferry.repository+json;version=1", payload, strlen(payload), seed,
		     &object, &err),
	    &err);
	replace(store, "repo.json", object.data, object.len);
}

/* Somebody who can write to the store, but has not the root key. */
static void
test_forged_descriptor(void)
{
	static const uint8_t seed[KEY_LEN] = {1, 2, 3};
	struct store *store = new_store();
	uint8_t public_key[KEY_LEN];
	char hex[2 * KEY_LEN + 1], payload[512];
	struct repo *repo = must_init(store, &key_file);
	CLEANUP(buf_free) struct buf good;
	const char *admin_hex;
	struct error err;

	load(store, "repo.json", &good);
	admin_hex = memmem(good.data, good.len, "\"key\": \"", 8);
	CHECK(admin_hex != NULL);
	admin_hex += 8;
	CHECK_OK(crypto_sign_public(seed, public_key, &err), &err);
	for (size_t i = 0; i < KEY_LEN; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", public_key[i]);
	(void)snprintf(payload, sizeof(payload),
	    "{\"format\":\"snapferry-repository\",\"version\":1,\"id\":\"%s\",\"created\":\"2024-01-01T00:00:00Z\","
	    "\"suite\":1,\"admin_key\":\"%s\"}",
	    repo_id(repo), hex);
	seal_descriptor(store, payload, seed);
	CHECK_INT(try_open(store, &key_file, &err), ERR_CORRUPT);
	CHECK(strstr(err.msg, "root key") != NULL);
	memcpy(strstr(payload, "\"suite\":1"), "\"suite\":2", 9);
	seal_descriptor(store, payload, seed);
	CHECK_INT(try_open(store, &key_file, &err), ERR_UNSUPPORTED);
	memcpy(strstr(payload, "\"suite\":2"), "\"suite\":1", 9);
	memcpy(strstr(payload, "\"version\":1"), "\"version\":2", 11);
	seal_descriptor(store, payload, seed);
	CHECK_INT(try_open(store, &key_file, &err), ERR_UNSUPPORTED);
	/* It names the right key, but another one has signed it. */
	memcpy(strstr(payload, "\"version\":2"), "\"version\":1", 11);
	memcpy(strstr(payload, hex), admin_hex, 2 * KEY_LEN);
	seal_descriptor(store, payload, seed);
	CHECK_INT(try_open(store, &key_file, &err), ERR_CORRUPT);
	repo_free(repo);
	store_free(store);
}

/* ---- volumes ---- */

static void
test_volumes(void)
{
	struct store *store = new_store();
	struct repo *repo = must_init(store, &key_file);
	struct volume *v, *w;
	struct error err;
	uint8_t no_key[KEY_ID_LEN] = {0};

	CHECK_INT(volume_open(repo, "a", false, NOW, &v, &err), ERR_NOT_FOUND);
	CHECK(strstr(err.msg, "volume a does not exist") != NULL);
	CHECK_INT(volume_open(repo, "not valid", true, NOW, &v, &err), ERR_USAGE);
	CHECK_INT(count_keys(store, "v"), 0);
	CHECK_OK(volume_open(repo, "a", true, NOW, &v, &err), &err);
	CHECK_INT(v->nkeys, 1);
	CHECK_STR(v->keys[0].name, "a");
	CHECK_INT(count_keys(store, "v/"), 1);
	CHECK_INT(count_keys(store, "volumes/"), 1);
	CHECK(volume_find_keys(v, v->keys[0].epoch, v->keys[0].keyid) == &v->keys[0]);
	CHECK(volume_find_keys(v, v->keys[0].epoch + 1, v->keys[0].keyid) == NULL);
	CHECK(volume_find_keys(v, v->keys[0].epoch, no_key) == NULL);
	CHECK_OK(volume_open(repo, "a", true, NOW, &w, &err), &err);
	CHECK_MEM(w->keys[0].secret, v->keys[0].secret, KEY_LEN);
	CHECK_INT(count_keys(store, "v"), 2);
	volume_free(v);
	volume_free(w);
	volume_free(NULL);
	repo_free(repo);
	store_free(store);
}

/* Two first exports at the same time: both go on with the same key. */
static void
test_create_race(void)
{
	struct store *store = new_store();
	struct repo *repo = must_init(store, &key_file);
	struct volume *v;
	struct volume_keys keys[3];
	CLEANUP(buf_free) struct buf object = BUF_INIT(4096);
	struct error err;
	char key[200], keyid[2 * KEY_ID_LEN + 1] = "";

	/* The first one dies when the key is written, but not its copy. */
	fail(store, STORE_FAULT_PUT, 2, true, false, ERR_UNAVAILABLE);
	CHECK_INT(volume_open(repo, "vol", true, NOW, &v, &err), ERR_UNAVAILABLE);
	store_fault_fail(store, NULL);
	CHECK_INT(count_keys(store, "v/"), 1);
	CHECK_INT(count_keys(store, "volumes/"), 0);
	CHECK_OK(volume_open(repo, "vol", false, NOW, &v, &err), &err);
	CHECK_INT(count_keys(store, "volumes/"), 0);
	keys[0] = v->keys[0];
	volume_free(v);
	/* The second one finds the key, and makes the copy. */
	CHECK_OK(volume_open(repo, "vol", true, NOW, &v, &err), &err);
	CHECK_INT(v->nkeys, 1);
	CHECK_MEM(v->keys[0].secret, keys[0].secret, KEY_LEN);
	CHECK_INT(count_keys(store, "volumes/"), 1);

	/* Two more keys of the same and of a higher epoch. */
	for (uint32_t epoch = 1; epoch <= 2; epoch++) {
		struct root_key root;
		struct repo *copy;

		/* The root key is not to be had from outside; the slot opens with the same secret. */
		CLEANUP(buf_free) struct buf slot;
		load(store, first_key(store, "keys/"), &slot);
		memset(&root, 0, sizeof(root));
		CHECK_OK(repo_open(share(store), &key_file, 1, &copy, &err), &err);
		for (size_t i = 0; i < REPOSITORY_ID_LEN; i++)
			CHECK_INT(sscanf(repo_id(copy) + 2 * i, "%2hhx", &root.repository[i]), 1);
		repo_free(copy);
		CHECK_OK(slot_open(slot.data, slot.len, &key_file, &root, &err), &err);
		CHECK_OK(root_key_derive(&root, &err), &err);
		buf_reset(&object);
		CHECK_OK(volume_keys_create(&root, "vol", epoch, NOW, &keys[epoch], &object, &err), &err);
		for (size_t i = 0; i < KEY_ID_LEN; i++)
			(void)snprintf(keyid + 2 * i, 3, "%02x", keys[epoch].keyid[i]);
		(void)snprintf(key, sizeof(key), "v/%s/k/%08x-%s.json", v->id_hex, epoch, keyid);
		CHECK_OK(store_put(store, key, object.data, object.len, &err), &err);
	}
	volume_free(v);
	CHECK_OK(volume_open(repo, "vol", true, NOW, &v, &err), &err);
	CHECK_INT(v->nkeys, 3);
	CHECK_INT(v->keys[0].epoch, 2);
	CHECK_INT(v->keys[1].epoch, 1);
	CHECK(memcmp(v->keys[1].keyid, v->keys[2].keyid, KEY_ID_LEN) < 0);
	CHECK_INT(count_keys(store, "volumes/"), 3);

	/* The same object under another key's name is not taken. */
	(void)snprintf(key, sizeof(key), "v/%s/k/%08x-%s.json", v->id_hex, 9, "0000000000000000");
	CHECK_OK(store_put(store, key, object.data, object.len, &err), &err);
	(void)snprintf(key + strlen(key) - 30, sizeof(key) - strlen(key) + 30, "%08x-%s.json", 9, keyid);
	CHECK_OK(store_put(store, key, object.data, object.len, &err), &err);
	volume_free(v);
	CHECK_OK(volume_open(repo, "vol", false, NOW, &v, &err), &err);
	CHECK_INT(v->nkeys, 3);
	CHECK_INT(v->keys[0].epoch, 2);
	volume_free(v);
	repo_free(repo);
	store_free(store);
}

/* Whichever call fails, trying again makes it good. */
static void
test_create_fails(void)
{
	for (int after = 0; after < 2; after++) {
		for (uint64_t n = 1;; n++) {
			struct store *store = new_store();
			struct repo *repo = must_init(store, &key_file);
			struct volume *v = NULL;
			struct error err;
			uint64_t calls = store_fault_count(store, STORE_FAULT_ANY);
			int r;

			fail(store, STORE_FAULT_ANY, n, false, after, ERR_UNAVAILABLE);
			r = volume_open(repo, "vol", true, NOW, &v, &err);
			calls = store_fault_count(store, STORE_FAULT_ANY) - calls;
			store_fault_fail(store, NULL);
			CHECK(r == 0 || r == ERR_UNAVAILABLE);
			volume_free(v);
			CHECK_OK(volume_open(repo, "vol", true, NOW, &v, &err), &err);
			CHECK_INT(v->nkeys, 1);
			CHECK_INT(count_keys(store, "v/"), 1);
			CHECK_INT(count_keys(store, "volumes/"), 1);
			volume_free(v);
			repo_free(repo);
			store_free(store);
			if (r == 0 && calls < n)
				break;
			CHECK(n < 100);
		}
	}
}

static void
test_damaged_volume_key(void)
{
	struct store *store = new_store();
	struct repo *repo = must_init(store, &key_file);
	struct volume *v;
	struct error err;
	char main_key[200], copy_key[200];

	CHECK_OK(volume_open(repo, "vol", true, NOW, &v, &err), &err);
	volume_free(v);
	(void)snprintf(main_key, sizeof(main_key), "%s", first_key(store, "v/"));
	(void)snprintf(copy_key, sizeof(copy_key), "%s", first_key(store, "volumes/"));
	/* The copy stands in for a damaged object, and for a missing one, which is made again by a writer. */
	damage(store, main_key, "\"payload\": \"");
	CHECK_OK(volume_open(repo, "vol", false, NOW, &v, &err), &err);
	volume_free(v);
	CHECK_OK(store_remove(store, main_key, &err), &err);
	CHECK_OK(volume_open(repo, "vol", false, NOW, &v, &err), &err);
	volume_free(v);
	CHECK_INT(count_keys(store, "v/"), 0);
	CHECK_OK(volume_open(repo, "vol", true, NOW, &v, &err), &err);
	volume_free(v);
	CHECK_INT(count_keys(store, "v/"), 1);
	/* And the other way round. */
	damage(store, copy_key, "\"signature\": \"");
	CHECK_OK(volume_open(repo, "vol", false, NOW, &v, &err), &err);
	volume_free(v);
	/* No answer is not damage. */
	fail(store, STORE_FAULT_GET, 1, false, false, ERR_UNAVAILABLE);
	CHECK_INT(volume_open(repo, "vol", false, NOW, &v, &err), ERR_UNAVAILABLE);
	store_fault_fail(store, NULL);
	/* Both: no new key is made, since the old one may still be had from a backup of the bucket. */
	damage(store, main_key, "\"payload\": \"");
	CHECK_INT(volume_open(repo, "vol", true, NOW, &v, &err), ERR_CORRUPT);
	CHECK(strstr(err.msg, main_key) != NULL);
	CHECK_INT(count_keys(store, "v/"), 1);
	repo_free(repo);
	store_free(store);
}

struct listing {
	char text[200];
	size_t bad;
};

static int
note_volume(void *arg, const char *name, struct error *err)
{
	struct listing *l = arg;

	(void)err;
	(void)snprintf(l->text + strlen(l->text), sizeof(l->text) - strlen(l->text), "%s,", name);
	return 0;
}

static void
note_bad(void *arg, const char *key, const struct error *err)
{
	CHECK(strncmp(key, "v", 1) == 0);
	CHECK(err->code == ERR_CORRUPT || err->code == ERR_NOT_FOUND);
	((struct listing *)arg)->bad++;
}

static int
stop_listing(void *arg, const char *name, struct error *err)
{
	(void)arg;
	return error_set(err, ERR_CANCELLED, "at %s", name);
}

static void
test_volume_list(void)
{
	static const char *const names[] = {"beta", "alpha", "gamma/1", "delta"};
	struct store *store = new_store();
	struct repo *repo = must_init(store, &key_file);
	struct listing l = {"", 0};
	struct volume *v;
	struct error err;
	char id[40] = "";

	CHECK_OK(volume_list(repo, note_volume, note_bad, &l, &err), &err);
	CHECK_STR(l.text, "");
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		CHECK_OK(volume_open(repo, names[i], true, NOW, &v, &err), &err);
		(void)snprintf(id, sizeof(id), "%s", v->id_hex);
		volume_free(v);
	}
	CHECK_OK(store_put(store, "volumes/readme", "", 0, &err), &err);
	CHECK_OK(volume_list(repo, note_volume, note_bad, &l, &err), &err);
	CHECK_STR(l.text, "alpha,beta,delta,gamma/1,");
	CHECK_INT(l.bad, 0);
	CHECK_INT(volume_list(repo, stop_listing, NULL, &l, &err), ERR_CANCELLED);

	/* delta's copy is damaged: it is still listed; then delta's object too. */
	for (size_t i = 1; i <= 2; i++) {
		char prefix[100];
		char key[200];

		(void)snprintf(prefix, sizeof(prefix), i == 1 ? "volumes/%s" : "v/%s/k/", id);
		(void)snprintf(key, sizeof(key), "%s", first_key(store, prefix));
		damage(store, key, "\"payload\": \"");
		l = (struct listing){"", 0};
		CHECK_OK(volume_list(repo, note_volume, note_bad, &l, &err), &err);
		CHECK_STR(l.text, i == 1 ? "alpha,beta,delta,gamma/1," : "alpha,beta,gamma/1,");
		CHECK_INT(l.bad, i);
		CHECK_OK(volume_list(repo, note_volume, NULL, &l, &err), &err);
	}
	fail(store, STORE_FAULT_GET, 2, false, false, ERR_UNAVAILABLE);
	CHECK_INT(volume_list(repo, note_volume, note_bad, &l, &err), ERR_UNAVAILABLE);
	repo_free(repo);
	store_free(store);
}

/* ---- snapshots ---- */

static void
make_manifest(const struct volume *v, int64_t ms, uint8_t n, struct manifest *m)
{
	const uint8_t random[10] = {n, 0, n};

	memset(m, 0, sizeof(*m));
	snapshot_id_make(ms, random, m->snapshot);
	memcpy(m->volume, v->id, sizeof(m->volume));
	m->epoch = v->keys[0].epoch;
	memcpy(m->keyid, v->keys[0].keyid, sizeof(m->keyid));
	m->started = (struct manifest_time){ms / 1000, (uint32_t)(ms % 1000) * 1000000};
	m->finished = m->started;
	m->sequence = n;
	m->nroot = m->npacklist = m->nsessions = 1;
	m->sessions = calloc(1, sizeof(m->sessions[0]));
	CHECK(m->sessions != NULL);
	m->root[0] = (struct frame_ref){.offset = 176, .clen = 100, .plen = 100, .type = FRAME_ROOT};
	m->packlist[0] = (struct frame_ref){.offset = 276, .clen = 100, .plen = 100, .type = FRAME_PACKLIST};
}

static void
must_commit(const struct volume *v, int64_t ms, uint8_t n, char out_id[SNAPSHOT_ID_LEN + 1])
{
	CLEANUP(manifest_wipe) struct manifest m;
	struct error err;

	make_manifest(v, ms, n, &m);
	CHECK_OK(snapshot_commit(v, &m, &err), &err);
	memcpy(out_id, m.snapshot, sizeof(m.snapshot));
}

static void
check_resolves(const struct volume *v, const char *spec, const char *want)
{
	CLEANUP(manifest_wipe) struct manifest m = {0};
	struct error err;

	CHECK_OK(snapshot_resolve(v, spec, &m, &err), &err);
	CHECK_STR(m.snapshot, want);
}

static int
resolve_fails(const struct volume *v, const char *spec, struct error *err)
{
	CLEANUP(manifest_wipe) struct manifest m = {0};
	int r = snapshot_resolve(v, spec, &m, err);

	CHECK(r < 0);
	return r;
}

static void
test_resolve(void)
{
	/* 2024-11-22T01:02:03.5Z, a day later, and in the same millisecond as that. */
	static const int64_t times[] = {INT64_C(1732237323500), INT64_C(1732323723500), INT64_C(1732323723500)};
	static const char *const nonsense[] = {"", "oldest", "0193-", "x", "2024-13-01", "2024-02-30", "2024-11-22T",
	    "2024-11-22T25:00", "2024-11-22T01", "2024-11-22T01:02x", "2024-11-22T01:02:03+1:00", "2024-11-22 01:02",
	    "2024-1-1", "2024-11-22Z0", "01934f00-0000-7000-8000-0000000000012"};
	struct store *store = new_store();
	struct repo *repo = must_init(store, &key_file);
	struct volume *v;
	char ids[3][SNAPSHOT_ID_LEN + 1], (*list)[SNAPSHOT_ID_LEN + 1], prefix[SNAPSHOT_ID_LEN + 1], upper[20];
	size_t count;
	struct error err;

	CHECK_OK(volume_open(repo, "vol", true, NOW, &v, &err), &err);
	CHECK_OK(snapshot_ids(v, &list, &count, &err), &err);
	CHECK_INT(count, 0);
	free(list);
	CHECK_INT(resolve_fails(v, "latest", &err), ERR_NOT_FOUND);
	CHECK_INT(resolve_fails(v, "2024-11-22", &err), ERR_NOT_FOUND);
	/* Written in another order than that of their times. */
	must_commit(v, times[2], 3, ids[2]);
	must_commit(v, times[0], 1, ids[0]);
	must_commit(v, times[1], 2, ids[1]);
	{
		char name[100];

		(void)snprintf(name, sizeof(name), "v/%s/s/readme", v->id_hex);
		CHECK_OK(store_put(store, name, "", 0, &err), &err);
	}
	CHECK_OK(snapshot_ids(v, &list, &count, &err), &err);
	CHECK_INT(count, 3);
	for (size_t i = 0; i < 3; i++)
		CHECK_STR(list[i], ids[i]);
	free(list);

	check_resolves(v, "latest", ids[2]);
	for (size_t i = 0; i < 3; i++)
		check_resolves(v, ids[i], ids[i]);
	(void)snprintf(prefix, sizeof(prefix), "%.12s", ids[0]);
	check_resolves(v, prefix, ids[0]);
	for (size_t i = 0; i <= 8; i++)
		upper[i] = ids[0][i] >= 'a' && ids[0][i] <= 'f' ? (char)(ids[0][i] - 'a' + 'A') : ids[0][i];
	upper[9] = '\0';
	check_resolves(v, upper, ids[0]);
	(void)snprintf(prefix, sizeof(prefix), "%.13s", ids[1]);
	CHECK_INT(resolve_fails(v, prefix, &err), ERR_USAGE);
	CHECK(strstr(err.msg, ids[1]) != NULL && strstr(err.msg, ids[2]) != NULL && strstr(err.msg, ids[0]) == NULL);
	CHECK_INT(resolve_fails(v, "ffff", &err), ERR_NOT_FOUND);
	CHECK_INT(resolve_fails(v, "01934f00-0000-7000-8000-000000000001", &err), ERR_NOT_FOUND);
	for (size_t i = 0; i < COUNT_OF(nonsense); i++)
		CHECK_INT(resolve_fails(v, nonsense[i], &err), ERR_USAGE);

	CHECK_INT(resolve_fails(v, "2024-11-22Z", &err), ERR_NOT_FOUND);
	CHECK_INT(resolve_fails(v, "2024-11-22T01:02:03Z", &err), ERR_NOT_FOUND);
	check_resolves(v, "2024-11-22T01:02:03.5Z", ids[0]);
	check_resolves(v, "2024-11-22T01:02:04Z", ids[0]);
	check_resolves(v, "2024-11-22T01:03Z", ids[0]);
	check_resolves(v, "2024-11-22T03:03+02:00", ids[0]);
	CHECK_INT(resolve_fails(v, "2024-11-22T03:02+02:00", &err), ERR_NOT_FOUND);
	check_resolves(v, "2024-11-21T20:03-05:00", ids[0]);
	check_resolves(v, "2024-11-23Z", ids[0]);
	check_resolves(v, "2024-11-24Z", ids[2]);
	check_resolves(v, "9999-12-31", ids[2]);
	/* Local time: the test has set its zone to two hours ahead of UTC. */
	check_resolves(v, "2024-11-22T03:03", ids[0]);
	CHECK_INT(resolve_fails(v, "2024-11-22T03:02", &err), ERR_NOT_FOUND);
	volume_free(v);
	repo_free(repo);
	store_free(store);
}

static void
test_damaged_manifest(void)
{
	struct store *store = new_store();
	struct repo *repo = must_init(store, &key_file);
	CLEANUP(manifest_wipe) struct manifest m = {0};
	CLEANUP(buf_free) struct buf first = BUF_INIT(0), foreign = BUF_INIT(0);
	char a[SNAPSHOT_ID_LEN + 1], b[SNAPSHOT_ID_LEN + 1], c[SNAPSHOT_ID_LEN + 1], name[200], other[200];
	struct volume *v, *w;
	struct error err;

	CHECK_OK(volume_open(repo, "vol", true, NOW, &v, &err), &err);
	CHECK_OK(volume_open(repo, "other", true, NOW, &w, &err), &err);
	must_commit(v, 1000, 1, a);
	must_commit(v, 2000, 2, b);
	must_commit(w, 2000, 2, c);
	CHECK_STR(b, c);
	(void)snprintf(name, sizeof(name), "v/%s/s/%s.json", v->id_hex, b);
	(void)snprintf(other, sizeof(other), "v/%s/s/%s.json", w->id_hex, b);
	CHECK_OK(snapshot_load(v, b, &m, &err), &err);
	CHECK_INT(m.sequence, 2);
	CHECK_INT(snapshot_load(v, "../../repo", &m, &err), ERR_USAGE);

	/* An older manifest of the volume in the place of a newer one. */
	{
		char old[200];

		(void)snprintf(old, sizeof(old), "v/%s/s/%s.json", v->id_hex, a);
		load(store, old, &first);
	}
	replace(store, name, first.data, first.len);
	manifest_wipe(&m);
	CHECK_INT(snapshot_load(v, b, &m, &err), ERR_CORRUPT);
	CHECK(strstr(err.msg, a) != NULL && strstr(err.msg, name) != NULL);
	/* That of another volume. */
	load(store, other, &foreign);
	replace(store, name, foreign.data, foreign.len);
	CHECK_INT(snapshot_load(v, b, &m, &err), ERR_CORRUPT);
	replace(store, name, "", 0);
	CHECK_INT(snapshot_load(v, b, &m, &err), ERR_CORRUPT);
	/* What is damaged is not passed over. */
	CHECK_INT(resolve_fails(v, "latest", &err), ERR_CORRUPT);
	CHECK_INT(resolve_fails(v, "1970-01-02Z", &err), ERR_CORRUPT);
	check_resolves(v, "1970-01-01T00:00:01Z", a);
	volume_free(v);
	volume_free(w);
	repo_free(repo);
	store_free(store);
}

static void
test_commit(void)
{
	struct store *store = new_store();
	struct repo *repo = must_init(store, &key_file);
	CLEANUP(manifest_wipe) struct manifest m, loaded = {0}, stranger;
	struct volume *v;
	struct error err;

	CHECK_OK(volume_open(repo, "vol", true, NOW, &v, &err), &err);
	make_manifest(v, 5000, 5, &m);
	/* What comes back is not what was given. */
	store_fault_flip(store, 1, 100, 1);
	CHECK_INT(snapshot_commit(v, &m, &err), ERR_CORRUPT);
	CHECK(strstr(err.msg, m.snapshot) != NULL);
	/* The same bytes are there: that is the same commit again. */
	CHECK_OK(snapshot_commit(v, &m, &err), &err);
	/* Other bytes are there. */
	m.sequence++;
	CHECK_INT(snapshot_commit(v, &m, &err), ERR_EXISTS);
	CHECK_OK(snapshot_load(v, m.snapshot, &loaded, &err), &err);
	CHECK_INT(loaded.sequence, 5);
	manifest_wipe(&loaded);

	/* A put that fails; one whose answer is lost; one that cannot be read back. */
	m.snapshot[SNAPSHOT_ID_LEN - 1] = 'a';
	fail(store, STORE_FAULT_PUT, 1, false, false, ERR_UNAVAILABLE);
	CHECK_INT(snapshot_commit(v, &m, &err), ERR_UNAVAILABLE);
	CHECK_INT(snapshot_load(v, m.snapshot, &loaded, &err), ERR_NOT_FOUND);
	fail(store, STORE_FAULT_PUT, 1, false, true, ERR_UNAVAILABLE);
	CHECK_OK(snapshot_commit(v, &m, &err), &err);
	m.snapshot[SNAPSHOT_ID_LEN - 1] = 'b';
	fail(store, STORE_FAULT_GET, 1, false, false, ERR_UNAVAILABLE);
	CHECK_INT(snapshot_commit(v, &m, &err), ERR_UNAVAILABLE);
	store_fault_fail(store, NULL);
	CHECK_OK(snapshot_load(v, m.snapshot, &loaded, &err), &err);
	CHECK_MEM(loaded.sha256, m.sha256, sizeof(m.sha256));
	CHECK_INT(loaded.object_len, m.object_len);

	make_manifest(v, 6000, 6, &stranger);
	stranger.epoch++;
	CHECK_INT(snapshot_commit(v, &stranger, &err), ERR_USAGE);
	volume_free(v);
	repo_free(repo);
	store_free(store);
}

int
main(void)
{
	(void)alarm(60);
	/* POSIX counts zones to the west. */
	CHECK(setenv("TZ", "TEST-2", 1) == 0);
	tzset();
	make_secrets();
	test_init_and_open();
	test_init_in_a_used_place();
	test_init_fails();
	test_lost_answer();
	test_damaged_slot();
	test_many_slots();
	test_damaged_descriptor();
	test_forged_descriptor();
	test_volumes();
	test_create_race();
	test_create_fails();
	test_damaged_volume_key();
	test_volume_list();
	test_resolve();
	test_damaged_manifest();
	test_commit();
	return 0;
}
