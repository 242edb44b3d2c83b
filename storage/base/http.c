/*
 * HTTP exchanges: the pool.
 *
 * An exchange takes an idle handle, which has a connection to the same origin at best, and gives it back at the end.
 * The most recent one is taken first, so that the others' connections grow old and are closed by the servers when fewer
 * threads are busy.  There are never more handles than there were exchanges at the same time.
 */
#include "http.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>

#include "buf.h"
#include "cleanup.h"
#include "error.h"
#include "http_internal.h"
#include "uri.h"

/* Bodies of this length and more ask first whether they are welcome. */
enum { EXPECT_MIN = 1024 * 1024 + 1 };

struct http {
	struct http_settings settings; /* the strings are ours */
	CURLSH *share;
	pthread_mutex_t share_locks[CURL_LOCK_DATA_LAST];
	pthread_mutex_t lock; /* of idle */
	struct http_handle *idle;
	atomic_bool ending;
	/* A server does not answer "Expect: 100-continue": to ask would cost a second each time. */
	atomic_bool expect_useless;
};

/* libcurl wants to be set up once, by one thread.  It stays so until the process ends. */
static pthread_once_t global_once = PTHREAD_ONCE_INIT;
static CURLcode global_result;

static void
global_init(void)
{
	global_result = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static void
share_lock(CURL *easy, curl_lock_data data, curl_lock_access access, void *arg)
{
	struct http *h = arg;

	(void)easy;
	(void)access;
	(void)pthread_mutex_lock(&h->share_locks[data]);
}

static void
share_unlock(CURL *easy, curl_lock_data data, void *arg)
{
	struct http *h = arg;

	(void)easy;
	(void)pthread_mutex_unlock(&h->share_locks[data]);
}

/* What handles have in common: names once resolved, and TLS sessions to be resumed.  Not connections: libcurl does not
 * let threads share them. */
static int
share_init(struct http *h, struct error *err)
{
	h->share = curl_share_init();
	if (h->share == NULL || curl_share_setopt(h->share, CURLSHOPT_LOCKFUNC, share_lock) != CURLSHE_OK ||
	    curl_share_setopt(h->share, CURLSHOPT_UNLOCKFUNC, share_unlock) != CURLSHE_OK ||
	    curl_share_setopt(h->share, CURLSHOPT_USERDATA, h) != CURLSHE_OK ||
	    curl_share_setopt(h->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS) != CURLSHE_OK ||
	    curl_share_setopt(h->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION) != CURLSHE_OK)
		return error_nomem(err);
	return 0;
}

/* A file that cannot be read is told about at once, and not as a failure of each exchange. */
static int
copy_path(const char *path, const char **out, struct error *err)
{
	CLEANUP_CLOSE int fd = -1;
	char quoted[256];

	if (path == NULL)
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		(void)error_errno(err, "open %s", error_quote(quoted, sizeof(quoted), path, strlen(path)));
		return (int)(err->code = ERR_USAGE);
	}
	*out = strdup(path);
	return *out == NULL ? error_nomem(err) : 0;
}

static int
copy_settings(struct http_settings *to, const struct http_settings *from, struct error *err)
{
	if ((from->client_cert == NULL) != (from->client_key == NULL))
		return error_set(err, ERR_USAGE, "a client certificate needs a key, and a key its certificate");
	*to = *from;
	to->ca_file = to->client_cert = to->client_key = NULL;
	if (copy_path(from->ca_file, &to->ca_file, err) < 0 ||
	    copy_path(from->client_cert, &to->client_cert, err) < 0 ||
	    copy_path(from->client_key, &to->client_key, err) < 0)
		return err->code;
	return 0;
}

int
http_new(const struct http_settings *settings, struct http **out, struct error *err)
{
	struct http *h;

	(void)pthread_once(&global_once, global_init);
	if (global_result != CURLE_OK)
		return error_set(err, ERR_SYSTEM, "libcurl: %s", curl_easy_strerror(global_result));
	h = calloc(1, sizeof(*h));
	if (h == NULL)
		return error_nomem(err);
	(void)pthread_mutex_init(&h->lock, NULL);
	for (size_t i = 0; i < COUNT_OF(h->share_locks); i++)
		(void)pthread_mutex_init(&h->share_locks[i], NULL);
	if (copy_settings(&h->settings, settings, err) < 0 || share_init(h, err) < 0) {
		http_free(h);
		return err->code;
	}
	*out = h;
	return 0;
}

