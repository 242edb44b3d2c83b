/*
 * Manifests and intents: what goes in comes out, and nothing that is not as the format wants it is accepted.
 */
#include <stdbool.h>
#include <unistd.h>

#include "buf.h"
#include "check.h"
#include "cleanup.h"
#include "envelope.h"
#include "manifest.h"
#include "pack.h"

#define MANIFEST_TYPE "application/vnd.snapferry.manifest+json;version=1"
#define INTENT_TYPE   "application/vnd.snapferry.intent+json;version=1"
#define PARENT_ID     "01934f00-0000-7000-8000-000000000001"
#define BASE_ID       "01934f00-0000-7000-8000-00000000abcd"

static void
make_keys(struct volume_keys *keys, uint8_t secret)
{
	struct error err;

	memset(keys, 0, sizeof(*keys));
	memset(keys->volume, 0x11, sizeof(keys->volume));
	keys->epoch = 3;
	memset(keys->keyid, secret, sizeof(keys->keyid));
	memcpy(keys->name, "prod/db-0", 10);
	memset(keys->secret, secret, sizeof(keys->secret));
	CHECK_OK(volume_keys_derive(keys, &err), &err);
}

static void
make_frame(struct frame_ref *f, uint8_t type, uint8_t session, uint32_t n)
{
	memset(f, 0, sizeof(*f));
	memset(f->session, session, sizeof(f->session));
	memset(f->id, (int)n, sizeof(f->id));
	f->seq = n;
	f->ordinal = n;
	f->offset = PACK_HEADER_LEN + n;
	f->clen = 100;
	f->plen = 200;
	f->type = type;
}

static char *
copy(const char *text)
{
	char *p = strdup(text);

	CHECK(p != NULL);
	return p;
}

/* A manifest in which every member is different. */
static void
make_manifest(struct manifest *m, const struct volume_keys *keys)
{
	static const uint8_t random[10] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};

	memset(m, 0, sizeof(*m));
	snapshot_id_make(INT64_C(1732237323456), random, m->snapshot);
	memcpy(m->volume, keys->volume, sizeof(m->volume));
	m->epoch = keys->epoch;
	memcpy(m->keyid, keys->keyid, sizeof(m->keyid));
	m->sequence = 17;
	memcpy(m->parent, PARENT_ID, sizeof(m->parent));
	memset(m->parent_sha256, 0x5A, sizeof(m->parent_sha256));
	m->mode = MODE_BLOCK;
	m->started = (struct manifest_time){1732237323, 456000789};
	m->finished = (struct manifest_time){1732237999, 1};
	memset(m->session, 0xA1, sizeof(m->session));
	make_frame(&m->root[0], FRAME_ROOT, 0xA1, 1);
	make_frame(&m->root[1], FRAME_ROOT, 0xA1, 2);
	m->nroot = 2;
	make_frame(&m->packlist[0], FRAME_PACKLIST, 0xB2, 3);
	m->npacklist = 1;
	m->nsessions = 2;
	m->sessions = calloc(2, sizeof(m->sessions[0]));
	CHECK(m->sessions != NULL);
	for (size_t i = 0; i < 2; i++) {
		memset(m->sessions[i].session, i == 0 ? 0xA1 : 0xB2, SESSION_ID_LEN);
		m->sessions[i].epoch = 3 + (uint32_t)i;
		memset(m->sessions[i].keyid, 0x20 + (int)i, KEY_ID_LEN);
		memset(m->sessions[i].sealed, 0x30 + (int)i, SEALED_LEN);
		memset(m->sessions[i].commitment, 0x40 + (int)i, 32);
	}
	m->statistics = (struct manifest_statistics){101, 102, INT64_MAX, 104, 105, 106, 107, 108, 109, 110, 676543};
	m->tool = copy("snapferry 1.0");
	m->source = copy("/data \"quoted\" \\ \x01 \xc3\xa9");
	m->host = copy("node-1");
	m->ntags = 2;
	m->tags = calloc(2, sizeof(m->tags[0]));
	CHECK(m->tags != NULL);
	m->tags[0] = (struct manifest_tag){copy("zone"), copy("b\nc")};
	m->tags[1] = (struct manifest_tag){copy("app"), copy("")};
	m->nexcludes = 2;
	m->excludes = calloc(2, sizeof(m->excludes[0]));
	CHECK(m->excludes != NULL);
	m->excludes[0] = copy("*.tmp");
	m->excludes[1] = copy("lost+found");
	m->size = UINT64_C(1) << 40;
}

