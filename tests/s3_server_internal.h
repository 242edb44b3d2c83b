#ifndef S3_SERVER_INTERNAL_H_
#define S3_SERVER_INTERNAL_H_

#include <pthread.h>

#include "s3_server.h"

/* What the files of the S3 server share. */

struct buf;

struct s3_server_object {
	char *key;
	uint8_t *bytes;
	size_t len;
	int64_t modified_s;
	char put_id[64];
	char customer_key[64]; /* its MD5 in base64; "": none */
};

struct s3_server {
	struct http_server *http;
	pthread_mutex_t lock; /* guards what follows */
	struct s3_server_rules rules;
	struct s3_server_object *objects; /* sorted by key */
	size_t count, capacity;
	unsigned requests, forged, flips;
};

/* The answer to a request that is not good: false, and it was answered. */
bool s3_server_check(
    struct s3_server *, const struct s3_server_rules *, struct http_server_call *, const struct s3_server_request *);
/* The server's Date header, as a line. */
void s3_server_date(const struct s3_server_rules *, char *out, size_t size);
/* Percent encoding undone; '+' stays. */
void s3_server_decode(const char *text, size_t len, char *out, size_t size);

/* Where an object is, or would be; true when it is there. */
bool s3_server_find(const struct s3_server *, const char *key, size_t *out_at);
void s3_server_drop(struct s3_server *, size_t at);
/* With the lock held: the answers to a listing and to a removal of many. */
void s3_server_list(
    struct s3_server *, const struct s3_server_rules *, const struct s3_server_request *, struct buf *out);
void s3_server_delete(struct s3_server *, const struct s3_server_request *, struct buf *out);

#endif
