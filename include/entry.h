#ifndef ENTRY_H_
#define ENTRY_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frame.h"

struct error;

/* One entry of a catalog: a file, folder... with everything that is known about it (docs/format.md section 6). */

enum entry_type {
	ENTRY_FILE = 1,
	ENTRY_FOLDER = 2,
	ENTRY_SYMLINK = 3,
	ENTRY_CHAR_DEVICE = 4,
	ENTRY_BLOCK_DEVICE = 5,
	ENTRY_FIFO = 6,
	ENTRY_SOCKET = 7,
	ENTRY_VOLUME = 8 /* the content of a device; the only entry of its catalog */
};

#define ENTRY_CHANGED     1u /* changed while it was read */
#define ENTRY_UNREADABLE  2u /* content could not be read: there is none */
#define ENTRY_MOUNT_POINT 4u /* another file system was mounted here; what is below was left out */
#define ENTRY_FLAGS       7u

#define ENTRY_PATH_MAX       (1024u * 1024)
#define ENTRY_LINK_MAX       65535u
#define ENTRY_XATTRS_MAX     (1024u * 1024)
#define ENTRY_SIZE_MAX       ((UINT64_C(1) << 62) - 1)
#define ENTRY_EXTENTS_MAX    65536u /* of one entry or segment; a reader's memory depends on it */
#define ENTRY_SEGMENTS_MAX   262144u
#define ENTRY_XATTR_NAME_MAX 255u
#define SEGMENT_SIZE         (UINT64_C(1) << 30)

enum extent_kind { EXTENT_DATA = 0, EXTENT_HOLE = 2, EXTENT_ZEROS = 3 };

/* A stretch of a file.  For EXTENT_DATA: bytes [frame_offset, frame_offset + len) of the frame's plaintext. */
struct extent {
	uint8_t kind;
	uint32_t frame_offset;
	uint64_t len;
	struct frame_ref frame;
};

/* Pointers are borrowed; whoever fills an entry says how long they live. */
struct entry {
	const char *path; /* not NUL-terminated */
	size_t path_len;
	uint8_t type;
	uint8_t flags;
	uint32_t mode; /* 07777 */
	uint32_t uid, gid;
	uint32_t nlink; /* at least 1 */
	uint64_t ino;
	uint64_t size;
	int64_t mtime_s, ctime_s;
	uint32_t mtime_ns, ctime_ns;
	uint32_t dev_major, dev_minor;
	const char *link; /* symlink target, not NUL-terminated */
	size_t link_len;
	const uint8_t *xattrs; /* a set as the format has it; NULL and 0 for none */
	size_t xattrs_len;
	uint8_t file_id[ID_SHORT]; /* when the content is one part of a bundle */
	const struct extent *extents; /* nextents > 0, or */
	size_t nextents;
	const struct frame_ref *segments; /* nsegments > 0, or neither: empty or unreadable */
	size_t nsegments;
};

/* Order of catalogs: bytes, with '/' below all others.  Like memcmp(). */
int entry_path_compare(const char *a, size_t a_len, const char *b, size_t b_len);
/* How many leading bytes are the same. */
size_t entry_path_common(const char *a, size_t a_len, const char *b, size_t b_len);
/* A path as the format wants it ("" allowed). */
bool entry_path_valid(const char *path, size_t len);
/* The path begins with the folder's and goes on below it (folder "": any but itself). */
bool entry_path_is_below(const char *folder, size_t folder_len, const char *path, size_t len);
/* The same, or below. */
bool entry_path_is_within(const char *folder, size_t folder_len, const char *path, size_t len);
/* child == parent + '/' + one component (parent "" : one component). */
bool entry_path_is_child(const char *parent, size_t parent_len, const char *child, size_t child_len);
bool entry_has_content(const struct entry *); /* type 1 or 8, size > 0, readable */
bool entry_in_bundle(const struct entry *);
/* Everything equal but ctime, ino and nlink: what an import can restore.  Content is compared by references. */
bool entry_same_metadata(const struct entry *, const struct entry *);

/* Walk an attribute set: start with pos = 0; 1 and the next attribute, 0 at the end, ERR_CORRUPT. */
struct xattr {
	const char *name;
	size_t name_len;
	const uint8_t *value;
	size_t value_len;
};
int entry_xattr_next(const uint8_t *set, size_t len, size_t *pos, struct xattr *out, struct error *);
/* The whole set is as the format wants it. */
int entry_xattrs_check(const uint8_t *set, size_t len, struct error *);

#endif
