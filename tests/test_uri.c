/* URLs: what is taken apart and how, what is refused, and percent encoding of every byte. */
#include "uri.h"

#include <unistd.h>

#include "buf.h"
#include "check.h"
#include "cleanup.h"

/* buf's content as a string; valid until the next call. */
static const char *
text_of(struct buf *b)
{
	static char text[4096];
	struct error err;

	CHECK_OK(buf_check(b, "text", &err), &err);
	CHECK(b->len < sizeof(text));
	if (b->len > 0)
		memcpy(text, b->data, b->len);
	text[b->len] = '\0';
	return text;
}

static void
test_encode(void)
{
	static const struct {
		const char *text;
		bool keep_slash;
		const char *want;
	} cases[] = {
	    {"", true, ""},
	    {"AZaz09-._~", false, "AZaz09-._~"},
	    {"a/b//", true, "a/b//"},
	    {"a/b", false, "a%2Fb"},
	    {"a b+c=d&e?f#g%41", true, "a%20b%2Bc%3Dd%26e%3Ff%23g%2541"},
	    {"\xC3\xA9\xFF\x01\x7F", true, "%C3%A9%FF%01%7F"},
	    {"../x:@!$'()*,;[]", true, "../x%3A%40%21%24%27%28%29%2A%2C%3B%5B%5D"},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		CLEANUP(buf_free) struct buf out = BUF_INIT(4096);

		uri_encode(&out, cases[i].text, cases[i].keep_slash);
		CHECK_STR(text_of(&out), cases[i].want);
	}
}

/* Each byte alone: 66 stay, '/' as told, all others become three. */
static void
test_encode_bytes(void)
{
	size_t kept = 0;

	for (int c = 1; c < 256; c++) {
		CLEANUP(buf_free) struct buf out = BUF_INIT(16);
		const char text[2] = {(char)c, '\0'};
		char want[8];

		uri_encode(&out, text, false);
		if (out.len == 1) {
			CHECK_STR(text_of(&out), text);
			kept++;
			continue;
		}
		(void)snprintf(want, sizeof(want), "%%%02X", (unsigned)c);
		CHECK_STR(text_of(&out), want);
	}
	CHECK_INT(kept, 66);
}

static void
test_parse(void)
{
	static const struct {
		const char *text;
		bool https;
		const char *host;
		unsigned port;
		const char *path, *origin;
	} cases[] = {
	    {"http://h", false, "h", 80, "", "http://h"},
	    {"https://h", true, "h", 443, "", "https://h"},
	    {"HTTPS://Ex-Ample_1.COM.", true, "ex-ample_1.com.", 443, "", "https://ex-ample_1.com."},
	    {"http://h:80/", false, "h", 80, "", "http://h"},
	    {"http://h:443", false, "h", 443, "", "http://h:443"},
	    {"https://h:443///", true, "h", 443, "", "https://h"},
	    {"https://h:80", true, "h", 80, "", "https://h:80"},
	    {"http://h:1", false, "h", 1, "", "http://h:1"},
	    {"http://h:65535", false, "h", 65535, "", "http://h:65535"},
	    {"http://h:09000/a/b", false, "h", 9000, "/a/b", "http://h:9000"},
	    {"http://127.0.0.1:9000/", false, "127.0.0.1", 9000, "", "http://127.0.0.1:9000"},
	    {"http://1.2.3.4.example", false, "1.2.3.4.example", 80, "", "http://1.2.3.4.example"},
	    {"http://s3.0a", false, "s3.0a", 80, "", "http://s3.0a"},
	    {"http://[::1]", false, "[::1]", 80, "", "http://[::1]"},
	    {"https://[::1]:9000/x", true, "[::1]", 9000, "/x", "https://[::1]:9000"},
	    {"http://[FE80:0:0:0:0:0:0:00Ab]", false, "[fe80::ab]", 80, "", "http://[fe80::ab]"},
	    {"http://[::ffff:1.2.3.4]", false, "[::ffff:1.2.3.4]", 80, "", "http://[::ffff:1.2.3.4]"},
	    {"http://h//a//", false, "h", 80, "//a", "http://h"},
	    {"http://h/../a/./%2f%2F", false, "h", 80, "/../a/./%2f%2F", "http://h"},
	    {"http://h/-._~:@!$&'()*+,;=", false, "h", 80, "/-._~:@!$&'()*+,;=", "http://h"},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		CLEANUP(buf_free) struct buf origin = BUF_INIT(4096);
		CLEANUP(buf_free) struct buf host = BUF_INIT(4096);
		struct error err;
		struct uri u;

		CHECK_OK(uri_parse(cases[i].text, &u, &err), &err);
		CHECK_INT(u.https, cases[i].https);
		CHECK_STR(u.host, cases[i].host);
		CHECK_INT(u.port, cases[i].port);
		CHECK_STR(u.path, cases[i].path);
		uri_origin(&u, &origin);
		CHECK_STR(text_of(&origin), cases[i].origin);
		uri_host(&u, &host);
		CHECK_STR(text_of(&host), strstr(cases[i].origin, "://") + 3);
	}
}

