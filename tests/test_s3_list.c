/* Listings: pages, both versions of the call, and servers that do not come forward. */
#include <unistd.h>

#include "buf.h"
#include "check.h"
#include "cleanup.h"
#include "s3_script.h"
#include "store.h"
#include "store_contract.h"

/* A page in XML, as a whole reply. */
#define OBJECT(key) \
	"<Contents><Key>" key "</Key><Size>1</Size><LastModified>2026-11-24T00:00:00.000Z</LastModified></Contents>"
#define MORE         "<IsTruncated>true</IsTruncated>"
#define TOKEN(text)  "<NextContinuationToken>" text "</NextContinuationToken>"
#define PAGE(inside) "HTTP/1.1 200 OK\r\n\r\n<ListBucketResult>" inside "</ListBucketResult>"
#define SENDS(page)  DOES("GET ", STEP_RAW, .raw = page)

static int
list(struct s3_script *x, struct error *err)
{
	CLEANUP(buf_free) struct buf b = BUF_INIT(100000);

	return store_list(x->s, "", store_collect, &b, err);
}

static const char *
parameter(struct s3_script *x, size_t request, const char *name, char out[256])
{
	const char *at = strstr(http_server_request(s3_server_http(x->server), request)->target, name);

	out[0] = '\0';
	if (at != NULL)
		(void)snprintf(out, 256, "%.*s", (int)strcspn(at, "& "), at);
	return out;
}

static void
test_second_version(void)
{
	char text[256];
	struct s3_script x;

	s3_script_begin(&x, NULL, NULL);
	S3_STEPS(&x, SENDS(PAGE(MORE TOKEN("to+ken/=&amp;%20") OBJECT("p/a") OBJECT("p/b"))),
	    SENDS(PAGE(OBJECT("p/c") "<IsTruncated>false</IsTruncated>")));
	store_check_list(x.s, "", "a:1 b:1 c:1 ");
	CHECK_STR(parameter(&x, 0, "list-type", text), "list-type=2");
	CHECK_STR(parameter(&x, 0, "prefix", text), "prefix=p%2F");
	CHECK_STR(parameter(&x, 0, "start-after", text), "");
	CHECK_STR(parameter(&x, 1, "continuation-token", text), "continuation-token=to%2Bken%2F%3D%26%2520");
	CHECK_STR(parameter(&x, 1, "start-after", text), "");
	CHECK_STR(parameter(&x, 1, "prefix", text), "prefix=p%2F");
	s3_script_end(&x);
}

static void
test_first_version(void)
{
	static const struct s3_step refusals[] = {
	    SAYS("GET ", 501, "NotImplemented"), SAYS("GET ", 400, "InvalidArgument"), SAYS("GET ", 405, NULL)};
	char text[256];

	for (size_t i = 0; i < COUNT_OF(refusals); i++) {
		struct s3_script x;

		s3_script_begin(&x, NULL, NULL);
		s3_script_set(&x, &refusals[i], 1);
		store_check_list(x.s, "", "");
		CHECK_STR(parameter(&x, 1, "list-type", text), "");
		/* It is remembered. */
		S3_STEPS(&x, SENDS(PAGE(MORE OBJECT("p/a") OBJECT("p/b"))), SENDS(PAGE(OBJECT("p/c"))));
		store_check_list(x.s, "", "a:1 b:1 c:1 ");
		CHECK_STR(parameter(&x, 2, "list-type", text), "");
		CHECK_STR(parameter(&x, 3, "marker", text), "marker=p%2Fb");
		CHECK_INT(s3_server_count(x.server, "GET "), 4);
		s3_script_end(&x);
	}
}

