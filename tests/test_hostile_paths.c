/* Forged paths: names that lead out of the target, and entries that are out of order. */
#include "hostile.h"

#include "check.h"
#include "cleanup.h"

#define C ERR_CORRUPT

static struct error err;

#define NEXT_BLOCK 0

struct step {
	uint8_t type; /* or NEXT_BLOCK */
	const char *path, *link;
	size_t len; /* of the path, when it is not strlen() */
};

#define FOLDER(p) \
	{ \
		ENTRY_FOLDER, p, NULL, 0 \
	}
#define FILE_(p) \
	{ \
		ENTRY_FILE, p, NULL, 0 \
	}
#define SYMLINK(p, l) \
	{ \
		ENTRY_SYMLINK, p, l, 0 \
	}
#define BLOCK \
	{ \
		NEXT_BLOCK, "", NULL, 0 \
	}
#define BLOCK_AT(s) \
	{ \
		NEXT_BLOCK, s, NULL, 0 \
	} /* with another separator than the next path */
#define NAME_255 \
	"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789" \
	"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789" \
	"0123456789012345678901234567890123456789012345678901234"

static const struct tree {
	const char *name;
	int want;
	struct step steps[6];
} trees[] = {
    {"all is well", 0, {FILE_("a"), FOLDER("b"), FILE_("b/c"), BLOCK, FILE_("d")}},
    {"symlinks out of the target", 0, {SYMLINK("a", "../canary"), SYMLINK("b", "/"), FILE_("c")}},
    {"folder ..", C, {FOLDER("..")}},
    {"file ..", C, {FILE_("..")}},
    {"file ../canary/x", C, {FILE_("../canary/x")}},
    {"folder .. and in it", C, {FOLDER(".."), FOLDER("../canary"), FILE_("../canary/x")}},
    {"folder .. first in a block", C, {FILE_("!"), BLOCK, FOLDER("..")}},
    {"folder .. first in a block, hidden", C, {FILE_("!"), BLOCK_AT("-"), FOLDER("..")}},
    {"file ../x first in a block, hidden", C, {FILE_("!"), BLOCK_AT("-"), FILE_("../x")}},
    {"file /x first in a block, hidden", C, {FOLDER("!"), BLOCK_AT("a"), FILE_("/x")}},
    {"separator above the block", C, {FOLDER("a"), BLOCK_AT("c"), FILE_("b")}},
    {"separator in the block before", C, {FILE_("a"), FILE_("c"), BLOCK_AT("b"), FILE_("d")}},
    {"a/../x", C, {FOLDER("a"), FOLDER("a/.."), FILE_("a/../x")}},
    {"a/../x in a block of its own", C, {FOLDER("a"), FOLDER("a/b"), BLOCK, FILE_("a/../x")}},
    {".", C, {FOLDER(".")}},
    {"a/.", C, {FOLDER("a"), FOLDER("a/.")}},
    {"absolute", C, {FILE_("/x")}},
    {"absolute folder", C, {FOLDER("/"), FILE_("/x")}},
    {"empty component", C, {FOLDER("a"), FILE_("a//b")}},
    {"slash at the end", C, {FOLDER("a/")}},
    {"NUL", C, {{ENTRY_FILE, "a\0b", NULL, 3}}},
    {"NUL at the end", C, {{ENTRY_FILE, "a\0", NULL, 2}}},
    {"255 bytes", 0, {FOLDER(NAME_255), FILE_(NAME_255 "/x")}},
    {"256 bytes", C, {FILE_(NAME_255 "x")}},
    {"below a symlink", C, {SYMLINK("a", "../canary"), FILE_("a/x")}},
    {"below a symlink, next block", C, {SYMLINK("a", "../canary"), BLOCK, FILE_("a/x")}},
    {"below a symlink's folder", C, {SYMLINK("a", "../canary"), FOLDER("a/b"), FILE_("a/b/x")}},
    {"below a file", C, {FILE_("a"), FILE_("a/x")}},
    {"below a file, next block", C, {FILE_("a"), BLOCK, FILE_("a/x")}},
    {"below nothing", C, {FILE_("a/x")}},
    {"below nothing, next block", C, {FOLDER("a"), BLOCK, FILE_("b/x")}},
    {"below a folder that is over", C, {FOLDER("a"), FILE_("b"), FILE_("a/x")}},
    {"the same file twice", C, {FILE_("a"), FILE_("a")}},
    {"the same file twice, next block", C, {FILE_("a"), BLOCK, FILE_("a")}},
    {"file and folder", C, {FILE_("a"), FOLDER("a")}},
    {"folder and file", C, {FOLDER("a"), FILE_("a")}},
    {"symlink and folder, next block", C, {SYMLINK("a", "../canary"), BLOCK, FOLDER("a"), FILE_("a/x")}},
    {"folder and symlink, next block", C, {FOLDER("a"), BLOCK, SYMLINK("a", "../canary"), FILE_("a/x")}},
    {"symlink and folder apart", C, {SYMLINK("a", "../canary"), FILE_("b"), BLOCK, FOLDER("a"), FILE_("a/x")}},
    {"out of order", C, {FILE_("b"), FILE_("a")}},
    {"out of order, next block", C, {FILE_("b"), BLOCK, FILE_("a")}},
    {"slash not below all", C, {FOLDER("a"), FILE_("a!"), FILE_("a/b")}},
    {"root twice", C, {FOLDER("")}},
    {"root is a file", C, {FILE_("")}},
    {"root twice, next block", C, {FILE_("a"), BLOCK, FOLDER("")}},
    {"symlink with NUL", C, {SYMLINK("a", "")}},
    {"device below the root", C, {{ENTRY_VOLUME, "a", NULL, 0}}},
    {"no such type", C, {{9, "a", NULL, 0}}},
};

