/*
 * The S3 server in memory: its objects.
 */
#include "s3_server.h"

#include <inttypes.h>
#include <time.h>

#include "array.h"
#include "buf.h"
#include "check.h"
#include "cleanup.h"
#include "s3_server_internal.h"
#include "store.h"

enum { ANSWER_MAX = 4 * 1024 * 1024, TEXT_SIZE = 4096 };

/* ---- requests ---- */

static int
digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

void
s3_server_decode(const char *text, size_t len, char *out, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (c == '%') {
			CHECK(i + 2 < len && digit(text[i + 1]) >= 0 && digit(text[i + 2]) >= 0);
			c = (char)(digit(text[i + 1]) << 4 | digit(text[i + 2]));
			i += 2;
		}
		CHECK(n + 1 < size);
		out[n++] = c;
	}
	out[n] = '\0';
}

const char *
s3_server_query(const struct s3_server_request *q, const char *name, char *out, size_t size)
{
	size_t len = strlen(name);

	out[0] = '\0';
	for (const char *p = q->query; *p != '\0'; p += *p == '&') {
		size_t n = strcspn(p, "&");

		if (n > len && strncmp(p, name, len) == 0 && p[len] == '=')
			s3_server_decode(p + len + 1, n - len - 1, out, size);
		p += n;
	}
	return out;
}

static void
parse_request(const struct http_server_request *http, struct s3_server_request *q)
{
	static const char bucket[] = "/" S3_SERVER_BUCKET;
	size_t path = strcspn(http->target, "?");

	memset(q, 0, sizeof(*q));
	q->http = http;
	(void)snprintf(q->method, sizeof(q->method), "%s", http->method);
	s3_server_decode(http->target, path, q->path, sizeof(q->path));
	(void)snprintf(q->query, sizeof(q->query), "%s", http->target[path] == '?' ? http->target + path + 1 : "");
	CHECK(strncmp(q->path, bucket, strlen(bucket)) == 0);
	if (q->path[strlen(bucket)] == '/')
		q->key = q->path + strlen(bucket) + 1;
	else
		CHECK(q->path[strlen(bucket)] == '\0');
}

/* ---- answers ---- */

bool
s3_server_error(struct http_server_call *call, int status, const char *code, const char *inside, const char *headers)
{
	char body[1024], lines[600];

	(void)snprintf(body, sizeof(body),
	    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code><Message>it is %s</Message>%s</Error>",
	    code, code, inside);
	(void)snprintf(lines, sizeof(lines), "content-type: application/xml\r\n%s", headers != NULL ? headers : "");
	(void)http_server_reply(call, status, lines, body, strlen(body));
	return true;
}

