/*
 * Base64.  OpenSSL's decoder skips white space and ignores unused bits; one text for one byte string is what we want.
 */
#include "base64.h"

#include <stdint.h>
#include <string.h>

#include "buf.h"
#include "cleanup.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void
base64_encode(struct buf *out, const void *bytes, size_t len)
{
	const uint8_t *in = bytes;

	while (len > 0) {
		size_t n = MIN(len, (size_t)3);
		uint32_t group = (uint32_t)in[0] << 16 | (n > 1 ? (uint32_t)in[1] << 8 : 0) | (n > 2 ? in[2] : 0);
		const char quad[4] = {
		    alphabet[group >> 18],
		    alphabet[group >> 12 & 63],
		    n > 1 ? alphabet[group >> 6 & 63] : '=',
		    n > 2 ? alphabet[group & 63] : '=',
		};

		buf_put(out, quad, sizeof(quad));
		in += n;
		len -= n;
	}
}

/* The six bits of a digit, or -1. */
static int
value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool
base64_decode(struct buf *out, const char *text, size_t len)
{
	if (len % 4 != 0)
		return false;
	for (size_t i = 0; i < len; i += 4) {
		/* Padding stands only at the very end. */
		size_t digits = i + 4 < len ? 4 : text[i + 3] != '=' ? 4 : text[i + 2] != '=' ? 3 : 2;
		uint32_t group = 0;
		uint8_t bytes[3];

		for (size_t j = 0; j < digits; j++) {
			int v = value_of(text[i + j]);

			if (v < 0)
				return false;
			group |= (uint32_t)v << (18 - 6 * j);
		}
		bytes[0] = (uint8_t)(group >> 16);
		bytes[1] = (uint8_t)(group >> 8);
		bytes[2] = (uint8_t)group;
		for (size_t j = digits - 1; j < 3; j++) {
			if (bytes[j] != 0)
				return false;
		}
		buf_put(out, bytes, digits - 1);
	}
	return true;
}
