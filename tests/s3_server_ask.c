/*
 * The S3 server in memory: what tests ask of it and tell it while it runs.
 */
#include <string.h>

#include "s3_server_internal.h"

struct http_server *
s3_server_http(struct s3_server *s)
{
	return s->http;
}

void
s3_server_set(struct s3_server *s, const struct s3_server_rules *rules)
{
	(void)pthread_mutex_lock(&s->lock);
	s->rules = *rules;
	(void)pthread_mutex_unlock(&s->lock);
}

void
s3_server_flip(struct s3_server *s, unsigned n)
{
	(void)pthread_mutex_lock(&s->lock);
	s->flips = n;
	(void)pthread_mutex_unlock(&s->lock);
}

unsigned
s3_server_forged(struct s3_server *s)
{
	unsigned n;

	(void)pthread_mutex_lock(&s->lock);
	n = s->forged;
	(void)pthread_mutex_unlock(&s->lock);
	return n;
}

static unsigned
look(struct s3_server *s, const char *beginning, const struct http_server_request **last)
{
	size_t total = http_server_requests(s->http);
	unsigned n = 0;

	for (size_t i = 0; i < total; i++) {
		const struct http_server_request *q = http_server_request(s->http, i);

		if (strncmp(q->head, beginning, strlen(beginning)) != 0)
			continue;
		*last = q;
		n++;
	}
	return n;
}

unsigned
s3_server_count(struct s3_server *s, const char *beginning)
{
	const struct http_server_request *last;

	return look(s, beginning, &last);
}

const struct http_server_request *
s3_server_last(struct s3_server *s, const char *beginning)
{
	const struct http_server_request *last = NULL;

	(void)look(s, beginning, &last);
	return last;
}
