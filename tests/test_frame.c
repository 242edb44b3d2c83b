/*
 * Frames: what was sealed opens again, nothing else does, and a writer that lies inside a valid seal is found out.
 */

#include <unistd.h>
#include <zstd.h>

#include "check.h"
#include "cleanup.h"
#include "frame.h"

static const uint8_t pack_key[KEY_LEN] = {1, 2, 3};
static uint64_t seed = 1;

static void
fill_random(uint8_t *out, size_t len)
{
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)check_random(&seed);
}

static void
fill_text(uint8_t *out, size_t len)
{
	static const char *const words[] = {"volume ", "pack ", "snapshot ", "frame\n", "of ", "the "};

	for (size_t at = 0; at < len;) {
		const char *word = words[check_random(&seed) % COUNT_OF(words)];
		size_t n = MIN(strlen(word), len - at);

		memcpy(out + at, word, n);
		at += n;
	}
}

static struct sealer *
make_sealer(int level)
{
	struct volume_keys keys = {.chunk_id = {9, 8, 7}};
	struct sealer *s;
	struct error err;

	CHECK_OK(sealer_new(&keys, level, &s, &err), &err);
	CHECK_OK(sealer_set_key(s, pack_key, &err), &err);
	return s;
}

static struct opener *
make_opener(void)
{
	struct opener *o;
	struct error err;

	CHECK_OK(opener_new(&o, &err), &err);
	CHECK_OK(opener_set_key(o, pack_key, &err), &err);
	return o;
}

/* Seal in exactly the room that is promised to be enough. */
static uint8_t *
seal(struct sealer *s, uint8_t type, const uint8_t *plain, size_t len, struct frame_ref *ref)
{
	uint8_t *sealed = malloc(frame_bound(len)), id[ID_LEN];
	struct error err;

	CHECK(sealed != NULL);
	CHECK_OK(sealer_id(s, type, plain, len, id, &err), &err);
	*ref = (struct frame_ref){.ordinal = 5, .offset = 176, .plen = (uint32_t)len, .type = type};
	memcpy(ref->id, id, sizeof(ref->id));
	CHECK_OK(sealer_seal(s, ref->ordinal, type, id, plain, len, sealed, &ref->clen, &err), &err);
	CHECK(frame_ref_valid(ref));
	return sealed;
}

static void
round_trip(struct sealer *s, struct opener *o, uint8_t type, const uint8_t *plain, size_t len, uint32_t *out_clen)
{
	CLEANUP_FREE uint8_t *opened = malloc(len), *sealed = NULL;
	struct frame_ref ref;
	struct error err;

	CHECK(opened != NULL);
	sealed = seal(s, type, plain, len, &ref);
	sealed = realloc(sealed, ref.clen);
	CHECK(sealed != NULL);
	CHECK_OK(opener_open(o, &ref, sealed, opened, &err), &err);
	CHECK_MEM(opened, plain, len);
	*out_clen = ref.clen;
}

static void
test_round_trips(void)
{
	static const size_t sizes[] = {
	    201, 4095, 4096, 65537, 131073, 1000003, 1u << 20, FRAME_PLAIN_MAX - 1, FRAME_PLAIN_MAX};
	static const int levels[] = {FRAME_NO_COMPRESSION, 1, -3, 5};
	CLEANUP_FREE uint8_t *random = malloc(FRAME_PLAIN_MAX), *text = malloc(FRAME_PLAIN_MAX);
	struct opener *o = make_opener();
	uint32_t clen;

	CHECK(random != NULL && text != NULL);
	fill_random(random, FRAME_PLAIN_MAX);
	fill_text(text, FRAME_PLAIN_MAX);
	for (size_t l = 0; l < COUNT_OF(levels); l++) {
		struct sealer *s = make_sealer(levels[l]);

		for (size_t len = 1; len <= 200; len++) {
			for (uint8_t type = FRAME_DATA; type <= FRAME_TYPE_MAX; type++) {
				round_trip(s, o, type, random, len, &clen);
				CHECK_INT(clen, frame_bound(len));
				round_trip(s, o, type, text, len, &clen);
				CHECK(levels[l] != FRAME_NO_COMPRESSION || clen == frame_bound(len));
			}
		}
		for (size_t i = 0; i < COUNT_OF(sizes) && l < 2; i++) {
			round_trip(s, o, FRAME_DATA, random, sizes[i], &clen);
			CHECK_INT(clen, frame_bound(sizes[i]));
			round_trip(s, o, FRAME_BUNDLE, text, sizes[i], &clen);
			if (levels[l] == FRAME_NO_COMPRESSION)
				CHECK_INT(clen, frame_bound(sizes[i]));
			else
				CHECK(clen < frame_bound(sizes[i]) * 2 / 3);
		}
		sealer_free(s);
	}
	opener_free(o);
}

