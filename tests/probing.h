#ifndef PROBING_H_
#define PROBING_H_

#include <stdbool.h>

#include "buf.h"
#include "error.h"
#include "s3_server.h"

/* An S3 endpoint that is probed, and what is found. */

/* Where the probe has its objects, in the store and in the bucket. */
#define PROBING_FOLDER "doctor/t/"
#define PROBING_OBJECT "p/" PROBING_FOLDER

/* What is found in every server whose bucket has no configuration, and nothing else in a good one. */
#define PROBING_PLAIN "versioning=no object-lock=no "

enum { PROBING_FINDINGS = 13 };

struct probing {
	struct s3_server *server;
	struct store *s;
	struct buf found; /* "name=result " for each that is not yes */
	unsigned findings, stop_at; /* at this finding the caller has had enough; 0: never */
	char clock[256]; /* what was said of it */
};

/* A server with these rules; customer_key: a file, or NULL.  Wrong checksums do not count as forged. */
void probing_begin(struct probing *, const struct s3_server_rules *, const char *customer_key);
int probing_run(struct probing *, struct error *);
/* It succeeds, and this is found in so many findings. */
void probing_check(struct probing *, const char *want, unsigned findings);
/* Nothing of the probe's own is left. */
void probing_end(struct probing *);
/* All of that. */
void probing_check_rules(struct s3_server_rules, const char *want);

/* For scripts: whether a request begins like this; answer it, true. */
bool probing_is(const struct s3_server_request *, const char *beginning);
bool probing_reply(struct http_server_call *, int status, const char *body);

#endif
