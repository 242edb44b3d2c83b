/*
 * CRC-32C: the examples of RFC 3720, and both ways against each other.
 */
#include "check.h"
#include "crc32c.h"

static void
check_both(const void *bytes, size_t len, uint32_t want)
{
	CHECK_INT(crc32c(bytes, len), want);
	CHECK_INT(crc32c_by_table(bytes, len), want);
}

static void
test_examples(void)
{
	uint8_t bytes[32];

	check_both("", 0, 0);
	check_both("123456789", 9, 0xE3069283);
	memset(bytes, 0, sizeof(bytes));
	check_both(bytes, sizeof(bytes), 0x8A9136AA);
	memset(bytes, 0xFF, sizeof(bytes));
	check_both(bytes, sizeof(bytes), 0x62A8AB43);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	check_both(bytes, sizeof(bytes), 0x46DD794E);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(31 - i);
	check_both(bytes, sizeof(bytes), 0x113FDB5C);
}

/* All lengths and alignments around the steps of eight. */
static void
test_same(void)
{
	uint8_t bytes[80];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 37 + 11);
	for (size_t from = 0; from < 16; from++)
		for (size_t len = 0; from + len <= sizeof(bytes); len++)
			CHECK_INT(crc32c(bytes + from, len), crc32c_by_table(bytes + from, len));
}

int
main(void)
{
	test_examples();
	test_same();
	return 0;
}
