/*
 * Nodes of a walk as entries of a catalog.
 */
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "cleanup.h"
#include "entry.h"
#include "item.h"
#include "walker.h"

static uint8_t
entry_type(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return ENTRY_FILE;
	case S_IFDIR:
		return ENTRY_FOLDER;
	case S_IFLNK:
		return ENTRY_SYMLINK;
	case S_IFCHR:
		return ENTRY_CHAR_DEVICE;
	case S_IFBLK:
		return ENTRY_BLOCK_DEVICE;
	case S_IFIFO:
		return ENTRY_FIFO;
	default:
		return ENTRY_SOCKET;
	}
}

void
walker_entry(const struct walker_node *n, dev_t root_dev, struct entry *e)
{
	const struct statx *st = &n->stx;

	memset(e, 0, sizeof *e);
	e->path = n->path;
	e->path_len = n->path_len;
	e->type = entry_type(st->stx_mode);
	e->flags = n->mount_point ? ENTRY_MOUNT_POINT : 0;
	e->mode = st->stx_mode & 07777;
	e->uid = st->stx_uid;
	e->gid = st->stx_gid;
	e->nlink = e->type == ENTRY_FOLDER ? 1 : MAX(st->stx_nlink, 1u);
	e->ino = item_ino(st->stx_ino, makedev(st->stx_dev_major, st->stx_dev_minor), root_dev);
	e->size = e->type == ENTRY_FILE ? st->stx_size : 0;
	e->mtime_s = st->stx_mtime.tv_sec;
	e->mtime_ns = st->stx_mtime.tv_nsec;
	e->ctime_s = st->stx_ctime.tv_sec;
	e->ctime_ns = st->stx_ctime.tv_nsec;
	if (e->type == ENTRY_CHAR_DEVICE || e->type == ENTRY_BLOCK_DEVICE) {
		e->dev_major = st->stx_rdev_major;
		e->dev_minor = st->stx_rdev_minor;
	}
}
