/* What settings add to requests: to which, and in what form; and settings that make no sense. */
#include <unistd.h>

#include "base64.h"
#include "buf.h"
#include "check.h"
#include "cleanup.h"
#include "s3_script.h"
#include "store.h"
#include "store_contract.h"

#define CUSTOMER "x-amz-server-side-encryption-customer-"

/* 32 bytes, and the same and their MD5 in base64. */
#define KEY        "sunny weather with 32 bytes here"
#define KEY_BASE64 "c3Vubnkgd2VhdGhlciB3aXRoIDMyIGJ5dGVzIGhlcmU="
#define KEY_MD5    "58poapR4E1JQMvox4mjDpw=="

static char key_file[] = "/tmp/s3_headers.XXXXXX";

static void
write_key(const char *bytes, size_t len)
{
	FILE *f = fopen(key_file, "w");

	CHECK(f != NULL && fwrite(bytes, 1, len, f) == len && fclose(f) == 0);
}

/* Every kind of request once. */
static void
do_everything(struct s3_script *x)
{
	static const char *const keys[] = {"bulk", "x"};
	struct error err;
	uint64_t size;
	char byte;

	store_check_put(x->s, "meta", "1");
	CHECK_OK(store_put_bulk(x->s, "bulk", "2", 1, &err), &err);
	CHECK_OK(store_get(x->s, "bulk", 0, &byte, 1, &err), &err);
	CHECK_OK(store_size(x->s, "bulk", &size, &err), &err);
	store_check_content(x->s, "meta", "1");
	store_check_list(x->s, "", "bulk:1 meta:1 ");
	CHECK_OK(store_remove(x->s, "meta", &err), &err);
	CHECK_OK(store_remove_many(x->s, keys, 2, NULL, NULL, &err), &err);
}

/* The header of the last request that begins like this. */
static const char *
header(struct s3_script *x, const char *beginning, const char *name)
{
	static char out[1024];
	const struct http_server_request *q = s3_server_last(x->server, beginning);

	CHECK(q != NULL);
	return http_server_header(q, name, out, sizeof(out));
}

static void
test_none(void)
{
	static const char *const names[] = {"x-amz-storage-class", "x-amz-tagging", "x-amz-request-payer",
	    "x-amz-server-side-encryption", CUSTOMER "key", "content-md5"};
	struct s3_script x;

	s3_script_begin(&x, NULL, NULL);
	do_everything(&x);
	for (size_t i = 0; i < COUNT_OF(names); i++)
		CHECK_STR(header(&x, "PUT /bucket-1/p/bulk ", names[i]), "");
	CHECK_STR(header(&x, "PUT /bucket-1/p/bulk ", "if-none-match"), "*");
	s3_script_end(&x);
}

static void
test_storage_class(void)
{
	const struct s3_settings settings = {.retry_s = 5, .storage_class = "GLACIER_IR"};
	struct s3_script x;

	s3_script_begin(&x, NULL, &settings);
	do_everything(&x);
	CHECK_STR(header(&x, "PUT /bucket-1/p/bulk ", "x-amz-storage-class"), "GLACIER_IR");
	CHECK_STR(header(&x, "PUT /bucket-1/p/meta ", "x-amz-storage-class"), "");
	CHECK_STR(header(&x, "GET /bucket-1/p/bulk ", "x-amz-storage-class"), "");
	s3_script_end(&x);
}

static void
test_tags(void)
{
	static const char *const tags[] = {"team=a b", "x+y/z=1&2=3", "empty=", "\xC3\xA4=\xC3\xB6"};
	const struct s3_settings settings = {.retry_s = 5, .tags = tags, .ntags = COUNT_OF(tags)};
	struct s3_script x;

	s3_script_begin(&x, NULL, &settings);
	do_everything(&x);
	CHECK_STR(header(&x, "PUT /bucket-1/p/meta ", "x-amz-tagging"),
	    "team=a%20b&x%2By%2Fz=1%262%3D3&empty=&%C3%A4=%C3%B6");
	CHECK_STR(header(&x, "GET /bucket-1/p/meta ", "x-amz-tagging"), "");
	CHECK_STR(header(&x, "HEAD ", "x-amz-tagging"), "");
	s3_script_end(&x);
}

static void
test_requester_pays(void)
{
	static const char *const all[] = {"PUT ", "GET /bucket-1/", "GET /bucket-1?", "HEAD ", "DELETE ", "POST "};
	const struct s3_settings settings = {.retry_s = 5, .requester_pays = true};
	struct s3_script x;

	s3_script_begin(&x, NULL, &settings);
	do_everything(&x);
	for (size_t i = 0; i < COUNT_OF(all); i++)
		CHECK_STR(header(&x, all[i], "x-amz-request-payer"), "requester");
	s3_script_end(&x);
}

