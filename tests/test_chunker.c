/* Cut points against a model that looks at one byte at a time, the choice of the method, and the test for zeros. */
#include <stdbool.h>
#include <unistd.h>

#include "check.h"
#include "chunker.h"
#include "cleanup.h"

static struct chunker chunker;

static void
fill_random(uint8_t *bytes, size_t len, uint64_t seed)
{
	for (size_t i = 0; i < len; i += 8) {
		uint64_t v = check_random(&seed);

		memcpy(bytes + i, &v, len - i < 8 ? len - i : 8);
	}
}

static uint8_t *
random_bytes(size_t len, uint64_t seed)
{
	uint8_t *bytes = malloc(len);

	CHECK(bytes != NULL);
	fill_random(bytes, len, seed);
	return bytes;
}

/* The definition: the first length from the minimum on whose last 64 bytes hash to zeros in the upper 22 (18) bits. */
static size_t
model_cut(const uint8_t *bytes, size_t len)
{
	uint64_t h = 0;

	for (size_t n = 1; n <= len; n++) {
		h = h * 2 + chunker.gear[bytes[n - 1]];
		if (n >= CHUNK_MIN && n < len && h >> (n < CHUNK_AVG ? 42 : 46) == 0)
			return n;
		if (n == CHUNK_MAX)
			return n;
	}
	return len;
}

static void
test_table(void)
{
	static const uint8_t key[KEY_LEN] = {1, 2, 3}, other[KEY_LEN] = {1, 2, 4};
	struct chunker again, different;
	struct error err;

	CHECK_OK(chunker_init(&chunker, key, &err), &err);
	CHECK_OK(chunker_init(&again, key, &err), &err);
	CHECK_OK(chunker_init(&different, other, &err), &err);
	CHECK_MEM(chunker.gear, again.gear, sizeof again.gear);
	/* The first value is HMAC-SHA256(key, "chunker" 00 | 00 00 00 00), first eight bytes, little-endian.  It must
	 * stay: cuts depend on it. */
	CHECK(chunker.gear[0] == UINT64_C(0xb770dec9bbe47bb1));
	for (size_t i = 0; i < 256; i++) {
		CHECK(chunker.gear[i] != different.gear[i]);
		for (size_t j = 0; j < i; j++)
			CHECK(chunker.gear[i] != chunker.gear[j]);
	}
}

static void
check_same_as_model(const uint8_t *bytes, size_t len)
{
	for (size_t at = 0; at < len;) {
		size_t cut = chunker_cut(&chunker, bytes + at, len - at);

		CHECK_INT(cut, model_cut(bytes + at, len - at));
		CHECK(cut > 0 && cut <= CHUNK_MAX);
		CHECK(cut >= CHUNK_MIN || at + cut == len);
		at += cut;
	}
}

static void
test_model(void)
{
	static const size_t lengths[] = {1, 63, 64, 65, CHUNK_MIN - 1, CHUNK_MIN, CHUNK_MIN + 1, CHUNK_MIN + 7,
	    CHUNK_AVG - 1, CHUNK_AVG, CHUNK_AVG + 1, CHUNK_MAX - 1, CHUNK_MAX, CHUNK_MAX + 1, 24u << 20};
	CLEANUP_FREE uint8_t *bytes = random_bytes(24u << 20, 7);

	for (size_t i = 0; i < COUNT_OF(lengths); i++)
		check_same_as_model(bytes, lengths[i]);
	for (unsigned shift = 1; shift < 9; shift++)
		check_same_as_model(bytes + shift * 1000003u, (3u << 20) + shift);
}