static void
check_same_frames(const struct frame_ref *a, size_t na, const struct frame_ref *b, size_t nb)
{
	CHECK_INT(na, nb);
	for (size_t i = 0; i < na; i++)
		CHECK(frame_ref_equal(&a[i], &b[i]));
}

static void
check_same(const struct manifest *a, const struct manifest *b)
{
	CHECK_STR(a->snapshot, b->snapshot);
	CHECK_MEM(a->volume, b->volume, sizeof(a->volume));
	CHECK_INT(a->epoch, b->epoch);
	CHECK_MEM(a->keyid, b->keyid, sizeof(a->keyid));
	CHECK_INT(a->sequence, b->sequence);
	CHECK_STR(a->parent, b->parent);
	CHECK_MEM(a->parent_sha256, b->parent_sha256, sizeof(a->parent_sha256));
	CHECK_INT(a->mode, b->mode);
	CHECK_INT(a->started.s, b->started.s);
	CHECK_INT(a->started.ns, b->started.ns);
	CHECK_INT(a->finished.s, b->finished.s);
	CHECK_INT(a->finished.ns, b->finished.ns);
	CHECK_MEM(a->session, b->session, sizeof(a->session));
	check_same_frames(a->root, a->nroot, b->root, b->nroot);
	check_same_frames(a->packlist, a->npacklist, b->packlist, b->npacklist);
	CHECK_INT(a->nsessions, b->nsessions);
	for (size_t i = 0; i < a->nsessions; i++) {
		CHECK_MEM(a->sessions[i].session, b->sessions[i].session, SESSION_ID_LEN);
		CHECK_INT(a->sessions[i].epoch, b->sessions[i].epoch);
		CHECK_MEM(a->sessions[i].keyid, b->sessions[i].keyid, KEY_ID_LEN);
		CHECK_MEM(a->sessions[i].sealed, b->sessions[i].sealed, SEALED_LEN);
		CHECK_MEM(a->sessions[i].commitment, b->sessions[i].commitment, 32);
	}
	CHECK_MEM(&a->statistics, &b->statistics, sizeof(a->statistics));
	CHECK_STR(a->tool, b->tool);
	CHECK_STR(a->source, b->source);
	CHECK_STR(a->host, b->host);
	CHECK_INT(a->ntags, b->ntags);
	for (size_t i = 0; i < a->ntags; i++) {
		CHECK_STR(a->tags[i].key, b->tags[i].key);
		CHECK_STR(a->tags[i].value, b->tags[i].value);
	}
	CHECK_INT(a->nexcludes, b->nexcludes);
	for (size_t i = 0; i < a->nexcludes; i++)
		CHECK_STR(a->excludes[i], b->excludes[i]);
	CHECK_INT(a->size, b->size);
	CHECK_MEM(a->sha256, b->sha256, sizeof(a->sha256));
	CHECK_INT(a->object_len, b->object_len);
}

static void
test_round_trip(const struct volume_keys *keys)
{
	CLEANUP(manifest_wipe) struct manifest m, parsed;
	CLEANUP(buf_free) struct buf object = BUF_INIT(ENVELOPE_MAX);
	uint8_t sha256[32];
	struct error err;

	make_manifest(&m, keys);
	buf_put(&object, "before", 6);
	CHECK_OK(manifest_encode(&m, keys, &object, &err), &err);
	CHECK_INT(m.object_len, object.len - 6);
	CHECK_OK(crypto_sha256(object.data + 6, object.len - 6, sha256, &err), &err);
	CHECK_MEM(m.sha256, sha256, sizeof(sha256));
	CHECK_OK(manifest_parse(object.data + 6, object.len - 6, keys, &parsed, &err), &err);
	check_same(&m, &parsed);
	CHECK_STR(parsed.name, keys->name);
}

