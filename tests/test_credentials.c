/* Where credentials come from: every source, what goes before what, and what each one sends. */
#include "credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "asker.h"
#include "aws.h"
#include "buf.h"
#include "check.h"
#include "cleanup.h"
#include "credentials_internal.h"
#include "sigv4.h"

static struct error err;

/* The source gives these; NULL: no token. */
static void
check_source(const char *name, const char *access_key, const char *secret_key, const char *token)
{
	struct credential_source *s = aws_source();
	struct credentials c;

	CHECK_STR(credential_source_name(s), name);
	CHECK_OK(credential_source_get(s, &c, &err), &err);
	CHECK_STR(c.access_key, access_key);
	CHECK_STR(c.secret_key, secret_key);
	CHECK_STR(c.token == NULL ? "(none)" : c.token, token == NULL ? "(none)" : token);
	CHECK_INT(c.serial, 1);
	credentials_wipe(&c);
	credential_source_free(s);
}

/* The source gives what the services gave last. */
static void
check_service(const char *name)
{
	struct credential_source *s = aws_source();
	struct credentials c;

	CHECK_STR(credential_source_name(s), name);
	CHECK_OK(credential_source_get(s, &c, &err), &err);
	aws_check_given(&c, atomic_load(&aws.given));
	CHECK_INT(c.expires_s, aws_now() + 3600);
	credentials_wipe(&c);
	credential_source_free(s);
}

static const struct http_server_request *
last_request(void)
{
	return http_server_request(aws.server, http_server_requests(aws.server) - 1);
}

static void
check_header(const struct http_server_request *q, const char *name, const char *want)
{
	char value[1024];

	CHECK_STR(http_server_header(q, name, value, sizeof(value)), want);
}

static void
check_body(const struct http_server_request *q, const char *want)
{
	char body[1024];

	(void)snprintf(body, sizeof(body), "%.*s", (int)q->body_len, (const char *)q->body);
	CHECK_STR(body, want);
}

/* ---- environment, precedence ---- */

static void
test_environment(void)
{
	aws_begin();
	aws_setenv("AWS_ACCESS_KEY_ID", "AK\n");
	aws_setenv("AWS_SECRET_ACCESS_KEY", " hush/+ x\r\n");
	check_source("environment", "AK", " hush/+ x", NULL);
	aws_setenv("AWS_SESSION_TOKEN", "hush\n");
	check_source("environment", "AK", " hush/+ x", "hush");
	aws_setenv("AWS_SESSION_TOKEN", "hush\nhush");
	aws_refused(ERR_DENIED, "credentials from environment: the session token");
	aws_setenv("AWS_SESSION_TOKEN", "");
	aws_setenv("AWS_ACCESS_KEY_ID", "");
	aws_refused(ERR_DENIED, "credentials from environment: AWS_ACCESS_KEY_ID is not set");
	aws_setenv("AWS_ACCESS_KEY_ID", "AK");
	aws_setenv("AWS_SECRET_ACCESS_KEY", NULL);
	aws_refused(ERR_DENIED, "credentials from environment: AWS_SECRET_ACCESS_KEY is not set");
	CHECK_INT(http_server_requests(aws.server), 0);
	aws_end();
}

static void
put_everything(void)
{
	aws_setenv("AWS_ACCESS_KEY_ID", "AKENV");
	aws_setenv("AWS_SECRET_ACCESS_KEY", "hush");
	aws_setenv("AWS_WEB_IDENTITY_TOKEN_FILE", aws_file("jwt", AWS_JWT "\n"));
	aws_setenv("AWS_ROLE_ARN", "arn:aws:iam::1:role/r");
	aws_setenv("AWS_SHARED_CREDENTIALS_FILE",
	    aws_file("keys",
		"[default]\naws_access_key_id=AKFILE\naws_secret_access_key=hush/+ x\n"
		"[other]\naws_access_key_id = AKOTHER\naws_secret_access_key = hush\naws_session_token = hush2\n"
		"[empty]\nregion = r\n"));
	aws_setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", aws_url("/container"));
}

