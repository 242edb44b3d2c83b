/*
 * One libcurl handle: its settings, and an exchange on it.
 */
#include <curl/curl.h>
#include <string.h>

#include "cleanup.h"
#include "error.h"
#include "http.h"
#include "http_internal.h"

enum {
	CONNECT_MS = 10000,
	STALL_S = 60,
	STALL_BYTES_PER_S = 1024,
	/* One of each for the time of an exchange.  To send 64 KiB at a time takes half as much time again over
	 * loopback; receiving is as fast with 64 KiB as with more, and neither matters with TLS. */
	RECEIVE_BUFFER = 64 * 1024,
	SEND_BUFFER = 512 * 1024,
	CONNECTIONS = 2, /* kept: few exchanges go to more than one host */
	KEEPALIVE_S = 60,
	EXPECT_MS = 1000
};

#define USER_AGENT "snapferry/" PACKAGE_VERSION

static void
slist_free_p(struct curl_slist **list)
{
	curl_slist_free_all(*list);
}

static size_t
read_body(char *out, size_t size, size_t n, void *arg)
{
	struct http_handle *h = arg;
	size_t len = MIN(size * n, h->request->body_len - h->uploaded);

	if (len > 0)
		memcpy(out, (const char *)h->request->body + h->uploaded, len);
	h->uploaded += len;
	return len;
}

/* libcurl sends a request again when a kept connection turns out to be dead, and after status 417. */
static int
seek_body(void *arg, curl_off_t offset, int origin)
{
	struct http_handle *h = arg;

	if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > h->request->body_len)
		return CURL_SEEKFUNC_FAIL;
	h->uploaded = (size_t)offset;
	return CURL_SEEKFUNC_OK;
}

/* Called about once a second, also while nothing moves. */
static int
look_up(void *arg, curl_off_t dltotal, curl_off_t dlnow, curl_off_t ultotal, curl_off_t ulnow)
{
	struct http_handle *h = arg;

	(void)dltotal;
	(void)dlnow;
	(void)ultotal;
	(void)ulnow;
	return atomic_load(h->ending) ? 1 : 0;
}

/* The connection stands, and the request's first byte goes out next. */
static int
before_request(void *arg, char *remote, char *local, int remote_port, int local_port)
{
	struct http_handle *h = arg;

	(void)remote;
	(void)local;
	(void)remote_port;
	(void)local_port;
	h->reply->sent = true;
	return CURL_PREREQFUNC_OK;
}

/* What libcurl would do by itself and must not: cookies, .netrc, alternative services and HSTS are off by default. */
static CURLcode
set_constants(CURL *e)
{
	static const struct {
		CURLoption option;
		long value;
	} numbers[] = {
		{CURLOPT_NOSIGNAL, 1},
		{CURLOPT_NOPROGRESS, 0},
		{CURLOPT_PATH_AS_IS, 1},
		{CURLOPT_FOLLOWLOCATION, 0},
		{CURLOPT_DISALLOW_USERNAME_IN_URL, 1},
		{CURLOPT_HEADEROPT, CURLHEADER_SEPARATE},
		{CURLOPT_SUPPRESS_CONNECT_HEADERS, 1},
		{CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS},
		{CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2},
		{CURLOPT_MAXCONNECTS, CONNECTIONS},
		{CURLOPT_TCP_NODELAY, 1},
		{CURLOPT_TCP_KEEPALIVE, 1},
		{CURLOPT_TCP_KEEPIDLE, KEEPALIVE_S},
		{CURLOPT_TCP_KEEPINTVL, KEEPALIVE_S},
		{CURLOPT_BUFFERSIZE, RECEIVE_BUFFER},
		{CURLOPT_UPLOAD_BUFFERSIZE, SEND_BUFFER},
		{CURLOPT_EXPECT_100_TIMEOUT_MS, EXPECT_MS},
		{CURLOPT_LOW_SPEED_LIMIT, STALL_BYTES_PER_S},
#if LIBCURL_VERSION_NUM >= 0x075700
		/* Who gives up does not wait for the resolver's thread. */
		{CURLOPT_QUICK_EXIT, 1},
#endif
	};
	CURLcode rc;

	for (size_t i = 0; i < COUNT_OF(numbers); i++) {
		rc = curl_easy_setopt(e, numbers[i].option, numbers[i].value);
		if (rc != CURLE_OK)
			return rc;
	}
	rc = curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	return rc != CURLE_OK ? rc : curl_easy_setopt(e, CURLOPT_USERAGENT, USER_AGENT);
}