/* Empty lists, no parent, strings that are NULL. */
static void
test_least(const struct volume_keys *keys)
{
	CLEANUP(manifest_wipe) struct manifest full, parsed;
	CLEANUP(buf_free) struct buf object = BUF_INIT(ENVELOPE_MAX);
	struct manifest m;
	struct error err;

	make_manifest(&full, keys);
	m = full;
	m.parent[0] = '\0';
	m.mode = MODE_FILE;
	m.tool = m.source = m.host = NULL;
	m.ntags = m.nexcludes = 0;
	memset(&m.statistics, 0, sizeof(m.statistics));
	CHECK_OK(manifest_encode(&m, keys, &object, &err), &err);
	CHECK_OK(manifest_parse(object.data, object.len, keys, &parsed, &err), &err);
	CHECK_STR(parsed.parent, "");
	CHECK_INT(parsed.mode, MODE_FILE);
	CHECK_STR(parsed.source, "");
	CHECK_STR(parsed.tool, "");
	CHECK_INT(parsed.ntags, 0);
	CHECK_INT(parsed.nexcludes, 0);
}

static void
test_text_that_is_not_utf8(const struct volume_keys *keys)
{
	static const struct {
		const char *given, *want;
	} cases[] = {
	    {"a\xff"
	     "b",
		"a\xef\xbf\xbd"
		"b"},
	    {"\xc3", "\xef\xbf\xbd"},
	    {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* a surrogate */
	    {"\xf0\x9f\x9a\xa2", "\xf0\x9f\x9a\xa2"},
	    {"\x7f\x1f\t", "\x7f\x1f\t"},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		CLEANUP(manifest_wipe) struct manifest m, parsed;
		CLEANUP(buf_free) struct buf object = BUF_INIT(ENVELOPE_MAX);
		struct error err;

		make_manifest(&m, keys);
		free(m.source);
		m.source = copy(cases[i].given);
		CHECK_OK(manifest_encode(&m, keys, &object, &err), &err);
		CHECK_OK(manifest_parse(object.data, object.len, keys, &parsed, &err), &err);
		CHECK_STR(parsed.source, cases[i].want);
	}
}

/* What cannot be read is not written. */
static void
test_encode_refuses(const struct volume_keys *keys)
{
	for (int i = 0; i < 17; i++) {
		CLEANUP(manifest_wipe) struct manifest m;
		CLEANUP(buf_free) struct buf object = BUF_INIT(ENVELOPE_MAX);
		struct manifest bad;
		struct manifest_tag tag;
		char long_text[600000];
		struct error err;

		make_manifest(&m, keys);
		bad = m;
		memset(long_text, 'x', sizeof(long_text));
		long_text[sizeof(long_text) - 1] = '\0';
		switch (i) {
		case 0:
			bad.snapshot[0] = 'X';
			break;
		case 1:
			bad.parent[8] = 'x';
			break;
		case 2:
			bad.nroot = 0;
			break;
		case 3:
			bad.npacklist = MANIFEST_FRAMES_MAX + 1;
			break;
		case 4:
			bad.root[0].type = FRAME_PACKLIST;
			break;
		case 5:
			bad.root[1].clen = 0;
			break;
		case 6:
			bad.root[0].session[0] ^= 1;
			break;
		case 7:
			bad.nsessions = 1;
			break;
		case 8:
			bad.sequence = UINT64_MAX;
			break;
		case 9:
			bad.statistics.bytes = (uint64_t)INT64_MAX + 1;
			break;
		case 10:
			bad.started.ns = 1000000000;
			break;
		case 11:
			bad.finished.s = INT64_MAX;
			break;
		case 12:
			bad.epoch++;
			break;
		case 13:
			bad.name = long_text;
			break;
		case 14:
			bad.source = long_text;
			break;
		case 15:
			bad.mode = (enum manifest_mode)2;
			break;
		default:
			tag = (struct manifest_tag){(char *)(uintptr_t) "\xff", m.tool};
			bad.tags = &tag;
			bad.ntags = 1;
			break;
		}
		CHECK_INT(manifest_encode(&bad, keys, &object, &err), ERR_USAGE);
		CHECK_INT(object.len, 0);
	}
}

static void
test_truncations_and_flips(const struct volume_keys *keys)
{
	CLEANUP(manifest_wipe) struct manifest m;
	CLEANUP(buf_free) struct buf object = BUF_INIT(ENVELOPE_MAX);
	uint64_t random = 1;
	struct error err;

	make_manifest(&m, keys);
	CHECK_OK(manifest_encode(&m, keys, &object, &err), &err);
	while (object.len > 0 && (object.data[object.len - 1] == '\n' || object.data[object.len - 1] == ' '))
		object.len--;
	for (size_t len = 0; len < object.len; len++) {
		CLEANUP(manifest_wipe) struct manifest parsed = {0};

		CHECK_INT(manifest_parse(object.data, len, keys, &parsed, &err), ERR_CORRUPT);
	}
	for (int i = 0; i < 2000; i++) {
		CLEANUP(manifest_wipe) struct manifest parsed = {0};
		size_t at = check_random(&random) % object.len;
		uint8_t bits = (uint8_t)(1 + check_random(&random) % 255);
		int r;

		object.data[at] ^= bits;
		r = manifest_parse(object.data, object.len, keys, &parsed, &err);
		/* A change outside of what is signed may do no harm, as in the name of an unused member. */
		if (r == 0)
			CHECK_STR(parsed.snapshot, m.snapshot);
		else
			CHECK(r == ERR_CORRUPT || r == ERR_WRONG_KEY);
		object.data[at] ^= bits;
	}
}

static void
test_other_keys(const struct volume_keys *keys)
{
	CLEANUP(manifest_wipe) struct manifest m, parsed = {0};
	CLEANUP(buf_free) struct buf object = BUF_INIT(ENVELOPE_MAX);
	struct volume_keys other;
	struct error err;

	make_keys(&other, 9);
	make_manifest(&m, keys);
	CHECK_OK(manifest_encode(&m, keys, &object, &err), &err);
	CHECK_INT(manifest_parse(object.data, object.len, &other, &parsed, &err), ERR_WRONG_KEY);

	/* Signed rightly, but for another epoch or volume. */
	other = *keys;
	other.epoch++;
	CHECK_INT(manifest_parse(object.data, object.len, &other, &parsed, &err), ERR_CORRUPT);
	other = *keys;
	other.volume[3] ^= 1;
	CHECK_INT(manifest_parse(object.data, object.len, &other, &parsed, &err), ERR_CORRUPT);
	other = *keys;
	other.name[0] = 'x';
	CHECK_INT(manifest_parse(object.data, object.len, &other, &parsed, &err), ERR_CORRUPT);
}

/* The payload of an object with one piece of text replaced, signed again. */
static void
forge(const char *type, const struct buf *object, const struct volume_keys *keys, const char *from, const char *to,
    struct buf *out)
{
	CLEANUP(buf_free) struct buf payload = BUF_INIT(ENVELOPE_MAX), changed = BUF_INIT(ENVELOPE_MAX);
	struct error err;
	const uint8_t *at;

	CHECK_OK(envelope_open(type, object->data, object->len, keys->sign_public, &payload, &err), &err);
	at = memmem(payload.data, payload.len, from, strlen(from));
	if (at == NULL)
		fprintf(stderr, "the payload does not hold %s\n", from);
	CHECK(at != NULL);
	buf_put(&changed, payload.data, (size_t)(at - payload.data));
	buf_put(&changed, to, strlen(to));
	at += strlen(from);
	buf_put(&changed, at, (size_t)(payload.data + payload.len - at));
	CHECK_OK(envelope_seal(type, changed.data, changed.len, keys->sign_seed, out, &err), &err);
}

struct forgery {
	const char *from, *to;
	int want;
};

static void
test_forged_payloads(const struct volume_keys *keys)
{
	static const struct forgery cases[] = {
	    {"\"sequence\":17", "\"sequence\":18", 0},
	    {"{", "{\"later\":{\"member\":[1,2]},", 0},
	    {"\"retain_until\":null", "\"retain_until\":\"2030-01-01T00:00:00Z\"", 0},
	    {"676.543", "676", 0},
	    {"\"version\":1", "\"version\":2", ERR_UNSUPPORTED},
	    {"\"shards\":1", "\"shards\":2", ERR_UNSUPPORTED},
	    {"\"shards\":1", "\"shards\":0", ERR_CORRUPT},
	    {"snapferry-manifest", "snapferry-intent", ERR_CORRUPT},
	    {"\"sequence\":17", "\"sequence\":-1", ERR_CORRUPT},
	    {"\"sequence\":17", "\"sequence\":9223372036854775808", ERR_CORRUPT},
	    {"\"sequence\":17", "\"sequence\":17.0", ERR_CORRUPT},
	    {"\"sequence\":17", "\"sequence\":\"17\"", ERR_CORRUPT},
	    {"\"sequence\":17", "\"sequence\":true", ERR_CORRUPT},
	    {"\"sequence\"", "\"seqvence\"", ERR_CORRUPT},
	    {"\"epoch\":3", "\"epoch\":4294967299", ERR_CORRUPT},
	    {"\"parent\":{", "\"parent\":[],\"old\":{", ERR_CORRUPT},
	    {"\"parent\"", "\"orphan\"", ERR_CORRUPT},
	    {PARENT_ID, "01934f00-0000-7000-8000-00000000000", ERR_CORRUPT},
	    {PARENT_ID, "01934F00-0000-7000-8000-000000000001", ERR_CORRUPT},
	    {"\"mode\":\"block\"", "\"mode\":\"files\"", ERR_CORRUPT},
	    {"\"started\":\"2024", "\"started\":\"x024", ERR_CORRUPT},
	    {"\"finished\":\"2024-11", "\"finished\":\"2024-13", ERR_CORRUPT},
	    {"\"retain_until\":null", "\"retain_until\":5", ERR_CORRUPT},
	    {"\"root\":[", "\"root\":[7,", ERR_CORRUPT},
	    {"\"root\":[", "\"root\":[],\"old\":[", ERR_CORRUPT},
	    {"\"packlist\":[", "\"packlist\":{},\"old\":[", ERR_CORRUPT},
	    {"\"seq\":1,", "\"seq\":4294967296,", ERR_CORRUPT},
	    {"\"offset\":177", "\"offset\":1", ERR_CORRUPT},
	    {"\"offset\":177", "\"offset\":2147483647", ERR_CORRUPT},
	    {"\"plen\":200", "\"plen\":0", ERR_CORRUPT},
	    {"\"plen\":200", "\"plen\":8388609", ERR_CORRUPT},
	    {"\"clen\":100", "\"clen\":17", ERR_CORRUPT},
	    {"\"sessions\":[", "\"sessions\":[null,", ERR_CORRUPT},
	    {"\"sessions\":[", "\"sessions\":[],\"old\":[", ERR_CORRUPT},
	    {"\"seconds\":676.543", "\"seconds\":-1", ERR_CORRUPT},
	    {"\"seconds\":676.543", "\"seconds\":1e300", ERR_CORRUPT},
	    {"\"seconds\":676.543", "\"seconds\":NaN", ERR_CORRUPT},
	    {"\"seconds\":676.543", "\"seconds\":null", ERR_CORRUPT},
	    {"\"warnings\"", "\"warning\"", ERR_CORRUPT},
	    {"\"tool\":\"", "\"tool\":\"\\u0000", ERR_CORRUPT},
	    {"\"private\":\"", "\"private\":\"0", ERR_CORRUPT},
	    {"\"private\":\"", "\"private\":\"00", ERR_CORRUPT},
	    {"\"private\":\"", "\"private\":\"\",\"old\":\"", ERR_CORRUPT},
	};
	CLEANUP(manifest_wipe) struct manifest m;
	CLEANUP(buf_free) struct buf object = BUF_INIT(ENVELOPE_MAX);
	struct error err;

	make_manifest(&m, keys);
	CHECK_OK(manifest_encode(&m, keys, &object, &err), &err);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		CLEANUP(manifest_wipe) struct manifest parsed = {0};
		CLEANUP(buf_free) struct buf forged = BUF_INIT(ENVELOPE_MAX);
		int r;

		forge(MANIFEST_TYPE, &object, keys, cases[i].from, cases[i].to, &forged);
		r = manifest_parse(forged.data, forged.len, keys, &parsed, &err);
		if (r != cases[i].want)
			fprintf(stderr, "%s for %s\n", cases[i].to, cases[i].from);
		CHECK_INT(r, cases[i].want);
	}
}

