/*
 * Dates of HTTP (RFC 9110, 5.6.7): put in order and left to the reader of RFC 3339.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cleanup.h"
#include "error.h"
#include "http.h"
#include "timetext.h"

enum { CLOCK_LEN = 8 }; /* 08:49:37 */

/* The three forms: the weekday, then a letter for each part, and what stands for itself.  D: day of two digits, d: day
 * with a space for a missing digit, m: month, Y: year, y: its last two digits, C: clock. */
static const char *const days[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
static const char *const long_days[] = {"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"};
static const struct {
	const char *const *days;
	const char *parts;
} forms[] = {{days, ", D m Y C GMT"}, {long_days, ", D-m-y C GMT"}, {days, " m d C Y"}};

struct date {
	char year[5], month[3], day[3], clock[CLOCK_LEN + 1];
};

static const char *
skip_day(const char *p, const char *const names[7])
{
	for (size_t i = 0; i < 7; i++) {
		size_t len = strlen(names[i]);

		if (strncmp(p, names[i], len) == 0)
			return p + len;
	}
	return p;
}

/* Copy len bytes, if there are as many. */
static const char *
take(const char *p, char *out, size_t len)
{
	size_t n = strnlen(p, len);

	memcpy(out, p, n);
	out[n] = '\0';
	return p + n;
}

static const char *
take_month(const char *p, char out[3])
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	for (int i = 0; i < 12; i++) {
		if (strncmp(p, names + (size_t)i * 3, 3) == 0) {
			out[0] = (char)('0' + (i + 1) / 10);
			out[1] = (char)('0' + (i + 1) % 10);
			out[2] = '\0';
			return p + 3;
		}
	}
	return p;
}

/* Years of two digits are those from 1970 to 2069. */
static const char *
take_short_year(const char *p, char out[5])
{
	memcpy(out, p[0] >= '7' ? "19" : "20", 2);
	return take(p, out + 2, 2);
}

static const char *
take_part(const char *p, char part, struct date *d)
{
	switch (part) {
	case 'D':
		return take(p, d->day, 2);
	case 'd':
		p = take(p, d->day, 2);
		if (d->day[0] == ' ')
			d->day[0] = '0';
		return p;
	case 'm':
		return take_month(p, d->month);
	case 'Y':
		return take(p, d->year, 4);
	case 'y':
		return take_short_year(p, d->year);
	default:
		return take(p, d->clock, CLOCK_LEN);
	}
}

static bool
split(const char *p, size_t form, struct date *d)
{
	const char *after = skip_day(p, forms[form].days);

	if (after == p)
		return false;
	p = after;
	for (const char *part = forms[form].parts; *part != '\0'; part++) {
		if (strchr("DdmYyC", *part) != NULL)
			p = take_part(p, *part, d);
		else if (*p++ != *part)
			return false;
	}
	return *p == '\0';
}

int64_t
http_date_parse(const char *text)
{
	struct error err;
	char rfc3339[64];
	uint32_t ns;
	int64_t s;

	for (size_t i = 0; i < COUNT_OF(forms); i++) {
		struct date d = {"", "", "", ""};

		if (!split(text, i, &d))
			continue;
		(void)snprintf(rfc3339, sizeof(rfc3339), "%s-%s-%sT%sZ", d.year, d.month, d.day, d.clock);
		if (time_parse(rfc3339, &s, &ns, &err) < 0)
			return -1;
		return s < 0 ? -1 : s;
	}
	return -1;
}