/* Random bytes with a stretch of zeros that is just not, or just, worth it: either all is stored, or 1/32 is saved. */
static void
test_threshold(void)
{
	enum { LEN = 32 * 1024 };
	struct sealer *s = make_sealer(1);
	struct opener *o = make_opener();
	CLEANUP_FREE uint8_t *plain = malloc(LEN);
	size_t stored = 0, compressed = 0;
	uint32_t clen;

	CHECK(plain != NULL);
	for (size_t zeros = 900; zeros <= 1200; zeros += 10) {
		fill_random(plain, LEN);
		memset(plain, 0, zeros);
		round_trip(s, o, FRAME_DATA, plain, LEN, &clen);
		CHECK(clen == frame_bound(LEN) || clen <= frame_bound(LEN) - LEN / 32);
		*(clen == frame_bound(LEN) ? &stored : &compressed) += 1;
	}
	CHECK(stored > 0 && compressed > 0);
	sealer_free(s);
	opener_free(o);
}

/* A copy of the frame does not open under this reference. */
static void
refused(struct opener *o, const struct frame_ref *ref, const uint8_t *sealed, size_t room)
{
	CLEANUP_FREE uint8_t *copy = malloc(MAX(room, ref->clen)), *plain = malloc((size_t)ref->plen + 1);
	struct error err;

	CHECK(copy != NULL && plain != NULL);
	memset(copy, 0, MAX(room, ref->clen));
	memcpy(copy, sealed, room);
	CHECK_INT(opener_open(o, ref, copy, plain, &err), ERR_CORRUPT);
}

static void
test_binding(void)
{
	static const uint8_t other_key[KEY_LEN] = {1, 2, 4};
	uint8_t plain[300] = {0};

	for (int level = 0; level < 2; level++) {
		struct sealer *s = make_sealer(level == 0 ? FRAME_NO_COMPRESSION : 1);
		struct opener *o = make_opener();
		struct frame_ref ref, other;
		CLEANUP_FREE uint8_t *sealed = seal(s, FRAME_CATALOG, plain, sizeof(plain), &ref);
		struct error err;

		CHECK(level == 0 || ref.clen < 100);
		for (uint32_t at = 0; at < ref.clen; at++) {
			for (unsigned bit = 0; bit < 8; bit++) {
				sealed[at] ^= (uint8_t)(1u << bit);
				refused(o, &ref, sealed, ref.clen);
				sealed[at] ^= (uint8_t)(1u << bit);
			}
		}
		for (other = ref; other.clen-- > 0;)
			refused(o, &other, sealed, ref.clen);
		for (size_t at = 0; at < ID_SHORT; at++) {
			other = ref;
			other.id[at] ^= 0x10;
			refused(o, &other, sealed, ref.clen);
		}
		for (unsigned type = 0; type < 256; type++) {
			other = ref;
			other.type = (uint8_t)type;
			if (type != ref.type)
				refused(o, &other, sealed, ref.clen);
		}
		other = ref;
		other.ordinal++;
		refused(o, &other, sealed, ref.clen);
		other = ref;
		other.plen++;
		refused(o, &other, sealed, ref.clen);
		other.plen -= 2;
		refused(o, &other, sealed, ref.clen);
		CHECK_OK(opener_set_key(o, other_key, &err), &err);
		refused(o, &ref, sealed, ref.clen);
		CHECK_OK(opener_set_key(o, pack_key, &err), &err);
		CHECK_OK(opener_open(o, &ref, sealed, plain, &err), &err);
		sealer_free(s);
		opener_free(o);
	}
}