/* The private part, sealed rightly with this plaintext. */
static void
forge_private(const struct volume_keys *keys, const struct manifest *m, const char *json, struct buf *out)
{
	CLEANUP(buf_free) struct buf object = BUF_INIT(ENVELOPE_MAX), payload = BUF_INIT(ENVELOPE_MAX);
	struct manifest plain = *m;
	uint8_t key[KEY_LEN], id[SNAPSHOT_ID_BYTES], sealed[4096 + TAG_LEN];
	const uint8_t *at;
	struct error err;

	CHECK_OK(manifest_encode(&plain, keys, &object, &err), &err);
	CHECK_OK(envelope_open(MANIFEST_TYPE, object.data, object.len, keys->sign_public, &payload, &err), &err);
	at = memmem(payload.data, payload.len, "\"private\":\"", 11);
	CHECK(at != NULL);
	payload.len = (size_t)(at - payload.data) + 11;
	CHECK(snapshot_id_bytes(m->snapshot, id) && strlen(json) <= 4096);
	CHECK_OK(crypto_derive(keys->manifest, "private", id, sizeof(id), key, &err), &err);
	CHECK_OK(aead_seal_once(key, id, sizeof(id), json, strlen(json), sealed, &err), &err);
	buf_hex(&payload, sealed, strlen(json) + TAG_LEN);
	buf_printf(&payload, "\"}");
	CHECK_OK(envelope_seal(MANIFEST_TYPE, payload.data, payload.len, keys->sign_seed, out, &err), &err);
}

