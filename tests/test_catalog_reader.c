/*
 * Catalogs written by hand, block by block, and read back as a stream: from the start, from the middle, with and
 * without a thread ahead, and with every kind of lie that a sequence of blocks can tell.
 */
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "block.h"
#include "buf.h"
#include "check.h"
#include "cleanup.h"
#include "pack.h"
#include "packlist.h"
#include "repo.h"
#include "store_fault.h"

enum { PACK_SIZE = 1 << 20 };

static const unsigned readaheads[] = {0, 1, 4, 1000};

/* A repository with one volume, and a snapshot under construction. */
struct world {
	struct store *store;
	struct repo *repo;
	struct volume *volume;
	struct session_key key;
	struct sealer *sealer;
	struct pack *pack;
	uint32_t seq;
	bool pack_open;
	struct block_encoder *encoder;
	struct packlist *packlist;
	struct root root;
	char last[300];
	struct snapshot *snapshot;
};

static void
world_new(struct world *w)
{
	struct secret secret = {.kind = SECRET_KEY_FILE, .len = KEY_LEN, .bytes = {1, 2}};
	struct packlist_session session;
	struct store *mem;
	struct error err;

	memset(w, 0, sizeof(*w));
	CHECK_OK(store_mem_open(&mem, &err), &err);
	CHECK_OK(store_fault_new(mem, &w->store, &err), &err);
	CHECK_OK(repo_init(w->store, &secret, "", 10, 0, &w->repo, &err), &err);
	CHECK_OK(volume_open(w->repo, "vol", true, 0, &w->volume, &err), &err);
	CHECK_OK(session_key_create(&w->volume->keys[0], &w->key, &err), &err);
	CHECK_OK(sealer_new(&w->volume->keys[0], 1, &w->sealer, &err), &err);
	CHECK_OK(pack_new(PACK_SIZE, &w->pack, &err), &err);
	CHECK_OK(block_encoder_new(&w->encoder, &err), &err);
	CHECK_OK(packlist_new(&w->packlist, &err), &err);
	memset(&session, 0, sizeof(session));
	memcpy(session.session, w->key.session, SESSION_ID_LEN);
	session.epoch = w->volume->keys[0].epoch;
	memcpy(session.keyid, w->volume->keys[0].keyid, KEY_ID_LEN);
	memcpy(session.sealed, w->key.sealed, SEALED_LEN);
	memcpy(session.commitment, w->key.commitment, 32);
	CHECK_OK(packlist_add_session(w->packlist, &session, &err), &err);
}

static void
world_free(struct world *w)
{
	snapshot_free(w->snapshot);
	root_wipe(&w->root);
	packlist_free(w->packlist);
	block_encoder_free(w->encoder);
	pack_free(w->pack);
	sealer_free(w->sealer);
	volume_free(w->volume);
	repo_free(w->repo);
}

/* The open pack goes to the store. */
static void
end_pack(struct world *w)
{
	char name[PACK_NAME_LEN];
	struct error err;

	if (!w->pack_open)
		return;
	CHECK_OK(pack_finish(w->pack, &err), &err);
	pack_name(w->volume->id, 'm', w->key.session, w->seq++, name);
	CHECK_OK(store_put(w->store, name, pack_bytes(w->pack), pack_len(w->pack), &err), &err);
	w->pack_open = false;
}

static struct frame_ref
add_frame(struct world *w, uint8_t type, const void *plain, size_t len)
{
	struct frame_ref ref;
	uint8_t id[ID_LEN];
	struct error err;

	if (w->pack_open && !pack_fits(w->pack, len))
		end_pack(w);
	if (!w->pack_open)
		CHECK_OK(pack_begin(w->pack, &w->volume->keys[0], &w->key, 'm', w->seq, w->sealer, &err), &err);
	w->pack_open = true;
	CHECK_OK(sealer_id(w->sealer, type, plain, len, id, &err), &err);
	CHECK_OK(pack_add(w->pack, w->sealer, type, id, plain, len, 0, 0, &ref, &err), &err);
	return ref;
}

