/*
 * Exchanges without memory: every allocation of ours and of libcurl's fails once, and each time there is an honest end;
 * and how much memory an exchange takes at most.
 */
#include <curl/curl.h>
#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <unistd.h>

#include "check.h"
#include "cleanup.h"
#include "exchange.h"
#include "http.h"
#include "http_server.h"

static atomic_ulong calls; /* while `counting` */
static atomic_ulong fail_at; /* 0: never */
static atomic_bool counting;
static atomic_size_t used, peak; /* bytes of libcurl's */

static bool
fails(void)
{
	return atomic_load(&counting) && atomic_fetch_add(&calls, 1) + 1 == atomic_load(&fail_at);
}

/* Ours: by way of the linker.  The server's thread allocates, too; what it gets never fails. */
static _Thread_local bool ours;

#define WRAP(type, name, params, args) \
	type __real_##name params; \
	type __wrap_##name params; \
	type __wrap_##name params \
	{ \
		if (ours && fails()) { \
			errno = ENOMEM; \
			return NULL; \
		} \
		return __real_##name args; \
	}

WRAP(void *, malloc, (size_t len), (len))
WRAP(void *, calloc, (size_t n, size_t len), (n, len))
WRAP(void *, realloc, (void *p, size_t len), (p, len))
WRAP(char *, strdup, (const char *text), (text))

/* libcurl's: by its own hooks, also in its resolver's threads. */
static void *
account(void *p, size_t before)
{
	size_t now, high = atomic_load(&peak);

	if (p != NULL)
		atomic_fetch_add(&used, malloc_usable_size(p));
	atomic_fetch_sub(&used, before);
	now = atomic_load(&used);
	while (now > high && !atomic_compare_exchange_weak(&peak, &high, now))
		;
	return p;
}

static void *
hook_malloc(size_t len)
{
	return fails() ? NULL : account(__real_malloc(len), 0);
}

static void
hook_free(void *p)
{
	(void)account(NULL, p == NULL ? 0 : malloc_usable_size(p));
	free(p);
}

static void *
hook_realloc(void *p, size_t len)
{
	size_t before = p == NULL ? 0 : malloc_usable_size(p);
	void *longer = fails() ? NULL : __real_realloc(p, len);

	return longer == NULL ? NULL : account(longer, before);
}

static char *
hook_strdup(const char *text)
{
	return fails() ? NULL : account(__real_strdup(text), 0);
}

static void *
hook_calloc(size_t n, size_t len)
{
	return fails() ? NULL : account(__real_calloc(n, len), 0);
}

/* ---- flows ---- */

static char big[3 * 1024 * 1024];

static void
answer(struct http_server_call *call, const struct http_server_request *q, void *arg)
{
	(void)arg;
	if (strcmp(q->target, "/endless") == 0) {
		static const char line[] = "a:\r\n";

		(void)http_server_send(call, "HTTP/1.1 200 OK\r\n", 17);
		while (http_server_send(call, line, 4))
			;
	} else {
		(void)http_server_reply(call, 200, "etag: x\r\n", "0123456789", 10);
	}
}

static int
run(const char *origin, const char *method, const char *path, struct error *err)
{
	static const struct http_settings settings = {.ca_file = "/dev/null", .no_proxy = true};
	static const struct http_header header = {"x-name", "value"};
	static const char *const wanted[] = {"etag"};
	struct http *h = NULL;
	struct exchange x;
	int r;

	exchange_begin(&x, method, origin, path);
	x.q.headers = &header;
	x.q.nheaders = 1;
	x.q.body = big;
	x.q.body_len = sizeof(big);
	x.reply.wanted = wanted;
	x.reply.nwanted = 1;
	ours = true;
	atomic_store(&calls, 0);
	atomic_store(&counting, true);
	r = http_new(&settings, &h, err);
	for (int i = 0; i < 2 && r == 0; i++) {
		x.body.len = 0;
		r = http_exchange(h, &x.q, &x.reply, &x.err);
		*err = x.err;
		CHECK(r < 0 || strcmp(path, "/endless") == 0 || exchange_is(&x, "0123456789"));
	}
	atomic_store(&counting, false);
	ours = false;
	http_free(h);
	exchange_end(&x);
	return r;
}

/* libcurl does without some things, and says of others that the network failed. */
static bool
is_honest(int r)
{
	return r == 0 || r == ERR_NOMEM || r == ERR_SYSTEM || r == ERR_UNAVAILABLE;
}

static void
torture(const char *origin, const char *method)
{
	unsigned long total, failed = 0;
	struct error err = {.msg = ""};

	atomic_store(&fail_at, 0);
	CHECK_OK(run(origin, method, "/", &err), &err);
	total = atomic_load(&calls);
	CHECK(total > 50);
	for (unsigned long nth = 1; nth <= total; nth++) {
		int r;

		atomic_store(&fail_at, nth);
		r = run(origin, method, "/", &err);
		if (!is_honest(r))
			fprintf(stderr, "allocation %lu: %s\n", nth, err.msg);
		CHECK(is_honest(r));
		failed += r != 0;
	}
	atomic_store(&fail_at, 0);
	CHECK(failed > total / 2);
}

/* The bound that http.h tells. */
static void
test_peak(const char *origin)
{
	static const char *const methods[] = {"GET", "PUT"}, *const paths[] = {"/", "/endless"};
	struct error err;

	for (size_t i = 0; i < COUNT_OF(methods); i++) {
		for (size_t k = 0; k < COUNT_OF(paths); k++) {
			size_t most = (i == 0 ? 100 : 650) * 1024 + (k == 0 ? 0 : 1024 * 1024);
			size_t before = atomic_load(&used);
			int r;

			atomic_store(&peak, before);
			r = run(origin, methods[i], paths[k], &err);
			CHECK(r == 0 || r == ERR_CORRUPT);
			if (getenv("HTTP_VERBOSE") != NULL)
				fprintf(
				    stderr, "%s %s: %zu bytes\n", methods[i], paths[k], atomic_load(&peak) - before);
			CHECK(atomic_load(&peak) - before <= most);
		}
	}
}

int
main(void)
{
	struct http_server_options o = {.fn = answer};
	struct http_server *s;

	(void)alarm(60);
	CHECK(curl_global_init_mem(
		  CURL_GLOBAL_DEFAULT, hook_malloc, hook_free, hook_realloc, hook_strdup, hook_calloc) == CURLE_OK);
	s = http_server_new(&o);
	test_peak(http_server_origin(s));
	torture(http_server_origin(s), "GET");
	torture(http_server_origin(s), "PUT");
	http_server_free(s);
	return 0;
}
