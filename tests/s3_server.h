#ifndef S3_SERVER_H_
#define S3_SERVER_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http_server.h"
#include "s3.h"

struct store;

/*
 * An S3 server in memory, for tests: one bucket, conditional puts, ranges, both versions of listings, removing many,
 * keys of customers.  Every signature is checked by computing it again, every body by its hash; a header x-amz-* that
 * is not signed counts as a wrong signature.  A script may answer any request in the server's place.
 */
struct s3_server;

#define S3_SERVER_BUCKET "bucket-1"

/* A request as S3 understands it. */
struct s3_server_request {
	const struct http_server_request *http;
	char method[16];
	char path[2048]; /* decoded: "/bucket-1/key" */
	const char *key; /* in the bucket; NULL: the bucket itself */
	char query[8192]; /* as it was sent */
	unsigned number; /* of this server's requests, from 1 */
};

/* A parameter of the query, decoded; "" when it is not there. */
const char *s3_server_query(const struct s3_server_request *, const char *name, char *out, size_t size);

/* True: this has answered (or broken the connection), the server need not.  The signature was good. */
typedef bool s3_server_fn(struct http_server_call *, const struct s3_server_request *, void *arg);

/* Checksums of bodies. */
enum { S3_SERVER_SHA256 = 1, S3_SERVER_MD5 = 2, S3_SERVER_CRC32C = 4 };

/* How the server behaves. */
struct s3_server_rules {
	const char *cert, *key; /* PEM files: it speaks TLS; for s3_server_new() */
	const char *region; /* that signatures must name; NULL: "us-east-1", "*": any */
	const char *token; /* NULL: session tokens are of no interest */
	int64_t skew_s; /* the server's clock less ours */
	unsigned page; /* objects in a page of a listing; 0: 1000 */
	unsigned unchecked; /* checksums that it does not look at: a sum of S3_SERVER_SHA256... */
	bool damage_expected; /* what its checksum does not fit is refused, but does not count as a wrong signature */
	bool ignores_condition; /* If-None-Match: puts replace */
	bool ignores_max_keys; /* of listings */
	bool no_condition; /* 501 for If-None-Match */
	bool no_list2; /* 501 for the second version of listings */
	bool old_list; /* the second version is taken for the first */
	bool no_delete_many; /* 501 */
	s3_server_fn *script; /* before the server does its work */
	s3_server_fn *after; /* when the work is done, in place of the answer */
	void *arg;
};

struct s3_server *s3_server_new(const struct s3_server_rules *);
void s3_server_free(struct s3_server *);
struct http_server *s3_server_http(struct s3_server *);
/* Other rules from now on. */
void s3_server_set(struct s3_server *, const struct s3_server_rules *);
/* A bit changes on the way in each of the next n bodies that are put, before anything is checked. */
void s3_server_flip(struct s3_server *, unsigned n);
/* Requests whose signature was wrong, or that did not fit their checksums: there should be none. */
unsigned s3_server_forged(struct s3_server *);
/* How many requests came that begin like this, as "PUT /bucket-1/p". */
unsigned s3_server_count(struct s3_server *, const char *beginning);
/* The last request that begins like this; NULL: none. */
const struct http_server_request *s3_server_last(struct s3_server *, const char *beginning);

/* For scripts: an error in XML; inside are more elements, headers more lines. */
bool s3_server_error(struct http_server_call *, int status, const char *code, const char *inside, const char *headers);

/* The environment's credentials, and no files of AWS's: what s3_server_new() sets. */
#define S3_SERVER_ACCESS_KEY "AKIDSERVER"
#define S3_SERVER_SECRET     "secret/Key+of=Nobody"

/* Open s3://bucket-1/PREFIX at this server with these settings (NULL: none). */
struct store *s3_server_open(struct s3_server *, const char *prefix, const struct s3_settings *);

#endif
