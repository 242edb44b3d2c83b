/* Credentials over time: renewal, services that fail, threads, and being told to stop. */
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "asker.h"
#include "aws.h"
#include "check.h"
#include "cleanup.h"
#include "credentials_internal.h"

enum { THREADS = 16 };

static struct error err;

static void
container_begin(void)
{
	aws_begin();
	aws_setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", aws_url("/container"));
}

/* The source gives the n-th that it was given, and so many requests were made in all. */
static void
check_get(struct credential_source *s, unsigned n, size_t requests)
{
	struct credentials c;

	CHECK_OK(credential_source_get(s, &c, &err), &err);
	aws_check_given(&c, n);
	CHECK_INT(http_server_requests(aws.server), requests);
	credentials_wipe(&c);
}

static uint64_t
serial_of(struct credential_source *s)
{
	struct credentials c;
	uint64_t serial;

	CHECK_OK(credential_source_get(s, &c, &err), &err);
	serial = c.serial;
	credentials_wipe(&c);
	return serial;
}

static void
check_fails(struct credential_source *s, int code, const char *message)
{
	struct credentials c;

	CHECK_INT(credential_source_get(s, &c, &err), code);
	aws_check_error(&err, code, message);
}

static int64_t
clock_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- time ---- */

static void
test_renewal(void)
{
	struct credential_source *s;

	container_begin();
	s = aws_source();
	check_get(s, 1, 1);
	atomic_fetch_add(&aws.now_s, 3600 - 301);
	check_get(s, 1, 1);
	atomic_fetch_add(&aws.now_s, 1);
	check_get(s, 2, 2);
	CHECK_INT(serial_of(s), 2);
	atomic_fetch_add(&aws.now_s, 100000);
	check_get(s, 3, 3);
	credential_source_free(s);
	aws_end();
}

/* Those that do not live long are renewed at half of their time, and not at each call. */
static void
test_short_lives(void)
{
	struct credential_source *s;

	container_begin();
	atomic_store(&aws.lifetime_s, 200);
	s = aws_source();
	check_get(s, 1, 1);
	atomic_fetch_add(&aws.now_s, 99);
	check_get(s, 1, 1);
	atomic_fetch_add(&aws.now_s, 1);
	check_get(s, 2, 2);
	/* And those that live for ever never. */
	atomic_store(&aws.lifetime_s, 0);
	atomic_fetch_add(&aws.now_s, 100);
	check_get(s, 3, 3);
	atomic_fetch_add(&aws.now_s, 1000000000);
	check_get(s, 3, 3);
	credential_source_free(s);
	aws_end();
}

static void
test_failing_renewal(void)
{
	struct credential_source *s;

	container_begin();
	s = aws_source();
	aws_fail("/container", AWS_REPLY, 403, NULL, 99);
	atomic_fetch_add(&aws.now_s, 3400);
	/* The old ones are good; the service is left alone for half a minute. */
	check_get(s, 1, 2);
	check_get(s, 1, 2);
	atomic_fetch_add(&aws.now_s, 30);
	check_get(s, 1, 3);
	atomic_fetch_add(&aws.now_s, 169);
	check_get(s, 1, 4);
	atomic_fetch_add(&aws.now_s, 1);
	check_fails(s, ERR_DENIED, "credentials from container: the container's credential service: HTTP status 403");
	check_fails(s, ERR_DENIED, "HTTP status 403");
	CHECK_INT(http_server_requests(aws.server), 6);
	aws_fail(NULL, AWS_REPLY, 0, NULL, 0);
	check_get(s, 2, 7);
	credential_source_free(s);
	aws_end();
}

static void
test_expired(void)
{
	struct credential_source *s;

	container_begin();
	s = aws_source();
	credential_source_expired(s, 1);
	check_get(s, 2, 2);
	/* Others say the same of the old ones, late. */
	credential_source_expired(s, 1);
	credential_source_expired(s, 7);
	check_get(s, 2, 2);
	CHECK_INT(serial_of(s), 2);
	credential_source_expired(s, 2);
	aws_fail("/container", AWS_REPLY, 400, NULL, 1);
	check_fails(s, ERR_DENIED, "HTTP status 400");
	check_get(s, 3, 4);
	CHECK_INT(serial_of(s), 3);
	credential_source_free(s);
	aws_end();
}

