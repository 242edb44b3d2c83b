/* The command line: every option, with good values and bad ones, for every command. */
#include "options.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "cleanup.h"
#include "frame.h"

static const struct command commands[CMD_COUNT] = {
    {"init", CMD_INIT, "", 0, 0, "", "", false, NULL},
    {"export", CMD_EXPORT, "SOURCE", 1, 1, "", "", true, NULL},
    {"import", CMD_IMPORT, "TARGET", 1, 1, "", "", true, NULL},
    {"list", CMD_LIST, "", 0, 0, "", "", false, NULL},
    {"show", CMD_SHOW, "", 0, 0, "", "", true, NULL},
    {"ls", CMD_LS, "[PATH]", 0, 1, "", "", true, NULL},
    {"tar", CMD_TAR, "[PATH]", 0, 1, "", "", true, NULL},
    {"verify", CMD_VERIFY, "", 0, 0, "", "", false, NULL},
    {"diff", CMD_DIFF, "SNAPSHOT [SNAPSHOT]", 1, 2, "", "", true, NULL},
    {"doctor", CMD_DOCTOR, "", 0, 0, "", "", false, NULL},
};

static struct options o;
static struct error err;

/* Arguments are separated by '|'.  The texts live until the next call. */
static int
parse(enum command_id id, const char *line)
{
	static char text[70000];
	static char *argv[1200];
	int argc = 1;
	char *save;

	options_wipe(&o);
	memset(&err, 0, sizeof(err));
	CHECK(strlen(line) < sizeof(text));
	strcpy(text, line);
	argv[0] = (char *)(uintptr_t)commands[id].name;
	for (char *a = strtok_r(text, "|", &save); a != NULL; a = strtok_r(NULL, "|", &save))
		argv[argc++] = strcmp(a, "<empty>") == 0 ? a + 7 : a;
	argv[argc] = NULL;
	CHECK(argc < (int)COUNT_OF(argv));
	return options_parse(&o, &commands[id], argc, argv, &err);
}

/* What the command needs besides the option under test. */
static int
parse_with(enum command_id id, const char *option)
{
	char line[4096];

	(void)snprintf(line, sizeof(line), "-r|repo%s|%s%s", id == CMD_INIT || id == CMD_DOCTOR ? "" : "|-V|vol",
	    option, commands[id].min_args > 0 ? "|argument" : "");
	return parse(id, line);
}

