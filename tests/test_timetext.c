/* Times as text: against the C library, at the edges, and what is refused. */
#include "timetext.h"

#include <time.h>
#include <unistd.h>

#include "check.h"
#include "cleanup.h"

static void
test_known(void)
{
	static const struct {
		int64_t s;
		uint32_t ns;
		const char *text;
	} cases[] = {
	    {0, 0, "1970-01-01T00:00:00.000000000Z"},
	    {-1, 999999999, "1969-12-31T23:59:59.999999999Z"},
	    {INT64_C(-62135596800), 0, "0001-01-01T00:00:00.000000000Z"},
	    {INT64_C(253402300799), 999999999, "9999-12-31T23:59:59.999999999Z"},
	    {951782400, 4, "2000-02-29T00:00:00.000000004Z"},
	    {INT64_C(-2203891200), 0, "1900-03-01T00:00:00.000000000Z"},
	    {INT64_C(4107542400), 0, "2100-03-01T00:00:00.000000000Z"},
	    {1795309323, 4, "2026-11-22T01:02:03.000000004Z"},
	};
	char text[TIME_TEXT_LEN];
	struct error err;
	uint32_t ns;
	int64_t s;

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		time_format(cases[i].s, cases[i].ns, text);
		CHECK_STR(text, cases[i].text);
		CHECK_OK(time_parse(text, &s, &ns, &err), &err);
		CHECK_INT(s, cases[i].s);
		CHECK_INT(ns, cases[i].ns);
	}
	/* What cannot be written gives the nearest that can. */
	time_format(INT64_MIN, 5, text);
	CHECK_STR(text, "0001-01-01T00:00:00.000000000Z");
	time_format(INT64_MAX, 5, text);
	CHECK_STR(text, "9999-12-31T23:59:59.999999999Z");
	time_format(0, UINT32_MAX, text);
	CHECK_STR(text, "1970-01-01T00:00:00.999999999Z");
}

static void
test_random(void)
{
	char text[TIME_TEXT_LEN], want[TIME_TEXT_LEN];
	uint64_t state = 1;
	struct error err;
	uint32_t ns;
	int64_t s;

	for (int i = 0; i < 200000; i++) {
		int64_t t = (int64_t)(check_random(&state) % UINT64_C(315537897600)) - INT64_C(62135596800);
		uint32_t n = (uint32_t)(check_random(&state) % 1000000000);
		time_t tt = (time_t)t;
		struct tm tm;

		CHECK(gmtime_r(&tt, &tm) != NULL);
		(void)snprintf(want, sizeof(want), "%04d-%02d-%02dT%02d:%02d:%02d.%09" PRIu32 "Z",
		    (tm.tm_year + 1900) % 10000, (tm.tm_mon + 1) % 100, tm.tm_mday % 100, tm.tm_hour % 100,
		    tm.tm_min % 100, tm.tm_sec % 100, n);
		time_format(t, n, text);
		CHECK_STR(text, want);
		CHECK_OK(time_parse(text, &s, &ns, &err), &err);
		CHECK_INT(s, t);
		CHECK_INT(ns, n);
	}
}

static void
test_fractions(void)
{
	static const struct {
		const char *text;
		uint32_t ns;
	} cases[] = {
	    {"2026-11-22T01:02:03Z", 0},
	    {"2026-11-22T01:02:03.5Z", 500000000},
	    {"2026-11-22T01:02:03.000001Z", 1000},
	    {"2026-11-22T01:02:03.1234567899999999999999999999999999Z", 123456789},
	};
	struct error err;
	uint32_t ns;
	int64_t s;

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		CHECK_OK(time_parse(cases[i].text, &s, &ns, &err), &err);
		CHECK_INT(s, 1795309323);
		CHECK_INT(ns, cases[i].ns);
	}
}

static void
test_refused(void)
{
	static const char *const cases[] = {
	    "",
	    "Z",
	    "2026-11-22",
	    "2026-11-22T01:02:03",
	    "2026-11-22T01:02:03+00:00",
	    "2026-11-22T01:02:03z",
	    "2026-11-22t01:02:03Z",
	    "2026-11-22 01:02:03Z",
	    "2026-11-22T01:02:03.Z",
	    "2026-11-22T01:02:03,5Z",
	    "2026-11-22T01:02:03Z ",
	    " 2026-11-22T01:02:03Z",
	    "2026-11-22T01:02:03ZZ",
	    "0000-01-01T00:00:00Z",
	    "10000-01-01T00:00:00Z",
	    "-001-01-01T00:00:00Z",
	    "2026-00-22T01:02:03Z",
	    "2026-13-22T01:02:03Z",
	    "2026-11-00T01:02:03Z",
	    "2026-11-31T01:02:03Z",
	    "2026-02-29T01:02:03Z",
	    "1900-02-29T01:02:03Z",
	    "2026-11-22T24:00:00Z",
	    "2026-11-22T01:60:03Z",
	    "2026-11-22T01:02:60Z",
	    "2026-11-22T1:02:03Z",
	    "2026-11-22T01:02:3Z",
	    "+026-11-22T01:02:03Z",
	    "2026-11-22T01:02:03.-5Z",
	    "2026-1\xb1-22T01:02:03Z",
	};
	static const char whole[] = "2026-11-22T01:02:03.5Z";
	char cut[sizeof(whole)];
	struct error err;
	uint32_t ns;
	int64_t s;

	for (size_t i = 0; i < COUNT_OF(cases); i++)
		CHECK_INT(time_parse(cases[i], &s, &ns, &err), ERR_CORRUPT);
	for (size_t len = 0; len < strlen(whole); len++) {
		memcpy(cut, whole, len);
		cut[len] = '\0';
		CHECK_INT(time_parse(cut, &s, &ns, &err), ERR_CORRUPT);
	}
}

int
main(void)
{
	(void)alarm(60);
	test_known();
	test_random();
	test_fractions();
	test_refused();
	return 0;
}
