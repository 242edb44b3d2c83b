/*
 * Entries of a catalog as headers of an archive.
 */
#include <archive_entry.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "error.h"
#include "tar.h"

/* Code points that some readers join with the one before, which would change the name: marks and scripts with such
 * marks. */
static bool
may_compose(uint32_t c)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {{0x300, 0x36f}, {0x653, 0x655}, {0x900, 0xdff}, {0xf00, 0x109f}, {0x1100, 0x11ff},
	    {0x1b00, 0x1b7f}, {0x3099, 0x309a}, {0x11000, 0x11fff}};

	for (size_t i = 0; i < COUNT_OF(ranges); i++)
		if (c >= ranges[i].first && c <= ranges[i].last)
			return true;
	return false;
}

/* The length of the character at p, or 0 when it is none. */
static size_t
utf8_next(const uint8_t *p, const uint8_t *end, uint32_t *out)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t len = *p < 0x80 ? 1 : *p < 0xc2 ? 0 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : *p < 0xf5 ? 4 : 0;
	uint32_t c = len < 2 ? *p : *p & (0x7fu >> len);

	if (len == 0 || (size_t)(end - p) < len)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	*out = c;
	/* No overlong forms, no surrogates, nothing above the last code point. */
	return c < least[len] || (c >= 0xd800 && c <= 0xdfff) || c > 0x10ffff ? 0 : len;
}

bool
tar_is_text(const char *bytes, size_t len)
{
	const uint8_t *p = (const uint8_t *)bytes, *end = p + len;

	while (p < end) {
		uint32_t c;
		size_t n = utf8_next(p, end, &c);

		if (n == 0 || may_compose(c))
			return false;
		p += n;
	}
	return true;
}

static char *
text_copy(const char *bytes, size_t len, struct error *err)
{
	char *text = malloc(len + 1);

	if (text == NULL) {
		(void)error_nomem(err);
		return NULL;
	}
	memcpy(text, bytes, len);
	text[len] = '\0';
	return text;
}

int
tar_set_path(struct archive_entry *ae, const char *path, size_t len, struct error *err)
{
	CLEANUP_FREE char *text = len == 0 ? text_copy(".", 1, err) : text_copy(path, len, err);

	if (text == NULL)
		return err->code;
	archive_entry_copy_pathname(ae, text);
	return 0;
}

int
tar_set_hardlink(struct archive_entry *ae, const char *path, size_t len, struct error *err)
{
	CLEANUP_FREE char *text = text_copy(path, len, err);

	if (text == NULL)
		return err->code;
	archive_entry_copy_hardlink(ae, text);
	return 0;
}

/* ---- ACLs: the kernel's version 2, which all file systems show ---- */

enum { ACL_HEADER = 4, ACL_ENTRY = 8 };

static uint32_t
le(const uint8_t *p, size_t bytes)
{
	uint32_t v = 0;

	for (size_t i = bytes; i > 0; i--)
		v = v << 8 | p[i - 1];
	return v;
}

static int
acl_tag(uint32_t tag)
{
	switch (tag) {
	case 0x01:
		return ARCHIVE_ENTRY_ACL_USER_OBJ;
	case 0x02:
		return ARCHIVE_ENTRY_ACL_USER;
	case 0x04:
		return ARCHIVE_ENTRY_ACL_GROUP_OBJ;
	case 0x08:
		return ARCHIVE_ENTRY_ACL_GROUP;
	case 0x10:
		return ARCHIVE_ENTRY_ACL_MASK;
	case 0x20:
		return ARCHIVE_ENTRY_ACL_OTHER;
	default:
		return 0;
	}
}

bool
tar_acl(struct archive_entry *ae, const uint8_t *value, size_t len, bool is_default)
{
	int type = is_default ? ARCHIVE_ENTRY_ACL_TYPE_DEFAULT : ARCHIVE_ENTRY_ACL_TYPE_ACCESS;

	if (len < ACL_HEADER || (len - ACL_HEADER) % ACL_ENTRY != 0 || le(value, 4) != 2)
		return false;
	for (size_t i = ACL_HEADER; i < len; i += ACL_ENTRY)
		if (acl_tag(le(value + i, 2)) == 0 || le(value + i + 2, 2) > 7)
			return false;
	for (size_t i = ACL_HEADER; i < len; i += ACL_ENTRY) {
		int tag = acl_tag(le(value + i, 2)), id = -1;

		if (tag == ARCHIVE_ENTRY_ACL_USER || tag == ARCHIVE_ENTRY_ACL_GROUP)
			id = (int)le(value + i + 4, 4);
		/* The permission bits are the same in both worlds. */
		(void)archive_entry_acl_add_entry(ae, type, (int)le(value + i + 2, 2), tag, id, NULL);
	}
	return true;
}

