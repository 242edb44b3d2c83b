/*
 * Packs: random ones against a simple model, then every kind of damage and lie.  The golden constants come from
 * golden/pack.py, which knows only docs/format.md.
 */

#include <sys/mman.h>
#include <unistd.h>

#include "../storage/format/le.h"
#include "../storage/format/pack_internal.h"
#include "check.h"
#include "cleanup.h"
#include "pack.h"
#include "wire.h"

#define GOLDEN_DATA     "4bc0c38c5f44847ba3769acb39a8cfbd55c615bdf26e10eef3c6a2b23882a922"
#define GOLDEN_METADATA "564684761ad2cebe8a97b06d022f639695d2f57d0ad816dfeba0091c98ae161a"

struct world {
	struct volume_keys keys;
	struct session_key session;
	struct sealer *sealer;
	struct opener *opener;
	uint64_t seed;
};

static void
world_new(struct world *w, int level)
{
	struct error err;

	memset(w, 0, sizeof(*w));
	for (int i = 0; i < 80; i++) {
		w->keys.volume[i % VOLUME_ID_LEN] = (uint8_t)(0xA0 + i % VOLUME_ID_LEN);
		w->keys.keyid[i % KEY_ID_LEN] = (uint8_t)(0xC0 + i % KEY_ID_LEN);
		w->keys.secret[i % KEY_LEN] = (uint8_t)(i % KEY_LEN);
		w->session.session[i % SESSION_ID_LEN] = (uint8_t)(0x50 + i % SESSION_ID_LEN);
		w->session.key[i % KEY_LEN] = (uint8_t)(0x20 + i % KEY_LEN);
		w->session.sealed[i] = (uint8_t)(0x80 + i);
		w->session.commitment[i % 32] = (uint8_t)(0x40 + i % 32);
	}
	w->keys.epoch = 0x01020304;
	CHECK_OK(crypto_derive(w->keys.secret, "chunk-id", "golden", 6, w->keys.chunk_id, &err), &err);
	CHECK_OK(sealer_new(&w->keys, level, &w->sealer, &err), &err);
	CHECK_OK(opener_new(&w->opener, &err), &err);
}

static void
world_free(struct world *w)
{
	sealer_free(w->sealer);
	opener_free(w->opener);
}

static struct pack *
new_pack(size_t capacity)
{
	struct pack *p;
	struct error err;

	CHECK_OK(pack_new(capacity, &p, &err), &err);
	return p;
}

static void
add(struct world *w, struct pack *p, uint8_t type, const void *plain, size_t len)
{
	uint8_t id[ID_LEN];
	struct frame_ref ref, again;
	struct error err;
	size_t n = pack_frames(p);

	CHECK(pack_fits(p, len));
	CHECK_OK(sealer_id(w->sealer, type, plain, len, id, &err), &err);
	CHECK_OK(pack_add(p, w->sealer, type, id, plain, len, n, len, &ref, &err), &err);
	CHECK_INT(pack_frames(p), n + 1);
	pack_ref(p, n, &again);
	CHECK(frame_ref_equal(&ref, &again) && frame_ref_valid(&ref));
	CHECK_INT(ref.ordinal, n);
	CHECK_INT(ref.type, type);
	CHECK_MEM(ref.id, id, ID_SHORT);
	CHECK_MEM(ref.session, w->session.session, SESSION_ID_LEN);
	CHECK_INT(ref.seq, pack_header(p)->seq);
	CHECK_MEM(pack_record(p, n)->id, id, ID_LEN);
}

/* The parts of a finished pack as a reader takes them from the bytes alone. */
struct parts {
	struct pack_header header;
	uint32_t offset, len;
	uint8_t key[KEY_LEN];
	struct pack_record *records;
	size_t count;
};

static int
read_parts(const struct world *w, const uint8_t *bytes, size_t len, struct parts *out, struct error *err)
{
	CLEANUP_FREE uint8_t *sealed = NULL;
	int r;

	out->records = NULL;
	if (len < PACK_HEADER_LEN + PACK_FOOTER_LEN)
		return error_set(err, ERR_CORRUPT, "too short");
	if ((r = pack_header_parse(bytes, &out->header, err)) < 0)
		return r;
	r = pack_footer_parse(bytes, bytes + len - PACK_FOOTER_LEN, len, &out->offset, &out->len, err);
	if (r < 0)
		return r;
	CHECK((uint64_t)out->offset + out->len + PACK_FOOTER_LEN == len);
	r = session_key_pack(&w->session, out->header.volume, out->header.kind, out->header.seq, out->key, err);
	CHECK_OK(r, err);
	sealed = malloc(out->len);
	CHECK(sealed != NULL);
	memcpy(sealed, bytes + out->offset, out->len);
	return pack_trailer_open(out->key, bytes, out->offset, sealed, out->len, &out->records, &out->count, err);
}

