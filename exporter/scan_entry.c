/*
 * What the walk itself does not tell of an entry.
 */
#include <string.h>
#include <unistd.h>

#include "attrs.h"
#include "cleanup.h"
#include "error.h"
#include "large.h"
#include "scan.h"

bool
scan_entry_sparse(const struct walker_node *n)
{
	return n->stx.stx_blocks * 512 < n->stx.stx_size;
}

bool
scan_entry_may_have_holes(const struct walker_node *n)
{
	return n->stx.stx_size >= HOLE_MIN && scan_entry_sparse(n);
}

int
scan_entry_details(struct scan *s, const struct walker_node *n, struct entry *e, struct error *err)
{
	struct export *x = s->x;
	int r;

	buf_reset(&s->text);
	if (n->self != NULL)
		r = attrs_read_fd(folder_fd(n->self), &s->text, err);
	else if (n->parent != NULL)
		r = attrs_read_at(folder_fd(n->parent), n->name, &s->text, err);
	else
		r = 0;
	if (r == ERR_NOMEM)
		return r;
	if (r == ERR_NOT_FOUND)
		return 0;
	if (r < 0) {
		report_warn(x->report, e->path, e->path_len, "attributes could not be read: %s", err->msg);
		buf_reset(&s->text);
	}
	e->xattrs_len = s->text.len;
	if (e->type == ENTRY_SYMLINK) {
		uint8_t *room = buf_extend(&s->text, ENTRY_LINK_MAX + 1);
		ssize_t len;

		if (room == NULL)
			return error_nomem(err);
		len = readlinkat(folder_fd(n->parent), n->name, (char *)room, ENTRY_LINK_MAX + 1);
		if (len <= 0 || (size_t)len > ENTRY_LINK_MAX)
			return 0;
		e->link = (const char *)room;
		e->link_len = (size_t)len;
	}
	e->xattrs = e->xattrs_len > 0 ? s->text.data : NULL;
	return 1;
}
