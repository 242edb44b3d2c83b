/*
 * Snapshots of a volume: committed once, found by all kinds of names, and never confused with others.
 */
#include "vault.h"

#include <time.h>
#include <unistd.h>

#include "check.h"
#include "cleanup.h"

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
	struct store *store = vault_new_store();
	struct repo *repo = vault_init(store, &vault_key_file);
	struct volume *v;
	char ids[3][SNAPSHOT_ID_LEN + 1], (*list)[SNAPSHOT_ID_LEN + 1], prefix[SNAPSHOT_ID_LEN + 1], upper[20];
	size_t count;
	struct error err;

	CHECK_OK(volume_open(repo, "vol", true, VAULT_NOW, &v, &err), &err);
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
	struct store *store = vault_new_store();
	struct repo *repo = vault_init(store, &vault_key_file);
	CLEANUP(manifest_wipe) struct manifest m = {0};
	CLEANUP(buf_free) struct buf first = BUF_INIT(0), foreign = BUF_INIT(0);
	char a[SNAPSHOT_ID_LEN + 1], b[SNAPSHOT_ID_LEN + 1], c[SNAPSHOT_ID_LEN + 1], name[200], other[200];
	struct volume *v, *w;
	struct error err;

	CHECK_OK(volume_open(repo, "vol", true, VAULT_NOW, &v, &err), &err);
	CHECK_OK(volume_open(repo, "other", true, VAULT_NOW, &w, &err), &err);
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
		vault_load(store, old, &first);
	}
	vault_replace(store, name, first.data, first.len);
	manifest_wipe(&m);
	CHECK_INT(snapshot_load(v, b, &m, &err), ERR_CORRUPT);
	CHECK(strstr(err.msg, a) != NULL && strstr(err.msg, name) != NULL);
	/* That of another volume. */
	vault_load(store, other, &foreign);
	vault_replace(store, name, foreign.data, foreign.len);
	CHECK_INT(snapshot_load(v, b, &m, &err), ERR_CORRUPT);
	vault_replace(store, name, "", 0);
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
	struct store *store = vault_new_store();
	struct repo *repo = vault_init(store, &vault_key_file);
	CLEANUP(manifest_wipe) struct manifest m, loaded = {0}, stranger;
	struct volume *v;
	struct error err;

	CHECK_OK(volume_open(repo, "vol", true, VAULT_NOW, &v, &err), &err);
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
	vault_fail(store, STORE_FAULT_PUT, 1, false, false, ERR_UNAVAILABLE);
	CHECK_INT(snapshot_commit(v, &m, &err), ERR_UNAVAILABLE);
	CHECK_INT(snapshot_load(v, m.snapshot, &loaded, &err), ERR_NOT_FOUND);
	vault_fail(store, STORE_FAULT_PUT, 1, false, true, ERR_UNAVAILABLE);
	CHECK_OK(snapshot_commit(v, &m, &err), &err);
	m.snapshot[SNAPSHOT_ID_LEN - 1] = 'b';
	vault_fail(store, STORE_FAULT_GET, 1, false, false, ERR_UNAVAILABLE);
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
	vault_make_secrets();
	test_resolve();
	test_damaged_manifest();
	test_commit();
	return 0;
}