/* "name/" is a folder, "name@" a device, everything else an empty file; "/" is the root folder. */
static void
parse_entry(const char *text, struct entry *e)
{
	size_t len = strlen(text);

	memset(e, 0, sizeof(*e));
	e->path = text;
	e->nlink = 1;
	e->mode = 0644;
	e->type = ENTRY_FILE;
	if (len > 0 && (text[len - 1] == '/' || text[len - 1] == '@')) {
		e->type = text[len - 1] == '/' ? ENTRY_FOLDER : ENTRY_VOLUME;
		len--;
	}
	e->path_len = len;
}

static void
add_entry(struct world *w, const char *text)
{
	struct entry e;
	struct error err;

	parse_entry(text, &e);
	CHECK_OK(block_encoder_add(w->encoder, &e, &err), &err);
}

/* The encoder's block into a pack, and into the root, which believes that it begins with first and has so many entries.
 */
static void
end_block(struct world *w, const char *first, const char *last, uint64_t entries)
{
	CLEANUP(buf_free) struct buf block = BUF_INIT(FRAME_PLAIN_MAX);
	struct entry e;
	struct frame_ref ref;
	struct error err;

	CHECK_OK(block_encoder_finish(w->encoder, &block, &err), &err);
	ref = add_frame(w, FRAME_CATALOG, block.data, block.len);
	CHECK_OK(packlist_add(w->packlist, &ref, ref.plen, &err), &err);
	parse_entry(first, &e);
	CHECK_OK(root_add(&w->root, e.path, e.path_len, w->last, strlen(w->last), &ref, entries, &err), &err);
	parse_entry(last, &e);
	(void)snprintf(w->last, sizeof(w->last), "%.*s", (int)e.path_len, e.path);
}

/* One block from its entries, divided by spaces. */
static void
add_block(struct world *w, const char *entries)
{
	char text[300], *save, *word, *first = NULL, *last = NULL;
	size_t count = 0;

	(void)snprintf(text, sizeof(text), "%s", entries);
	for (word = strtok_r(text, " ", &save); word != NULL; word = strtok_r(NULL, " ", &save)) {
		add_entry(w, word);
		first = first == NULL ? word : first;
		last = word;
		count++;
	}
	end_block(w, first, last, count);
}

static void
add_lengths(struct world *w)
{
	struct error err;

	for (uint32_t seq = 0; seq < w->seq; seq++) {
		char name[PACK_NAME_LEN];
		uint64_t size;

		pack_name(w->volume->id, 'm', w->key.session, seq, name);
		CHECK_OK(store_size(w->store, name, &size, &err), &err);
		CHECK_OK(packlist_set_len(w->packlist, 'm', w->key.session, seq, size, &err), &err);
	}
}

static void
make_manifest(struct world *w, struct manifest *m)
{
	static const uint8_t random[10];
	const struct packlist_session *session = packlist_session(w->packlist, w->key.session);

	memset(m, 0, sizeof(*m));
	snapshot_id_make(1000, random, m->snapshot);
	memcpy(m->volume, w->volume->id, sizeof(m->volume));
	m->epoch = w->volume->keys[0].epoch;
	memcpy(m->keyid, w->volume->keys[0].keyid, sizeof(m->keyid));
	memcpy(m->session, w->key.session, sizeof(m->session));
	m->sessions = calloc(1, sizeof(m->sessions[0]));
	CHECK(m->sessions != NULL && session != NULL);
	m->sessions[0] = *session;
	m->nsessions = 1;
}

