#ifndef PROXY_HEAD_H_
#define PROXY_HEAD_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* HTTP/1.1 messages, as far as a proxy that passes them on has to understand them. */

#define HEAD_MAX     65536
#define BODY_UNKNOWN INT64_MAX /* chunked, or until the connection ends */

struct head {
	size_t length; /* up to and with the empty line */
	char method[16]; /* of a request */
	char path[1024];
	int status; /* of a reply */
	int64_t body; /* bytes that follow */
	bool expects; /* a request that waits for 100 Continue */
};

/* The length of a head that begins at text, or 0 if there is no end of it yet. */
size_t head_length(const char *text, size_t n);
/* Whether text can be the beginning of a request.  What cannot is TLS, or no HTTP. */
bool head_is_request(const char *text, size_t n);
/* Both take a whole head; the second one the request's method, too: replies to HEAD have no body. */
void head_read_request(const char *text, size_t length, struct head *);
void head_read_reply(const char *text, size_t length, const char *method, struct head *);

#endif
