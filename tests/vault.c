/*
 * What the tests of repositories, volumes and snapshots share: see vault.h.
 */
#include "vault.h"

#include "check.h"
#include "cleanup.h"
#include "world.h"

struct secret vault_passphrase, vault_key_file, vault_wrong_passphrase, vault_wrong_key_file;

/* ---- a store that does not own the one below ---- */

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

struct store *
vault_share(struct store *inner)
{
	struct shared *s = calloc(1, sizeof(*s));

	CHECK(s != NULL);
	s->store.ops = &shared_ops;
	s->inner = inner;
	return &s->store;
}

/* ---- secrets ---- */

void
vault_make_secrets(void)
{
	vault_passphrase.kind = vault_wrong_passphrase.kind = SECRET_PASSPHRASE;
	vault_passphrase.len = vault_wrong_passphrase.len = 8;
	memcpy(vault_passphrase.bytes, "open up!", 8);
	memcpy(vault_wrong_passphrase.bytes, "shut up!", 8);
	vault_key_file.kind = vault_wrong_key_file.kind = SECRET_KEY_FILE;
	vault_key_file.len = vault_wrong_key_file.len = KEY_LEN;
	for (uint8_t i = 0; i < KEY_LEN; i++) {
		vault_key_file.bytes[i] = i;
		vault_wrong_key_file.bytes[i] = (uint8_t)(i + 1);
	}
}

/* ---- repositories and their objects ---- */

struct store *
vault_new_store(void)
{
	struct store *store;

	world_new_store(&store);
	return store;
}

struct repo *
vault_init(struct store *store, const struct secret *secret)
{
	struct repo *repo;
	struct error err;

	CHECK_OK(repo_init(vault_share(store), secret, "test", 10, VAULT_NOW, &repo, &err), &err);
	return repo;
}

int
vault_try_open(struct store *store, const struct secret *secret, struct error *err)
{
	struct repo *repo = NULL;
	int r = repo_open(vault_share(store), secret, 1, &repo, err);

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

const char *
vault_first_key(struct store *store, const char *prefix)
{
	static char key[200];
	struct error err;

	key[0] = '\0';
	CHECK_OK(store_list(store, prefix, note_key, key, &err), &err);
	return key;
}

size_t
vault_count(struct store *store, const char *prefix)
{
	size_t count = 0;
	struct error err;

	CHECK_OK(store_list(store, prefix, count_key, &count, &err), &err);
	return count;
}

void
vault_load(struct store *store, const char *key, struct buf *out)
{
	struct error err;

	buf_init(out, 1 << 20);
	CHECK_OK(store_load(store, key, 1 << 20, out, &err), &err);
}

void
vault_replace(struct store *store, const char *key, const void *bytes, size_t len)
{
	struct error err;

	CHECK_OK(store_remove(store, key, &err), &err);
	CHECK_OK(store_put(store, key, bytes, len, &err), &err);
}

void
vault_damage(struct store *store, const char *key, const char *text)
{
	CLEANUP(buf_free) struct buf b;
	uint8_t *at;

	vault_load(store, key, &b);
	at = memmem(b.data, b.len, text, strlen(text));
	CHECK(at != NULL);
	at += strlen(text);
	*at = *at == '0' ? '1' : '0';
	vault_replace(store, key, b.data, b.len);
}

void
vault_fail(struct store *store, unsigned ops, uint64_t nth, bool later, bool after, enum error_code code)
{
	const struct store_fault_plan plan = {ops, nth, later, after, code};

	store_fault_fail(store, &plan);
}
