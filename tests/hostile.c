/*
 * Forged snapshots are imported, and nothing must happen: see hostile.h.
 */
#include "hostile.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "scratch.h"

struct flow hostile_flow;
uint8_t hostile_content[65536];
struct frame_ref hostile_bundle, hostile_chunk;

static struct stat canary;
static unsigned failures;
static bool in_memory;

/* ---- what a case is made of ---- */

struct entry
hostile_entry(uint8_t type, const char *path)
{
	return (struct entry){.path = path,
	    .path_len = strlen(path),
	    .type = type,
	    .mode = type == ENTRY_FOLDER ? 0755 : 0644,
	    .uid = getuid(),
	    .gid = getgid(),
	    .nlink = 1,
	    .ino = 1,
	    .mtime_s = 1600000000};
}

struct extent
hostile_part(const struct frame_ref *frame, uint32_t offset, uint64_t len)
{
	return (struct extent){.kind = EXTENT_DATA, .frame = *frame, .frame_offset = offset, .len = len};
}

void
hostile_root(struct forge *f)
{
	struct entry e = hostile_entry(ENTRY_FOLDER, "");

	forge_entry(f, &e);
}

void
hostile_folder(struct forge *f, const char *path)
{
	struct entry e = hostile_entry(ENTRY_FOLDER, path);

	forge_entry(f, &e);
}

void
hostile_symlink(struct forge *f, const char *path, const char *to)
{
	struct entry e = hostile_entry(ENTRY_SYMLINK, path);

	e.link = to;
	e.link_len = strlen(to);
	forge_entry(f, &e);
}

void
hostile_extents(struct forge *f, const char *path, const struct entry *like, const struct extent *x, size_t n)
{
	struct entry e = like != NULL ? *like : hostile_entry(ENTRY_FILE, path);

	e.path = path;
	e.path_len = strlen(path);
	e.extents = x;
	e.nextents = n;
	e.size = 0;
	for (size_t i = 0; i < n; i++)
		e.size += x[i].len;
	forge_entry(f, &e);
}

void
hostile_small(struct forge *f, const char *path)
{
	struct extent x = hostile_part(&hostile_bundle, 7, 100);

	hostile_extents(f, path, NULL, &x, 1);
}

unsigned
hostile_scaled(unsigned n)
{
	return getenv("HOSTILE_FULL") != NULL ? n : n / 20;
}

/* ---- running them ---- */

/* Beside the target, where "../canary" leads. */
static void
make_canary(void)
{
	CHECK(mkdir(flow_path(&hostile_flow, "canary"), 0711) == 0);
	flow_write(flow_path(&hostile_flow, "canary/keep"), 1, 5);
	CHECK(stat(flow_path(&hostile_flow, "canary"), &canary) == 0);
}

static size_t
count_names(const char *path)
{
	DIR *d = opendir(path);
	size_t n = 0;

	CHECK(d != NULL);
	while (readdir(d) != NULL)
		n++;
	(void)closedir(d);
	return n - 2;
}

void
hostile_check_canary(void)
{
	struct stat st;

	CHECK(stat(flow_path(&hostile_flow, "canary"), &st) == 0);
	CHECK_INT(st.st_mode, canary.st_mode);
	CHECK_INT(st.st_mtim.tv_sec, canary.st_mtim.tv_sec);
	CHECK_INT(st.st_ctim.tv_sec, canary.st_ctim.tv_sec);
	CHECK_INT(st.st_ctim.tv_nsec, canary.st_ctim.tv_nsec);
	CHECK_INT(count_names(flow_path(&hostile_flow, "canary")), 1);
	CHECK(stat(flow_path(&hostile_flow, "canary/keep"), &st) == 0);
	CHECK_INT(st.st_size, 5);
	CHECK_INT(st.st_nlink, 1);
	/* Nothing else is in the folder around than canary and target. */
	CHECK(count_names(hostile_flow.base) <= 2);
}

