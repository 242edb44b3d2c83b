#ifndef S3_PROBE_INTERNAL_H_
#define S3_PROBE_INTERNAL_H_

#include "s3_internal.h"

struct json_object;

/* What the files of the probe share. */

enum { S3_PROBE_KEY_SIZE = 96 };

struct s3_probe {
	struct s3 *s;
	const char *folder; /* the generic part has put a, b and c there */
	probe_fn *fn;
	void *arg;
	char key[S3_PROBE_KEY_SIZE]; /* made by the last s3_probe_key() */
	unsigned names;
	struct json_object *results; /* what was found, by name */
};

/* Pass a finding on, and note it for later runs.  detail: "" or more about it. */
int s3_probe_tell(
    struct s3_probe *, const char *name, const char *title, enum probe_result, const char *detail, struct error *);
/* A fresh name, valid until the next; checks remove what they put themselves. */
const char *s3_probe_key(struct s3_probe *);

/* Checks tell their findings; an error is one that ends the probe. */
typedef int s3_probe_check_fn(struct s3_probe *, struct error *);

/* Those that put and remove objects of their own (s3_probe_objects.c). */
s3_probe_check_fn s3_probe_condition, s3_probe_race, s3_probe_checksums, s3_probe_encryption, s3_probe_remove_many;

#endif
