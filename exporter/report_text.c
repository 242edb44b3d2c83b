/*
 * Numbers, sizes and times as people read them.
 */
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "report.h"

const char *
report_bytes(uint64_t n, char out[REPORT_TEXT])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double v = (double)n;
	size_t u = 0;

	for (; v >= 1023.95 && u + 1 < COUNT_OF(units); u++)
		v /= 1024;
	(void)snprintf(out, REPORT_TEXT, u == 0 ? "%.0f %s" : "%.1f %s", v, units[u]);
	return out;
}

const char *
report_count(uint64_t n, char out[REPORT_TEXT])
{
	char digits[24];
	int len = snprintf(digits, sizeof digits, "%llu", (unsigned long long)n), k = 0;

	for (int i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			out[k++] = ',';
		out[k++] = digits[i];
	}
	out[k] = '\0';
	return out;
}

const char *
report_duration(uint64_t ms, char out[REPORT_TEXT])
{
	unsigned long long s = ms / 1000 + (ms % 1000 >= 500);

	if (ms < 10000)
		(void)snprintf(out, REPORT_TEXT, "%.1f s", (double)ms / 1000);
	else if (s < 60)
		(void)snprintf(out, REPORT_TEXT, "%llu s", s);
	else if (s < 3600)
		(void)snprintf(out, REPORT_TEXT, "%llu:%02llu min", s / 60, s % 60);
	else
		(void)snprintf(out, REPORT_TEXT, "%llu:%02llu:%02llu h", s / 3600, s / 60 % 60, s % 60);
	return out;
}

const char *
report_number(uint64_t n, const char *one, const char *many, char out[REPORT_TEXT])
{
	char digits[REPORT_TEXT];

	(void)snprintf(out, REPORT_TEXT, "%s %s", report_count(n, digits), n == 1 ? one : many);
	return out;
}

const char *
report_rate(uint64_t bytes, uint64_t ms, char out[REPORT_TEXT])
{
	/* In floating point: sparse files can be so large that the product does not fit. */
	double rate = (double)bytes * 1000 / (double)MAX(ms, 1u);
	size_t len = strlen(report_bytes(rate < 1e19 ? (uint64_t)rate : UINT64_MAX, out));

	(void)snprintf(out + len, REPORT_TEXT - len, "/s");
	return out;
}
