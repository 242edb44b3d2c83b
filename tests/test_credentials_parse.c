/* What processes and services say, as credentials: JSON, XML and times, and commands as words. */
#include <unistd.h>

#include "buf.h"
#include "check.h"
#include "cleanup.h"
#include "credentials_internal.h"

#define NOW  INT64_C(1800000000) /* 2027-01-15T08:00:00Z */
#define KEYS "\"AccessKeyId\": \"AKID\", \"SecretAccessKey\": \"hush/+ =\""

static struct error err;

/* What is secret is not in the message. */
static void
check_error(int r, int code, const char *message)
{
	if (r != code || strstr(err.msg, message) == NULL)
		fprintf(stderr, "the message: %s\n", r < 0 ? err.msg : "(none)");
	CHECK_INT(r, code);
	CHECK(strstr(err.msg, message) != NULL);
	CHECK(strstr(err.msg, "hush") == NULL);
}

static void
test_json(void)
{
	static const struct {
		enum credentials_json kind;
		const char *text, *token;
		int64_t expires_s;
	} cases[] = {
	    {CREDENTIALS_JSON_SERVICE, "{" KEYS "}", NULL, INT64_MAX},
	    {CREDENTIALS_JSON_SERVICE, "{" KEYS ", \"Token\": \"hush\"}", "hush", INT64_MAX},
	    {CREDENTIALS_JSON_SERVICE, "{" KEYS ", \"Token\": null, \"Expiration\": null}", NULL, INT64_MAX},
	    {CREDENTIALS_JSON_SERVICE, "{" KEYS ", \"Token\": \"\", \"RoleArn\": \"a\", \"x\": {}}", NULL, INT64_MAX},
	    {CREDENTIALS_JSON_SERVICE, "{" KEYS ", \"SessionToken\": \"other\"}", NULL, INT64_MAX},
	    {CREDENTIALS_JSON_SERVICE, "{" KEYS ", \"Expiration\": \"2027-01-15T08:00:01Z\"}", NULL, NOW + 1},
	    {CREDENTIALS_JSON_INSTANCE, "{\"Code\": \"Success\", " KEYS ", \"Token\": \"hush\"}", "hush", INT64_MAX},
	    {CREDENTIALS_JSON_PROCESS, "{\"Version\": 1, " KEYS ", \"SessionToken\": \"hush\"}", "hush", INT64_MAX},
	    {CREDENTIALS_JSON_PROCESS, "{\"Version\": 1, " KEYS ", \"Token\": \"other\"}\n", NULL, INT64_MAX},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct credentials c = {0};

		CHECK_OK(
		    credentials_parse_json(cases[i].text, strlen(cases[i].text), cases[i].kind, NOW, &c, &err), &err);
		CHECK_STR(c.access_key, "AKID");
		CHECK_STR(c.secret_key, "hush/+ =");
		CHECK_STR(c.token == NULL ? "(none)" : c.token, cases[i].token == NULL ? "(none)" : cases[i].token);
		CHECK_INT(c.expires_s, cases[i].expires_s);
		credentials_wipe(&c);
		CHECK(c.access_key == NULL && c.secret_key == NULL && c.token == NULL);
	}
}