/* A place with the cut planted at a chosen length, on both sides of the average and at the borders. */
static void
test_borders(void)
{
	static const size_t places[] = {
	    CHUNK_MIN, CHUNK_MIN + 1, CHUNK_MIN + 5, CHUNK_AVG - 1, CHUNK_AVG, CHUNK_AVG + 1, CHUNK_MAX - 1};
	CLEANUP_FREE uint8_t *bytes = malloc(CHUNK_MAX);
	uint8_t window[64];
	uint64_t seed = 3, hash;

	CHECK(bytes != NULL);
	/* 64 bytes whose hash has 22 zeros, found by trying; then nothing but a constant that never cuts. */
	do {
		fill_random(window, sizeof window, check_random(&seed));
		hash = 0;
		for (size_t i = 0; i < sizeof window; i++)
			hash = hash * 2 + chunker.gear[window[i]];
		/* From there to the next windows is one step each: 22 zeros come up every four million bytes. */
		for (unsigned b = 0; b < 256 && hash >> 42 != 0; b++) {
			uint64_t h = hash * 2 + chunker.gear[b];

			if (h >> 42 == 0) {
				memmove(window, window + 1, sizeof window - 1);
				window[63] = (uint8_t)b;
				hash = 0;
				for (size_t i = 0; i < sizeof window; i++)
					hash = hash * 2 + chunker.gear[window[i]];
			}
		}
	} while (hash >> 42 != 0);
	for (size_t i = 0; i < COUNT_OF(places); i++) {
		memset(bytes, 'x', CHUNK_MAX);
		memcpy(bytes + places[i] - sizeof window, window, sizeof window);
		CHECK_INT(chunker_cut(&chunker, bytes, CHUNK_MAX), places[i]);
		CHECK_INT(model_cut(bytes, CHUNK_MAX), places[i]);
	}
	/* One byte too early it does not count. */
	memset(bytes, 'x', CHUNK_MAX);
	memcpy(bytes + CHUNK_MIN - 1 - sizeof window, window, sizeof window);
	CHECK_INT(chunker_cut(&chunker, bytes, CHUNK_MAX), CHUNK_MAX);
}

/* After an insertion the cuts fall into step again. */
static void
test_insertion(void)
{
	const size_t len = 24u << 20, at = 5000000, more = 137;
	CLEANUP_FREE uint8_t *before = random_bytes(len, 99), *after = malloc(len + more);
	size_t cuts[256], n = 0, pos = 0, same = 0;

	CHECK(after != NULL);
	memcpy(after, before, at);
	fill_random(after + at, more, 5);
	memcpy(after + at + more, before + at, len - at);
	while (pos < len)
		cuts[n++] = pos += chunker_cut(&chunker, before + pos, len - pos);
	pos = 0;
	for (size_t i = 0; pos < len + more;) {
		pos += chunker_cut(&chunker, after + pos, len + more - pos);
		while (i < n && cuts[i] + more < pos)
			i++;
		if (i < n && cuts[i] + more == pos && pos > at)
			same++;
		else if (pos < at)
			CHECK(cuts[0] <= pos);
		else
			CHECK(same == 0); /* once in step, always in step */
	}
	CHECK(same >= 8);
	CHECK(n > 12 && n < 40);
}

