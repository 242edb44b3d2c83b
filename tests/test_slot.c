/* Key slots and secrets: what opens, what does not, and how the difference is told. */
#include "slot.h"

#include <unistd.h>

#include "buf.h"
#include "check.h"
#include "cleanup.h"
#include "wire.h"

#define LOG_N 10

static struct root_key root;

static struct secret
passphrase(const char *text)
{
	struct secret s = {.kind = SECRET_PASSPHRASE, .len = strlen(text)};

	CHECK(s.len <= sizeof(s.bytes));
	memcpy(s.bytes, text, s.len);
	return s;
}

static struct secret
key_file(uint8_t first)
{
	struct secret s = {.kind = SECRET_KEY_FILE, .len = KEY_LEN};

	for (size_t i = 0; i < KEY_LEN; i++)
		s.bytes[i] = (uint8_t)(first + i);
	return s;
}

static int
try_open(const struct buf *slot, const struct secret *s, struct error *err)
{
	struct root_key got;
	int r;

	memset(&got, 0, sizeof(got));
	memcpy(got.repository, root.repository, REPOSITORY_ID_LEN);
	r = slot_open(slot->data, slot->len, s, &got, err);
	if (r == 0)
		CHECK_MEM(got.key, root.key, KEY_LEN);
	else
		CHECK(memcmp(got.key, root.key, KEY_LEN) != 0);
	return r;
}

/* Replace text of the same length in a copy of the slot, and open it. */
static int
open_changed(const struct buf *slot, const struct secret *s, const char *find, const char *replace)
{
	struct buf copy = BUF_INIT(65536);
	struct error err;
	char *at;
	int r;

	CHECK_INT(strlen(find), strlen(replace));
	buf_put(&copy, slot->data, slot->len);
	buf_u8(&copy, '\0');
	at = strstr((char *)copy.data, find);
	CHECK(at != NULL);
	memcpy(at, replace, strlen(replace));
	copy.len--;
	r = try_open(&copy, s, &err);
	buf_free(&copy);
	return r;
}

static void
test_key_file(void)
{
	static const char digits[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
	static const struct {
		const char *prefix, *suffix;
		int code;
	} cases[] = {
	    {"snapferry-key-1 ", "", 0},
	    {"snapferry-key-1 ", "\n", 0},
	    {"snapferry-key-1 ", "\r\n", 0},
	    {"snapferry-key-1 ", "\n\n", ERR_USAGE},
	    {"snapferry-key-1 ", "\r", ERR_USAGE},
	    {"snapferry-key-1 ", " ", ERR_USAGE},
	    {"snapferry-key-1 ", "20", ERR_USAGE},
	    {"snapferry-key-2 ", "\n", ERR_USAGE},
	    {"snapferry-key-1  ", "", ERR_USAGE},
	    {"", "", ERR_USAGE},
	};
	struct secret s, want = key_file(0);
	struct buf out = BUF_INIT(1024);
	uint8_t same[KEY_LEN];
	struct error err;
	char text[128];

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		(void)snprintf(text, sizeof(text), "%s%s%s", cases[i].prefix, digits, cases[i].suffix);
		CHECK_INT(secret_parse_key_file(text, strlen(text), &s, &err), cases[i].code);
		if (cases[i].code == 0)
			CHECK_MEM(&s, &want, sizeof(s));
	}
	/* Every wrong digit, every length. */
	(void)snprintf(text, sizeof(text), "snapferry-key-1 %s\n", digits);
	for (size_t i = 0; i < 80; i++) {
		char saved = text[i];

		text[i] = 'G';
		CHECK_INT(secret_parse_key_file(text, 81, &s, &err), ERR_USAGE);
		text[i] = saved;
	}
	for (size_t len = 0; len < 80; len++) {
		if (len != KEY_LEN)
			CHECK_INT(secret_parse_key_file(text, len, &s, &err), ERR_USAGE);
	}
	CHECK_OK(secret_parse_key_file(want.bytes, KEY_LEN, &s, &err), &err);
	CHECK_MEM(&s, &want, sizeof(s));
	for (unsigned value = 0; value < 256; value += 15) {
		memset(same, (int)value, sizeof(same));
		CHECK_INT(secret_parse_key_file(same, KEY_LEN, &s, &err), ERR_USAGE);
	}
	same[31] ^= 1;
	CHECK_OK(secret_parse_key_file(same, KEY_LEN, &s, &err), &err);

	CHECK_OK(secret_format_key_file(&want, &out, &err), &err);
	CHECK_INT(out.len, 81);
	CHECK_MEM(out.data, text, 81);
	s = passphrase("word");
	CHECK_INT(secret_format_key_file(&s, &out, &err), ERR_USAGE);
	secret_wipe(&s);
	CHECK_INT(s.len, 0);
	CHECK_INT(s.bytes[0], 0);
	buf_free(&out);
}

