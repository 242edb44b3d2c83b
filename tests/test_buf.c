/* Writing and reading the format's integers: round trips, ceilings, malformed input. */
#include <unistd.h>

#include "buf.h"
#include "check.h"
#include "cleanup.h"
#include "wire.h"

static const uint64_t edges[] = {0, 1, 0x7F, 0x80, 0xFF, 0x3FFF, 0x4000, 0xFFFF, 0x10000, UINT32_MAX,
    (uint64_t)UINT32_MAX + 1, INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX - 1, UINT64_MAX};

static void
test_bytes(void)
{
	static const uint8_t want[] = {0x11, 0x22, 0x11, 0x44, 0x33, 0x22, 0x11, 8, 7, 6, 5, 4, 3, 2, 1, 0xAC, 0x02,
	    0x01, 'x', '=', '5', 'f', 'f', '0', '0'};
	struct buf b = BUF_INIT(100);
	struct error err;

	buf_u8(&b, 0x11);
	buf_u16(&b, 0x1122);
	buf_u32(&b, 0x11223344);
	buf_u64(&b, 0x0102030405060708);
	buf_varint(&b, 300);
	buf_zigzag(&b, -1);
	buf_printf(&b, "x=%d", 5);
	buf_hex(&b, "\xFF\x00", 2);
	CHECK_OK(buf_check(&b, "text", &err), &err);
	CHECK_INT(b.len, sizeof(want));
	CHECK_MEM(b.data, want, sizeof(want));
	buf_wipe(&b);
	CHECK(b.data == NULL && b.len == 0 && b.limit == 100);
	buf_free(&b);
}

static void
test_ceiling(void)
{
	struct buf b;
	struct error err;
	uint8_t bytes[300] = {0};

	for (size_t limit = 0; limit < sizeof(bytes); limit++) {
		buf_init(&b, limit);
		for (size_t i = 0; i < limit; i++)
			buf_u8(&b, (uint8_t)i);
		CHECK_OK(buf_check(&b, "b", &err), &err);
		CHECK(b.len == limit && b.cap <= (limit > 0 ? limit : 1));
		buf_printf(&b, "%s", "");
		CHECK_OK(buf_check(&b, "b", &err), &err);
		buf_u8(&b, 1);
		buf_put(&b, bytes, 0);
		CHECK(buf_extend(&b, 0) == NULL);
		CHECK_INT(b.len, limit);
		CHECK_INT(buf_check(&b, "the list", &err), ERR_NOMEM);
		CHECK_STR(err.msg, "the list is too large");
		buf_reset(&b);
		CHECK_OK(buf_check(&b, "b", &err), &err);
		buf_put(&b, bytes, limit);
		CHECK_INT(b.len, limit);
		buf_free(&b);
	}
	/* Text that fits to the last byte, and one that does not. */
	buf_init(&b, 64);
	buf_printf(&b, "%064d", 1);
	CHECK(b.len == 64 && !b.failed);
	buf_reset(&b);
	buf_printf(&b, "%065d", 1);
	CHECK(b.len == 0 && b.failed);
	buf_free(&b);
	/* Sizes that would overflow. */
	buf_init(&b, SIZE_MAX);
	buf_u8(&b, 1);
	CHECK(buf_extend(&b, SIZE_MAX) == NULL && b.failed);
	buf_free(&b);
	buf_init(&b, SIZE_MAX);
	CHECK(buf_extend(&b, 0) != NULL && b.len == 0);
	buf_free(&b);
}

static void
test_growth(void)
{
	struct buf b = BUF_INIT(1 << 20);
	struct error err;

	for (uint32_t i = 0; i < 1 << 18; i++)
		buf_u32(&b, i);
	CHECK_OK(buf_check(&b, "b", &err), &err);
	CHECK_INT(b.len, 1 << 20);
	for (uint32_t i = 0; i < 1 << 18; i++)
		CHECK(b.data[i * 4] == (uint8_t)i && b.data[i * 4 + 2] == (uint8_t)(i >> 16));
	buf_free(&b);
}

enum kind { U8, U16, U32, U64, VARINT, VARINT_MAX, ZIGZAG, BYTES, KINDS };

struct value {
	enum kind kind;
	uint64_t v;
	uint8_t text[20];
};

static struct value
random_value(uint64_t *state)
{
	struct value x = {.kind = (enum kind)(check_random(state) % KINDS)};

	x.v = check_random(state) >> check_random(state) % 64;
	if (check_random(state) % 4 == 0)
		x.v = edges[check_random(state) % COUNT_OF(edges)];
	memset(x.text, (int)(x.v & 0xFF), sizeof(x.text));
	return x;
}

static void
write_value(struct buf *b, const struct value *x)
{
	switch (x->kind) {
	case U8:
		buf_u8(b, (uint8_t)x->v);
		break;
	case U16:
		buf_u16(b, (uint16_t)x->v);
		break;
	case U32:
		buf_u32(b, (uint32_t)x->v);
		break;
	case U64:
		buf_u64(b, x->v);
		break;
	case ZIGZAG:
		buf_zigzag(b, (int64_t)x->v);
		break;
	case BYTES:
		buf_put(b, x->text, x->v % sizeof(x->text));
		break;
	default:
		buf_varint(b, x->v);
		break;
	}
}