/* A file may be changed by whoever mounts it; credentials may go away. */
static void
test_files_change(void)
{
	struct credential_source *s;
	struct credentials c;

	aws_begin();
	aws_setenv("AWS_SHARED_CREDENTIALS_FILE",
	    aws_file("keys", "[default]\naws_access_key_id=A\naws_secret_access_key=hush\n"));
	s = aws_source();
	(void)aws_file("keys", "[default]\naws_access_key_id=B\naws_secret_access_key=hush\n");
	CHECK_OK(credential_source_get(s, &c, &err), &err);
	CHECK_STR(c.access_key, "A");
	credentials_wipe(&c);
	credential_source_expired(s, 1);
	CHECK_OK(credential_source_get(s, &c, &err), &err);
	CHECK_STR(c.access_key, "B");
	CHECK_INT(c.serial, 2);
	credentials_wipe(&c);
	(void)aws_file("keys", "[default]\nregion=r\n");
	credential_source_expired(s, 2);
	check_fails(s, ERR_UNAVAILABLE, "credentials from profile default: they are no longer there");
	credential_source_free(s);
	aws_end();
}

static void
test_token_expired_in_the_past(void)
{
	container_begin();
	atomic_store(&aws.lifetime_s, -1);
	aws_refused(ERR_DENIED, "credentials from container: the credentials expired already at 2027-01-15T07:59:59Z");
	aws_end();
}

/* ---- services that fail ---- */

typedef int ask_fn(struct asker *, struct credentials *, struct error *);

static int
ask_web_identity(struct asker *a, struct credentials *out, struct error *e)
{
	return credentials_web_identity(a, "us-east-1", out, e);
}

static int
ask_imds(struct asker *a, struct credentials *out, struct error *e)
{
	char role[CREDENTIALS_ROLE_MAX];
	bool answered;

	return credentials_imds(a, out, role, &answered, e);
}

static const struct service {
	ask_fn *ask;
	const char *at;
} services[] = {
    {credentials_container, "/container"},
    {ask_web_identity, "POST"},
    {ask_imds, "node-role"},
    {ask_imds, "credentials/ "},
    {ask_imds, "PUT"},
};

/* One call, with short pauses; out is wiped. */
static int
ask(const struct service *service)
{
	const struct credential_settings settings = aws_settings();
	struct credentials c = {0};
	struct asker a;
	int r;

	CHECK_OK(asker_init(&a, &settings, &err), &err);
	a.pause_ms = 1;
	r = service->ask(&a, &c, &err);
	if (r == 0)
		aws_check_given(&c, atomic_load(&aws.given));
	credentials_wipe(&c);
	asker_free(&a);
	return r;
}

static void
services_begin(void)
{
	container_begin();
	aws_setenv("AWS_WEB_IDENTITY_TOKEN_FILE", aws_file("jwt", AWS_JWT));
	aws_setenv("AWS_ROLE_ARN", "arn");
}

/* What passes is tried again, a few times; what does not is not. */
static void
test_retries(void)
{
	static const struct {
		enum aws_fault fault;
		int status;
		bool again;
		int code;
	} cases[] = {
	    {AWS_REPLY, 500, true, ERR_UNAVAILABLE},
	    {AWS_REPLY, 503, true, ERR_UNAVAILABLE},
	    {AWS_REPLY, 429, true, ERR_UNAVAILABLE},
	    {AWS_RESET, 0, true, ERR_UNAVAILABLE},
	    {AWS_CUT, 0, true, ERR_UNAVAILABLE},
	    {AWS_REPLY, 400, false, ERR_DENIED},
	    {AWS_REPLY, 401, false, ERR_DENIED},
	    {AWS_REPLY, 403, false, ERR_DENIED},
	    {AWS_REPLY, 404, false, ERR_DENIED},
	    {AWS_REPLY, 301, false, ERR_DENIED},
	};

	services_begin();
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		for (size_t k = 0; k < COUNT_OF(services); k++) {
			aws_fail(services[k].at, cases[i].fault, cases[i].status, AWS_JWT, 1000);
			CHECK_INT(ask(&services[k]), cases[i].code);
			CHECK(strstr(err.msg, "hush") == NULL);
			CHECK_INT(1000 - atomic_load(&aws.faults_left) > 1, cases[i].again);
			/* libcurl itself tries once more when a kept connection is reset. */
			CHECK(atomic_load(&aws.faults_left) >= 1000 - 5);
			aws_fail(services[k].at, cases[i].fault, cases[i].status, AWS_JWT, 1);
			CHECK_INT(ask(&services[k]), cases[i].again ? 0 : cases[i].code);
		}
	}
	aws_end();
}

static void
test_garbage(void)
{
	static char huge[200000];
	static const char *const bodies[] = {
	    "", "hush", "{}", "[]", "<hush>", "<hush/>", "{\"AccessKeyId\": \"hush\"}", huge};

	services_begin();
	memset(huge, ' ', sizeof(huge) - 1);
	for (size_t i = 0; i < COUNT_OF(bodies); i++) {
		for (size_t k = 0; k < 3; k++) {
			aws_fail(services[k].at, AWS_REPLY, 200, bodies[i], 99);
			CHECK_INT(ask(&services[k]), ERR_CORRUPT);
			CHECK(strstr(err.msg, "hush") == NULL);
			CHECK_INT(atomic_load(&aws.faults_left), 98);
		}
	}
	aws_end();
}

