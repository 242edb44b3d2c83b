#ifndef BASE64_H_
#define BASE64_H_

#include <stdbool.h>
#include <stddef.h>

struct buf;

/* Base64 (RFC 4648 section 4).  Not in constant time: for public bytes only.  Both append to the buffer, whose failure
 * is sticky. */

void base64_encode(struct buf *out, const void *bytes, size_t len);
/* Strict: whole groups of four, exact padding, unused bits zero, nothing else.  False for anything that base64_encode()
 * does not write. */
bool base64_decode(struct buf *out, const char *text, size_t len);

#endif
