/* Packlists: random additions and subtractions against a flat model, there and back, hostile bytes. */

#include "packlist.h"
#include "catalog_random.h"
#include "heap.h"

enum { SESSIONS = 6, SEQS = 60, PACKS = SESSIONS * SEQS * 2 };

/* Live bytes and length of every pack that can be, in the order of the list. */
struct model {
	uint64_t live[PACKS];
	uint64_t len[PACKS];
	size_t next;
};

static struct packlist_session
session_of(unsigned i)
{
	struct packlist_session s = {.epoch = i};

	memset(s.session, (int)(i * 3), sizeof(s.session));
	memset(s.keyid, (int)i, sizeof(s.keyid));
	memset(s.sealed, (int)i + 1, sizeof(s.sealed));
	memset(s.commitment, (int)i + 2, sizeof(s.commitment));
	return s;
}

static struct frame_ref
frame_of(size_t pack)
{
	struct frame_ref f = {
	    .type = pack / SEQS % 2 == 0 ? FRAME_DATA : FRAME_SEGMENT, .seq = (uint32_t)(pack % SEQS * 1000)};
	struct packlist_session s = session_of((unsigned)(pack / SEQS / 2));

	memcpy(f.session, s.session, sizeof(f.session));
	return f;
}

static int
check_each(void *arg, const struct packlist_pack *p, struct error *err)
{
	struct model *m = arg;
	struct frame_ref f;

	(void)err;
	while (m->next < PACKS && m->live[m->next] == 0)
		m->next++;
	CHECK(m->next < PACKS);
	f = frame_of(m->next);
	CHECK_MEM(p->session, f.session, sizeof(f.session));
	CHECK_INT(p->kind, frame_pack_kind(f.type));
	CHECK_INT(p->seq, f.seq);
	CHECK_INT(p->live, m->live[m->next]);
	CHECK_INT(p->object_len, m->len[m->next]);
	m->next++;
	return 0;
}

static void
check_model(struct packlist *l, struct model *m)
{
	struct packlist_pack found;
	struct error err = {0};
	size_t count = 0;

	m->next = 0;
	CHECK_OK(packlist_each(l, check_each, m, &err), &err);
	for (; m->next < PACKS; m->next++)
		CHECK_INT(m->live[m->next], 0);
	for (size_t i = 0; i < PACKS; i++) {
		struct frame_ref f = frame_of(i);

		count += m->live[i] > 0;
		CHECK_INT(packlist_find(l, frame_pack_kind(f.type), f.session, f.seq, &found), m->live[i] > 0);
		CHECK(m->live[i] == 0 || (found.live == m->live[i] && found.seq == f.seq));
		CHECK(!packlist_find(l, frame_pack_kind(f.type), f.session, f.seq + 1, &found));
	}
	CHECK_INT(packlist_count(l), count);
}

static void
random_step(uint64_t *state, struct packlist *l, struct model *m)
{
	size_t pack = random_below(state, PACKS);
	uint64_t len = random_below(state, 1000);
	struct frame_ref f = frame_of(pack);
	struct error err = {0};

	if (m->len[pack] == 0) {
		m->len[pack] = 1 + random_below(state, 1u << 25);
		CHECK_OK(packlist_set_len(l, frame_pack_kind(f.type), f.session, f.seq, m->len[pack], &err), &err);
	}
	if (random_below(state, 2)) {
		CHECK_OK(packlist_add(l, &f, len, &err), &err);
		m->live[pack] += len;
	} else if (len > m->live[pack]) {
		CHECK_INT(packlist_sub(l, &f, len, &err), ERR_CORRUPT);
	} else {
		len = random_below(state, 2) ? m->live[pack] : len;
		CHECK_OK(packlist_sub(l, &f, len, &err), &err);
		m->live[pack] -= len;
	}
}

static int
try_packlist(const uint8_t *bytes, size_t len, struct error *err)
{
	struct packlist *l = NULL;
	int r;

	r = packlist_decode(bytes, len, &l, err);
	packlist_free(l);
	return r;
}