/* Everything that pack_add() was given comes back: the model is the plaintexts behind each other. */
static void
check_pack(struct world *w, const struct pack *p, const uint8_t *plains)
{
	struct parts parts;
	struct error err;
	uint32_t end = PACK_HEADER_LEN;

	CHECK_OK(read_parts(w, pack_bytes(p), pack_len(p), &parts, &err), &err);
	CHECK_INT(parts.count, pack_frames(p));
	CHECK_INT(parts.header.kind, pack_header(p)->kind);
	CHECK_INT(parts.header.seq, pack_header(p)->seq);
	CHECK_INT(parts.header.epoch, w->keys.epoch);
	CHECK_MEM(parts.header.volume, w->keys.volume, VOLUME_ID_LEN);
	CHECK_MEM(parts.header.keyid, w->keys.keyid, KEY_ID_LEN);
	CHECK_MEM(parts.header.session, w->session.session, SESSION_ID_LEN);
	CHECK_MEM(parts.header.sealed, w->session.sealed, SEALED_LEN);
	CHECK_MEM(parts.header.commitment, w->session.commitment, 32);
	CHECK_OK(opener_set_key(w->opener, parts.key, &err), &err);
	for (size_t i = 0; i < parts.count; i++) {
		const struct pack_record *got = &parts.records[i], *want = pack_record(p, i);
		CLEANUP_FREE uint8_t *sealed = malloc(got->clen), *plain = malloc(got->plen);
		struct frame_ref ref;

		CHECK(sealed != NULL && plain != NULL);
		CHECK_MEM(got->id, want->id, ID_LEN);
		CHECK(got->type == want->type && got->offset == want->offset && got->clen == want->clen &&
		      got->plen == want->plen && got->path_hash == want->path_hash &&
		      got->file_offset == want->file_offset);
		CHECK_INT(got->path_hash, i);
		CHECK_INT(got->file_offset, got->plen);
		CHECK_INT(got->offset, end);
		end += got->clen;
		memcpy(sealed, pack_bytes(p) + got->offset, got->clen);
		pack_ref(p, i, &ref);
		CHECK_OK(opener_open(w->opener, &ref, sealed, plain, &err), &err);
		CHECK_MEM(plain, plains, got->plen);
		plains += got->plen;
	}
	CHECK_INT(end, parts.offset);
	free(parts.records);
}

static size_t
random_len(struct world *w)
{
	switch (check_random(&w->seed) % 8) {
	case 0:
		return 1 + check_random(&w->seed) % 60000;
	case 1:
	case 2:
		return 1 + check_random(&w->seed) % 5000;
	default:
		return 1 + check_random(&w->seed) % 100;
	}
}

/* One pack after the other in the same memory, each filled until a random frame does not fit or its time has come. */
static void
test_random(void)
{
	static const size_t capacities[] = {65536, 65537, 100000, 262144, 500009};
	struct world w;
	struct error err;

	world_new(&w, 1);
	for (size_t c = 0; c < COUNT_OF(capacities); c++) {
		struct pack *p = new_pack(capacities[c]);
		CLEANUP_FREE uint8_t *plains = malloc(16 * capacities[c] + 60000);

		CHECK(plains != NULL);
		for (uint32_t round = 0; round < 30; round++) {
			uint8_t kind = round % 2 == 0 ? 'p' : 'm', id[ID_LEN] = {0};
			size_t most = check_random(&w.seed) % 2 == 0 ? SIZE_MAX : check_random(&w.seed) % 40;
			size_t used = 0, len = random_len(&w), before;
			struct frame_ref ref;

			CHECK_OK(pack_begin(p, &w.keys, &w.session, kind, round, w.sealer, &err), &err);
			while (pack_frames(p) < most && pack_fits(p, len) && used + len < 16 * capacities[c]) {
				bool text = check_random(&w.seed) % 2 == 0;
				unsigned type =
				    kind == 'p' ? 1 + check_random(&w.seed) % 2 : 3 + check_random(&w.seed) % 5;

				for (size_t i = 0; i < len; i++)
					plains[used + i] = text ? (uint8_t)len : (uint8_t)check_random(&w.seed);
				add(&w, p, (uint8_t)type, plains + used, len);
				used += len;
				len = random_len(&w);
			}
			before = pack_len(p);
			if (!pack_fits(p, len)) {
				CHECK_INT(pack_add(p, w.sealer, kind == 'p' ? 1 : 3, id, plains, len, 0, 0, &ref, &err),
				    ERR_NOMEM);
				CHECK_INT(pack_len(p), before);
			}
			CHECK_OK(pack_finish(p, &err), &err);
			CHECK(pack_len(p) <= capacities[c]);
			CHECK_INT(pack_len(p), pack_padme(before + 56 + 64 * pack_frames(p)));
			check_pack(&w, p, plains);
		}
		pack_free(p);
	}
	world_free(&w);
}