static void
test_forged_private(const struct volume_keys *keys)
{
#define START "{\"name\":\"prod/db-0\",\"source\":\"/\",\"host\":\"h\","
	static const struct {
		const char *json;
		int want;
	} cases[] = {
	    {START "\"tags\":{},\"excludes\":[],\"size\":0}", 0},
	    {START "\"tags\":{\"a\":\"b\"},\"excludes\":[\"x\"],\"size\":1,\"more\":1}", 0},
	    {"{\"name\":\"other\",\"source\":\"/\",\"host\":\"h\",\"tags\":{},\"excludes\":[],\"size\":0}",
		ERR_CORRUPT},
	    {START "\"tags\":[],\"excludes\":[],\"size\":0}", ERR_CORRUPT},
	    {START "\"tags\":{\"a\":1},\"excludes\":[],\"size\":0}", ERR_CORRUPT},
	    {START "\"tags\":{\"\":\"b\"},\"excludes\":[],\"size\":0}", ERR_CORRUPT},
	    {START "\"tags\":{\"a\":null},\"excludes\":[],\"size\":0}", ERR_CORRUPT},
	    {START "\"tags\":{},\"excludes\":[null],\"size\":0}", ERR_CORRUPT},
	    {START "\"tags\":{},\"excludes\":[\"a\\u0000b\"],\"size\":0}", ERR_CORRUPT},
	    {START "\"tags\":{},\"excludes\":[],\"size\":-1}", ERR_CORRUPT},
	    {START "\"tags\":{},\"excludes\":[]}", ERR_CORRUPT},
	    {"[]", ERR_CORRUPT},
	    {"{", ERR_CORRUPT},
	};
	CLEANUP(manifest_wipe) struct manifest m;
	struct error err;

	make_manifest(&m, keys);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		CLEANUP(manifest_wipe) struct manifest parsed = {0};
		CLEANUP(buf_free) struct buf forged = BUF_INIT(ENVELOPE_MAX);

		forge_private(keys, &m, cases[i].json, &forged);
		CHECK_INT(manifest_parse(forged.data, forged.len, keys, &parsed, &err), cases[i].want);
		if (cases[i].want < 0)
			CHECK(strstr(err.msg, "private part") != NULL);
	}
}

