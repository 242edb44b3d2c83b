#ifndef VOLUME_KEY_H_
#define VOLUME_KEY_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "keys.h"
#include "repo.h"

struct buf;
struct error;
struct survey;

/*
 * Where a volume's key objects lie: each one below v/<volume>/k/, and a copy below volumes/, whose names tell which
 * volumes there are.
 */

#define VOLUME_KEY_PLACE_SIZE 128
#define VOLUME_KEY_COPIES     "volumes/"

enum volume_key_place { VOLUME_KEY_MAIN, VOLUME_KEY_COPY };

struct volume_key_name {
	uint8_t volume[VOLUME_ID_LEN];
	uint32_t epoch;
	uint8_t keyid[KEY_ID_LEN];
};

/* From "<volume>-<epoch>-<keyid>.json"; and the same without the volume's part, which is left as it is. */
bool volume_key_parse_copy(const char *text, struct volume_key_name *out);
bool volume_key_parse_main(const char *text, struct volume_key_name *out);
void volume_key_format(const struct volume_key_name *, enum volume_key_place, char out[VOLUME_KEY_PLACE_SIZE]);

/* The key objects of one volume, each key once. */
struct volume_key_found {
	struct volume_key_name name;
	bool at[2]; /* by enum volume_key_place: an object is there, in whatever state */
	bool good; /* the main one has been loaded, and opens */
};
struct volume_key_list {
	struct volume_key_found *list;
	size_t count;
};
int volume_key_find(struct repo *, const uint8_t volume[VOLUME_ID_LEN], struct volume_key_list *out, struct error *);
/* Only those below v/, from a survey of the volume (may be NULL). */
int volume_key_find_main(struct repo *, const uint8_t volume[VOLUME_ID_LEN], const struct survey *,
    struct volume_key_list *out, struct error *);
void volume_key_list_wipe(struct volume_key_list *);

/* Damage, as opposed to a store that does not answer. */
bool volume_key_is_damage(int code);
/* Read one of the two objects; it must be what its name says. */
int volume_key_load(
    struct repo *, const struct volume_key_name *, enum volume_key_place, struct volume_keys *out, struct error *);
/* The same for who wants the object: appended, when it is good. */
int volume_key_load_object(
    struct repo *, const struct volume_key_name *, enum volume_key_place, struct buf *out, struct error *);

#endif
