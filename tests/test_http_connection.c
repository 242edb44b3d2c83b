/*
 * Connections as http.h promises them: kept, replaced when they are dead, used by many threads, asked before large
 * bodies, through proxies, and given up when it is time.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "cleanup.h"
#include "exchange.h"
#include "http.h"
#include "http_server.h"

enum { BIG = 2 * 1024 * 1024 };

static char big[BIG];

static uint64_t
clock_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int
put_big(struct http *h, const char *origin, const struct http_header *headers, size_t nheaders)
{
	struct exchange x;
	int r;

	exchange_begin(&x, "PUT", origin, "/");
	x.q.headers = headers;
	x.q.nheaders = nheaders;
	x.q.body = big;
	x.q.body_len = sizeof(big);
	r = exchange_run(&x, h);
	/* Of a reply that was not the last nothing is left. */
	CHECK(r < 0 || x.reply.status != 200 || x.body.len == 0);
	exchange_end(&x);
	return r == 0 ? x.reply.status : r;
}

static bool
is_big(const struct http_server_request *q)
{
	return q->body_len == sizeof(big) && memcmp(q->body, big, sizeof(big)) == 0;
}

/* ---- kept connections ---- */

/* The first connection breaks when a second request has come as a whole. */
static void
break_second(struct http_server_call *call, const struct http_server_request *q, void *arg)
{
	atomic_uint *seen = arg;

	if (q->connection != 1 || atomic_fetch_add(seen, 1) == 0)
		(void)http_server_reply(call, 200, NULL, "", 0);
	else if (http_server_take_all(call))
		http_server_reset(call);
}

/* A request that finds a kept connection dead is sent again, all of its body, and the caller notices nothing. */
static void
test_stale(void)
{
	static const struct http_header never = {"expect", ""};

	for (int with_body = 0; with_body <= 1; with_body++) {
		atomic_uint seen = 0;
		struct http_server_options o = {.fn = break_second, .arg = &seen};
		struct http_server *s = http_server_new(&o);
		struct http *h = exchange_client(NULL);

		CHECK_INT(exchange_status(h, "GET", http_server_origin(s), "/"), 200);
		if (with_body)
			CHECK_INT(put_big(h, http_server_origin(s), &never, 1), 200);
		else
			CHECK_INT(exchange_status(h, "DELETE", http_server_origin(s), "/"), 200);
		CHECK_INT(http_server_connections(s), 2);
		CHECK_INT(http_server_requests(s), 3);
		CHECK(!with_body || is_big(http_server_request(s, 2)));
		http_free(h);
		http_server_free(s);
	}
}

static void
answer_and_close(struct http_server_call *call, const struct http_server_request *q, void *arg)
{
	(void)q;
	(void)http_server_reply(call, 200, arg, "x", 1);
	http_server_close(call);
}

/* Connections that the server closes, with and without a word. */
static void
test_closed(void)
{
	static const char *const words[] = {NULL, "connection: close\r\n"};

	for (size_t i = 0; i < COUNT_OF(words); i++) {
		struct http_server_options o = {.fn = answer_and_close, .arg = (void *)words[i]};
		struct http_server *s = http_server_new(&o);
		struct http *h = exchange_client(NULL);

		for (size_t n = 0; n < 5; n++)
			CHECK_INT(exchange_status(h, "GET", http_server_origin(s), "/"), 200);
		CHECK_INT(http_server_connections(s), 5);
		http_free(h);
		http_server_free(s);
	}
}

/* ---- large bodies ask first ---- */

static void
answer_expect(struct http_server_call *call, const struct http_server_request *q, void *arg)
{
	const char *how = arg;

	if (strcmp(how, "deaf") == 0)
		http_server_ignore_expect(call);
	if (strcmp(how, "refuse") == 0)
		(void)http_server_reply(call, 403, NULL, "no", 2);
	else if (strcmp(how, "417") == 0 && q->expects)
		(void)http_server_reply(call, 417, NULL, "never", 5);
	else if (http_server_take_all(call))
		(void)http_server_reply(call, 200, NULL, "", 0);
}

