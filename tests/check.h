#ifndef CHECK_H_
#define CHECK_H_

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"

/* Checks for tests: each prints file, line and what it saw, and ends the test.  They stay on under NDEBUG. */

#define CHECK(cond) \
	do { \
		if (!(cond)) { \
			fprintf(stderr, "%s:%d: check failed: %s\n", __FILE__, __LINE__, #cond); \
			abort(); \
		} \
	} while (0)

#define CHECK_INT(got, want) \
	do { \
		long long got_ = (long long)(got), want_ = (long long)(want); \
		if (got_ != want_) { \
			fprintf(stderr, "%s:%d: %s is %lld, not %lld\n", __FILE__, __LINE__, #got, got_, want_); \
			abort(); \
		} \
	} while (0)

#define CHECK_STR(got, want) \
	do { \
		const char *got_ = (got), *want_ = (want); \
		if (strcmp(got_, want_) != 0) { \
			fprintf(stderr, "%s:%d: %s is \"%s\", not \"%s\"\n", __FILE__, __LINE__, #got, got_, want_); \
			abort(); \
		} \
	} while (0)

#define CHECK_MEM(got, want, len) \
	do { \
		if (memcmp((got), (want), (len)) != 0) { \
			fprintf(stderr, "%s:%d: %s and %s differ\n", __FILE__, __LINE__, #got, #want); \
			abort(); \
		} \
	} while (0)

/* The call must succeed; its error is shown if not. */
#define CHECK_OK(call, err) \
	do { \
		int r_ = (call); \
		if (r_ < 0) { \
			fprintf(stderr, "%s:%d: %s failed: %s\n", __FILE__, __LINE__, #call, (err)->msg); \
			abort(); \
		} \
	} while (0)

/* A small reproducible generator (splitmix64) for property tests. */
static inline uint64_t
check_random(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9E3779B97F4A7C15));

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

#endif