static void
test_encryption(void)
{
	const struct s3_settings aes = {.retry_s = 5, .sse = "AES256"};
	const struct s3_settings kms = {.retry_s = 5, .sse_kms_key = "arn:aws:kms:eu-west-1:1:key/a-b"};
	const struct s3_settings dsse = {.retry_s = 5, .sse = "aws:kms:dsse", .sse_kms_key = "k"};
	struct s3_script x;

	s3_script_begin(&x, NULL, &aes);
	do_everything(&x);
	CHECK_STR(header(&x, "PUT ", "x-amz-server-side-encryption"), "AES256");
	CHECK_STR(header(&x, "GET /bucket-1/", "x-amz-server-side-encryption"), "");
	s3_script_end(&x);
	s3_script_begin(&x, NULL, &kms);
	do_everything(&x);
	CHECK_STR(header(&x, "PUT ", "x-amz-server-side-encryption"), "aws:kms");
	CHECK_STR(header(&x, "PUT ", "x-amz-server-side-encryption-aws-kms-key-id"), "arn:aws:kms:eu-west-1:1:key/a-b");
	s3_script_end(&x);
	s3_script_begin(&x, NULL, &dsse);
	do_everything(&x);
	CHECK_STR(header(&x, "PUT ", "x-amz-server-side-encryption"), "aws:kms:dsse");
	s3_script_end(&x);
}

/* With the key of a customer, whoever reads or looks must give it, too. */
static void
test_customer_key(const char *bytes, size_t len)
{
	static const char *const with[] = {"PUT ", "GET /bucket-1/", "HEAD "};
	static const char *const without[] = {"GET /bucket-1?", "DELETE ", "POST "};
	const struct s3_settings settings = {.retry_s = 5, .sse_customer_key_file = key_file};
	struct s3_script x;
	struct error err;

	write_key(bytes, len);
	s3_script_begin(&x, NULL, &settings);
	do_everything(&x);
	for (size_t i = 0; i < COUNT_OF(with); i++) {
		CHECK_STR(header(&x, with[i], CUSTOMER "algorithm"), "AES256");
		CHECK_STR(header(&x, with[i], CUSTOMER "key"), KEY_BASE64);
		CHECK_STR(header(&x, with[i], CUSTOMER "key-md5"), KEY_MD5);
		CHECK_STR(header(&x, without[i], CUSTOMER "key"), "");
	}
	/* Also when its own object is looked for. */
	S3_STEPS(&x, DOES("PUT ", STEP_DONE_RESET));
	store_check_put(x.s, "lost", "1");
	/* The server says what it got, and that is not shown. */
	S3_STEPS(&x, SAYS("PUT ", 400, "InvalidArgument"));
	s3_script_failed(store_put(x.s, "k", "1", 1, &err), &err, ERR_UNSUPPORTED, "InvalidArgument", NULL);
	s3_script_end(&x);
}

/* Another key than the one with which was written; what is refused for other reasons keeps them. */
static void
test_wrong_customer_key(void)
{
	static const char said[] = "--customer-key-file is another key than the object's, or access is denied";
	const struct s3_settings settings = {.sse_customer_key_file = key_file};
	uint8_t bytes[1];
	struct s3_script x;
	struct store *s;
	struct error err;
	uint64_t size;

	write_key(KEY, 32);
	s3_script_begin(&x, NULL, &settings);
	store_check_put(x.s, "k", "1");
	write_key("a key that is as long as a key i", 32);
	s = s3_server_open(x.server, "p", &settings);
	s3_script_failed(store_get(s, "k", 0, bytes, 1, &err), &err, ERR_DENIED, said, "InvalidRequest", NULL);
	s3_script_failed(store_size(s, "k", &size, &err), &err, ERR_DENIED, said, "HTTP status 400", NULL);
	s3_script_failed(store_size(s, "none", &size, &err), &err, ERR_NOT_FOUND, "", NULL);
	S3_STEPS(&x, SAYS("GET ", 403, "AccessDenied"));
	s3_script_failed(store_get(s, "k", 0, bytes, 1, &err), &err, ERR_DENIED, said, "AccessDenied", NULL);
	S3_STEPS(&x, SAYS("GET ", 403, "InvalidObjectState"));
	s3_script_failed(store_get(s, "k", 0, bytes, 1, &err), &err, ERR_UNSUPPORTED, "s3://bucket-1: GET k", NULL);
	CHECK(strstr(err.msg, said) == NULL);
	store_free(s);
	s3_script_end(&x);
	/* Who has no such key is not told of it. */
	s3_script_begin(&x, NULL, NULL);
	S3_STEPS(&x, SAYS("GET ", 400, "InvalidRequest"));
	s3_script_failed(store_get(x.s, "k", 0, bytes, 1, &err), &err, ERR_UNSUPPORTED, "InvalidRequest", NULL);
	CHECK(strstr(err.msg, said) == NULL);
	s3_script_end(&x);
}