static void
test_who_has_what(void)
{
#define B(c) (1u << (c))
	static const unsigned all = B(CMD_COUNT) - 1;
	static const unsigned reading =
	    B(CMD_IMPORT) | B(CMD_SHOW) | B(CMD_LS) | B(CMD_TAR) | B(CMD_VERIFY) | B(CMD_DIFF);
	static const unsigned moving = B(CMD_EXPORT) | B(CMD_IMPORT) | B(CMD_VERIFY);
	static const unsigned putting = B(CMD_INIT) | B(CMD_EXPORT) | B(CMD_DOCTOR);
	static const struct {
		const char *option, *value;
		unsigned commands;
	} cases[] = {
	    {"--repository", "x", all},
	    {"-r", "x", all},
	    {"--volume", "x", all & ~(B(CMD_INIT) | B(CMD_DOCTOR))},
	    {"-V", "x", all & ~(B(CMD_INIT) | B(CMD_DOCTOR))},
	    {"--snapshot", "x", reading & ~B(CMD_DIFF)},
	    {"-s", "x", reading & ~B(CMD_DIFF)},
	    {"--block", NULL, B(CMD_EXPORT) | B(CMD_IMPORT)},
	    {"--tag", "k=v", B(CMD_EXPORT)},
	    {"--include", "x", B(CMD_IMPORT) | B(CMD_TAR)},
	    {"--exclude", "x", B(CMD_EXPORT) | B(CMD_IMPORT) | B(CMD_TAR)},
	    {"--overwrite", NULL, B(CMD_IMPORT)},
	    {"--no-devices", NULL, B(CMD_IMPORT)},
	    {"--cross-file-systems", NULL, B(CMD_EXPORT)},
	    {"--ignore-inode", NULL, B(CMD_EXPORT)},
	    {"--full", NULL, B(CMD_EXPORT)},
	    {"--long", NULL, B(CMD_LS) | B(CMD_LIST)},
	    {"-l", NULL, B(CMD_LS) | B(CMD_LIST)},
	    {"--recursive", NULL, B(CMD_LS)},
	    {"-R", NULL, B(CMD_LS)},
	    {"--quick", NULL, B(CMD_DIFF)},
	    {"--level", "1", B(CMD_VERIFY)},
	    {"--sample", "1", B(CMD_VERIFY)},
	    {"--new-key-file", "x", B(CMD_INIT)},
	    {"--label", "x", B(CMD_INIT)},
	    {"--compression", "1", B(CMD_EXPORT)},
	    {"--threads", "1", moving},
	    {"--connections", "1", moving | B(CMD_TAR) | B(CMD_LIST)},
	    {"--max-memory", "1M", moving},
	    {"--limit-upload", "1M", B(CMD_EXPORT)},
	    {"--limit-download", "1M", reading},
	    {"--dry-run", NULL, B(CMD_EXPORT) | B(CMD_IMPORT)},
	    {"-n", NULL, B(CMD_EXPORT) | B(CMD_IMPORT)},
	    {"--password-file", "x", all & ~B(CMD_DOCTOR)},
	    {"--key-file", "x", all & ~B(CMD_DOCTOR)},
	    {"--json", NULL, all},
	    {"--quiet", NULL, all},
	    {"-q", NULL, all},
	    {"--verbose", NULL, all},
	    {"-v", NULL, all},
	    {"--help", NULL, all},
	    {"-h", NULL, all},
	    {"--endpoint", "http://x", all},
	    {"--region", "x", all},
	    {"--profile", "x", all},
	    {"--addressing", "path", all},
	    {"--ca-file", "x", all},
	    {"--client-cert", "x", all},
	    {"--client-key", "x", all},
	    {"--insecure-tls", NULL, all},
	    {"--requester-pays", NULL, all},
	    {"--customer-key-file", "x", all},
	    {"--storage-class", "X", B(CMD_EXPORT)},
	    {"--sse", "AES256", putting},
	    {"--sse-kms-key", "x", putting},
	    {"--object-tag", "a=b", putting},
	    {"--checksum", "md5", putting},
	    {"--retry-time", "1", all},
	    {"--stall-time", "1", all},
	    {"--unknown", NULL, 0},
	    {"-Z", NULL, 0},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		for (enum command_id id = 0; id < CMD_COUNT; id++) {
			char text[128];
			int r;

			(void)snprintf(text, sizeof(text), "%s%s%s", cases[i].option, cases[i].value == NULL ? "" : "|",
			    cases[i].value == NULL ? "" : cases[i].value);
			r = parse_with(id, text);
			if ((cases[i].commands & B(id)) != 0) {
				CHECK_OK(r, &err);
				continue;
			}
			CHECK_INT(r, ERR_USAGE);
			CHECK(strstr(err.msg, cases[i].option) != NULL);
		}
	}
}