/* ---- attributes ---- */

static bool
name_is(const struct xattr *x, const char *name)
{
	return x->name_len == strlen(name) && memcmp(x->name, name, x->name_len) == 0;
}

static int
add_xattr(struct archive_entry *ae, const struct xattr *x, struct error *err)
{
	char name[ENTRY_XATTR_NAME_MAX + 1];

	if (x->name_len > ENTRY_XATTR_NAME_MAX)
		return error_set(err, ERR_CORRUPT, "the name of an attribute is too long");
	memcpy(name, x->name, x->name_len);
	name[x->name_len] = '\0';
	archive_entry_xattr_add_entry(ae, name, x->value, x->value_len);
	return 0;
}

static int
add_attributes(struct archive_entry *ae, const struct entry *e, struct error *err)
{
	struct xattr x;
	size_t pos = 0;
	int r;

	while ((r = entry_xattr_next(e->xattrs, e->xattrs_len, &pos, &x, err)) > 0) {
		if (name_is(&x, "system.posix_acl_access") && tar_acl(ae, x.value, x.value_len, false))
			continue;
		if (name_is(&x, "system.posix_acl_default") && tar_acl(ae, x.value, x.value_len, true))
			continue;
		if ((r = add_xattr(ae, &x, err)) < 0)
			return r;
	}
	return r;
}

/* ---- the header ---- */

static mode_t
file_type(uint8_t type)
{
	static const mode_t types[] = {
	    [ENTRY_FILE] = AE_IFREG,
	    [ENTRY_FOLDER] = AE_IFDIR,
	    [ENTRY_SYMLINK] = AE_IFLNK,
	    [ENTRY_CHAR_DEVICE] = AE_IFCHR,
	    [ENTRY_BLOCK_DEVICE] = AE_IFBLK,
	    [ENTRY_FIFO] = AE_IFIFO,
	};

	return type < COUNT_OF(types) ? types[type] : 0;
}

/* A time as libarchive has to be told it. */
struct tar_time {
	int64_t s;
	long ns;
};

/*
 * POSIX writes half a second before -1 as "-1.5", and all readers but libarchive's take it so.  libarchive writes the
 * seconds, a point and the nanoseconds, whatever the sign, so that -2 and a half becomes "-2.5": here it gets the
 * number above and what is missing to that.  The last second before 1970 would need "-0", which it cannot write, and
 * loses its fraction.
 */
static struct tar_time
pax_time(int64_t s, uint32_t ns)
{
	if (s >= 0 || ns == 0)
		return (struct tar_time){s, (long)ns};
	if (s == -1)
		return (struct tar_time){s, 0};
	return (struct tar_time){s + 1, 1000000000 - (long)ns};
}

int
tar_header(struct archive_entry *ae, const struct entry *e, bool with_attributes, struct error *err)
{
	struct tar_time mtime = pax_time(e->mtime_s, e->mtime_ns), ctime = pax_time(e->ctime_s, e->ctime_ns);
	int r = tar_set_path(ae, e->path, e->path_len, err);

	if (r < 0)
		return r;
	archive_entry_set_filetype(ae, file_type(e->type));
	archive_entry_set_perm(ae, e->mode);
	archive_entry_set_uid(ae, e->uid);
	archive_entry_set_gid(ae, e->gid);
	archive_entry_set_mtime(ae, mtime.s, mtime.ns);
	archive_entry_set_ctime(ae, ctime.s, ctime.ns);
	archive_entry_set_size(ae, 0);
	if (e->type == ENTRY_CHAR_DEVICE || e->type == ENTRY_BLOCK_DEVICE) {
		archive_entry_set_rdevmajor(ae, e->dev_major);
		archive_entry_set_rdevminor(ae, e->dev_minor);
	}
	if (e->type == ENTRY_SYMLINK) {
		CLEANUP_FREE char *link = text_copy(e->link, e->link_len, err);

		if (link == NULL)
			return err->code;
		archive_entry_copy_symlink(ae, link);
	}
	return with_attributes ? add_attributes(ae, e, err) : 0;
}