static void
test_precedence(void)
{
	aws_begin();
	put_everything();
	check_source("environment", "AKENV", "hush", NULL);
	aws_setenv("AWS_PROFILE", "other");
	check_source("profile other", "AKOTHER", "hush", "hush2");
	/* A chosen profile that says nothing of credentials leaves them to others. */
	aws_setenv("AWS_PROFILE", "empty");
	check_source("environment", "AKENV", "hush", NULL);
	aws_setenv("AWS_PROFILE", "nobody\n");
	aws_refused(ERR_USAGE, "credentials from profile nobody\\x0a: there is no such profile");
	aws_setenv("AWS_PROFILE", "");
	aws_setenv("AWS_ACCESS_KEY_ID", NULL);
	aws_setenv("AWS_SECRET_ACCESS_KEY", NULL);
	check_service("web identity");
	aws_setenv("AWS_WEB_IDENTITY_TOKEN_FILE", NULL);
	check_source("profile default", "AKFILE", "hush/+ x", NULL);
	aws_setenv("AWS_SHARED_CREDENTIALS_FILE", NULL);
	check_service("container");
	aws_setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", NULL);
	check_service("instance role node-role");
	aws_end();
}

static void
test_chosen_by_setting(void)
{
	struct credential_settings settings;
	struct credential_source *s;

	aws_begin();
	put_everything();
	aws_setenv("AWS_PROFILE", "default");
	settings = aws_settings();
	settings.profile = "other";
	CHECK_OK(credential_source_new(&settings, &s, &err), &err);
	CHECK_STR(credential_source_name(s), "profile other");
	credential_source_free(s);
	/* The file fails, and nobody else is asked. */
	aws_setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere/keys");
	CHECK_INT(credential_source_new(&settings, &s, &err), ERR_USAGE);
	aws_check_error(&err, ERR_USAGE, "/nowhere/keys");
	CHECK_INT(http_server_requests(aws.server), 0);
	aws_end();
}

static void
test_nothing(void)
{
	aws_begin();
	aws_setenv("AWS_EC2_METADATA_DISABLED", "TRUE");
	aws_refused(ERR_DENIED, "no credentials: looked at AWS_ACCESS_KEY_ID");
	aws_refused(ERR_DENIED, "(AWS_EC2_METADATA_DISABLED is set)");
	CHECK_INT(http_server_requests(aws.server), 0);
	/* Nobody listens there. */
	aws_setenv("AWS_EC2_METADATA_DISABLED", "false");
	aws_setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1");
	aws_refused(ERR_DENIED, "profile default, ");
	aws_refused(ERR_DENIED, "instance metadata (http://127.0.0.1:1");
	aws_end();
}

/* ---- STS ---- */

static void
test_web_identity(void)
{
	const struct http_server_request *q;

	aws_begin();
	aws_setenv("AWS_WEB_IDENTITY_TOKEN_FILE", aws_file("jwt", AWS_JWT "\n"));
	aws_refused(
	    ERR_DENIED, "credentials from web identity: AWS_WEB_IDENTITY_TOKEN_FILE is set, but not AWS_ROLE_ARN");
	aws_setenv("AWS_ROLE_ARN", "arn:aws:iam::1:role/r");
	check_service("web identity");
	q = last_request();
	CHECK_STR(q->method, "POST");
	CHECK_STR(q->target, "/");
	check_header(q, "authorization", "");
	check_header(q, "content-type", "application/x-www-form-urlencoded; charset=utf-8");
	check_body(q, "Action=AssumeRoleWithWebIdentity&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr&RoleSessionName="
		      "snapferry-1800000000&Version=2011-06-15&WebIdentityToken=" AWS_JWT);
	aws_setenv("AWS_ROLE_SESSION_NAME", "me");
	aws_setenv("AWS_ENDPOINT_URL_STS", aws_url("/sub/path/"));
	check_service("web identity");
	CHECK_STR(last_request()->target, "/sub/path");
	CHECK(strstr((const char *)last_request()->body, "&RoleSessionName=me&") != NULL);
	aws_end();
}

