/*
 * Volumes of a repository on a store that can be told to fail: their keys are made once, found again, and copies stand
 * in for damaged objects.
 */
#include "vault.h"

#include <unistd.h>

#include "check.h"
#include "cleanup.h"

static void
test_volumes(void)
{
	struct store *store = vault_new_store();
	struct repo *repo = vault_init(store, &vault_key_file);
	struct volume *v, *w;
	struct error err;
	uint8_t no_key[KEY_ID_LEN] = {0};

	CHECK_INT(volume_open(repo, "a", false, VAULT_NOW, &v, &err), ERR_NOT_FOUND);
	CHECK(strstr(err.msg, "volume a does not exist") != NULL);
	CHECK_INT(volume_open(repo, "not valid", true, VAULT_NOW, &v, &err), ERR_USAGE);
	CHECK_INT(vault_count(store, "v"), 0);
	CHECK_OK(volume_open(repo, "a", true, VAULT_NOW, &v, &err), &err);
	CHECK_INT(v->nkeys, 1);
	CHECK_STR(v->keys[0].name, "a");
	CHECK_INT(vault_count(store, "v/"), 1);
	CHECK_INT(vault_count(store, "volumes/"), 1);
	CHECK(volume_find_keys(v, v->keys[0].epoch, v->keys[0].keyid) == &v->keys[0]);
	CHECK(volume_find_keys(v, v->keys[0].epoch + 1, v->keys[0].keyid) == NULL);
	CHECK(volume_find_keys(v, v->keys[0].epoch, no_key) == NULL);
	CHECK_OK(volume_open(repo, "a", true, VAULT_NOW, &w, &err), &err);
	CHECK_MEM(w->keys[0].secret, v->keys[0].secret, KEY_LEN);
	CHECK_INT(vault_count(store, "v"), 2);
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
	struct store *store = vault_new_store();
	struct repo *repo = vault_init(store, &vault_key_file);
	struct volume *v;
	struct volume_keys keys[3];
	CLEANUP(buf_free) struct buf object = BUF_INIT(4096);
	struct error err;
	char key[200], keyid[2 * KEY_ID_LEN + 1] = "";

	/* The first one dies when the key is written, but not its copy. */
	vault_fail(store, STORE_FAULT_PUT, 2, true, false, ERR_UNAVAILABLE);
	CHECK_INT(volume_open(repo, "vol", true, VAULT_NOW, &v, &err), ERR_UNAVAILABLE);
	store_fault_fail(store, NULL);
	CHECK_INT(vault_count(store, "v/"), 1);
	CHECK_INT(vault_count(store, "volumes/"), 0);
	CHECK_OK(volume_open(repo, "vol", false, VAULT_NOW, &v, &err), &err);
	CHECK_INT(vault_count(store, "volumes/"), 0);
	keys[0] = v->keys[0];
	volume_free(v);
	/* The second one finds the key, and makes the copy. */
	CHECK_OK(volume_open(repo, "vol", true, VAULT_NOW, &v, &err), &err);
	CHECK_INT(v->nkeys, 1);
	CHECK_MEM(v->keys[0].secret, keys[0].secret, KEY_LEN);
	CHECK_INT(vault_count(store, "volumes/"), 1);

	/* Two more keys of the same and of a higher epoch. */
	for (uint32_t epoch = 1; epoch <= 2; epoch++) {
		struct root_key root;
		struct repo *copy;

		/* The root key is not to be had from outside; the slot opens with the same secret. */
		CLEANUP(buf_free) struct buf slot;
		vault_load(store, vault_first_key(store, "keys/"), &slot);
		memset(&root, 0, sizeof(root));
		CHECK_OK(repo_open(vault_share(store), &vault_key_file, 1, &copy, &err), &err);
		for (size_t i = 0; i < REPOSITORY_ID_LEN; i++)
			CHECK_INT(sscanf(repo_id(copy) + 2 * i, "%2hhx", &root.repository[i]), 1);
		repo_free(copy);
		CHECK_OK(slot_open(slot.data, slot.len, &vault_key_file, &root, &err), &err);
		CHECK_OK(root_key_derive(&root, &err), &err);
		buf_reset(&object);
		CHECK_OK(volume_keys_create(&root, "vol", epoch, VAULT_NOW, &keys[epoch], &object, &err), &err);
		for (size_t i = 0; i < KEY_ID_LEN; i++)
			(void)snprintf(keyid + 2 * i, 3, "%02x", keys[epoch].keyid[i]);
		(void)snprintf(key, sizeof(key), "v/%s/k/%08x-%s.json", v->id_hex, epoch, keyid);
		CHECK_OK(store_put(store, key, object.data, object.len, &err), &err);
	}
	volume_free(v);
	CHECK_OK(volume_open(repo, "vol", true, VAULT_NOW, &v, &err), &err);
	CHECK_INT(v->nkeys, 3);
	CHECK_INT(v->keys[0].epoch, 2);
	CHECK_INT(v->keys[1].epoch, 1);
	CHECK(memcmp(v->keys[1].keyid, v->keys[2].keyid, KEY_ID_LEN) < 0);
	CHECK_INT(vault_count(store, "volumes/"), 3);

	/* The same object under another key's name is not taken. */
	(void)snprintf(key, sizeof(key), "v/%s/k/%08x-%s.json", v->id_hex, 9, "0000000000000000");
	CHECK_OK(store_put(store, key, object.data, object.len, &err), &err);
	(void)snprintf(key + strlen(key) - 30, sizeof(key) - strlen(key) + 30, "%08x-%s.json", 9, keyid);
	CHECK_OK(store_put(store, key, object.data, object.len, &err), &err);
	volume_free(v);
	CHECK_OK(volume_open(repo, "vol", false, VAULT_NOW, &v, &err), &err);
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
			struct store *store = vault_new_store();
			struct repo *repo = vault_init(store, &vault_key_file);
			struct volume *v = NULL;
			struct error err;
			uint64_t calls = store_fault_count(store, STORE_FAULT_ANY);
			int r;

			vault_fail(store, STORE_FAULT_ANY, n, false, after, ERR_UNAVAILABLE);
			r = volume_open(repo, "vol", true, VAULT_NOW, &v, &err);
			calls = store_fault_count(store, STORE_FAULT_ANY) - calls;
			store_fault_fail(store, NULL);
			CHECK(r == 0 || r == ERR_UNAVAILABLE);
			volume_free(v);
			CHECK_OK(volume_open(repo, "vol", true, VAULT_NOW, &v, &err), &err);
			CHECK_INT(v->nkeys, 1);
			CHECK_INT(vault_count(store, "v/"), 1);
			CHECK_INT(vault_count(store, "volumes/"), 1);
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
	struct store *store = vault_new_store();
	struct repo *repo = vault_init(store, &vault_key_file);
	struct volume *v;
	struct error err;
	char main_key[200], copy_key[200];

	CHECK_OK(volume_open(repo, "vol", true, VAULT_NOW, &v, &err), &err);
	volume_free(v);
	(void)snprintf(main_key, sizeof(main_key), "%s", vault_first_key(store, "v/"));
	(void)snprintf(copy_key, sizeof(copy_key), "%s", vault_first_key(store, "volumes/"));
	/* The copy stands in for a damaged object, and for a missing one, which is made again by a writer. */
	vault_damage(store, main_key, "\"payload\": \"");
	CHECK_OK(volume_open(repo, "vol", false, VAULT_NOW, &v, &err), &err);
	volume_free(v);
	CHECK_OK(store_remove(store, main_key, &err), &err);
	CHECK_OK(volume_open(repo, "vol", false, VAULT_NOW, &v, &err), &err);
	volume_free(v);
	CHECK_INT(vault_count(store, "v/"), 0);
	CHECK_OK(volume_open(repo, "vol", true, VAULT_NOW, &v, &err), &err);
	volume_free(v);
	CHECK_INT(vault_count(store, "v/"), 1);
	/* And the other way round. */
	vault_damage(store, copy_key, "\"signature\": \"");
	CHECK_OK(volume_open(repo, "vol", false, VAULT_NOW, &v, &err), &err);
	volume_free(v);
	/* No answer is not damage. */
	vault_fail(store, STORE_FAULT_GET, 1, false, false, ERR_UNAVAILABLE);
	CHECK_INT(volume_open(repo, "vol", false, VAULT_NOW, &v, &err), ERR_UNAVAILABLE);
	store_fault_fail(store, NULL);
	/* Both: no new key is made, since the old one may still be had from a backup of the bucket. */
	vault_damage(store, main_key, "\"payload\": \"");
	CHECK_INT(volume_open(repo, "vol", true, VAULT_NOW, &v, &err), ERR_CORRUPT);
	CHECK(strstr(err.msg, main_key) != NULL);
	CHECK_INT(vault_count(store, "v/"), 1);
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
	struct store *store = vault_new_store();
	struct repo *repo = vault_init(store, &vault_key_file);
	struct listing l = {"", 0};
	struct volume *v;
	struct error err;
	char id[40] = "";

	CHECK_OK(volume_list(repo, note_volume, note_bad, &l, &err), &err);
	CHECK_STR(l.text, "");
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		CHECK_OK(volume_open(repo, names[i], true, VAULT_NOW, &v, &err), &err);
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
		(void)snprintf(key, sizeof(key), "%s", vault_first_key(store, prefix));
		vault_damage(store, key, "\"payload\": \"");
		l = (struct listing){"", 0};
		CHECK_OK(volume_list(repo, note_volume, note_bad, &l, &err), &err);
		CHECK_STR(l.text, i == 1 ? "alpha,beta,delta,gamma/1," : "alpha,beta,gamma/1,");
		CHECK_INT(l.bad, i);
		CHECK_OK(volume_list(repo, note_volume, NULL, &l, &err), &err);
	}
	vault_fail(store, STORE_FAULT_GET, 2, false, false, ERR_UNAVAILABLE);
	CHECK_INT(volume_list(repo, note_volume, note_bad, &l, &err), ERR_UNAVAILABLE);
	repo_free(repo);
	store_free(store);
}

int
main(void)
{
	(void)alarm(60);
	vault_make_secrets();
	test_volumes();
	test_create_race();
	test_create_fails();
	test_damaged_volume_key();
	test_volume_list();
	return 0;
}