/* Root and packlist into packs, the manifest, and the snapshot opened through all of that. */
static void
finish(struct world *w)
{
	CLEANUP(buf_free) struct buf root = BUF_INIT(ROOT_ENCODED_MAX), packlist = BUF_INIT(PACKLIST_ENCODED_MAX);
	CLEANUP(manifest_wipe) struct manifest m, loaded = {0};
	struct error err;
	size_t half;

	end_pack(w);
	make_manifest(w, &m);
	CHECK_OK(root_encode(&w->root, &root, &err), &err);
	add_lengths(w);
	CHECK_OK(packlist_encode(w->packlist, &packlist, &err), &err);
	/* A root of two frames. */
	half = root.len / 2;
	m.root[m.nroot++] = add_frame(w, FRAME_ROOT, root.data, half);
	m.root[m.nroot++] = add_frame(w, FRAME_ROOT, root.data + half, root.len - half);
	m.packlist[m.npacklist++] = add_frame(w, FRAME_PACKLIST, packlist.data, packlist.len);
	end_pack(w);
	CHECK_OK(snapshot_commit(w->volume, &m, &err), &err);
	CHECK_OK(snapshot_resolve(w->volume, "latest", &loaded, &err), &err);
	CHECK_OK(snapshot_open(w->volume, &loaded, &w->snapshot, &err), &err);
	CHECK_INT(loaded.nsessions, 0);
	CHECK_INT(w->snapshot->root.nblocks, w->root.nblocks);
}

static int
next_path(struct catalog_reader *r, char *out, size_t size, struct error *err)
{
	struct entry e;
	int code = catalog_reader_next(r, &e, err);

	if (code == 1)
		(void)snprintf(out, size, "%.*s", (int)e.path_len, e.path);
	return code;
}

/* ---- a large catalog ---- */

enum { FOLDERS = 60, FILES = 50, ENTRIES = 1 + FOLDERS * (1 + FILES), PER_BLOCK = 37 };

static void
model_path(size_t i, char out[64])
{
	size_t folder = (i - 1) / (1 + FILES), file = (i - 1) % (1 + FILES);

	if (i == 0)
		(void)snprintf(out, 64, "/");
	else if (file == 0)
		(void)snprintf(out, 64, "folder-%04zu/", folder * 2);
	else
		(void)snprintf(out, 64, "folder-%04zu/file-%04zu", folder * 2, file * 2);
}

static void
make_large(struct world *w)
{
	char path[64], first[64];
	size_t count = 0;
	uint8_t filler[2000];

	world_new(w);
	memset(filler, 7, sizeof(filler));
	for (size_t i = 0; i < ENTRIES; i++) {
		model_path(i, path);
		if (count++ == 0)
			memcpy(first, path, sizeof(first));
		add_entry(w, path);
		if (count < PER_BLOCK && i + 1 < ENTRIES)
			continue;
		end_block(w, first, path, count);
		count = 0;
		/* Gaps, and now and then another pack. */
		if (w->root.nblocks % 5 == 0)
			(void)add_frame(w, FRAME_SEGMENT, filler, sizeof(filler));
		if (w->root.nblocks % 30 == 0)
			end_pack(w);
	}
	finish(w);
}

static void
cut_slash(char *path)
{
	size_t len = strlen(path);

	if (path[len - 1] == '/')
		path[len - 1] = '\0';
}

/* Read on from entry i of the model to the end. */
static void
check_rest(struct catalog_reader *r, size_t i)
{
	char path[64], want[64];
	struct error err;
	int code;

	for (;; i++) {
		code = next_path(r, path, sizeof(path), &err);
		CHECK_OK(code, &err);
		if (code == 0)
			break;
		CHECK(i < ENTRIES);
		CHECK_INT(catalog_reader_block(r), i / PER_BLOCK);
		model_path(i, want);
		cut_slash(want);
		CHECK_STR(path, want);
	}
	CHECK_INT(i, ENTRIES);
	CHECK_INT(next_path(r, path, sizeof(path), &err), 0);
}

static void
test_stream(struct world *w)
{
	for (size_t n = 0; n < COUNT_OF(readaheads); n++) {
		uint64_t gets = store_fault_count(w->store, STORE_FAULT_GET);
		struct catalog_reader *r;
		struct error err;

		CHECK_OK(catalog_reader_new(w->snapshot, readaheads[n], &r, &err), &err);
		check_rest(r, 0);
		gets = store_fault_count(w->store, STORE_FAULT_GET) - gets;
		/* One request for each of the three packs is enough, since they are small. */
		CHECK_INT(w->snapshot->root.nblocks, 83);
		CHECK_INT(gets, 3);
		CHECK_OK(catalog_reader_seek(r, "", 0, &err), &err);
		check_rest(r, 0);
		catalog_reader_free(r);
	}
	catalog_reader_free(NULL);
}