static void
test_web_identity_token(void)
{
	aws_begin();
	aws_setenv("AWS_ROLE_ARN", "arn");
	aws_setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "/nowhere/jwt");
	aws_refused(ERR_DENIED, "web identity token: read /nowhere/jwt: No such file");
	aws_setenv("AWS_WEB_IDENTITY_TOKEN_FILE", aws_file("empty", "\n"));
	aws_refused(ERR_DENIED, "empty is empty");
	aws_setenv("AWS_WEB_IDENTITY_TOKEN_FILE", aws_file("lines", "hush\nhush\n"));
	aws_refused(ERR_DENIED, "lines has line ends");
	aws_setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "/dev/zero");
	aws_refused(ERR_DENIED, "longer than");
	CHECK_INT(http_server_requests(aws.server), 0);
	/* A profile can name one, too. */
	aws_setenv("AWS_WEB_IDENTITY_TOKEN_FILE", NULL);
	aws_setenv(
	    "AWS_CONFIG_FILE", aws_file("config", "[default]\nrole_arn=a\nweb_identity_token_file=/nowhere/jwt\n"));
	aws_refused(ERR_DENIED, "credentials from profile default: web identity token: read /nowhere/jwt");
	aws_end();
}

/* The signature that the server would have made. */
static void
check_signature(const struct http_server_request *q, const char *region, const char *access_key, const char *secret_key,
    const char *token)
{
	static const struct http_header type[] = {{"content-type", "application/x-www-form-urlencoded; charset=utf-8"}};
	CLEANUP(buf_free) struct buf want = BUF_INIT(4096);
	char hash[SIGV4_HASH_LEN + 1];
	struct sigv4_signature s;
	const struct sigv4_request r = {
	    .method = "POST",
	    .host = strstr(http_server_origin(aws.server), "//") + 2,
	    .path = "/",
	    .headers = type,
	    .nheaders = 1,
	    .payload_hash = hash,
	    .region = region,
	    .service = "sts",
	    .access_key = access_key,
	    .secret_key = secret_key,
	    .token = token,
	    .now_s = aws_now(),
	};

	CHECK_OK(sigv4_hash(q->body, q->body_len, hash, &err), &err);
	CHECK_OK(sigv4_sign(&r, &s, &want, &err), &err);
	buf_u8(&want, 0);
	check_header(q, "authorization", (const char *)want.data);
	check_header(q, "x-amz-date", s.date);
	check_header(q, "x-amz-security-token", token == NULL ? "" : token);
}

static void
config(const char *text)
{
	aws_setenv("AWS_CONFIG_FILE", aws_file("config", text));
}

static void
test_assume_role(void)
{
	aws_begin();
	config("[default]\nrole_arn = arn:r\nsource_profile = keys\nexternal_id = e/x\nrole_session_name = me\n"
	       "duration_seconds = 900\nregion = eu-west-3\n"
	       "[profile keys]\naws_access_key_id = AKSRC\naws_secret_access_key = hush/+ x\nregion = no\n");
	check_service("profile default");
	check_body(last_request(), "Action=AssumeRole&DurationSeconds=900&ExternalId=e%2Fx&RoleArn=arn%3Ar&"
				   "RoleSessionName=me&Version=2011-06-15");
	check_signature(last_request(), "eu-west-3", "AKSRC", "hush/+ x", NULL);
	aws_setenv("AWS_DEFAULT_REGION", "eu-north-1");
	check_service("profile default");
	check_signature(last_request(), "eu-north-1", "AKSRC", "hush/+ x", NULL);
	aws_setenv("AWS_REGION", "eu-central-1");
	check_service("profile default");
	check_signature(last_request(), "eu-central-1", "AKSRC", "hush/+ x", NULL);
	/* Own keys, no region anywhere. */
	aws_setenv("AWS_REGION", NULL);
	aws_setenv("AWS_DEFAULT_REGION", NULL);
	config("[default]\nrole_arn = arn:r\nsource_profile = default\naws_access_key_id = AKOWN\n"
	       "aws_secret_access_key = hush\naws_session_token = hush-session\n");
	check_service("profile default");
	check_signature(last_request(), "us-east-1", "AKOWN", "hush", "hush-session");
	aws_end();
}