/* Folders may be nested deeper than recursion and paths can go: what is in a folder is moved up first. */
static void
remove_deep(const char *path)
{
	char from[600], to[600];
	bool again = true;

	for (unsigned n = 0; again; n++) {
		DIR *d = opendir(path), *inner;
		struct dirent *e, *i;

		again = false;
		if (d == NULL)
			break;
		while ((e = readdir(d)) != NULL) {
			if (e->d_type != DT_DIR || strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
				continue;
			(void)snprintf(from, sizeof from, "%s/%s", path, e->d_name);
			(void)chmod(from, 0700);
			inner = opendir(from);
			while (inner != NULL && (i = readdir(inner)) != NULL) {
				if (i->d_type != DT_DIR || strcmp(i->d_name, ".") == 0 || strcmp(i->d_name, "..") == 0)
					continue;
				(void)snprintf(to, sizeof to, "%s/=%u", path, n);
				(void)renameat(dirfd(inner), i->d_name, AT_FDCWD, to);
				again = true;
			}
			if (inner != NULL)
				(void)closedir(inner);
			scratch_remove(from);
			if (again)
				break;
		}
		(void)closedir(d);
	}
	scratch_remove(path);
}

void
hostile_clear_target(void)
{
	remove_deep(hostile_flow.target);
}

static void
judge(const char *name, int want, int got, const struct error *why)
{
	if (getenv("HOSTILE_VERBOSE") != NULL)
		(void)fprintf(stderr, "%s: %d%s%s\n", name, got, got < 0 ? ": " : "", got < 0 ? why->msg : "");
	if (want == HOSTILE_ANY || (want == HOSTILE_FAILS && got < 0) || got == want)
		return;
	(void)fprintf(stderr, "%s: the import gave %d, not %d: %s\n", name, got, want, got < 0 ? why->msg : "");
	failures++;
}

void
hostile_begin(struct forge *f, size_t capacity)
{
	flow_new_repo(&hostile_flow);
	forge_begin(f, hostile_flow.repo, FLOW_VOLUME, 1, capacity);
	hostile_bundle = forge_frame(f, FRAME_BUNDLE, hostile_content, 4096, true);
	hostile_chunk = forge_frame(f, FRAME_DATA, hostile_content, sizeof hostile_content, true);
}

static void
run(const struct hostile_case *h)
{
	struct import_options o = {.target = hostile_flow.target, .threads = 2, .connections = 2};
	struct error why = {0};
	struct forge f;
	size_t before;
	int got;

	hostile_begin(&f, h->capacity > 0 ? h->capacity : 4u << 20);
	h->build(&f);
	forge_commit(&f);

	before = hostile_memory_start();
	got = flow_import_with(&hostile_flow, f.manifest.snapshot, &o, NULL, &why);
	hostile_memory_check(h->name, "import", before);
	judge(h->name, h->want, got, &why);
	hostile_check_canary();
	if (h->after != NULL)
		h->after();
	hostile_look_around(h->name, f.manifest.snapshot, got == 0 && h->want == 0 && h->sound);
	o.dry_run = true;
	(void)flow_import_with(&hostile_flow, f.manifest.snapshot, &o, NULL, &why);
	hostile_check_canary();
	hostile_clear_target();
	forge_end(&f);
}

void
hostile_start(bool many)
{
	(void)alarm(getenv("HOSTILE_FULL") != NULL ? 3600 : 600);
	flow_begin(&hostile_flow);
	in_memory = many && scratch_enter_memory(hostile_flow.base);
	make_canary();
	for (size_t i = 0; i < sizeof hostile_content; i++)
		hostile_content[i] = (uint8_t)(i * 31 + (i >> 7));
}

void
hostile_run(const struct hostile_case *cases, size_t count, const char *only)
{
	for (size_t i = 0; i < count; i++)
		if (only == NULL || strstr(cases[i].name, only) != NULL)
			run(&cases[i]);
}

int
hostile_end(void)
{
	failures += hostile_memory_end();
	if (in_memory)
		scratch_leave_memory(hostile_flow.base);
	flow_end(&hostile_flow);
	CHECK_INT(failures, 0);
	return 0;
}

int
hostile_main(int argc, char **argv, const struct hostile_case *cases, size_t count, bool many)
{
	hostile_start(many);
	hostile_run(cases, count, argc < 2 ? NULL : argv[1]);
	return hostile_end();
}
