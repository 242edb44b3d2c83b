/*
 * The growable byte string.
 *
 * Space doubles, so that appending is linear; it never grows past the ceiling.
 */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "cleanup.h"
#include "error.h"
#include "wire.h"

enum {
	FIRST_SIZE = 64,
	/* Secrets are short: up to this size an outgrown space is wiped.  Longer strings use realloc, which moves pages
	   and not bytes. */
	WIPED_SIZE = 64 * 1024
};

void
buf_init(struct buf *b, size_t limit)
{
	*b = (struct buf)BUF_INIT(limit);
}

void
buf_free(struct buf *b)
{
	free(b->data);
	b->data = NULL;
	b->len = 0;
	b->cap = 0;
	b->failed = false;
}

void
buf_wipe(struct buf *b)
{
	if (b->data != NULL)
		explicit_bzero(b->data, b->cap);
	buf_free(b);
}

void
buf_reset(struct buf *b)
{
	b->len = 0;
	b->failed = false;
}

static uint8_t *
resize(struct buf *b, size_t cap)
{
	uint8_t *data;

	if (b->cap > WIPED_SIZE)
		return realloc(b->data, cap);
	data = malloc(cap);
	if (data != NULL && b->data != NULL) {
		memcpy(data, b->data, b->len);
		explicit_bzero(b->data, b->cap);
		free(b->data);
	}
	return data;
}

/* Room for len bytes of content and, beyond the ceiling, for spare bytes that are none. */
static bool
reserve(struct buf *b, size_t len, size_t spare)
{
	size_t need, cap;
	uint8_t *data;

	if (b->failed)
		return false;
	if (b->len > b->limit || len > b->limit - b->len || len > SIZE_MAX - b->len - spare) {
		b->failed = true;
		return false;
	}
	need = b->len + len + spare;
	if (b->data != NULL && need <= b->cap)
		return true;
	cap = b->cap > b->limit / 2 ? b->limit : b->cap * 2;
	cap = MAX(cap, (size_t)FIRST_SIZE);
	cap = MIN(cap, b->limit);
	/* Never nothing, so that an empty string has an address. */
	need = MAX(need, (size_t)1);
	cap = MAX(cap, need);
	data = resize(b, cap);
	if (data == NULL) {
		b->failed = true;
		return false;
	}
	b->data = data;
	b->cap = cap;
	return true;
}

uint8_t *
buf_extend(struct buf *b, size_t len)
{
	uint8_t *at;

	if (!reserve(b, len, 0))
		return NULL;
	at = b->data + b->len;
	b->len += len;
	return at;
}

void
buf_put(struct buf *b, const void *bytes, size_t len)
{
	uint8_t *at = buf_extend(b, len);

	if (at != NULL && len > 0)
		memcpy(at, bytes, len);
}

static void
put_little_endian(struct buf *b, uint64_t v, size_t len)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(v >> (8 * i));
	buf_put(b, bytes, len);
}

void
buf_u8(struct buf *b, uint8_t v)
{
	buf_put(b, &v, 1);
}

void
buf_u16(struct buf *b, uint16_t v)
{
	put_little_endian(b, v, 2);
}

void
buf_u32(struct buf *b, uint32_t v)
{
	put_little_endian(b, v, 4);
}

void
buf_u64(struct buf *b, uint64_t v)
{
	put_little_endian(b, v, 8);
}

void
buf_varint(struct buf *b, uint64_t v)
{
	uint8_t bytes[10];
	size_t n = 0;

	for (; v >= 0x80; v >>= 7)
		bytes[n++] = (uint8_t)(v | 0x80);
	bytes[n++] = (uint8_t)v;
	buf_put(b, bytes, n);
}

void
buf_zigzag(struct buf *b, int64_t v)
{
	buf_varint(b, (uint64_t)v << 1 ^ (v < 0 ? UINT64_MAX : 0));
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0) {
		b->failed = true;
		return;
	}
	/* vsnprintf puts a NUL behind the text, which is no content. */
	if (!reserve(b, (size_t)n, 1))
		return;
	va_start(ap, fmt);
	(void)vsnprintf((char *)b->data + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}

void
buf_hex(struct buf *b, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	char digits[3];

	for (size_t i = 0; i < len; i++) {
		hex_encode(digits, p + i, 1);
		buf_put(b, digits, 2);
	}
}

int
buf_check(const struct buf *b, const char *what, struct error *err)
{
	return b->failed ? error_set(err, ERR_NOMEM, "%s is too large", what) : 0;
}