/* STS has another time: it counts for signatures, and for when credentials expire. */
static void
test_sts_clock(void)
{
	static const int64_t skews[] = {-864000, -1000, 1000, 86400000};
	struct credential_source *s;
	struct credentials c;

	for (size_t i = 0; i < COUNT_OF(skews); i++) {
		aws_begin();
		atomic_store(&aws.sts_skew_s, skews[i]);
		config("[default]\nrole_arn = arn:r\nsource_profile = keys\n"
		       "[profile keys]\naws_access_key_id = AKSRC\naws_secret_access_key = hush/+ x\n");
		check_service("profile default");
		CHECK_INT(http_server_requests(aws.server), 2);
		/* It is remembered. */
		s = aws_source();
		CHECK_INT(http_server_requests(aws.server), 4);
		atomic_fetch_add(&aws.now_s, 3600);
		CHECK_OK(credential_source_get(s, &c, &err), &err);
		CHECK_INT(c.serial, 2);
		CHECK_INT(c.expires_s, aws_now() + 3600);
		CHECK_INT(http_server_requests(aws.server), 5);
		credentials_wipe(&c);
		credential_source_free(s);
		/* What is not signed expires at another time as well. */
		config("");
		aws_setenv("AWS_WEB_IDENTITY_TOKEN_FILE", aws_file("jwt", AWS_JWT));
		aws_setenv("AWS_ROLE_ARN", "arn:w");
		check_service("web identity");
		CHECK_INT(http_server_requests(aws.server), 6);
		aws_end();
	}
}

/* What is refused for another reason is not signed a second time; neither is what is refused at the right time. */
static void
test_sts_clock_refused(void)
{
	static const char denied[] =
	    "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>";

	aws_begin();
	config("[default]\nrole_arn = arn:r\nsource_profile = keys\n"
	       "[profile keys]\naws_access_key_id = AKSRC\naws_secret_access_key = hush/+ x\n");
	aws_fail("Action=AssumeRole", AWS_REPLY, 403, denied, 10);
	aws_refused(ERR_DENIED, "AssumeRole: AccessDenied");
	CHECK_INT(http_server_requests(aws.server), 1);
	aws_end();
}

static void
test_chain(void)
{
	aws_begin();
	config("[default]\nrole_arn = arn:1\nsource_profile = b\nregion = r-a\n"
	       "[profile b]\nrole_arn = arn:2\nsource_profile = c\nregion = r-b\n"
	       "[profile c]\nrole_arn = arn:3\nweb_identity_token_file = jwt\n");
	aws_setenv("AWS_PROFILE", "default");
	CHECK_INT(chdir(aws.folder), 0);
	(void)aws_file("jwt", AWS_JWT);
	check_service("profile default");
	CHECK_INT(chdir("/"), 0);
	CHECK_INT(http_server_requests(aws.server), 3);
	check_header(http_server_request(aws.server, 0), "authorization", "");
	check_signature(http_server_request(aws.server, 1), "r-a", "AKID1", "hush/1+a b=", "hush-token-1");
	check_signature(http_server_request(aws.server, 2), "r-a", "AKID2", "hush/2+a b=", "hush-token-2");
	aws_end();
}

