/* The store over libs3 against a server that answers by a script: what libs3 passes over, and what must be refused. */
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "buf.h"
#include "check.h"
#include "cleanup.h"
#include "http_server.h"
#include "s3.h"
#include "store.h"
#include "store_contract.h"

/* The next request begins like this, and gets these bytes. */
struct step {
	const char *beginning, *answer;
};

struct script {
	struct http_server *server;
	struct store *s; /* bucket-1, prefix p */
	const struct step *steps;
	size_t count, next;
};

#define NOT_FOUND "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
#define LISTED(truncated, objects) \
	"<?xml version=\"1.0\"?><ListBucketResult><IsTruncated>" truncated "</IsTruncated>" objects
#define OBJECT(key, size) \
	"<Contents><Key>p/" key "</Key><LastModified>2026-07-01T12:00:00.000Z</LastModified><Size>" size \
	"</Size></Contents>"
#define WHOLE(body) "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" body "</ListBucketResult>"
#define CUT_LIST    "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"
/* Versions differ in how they write queries, and in whether they see that a put was refused without a word. */
#ifdef HAVE_LIBS3_SIGV4
#define SLASH "%2F"
#define LOOK_AGAIN \
	{ \
		"HEAD /bucket-1/p/k ", NOT_FOUND \
	}
#else
#define SLASH "/"
#define LOOK_AGAIN \
	{"HEAD /bucket-1/p/k ", NOT_FOUND}, \
	{ \
		"HEAD /bucket-1/p/k ", NOT_FOUND \
	}
#endif
#define LIST_REQUEST "GET /bucket-1/?prefix=p" SLASH

static void
answer(struct http_server_call *call, const struct http_server_request *q, void *arg)
{
	struct script *x = arg;
	const struct step *step = &x->steps[x->next];

	if (x->next == x->count || strncmp(q->head, step->beginning, strlen(step->beginning)) != 0) {
		fprintf(stderr, "unexpected: %s", q->head);
		abort();
	}
	x->next++;
	(void)http_server_take_all(call);
	(void)http_server_send(call, step->answer, strlen(step->answer));
	http_server_close(call);
}

static void
begin(struct script *x, const struct step *steps, size_t count)
{
	struct http_server_options o = {.fn = answer, .arg = x};
	char place[100];
	struct error err;

	*x = (struct script){.steps = steps, .count = count};
	x->server = http_server_new(&o);
	(void)snprintf(place, sizeof(place), "libs3+%s/bucket-1/p/", http_server_origin(x->server));
	CHECK_OK(store_open(place, false, NULL, &x->s, &err), &err);
}

static void
end(struct script *x)
{
	store_free(x->s);
	http_server_free(x->server);
	CHECK_INT(x->next, x->count);
}

#define BEGIN(x, ...) \
	static const struct step steps_[] = {__VA_ARGS__}; \
	begin((x), steps_, COUNT_OF(steps_))

/* ---- refused ---- */

static void
check_refused(const char *place, const struct s3_settings *settings, enum error_code code, const char *why)
{
	struct store *s;
	struct error err = {0};

	CHECK_INT(store_open(place, false, settings, &s, &err), code);
	if (strstr(err.msg, why) == NULL)
		fprintf(stderr, "%s: %s\n", place, err.msg);
	CHECK(strstr(err.msg, why) != NULL);
}

static void
test_places(void)
{
	static const char place[] = "libs3+http://127.0.0.1:1/bucket-1/p";
	static const char *const tags[] = {"a=b"};
	static const struct s3_settings useless[] = {{.endpoint = "http://x"}, {.addressing = "virtual"},
	    {.ca_file = "x"}, {.client_cert = "x"}, {.insecure_tls = true}, {.storage_class = "X"}, {.sse = "AES256"},
	    {.sse_kms_key = "x"}, {.sse_customer_key_file = "x"}, {.tags = tags, .ntags = 1}, {.requester_pays = true},
	    {.checksum = "crc32c"}, {.stall_s = 1}, {.first_answer_s = 1}};
	const struct s3_settings heeded = {.region = "r", .addressing = "path", .checksum = "md5", .retry_s = 1};
	struct store *s;
	struct error err;

	check_refused("libs3+http://127.0.0.1:1", NULL, ERR_USAGE, "bucket is missing");
	check_refused("libs3+http://127.0.0.1:1/", NULL, ERR_USAGE, "bucket is missing");
	check_refused("libs3+http://127.0.0.1:1/b", NULL, ERR_USAGE, "not the name of a bucket");
	check_refused("libs3+http://127.0.0.1:1//b", NULL, ERR_USAGE, "not the name of a bucket");
	check_refused("libs3+http:///bucket-1", NULL, ERR_USAGE, "");
	check_refused("libs3+http://127.0.0.1:1/bucket-1/a/../b", NULL, ERR_USAGE, "cannot be a prefix");
	check_refused("libs3+http://127.0.0.1:1/bucket-1/a+b", NULL, ERR_UNSUPPORTED, "letters, digits");
	check_refused("libs3+http://127.0.0.1:1/bucket-1/a%20b", NULL, ERR_UNSUPPORTED, "letters, digits");
	check_refused("libs3://bucket-1", NULL, ERR_USAGE, "do not know how");
	for (size_t i = 0; i < COUNT_OF(useless); i++)
		check_refused(place, &useless[i], ERR_UNSUPPORTED, "has no effect through libs3");
	CHECK_OK(store_open(place, false, &heeded, &s, &err), &err);
	store_free(s);
#ifndef HAVE_LIBS3_SIGV4
	check_refused("libs3+https://127.0.0.1:1/bucket-1", NULL, ERR_UNSUPPORTED, "does not check certificates");
	CHECK(setenv("AWS_SESSION_TOKEN", "token", 1) == 0);
	check_refused(place, NULL, ERR_UNSUPPORTED, "session token");
	CHECK(unsetenv("AWS_SESSION_TOKEN") == 0);
#endif
}

