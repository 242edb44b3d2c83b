#ifndef SIGV4_H_
#define SIGV4_H_

#include <stddef.h>
#include <stdint.h>

#include "http.h"

struct buf;
struct error;

/*
 * AWS Signature Version 4 (docs.aws.amazon.com: "Authenticating Requests (AWS Signature Version 4)"), pure: the clock
 * is the caller's.
 *
 * What was signed must be sent as it was signed: Host, x-amz-date with the signature's date, x-amz-content-sha256 with
 * payload_hash (only for the service s3; others do not want it), x-amz-security-token if there is a token, and headers.
 */

#define SIGV4_UNSIGNED "UNSIGNED-PAYLOAD"

enum { SIGV4_HASH_LEN = 64, SIGV4_DATE_LEN = 16 }; /* without NUL */
enum { SIGV4_PAIRS_MAX = 32, SIGV4_HEADERS_MAX = 32 }; /* in one request */

struct sigv4_pair {
	const char *name, *value; /* not encoded; value "" for a name alone */
};

struct sigv4_request {
	const char *method;
	const char *host; /* with the port, as in the Host header */
	const char *path; /* encoded, begins with '/': as in the URL */
	const struct sigv4_pair *query; /* in any order */
	size_t nquery;
	/* To be signed beside host, x-amz-date and, for s3, x-amz-content-sha256; no duplicates. */
	const struct http_header *headers;
	size_t nheaders;
	const char *payload_hash; /* SHA-256 of the body in hexadecimal, or SIGV4_UNSIGNED */
	const char *region, *service; /* "us-east-1", "s3" */
	const char *access_key, *secret_key;
	const char *token; /* session token, signed as x-amz-security-token; NULL or "": none */
	int64_t now_s; /* seconds since 1970: corrected for the server's clock by the caller */
};

struct sigv4_signature {
	char date[SIGV4_DATE_LEN + 1]; /* for x-amz-date */
	char hex[SIGV4_HASH_LEN + 1];
	char scope[128]; /* 20130524/us-east-1/s3/aws4_request */
};

/* Signs; appends the value of the Authorization header.  Derived keys are wiped.  ERR_NOMEM, ERR_USAGE (region and
 * service are too long, or there is too much to sign). */
int sigv4_sign(const struct sigv4_request *, struct sigv4_signature *out, struct buf *authorization, struct error *);

/* SHA-256 in hexadecimal. */
int sigv4_hash(const void *bytes, size_t len, char out[SIGV4_HASH_LEN + 1], struct error *);
/* Append "a=b&c=" sorted as it is signed, which is how it must be sent, too. */
int sigv4_query(const struct sigv4_pair *query, size_t nquery, struct buf *out, struct error *);

#endif