static void
test_values(void)
{
	CHECK_OK(parse(CMD_EXPORT,
		     "-r|a|--repository|b|-V|c|--volume=d|--block|--tag|k=v|--tag|e=|--tag|x=y=z|--exclude|*.tmp|"
		     "--exclude=/x|--cross-file-systems|--ignore-inode|--full|--compression|-7|--threads|3|"
		     "--connections|256|--max-memory|1.5G|--limit-upload|50M|-n|--password-file|p|--key-file|k|--json|"
		     "-qv|source"),
	    &err);
	CHECK_STR(o.repository, "b");
	CHECK_STR(o.volume, "d");
	CHECK_STR(o.snapshot, "latest");
	CHECK(
	    o.block && o.cross_file_systems && o.ignore_inode && o.full && o.dry_run && o.json && o.quiet && o.verbose);
	CHECK(!o.help && !o.overwrite && !o.no_devices && !o.long_listing && !o.recursive && !o.quick);
	CHECK_INT(o.ntags, 3);
	CHECK_STR(o.tags[0].key, "k");
	CHECK_STR(o.tags[0].value, "v");
	CHECK_STR(o.tags[1].value, "");
	CHECK_STR(o.tags[2].key, "x");
	CHECK_STR(o.tags[2].value, "y=z");
	CHECK_INT(o.excludes.count, 2);
	CHECK_STR(o.excludes.items[1], "/x");
	CHECK_INT(o.compression, -7);
	CHECK_INT(o.threads, 3);
	CHECK_INT(o.connections, 256);
	CHECK_INT(o.max_memory, 3u << 29);
	CHECK_INT(o.limit_upload, 50 << 20);
	CHECK_STR(o.password_file, "p");
	CHECK_STR(o.key_file, "k");
	CHECK_INT(o.nargs, 1);
	CHECK_STR(o.args[0], "source");

	CHECK_OK(parse(CMD_IMPORT,
		     "target|-r|a|-V|b|-s|2026-11-22|--overwrite|--no-devices|--include|i|--limit-download|1K"),
	    &err);
	CHECK(o.overwrite && o.no_devices);
	CHECK_STR(o.snapshot, "2026-11-22");
	CHECK_STR(o.includes.items[0], "i");
	CHECK_INT(o.limit_download, 1024);
	CHECK_STR(o.args[0], "target");
	CHECK_OK(parse(CMD_LS, "-lR|-r|a|-V|b|--|-x"), &err);
	CHECK(o.long_listing && o.recursive);
	CHECK_STR(o.args[0], "-x");
	CHECK_OK(parse(CMD_DIFF, "--quick|-r|a|-V|b|one|two"), &err);
	CHECK(o.quick);
	CHECK_INT(o.nargs, 2);
	CHECK_OK(parse(CMD_VERIFY, "-r|a|--level|4|--sample|12.5%"), &err);
	CHECK_INT(o.level, 4);
	CHECK(o.sample == 12.5);
	CHECK_OK(parse(CMD_INIT, "-r|a|--new-key-file|k|--label|l"), &err);
	CHECK_STR(o.new_key_file, "k");
	CHECK_STR(o.label, "l");
}

static void
test_defaults(void)
{
	CHECK_OK(parse(CMD_VERIFY, "-r|a"), &err);
	CHECK_INT(o.compression, 1);
	CHECK_INT(o.level, 2);
	CHECK(o.sample == 100);
	CHECK_INT(o.threads + o.connections + o.max_memory + o.limit_upload + o.limit_download, 0);
	CHECK(o.volume == NULL && o.password_file == NULL && o.key_file == NULL && o.label == NULL);
	CHECK_OK(parse_with(CMD_EXPORT, "--compression|none"), &err);
	CHECK_INT(o.compression, FRAME_NO_COMPRESSION);
}

