/*
 * The content that is measured.
 */
#include "limit.h"

#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEGMENT    ((size_t)16 << 20)
#define SAMPLE_MAX ((size_t)512 << 20)

struct source {
	char *path;
	uint64_t start, len;
};

/* Regular files as one long stretch of bytes. */
struct sources {
	struct source *items;
	size_t count, cap;
	uint64_t len;
};

static int
visible(const struct dirent *e)
{
	return strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
}

static void
sources_add(struct sources *all, const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		err(1, "%s", path);
	if (S_ISREG(st.st_mode) && st.st_size > 0) {
		if (all->count == all->cap) {
			all->cap = all->cap * 2 + 64;
			all->items = reallocarray(all->items, all->cap, sizeof *all->items);
		}
		if (all->items == NULL)
			err(1, "%s", path);
		all->items[all->count].path = strdup(path);
		all->items[all->count].start = all->len;
		all->items[all->count++].len = (uint64_t)st.st_size;
		all->len += (uint64_t)st.st_size;
	} else if (S_ISDIR(st.st_mode)) {
		struct dirent **entries;
		int n = scandir(path, &entries, visible, alphasort);

		if (n < 0)
			err(1, "%s", path);
		for (int i = 0; i < n; i++) {
			char *below = limit_join(path, entries[i]->d_name);

			sources_add(all, below);
			free(below);
			free(entries[i]);
		}
		free(entries);
	}
}

static void
sources_free(struct sources *all)
{
	for (size_t i = 0; i < all->count; i++)
		free(all->items[i].path);
	free(all->items);
}

static void
read_file_at(const char *path, uint8_t *out, size_t len, uint64_t offset)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = 0;

	if (fd < 0)
		err(1, "%s", path);
	for (size_t done = 0; done < len; done += (size_t)n) {
		n = pread(fd, out + done, len - done, (off_t)(offset + done));
		if (n < 0)
			err(1, "%s", path);
		if (n == 0)
			errx(1, "%s became shorter", path);
	}
	(void)close(fd);
}

/* Read len bytes at offset of the stretch that the files make together. */
static void
sources_read(const struct sources *all, uint8_t *out, size_t len, uint64_t offset)
{
	for (size_t i = 0; i < all->count && len > 0; i++) {
		const struct source *s = &all->items[i];
		uint64_t from = offset - s->start;
		size_t n;

		if (offset >= s->start + s->len)
			continue;
		n = len < s->len - from ? len : (size_t)(s->len - from);
		read_file_at(s->path, out, n, from);
		out += n;
		len -= n;
		offset += n;
	}
}

struct limit_sample
limit_sample_read(const char *path)
{
	struct sources all = {0};
	struct limit_sample s;
	size_t segments;

	sources_add(&all, path);
	if (all.len == 0)
		errx(1, "%s: no content", path);
	s.len = all.len < SAMPLE_MAX ? (size_t)all.len : SAMPLE_MAX;
	s.bytes = limit_allocate(s.len);
	segments = (s.len + SEGMENT - 1) / SEGMENT;
	for (size_t i = 0; i < segments; i++) {
		size_t at = i * SEGMENT, n = s.len - at < SEGMENT ? s.len - at : SEGMENT;
		uint64_t distance = segments > 1 ? (all.len - SEGMENT) / (segments - 1) : 0;

		sources_read(&all, s.bytes + at, n, all.len > s.len ? i * distance : at);
	}
	sources_free(&all);
	return s;
}
