/*
 * Extended attributes from the kernel into the catalog.
 *
 * Things that must not be opened are reached as /proc/self/fd/<folder>/<name> by the calls that do not follow symlinks.
 */
#include "attrs_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "buf.h"
#include "cleanup.h"
#include "error.h"

/* How often something may grow between a question for its size and the answer. */
#define ATTEMPTS 16

static ssize_t
place_list(const struct attrs_place *p, char *out, size_t size)
{
	return p->fd >= 0 ? flistxattr(p->fd, out, size) : llistxattr(p->path, out, size);
}

static ssize_t
place_get(const struct attrs_place *p, const char *name, void *out, size_t size)
{
	return p->fd >= 0 ? fgetxattr(p->fd, name, out, size) : lgetxattr(p->path, name, out, size);
}

static bool
proc_is_there(int folder_fd)
{
	char path[64];
	struct stat st;

	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", folder_fd);
	return lstat(path, &st) == 0;
}

int
attrs_place_at(struct attrs_place *p, int folder_fd, const char *name, struct error *err)
{
	size_t len = strlen(name);

	if (len == 0 || len > 255 || strchr(name, '/') != NULL || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return error_set(err, ERR_USAGE, "not a name in a folder");
	p->fd = -1;
	(void)snprintf(p->path, sizeof p->path, "/proc/self/fd/%d/%s", folder_fd, name);
	return 0;
}

int
attrs_list(
    const struct attrs_place *p, char *room, size_t size, char **memory, char **out, size_t *out_len, struct error *err)
{
	ssize_t len = place_list(p, room, size);

	*out = room;
	for (int i = 0; len < 0 && errno == ERANGE && i < ATTEMPTS; i++) {
		len = place_list(p, NULL, 0);
		if (len < 0)
			break;
		/* With some room for what comes in the meantime. */
		size = (size_t)len + ATTRS_FIRST_TRY;
		free(*memory);
		*memory = *out = malloc(size);
		if (*memory == NULL)
			return error_nomem(err);
		len = place_list(p, *out, size);
	}
	*out_len = len < 0 ? 0 : (size_t)len;
	if (len >= 0 || errno == ENOTSUP)
		return 0;
	return error_errno(err, "list extended attributes");
}

/* 1 and the value, 0 when the attribute is not there any more. */
static int
get_value(const struct attrs_place *p, const char *name, uint8_t **memory, size_t *cap, size_t *len, struct error *err)
{
	char quoted[300];

	for (int i = 0; i < ATTEMPTS; i++) {
		ssize_t got = place_get(p, name, *memory, *cap);
		uint8_t *grown;

		/* With no room at all, the kernel answers with the size. */
		if (got >= 0 && (size_t)got <= *cap && *cap > 0) {
			*len = (size_t)got;
			return 1;
		}
		if (got < 0 && (errno == ENODATA || errno == ENOTSUP))
			return 0;
		if (got < 0 && errno != ERANGE)
			break;
		if (got < 0 && (got = place_get(p, name, NULL, 0)) < 0)
			continue;
		if ((size_t)got > ENTRY_XATTRS_MAX)
			return error_set(err, ERR_NOMEM, "an extended attribute is too large");
		grown = realloc(*memory, (size_t)got + ATTRS_FIRST_TRY);
		if (grown == NULL)
			return error_nomem(err);
		*memory = grown;
		*cap = (size_t)got + ATTRS_FIRST_TRY;
	}
	return error_errno(err, "read extended attribute %s", error_quote(quoted, sizeof quoted, name, strlen(name)));
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The attributes behind each other, as the set has them, and their number. */
static int
gather(const struct attrs_place *p, char **names, size_t nnames, struct buf *out, size_t *count, struct error *err)
{
	CLEANUP_FREE uint8_t *value = NULL;
	size_t cap = 0, len = 0;

	*count = 0;
	for (size_t i = 0; i < nnames; i++) {
		int r;

		if (i > 0 && strcmp(names[i], names[i - 1]) == 0)
			continue;
		if ((r = get_value(p, names[i], &value, &cap, &len, err)) < 0)
			return r;
		if (r == 0)
			continue;
		buf_varint(out, strlen(names[i]));
		buf_put(out, names[i], strlen(names[i]));
		buf_varint(out, len);
		buf_put(out, value, len);
		if ((r = buf_check(out, "set of extended attributes", err)) < 0)
			return r;
		++*count;
	}
	return 0;
}

static int
put_set(const struct attrs_place *p, char *list, size_t list_len, struct buf *out, struct error *err)
{
	CLEANUP_FREE char **names = NULL;
	CLEANUP(buf_free) struct buf body = BUF_INIT(ENTRY_XATTRS_MAX), head = BUF_INIT(16);
	size_t n = 0, count;
	int r;

	for (size_t at = 0; at < list_len; at += strlen(list + at) + 1)
		n++;
	names = calloc(n, sizeof *names);
	if (names == NULL)
		return error_nomem(err);
	n = 0;
	for (size_t at = 0; at < list_len; at += strlen(list + at) + 1) {
		/* A file system that lists an attribute without a name is not worth failing for. */
		if (list[at] != '\0')
			names[n++] = list + at;
	}
	qsort(names, n, sizeof *names, compare_names);
	if ((r = gather(p, names, n, &body, &count, err)) < 0 || count == 0)
		return r;
	buf_varint(&head, count);
	if ((r = buf_check(&head, "set of extended attributes", err)) < 0)
		return r;
	if (head.len + body.len > ENTRY_XATTRS_MAX)
		return error_set(err, ERR_NOMEM, "set of extended attributes is too large");
	buf_put(out, head.data, head.len);
	buf_put(out, body.data, body.len);
	return buf_check(out, "set of extended attributes", err);
}

static int
read_place(const struct attrs_place *p, struct buf *out, struct error *err)
{
	CLEANUP_FREE char *memory = NULL;
	char room[ATTRS_FIRST_TRY], *list;
	size_t len;
	int r = attrs_list(p, room, sizeof room - 1, &memory, &list, &len, err);

	if (r < 0 || len == 0)
		return r;
	/* The last name must end within the memory, whatever the file system says; both rooms have a byte to spare. */
	list[len - 1] = '\0';
	return put_set(p, list, len, out, err);
}

int
attrs_read_fd(int fd, struct buf *out, struct error *err)
{
	const struct attrs_place p = {.fd = fd};

	return read_place(&p, out, err);
}

int
attrs_read_at(int folder_fd, const char *name, struct buf *out, struct error *err)
{
	struct attrs_place p;
	int r = attrs_place_at(&p, folder_fd, name, err);

	if (r < 0)
		return r;
	r = read_place(&p, out, err);
	if (r == ERR_NOT_FOUND && !proc_is_there(folder_fd))
		return error_set(
		    err, ERR_UNSUPPORTED, "attributes of what cannot be opened need /proc, which is not mounted");
	return r;
}
