#ifndef CHUNKER_H_
#define CHUNKER_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto.h"

/*
 * Where to cut a file.  Pure functions; a chunker is read-only after chunker_init() and may be shared by threads.
 *
 * Content-defined: FastCDC (Xia et al., USENIX ATC 2016) with a 64-bit gear hash whose table comes from the volume's
 * secret, normalised around 1 MiB.  Fixed: by position, for files that are changed in place, page by page, and for
 * devices.
 */
#define CHUNK_MIN   (256u * 1024)
#define CHUNK_AVG   (1024u * 1024)
#define CHUNK_MAX   (4u * 1024 * 1024)
#define CHUNK_FIXED (256u * 1024)
/* Files below this are bundled. */
#define CHUNK_BUNDLED (128u * 1024)
/* Content-defined cutting starts anew at multiples of this, so that several threads can share one file. */
#define CHUNK_PIECE (64u * 1024 * 1024)

enum chunk_method { CHUNK_BY_CONTENT, CHUNK_BY_POSITION };

struct chunker {
	uint64_t gear[256];
};

/* The table from the volume's gear key (HMAC-SHA256 in counter mode over it). */
struct error;
int chunker_init(struct chunker *, const uint8_t gear_key[KEY_LEN], struct error *);

/*
 * The length of the first chunk of bytes[0..len).  More bytes follow unless last; then at least CHUNK_MAX bytes must be
 * given. Never 0 for len > 0, never above CHUNK_MAX.
 */
size_t chunker_cut(const struct chunker *, const uint8_t *bytes, size_t len);

/*
 * The method for a file, a pure function of its path, size and first bytes: by position for what databases and
 * hypervisors rewrite in place (PostgreSQL relations base/N/N and global/N, InnoDB *.ibd ibdata*, SQLite, LMDB, qcow2,
 * vmdk, vdi, raw *.img images of 1 MiB and more), else by content.
 */
enum chunk_method chunker_choose(
    const char *path, size_t path_len, uint64_t size, const uint8_t *head, size_t head_len);

/* All bytes are zero.  Fast on both answers. */
bool chunker_is_zero(const void *bytes, size_t len);

#endif
