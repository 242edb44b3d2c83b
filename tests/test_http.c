/*
 * Exchanges as http.h promises them, with a server that behaves: what is sent, where the reply goes, which connections
 * are used.
 */
#include "http.h"

#include <unistd.h>

#include "check.h"
#include "cleanup.h"
#include "exchange.h"
#include "http_server.h"

static char big[3 * 1024 * 1024];

/* Every header of a request is one that may be there. */
static void
check_names(const struct http_server_request *q)
{
	static const char *const allowed[] = {
	    "Host:", "Content-Length:", "User-Agent: snapferry/", "Accept: */*", "Accept-Encoding: identity", "x-"};

	for (const char *line = strstr(q->head, "\r\n") + 2; *line != '\r'; line = strstr(line, "\r\n") + 2) {
		bool found = false;

		for (size_t i = 0; i < COUNT_OF(allowed); i++)
			found = found || strncmp(line, allowed[i], strlen(allowed[i])) == 0;
		if (!found) {
			fprintf(stderr, "sent: %s", q->head);
			CHECK(found);
		}
	}
}

static void
test_methods(void)
{
	static const struct {
		const char *method;
		size_t body_len;
		const char *content_length;
	} cases[] = {
	    {"GET", 0, ""},
	    {"PUT", 5, "5"},
	    {"HEAD", 0, ""},
	    {"PUT", 0, "0"},
	    {"GET", 0, ""},
	    {"POST", 7, "7"},
	    {"DELETE", 0, ""},
	    {"POST", 0, "0"},
	    {"HEAD", 0, ""},
	    {"PUT", 300000, "300000"},
	    {"DELETE", 0, ""},
	};
	static const char path[] = "/b/../a/./%2f//x%20y?list-type=2&x=%2F&uploads=";
	const struct http_header headers[] = {{"x-one", "a  b;c"}, {"x-empty", ""}, {"x-utf8", "\xC3\xA9"}};
	struct http_server_options o = {NULL, NULL, false, NULL, NULL, NULL};
	struct http_server *s = http_server_new(&o);
	struct http *h = exchange_client(NULL);
	char value[64], host[64];

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const struct http_server_request *q;
		struct exchange x;

		exchange_begin(&x, cases[i].method, http_server_origin(s), path);
		x.q.headers = headers;
		x.q.nheaders = COUNT_OF(headers);
		x.q.body = big;
		x.q.body_len = cases[i].body_len;
		CHECK_OK(exchange_run(&x, h), &x.err);
		CHECK_INT(x.reply.status, 200);
		CHECK(x.reply.sent);
		q = http_server_request(s, i);
		CHECK_STR(q->method, cases[i].method);
		CHECK_STR(q->target, path);
		CHECK_STR(http_server_header(q, "content-length", value, sizeof(value)), cases[i].content_length);
		CHECK_INT(q->body_len, cases[i].body_len);
		CHECK(q->body_len == 0 || memcmp(q->body, big, q->body_len) == 0);
		CHECK_STR(http_server_header(q, "x-one", value, sizeof(value)), "a  b;c");
		CHECK(strstr(q->head, "\r\nx-empty:\r\n") != NULL);
		CHECK_STR(http_server_header(q, "x-utf8", value, sizeof(value)), "\xC3\xA9");
		(void)snprintf(host, sizeof(host), "127.0.0.1:%u", http_server_port(s));
		CHECK_STR(http_server_header(q, "host", value, sizeof(value)), host);
		check_names(q);
		exchange_end(&x);
	}
	CHECK_INT(http_server_connections(s), 1);
	http_free(h);
	http_server_free(s);
}

