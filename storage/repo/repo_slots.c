/*
 * A repository's key slots: which of them opens with a secret, and whether all are whole.
 */
#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "cleanup.h"
#include "error.h"
#include "object.h"
#include "repo_internal.h"
#include "store.h"
#include "wire.h"

enum {
	SLOTS_MAX = 1000,
	SLOT_NAME_LEN = 2 * SLOT_ID_LEN + 5, /* "<slot>.json" */
	KEY_NAME_SIZE = 64,
};

static bool
is_slot_name(const char *name)
{
	uint8_t id[SLOT_ID_LEN];
	char hex[2 * SLOT_ID_LEN + 1];

	if (strlen(name) != SLOT_NAME_LEN || strcmp(name + 2 * SLOT_ID_LEN, ".json") != 0)
		return false;
	memcpy(hex, name, 2 * SLOT_ID_LEN);
	hex[2 * SLOT_ID_LEN] = '\0';
	return hex_decode(id, sizeof(id), hex);
}

/* Try the secrets of one kind on one slot.  ERR_WRONG_KEY when it is not theirs. */
static int
try_slot(struct store *store, const char *name, const struct secret *secrets, size_t count, enum secret_kind kind,
    struct root_key *root, struct error *err)
{
	CLEANUP(buf_free) struct buf object = BUF_INIT(SLOT_OBJECT_MAX);
	char key[KEY_NAME_SIZE];
	int r, seen = ERR_WRONG_KEY;

	(void)snprintf(key, sizeof(key), "keys/%s", name);
	r = store_load(store, key, SLOT_OBJECT_MAX, &object, err);
	/* Removed since the listing: somebody took this slot away. */
	if (r == ERR_NOT_FOUND)
		return error_set(err, ERR_WRONG_KEY, "key slot %s is gone", key);
	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		struct error one;

		if (secrets[i].kind != kind)
			continue;
		r = slot_open(object.data, object.len, &secrets[i], root, &one);
		if (r == 0)
			return 0;
		if (r != ERR_WRONG_KEY) {
			*err = one;
			seen = error_prefix(err, "key slot %s", key);
		}
	}
	return seen == ERR_WRONG_KEY ? error_set(err, ERR_WRONG_KEY, "key slot %s is for another key", key) : seen;
}

/*
 * Try all slots with the secrets of one kind: 1 when one opened, 0 when none did.  What one slot is made of is kept in
 * *flaw and no reason to stop; what the store cannot do is.
 */
static int
try_slots(struct store *store, const struct object_list *slots, const struct secret *secrets, size_t count,
    enum secret_kind kind, struct root_key *root, struct error *flaw, struct error *err)
{
	bool any = false;

	for (size_t i = 0; i < count; i++)
		any = any || secrets[i].kind == kind;
	for (size_t i = 0; any && i < slots->count; i++) {
		int r;

		if (!is_slot_name(slots->names[i]))
			continue;
		r = try_slot(store, slots->names[i], secrets, count, kind, root, err);
		if (r == 0)
			return 1;
		if (r == ERR_CORRUPT || r == ERR_UNSUPPORTED || r == ERR_NOMEM) {
			if (flaw->code == ERR_OK || (flaw->code != ERR_CORRUPT && r == ERR_CORRUPT))
				*flaw = *err;
		} else if (r != ERR_WRONG_KEY) {
			return r;
		}
	}
	return 0;
}

int
repo_slots_open(
    struct store *store, const struct secret *secrets, size_t count, struct root_key *root, struct error *err)
{
	/* Key files first: each trial of a passphrase costs a fifth of a second. */
	static const enum secret_kind kinds[] = {SECRET_KEY_FILE, SECRET_PASSPHRASE};
	CLEANUP(object_list_wipe) struct object_list slots = {0};
	struct error flaw = {.code = ERR_OK};
	int r;

	r = object_list(store, "keys/", SLOTS_MAX, &slots, err);
	if (r < 0)
		return r;
	if (slots.count == 0)
		return error_set(
		    err, ERR_CORRUPT, "the repository has lost its key slots: there is nothing below keys/");
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		r = try_slots(store, &slots, secrets, count, kinds[i], root, &flaw, err);
		if (r != 0)
			return r < 0 ? r : 0;
	}
	if (flaw.code != ERR_OK) {
		*err = flaw;
		return error_prefix(err, "no key slot opens, and one is not as it should be");
	}
	return error_set(
	    err, ERR_WRONG_KEY, "wrong passphrase or key file: it opens none of the repository's key slots");
}

static int
check_slot(struct store *store, const uint8_t repository[REPOSITORY_ID_LEN], const char *name, const char *key,
    struct error *err)
{
	CLEANUP(buf_free) struct buf object = BUF_INIT(SLOT_OBJECT_MAX);
	char id[2 * SLOT_ID_LEN + 1];
	int r = store_load(store, key, SLOT_OBJECT_MAX, &object, err);

	if (r == 0)
		r = slot_check(object.data, object.len, repository, id, err);
	if (r == 0 && memcmp(id, name, 2 * SLOT_ID_LEN) != 0)
		r = error_set(err, ERR_CORRUPT, "the key slot is another one than its name says");
	/* Removed meanwhile, or of a newer program: no damage. */
	return r == ERR_NOT_FOUND || r == ERR_UNSUPPORTED ? 0 : r;
}

int
repo_slots_check(struct store *store, const uint8_t repository[REPOSITORY_ID_LEN],
    void (*bad)(void *arg, const char *key, const struct error *), void *arg, struct error *err)
{
	CLEANUP(object_list_wipe) struct object_list slots = {0};
	char key[KEY_NAME_SIZE];
	int r = object_list(store, "keys/", SLOTS_MAX, &slots, err);

	for (size_t i = 0; r == 0 && i < slots.count; i++) {
		if (!is_slot_name(slots.names[i]))
			continue;
		(void)snprintf(key, sizeof(key), "keys/%s", slots.names[i]);
		r = check_slot(store, repository, slots.names[i], key, err);
		if (r == ERR_CORRUPT) {
			bad(arg, key, err);
			r = 0;
		}
	}
	return r;
}