static void
test_json_refused(void)
{
	static const struct {
		enum credentials_json kind;
		const char *text;
		int code;
		const char *message;
	} cases[] = {
	    {CREDENTIALS_JSON_SERVICE, "", ERR_CORRUPT, "empty"},
	    {CREDENTIALS_JSON_SERVICE, "<html>hush</html>", ERR_CORRUPT, "broken"},
	    {CREDENTIALS_JSON_SERVICE, "{" KEYS, ERR_CORRUPT, "too early"},
	    {CREDENTIALS_JSON_SERVICE, "{" KEYS "} hush", ERR_CORRUPT, "JSON"},
	    {CREDENTIALS_JSON_SERVICE, "{}", ERR_CORRUPT, "\"AccessKeyId\" is missing"},
	    {CREDENTIALS_JSON_SERVICE, "{\"AccessKeyId\": \"hush\"}", ERR_CORRUPT, "\"SecretAccessKey\" is missing"},
	    {CREDENTIALS_JSON_SERVICE, "{\"AccessKeyId\": 1, \"SecretAccessKey\": \"hush\"}", ERR_CORRUPT,
		"AccessKeyId"},
	    {CREDENTIALS_JSON_SERVICE, "{\"AccessKeyId\": \"\", \"SecretAccessKey\": \"hush\"}", ERR_DENIED,
		"the access key is empty"},
	    {CREDENTIALS_JSON_SERVICE, "{\"AccessKeyId\": \"A\\r\\nB\", \"SecretAccessKey\": \"hush\"}", ERR_DENIED,
		"the access key has line ends"},
	    {CREDENTIALS_JSON_SERVICE, "{\"AccessKeyId\": \"A\", \"SecretAccessKey\": \"\\n\"}", ERR_DENIED,
		"the secret key is empty"},
	    {CREDENTIALS_JSON_SERVICE, "{\"AccessKeyId\": \"A\", \"SecretAccessKey\": \"hush\\u0000\"}", ERR_CORRUPT,
		"NUL"},
	    {CREDENTIALS_JSON_SERVICE, "{" KEYS ", \"Token\": \"hush\\u007fhush\"}", ERR_DENIED, "session token has"},
	    {CREDENTIALS_JSON_SERVICE, "{" KEYS ", \"Token\": [\"hush\"]}", ERR_CORRUPT, "\"Token\" is no"},
	    {CREDENTIALS_JSON_SERVICE, "{" KEYS ", \"Expiration\": 1800000001}", ERR_CORRUPT, "Expiration"},
	    {CREDENTIALS_JSON_SERVICE, "{" KEYS ", \"Expiration\": \"soon\"}", ERR_CORRUPT, "Expiration: \"soon\""},
	    {CREDENTIALS_JSON_SERVICE, "{" KEYS ", \"Expiration\": \"2027-01-15T08:00:00Z\"}", ERR_DENIED,
		"expired already at 2027-01-15T08:00:00Z"},
	    {CREDENTIALS_JSON_INSTANCE, "{" KEYS "}", ERR_CORRUPT, "\"Code\" is missing"},
	    {CREDENTIALS_JSON_INSTANCE, "{\"Code\": \"AssumeRoleUnauthorizedAccess\"}", ERR_DENIED,
		"the service says AssumeRoleUnauthorizedAccess"},
	    {CREDENTIALS_JSON_PROCESS, "{" KEYS "}", ERR_CORRUPT, "\"Version\" is missing"},
	    {CREDENTIALS_JSON_PROCESS, "{\"Version\": 2, " KEYS "}", ERR_CORRUPT, "\"Version\""},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct credentials c = {.serial = 77};

		check_error(credentials_parse_json(cases[i].text, strlen(cases[i].text), cases[i].kind, NOW, &c, &err),
		    cases[i].code, cases[i].message);
		CHECK(c.access_key == NULL && c.serial == 77);
	}
}

static void
test_expiration(void)
{
	static const struct {
		const char *text;
		int code;
		int64_t want;
	} cases[] = {
	    {"2027-01-15T08:00:01Z", 0, NOW + 1},
	    {"2027-01-15T08:00:01.987Z", 0, NOW + 1},
	    {"2027-01-15T08:00:01+00:00", 0, NOW + 1},
	    {"2027-01-15T08:00:01.5-00:00", 0, NOW + 1},
	    {"2027-01-15T10:00:01+02:00", 0, NOW + 1},
	    {"2027-01-15T04:30:01-03:30", 0, NOW + 1},
	    {"2027-01-15T08:00:01+02:00", ERR_DENIED, 0},
	    {"2027-01-15T07:59:59Z", ERR_DENIED, 0},
	    {"2027-01-15T08:00:01", ERR_CORRUPT, 0},
	    {"2027-01-15 08:00:01Z", ERR_CORRUPT, 0},
	    {"2027-01-15T08:00:01z", ERR_CORRUPT, 0},
	    {"2027-01-15T08:00:01+0000", ERR_CORRUPT, 0},
	    {"2027-01-15T08:00:01+00-00", ERR_CORRUPT, 0},
	    {"2027-01-15T08:00:01+0a:00", ERR_CORRUPT, 0},
	    {"2027-01-15T08:00:01Z+00:00", ERR_CORRUPT, 0},
	    {"2027-01-15T08:00:01.00000000000000000000000000000000+00:00", ERR_CORRUPT, 0},
	    {"+00:00", ERR_CORRUPT, 0},
	    {"", ERR_CORRUPT, 0},
	    {"1800000001", ERR_CORRUPT, 0},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		int64_t got = 0;
		int r = credentials_parse_expiration(cases[i].text, NOW, &got, &err);

		if (r != cases[i].code)
			fprintf(stderr, "case: %s\n", cases[i].text);
		CHECK_INT(r, cases[i].code);
		if (r == 0)
			CHECK_INT(got, cases[i].want);
	}
}

