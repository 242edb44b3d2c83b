/*
 * Imports from damaged packs: what cannot be restored is not there, under none of its names.
 */
#include "flow.h"

#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "check.h"
#include "cleanup.h"
#include "pack.h"

static struct flow f;

struct data_packs {
	char names[8][PACK_NAME_LEN];
	struct buf bytes[8];
	size_t count;
};

static int
note_data_pack(void *arg, const struct store_object *object, struct error *err)
{
	struct data_packs *p = arg;

	if (strstr(object->key, "/p/") == NULL)
		return 0;
	CHECK(p->count < COUNT_OF(p->names));
	(void)snprintf(p->names[p->count], sizeof p->names[0], "%s", object->key);
	p->bytes[p->count] = (struct buf)BUF_INIT(PACK_LEN_MAX);
	return store_load(f.store, object->key, PACK_LEN_MAX, &p->bytes[p->count++], err);
}

/* Missing, or damaged in every frame. */
static void
take_data_packs(struct data_packs *p, bool missing)
{
	struct error err;

	p->count = 0;
	CHECK_OK(store_list(f.store, "v/", note_data_pack, p, &err), &err);
	CHECK(p->count > 0);
	for (size_t i = 0; i < p->count; i++) {
		CLEANUP_FREE uint8_t *bad = malloc(p->bytes[i].len);

		CHECK(bad != NULL);
		for (size_t k = 0; k < p->bytes[i].len; k++)
			bad[k] = (uint8_t)(p->bytes[i].data[k] ^ (k % 16 == 0));
		CHECK_OK(store_remove(f.store, p->names[i], &err), &err);
		if (!missing)
			CHECK_OK(store_put(f.store, p->names[i], bad, p->bytes[i].len, &err), &err);
	}
}

static void
give_data_packs_back(struct data_packs *p)
{
	struct error err;

	for (size_t i = 0; i < p->count; i++) {
		CHECK_OK(store_remove(f.store, p->names[i], &err), &err);
		CHECK_OK(store_put(f.store, p->names[i], p->bytes[i].data, p->bytes[i].len, &err), &err);
		buf_free(&p->bytes[i]);
	}
}

/* A damaged file is absent under all its names, each of them is named once, and it comes back with the pack. */
static void
test_damaged_links(void)
{
	static const char *const names[] = {"big", "d/e/big-too", "d/nothing/big-three", "d/small", "link", "twin"};
	struct export_options o = flow_export_options(f.source);
	struct import_result result;
	struct data_packs packs;
	struct error err;
	struct stat st;

	flow_fresh(&f);
	flow_make_tree(f.source);
	flow_must_export(&f, &o, NULL);
	for (unsigned i = 0; i < 4; i++) {
		struct import_options in = {.target = f.target, .threads = 1 + i, .connections = 4 - i};

		take_data_packs(&packs, i % 2 == 0);
		for (unsigned again = 0; again < 2; again++) {
			CHECK_INT(flow_import_with(&f, NULL, &in, &result, &err), ERR_CORRUPT);
			CHECK_INT(result.resumed, again);
			CHECK_INT(result.damaged, FLOW_TREE_FILES - 1);
			CHECK_INT(f.warnings, FLOW_TREE_FILES - 1);
			CHECK_INT(result.links, 0);
			for (size_t k = 0; k < COUNT_OF(names); k++)
				CHECK(lstat(flow_in(f.target, names[k]), &st) < 0);
			CHECK(stat(flow_in(f.target, "d"), &st) == 0 && st.st_mtim.tv_sec == 1600000000);
		}
		give_data_packs_back(&packs);
		flow_must_import(&f, &result);
		CHECK(result.resumed);
		CHECK(flow_same(f.source, f.target));
		scratch_remove(f.target);
	}
}

/* What was not asked for stays. */
static void
test_damaged_links_of_a_selection(void)
{
	const char *includes[] = {"d"};
	struct export_options o = flow_export_options(f.source);
	struct import_options in = {.target = f.target, .overwrite = true, .threads = 2, .connections = 2};
	struct import_result result;
	struct data_packs packs;
	struct error err;

	flow_fresh(&f);
	flow_make_tree(f.source);
	flow_must_export(&f, &o, NULL);
	in.selection.includes = includes;
	in.selection.nincludes = 1;
	CHECK(mkdir(f.target, 0700) == 0);
	flow_write(flow_in(f.target, "link"), 1, 10);
	flow_write(flow_in(f.target, "big"), 1, 10);
	take_data_packs(&packs, true);
	CHECK_INT(flow_import_with(&f, NULL, &in, &result, &err), ERR_CORRUPT);
	CHECK_INT(result.damaged, f.warnings);
	CHECK(access(flow_in(f.target, "link"), F_OK) == 0);
	CHECK(access(flow_in(f.target, "big"), F_OK) == 0);
	CHECK(access(flow_in(f.target, "d/small"), F_OK) < 0);
	CHECK(access(flow_in(f.target, "d/nothing/big-three"), F_OK) < 0);
	give_data_packs_back(&packs);
}

int
main(void)
{
	static void (*const tests[])(void) = {test_damaged_links, test_damaged_links_of_a_selection};

	(void)alarm(120);
	flow_begin(&f);
	for (size_t i = 0; i < COUNT_OF(tests); i++)
		tests[i]();
	flow_end(&f);
	return 0;
}
