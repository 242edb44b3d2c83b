/*
 * Manifests and entries as text and JSON.
 */
#include "view.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "envelope.h"
#include "wire.h"

void
view_add_text(struct json_object *o, const char *key, const char *value)
{
	(void)json_object_object_add(o, key, json_object_new_string(value == NULL ? "" : value));
}

void
view_add_count(struct json_object *o, const char *key, uint64_t n)
{
	(void)json_object_object_add(o, key, json_object_new_uint64(n));
}

void
view_add_seconds(struct json_object *o, const char *key, uint64_t milliseconds)
{
	(void)json_object_object_add(o, key, json_object_new_double((double)milliseconds / 1000));
}

static struct json_object *
view_statistics(const struct manifest_statistics *s)
{
	struct json_object *o = json_object_new_object();

	view_add_count(o, "entries", s->entries);
	view_add_count(o, "files", s->files);
	view_add_count(o, "bytes", s->bytes);
	view_add_count(o, "unchanged", s->unchanged);
	view_add_count(o, "changed", s->changed);
	view_add_count(o, "new", s->added);
	view_add_count(o, "deleted", s->deleted);
	view_add_count(o, "new_bytes", s->new_bytes);
	view_add_count(o, "stored_bytes", s->stored_bytes);
	view_add_count(o, "warnings", s->warnings);
	view_add_seconds(o, "seconds", s->milliseconds);
	return o;
}

struct json_object *
view_manifest(const struct manifest *m)
{
	struct json_object *o = json_object_new_object(), *tags = json_object_new_object(),
			   *excludes = json_object_new_array();
	char text[TIME_TEXT_LEN], hex[2 * VOLUME_ID_LEN + 1];

	view_add_text(o, "snapshot", m->snapshot);
	view_add_text(o, "volume", m->name);
	hex_encode(hex, m->volume, VOLUME_ID_LEN);
	view_add_text(o, "volume_id", hex);
	view_add_count(o, "sequence", m->sequence);
	(void)json_object_object_add(o, "parent", m->parent[0] == '\0' ? NULL : json_object_new_string(m->parent));
	view_add_text(o, "mode", m->mode == MODE_BLOCK ? "block" : "file");
	time_format(m->started.s, m->started.ns, text);
	view_add_text(o, "started", text);
	time_format(m->finished.s, m->finished.ns, text);
	view_add_text(o, "finished", text);
	view_add_text(o, "source", m->source);
	view_add_text(o, "host", m->host);
	view_add_text(o, "tool", m->tool);
	if (m->mode == MODE_BLOCK)
		view_add_count(o, "size", m->size);
	for (size_t i = 0; i < m->ntags; i++)
		view_add_text(tags, m->tags[i].key, m->tags[i].value);
	(void)json_object_object_add(o, "tags", tags);
	for (size_t i = 0; i < m->nexcludes; i++)
		(void)json_object_array_add(excludes, json_object_new_string(m->excludes[i]));
	(void)json_object_object_add(o, "excludes", excludes);
	(void)json_object_object_add(o, "statistics", view_statistics(&m->statistics));
	return o;
}

const char *
view_time(const struct manifest_time *t, char out[VIEW_TIME])
{
	time_t s = (time_t)t->s;
	struct tm tm;

	if (localtime_r(&s, &tm) == NULL || strftime(out, VIEW_TIME, "%Y-%m-%d %H:%M:%S", &tm) == 0)
		(void)snprintf(out, VIEW_TIME, "%lld", (long long)t->s);
	return out;
}

const char *
view_mode(const struct entry *e, char out[VIEW_MODE])
{
	static const char types[] = "?-dlcbps-";
	static const char bits[] = "rwxrwxrwx";

	out[0] = types[e->type < sizeof types - 1 ? e->type : 0];
	for (unsigned i = 0; i < 9; i++)
		out[1 + i] = (e->mode >> (8 - i)) & 1 ? bits[i] : '-';
	if (e->mode & 04000)
		out[3] = out[3] == 'x' ? 's' : 'S';
	if (e->mode & 02000)
		out[6] = out[6] == 'x' ? 's' : 'S';
	if (e->mode & 01000)
		out[9] = out[9] == 'x' ? 't' : 'T';
	out[10] = '\0';
	return out;
}

const char *
view_type(const struct entry *e)
{
	static const char *const names[] = {"unknown", "file", "folder", "symlink", "character device", "block device",
	    "fifo", "socket", "device content"};

	return names[e->type < sizeof names / sizeof names[0] ? e->type : 0];
}