/* Two exchanges with a server that treats "Expect" this way: how many requests there are, and which of them ask. */
static void
check_expect(const char *how, int status, size_t nrequests, const char *asks)
{
	struct http_server_options o = {.fn = answer_expect, .arg = (void *)how};
	struct http_server *s = http_server_new(&o);
	struct http *h = exchange_client(NULL);

	for (int i = 0; i < 2; i++)
		CHECK_INT(put_big(h, http_server_origin(s), NULL, 0), status);
	CHECK_INT(http_server_requests(s), nrequests);
	for (size_t i = 0; i < nrequests; i++) {
		const struct http_server_request *q = http_server_request(s, i);

		CHECK_INT(q->expects, asks[i] == 'y');
		CHECK(status != 200 || q->body == NULL || is_big(q));
		CHECK(status != 403 || q->body == NULL);
	}
	http_free(h);
	http_server_free(s);
}

static void
test_expect(void)
{
	static const struct http_header never = {"expect", ""}, always = {"expect", "100-continue"};
	struct http_server_options o = {.fn = answer_expect, .arg = "take"};
	struct http_server *s = http_server_new(&o);
	struct http *h = exchange_client(NULL);

	check_expect("take", 200, 2, "yy");
	check_expect("refuse", 403, 2, "yy");
	/* Both of these are asked once and never again. */
	check_expect("deaf", 200, 2, "yn");
	check_expect("417", 200, 3, "ynn");
	CHECK_INT(put_big(h, http_server_origin(s), &never, 1), 200);
	CHECK(!http_server_request(s, 0)->expects);
	CHECK_INT(put_big(h, http_server_origin(s), &always, 1), 200);
	CHECK(http_server_request(s, 1)->expects);
	http_free(h);
	http_server_free(s);
}

/* ---- threads ---- */

enum { THREADS = 16, ROUNDS = 60 };

/* The body comes back, with the path in front. */
static void
answer_echo(struct http_server_call *call, const struct http_server_request *q, void *arg)
{
	char text[4096];
	int n;

	(void)arg;
	if (!http_server_take_all(call))
		return;
	n = snprintf(text, sizeof(text), "%s %.*s", q->target, (int)q->body_len, (const char *)q->body);
	(void)http_server_reply(call, q->body_len % 3 == 0 ? 404 : 200, NULL, text, (size_t)n);
}

struct worker {
	pthread_t thread;
	struct http *h;
	const char *origin;
	unsigned number;
};

static void *
work(void *arg)
{
	struct worker *w = arg;
	uint64_t state = w->number;

	for (unsigned i = 0; i < ROUNDS; i++) {
		char path[64], sent[1001], want[2048], got[4096];
		size_t len = check_random(&state) % 1000;
		struct exchange x;

		memset(sent, 'a' + (int)(w->number % 26), len);
		sent[len] = '\0';
		(void)snprintf(path, sizeof(path), "/%u/%u", w->number, i);
		(void)snprintf(want, sizeof(want), "%s %s", path, sent);
		exchange_begin(&x, "POST", w->origin, path);
		x.q.body = sent;
		x.q.body_len = len;
		x.reply.into = got;
		x.reply.into_len = sizeof(got);
		CHECK_OK(exchange_run(&x, w->h), &x.err);
		CHECK_INT(x.reply.status, len % 3 == 0 ? 404 : 200);
		if (len % 3 == 0)
			CHECK(exchange_is(&x, want));
		else
			CHECK(x.reply.received == strlen(want) && memcmp(got, want, strlen(want)) == 0);
		exchange_end(&x);
	}
	return NULL;
}

