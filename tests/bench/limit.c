/*
 * Measuring sticks: the unavoidable work of one scenario and nothing else, to be compared with what the program takes
 * on the same machine in the same minute.  Each is done five times by one thread; the median of the processor time is
 * printed, on one line that begins with the figure.
 *
 *     limit onepass PATH       chunks, ids, compression, sealing and the hash of an upload: MB per CPU second
 *     limit store PATH         the same without the hash of an upload, as into a local folder: MB per CPU second
 *     limit restore PATH       opening and decompression of the same chunks: MB per CPU second
 *     limit verify PATH        the same, and the ids of the chunks once more
 *     limit walk FOLDER        names and attributes of everything below: microseconds per file
 *     limit create FOLDER N    N files of 780 bytes made with owner, mode and times: microseconds per file
 *
 * PATH is a file or a folder; of a folder the regular files count, one behind the other.
 *
 *     gcc -O2 -D_GNU_SOURCE -o limit limit.c limit_content.c limit_sample.c -lzstd -lcrypto
 */
#include "limit.h"

#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

double
limit_cpu(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double
wall_seconds(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int
compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double
limit_median(double values[LIMIT_ROUNDS])
{
	qsort(values, LIMIT_ROUNDS, sizeof *values, compare_doubles);
	return values[LIMIT_ROUNDS / 2];
}

void *
limit_allocate(size_t len)
{
	void *p = malloc(len > 0 ? len : 1);

	if (p == NULL)
		err(1, "%zu bytes", len);
	return p;
}

char *
limit_join(const char *folder, const char *name)
{
	char *path;

	if (asprintf(&path, "%s/%s", folder, name) < 0)
		err(1, "%s", folder);
	return path;
}

/* --- walk --- */

/* What getdents64 returns, one after the other. */
struct folder_entry {
	uint64_t ino;
	int64_t next;
	uint16_t len;
	uint8_t type;
	char name[];
};

struct counts {
	uint64_t files, folders;
};

#define DENTS_LEN (64u * 1024u)

/* Takes fd.  Folders are entered while their parent is being listed: the order is the file system's. */
static void
walk_folder(int fd, struct counts *c)
{
	char *dents = limit_allocate(DENTS_LEN);
	long n;

	while ((n = syscall(SYS_getdents64, fd, dents, DENTS_LEN)) > 0) {
		for (char *at = dents; at < dents + n;) {
			const struct folder_entry *e = (const struct folder_entry *)(const void *)at;
			struct statx st;

			at += e->len;
			if (strcmp(e->name, ".") == 0 || strcmp(e->name, "..") == 0)
				continue;
			if (statx(fd, e->name, AT_SYMLINK_NOFOLLOW | AT_STATX_DONT_SYNC, STATX_BASIC_STATS, &st) < 0)
				err(1, "%s", e->name);
			if (S_ISDIR(st.stx_mode)) {
				int below = openat(fd, e->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

				if (below < 0)
					err(1, "%s", e->name);
				c->folders++;
				walk_folder(below, c);
			} else {
				c->files++;
			}
		}
	}
	if (n < 0)
		err(1, "getdents64");
	free(dents);
	(void)close(fd);
}

static void
measure_walk(const char *path)
{
	double cpu[LIMIT_ROUNDS], wall[LIMIT_ROUNDS];
	struct counts c;

	for (size_t i = 0; i < LIMIT_ROUNDS; i++) {
		int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		double start = limit_cpu(), wall_start = wall_seconds();

		if (fd < 0)
			err(1, "%s", path);
		c = (struct counts){0, 1};
		walk_folder(fd, &c);
		if (c.files == 0)
			errx(1, "%s: no files", path);
		cpu[i] = (limit_cpu() - start) * 1e6 / (double)c.files;
		wall[i] = (wall_seconds() - wall_start) * 1e6 / (double)c.files;
	}
	(void)printf("%.3f us of CPU per file, %.3f us of time, %llu files in %llu folders\n", limit_median(cpu),
	    limit_median(wall), (unsigned long long)c.files, (unsigned long long)c.folders);
}

/* --- create --- */

#define CREATE_SIZE       780u
#define CREATE_PER_FOLDER 500u

static void
create_file(int folder, const char *name, uid_t owner, gid_t group)
{
	static const char content[CREATE_SIZE] = {'x'};
	static const struct timespec times[2] = {{1700000000, 5}, {1700000000, 5}};
	int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, content, sizeof content) != (ssize_t)sizeof content || fchmod(fd, 0644) < 0 ||
	    fchown(fd, owner, group) < 0 || futimens(fd, times) < 0 || close(fd) < 0)
		err(1, "%s", name);
}

/* Make the files, in folders of 500 below root, or remove them again. */
static void
for_all_files(const char *root, size_t count, bool make)
{
	/* An owner that differs from the creator's is what costs; only root may give files away. */
	uid_t owner = geteuid() == 0 ? 65534 : geteuid();
	gid_t group = geteuid() == 0 ? 65534 : getegid();

	for (size_t first = 0; first < count; first += CREATE_PER_FOLDER) {
		size_t n = count - first < CREATE_PER_FOLDER ? count - first : CREATE_PER_FOLDER;
		char name[32];
		char *path;
		int fd;

		(void)snprintf(name, sizeof name, "d%06zu", first / CREATE_PER_FOLDER);
		path = limit_join(root, name);
		if (make && mkdir(path, 0755) < 0)
			err(1, "%s", path);
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			err(1, "%s", path);
		for (size_t i = 0; i < n; i++) {
			(void)snprintf(name, sizeof name, "f%06zu", i);
			if (make)
				create_file(fd, name, owner, group);
			else if (unlinkat(fd, name, 0) < 0)
				err(1, "%s/%s", path, name);
		}
		(void)close(fd);
		if (!make && rmdir(path) < 0)
			err(1, "%s", path);
		free(path);
	}
}

static void
measure_create(const char *folder, const char *number)
{
	char *end, *root = limit_join(folder, "limit.XXXXXX"), *rounds[LIMIT_ROUNDS];
	unsigned long count = strtoul(number, &end, 10);
	double cpu[LIMIT_ROUNDS], wall[LIMIT_ROUNDS];

	if (*end != '\0' || count < 1 || count > 10 * 1000 * 1000)
		errx(2, "%s: not a number of files", number);
	if (mkdtemp(root) == NULL)
		err(1, "%s", root);
	for (size_t i = 0; i < LIMIT_ROUNDS; i++) {
		char name[] = {'r', (char)('0' + i), '\0'};
		double start, wall_start;

		rounds[i] = limit_join(root, name);
		if (mkdir(rounds[i], 0755) < 0)
			err(1, "%s", rounds[i]);
		start = limit_cpu();
		wall_start = wall_seconds();
		for_all_files(rounds[i], count, true);
		cpu[i] = (limit_cpu() - start) * 1e6 / (double)count;
		wall[i] = (wall_seconds() - wall_start) * 1e6 / (double)count;
	}
	/* Not earlier: file systems are slow in giving new files the inodes of those that were deleted just now. */
	for (size_t i = 0; i < LIMIT_ROUNDS; i++) {
		for_all_files(rounds[i], count, false);
		(void)rmdir(rounds[i]);
		free(rounds[i]);
	}
	(void)rmdir(root);
	(void)printf(
	    "%.3f us of CPU per file, %.3f us of time, %lu files\n", limit_median(cpu), limit_median(wall), count);
	free(root);
}

int
main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (argc == 3 && strcmp(what, "onepass") == 0)
		limit_store(argv[2], 1);
	else if (argc == 3 && strcmp(what, "store") == 0)
		limit_store(argv[2], 0);
	else if (argc == 3 && strcmp(what, "restore") == 0)
		limit_restore(argv[2], 0);
	else if (argc == 3 && strcmp(what, "verify") == 0)
		limit_restore(argv[2], 1);
	else if (argc == 3 && strcmp(what, "walk") == 0)
		measure_walk(argv[2]);
	else if (argc == 4 && strcmp(what, "create") == 0)
		measure_create(argv[2], argv[3]);
	else
		errx(2, "usage: limit onepass PATH | store PATH | restore PATH | verify PATH | walk FOLDER | create "
			"FOLDER N");
	return 0;
}