/* STS says why; what it repeats of a secret is left out. */
static void
test_sts_errors(void)
{
	static const struct {
		const char *body;
		int status, code;
		const char *message;
	} cases[] = {
	    {"<ErrorResponse><Error><Code>AccessDenied</Code><Message>not yours</Message></Error></ErrorResponse>", 403,
		ERR_DENIED, "AssumeRoleWithWebIdentity: AccessDenied: not yours"},
	    {"<ErrorResponse><Error><Code>InvalidIdentityToken</Code><Message>bad token " AWS_JWT
	     "</Message></Error></ErrorResponse>",
		400, ERR_DENIED, "AssumeRoleWithWebIdentity: InvalidIdentityToken"},
	    {"<ErrorResponse><Error><Code>X</Code><Message>bad "
	     "hush.eyJhbGciOiJSUz...</Message></Error></ErrorResponse>",
		400, ERR_DENIED, "AssumeRoleWithWebIdentity: X"},
	    {"<ErrorResponse><Error><Code>" AWS_JWT "</Code></Error></ErrorResponse>", 400, ERR_DENIED,
		"AssumeRoleWithWebIdentity: HTTP status 400"},
	    {"<ErrorResponse><Error><Code>Throttling</Code></Error></ErrorResponse>", 400, ERR_UNAVAILABLE,
		"Throttling"},
	    {"<ErrorResponse><Error><Code>X</Code></Error></ErrorResponse>", 500, ERR_UNAVAILABLE, "X"},
	    {AWS_JWT, 400, ERR_DENIED, "AssumeRoleWithWebIdentity: HTTP status 400"},
	};

	services_begin();
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		aws_fail("POST", AWS_REPLY, cases[i].status, cases[i].body, 99);
		CHECK_INT(ask(&services[1]), cases[i].code);
		aws_check_error(&err, cases[i].code, cases[i].message);
	}
	aws_end();
}

/* ---- threads ---- */

struct getter {
	pthread_t thread;
	struct credential_source *source;
	unsigned rounds;
	int code;
	struct error err;
	struct credentials last;
};

static void *
get_often(void *arg)
{
	struct getter *g = arg;

	for (unsigned i = 0; i < g->rounds; i++) {
		unsigned n;

		credentials_wipe(&g->last);
		g->code = credential_source_get(g->source, &g->last, &g->err);
		if (g->code < 0)
			return NULL;
		/* The parts belong together. */
		CHECK_INT(sscanf(g->last.access_key, "AKID%u", &n), 1);
		aws_check_given(&g->last, n);
		if (i % 50 == 49)
			credential_source_expired(g->source, g->last.serial);
	}
	return NULL;
}

static void
start(struct getter *g, struct credential_source *s, unsigned rounds)
{
	*g = (struct getter){.source = s, .rounds = rounds};
	CHECK_INT(pthread_create(&g->thread, NULL, get_often, g), 0);
}

static void
finish(struct getter *g)
{
	CHECK_INT(pthread_join(g->thread, NULL), 0);
	credentials_wipe(&g->last);
}

/* One thread waits for the service, the others go on with what is still valid. */
static void
test_others_go_on(void)
{
	struct credential_source *s;
	struct getter slow;

	container_begin();
	s = aws_source();
	aws_fail("/container", AWS_STALL, 0, NULL, 1);
	atomic_fetch_add(&aws.now_s, 3400);
	start(&slow, s, 1);
	http_server_wait(aws.server, 2);
	for (int i = 0; i < 100; i++)
		check_get(s, 1, 2);
	http_server_go(aws.server);
	CHECK_INT(pthread_join(slow.thread, NULL), 0);
	CHECK_OK(slow.code, &slow.err);
	aws_check_given(&slow.last, 2);
	credentials_wipe(&slow.last);
	check_get(s, 2, 2);
	credential_source_free(s);
	aws_end();
}

/* When nothing is valid, all wait for one request, and get its outcome. */
static void
check_all_wait(bool good)
{
	struct getter getters[THREADS];
	struct credential_source *s;

	container_begin();
	s = aws_source();
	aws_fail("/container", AWS_STALL, 0, NULL, 1);
	atomic_fetch_add(&aws.now_s, 4000);
	for (size_t i = 0; i < COUNT_OF(getters); i++)
		start(&getters[i], s, 1);
	http_server_wait(aws.server, 2);
	/* Let them come to where they wait. */
	(void)usleep(200000);
	CHECK_INT(http_server_requests(aws.server), 2);
	/* Those that were given already are too old then. */
	if (!good)
		atomic_store(&aws.lifetime_s, -1);
	http_server_go(aws.server);
	for (size_t i = 0; i < COUNT_OF(getters); i++) {
		CHECK_INT(pthread_join(getters[i].thread, NULL), 0);
		CHECK_INT(getters[i].code, good ? 0 : ERR_DENIED);
		if (good)
			aws_check_given(&getters[i].last, 2);
		else
			CHECK(strstr(getters[i].err.msg, "expired already") != NULL);
		credentials_wipe(&getters[i].last);
	}
	CHECK_INT(http_server_requests(aws.server), 2);
	credential_source_free(s);
	aws_end();
}

