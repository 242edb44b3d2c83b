/*
 * Allocations fail while credentials are looked for, one at a time or all from one on: nothing crashes, leaks or goes
 * on with half of an answer, and the error is an honest one.
 *
 * Linked with --wrap for the functions below: the calls of the project's own code come here, those within libraries do
 * not, and neither do those of the server's threads.
 */
#include <errno.h>
#include <expat.h>
#include <json-c/json.h>
#include <openssl/evp.h>
#include <sys/wait.h>
#include <unistd.h>

#include "aws.h"
#include "check.h"
#include "cleanup.h"

static _Thread_local bool counting;
static unsigned long calls, fail_at;
static bool fail_later;

static bool
fails(void)
{
	if (!counting)
		return false;
	calls++;
	return calls == fail_at || (fail_later && calls > fail_at);
}

/* A function of the given type, name and parameters that fails when it is its turn. */
#define WRAP(type, name, params, args) \
	type __real_##name params; \
	type __wrap_##name params; \
	type __wrap_##name params \
	{ \
		if (fails()) { \
			errno = ENOMEM; \
			return NULL; \
		} \
		return __real_##name args; \
	}

WRAP(void *, malloc, (size_t len), (len))
WRAP(void *, calloc, (size_t n, size_t len), (n, len))
WRAP(void *, realloc, (void *p, size_t len), (p, len))
WRAP(char *, strdup, (const char *text), (text))
WRAP(EVP_MAC_CTX *, EVP_MAC_CTX_new, (EVP_MAC * mac), (mac))
WRAP(struct json_tokener *, json_tokener_new_ex, (int depth), (depth))
WRAP(XML_Parser, XML_ParserCreate, (const XML_Char *encoding), (encoding))

static void
set_environment(void)
{
	aws_setenv("AWS_ACCESS_KEY_ID", "AK");
	aws_setenv("AWS_SECRET_ACCESS_KEY", "hush");
	aws_setenv("AWS_SESSION_TOKEN", "hush");
}

static void
set_web_identity(void)
{
	aws_setenv("AWS_WEB_IDENTITY_TOKEN_FILE", aws_file("jwt", AWS_JWT));
	aws_setenv("AWS_ROLE_ARN", "arn");
}

static void
set_chain(void)
{
	aws_setenv("AWS_CONFIG_FILE", aws_file("config", "[default]\nrole_arn=a\nsource_profile=b\n[profile "
							 "b]\naws_access_key_id=AK\naws_secret_access_key=hush\n"));
}

static void
set_process(void)
{
	char text[200];

	(void)aws_file("answer", "{\"Version\": 1, \"AccessKeyId\": \"AK\", \"SecretAccessKey\": \"hush\"}");
	(void)snprintf(text, sizeof(text), "[default]\ncredential_process=cat %s/answer\n", aws.folder);
	aws_setenv("AWS_CONFIG_FILE", aws_file("config", text));
}

static void
set_container(void)
{
	aws_setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", aws_url("/container"));
	aws_setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", aws_file("token", "hush"));
}

static void
set_instance(void)
{
}

/* Find them, renew them, and have them; 0 or the error. */
static int
flow(void)
{
	struct credential_settings settings = aws_settings();
	struct credential_source *s = NULL;
	struct credentials c = {0};
	struct error err = {0};
	int r;

	counting = true;
	settings.profile = "default";
	settings.region = "eu-west-1";
	r = credential_source_new(&settings, &s, &err);
	if (r == 0) {
		credential_source_expired(s, 1);
		r = credential_source_get(s, &c, &err);
	}
	counting = false;
	if (r == 0)
		CHECK(c.access_key != NULL && c.secret_key != NULL && c.serial == 2);
	else
		aws_check_error(&err, ERR_NOMEM, "");
	credentials_wipe(&c);
	credential_source_free(s);
	return r;
}

static void
torture(void (*set)(void))
{
	unsigned long total;

	aws_begin();
	set();
	fail_at = 0;
	calls = 0;
	CHECK_INT(flow(), 0);
	total = calls;
	CHECK(total > 10);
	for (int later = 0; later < 2; later++) {
		fail_later = later == 1;
		for (fail_at = 1; fail_at <= total; fail_at++) {
			calls = 0;
			CHECK_INT(flow(), ERR_NOMEM);
		}
	}
	fail_at = 0;
	fail_later = false;
	CHECK_INT(flow(), 0);
	CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
	aws_end();
}

int
main(void)
{
	(void)alarm(120);
	torture(set_environment);
	torture(set_web_identity);
	torture(set_chain);
	torture(set_process);
	torture(set_container);
	torture(set_instance);
	return 0;
}