static void
test_seek(struct world *w)
{
	for (size_t n = 0; n < COUNT_OF(readaheads); n++) {
		uint64_t random = 5;
		struct catalog_reader *r;
		struct error err;
		char path[64], want[64];

		CHECK_OK(catalog_reader_new(w->snapshot, readaheads[n], &r, &err), &err);
		for (int round = 0; round < 60; round++) {
			size_t i = check_random(&random) % ENTRIES, steps = check_random(&random) % 80;
			bool between = check_random(&random) % 2 == 0;

			/* A path that is there, or one just behind the file before it. */
			model_path(between && i > 0 ? i - 1 : i, path);
			if (between && i > 0 && path[strlen(path) - 1] != '/')
				(void)snprintf(path + strlen(path), sizeof(path) - strlen(path), "x");
			else
				model_path(i, path);
			cut_slash(path);
			CHECK_OK(catalog_reader_seek(r, path, strlen(path), &err), &err);
			for (size_t k = 0; k <= steps && i < ENTRIES; k++, i++) {
				CHECK_INT(next_path(r, path, sizeof(path), &err), 1);
				model_path(i, want);
				cut_slash(want);
				CHECK_STR(path, want);
			}
		}
		CHECK_OK(catalog_reader_seek(r, "zzz", 3, &err), &err);
		CHECK_INT(next_path(r, path, sizeof(path), &err), 0);
		CHECK_OK(catalog_reader_seek(r, "folder-0007", 11, &err), &err);
		check_rest(r, 1 + 4 * (1 + FILES));
		/* Freed while the thread is at work. */
		CHECK_OK(catalog_reader_seek(r, "", 0, &err), &err);
		CHECK_INT(next_path(r, path, sizeof(path), &err), 1);
		catalog_reader_free(r);
	}
}

/* Whether entry i of the model is below the folder that is entry of. */
static bool
is_below(size_t of, size_t i)
{
	return i > of && (of == 0 || (i - 1) / (1 + FILES) == (of - 1) / (1 + FILES));
}

/* Folders are left out at random, whatever was read of them before. */
static void
test_skip(struct world *w)
{
	for (size_t n = 0; n < COUNT_OF(readaheads); n++) {
		uint64_t random = 7;
		struct catalog_reader *r;
		struct error err;
		char path[64], want[64];

		CHECK_OK(catalog_reader_new(w->snapshot, readaheads[n], &r, &err), &err);
		for (int round = 0; round < 20; round++) {
			CHECK_OK(catalog_reader_seek(r, "", 0, &err), &err);
			for (size_t i = 0; i < ENTRIES;) {
				size_t folder = i == 0 ? 0 : (i - 1) / (1 + FILES) * (1 + FILES) + 1,
				       odds = i == folder ? 2 : 60;

				CHECK_INT(next_path(r, path, sizeof(path), &err), 1);
				model_path(i, want);
				cut_slash(want);
				CHECK_STR(path, want);
				CHECK_INT(catalog_reader_block(r), i / PER_BLOCK);
				i++;
				if (folder == 0 || check_random(&random) % odds > 0)
					continue;
				model_path(folder, path);
				cut_slash(path);
				CHECK_OK(catalog_reader_skip(r, path, strlen(path), &err), &err);
				while (i < ENTRIES && is_below(folder, i))
					i++;
			}
			CHECK_INT(next_path(r, path, sizeof(path), &err), 0);
		}
		CHECK_OK(catalog_reader_seek(r, "", 0, &err), &err);
		CHECK_INT(next_path(r, path, sizeof(path), &err), 1);
		CHECK_OK(catalog_reader_skip(r, "", 0, &err), &err);
		CHECK_INT(next_path(r, path, sizeof(path), &err), 0);
		catalog_reader_free(r);
	}
}

/* What keeps blocks so far from each other that each is a request. */
static void
add_filler(struct world *w, uint64_t *random)
{
	uint8_t filler[200 * 1024];

	for (size_t k = 0; k < sizeof(filler); k++)
		filler[k] = (uint8_t)check_random(random);
	(void)add_frame(w, FRAME_SEGMENT, filler, sizeof(filler));
}