static void
test_open(void)
{
	struct buf word = BUF_INIT(65536), file = BUF_INIT(65536);
	struct secret right = passphrase("correct horse"), wrong = passphrase("correct horsf");
	struct secret key = key_file(1), wrong_key = key_file(2);
	char id[2 * SLOT_ID_LEN + 1], second[2 * SLOT_ID_LEN + 1];
	struct error err;

	CHECK_OK(slot_create(&root, &right, "me \"and\" \\ you \xc3\xa4", LOG_N, 1700000000, id, &word, &err), &err);
	CHECK_INT(strlen(id), 2 * SLOT_ID_LEN);
	CHECK_OK(slot_create(&root, &key, "", 0, 1700000000, second, &file, &err), &err);
	CHECK(strcmp(id, second) != 0);

	CHECK_OK(try_open(&word, &right, &err), &err);
	CHECK_INT(try_open(&word, &wrong, &err), ERR_WRONG_KEY);
	CHECK_INT(try_open(&word, &key, &err), ERR_WRONG_KEY);
	CHECK_OK(try_open(&file, &key, &err), &err);
	CHECK_INT(try_open(&file, &wrong_key, &err), ERR_WRONG_KEY);
	CHECK_INT(try_open(&file, &right, &err), ERR_WRONG_KEY);
	right.len--;
	CHECK_INT(try_open(&word, &right, &err), ERR_WRONG_KEY);
	buf_free(&word);
	buf_free(&file);
}

/* A slot with values where slot_create() writes its own: what another program may write. */
static void
make_slot(struct buf *out, const struct secret *s, const char *scrypt, unsigned log_n, unsigned r, unsigned p)
{
	uint8_t context[REPOSITORY_ID_LEN + SLOT_ID_LEN] = {0}, salt[32] = {5};
	uint8_t kek[KEY_LEN], wrap[KEY_LEN], commitment[KEY_LEN], wrapped[KEY_LEN + TAG_LEN];
	struct error err;

	memcpy(context, root.repository, REPOSITORY_ID_LEN);
	CHECK_OK(crypto_scrypt(s->bytes, s->len, salt, log_n, r, p, kek, &err), &err);
	CHECK_OK(crypto_derive(kek, "slot-commitment", context, sizeof(context), commitment, &err), &err);
	CHECK_OK(crypto_derive(kek, "slot-wrap", context, sizeof(context), wrap, &err), &err);
	CHECK_OK(aead_seal_once(wrap, context, sizeof(context), root.key, KEY_LEN, wrapped, &err), &err);
	buf_reset(out);
	buf_printf(out, "{\"wrapped\": \"");
	buf_hex(out, wrapped, sizeof(wrapped));
	buf_printf(out, "\", \"commitment\": \"");
	buf_hex(out, commitment, sizeof(commitment));
	buf_printf(out, "\", \"scrypt\": {\"salt\": \"");
	buf_hex(out, salt, sizeof(salt));
	buf_printf(
	    out, "\", %s}, \"created\": \"2026-11-22T01:02:03.5Z\", \"label\": \"\", \"kind\": \"scrypt\"", scrypt);
	buf_printf(out, ", \"repository\": \"");
	buf_hex(out, root.repository, REPOSITORY_ID_LEN);
	buf_printf(
	    out, "\", \"id\": \"0000000000000000\", \"version\": 1, \"format\": \"snapferry-slot\", \"more\": []}");
}

