/*
 * Servers and networks that misbehave: every way a reply can break has an honest end, and what a server may make us
 * keep or read is bounded.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "cleanup.h"
#include "exchange.h"
#include "http.h"
#include "http_server.h"

/* What is sent, and what follows. */
enum after { KEEP, CLOSE, RESET, REPEAT };
struct script {
	const char *text;
	enum after after;
	const char *repeat; /* until the client has gone */
};

static void
play(struct http_server_call *call, const struct http_server_request *q, void *arg)
{
	const struct script *script = arg;

	if (strcmp(q->target, "/good") == 0) {
		(void)http_server_reply(call, 200, NULL, "good", 4);
		return;
	}
	if (!http_server_take_all(call) || !http_server_send(call, script->text, strlen(script->text)))
		return;
	if (script->after == REPEAT)
		while (http_server_send(call, script->repeat, strlen(script->repeat)))
			;
	if (script->after == RESET)
		http_server_reset(call);
	else if (script->after != KEEP)
		http_server_close(call);
}

/* The exchange ends like this, and the next one is good: nothing of the broken one is left in the way. */
static void
check_script(const struct script *script, const char *method, int code, int status, size_t received)
{
	struct http_server_options o = {.fn = play, .arg = (void *)script};
	struct http_server *s = http_server_new(&o);
	struct http *h = exchange_client(NULL);
	char into[16];
	struct exchange x;
	int r;

	exchange_begin(&x, method, http_server_origin(s), "/bad?SECRET");
	x.reply.into = into;
	x.reply.into_len = sizeof(into);
	x.q.total_ms = 30000;
	r = exchange_run(&x, h);
	/* A line without end is lack of memory to older versions of libcurl. */
	if (r == ERR_NOMEM && script->after == REPEAT && strchr(script->repeat, '\n') == NULL)
		r = ERR_CORRUPT;
	if (r != code || x.reply.status != status || x.reply.received != received)
		fprintf(stderr, "after \"%.60s\": %s\n", script->text, x.err.msg);
	CHECK_INT(r, code);
	CHECK_INT(x.reply.status, status);
	CHECK_INT(x.reply.received, received);
	CHECK(x.reply.sent);
	exchange_end(&x);

	exchange_begin(&x, "GET", http_server_origin(s), "/good");
	CHECK_OK(exchange_run(&x, h), &x.err);
	CHECK_INT(x.reply.status, 200);
	CHECK(exchange_is(&x, "good"));
	exchange_end(&x);
	http_free(h);
	http_server_free(s);
}

#define OK_10 "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"