/* pack_fits() promises neither more nor less than the format allows. */
static void
test_capacity(void)
{
	static const size_t capacities[] = {65536, 66000, 70000, 131071, 131072, 131073};
	CLEANUP_FREE uint8_t *plain = calloc(1, 200000);
	struct world w;
	struct error err;

	CHECK(plain != NULL);
	world_new(&w, FRAME_NO_COMPRESSION);
	for (size_t c = 0; c < COUNT_OF(capacities); c++) {
		struct pack *p = new_pack(capacities[c]);
		size_t len = 1, n = 0;

		CHECK_OK(pack_begin(p, &w.keys, &w.session, 'p', 0, w.sealer, &err), &err);
		while (pack_fits(p, len + 1))
			len++;
		CHECK(pack_padme(176 + len + 17 + 64 + 56) <= capacities[c]);
		CHECK(pack_padme(176 + len + 1 + 17 + 64 + 56) > capacities[c]);
		add(&w, p, FRAME_DATA, plain, len);
		CHECK_OK(pack_finish(p, &err), &err);
		CHECK(pack_len(p) <= capacities[c]);
		check_pack(&w, p, plain);

		CHECK_OK(pack_begin(p, &w.keys, &w.session, 'p', 1, w.sealer, &err), &err);
		for (; pack_fits(p, 1); n++)
			add(&w, p, FRAME_BUNDLE, plain, 1);
		CHECK(pack_padme(176 + n * 82 + 56) <= capacities[c]);
		CHECK(pack_padme(176 + (n + 1) * 82 + 56) > capacities[c]);
		CHECK_OK(pack_finish(p, &err), &err);
		check_pack(&w, p, plain);
		pack_free(p);
	}
	world_free(&w);
}

static void
test_usage(void)
{
	struct world w;
	struct pack *p;
	struct frame_ref ref;
	struct error err;
	uint8_t id[ID_LEN] = {0};

	world_new(&w, 1);
	CHECK_INT(pack_new(65535, &p, &err), ERR_USAGE);
	CHECK_INT(pack_new((size_t)PACK_LEN_MAX + 1, &p, &err), ERR_USAGE);
	p = new_pack(65536);
	CHECK(!pack_fits(p, 1));
	CHECK_INT(pack_finish(p, &err), ERR_USAGE);
	CHECK_INT(pack_begin(p, &w.keys, &w.session, 'x', 1, w.sealer, &err), ERR_USAGE);
	CHECK_OK(pack_begin(p, &w.keys, &w.session, 'm', 1, w.sealer, &err), &err);
	CHECK(!pack_fits(p, 0) && !pack_fits(p, SIZE_MAX) && !pack_fits(p, (size_t)FRAME_PLAIN_MAX + 1));
	CHECK_INT(pack_add(p, w.sealer, FRAME_DATA, id, id, 1, 0, 0, &ref, &err), ERR_USAGE);
	CHECK_INT(pack_add(p, w.sealer, 0, id, id, 1, 0, 0, &ref, &err), ERR_USAGE);
	CHECK_INT(pack_add(p, w.sealer, FRAME_FILE, id, id, 1, 0, 0, &ref, &err), ERR_USAGE);
	CHECK_INT(pack_add(p, w.sealer, FRAME_ROOT, id, id, 0, 0, 0, &ref, &err), ERR_USAGE);
	add(&w, p, FRAME_ROOT, id, 1);
	CHECK_OK(pack_finish(p, &err), &err);
	CHECK_INT(pack_finish(p, &err), ERR_USAGE);
	CHECK(!pack_fits(p, 1));
	CHECK_INT(pack_add(p, w.sealer, FRAME_ROOT, id, id, 1, 0, 0, &ref, &err), ERR_USAGE);
	check_pack(&w, p, id);
	CHECK_OK(pack_begin(p, &w.keys, &w.session, 'p', 2, w.sealer, &err), &err);
	CHECK_INT(pack_frames(p), 0);
	CHECK_OK(pack_finish(p, &err), &err);
	check_pack(&w, p, id);
	pack_free(p);
	pack_free(NULL);
	world_free(&w);
}

