/* Where secrets come from, and what is refused. */
#include "secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "scratch.h"
#include "cleanup.h"

#define HEX "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static char base[256];
static char path[300], other[300];
static struct secret found[SECRETS_MAX];
static size_t count;
static struct error err;
static char long_line[1100];

static void
put(const char *file, const void *bytes, size_t len)
{
	FILE *f = fopen(file, "w");

	CHECK(f != NULL && fwrite(bytes, 1, len, f) == len && fclose(f) == 0);
}

static void
clear(void)
{
	static const char *const names[] = {
	    "SNAPFERRY_PASSWORD", "SNAPFERRY_PASSWORD_COMMAND", "SNAPFERRY_PASSWORD_FILE", "SNAPFERRY_KEY_FILE"};

	for (size_t i = 0; i < COUNT_OF(names); i++)
		(void)unsetenv(names[i]);
	memset(found, 0, sizeof(found));
	memset(&err, 0, sizeof(err));
}

/* What a passphrase that was given in this way becomes; NULL: refused. */
static void
check_passphrase(const struct options *o, const char *wanted, size_t len)
{
	int r = secrets_find(o, found, &count, &err);

	if (wanted == NULL) {
		CHECK_INT(r, ERR_USAGE);
		CHECK(strstr(err.msg, "passphrase") != NULL);
		return;
	}
	CHECK_OK(r, &err);
	CHECK_INT(count, 1);
	CHECK_INT(found[0].kind, SECRET_PASSPHRASE);
	CHECK_INT(found[0].len, len);
	CHECK_MEM(found[0].bytes, wanted, len);
}

static void
test_passphrases(void)
{
	const struct {
		const char *content;
		size_t len;
		const char *wanted; /* NULL: refused */
		size_t wanted_len;
	} cases[] = {
	    {"secret", 6, "secret", 6},
	    {"secret\n", 7, "secret", 6},
	    {"secret\r\n", 8, "secret", 6},
	    {"secret\nand more\n", 16, "secret", 6},
	    {" with blanks \n", 14, " with blanks ", 13},
	    {"a\rb\n", 4, "a\rb", 3},
	    {"s\n\0", 3, "s", 1},
	    {"", 0, NULL, 0},
	    {"\n", 1, NULL, 0},
	    {"\r\n", 2, NULL, 0},
	    {"\nsecond", 7, NULL, 0},
	    {"a\0b\n", 4, NULL, 0},
	    {"\0", 1, NULL, 0},
	    {long_line, 1024, long_line, 1024},
	    {long_line, 1025, NULL, 0},
	    {long_line, 1100, NULL, 0},
	};
	struct options o = {.password_file = path};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		clear();
		put(path, cases[i].content, cases[i].len);
		check_passphrase(&o, cases[i].wanted, cases[i].wanted_len);
	}
	/* 1024 bytes and a line's end. */
	for (int crlf = 0; crlf < 2; crlf++) {
		char text[1100];
		size_t len = (size_t)snprintf(text, sizeof(text), "%.1024s%s", long_line, crlf ? "\r\n" : "\n");

		clear();
		put(path, text, len);
		check_passphrase(&o, long_line, 1024);
	}
}

static void
test_environment(void)
{
	struct options o = {0};

	clear();
	(void)setenv("SNAPFERRY_PASSWORD", "from the environment", 1);
	check_passphrase(&o, "from the environment", 20);
	(void)setenv("SNAPFERRY_PASSWORD", "", 1);
	check_passphrase(&o, NULL, 0);
	(void)setenv("SNAPFERRY_PASSWORD", long_line, 1);
	check_passphrase(&o, NULL, 0);
}

