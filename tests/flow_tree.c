/*
 * Trees for the tests of whole flows: see flow.h.
 */
#include "flow.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "cleanup.h"

const char *
flow_in(const char *folder, const char *name)
{
	static __thread char texts[8][512];
	static __thread unsigned next;
	char *text = texts[next++ % COUNT_OF(texts)];

	(void)snprintf(text, sizeof texts[0], "%s/%s", folder, name);
	return text;
}

const char *
flow_path(const struct flow *f, const char *name)
{
	return flow_in(f->base, name);
}

static void
write_at(int fd, uint64_t seed, size_t size, off_t at)
{
	CLEANUP_FREE uint8_t *bytes = malloc(size + 8);

	CHECK(bytes != NULL);
	for (size_t i = 0; i < size; i += 8) {
		uint64_t word = check_random(&seed);

		memcpy(bytes + i, &word, sizeof word);
	}
	CHECK_INT(pwrite(fd, bytes, size, at), size);
}

void
flow_write(const char *path, uint64_t seed, size_t size)
{
	CLEANUP_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);

	CHECK(fd >= 0);
	write_at(fd, seed, size, 0);
}

static void
write_sparse(const char *path, off_t size)
{
	CLEANUP_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	CHECK(fd >= 0);
	CHECK(ftruncate(fd, size) == 0);
	write_at(fd, 7, 5000, size / 2);
	write_at(fd, 8, 100, size - 100);
}

static void
make_folder(const char *path)
{
	CHECK(mkdir(path, 0750) == 0);
}

/* Something that no import gives by itself. */
static void
set_times(const char *path, time_t s)
{
	const struct timespec times[2] = {{.tv_sec = s, .tv_nsec = 1}, {.tv_sec = s, .tv_nsec = 123456789}};

	CHECK(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW) == 0);
}

/* Folders last, because making things in them changes their times. */
static void
age(const char *folder, const char *const *names, size_t count)
{
	for (size_t i = count; i-- > 0;)
		set_times(flow_in(folder, names[i]), 1600000000 + (time_t)i);
	set_times(folder, 1500000000);
}

static void
make_common(const char *root)
{
	make_folder(root);
	make_folder(flow_in(root, "d"));
	flow_write(flow_in(root, "one"), 1, 1);
	flow_write(flow_in(root, "d/small"), 2, 5 * 1024);
	CHECK(link(flow_in(root, "d/small"), flow_in(root, "link")) == 0);
	CHECK(symlink("../nowhere", flow_in(root, "d/symlink")) == 0);
	CHECK(mkfifo(flow_in(root, "fifo"), 0600) == 0);
	/* Not every file system has them. */
	(void)setxattr(flow_in(root, "one"), "user.test", "value", 5, 0);
	(void)setxattr(flow_in(root, "d"), "user.folder", "", 0, 0);
}

void
flow_make_small_tree(const char *root, bool chunks)
{
	static const char *const names[] = {"d", "d/small", "d/symlink", "fifo", "one"};

	make_common(root);
	if (chunks)
		flow_write(flow_in(root, "chunk"), 3, 130 * 1024);
	age(root, names, COUNT_OF(names));
}

void
flow_make_tree(const char *root)
{
	static const char *const names[] = {"d", "d/e", "d/e/f", "d/empty", "d/small", "d/symlink", "fifo", "one",
	    "d/e/f/127k", "d/e/f/129k", "big", "sparse", "d/nothing", "twin"};
	char name[32];

	make_common(root);
	make_folder(flow_in(root, "d/e"));
	make_folder(flow_in(root, "d/e/f"));
	make_folder(flow_in(root, "d/nothing"));
	CHECK(chmod(flow_in(root, "d/nothing"), 01777) == 0);
	flow_write(flow_in(root, "d/empty"), 0, 0);
	flow_write(flow_in(root, "d/e/f/127k"), 3, 127 * 1024);
	flow_write(flow_in(root, "d/e/f/129k"), 4, 129 * 1024);
	flow_write(flow_in(root, "big"), 5, 1536 * 1024);
	flow_write(flow_in(root, "twin"), 2, 5 * 1024);
	CHECK(chmod(flow_in(root, "big"), 0400) == 0);
	CHECK(link(flow_in(root, "big"), flow_in(root, "d/e/big-too")) == 0);
	CHECK(link(flow_in(root, "big"), flow_in(root, "d/nothing/big-three")) == 0);
	write_sparse(flow_in(root, "sparse"), 70 * 1024 * 1024);
	for (unsigned i = 0; i < 200; i++) {
		(void)snprintf(name, sizeof name, "d/e/many-%u", i);
		flow_write(flow_in(root, name), 100 + i, 300 + 7 * i);
	}
	age(root, names, COUNT_OF(names));
}

uint64_t
flow_tree_bytes(void)
{
	uint64_t sum = 1 + 2 * 5120 + (127 + 129) * 1024 + 3 * 1536 * 1024 + 5120 + 70 * 1024 * 1024;

	for (unsigned i = 0; i < 200; i++)
		sum += 300 + 7 * i;
	return sum;
}
