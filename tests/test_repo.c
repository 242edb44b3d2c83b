/*
 * Repositories on a store in memory that can be told to fail: they are made, found again, and every kind of damage is
 * told apart from a wrong key.
 */
#include "vault.h"

#include <unistd.h>

#include "check.h"
#include "cleanup.h"
#include "crypto.h"
#include "envelope.h"

static void
test_init_and_open(void)
{
	const struct secret *secrets[] = {&vault_passphrase, &vault_key_file};
	const struct secret *wrong[] = {&vault_wrong_passphrase, &vault_wrong_key_file};

	for (size_t i = 0; i < COUNT_OF(secrets); i++) {
		struct store *store = vault_new_store();
		struct repo *repo, *again;
		struct secret both[2] = {*wrong[1 - i], *secrets[i]};
		struct error err;
		char id[40];

		CHECK_INT(vault_try_open(store, secrets[i], &err), ERR_NO_REPOSITORY);
		repo = vault_init(store, secrets[i]);
		CHECK_INT(strlen(repo_id(repo)), 32);
		(void)snprintf(id, sizeof(id), "%s", repo_id(repo));
		CHECK(repo_store(repo) != NULL);
		repo_free(repo);
		CHECK_INT(vault_count(store, ""), 2);
		CHECK_OK(repo_open(vault_share(store), secrets[i], 1, &again, &err), &err);
		CHECK_STR(repo_id(again), id);
		repo_free(again);
		CHECK_INT(vault_try_open(store, wrong[i], &err), ERR_WRONG_KEY);
		CHECK_INT(vault_try_open(store, wrong[1 - i], &err), ERR_WRONG_KEY);
		CHECK_OK(repo_open(vault_share(store), both, 2, &again, &err), &err);
		repo_free(again);
		CHECK_INT(repo_open(vault_share(store), NULL, 0, &again, &err), ERR_WRONG_KEY);
		CHECK_INT(repo_init(vault_share(store), secrets[i], "", 10, VAULT_NOW, &again, &err), ERR_EXISTS);
		CHECK_INT(vault_count(store, ""), 2);
		store_free(store);
	}
}

static void
test_init_in_a_used_place(void)
{
	struct store *store = vault_new_store();
	struct repo *repo;
	struct error err;

	CHECK_OK(store_put(store, "somebody/else", "x", 1, &err), &err);
	CHECK_INT(repo_init(vault_share(store), &vault_key_file, "", 10, VAULT_NOW, &repo, &err), ERR_EXISTS);
	CHECK(strstr(err.msg, "somebody/else") != NULL);
	CHECK_INT(vault_count(store, ""), 1);
	store_free(store);
}

/* What a check of the place has left does not make it taken. */
static void
test_init_after_a_check(void)
{
	struct store *store = vault_new_store();
	struct repo *repo;
	struct error err;

	CHECK_OK(store_put(store, "doctor/0123456789abcdef/a", "x", 1, &err), &err);
	CHECK_OK(store_put(store, "endpoint.json", "{}", 2, &err), &err);
	CHECK_OK(repo_init(vault_share(store), &vault_key_file, "", 10, VAULT_NOW, &repo, &err), &err);
	repo_free(repo);
	store_free(store);
}