void
s3_server_date(const struct s3_server_rules *rules, char *out, size_t size)
{
	time_t now = time(NULL) + (time_t)rules->skew_s;
	struct tm tm;

	CHECK(strftime(out, size, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", gmtime_r(&now, &tm)) > 0);
}

/* ---- objects ---- */

bool
s3_server_find(const struct s3_server *s, const char *key, size_t *out_at)
{
	size_t low = 0, high = s->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (strcmp(s->objects[middle].key, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*out_at = low;
	return low < s->count && strcmp(s->objects[low].key, key) == 0;
}

void
s3_server_drop(struct s3_server *s, size_t at)
{
	free(s->objects[at].key);
	free(s->objects[at].bytes);
	memmove(&s->objects[at], &s->objects[at + 1], (--s->count - at) * sizeof(*s->objects));
}

static void
insert(struct s3_server *s, size_t at, const struct s3_server_request *q)
{
	size_t len = q->http->body_len;
	struct s3_server_object o = {.key = strdup(q->key), .bytes = malloc(len + 1), .len = len};
	struct error err;

	CHECK(o.key != NULL && o.bytes != NULL);
	if (len > 0)
		memcpy(o.bytes, q->http->body, len);
	o.modified_s = (int64_t)time(NULL);
	(void)http_server_header(q->http, "x-amz-meta-put-id", o.put_id, sizeof(o.put_id));
	(void)http_server_header(
	    q->http, "x-amz-server-side-encryption-customer-key-md5", o.customer_key, sizeof(o.customer_key));
	CHECK_OK(array_reserve(&s->objects, &s->capacity, s->count + 1, sizeof(o), &err), &err);
	memmove(&s->objects[at + 1], &s->objects[at], (s->count - at) * sizeof(o));
	s->objects[at] = o;
	s->count++;
}

/* ---- operations, with the lock held; an answer is made, and sent without it ---- */

struct answer {
	int status;
	const char *code; /* an error */
	char headers[1024];
	struct buf body;
};

static void
fail(struct answer *a, int status, const char *code)
{
	a->status = status;
	a->code = code;
}

static void
put_object(
    struct s3_server *s, const struct s3_server_rules *rules, const struct s3_server_request *q, struct answer *a)
{
	char condition[16];
	size_t at;
	bool there = s3_server_find(s, q->key, &at);

	(void)http_server_header(q->http, "if-none-match", condition, sizeof(condition));
	if (condition[0] != '\0' && rules->no_condition) {
		fail(a, 501, "NotImplemented");
		return;
	}
	if (condition[0] != '\0' && there && !rules->ignores_condition) {
		fail(a, 412, "PreconditionFailed");
		return;
	}
	if (there)
		s3_server_drop(s, at);
	insert(s, at, q);
	(void)snprintf(a->headers, sizeof(a->headers), "ETag: \"%zx\"\r\n", q->http->body_len);
}

/* False when the range is behind the end. */
static bool
cut_range(const struct s3_server_request *q, const struct s3_server_object *o, struct answer *a)
{
	uint64_t first, last;
	char range[64], line[128];

	if (sscanf(http_server_header(q->http, "range", range, sizeof(range)), "bytes=%" SCNu64 "-%" SCNu64, &first,
		&last) != 2) {
		buf_put(&a->body, o->bytes, o->len);
		return true;
	}
	CHECK(first <= last);
	if (first >= o->len)
		return false;
	last = MIN(last, (uint64_t)o->len - 1);
	a->status = 206;
	(void)snprintf(line, sizeof(line), "Content-Range: bytes %" PRIu64 "-%" PRIu64 "/%zu\r\n", first, last, o->len);
	(void)strncat(a->headers, line, sizeof(a->headers) - strlen(a->headers) - 1);
	buf_put(&a->body, o->bytes + first, (size_t)(last - first + 1));
	return true;
}

static void
get_object(struct s3_server *s, const struct s3_server_request *q, struct answer *a)
{
	const struct s3_server_object *o;
	char key_md5[64];
	size_t at;

	if (!s3_server_find(s, q->key, &at)) {
		fail(a, 404, "NoSuchKey");
		return;
	}
	o = &s->objects[at];
	(void)http_server_header(q->http, "x-amz-server-side-encryption-customer-key-md5", key_md5, sizeof(key_md5));
	if (strcmp(key_md5, o->customer_key) != 0) {
		fail(a, 400, "InvalidRequest");
		return;
	}
	(void)snprintf(a->headers, sizeof(a->headers), "ETag: \"%zx\"\r\nx-amz-meta-put-id: %s\r\n", o->len, o->put_id);
	if (!cut_range(q, o, a))
		fail(a, 416, "InvalidRange");
}

static void
operate(struct s3_server *s, const struct s3_server_rules *rules, const struct s3_server_request *q, struct answer *a)
{
	bool second = strstr(q->query, "list-type=2") != NULL;
	size_t at;

	if (q->key == NULL && strcmp(q->method, "GET") == 0 && second && rules->no_list2)
		fail(a, 501, "NotImplemented");
	else if (q->key == NULL && strcmp(q->method, "GET") == 0)
		s3_server_list(s, rules, q, &a->body);
	else if (q->key == NULL && strcmp(q->method, "POST") == 0 && !rules->no_delete_many)
		s3_server_delete(s, q, &a->body);
	else if (q->key == NULL)
		fail(a, 501, "NotImplemented");
	else if (strcmp(q->method, "PUT") == 0)
		put_object(s, rules, q, a);
	else if (strcmp(q->method, "GET") == 0 || strcmp(q->method, "HEAD") == 0)
		get_object(s, q, a);
	else if (strcmp(q->method, "DELETE") == 0 && s3_server_find(s, q->key, &at))
		s3_server_drop(s, at);
	if (strcmp(q->method, "DELETE") == 0)
		a->status = 204;
}

static void
send_answer(struct http_server_call *call, const struct s3_server_request *q, const struct s3_server_rules *rules,
    struct answer *a)
{
	char date[64];

	s3_server_date(rules, date, sizeof(date));
	(void)strncat(a->headers, date, sizeof(a->headers) - strlen(a->headers) - 1);
	if (rules->after != NULL && rules->after(call, q, rules->arg))
		return;
	if (a->code != NULL)
		(void)s3_server_error(call, a->status, a->code, "", date);
	else
		(void)http_server_reply(call, a->status, a->headers, a->body.data, a->body.len);
}

/* The body with a bit changed, when it is its turn; NULL: it stays as it came. */
static uint8_t *
damage(struct s3_server *s, struct http_server_request *q)
{
	uint8_t *bytes;
	bool due;

	if (strcmp(q->method, "PUT") != 0 || q->body_len == 0)
		return NULL;
	(void)pthread_mutex_lock(&s->lock);
	due = s->flips > 0;
	s->flips -= due;
	(void)pthread_mutex_unlock(&s->lock);
	if (!due)
		return NULL;
	bytes = malloc(q->body_len);
	CHECK(bytes != NULL);
	memcpy(bytes, q->body, q->body_len);
	bytes[q->body_len / 2] ^= 16;
	q->body = bytes;
	return bytes;
}

static void
answer(struct http_server_call *call, const struct http_server_request *http, void *arg)
{
	struct s3_server *s = arg;
	struct answer a = {.status = 200, .body = BUF_INIT(ANSWER_MAX)};
	struct s3_server_request q;
	struct s3_server_rules rules;
	struct http_server_request damaged;
	CLEANUP_FREE uint8_t *bytes = NULL;
	struct error err;

	parse_request(http, &q);
	(void)pthread_mutex_lock(&s->lock);
	rules = s->rules;
	q.number = ++s->requests;
	(void)pthread_mutex_unlock(&s->lock);
	if (!http_server_take_all(call))
		return;
	damaged = *http;
	bytes = damage(s, &damaged);
	q.http = &damaged;
	if (!s3_server_check(s, &rules, call, &q) || (rules.script != NULL && rules.script(call, &q, rules.arg)))
		return;
	(void)pthread_mutex_lock(&s->lock);
	operate(s, &rules, &q, &a);
	(void)pthread_mutex_unlock(&s->lock);
	CHECK_OK(buf_check(&a.body, "answer", &err), &err);
	send_answer(call, &q, &rules, &a);
	buf_free(&a.body);
}

/* ---- beginning and end ---- */

static void
set_environment(void)
{
	static const char *const unset[] = {"AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION",
	    "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_CA_BUNDLE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN",
	    "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE", "http_proxy", "HOME"};

	for (size_t i = 0; i < COUNT_OF(unset); i++)
		CHECK(unsetenv(unset[i]) == 0);
	CHECK(setenv("AWS_ACCESS_KEY_ID", S3_SERVER_ACCESS_KEY, 1) == 0);
	CHECK(setenv("AWS_SECRET_ACCESS_KEY", S3_SERVER_SECRET, 1) == 0);
}

struct s3_server *
s3_server_new(const struct s3_server_rules *rules)
{
	struct s3_server *s = calloc(1, sizeof(*s));
	struct http_server_options o = {.fn = answer, .arg = s, .cert = rules->cert, .key = rules->key};

	CHECK(s != NULL);
	set_environment();
	s->rules = *rules;
	(void)pthread_mutex_init(&s->lock, NULL);
	s->http = http_server_new(&o);
	return s;
}

void
s3_server_free(struct s3_server *s)
{
	http_server_free(s->http);
	while (s->count > 0)
		s3_server_drop(s, s->count - 1);
	free(s->objects);
	(void)pthread_mutex_destroy(&s->lock);
	free(s);
}

struct store *
s3_server_open(struct s3_server *s, const char *prefix, const struct s3_settings *settings)
{
	struct s3_settings with = settings != NULL ? *settings : (struct s3_settings){.retry_s = 20};
	struct store *store;
	char place[600];
	struct error err;

	with.endpoint = http_server_origin(s->http);
	(void)snprintf(place, sizeof(place), "s3://" S3_SERVER_BUCKET "/%s", prefix);
	CHECK_OK(store_open(place, false, &with, &store, &err), &err);
	return store;
}