static void
test_limits(const struct volume_keys *keys)
{
	CLEANUP(manifest_wipe) struct manifest m, parsed = {0};
	CLEANUP(buf_free) struct buf object = BUF_INIT(ENVELOPE_MAX), many = BUF_INIT(ENVELOPE_MAX);
	struct manifest_tag tags[MANIFEST_TAGS_MAX + 1];
	char names[MANIFEST_TAGS_MAX + 1][8];
	struct manifest big;
	struct error err;

	make_manifest(&m, keys);
	big = m;
	for (size_t i = 0; i <= MANIFEST_TAGS_MAX; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "t%zu", i);
		tags[i] = (struct manifest_tag){names[i], names[i]};
	}
	for (size_t i = 0; i < MANIFEST_FRAMES_MAX; i++) {
		make_frame(&big.root[i], FRAME_ROOT, 0xA1, (uint32_t)i);
		make_frame(&big.packlist[i], FRAME_PACKLIST, 0xB2, (uint32_t)i);
	}
	big.tags = tags;
	big.ntags = MANIFEST_TAGS_MAX;
	big.nroot = big.npacklist = MANIFEST_FRAMES_MAX;
	CHECK_OK(manifest_encode(&big, keys, &object, &err), &err);
	CHECK_OK(manifest_parse(object.data, object.len, keys, &parsed, &err), &err);
	check_same(&big, &parsed);
	manifest_wipe(&parsed);
	big.ntags++;
	buf_reset(&object);
	CHECK_INT(manifest_encode(&big, keys, &object, &err), ERR_USAGE);

	/* More than that from a writer that does not care. */
	buf_printf(&many, START "\"excludes\":[],\"size\":0,\"tags\":{");
	for (size_t i = 0; i <= MANIFEST_TAGS_MAX; i++)
		buf_printf(&many, "%s\"t%zu\":\"\"", i == 0 ? "" : ",", i);
	buf_put(&many, "}}", 3);
	forge_private(keys, &m, (const char *)many.data, &object);
	CHECK_INT(manifest_parse(object.data, object.len, keys, &parsed, &err), ERR_CORRUPT);
