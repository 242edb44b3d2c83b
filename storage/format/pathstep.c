/* Validity, order and parents of paths, one step at a time. */

#include "pathstep.h"

#include "entry.h"

/* The parent of a path is the one before, if that is a folder, or a parent of the one before: all between a folder and
 * what is in it is in it, too. */
static bool
parent_known(const struct pathstep *s, size_t parent_len)
{
	if (s->before_len == parent_len)
		return s->common == parent_len && s->before_type == ENTRY_FOLDER;
	return parent_len == 0 || s->common > parent_len;
}

static bool
in_order(const struct pathstep *s, const char *path, size_t len)
{
	if (s->common == s->before_len)
		return len > s->before_len;
	if (s->common == len || s->before_byte == '/')
		return s->common < len;
	return path[s->common] != '/' && (unsigned char)path[s->common] > s->before_byte;
}

const char *
pathstep_fault(const struct pathstep *s, const char *path, size_t len, uint8_t type)
{
	size_t start = s->first ? 0 : s->common, slash;

	if (len > ENTRY_PATH_MAX)
		return "path is too long";
	if (!s->first && !in_order(s, path, len))
		return "path is out of order";
	if (len == 0)
		return type == ENTRY_FOLDER || type == ENTRY_VOLUME ? NULL : "the root is no folder";
	if (type == ENTRY_VOLUME)
		return "a device below the root";

	/* The components before the one in which the paths part are the other path's.  Some byte is left: the order
	 * asks for it. */
	while (start > 0 && path[start - 1] != '/')
		start--;
	if (!entry_path_valid(path + start, len - start))
		return "path is not valid";
	if (s->first)
		return NULL;
	for (slash = len - 1; slash > start && path[slash] != '/'; slash--)
		;
	if (slash <= start)
		slash = start > 0 ? start - 1 : 0;
	return parent_known(s, slash) ? NULL : "parent is missing or no folder";
}
