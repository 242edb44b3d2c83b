/*
 * snapferry ls: entries of a snapshot.
 */
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "command.h"
#include "envelope.h"
#include "error.h"
#include "view.h"

/* In full, however long: programs go by it. */
static struct json_object *
ls_quoted(const char *bytes, size_t len)
{
	CLEANUP_FREE char *text = malloc(4 * len + 1);

	return text == NULL ? NULL : json_object_new_string(error_quote(text, 4 * len + 1, bytes, len));
}

static void
ls_json(struct command_context *c, const struct entry *e)
{
	struct json_object *j = json_object_new_object();
	char time[TIME_TEXT_LEN];

	(void)json_object_object_add(j, "path", ls_quoted(e->path, e->path_len));
	(void)json_object_object_add(j, "type", json_object_new_string(view_type(e)));
	(void)json_object_object_add(j, "mode", json_object_new_int((int)e->mode));
	(void)json_object_object_add(j, "uid", json_object_new_int64(e->uid));
	(void)json_object_object_add(j, "gid", json_object_new_int64(e->gid));
	view_add_count(j, "size", e->size);
	time_format(e->mtime_s, e->mtime_ns, time);
	(void)json_object_object_add(j, "mtime", json_object_new_string(time));
	if (e->type == ENTRY_SYMLINK)
		(void)json_object_object_add(j, "target", ls_quoted(e->link, e->link_len));
	(void)json_object_object_add(j, "changed_while_read", json_object_new_boolean((e->flags & ENTRY_CHANGED) != 0));
	(void)json_object_object_add(j, "unreadable", json_object_new_boolean((e->flags & ENTRY_UNREADABLE) != 0));
	report_json(c->report, "entry", j);
}

static void
ls_text(struct command_context *c, const struct entry *e)
{
	char path[4200], link[1000], mode[VIEW_MODE], time[VIEW_TIME];
	struct manifest_time t = {e->mtime_s, e->mtime_ns};

	(void)error_quote(path, sizeof path, e->path, e->path_len);
	if (!c->options->long_listing) {
		report_line(c->report, "%s%s", e->path_len == 0 ? "." : path, e->type == ENTRY_FOLDER ? "/" : "");
		return;
	}
	link[0] = '\0';
	if (e->type == ENTRY_SYMLINK)
		(void)error_quote(link, sizeof link, e->link, e->link_len);
	report_line(c->report, "%s %5u %5u %14llu %s %s%s%s%s%s", view_mode(e, mode), e->uid, e->gid,
	    (unsigned long long)e->size, view_time(&t, time), e->path_len == 0 ? "." : path,
	    link[0] == '\0' ? "" : " -> ", link, e->flags & ENTRY_CHANGED ? "  (changed while it was read)" : "",
	    e->flags & ENTRY_UNREADABLE ? "  (could not be read)" : "");
}

static void
ls_entry(struct command_context *c, const struct entry *e)
{
	if (report_is_json(c->report))
		ls_json(c, e);
	else
		ls_text(c, e);
}

/* So that a program sees that nothing is missing. */
static void
ls_tell(struct command_context *c, uint64_t shown)
{
	struct json_object *j = json_object_new_object();

	view_add_count(j, "entries", shown);
	report_json(c->report, "summary", j);
}

/* Show what is at or below the path.  Without -R, what is below a folder in it is not even read. */
static int
ls_walk(struct command_context *c, struct catalog_reader *reader, const char *path, size_t len, uint64_t *found,
    struct error *err)
{
	bool recursive = c->options->recursive;
	uint64_t shown = 0;
	struct entry e;
	int r = catalog_reader_seek(reader, path, len, err);

	while (r >= 0 && (r = catalog_reader_next(reader, &e, err)) > 0 &&
	       entry_path_is_within(path, len, e.path, e.path_len)) {
		bool is_below = e.path_len > len;

		++*found;
		if (is_below || e.type != ENTRY_FOLDER || recursive) {
			ls_entry(c, &e);
			shown++;
		}
		if (is_below && e.type == ENTRY_FOLDER && !recursive)
			r = catalog_reader_skip(reader, e.path, e.path_len, err);
	}
	if (r >= 0 && *found > 0)
		ls_tell(c, shown);
	return MIN(r, 0);
}

static int
ls_entries(struct command_context *c, const struct snapshot *s, const char *path, struct error *err)
{
	struct catalog_reader *reader;
	uint64_t found = 0;
	size_t len;
	int r;

	path = command_path(path, &len);
	if ((r = catalog_reader_new(s, c->options->recursive ? 2 : 0, &reader, err)) < 0)
		return r;
	r = ls_walk(c, reader, path, len, &found, err);
	catalog_reader_free(reader);
	if (r == 0 && found == 0)
		return error_set(err, ERR_NOT_FOUND, "%.*s is not in snapshot %s", (int)MIN(len, (size_t)300), path,
		    s->manifest.snapshot);
	return r;
}

int
cmd_ls(const struct options *o)
{
	struct command_context c;
	struct snapshot *s = NULL;
	struct error err;
	int r = command_begin(&c, o, "ls", &err);

	if (r == 0 && (r = command_volume(&c, &err)) == 0 && (r = command_snapshot(&c, o->snapshot, &s, &err)) == 0)
		r = ls_entries(&c, s, o->nargs > 0 ? o->args[0] : "", &err);
	snapshot_free(s);
	return command_end(&c, r, &err);
}
