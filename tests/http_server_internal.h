#ifndef HTTP_SERVER_INTERNAL_H_
#define HTTP_SERVER_INTERNAL_H_

#include "http_server.h"

#include <openssl/ssl.h>
#include <pthread.h>

/* What the two files of the scripted server share. */

enum { HEAD_MAX = 64 * 1024, RECORDS_MAX = 10000 };

struct http_server_connection {
	struct http_server_connection *next;
	struct http_server *server;
	pthread_t thread;
	unsigned number;
	int fd; /* -1: over; guarded by the server's lock */
	SSL *ssl; /* NULL: no TLS */
	char in[HEAD_MAX]; /* what was read and not used yet */
	size_t in_len;
};

struct http_server_call {
	struct http_server_connection *c;
	struct http_server_request *request; /* the record */
	uint8_t *body; /* of content_length bytes, the record's when something was taken */
	size_t taken;
	bool told; /* 100 Continue */
	bool answered, closing;
};

struct http_server {
	struct http_server_options options;
	SSL_CTX *tls;
	int listener;
	unsigned port;
	char origin[64];
	pthread_t thread;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t changed;
	bool stopping;
	bool going; /* nothing stalls any more */
	struct http_server_connection *connections;
	size_t nconnections;
	struct http_server_request *records[RECORDS_MAX];
	size_t nrecords;
};

/* Serve the connection's next request; false when there is none or the connection is to end. */
bool http_server_serve(struct http_server_connection *);
/* Close the connection.  Only its own thread may do that. */
void http_server_end(struct http_server_connection *, bool reset);

#endif
