/*
 * Times as text.
 *
 * Written without gmtime() and timegm(): these know the local idea of leap seconds, take years of any length and
 * differ between C libraries where we need one answer.
 */
#include "timetext.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "error.h"

#define DAY_S          86400
#define DAYS_400_YEARS 146097
#define SECOND_NS      1000000000u
/* 0001-01-01T00:00:00 and 9999-12-31T23:59:59. */
#define TIME_MIN INT64_C(-62135596800)
#define TIME_MAX INT64_C(253402300799)

static bool
is_leap(int64_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int64_t
days_in_month(int64_t year, int64_t month)
{
	static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return days[month - 1] + (month == 2 && is_leap(year) ? 1 : 0);
}

/* Days from 0001-01-01 to the first day of a year. */
static int64_t
days_before_year(int64_t year)
{
	int64_t y = year - 1;

	return 365 * y + y / 4 - y / 100 + y / 400;
}

void
time_format(int64_t s, uint32_t ns, char out[TIME_TEXT_LEN])
{
	int64_t days, rest, year, month = 1;

	if (s < TIME_MIN) {
		s = TIME_MIN;
		ns = 0;
	} else if (s > TIME_MAX) {
		s = TIME_MAX;
		ns = SECOND_NS - 1;
	}
	if (ns >= SECOND_NS)
		ns = SECOND_NS - 1;
	days = (s - TIME_MIN) / DAY_S;
	rest = (s - TIME_MIN) % DAY_S;

	/* The mean year gives the right one or, near its ends, a neighbour. */
	year = days * 400 / DAYS_400_YEARS + 1;
	while (days_before_year(year) > days)
		year--;
	while (days_before_year(year + 1) <= days)
		year++;
	days -= days_before_year(year);
	while (days >= days_in_month(year, month))
		days -= days_in_month(year, month++);

	(void)snprintf(out, TIME_TEXT_LEN, "%04d-%02d-%02dT%02d:%02d:%02d.%09" PRIu32 "Z", (int)year, (int)month,
	    (int)days + 1, (int)(rest / 3600), (int)(rest / 60 % 60), (int)(rest % 60), ns);
}

/* Exactly len digits and the byte behind them, which may be the NUL. */
static bool
field(const char **p, int len, char behind, int64_t min, int64_t max, int64_t *out)
{
	int64_t n = 0;

	for (int i = 0; i < len; i++, (*p)++) {
		if (**p < '0' || **p > '9')
			return false;
		n = n * 10 + (**p - '0');
	}
	*out = n;
	if (n < min || n > max)
		return false;
	if (behind == '\0')
		return true;
	return *(*p)++ == behind;
}

/* "" or "." and digits. */
static bool
fraction(const char **p, uint32_t *out_ns)
{
	uint32_t unit = SECOND_NS;

	*out_ns = 0;
	if (**p != '.')
		return true;
	(*p)++;
	if (**p < '0' || **p > '9')
		return false;
	for (; **p >= '0' && **p <= '9'; (*p)++) {
		unit /= 10;
		*out_ns += unit * (uint32_t)(**p - '0');
	}
	return true;
}

int
time_parse(const char *text, int64_t *out_s, uint32_t *out_ns, struct error *err)
{
	int64_t year, month, day, hour, minute, second, days;
	const char *p = text;
	char quoted[64];
	uint32_t ns;

	if (!field(&p, 4, '-', 1, 9999, &year) || !field(&p, 2, '-', 1, 12, &month) ||
	    !field(&p, 2, 'T', 1, days_in_month(year, month), &day) || !field(&p, 2, ':', 0, 23, &hour) ||
	    !field(&p, 2, ':', 0, 59, &minute) || !field(&p, 2, '\0', 0, 59, &second) || !fraction(&p, &ns) ||
	    strcmp(p, "Z") != 0)
		return error_set(err, ERR_CORRUPT, "\"%s\" is no time like 2026-11-22T01:02:03Z",
		    error_quote(quoted, sizeof(quoted), text, strlen(text)));
	days = days_before_year(year) + day - 1;
	for (int64_t m = 1; m < month; m++)
		days += days_in_month(year, m);
	*out_s = TIME_MIN + days * DAY_S + hour * 3600 + minute * 60 + second;
	*out_ns = ns;
	return 0;
}