static void
test_set(void)
{
	struct credentials c;

	CHECK_OK(credentials_set(&c, "AKID\n", "hush / + =\r\n\n", "hush\n", 5, &err), &err);
	CHECK_STR(c.access_key, "AKID");
	CHECK_STR(c.secret_key, "hush / + =");
	CHECK_STR(c.token, "hush");
	CHECK_INT(c.expires_s, 5);
	credentials_wipe(&c);
	/* Blanks at the ends may belong to a secret. */
	CHECK_OK(credentials_set(&c, "AKID", " hush ", "", 5, &err), &err);
	CHECK_STR(c.secret_key, " hush ");
	CHECK(c.token == NULL);
	credentials_wipe(&c);
	check_error(credentials_set(&c, "AK\nID", "hush", NULL, 5, &err), ERR_DENIED, "the access key");
	check_error(credentials_set(&c, "AKID", "hu\nsh", NULL, 5, &err), ERR_DENIED, "the secret key");
	check_error(credentials_set(&c, "AKID", "hush", "hu\rsh", 5, &err), ERR_DENIED, "the session token");
}

/* ---- STS ---- */

#define CREDENTIALS \
	"<Credentials><AccessKeyId>AKID</AccessKeyId><SecretAccessKey>hush/+ =</SecretAccessKey>" \
	"<SessionToken>hush&amp;token</SessionToken><Expiration>2027-01-15T09:00:00Z</Expiration></Credentials>"
#define RESPONSE(inner) \
	"<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult>" inner \
	"</AssumeRoleResult></AssumeRoleResponse>"

static int
parse_sts(const char *text, struct credentials *c)
{
	return credentials_parse_sts(text, strlen(text), "AssumeRole", NOW, c, &err);
}

static void
test_sts(void)
{
	static const char *const cases[] = {
	    RESPONSE(CREDENTIALS),
	    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" RESPONSE("<x>y</x>" CREDENTIALS "<!-- hush --><z/>") "\n",
	    RESPONSE(CREDENTIALS "<Other><Credentials><AccessKeyId>no</AccessKeyId></Credentials></Other>"),
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct credentials c;

		CHECK_OK(parse_sts(cases[i], &c), &err);
		CHECK_STR(c.access_key, "AKID");
		CHECK_STR(c.secret_key, "hush/+ =");
		CHECK_STR(c.token, "hush&token");
		CHECK_INT(c.expires_s, NOW + 3600);
		credentials_wipe(&c);
	}
}

static void
test_sts_refused(void)
{
	static const struct {
		const char *text;
		int code;
		const char *message;
	} cases[] = {
	    {"", ERR_CORRUPT, "no XML that we know"},
	    {"{\"hush\": 1}", ERR_CORRUPT, "no XML that we know"},
	    {"<a/>", ERR_CORRUPT, "has no AccessKeyId"},
	    {RESPONSE(""), ERR_CORRUPT, "has no AccessKeyId"},
	    {RESPONSE("<Credentials><AccessKeyId>A</AccessKeyId></Credentials>"), ERR_CORRUPT,
		"has no SecretAccessKey"},
	    {"<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult>" CREDENTIALS
	     "</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>",
		ERR_CORRUPT, "has no AccessKeyId"},
	    {CREDENTIALS, ERR_CORRUPT, "has no AccessKeyId"},
	    {RESPONSE(CREDENTIALS CREDENTIALS), ERR_CORRUPT, "no XML that we know"},
	    {RESPONSE("<Credentials><AccessKeyId>A<b/></AccessKeyId></Credentials>"), ERR_CORRUPT,
		"no XML that we know"},
	    {RESPONSE(CREDENTIALS) "x", ERR_CORRUPT, "no XML that we know"},
	    {"<!DOCTYPE x [<!ENTITY e \"hush\">]>" RESPONSE(CREDENTIALS), ERR_CORRUPT, "no XML that we know"},
	    {"<!DOCTYPE x SYSTEM \"file:///etc/passwd\">" RESPONSE(CREDENTIALS), ERR_CORRUPT, "no XML that we know"},
	    {RESPONSE("&hush;" CREDENTIALS), ERR_CORRUPT, "no XML that we know"},
	    {"<a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a/></a></a></a></a></a></a></a></a></a></a></a></a></"
	     "a></a></a></a>",
		ERR_CORRUPT, "no XML that we know"},
	};
	struct credentials c;

	for (size_t i = 0; i < COUNT_OF(cases); i++)
		check_error(parse_sts(cases[i].text, &c), cases[i].code, cases[i].message);
	CHECK_INT(credentials_parse_sts(
		      RESPONSE(CREDENTIALS), strlen(RESPONSE(CREDENTIALS)), "AssumeRole", NOW + 3600, &c, &err),
	    ERR_DENIED);
	/* Cut anywhere. */
	for (size_t len = 0; len < strlen(RESPONSE(CREDENTIALS)); len++)
		CHECK_INT(credentials_parse_sts(RESPONSE(CREDENTIALS), len, "AssumeRole", NOW, &c, &err), ERR_CORRUPT);
}