static void
test_model(void)
{
	struct buf bytes = BUF_INIT(PACKLIST_ENCODED_MAX), again = BUF_INIT(PACKLIST_ENCODED_MAX);
	static struct model m;
	struct packlist *l, *other;
	struct error err = {0};
	uint64_t state = 5;

	CHECK_OK(packlist_new(&l, &err), &err);
	for (unsigned i = 0; i < SESSIONS; i++) {
		struct packlist_session s = session_of((i * 5 + 3) % SESSIONS);

		CHECK_OK(packlist_add_session(l, &s, &err), &err);
		CHECK_OK(packlist_add_session(l, &s, &err), &err);
		s.sealed[79] ^= 1;
		CHECK_INT(packlist_add_session(l, &s, &err), ERR_CORRUPT);
	}
	for (int i = 0; i < 10; i++) {
		for (int k = 0; k < 2000; k++)
			random_step(&state, l, &m);
		check_model(l, &m);
		buf_reset(&bytes);
		buf_reset(&again);
		CHECK_OK(packlist_encode(l, &bytes, &err), &err);
		CHECK_OK(packlist_decode(bytes.data, bytes.len, &other, &err), &err);
		check_model(other, &m);
		CHECK_OK(packlist_encode(other, &again, &err), &err);
		CHECK_INT(again.len, bytes.len);
		CHECK_MEM(again.data, bytes.data, bytes.len);
		packlist_free(l);
		l = other;
		/* A pack without live bytes was left out, and with it its length. */
		for (size_t k = 0; k < PACKS; k++)
			m.len[k] = m.live[k] > 0 ? m.len[k] : 0;
		for (unsigned k = 0; k < SESSIONS; k++) {
			struct packlist_session s = session_of(k);

			CHECK_OK(packlist_add_session(l, &s, &err), &err);
			CHECK_MEM(packlist_session(l, s.session), &s, sizeof(s));
			CHECK_MEM(packlist_session_at(l, k), &s, sizeof(s));
		}
		CHECK(packlist_session_at(l, SESSIONS) == NULL);
	}
	check_hostile(bytes.data, bytes.len, 5000, try_packlist);
	buf_free(&bytes);
	buf_free(&again);
	packlist_free(l);
}

static void
test_edges(void)
{
	struct packlist_session s = session_of(1), empty = session_of(2);
	struct buf bytes = BUF_INIT(10000);
	struct packlist *l;
	struct packlist_pack found;
	struct error err = {0};
	struct frame_ref f = frame_of(2 * SEQS);

	CHECK_OK(packlist_new(&l, &err), &err);
	CHECK_OK(packlist_encode(l, &bytes, &err), &err);
	CHECK_INT(bytes.len, 3);
	CHECK_INT(packlist_add(l, &f, 1, &err), ERR_CORRUPT);
	CHECK_INT(packlist_sub(l, &f, 0, &err), ERR_CORRUPT);
	CHECK_INT(packlist_set_len(l, 'p', f.session, 0, 10, &err), ERR_CORRUPT);
	CHECK(packlist_session(l, f.session) == NULL);
	CHECK(!packlist_find(l, 'p', f.session, 0, &found));
	CHECK_OK(packlist_add_session(l, &s, &err), &err);
	CHECK_OK(packlist_add_session(l, &empty, &err), &err);
	CHECK_INT(packlist_set_len(l, 'p', f.session, 0, 0, &err), ERR_CORRUPT);
	CHECK_INT(packlist_set_len(l, 'p', f.session, 0, UINT64_C(1) << 32, &err), ERR_CORRUPT);
	CHECK_INT(packlist_set_len(l, 'q', f.session, 0, 10, &err), ERR_CORRUPT);
	f.seq = UINT32_MAX;
	CHECK_OK(packlist_add(l, &f, 7, &err), &err);
	CHECK_INT(packlist_add(l, &f, UINT64_MAX, &err), ERR_CORRUPT);
	buf_reset(&bytes);
	CHECK_INT(packlist_encode(l, &bytes, &err), ERR_USAGE); /* no length */
	CHECK_INT(bytes.len, 0);
	CHECK_OK(packlist_set_len(l, 'p', f.session, f.seq, 10, &err), &err);
	CHECK_OK(packlist_encode(l, &bytes, &err), &err);
	packlist_free(l);
	CHECK_OK(packlist_decode(bytes.data, bytes.len, &l, &err), &err);
	CHECK(packlist_find(l, 'p', f.session, UINT32_MAX, &found));
	CHECK_INT(found.live, 7);
	CHECK(packlist_session(l, empty.session) == NULL);
	CHECK_INT(packlist_sub(l, &f, 8, &err), ERR_CORRUPT);
	CHECK_OK(packlist_sub(l, &f, 7, &err), &err);
	CHECK_INT(packlist_count(l), 0);
	packlist_free(l);
	buf_free(&bytes);
}

