/* Entries: order and validity of paths, comparison, attribute sets. */

#include "entry.h"

#include <string.h>

#include "error.h"
#include "wire.h"

#define COMPONENT_MAX 255

size_t
entry_path_common(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t n = a_len < b_len ? a_len : b_len;
	size_t i = 0;

	while (n - i >= 8 && memcmp(a + i, b + i, 8) == 0)
		i += 8;
	while (i < n && a[i] == b[i])
		i++;
	return i;
}

/* The rank of a byte in the order of catalogs. */
static int
rank(char c)
{
	return c == '/' ? 0 : 1 + (unsigned char)c;
}

int
entry_path_compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t i = entry_path_common(a, a_len, b, b_len);

	if (i == a_len || i == b_len)
		return (a_len > b_len) - (a_len < b_len);
	return rank(a[i]) < rank(b[i]) ? -1 : 1;
}

static bool
component_valid(const char *name, size_t len)
{
	if (len == 0 || len > COMPONENT_MAX)
		return false;
	return name[0] != '.' || (len != 1 && (len != 2 || name[1] != '.'));
}

bool
entry_path_valid(const char *path, size_t len)
{
	size_t start = 0, i;

	if (len == 0)
		return true;
	if (len > ENTRY_PATH_MAX)
		return false;
	for (i = 0; i < len; i++) {
		if (path[i] == '\0')
			return false;
		if (path[i] != '/')
			continue;
		if (!component_valid(path + start, i - start))
			return false;
		start = i + 1;
	}
	return component_valid(path + start, len - start);
}

bool
entry_path_is_below(const char *folder, size_t folder_len, const char *path, size_t len)
{
	if (folder_len == 0)
		return len > 0;
	return len > folder_len && path[folder_len] == '/' && memcmp(path, folder, folder_len) == 0;
}

bool
entry_path_is_within(const char *folder, size_t folder_len, const char *path, size_t len)
{
	if (len != folder_len)
		return entry_path_is_below(folder, folder_len, path, len);
	return len == 0 || memcmp(path, folder, len) == 0;
}

bool
entry_path_is_child(const char *parent, size_t parent_len, const char *child, size_t child_len)
{
	size_t start = parent_len == 0 ? 0 : parent_len + 1;

	return child_len > start && entry_path_is_below(parent, parent_len, child, child_len) &&
	       memchr(child + start, '/', child_len - start) == NULL;
}

bool
entry_has_content(const struct entry *e)
{
	return (e->type == ENTRY_FILE || e->type == ENTRY_VOLUME) && e->size > 0 && (e->flags & ENTRY_UNREADABLE) == 0;
}

bool
entry_in_bundle(const struct entry *e)
{
	return e->nextents == 1 && e->extents[0].kind == EXTENT_DATA && e->extents[0].frame.type == FRAME_BUNDLE;
}

static bool
same_bytes(const void *a, size_t a_len, const void *b, size_t b_len)
{
	return a_len == b_len && (a_len == 0 || memcmp(a, b, a_len) == 0);
}

static bool
same_extent(const struct extent *a, const struct extent *b)
{
	if (a->kind != b->kind || a->len != b->len)
		return false;
	return a->kind != EXTENT_DATA || (a->frame_offset == b->frame_offset && frame_ref_equal(&a->frame, &b->frame));
}

static bool
same_content(const struct entry *a, const struct entry *b)
{
	size_t i;

	if (a->size != b->size || a->nextents != b->nextents || a->nsegments != b->nsegments)
		return false;
	for (i = 0; i < a->nextents; i++)
		if (!same_extent(&a->extents[i], &b->extents[i]))
			return false;
	for (i = 0; i < a->nsegments; i++)
		if (!frame_ref_equal(&a->segments[i], &b->segments[i]))
			return false;
	return !entry_in_bundle(a) || memcmp(a->file_id, b->file_id, sizeof(a->file_id)) == 0;
}

bool
entry_same_metadata(const struct entry *a, const struct entry *b)
{
	if (a->type != b->type || a->flags != b->flags || a->mode != b->mode || a->uid != b->uid || a->gid != b->gid)
		return false;
	if (a->mtime_s != b->mtime_s || a->mtime_ns != b->mtime_ns)
		return false;
	if (!same_bytes(a->path, a->path_len, b->path, b->path_len) ||
	    !same_bytes(a->xattrs, a->xattrs_len, b->xattrs, b->xattrs_len))
		return false;
	switch (a->type) {
	case ENTRY_FILE:
	case ENTRY_VOLUME:
		return same_content(a, b);
	case ENTRY_SYMLINK:
		return same_bytes(a->link, a->link_len, b->link, b->link_len);
	case ENTRY_CHAR_DEVICE:
	case ENTRY_BLOCK_DEVICE:
		return a->dev_major == b->dev_major && a->dev_minor == b->dev_minor;
	default:
		return true;
	}
}

int
entry_xattr_next(const uint8_t *set, size_t len, size_t *pos, struct xattr *out, struct error *err)
{
	struct wire w;
	uint64_t n;

	if (len == 0 || *pos >= len)
		return 0;
	wire_init(&w, set + *pos, len - *pos);
	if (*pos == 0)
		(void)wire_varint(&w); /* the count: entry_xattrs_check() compares it */
	if (wire_left(&w) == 0 && !w.bad) {
		*pos = len;
		return 0;
	}
	out->name_len = (size_t)wire_varint_max(&w, ENTRY_XATTR_NAME_MAX);
	out->name = (const char *)wire_bytes(&w, out->name_len);
	n = wire_varint_max(&w, ENTRY_XATTRS_MAX);
	out->value_len = (size_t)n;
	out->value = wire_bytes(&w, out->value_len);
	if (w.bad || out->name_len == 0 || memchr(out->name, '\0', out->name_len) != NULL)
		return error_set(err, ERR_CORRUPT, "extended attributes are malformed");
	*pos = len - wire_left(&w);
	return 1;
}

static int
name_compare(const struct xattr *a, const struct xattr *b)
{
	size_t n = a->name_len < b->name_len ? a->name_len : b->name_len;
	int c = memcmp(a->name, b->name, n);

	return c != 0 ? c : (a->name_len > b->name_len) - (a->name_len < b->name_len);
}

int
entry_xattrs_check(const uint8_t *set, size_t len, struct error *err)
{
	struct xattr x, last = {"", 0, NULL, 0};
	uint64_t count, seen = 0;
	struct wire w;
	size_t pos = 0;
	int r;

	if (len == 0 || len > ENTRY_XATTRS_MAX)
		return error_set(err, ERR_CORRUPT, "a set of extended attributes has %zu bytes", len);
	wire_init(&w, set, len);
	count = wire_varint(&w);
	if (w.bad || count == 0)
		return error_set(err, ERR_CORRUPT, "extended attributes are malformed");
	while ((r = entry_xattr_next(set, len, &pos, &x, err)) > 0) {
		if (seen++ > 0 && name_compare(&last, &x) >= 0)
			return error_set(err, ERR_CORRUPT, "extended attributes are not sorted by name");
		last = x;
	}
	if (r < 0)
		return r;
	if (seen != count)
		return error_set(err, ERR_CORRUPT, "a set of extended attributes has another number than it says");
	return 0;
}
