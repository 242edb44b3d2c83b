/*
 * Small files with secrets, read as a whole.
 */
#include "smallfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

#include "buf.h"
#include "cleanup.h"
#include "error.h"

ssize_t
smallfile_take(int fd, void *out, size_t max)
{
	size_t len = 0;

	while (len < max) {
		ssize_t got = read(fd, (uint8_t *)out + len, max - len);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		len += (size_t)got;
	}
	return (ssize_t)len;
}

int
smallfile_read(const char *path, size_t max, struct buf *out, struct error *err)
{
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	size_t before = out->len;
	uint8_t *at;
	ssize_t len;

	if (fd < 0)
		return error_errno(err, "read %s", path);
	/* One byte more shows that the file is longer. */
	at = buf_extend(out, max + 1);
	if (at == NULL)
		return error_nomem(err);
	len = smallfile_take(fd, at, max + 1);
	out->len = before + (len < 0 ? 0 : (size_t)len);
	if (len < 0)
		return error_errno(err, "read %s", path);
	if ((size_t)len > max)
		return error_set(err, ERR_USAGE, "%s is longer than %zu bytes", path, max);
	return 0;
}