void
http_end(struct http *h)
{
	atomic_store(&h->ending, true);
}

void
http_free(struct http *h)
{
	if (h == NULL)
		return;
	while (h->idle != NULL) {
		struct http_handle *handle = h->idle;

		h->idle = handle->next;
		http_handle_free(handle);
	}
	(void)curl_share_cleanup(h->share);
	free((char *)h->settings.ca_file);
	free((char *)h->settings.client_cert);
	free((char *)h->settings.client_key);
	for (size_t i = 0; i < COUNT_OF(h->share_locks); i++)
		(void)pthread_mutex_destroy(&h->share_locks[i]);
	(void)pthread_mutex_destroy(&h->lock);
	free(h);
}

/* The handle that was used last for this origin; if there is none, the one that was used last. */
static struct http_handle *
take_idle(struct http *h, const char *origin)
{
	struct http_handle **at, *handle;

	(void)pthread_mutex_lock(&h->lock);
	for (at = &h->idle; *at != NULL && strcmp((*at)->origin, origin) != 0; at = &(*at)->next)
		;
	if (*at == NULL)
		at = &h->idle;
	handle = *at;
	if (handle != NULL)
		*at = handle->next;
	(void)pthread_mutex_unlock(&h->lock);
	return handle;
}

static void
give_back(struct http *h, struct http_handle *handle)
{
	(void)pthread_mutex_lock(&h->lock);
	handle->next = h->idle;
	h->idle = handle;
	(void)pthread_mutex_unlock(&h->lock);
}

/* The part of a URL that names the server, in one form; what follows it must not need interpretation either. */
static int
origin_of(const char *url, char origin[HTTP_ORIGIN_MAX], struct error *err)
{
	CLEANUP(buf_free) struct buf text = BUF_INIT(HTTP_ORIGIN_MAX);
	const char *authority = strstr(url, "://");
	struct uri u;
	size_t len;

	len = authority == NULL ? strlen(url) : (size_t)(authority - url) + 3 + strcspn(authority + 3, "/?#");
	if (len >= HTTP_ORIGIN_MAX)
		return error_set(err, ERR_USAGE, "the URL's host is too long");
	memcpy(origin, url, len);
	origin[len] = '\0';
	if (uri_parse(origin, &u, err) < 0)
		return err->code;
	for (const char *p = url + len; *p != '\0'; p++) {
		if (*p <= ' ' || *p > '~' || *p == '#')
			return error_set(err, ERR_USAGE, "the URL has bytes in it that must be written as %%XX");
	}
	uri_origin(&u, &text);
	buf_u8(&text, 0);
	if (buf_check(&text, "the URL", err) < 0)
		return err->code;
	memcpy(origin, text.data, text.len);
	return 0;
}

/*
 * Large bodies ask first ("Expect: 100-continue"), so that a refusal costs no upload, and is read before the server
 * resets the connection.  A server that took a body without a word will not say one the next time either, and one that
 * refuses to be asked gets the body without.
 */
static int
run(struct http *h, struct http_handle *handle, const struct http_request *request, struct http_reply *reply,
    struct error *err)
{
	bool asks = request->body_len >= EXPECT_MIN && !atomic_load(&h->expect_useless);
	size_t body_len = reply->body == NULL ? 0 : reply->body->len;
	int r = http_handle_run(handle, request, reply, asks, err);

	if (r < 0 || !asks)
		return r;
	if (!handle->continued && ((reply->status >= 200 && reply->status < 300) || reply->status == 417))
		atomic_store(&h->expect_useless, true);
	if (reply->status != 417)
		return 0;
	if (reply->body != NULL)
		reply->body->len = body_len;
	if (http_reply_reset(reply, err) < 0)
		return err->code;
	return http_handle_run(handle, request, reply, false, err);
}

int
http_exchange(struct http *h, const struct http_request *request, struct http_reply *reply, struct error *err)
{
	struct http_handle *handle;
	char origin[HTTP_ORIGIN_MAX];
	int r;

	if (http_reply_reset(reply, err) < 0 || origin_of(request->url, origin, err) < 0)
		return err->code;
	handle = take_idle(h, origin);
	if (handle == NULL && http_handle_new(&h->settings, h->share, &h->ending, &handle, err) < 0)
		return err->code;
	memcpy(handle->origin, origin, sizeof(origin));
	r = run(h, handle, request, reply, err);
	give_back(h, handle);
	return r;
}
