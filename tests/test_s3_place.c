/* Where a bucket is: what is taken from where, what URLs become of it, and what is refused. */
#include "s3_place.h"

#include <unistd.h>

#include "buf.h"
#include "check.h"
#include "cleanup.h"
#include "profile.h"

enum { ENVIRONMENT_MAX = 8 };

/* The environment of a case: names and values. */
static const char *environment[2 * ENVIRONMENT_MAX + 2];

static const char *
look_up(const char *name)
{
	for (size_t i = 0; environment[i] != NULL; i += 2)
		if (strcmp(environment[i], name) == 0)
			return environment[i + 1];
	return NULL;
}

struct setting {
	const char *place;
	struct s3_settings settings;
	const char *environment[2 * ENVIRONMENT_MAX + 2];
	const char *config; /* the text of a config file */
};

static void
free_profiles(struct profiles **p)
{
	profiles_free(*p);
}

static int
resolve(const struct setting *in, struct s3_place *out, struct error *err)
{
	const char *config = in->config != NULL ? in->config : "";
	CLEANUP(free_profiles) struct profiles *profiles = NULL;
	struct s3_surroundings around = {.getenv = look_up};

	memcpy(environment, in->environment, sizeof(environment));
	CHECK_OK(profiles_parse(NULL, 0, config, strlen(config), &profiles, err), err);
	around.profiles = profiles;
	return s3_place_resolve(in->place, &in->settings, &around, out, err);
}

static void
check_text(void (*fn)(const struct s3_place *, struct buf *), const struct s3_place *p, const char *want)
{
	CLEANUP(buf_free) struct buf b = BUF_INIT(4096);

	fn(p, &b);
	buf_u8(&b, 0);
	CHECK_STR((char *)b.data, want);
}

static void
check_path(const struct s3_place *p, const char *key, const char *want)
{
	CLEANUP(buf_free) struct buf b = BUF_INIT(8192);

	s3_place_path(p, key, &b);
	buf_u8(&b, 0);
	CHECK_STR((char *)b.data, want);
}

/* ---- URLs ---- */