/* Seal these bytes, whatever they are, as a writer with the right key could. */
static int
open_forged(struct opener *o, uint8_t method, const void *body, size_t len, uint32_t plen, struct error *err)
{
	struct frame_ref ref = {.offset = 176, .clen = (uint32_t)(len + FRAME_OVERHEAD), .plen = plen, .type = 1};
	CLEANUP_FREE uint8_t *sealed = malloc(ref.clen), *plain = malloc((size_t)plen + 1);
	uint8_t aad[21] = {1, (uint8_t)plen, (uint8_t)(plen >> 8), (uint8_t)(plen >> 16), (uint8_t)(plen >> 24)};
	struct aead *aead;

	CHECK(sealed != NULL && plain != NULL);
	sealed[0] = method;
	memcpy(sealed + 1, body, len);
	CHECK_OK(aead_new(&aead, err), err);
	CHECK_OK(aead_set_key(aead, pack_key, err), err);
	CHECK_OK(aead_seal(aead, 0, aad, sizeof(aad), sealed, 1 + len, sealed, err), err);
	aead_free(aead);
	return opener_open(o, &ref, sealed, plain, err);
}

/* Frames made by hand: magic, descriptor, (window), content size, raw or repeated block. */
#define MAGIC       "\x28\xB5\x2F\xFD"
#define SKIPPABLE   "\x50\x2A\x4D\x18\x02\x00\x00\x00zz"
#define EMPTY_FRAME MAGIC "\x20\x00\x01\x00\x00"

static void
test_hostile_zstd(void)
{
#define CASE(name, bytes, method, plen, want) \
	{ \
		name, bytes, sizeof(bytes) - 1, method, plen, want \
	}
	static const struct {
		const char *name, *bytes;
		size_t len;
		uint8_t method;
		uint32_t plen;
		int want;
	} cases[] = {
	    CASE("a window of 1 KiB", MAGIC "\x80\x00\x64\x00\x00\x00\x23\x03\x00x", 1, 100, 0),
	    CASE("a window of 2 GiB", MAGIC "\x80\xA8\x64\x00\x00\x00\x23\x03\x00x", 1, 100, ERR_CORRUPT),
	    CASE("the largest window", MAGIC "\x80\xFF\x64\x00\x00\x00\x23\x03\x00x", 1, 100, ERR_CORRUPT),
	    CASE("a window of 1152 bytes", MAGIC "\x80\x01\x64\x00\x00\x00\x23\x03\x00x", 1, 100, ERR_CORRUPT),
	    CASE("a repeated byte", MAGIC "\x20\x64\x23\x03\x00x", 1, 100, 0),
	    CASE("one byte more", MAGIC "\x20\x64\x2B\x03\x00x", 1, 100, ERR_CORRUPT),
	    CASE("one byte less", MAGIC "\x20\x64\x1B\x03\x00x", 1, 100, ERR_CORRUPT),
	    CASE("a bomb", MAGIC "\x20\x64\x02\x00\x10x\x03\x00\x10x", 1, 100, ERR_CORRUPT),
	    CASE("a declared size of 2^63", MAGIC "\xE0\x00\x00\x00\x00\x00\x00\x00\x80\x23\x03\x00x", 1, 100,
		ERR_CORRUPT),
	    CASE("no declared size", MAGIC "\x00\x00\x23\x03\x00x", 1, 100, ERR_CORRUPT),
	    CASE("a size that lies upwards", MAGIC "\x20\x65\x23\x03\x00x", 1, 100, ERR_CORRUPT),
	    CASE("a size that lies downwards", MAGIC "\x20\x63\x23\x03\x00x", 1, 100, ERR_CORRUPT),
	    CASE("a dictionary", MAGIC "\x21\x07\x64\x23\x03\x00x", 1, 100, ERR_CORRUPT),
	    CASE("a byte behind", MAGIC "\x20\x64\x23\x03\x00xy", 1, 100, ERR_CORRUPT),
	    CASE("an empty frame behind", MAGIC "\x20\x64\x23\x03\x00x" EMPTY_FRAME, 1, 100, ERR_CORRUPT),
	    CASE("an empty frame before", EMPTY_FRAME MAGIC "\x20\x64\x23\x03\x00x", 1, 100, ERR_CORRUPT),
	    CASE("a skippable frame behind", MAGIC "\x20\x64\x23\x03\x00x" SKIPPABLE, 1, 100, ERR_CORRUPT),
	    CASE("a skippable frame before", SKIPPABLE MAGIC "\x20\x64\x23\x03\x00x", 1, 100, ERR_CORRUPT),
	    CASE("only a skippable frame", SKIPPABLE, 1, 100, ERR_CORRUPT),
	    CASE("two halves", MAGIC "\x20\x32\x93\x01\x00x" MAGIC "\x20\x32\x93\x01\x00x", 1, 100, ERR_CORRUPT),
	    CASE("the format before 0.8", "\x27\xB5\x2F\xFD\x20\x64\x23\x03\x00x", 1, 100, ERR_CORRUPT),
	    CASE("the oldest format", "\x1E\xB5\x2F\xFD\x20\x64\x23\x03\x00x", 1, 100, ERR_CORRUPT),
	    CASE("a reserved descriptor bit", MAGIC "\x28\x64\x23\x03\x00x", 1, 100, ERR_CORRUPT),
	    CASE("a reserved block type", MAGIC "\x20\x64\x27\x03\x00x", 1, 100, ERR_CORRUPT),
	    CASE("four bytes", MAGIC, 1, 100, ERR_CORRUPT),
	    CASE("five bytes", MAGIC "\x00", 1, 100, ERR_CORRUPT),
	    CASE("one byte", "\x28", 1, 100, ERR_CORRUPT),
	    CASE("stored", "Hello", 0, 5, 0),
	    CASE("stored, too short", "Hello", 0, 6, ERR_CORRUPT),
	    CASE("stored, too long", "Hello", 0, 4, ERR_CORRUPT),
	    CASE("an unknown method", "Hello", 2, 5, ERR_CORRUPT),
	    CASE("a far method", "Hello", 255, 5, ERR_CORRUPT),
	};
	struct opener *o = make_opener();

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct error err = {0};
		int r = open_forged(o, cases[i].method, cases[i].bytes, cases[i].len, cases[i].plen, &err);

		if (r != cases[i].want)
			fprintf(stderr, "%s: %d %s\n", cases[i].name, r, err.msg);
		CHECK_INT(r, cases[i].want);
	}
	opener_free(o);
}