static void
test_bad_values(void)
{
	static const struct {
		enum command_id id;
		const char *text, *message;
	} cases[] = {
	    {CMD_EXPORT, "--compression|20", "-7 to 19"},
	    {CMD_EXPORT, "--compression|-8", "-7 to 19"},
	    {CMD_EXPORT, "--compression|fast", "-7 to 19"},
	    {CMD_EXPORT, "--compression|1x", "-7 to 19"},
	    {CMD_EXPORT, "--threads|0", "1 to 256"},
	    {CMD_EXPORT, "--threads|257", "1 to 256"},
	    {CMD_EXPORT, "--threads|-1", "1 to 256"},
	    {CMD_EXPORT, "--threads|99999999999999999999", "1 to 256"},
	    {CMD_TAR, "--connections|0", "1 to 256"},
	    {CMD_EXPORT, "--max-memory|0", "--max-memory 0: must be a size"},
	    {CMD_EXPORT, "--max-memory|big", "--max-memory big: must be a size"},
	    {CMD_EXPORT, "--limit-upload|-1", "--limit-upload -1: must be a size"},
	    {CMD_SHOW, "--limit-download|1Q", "--limit-download 1Q: must be a size"},
	    {CMD_VERIFY, "--level|5", "0 to 4"},
	    {CMD_VERIFY, "--level|-1", "0 to 4"},
	    {CMD_VERIFY, "--sample|0", "above 0"},
	    {CMD_VERIFY, "--sample|101", "above 0"},
	    {CMD_VERIFY, "--sample|nan", "above 0"},
	    {CMD_VERIFY, "--sample|5%%", "above 0"},
	    {CMD_EXPORT, "--tag|novalue", "KEY=VALUE"},
	    {CMD_EXPORT, "--tag|=v", "KEY=VALUE"},
	    {CMD_EXPORT, "--exclude|<empty>", "--exclude: the value is empty"},
	    {CMD_SHOW, "-s|<empty>", "--snapshot: the value is empty"},
	    {CMD_SHOW, "--repository=", "--repository: the value is empty"},
	    {CMD_INIT, "--key-file|<empty>", "--key-file: the value is empty"},
	    {CMD_EXPORT, "--block=yes", "--block takes no value"},
	    {CMD_LS, "-lZR", "unknown option -Z"},
	    {CMD_LS, "--no-such", "unknown or ambiguous option --no-such (snapferry ls --help"},
	    {CMD_EXPORT, "--comp|x", "-7 to 19"},
	    {CMD_EXPORT, "--c|x", "unknown or ambiguous option --c"},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		CHECK_INT(parse_with(cases[i].id, cases[i].text), ERR_USAGE);
		if (strstr(err.msg, cases[i].message) == NULL)
			fprintf(stderr, "%s: %s\n", cases[i].text, err.msg);
		CHECK(strstr(err.msg, cases[i].message) != NULL);
	}
	CHECK_INT(parse(CMD_SHOW, "-r|a|-V"), ERR_USAGE);
	CHECK_STR(err.msg, "--volume needs a value: --volume NAME");
	CHECK_INT(parse(CMD_LS, "-r|a|-V|b|-lR|-Rs"), ERR_USAGE);
	CHECK_STR(err.msg, "--snapshot needs a value: --snapshot SNAPSHOT");
	CHECK_INT(parse(CMD_SHOW, "--repository"), ERR_USAGE);
	CHECK_STR(err.msg, "--repository needs a value: --repository REPO");
}

static void
test_arguments(void)
{
	CHECK_INT(parse(CMD_LIST, ""), ERR_USAGE);
	CHECK(strstr(err.msg, "no repository: give -r") != NULL);
	CHECK_INT(parse(CMD_SHOW, "-r|a"), ERR_USAGE);
	CHECK(strstr(err.msg, "no volume: give -V") != NULL);
	CHECK_INT(parse(CMD_EXPORT, "-r|a|-V|b"), ERR_USAGE);
	CHECK(strstr(err.msg, "missing argument: snapferry export [options] SOURCE") != NULL);
	CHECK_INT(parse(CMD_EXPORT, "-r|a|-V|b|c|d"), ERR_USAGE);
	CHECK_STR(err.msg, "unexpected argument: d");
	/* Help is given whatever else is missing. */
	CHECK_OK(parse(CMD_EXPORT, "--help"), &err);
	CHECK(o.help);
	CHECK_OK(parse(CMD_EXPORT, "--he"), &err);
	CHECK(o.help);
}

static void
test_too_many(void)
{
	static char line[70000];
	size_t len = 0;

	for (int i = 0; i <= OPTIONS_LIST_MAX; i++)
		len += (size_t)snprintf(line + len, sizeof(line) - len, "--exclude|x|");
	CHECK_INT(parse(CMD_EXPORT, line), ERR_USAGE);
	CHECK(strstr(err.msg, "--exclude was given more than 256 times") != NULL);
	len = 0;
	for (int i = 0; i <= MANIFEST_TAGS_MAX; i++)
		len += (size_t)snprintf(line + len, sizeof(line) - len, "--tag|k%d=v|", i);
	CHECK_INT(parse(CMD_EXPORT, line), ERR_USAGE);
	CHECK(strstr(err.msg, "--tag was given more than 64 times") != NULL);
}

