#ifndef ERROR_H_
#define ERROR_H_

#include <stddef.h>

/*
 * One error: what the caller can do about it, and one line of text that says what happened, where.
 *
 * Every fallible function returns 0 (or a positive answer) on success and the negative code on failure, and takes a
 * last `struct error *err`, which is never NULL, lives on the caller's stack, owns nothing and is written only on
 * failure. Libraries fill it; only programs print it.
 */
enum error_code {
	ERR_OK = 0,
	ERR_SYSTEM = -1, /* the operating system said no; errnum says how */
	ERR_NOMEM = -2, /* out of memory, or over a configured ceiling */
	ERR_USAGE = -3, /* the caller asked for something that makes no sense */
	ERR_NOT_FOUND = -4, /* no such object, snapshot or path */
	ERR_EXISTS = -5, /* the name is taken */
	ERR_DENIED = -6, /* permission denied */
	ERR_CORRUPT = -7, /* bytes are not what they must be: damage or attack */
	ERR_WRONG_KEY = -8, /* no key slot opens with this secret */
	ERR_UNAVAILABLE = -9, /* transient, given up after retries */
	ERR_UNSUPPORTED = -10, /* endpoint, file system or format version cannot do it */
	ERR_CANCELLED = -11, /* told to stop */
	ERR_DIFFERENT = -12, /* compared data differ */
	ERR_NO_REPOSITORY = -13 /* there is no repository at the given place */
};

struct error {
	enum error_code code;
	int errnum;
	char msg[512];
};

/* Set code and message; return the code.  The message is cut at 511 bytes, never in the middle of an escape. */
int error_set(struct error *err, enum error_code code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The same for a failed system call: "<message>: <strerror(errno)>".  EACCES, EPERM and EROFS give ERR_DENIED, ENOENT
 * ERR_NOT_FOUND, EEXIST ERR_EXISTS, ENOMEM ERR_NOMEM, everything else ERR_SYSTEM. */
int error_errno(struct error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Put "<prefix>: " before the message of an error that is set; return its code. */
int error_prefix(struct error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Out of memory; return ERR_NOMEM. */
int error_nomem(struct error *err);

/* The exit status of a program that ends with this code (table in the manual). */
int error_exit_status(enum error_code code);

/* A short machine-readable word for a code: "corrupt", "wrong-key"... */
const char *error_name(enum error_code code);

/*
 * Make a file name or other foreign bytes printable: control bytes, invalid UTF-8, '"' and '\' become \xHH.
 * Writes at most size-1 bytes and a NUL to out and returns out; a cut text ends in "...".
 */
const char *error_quote(char *out, size_t size, const void *bytes, size_t len);

#endif