/* A large pack of which little is used must not cost its capacity. */
static void
test_untouched(void)
{
	struct world w;
	struct error err;
	size_t page = (size_t)sysconf(_SC_PAGESIZE), half = PACK_LEN_MAX / 2, pages = half / page;
	CLEANUP_FREE unsigned char *resident = calloc(pages, 1);
	struct pack *p = new_pack(PACK_LEN_MAX);

	CHECK(resident != NULL);
	world_new(&w, 1);
	CHECK_OK(pack_begin(p, &w.keys, &w.session, 'p', 0, w.sealer, &err), &err);
	add(&w, p, FRAME_DATA, "x", 1);
	CHECK_OK(pack_finish(p, &err), &err);
	CHECK_INT(mincore((void *)(uintptr_t)(pack_bytes(p) + half), half, resident), 0);
	for (size_t i = 0; i < pages; i++)
		CHECK((resident[i] & 1) == 0);
	pack_free(p);
	world_free(&w);
}

static void
test_padme(void)
{
	static const uint64_t table[][2] = {{0, 0}, {1, 1}, {2, 2}, {3, 3}, {8, 8}, {9, 10}, {15, 16}, {17, 18},
	    {100, 104}, {255, 256}, {257, 272}, {1000, 1024}, {65535, 65536}, {65537, 67584}, {1000000, 1015808},
	    {16777216, 16777216}, {16777217, 17301504}, {33000000, 33030144}, {268435456, 268435456},
	    {UINT64_MAX, UINT64_MAX}, {UINT64_C(1) << 63, UINT64_C(1) << 63}};
	uint64_t state = 3, last = 0;

	for (size_t i = 0; i < COUNT_OF(table); i++)
		CHECK_INT(pack_padme(table[i][0]), table[i][1]);
	for (uint64_t n = 1; n < 70000; n++) {
		CHECK(pack_padme(n) >= n && pack_padme(n) >= last);
		last = pack_padme(n);
	}
	/* At most 12 % more, for large ones less, and a fixed point. */
	for (int i = 0; i < 20000; i++) {
		uint64_t n = 2 + (check_random(&state) >> (check_random(&state) % 62)) / 2, p = pack_padme(n);

		CHECK(p >= n && p - n <= n / 8 && pack_padme(p) == p);
	}
}

static void
test_names(void)
{
	struct world w;
	char name[PACK_NAME_LEN];

	world_new(&w, 1);
	pack_name(w.keys.volume, 'm', w.session.session, 0xBEEF, name);
	CHECK_STR(name, "v/a0a1a2a3a4a5a6a7a8a9aaabacadaeaf/m/505152535455565758595a5b5c5d5e5f/0000beef");
	world_free(&w);
}

/* Every flipped bit outside the frames is found, and every cut. */
static void
test_damage(void)
{
	struct world w;
	struct pack *p = new_pack(65536);
	struct parts parts;
	struct error err;
	CLEANUP_FREE uint8_t *bytes = NULL;
	size_t len, end;
	int r;

	world_new(&w, 1);
	CHECK_OK(pack_begin(p, &w.keys, &w.session, 'p', 9, w.sealer, &err), &err);
	add(&w, p, FRAME_DATA, "Hello", 5);
	add(&w, p, FRAME_BUNDLE, "World", 5);
	end = pack_len(p);
	CHECK_OK(pack_finish(p, &err), &err);
	len = pack_len(p);
	bytes = malloc(len);
	CHECK(bytes != NULL);
	memcpy(bytes, pack_bytes(p), len);
	for (size_t at = 0; at < len; at++) {
		if (at >= PACK_HEADER_LEN && at < end)
			continue;
		for (unsigned bit = 0; bit < 8; bit++) {
			bytes[at] ^= (uint8_t)(1u << bit);
			r = read_parts(&w, bytes, len, &parts, &err);
			CHECK(r == ERR_CORRUPT || (r == ERR_UNSUPPORTED && (at == 4 || at == 5)));
			bytes[at] ^= (uint8_t)(1u << bit);
		}
	}
	for (size_t cut = 0; cut < len; cut++) {
		CLEANUP_FREE uint8_t *part = malloc(cut + 1);

		CHECK(part != NULL);
		memcpy(part, bytes, cut);
		CHECK_INT(read_parts(&w, part, cut, &parts, &err), ERR_CORRUPT);
	}
	CHECK_OK(read_parts(&w, bytes, len, &parts, &err), &err);
	free(parts.records);
	w.session.key[0] ^= 1;
	CHECK_INT(read_parts(&w, bytes, len, &parts, &err), ERR_CORRUPT);
	pack_free(p);
	world_free(&w);
}