static void
test_refused(void)
{
	static const char *const cases[] = {
	    "",
	    "h",
	    "//h",
	    "http:",
	    "http:/h",
	    "http//h",
	    " http://h",
	    "ftp://h",
	    "s3://bucket",
	    "file:///etc",
	    "httpss://h",
	    "http://",
	    "http:///x",
	    "http://:80",
	    "http://h:",
	    "http://h:/x",
	    "http://h:0",
	    "http://h:65536",
	    "http://h:100000",
	    "http://h:4294967376",
	    "http://h:-1",
	    "http://h:+1",
	    "http://h:80x",
	    "http://h:80:80",
	    "http://h: 80",
	    "http://u@h",
	    "http://u:secret@h",
	    "http://@h",
	    "http://h@",
	    "http://.h",
	    "http://.",
	    "http://a..b",
	    "http://a b",
	    "http://a%41",
	    "http://h\xC3\xA9",
	    "http://a\\b",
	    "http://1.2.3",
	    "http://127.1",
	    "http://2130706433",
	    "http://0x7f.0.0.1",
	    "http://1.2.3.0x4",
	    "http://127.0.0.01",
	    "http://256.0.0.1",
	    "http://1.2.3.4.5",
	    "http://[",
	    "http://[]",
	    "http://[::1",
	    "http://::1",
	    "http://[::1]x",
	    "http://[::1]x:80",
	    "http://x[::1]",
	    "http://[::1]:",
	    "http://[1.2.3.4]",
	    "http://[v1.x]",
	    "http://[fe80::1%25eth0]",
	    "http://[::1]]",
	    "http://h?",
	    "http://h/?q",
	    "http://h#",
	    "http://h/#f",
	    "http://h/a b",
	    "http://h/\\",
	    "http://h/%",
	    "http://h/%4",
	    "http://h/%4g",
	    "http://h/%g4",
	    "http://h/{}",
	    "http://h/\"",
	    "http://h/[",
	    "http://h/^",
	    "http://h/|",
	    "http://h/\xC3\xA9",
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct error err = {.msg = ""};
		struct uri u;

		if (uri_parse(cases[i], &u, &err) != ERR_USAGE) {
			fprintf(stderr, "\"%s\" is not refused\n", cases[i]);
			CHECK(false);
		}
		CHECK(err.msg[0] != '\0' && strstr(err.msg, "secret") == NULL);
		CHECK((strstr(err.msg, "user") != NULL) == (strchr(cases[i], '@') != NULL));
	}
}

/* Control bytes are refused wherever they stand, and so is whatever ends a line or a text. */
static void
test_control(void)
{
	static const char *const forms[] = {"%chttp://h", "http:%c//h", "http://%ch", "http://h%c", "http://h:8%c0",
	    "http://h:80%c", "http://h/%c", "http://h/a%cb"};

	for (size_t i = 0; i < COUNT_OF(forms); i++) {
		for (int c = 1; c <= 0x7F; c = c == 0x20 ? 0x7F : c + 1) {
			const char *at = strchr(forms[i], '%');
			struct error err;
			char text[64];
			struct uri u;

			(void)snprintf(text, sizeof(text), "%.*s%c%s", (int)(at - forms[i]), forms[i], c, at + 2);
			CHECK_INT(uri_parse(text, &u, &err), ERR_USAGE);
		}
	}
}

/* Host and path up to their limits, and one byte more. */
static void
test_lengths(void)
{
	char text[URI_HOST_MAX + URI_PATH_MAX + 64];
	struct error err;
	struct uri u;

	for (int over = 0; over <= 1; over++) {
		int want = over ? ERR_USAGE : 0;

		(void)snprintf(text, sizeof(text), "http://%0*d.h", URI_HOST_MAX - 3 + over, 0);
		CHECK_INT(uri_parse(text, &u, &err), want);
		CHECK(over || strlen(u.host) == URI_HOST_MAX - 1);
		(void)snprintf(text, sizeof(text), "http://h/%0*d///", URI_PATH_MAX - 2 + over, 0);
		CHECK_INT(uri_parse(text, &u, &err), want);
		CHECK(over || strlen(u.path) == URI_PATH_MAX - 1);
	}
	(void)snprintf(text, sizeof(text), "http://[%0*d::1]", URI_HOST_MAX - 8, 0);
	CHECK_INT(uri_parse(text, &u, &err), ERR_USAGE);
}

int
main(void)
{
	(void)alarm(60);
	test_encode();
	test_encode_bytes();
	test_parse();
	test_refused();
	test_control();
	test_lengths();
	return 0;
}