/* What cannot be sent is refused before anything is. */
static void
test_refused(void)
{
	static const struct http_header bad[] = {{"", "x"}, {"a b", "x"}, {"Upper", "x"}, {"a:", "x"}, {"a\n", "x"},
	    {"a", "x\r\ny: z"}, {"a", "\n"}, {"a", "\x01"}, {"a", "x\x7F"}, {"host\r\nx", "y"}};
	static const char *const urls[] = {"", "x", "/x", "127.0.0.1/", "ftp://127.0.0.1/", "file:///etc/passwd",
	    "http://", "http:///x", "http://u:SECRET@127.0.0.1/", "http://127.0.0.1:0/", "http://127.0.0.1:99999/",
	    "http://127.0.0.1:1/a b", "http://127.0.0.1:1/\n", "http://127.0.0.1:1/#SECRET", "http://[::1/",
	    "http://127.0.0.1:1/\xC3\xA9", "http://a\xC3\xA9/"};
	struct http_server_options o = {NULL, NULL, false, NULL, NULL, NULL};
	struct http_server *s = http_server_new(&o);
	struct http *h = exchange_client(NULL);
	struct exchange x;

	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		exchange_begin(&x, "GET", http_server_origin(s), "/");
		x.q.headers = &bad[i];
		x.q.nheaders = 1;
		CHECK_INT(exchange_run(&x, h), ERR_USAGE);
		CHECK(!x.reply.sent);
	}
	for (size_t i = 0; i < COUNT_OF(urls); i++)
		CHECK_INT(exchange_status(h, "GET", urls[i], ""), ERR_USAGE);
	CHECK_INT(exchange_status(h, "PATCH", http_server_origin(s), "/"), ERR_USAGE);
	exchange_begin(&x, "GET", http_server_origin(s), "/");
	x.reply.nwanted = HTTP_HEADERS_MAX + 1;
	CHECK_INT(exchange_run(&x, h), ERR_USAGE);
	CHECK_INT(http_server_requests(s), 0);
	http_free(h);
	http_server_free(s);
}

/* "/<status>/<length>": so many digits as the body. */
static void
answer_length(struct http_server_call *call, const struct http_server_request *q, void *arg)
{
	unsigned status, len;

	(void)arg;
	CHECK(sscanf(q->target, "/%u/%u", &status, &len) == 2);
	(void)http_server_reply(call, (int)status, NULL, "01234567890123456789", len);
}

static void
test_sinks(void)
{
	static const struct {
		const char *path;
		size_t into_len, limit; /* SIZE_MAX: no such place */
		int code;
		size_t received, in_body;
	} cases[] = {
	    {"/200/10", SIZE_MAX, 10, 0, 0, 10},
	    {"/200/10", SIZE_MAX, 9, ERR_CORRUPT, 0, 0},
	    {"/200/0", SIZE_MAX, 0, 0, 0, 0},
	    {"/200/10", 10, 0, 0, 10, 0},
	    {"/206/10", 12, 0, 0, 10, 0},
	    {"/206/10", 9, 100, ERR_CORRUPT, 0, 0},
	    {"/200/0", 0, 0, 0, 0, 0},
	    {"/200/1", 0, 100, ERR_CORRUPT, 0, 0},
	    {"/201/10", 10, 10, 0, 0, 10},
	    {"/404/10", 10, 10, 0, 0, 10},
	    {"/404/10", 10, 9, ERR_CORRUPT, 0, 0},
	    {"/500/3", 10, 10, 0, 0, 3},
	    {"/200/10", 10, SIZE_MAX, 0, 10, 0},
	    {"/404/0", 10, SIZE_MAX, 0, 0, 0},
	    {"/404/1", 10, SIZE_MAX, ERR_CORRUPT, 0, 0},
	};
	struct http_server_options o = {.fn = answer_length};
	struct http_server *s = http_server_new(&o);
	struct http *h = exchange_client(NULL);

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char into[12] = "xxxxxxxxxxxx";
		struct exchange x;
		int status;

		exchange_begin(&x, "GET", http_server_origin(s), cases[i].path);
		CHECK(sscanf(cases[i].path, "/%d", &status) == 1);
		x.body.limit = cases[i].limit;
		if (cases[i].limit == SIZE_MAX)
			x.reply.body = NULL;
		if (cases[i].into_len != SIZE_MAX)
			x.reply.into = into;
		x.reply.into_len = cases[i].into_len;
		x.reply.received = 3;
		CHECK_INT(exchange_run(&x, h), cases[i].code);
		CHECK_INT(x.reply.status, status);
		CHECK_INT(x.reply.received, cases[i].received);
		CHECK_INT(x.body.len, cases[i].in_body);
		CHECK_MEM(into, "0123456789", cases[i].received);
		CHECK(cases[i].received == sizeof(into) || into[cases[i].received] == 'x');
		CHECK(x.body.len == 0 || memcmp(x.body.data, "0123456789", x.body.len) == 0);
		exchange_end(&x);
	}
	http_free(h);
	http_server_free(s);
}

