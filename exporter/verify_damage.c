/*
 * Findings of a verification, with what needs the damaged objects.
 */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "error.h"
#include "verify_internal.h"
#include "view.h"

/* Names in messages; longer paths are cut. */
#define PATH_TEXT 1024

void
damage_list_init(struct damage_list *l)
{
	memset(l, 0, sizeof *l);
	l->last = &l->first;
	(void)pthread_mutex_init(&l->lock, NULL);
}

struct damage *
damage_add(struct damage_list *l, const char *object, const char *kind, const char *message)
{
	struct damage *d = NULL;

	(void)pthread_mutex_lock(&l->lock);
	l->count++;
	if (l->kept < DAMAGE_KEPT && (d = calloc(1, sizeof *d)) != NULL) {
		d->kind = kind;
		(void)snprintf(d->object, sizeof d->object, "%s", object);
		(void)snprintf(d->message, sizeof d->message, "%s", message);
		*l->last = d;
		l->last = &d->next;
		l->kept++;
	}
	(void)pthread_mutex_unlock(&l->lock);
	return d;
}

void
damage_add_ordinal(struct damage *d, uint32_t ordinal)
{
	if (d == NULL || d->whole || damage_has_ordinal(d, ordinal))
		return;
	if (d->nordinals == DAMAGE_ORDINALS)
		d->whole = true;
	else
		d->ordinals[d->nordinals++] = ordinal;
}

bool
damage_has_ordinal(const struct damage *d, uint32_t ordinal)
{
	if (d->whole)
		return true;
	for (size_t i = 0; i < d->nordinals; i++)
		if (d->ordinals[i] == ordinal)
			return true;
	return false;
}

void
damage_add_snapshot(struct damage *d, const char *snapshot)
{
	if (d == NULL || (d->nsnapshots > 0 && strcmp(d->snapshots[d->nsnapshots - 1], snapshot) == 0))
		return;
	d->nsnapshots_all++;
	if (d->nsnapshots == DAMAGE_PATHS)
		return;
	if (d->snapshots == NULL && (d->snapshots = calloc(DAMAGE_PATHS, sizeof *d->snapshots)) == NULL)
		return;
	(void)snprintf(d->snapshots[d->nsnapshots++], sizeof *d->snapshots, "%s", snapshot);
}

static void
add_path(struct damage *d, const char *text)
{
	for (size_t i = 0; i < d->npaths; i++)
		if (strcmp(d->paths[i], text) == 0)
			return;
	if (d->npaths < DAMAGE_PATHS && (d->paths[d->npaths] = strdup(text)) != NULL)
		d->npaths++;
}

void
damage_add_entry(struct damage *d, uint64_t number, const char *path, size_t len)
{
	char text[PATH_TEXT];

	if (d == NULL || d->last_entry == number)
		return;
	d->last_entry = number;
	d->entries++;
	if (d->npaths < DAMAGE_PATHS)
		add_path(d, len == 0 ? "." : error_quote(text, sizeof text, path, len));
}

void
damage_add_entries(
    struct damage *d, uint64_t count, const char *first, size_t first_len, const char *end, size_t end_len)
{
	char from[PATH_TEXT], to[PATH_TEXT], text[2 * PATH_TEXT + 64];

	if (d == NULL)
		return;
	d->entries += count;
	(void)error_quote(from, sizeof from, first, first_len);
	if (end != NULL)
		(void)snprintf(text, sizeof text, "%s ... (%llu entries before %s)", first_len == 0 ? "." : from,
		    (unsigned long long)count, error_quote(to, sizeof to, end, end_len));
	else
		(void)snprintf(text, sizeof text, "%s ... (%llu entries, to the end)", first_len == 0 ? "." : from,
		    (unsigned long long)count);
	add_path(d, text);
}

static void
report_json_damage(const struct damage *d, struct report *report)
{
	struct json_object *o = json_object_new_object(), *snapshots = json_object_new_array(),
			   *paths = json_object_new_array();

	(void)json_object_object_add(o, "object", json_object_new_string(d->object));
	(void)json_object_object_add(o, "kind", json_object_new_string(d->kind));
	(void)json_object_object_add(o, "message", json_object_new_string(d->message));
	for (size_t i = 0; i < d->nsnapshots; i++)
		(void)json_object_array_add(snapshots, json_object_new_string(d->snapshots[i]));
	(void)json_object_object_add(o, "snapshots", snapshots);
	view_add_count(o, "snapshot_count", d->nsnapshots_all);
	for (size_t i = 0; i < d->npaths; i++)
		(void)json_object_array_add(paths, json_object_new_string(d->paths[i]));
	(void)json_object_object_add(o, "paths", paths);
	view_add_count(o, "entry_count", d->entries);
	report_json(report, "damage", o);
}

/* In a line of text the object stands before its message. */
static void
report_text_damage(const struct damage *d, struct report *report)
{
	report_warn(report, NULL, 0, "%s: %s", d->object, d->message);
	for (size_t i = 0; i < d->nsnapshots; i++)
		report_line(report, "%s is needed by snapshot %s", d->object, d->snapshots[i]);
	if (d->nsnapshots_all > d->nsnapshots)
		report_line(report, "%s is needed by %zu more snapshots", d->object, d->nsnapshots_all - d->nsnapshots);
	for (size_t i = 0; i < d->npaths; i++)
		report_line(report, "%s is needed by %s", d->object, d->paths[i]);
	if (d->entries > d->npaths && d->npaths == DAMAGE_PATHS)
		report_line(report, "%s is needed by %llu entries in all", d->object, (unsigned long long)d->entries);
}

static void
report_one(const struct damage *d, struct report *report)
{
	if (report_is_json(report))
		report_json_damage(d, report);
	else
		report_text_damage(d, report);
}

void
damage_tell(struct report *report, const char *object, const char *kind, const char *message)
{
	struct damage d = {.kind = kind};

	(void)snprintf(d.object, sizeof d.object, "%s", object);
	(void)snprintf(d.message, sizeof d.message, "%s", message);
	report_one(&d, report);
}

void
damage_report(const struct damage_list *l, struct report *report)
{
	for (const struct damage *d = l->first; d != NULL; d = d->next)
		report_one(d, report);
	if (l->count > l->kept)
		report_warn(report, NULL, 0, "%llu more damaged objects", (unsigned long long)(l->count - l->kept));
}

void
damage_list_wipe(struct damage_list *l)
{
	while (l->first != NULL) {
		struct damage *d = l->first;

		l->first = d->next;
		for (size_t i = 0; i < d->npaths; i++)
			free(d->paths[i]);
		free(d->snapshots);
		free(d);
	}
	(void)pthread_mutex_destroy(&l->lock);
}