/* Three folders of ten blocks each. */
static void
test_skip_fetches_little(void)
{
	enum { BLOCKS = 10 };
	static const char *const want[] = {"", "a", "b", "c", "z"};
	struct catalog_reader *r;
	struct world w;
	struct error err;
	struct entry e;
	uint64_t random = 3, gets;

	world_new(&w);
	add_block(&w, "/");
	add_filler(&w, &random);
	for (char folder = 'a'; folder <= 'c'; folder++)
		for (unsigned i = 0; i < BLOCKS; i++) {
			char text[64];

			if (i == 0)
				(void)snprintf(text, sizeof(text), "%c/ %c/0", folder, folder);
			else
				(void)snprintf(text, sizeof(text), "%c/%u", folder, i);
			add_block(&w, text);
			add_filler(&w, &random);
		}
	add_block(&w, "z");
	finish(&w);
	CHECK_OK(catalog_reader_new(w.snapshot, 0, &r, &err), &err);
	gets = store_fault_count(w.store, STORE_FAULT_GET);
	for (size_t i = 0; i < COUNT_OF(want); i++) {
		CHECK_INT(catalog_reader_next(r, &e, &err), 1);
		CHECK_INT(e.path_len, strlen(want[i]));
		CHECK_MEM(e.path, want[i], e.path_len);
		if (e.path_len > 0 && e.type == ENTRY_FOLDER)
			CHECK_OK(catalog_reader_skip(r, e.path, e.path_len, &err), &err);
	}
	CHECK_INT(catalog_reader_next(r, &e, &err), 0);
	/* The root's block and z's, and of each folder the block where it begins and the one where it may end. */
	CHECK_INT(store_fault_count(w.store, STORE_FAULT_GET) - gets, 2 + 3 * 2);
	catalog_reader_free(r);
	world_free(&w);
}

/* What lies near is not fetched again and again. */
static void
test_skip_near(struct world *w)
{
	uint64_t gets = store_fault_count(w->store, STORE_FAULT_GET);
	struct catalog_reader *r;
	struct error err;
	struct entry e;
	size_t count = 0;
	int code;

	CHECK_OK(catalog_reader_new(w->snapshot, 0, &r, &err), &err);
	while ((code = catalog_reader_next(r, &e, &err)) > 0) {
		if (count++ > 0)
			CHECK_OK(catalog_reader_skip(r, e.path, e.path_len, &err), &err);
	}
	CHECK_INT(code, 0);
	CHECK_INT(count, 1 + FOLDERS);
	CHECK_INT(store_fault_count(w->store, STORE_FAULT_GET) - gets, 3);
	catalog_reader_free(r);
}

/* What follows is still checked: it cannot be in a folder that was left out. */
static void
test_skip_checks(void)
{
	struct catalog_reader *r;
	struct world w;
	struct error err;
	char path[64];

	world_new(&w);
	add_block(&w, "/ a/");
	add_block(&w, "a/b/ a/b/c");
	add_block(&w, "a/b/d");
	add_block(&w, "a/b/e f");
	add_block(&w, "g/h");
	finish(&w);
	for (size_t n = 0; n < COUNT_OF(readaheads); n++) {
		CHECK_OK(catalog_reader_new(w.snapshot, readaheads[n], &r, &err), &err);
		CHECK_INT(next_path(r, path, sizeof(path), &err), 1);
		CHECK_INT(next_path(r, path, sizeof(path), &err), 1);
		CHECK_OK(catalog_reader_skip(r, "a", 1, &err), &err);
		CHECK_INT(next_path(r, path, sizeof(path), &err), 1);
		CHECK_STR(path, "f");
		CHECK_INT(next_path(r, path, sizeof(path), &err), ERR_CORRUPT);
		CHECK(strstr(err.msg, "\"g/h\" is not in a folder") != NULL);
		CHECK_OK(catalog_reader_skip(r, "f", 1, &err), &err);
		CHECK_INT(next_path(r, path, sizeof(path), &err), ERR_CORRUPT);
		catalog_reader_free(r);
	}
	world_free(&w);
}