#undef START
}

static void
test_intents(const struct volume_keys *keys)
{
	static const struct forgery cases[] = {
	    {"{", "{\"later\":1,", 0},
	    {"\"base\":\"" BASE_ID "\"", "\"base\":null", 0},
	    {"\"base\":\"" BASE_ID "\"", "\"base\":\"\"", ERR_CORRUPT},
	    {"\"base\":\"" BASE_ID "\"", "\"base\":7", ERR_CORRUPT},
	    {"\"base\"", "\"bass\"", ERR_CORRUPT},
	    {"\"adopted\":[", "\"adopted\":[null,", ERR_CORRUPT},
	    {"\"adopted\":[", "\"adopted\":[\"00\",", ERR_CORRUPT},
	    {"\"adopted\":[", "\"adopted\":\"\",\"old\":[", ERR_CORRUPT},
	    {"\"refreshed\":\"", "\"refreshed\":\"x", ERR_CORRUPT},
	    {"\"version\":1", "\"version\":2", ERR_UNSUPPORTED},
	    {"snapferry-intent", "snapferry-manifest", ERR_CORRUPT},
	};
	uint8_t adopted[2][SESSION_ID_LEN] = {{1, 2}, {3, 4}};
	struct intent i = {.epoch = 3, .base = BASE_ID, .adopted = adopted, .nadopted = 2, .started = {5, 6}};
	CLEANUP(intent_wipe) struct intent parsed = {.epoch = 0};
	CLEANUP(buf_free) struct buf object = BUF_INIT(ENVELOPE_MAX);
	struct volume_keys other;
	struct error err;

	memcpy(i.volume, keys->volume, sizeof(i.volume));
	memcpy(i.keyid, keys->keyid, sizeof(i.keyid));
	memset(i.session, 0x77, sizeof(i.session));
	i.refreshed = (struct manifest_time){-7, 8};
	CHECK_OK(intent_encode(&i, keys, &object, &err), &err);
	CHECK_OK(intent_parse(object.data, object.len, keys, &parsed, &err), &err);
	CHECK_MEM(parsed.volume, i.volume, sizeof(i.volume));
	CHECK_INT(parsed.epoch, 3);
	CHECK_MEM(parsed.keyid, i.keyid, sizeof(i.keyid));
	CHECK_MEM(parsed.session, i.session, sizeof(i.session));
	CHECK_STR(parsed.base, BASE_ID);
	CHECK_INT(parsed.nadopted, 2);
	CHECK_MEM(parsed.adopted, adopted, sizeof(adopted));
	CHECK_INT(parsed.started.s, 5);
	CHECK_INT(parsed.started.ns, 6);
	CHECK_INT(parsed.refreshed.s, -7);
	CHECK_INT(parsed.refreshed.ns, 8);

	make_keys(&other, 9);
	intent_wipe(&parsed);
	CHECK_INT(intent_parse(object.data, object.len, &other, &parsed, &err), ERR_WRONG_KEY);
	for (size_t len = 0; len + 1 < object.len; len++)
		CHECK_INT(intent_parse(object.data, len, keys, &parsed, &err), ERR_CORRUPT);
	for (size_t n = 0; n < COUNT_OF(cases); n++) {
		CLEANUP(buf_free) struct buf forged = BUF_INIT(ENVELOPE_MAX);

		forge(INTENT_TYPE, &object, keys, cases[n].from, cases[n].to, &forged);
		CHECK_INT(intent_parse(forged.data, forged.len, keys, &parsed, &err), cases[n].want);
		intent_wipe(&parsed);
	}
	i.nadopted = INTENT_ADOPTED_MAX + 1;
	CHECK_INT(intent_encode(&i, keys, &object, &err), ERR_USAGE);
	i.nadopted = 0;
	i.base[3] = 'x';
	CHECK_INT(intent_encode(&i, keys, &object, &err), ERR_USAGE);
}