static void
test_chain_refused(void)
{
	static const struct {
		const char *text;
		int code;
		const char *message;
	} cases[] = {
	    {"[default]\nrole_arn=a\nsource_profile=b\n[profile b]\nrole_arn=a\nsource_profile=default\n", ERR_USAGE,
		"profile b: source_profile leads back to profile default"},
	    {"[default]\nrole_arn=a\nsource_profile=b\n", ERR_USAGE, "there is no profile b"},
	    {"[default]\nrole_arn=a\nsource_profile=b\n[profile b]\nregion=r\n", ERR_DENIED,
		"profile b: it has neither keys"},
	    {"[default]\nrole_arn=a\nsource_profile=default\n", ERR_DENIED, "it has neither keys"},
	    {"[default]\nrole_arn=a\n", ERR_USAGE, "it has a role_arn, but neither source_profile"},
	    {"[default]\nrole_arn=a\nsource_profile=b\ncredential_source=Environment\n[profile b]\n", ERR_USAGE,
		"both"},
	    {"[default]\nrole_arn=a\ncredential_source=hush\n", ERR_USAGE, "credential_source is none of"},
	    {"[default]\nrole_arn=a\ncredential_source=Environment\n", ERR_DENIED, "AWS_ACCESS_KEY_ID is not set"},
	    {"[default]\nrole_arn=a\nsource_profile=default\nmfa_serial=m\n", ERR_UNSUPPORTED, "mfa_serial"},
	    {"[default]\nrole_arn=a\nsource_profile=default\nduration_seconds=1h\n", ERR_USAGE, "duration_seconds"},
	    {"[default]\nsso_session=s\n", ERR_UNSUPPORTED, "single sign-on"},
	    {"[default]\naws_access_key_id=a\n", ERR_DENIED, "there is no aws_secret_access_key"},
	    {"[default]\naws_secret_access_key=hush\n", ERR_DENIED, "there is no aws_access_key_id"},
	    {"[default]\nrole_arn=1\nsource_profile=2\n[profile 2]\nrole_arn=1\nsource_profile=3\n"
	     "[profile 3]\nrole_arn=1\nsource_profile=4\n[profile 4]\nrole_arn=1\nsource_profile=5\n"
	     "[profile 5]\nrole_arn=1\nsource_profile=6\n[profile 6]\nrole_arn=1\nsource_profile=7\n"
	     "[profile 7]\nrole_arn=1\nsource_profile=8\n[profile 8]\nrole_arn=1\nsource_profile=9\n[profile 9]\n",
		ERR_USAGE, "more than 8 profiles"},
	};

	aws_begin();
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		config(cases[i].text);
		aws_refused(cases[i].code, cases[i].message);
		CHECK(strstr(err.msg, "hush") == NULL);
	}
	CHECK_INT(http_server_requests(aws.server), 0);
	aws_end();
}