static void
test_command(void)
{
	static const struct {
		const char *command, *wanted;
	} cases[] = {
	    {"echo spoken", "spoken"},
	    {"printf 'two\\nlines\\n'", "two"},
	    {"printf bare", "bare"},
	    {"true", NULL},
	    {"echo; echo late", NULL},
	    {"printf 'a\\0b'", NULL},
	};
	struct options o = {0};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		clear();
		(void)setenv("SNAPFERRY_PASSWORD_COMMAND", cases[i].command, 1);
		check_passphrase(&o, cases[i].wanted, cases[i].wanted == NULL ? 0 : strlen(cases[i].wanted));
	}
	clear();
	(void)setenv("SNAPFERRY_PASSWORD_COMMAND", "echo right; exit 3", 1);
	CHECK_INT(secrets_find(&o, found, &count, &err), ERR_USAGE);
	CHECK(strstr(err.msg, "SNAPFERRY_PASSWORD_COMMAND failed (status 3)") != NULL);
	/* Output without end ends. */
	(void)setenv("SNAPFERRY_PASSWORD_COMMAND", "yes xxxxxxxxxxxxxxxxxxxxxxxxx | tr -d '\\n'", 1);
	CHECK_INT(secrets_find(&o, found, &count, &err), ERR_USAGE);
	/* An empty one is none. */
	(void)setenv("SNAPFERRY_PASSWORD_COMMAND", "", 1);
	CHECK_INT(secrets_find(&o, found, &count, &err), ERR_USAGE);
	CHECK(strstr(err.msg, "no passphrase or key: give --key-file") != NULL);
}

static void
test_key_files(void)
{
	static const uint8_t zero[33];
	uint8_t raw[33];
	const struct {
		const void *content;
		size_t len;
		bool good;
	} cases[] = {
	    {"snapferry-key-1 " HEX "\n", 81, true},
	    {"snapferry-key-1 " HEX, 80, true},
	    {raw, 32, true},
	    {raw, 31, false},
	    {raw, 33, false},
	    {zero, 32, false},
	    {"", 0, false},
	    {"snapferry-key-2 " HEX "\n", 81, false},
	    {"snapferry-key-1 " HEX "00\n", 83, false},
	    {HEX "\n", 65, false},
	    {long_line, 1100, false},
	};
	struct options o = {.key_file = path};

	for (size_t i = 0; i < sizeof(raw); i++)
		raw[i] = (uint8_t)i;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		int r;

		clear();
		put(path, cases[i].content, cases[i].len);
		r = secrets_find(&o, found, &count, &err);
		if (!cases[i].good) {
			CHECK_INT(r, ERR_USAGE);
			CHECK(strstr(err.msg, path) != NULL);
			continue;
		}
		CHECK_OK(r, &err);
		CHECK_INT(count, 1);
		CHECK_INT(found[0].kind, SECRET_KEY_FILE);
		CHECK_INT(found[0].len, 32);
		CHECK_MEM(found[0].bytes, raw, 32);
	}
}

static void
test_unreadable(void)
{
	struct options o = {.key_file = "/nowhere/key"};

	clear();
	CHECK_INT(secrets_find(&o, found, &count, &err), ERR_USAGE);
	CHECK(strstr(err.msg, "key file /nowhere/key") != NULL);
	o = (struct options){.password_file = "/nowhere/password"};
	CHECK_INT(secrets_find(&o, found, &count, &err), ERR_USAGE);
	CHECK(strstr(err.msg, "password file /nowhere/password") != NULL);
	/* A folder. */
	o = (struct options){.password_file = base};
	CHECK_INT(secrets_find(&o, found, &count, &err), ERR_USAGE);
	CHECK(strstr(err.msg, base) != NULL);
	/* Without end. */
	o = (struct options){.password_file = "/dev/zero"};
	CHECK_INT(secrets_find(&o, found, &count, &err), ERR_USAGE);
	o = (struct options){.key_file = "/dev/zero"};
	CHECK_INT(secrets_find(&o, found, &count, &err), ERR_USAGE);
}

