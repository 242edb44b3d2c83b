#ifndef VIEW_H_
#define VIEW_H_

#include "manifest.h"
#include "entry.h"

struct json_object;

/* How manifests and entries look to people and to programs. */

/* Members of a JSON object; value NULL is an empty text. */
void view_add_text(struct json_object *, const char *key, const char *value);
void view_add_count(struct json_object *, const char *key, uint64_t);
void view_add_seconds(struct json_object *, const char *key, uint64_t milliseconds);

/* A manifest as JSON: everything but keys and frames. */
struct json_object *view_manifest(const struct manifest *);
/* "2026-11-22 01:02:03" in local time. */
#define VIEW_TIME 32
const char *view_time(const struct manifest_time *, char out[VIEW_TIME]);
/* "drwxr-xr-x" */
#define VIEW_MODE 11
const char *view_mode(const struct entry *, char out[VIEW_MODE]);
/* "file", "folder", "symlink"... */
const char *view_type(const struct entry *);

#endif
