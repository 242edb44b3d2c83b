#ifndef AWS_H_
#define AWS_H_

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "credentials.h"
#include "error.h"
#include "http_server.h"

/*
 * A world in which to look for credentials: an environment, a clock, files, and the services of AWS on one scripted
 * server.  The n-th credentials that it gives are "AKID<n>", "hush/<n>+a b=" and "hush-token-<n>": what holds "hush" is
 * secret.
 */
#define AWS_JWT "hush.eyJhbGciOiJSUzI1NiJ9.c2VjcmV0"

/* What goes wrong. */
enum aws_fault { AWS_REPLY, AWS_CUT, AWS_RESET, AWS_STALL };

struct aws {
	struct http_server *server;
	char folder[32]; /* HOME */
	atomic_llong now_s;
	atomic_llong
	    sts_skew_s; /* STS's clock less that one, which it tells and by which it judges; 0: it tells none */
	atomic_int lifetime_s; /* of credentials; 0: they do not expire */
	atomic_uint given; /* so many credentials so far */
	atomic_int faults_left;
};
extern struct aws aws;

/* An empty environment, but for HOME; no files, no fault, a new server. */
void aws_begin(void);
void aws_end(void);
/* NULL: not set.  The strings are kept as they are. */
void aws_setenv(const char *name, const char *value);
const char *aws_getenv(const char *name);
int64_t aws_now(void);
/* From now on: of requests with this text in method, target or body (NULL: none), so many times. */
void aws_fail(const char *at, enum aws_fault, int status, const char *body, int times);

/* A file below HOME; the path lives as long as the test. */
const char *aws_file(const char *name, const char *text);
/* The server's URL with a path behind it. */
const char *aws_url(const char *path);
/* Settings with which all comes from here. */
struct credential_settings aws_settings(void);

/* The source is found, or it is not found with this code and text in the message; no message tells a secret. */
struct credential_source *aws_source(void);
void aws_refused(int code, const char *message);
void aws_check_error(const struct error *, int code, const char *message);
/* The credentials are the n-th that were given. */
void aws_check_given(const struct credentials *, unsigned n);

#endif