static void
test_scrypt_limits(void)
{
	static const struct {
		const char *text;
		int code;
	} cases[] = {
	    {"\"log_n\": 10, \"r\": 8, \"p\": 1", 0},
	    {"\"log_n\": 9, \"r\": 8, \"p\": 1", ERR_CORRUPT},
	    {"\"log_n\": 21, \"r\": 8, \"p\": 1", ERR_CORRUPT},
	    {"\"log_n\": 4294967306, \"r\": 8, \"p\": 1", ERR_CORRUPT},
	    {"\"log_n\": 99999999999999999999, \"r\": 8, \"p\": 1", ERR_CORRUPT},
	    {"\"log_n\": \"10\", \"r\": 8, \"p\": 1", ERR_CORRUPT},
	    {"\"log_n\": 10.0, \"r\": 8, \"p\": 1", ERR_CORRUPT},
	    {"\"log_n\": 10, \"r\": 0, \"p\": 1", ERR_CORRUPT},
	    {"\"log_n\": 10, \"r\": 17, \"p\": 1", ERR_CORRUPT},
	    {"\"log_n\": 10, \"r\": 8, \"p\": 0", ERR_CORRUPT},
	    {"\"log_n\": 10, \"r\": 8, \"p\": 5", ERR_CORRUPT},
	    {"\"log_n\": 16, \"r\": 1, \"p\": 1", ERR_CORRUPT},
	    {"\"log_n\": 20, \"r\": 16, \"p\": 1", ERR_NOMEM},
	    {"\"log_n\": 10, \"r\": 8, \"q\": 1", ERR_CORRUPT},
	    {"\"log_n\": 10, \"r\": 7, \"p\": 1", ERR_WRONG_KEY},
	};
	struct buf slot = BUF_INIT(65536);
	struct secret s = passphrase("correct horse"), key = key_file(1);
	char id[2 * SLOT_ID_LEN + 1];
	struct error err;

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		make_slot(&slot, &s, cases[i].text, 10, 8, 1);
		CHECK_INT(try_open(&slot, &s, &err), cases[i].code);
	}
	make_slot(&slot, &s, "\"log_n\": 10, \"r\": 16, \"p\": 4", 10, 16, 4);
	CHECK_OK(try_open(&slot, &s, &err), &err);
	buf_reset(&slot);
	CHECK_INT(slot_create(&root, &s, "", 9, 0, id, &slot, &err), ERR_USAGE);
	CHECK_INT(slot_create(&root, &s, "", 21, 0, id, &slot, &err), ERR_USAGE);
	CHECK_OK(slot_create(&root, &key, "", 99, 0, id, &slot, &err), &err);
	buf_free(&slot);
}

static void
test_damage(void)
{
	struct secret s = key_file(1);
	struct buf slot = BUF_INIT(65536);
	char id[2 * SLOT_ID_LEN + 1], *at;
	struct error err;

	CHECK_OK(slot_create(&root, &s, "label", 0, 1700000000, id, &slot, &err), &err);
	buf_u8(&slot, '\0');
	slot.len--;
	for (size_t i = 0; i < 2 * (KEY_LEN + TAG_LEN); i++) {
		char saved;

		at = strstr((char *)slot.data, "\"wrapped\": \"") + strlen("\"wrapped\": \"") + i;
		saved = *at;
		*at = saved == '0' ? '1' : '0';
		CHECK_INT(try_open(&slot, &s, &err), ERR_CORRUPT);
		*at = saved;
	}
	for (size_t i = 0; i < 2 * (size_t)KEY_LEN; i++) {
		char saved;

		at = strstr((char *)slot.data, "\"commitment\": \"") + strlen("\"commitment\": \"") + i;
		saved = *at;
		*at = saved == '0' ? '1' : '0';
		CHECK_INT(try_open(&slot, &s, &err), ERR_WRONG_KEY);
		*at = saved;
	}
	CHECK_INT(open_changed(&slot, &s, "snapferry-slot", "snapferry-slut"), ERR_CORRUPT);
	CHECK_INT(open_changed(&slot, &s, "\"version\": 1", "\"version\": 2"), ERR_UNSUPPORTED);
	CHECK_INT(open_changed(&slot, &s, "\"kind\": \"raw\"", "\"kind\": \"rax\""), ERR_CORRUPT);
	CHECK_INT(open_changed(&slot, &s, "\"repository\": \"aa", "\"repository\": \"ab"), ERR_CORRUPT);
	CHECK_INT(open_changed(&slot, &s, "\"label\"", "\"Label\""), ERR_CORRUPT);
	CHECK_INT(open_changed(&slot, &s, "2023-11-14", "2023-13-14"), ERR_CORRUPT);
	/* Another id is another slot: not ours. */
	CHECK_INT(open_changed(&slot, &s, id, "0123456789abcdef"), ERR_WRONG_KEY);
	CHECK_INT(open_changed(&slot, &s, id, "0123456789abcdeF"), ERR_CORRUPT);

	for (size_t len = 0; len < slot.len - 1; len++) {
		struct buf cut = {slot.data, len, slot.cap, slot.limit, false};

		CHECK_INT(try_open(&cut, &s, &err), ERR_CORRUPT);
	}
	/* White space behind it is harmless, but not without end. */
	while (slot.len < 16384)
		buf_u8(&slot, ' ');
	CHECK_OK(try_open(&slot, &s, &err), &err);
	buf_u8(&slot, ' ');
	CHECK_INT(try_open(&slot, &s, &err), ERR_CORRUPT);
	buf_free(&slot);
}