/* Names and values without end. */
static void
test_sts_limits(void)
{
	CLEANUP(buf_free) struct buf long_name = BUF_INIT(100000), long_value = BUF_INIT(100000);
	struct credentials c;

	for (int i = 0; i < 1000; i++)
		buf_put(&long_name, i == 0 ? "<" : "n", 1);
	buf_put(&long_name, "/>", 2);
	CHECK_INT(credentials_parse_sts(long_name.data, long_name.len, "AssumeRole", NOW, &c, &err), ERR_CORRUPT);
	buf_printf(&long_value, "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>");
	for (int i = 0; i < 20000; i++)
		buf_put(&long_value, "v", 1);
	buf_printf(&long_value, "</AccessKeyId></Credentials></AssumeRoleResult></AssumeRoleResponse>");
	CHECK_INT(credentials_parse_sts(long_value.data, long_value.len, "AssumeRole", NOW, &c, &err), ERR_NOMEM);
}

static void
test_sts_errors(void)
{
	static const struct {
		const char *text;
		bool good;
		const char *code, *message;
	} cases[] = {
	    {"<ErrorResponse xmlns=\"x\"><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>No "
	     "\"way\"\n</Message>"
	     "</Error><RequestId>1</RequestId></ErrorResponse>",
		true, "AccessDenied", "No \\x22way\\x22\\x0a"},
	    {"<ErrorResponse><Error><Code>X</Code></Error></ErrorResponse>", true, "X", ""},
	    {"<ErrorResponse><Error><Message>X</Message></Error></ErrorResponse>", false, "", ""},
	    {"<Error><Code>X</Code></Error>", false, "", ""},
	    {"not found", false, "", ""},
	    {"", false, "", ""},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char code[CREDENTIALS_STS_TEXT] = "", message[CREDENTIALS_STS_TEXT] = "";

		CHECK_INT(
		    credentials_parse_sts_error(cases[i].text, strlen(cases[i].text), code, message), cases[i].good);
		CHECK_STR(code, cases[i].code);
		CHECK_STR(message, cases[i].message);
	}
}

/* ---- commands ---- */

static void
test_split(void)
{
	static const struct {
		const char *command, *words; /* with '|' between them */
	} cases[] = {
	    {"a", "a"},
	    {"  a \t b\n", "a|b"},
	    {"/bin/sh -c 'echo \"$HOME\" \\n'", "/bin/sh|-c|echo \"$HOME\" \\n"},
	    {"\"a b\" c", "a b|c"},
	    {"a\"b c\"d'e f'", "ab cde f"},
	    {"\"a\\\"b\\\\c\\d\"", "a\"b\\c\\d"},
	    {"a\\ b \\\"c\\\" \\\\", "a b|\"c\"|\\"},
	    {"'' a \"\"", "|a|"},
	    {"a\\", "a\\"},
	    {"a # b; c && d | e > f $(g) `h` *", "a|#|b;|c|&&|d|||e|>|f|$(g)|`h`|*"},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		CLEANUP_FREE char **words = NULL;
		char text[256] = "";
		size_t len = 0;

		CHECK_OK(credentials_process_split(cases[i].command, &words, &err), &err);
		for (char **w = words; *w != NULL; w++)
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", w == words ? "" : "|", *w);
		CHECK_STR(text, cases[i].words);
	}
}

static void
test_split_refused(void)
{
	static const char *const cases[] = {"", " \t\n", "a 'b", "a \"b", "\"a\\\"", "'"};
	char **words;

	for (size_t i = 0; i < COUNT_OF(cases); i++)
		check_error(credentials_process_split(cases[i], &words, &err), ERR_USAGE, "credential_process");
}

int
main(void)
{
	(void)alarm(60);
	test_json();
	test_json_refused();
	test_expiration();
	test_set();
	test_sts();
	test_sts_refused();
	test_sts_limits();
	test_sts_errors();
	test_split();
	test_split_refused();
	return 0;
}
