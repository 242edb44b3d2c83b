/* Signatures against the examples that AWS has published, and the corners where HTTP is laxer than they are. */
#include "sigv4.h"

#include <unistd.h>

#include "buf.h"
#include "check.h"
#include "cleanup.h"
#include "crypto.h"

#define EMPTY      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define UNRESERVED "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define TOKEN \
	"AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8" \
	"YUuwthAx7mSEI/qkPpKPi/" \
	"kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE" \
	"8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2" \
	"ICCR/oLxBA=="

static struct error err;

/* The examples of "Authenticating Requests: Using the Authorization Header" in the manual of S3. */
static struct sigv4_request
s3_request(const char *method, const char *path)
{
	return (struct sigv4_request){
	    .method = method,
	    .host = "examplebucket.s3.amazonaws.com",
	    .path = path,
	    .payload_hash = EMPTY,
	    .region = "us-east-1",
	    .service = "s3",
	    .access_key = "AKIAIOSFODNN7EXAMPLE",
	    .secret_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
	    .now_s = 1369353600,
	};
}

/* The cases of AWS's test suite of signature version 4. */
static struct sigv4_request
suite_request(const char *method, const char *path)
{
	return (struct sigv4_request){
	    .method = method,
	    .host = "example.amazonaws.com",
	    .path = path,
	    .payload_hash = EMPTY,
	    .region = "us-east-1",
	    .service = "service",
	    .access_key = "AKIDEXAMPLE",
	    .secret_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
	    .now_s = 1440938160,
	};
}

static void
check_signature(const struct sigv4_request *r, const char *want)
{
	CLEANUP(buf_free) struct buf authorization = BUF_INIT(4096);
	struct sigv4_signature s;

	CHECK_OK(sigv4_sign(r, &s, &authorization, &err), &err);
	CHECK_STR(s.hex, want);
}

/* What is sent as Authorization. */
static const char *
authorization_of(const struct sigv4_request *r)
{
	static char text[4096];
	CLEANUP(buf_free) struct buf b = BUF_INIT(sizeof(text) - 1);
	struct sigv4_signature s;

	CHECK_OK(sigv4_sign(r, &s, &b, &err), &err);
	memcpy(text, b.data, b.len);
	text[b.len] = '\0';
	return text;
}

