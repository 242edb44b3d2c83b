/*
 * The scripted HTTP server: one thread accepts, each connection has one more.  What tests look at (records, counts) is
 * guarded by one lock.
 */
#include "http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "http_server_internal.h"

static bool
shake_hands(struct http_server_connection *c)
{
	char rest[1024];

	if (c->server->tls == NULL)
		return true;
	c->ssl = SSL_new(c->server->tls);
	CHECK(c->ssl != NULL && SSL_set_fd(c->ssl, c->fd) == 1);
	if (SSL_accept(c->ssl) == 1)
		return true;
	/* The client is to read why: what it still sends must not make a reset of the end. */
	(void)shutdown(c->fd, SHUT_WR);
	while (recv(c->fd, rest, sizeof(rest), 0) > 0)
		;
	return false;
}

static void *
connection_thread(void *arg)
{
	struct http_server_connection *c = arg;
	struct http_server *s = c->server;

	if (shake_hands(c)) {
		(void)pthread_mutex_lock(&s->lock);
		c->number = (unsigned)++s->nconnections;
		(void)pthread_mutex_unlock(&s->lock);
		while (http_server_serve(c))
			;
	}
	http_server_end(c, false);
	SSL_free(c->ssl);
	return NULL;
}

static void
begin_connection(struct http_server *s, int fd)
{
	struct http_server_connection *c = calloc(1, sizeof(*c));
	const int on = 1;

	CHECK(c != NULL);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	c->server = s;
	c->fd = fd;
	(void)pthread_mutex_lock(&s->lock);
	if (s->stopping)
		(void)shutdown(fd, SHUT_RDWR);
	CHECK(pthread_create(&c->thread, NULL, connection_thread, c) == 0);
	c->next = s->connections;
	s->connections = c;
	(void)pthread_mutex_unlock(&s->lock);
}

static void *
accept_thread(void *arg)
{
	struct http_server *s = arg;
	int fd;

	while ((fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		begin_connection(s, fd);
	return NULL;
}

/* ---- beginning and end ---- */

static void
open_tls(struct http_server *s)
{
	const struct http_server_options *o = &s->options;

	if (o->cert == NULL)
		return;
	s->tls = SSL_CTX_new(TLS_server_method());
	CHECK(s->tls != NULL);
	CHECK(SSL_CTX_use_certificate_chain_file(s->tls, o->cert) == 1);
	CHECK(SSL_CTX_use_PrivateKey_file(s->tls, o->key, SSL_FILETYPE_PEM) == 1);
	/* Sessions with client certificates are not resumed without a name. */
	CHECK(SSL_CTX_set_session_id_context(s->tls, (const unsigned char *)"test", 4) == 1);
	if (o->client_ca != NULL) {
		CHECK(SSL_CTX_load_verify_locations(s->tls, o->client_ca, NULL) == 1);
		SSL_CTX_set_verify(s->tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	}
}

/* Any free port of the loopback. */
static bool
open_listener(struct http_server *s)
{
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr *address = s->options.ipv6 ? (struct sockaddr *)&six : (struct sockaddr *)&four;
	socklen_t len = s->options.ipv6 ? sizeof(six) : sizeof(four);

	s->listener = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s->listener < 0 || bind(s->listener, address, len) < 0) {
		CHECK(s->options.ipv6);
		return false;
	}
	CHECK(listen(s->listener, 128) == 0 && getsockname(s->listener, address, &len) == 0);
	s->port = ntohs(s->options.ipv6 ? six.sin6_port : four.sin_port);
	(void)snprintf(s->origin, sizeof(s->origin), "%s://%s:%u", s->tls != NULL ? "https" : "http",
	    s->options.ipv6  ? "[::1]"
	    : s->tls != NULL ? "localhost"
			     : "127.0.0.1",
	    s->port);
	return true;
}

struct http_server *
http_server_new(const struct http_server_options *options)
{
	struct http_server *s = calloc(1, sizeof(*s));

	CHECK(s != NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	s->options = *options;
	(void)pthread_mutex_init(&s->lock, NULL);
	(void)pthread_cond_init(&s->changed, NULL);
	open_tls(s);
	if (!open_listener(s)) {
		if (s->listener >= 0)
			(void)close(s->listener);
		free(s);
		return NULL;
	}
	CHECK(pthread_create(&s->thread, NULL, accept_thread, s) == 0);
	return s;
}

static void
stop(struct http_server *s)
{
	(void)pthread_mutex_lock(&s->lock);
	s->stopping = true;
	(void)pthread_cond_broadcast(&s->changed);
	for (struct http_server_connection *c = s->connections; c != NULL; c = c->next) {
		if (c->fd >= 0)
			(void)shutdown(c->fd, SHUT_RDWR);
	}
	(void)pthread_mutex_unlock(&s->lock);
	(void)shutdown(s->listener, SHUT_RDWR);
	CHECK(pthread_join(s->thread, NULL) == 0);
	(void)close(s->listener);
}

static void
free_request(struct http_server_request *q)
{
	free((char *)q->method);
	free((char *)q->target);
	free((char *)q->head);
	free((uint8_t *)q->body);
	free(q);
}

void
http_server_free(struct http_server *s)
{
	stop(s);
	while (s->connections != NULL) {
		struct http_server_connection *c = s->connections;

		CHECK(pthread_join(c->thread, NULL) == 0);
		s->connections = c->next;
		free(c);
	}
	for (size_t i = 0; i < s->nrecords; i++)
		free_request(s->records[i]);
	SSL_CTX_free(s->tls);
	(void)pthread_mutex_destroy(&s->lock);
	(void)pthread_cond_destroy(&s->changed);
	free(s);
}

/* ---- what tests ask ---- */

const char *
http_server_origin(const struct http_server *s)
{
	return s->origin;
}

unsigned
http_server_port(const struct http_server *s)
{
	return s->port;
}

void
http_server_go(struct http_server *s)
{
	(void)pthread_mutex_lock(&s->lock);
	s->going = true;
	(void)pthread_cond_broadcast(&s->changed);
	(void)pthread_mutex_unlock(&s->lock);
}

void
http_server_wait(struct http_server *s, size_t requests)
{
	(void)pthread_mutex_lock(&s->lock);
	while (s->nrecords < requests)
		(void)pthread_cond_wait(&s->changed, &s->lock);
	(void)pthread_mutex_unlock(&s->lock);
}

size_t
http_server_requests(struct http_server *s)
{
	size_t n;

	(void)pthread_mutex_lock(&s->lock);
	n = s->nrecords;
	(void)pthread_mutex_unlock(&s->lock);
	return n;
}

size_t
http_server_connections(struct http_server *s)
{
	size_t n;

	(void)pthread_mutex_lock(&s->lock);
	n = s->nconnections;
	(void)pthread_mutex_unlock(&s->lock);
	return n;
}

const struct http_server_request *
http_server_request(struct http_server *s, size_t i)
{
	const struct http_server_request *q;

	(void)pthread_mutex_lock(&s->lock);
	CHECK(i < s->nrecords);
	q = s->records[i];
	(void)pthread_mutex_unlock(&s->lock);
	return q;
}
