/*
 * What guards uploads on their way: the SHA-256 in the signature, or, over TLS, CRC-32C where doctor has seen that the
 * server checks it.  And that what doctor has left is believed in no other case.
 */
#include <unistd.h>

#include "buf.h"
#include "certs.h"
#include "check.h"
#include "cleanup.h"
#include "s3_script.h"
#include "scratch.h"
#include "store.h"
#include "store_contract.h"

/* The check value of every CRC: "123456789", and its sums. */
#define DATA   "123456789"
#define SHA256 "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"
#define CRC32C "4waSgw==" /* e3069283 */
#define MD5    "JfnnlDI7RTiF9RgfG2JNCw=="

#define HINTS "GET /bucket-1/p/endpoint.json "

static char folder[100], ca[120], cert[120], key[120];

/* Rules and settings for a server with TLS. */
static struct s3_server_rules
tls(struct s3_server_rules rules)
{
	rules.cert = cert;
	rules.key = key;
	return rules;
}

static void
begin(struct s3_script *x, struct s3_server_rules rules, const char *checksum)
{
	const struct s3_settings settings = {.retry_s = 2, .ca_file = ca, .checksum = checksum};

	s3_script_begin(x, &rules, &settings);
}

/* As doctor leaves it, of this endpoint. */
static void
put_hints(struct s3_script *x, const char *endpoint, const char *result)
{
	char text[500];

	(void)snprintf(text, sizeof(text),
	    "{\"format\":\"snapferry-endpoint\",\"version\":1,\"tested\":\"2026-11-24T17:00:53.000000000Z\","
	    "\"endpoint\":\"%s\",\"results\":{\"sha256\":\"yes\",\"crc32c\":\"%s\"}}",
	    endpoint, result);
	store_check_put(x->s, "endpoint.json", text);
}

static void
put_good_hints(struct s3_script *x)
{
	put_hints(x, http_server_origin(s3_server_http(x->server)), "yes");
}

static void
check_header(struct s3_script *x, const char *beginning, const char *name, const char *want)
{
	const struct http_server_request *q = s3_server_last(x->server, beginning);
	char out[200];

	CHECK(q != NULL);
	CHECK_STR(http_server_header(q, name, out, sizeof(out)), want);
}

static void
check_sums(struct s3_script *x, const char *beginning, const char *sha256, const char *crc, const char *md5)
{
	check_header(x, beginning, "x-amz-content-sha256", sha256);
	check_header(x, beginning, "x-amz-checksum-crc32c", crc);
	check_header(x, beginning, "content-md5", md5);
}

/* What goes over the wire for a pack and for metadata. */
static void
check_puts(struct s3_script *x, const char *sha256, const char *crc, const char *md5)
{
	struct error err;

	CHECK_OK(store_put_bulk(x->s, "pack", DATA, 9, &err), &err);
	check_sums(x, "PUT /bucket-1/p/pack ", sha256, crc, md5);
	store_check_put(x->s, "meta", DATA);
	check_sums(x, "PUT /bucket-1/p/meta ", SHA256, "", md5);
	store_check_content(x->s, "pack", DATA);
}

static void
check_sha256(struct s3_script *x)
{
	check_puts(x, SHA256, "", "");
}

static void
check_crc32c(struct s3_script *x)
{
	check_puts(x, "UNSIGNED-PAYLOAD", CRC32C, "");
}

/* ---- which one ---- */

static void
test_no_hints(void)
{
	struct s3_script x;

	begin(&x, tls((struct s3_server_rules){.page = 0}), NULL);
	store_check_put(x.s, "first", DATA);
	CHECK_INT(s3_server_count(x.server, HINTS), 0);
	check_sha256(&x);
	CHECK_INT(s3_server_count(x.server, HINTS), 1);
	s3_script_end(&x);
}

static void
test_hints(void)
{
	struct s3_script x;
	struct error err;

	begin(&x, tls((struct s3_server_rules){.page = 0}), "auto");
	put_good_hints(&x);
	check_crc32c(&x);
	CHECK_OK(store_put_bulk(x.s, "more", "", 0, &err), &err);
	check_sums(&x, "PUT /bucket-1/p/more ", "UNSIGNED-PAYLOAD", "AAAAAA==", "");
	CHECK_INT(s3_server_count(x.server, HINTS), 1);
	s3_script_end(&x);
}