/* Each callback gets the handle. */
static CURLcode
set_callbacks(CURL *e, struct http_handle *h)
{
	CURLcode rc[] = {
	    curl_easy_setopt(e, CURLOPT_READFUNCTION, read_body),
	    curl_easy_setopt(e, CURLOPT_READDATA, h),
	    curl_easy_setopt(e, CURLOPT_SEEKFUNCTION, seek_body),
	    curl_easy_setopt(e, CURLOPT_SEEKDATA, h),
	    curl_easy_setopt(e, CURLOPT_XFERINFOFUNCTION, look_up),
	    curl_easy_setopt(e, CURLOPT_XFERINFODATA, h),
	    curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, before_request),
	    curl_easy_setopt(e, CURLOPT_PREREQDATA, h),
	    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, http_reply_head),
	    curl_easy_setopt(e, CURLOPT_HEADERDATA, h),
	    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, http_reply_body),
	    curl_easy_setopt(e, CURLOPT_WRITEDATA, h),
	    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, h->text),
	};

	for (size_t i = 0; i < COUNT_OF(rc); i++) {
		if (rc[i] != CURLE_OK)
			return rc[i];
	}
	return CURLE_OK;
}

/* Whom to trust.  A file of certificates stands in the place of the system's, so that the folder goes, too. */
static CURLcode
set_trust(CURL *e, const struct http_settings *s)
{
	CURLcode rc = CURLE_OK;

	if (s->ca_file != NULL) {
		rc = curl_easy_setopt(e, CURLOPT_CAINFO, s->ca_file);
		if (rc == CURLE_OK)
			rc = curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
	}
	if (rc == CURLE_OK && s->client_cert != NULL) {
		rc = curl_easy_setopt(e, CURLOPT_SSLCERT, s->client_cert);
		if (rc == CURLE_OK)
			rc = curl_easy_setopt(e, CURLOPT_SSLKEY, s->client_key);
	}
	if (rc == CURLE_OK && s->insecure_tls) {
		rc = curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 0L);
		if (rc == CURLE_OK)
			rc = curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	return rc;
}

static CURLcode
set_limits(CURL *e, const struct http_settings *s)
{
	long connect_ms = s->connect_ms != 0 ? (long)s->connect_ms : CONNECT_MS;
	long stall_s = s->stall_s != 0 ? (long)s->stall_s : STALL_S;
	CURLcode rc = curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, connect_ms);

	if (rc == CURLE_OK)
		rc = curl_easy_setopt(e, CURLOPT_LOW_SPEED_TIME, stall_s);
	/* An empty name of a proxy also hides the environment's. */
	if (rc == CURLE_OK && s->no_proxy)
		rc = curl_easy_setopt(e, CURLOPT_PROXY, "");
	return rc;
}

int
http_handle_new(const struct http_settings *settings, CURLSH *share, const atomic_bool *ending,
    struct http_handle **out, struct error *err)
{
	struct http_handle *h = calloc(1, sizeof(*h));
	CURLcode rc = CURLE_OUT_OF_MEMORY;

