/*
 * Times as people write them.
 */
#include <ctype.h>
#include <string.h>
#include <time.h>

#include "error.h"
#include "moment.h"

/* Exactly n digits, from min to max. */
static bool
take_number(const char **p, int n, int min, int max, int *out)
{
	int value = 0;

	for (int i = 0; i < n; i++) {
		if (!isdigit((unsigned char)(*p)[i]))
			return false;
		value = value * 10 + ((*p)[i] - '0');
	}
	*p += n;
	*out = value;
	return value >= min && value <= max;
}

static bool
take(const char **p, char c)
{
	if (**p != c)
		return false;
	(*p)++;
	return true;
}

static bool
take_date(const char **p, struct tm *tm)
{
	if (!take_number(p, 4, 1, 9999, &tm->tm_year) || !take(p, '-') || !take_number(p, 2, 1, 12, &tm->tm_mon) ||
	    !take(p, '-') || !take_number(p, 2, 1, 31, &tm->tm_mday))
		return false;
	tm->tm_year -= 1900;
	tm->tm_mon -= 1;
	return true;
}

static bool
take_fraction(const char **p, uint32_t *out_ns)
{
	uint32_t scale = 100000000;

	if (!isdigit((unsigned char)**p))
		return false;
	for (*out_ns = 0; isdigit((unsigned char)**p); (*p)++) {
		*out_ns += scale * (uint32_t)(**p - '0');
		scale /= 10;
	}
	return true;
}

static bool
take_clock(const char **p, struct tm *tm, uint32_t *out_ns)
{
	if (!take_number(p, 2, 0, 23, &tm->tm_hour) || !take(p, ':') || !take_number(p, 2, 0, 59, &tm->tm_min))
		return false;
	if (!take(p, ':'))
		return true;
	if (!take_number(p, 2, 0, 59, &tm->tm_sec))
		return false;
	return !take(p, '.') || take_fraction(p, out_ns);
}

/* The zone's distance from UTC; *out_local when there is none. */
static bool
take_zone(const char **p, int64_t *out_s, bool *out_local)
{
	int sign = **p == '-' ? -1 : 1, hours, minutes;

	*out_s = 0;
	*out_local = **p == '\0';
	if (*out_local || take(p, 'Z'))
		return true;
	if (!take(p, '+') && !take(p, '-'))
		return false;
	if (!take_number(p, 2, 0, 23, &hours) || !take(p, ':') || !take_number(p, 2, 0, 59, &minutes))
		return false;
	*out_s = sign * (hours * 3600 + minutes * 60);
	return true;
}

bool
moment_looks_like(const char *text)
{
	for (int i = 0; i < 4; i++) {
		if (!isdigit((unsigned char)text[i]))
			return false;
	}
	return text[4] == '-';
}

int
moment_parse(const char *text, struct manifest_time *out, struct error *err)
{
	struct tm tm = {.tm_isdst = -1}, normal;
	const char *p = text;
	char quoted[100];
	int64_t zone_s = 0;
	uint32_t ns = 0;
	bool local = false, good;

	good = take_date(&p, &tm);
	if (good && take(&p, 'T'))
		good = take_clock(&p, &tm, &ns);
	good = good && take_zone(&p, &zone_s, &local) && *p == '\0';
	if (good) {
		int day = tm.tm_mday;

		normal = tm;
		out->s = local ? (int64_t)mktime(&normal) : (int64_t)timegm(&normal) - zone_s;
		out->ns = ns;
		/* 31 June has become 1 July. */
		good = normal.tm_mday == day;
	}
	if (!good)
		return error_set(err, ERR_USAGE,
		    "\"%s\" is no time like 2026-11-22, 2026-11-22T01:02 or 2026-11-22T01:02:03Z",
		    error_quote(quoted, sizeof(quoted), text, strlen(text)));
	return 0;
}

int
moment_compare(const struct manifest_time *a, const struct manifest_time *b)
{
	if (a->s != b->s)
		return a->s < b->s ? -1 : 1;
	return (a->ns > b->ns) - (a->ns < b->ns);
}
