/*
 * Exchanges over TLS: whom we trust, who trusts us, and that nothing is sent to anybody else.
 */
#include <ftw.h>
#include <unistd.h>

#include "certs.h"
#include "check.h"
#include "cleanup.h"
#include "exchange.h"
#include "http.h"
#include "http_server.h"

static char folder[] = "/tmp/test_http_tls.XXXXXX";
static char paths[16][64];

/* The path of a file in the folder; each place is used again after 16 calls. */
static const char *
in(const char *name)
{
	static size_t next;
	char *path = paths[next++ % COUNT_OF(paths)];

	(void)snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
}

static struct http_server *
serve(const char *who, const char *client_ca)
{
	char cert[32], key[32];
	struct http_server_options o = {NULL, NULL, false, NULL, NULL, NULL};

	(void)snprintf(cert, sizeof(cert), "%s.pem", who);
	(void)snprintf(key, sizeof(key), "%s.key", who);
	o.cert = in(cert);
	o.key = in(key);
	o.client_ca = client_ca == NULL ? NULL : in(client_ca);
	return http_server_new(&o);
}

/* Whom to trust: a server with this certificate, asked by this name, with these settings. */
static void
test_server(void)
{
	static const struct {
		const char *server, *host, *ca;
		bool insecure;
		int want;
	} cases[] = {
	    {"server", "localhost", "ca.pem", false, 200},
	    {"server", "127.0.0.1", "ca.pem", false, 200},
	    {"server", "localhost", NULL, false, ERR_DENIED},
	    {"server", "localhost", "stranger-ca.pem", false, ERR_DENIED},
	    {"server", "localhost", NULL, true, 200},
	    {"server", "localhost", "stranger-ca.pem", true, 200},
	    {"other", "localhost", "ca.pem", false, ERR_DENIED},
	    {"other", "localhost", "ca.pem", true, 200},
	    {"expired", "localhost", "ca.pem", false, ERR_DENIED},
	    {"expired", "localhost", NULL, true, 200},
	    {"server", "localhost", "server.key", false, ERR_USAGE},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct http_settings settings = {
		    .ca_file = cases[i].ca == NULL ? NULL : in(cases[i].ca), .insecure_tls = cases[i].insecure};
		struct http_server *s = serve(cases[i].server, NULL);
		struct http *h = exchange_client(&settings);
		char origin[64];
		struct exchange x;
		int r;

		(void)snprintf(origin, sizeof(origin), "https://%s:%u", cases[i].host, http_server_port(s));
		exchange_begin(&x, "GET", origin, "/SECRET");
		r = exchange_run(&x, h);
		if ((r < 0 ? r : x.reply.status) != cases[i].want)
			fprintf(stderr, "case %zu: %s\n", i, x.err.msg);
		CHECK_INT(r < 0 ? r : x.reply.status, cases[i].want);
		CHECK_INT(x.reply.sent, r == 0);
		CHECK_INT(http_server_requests(s), r == 0);
		exchange_end(&x);
		http_free(h);
		http_server_free(s);
	}
}

/* Who trusts us. */
static void
test_client(void)
{
	static const struct {
		const char *cert, *key;
		int want;
	} cases[] = {
	    {"client.pem", "client.key", 200},
	    {NULL, NULL, ERR_DENIED},
	    {"stranger.pem", "stranger.key", ERR_DENIED},
	    {"client.pem", "stranger.key", ERR_USAGE},
	    {"ca.pem", "ca.pem", ERR_USAGE},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct http_settings settings = {.ca_file = in("ca.pem")};
		struct http_server *s = serve("server", "ca.pem");
		struct http *h;
		struct exchange x;
		int r;

		if (cases[i].cert != NULL) {
			settings.client_cert = in(cases[i].cert);
			settings.client_key = in(cases[i].key);
		}
		h = exchange_client(&settings);
		for (int again = 0; again < 2; again++) {
			exchange_begin(&x, "GET", http_server_origin(s), "/SECRET");
			r = exchange_run(&x, h);
			if ((r < 0 ? r : x.reply.status) != cases[i].want)
				fprintf(stderr, "case %zu: %s\n", i, x.err.msg);
			CHECK_INT(r < 0 ? r : x.reply.status, cases[i].want);
			exchange_end(&x);
		}
		CHECK_INT(http_server_connections(s), cases[i].want == 200);
		http_free(h);
		http_server_free(s);
	}
}