	if (h == NULL)
		return error_nomem(err);
	h->ending = ending;
	h->easy = curl_easy_init();
	if (h->easy != NULL)
		rc = set_constants(h->easy);
	if (rc == CURLE_OK)
		rc = set_callbacks(h->easy, h);
	if (rc == CURLE_OK)
		rc = set_trust(h->easy, settings);
	if (rc == CURLE_OK)
		rc = set_limits(h->easy, settings);
	if (rc == CURLE_OK)
		rc = curl_easy_setopt(h->easy, CURLOPT_SHARE, share);
	if (rc != CURLE_OK) {
		http_handle_free(h);
		return rc == CURLE_OUT_OF_MEMORY ? error_nomem(err)
						 : error_set(err, ERR_SYSTEM, "libcurl: %s", curl_easy_strerror(rc));
	}
	*out = h;
	return 0;
}

void
http_handle_free(struct http_handle *h)
{
	if (h == NULL)
		return;
	curl_easy_cleanup(h->easy);
	free(h);
}

/* A request is a GET, a HEAD or an upload; what else there is differs by name only. */
static CURLcode
set_method(CURL *e, const struct http_request *q)
{
	static const struct {
		const char *method;
		CURLoption kind;
		const char *name;
	} methods[] = {
	    {"GET", CURLOPT_HTTPGET, NULL},
	    {"HEAD", CURLOPT_NOBODY, NULL},
	    {"DELETE", CURLOPT_HTTPGET, "DELETE"},
	    {"PUT", CURLOPT_UPLOAD, NULL},
	    {"POST", CURLOPT_UPLOAD, "POST"},
	};
	curl_off_t len = -1;
	CURLcode rc;

	for (size_t i = 0; i < COUNT_OF(methods); i++) {
		if (strcmp(q->method, methods[i].method) != 0)
			continue;
		if (methods[i].kind == CURLOPT_UPLOAD)
			len = (curl_off_t)q->body_len;
		/* Back to a plain GET first: libcurl's switches remember each other. */
		rc = curl_easy_setopt(e, CURLOPT_HTTPGET, 1L);
		if (rc == CURLE_OK)
			rc = curl_easy_setopt(e, methods[i].kind, 1L);
		if (rc == CURLE_OK)
			rc = curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, methods[i].name);
		return rc == CURLE_OK ? curl_easy_setopt(e, CURLOPT_INFILESIZE_LARGE, len) : rc;
	}
	return CURLE_BAD_FUNCTION_ARGUMENT;
}

static CURLcode
set_request(struct http_handle *h, struct curl_slist *headers)
{
	CURLcode rc = set_method(h->easy, h->request);

	if (rc == CURLE_OK)
		rc = curl_easy_setopt(h->easy, CURLOPT_URL, h->request->url);
	if (rc == CURLE_OK)
		rc = curl_easy_setopt(h->easy, CURLOPT_HTTPHEADER, headers);
	if (rc == CURLE_OK)
		rc = curl_easy_setopt(h->easy, CURLOPT_TIMEOUT_MS, (long)h->request->total_ms);
	return rc;
}

int
http_handle_run(
    struct http_handle *h, const struct http_request *request, struct http_reply *reply, bool asks, struct error *err)
{
	CLEANUP(slist_free_p) struct curl_slist *headers = NULL;
	CURLcode rc;

	h->request = request;
	h->reply = reply;
	h->uploaded = 0;
	h->head_bytes = 0;
	h->in_head = false;
	h->continued = false;
	h->broken = ERR_OK;
	h->text[0] = '\0';
	if (http_headers(request, asks, &headers, err) < 0)
		return err->code;
	rc = set_request(h, headers);
	if (rc == CURLE_OK && !atomic_load(h->ending))
		rc = curl_easy_perform(h->easy);
	else if (rc == CURLE_OK)
		rc = CURLE_ABORTED_BY_CALLBACK;
	reply->timed_out = rc == CURLE_OPERATION_TIMEDOUT;
	/* libcurl refuses such replies by itself; callers rely on it. */
	if (rc == CURLE_OK && reply->status == 0)
		rc = CURLE_WEIRD_SERVER_REPLY;
	return rc == CURLE_OK ? 0 : http_fail(h, rc, err);
}