static void
test_ids(void)
{
	static const struct {
		const char *id;
		bool valid;
	} cases[] = {
	    {"01934f00-0000-7000-8000-000000000001", true},
	    {"ffffffff-ffff-ffff-ffff-ffffffffffff", true},
	    {"", false},
	    {"01934f00-0000-7000-8000-00000000000", false},
	    {"01934f00-0000-7000-8000-0000000000012", false},
	    {"01934F00-0000-7000-8000-000000000001", false},
	    {"01934f000-000-7000-8000-000000000001", false},
	    {"01934f00-0000-7000-8000-00000000000g", false},
	    {"01934f00/0000-7000-8000-000000000001", false},
	};
	static const uint8_t ones[10] = {255, 255, 255, 255, 255, 255, 255, 255, 255, 255}, zeros[10];
	char a[SNAPSHOT_ID_LEN + 1], b[SNAPSHOT_ID_LEN + 1];
	int64_t ms;

	for (size_t i = 0; i < COUNT_OF(cases); i++)
		CHECK(snapshot_id_valid(cases[i].id) == cases[i].valid);
	/* The example of RFC 9562, appendix A.6: this time, and these random bits. */
	snapshot_id_make(
	    INT64_C(0x017F22E279B0), (const uint8_t[]){0x0C, 0xC3, 0x18, 0xC4, 0xDC, 0x0C, 0x0C, 0x07, 0x39, 0x8F}, a);
	CHECK_STR(a, "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
	CHECK(snapshot_id_time(a, &ms));
	CHECK_INT(ms, INT64_C(0x017F22E279B0));
	CHECK(!snapshot_id_time("017f22e2-79b0-4cc3-98c4-dc0c0c07398f", &ms));
	snapshot_id_make(1000, ones, a);
	snapshot_id_make(1001, zeros, b);
	CHECK(strcmp(a, b) < 0);
}

int
main(void)
{
	struct volume_keys keys;

	(void)alarm(60);
	make_keys(&keys, 7);
	test_ids();
	test_round_trip(&keys);
	test_least(&keys);
	test_text_that_is_not_utf8(&keys);
	test_encode_refuses(&keys);
	test_truncations_and_flips(&keys);
	test_other_keys(&keys);
	test_forged_payloads(&keys);
	test_forged_private(&keys);
	test_limits(&keys);
	test_intents(&keys);
	return 0;
}
