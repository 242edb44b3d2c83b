/* A world in which to look for credentials. */
#include "aws.h"

#include <ftw.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "cleanup.h"
#include "timetext.h"

enum { VARIABLES_MAX = 32, TEXTS_MAX = 64 };

struct script {
	const char *at;
	enum aws_fault fault;
	int status;
	const char *body;
};

struct aws aws;
static pthread_mutex_t script_lock = PTHREAD_MUTEX_INITIALIZER;
static struct script script;
static struct {
	const char *name, *value;
} variables[VARIABLES_MAX];
static char *texts[TEXTS_MAX];
static size_t ntexts;

static const char *
keep(char *text)
{
	CHECK(text != NULL && ntexts < TEXTS_MAX);
	return texts[ntexts++] = text;
}

void
aws_setenv(const char *name, const char *value)
{
	for (size_t i = 0; i < VARIABLES_MAX; i++) {
		if (variables[i].name == NULL || strcmp(variables[i].name, name) == 0) {
			variables[i].name = name;
			variables[i].value = value;
			return;
		}
	}
	CHECK(false);
}

const char *
aws_getenv(const char *name)
{
	for (size_t i = 0; i < VARIABLES_MAX && variables[i].name != NULL; i++) {
		if (strcmp(variables[i].name, name) == 0)
			return variables[i].value;
	}
	return NULL;
}

int64_t
aws_now(void)
{
	return atomic_load(&aws.now_s);
}

void
aws_fail(const char *at, enum aws_fault fault, int status, const char *body, int times)
{
	(void)pthread_mutex_lock(&script_lock);
	script = (struct script){at, fault, status, body};
	atomic_store(&aws.faults_left, times);
	(void)pthread_mutex_unlock(&script_lock);
}

/* ---- the services ---- */

static void
expiration(int64_t now_s, char out[TIME_TEXT_LEN])
{
	time_format(now_s + atomic_load(&aws.lifetime_s), 0, out);
	/* As AWS writes it: without a fraction. */
	(void)snprintf(out + 19, TIME_TEXT_LEN - 19, "Z");
}

static void
answer_json(struct http_server_call *call)
{
	unsigned n = atomic_fetch_add(&aws.given, 1) + 1;
	char body[512], until[TIME_TEXT_LEN], member[80] = "";

	expiration(aws_now(), until);
	if (atomic_load(&aws.lifetime_s) != 0)
		(void)snprintf(member, sizeof(member), ", \"Expiration\": \"%s\"", until);
	(void)snprintf(body, sizeof(body),
	    "{\"Code\": \"Success\", \"Type\": \"AWS-HMAC\", \"AccessKeyId\": \"AKID%u\", "
	    "\"SecretAccessKey\": \"hush/%u+a b=\", \"Token\": \"hush-token-%u\"%s}",
	    n, n, n, member);
	(void)http_server_reply(call, 200, NULL, body, strlen(body));
}

/* As STS answers when a signature is of another time. */
static bool
is_of_now(const struct http_server_request *q, int64_t now_s)
{
	char given[32], now[32];
	time_t t = now_s;
	struct tm tm;

	if (*http_server_header(q, "x-amz-date", given, sizeof(given)) == '\0')
		return true;
	CHECK(strftime(now, sizeof(now), "%Y%m%dT%H%M", gmtime_r(&t, &tm)) > 0);
	return strncmp(given, now, strlen(now)) == 0;
}

