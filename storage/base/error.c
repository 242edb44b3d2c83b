/*
 * Error values: codes, one-line messages, and foreign bytes made printable.
 *
 * Messages are formatted into a local buffer first, so that an argument may be the message that is being replaced.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "error.h"
#include "utf8.h"

static const char hex_digits[] = "0123456789abcdef";

/* One row per code; the table is searched, because codes are few and errors are rare. */
static const struct {
	enum error_code code;
	int exit_status;
	const char *name;
} codes[] = {
    {ERR_OK, 0, "ok"},
    {ERR_SYSTEM, 1, "system"},
    {ERR_NOMEM, 1, "no-memory"},
    {ERR_USAGE, 2, "usage"},
    {ERR_NOT_FOUND, 1, "not-found"},
    {ERR_EXISTS, 1, "exists"},
    {ERR_DENIED, 13, "denied"},
    {ERR_CORRUPT, 20, "corrupt"},
    {ERR_WRONG_KEY, 12, "wrong-key"},
    {ERR_UNAVAILABLE, 30, "unavailable"},
    {ERR_UNSUPPORTED, 14, "unsupported"},
    {ERR_CANCELLED, 130, "cancelled"},
    {ERR_DIFFERENT, 50, "different"},
    {ERR_NO_REPOSITORY, 10, "no-repository"},
};

/* The bytes of a cut text that end in the middle of \xHH or of a UTF-8 sequence are taken away. */
static void
trim_cut(char *text)
{
	size_t len = strlen(text), n;

	for (n = 1; n <= 3 && n <= len; n++) {
		if (text[len - n] == '\\') {
			text[len - n] = '\0';
			return;
		}
	}
	for (n = 1; n <= 3 && n <= len; n++) {
		unsigned char c = (unsigned char)text[len - n];

		if (c < 0x80)
			return;
		if (c >= 0xC0) {
			if (utf8_length((unsigned char *)text + len - n, n) == 0)
				text[len - n] = '\0';
			return;
		}
	}
}

static void __attribute__((format(printf, 3, 0))) format_text(char *out, size_t size, const char *fmt, va_list ap)
{
	int n = vsnprintf(out, size, fmt, ap);

	if (n < 0)
		out[0] = '\0';
	else if ((size_t)n >= size)
		trim_cut(out);
}

static void __attribute__((format(printf, 3, 4))) print_text(char *out, size_t size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	format_text(out, size, fmt, ap);
	va_end(ap);
}

int
error_set(struct error *err, enum error_code code, const char *fmt, ...)
{
	char text[sizeof(err->msg)];
	va_list ap;

	va_start(ap, fmt);
	format_text(text, sizeof(text), fmt, ap);
	va_end(ap);
	err->code = code;
	err->errnum = 0;
	memcpy(err->msg, text, sizeof(text));
	return code;
}

static enum error_code
code_of_errno(int errnum)
{
	switch (errnum) {
	case EACCES:
	case EPERM:
	case EROFS:
		return ERR_DENIED;
	case ENOENT:
		return ERR_NOT_FOUND;
	case EEXIST:
		return ERR_EXISTS;
	case ENOMEM:
		return ERR_NOMEM;
	default:
		return ERR_SYSTEM;
	}
}

int
error_errno(struct error *err, const char *fmt, ...)
{
	int errnum = errno;
	char reason_space[128], text[sizeof(err->msg)];
	const char *reason = strerror_r(errnum, reason_space, sizeof(reason_space));
	size_t reserved = MIN(strlen(reason), sizeof(reason_space)) + 2;
	va_list ap;

	/* A long message is cut, not the reason behind it. */
	va_start(ap, fmt);
	format_text(text, sizeof(text) - reserved, fmt, ap);
	va_end(ap);
	err->code = code_of_errno(errnum);
	err->errnum = errnum;
	print_text(err->msg, sizeof(err->msg), "%s: %s", text, reason);
	return err->code;
}

int
error_prefix(struct error *err, const char *fmt, ...)
{
	char prefix[sizeof(err->msg)], old[sizeof(err->msg)];
	va_list ap;

	memcpy(old, err->msg, sizeof(old));
	va_start(ap, fmt);
	format_text(prefix, sizeof(prefix), fmt, ap);
	va_end(ap);
	print_text(err->msg, sizeof(err->msg), "%s: %s", prefix, old);
	return err->code;
}

int
error_nomem(struct error *err)
{
	return error_set(err, ERR_NOMEM, "out of memory");
}

int
error_exit_status(enum error_code code)
{
	for (size_t i = 0; i < COUNT_OF(codes); i++) {
		if (codes[i].code == code)
			return codes[i].exit_status;
	}
	return 1;
}

const char *
error_name(enum error_code code)
{
	for (size_t i = 0; i < COUNT_OF(codes); i++) {
		if (codes[i].code == code)
			return codes[i].name;
	}
	return "unknown";
}

/* Valid characters that would move a terminal's cursor, break the line or turn the direction of writing around. */
static bool
is_unprintable(const unsigned char *p, size_t n)
{
	if (n == 1)
		return p[0] < 0x20 || p[0] == 0x7F || p[0] == '"' || p[0] == '\\';
	if (n == 2)
		return p[0] == 0xC2 && p[1] < 0xA0; /* U+0080 to U+009F */
	if (n == 3 && p[0] == 0xE2)
		return (p[1] == 0x80 && p[2] >= 0xA8 && p[2] <= 0xAE) || /* U+2028 to U+202E */
		       (p[1] == 0x81 && p[2] >= 0xA6 && p[2] <= 0xA9); /* U+2066 to U+2069 */
	return false;
}

/* The next piece of p that must not be cut, escaped where needed; returns how many bytes of p it stands for. */
static size_t
quote_unit(char unit[8], size_t *unit_len, const unsigned char *p, size_t left)
{
	size_t n = utf8_length(p, left);

	if (n != 0 && !is_unprintable(p, n)) {
		memcpy(unit, p, n);
		*unit_len = n;
		return n;
	}
	unit[0] = '\\';
	unit[1] = 'x';
	unit[2] = hex_digits[p[0] >> 4];
	unit[3] = hex_digits[p[0] & 15];
	*unit_len = 4;
	return 1;
}

const char *
error_quote(char *out, size_t size, const void *bytes, size_t len)
{
	const unsigned char *p = bytes;
	size_t pos = 0, cut = 0, unit_len, used;
	char unit[8];

	if (size == 0)
		return out;
	for (size_t i = 0; i < len; i += used) {
		used = quote_unit(unit, &unit_len, p + i, len - i);
		if (pos + unit_len > size - 1) {
			/* Go back to where the dots still fit. */
			for (pos = cut; pos < size - 1 && pos < cut + 3; pos++)
				out[pos] = '.';
			break;
		}
		memcpy(out + pos, unit, unit_len);
		pos += unit_len;
		if (pos + 3 <= size - 1)
			cut = pos;
	}
	out[pos] = '\0';
	return out;
}