static void
test_urls(void)
{
	static const struct {
		struct setting in;
		const char *origin, *host, *bucket_path, *key_path; /* of the key "a/b-c" */
	} cases[] = {
	    {{.place = "s3://bucket"}, "https://bucket.s3.us-east-1.amazonaws.com", "bucket.s3.us-east-1.amazonaws.com",
		"/", "/a/b-c"},
	    {{.place = "s3://bucket/p/q/", .settings = {.region = "eu-central-1"}},
		"https://bucket.s3.eu-central-1.amazonaws.com", "bucket.s3.eu-central-1.amazonaws.com", "/",
		"/p/q/a/b-c"},
	    {{.place = "s3://bucket", .settings = {.region = "cn-north-1"}},
		"https://bucket.s3.cn-north-1.amazonaws.com.cn", "bucket.s3.cn-north-1.amazonaws.com.cn", "/",
		"/a/b-c"},
	    {{.place = "s3://bucket", .environment = {"AWS_USE_DUALSTACK_ENDPOINT", "true"}},
		"https://bucket.s3.dualstack.us-east-1.amazonaws.com", "bucket.s3.dualstack.us-east-1.amazonaws.com",
		"/", "/a/b-c"},
	    {{.place = "s3://bucket",
		 .environment = {"AWS_USE_FIPS_ENDPOINT", "TRUE", "AWS_USE_DUALSTACK_ENDPOINT", "true"}},
		"https://bucket.s3-fips.dualstack.us-east-1.amazonaws.com",
		"bucket.s3-fips.dualstack.us-east-1.amazonaws.com", "/", "/a/b-c"},
	    /* A name with dots has no certificate; one with upper case no host. */
	    {{.place = "s3://my.bucket/p"}, "https://s3.us-east-1.amazonaws.com", "s3.us-east-1.amazonaws.com",
		"/my.bucket", "/my.bucket/p/a/b-c"},
	    {{.place = "s3://Old_Bucket"}, "https://s3.us-east-1.amazonaws.com", "s3.us-east-1.amazonaws.com",
		"/Old_Bucket", "/Old_Bucket/a/b-c"},
	    {{.place = "s3://bucket", .settings = {.addressing = "path"}}, "https://s3.us-east-1.amazonaws.com",
		"s3.us-east-1.amazonaws.com", "/bucket", "/bucket/a/b-c"},
	    {{.place = "s3://bucket", .settings = {.endpoint = "http://127.0.0.1:9000"}}, "http://127.0.0.1:9000",
		"127.0.0.1:9000", "/bucket", "/bucket/a/b-c"},
	    {{.place = "s3://bucket", .settings = {.endpoint = "https://S3.Example:443/base/"}}, "https://s3.example",
		"s3.example", "/base/bucket", "/base/bucket/a/b-c"},
	    {{.place = "s3://bucket", .settings = {.endpoint = "http://[::1]:7480"}}, "http://[::1]:7480", "[::1]:7480",
		"/bucket", "/bucket/a/b-c"},
	    {{.place = "s3://bucket/p", .settings = {.endpoint = "https://s3.example:8443/x", .addressing = "virtual"}},
		"https://bucket.s3.example:8443", "bucket.s3.example:8443", "/x/", "/x/p/a/b-c"},
	    /* AWS's own names as an endpoint. */
	    {{.place = "s3://bucket", .settings = {.endpoint = "https://s3.eu-west-1.amazonaws.com"}},
		"https://bucket.s3.eu-west-1.amazonaws.com", "bucket.s3.eu-west-1.amazonaws.com", "/", "/a/b-c"},
	    {{.place = "s3://bucket", .settings = {.endpoint = "https://amazonaws.com.example"}},
		"https://amazonaws.com.example", "amazonaws.com.example", "/bucket", "/bucket/a/b-c"},
	    {{.place = "s3://bucket/a b/\xC3\xA4+%/~x"}, "https://bucket.s3.us-east-1.amazonaws.com",
		"bucket.s3.us-east-1.amazonaws.com", "/", "/a%20b/%C3%A4%2B%25/~x/a/b-c"},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct s3_place p;
		struct error err;

		CHECK_OK(resolve(&cases[i].in, &p, &err), &err);
		check_text(s3_place_origin, &p, cases[i].origin);
		check_text(s3_place_host, &p, cases[i].host);
		check_path(&p, NULL, cases[i].bucket_path);
		check_path(&p, "a/b-c", cases[i].key_path);
	}
}

static void
test_prefix(void)
{
	static const struct {
		const char *place, *prefix;
	} cases[] = {{"s3://bucket", ""}, {"s3://bucket/", ""}, {"s3://bucket//", ""}, {"s3://bucket/a", "a/"},
	    {"s3://bucket/a/", "a/"}, {"s3://bucket/a/b///", "a/b/"}, {"s3://bucket/.a/..b/...", ".a/..b/.../"}};
	struct s3_place p;
	struct error err;

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		CHECK_OK(resolve(&(struct setting){.place = cases[i].place}, &p, &err), &err);
		CHECK_STR(p.bucket, "bucket");
		CHECK_STR(p.prefix, cases[i].prefix);
	}
}

/* ---- who is asked first ---- */

#define CONFIG \
	"[default]\nregion = r-default\nendpoint_url = http://default.example\n" \
	"[profile one]\nregion = r-one\nendpoint_url = http://one.example\nservices = own\n" \
	"s3 =\n  addressing_style = virtual\n" \
	"[services own]\ns3 =\n  endpoint_url = http://services.example\n"

