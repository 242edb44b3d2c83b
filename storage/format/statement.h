#ifndef STATEMENT_H_
#define STATEMENT_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "keys.h"
#include "manifest.h"

struct buf;
struct error;
struct json_object;

/*
 * What intents and manifests have in common: JSON about a volume, signed with the volume's key, that names this key
 * (docs/format.md sections 3 and 9).
 */

/* The largest payload whose envelope surely stays within the limit of the format. */
#define STATEMENT_PAYLOAD_MAX ((1024 * 1024 - 4096) / 4 * 3)

/*
 * Check the signature, the format and that the members volume, epoch and key are those of keys.  The caller puts *out.
 * ERR_WRONG_KEY when the signature is good but by another key, ERR_CORRUPT or ERR_UNSUPPORTED otherwise.
 */
int statement_open(const char *payload_type, const char *format, const void *object, size_t len,
    const struct volume_keys *keys, struct json_object **out, struct error *);
/* Sign the payload and append the object to out.  ERR_USAGE when it is too large. */
int statement_seal(const char *payload_type, const struct buf *payload, const struct volume_keys *keys, struct buf *out,
    struct error *);

/* Writers of JSON: the common start of a statement (with the brace and a comma behind), and values. */
void statement_put_head(struct buf *, const char *format, const struct volume_keys *);
/* A string; bytes that are not UTF-8 become U+FFFD.  NULL is written as "". */
void statement_put_text(struct buf *, const char *text);
void statement_put_hex(struct buf *, const void *bytes, size_t len);
void statement_put_time(struct buf *, const struct manifest_time *);
/* null for "". */
void statement_put_snapshot(struct buf *, const char *id);

/* Readers. */
int statement_get_time(struct json_object *, const char *member, struct manifest_time *out, struct error *);
/* null or absent text gives "" (only null when optional, otherwise an id must be there). */
int statement_get_snapshot(
    struct json_object *, const char *member, bool optional, char out[SNAPSHOT_ID_LEN + 1], struct error *);
/* The member must be there: *out is NULL for null. */
int statement_get_member(struct json_object *, const char *member, struct json_object **out, struct error *);

bool statement_text_valid(const char *text);
bool statement_time_valid(const struct manifest_time *);

#endif