/* A real frame, cut and changed everywhere, inside a valid seal. */
static void
test_damaged_zstd(void)
{
	enum { LEN = 2000 };
	struct opener *o = make_opener();
	uint8_t plain[LEN], body[LEN];
	struct error err;
	size_t len;

	fill_text(plain, LEN);
	len = ZSTD_compress(body, LEN, plain, LEN, 3);
	CHECK(!ZSTD_isError(len));
	CHECK_OK(open_forged(o, 1, body, len, LEN, &err), &err);
	for (size_t cut = 1; cut < len; cut++)
		CHECK_INT(open_forged(o, 1, body, cut, LEN, &err), ERR_CORRUPT);
	for (size_t at = 0; at < len; at++) {
		uint8_t was = body[at];

		body[at] = (uint8_t)check_random(&seed);
		int r = open_forged(o, 1, body, len, LEN, &err);
		CHECK(r == 0 || r == ERR_CORRUPT);
		body[at] = was;
	}
	opener_free(o);
}

static void
test_ids(void)
{
	struct sealer *s = make_sealer(1);
	uint8_t a[ID_LEN], b[ID_LEN], whole[6] = {FRAME_FILE, 'H', 'e', 'l', 'l', 'o'};
	const uint8_t key[KEY_LEN] = {9, 8, 7};
	struct error err;
	struct mac *mac;

	CHECK_OK(mac_new(key, &mac, &err), &err);
	CHECK_OK(mac_compute(mac, NULL, 0, whole, sizeof(whole), a, &err), &err);
	CHECK_OK(sealer_id(s, FRAME_FILE, "Hello", 5, b, &err), &err);
	CHECK_MEM(a, b, ID_LEN);
	CHECK_OK(sealer_id(s, FRAME_DATA, "Hello", 5, b, &err), &err);
	CHECK(memcmp(a, b, ID_LEN) != 0);
	CHECK_OK(sealer_id(s, FRAME_FILE, "", 0, b, &err), &err);
	mac_free(mac);
	sealer_free(s);
}