/* Even the header must be right in the fields that its footer vouches for. */
static void
test_hostile_header(void)
{
	static const struct {
		size_t at;
		uint8_t value;
		int want;
	} cases[] = {{0, 's', ERR_CORRUPT}, {3, 'L', ERR_CORRUPT}, {4, 0, ERR_UNSUPPORTED}, {4, 2, ERR_UNSUPPORTED},
	    {5, 2, ERR_UNSUPPORTED}, {6, 0, ERR_CORRUPT}, {6, 'q', ERR_CORRUPT}, {7, 1, ERR_CORRUPT},
	    {12, 1, ERR_CORRUPT}, {15, 1, ERR_CORRUPT}, {52, 1, ERR_CORRUPT}, {55, 0x80, ERR_CORRUPT}, {6, 'm', 0},
	    {8, 77, 0}};
	struct world w;
	struct pack *p = new_pack(65536);
	struct pack_header h;
	struct error err;
	uint8_t header[PACK_HEADER_LEN];

	world_new(&w, 1);
	CHECK_OK(pack_begin(p, &w.keys, &w.session, 'p', 9, w.sealer, &err), &err);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		memcpy(header, pack_bytes(p), sizeof(header));
		header[cases[i].at] = cases[i].value;
		CHECK_INT(pack_header_parse(header, &h, &err), cases[i].want);
	}
	pack_free(p);
	world_free(&w);
}

static void
test_hostile_footer(void)
{
	static const struct {
		uint32_t offset, len;
		uint64_t object_len;
		bool good;
	} cases[] = {
	    {176, 24, 232, true},
	    {176, 24, 231, false},
	    {176, 24, 233, false},
	    {175, 25, 232, false},
	    {176, 23, 231, false},
	    {0, 200, 232, false},
	    {176, UINT32_MAX, UINT64_C(176) + UINT32_MAX + 32, false},
	    {176, UINT32_MAX, 207, false},
	    {UINT32_MAX, 24, UINT64_C(24) + UINT32_MAX + 32, false},
	    {UINT32_MAX, UINT32_MAX, 30, false},
	    {PACK_LEN_MAX - 56, 24, PACK_LEN_MAX, true},
	    {PACK_LEN_MAX - 55, 24, PACK_LEN_MAX + 1, false},
	};
	uint8_t header[PACK_HEADER_LEN] = {1}, footer[PACK_FOOTER_LEN];
	struct error err;
	uint32_t offset, len;

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		le_put32(footer, cases[i].offset);
		le_put32(footer + 4, cases[i].len);
		memcpy(footer + 24, PACK_END_MAGIC, 8);
		CHECK_OK(pack_check(header, cases[i].offset, cases[i].len, footer + 8, &err), &err);
		CHECK_INT(pack_footer_parse(header, footer, cases[i].object_len, &offset, &len, &err),
		    cases[i].good ? 0 : ERR_CORRUPT);
	}
}