/* The body is appended to what is there. */
static void
test_append(void)
{
	struct http_server_options o = {.fn = answer_length};
	struct http_server *s = http_server_new(&o);
	struct http *h = exchange_client(NULL);
	struct exchange x;

	exchange_begin(&x, "GET", http_server_origin(s), "/200/3");
	buf_put(&x.body, "ab", 2);
	CHECK_OK(exchange_run(&x, h), &x.err);
	CHECK(exchange_is(&x, "ab012"));
	exchange_end(&x);
	http_free(h);
	http_server_free(s);
}

static void
answer_headers(struct http_server_call *call, const struct http_server_request *q, void *arg)
{
	char headers[8192];

	(void)q;
	(void)arg;
	(void)snprintf(headers, sizeof(headers),
	    "ETag: \"one\"\r\nEtag: \"two\"\r\nX-Space:   a b \t \r\nx-none:\r\nx-511: %0511d\r\nx-512: %0512d\r\n"
	    "x-large: %05000d\r\nx-quoted: a\"b\r\nx-prefix-more: c\r\n",
	    1, 2, 3);
	(void)http_server_reply(call, 200, headers, "", 0);
}

static void
test_wanted(void)
{
	static const char *const wanted[] = {"etag", "x-space", "x-none", "x-511", "x-512", "x-large", "x-quoted",
	    "x-prefix", "absent", "content-length"};
	struct http_server_options o = {.fn = answer_headers};
	struct http_server *s = http_server_new(&o);
	struct http *h = exchange_client(NULL);
	struct exchange x;
	char want[HTTP_VALUE_MAX + 1];

	exchange_begin(&x, "GET", http_server_origin(s), "/");
	x.reply.wanted = wanted;
	x.reply.nwanted = COUNT_OF(wanted);
	for (size_t i = 0; i < COUNT_OF(wanted); i++)
		(void)snprintf(x.reply.values[i], HTTP_VALUE_MAX, "stale");
	for (int again = 0; again < 2; again++) {
		CHECK_OK(exchange_run(&x, h), &x.err);
		CHECK_STR(http_header_value(&x.reply, "etag"), "\"one\"");
		CHECK_STR(http_header_value(&x.reply, "x-space"), "a b");
		CHECK_STR(http_header_value(&x.reply, "x-none"), "");
		(void)snprintf(want, sizeof(want), "%0511d", 1);
		CHECK_STR(http_header_value(&x.reply, "x-511"), want);
		memset(want, '0', 511);
		CHECK_STR(http_header_value(&x.reply, "x-512"), want);
		CHECK_STR(http_header_value(&x.reply, "x-large"), want);
		CHECK_STR(http_header_value(&x.reply, "x-quoted"), "a\"b");
		CHECK_STR(http_header_value(&x.reply, "x-prefix"), "");
		CHECK_STR(http_header_value(&x.reply, "absent"), "");
		CHECK_STR(http_header_value(&x.reply, "content-length"), "0");
		CHECK_STR(http_header_value(&x.reply, "x-prefix-more"), "");
	}
	/* Nothing of it is left when the next exchange fails. */
	(void)snprintf(x.url, sizeof(x.url), "http://127.0.0.1:1/");
	CHECK_INT(exchange_run(&x, h), ERR_UNAVAILABLE);
	CHECK_INT(x.reply.status, 0);
	CHECK_STR(http_header_value(&x.reply, "etag"), "");
	exchange_end(&x);
	http_free(h);
	http_server_free(s);
}

/* Heads that are no reply, and trailers. */
static void
answer_many_heads(struct http_server_call *call, const struct http_server_request *q, void *arg)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\netag: early\r\n\r\n"
				   "HTTP/1.1 103 Early Hints\r\netag: hint\r\nlink: x\r\n\r\n"
				   "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\netag: last\r\n\r\n"
				   "3\r\nabc\r\n0\r\netag: trailer\r\nx-late: y\r\n\r\n";

	(void)q;
	(void)arg;
	(void)http_server_send(call, text, strlen(text));
}