static void
test_usage(void)
{
	struct volume_keys keys = {.epoch = 1};
	uint8_t id[ID_LEN] = {0}, byte = 7, out[64];
	struct frame_ref ref = {.offset = 176, .clen = 18, .plen = 1, .type = 1};
	struct sealer *s;
	struct opener *o;
	struct error err;
	uint32_t clen;

	CHECK_INT(sealer_new(&keys, ZSTD_maxCLevel() + 1, &s, &err), ERR_USAGE);
	CHECK_INT(sealer_new(&keys, ZSTD_minCLevel() - 1, &s, &err), ERR_USAGE);
	CHECK_OK(sealer_new(&keys, 1, &s, &err), &err);
	CHECK_INT(sealer_seal(s, 0, FRAME_DATA, id, &byte, 1, out, &clen, &err), ERR_USAGE);
	CHECK_OK(sealer_set_key(s, pack_key, &err), &err);
	CHECK_INT(sealer_seal(s, 0, FRAME_DATA, id, &byte, 0, out, &clen, &err), ERR_USAGE);
	CHECK_INT(sealer_seal(s, 0, FRAME_DATA, id, &byte, FRAME_PLAIN_MAX + 1, out, &clen, &err), ERR_USAGE);
	CHECK_INT(sealer_seal(s, 0, 0, id, &byte, 1, out, &clen, &err), ERR_USAGE);
	CHECK_INT(sealer_seal(s, 0, FRAME_TYPE_MAX + 1, id, &byte, 1, out, &clen, &err), ERR_USAGE);
	CHECK_INT(sealer_seal(s, 0, FRAME_FILE, id, &byte, 1, out, &clen, &err), ERR_USAGE);
	CHECK_OK(sealer_seal(s, 0, FRAME_DATA, id, &byte, 1, out, &clen, &err), &err);
	CHECK_OK(opener_new(&o, &err), &err);
	CHECK_INT(opener_open(o, &ref, out, &byte, &err), ERR_USAGE);
	CHECK_OK(opener_set_key(o, pack_key, &err), &err);
	CHECK_OK(opener_open(o, &ref, out, &byte, &err), &err);
	sealer_free(s);
	opener_free(o);
	sealer_free(NULL);
	opener_free(NULL);
}

static void
test_refs(void)
{
	static const struct {
		uint8_t type;
		uint32_t offset, clen, plen;
		bool valid;
	} cases[] = {
	    {1, 176, 18, 1, true},
	    {7, 176, 18, 1, true},
	    {0, 176, 18, 1, false},
	    {8, 176, 18, 1, false},
	    {0x80, 176, 18, 1, false},
	    {1, 175, 18, 1, false},
	    {1, 0, 18, 1, false},
	    {1, 176, 17, 1, false},
	    {1, 176, 0, 1, false},
	    {1, 176, 19, 1, false},
	    {1, 176, 18, 0, false},
	    {1, 176, 18, FRAME_PLAIN_MAX, true},
	    {1, 176, 18, FRAME_PLAIN_MAX + 1, false},
	    {1, 176, 18, UINT32_MAX, false},
	    {1, 176, UINT32_MAX, UINT32_MAX, false},
	    {1, 176, FRAME_PLAIN_MAX + 17, FRAME_PLAIN_MAX, true},
	    {1, 176, FRAME_PLAIN_MAX + 18, FRAME_PLAIN_MAX, false},
	    {1, 0x80000000u - 18, 18, 1, true},
	    {1, 0x80000000u - 17, 18, 1, false},
	    {1, UINT32_MAX, 18, 1, false},
	};
	struct frame_ref a = {.session = {1}, .seq = 2, .ordinal = 3, .id = {4}}, b;

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		a.type = cases[i].type;
		a.offset = cases[i].offset;
		a.clen = cases[i].clen;
		a.plen = cases[i].plen;
		CHECK_INT(frame_ref_valid(&a), cases[i].valid);
	}
#define DIFFERS(field) \
	do { \
		b = a; \
		CHECK(frame_ref_equal(&a, &b)); \
		b.field ^= 1; \
		CHECK(!frame_ref_equal(&a, &b)); \
	} while (0)
	DIFFERS(session[15]);
	DIFFERS(seq);
	DIFFERS(ordinal);
	DIFFERS(offset);
	DIFFERS(clen);
	DIFFERS(plen);
	DIFFERS(type);
	DIFFERS(id[15]);
	for (uint8_t type = FRAME_DATA; type <= FRAME_TYPE_MAX; type++)
		CHECK_INT(frame_pack_kind(type), type <= FRAME_BUNDLE ? 'p' : 'm');
}

int
main(void)
{
	alarm(60);
	test_round_trips();
	test_threshold();
	test_binding();
	test_hostile_zstd();
	test_damaged_zstd();
	test_ids();
	test_usage();
	test_refs();
	return 0;
}
