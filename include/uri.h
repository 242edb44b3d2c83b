#ifndef URI_H_
#define URI_H_

#include <stdbool.h>
#include <stddef.h>

struct buf;
struct error;

/* Percent encoding (RFC 3986) as S3 wants it, and the parts of http URLs. */

/* Append text with every byte outside A-Z a-z 0-9 - . _ ~ as %XX (upper case); '/' stays where keep_slash. */
void uri_encode(struct buf *out, const char *text, bool keep_slash);

enum { URI_HOST_MAX = 256, URI_PATH_MAX = 1024 };

struct uri {
	bool https;
	char host[URI_HOST_MAX]; /* lower case; an IPv6 address as RFC 5952 writes it, in brackets */
	unsigned port; /* always set: 80 or 443 unless given */
	char path[URI_PATH_MAX]; /* as it is written, without trailing slashes: "" or "/x" */
};

/* An absolute http or https URL without user, query and fragment; the host is a DNS name, four decimal numbers or an
 * IPv6 address without zone.  ERR_USAGE, with a message that does not quote the URL. */
int uri_parse(const char *text, struct uri *out, struct error *);
/* Append scheme://host, and the port when it is not the scheme's own.  The Host header is the same without scheme. */
void uri_origin(const struct uri *, struct buf *out);
void uri_host(const struct uri *, struct buf *out);

#endif
