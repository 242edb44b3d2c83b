#ifndef TIMETEXT_H_
#define TIMETEXT_H_

#include <stdint.h>

struct error;

/*
 * RFC 3339 in UTC with nanoseconds: "2026-11-22T01:02:03.000000004Z" (31 bytes with the NUL), and back.
 *
 * Years 0001 to 9999.  time_format() takes the nearest time that can be written.  time_parse() wants upper case 'T' and
 * 'Z', reads any number of fraction digits, of which nine count, knows no leap seconds, and fails with ERR_CORRUPT.
 */
#define TIME_TEXT_LEN 40

void time_format(int64_t s, uint32_t ns, char out[TIME_TEXT_LEN]);
int time_parse(const char *text, int64_t *out_s, uint32_t *out_ns, struct error *);

#endif