/* What is built next. */
static const struct tree *current;

static void
build_tree(struct forge *f)
{
	const struct tree *t = current;
	uint8_t id[ID_LEN];

	CHECK_OK(sealer_id(f->sealer, FRAME_FILE, hostile_content, 10, id, &err), &err);
	hostile_root(f);
	for (size_t i = 0; i < COUNT_OF(t->steps) && t->steps[i].path != NULL; i++) {
		const struct step *s = &t->steps[i];
		struct extent x = hostile_part(&hostile_bundle, 0, 10);
		struct entry e = hostile_entry(s->type, s->path);

		if (s->type == NEXT_BLOCK) {
			forge_block_end(f);
			f->next_separator = s->path[0] == 0 ? NULL : s->path;
			continue;
		}
		if (s->len > 0)
			e.path_len = s->len;
		if (s->link != NULL) {
			e.link = s->link;
			e.link_len = strlen(s->link);
		}
		if (s->type == ENTRY_FILE || s->type == ENTRY_VOLUME) {
			e.size = x.len;
			memcpy(e.file_id, id, sizeof e.file_id);
			e.extents = &x;
			e.nextents = 1;
		}
		forge_entry(f, &e);
	}
}

/* A catalog over an older import that left a symlink in the place of a folder. */
static void
test_over_symlinks(void)
{
	static const struct tree first = {"first", 0, {SYMLINK("a", "../canary"), SYMLINK("b", "../canary/keep")}};
	static const struct tree second = {"second", 0, {FOLDER("a"), FILE_("a/keep"), FILE_("b")}};
	const struct tree *const both[] = {&first, &second};
	struct import_options o = {.target = hostile_flow.target, .threads = 2, .connections = 2, .overwrite = true};

	for (size_t i = 0; i < COUNT_OF(both); i++) {
		struct forge f;

		hostile_begin(&f, 4u << 20);
		current = both[i];
		build_tree(&f);
		forge_commit(&f);
		CHECK_OK(flow_import_with(&hostile_flow, f.manifest.snapshot, &o, NULL, &err), &err);
		hostile_check_canary();
		forge_end(&f);
	}
	hostile_clear_target();
}

int
main(int argc, char **argv)
{
	const char *only = argc < 2 ? NULL : argv[1];

	hostile_start(false);
	for (size_t i = 0; i < COUNT_OF(trees); i++) {
		const struct hostile_case one = {trees[i].name, trees[i].want, build_tree, .sound = true};

		current = &trees[i];
		hostile_run(&one, 1, only);
	}
	if (only == NULL)
		test_over_symlinks();
	return hostile_end();
}