/* Lists written by hand: one session, then its packs. */
static void
test_bytes(void)
{
	static const struct {
		const char *packs;
		size_t len;
		uint32_t last; /* number of the last data pack; 0 for damage */
	} cases[] = {
	    {"\2\5\1\1\3\1\1\0", 8, 8},
	    {"\2\0\1\1\3\1\1\0", 8, 3},
	    {"\2\5\1\1\0\1\1\0", 8, 0}, /* the same pack twice */
	    {"\1\5\0\1\0", 5, 0}, /* no length */
	    {"\1\5\1\1\0\0", 6, 0}, /* a byte too many */
	    {"\2\5\1\1\xfb\xff\xff\xff\x0f\1\1\0", 12, 0}, /* number above 32 bits */
	    {"\2\5\1\1\xfa\xff\xff\xff\x0f\1\1\0", 12, UINT32_MAX},
	};
	struct packlist_session s = session_of(0);
	struct packlist_pack found;
	struct packlist *l;
	struct error err = {0};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf b = BUF_INIT(1000);

		buf_put(&b, "L\1\1", 3);
		for (size_t k = 0; k < SESSION_ID_LEN + 4 + KEY_ID_LEN + SEALED_LEN + 32; k++)
			buf_u8(&b, 0);
		buf_put(&b, cases[i].packs, cases[i].len);
		CHECK_INT(packlist_decode(b.data, b.len, &l, &err), cases[i].last > 0 ? 0 : ERR_CORRUPT);
		if (cases[i].last > 0) {
			CHECK(packlist_find(l, 'p', s.session, cases[i].last, &found));
			packlist_free(l);
		}
		buf_free(&b);
	}
}

/* ---- what a packlist may cost ---- */

/* So many sessions, each with so many packs of each kind. */
static void
forge_packlist(size_t sessions, size_t packs, struct buf *out)
{
	buf_reset(out);
	buf_put(out, "L\1", 2);
	buf_varint(out, sessions);
	for (size_t i = 0; i < sessions; i++) {
		for (size_t k = 0; k < SESSION_ID_LEN; k++)
			buf_u8(out, k < 4 ? (uint8_t)(i >> (8 * (3 - k))) : 0);
		for (size_t k = 0; k < 4 + KEY_ID_LEN + SEALED_LEN + 32; k++)
			buf_u8(out, 0);
		for (size_t kind = 0; kind < 2; kind++) {
			buf_varint(out, packs);
			for (size_t k = 0; k < packs; k++)
				buf_put(out, "\1\1\1", 3);
		}
	}
}

/* With the bytes. */
static size_t
cost_of(const struct buf *b, int want)
{
	struct error err = {0};

	heap_begin();
	CHECK_INT(try_packlist(b->data, b->len, &err), want);
	return heap_peak() + b->len;
}

static void
test_memory(void)
{
	struct buf b = BUF_INIT(PACKLIST_ENCODED_MAX);

	forge_packlist(PACKLIST_SESSIONS_MAX, PACKLIST_PACKS_MAX / PACKLIST_SESSIONS_MAX / 2, &b);
	CHECK(cost_of(&b, 0) <= PACKLIST_MEMORY_MAX);
	CHECK(cost_of(&b, 0) >= PACKLIST_MEMORY_MAX / 4 * 3);
	forge_packlist(1, PACKLIST_PACKS_MAX / 2, &b);
	CHECK(cost_of(&b, 0) <= PACKLIST_MEMORY_MAX);
	forge_packlist(1, PACKLIST_PACKS_MAX / 2 + 1, &b);
	CHECK(cost_of(&b, ERR_CORRUPT) <= PACKLIST_MEMORY_MAX);
	forge_packlist(1, 10 * 1024 * 1024, &b);
	CHECK(cost_of(&b, ERR_CORRUPT) <= b.len + 4096);
	forge_packlist(PACKLIST_SESSIONS_MAX + 1, 1, &b);
	CHECK(cost_of(&b, ERR_CORRUPT) <= b.len + 4096);
	buf_free(&b);
}

int
main(void)
{
	alarm(60);
	test_model();
	test_edges();
	test_bytes();
	test_memory();
	return 0;
}