static void
test_many_threads(void)
{
	struct getter getters[THREADS];
	struct credential_source *s;

	container_begin();
	s = aws_source();
	for (size_t i = 0; i < COUNT_OF(getters); i++)
		start(&getters[i], s, 300);
	for (int i = 0; i < 40; i++) {
		atomic_fetch_add(&aws.now_s, i % 2 == 0 ? 3400 : 100);
		(void)usleep(2000);
	}
	for (size_t i = 0; i < COUNT_OF(getters); i++) {
		finish(&getters[i]);
		CHECK_OK(getters[i].code, &getters[i].err);
	}
	CHECK_INT(serial_of(s), atomic_load(&aws.given));
	credential_source_free(s);
	aws_end();
}

/* ---- being told to stop ---- */

static void
check_end(struct credential_source *s, const char *at, enum aws_fault fault, size_t requests)
{
	struct getter getters[2];
	int64_t began;

	aws_fail(at, fault, 503, NULL, 99);
	atomic_fetch_add(&aws.now_s, 4000);
	for (size_t i = 0; i < COUNT_OF(getters); i++)
		start(&getters[i], s, 1);
	http_server_wait(aws.server, requests);
	began = clock_ms();
	credential_source_end(s);
	for (size_t i = 0; i < COUNT_OF(getters); i++) {
		finish(&getters[i]);
		CHECK_INT(getters[i].code, ERR_CANCELLED);
	}
	CHECK(clock_ms() - began < 3000);
	credential_source_free(s);
}

static void
test_end(void)
{
	container_begin();
	check_end(aws_source(), "/container", AWS_STALL, 2);
	aws_end();
	/* In the pause between two tries. */
	container_begin();
	check_end(aws_source(), "/container", AWS_REPLY, 2);
	aws_end();
	services_begin();
	check_end(aws_source(), "POST", AWS_STALL, 2);
	aws_end();
}

static void *
pause_long(void *arg)
{
	struct error e;

	CHECK_INT(asker_pause(arg, 50 * 1000, &e), ERR_CANCELLED);
	return NULL;
}

static void
test_pause(void)
{
	const struct credential_settings settings = aws_settings();
	pthread_t thread;
	struct asker a;
	int64_t began;

	CHECK_OK(asker_init(&a, &settings, &err), &err);
	began = clock_ms();
	CHECK_OK(asker_pause(&a, 30, &err), &err);
	CHECK(clock_ms() - began >= 30);
	CHECK_INT(pthread_create(&thread, NULL, pause_long, &a), 0);
	(void)usleep(20000);
	asker_end(&a);
	CHECK_INT(pthread_join(thread, NULL), 0);
	CHECK(clock_ms() - began < 10000);
	CHECK_INT(asker_pause(&a, 0, &err), ERR_CANCELLED);
	asker_free(&a);
}

/* A program is killed when nobody wants its answer any more. */
static void
test_end_process(void)
{
	struct credential_source *s;
	struct getter g;
	int64_t began;

	aws_begin();
	aws_setenv("AWS_CONFIG_FILE", aws_file("config", "[default]\ncredential_process=cat answer\n"));
	(void)aws_file("answer", "{\"Version\": 1, \"AccessKeyId\": \"AKID1\", \"SecretAccessKey\": \"hush/1+a b=\"}");
	CHECK_INT(chdir(aws.folder), 0);
	s = aws_source();
	(void)aws_file("config", "[default]\ncredential_process=sleep 50\n");
	credential_source_expired(s, 1);
	start(&g, s, 1);
	(void)usleep(200000);
	began = clock_ms();
	credential_source_end(s);
	finish(&g);
	CHECK_INT(g.code, ERR_CANCELLED);
	CHECK(clock_ms() - began < 2000);
	CHECK_INT(chdir("/"), 0);
	credential_source_free(s);
	aws_end();
}

int
main(void)
{
	(void)alarm(120);
	test_renewal();
	test_short_lives();
	test_failing_renewal();
	test_expired();
	test_files_change();
	test_token_expired_in_the_past();
	test_retries();
	test_garbage();
	test_sts_errors();
	test_others_go_on();
	check_all_wait(true);
	check_all_wait(false);
	test_many_threads();
	test_pause();
	test_end();
	test_end_process();
	credential_source_free(NULL);
	return 0;
}