static void
test_choose(void)
{
	static const struct {
		const char *path;
		uint64_t size;
		const char *head;
		size_t head_len;
		enum chunk_method want;
	} cases[] = {
	    {"base/16384/2619", 1 << 20, "", 0, CHUNK_BY_POSITION},
	    {"pgdata/base/16384/2619.1", 1 << 20, "", 0, CHUNK_BY_POSITION},
	    {"pgdata/base/16384/2619_fsm", 1 << 20, "", 0, CHUNK_BY_POSITION},
	    {"pgdata/base/16384/2619_vm.12", 1 << 20, "", 0, CHUNK_BY_POSITION},
	    {"pgdata/base/16384/2619_init", 1 << 20, "", 0, CHUNK_BY_POSITION},
	    {"pgdata/base/16384/2619.", 1 << 20, "", 0, CHUNK_BY_CONTENT},
	    {"pgdata/base/16384/2619_xy", 1 << 20, "", 0, CHUNK_BY_CONTENT},
	    {"pgdata/base/16384/pg_internal.init", 1 << 20, "", 0, CHUNK_BY_CONTENT},
	    {"database/16384/2619", 1 << 20, "", 0, CHUNK_BY_CONTENT},
	    {"base/x16384/2619", 1 << 20, "", 0, CHUNK_BY_CONTENT},
	    {"base/2619", 1 << 20, "", 0, CHUNK_BY_CONTENT},
	    {"2619", 1 << 20, "", 0, CHUNK_BY_CONTENT},
	    {"global/1262", 1 << 20, "", 0, CHUNK_BY_POSITION},
	    {"global/pg_control", 1 << 20, "", 0, CHUNK_BY_CONTENT},
	    {"space/PG_15_202209061/5/16385", 1 << 20, "", 0, CHUNK_BY_POSITION},
	    {"pg_wal/000000010000000000000001", 16 << 20, "", 0, CHUNK_BY_CONTENT},
	    {"mysql/shop/orders.ibd", 1 << 20, "", 0, CHUNK_BY_POSITION},
	    {"mysql/ibdata1", 1 << 20, "", 0, CHUNK_BY_POSITION},
	    {"ibdata", 1 << 20, "", 0, CHUNK_BY_POSITION},
	    {"ibdata/x", 1 << 20, "", 0, CHUNK_BY_CONTENT},
	    {".ibd", 1 << 20, "", 0, CHUNK_BY_CONTENT},
	    {"app.data", 1 << 20, "SQLite format 3\0tail", 20, CHUNK_BY_POSITION},
	    {"app.data", 1 << 20, "SQLite format 3", 15, CHUNK_BY_CONTENT},
	    {"data.mdb", 1 << 20, "0123456789abcdef\xde\xc0\xef\xbe", 20, CHUNK_BY_POSITION},
	    {"data.mdb", 1 << 20, "0123456789abcdef\xbe\xef\xc0\xde", 20, CHUNK_BY_POSITION},
	    {"data.mdb", 1 << 20, "0123456789abcdef\xde\xc0\xef", 19, CHUNK_BY_CONTENT},
	    {"vm", 1 << 20, "QFI\xfb", 4, CHUNK_BY_POSITION},
	    {"vm", 1 << 20, "KDMV", 4, CHUNK_BY_POSITION},
	    {"disk.img", 1 << 20, "", 0, CHUNK_BY_POSITION},
	    {"disk.img", (1 << 20) - 1, "", 0, CHUNK_BY_CONTENT},
	    {"disk-flat.vmdk", 1 << 30, "", 0, CHUNK_BY_POSITION},
	    {"disk.vdi", 1 << 30, "", 0, CHUNK_BY_POSITION},
	    {"", 1 << 30, "", 0, CHUNK_BY_CONTENT},
	    {"movie.mkv", 1 << 30, "\x1a\x45\xdf\xa3", 4, CHUNK_BY_CONTENT},
	};
	uint8_t vdi[68] = {[64] = 0x7f, [65] = 0x10, [66] = 0xda, [67] = 0xbe};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		enum chunk_method got = chunker_choose(cases[i].path, strlen(cases[i].path), cases[i].size,
		    (const uint8_t *)cases[i].head, cases[i].head_len);

		if (got != cases[i].want)
			fprintf(stderr, "case %zu: %s\n", i, cases[i].path);
		CHECK_INT(got, cases[i].want);
	}
	CHECK_INT(chunker_choose("vm", 2, 1 << 30, vdi, sizeof vdi), CHUNK_BY_POSITION);
	CHECK_INT(chunker_choose("vm", 2, 1 << 30, vdi, sizeof vdi - 1), CHUNK_BY_CONTENT);
}

static void
test_zero(void)
{
	uint8_t bytes[700];

	memset(bytes, 0xff, sizeof bytes);
	for (size_t align = 0; align < 64; align++) {
		for (size_t len = 0; len < 160; len++) {
			memset(bytes + align + 1, 0, len);
			CHECK(chunker_is_zero(bytes + align + 1, len));
			for (size_t i = 0; i < len; i++) {
				bytes[align + 1 + i] = (uint8_t)(1u << (i % 8));
				CHECK(!chunker_is_zero(bytes + align + 1, len));
				bytes[align + 1 + i] = 0;
			}
			memset(bytes + align + 1, 0xff, len);
		}
	}
	CLEANUP_FREE uint8_t *large = calloc(1, CHUNK_FIXED);

	CHECK(large != NULL && chunker_is_zero(large, CHUNK_FIXED));
	for (size_t i = 0; i < CHUNK_FIXED; i += 251) {
		large[i] = 0x80;
		CHECK(!chunker_is_zero(large, CHUNK_FIXED));
		large[i] = 0;
	}
	large[CHUNK_FIXED - 1] = 1;
	CHECK(!chunker_is_zero(large, CHUNK_FIXED));
}

int
main(void)
{
	(void)alarm(60);
	test_table();
	test_model();
	test_borders();
	test_insertion();
	test_choose();
	test_zero();
	return 0;
}