/* Neither version: what was said to the second one counts, and the next listing tries it again. */
static void
test_no_version(void)
{
	char text[256];
	struct s3_script x;
	struct error err;

	s3_script_begin(&x, NULL, NULL);
	S3_STEPS(&x, SAYS("GET ", 501, "NotImplemented"), SAYS("GET ", 403, "AccessDenied"));
	s3_script_failed(list(&x, &err), &err, ERR_UNSUPPORTED, "NotImplemented", NULL);
	store_check_list(x.s, "", "");
	CHECK_STR(parameter(&x, 2, "list-type", text), "list-type=2");
	S3_STEPS(&x, SAYS("GET ", 403, "AccessDenied"));
	s3_script_failed(list(&x, &err), &err, ERR_DENIED, "AccessDenied", NULL);
	CHECK_INT(s3_server_count(x.server, "GET "), 4);
	S3_STEPS(&x, SAYS("GET ", 404, "NoSuchBucket"));
	s3_script_failed(list(&x, &err), &err, ERR_NO_REPOSITORY, "bucket-1", NULL);
	s3_script_end(&x);
}

/* Servers that would be asked for ever. */
static void
test_no_progress(void)
{
	static const struct {
		struct s3_step steps[3];
		size_t count;
	} cases[] = {
	    {{SENDS(PAGE(MORE TOKEN("t") OBJECT("p/a"))), SENDS(PAGE(MORE TOKEN("t") OBJECT("p/a")))}, 2},
	    {{SENDS(PAGE(MORE TOKEN("t") OBJECT("p/b"))), SENDS(PAGE(MORE TOKEN("u") OBJECT("p/a")))}, 2},
	    {{SENDS(PAGE(MORE OBJECT("p/a"))), SENDS(PAGE(MORE OBJECT("p/a")))}, 2},
	    {{SENDS(PAGE(MORE))}, 1},
	    /* What is outside of the prefix goes round in circles. */
	    {{SENDS(PAGE(MORE TOKEN("t") OBJECT("q/a"))), SENDS(PAGE(MORE TOKEN("t") OBJECT("q/a")))}, 2},
	    {{SENDS(PAGE(MORE TOKEN("t") OBJECT("p/a"))), SENDS(PAGE(MORE TOKEN("t"))), SENDS(PAGE(MORE))}, 3},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct s3_script x;
		struct error err;

		s3_script_begin(&x, NULL, NULL);
		s3_script_set(&x, cases[i].steps, cases[i].count);
		s3_script_failed(list(&x, &err), &err, ERR_CORRUPT, "", NULL);
		CHECK_INT(s3_server_count(x.server, "GET "), cases[i].count);
		s3_script_end(&x);
	}
}

/* Pages without objects: where much was deleted some come, but not for ever. */
static void
test_empty_pages(void)
{
	struct s3_step steps[1001];
	struct s3_script x;
	struct error err;

	for (size_t i = 0; i < COUNT_OF(steps); i++)
		steps[i] = (struct s3_step)SENDS(PAGE(MORE TOKEN("t")));
	s3_script_begin(&x, NULL, NULL);
	steps[50] = (struct s3_step)SENDS(PAGE(OBJECT("p/z")));
	s3_script_set(&x, steps, 51);
	store_check_list(x.s, "", "z:1 ");
	steps[50] = steps[0];
	s3_script_set(&x, steps, COUNT_OF(steps));
	s3_script_failed(list(&x, &err), &err, ERR_CORRUPT, "empty page", NULL);
	s3_script_end(&x);
}

/* A server that ignores the prefix, or gives what can be no key of ours. */
static void
test_strangers(void)
{
	struct s3_script x;

	s3_script_begin(&x, NULL, NULL);
	S3_STEPS(&x, SENDS(PAGE(OBJECT("a") OBJECT("p") OBJECT("p/") OBJECT("p/../x") OBJECT("p/UPPER") OBJECT("p/a")
			     OBJECT("p/b b") OBJECT("p/c") OBJECT("p/c/") OBJECT("p2") OBJECT("q/d"))));
	store_check_list(x.s, "", "a:1 c:1 ");
	s3_script_end(&x);
}