/* Whichever call fails: a repository that opens, or nothing at all, and honesty about which. */
static void
test_init_fails(void)
{
	for (int after = 0; after < 2; after++) {
		for (uint64_t n = 1;; n++) {
			struct store *store = vault_new_store();
			struct repo *repo = NULL;
			struct error err;
			uint64_t calls;
			int r;

			vault_fail(store, STORE_FAULT_ANY, n, false, after, ERR_UNAVAILABLE);
			r = repo_init(vault_share(store), &vault_key_file, "", 10, VAULT_NOW, &repo, &err);
			calls = store_fault_count(store, STORE_FAULT_ANY);
			store_fault_fail(store, NULL);
			repo_free(repo);
			if (r == 0) {
				CHECK_INT(vault_try_open(store, &vault_key_file, &err), 0);
			} else {
				CHECK_INT(r, ERR_UNAVAILABLE);
				/* Either it can be done again, or what was written is whole. */
				if (vault_count(store, "") > 0)
					CHECK_INT(vault_try_open(store, &vault_key_file, &err), 0);
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
	struct store *store = vault_new_store();
	struct repo *repo;
	struct error err;

	/* The second put is that of repo.json: it has worked, but nobody said so. */
	vault_fail(store, STORE_FAULT_PUT, 2, false, true, ERR_UNAVAILABLE);
	CHECK_OK(repo_init(vault_share(store), &vault_key_file, "", 10, VAULT_NOW, &repo, &err), &err);
	repo_free(repo);
	store_fault_fail(store, NULL);
	CHECK_OK(vault_try_open(store, &vault_key_file, &err), &err);
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
		struct store *store = vault_new_store();
		struct error err;
		char slot[100];

		repo_free(vault_init(store, &vault_key_file));
		(void)snprintf(slot, sizeof(slot), "%s", vault_first_key(store, "keys/"));
		vault_damage(store, slot, cases[i].text);
		CHECK_INT(vault_try_open(store, &vault_key_file, &err), cases[i].want);
		if (cases[i].want == ERR_CORRUPT)
			CHECK(strstr(err.msg, slot) != NULL);
		CHECK_OK(store_remove(store, slot, &err), &err);
		CHECK_INT(vault_try_open(store, &vault_key_file, &err), ERR_CORRUPT);
		store_free(store);
	}
}

/* One slot is damaged, another one opens; strange names are left alone. */
static void
test_many_slots(void)
{
	struct store *store = vault_new_store();
	CLEANUP(buf_free) struct buf slot;
	struct error err;

	repo_free(vault_init(store, &vault_key_file));
	CHECK_OK(store_put(store, "keys/0000000000000000.json", "garbage", 7, &err), &err);
	CHECK_OK(store_put(store, "keys/readme", "hello", 5, &err), &err);
	CHECK_INT(vault_try_open(store, &vault_key_file, &err), 0);
	CHECK_INT(vault_try_open(store, &vault_wrong_key_file, &err), ERR_CORRUPT);
	CHECK(strstr(err.msg, "keys/0000000000000000.json") != NULL);
	vault_load(store, "keys/0000000000000000.json", &slot);
	CHECK_OK(store_remove(store, "keys/0000000000000000.json", &err), &err);
	CHECK_INT(vault_try_open(store, &vault_wrong_key_file, &err), ERR_WRONG_KEY);
	CHECK_INT(vault_try_open(store, &vault_key_file, &err), 0);

	/* No answer is neither damage nor a wrong key. */
	vault_fail(store, STORE_FAULT_LIST, 1, false, false, ERR_UNAVAILABLE);
	CHECK_INT(vault_try_open(store, &vault_key_file, &err), ERR_UNAVAILABLE);
	vault_fail(store, STORE_FAULT_GET, 2, false, false, ERR_DENIED);
	CHECK_INT(vault_try_open(store, &vault_key_file, &err), ERR_DENIED);
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
	struct store *store = vault_new_store(), *other = vault_new_store();
	CLEANUP(buf_free) struct buf good, foreign;
	struct error err;

	repo_free(vault_init(store, &vault_key_file));
	repo_free(vault_init(other, &vault_key_file));
	vault_load(store, "repo.json", &good);
	vault_load(other, "repo.json", &foreign);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		vault_damage(store, "repo.json", cases[i].text);
		CHECK_INT(vault_try_open(store, &vault_key_file, &err), cases[i].want);
		CHECK(strstr(err.msg, "repo.json") != NULL);
		vault_replace(store, "repo.json", good.data, good.len);
	}
	for (size_t len = 0; len + 2 < good.len; len += 7) {
		vault_replace(store, "repo.json", good.data, len);
		CHECK_INT(vault_try_open(store, &vault_key_file, &err), ERR_CORRUPT);
	}
	/* The descriptor of another repository, whose slots are not these. */
	vault_replace(store, "repo.json", foreign.data, foreign.len);
	CHECK_INT(vault_try_open(store, &vault_key_file, &err), ERR_CORRUPT);
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
	vault_replace(store, "repo.json", object.data, object.len);
}

/* Somebody who can write to the store, but has not the root key. */
static void
test_forged_descriptor(void)
{
	static const uint8_t seed[KEY_LEN] = {1, 2, 3};
	struct store *store = vault_new_store();
	uint8_t public_key[KEY_LEN];
	char hex[2 * KEY_LEN + 1], payload[512];
	struct repo *repo = vault_init(store, &vault_key_file);
	CLEANUP(buf_free) struct buf good;
	const char *admin_hex;
	struct error err;

	vault_load(store, "repo.json", &good);
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
	CHECK_INT(vault_try_open(store, &vault_key_file, &err), ERR_CORRUPT);
	CHECK(strstr(err.msg, "root key") != NULL);
	memcpy(strstr(payload, "\"suite\":1"), "\"suite\":2", 9);
	seal_descriptor(store, payload, seed);
	CHECK_INT(vault_try_open(store, &vault_key_file, &err), ERR_UNSUPPORTED);
	memcpy(strstr(payload, "\"suite\":2"), "\"suite\":1", 9);
	memcpy(strstr(payload, "\"version\":1"), "\"version\":2", 11);
	seal_descriptor(store, payload, seed);
	CHECK_INT(vault_try_open(store, &vault_key_file, &err), ERR_UNSUPPORTED);
	/* It names the right key, but another one has signed it. */
	memcpy(strstr(payload, "\"version\":2"), "\"version\":1", 11);
	memcpy(strstr(payload, hex), admin_hex, 2 * KEY_LEN);
	seal_descriptor(store, payload, seed);
	CHECK_INT(vault_try_open(store, &vault_key_file, &err), ERR_CORRUPT);
	repo_free(repo);
	store_free(store);
}

int
main(void)
{
	(void)alarm(60);
	vault_make_secrets();
	test_init_and_open();
	test_init_in_a_used_place();
	test_init_after_a_check();
	test_init_fails();
	test_lost_answer();
	test_damaged_slot();
	test_many_slots();
	test_damaged_descriptor();
	test_forged_descriptor();
	return 0;
}