static void
test_region(void)
{
	static const struct {
		struct setting in;
		const char *region;
		bool guessed;
	} cases[] = {
	    {{.place = "s3://bucket"}, "us-east-1", true},
	    {{.place = "s3://bucket", .config = CONFIG}, "r-default", false},
	    {{.place = "s3://bucket", .config = CONFIG, .environment = {"AWS_PROFILE", "one"}}, "r-one", false},
	    {{.place = "s3://bucket", .config = CONFIG, .environment = {"AWS_PROFILE", "two"}}, "us-east-1", true},
	    {{.place = "s3://bucket",
		 .config = CONFIG,
		 .settings = {.profile = "one"},
		 .environment = {"AWS_PROFILE", "two"}},
		"r-one", false},
	    {{.place = "s3://bucket", .config = CONFIG, .environment = {"AWS_DEFAULT_REGION", "r-old"}}, "r-old",
		false},
	    {{.place = "s3://bucket",
		 .config = CONFIG,
		 .environment = {"AWS_DEFAULT_REGION", "r-old", "AWS_REGION", "r-new"}},
		"r-new", false},
	    {{.place = "s3://bucket",
		 .config = CONFIG,
		 .settings = {.region = "r-set"},
		 .environment = {"AWS_REGION", "r-new"}},
		"r-set", false},
	    {{.place = "s3://bucket", .settings = {.region = ""}, .environment = {"AWS_REGION", ""}}, "us-east-1",
		true},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct s3_place p;
		struct error err;

		CHECK_OK(resolve(&cases[i].in, &p, &err), &err);
		CHECK_STR(p.region, cases[i].region);
		CHECK_INT(p.region_guessed, cases[i].guessed);
	}
}

static void
test_endpoint(void)
{
	static const struct {
		struct setting in;
		const char *origin;
	} cases[] = {
	    {{.place = "s3://bucket", .config = CONFIG}, "http://default.example"},
	    {{.place = "s3://bucket", .config = CONFIG, .environment = {"AWS_ENDPOINT_URL", "http://all.example"}},
		"http://all.example"},
	    {{.place = "s3://bucket",
		 .config = CONFIG,
		 .environment = {"AWS_ENDPOINT_URL", "http://all.example", "AWS_ENDPOINT_URL_S3", "http://s3.example"}},
		"http://s3.example"},
	    {{.place = "s3://bucket",
		 .config = CONFIG,
		 .settings = {.endpoint = "http://set.example"},
		 .environment = {"AWS_ENDPOINT_URL_S3", "http://s3.example"}},
		"http://set.example"},
	    /* The service's own goes before the profile's, whose style is also taken. */
	    {{.place = "s3://bucket", .config = CONFIG, .settings = {.profile = "one"}},
		"http://bucket.services.example"},
	    {{.place = "s3://bucket", .config = CONFIG, .settings = {.profile = "one", .addressing = "auto"}},
		"http://services.example"},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct s3_place p;
		struct error err;

		CHECK_OK(resolve(&cases[i].in, &p, &err), &err);
		CHECK(!p.aws);
		check_text(s3_place_origin, &p, cases[i].origin);
	}
}

/* ---- what is refused ---- */

