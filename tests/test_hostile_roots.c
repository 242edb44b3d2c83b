/* Forged roots, packlists and session keys. */
#include "hostile.h"

#include "check.h"
#include "cleanup.h"
#include "packlist.h"

#define C ERR_CORRUPT

static struct error err;

static void
build_block_twice(struct forge *f)
{
	struct forge_block *b = &f->block;
	size_t n;

	hostile_root(f);
	hostile_small(f, "a");
	n = b->count;
	forge_block_end(f);
	forge_root_add(f, &f->root_refs.frames[0], "b", 1, n);
}

static void
build_wrong_count(struct forge *f)
{
	struct frame_ref other;
	uint8_t plain[] = {'C', 1, 0, 0, 0, 0, 0};

	hostile_root(f);
	hostile_small(f, "a");
	forge_block_end(f);
	other = forge_frame(f, FRAME_CATALOG, plain, sizeof plain, true);
	forge_root_add(f, &other, "b", 1, 2);
}

static void
build_empty_block(struct forge *f)
{
	uint8_t plain[] = {'C', 1, 0, 0, 0, 0, 0};
	struct frame_ref other;

	hostile_root(f);
	forge_block_end(f);
	other = forge_frame(f, FRAME_CATALOG, plain, sizeof plain, true);
	forge_root_add(f, &other, "b", 1, 0);
}

static void
build_bad_separator(struct forge *f)
{
	struct frame_ref ref;

	hostile_root(f);
	forge_block_end(f);
	ref = forge_frame(f, FRAME_CATALOG, "C\1", 2, true);
	forge_root_add(f, &ref, "../x", 4, 1);
}

static void
build_no_blocks(struct forge *f)
{
	static const uint8_t root[] = {'R', 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};

	buf_put(&f->root, root, sizeof root);
	hostile_root(f);
}

static void
build_root_is_noise(struct forge *f)
{
	buf_put(&f->root, "R\1\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12);
	hostile_root(f);
}

static void
build_packlist_without_session(struct forge *f)
{
	buf_put(&f->packlist, "L\1\0", 3);
	hostile_root(f);
	hostile_small(f, "a");
}

static void
build_packlist_with_noise(struct forge *f)
{
	buf_put(&f->packlist, "L\1\xff\xff\xff\x0f", 6);
	hostile_root(f);
}

/* The session is named with these keys instead of its own. */
static void
name_session(struct forge *f, const struct volume_keys *keys, const struct session_key *key)
{
	struct packlist_session s = {.epoch = keys->epoch};
	struct packlist *list;

	memcpy(s.session, f->key.session, sizeof s.session);
	memcpy(s.keyid, keys->keyid, sizeof s.keyid);
	memcpy(s.sealed, key->sealed, sizeof s.sealed);
	memcpy(s.commitment, key->commitment, sizeof s.commitment);
	CHECK_OK(packlist_new(&list, &err), &err);
	CHECK_OK(packlist_add_session(list, &s, &err), &err);
	CHECK_OK(packlist_set_len(list, 'p', s.session, 0, 100000, &err), &err);
	CHECK_OK(packlist_add(list, &hostile_bundle, 100, &err), &err);
	CHECK_OK(packlist_encode(list, &f->packlist, &err), &err);
	packlist_free(list);
	hostile_root(f);
	hostile_small(f, "a");
}

static void
build_foreign_session(struct forge *f)
{
	struct session_key key;
	struct volume *other;

	CHECK_OK(volume_open(f->repo, "other", true, 1700000000, &other, &err), &err);
	CHECK_OK(session_key_create(&other->keys[0], &key, &err), &err);
	name_session(f, &other->keys[0], &key);
	volume_free(other);
}

static void
build_foreign_session_with_own_name(struct forge *f)
{
	struct session_key key;
	struct volume *other;

	CHECK_OK(volume_open(f->repo, "other", true, 1700000000, &other, &err), &err);
	CHECK_OK(session_key_create(&other->keys[0], &key, &err), &err);
	name_session(f, f->keys, &key);
	volume_free(other);
}

static void
build_session_of_another_commitment(struct forge *f)
{
	struct session_key key = f->key;

	key.commitment[0] ^= 1;
	name_session(f, f->keys, &key);
}

static const struct hostile_case cases[] = {
    {"block twice", C, .build = build_block_twice},
    {"wrong count", C, .build = build_wrong_count},
    {"empty block", C, .build = build_empty_block},
    {"bad separator", C, .build = build_bad_separator},
    {"no blocks", C, .build = build_no_blocks},
    {"root is noise", C, .build = build_root_is_noise},
    {"packlist without session", C, .build = build_packlist_without_session},
    {"packlist with noise", C, .build = build_packlist_with_noise},
    {"session of another volume", C, .build = build_foreign_session},
    {"session of another volume by another name", C, .build = build_foreign_session_with_own_name},
    {"session of another commitment", C, .build = build_session_of_another_commitment},
};

int
main(int argc, char **argv)
{
	return hostile_main(argc, argv, cases, COUNT_OF(cases), false);
}