/* Many threads at once: never more connections than threads. */
static void
test_threads(void)
{
	struct http_server_options o = {.fn = answer_echo};
	struct http_server *s = http_server_new(&o);
	struct http *h = exchange_client(NULL);
	struct worker workers[THREADS];

	for (unsigned i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){.h = h, .origin = http_server_origin(s), .number = i};
		CHECK(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		CHECK(pthread_join(workers[i].thread, NULL) == 0);
	CHECK_INT(http_server_requests(s), THREADS * ROUNDS);
	CHECK(http_server_connections(s) <= THREADS);
	http_free(h);
	http_server_free(s);
}

/* ---- giving up ---- */

static void
stall(struct http_server_call *call, const struct http_server_request *q, void *arg)
{
	(void)arg;
	if (strcmp(q->target, "/head") == 0)
		(void)http_server_send(call, "HTTP/1.1 200 OK\r\n", 17);
	if (strcmp(q->target, "/body") == 0)
		(void)http_server_send(call, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", 39);
	(void)http_server_stall(call);
}

struct waiter {
	pthread_t thread;
	struct http *h;
	struct exchange x;
	int code;
};

static void *
wait_for_reply(void *arg)
{
	struct waiter *w = arg;

	w->code = exchange_run(&w->x, w->h);
	return NULL;
}

/* Whoever waits, before a reply or within one, stops within about a second; whoever comes later does not begin. */
static void
test_end(void)
{
	static const char *const paths[] = {"/nothing", "/head", "/body"};
	struct http_server_options o = {.fn = stall};
	struct http_server *s = http_server_new(&o);
	struct http *h = exchange_client(NULL);
	struct waiter waiters[COUNT_OF(paths)];
	struct exchange x;
	uint64_t start;

	for (size_t i = 0; i < COUNT_OF(paths); i++) {
		waiters[i].h = h;
		exchange_begin(&waiters[i].x, "GET", http_server_origin(s), paths[i]);
		CHECK(pthread_create(&waiters[i].thread, NULL, wait_for_reply, &waiters[i]) == 0);
	}
	http_server_wait(s, COUNT_OF(paths));
	start = clock_ms();
	http_end(h);
	for (size_t i = 0; i < COUNT_OF(paths); i++) {
		CHECK(pthread_join(waiters[i].thread, NULL) == 0);
		CHECK_INT(waiters[i].code, ERR_CANCELLED);
		CHECK(waiters[i].x.reply.sent);
		exchange_end(&waiters[i].x);
	}
	CHECK(clock_ms() - start < 10000);
	exchange_begin(&x, "GET", http_server_origin(s), "/later");
	CHECK_INT(exchange_run(&x, h), ERR_CANCELLED);
	CHECK(!x.reply.sent);
	CHECK_INT(http_server_requests(s), COUNT_OF(paths));
	http_free(h);
	http_server_free(s);
}

/* With two connections to two servers there, an exchange takes the one that fits. */
static void
test_pool(void)
{
	struct http_server_options o = {.fn = stall};
	struct http_server *servers[] = {http_server_new(&o), http_server_new(&o)};
	struct http *h = exchange_client(NULL);
	struct waiter waiters[2];

	for (size_t i = 0; i < 2; i++) {
		waiters[i].h = h;
		exchange_begin(&waiters[i].x, "GET", http_server_origin(servers[i]), "/");
		CHECK(pthread_create(&waiters[i].thread, NULL, wait_for_reply, &waiters[i]) == 0);
	}
	for (size_t i = 0; i < 2; i++)
		http_server_wait(servers[i], 1);
	for (size_t i = 0; i < 2; i++) {
		http_server_go(servers[i]);
		CHECK(pthread_join(waiters[i].thread, NULL) == 0);
		CHECK_INT(waiters[i].code, 0);
		exchange_end(&waiters[i].x);
	}
	for (size_t i = 0; i < 4; i++)
		CHECK_INT(exchange_status(h, "GET", http_server_origin(servers[i % 2]), "/"), 200);
	for (size_t i = 0; i < 2; i++)
		CHECK_INT(http_server_connections(servers[i]), 1);
	http_free(h);
	for (size_t i = 0; i < 2; i++)
		http_server_free(servers[i]);
}

static void
test_limits_of_time(void)
{
	static const struct http_settings hasty = {.stall_s = 1};
	struct http_server_options o = {.fn = stall};
	struct http_server *s = http_server_new(&o);
	struct http *h = exchange_client(&hasty), *patient = exchange_client(NULL);
	struct exchange x;
	uint64_t start = clock_ms();

	exchange_begin(&x, "GET", http_server_origin(s), "/body?SECRET");
	x.q.total_ms = 50;
	CHECK_INT(exchange_run(&x, patient), ERR_UNAVAILABLE);
	CHECK(clock_ms() - start >= 50);
	start = clock_ms();
	x.q.total_ms = 0;
	CHECK_INT(exchange_run(&x, h), ERR_UNAVAILABLE);
	CHECK(clock_ms() - start >= 900);
	exchange_end(&x);
	http_free(h);
	http_free(patient);
	http_server_free(s);
}

/* ---- proxies ---- */

static void
answer_as_proxy(struct http_server_call *call, const struct http_server_request *q, void *arg)
{
	(void)arg;
	if (strcmp(q->method, "CONNECT") == 0)
		(void)http_server_reply(call, 407, "etag: proxy\r\n", "SECRET", 6);
	else
		(void)http_server_reply(call, 200, NULL, "", 0);
}

static void
test_proxy(void)
{
	static const struct http_header secret = {"authorization", "SECRET"};
	static const struct http_settings direct = {.no_proxy = true};
	static const char *const wanted[] = {"etag"};
	struct http_server_options o = {.fn = answer_as_proxy};
	struct http_server *proxy = http_server_new(&o), *server = http_server_new(&o);
	struct http *h = exchange_client(NULL), *without = exchange_client(&direct);
	char value[64];
	struct exchange x;

	(void)setenv("http_proxy", http_server_origin(proxy), 1);
	(void)setenv("https_proxy", http_server_origin(proxy), 1);
	CHECK_INT(exchange_status(h, "GET", "http://s3.example:81", "/a/../b"), 200);
	CHECK_STR(http_server_request(proxy, 0)->target, "http://s3.example:81/a/../b");
	CHECK_INT(exchange_status(without, "GET", http_server_origin(server), "/"), 200);
	CHECK_STR(http_server_request(server, 0)->target, "/");

	/* The proxy is told where to, and nothing else; what it says is no reply. */
	exchange_begin(&x, "GET", "https://s3.example", "/SECRET");
	x.q.headers = &secret;
	x.q.nheaders = 1;
	x.reply.wanted = wanted;
	x.reply.nwanted = 1;
	CHECK_INT(exchange_run(&x, h), ERR_UNAVAILABLE);
	CHECK(strstr(x.err.msg, "407") != NULL);
	CHECK(!x.reply.sent && x.reply.status == 0 && x.body.len == 0);
	CHECK_STR(http_header_value(&x.reply, "etag"), "");
	CHECK_STR(http_server_request(proxy, 1)->target, "s3.example:443");
	CHECK_STR(http_server_header(http_server_request(proxy, 1), "authorization", value, sizeof(value)), "");

	(void)setenv("no_proxy", "127.0.0.1", 1);
	CHECK_INT(exchange_status(h, "GET", http_server_origin(server), "/"), 200);
	CHECK_INT(http_server_requests(proxy), 2);
	(void)unsetenv("http_proxy");
	(void)unsetenv("https_proxy");
	(void)unsetenv("no_proxy");
	http_free(h);
	http_free(without);
	http_server_free(proxy);
	http_server_free(server);
}

/* ---- */

/* Proxies of whoever runs the tests are none of ours. */
static void
clean_environment(void)
{
	static const char *const names[] = {
	    "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"};

	for (size_t i = 0; i < COUNT_OF(names); i++)
		(void)unsetenv(names[i]);
}

int
main(void)
{
	(void)alarm(60);
	clean_environment();
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)(i * 7 / 3);
	test_stale();
	test_closed();
	test_expect();
	test_threads();
	test_end();
	test_pool();
	test_limits_of_time();
	test_proxy();
	return 0;
}
