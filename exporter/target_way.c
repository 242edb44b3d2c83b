/*
 * The planner's way from one folder of the target to the next.
 *
 * The current path is a stack of levels.  Only the root and a window of the deepest levels are open, so that depth
 * costs no descriptors.  Every step down opens one component of a folder that is held open, and follows no symlink.
 *
 * A step up beyond the window opens "..", so that each level costs one step down and at most one up, however deep the
 * tree is.  What ".." leads to is used only when it is the folder that was opened there on the way down: somebody may
 * have moved the one below to another place.  Then, or when it cannot be opened, the way down from the root is taken
 * again.  (The number of a folder that is gone may be given to a new one.  Who could move the folder below into that
 * could write where we write, and gains nothing.)
 */
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "error.h"
#include "target_internal.h"

enum { LEVELS_FIRST = 64 };

static void
level_set(struct target_level *l, struct target_folder *f)
{
	l->folder = f;
	l->closed = f->closed;
	l->dev = f->dev;
	l->ino = f->ino;
}

int
target_way_begin(struct target *t, struct error *err)
{
	struct target_folder *root;
	int r;

	t->levels = calloc(LEVELS_FIRST, sizeof *t->levels);
	if (t->levels == NULL)
		return error_nomem(err);
	t->levels_cap = LEVELS_FIRST;
	if ((r = target_folder_open_root(t, &root, err)) < 0)
		return r;
	level_set(&t->levels[0], root);
	t->depth = 1;
	return 0;
}

static void
shrink(struct target *t, size_t depth)
{
	while (t->depth > depth) {
		t->depth--;
		target_folder_unref(t->levels[t->depth].folder);
	}
}

void
target_way_end(struct target *t)
{
	shrink(t, 0);
	free(t->levels);
	free(t->path);
}

/* Open the folder of level i, whose parent level is open, and close the one that leaves the window. */
static int
open_level(struct target *t, size_t i, bool create, struct error *err)
{
	struct entry at = {.path = t->path, .path_len = t->levels[i].end, .type = ENTRY_FOLDER};
	struct target_folder *f;
	int r = target_folder_open(t, t->levels[i - 1].folder, &at, create, &f, err);

	if (r < 0)
		return r;
	level_set(&t->levels[i], f);
	if (i > t->window)
		target_folder_unref(STEAL(t->levels[i - t->window].folder));
	return 0;
}

/* From the folder of level i, which is the last one, to the closed one above: 1, or 0 when the way is another one now.
 */
static int
step_up(struct target *t, size_t i, struct error *err)
{
	struct target_level *above = &t->levels[i - 1];
	struct target_folder *f;
	int r = target_folder_open_above(t, t->levels[i].folder, above->closed, &f, err);

	if (r <= 0)
		return r;
	if (f->dev != above->dev || f->ino != above->ino) {
		target_folder_unref(f);
		return 0;
	}
	level_set(above, f);
	shrink(t, i);
	return 1;
}

/* Cut the way to so many levels, with the last one open if it can be had from below with less than from the root. */
static int
go_up(struct target *t, size_t depth, struct error *err)
{
	size_t i = depth - 1;
	int r = 1;

	while (t->levels[i].folder == NULL)
		i++;
	shrink(t, i + 1);
	if (i - (depth - 1) <= depth - 1)
		while (r > 0 && i > depth - 1)
			r = step_up(t, i--, err);
	shrink(t, depth);
	return MIN(r, 0);
}

static int
set_path(struct target *t, size_t same, const char *path, size_t len, struct error *err)
{
	if (len > t->path_cap) {
		char *p = realloc(t->path, len * 2);

		if (p == NULL)
			return error_nomem(err);
		t->path = p;
		t->path_cap = len * 2;
	}
	if (len > same)
		memcpy(t->path + same, path + same, len - same);
	return 0;
}

static int
push_level(struct target *t, size_t end, struct error *err)
{
	if (t->depth == t->levels_cap) {
		struct target_level *l = realloc(t->levels, t->levels_cap * 2 * sizeof *l);

		if (l == NULL)
			return error_nomem(err);
		t->levels = l;
		t->levels_cap *= 2;
	}
	t->levels[t->depth++] = (struct target_level){.end = end};
	return 0;
}

/* The levels that the current path and this one have in common. */
static size_t
common_depth(const struct target *t, const char *path, size_t len)
{
	size_t same = entry_path_common(t->path, t->levels[t->depth - 1].end, path, len), depth = t->depth;

	for (; depth > 1; depth--) {
		size_t end = t->levels[depth - 1].end;

		if (end <= same && (end == len || path[end] == '/'))
			break;
	}
	return depth;
}

/* Levels for the rest of the path. */
static int
push_rest(struct target *t, const char *path, size_t len, struct error *err)
{
	size_t at = t->levels[t->depth - 1].end;
	int r = set_path(t, at, path, len, err);

	while (r == 0 && at < len) {
		size_t begin = at == 0 ? 0 : at + 1;
		const char *slash = memchr(path + begin, '/', len - begin);

		at = slash == NULL ? len : (size_t)(slash - path);
		r = push_level(t, at, err);
	}
	return r;
}

int
target_way_to_parent(
    struct target *t, const struct entry *e, bool create, struct target_folder **out, struct error *err)
{
	const char *slash;
	size_t depth, len, open;
	int r;

	if (e->path_len == 0)
		return error_set(err, ERR_CORRUPT, "the root of the snapshot is no folder");
	slash = memrchr(e->path, '/', e->path_len);
	len = slash == NULL ? 0 : (size_t)(slash - e->path);
	depth = common_depth(t, e->path, len);
	/* What the paths have in common was checked before: a deep tree would spend its time on it. */
	r = target_check_path(t, e, t->levels[depth - 1].end, err);
	if (r == 0)
		r = go_up(t, depth, err);
	if (r == 0)
		r = push_rest(t, e->path, len, err);
	open = t->depth - 1;
	while (t->levels[open].folder == NULL)
		open--;
	while (r == 0 && open + 1 < t->depth)
		if ((r = open_level(t, open + 1, create, err)) == 0)
			open++;
	if (r < 0) {
		shrink(t, open + 1);
		return r;
	}
	*out = t->levels[t->depth - 1].folder;
	return 0;
}