/* Replies that are cut or no replies. */
static void
test_broken(void)
{
	static const struct {
		struct script script;
		int code, status;
		size_t received;
	} cases[] = {
	    {{"", CLOSE, NULL}, ERR_UNAVAILABLE, 0, 0},
	    {{"", RESET, NULL}, ERR_UNAVAILABLE, 0, 0},
	    {{"HTTP/1.1 200 O", RESET, NULL}, ERR_UNAVAILABLE, 0, 0},
	    {{"HTTP/1.1 200 OK\r\nContent-Length: 1", RESET, NULL}, ERR_UNAVAILABLE, 0, 0},
	    {{OK_10, CLOSE, NULL}, ERR_UNAVAILABLE, 200, 0},
	    {{OK_10 "012345678", CLOSE, NULL}, ERR_UNAVAILABLE, 200, 9},
	    {{OK_10 "0123", RESET, NULL}, ERR_UNAVAILABLE, 200, 4},
	    {{OK_10 "0123456789", CLOSE, NULL}, 0, 200, 10},
	    {{"HTTP/1.1 206 OK\r\n\r\n0123", CLOSE, NULL}, 0, 206, 4},
	    {{"HTTP/1.1 100 Continue\r\n\r\n", RESET, NULL}, ERR_UNAVAILABLE, 0, 0},
	    {{"HTTP/1.1 101 Switching Protocols\r\n\r\n", CLOSE, NULL}, ERR_UNAVAILABLE, 0, 0},
	    {{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n0123\r\n", CLOSE, NULL}, ERR_UNAVAILABLE, 200,
		4},
	    {{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", CLOSE, NULL}, ERR_UNAVAILABLE, 200, 0},
	    {{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n0123\r\n0\r\n\r\n", CLOSE, NULL}, 0, 200, 4},
	    {{"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", CLOSE, NULL}, ERR_UNAVAILABLE, 0, 0},
	    {{"HTTP/1.1 099 Low\r\nContent-Length: 0\r\n\r\n", CLOSE, NULL}, ERR_UNAVAILABLE, 0, 0},
	    {{"SSH-2.0-OpenSSH_9.2p1\r\n", CLOSE, NULL}, ERR_UNAVAILABLE, 0, 0},
	    {{"\x15\x03\x01\x00\x02\x02\x46", CLOSE, NULL}, ERR_UNAVAILABLE, 0, 0},
	    {{"<html>a body without head</html>", CLOSE, NULL}, ERR_UNAVAILABLE, 0, 0},
	    /* Longer than there is room for. */
	    {{"HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n01234567890123456", CLOSE, NULL}, ERR_CORRUPT, 200, 0},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct script script = cases[i].script;

		check_script(&script, "GET", cases[i].code, cases[i].status, cases[i].received);
	}
}

/* Whatever goes on for ever ends with an error, soon, and in bounded memory. */
static void
test_endless(void)
{
	static const char row[] = "0123456789012345678901234567890123456789012345678901234567890123\r\n";
	static const struct {
		struct script script;
		int code, status;
	} cases[] = {
	    {{"", REPEAT, "HTTP/1.1 100 Continue\r\n\r\n"}, ERR_CORRUPT, 0},
	    {{"", REPEAT, "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"}, ERR_CORRUPT, 0},
	    {{"HTTP/1.1 200 OK\r\n", REPEAT, "a:\r\n"}, ERR_CORRUPT, 0},
	    {{"HTTP/1.1 200 OK\r\n", REPEAT, "x-long-name: 0123456789012345678901234567890123456789\r\n"}, ERR_CORRUPT,
		0},
	    {{"HTTP/1.1 200 OK\r\nx: ", REPEAT, "0123456789012345678901234567890123456789"}, ERR_CORRUPT, 0},
	    {{"HTTP/1.1 ", REPEAT, "0123456789012345678901234567890123456789"}, ERR_CORRUPT, 0},
	    {{"HTTP/1.1 404 No\r\n\r\n", REPEAT, row}, ERR_CORRUPT, 404},
	    {{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", REPEAT, "a: b\r\n"}, ERR_CORRUPT, 200},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct script script = cases[i].script;

		check_script(&script, "GET", cases[i].code, cases[i].status, 0);
	}
}

/* A body that goes on for ever where there is a little room: what came until then is there. */
static void
test_too_long(void)
{
	struct script script = {"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n", REPEAT, "0123456789"};
	struct http_server_options o = {.fn = play, .arg = &script};
	struct http_server *s = http_server_new(&o);
	struct http *h = exchange_client(NULL);
	char into[16] = "";
	struct exchange x;

	exchange_begin(&x, "GET", http_server_origin(s), "/bad");
	x.reply.into = into;
	x.reply.into_len = sizeof(into);
	CHECK_INT(exchange_run(&x, h), ERR_CORRUPT);
	CHECK(x.reply.received <= sizeof(into));
	CHECK_MEM(into, "0123456789012345", x.reply.received);
	CHECK_INT(x.body.len, 0);
	exchange_end(&x);
	http_free(h);
	http_server_free(s);
}

/* A body where there must be none is not read, and does not become the next reply. */
static void
test_uncalled_bodies(void)
{
	static const struct {
		const char *method;
		struct script script;
		int status;
	} cases[] = {
	    {"HEAD", {OK_10 "0123456789", KEEP, NULL}, 200},
	    {"HEAD", {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n0123\r\n0\r\n\r\n", KEEP, NULL}, 200},
	    {"GET", {"HTTP/1.1 204 No\r\nContent-Length: 4\r\n\r\n0123", KEEP, NULL}, 204},
	    {"GET", {"HTTP/1.1 304 No\r\nContent-Length: 4\r\n\r\n0123", KEEP, NULL}, 304},
	    {"HEAD", {OK_10, REPEAT, "0123456789"}, 200},
	    {"DELETE", {"HTTP/1.1 204 No\r\n\r\n", REPEAT, "0123456789"}, 204},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct http_server_options o = {.fn = play, .arg = (void *)&cases[i].script};
		struct http_server *s = http_server_new(&o);
		struct http *h = exchange_client(NULL);
		struct exchange x;
		int r;

		exchange_begin(&x, cases[i].method, http_server_origin(s), "/bad");
		CHECK_OK(exchange_run(&x, h), &x.err);
		CHECK_INT(x.reply.status, cases[i].status);
		CHECK_INT(x.body.len, 0);
		exchange_end(&x);
		/* The rest may be found in the way once; never as a reply. */
		exchange_begin(&x, "GET", http_server_origin(s), "/good");
		r = exchange_run(&x, h);
		CHECK(r == ERR_UNAVAILABLE || r == ERR_CORRUPT || (r == 0 && exchange_is(&x, "good")));
		exchange_end(&x);
		if (r != 0)
			CHECK_INT(exchange_status(h, "GET", http_server_origin(s), "/good"), 200);
		http_free(h);
		http_server_free(s);
	}
}

/* ---- uploads ---- */

static void
answer_early(struct http_server_call *call, const struct http_server_request *q, void *arg)
{
	size_t take = *(const size_t *)arg;

	(void)q;
	if (http_server_take(call, take))
		http_server_reset(call);
}

/* A body of which the server takes a part only. */
static void
test_cut_upload(void)
{
	static const size_t takes[] = {0, 1, 1000, 3000000};
	static char body[4000000];

	for (size_t i = 0; i < COUNT_OF(takes); i++) {
		struct http_server_options o = {.fn = answer_early, .arg = (void *)&takes[i]};
		struct http_server *s = http_server_new(&o);
		struct http *h = exchange_client(NULL);
		struct exchange x;

		exchange_begin(&x, "PUT", http_server_origin(s), "/");
		x.q.body = body;
		x.q.body_len = sizeof(body);
		CHECK_INT(exchange_run(&x, h), ERR_UNAVAILABLE);
		/* libcurl itself says 100 here. */
		CHECK_INT(x.reply.status, 0);
		CHECK(x.reply.sent);
		exchange_end(&x);
		http_free(h);
		http_server_free(s);
	}
}

/* ---- nobody there ---- */

/* A port on which nobody listens, until the socket is closed. */
static int
bind_port(char *origin, size_t size)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(a);

	CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&a, len) == 0);
	CHECK(getsockname(fd, (struct sockaddr *)&a, &len) == 0);
	(void)snprintf(origin, size, "http://127.0.0.1:%u", ntohs(a.sin_port));
	return fd;
}

static void
test_nobody(void)
{
	static const struct http_settings hasty = {.connect_ms = 100};
	struct http *h = exchange_client(&hasty);
	char origin[64], tls_origin[80];
	CLEANUP_CLOSE int fd = bind_port(origin, sizeof(origin));
	struct exchange x;

	exchange_begin(&x, "PUT", origin, "/SECRET?SECRET");
	CHECK_INT(exchange_run(&x, h), ERR_UNAVAILABLE);
	CHECK(!x.reply.sent && x.reply.status == 0);
	CHECK(strncmp(x.err.msg, origin, strlen(origin)) == 0);
	exchange_end(&x);
	exchange_begin(&x, "GET", "http://nobody.invalid", "/SECRET");
	CHECK_INT(exchange_run(&x, h), ERR_UNAVAILABLE);
	CHECK(!x.reply.sent);
	CHECK(strstr(x.err.msg, "http://nobody.invalid: ") == x.err.msg);
	exchange_end(&x);
	/* The kernel accepts, but nobody agrees on TLS. */
	CHECK(listen(fd, 1) == 0);
	(void)snprintf(tls_origin, sizeof(tls_origin), "https%s", origin + strlen("http"));
	exchange_begin(&x, "GET", tls_origin, "/");
	CHECK_INT(exchange_run(&x, h), ERR_UNAVAILABLE);
	CHECK(!x.reply.sent);
	exchange_end(&x);
	http_free(h);
}

int
main(void)
{
	(void)alarm(60);
	(void)setenv("no_proxy", "*", 1);
	test_broken();
	test_endless();
	test_too_long();
	test_uncalled_bodies();
	test_cut_upload();
	test_nobody();
	return 0;
}