static void
test_recipient_kind(void)
{
	static const char text[] = "{\"format\": \"snapferry-slot\", \"version\": 1, \"id\": \"0000000000000000\","
				   "\"repository\": \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\", \"kind\": \"x25519\"}";
	struct root_key got = root;
	struct secret s = key_file(1);
	struct error err;

	CHECK_INT(slot_open(text, strlen(text), &s, &got, &err), ERR_WRONG_KEY);
}

static void
test_usage(void)
{
	struct buf slot = BUF_INIT(65536), tiny = BUF_INIT(100);
	struct secret key = key_file(1), s = passphrase("");
	char id[2 * SLOT_ID_LEN + 1], label[257];
	struct error err;

	CHECK_INT(slot_create(&root, &s, "", LOG_N, 0, id, &slot, &err), ERR_USAGE);
	s = passphrase("a");
	s.len = 2;
	CHECK_INT(slot_create(&root, &s, "", LOG_N, 0, id, &slot, &err), ERR_USAGE);
	s.len = sizeof(s.bytes) + 1;
	CHECK_INT(slot_open("{}", 2, &s, &root, &err), ERR_USAGE);
	memset(s.bytes, 'x', sizeof(s.bytes));
	s.len = sizeof(s.bytes);
	CHECK_OK(slot_create(&root, &s, "", LOG_N, 0, id, &slot, &err), &err);
	CHECK_OK(try_open(&slot, &s, &err), &err);

	key.len = 31;
	CHECK_INT(slot_create(&root, &key, "", LOG_N, 0, id, &slot, &err), ERR_USAGE);
	key.len = KEY_LEN;
	buf_reset(&slot);
	CHECK_INT(slot_create(&root, &key, "a\nb", LOG_N, 0, id, &slot, &err), ERR_USAGE);
	buf_reset(&slot);
	CHECK_INT(slot_create(&root, &key, "\xc3", LOG_N, 0, id, &slot, &err), ERR_USAGE);
	buf_reset(&slot);
	memset(label, '"', sizeof(label));
	label[256] = '\0';
	CHECK_INT(slot_create(&root, &key, label, LOG_N, 0, id, &slot, &err), ERR_USAGE);
	buf_reset(&slot);
	label[255] = '\0';
	CHECK_OK(slot_create(&root, &key, label, LOG_N, 0, id, &slot, &err), &err);
	CHECK_OK(try_open(&slot, &key, &err), &err);
	CHECK_INT(slot_create(&root, &key, "", LOG_N, 0, id, &tiny, &err), ERR_NOMEM);
	buf_free(&slot);
	buf_free(&tiny);
}

int
main(void)
{
	(void)alarm(60);
	memset(root.repository, 0xaa, sizeof(root.repository));
	memset(root.key, 0x42, sizeof(root.key));
	test_key_file();
	test_open();
	test_scrypt_limits();
	test_damage();
	test_recipient_kind();
	test_usage();
	return 0;
}
