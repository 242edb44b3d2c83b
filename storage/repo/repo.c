/*
 * A repository's descriptor and key slots.
 *
 * repo.json can be checked only with the root key, which is in the slots, which are bound to the id in repo.json.  So
 * the id is taken from repo.json as it comes, and believed when the key that it leads to turns out to have signed it.
 */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "cleanup.h"
#include "envelope.h"
#include "error.h"
#include "json.h"
#include "object.h"
#include "repo.h"
#include "repo_internal.h"
#include "timetext.h"
#include "wire.h"

#define REPO_OBJECT "repo.json"
#define REPO_TYPE   "application/vnd.snapferry.repository+json;version=1"
#define REPO_FORMAT "snapferry-repository"

enum {
	SUITE = 1,
	SIGNATURES_MAX = 16,
	SLOT_OBJECT_MAX = 64 * 1024,
	SLOTS_MAX = 1000,
	SLOT_NAME_LEN = 2 * SLOT_ID_LEN + 5, /* "<slot>.json" */
	KEY_NAME_SIZE = 64,
};

struct repo {
	struct store *store;
	struct root_key root;
	char id[2 * REPOSITORY_ID_LEN + 1];
};

struct store *
repo_store(const struct repo *r)
{
	return r->store;
}

const char *
repo_id(const struct repo *r)
{
	return r->id;
}

const struct root_key *
repo_root_key(const struct repo *r)
{
	return &r->root;
}

void
repo_free(struct repo *r)
{
	if (r == NULL)
		return;
	root_key_wipe(&r->root);
	store_free(r->store);
	free(r);
}

static void
cleanup_repo_p(struct repo **r)
{
	repo_free(*r);
}

static int
repo_new(struct store *store, struct repo **out, struct error *err)
{
	struct repo *repo = calloc(1, sizeof(*repo));

	if (repo == NULL) {
		store_free(store);
		return error_nomem(err);
	}
	repo->store = store;
	*out = repo;
	return 0;
}

/* ---- making one ---- */

static int
note_any(void *arg, const struct store_object *object, struct error *err)
{
	char *name = arg;

	(void)err;
	(void)snprintf(name, KEY_NAME_SIZE, "%.*s", KEY_NAME_SIZE - 1, object->key);
	return 1;
}

static int
check_empty(struct store *store, struct error *err)
{
	char name[KEY_NAME_SIZE] = "";
	uint64_t size;
	int r = store_size(store, REPO_OBJECT, &size, err);

	if (r == 0)
		return error_set(err, ERR_EXISTS, "there is a repository already");
	if (r != ERR_NOT_FOUND)
		return r;
	r = store_list(store, "", note_any, name, err);
	if (r < 0)
		return r;
	if (name[0] != '\0')
		return error_set(err, ERR_EXISTS, "the place is not empty: it holds %s", name);
	return 0;
}

static int
make_descriptor(const struct repo *repo, int64_t now_s, struct buf *out, struct error *err)
{
	CLEANUP(buf_free) struct buf payload = BUF_INIT(ENVELOPE_MAX);
	char created[TIME_TEXT_LEN];
	int r;

	time_format(now_s, 0, created);
	buf_printf(&payload, "{\"format\":\"" REPO_FORMAT "\",\"version\":1,\"id\":\"%s\"", repo->id);
	buf_printf(&payload, ",\"created\":\"%s\",\"suite\":%d,\"admin_key\":\"", created, SUITE);
	buf_hex(&payload, repo->root.admin_public, sizeof(repo->root.admin_public));
	buf_printf(&payload, "\"}");
	r = buf_check(&payload, REPO_OBJECT, err);
	return r < 0 ? r : envelope_seal(REPO_TYPE, payload.data, payload.len, repo->root.admin_seed, out, err);
}

static int
make_root_key(struct repo *repo, struct error *err)
{
	int r = crypto_random(repo->root.repository, sizeof(repo->root.repository), err);

	if (r == 0)
		r = crypto_random(repo->root.key, sizeof(repo->root.key), err);
	if (r == 0)
		r = root_key_derive(&repo->root, err);
	hex_encode(repo->id, repo->root.repository, sizeof(repo->root.repository));
	return r;
}

/* A slot without a descriptor is of no use and in the way of the next attempt; but only if there is surely none. */
static void
remove_orphan(struct store *store, const char *slot)
{
	struct error ignored;
	uint64_t size;

	if (store_size(store, REPO_OBJECT, &size, &ignored) == ERR_NOT_FOUND)
		(void)store_remove(store, slot, &ignored);
}

int
repo_init(struct store *store, const struct secret *secret, const char *label, unsigned scrypt_log_n, int64_t now_s,
    struct repo **out, struct error *err)
{
	CLEANUP(cleanup_repo_p) struct repo *repo = NULL;
	CLEANUP(buf_free) struct buf descriptor = BUF_INIT(ENVELOPE_MAX);
	CLEANUP(buf_free) struct buf slot = BUF_INIT(SLOT_OBJECT_MAX);
	char slot_id[2 * SLOT_ID_LEN + 1], name[KEY_NAME_SIZE];
	int r;

