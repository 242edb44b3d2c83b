#ifndef SLOT_H_
#define SLOT_H_

#include <stddef.h>
#include <stdint.h>

#include "keys.h"

/* A key slot: the root key, wrapped with a passphrase or a key file (docs/format.md section 2). */

enum secret_kind { SECRET_PASSPHRASE, SECRET_KEY_FILE };

/* What a person or a Job holds.  Passphrase: 1..1024 bytes without NUL; key file: the 32 byte key. */
struct secret {
	enum secret_kind kind;
	size_t len;
	uint8_t bytes[1024];
};

void secret_wipe(struct secret *);
/* A key file's content: one text line or 32 raw bytes.  ERR_USAGE for anything else, and for a key of 32 equal bytes.
 */
int secret_parse_key_file(const void *bytes, size_t len, struct secret *out, struct error *);
/* The text of a key file: "snapferry-key-1 " + 64 digits + "\n".  The secret must be of kind SECRET_KEY_FILE. */
int secret_format_key_file(const struct secret *, struct buf *out, struct error *);

/* A new slot for the root key, as JSON.  log_n is scrypt's cost (16 in production). */
int slot_create(const struct root_key *, const struct secret *, const char *label, unsigned log_n, int64_t now_s,
    char out_id[2 * SLOT_ID_LEN + 1], struct buf *out_json, struct error *);

/*
 * Try to open a slot.  On success fills root->key (root->repository is set by the caller, who derives the rest).
 * ERR_WRONG_KEY: this slot belongs to another secret or kind.  ERR_CORRUPT: it belongs to ours and is damaged, or is no
 * slot of this repository.
 */
int slot_open(const void *json, size_t len, const struct secret *, struct root_key *root, struct error *);

/* Without any secret: whether this is a whole slot of the repository, as far as that can be seen, and its id.
 * ERR_CORRUPT if not; ERR_UNSUPPORTED for newer ones. */
int slot_check(const void *json, size_t len, const uint8_t repository[REPOSITORY_ID_LEN],
    char out_id[2 * SLOT_ID_LEN + 1], struct error *);

#endif
