/* AWS's INI files: what is read, what goes before what, and what is refused. */
#include "profile.h"

#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "cleanup.h"

static struct error err;

static void
free_profiles(struct profiles **p)
{
	profiles_free(*p);
}

/* Whether two strings, each of which may be missing, are the same; shows them if not. */
static void
check_value(const char *got, const char *want)
{
	CHECK_STR(got == NULL ? "(none)" : got, want == NULL ? "(none)" : want);
}

static struct profiles *
parse(const char *credentials, const char *config)
{
	struct profiles *p = NULL;

	CHECK_OK(profiles_parse(credentials, strlen(credentials), config, strlen(config), &p, &err), &err);
	return p;
}

/* A key of the profile "default" in a file of either kind. */
static void
check_line(const char *text, const char *key, const char *want)
{
	CLEANUP(free_profiles) struct profiles *one = parse(text, "");
	CLEANUP(free_profiles) struct profiles *other = parse("", text);

	check_value(profiles_get(one, "default", key), want);
	check_value(profiles_get(other, "default", key), want);
}

static void
test_lines(void)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
	    {"[default]\nk=v\n", "v"},
	    {"[default]\nk = v", "v"},
	    {"[default]\r\n\tk \t=\t v \r\n", "v"},
	    {"\xef\xbb\xbf[default]\nk=v\n", "v"},
	    {" [ default ] # comment\nk=v\n", "v"},
	    {"[default];comment\nK=v\n", "v"},
	    {"\n\n# [x]\n; y\n   # z\n[default]\n#k=w\nk=v\n  ;k=w\n", "v"},
	    {"[default]\nk=\"v\"\n", "\"v\""},
	    {"[default]\nk='v w'\n", "'v w'"},
	    {"[default]\nk=a=b==\n", "a=b=="},
	    {"[default]\nk=a/b+c d\n", "a/b+c d"},
	    {"[default]\nk=a#b;c\n", "a#b;c"},
	    {"[default]\nk=#a\n", "#a"},
	    {"[default]\nk=a #b\n", "a"},
	    {"[default]\nk=a b \t; c\n", "a b"},
	    {"[default]\nk=v\nk=w\n", "w"},
	    {"[default]\nk=v\n[x]\nk=w\n[default]\nl=m\n", "v"},
	    {"[default]\nk=v\nk=\n", "v"},
	    {"[default]\nk=\n", NULL},
	    {"[default]\nl=v\n", NULL},
	    {"[x]\nk=v\n", NULL},
	    {"[Default]\nk=v\n", NULL},
	    {"[default]\n  j = u\n  k = v\n", "v"},
	    {"[default]\nj = u\n    k = v\n", "v"},
	    {"[default]\n  s3 =\n    k = w\n  k = v\n", "v"},
	    {"[default]\ns3 =\n  k = w\n", NULL},
	    {"[x]\ns3 =\n[default]\n  k = v\n", "v"},
	    {"", NULL},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++)
		check_line(cases[i].text, "k", cases[i].want);
}

static void
test_refused(void)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
	    {"k=hidden\n", "credentials:1: a value before the first [section]"},
	    {"[default]\n\nhidden\n", "credentials:3: neither [section] nor key = value"},
	    {"[default]\nk=v\n  hidden\n", "credentials:3: neither"},
	    {"[default]\n=hidden\n", "credentials:2: a value without a key"},
	    {"[default]\n[hidden\n", "credentials:2: a section without"},
	    {"[default] hidden\n", "credentials:1: something behind"},
	};
	struct profiles *p;

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		CHECK_INT(profiles_parse(cases[i].text, strlen(cases[i].text), NULL, 0, &p, &err), ERR_USAGE);
		CHECK(strstr(err.msg, cases[i].message) != NULL);
		CHECK(strstr(err.msg, "hidden") == NULL);
		CHECK_INT(profiles_parse(NULL, 0, cases[i].text, strlen(cases[i].text), &p, &err), ERR_USAGE);
		CHECK(strstr(err.msg, "config:") != NULL);
	}
	CHECK_INT(profiles_parse("[default]\nk=a\0b\n", 16, NULL, 0, &p, &err), ERR_USAGE);
	CHECK(strstr(err.msg, "NUL") != NULL);
	CHECK_INT(profiles_parse(NULL, 0, "\0", 1, &p, &err), ERR_USAGE);
}