static void
test_out_of_order(void)
{
	struct s3_script x;
	struct error err;

	s3_script_begin(&x, NULL, NULL);
	S3_STEPS(&x, SENDS(PAGE(OBJECT("p/b") OBJECT("p/a"))));
	s3_script_failed(list(&x, &err), &err, ERR_CORRUPT, "out of order", NULL);
	S3_STEPS(&x, SENDS(PAGE(OBJECT("p/a") OBJECT("p/a"))));
	s3_script_failed(list(&x, &err), &err, ERR_CORRUPT, "out of order", NULL);
	s3_script_end(&x);
}

/* XML that cannot be read, since somebody's key has bytes in it that XML does not know: asked again, with keys encoded.
 * What cannot be read then is an error. */
static void
test_encoding(void)
{
	char text[256];
	struct s3_script x;
	struct error err;

	s3_script_begin(&x, NULL, NULL);
	S3_STEPS(&x, SENDS(PAGE(OBJECT("p/\x01"))),
	    SENDS(PAGE("<EncodingType>url</EncodingType>" MORE TOKEN("t") OBJECT("p%2Fa") OBJECT("p/b%01"))),
	    SENDS(PAGE("<EncodingType>url</EncodingType>" OBJECT("p%2Fc"))));
	store_check_list(x.s, "", "a:1 c:1 ");
	CHECK_STR(parameter(&x, 0, "encoding-type", text), "");
	CHECK_STR(parameter(&x, 1, "encoding-type", text), "encoding-type=url");
	CHECK_STR(parameter(&x, 2, "encoding-type", text), "encoding-type=url");
	S3_STEPS(&x, SENDS(PAGE(OBJECT("p/\x01"))), SENDS(PAGE(OBJECT("p/\x01"))));
	s3_script_failed(list(&x, &err), &err, ERR_CORRUPT, "XML", NULL);
	S3_STEPS(&x, SENDS("HTTP/1.1 200 OK\r\n\r\n<html>"), SENDS("HTTP/1.1 200 OK\r\n\r\n"));
	s3_script_failed(list(&x, &err), &err, ERR_CORRUPT, "", NULL);
	s3_script_end(&x);
}

/* A page that is tried again is no second page; and one that is too long is not kept. */
static void
test_faults(void)
{
	struct s3_script x;

	s3_script_begin(&x, &(struct s3_server_rules){.page = 1}, NULL);
	store_check_put(x.s, "a", "1");
	store_check_put(x.s, "b", "1");
	store_check_put(x.s, "c", "1");
	S3_STEPS(&x, SAYS("GET ", 503, "SlowDown"), DOES("GET ", STEP_DONE_RESET), DOES("GET ", STEP_RESET),
	    SENDS("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n<ListBucketResult>"),
	    SAYS("GET ", 200, "InternalError"));
	store_check_list(x.s, "", "a:1 b:1 c:1 ");
	s3_script_end(&x);
}

static int
stop_early(void *arg, const struct store_object *object, struct error *err)
{
	(void)arg;
	(void)err;
	CHECK_STR(object->key, "a");
	return 1;
}

/* Who has enough is not made to wait for another page. */
static void
test_stop(void)
{
	struct s3_script x;
	struct error err;

	s3_script_begin(&x, NULL, NULL);
	S3_STEPS(&x, SENDS(PAGE(MORE TOKEN("t") OBJECT("p/a") OBJECT("p/b"))));
	CHECK_OK(store_list(x.s, "", stop_early, NULL, &err), &err);
	CHECK_INT(s3_server_count(x.server, "GET "), 1);
	s3_script_end(&x);
}

int
main(void)
{
	(void)alarm(120);
	test_second_version();
	test_first_version();
	test_no_version();
	test_no_progress();
	test_empty_pages();
	test_strangers();
	test_out_of_order();
	test_encoding();
	test_faults();
	test_stop();
	return 0;
}