static void
test_many_heads(void)
{
	static const char *const wanted[] = {"etag", "link", "x-late"};
	struct http_server_options o = {.fn = answer_many_heads};
	struct http_server *s = http_server_new(&o);
	struct http *h = exchange_client(NULL);
	struct exchange x;

	exchange_begin(&x, "GET", http_server_origin(s), "/");
	x.reply.wanted = wanted;
	x.reply.nwanted = COUNT_OF(wanted);
	CHECK_OK(exchange_run(&x, h), &x.err);
	CHECK_INT(x.reply.status, 200);
	CHECK(exchange_is(&x, "abc"));
	CHECK_STR(http_header_value(&x.reply, "etag"), "last");
	CHECK_STR(http_header_value(&x.reply, "link"), "");
	CHECK_STR(http_header_value(&x.reply, "x-late"), "");
	exchange_end(&x);
	http_free(h);
	http_server_free(s);
}

static void
answer_status(struct http_server_call *call, const struct http_server_request *q, void *arg)
{
	(void)arg;
	(void)http_server_reply(call, (int)strtol(q->target + 1, NULL, 10), "location: /200\r\n", "body", 4);
}

/* Redirects are not followed, and replies without body have none, whatever length they tell. */
static void
test_statuses(void)
{
	static const struct {
		const char *method, *path, *body, *length;
	} cases[] = {
	    {"GET", "/200", "body", "4"},
	    {"HEAD", "/200", "", "4"},
	    {"GET", "/204", "", ""},
	    {"GET", "/304", "", "4"},
	    {"PUT", "/204", "", ""},
	    {"DELETE", "/204", "", ""},
	    {"GET", "/301", "body", "4"},
	    {"PUT", "/307", "body", "4"},
	    {"HEAD", "/404", "", "4"},
	    {"GET", "/401", "body", "4"},
	    {"GET", "/407", "body", "4"},
	    {"PUT", "/412", "body", "4"},
	    {"POST", "/503", "body", "4"},
	    {"GET", "/999", "body", "4"},
	};
	static const char *const wanted[] = {"content-length"};
	struct http_server_options o = {.fn = answer_status};
	struct http_server *s = http_server_new(&o);
	struct http *h = exchange_client(NULL);

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct exchange x;

		exchange_begin(&x, cases[i].method, http_server_origin(s), cases[i].path);
		x.q.body = big;
		x.q.body_len = 3;
		x.reply.wanted = wanted;
		x.reply.nwanted = 1;
		CHECK_OK(exchange_run(&x, h), &x.err);
		CHECK_INT(x.reply.status, strtol(cases[i].path + 1, NULL, 10));
		CHECK(exchange_is(&x, cases[i].body));
		CHECK_STR(http_header_value(&x.reply, "content-length"), cases[i].length);
		exchange_end(&x);
	}
	CHECK_INT(http_server_requests(s), COUNT_OF(cases));
	CHECK_INT(http_server_requests(s), COUNT_OF(cases));
	CHECK_INT(http_server_connections(s), 1);
	http_free(h);
	http_server_free(s);
}

/* Two servers keep a connection each, also when one thread talks to both. */
static void
test_origins(void)
{
	struct http_server_options o = {.fn = answer_status};
	struct http_server *one = http_server_new(&o), *two = http_server_new(&o);
	struct http *h = exchange_client(NULL);

	for (int i = 0; i < 5; i++) {
		CHECK_INT(exchange_status(h, "GET", http_server_origin(one), "/200"), 200);
		CHECK_INT(exchange_status(h, "GET", http_server_origin(two), "/200"), 200);
	}
	CHECK_INT(http_server_connections(one), 1);
	CHECK_INT(http_server_connections(two), 1);
	http_free(h);
	http_server_free(one);
	http_server_free(two);
}

static void
answer_echo(struct http_server_call *call, const struct http_server_request *q, void *arg)
{
	(void)arg;
	if (http_server_take_all(call))
		(void)http_server_reply(call, 200, NULL, q->body, q->body_len);
}

static void
test_large(void)
{
	const size_t len = 16 * 1024 * 1024;
	CLEANUP_FREE char *sent = malloc(len);
	CLEANUP_FREE char *got = malloc(len);
	struct http_server_options o = {.fn = answer_echo};
	struct http_server *s = http_server_new(&o);
	struct http *h = exchange_client(NULL);
	uint64_t state = 7;
	struct exchange x;

	CHECK(sent != NULL && got != NULL);
	for (size_t i = 0; i < len; i++)
		sent[i] = (char)check_random(&state);
	exchange_begin(&x, "POST", http_server_origin(s), "/");
	x.q.body = sent;
	x.q.body_len = len;
	x.reply.into = got;
	x.reply.into_len = len;
	CHECK_OK(exchange_run(&x, h), &x.err);
	CHECK_INT(x.reply.received, len);
	CHECK_MEM(got, sent, len);
	exchange_end(&x);
	http_free(h);
	http_server_free(s);
}