static void
test_s3_get_range(void)
{
	static const struct http_header headers[] = {{"range", "bytes=0-9"}};
	struct sigv4_request r = s3_request("GET", "/test.txt");
	CLEANUP(buf_free) struct buf b = BUF_INIT(4096);
	struct sigv4_signature s;

	r.headers = headers;
	r.nheaders = COUNT_OF(headers);
	buf_put(&b, "before", 6);
	CHECK_OK(sigv4_sign(&r, &s, &b, &err), &err);
	buf_u8(&b, 0);
	CHECK_STR(s.date, "20130524T000000Z");
	CHECK_STR(s.scope, "20130524/us-east-1/s3/aws4_request");
	CHECK_STR(s.hex, "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
	CHECK_STR((const char *)b.data,
	    "beforeAWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
	    "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
	    "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

static void
test_s3_others(void)
{
	static const struct http_header headers[] = {
	    {"date", "Fri, 24 May 2013 00:00:00 GMT"}, {"x-amz-storage-class", "REDUCED_REDUNDANCY"}};
	static const struct sigv4_pair lifecycle[] = {{"lifecycle", ""}};
	static const struct sigv4_pair list[] = {{"prefix", "J"}, {"max-keys", "2"}};
	struct sigv4_request r = s3_request("PUT", "/test%24file.text");
	char hash[SIGV4_HASH_LEN + 1];

	CHECK_OK(sigv4_hash("Welcome to Amazon S3.", 21, hash, &err), &err);
	CHECK_STR(hash, "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072");
	r.headers = headers;
	r.nheaders = COUNT_OF(headers);
	r.payload_hash = hash;
	check_signature(&r, "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");

	r = s3_request("GET", "/");
	r.query = lifecycle;
	r.nquery = COUNT_OF(lifecycle);
	check_signature(&r, "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
	r.query = list;
	r.nquery = COUNT_OF(list);
	check_signature(&r, "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

struct suite_case {
	const char *method, *path;
	struct sigv4_pair query[2];
	size_t nquery;
	struct http_header headers[2];
	size_t nheaders;
	const char *want;
};

static void
test_suite(void)
{
	static const struct suite_case cases[] = {
	    {"GET", "/", .want = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	    {"POST", "/", .want = "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
	    {"GET", "/%E1%88%B4", .want = "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
	    {"GET", "/example%20space/", .want = "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"},
	    {"GET", "/", {{"Param1", "value1"}}, 1,
		.want = "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"},
	    {"GET", "/", {{"Param2", "value2"}, {"Param1", "value1"}}, 2,
		.want = "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
	    {"GET", "/", {{"Param1", "value2"}, {"Param1", "value1"}}, 2,
		.want = "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694"},
	    {"GET", "/", {{UNRESERVED, UNRESERVED}}, 1,
		.want = "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"},
	    {"GET", "/", {{"\xe1\x88\xb4", "bar"}}, 1,
		.want = "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
	    {"GET", "/", .headers = {{"my-header2", " \"a   b   c\""}, {"my-header1", " value1"}}, .nheaders = 2,
		.want = "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
	    {"POST", "/", .headers = {{"my-header1", "value1"}}, .nheaders = 1,
		.want = "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"},
	    {"POST", "/", .headers = {{"my-header1", "VALUE1"}}, .nheaders = 1,
		.want = "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d"},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct sigv4_request r = suite_request(cases[i].method, cases[i].path);

		r.query = cases[i].query;
		r.nquery = cases[i].nquery;
		r.headers = cases[i].headers;
		r.nheaders = cases[i].nheaders;
		check_signature(&r, cases[i].want);
	}
}

static void
test_form(void)
{
	static const struct http_header headers[] = {{"content-type", "application/x-www-form-urlencoded"}};
	struct sigv4_request r = suite_request("POST", "/");
	char hash[SIGV4_HASH_LEN + 1];

	CHECK_OK(sigv4_hash("Param1=value1", 13, hash, &err), &err);
	r.headers = headers;
	r.nheaders = COUNT_OF(headers);
	r.payload_hash = hash;
	check_signature(&r, "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a");
}

static void
test_token(void)
{
	struct sigv4_request r = suite_request("POST", "/");

	r.token = TOKEN;
	check_signature(&r, "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead");
	CHECK(strstr(authorization_of(&r), "SignedHeaders=host;x-amz-date;x-amz-security-token,") != NULL);
	/* An empty one is none. */
	r.token = "";
	check_signature(&r, "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
}

/* The example by which the manual explains the derivation of keys. */
static void
test_derived_key(void)
{
	static const struct sigv4_pair query[] = {{"Version", "2010-05-08"}, {"Action", "ListUsers"}};
	static const struct http_header headers[] = {
	    {"content-type", "application/x-www-form-urlencoded; charset=utf-8"}};
	struct sigv4_request r = suite_request("GET", "/");

	r.host = "iam.amazonaws.com";
	r.service = "iam";
	r.query = query;
	r.nquery = COUNT_OF(query);
	r.headers = headers;
	r.nheaders = COUNT_OF(headers);
	check_signature(&r, "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7");
}

/* RFC 4231: the HMAC that everything here rests on, with keys shorter and longer than a block. */
static void
test_hmac(void)
{
	static const uint8_t jefe[] = {0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e, 0x6a, 0x04, 0x24, 0x26, 0x08,
	    0x95, 0x75, 0xc7, 0x5a, 0x00, 0x3f, 0x08, 0x9d, 0x27, 0x39, 0x83, 0x9d, 0xec, 0x58, 0xb9, 0x64, 0xec, 0x38,
	    0x43};
	static const uint8_t longer[] = {0x60, 0xe4, 0x31, 0x59, 0x1e, 0xe0, 0xb6, 0x7f, 0x0d, 0x8a, 0x26, 0xaa, 0xcb,
	    0xf5, 0xb7, 0x7f, 0x8e, 0x0b, 0xc6, 0x21, 0x37, 0x28, 0xc5, 0x14, 0x05, 0x46, 0x04, 0x0f, 0x0e, 0xe3, 0x7f,
	    0x54};
	static const char text[] = "Test Using Larger Than Block-Size Key - Hash Key First";
	uint8_t key[131], out[32];

	CHECK_OK(crypto_hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, out, &err), &err);
	CHECK_MEM(out, jefe, sizeof(out));
	memset(key, 0xaa, sizeof(key));
	CHECK_OK(crypto_hmac_sha256(key, sizeof(key), text, strlen(text), out, &err), &err);
	CHECK_MEM(out, longer, sizeof(out));
}

static void
check_query(const struct sigv4_pair *query, size_t count, const char *want)
{
	CLEANUP(buf_free) struct buf b = BUF_INIT(4096);

	CHECK_OK(sigv4_query(query, count, &b, &err), &err);
	buf_u8(&b, 0);
	CHECK_STR((const char *)b.data, want);
}

static void
test_query(void)
{
	static const struct sigv4_pair names[] = {{"ab", "1"}, {"a-b", "2"}, {"a", "3"}, {"A", "4"}, {"uploads", ""}};
	static const struct sigv4_pair values[] = {
	    {"k", "b"}, {"k", ""}, {"k", "a/b c+d&e=f%"}, {"k", "\xc3\xa4*'()!"}, {"k", "~"}};
	/* The order is that of the encoded names: "%7B" is smaller than "z". */
	static const struct sigv4_pair encoded[] = {{"z", ""}, {"{", ""}, {"a b", ""}};

	check_query(NULL, 0, "");
	check_query(names, COUNT_OF(names), "A=4&a=3&a-b=2&ab=1&uploads=");
	check_query(values, COUNT_OF(values), "k=&k=%C3%A4%2A%27%28%29%21&k=a%2Fb%20c%2Bd%26e%3Df%25&k=b&k=~");
	check_query(encoded, COUNT_OF(encoded), "%7B=&a%20b=&z=");
}

/* Names are sorted, not lines: with lines, "customer-key-md5:" would come before "customer-key:". */
static void
test_header_order(void)
{
	static const struct http_header headers[] = {
	    {"x-amz-server-side-encryption-customer-key-md5", "m"},
	    {"if-none-match", "*"},
	    {"x-amz-server-side-encryption-customer-algorithm", "AES256"},
	    {"x-amz-server-side-encryption-customer-key", "k"},
	};
	struct sigv4_request r = s3_request("PUT", "/o");

	r.headers = headers;
	r.nheaders = COUNT_OF(headers);
	r.payload_hash = SIGV4_UNSIGNED;
	r.token = "t";
	CHECK(strstr(authorization_of(&r),
		  "SignedHeaders=host;if-none-match;x-amz-content-sha256;x-amz-date;x-amz-security-token;"
		  "x-amz-server-side-encryption-customer-algorithm;x-amz-server-side-encryption-customer-key;"
		  "x-amz-server-side-encryption-customer-key-md5, ") != NULL);
	check_signature(&r, "9c9a33514b2a67f9c7304865a763c76f18b8fa8b4844fef0f616c6f6b9659bfc");
}

static void
test_values(void)
{
	static const struct {
		const char *sent, *same;
	} cases[] = {
	    {"  a  b\t c \t", "a b c"},
	    {"", "  "},
	    {"a", "\ta"},
	};
	struct http_header header = {"x-amz-meta-a", NULL};
	struct sigv4_request r = s3_request("PUT", "/o");
	char first[4096];

	r.headers = &header;
	r.nheaders = 1;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		header.value = cases[i].sent;
		(void)snprintf(first, sizeof(first), "%s", authorization_of(&r));
		header.value = cases[i].same;
		CHECK_STR(authorization_of(&r), first);
	}
	header.value = "other";
	CHECK(strcmp(authorization_of(&r), first) != 0);
}

static void
test_port(void)
{
	struct sigv4_request r = s3_request("GET", "/b/o");
	char without[4096];

	r.host = "localhost";
	(void)snprintf(without, sizeof(without), "%s", authorization_of(&r));
	r.host = "localhost:9000";
	CHECK(strcmp(authorization_of(&r), without) != 0);
	check_signature(&r, "b29e1fe475a9bdad03fcd533036f7c2bcddcfaaf9e284797f918cf1b347c7249");
}

static void
test_limits(void)
{
	struct sigv4_pair pairs[SIGV4_PAIRS_MAX + 1];
	struct http_header headers[SIGV4_HEADERS_MAX + 1];
	CLEANUP(buf_free) struct buf b = BUF_INIT(1024 * 1024);
	struct sigv4_request r = s3_request("GET", "/");
	struct sigv4_signature s;
	const size_t longest = sizeof(s.scope) - sizeof("20130524//s3/aws4_request");
	char region[128];

	for (size_t i = 0; i < COUNT_OF(pairs); i++)
		pairs[i] = (struct sigv4_pair){"n", "v"};
	for (size_t i = 0; i < COUNT_OF(headers); i++)
		headers[i] = (struct http_header){"n", "v"};
	r.query = pairs;
	r.headers = headers;
	r.nquery = SIGV4_PAIRS_MAX;
	r.nheaders = SIGV4_HEADERS_MAX;
	CHECK_OK(sigv4_sign(&r, &s, &b, &err), &err);
	r.nquery++;
	CHECK_INT(sigv4_sign(&r, &s, &b, &err), ERR_USAGE);
	r.nquery--;
	r.nheaders++;
	CHECK_INT(sigv4_sign(&r, &s, &b, &err), ERR_USAGE);
	r.nheaders--;
	memset(region, 'r', sizeof(region));
	region[longest] = '\0';
	r.region = region;
	CHECK_OK(sigv4_sign(&r, &s, &b, &err), &err);
	CHECK_INT(strlen(s.scope), sizeof(s.scope) - 1);
	region[longest] = 'r';
	region[longest + 1] = '\0';
	CHECK_INT(sigv4_sign(&r, &s, &b, &err), ERR_USAGE);
	CHECK(strstr(err.msg, "region") != NULL);
}

/* No message holds a secret, and a place that is too small is an error. */
static void
test_failures(void)
{
	struct sigv4_request r = s3_request("GET", "/");
	struct sigv4_signature s;
	size_t len = strlen(authorization_of(&r));
	size_t size = 70 * 1024;
	CLEANUP_FREE char *huge = malloc(size);

	for (size_t limit = 0; limit <= len; limit++) {
		CLEANUP(buf_free) struct buf b = BUF_INIT(limit);
		int code = sigv4_sign(&r, &s, &b, &err);

		CHECK_INT(code, limit < len ? ERR_NOMEM : 0);
	}
	CHECK(huge != NULL);
	memset(huge, 's', size - 1);
	huge[size - 1] = '\0';
	for (int i = 0; i < 2; i++) {
		CLEANUP(buf_free) struct buf b = BUF_INIT(4096);

		r = s3_request("GET", "/");
		*(i == 0 ? &r.secret_key : &r.token) = huge;
		CHECK_INT(sigv4_sign(&r, &s, &b, &err), ERR_NOMEM);
		CHECK(strstr(err.msg, "sss") == NULL);
	}
}

int
main(void)
{
	(void)alarm(60);
	test_s3_get_range();
	test_s3_others();
	test_suite();
	test_form();
	test_token();
	test_derived_key();
	test_hmac();
	test_query();
	test_header_order();
	test_values();
	test_port();
	test_limits();
	test_failures();
	return 0;
}