/* A store that fails: the entries before it still come, then the error, again and again, and a seek starts anew. */
static void
test_store_errors(struct world *w)
{
	const struct store_fault_plan plan = {STORE_FAULT_GET, 2, true, false, ERR_UNAVAILABLE};

	for (size_t n = 0; n < COUNT_OF(readaheads); n++) {
		struct catalog_reader *r;
		struct error err;
		char path[64];
		size_t count = 0;
		int code;

		CHECK_OK(catalog_reader_new(w->snapshot, readaheads[n], &r, &err), &err);
		store_fault_fail(w->store, &plan);
		while ((code = next_path(r, path, sizeof(path), &err)) == 1)
			count++;
		CHECK_INT(code, ERR_UNAVAILABLE);
		CHECK_INT(count, 30 * PER_BLOCK);
		CHECK(strstr(err.msg, "catalog block 30") != NULL &&
		      strstr(err.msg, w->snapshot->manifest.snapshot) != NULL);
		CHECK_INT(next_path(r, path, sizeof(path), &err), ERR_UNAVAILABLE);
		store_fault_fail(w->store, NULL);
		CHECK_INT(next_path(r, path, sizeof(path), &err), ERR_UNAVAILABLE);
		CHECK_OK(catalog_reader_seek(r, "", 0, &err), &err);
		check_rest(r, 0);
		catalog_reader_free(r);
	}
}

/* The object behind a pack is changed, cut or removed. */
static void
test_damaged_packs(struct world *w)
{
	const struct frame_ref *ref = &w->snapshot->root.blocks[40].frame;
	CLEANUP(buf_free) struct buf good = BUF_INIT(PACK_SIZE), bad = BUF_INIT(PACK_SIZE);
	char name[PACK_NAME_LEN];
	struct error err;

	pack_name(w->volume->id, 'm', ref->session, ref->seq, name);
	CHECK_OK(store_load(w->store, name, PACK_SIZE, &good, &err), &err);
	for (int how = 0; how < 3; how++) {
		for (size_t n = 0; n < COUNT_OF(readaheads); n++) {
			struct catalog_reader *r;
			char path[64];
			size_t count = 0;
			int code;

			CHECK_OK(store_remove(w->store, name, &err), &err);
			buf_reset(&bad);
			buf_put(&bad, good.data, how == 1 ? ref->offset + 5 : good.len);
			if (how == 0)
				bad.data[ref->offset + 5] ^= 1;
			if (how < 2)
				CHECK_OK(store_put(w->store, name, bad.data, bad.len, &err), &err);
			CHECK_OK(catalog_reader_new(w->snapshot, readaheads[n], &r, &err), &err);
			while ((code = next_path(r, path, sizeof(path), &err)) == 1)
				count++;
			CHECK_INT(code, ERR_CORRUPT);
			/* What lies before the damage in the same pack is still had. */
			CHECK_INT(count, (how == 2 ? 30 : 40) * PER_BLOCK);
			CHECK(strstr(err.msg, name) != NULL);
			CHECK(strstr(err.msg, how == 2 ? "catalog block 30" : "catalog block 40") != NULL);
			/* And what lies behind it, in another place. */
			CHECK_OK(catalog_reader_seek(r, "folder-0090", 11, &err), &err);
			check_rest(r, 1 + 45 * (1 + FILES));
			catalog_reader_free(r);
		}
	}
	CHECK_OK(store_put(w->store, name, good.data, good.len, &err), &err);
}

/* ---- lies ---- */

/* Read all, in every way: the code of the end, and the number of entries before it. */
static int
read_all(struct world *w, size_t want_count, const char *want_words)
{
	int code = 0;

	for (size_t n = 0; n < COUNT_OF(readaheads); n++) {
		struct catalog_reader *r;
		struct error err;
		char path[64];
		size_t count = 0;

		CHECK_OK(catalog_reader_new(w->snapshot, readaheads[n], &r, &err), &err);
		while ((code = next_path(r, path, sizeof(path), &err)) == 1)
			count++;
		CHECK_INT(count, want_count);
		if (code < 0 && strstr(err.msg, want_words) == NULL)
			fprintf(stderr, "\"%s\" does not hold \"%s\"\n", err.msg, want_words);
		CHECK(code == 0 || strstr(err.msg, want_words) != NULL);
		catalog_reader_free(r);
	}
	return code;
}