/* Is the next value of w this one? */
static bool
read_value(struct wire *w, const struct value *x)
{
	const uint8_t *p;

	switch (x->kind) {
	case U8:
		return wire_u8(w) == (uint8_t)x->v && !w->bad;
	case U16:
		return wire_u16(w) == (uint16_t)x->v && !w->bad;
	case U32:
		return wire_u32(w) == (uint32_t)x->v && !w->bad;
	case U64:
		return wire_u64(w) == x->v && !w->bad;
	case ZIGZAG:
		return wire_zigzag(w) == (int64_t)x->v && !w->bad;
	case BYTES:
		p = wire_bytes(w, x->v % sizeof(x->text));
		return p != NULL && memcmp(p, x->text, x->v % sizeof(x->text)) == 0;
	case VARINT_MAX:
		return wire_varint_max(w, x->v) == x->v && !w->bad;
	default:
		return wire_varint(w) == x->v && !w->bad;
	}
}

static void
test_round_trip(void)
{
	enum { VALUES = 50 };
	struct value values[VALUES];
	uint64_t state = 1;

	for (int round = 0; round < 500; round++) {
		struct buf b = BUF_INIT(10000);
		struct wire w;

		for (size_t i = 0; i < VALUES; i++) {
			values[i] = random_value(&state);
			write_value(&b, &values[i]);
		}
		wire_init(&w, b.data, b.len);
		for (size_t i = 0; i < VALUES; i++)
			CHECK(read_value(&w, &values[i]));
		CHECK(wire_done(&w));

		/* Cut anywhere, the reader is never done and never goes back to good; the copy lets tools see reads
		 * past its end. */
		size_t len = check_random(&state) % b.len;
		uint8_t *cut = malloc(len + (len == 0));

		CHECK(cut != NULL);
		memcpy(cut, b.data, len);
		wire_init(&w, cut, len);
		for (size_t i = 0; i < VALUES; i++)
			(void)read_value(&w, &values[i]);
		CHECK(!wire_done(&w));
		CHECK(wire_left(&w) == 0);
		free(cut);
		buf_free(&b);
	}
}

static void
test_varint(void)
{
	static const struct {
		const char *bytes;
		size_t len;
		bool good;
		uint64_t v;
	} cases[] = {
	    {"", 0, false, 0},
	    {"\x00", 1, true, 0},
	    {"\x7F", 1, true, 127},
	    {"\x80", 1, false, 0},
	    {"\x80\x01", 2, true, 128},
	    {"\x80\x80\x80\x80\x80\x80\x80\x80\x80", 9, false, 0},
	    {"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", 10, true, UINT64_MAX},
	    {"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x02", 10, false, 0},
	    {"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x81\x00", 11, false, 0},
	    {"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 11, false, 0},
	};
	struct wire w;

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		wire_init(&w, cases[i].bytes, cases[i].len);
		CHECK(wire_varint(&w) == cases[i].v);
		CHECK_INT(wire_done(&w), cases[i].good);
	}
	/* Bad stays bad, although there are bytes left. */
	wire_init(&w, "\x05\x06\x07", 3);
	CHECK_INT(wire_varint_max(&w, 4), 0);
	CHECK(w.bad && wire_u8(&w) == 0 && wire_varint(&w) == 0 && wire_zigzag(&w) == 0);
	CHECK(wire_bytes(&w, 0) == NULL && wire_left(&w) == 0 && !wire_done(&w));
}

static void
test_count(void)
{
	struct wire w;

	wire_init(&w,
	    "\x03"
	    "123456",
	    7);
	CHECK_INT(wire_count(&w, 2), 3);
	CHECK_INT(wire_left(&w), 6);
	wire_init(&w,
	    "\x04"
	    "123456",
	    7);
	CHECK_INT(wire_count(&w, 2), 0);
	CHECK(w.bad);
	wire_init(&w,
	    "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"
	    "1",
	    11);
	CHECK_INT(wire_count(&w, SIZE_MAX), 0);
	CHECK(w.bad);
	wire_init(&w, NULL, 0);
	CHECK(wire_done(&w) && wire_bytes(&w, 0) != NULL && wire_bytes(&w, 1) == NULL);
}

static void
test_hex(void)
{
	static const struct {
		const char *text;
		bool good;
	} cases[] = {{"00ff1a", true}, {"00ff1", false}, {"00ff1a0", false}, {"00ff1a00", false}, {"", false},
	    {"00fF1a", false}, {"00fg1a", false}, {" 0ff1a", false}, {"00\xFF", false}};
	uint8_t bytes[3];
	char text[7];

	for (size_t i = 0; i < COUNT_OF(cases); i++)
		CHECK_INT(hex_decode(bytes, sizeof(bytes), cases[i].text), cases[i].good);
	CHECK(hex_decode(bytes, 3, "00ff1a"));
	CHECK_MEM(bytes, "\x00\xFF\x1A", 3);
	hex_encode(text, bytes, 3);
	CHECK_STR(text, "00ff1a");
	hex_encode(text, bytes, 0);
	CHECK_STR(text, "");
	CHECK(hex_decode(bytes, 0, "") && !hex_decode(bytes, 0, "0"));
}

int
main(void)
{
	(void)alarm(60);
	test_bytes();
	test_ceiling();
	test_growth();
	test_round_trip();
	test_varint();
	test_count();
	test_hex();
	return 0;
}