static void
answer_echo(struct http_server_call *call, const struct http_server_request *q, void *arg)
{
	(void)arg;
	if (http_server_take_all(call))
		(void)http_server_reply(call, 200, NULL, q->body, q->body_len);
}

/* Large bodies both ways, again and again over one connection. */
static void
test_large(void)
{
	enum { LEN = 5 * 1000 * 1000 };
	CLEANUP_FREE char *sent = malloc(LEN);
	CLEANUP_FREE char *got = malloc(LEN);
	struct http_settings settings = {.ca_file = in("ca.pem")};
	struct http_server_options o = {.fn = answer_echo, .cert = in("server.pem"), .key = in("server.key")};
	struct http_server *s = http_server_new(&o);
	struct http *h = exchange_client(&settings);
	uint64_t state = 3;
	struct exchange x;

	CHECK(sent != NULL && got != NULL);
	for (size_t i = 0; i < LEN; i++)
		sent[i] = (char)check_random(&state);
	exchange_begin(&x, "PUT", http_server_origin(s), "/");
	x.q.body = sent;
	x.q.body_len = LEN;
	x.reply.into = got;
	x.reply.into_len = LEN;
	for (int i = 0; i < 3; i++) {
		memset(got, 0, LEN);
		CHECK_OK(exchange_run(&x, h), &x.err);
		CHECK_INT(x.reply.received, LEN);
		CHECK_MEM(got, sent, LEN);
	}
	CHECK_INT(http_server_connections(s), 1);
	exchange_end(&x);
	http_free(h);
	http_server_free(s);
}

static void
answer_and_break(struct http_server_call *call, const struct http_server_request *q, void *arg)
{
	(void)arg;
	if (q->connection % 2 == 1)
		(void)http_server_send(call, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123", 44);
	else
		(void)http_server_reply(call, 200, NULL, "", 0);
	if (q->connection % 4 == 1)
		http_server_reset(call);
	else
		http_server_close(call);
}

/* Connections that break are replaced; the sessions that they leave behind can be resumed. */
static void
test_broken(void)
{
	struct http_settings settings = {.ca_file = in("ca.pem")};
	struct http_server_options o = {.fn = answer_and_break, .cert = in("server.pem"), .key = in("server.key")};
	struct http_server *s = http_server_new(&o);
	struct http *h = exchange_client(&settings);

	for (int i = 1; i <= 8; i++)
		CHECK_INT(exchange_status(h, "GET", http_server_origin(s), "/"), i % 2 == 1 ? ERR_UNAVAILABLE : 200);
	CHECK_INT(http_server_connections(s), 8);
	http_free(h);
	http_server_free(s);
}

/* A server that does not speak TLS at all. */
static void
test_plain(void)
{
	struct http_server_options o = {NULL, NULL, false, NULL, NULL, NULL};
	struct http_server *s = http_server_new(&o);
	struct http_settings settings = {.ca_file = in("ca.pem"), .connect_ms = 200};
	struct http *h = exchange_client(&settings);
	char origin[64];

	(void)snprintf(origin, sizeof(origin), "https://127.0.0.1:%u", http_server_port(s));
	CHECK_INT(exchange_status(h, "GET", origin, "/"), ERR_UNAVAILABLE);
	http_free(h);
	http_server_free(s);
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

int
main(void)
{
	(void)alarm(60);
	(void)setenv("no_proxy", "*", 1);
	CHECK(mkdtemp(folder) != NULL);
	certs_make(folder);
	test_server();
	test_client();
	test_large();
	test_broken();
	test_plain();
	CHECK(nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS) == 0);
	return 0;
}