static void
test_blocks(void)
{
	static const struct {
		const char *blocks[4];
		size_t count;
		int want;
		const char *words;
	} cases[] = {
	    {{"/"}, 1, 0, ""},
	    {{"@"}, 1, 0, ""},
	    {{"/ a/ a/b/ a/b/c a-", "b c/", "c/d"}, 8, 0, ""},
	    {{"/ a/", "a/b/", "a/b/c/", "a/d"}, 5, 0, ""},
	    {{"/ a/ a/b", "c/d"}, 3, ERR_CORRUPT, "\"c/d\" is not in a folder"},
	    {{"/ a", "a/b"}, 2, ERR_CORRUPT, "\"a/b\" is not in a folder"},
	    {{"/ a/ a/b", "a/b/c"}, 3, ERR_CORRUPT, "\"a/b/c\" is not in a folder"},
	    {{"/ a/ a/b/", "a/c", "a/d/e"}, 4, ERR_CORRUPT, "\"a/d/e\" is not in a folder"},
	    {{"/ ab/", "abc/d"}, 2, ERR_CORRUPT, "\"abc/d\" is not in a folder"},
	    {{"a/"}, 0, ERR_CORRUPT, "no root folder"},
	    {{"a"}, 0, ERR_CORRUPT, "no root folder"},
	    {{"@", "a"}, 1, ERR_CORRUPT, "device"},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct world w;

		world_new(&w);
		for (size_t b = 0; b < 4 && cases[i].blocks[b] != NULL; b++)
			add_block(&w, cases[i].blocks[b]);
		finish(&w);
		CHECK_INT(read_all(&w, cases[i].count, cases[i].words), cases[i].want);
		world_free(&w);
	}
}

static void
test_seek_without_parents(void)
{
	struct world w;
	struct catalog_reader *r;
	struct error err;
	char path[64];

	world_new(&w);
	add_block(&w, "/ a");
	add_block(&w, "c/d e");
	finish(&w);
	CHECK_OK(catalog_reader_new(w.snapshot, 0, &r, &err), &err);
	/* In the middle nothing is known of the folders. */
	CHECK_OK(catalog_reader_seek(r, "d", 1, &err), &err);
	CHECK_INT(next_path(r, path, sizeof(path), &err), 1);
	CHECK_STR(path, "e");
	CHECK_OK(catalog_reader_seek(r, "a", 1, &err), &err);
	CHECK_INT(next_path(r, path, sizeof(path), &err), 1);
	CHECK_STR(path, "a");
	CHECK_INT(next_path(r, path, sizeof(path), &err), ERR_CORRUPT);
	catalog_reader_free(r);
	world_free(&w);
}

static void
set_separator(struct root_block *b, const char *separator)
{
	free(b->separator);
	b->separator = strdup(separator);
	CHECK(b->separator != NULL);
	b->separator_len = strlen(separator);
}

static void
test_wrong_roots(void)
{
	static const struct {
		size_t count;
		const char *words;
	} cases[] = {
	    {0, "no root folder"}, /* the first two blocks exchanged */
	    {6, "begins below its separator"}, /* the last two: the lower one is found second */
	    {3, "ends above its separator"}, /* a separator too low */
	    {3, "begins below its separator"}, /* a separator too high */
	    {3, "has 3 entries, not 4"},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct root_block *b;
		struct frame_ref ref;
		struct world w;

		world_new(&w);
		add_block(&w, "/ a c");
		add_block(&w, "f g h");
		add_block(&w, "k l m");
		b = w.root.blocks;
		ref = b[i == 0 ? 0 : 1].frame;
		if (i <= 1) {
			b[i].frame = b[i + 1].frame;
			b[i + 1].frame = ref;
		} else if (i == 2) {
			set_separator(&b[1], "b");
		} else if (i == 3) {
			set_separator(&b[1], "ff");
		} else {
			b[1].entries++;
			w.root.entries++;
		}
		finish(&w);
		CHECK_INT(read_all(&w, cases[i].count, cases[i].words), ERR_CORRUPT);
		world_free(&w);
	}
}