static void
test_credential_source(void)
{
	aws_begin();
	aws_setenv("AWS_PROFILE", "default");
	aws_setenv("AWS_ACCESS_KEY_ID", "AKENV");
	aws_setenv("AWS_SECRET_ACCESS_KEY", "hush");
	config("[default]\nrole_arn=arn:r\ncredential_source=Environment\n");
	check_service("profile default");
	check_signature(last_request(), "us-east-1", "AKENV", "hush", NULL);
	config("[default]\nrole_arn=arn:r\ncredential_source=EcsContainer\n");
	aws_setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", aws_url("/container"));
	check_service("profile default");
	check_signature(last_request(), "us-east-1", "AKID2", "hush/2+a b=", "hush-token-2");
	config("[default]\nrole_arn=arn:r\ncredential_source=Ec2InstanceMetadata\n");
	check_service("profile default");
	check_signature(last_request(), "us-east-1", "AKID4", "hush/4+a b=", "hush-token-4");
	/* It may be switched off also for this. */
	aws_setenv("AWS_EC2_METADATA_DISABLED", "true");
	aws_refused(ERR_DENIED, "AWS_EC2_METADATA_DISABLED");
	config("[default]\nrole_arn=arn:r\ncredential_source=EcsContainer\n");
	aws_setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", NULL);
	aws_refused(ERR_DENIED, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
	aws_end();
}

static void
test_sts_endpoint(void)
{
	struct credential_settings settings;
	struct credential_source *s;

	aws_begin();
	aws_setenv("AWS_WEB_IDENTITY_TOKEN_FILE", aws_file("jwt", AWS_JWT));
	aws_setenv("AWS_ROLE_ARN", "arn");
	settings = aws_settings();
	settings.sts_endpoint = http_server_origin(aws.server);
	aws_setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1");
	CHECK_OK(credential_source_new(&settings, &s, &err), &err);
	credential_source_free(s);
	/* STS's own goes before that of all services, which goes before AWS's. */
	aws_setenv("AWS_ENDPOINT_URL_STS", aws_url("/own"));
	aws_setenv("AWS_ENDPOINT_URL", aws_url("/all"));
	check_service("web identity");
	CHECK_STR(last_request()->target, "/own");
	aws_setenv("AWS_ENDPOINT_URL_STS", NULL);
	check_service("web identity");
	CHECK_STR(last_request()->target, "/all");
	aws_setenv("AWS_ENDPOINT_URL", "ftp://x");
	aws_refused(ERR_USAGE, "the endpoint of STS");
	aws_setenv("AWS_ENDPOINT_URL", NULL);
	aws_setenv("AWS_ENDPOINT_URL_STS", "ftp://x");
	aws_refused(ERR_USAGE, "the endpoint of STS");
	aws_setenv("AWS_ENDPOINT_URL_STS", NULL);
	aws_setenv("AWS_REGION", "x.evil.example/");
	aws_refused(ERR_USAGE, "there is no STS in a region \"x.evil.example/\"");
	aws_setenv("AWS_REGION", "a-region-whose-name-is-longer-than-any-name-that-a-part-of-a-host-may-have");
	aws_refused(ERR_USAGE, "there is no STS in a region \"a-region-whose");
	aws_end();
}

/* ---- services ---- */

static void
test_container(void)
{
	aws_begin();
	aws_setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", aws_url("/container/?a=b"));
	check_service("container");
	CHECK_STR(last_request()->method, "GET");
	CHECK_STR(last_request()->target, "/container/?a=b");
	check_header(last_request(), "authorization", "");
	aws_setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "Bearer hush");
	check_service("container");
	check_header(last_request(), "authorization", "Bearer hush");
	/* The file goes first, and is read each time. */
	aws_setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", aws_file("token", "hush-1\n"));
	check_service("container");
	check_header(last_request(), "authorization", "hush-1");
	(void)aws_file("token", "hush-2");
	check_service("container");
	check_header(last_request(), "authorization", "hush-2");
	(void)aws_file("token", "hush-1\r\nhost: x");
	aws_refused(ERR_DENIED, "the container's authorization token has line ends");
	(void)aws_file("token", "");
	aws_refused(ERR_DENIED, "the container's authorization token is empty");
	aws_setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/nowhere/token");
	aws_refused(ERR_DENIED, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: read /nowhere/token");
	aws_setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/dev/zero");
	aws_refused(ERR_DENIED, "longer than 16384 bytes");
	aws_setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", NULL);
	aws_setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "hush\nhush");
	aws_refused(ERR_DENIED, "the container's authorization token has line ends");
	aws_end();
}

static void
test_container_urls(void)
{
	static const struct {
		const char *url;
		int code;
		const char *message;
	} cases[] = {
	    {"http://10.0.0.1/x", ERR_DENIED, "not 10.0.0.1"},
	    {"http://169.254.169.254/x", ERR_DENIED, "not 169.254.169.254"},
	    {"http://169.254.170.2.evil.example/", ERR_DENIED, "not 169.254.170.2.evil.example"},
	    {"http://[fd00:ec2::24]/", ERR_DENIED, "not [fd00:ec2::24]"},
	    {"http://localhost.evil.example/", ERR_DENIED, "not localhost.evil.example"},
	    {"http://127.0.0.1@evil.example/", ERR_USAGE, "AWS_CONTAINER_CREDENTIALS_FULL_URI"},
	    {"http://evil.example#@127.0.0.1/", ERR_DENIED, "not evil.example"},
	    {"file:///etc/passwd", ERR_USAGE, "AWS_CONTAINER_CREDENTIALS_FULL_URI"},
	    {"x", ERR_USAGE, "AWS_CONTAINER_CREDENTIALS_FULL_URI"},
	    {"http://127.0.0.1/a b", ERR_USAGE, "%XX"},
	};

	aws_begin();
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		aws_setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", cases[i].url);
		aws_refused(cases[i].code, cases[i].message);
	}
	/* The relative one goes first; a blank shows that it is used without a request. */
	aws_setenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/a b");
	aws_refused(ERR_USAGE, "%XX");
	aws_setenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "@evil.example/");
	aws_refused(ERR_USAGE, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI does not begin with a slash");
	CHECK_INT(http_server_requests(aws.server), 0);
	aws_end();
}