static void
check_refused(const struct s3_settings *settings)
{
	struct s3_settings with = *settings;
	struct store *s;
	struct error err;
	int r;

	if (with.endpoint == NULL)
		with.endpoint = "http://127.0.0.1:1";
	r = store_open("s3://" S3_SERVER_BUCKET "/p", false, &with, &s, &err);
	s3_script_failed(r, &err, ERR_USAGE, "", NULL);
}

static void
test_bad_keys(void)
{
	static const struct {
		const char *bytes;
		size_t len;
	} cases[] = {{"", 0}, {KEY, 31}, {KEY "1", 33}, {KEY_BASE64, 43}, {KEY_BASE64 KEY_BASE64, 88}, {"c3Vubnk=", 8},
	    {"c3Vubnkgd2VhdGhlciB3aXRoIDMyIGJ5dGVzIGhlcmU!", 44}};
	const struct s3_settings settings = {.sse_customer_key_file = key_file};
	const struct s3_settings clear = {.sse_customer_key_file = key_file, .endpoint = "http://s3.example"};
	const struct s3_settings both = {.sse_customer_key_file = key_file, .sse = "AES256"};
	const struct s3_settings missing = {.sse_customer_key_file = "/nowhere/key"};
	struct store *s;
	struct error err;

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		write_key(cases[i].bytes, cases[i].len);
		check_refused(&settings);
	}
	write_key(KEY, 32);
	check_refused(&clear);
	check_refused(&both);
	CHECK(store_open("s3://bucket-1/p", false, &missing, &s, &err) < 0);
	CHECK(strstr(err.msg, "/nowhere/key") != NULL);
}

static void
test_bad_settings(void)
{
	static const char *const no_equals[] = {"ab"}, *const no_key[] = {"=b"},
				 *const many[11] = {
				     "a=b", "b=c", "c=d", "d=e", "e=f", "f=g", "g=h", "h=i", "i=j", "j=k", "k=l"};
	char long_value[300] = "k=", long_key[300];
	const char *const too_long[] = {long_value}, *const too_long_key[] = {long_key};
	const struct s3_settings cases[] = {
	    {.sse = "AES128"},
	    {.sse = ""},
	    {.sse = "AES256", .sse_kms_key = "k"},
	    {.sse_kms_key = ""},
	    {.sse_kms_key = "k\r\nx-amz-acl: public-read"},
	    {.storage_class = ""},
	    {.storage_class = "GLACIER\n"},
	    {.storage_class = "\xC3\xA4"},
	    {.checksum = "sha1"},
	    {.tags = no_equals, .ntags = 1},
	    {.tags = no_key, .ntags = 1},
	    {.tags = many, .ntags = 11},
	    {.tags = too_long, .ntags = 1},
	    {.tags = too_long_key, .ntags = 1},
	    {.ca_file = "/nowhere/ca.pem"},
	    {.client_cert = "/dev/null"},
	    {.addressing = "host"},
	    {.region = "eu west"},
	    {.endpoint = "ftp://127.0.0.1"},
	};

	memset(long_value + 2, 'v', 257);
	memset(long_key, 'k', 129);
	memcpy(long_key + 129, "=v", 3);
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		check_refused(&cases[i]);
}

int
main(void)
{
	int fd = mkstemp(key_file);

	(void)alarm(120);
	CHECK(fd >= 0 && close(fd) == 0);
	test_none();
	test_storage_class();
	test_tags();
	test_requester_pays();
	test_encryption();
	test_customer_key(KEY, 32);
	test_customer_key(KEY_BASE64, strlen(KEY_BASE64));
	test_customer_key(KEY_BASE64 "\n", strlen(KEY_BASE64) + 1);
	test_customer_key(KEY_BASE64 "\r\n", strlen(KEY_BASE64) + 2);
	test_wrong_customer_key();
	test_bad_keys();
	test_bad_settings();
	CHECK(unlink(key_file) == 0);
	return 0;
}
