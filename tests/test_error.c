/* Errors: codes, cutting of long messages, quoting of foreign bytes. */
#include <errno.h>
#include <unistd.h>

#include "check.h"
#include "cleanup.h"
#include "error.h"

static void
test_set(void)
{
	struct error err;

	CHECK_INT(error_set(&err, ERR_CORRUPT, "pack %d of %s", 7, "web"), ERR_CORRUPT);
	CHECK_INT(err.code, ERR_CORRUPT);
	CHECK_INT(err.errnum, 0);
	CHECK_STR(err.msg, "pack 7 of web");
	/* The old message may be an argument. */
	CHECK_INT(error_set(&err, ERR_USAGE, "again: %s", err.msg), ERR_USAGE);
	CHECK_STR(err.msg, "again: pack 7 of web");
	CHECK_INT(error_prefix(&err, "volume %s", "db"), ERR_USAGE);
	CHECK_STR(err.msg, "volume db: again: pack 7 of web");
	CHECK_INT(error_nomem(&err), ERR_NOMEM);
	CHECK_STR(err.msg, "out of memory");
}

static void
test_errno(void)
{
	static const struct {
		int errnum;
		enum error_code code;
	} cases[] = {
	    {EACCES, ERR_DENIED},
	    {EPERM, ERR_DENIED},
	    {EROFS, ERR_DENIED},
	    {ENOENT, ERR_NOT_FOUND},
	    {EEXIST, ERR_EXISTS},
	    {ENOMEM, ERR_NOMEM},
	    {ENOSPC, ERR_SYSTEM},
	    {EIO, ERR_SYSTEM},
	    {99999, ERR_SYSTEM},
	};
	char want[600], longer[600];
	struct error err;

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		errno = cases[i].errnum;
		CHECK_INT(error_errno(&err, "open %s", "/x"), cases[i].code);
		CHECK_INT(err.errnum, cases[i].errnum);
		(void)snprintf(want, sizeof(want), "open /x: %s", strerror(cases[i].errnum));
		CHECK_STR(err.msg, want);
	}
	/* The reason survives a message that is too long. */
	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	errno = ENOSPC;
	CHECK_INT(error_errno(&err, "%s", longer), ERR_SYSTEM);
	CHECK_INT(strlen(err.msg), sizeof(err.msg) - 1);
	CHECK(strstr(err.msg, "aaa: No space left on device") != NULL);
}

/* A message of n 'a' and a tail, which is cut at 511 bytes: the tail is there whole or not at all. */
static void
test_cut(void)
{
	static const char *const tails[] = {"\\x1b", "\xC3\xA4", "\xE2\x82\xAC", "\xF0\x9F\x90\xA2"};
	char text[600];
	struct error err;

	for (size_t t = 0; t < COUNT_OF(tails); t++) {
		for (size_t n = 500; n < 515; n++) {
			size_t whole = n + strlen(tails[t]), want = whole <= 511 ? whole : n < 511 ? n : 511;

			memset(text, 'a', n);
			memcpy(text + n, tails[t], strlen(tails[t]) + 1);
			(void)error_set(&err, ERR_SYSTEM, "%s", text);
			CHECK_INT(strlen(err.msg), want);
			CHECK_MEM(err.msg, text, want);
		}
	}
}

static void
test_codes(void)
{
	static const struct {
		enum error_code code;
		int status;
		const char *name;
	} cases[] = {
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
	    {(enum error_code) - 999, 1, "unknown"},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		CHECK_INT(error_exit_status(cases[i].code), cases[i].status);
		CHECK_STR(error_name(cases[i].code), cases[i].name);
	}
}

static void
test_quote(void)
{
	static const struct {
		const char *in;
		size_t len, size;
		const char *want;
	} cases[] = {
	    {"", 0, 10, ""},
	    {"plain name", 10, 20, "plain name"},
	    {"a\nb\"c\\d\x7F", 8, 60, "a\\x0ab\\x22c\\x5cd\\x7f"},
	    {"a\0b", 3, 60, "a\\x00b"},
	    {"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x90\xA2", 9, 60, "\xC3\xA4\xE2\x82\xAC\xF0\x9F\x90\xA2"},
	    {"\xC3", 1, 60, "\\xc3"},
	    {"\xC0\xAF", 2, 60, "\\xc0\\xaf"}, /* overlong */
	    {"\xE0\x80\xAF", 3, 60, "\\xe0\\x80\\xaf"},
	    {"\xED\xA0\x80", 3, 60, "\\xed\\xa0\\x80"}, /* surrogate */
	    {"\xF4\x90\x80\x80", 4, 60, "\\xf4\\x90\\x80\\x80"}, /* above U+10FFFF */
	    {"\xFF", 1, 60, "\\xff"},
	    {"\xC2\x9B", 2, 60, "\\xc2\\x9b"}, /* a control character of two bytes */
	    {"\xE2\x80\xAE", 3, 60, "\\xe2\\x80\\xae"}, /* turns the direction of writing */
	    {"abcdefgh", 8, 9, "abcdefgh"},
	    {"abcdefghi", 9, 9, "abcde..."},
	    {"abc\n\n", 5, 9, "abc..."},
	    {"\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC", 9, 9, "\xE2\x82\xAC..."},
	    {"abcdef", 6, 4, "..."},
	    {"abcdef", 6, 3, ".."},
	    {"abcdef", 6, 1, ""},
	};
	char out[64];

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		memset(out, 'Z', sizeof(out));
		CHECK(error_quote(out, cases[i].size, cases[i].in, cases[i].len) == out);
		CHECK_STR(out, cases[i].want);
		CHECK(out[cases[i].size] == 'Z' || cases[i].size == sizeof(out));
	}
	out[0] = 'Z';
	CHECK(error_quote(out, 0, "a", 1) == out && out[0] == 'Z');
}

int
main(void)
{
	(void)alarm(60);
	test_set();
	test_errno();
	test_cut();
	test_codes();
	test_quote();
	return 0;
}