static void
test_ipv6(void)
{
	struct http_server_options o = {.fn = answer_length, .ipv6 = true};
	struct http_server *s = http_server_new(&o);
	struct http *h;
	char value[64];

	if (s == NULL)
		return;
	h = exchange_client(NULL);
	CHECK_INT(exchange_status(h, "GET", http_server_origin(s), "/200/1"), 200);
	CHECK_STR(http_server_header(http_server_request(s, 0), "host", value, sizeof(value)),
	    http_server_origin(s) + strlen("http://"));
	http_free(h);
	http_server_free(s);
}

static void
test_settings(void)
{
	static const struct http_settings bad[] = {
	    {.ca_file = "/nonexistent/ca.pem"},
	    {.client_cert = "/dev/null"},
	    {.client_key = "/dev/null"},
	    {.client_cert = "/dev/null", .client_key = "/nonexistent/key.pem"},
	    {.client_cert = "/nonexistent/cert.pem", .client_key = "/dev/null"},
	};

	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct error err;
		struct http *h;

		CHECK_INT(http_new(&bad[i], &h, &err), ERR_USAGE);
		CHECK_INT(err.code, ERR_USAGE);
	}
	http_free(NULL);
}

static void
test_dates(void)
{
	static const struct {
		const char *text;
		int64_t s;
	} cases[] = {
	    {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777},
	    {"Sunday, 06-Nov-94 08:49:37 GMT", 784111777},
	    {"Sun Nov  6 08:49:37 1994", 784111777},
	    {"Wed Nov 16 08:49:37 1994", 784975777},
	    {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
	    {"Tue, 29 Feb 2028 23:59:59 GMT", 1835481599},
	    {"Thursday, 01-Jan-70 00:00:00 GMT", 0},
	    {"Tuesday, 31-Dec-69 23:59:59 GMT", 3155759999},
	    {"Wed, 31 Dec 1969 23:59:58 GMT", -1},
	    {"", -1},
	    {"Sun", -1},
	    {"Sun, ", -1},
	    {", 06 Nov 1994 08:49:37 GMT", -1},
	    {"Sun, 06 Nov 1994 08:49:37", -1},
	    {"Sun, 06 Nov 1994 08:49:37 GM", -1},
	    {"Sun, 06 Nov 1994 08:49:37 GMT ", -1},
	    {"Sun, 06 Nov 1994 08:49:37 UTC", -1},
	    {"Sun, 06 Nov 1994 08:49:37 +0000", -1},
	    {"Sun, 6 Nov 1994 08:49:37 GMT", -1},
	    {"Sun, 31 Nov 1994 08:49:37 GMT", -1},
	    {"Sun, 06 nov 1994 08:49:37 GMT", -1},
	    {"Son, 06 Nov 1994 08:49:37 GMT", -1},
	    {"Sun, 06 Nov 1994 24:49:37 GMT", -1},
	    {"Sun, 06 Nov 1994 08:49:3 GMT", -1},
	    {"Sun, 06 Nov 94 08:49:37 GMT", -1},
	    {"Sunday, 06-Nov-1994 08:49:37 GMT", -1},
	    {"Sunday, 06-Nov-9", -1},
	    {"Sunday, 06-Nov-", -1},
	    {"Sun Nov 6 08:49:37 1994", -1},
	    {"Sun Nov", -1},
	    {"Sun Nov  6 08:49:37 1994 ", -1},
	    {"Sun Nov  6 08:49:37 1994 GMT", -1},
	    {"784111777", -1},
	    {"1994-11-06T08:49:37Z", -1},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++)
		CHECK_INT(http_date_parse(cases[i].text), cases[i].s);
}

int
main(void)
{
	(void)alarm(60);
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)(i * 7 / 3);
	(void)setenv("no_proxy", "*", 1);
	test_methods();
	test_refused();
	test_sinks();
	test_append();
	test_wanted();
	test_many_heads();
	test_statuses();
	test_origins();
	test_large();
	test_ipv6();
	test_settings();
	test_dates();
	return 0;
}
