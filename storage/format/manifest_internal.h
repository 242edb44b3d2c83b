#ifndef MANIFEST_INTERNAL_H_
#define MANIFEST_INTERNAL_H_

#include "manifest.h"

/* What writing and reading of manifests share. */

struct json_object;

#define MANIFEST_TYPE   "application/vnd.snapferry.manifest+json;version=1"
#define MANIFEST_FORMAT "snapferry-manifest"

#define MANIFEST_MILLISECONDS_MAX UINT64_C(100000000000000)

/* What is wrong with the public part, in words, or NULL. */
const char *manifest_flaw(const struct manifest *);
/* The key of the private part, and the snapshot's 16 bytes, which are its additional data. */
int manifest_private_key(const struct manifest *, const struct volume_keys *, uint8_t out_key[KEY_LEN],
    uint8_t out_snapshot[SNAPSHOT_ID_BYTES], struct error *);
/* Its plaintext, into the manifest. */
int manifest_private_parse(struct json_object *, const struct volume_keys *, struct manifest *, struct error *);
/* Members of both parts; the text is malloc'ed. */
int manifest_get_u64(struct json_object *, const char *member, uint64_t *out, struct error *);
int manifest_get_text(struct json_object *, const char *member, char **out, struct error *);

#endif