static void
test_several(void)
{
	struct options o = {.key_file = path, .password_file = other};
	struct secret s;

	clear();
	put(path, "snapferry-key-1 " HEX "\n", 81);
	put(other, "in a file\n", 10);
	(void)setenv("SNAPFERRY_PASSWORD", "in a variable", 1);
	(void)setenv("SNAPFERRY_PASSWORD_COMMAND", "echo spoken", 1);
	CHECK_OK(secrets_find(&o, found, &count, &err), &err);
	CHECK_INT(count, 4);
	CHECK_INT(found[0].kind, SECRET_KEY_FILE);
	CHECK_MEM(found[1].bytes, "in a file", 9);
	CHECK_MEM(found[2].bytes, "in a variable", 13);
	CHECK_MEM(found[3].bytes, "spoken", 6);
	/* A new repository has one. */
	CHECK_INT(secrets_for_init(&o, &s, &err), ERR_USAGE);
	CHECK(strstr(err.msg, "more than one") != NULL);
	clear();
	o.key_file = NULL;
	CHECK_OK(secrets_for_init(&o, &s, &err), &err);
	CHECK_INT(s.kind, SECRET_PASSPHRASE);
	CHECK_MEM(s.bytes, "in a file", 9);
	o.password_file = NULL;
	CHECK_INT(secrets_for_init(&o, &s, &err), ERR_USAGE);
	CHECK(strstr(err.msg, "no passphrase or key") != NULL);
	(void)setenv("SNAPFERRY_PASSWORD", "", 1);
	CHECK_INT(secrets_for_init(&o, &s, &err), ERR_USAGE);
}

static void
test_new_key_file(void)
{
	struct options o = {.new_key_file = path}, again = {.key_file = path};
	struct secret s, unlike;
	struct stat st;

	clear();
	(void)unlink(path);
	CHECK_OK(secrets_for_init(&o, &s, &err), &err);
	CHECK_INT(s.kind, SECRET_KEY_FILE);
	CHECK_INT(stat(path, &st), 0);
	CHECK_INT(st.st_mode & 07777, 0600);
	CHECK_INT(st.st_size, 81);
	CHECK_OK(secrets_find(&again, found, &count, &err), &err);
	CHECK_MEM(found[0].bytes, s.bytes, 32);
	/* Never replaced, also not through a symlink. */
	CHECK_INT(secrets_for_init(&o, &unlike, &err), ERR_USAGE);
	CHECK(strstr(err.msg, path) != NULL);
	CHECK_OK(secrets_find(&again, found, &count, &err), &err);
	CHECK_MEM(found[0].bytes, s.bytes, 32);
	(void)unlink(other);
	CHECK_INT(symlink("nothing", other), 0);
	o.new_key_file = other;
	CHECK_INT(secrets_for_init(&o, &unlike, &err), ERR_USAGE);
	CHECK_INT(lstat(other, &st), 0);
	CHECK(S_ISLNK(st.st_mode));
	(void)unlink(other);
	CHECK_OK(secrets_for_init(&o, &unlike, &err), &err);
	CHECK(memcmp(unlike.bytes, s.bytes, 32) != 0);
	o.new_key_file = "/nowhere/key";
	CHECK(secrets_for_init(&o, &unlike, &err) < 0);
}

int
main(void)
{
	int null;

	(void)alarm(60);
	scratch_make(base, sizeof base, "test_secrets");
	(void)snprintf(path, sizeof(path), "%s/secret", base);
	(void)snprintf(other, sizeof(other), "%s/other", base);
	memset(long_line, 'x', sizeof(long_line) - 1);
	/* Nobody is asked. */
	null = open("/dev/null", O_RDONLY);
	CHECK(null >= 0 && dup2(null, STDIN_FILENO) == STDIN_FILENO);
	(void)close(null);
	test_passphrases();
	test_environment();
	test_command();
	test_key_files();
	test_unreadable();
	test_several();
	test_new_key_file();
	clear();
	(void)unlink(path);
	(void)unlink(other);
	CHECK_INT(rmdir(base), 0);
	return 0;
}
