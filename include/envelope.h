#ifndef ENVELOPE_H_
#define ENVELOPE_H_

#include <stddef.h>
#include <stdint.h>

#include "crypto.h"
#include "json.h"
#include "timetext.h"

struct buf;
struct error;

/* Signed JSON in an envelope: docs/format.md section 3.  Both calls append to their buffer, which holds nothing of use
 * after a failure. */

#define ENVELOPE_MAX JSON_MAX

/* ERR_NOMEM when the envelope is longer than ENVELOPE_MAX or the buffer's limit. */
int envelope_seal(const char *payload_type, const void *payload, size_t len, const uint8_t seed[KEY_LEN],
    struct buf *out, struct error *);
/* Check the signature by this key and give the payload.  ERR_CORRUPT for anything that is not exactly that. */
int envelope_open(const char *payload_type, const void *object, size_t len, const uint8_t public_key[KEY_LEN],
    struct buf *out_payload, struct error *);

#endif