static void
test_sections(void)
{
	CLEANUP(free_profiles)
	struct profiles *p = parse("[a]\nk=1\n[profile b]\nk=2\n[services c]\nk=3\n[empty]\n",
	    "[a]\nk=4\nl=4\n[profile a]\nm=5\n[profile \"d e\"]\nk=6\n[profile\tf]\nk=7\n[profile ' g ']\nk=8\n"
	    "[sso-session h]\nk=9\n[profilei]\nk=10\n[profile]\n[profile ]\n[services]\n[profile j]\n"
	    "[services k]\nk=11\n");

	check_value(profiles_get(p, "a", "k"), "1");
	check_value(profiles_get(p, "a", "l"), NULL);
	check_value(profiles_get(p, "a", "m"), "5");
	check_value(profiles_get(p, "b", "k"), NULL);
	check_value(profiles_get(p, "c", "k"), NULL);
	check_value(profiles_get(p, "d e", "k"), "6");
	check_value(profiles_get(p, "f", "k"), "7");
	check_value(profiles_get(p, " g ", "k"), "8");
	check_value(profiles_get(p, "h", "k"), NULL);
	check_value(profiles_get(p, "i", "k"), NULL);
	check_value(profiles_get(p, "k", "k"), NULL);
	CHECK(profiles_has(p, "a") && profiles_has(p, "d e") && profiles_has(p, "empty") && profiles_has(p, "j"));
	CHECK(!profiles_has(p, "c") && !profiles_has(p, "h") && !profiles_has(p, "default") && !profiles_has(p, ""));
}

/* The credentials file first, then [profile default], then [default]. */
static void
test_precedence(void)
{
	CLEANUP(free_profiles)
	struct profiles *p =
	    parse("[default]\na=1\nd=\n", "[profile default]\na=2\nb=2\nd=2\n[default]\na=3\nb=3\nc=3\n");
	CLEANUP(free_profiles)
	struct profiles *turned = parse("", "[default]\nb=3\n[profile default]\nb=2\n");

	check_value(profiles_get(p, "default", "a"), "1");
	check_value(profiles_get(p, "default", "b"), "2");
	check_value(profiles_get(p, "default", "c"), "3");
	check_value(profiles_get(p, "default", "d"), "2");
	check_value(profiles_get(turned, "default", "b"), "2");
}

static void
test_nested(void)
{
	CLEANUP(free_profiles)
	struct profiles *p = parse("", "[default]\n"
				       "s3 =\n"
				       "  # a comment, and an empty line\n"
				       "\n"
				       "\taddressing_style = path ; why\n"
				       "    Endpoint_URL = http://nested\n"
				       "region = r\n"
				       "  promoted = yes\n"
				       "services = mine\n"
				       "endpoint_url = http://own\n"
				       "[profile bare]\n"
				       "endpoint_url = http://bare\n"
				       "[profile lost]\n"
				       "services = nowhere\n"
				       "[profile x]\n"
				       "s3 =\n"
				       "[services mine]\n"
				       "  addressing_style = orphan\n"
				       "dynamodb =\n"
				       "  endpoint_url = http://other\n"
				       "s3 = \n"
				       "  endpoint_url = http://service\n");

	check_value(profiles_get_nested(p, "default", "s3", "addressing_style"), "path");
	check_value(profiles_get_nested(p, "default", "s3", "endpoint_url"), "http://nested");
	check_value(profiles_get_nested(p, "default", "s3", "region"), NULL);
	check_value(profiles_get_nested(p, "x", "s3", "addressing_style"), NULL);
	check_value(profiles_get(p, "default", "addressing_style"), NULL);
	check_value(profiles_get(p, "default", "promoted"), "yes");
	check_value(profiles_get(p, "default", "s3"), NULL);
	check_value(profiles_s3_endpoint(p, "default"), "http://service");
	check_value(profiles_s3_endpoint(p, "bare"), "http://bare");
	check_value(profiles_s3_endpoint(p, "lost"), NULL);
	check_value(profiles_s3_endpoint(p, "x"), NULL);
	check_value(profiles_s3_endpoint(p, "mine"), NULL);
}

/* ---- files ---- */

static char home[] = "/tmp/test_profile.XXXXXX";
static const char *home_value, *credentials_value, *config_value;

static const char *
environment(const char *name)
{
	if (strcmp(name, "HOME") == 0)
		return home_value;
	if (strcmp(name, "AWS_SHARED_CREDENTIALS_FILE") == 0)
		return credentials_value;
	return strcmp(name, "AWS_CONFIG_FILE") == 0 ? config_value : NULL;
}

static const char *
path_of(const char *name)
{
	static char paths[4][100];
	static unsigned next;
	char *path = paths[next++ % COUNT_OF(paths)];

	(void)snprintf(path, sizeof(paths[0]), "%s/%s", home, name);
	return path;
}