static void
test_instance(void)
{
	aws_begin();
	check_service("instance role node-role");
	CHECK_INT(http_server_requests(aws.server), 3);
	CHECK_STR(http_server_request(aws.server, 0)->method, "PUT");
	CHECK_STR(http_server_request(aws.server, 0)->target, "/latest/api/token");
	check_header(http_server_request(aws.server, 0), "x-aws-ec2-metadata-token-ttl-seconds", "21600");
	CHECK_STR(last_request()->target, "/latest/meta-data/iam/security-credentials/node-role");
	check_header(last_request(), "x-aws-ec2-metadata-token", "hush-imds");
	check_header(http_server_request(aws.server, 1), "x-aws-ec2-metadata-token", "hush-imds");
	aws_setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "IPv6");
	check_service("instance role node-role");
	aws_setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "7");
	aws_refused(ERR_USAGE, "neither IPv4 nor IPv6");
	aws_setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "ipv4");
	aws_setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "169.254.169.254");
	aws_refused(ERR_USAGE, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
	aws_end();
}

static void
test_instance_refused(void)
{
	static const struct {
		const char *at;
		enum aws_fault fault;
		int status;
		const char *body;
		int code;
		const char *message;
	} cases[] = {
	    {"PUT", AWS_REPLY, 403, NULL, ERR_DENIED,
		"credentials from instance role: no token from the instance metadata service: HTTP status 403"},
	    {"PUT", AWS_REPLY, 404, "hush", ERR_DENIED, "HTTP status 404"},
	    {"PUT", AWS_REPLY, 200, "", ERR_DENIED, "token is empty"},
	    {"PUT", AWS_REPLY, 200, "hush\r\nhush: x", ERR_DENIED, "line ends"},
	    {"PUT", AWS_RESET, 0, NULL, ERR_DENIED,
		"(no answer to the request for a token (in a container, the instance's"},
	    {"credentials/ ", AWS_REPLY, 404, NULL, ERR_DENIED,
		"credentials from instance role: the instance has no role"},
	    {"credentials/ ", AWS_REPLY, 401, NULL, ERR_DENIED, "HTTP status 401"},
	    {"credentials/ ", AWS_REPLY, 200, "", ERR_CORRUPT, "makes no sense"},
	    {"credentials/ ", AWS_REPLY, 200, "../x", ERR_CORRUPT, "makes no sense"},
	    {"credentials/ ", AWS_REPLY, 200, "<html>", ERR_CORRUPT, "makes no sense"},
	    {"node-role", AWS_REPLY, 404, NULL, ERR_DENIED,
		"credentials from instance role node-role: the credentials of the instance's role: HTTP status 404"},
	    {"node-role", AWS_REPLY, 200, "{\"Code\": \"Failed\"}", ERR_DENIED, "the service says Failed"},
	};

	aws_begin();
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		aws_fail(cases[i].at, cases[i].fault, cases[i].status, cases[i].body, 99);
		aws_refused(cases[i].code, cases[i].message);
	}
	/* Several roles: there is never more than one, and the first is taken. */
	aws_fail("credentials/ ", AWS_REPLY, 200, "first\r\nsecond", 1);
	check_service("instance role first");
	aws_end();
}

/* ---- processes ---- */

static void
process(const char *command)
{
	char text[2048];

	(void)snprintf(text, sizeof(text), "[default]\ncredential_process = %s\n", command);
	config(text);
}

