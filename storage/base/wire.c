/*
 * The bounds-checked reader, and hexadecimal.
 */
#include <string.h>

#include "wire.h"

void
wire_init(struct wire *w, const void *bytes, size_t len)
{
	static const uint8_t nothing[1];

	w->p = bytes != NULL ? bytes : nothing;
	w->end = w->p + (bytes != NULL ? len : 0);
	w->bad = bytes == NULL && len > 0;
}

const uint8_t *
wire_bytes(struct wire *w, size_t len)
{
	const uint8_t *at = w->p;

	if (w->bad || len > (size_t)(w->end - w->p)) {
		w->bad = true;
		return NULL;
	}
	w->p += len;
	return at;
}

static uint64_t
read_little_endian(struct wire *w, size_t len)
{
	const uint8_t *at = wire_bytes(w, len);
	uint64_t v = 0;

	for (size_t i = 0; at != NULL && i < len; i++)
		v |= (uint64_t)at[i] << (8 * i);
	return v;
}

uint8_t
wire_u8(struct wire *w)
{
	return (uint8_t)read_little_endian(w, 1);
}

uint16_t
wire_u16(struct wire *w)
{
	return (uint16_t)read_little_endian(w, 2);
}

uint32_t
wire_u32(struct wire *w)
{
	return (uint32_t)read_little_endian(w, 4);
}

uint64_t
wire_u64(struct wire *w)
{
	return read_little_endian(w, 8);
}

uint64_t
wire_varint(struct wire *w)
{
	uint64_t v = 0;

	for (unsigned shift = 0; !w->bad && w->p < w->end && shift < 64; shift += 7) {
		uint8_t byte = *w->p++;

		/* The tenth byte has room for one bit. */
		if (shift == 63 && byte > 1)
			break;
		v |= (uint64_t)(byte & 0x7F) << shift;
		if (byte < 0x80)
			return v;
	}
	w->bad = true;
	return 0;
}

uint64_t
wire_varint_max(struct wire *w, uint64_t max)
{
	uint64_t v = wire_varint(w);

	if (v > max) {
		w->bad = true;
		return 0;
	}
	return v;
}

int64_t
wire_zigzag(struct wire *w)
{
	uint64_t v = wire_varint(w);

	return (int64_t)(v >> 1 ^ (0 - (v & 1)));
}

size_t
wire_count(struct wire *w, size_t item_size)
{
	uint64_t n = wire_varint(w);

	if (w->bad || n > wire_left(w) / item_size) {
		w->bad = true;
		return 0;
	}
	return (size_t)n;
}

size_t
wire_left(const struct wire *w)
{
	return w->bad ? 0 : (size_t)(w->end - w->p);
}

bool
wire_done(const struct wire *w)
{
	return !w->bad && w->p == w->end;
}

void
hex_encode(char *out, const void *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *p = bytes;

	for (size_t i = 0; i < len; i++) {
		*out++ = digits[p[i] >> 4];
		*out++ = digits[p[i] & 15];
	}
	*out = '\0';
}

static int
digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

bool
hex_decode(void *out, size_t len, const char *hex)
{
	uint8_t *p = out;

	for (size_t i = 0; i < len; i++) {
		int high = digit_value(hex[0]), low;

		/* A NUL is no digit, so the text is never read past its end. */
		if (high < 0)
			return false;
		low = digit_value(hex[1]);
		if (low < 0)
			return false;
		p[i] = (uint8_t)(high << 4 | low);
		hex += 2;
	}
	return *hex == '\0';
}
