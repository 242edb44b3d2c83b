/*
 * CRC-32C, reflected, polynomial 0x1EDC6F41.
 */
#include "crc32c.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#if defined(__x86_64__)
#include <nmmintrin.h>
#elif defined(__aarch64__)
#include <arm_acle.h>
#include <sys/auxv.h>
#endif

#define POLYNOMIAL UINT32_C(0x82F63B78)

enum { SLICES = 8 };

static uint32_t tables[SLICES][256];
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;

static void
make_tables(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;

		for (int bit = 0; bit < 8; bit++)
			c = (c >> 1) ^ ((c & 1) != 0 ? POLYNOMIAL : 0);
		tables[0][i] = c;
	}
	for (uint32_t i = 0; i < 256; i++)
		for (int k = 1; k < SLICES; k++)
			tables[k][i] = (tables[k - 1][i] >> 8) ^ tables[0][tables[k - 1][i] & 0xFF];
}

static uint64_t
load64(const uint8_t *p)
{
	uint64_t v = 0;

	for (int i = 7; i >= 0; i--)
		v = v << 8 | p[i];
	return v;
}

/* Eight bytes a step, each through the table for its distance from the end. */
uint32_t
crc32c_by_table(const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	uint32_t c = UINT32_MAX;

	(void)pthread_once(&tables_once, make_tables);
	for (; len >= SLICES; p += SLICES, len -= SLICES) {
		uint64_t v = load64(p) ^ c;

		c = 0;
		for (int k = 0; k < SLICES; k++)
			c ^= tables[SLICES - 1 - k][(v >> (8 * k)) & 0xFF];
	}
	for (; len > 0; p++, len--)
		c = (c >> 8) ^ tables[0][(c ^ *p) & 0xFF];
	return ~c;
}

#if defined(__x86_64__)

__attribute__((target("sse4.2"))) static uint32_t
by_instruction(const uint8_t *p, size_t len)
{
	uint64_t c = UINT32_MAX;

	for (; len >= 8; p += 8, len -= 8) {
		uint64_t v;

		memcpy(&v, p, sizeof(v));
		c = _mm_crc32_u64(c, v);
	}
	for (; len > 0; p++, len--)
		c = _mm_crc32_u8((uint32_t)c, *p);
	return ~(uint32_t)c;
}

static bool
has_instruction(void)
{
	return __builtin_cpu_supports("sse4.2") != 0;
}

#elif defined(__aarch64__)

__attribute__((target("+crc"))) static uint32_t
by_instruction(const uint8_t *p, size_t len)
{
	uint32_t c = UINT32_MAX;

	for (; len >= 8; p += 8, len -= 8)
		c = __crc32cd(c, load64(p));
	for (; len > 0; p++, len--)
		c = __crc32cb(c, *p);
	return ~c;
}

static bool
has_instruction(void)
{
	return (getauxval(AT_HWCAP) & 1ul << 7) != 0; /* HWCAP_CRC32 */
}

#else

static uint32_t
by_instruction(const uint8_t *p, size_t len)
{
	return crc32c_by_table(p, len);
}

static bool
has_instruction(void)
{
	return false;
}

#endif

uint32_t
crc32c(const void *bytes, size_t len)
{
	return has_instruction() ? by_instruction(bytes, len) : crc32c_by_table(bytes, len);
}