static void
test_process(void)
{
	int fd;

	aws_begin();
	(void)aws_file("answer", "{\"Version\": 1, \"AccessKeyId\": \"AKPROC\", \"SecretAccessKey\": \"hush/+ x\", "
				 "\"SessionToken\": \"hush\"}");
	aws_setenv("AWS_SHARED_CREDENTIALS_FILE", NULL);
	CHECK_INT(chdir(aws.folder), 0);
	process("cat answer");
	check_source("profile default", "AKPROC", "hush/+ x", "hush");
	(void)aws_file("with blanks", "{\"Version\": 1, \"AccessKeyId\": \"A\", \"SecretAccessKey\": \"hush\"}");
	process("/bin/cat \"with blanks\"");
	check_source("profile default", "A", "hush", NULL);
	/* Nothing of ours is open in it: 0, 1, 2, and no terminal or file behind 0. */
	fd = fcntl(open("/dev/null", O_RDONLY), F_DUPFD, 57);
	CHECK(fd >= 57);
	process(
	    "sh -c 'for f in /proc/$$/fd/*; do case $f in */[012]);; */10);; *) test ! -e $f || exit 9; esac; done; "
	    "read x && exit 8; cat answer'");
	check_source("profile default", "AKPROC", "hush/+ x", "hush");
	CHECK_INT(close(fd), 0);
	CHECK_INT(chdir("/"), 0);
	/* All are reaped. */
	CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
	aws_end();
}

static void
test_process_refused(void)
{
	static const struct {
		const char *command;
		int code;
		const char *message;
	} cases[] = {
	    {"sh -c 'echo hush; exit 3'", ERR_DENIED, "credential_process failed with status 3"},
	    {"sh -c 'kill -9 $$'", ERR_DENIED, "credential_process was killed by signal 9"},
	    {"echo hush", ERR_CORRUPT, "credential_process: JSON"},
	    {"true", ERR_CORRUPT, "credential_process: JSON is empty"},
	    {"head -c 1048576 /dev/zero", ERR_DENIED, "credential_process prints more than 65536 bytes"},
	    {"yes hush", ERR_DENIED, "credential_process prints more than"},
	    {"/nowhere/program hush", ERR_NOT_FOUND, "credential_process: run /nowhere/program: No such file"},
	    {"echo 'hush", ERR_USAGE, "a quote is not closed"},
	};

	aws_begin();
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		process(cases[i].command);
		aws_refused(cases[i].code, cases[i].message);
	}
	CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
	aws_end();
}

/* Whether a process runs: it is there, and has not just to be reaped by somebody else. */
static bool
runs(int pid)
{
	char path[64], text[256] = "";
	CLEANUP_FCLOSE FILE *f = NULL;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "r");
	return f != NULL && fgets(text, sizeof(text), f) != NULL && strstr(text, ") Z") == NULL;
}

static void
test_process_hangs(void)
{
	static const char *const commands[] = {
	    "sh -c 'sleep 50 & echo $! >pid; wait'",
	    "sh -c 'sleep 50 >/dev/null & echo $! >pid; exec >/dev/null; wait'",
	    "sh -c 'sleep 50 & echo $! >pid; trap \"\" TERM; exec sleep 50'",
	};
	const struct credential_settings settings = aws_settings();
	struct asker a;
	struct credentials c;

	aws_begin();
	CHECK_INT(chdir(aws.folder), 0);
	CHECK_OK(asker_init(&a, &settings, &err), &err);
	a.process_ms = 300;
	for (size_t i = 0; i < COUNT_OF(commands); i++) {
		CLEANUP_FCLOSE FILE *f = NULL;
		int pid = 0;

		CHECK_INT(credentials_process(&a, commands[i], &c, &err), ERR_UNAVAILABLE);
		CHECK(strstr(err.msg, "did not end") != NULL);
		f = fopen("pid", "r");
		CHECK(f != NULL && fscanf(f, "%d", &pid) == 1 && pid > 1);
		for (int k = 0; k < 500 && runs(pid); k++)
			(void)usleep(10000);
		CHECK(!runs(pid));
	}
	CHECK_INT(chdir("/"), 0);
	CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
	asker_free(&a);
	aws_end();
}

int
main(void)
{
	(void)alarm(120);
	test_environment();
	test_precedence();
	test_chosen_by_setting();
	test_nothing();
	test_web_identity();
	test_web_identity_token();
	test_assume_role();
	test_sts_clock();
	test_sts_clock_refused();
	test_chain();
	test_chain_refused();
	test_credential_source();
	test_sts_endpoint();
	test_container();
	test_container_urls();
	test_instance();
	test_instance_refused();
	test_process();
	test_process_refused();
	test_process_hangs();
	return 0;
}
