#ifndef BUF_H_
#define BUF_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;

/*
 * A growable byte string with a ceiling, and a writer of the format's integers.
 *
 * The failure is sticky: after the first append that does not fit (ceiling or memory) all others do nothing, and
 * buf_check() tells once at the end.  data may be NULL while len is 0.  Not safe for several threads at once.
 */
struct buf {
	uint8_t *data;
	size_t len;
	size_t cap;
	size_t limit;
	bool failed;
};

#define BUF_INIT(ceiling) \
	{ \
		NULL, 0, 0, (ceiling), false \
	}

void buf_init(struct buf *, size_t limit);
/* Free the memory; the buffer may be used again.  A no-op on a zeroed one.  buf_wipe() clears the bytes first. */
void buf_free(struct buf *);
void buf_wipe(struct buf *);
/* Forget the content and the failure, keep the memory. */
void buf_reset(struct buf *);

void buf_put(struct buf *, const void *bytes, size_t len);
/* Room for len more bytes at the end, counted as content; NULL when it does not fit. */
uint8_t *buf_extend(struct buf *, size_t len);
void buf_u8(struct buf *, uint8_t);
void buf_u16(struct buf *, uint16_t);
void buf_u32(struct buf *, uint32_t);
void buf_u64(struct buf *, uint64_t);
void buf_varint(struct buf *, uint64_t);
void buf_zigzag(struct buf *, int64_t);
void buf_printf(struct buf *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_hex(struct buf *, const void *bytes, size_t len);

/* 0, or ERR_NOMEM with "<what> is too large". */
int buf_check(const struct buf *, const char *what, struct error *);

#endif