static void
put(const char *name, const char *text)
{
	FILE *f = fopen(path_of(name), "w");

	CHECK(f != NULL && fputs(text, f) >= 0 && fclose(f) == 0);
}

static struct profiles *
load(void)
{
	struct profiles *p = NULL;

	CHECK_OK(profiles_load(environment, &p, &err), &err);
	return p;
}

static void
check_refused(const char *message)
{
	struct profiles *p;

	CHECK_INT(profiles_load(environment, &p, &err), ERR_USAGE);
	CHECK_INT(err.code, ERR_USAGE);
	CHECK(strstr(err.msg, message) != NULL);
}

/* A file as Velero mounts it, alone and without any HOME. */
static void
test_velero(void)
{
	static const char *const texts[] = {
	    "[default]\naws_access_key_id=AKID\naws_secret_access_key=s/e+c=\n",
	    "[default]\n  aws_access_key_id = AKID\n  aws_secret_access_key = s/e+c=\n",
	    "\n[default]\r\naws_access_key_id =AKID\r\naws_secret_access_key= s/e+c= \r\n\r\n",
	};

	home_value = NULL;
	config_value = NULL;
	credentials_value = path_of("cloud");
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		CLEANUP(free_profiles) struct profiles *p = NULL;

		put("cloud", texts[i]);
		p = load();
		check_value(profiles_get(p, "default", "aws_access_key_id"), "AKID");
		check_value(profiles_get(p, "default", "aws_secret_access_key"), "s/e+c=");
	}
}

static void
test_home(void)
{
	CLEANUP(free_profiles) struct profiles *none = NULL, *empty = NULL, *both = NULL, *tilde = NULL;

	credentials_value = config_value = NULL;
	home_value = NULL;
	none = load();
	CHECK(!profiles_has(none, "default"));
	home_value = home;
	empty = load();
	CHECK(!profiles_has(empty, "default"));

	CHECK_INT(mkdir(path_of(".aws"), 0700), 0);
	put(".aws/credentials", "[default]\na=1\n");
	put(".aws/config", "[default]\na=2\nb=2\n[profile x]\nc=3\n");
	both = load();
	check_value(profiles_get(both, "default", "a"), "1");
	check_value(profiles_get(both, "default", "b"), "2");
	check_value(profiles_get(both, "x", "c"), "3");

	/* An empty variable is none; a tilde is HOME. */
	credentials_value = "";
	config_value = "~/cloud";
	put("cloud", "[default]\na=4\nb=4\n");
	tilde = load();
	check_value(profiles_get(tilde, "default", "a"), "1");
	check_value(profiles_get(tilde, "default", "b"), "4");
	config_value = NULL;
	put(".aws/config", "[default]\nnothing\n");
	check_refused("/.aws/config:2: neither");
	CHECK_INT(unlink(path_of(".aws/config")), 0);
	/* A folder, and a path below a file. */
	CHECK_INT(mkdir(path_of(".aws/config"), 0700), 0);
	check_refused("/.aws/config: Is a directory");
	home_value = path_of("cloud");
	profiles_free(load());
}

static void
test_named(void)
{
	static char text[1024 * 1024 + 2];

	home_value = NULL;
	credentials_value = path_of("missing");
	config_value = NULL;
	check_refused("/missing: No such file");
	credentials_value = NULL;
	config_value = path_of("missing");
	check_refused("/missing: No such file");
	config_value = "/dev/null";
	profiles_free(load());
	config_value = "/dev/zero";
	check_refused("/dev/zero is longer than");

	memset(text, '\n', sizeof(text) - 2);
	config_value = path_of("large");
	put("large", text);
	profiles_free(load());
	text[sizeof(text) - 2] = '\n';
	put("large", text);
	check_refused("longer than 1048576 bytes");
	memset(text, 'x', 5000);
	text[5000] = '\0';
	config_value = text;
	check_refused("config file is too long");
}

static void
remove_files(void)
{
	static const char *const files[] = {"cloud", "large", ".aws/credentials"};
	static const char *const folders[] = {".aws/config", ".aws", ""};

	for (size_t i = 0; i < COUNT_OF(files); i++)
		CHECK_INT(unlink(path_of(files[i])), 0);
	for (size_t i = 0; i < COUNT_OF(folders); i++)
		CHECK_INT(rmdir(path_of(folders[i])), 0);
}

int
main(void)
{
	(void)alarm(60);
	CHECK(mkdtemp(home) != NULL);
	test_lines();
	test_refused();
	test_sections();
	test_precedence();
	test_nested();
	test_velero();
	test_home();
	test_named();
	remove_files();
	profiles_free(NULL);
	return 0;
}