static void
test_environment(void)
{
	(void)setenv("SNAPFERRY_REPOSITORY", "from-environment", 1);
	(void)setenv("SNAPFERRY_KEY_FILE", "key", 1);
	(void)setenv("SNAPFERRY_PASSWORD_FILE", "", 1);
	CHECK_OK(parse(CMD_LIST, ""), &err);
	CHECK_STR(o.repository, "from-environment");
	CHECK_STR(o.key_file, "key");
	CHECK(o.password_file == NULL);
	CHECK_OK(parse(CMD_LIST, "-r|given|--key-file|other"), &err);
	CHECK_STR(o.repository, "given");
	CHECK_STR(o.key_file, "other");
	(void)setenv("SNAPFERRY_REPOSITORY", "", 1);
	CHECK_INT(parse(CMD_LIST, ""), ERR_USAGE);
	(void)unsetenv("SNAPFERRY_REPOSITORY");
	(void)unsetenv("SNAPFERRY_KEY_FILE");
	(void)unsetenv("SNAPFERRY_PASSWORD_FILE");
}

static void
test_sizes(void)
{
	static const struct {
		const char *text;
		int64_t bytes;
	} cases[] = {
	    {"0", 0},
	    {"1", 1},
	    {"4096", 4096},
	    {"64M", 64 << 20},
	    {"64m", 64 << 20},
	    {"64MB", 64 << 20},
	    {"64MiB", 64 << 20},
	    {"64Mi", 64 << 20},
	    {"10B", 10},
	    {"1.5GiB", INT64_C(3) << 29},
	    {"1K", 1024},
	    {"2T", INT64_C(2) << 40},
	    {"1P", INT64_C(1) << 50},
	    {"7E", INT64_C(7) << 60},
	    {"8E", -1},
	    {"9E", -1},
	    {"99999999999999999999999", -1},
	    {"", -1},
	    {"M", -1},
	    {"-1", -1},
	    {"+1", -1},
	    {" 1", -1},
	    {"1 M", -1},
	    {"1MM", -1},
	    {"1iB", -1},
	    {"1Mx", -1},
	    {"1e3", -1},
	    {"0x10", -1},
	    {"1.2.3", -1},
	    {"1,5", -1},
	    {".5", -1},
	    {"nan", -1},
	    {"inf", -1},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		if (options_size(cases[i].text) != cases[i].bytes)
			fprintf(stderr, "%s\n", cases[i].text);
		CHECK_INT(options_size(cases[i].text), cases[i].bytes);
	}
}

/* The help of every command names its options, in lines that fit. */
static void
test_help(void)
{
	char path[] = "/tmp/test_options.XXXXXX", line[1000];
	int fd = mkstemp(path), out = dup(STDOUT_FILENO);
	FILE *f = fdopen(fd, "r");
	size_t lines = 0;
	bool seen_json = false;

	CHECK(fd >= 0 && out >= 0 && f != NULL);
	(void)unlink(path);
	(void)fflush(stdout);
	CHECK(dup2(fd, STDOUT_FILENO) >= 0);
	for (size_t i = 0; i < COUNT_OF(commands); i++)
		options_help(&commands[i]);
	(void)fflush(stdout);
	CHECK(dup2(out, STDOUT_FILENO) >= 0);
	(void)close(out);
	rewind(f);
	for (; fgets(line, sizeof(line), f) != NULL; lines++) {
		CHECK(strlen(line) <= 101);
		seen_json |= strstr(line, "--json") != NULL;
	}
	CHECK(lines > 9 * 8 && seen_json);
	(void)fclose(f);
}

int
main(void)
{
	(void)alarm(60);
	(void)unsetenv("SNAPFERRY_REPOSITORY");
	(void)unsetenv("SNAPFERRY_KEY_FILE");
	(void)unsetenv("SNAPFERRY_PASSWORD_FILE");
	test_who_has_what();
	test_values();
	test_defaults();
	test_bad_values();
	test_arguments();
	test_too_many();
	test_environment();
	test_sizes();
	test_help();
	options_wipe(&o);
	return 0;
}