/* In clear the signature must cover the content, whatever stands in the bucket. */
static void
test_in_clear(void)
{
	struct s3_script x;

	s3_script_begin(&x, NULL, NULL);
	put_good_hints(&x);
	check_sha256(&x);
	CHECK_INT(s3_server_count(x.server, HINTS), 0);
	s3_script_end(&x);
}

/* The user's word counts more than the hints, which nobody reads then. */
static void
test_settings(void)
{
	struct s3_script x;

	begin(&x, tls((struct s3_server_rules){.page = 0}), "sha256");
	put_good_hints(&x);
	check_sha256(&x);
	CHECK_INT(s3_server_count(x.server, HINTS), 0);
	s3_script_end(&x);

	begin(&x, tls((struct s3_server_rules){.page = 0}), "md5");
	put_good_hints(&x);
	check_puts(&x, SHA256, "", MD5);
	CHECK_INT(s3_server_count(x.server, HINTS), 0);
	s3_script_end(&x);

	begin(&x, tls((struct s3_server_rules){.page = 0}), "crc32c");
	check_crc32c(&x);
	CHECK_INT(s3_server_count(x.server, HINTS), 0);
	s3_script_end(&x);
}

/* ---- what changes on the way ---- */

static void
check_flips(const char *checksum, const char *code)
{
	struct s3_script x;
	struct error err;

	begin(&x, tls((struct s3_server_rules){.damage_expected = true}), checksum);
	put_good_hints(&x);
	/* Once: it is put again. */
	s3_server_flip(x.server, 1);
	CHECK_OK(store_put_bulk(x.s, "pack", DATA, 9, &err), &err);
	CHECK_INT(s3_server_count(x.server, "PUT /bucket-1/p/pack "), 2);
	store_check_content(x.s, "pack", DATA);
	/* Always: nothing is stored, and it is said why. */
	s3_server_flip(x.server, 1000);
	s3_script_failed(
	    store_put_bulk(x.s, "never", DATA, 9, &err), &err, ERR_UNAVAILABLE, "given up after ", code, NULL);
	s3_server_flip(x.server, 0);
	store_check_list(x.s, "never", "");
	s3_script_end(&x);
}

/* A server that does not look makes all the difference: that is what doctor asks for. */
static void
test_unchecked(void)
{
	CLEANUP(buf_free) struct buf b = BUF_INIT(100);
	struct s3_script x;
	struct error err;

	begin(&x, tls((struct s3_server_rules){.unchecked = S3_SERVER_CRC32C, .damage_expected = true}), NULL);
	put_good_hints(&x);
	s3_server_flip(x.server, 1);
	CHECK_OK(store_put_bulk(x.s, "pack", DATA, 9, &err), &err);
	CHECK_OK(store_load(x.s, "pack", 100, &b, &err), &err);
	CHECK(b.len == 9 && memcmp(b.data, DATA, 9) != 0);
	s3_script_end(&x);
}

/* ---- hints that are wrong ---- */

/* The server has lost what it had when doctor looked: an error, which the user can do something about. */
static void
test_outdated(void)
{
	static const struct s3_step refusals[] = {
	    SAYS("PUT ", 400, "InvalidRequest"), SAYS("PUT ", 403, "AccessDenied")};
	static const enum error_code codes[] = {ERR_UNSUPPORTED, ERR_DENIED};
	struct s3_script x;
	struct error err;

	for (size_t i = 0; i < COUNT_OF(refusals); i++) {
		begin(&x, tls((struct s3_server_rules){.page = 0}), NULL);
		put_good_hints(&x);
		s3_script_set(&x, &refusals[i], 1);
		s3_script_failed(
		    store_put_bulk(x.s, "pack", DATA, 9, &err), &err, codes[i], "PUT pack", refusals[i].code, NULL);
		s3_script_end(&x);
	}
}