/* Trailers inside a valid seal that lie in one place each. */
static void
test_hostile_trailer(void)
{
	enum { LEN = 8 + 3 * 64 + 40, TRAILER = 176 + 20 + 30 + 40 };
	static const struct {
		size_t at;
		uint32_t value;
		bool good;
	} cases[] = {
	    {0, 3, true},
	    {0, 2, false},
	    {0, 4, false},
	    {0, 0, false},
	    {0, UINT32_MAX, false},
	    {0, 0x04000003, false},
	    {4, 1, false},
	    {8 + 32, 2, true},
	    {8 + 32, 0, false},
	    {8 + 32, 3, false},
	    {8 + 32, 0x80, false},
	    {8 + 32, 0x101, false},
	    {8 + 32, 0x01000001, false},
	    {8 + 36, 177, false},
	    {8 + 36, 175, false},
	    {8 + 40, 21, false},
	    {8 + 40, 19, false},
	    {8 + 40, 17, false},
	    {8 + 40, 0, false},
	    {8 + 40, UINT32_MAX, false},
	    {8 + 44, 3, true},
	    {8 + 44, 2, false},
	    {8 + 44, 0, false},
	    {8 + 44, FRAME_PLAIN_MAX, true},
	    {8 + 44, FRAME_PLAIN_MAX + 1, false},
	    {8 + 64 + 36, 197, false},
	    {8 + 64 + 36, 176, false},
	    {8 + 128 + 40, 41, false},
	    {8 + 128 + 40, 39, false},
	    {8 + 192, 1, false},
	    {LEN - 4, 0x80000000, false},
	};
	struct world w;
	struct pack *p = new_pack(65536);
	struct error err;
	const uint8_t key[KEY_LEN] = {5};

	world_new(&w, 1);
	CHECK_OK(pack_begin(p, &w.keys, &w.session, 'p', 9, w.sealer, &err), &err);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		static const uint32_t clens[] = {20, 30, 40};
		uint8_t trailer[LEN + TAG_LEN] = {3}, *record = trailer + 8;
		uint32_t offset = 176;
		struct pack_record *records;
		struct aead *aead;
		size_t count;

		for (size_t k = 0; k < 3; k++, record += 64) {
			le_put32(record + 32, FRAME_DATA);
			le_put32(record + 36, offset);
			le_put32(record + 40, clens[k]);
			le_put32(record + 44, 100);
			offset += clens[k];
		}
		le_put32(trailer + cases[i].at, cases[i].value);
		CHECK_OK(aead_new(&aead, &err), &err);
		CHECK_OK(aead_set_key(aead, key, &err), &err);
		CHECK_OK(aead_seal(aead, PACK_TRAILER_ORDINAL, pack_bytes(p), 176, trailer, LEN, trailer, &err), &err);
		aead_free(aead);
		CHECK_INT(
		    pack_trailer_open(key, pack_bytes(p), TRAILER, trailer, sizeof(trailer), &records, &count, &err),
		    cases[i].good ? 0 : ERR_CORRUPT);
		if (cases[i].good)
			free(records);
	}
	pack_free(p);
	world_free(&w);
}

static void
check_golden(const struct pack *p, const char *want)
{
	uint8_t hash[32];
	char hex[65];
	struct error err;

	CHECK_OK(crypto_sha256(pack_bytes(p), pack_len(p), hash, &err), &err);
	hex_encode(hex, hash, sizeof(hash));
	CHECK_STR(hex, want);
}

static void
test_golden(void)
{
	struct pack *p = new_pack(65536);
	uint8_t plain[5000];
	struct world w;
	struct error err;

	for (size_t i = 0; i < sizeof(plain); i++)
		plain[i] = (uint8_t)(i * i % 251);
	world_new(&w, FRAME_NO_COMPRESSION);
	CHECK_OK(pack_begin(p, &w.keys, &w.session, 'p', 7, w.sealer, &err), &err);
	add(&w, p, FRAME_DATA, plain, 5000);
	add(&w, p, FRAME_BUNDLE, plain + 1, 1);
	add(&w, p, FRAME_DATA, plain, 0x123);
	CHECK_OK(pack_finish(p, &err), &err);
	check_golden(p, GOLDEN_DATA);
	CHECK_OK(pack_begin(p, &w.keys, &w.session, 'm', 0xA0B0C0D0, w.sealer, &err), &err);
	for (uint8_t type = FRAME_CATALOG; type <= FRAME_CHECKPOINT; type++)
		add(&w, p, type, plain, 100u * type);
	CHECK_OK(pack_finish(p, &err), &err);
	check_golden(p, GOLDEN_METADATA);
	pack_free(p);
	world_free(&w);
}

int
main(void)
{
	alarm(60);
	test_padme();
	test_names();
	test_usage();
	test_capacity();
	test_random();
	test_untouched();
	test_damage();
	test_hostile_header();
	test_hostile_footer();
	test_hostile_trailer();
	test_golden();
	return 0;
}