	r = repo_new(store, &repo, err);
	if (r == 0)
		r = check_empty(store, err);
	if (r == 0)
		r = make_root_key(repo, err);
	if (r == 0)
		r = slot_create(&repo->root, secret, label, scrypt_log_n, now_s, slot_id, &slot, err);
	if (r == 0)
		r = make_descriptor(repo, now_s, &descriptor, err);
	if (r < 0)
		return r;
	(void)snprintf(name, sizeof(name), "keys/%s.json", slot_id);
	r = object_put(store, name, slot.data, slot.len, err);
	if (r == 0)
		r = object_put(store, REPO_OBJECT, descriptor.data, descriptor.len, err);
	if (r < 0) {
		remove_orphan(store, name);
		return r;
	}
	*out = STEAL(repo);
	return 0;
}

/* ---- opening one ---- */

/* What repo.json says, signed by the key that it names itself. */
struct descriptor {
	uint8_t id[REPOSITORY_ID_LEN];
	uint8_t admin_key[KEY_LEN];
};

static int
parse_descriptor(const struct buf *payload, struct descriptor *out, struct error *err)
{
	CLEANUP(json_putp) struct json_object *json = NULL;
	const char *created;
	int64_t suite, s;
	uint32_t ns;
	int r;

	r = json_read(payload->data, payload->len, &json, err);
	if (r == 0)
		r = json_check_format(json, REPO_FORMAT, err);
	if (r == 0)
		r = json_get_hex(json, "id", out->id, sizeof(out->id), err);
	if (r == 0)
		r = json_get_string(json, "created", &created, err);
	if (r == 0)
		r = time_parse(created, &s, &ns, err);
	if (r == 0)
		r = json_get_int(json, "suite", 1, INT64_MAX, &suite, err);
	if (r == 0)
		r = json_get_hex(json, "admin_key", out->admin_key, sizeof(out->admin_key), err);
	if (r == 0 && suite != SUITE)
		r = error_set(
		    err, ERR_UNSUPPORTED, "its cryptographic suite %lld is newer than this program", (long long)suite);
	return r;
}

/* Open the envelope by one of the keys that it names; whether that is the right one is seen later. */
static int
open_self_signed(const struct buf *object, struct buf *out_payload, uint8_t out_key[KEY_LEN], struct error *err)
{
	CLEANUP(json_putp) struct json_object *envelope = NULL;
	struct json_object *signatures;
	size_t count;
	int r;

	r = json_read(object->data, object->len, &envelope, err);
	if (r == 0)
		r = json_get_array(envelope, "signatures", SIGNATURES_MAX, &signatures, &count, err);
	if (r == 0 && count == 0)
		r = error_set(err, ERR_CORRUPT, "it is not signed");
	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		struct json_object *element = json_object_array_get_idx(signatures, i);

		if (!json_object_is_type(element, json_type_object))
			return error_set(err, ERR_CORRUPT, "a signature is no object");
		r = json_get_hex(element, "key", out_key, KEY_LEN, err);
		if (r < 0)
			return r;
		out_payload->len = 0;
		r = envelope_open(REPO_TYPE, object->data, object->len, out_key, out_payload, err);
		if (r != ERR_CORRUPT)
			return r;
	}
	return r;
}

static int
read_descriptor(struct store *store, struct descriptor *out, struct error *err)
{
	CLEANUP(buf_free) struct buf object = BUF_INIT(ENVELOPE_MAX);
	CLEANUP(buf_free) struct buf payload = BUF_INIT(ENVELOPE_MAX);
	uint8_t key[KEY_LEN];
	int r;

	r = store_load(store, REPO_OBJECT, ENVELOPE_MAX, &object, err);
	if (r == ERR_NOT_FOUND)
		return error_set(err, ERR_NO_REPOSITORY, "there is no repository: %s is missing", REPO_OBJECT);
	if (r < 0)
		return r;
	r = open_self_signed(&object, &payload, key, err);
	if (r == 0)
		r = parse_descriptor(&payload, out, err);
	if (r == 0 && !crypto_equal(key, out->admin_key, KEY_LEN))
		r = error_set(err, ERR_CORRUPT, "it is not signed by the key that it names");
	return r < 0 ? error_prefix(err, "%s", REPO_OBJECT) : 0;
}

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
try_slot(struct repo *repo, const char *name, const struct secret *secrets, size_t count, enum secret_kind kind,
    struct error *err)
{
	CLEANUP(buf_free) struct buf object = BUF_INIT(SLOT_OBJECT_MAX);
	char key[KEY_NAME_SIZE];
	int r, seen = ERR_WRONG_KEY;