static void
test_refused(void)
{
	static const struct setting cases[] = {
	    /* Names of buckets. */
	    {.place = "s3://"},
	    {.place = "s3:///p"},
	    {.place = "s3:/bucket"},
	    {.place = "/bucket"},
	    {.place = "S3://bucket"},
	    {.place = "s3://ab"},
	    {.place = "s3://buck et"},
	    {.place = "s3://bucket?x"},
	    {.place = "s3://user@bucket"},
	    {.place = "s3://bucket:80/p"},
	    {.place = "s3://b\xC3\xA4r"},
	    {.place = "s3://a..b"},
	    {.place = "s3://.abc"},
	    {.place = "s3://-abc"},
	    {.place = "s3://aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff1234"},
	    /* Prefixes. */
	    {.place = "s3://bucket//a"},
	    {.place = "s3://bucket/a//b"},
	    {.place = "s3://bucket/."},
	    {.place = "s3://bucket/a/../b"},
	    {.place = "s3://bucket/a/.."},
	    {.place = "s3://bucket/./a"},
	    {.place = "s3://bucket/a\nb"},
	    {.place = "s3://bucket/a\x7F"},
	    {.place = "s3://bucket/\xFF"},
	    {.place = "s3://bucket/\xC3"},
	    /* Regions, endpoints, addressing. */
	    {.place = "s3://bucket", .settings = {.region = "eu/west"}},
	    {.place = "s3://bucket", .settings = {.region = "eu west"}},
	    {.place = "s3://bucket", .settings = {.region = "evil.example#"}},
	    {.place = "s3://bucket", .environment = {"AWS_REGION", "a@b"}},
	    {.place = "s3://bucket",
		.settings = {.region = "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff1234"}},
	    {.place = "s3://bucket", .settings = {.endpoint = "s3.example"}},
	    {.place = "s3://bucket", .settings = {.endpoint = "ftp://s3.example"}},
	    {.place = "s3://bucket", .settings = {.endpoint = "http://user:pass@s3.example"}},
	    {.place = "s3://bucket", .settings = {.endpoint = "http://s3.example/?x"}},
	    {.place = "s3://bucket", .environment = {"AWS_ENDPOINT_URL", "nonsense"}},
	    {.place = "s3://bucket", .settings = {.addressing = "host"}},
	    {.place = "s3://bucket", .settings = {.addressing = "PATH"}},
	    {.place = "s3://my.bucket", .settings = {.addressing = "virtual"}},
	    {.place = "s3://Bucket", .settings = {.addressing = "virtual"}},
	    {.place = "s3://bucket", .settings = {.endpoint = "http://127.0.0.1:9000", .addressing = "virtual"}},
	    {.place = "s3://bucket", .settings = {.endpoint = "http://[::1]:9000", .addressing = "virtual"}},
	};
	struct s3_place p;
	struct error err;

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		err.msg[0] = '\0';
		if (resolve(&cases[i], &p, &err) != ERR_USAGE)
			fprintf(stderr, "at: %s (%zu)\n", cases[i].place, i);
		CHECK_INT(resolve(&cases[i], &p, &err), ERR_USAGE);
		CHECK(err.msg[0] != '\0' && strchr(err.msg, '\n') == NULL && strstr(err.msg, "pass") == NULL);
	}
}

/* The longest names that are taken, and those that are one byte too long. */
static void
test_long(void)
{
	char place[600] = "s3://", key[513], want[2000];
	struct s3_place p;
	struct error err;

	memset(place + 5, 'b', S3_BUCKET_MAX);
	place[5 + S3_BUCKET_MAX] = '/';
	memset(place + 6 + S3_BUCKET_MAX, 'p', S3_PREFIX_MAX);
	CHECK_OK(resolve(&(struct setting){.place = place, .settings = {.addressing = "path"}}, &p, &err), &err);
	CHECK_INT(strlen(p.bucket), S3_BUCKET_MAX);
	CHECK_INT(strlen(p.prefix), S3_PREFIX_MAX + 1);
	memset(key, 'k', 512);
	key[512] = '\0';
	(void)snprintf(want, sizeof(want), "/%s/%s%s", p.bucket, p.prefix, key);
	check_path(&p, key, want);
	place[strlen(place)] = 'p';
	CHECK_INT(resolve(&(struct setting){.place = place}, &p, &err), ERR_USAGE);
}

static void
test_move(void)
{
	static const char *const bad[] = {"", "us-east-1", "a/b", "a b", "a.b/", "a\n", "\xC3\xA4", "a%2F",
	    "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff1234"};
	struct s3_place p;
	struct error err;

	CHECK_OK(resolve(&(struct setting){.place = "s3://bucket"}, &p, &err), &err);
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		CHECK(!s3_place_move(&p, bad[i]));
	CHECK_STR(p.region, "us-east-1");
	CHECK(p.region_guessed);
	CHECK(s3_place_move(&p, "eu-west-1"));
	CHECK_STR(p.region, "eu-west-1");
	CHECK(!p.region_guessed);
	check_text(s3_place_host, &p, "bucket.s3.eu-west-1.amazonaws.com");
	/* Elsewhere the region is a word in the signature alone. */
	CHECK_OK(
	    resolve(&(struct setting){.place = "s3://bucket", .settings = {.endpoint = "http://x.example"}}, &p, &err),
	    &err);
	CHECK(s3_place_move(&p, "garage"));
	check_text(s3_place_origin, &p, "http://x.example");
}

int
main(void)
{
	(void)alarm(60);
	test_urls();
	test_prefix();
	test_region();
	test_endpoint();
	test_refused();
	test_long();
	test_move();
	return 0;
}