/* ---- opening a snapshot ---- */

static void
test_open_errors(struct world *w)
{
	struct snapshot *s = NULL;
	struct error err;

	for (int i = 0; i < 5; i++) {
		struct manifest m;

		CHECK_OK(snapshot_load(w->volume, w->snapshot->manifest.snapshot, &m, &err), &err);
		switch (i) {
		case 0:
			m.nsessions = 0;
			break; /* the session of the root is unknown */
		case 1:
			m.root[0].id[0] ^= 1;
			break;
		case 2:
			m.packlist[0].seq += 9;
			break;
		case 3:
			m.epoch++;
			break;
		default:
			m.nroot = 1;
			break;
		}
		CHECK_INT(snapshot_open(w->volume, &m, &s, &err), ERR_CORRUPT);
		CHECK(strstr(err.msg, w->snapshot->manifest.snapshot) != NULL);
		CHECK(m.sessions == NULL && s == NULL);
	}
	snapshot_free(NULL);
}

/* ---- how much is fetched together ---- */

/* Blocks of 64 KiB that do not compress, as many as fit a pack. */
static void
make_long(struct world *w)
{
	static char target[ENTRY_LINK_MAX];
	uint64_t random = 5;
	char name[16] = "";
	struct error err;

	world_new(w);
	add_block(w, "/");
	for (unsigned i = 0; i < 14; i++) {
		struct entry e = {.type = ENTRY_SYMLINK, .nlink = 1, .path = name, .link = target};

		for (size_t k = 0; k < sizeof(target); k++)
			target[k] = (char)(check_random(&random) % 255 + 1);
		(void)snprintf(name, sizeof(name), "%02u", i);
		e.path_len = strlen(name);
		e.link_len = sizeof(target);
		CHECK_OK(block_encoder_add(w->encoder, &e, &err), &err);
		end_block(w, name, name, 1);
	}
	finish(w);
}

static uint64_t
count_gets(struct world *w, struct catalog_reader *r)
{
	uint64_t before = store_fault_count(w->store, STORE_FAULT_GET);
	size_t entries = 0;
	struct error err;
	char path[64];
	int code;

	while ((code = next_path(r, path, sizeof(path), &err)) == 1)
		entries++;
	CHECK_OK(code, &err);
	CHECK_INT(entries, 15);
	return store_fault_count(w->store, STORE_FAULT_GET) - before;
}

/* A little at first, more later; or all that there is in a pack. */
static void
test_whole(void)
{
	struct catalog_reader *r;
	struct world w;
	struct error err;

	make_long(&w);
	for (unsigned readahead = 0; readahead <= 2; readahead += 2) {
		CHECK_OK(catalog_reader_new(w.snapshot, readahead, &r, &err), &err);
		CHECK_INT(count_gets(&w, r), 3);
		catalog_reader_free(r);
		CHECK_OK(catalog_reader_new(w.snapshot, readahead, &r, &err), &err);
		catalog_reader_whole(r);
		CHECK_INT(count_gets(&w, r), 1);
		CHECK_OK(catalog_reader_seek(r, "", 0, &err), &err);
		CHECK_INT(count_gets(&w, r), 1);
		catalog_reader_free(r);
	}
	world_free(&w);
}

int
main(void)
{
	struct world w;

	(void)alarm(60);
	make_large(&w);
	test_stream(&w);
	test_seek(&w);
	test_skip(&w);
	test_skip_near(&w);
	test_store_errors(&w);
	test_damaged_packs(&w);
	test_open_errors(&w);
	world_free(&w);
	test_blocks();
	test_seek_without_parents();
	test_skip_fetches_little();
	test_skip_checks();
	test_wrong_roots();
	test_whole();
	return 0;
}