	(void)snprintf(key, sizeof(key), "keys/%s", name);
	r = store_load(repo->store, key, SLOT_OBJECT_MAX, &object, err);
	/* Removed since the listing: somebody took this slot away. */
	if (r == ERR_NOT_FOUND)
		return error_set(err, ERR_WRONG_KEY, "key slot %s is gone", key);
	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		struct error one;

		if (secrets[i].kind != kind)
			continue;
		r = slot_open(object.data, object.len, &secrets[i], &repo->root, &one);
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
try_slots(struct repo *repo, const struct object_list *slots, const struct secret *secrets, size_t count,
    enum secret_kind kind, struct error *flaw, struct error *err)
{
	bool any = false;

	for (size_t i = 0; i < count; i++)
		any = any || secrets[i].kind == kind;
	for (size_t i = 0; any && i < slots->count; i++) {
		int r;

		if (!is_slot_name(slots->names[i]))
			continue;
		r = try_slot(repo, slots->names[i], secrets, count, kind, err);
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

static int
find_root_key(struct repo *repo, const struct secret *secrets, size_t count, struct error *err)
{
	/* Key files first: each trial of a passphrase costs a fifth of a second. */
	static const enum secret_kind kinds[] = {SECRET_KEY_FILE, SECRET_PASSPHRASE};
	CLEANUP(object_list_wipe) struct object_list slots = {0};
	struct error flaw = {.code = ERR_OK};
	int r;

	r = object_list(repo->store, "keys/", SLOTS_MAX, &slots, err);
	if (r < 0)
		return r;
	if (slots.count == 0)
		return error_set(
		    err, ERR_CORRUPT, "the repository has lost its key slots: there is nothing below keys/");
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		r = try_slots(repo, &slots, secrets, count, kinds[i], &flaw, err);
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

int
repo_open(struct store *store, const struct secret *secrets, size_t count, struct repo **out, struct error *err)
{
	CLEANUP(cleanup_repo_p) struct repo *repo = NULL;
	struct descriptor descriptor;
	int r;

	r = repo_new(store, &repo, err);
	if (r == 0)
		r = read_descriptor(store, &descriptor, err);
	if (r < 0)
		return r;
	memcpy(repo->root.repository, descriptor.id, sizeof(descriptor.id));
	hex_encode(repo->id, descriptor.id, sizeof(descriptor.id));
	r = find_root_key(repo, secrets, count, err);
	if (r == 0)
		r = root_key_derive(&repo->root, err);
	if (r < 0)
		return r;
	if (!crypto_equal(repo->root.admin_public, descriptor.admin_key, KEY_LEN))
		return error_set(err, ERR_CORRUPT, "%s is not signed by this repository's root key", REPO_OBJECT);
	*out = STEAL(repo);
	return 0;
}

/* ---- checking one ---- */

static int
check_slot(const struct repo *repo, const char *name, const char *key, struct error *err)
{
	CLEANUP(buf_free) struct buf object = BUF_INIT(SLOT_OBJECT_MAX);
	char id[2 * SLOT_ID_LEN + 1];
	int r = store_load(repo->store, key, SLOT_OBJECT_MAX, &object, err);

	if (r == 0)
		r = slot_check(object.data, object.len, repo->root.repository, id, err);
	if (r == 0 && memcmp(id, name, 2 * SLOT_ID_LEN) != 0)
		r = error_set(err, ERR_CORRUPT, "the key slot is another one than its name says");
	/* Removed meanwhile, or of a newer program: no damage. */
	return r == ERR_NOT_FOUND || r == ERR_UNSUPPORTED ? 0 : r;
}

static int
check_descriptor(const struct repo *repo, struct error *err)
{
	struct descriptor d;
	int r = read_descriptor(repo->store, &d, err);

	if (r == 0 && (memcmp(d.id, repo->root.repository, sizeof(d.id)) != 0 ||
			  !crypto_equal(d.admin_key, repo->root.admin_public, KEY_LEN)))
		r = error_set(err, ERR_CORRUPT, "it is another repository's than a moment ago");
	return r == ERR_NO_REPOSITORY ? (err->code = ERR_CORRUPT) : r;
}

int
repo_check(const struct repo *repo, void (*bad)(void *arg, const char *key, const struct error *), void *arg,
    struct error *err)
{
	CLEANUP(object_list_wipe) struct object_list slots = {0};
	char key[KEY_NAME_SIZE];
	int r = check_descriptor(repo, err);

	if (r == ERR_CORRUPT)
		bad(arg, REPO_OBJECT, err);
	else if (r < 0)
		return r;
	r = object_list(repo->store, "keys/", SLOTS_MAX, &slots, err);
	for (size_t i = 0; r == 0 && i < slots.count; i++) {
		if (!is_slot_name(slots.names[i]))
			continue;
		(void)snprintf(key, sizeof(key), "keys/%s", slots.names[i]);
		r = check_slot(repo, slots.names[i], key, err);
		if (r == ERR_CORRUPT) {
			bad(arg, key, err);
			r = 0;
		}
	}
	return r;
}