static void
answer_sts(struct http_server_call *call, const struct http_server_request *q)
{
	static const char expired[] = "<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code>"
				      "<Message>Signature not of this time</Message></Error></ErrorResponse>";
	bool web = memmem(q->body, q->body_len, "Action=AssumeRoleWithWebIdentity&", 33) != NULL;
	const char *action = web ? "AssumeRoleWithWebIdentity" : "AssumeRole";
	int64_t skew_s = atomic_load(&aws.sts_skew_s);
	time_t now = aws_now() + skew_s;
	char body[1024], until[TIME_TEXT_LEN], head[128] = "";
	struct tm tm;
	unsigned n;

	if (skew_s != 0)
		CHECK(strftime(head, sizeof(head), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", gmtime_r(&now, &tm)) > 0);
	if (!is_of_now(q, now)) {
		(void)http_server_reply(call, 403, head, expired, strlen(expired));
		return;
	}
	n = atomic_fetch_add(&aws.given, 1) + 1;
	expiration(now, until);
	(void)snprintf(body, sizeof(body),
	    "<%sResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n<%sResult>\n"
	    "<AssumedRoleUser><Arn>arn</Arn></AssumedRoleUser>\n<Credentials>\n  <AccessKeyId>AKID%u</AccessKeyId>\n"
	    "  <SecretAccessKey>hush/%u+a b=</SecretAccessKey>\n  <SessionToken>hush-token-%u</SessionToken>\n"
	    "  <Expiration>%s</Expiration>\n</Credentials>\n</%sResult>\n</%sResponse>\n",
	    action, action, n, n, n, until, action, action);
	(void)http_server_reply(call, 200, head, body, strlen(body));
}

static void
answer_well(struct http_server_call *call, const struct http_server_request *q)
{
	static const char roles[] = "/latest/meta-data/iam/security-credentials/";

	if (strcmp(q->target, "/latest/api/token") == 0)
		(void)http_server_reply(call, 200, NULL, "hush-imds", 9);
	else if (strcmp(q->target, roles) == 0)
		(void)http_server_reply(call, 200, NULL, "node-role\n", 10);
	else if (strncmp(q->target, roles, strlen(roles)) == 0 || strncmp(q->target, "/container", 10) == 0)
		answer_json(call);
	else if (strcmp(q->method, "POST") == 0)
		answer_sts(call, q);
	else
		(void)http_server_reply(call, 404, NULL, NULL, 0);
}

/* Whether it is this request's turn to fail, and how. */
static bool
is_fault(const struct http_server_request *q, struct script *out)
{
	char line[1024];
	bool hit;

	(void)snprintf(line, sizeof(line), "%s %s %.*s", q->method, q->target, (int)q->body_len, (const char *)q->body);
	(void)pthread_mutex_lock(&script_lock);
	*out = script;
	hit = out->at != NULL && strstr(line, out->at) != NULL && atomic_fetch_sub(&aws.faults_left, 1) > 0;
	(void)pthread_mutex_unlock(&script_lock);
	return hit;
}

static void
answer(struct http_server_call *call, const struct http_server_request *q, void *arg)
{
	static const char cut[] = "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"AccessKeyId\": \"AKID\"";
	struct script now;

	(void)arg;
	if (!http_server_take_all(call))
		return;
	if (!is_fault(q, &now)) {
		answer_well(call, q);
	} else if (now.fault == AWS_REPLY) {
		(void)http_server_reply(call, now.status, NULL, now.body, now.body == NULL ? 0 : strlen(now.body));
	} else if (now.fault == AWS_CUT) {
		(void)http_server_send(call, cut, strlen(cut));
		http_server_close(call);
	} else if (now.fault == AWS_RESET) {
		http_server_reset(call);
	} else if (http_server_stall(call)) {
		answer_well(call, q);
	}
}

/* ---- the world ---- */

void
aws_begin(void)
{
	const struct http_server_options o = {.fn = answer};

	memset(variables, 0, sizeof(variables));
	(void)snprintf(aws.folder, sizeof(aws.folder), "/tmp/test_aws.XXXXXX");
	CHECK(mkdtemp(aws.folder) != NULL);
	atomic_store(&aws.now_s, 1800000000);
	atomic_store(&aws.sts_skew_s, 0);
	atomic_store(&aws.lifetime_s, 3600);
	atomic_store(&aws.given, 0);
	aws_fail(NULL, AWS_REPLY, 0, NULL, 0);
	aws.server = http_server_new(&o);
	CHECK(aws.server != NULL);
	aws_setenv("HOME", aws.folder);
	aws_setenv("AWS_ENDPOINT_URL_STS", aws_url(""));
	aws_setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", aws_url("/"));
}

static int
remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void
aws_end(void)
{
	http_server_free(aws.server);
	CHECK_INT(nftw(aws.folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
	while (ntexts > 0)
		free(texts[--ntexts]);
}

const char *
aws_file(const char *name, const char *text)
{
	char *path;
	FILE *f;

	CHECK(asprintf(&path, "%s/%s", aws.folder, name) > 0);
	f = fopen(path, "w");
	CHECK(f != NULL && fputs(text, f) >= 0 && fclose(f) == 0);
	return keep(path);
}

const char *
aws_url(const char *path)
{
	char *url;

	CHECK(asprintf(&url, "%s%s", http_server_origin(aws.server), path) > 0);
	return keep(url);
}

struct credential_settings
aws_settings(void)
{
	return (struct credential_settings){.getenv = aws_getenv, .now = aws_now};
}

struct credential_source *
aws_source(void)
{
	struct credential_settings settings = aws_settings();
	struct credential_source *s = NULL;
	struct error err;

	CHECK_OK(credential_source_new(&settings, &s, &err), &err);
	return s;
}

void
aws_check_error(const struct error *err, int code, const char *message)
{
	if ((int)err->code != code || strstr(err->msg, message) == NULL || strstr(err->msg, "hush") != NULL)
		fprintf(stderr, "the message: %s\n", err->msg);
	CHECK_INT(err->code, code);
	CHECK(strstr(err->msg, message) != NULL);
	CHECK(strstr(err->msg, "hush") == NULL);
}

void
aws_refused(int code, const char *message)
{
	struct credential_settings settings = aws_settings();
	struct credential_source *s = NULL;
	struct error err;

	CHECK_INT(credential_source_new(&settings, &s, &err), code);
	aws_check_error(&err, code, message);
}

void
aws_check_given(const struct credentials *c, unsigned n)
{
	char text[64];

	(void)snprintf(text, sizeof(text), "AKID%u", n);
	CHECK_STR(c->access_key, text);
	(void)snprintf(text, sizeof(text), "hush/%u+a b=", n);
	CHECK_STR(c->secret_key, text);
	(void)snprintf(text, sizeof(text), "hush-token-%u", n);
	CHECK_STR(c->token, text);
}
