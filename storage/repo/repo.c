/*
 * A repository as a whole: made, opened and checked.
 *
 * repo.json can be checked only with the root key, which is in the slots, which are bound to the id in repo.json.  So
 * the id is taken from repo.json as it comes, and believed when the key that it leads to turns out to have signed it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "cleanup.h"
#include "envelope.h"
#include "error.h"
#include "object.h"
#include "repo.h"
#include "repo_internal.h"
#include "wire.h"

enum { NAME_SIZE = 64 };

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
	/* What a check of the place has left behind. */
	if (strcmp(object->key, "endpoint.json") == 0 || strncmp(object->key, "doctor/", 7) == 0)
		return 0;
	(void)snprintf(name, NAME_SIZE, "%.*s", NAME_SIZE - 1, object->key);
	return 1;
}

/* By listing alone when it is empty: who may not list everything is told "denied" of what does not exist. */
static int
check_empty(struct store *store, struct error *err)
{
	char name[NAME_SIZE] = "";
	struct error ignored;
	uint64_t size;
	int r = store_list(store, "", note_any, name, err);

	if (r < 0 || name[0] == '\0')
		return MIN(r, 0);
	if (store_size(store, REPO_OBJECT, &size, &ignored) == 0)
		return error_set(err, ERR_EXISTS, "there is a repository already");
	return error_set(err, ERR_EXISTS, "the place is not empty: it holds %s", name);
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
	char slot_id[2 * SLOT_ID_LEN + 1], name[NAME_SIZE];
	int r;

	r = repo_new(store, &repo, err);
	if (r == 0)
		r = check_empty(store, err);
	if (r == 0)
		r = make_root_key(repo, err);
	if (r == 0)
		r = slot_create(&repo->root, secret, label, scrypt_log_n, now_s, slot_id, &slot, err);
	if (r == 0)
		r = repo_descriptor_make(&repo->root, now_s, &descriptor, err);
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

int
repo_open(struct store *store, const struct secret *secrets, size_t count, struct repo **out, struct error *err)
{
	CLEANUP(cleanup_repo_p) struct repo *repo = NULL;
	struct repo_descriptor descriptor;
	int r;

	r = repo_new(store, &repo, err);
	if (r == 0)
		r = repo_descriptor_read(store, &descriptor, err);
	if (r < 0)
		return r;
	memcpy(repo->root.repository, descriptor.id, sizeof(descriptor.id));
	hex_encode(repo->id, descriptor.id, sizeof(descriptor.id));
	r = repo_slots_open(repo->store, secrets, count, &repo->root, err);
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
check_descriptor(const struct repo *repo, struct error *err)
{
	struct repo_descriptor d;
	int r = repo_descriptor_read(repo->store, &d, err);

	if (r == 0 && (memcmp(d.id, repo->root.repository, sizeof(d.id)) != 0 ||
			  !crypto_equal(d.admin_key, repo->root.admin_public, KEY_LEN)))
		r = error_set(err, ERR_CORRUPT, "it is another repository's than a moment ago");
	return r == ERR_NO_REPOSITORY ? (err->code = ERR_CORRUPT) : r;
}

int
repo_check(const struct repo *repo, void (*bad)(void *arg, const char *key, const struct error *), void *arg,
    struct error *err)
{
	int r = check_descriptor(repo, err);

	if (r == ERR_CORRUPT)
		bad(arg, REPO_OBJECT, err);
	else if (r < 0)
		return r;
	return repo_slots_check(repo->store, repo->root.repository, bad, arg, err);
}
