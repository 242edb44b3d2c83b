/*
 * Exports of a tree that changes, one change at a time: what is counted, what is stored, and what comes back.
 */
#include "flow.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "check.h"
#include "cleanup.h"

static struct flow f;

static const char *
src(const char *name)
{
	return flow_in(f.source, name);
}

static void
append(void)
{
	CLEANUP_FCLOSE FILE *file = fopen(src("one"), "a");

	CHECK(file != NULL && fputs("more", file) > 0);
}

/* Size and time stay, only ctime tells. */
static void
rewrite_in_place(void)
{
	struct stat st;
	CLEANUP_CLOSE int fd = open(src("d/e/f/127k"), O_WRONLY);

	CHECK(fd >= 0 && fstat(fd, &st) == 0);
	CHECK(pwrite(fd, "another", 7, 1000) == 7);
	CHECK(futimens(fd, (struct timespec[2]){st.st_atim, st.st_mtim}) == 0);
}

static void
write_into_linked(void)
{
	CLEANUP_CLOSE int fd = open(src("d/nothing/big-three"), O_WRONLY);

	CHECK(fd >= 0 && pwrite(fd, "another", 7, 700000) == 7);
}

static void
change_mode(void)
{
	CHECK(chmod(src("twin"), 0604) == 0);
}

static void
change_folder(void)
{
	CHECK(chmod(src("d/e/f"), 0701) == 0);
}

static void
change_attribute(void)
{
	CHECK(setxattr(src("twin"), "user.more", "x", 1, 0) == 0 || geteuid() != 0);
	CHECK(chmod(src("twin"), 0605) == 0);
}

static void
rename_small(void)
{
	CHECK(rename(src("d/e/many-7"), src("d/e/zzz")) == 0);
}

static void
rename_folder(void)
{
	CHECK(rename(src("d/e"), src("e")) == 0);
}

static void
remove_small(void)
{
	CHECK(unlink(src("e/many-8")) == 0);
}

static void
remove_linked(void)
{
	CHECK(unlink(src("e/big-too")) == 0);
}

static void
folder_to_file(void)
{
	scratch_remove(src("e/f"));
	flow_write(src("e/f"), 77, 1000);
}

static void
file_to_folder(void)
{
	CHECK(unlink(src("e/f")) == 0);
	CHECK(mkdir(src("e/f"), 0700) == 0);
	flow_write(src("e/f/inside"), 78, 200000);
}

static void
retarget(void)
{
	CHECK(unlink(src("d/symlink")) == 0);
	CHECK(symlink("elsewhere", src("d/symlink")) == 0);
}

static void
grow(void)
{
	flow_write(src("e/f/inside"), 78, 3000000);
}

static void
shrink(void)
{
	flow_write(src("e/f/inside"), 78, 30);
}

static void
empty_it(void)
{
	flow_write(src("e/f/inside"), 78, 0);
}

static void
change_sparse(void)
{
	CLEANUP_CLOSE int fd = open(src("sparse"), O_WRONLY);

	CHECK(fd >= 0 && pwrite(fd, "x", 1, 66 * 1024 * 1024) == 1);
}

static void
add_link(void)
{
	CHECK(link(src("fifo"), src("fifo-too")) == 0);
	CHECK(link(src("one"), src("one-too")) == 0);
}

static void
remove_almost_all(void)
{
	scratch_remove(src("e"));
	scratch_remove(src("d"));
	CHECK(unlink(src("big")) < 0 || unlink(src("sparse")) == 0);
}

static const struct {
	const char *name;
	void (*apply)(void);
	int changed, added, deleted; /* -1: whatever */
	uint64_t new_bytes; /* at most */
} changes[] = {
    {"append", append, 1, 0, 0, 5},
    {"rewrite", rewrite_in_place, 1, 0, 0, 127 * 1024},
    {"linked", write_into_linked, 3, 0, 0, 1536 * 1024},
    {"mode", change_mode, 1, 0, 0, 0},
    {"folder's mode", change_folder, 1, 0, 0, 0},
    {"attribute", change_attribute, 1, 0, 0, 0},
    {"rename", rename_small, 1, 1, 1, 0},
    {"rename a folder", rename_folder, -1, -1, -1, 0},
    {"remove", remove_small, 1, 0, 1, 0},
    {"remove a link", remove_linked, 3, 0, 1, 0},
    {"folder to file", folder_to_file, 2, 0, 2, 1000},
    {"file to folder", file_to_folder, 2, 1, 0, 200000},
    {"symlink", retarget, 2, 0, 0, 0},
    {"grow", grow, 1, 0, 0, 3000000},
    {"shrink", shrink, 1, 0, 0, 30},
    {"empty", empty_it, 1, 0, 0, 0},
    {"sparse", change_sparse, 1, 0, 0, 1024 * 1024},
    {"links", add_link, 3, 2, 0, 0},
    {"remove much", remove_almost_all, -1, 0, -1, 0},
};

static void
test_changes(void)
{
	struct export_options o = flow_export_options(f.source);
	struct manifest m;

	flow_fresh(&f);
	flow_make_tree(f.source);
	flow_must_export(&f, &o, NULL);
	for (size_t i = 0; i < COUNT_OF(changes); i++) {
		changes[i].apply();
		flow_must_export(&f, &o, &m);
		const struct manifest_statistics *s = &m.statistics;

		CHECK_INT(s->unchanged + s->changed + s->added, s->entries);
		if ((changes[i].changed >= 0 && s->changed != (uint64_t)changes[i].changed) ||
		    (changes[i].added >= 0 && s->added != (uint64_t)changes[i].added) ||
		    (changes[i].deleted >= 0 && s->deleted != (uint64_t)changes[i].deleted) ||
		    s->new_bytes > changes[i].new_bytes) {
			(void)fprintf(stderr,
			    "%s: %" PRIu64 " changed, %" PRIu64 " added, %" PRIu64 " deleted, %" PRIu64 " new bytes\n",
			    changes[i].name, s->changed, s->added, s->deleted, s->new_bytes);
			abort();
		}
		manifest_wipe(&m);
		flow_must_import(&f, NULL);
		if (!flow_same(f.source, f.target)) {
			(void)fprintf(stderr, "after: %s\n", changes[i].name);
			abort();
		}
		scratch_remove(f.target);
	}
	flow_check_snapshots(&f, f.source, 1);
}

int
main(void)
{
	(void)alarm(120);
	flow_begin(&f);
	test_changes();
	flow_end(&f);
	return 0;
}