static void
test_foreign(void)
{
	static const char *const endpoints[] = {"https://s3.example", "https://localhost", "", "http://localhost:1"};
	struct s3_script x;

	for (size_t i = 0; i < COUNT_OF(endpoints); i++) {
		begin(&x, tls((struct s3_server_rules){.page = 0}), NULL);
		put_hints(&x, endpoints[i], "yes");
		check_sha256(&x);
		s3_script_end(&x);
	}
	begin(&x, tls((struct s3_server_rules){.page = 0}), NULL);
	put_hints(&x, http_server_origin(s3_server_http(x.server)), "ignored");
	check_sha256(&x);
	s3_script_end(&x);
}

/* Answers to the question for hints that are none. */
static void
test_hostile_answers(void)
{
	static const struct s3_step steps[] = {
	    SAYS(HINTS, 403, "AccessDenied"),
	    SAYS(HINTS, 404, "NoSuchBucket"),
	    SAYS(HINTS, 501, "NotImplemented"),
	    SAYS(HINTS, 302, NULL, .headers = "Location: https://s3.example/endpoint.json\r\n"),
	    DOES(HINTS, STEP_RAW, .raw = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{"),
	    DOES(HINTS, STEP_RAW, .raw = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnull"),
	    DOES(HINTS, STEP_RAW, .raw = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
	};
	struct s3_script x;

	for (size_t i = 0; i < COUNT_OF(steps); i++) {
		begin(&x, tls((struct s3_server_rules){.page = 0}), NULL);
		put_good_hints(&x);
		s3_script_set(&x, &steps[i], 1);
		check_sha256(&x);
		CHECK_INT(s3_server_count(x.server, HINTS), 1);
		s3_script_end(&x);
	}
}

/* What would be good hints, but for white space that makes them too long. */
static void
test_huge(void)
{
	enum { LEN = 65537 };
	char *text = malloc(LEN);
	struct s3_script x;
	struct error err;
	int n;

	CHECK(text != NULL);
	begin(&x, tls((struct s3_server_rules){.page = 0}), NULL);
	n = snprintf(text, LEN,
	    "{\"format\":\"snapferry-endpoint\",\"version\":1,\"endpoint\":\"%s\",\"results\":{\"crc32c\":\"yes\"}}",
	    http_server_origin(s3_server_http(x.server)));
	memset(text + n, ' ', (size_t)(LEN - n));
	CHECK_OK(store_put(x.s, "endpoint.json", text, LEN, &err), &err);
	check_sha256(&x);
	CHECK_INT(s3_server_count(x.server, HINTS), 1);
	s3_script_end(&x);
	free(text);
}

/* The server cannot give them for as long as anything is tried: packs are stored without. */
static void
test_no_answer(void)
{
	static const struct s3_step steps[100] = {[0 ... 99] = SAYS(HINTS, 500, "InternalError")};
	struct s3_script x;

	begin(&x, tls((struct s3_server_rules){.page = 0}), NULL);
	put_good_hints(&x);
	s3_script_set(&x, steps, COUNT_OF(steps));
	check_sha256(&x);
	CHECK(s3_script_drop(&x) > 1);
	s3_script_end(&x);
}

int
main(void)
{
	(void)alarm(120);
	(void)setenv("no_proxy", "*", 1);
	scratch_make(folder, sizeof(folder), "s3_checksum");
	certs_make(folder);
	(void)snprintf(ca, sizeof(ca), "%s/ca.pem", folder);
	(void)snprintf(cert, sizeof(cert), "%s/server.pem", folder);
	(void)snprintf(key, sizeof(key), "%s/server.key", folder);
	test_no_hints();
	test_hints();
	test_in_clear();
	test_settings();
	check_flips("sha256", "XAmzContentSHA256Mismatch");
	check_flips("md5", "XAmzContentSHA256Mismatch");
	check_flips("crc32c", "BadDigest");
	check_flips("auto", "BadDigest");
	test_unchecked();
	test_outdated();
	test_foreign();
	test_hostile_answers();
	test_huge();
	test_no_answer();
	scratch_remove(folder);
	return 0;
}