/* ---- puts ---- */

/* libs3 2.0 takes everything behind "100 Continue" for success: only looking tells. */
static void
test_put_refused_silently(void)
{
	struct script x;

	BEGIN(&x, {"HEAD /bucket-1/p/k ", NOT_FOUND},
	    {"PUT /bucket-1/p/k ", "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"}, LOOK_AGAIN,
	    {"PUT /bucket-1/p/k ", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
	    {"HEAD /bucket-1/p/k ",
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nETag: \"900150983cd24fb0d6963f7d28e17f72\"\r\n\r\n"});
	store_check_put(x.s, "k", "abc");
	end(&x);
}

/* Whose object it is that is there afterwards. */
static void
test_put_overtaken(void)
{
	struct script x;
	struct error err;

	BEGIN(&x, {"HEAD ", NOT_FOUND}, {"PUT ", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
	    {"HEAD ", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nETag: \"900150983cd24fb0d6963f7d28e17f72\"\r\n"
		      "x-amz-meta-put-id: 00112233445566778899aabbccddeeff\r\n\r\n"},
	    {"HEAD ", NOT_FOUND}, {"PUT ", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
	    {"HEAD ", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nETag: \"00112233445566778899aabbccddeeff\"\r\n\r\n"},
	    /* The same bytes, but nothing was put yet. */
	    {"HEAD ", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nETag: \"900150983cd24fb0d6963f7d28e17f72\"\r\n\r\n"});
	CHECK_INT(store_put(x.s, "k", "abc", 3, &err), ERR_EXISTS);
	CHECK_INT(store_put(x.s, "k", "abc", 3, &err), ERR_EXISTS);
	CHECK_INT(store_put(x.s, "k", "abc", 3, &err), ERR_EXISTS);
	end(&x);
}

/* ---- reading ---- */

/* A body that was cut is a whole one to libs3; a length that it does not understand is found out in another way. */
static void
test_lengths(void)
{
	struct script x;
	struct error err;
	char bytes[3];
	uint64_t size;

	BEGIN(&x, {"GET /bucket-1/p/k ", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab"},
	    {"GET /bucket-1/p/k ", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"},
	    /* Without a length: cut once, then whole. */
	    {"GET /bucket-1/p/k ", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nab"},
	    {"HEAD /bucket-1/p/k ", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"},
	    {"GET /bucket-1/?prefix=p" SLASH "k&max-keys=1 ", WHOLE(LISTED("false", OBJECT("k", "3")))},
	    {"GET /bucket-1/p/k ", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc"},
	    {"HEAD /bucket-1/p/k ", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"},
	    /* A part that is not told either. */
	    {"GET /bucket-1/p/k ", "HTTP/1.1 206 Partial Content\r\nConnection: close\r\n\r\nc"},
	    {"HEAD /bucket-1/p/k ", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"},
	    {"HEAD /bucket-1/p/k ", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"},
	    {"GET /bucket-1/?prefix=p" SLASH "k&max-keys=1 ", WHOLE(LISTED("false", OBJECT("k", "7")))},
	    {"GET /bucket-1/p/k ", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd"});
	store_check_content(x.s, "k", "abc");
	store_check_content(x.s, "k", "abc");
	CHECK_INT(store_get(x.s, "k", 2, bytes, 2, &err), ERR_CORRUPT);
	CHECK_OK(store_size(x.s, "k", &size, &err), &err);
	CHECK_INT(size, 7);
	/* A server that knows no ranges. */
	CHECK_INT(store_get(x.s, "k", 1, bytes, 2, &err), ERR_UNSUPPORTED);
	end(&x);
}

/* ---- listings ---- */

static int
check_time(void *arg, const struct store_object *object, struct error *err)
{
	(void)arg;
	(void)err;
	CHECK_INT(object->modified_s, 1782907200); /* 2026-07-01T12:00:00Z */
	return 0;
}

static void
test_list(void)
{
	struct script x;
	struct error err;

	BEGIN(&x, {LIST_REQUEST "a&max-keys=1000 ", CUT_LIST LISTED("true", OBJECT("a", "1") "<Contents><Key>p/")},
	    {LIST_REQUEST "a&marker=p" SLASH "a&max-keys=1000 ", CUT_LIST "<?xml"},
	    {LIST_REQUEST "a&marker=p" SLASH "a&max-keys=1000 ", WHOLE(LISTED("false", OBJECT("ab", "2")))},
	    {LIST_REQUEST "a&marker=p" SLASH "ab&max-keys=1000 ", WHOLE(LISTED("false", ""))},
	    /* Nothing. */
	    {LIST_REQUEST "b", WHOLE(LISTED("false", ""))}, {LIST_REQUEST "b", WHOLE(LISTED("false", ""))},
	    /* Times, wherever we are. */
	    {LIST_REQUEST "c", WHOLE(LISTED("false", OBJECT("c", "1")))},
	    {LIST_REQUEST "c", WHOLE(LISTED("false", ""))},
	    /* An empty page that says that there is more: the first is passed over, the second believed, like any empty
	       one. */
	    {LIST_REQUEST "d", WHOLE(LISTED("true", OBJECT("d", "1")))},
	    {LIST_REQUEST "d&marker=p" SLASH "d&", WHOLE(LISTED("true", ""))},
	    {LIST_REQUEST "d&marker=p" SLASH "d&", WHOLE(LISTED("true", OBJECT("db", "2")))},
	    {LIST_REQUEST "d&marker=p" SLASH "db&", WHOLE(LISTED("true", ""))},
	    {LIST_REQUEST "d&marker=p" SLASH "db&", WHOLE(LISTED("true", ""))},
	    /* Nonsense. */
	    {LIST_REQUEST "e", WHOLE(LISTED("true", OBJECT("e", "1")))},
	    {LIST_REQUEST "e&marker=p" SLASH "e&", WHOLE(LISTED("true", OBJECT("e", "1")))});
	store_check_list(x.s, "a", "a:1 ab:2 ");
	store_check_list(x.s, "b", "");
	CHECK(setenv("TZ", "EST5EDT", 1) == 0);
	tzset();
	CHECK_OK(store_list(x.s, "c", check_time, NULL, &err), &err);
	CHECK(unsetenv("TZ") == 0);
	tzset();
	store_check_list(x.s, "d", "d:1 db:2 ");
	CHECK_INT(store_list(x.s, "e", check_time, NULL, &err), ERR_CORRUPT);
	end(&x);
}

/* ---- retries and the end ---- */

#define SLOW_DOWN \
	"HTTP/1.1 503 Slow Down\r\nContent-Length: 36\r\n\r\n" \
	"<Error><Code>SlowDown</Code></Error>"

static void
test_given_up(void)
{
	const struct s3_settings settings = {.retry_s = 1};
	struct http_server *server = http_server_new(&(struct http_server_options){.fn = NULL});
	char place[100];
	struct store *s;
	struct error err;
	uint64_t size;

	(void)snprintf(place, sizeof(place), "libs3+%s/bucket-1", http_server_origin(server));
	http_server_free(server);
	CHECK_OK(store_open(place, false, &settings, &s, &err), &err);
	CHECK_INT(store_size(s, "k", &size, &err), ERR_UNAVAILABLE);
	CHECK(strstr(err.msg, "given up after") != NULL && strstr(err.msg, "FailedToConnect") != NULL);
	CHECK(strstr(err.msg, "secret") == NULL);
	store_free(s);
}

static void
slow_down(struct http_server_call *call, const struct http_server_request *q, void *arg)
{
	(void)q;
	(void)arg;
	(void)http_server_send(call, SLOW_DOWN, strlen(SLOW_DOWN));
}

static void *
wait_in_load(void *arg)
{
	struct buf got = BUF_INIT(10);
	struct error err;

	CHECK_INT(store_load(arg, "k", 10, &got, &err), ERR_CANCELLED);
	buf_free(&got);
	return NULL;
}

static void
test_end(void)
{
	struct http_server_options o = {.fn = slow_down};
	struct http_server *server = http_server_new(&o);
	pthread_t threads[4];
	char place[100];
	struct store *s;
	struct error err;
	time_t begun;

	(void)snprintf(place, sizeof(place), "libs3+%s/bucket-1", http_server_origin(server));
	CHECK_OK(store_open(place, false, NULL, &s, &err), &err);
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		CHECK(pthread_create(&threads[i], NULL, wait_in_load, s) == 0);
	/* By then their pauses are long. */
	http_server_wait(server, 4 * COUNT_OF(threads));
	begun = time(NULL);
	store_end(s);
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	CHECK(time(NULL) - begun <= 2);
	(void)wait_in_load(s);
	store_free(s);
	http_server_free(server);
}

int
main(void)
{
	static const char *const unset[] = {"AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_WEB_IDENTITY_TOKEN_FILE",
	    "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE", "http_proxy", "HOME"};

	(void)alarm(120);
	(void)signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < COUNT_OF(unset); i++)
		CHECK(unsetenv(unset[i]) == 0);
	CHECK(setenv("AWS_ACCESS_KEY_ID", "AKID", 1) == 0);
	CHECK(setenv("AWS_SECRET_ACCESS_KEY", "a-secret", 1) == 0);
	test_places();
	test_put_refused_silently();
	test_put_overtaken();
	test_lengths();
	test_list();
	test_given_up();
	test_end();
	return 0;
}
