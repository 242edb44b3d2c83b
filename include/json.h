#ifndef JSON_H_
#define JSON_H_

#include <stddef.h>
#include <stdint.h>

struct error;
struct json_object;

/*
 * Strict reading of JSON from outside, over json-c: one object of at most JSON_MAX bytes, 16 levels and
 * JSON_CONTAINERS_MAX objects and arrays, valid UTF-8, without NUL bytes, nothing but white space behind it. The
 * getters fail with ERR_CORRUPT and the member's name when it is missing, of another type or out of range; they never
 * convert.
 */
#define JSON_MAX            (1024 * 1024)
#define JSON_CONTAINERS_MAX 16384 /* json-c takes almost a kilobyte for an empty object of two bytes */

int json_read(const void *bytes, size_t len, struct json_object **out, struct error *); /* json_object_put() it */
int json_get_string(struct json_object *, const char *member, const char **out,
    struct error *); /* lives as long as the object; no NUL inside */
int json_get_int(struct json_object *, const char *member, int64_t min, int64_t max, int64_t *out, struct error *);
/* Exactly len bytes, lower case. */
int json_get_hex(struct json_object *, const char *member, void *out, size_t len, struct error *);
int json_get_object(struct json_object *, const char *member, struct json_object **out, struct error *);
int json_get_array(
    struct json_object *, const char *member, size_t max, struct json_object **out, size_t *out_count, struct error *);
/* The member "format" must be this, and "version" 1: ERR_UNSUPPORTED for a later version. */
int json_check_format(struct json_object *, const char *format, struct error *);

/* For CLEANUP(json_putp). */
void json_putp(struct json_object **);

#endif
