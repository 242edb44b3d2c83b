/*
 * Secrets from files, environment, a command or a terminal.
 */
#include "secrets.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "cleanup.h"
#include "error.h"
#include "smallfile.h"

/* A passphrase is the first line. */
static int
set_passphrase(struct secret *s, const uint8_t *bytes, size_t len, const char *where, struct error *err)
{
	const uint8_t *end = memchr(bytes, '\n', len);

	if (end != NULL)
		len = (size_t)(end - bytes);
	if (len > 0 && bytes[len - 1] == '\r')
		len--;
	if (len == 0)
		return error_set(err, ERR_USAGE, "%s: the passphrase is empty", where);
	if (len > sizeof s->bytes || memchr(bytes, '\0', len) != NULL)
		return error_set(err, ERR_USAGE, "%s: the passphrase is too long or has a NUL", where);
	s->kind = SECRET_PASSPHRASE;
	s->len = len;
	memcpy(s->bytes, bytes, len);
	return 0;
}

static int
from_file(const char *path, bool key, struct secret *s, struct error *err)
{
	uint8_t bytes[sizeof s->bytes + 2];
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len;
	int r;

	if (fd < 0) {
		(void)error_errno(err, "read %s %s", key ? "key file" : "password file", path);
		return err->code = ERR_USAGE;
	}
	len = smallfile_take(fd, bytes, sizeof bytes);
	if (len < 0) {
		(void)error_errno(err, "read %s %s", key ? "key file" : "password file", path);
		return err->code = ERR_USAGE;
	}
	if (key) {
		r = secret_parse_key_file(bytes, (size_t)len, s, err);
		if (r < 0)
			r = error_prefix(err, "%s", path);
	} else {
		r = set_passphrase(s, bytes, (size_t)len, path, err);
	}
	crypto_wipe(bytes, sizeof bytes);
	return r;
}

static int
from_command(const char *command, struct secret *s, struct error *err)
{
	uint8_t bytes[sizeof s->bytes + 2];
	FILE *f = popen(command, "re");
	ssize_t len;
	int status, r;

	if (f == NULL)
		return error_errno(err, "run SNAPFERRY_PASSWORD_COMMAND");
	len = smallfile_take(fileno(f), bytes, sizeof bytes);
	status = pclose(f);
	if (len < 0 || status != 0)
		r = error_set(err, ERR_USAGE, "SNAPFERRY_PASSWORD_COMMAND failed (status %d)",
		    WIFEXITED(status) ? WEXITSTATUS(status) : status);
	else
		r = set_passphrase(s, bytes, (size_t)len, "SNAPFERRY_PASSWORD_COMMAND", err);
	crypto_wipe(bytes, sizeof bytes);
	return r;
}

static volatile sig_atomic_t prompt_signal;

static void
prompt_interrupted(int sig)
{
	prompt_signal = sig;
}

/* While the echo is off, signals only interrupt the reading; old: what they did before. */
static void
prompt_catch(const int signals[4], struct sigaction old[4])
{
	struct sigaction catch = {.sa_handler = prompt_interrupted};

	prompt_signal = 0;
	for (unsigned i = 0; i < 4; i++)
		(void)sigaction(signals[i], &catch, &old[i]);
}

/* One line from the terminal, without echo. */
static int
from_terminal(const char *prompt, struct secret *s, struct error *err)
{
	static const int signals[4] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	uint8_t line[sizeof s->bytes + 2];
	CLEANUP_CLOSE int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	struct sigaction old_actions[4];
	struct termios old, quiet;
	ssize_t len;
	int r;

	if (tty < 0 || tcgetattr(tty, &old) < 0)
		return error_errno(err, "open the terminal");
	quiet = old;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	(void)dprintf(tty, "%s: ", prompt);
	prompt_catch(signals, old_actions);
	(void)tcsetattr(tty, TCSAFLUSH, &quiet);
	len = read(tty, line, sizeof line);
	(void)tcsetattr(tty, TCSAFLUSH, &old);
	(void)dprintf(tty, "\n");
	for (unsigned i = 0; i < 4; i++)
		(void)sigaction(signals[i], &old_actions[i], NULL);
	if (prompt_signal != 0)
		(void)raise(prompt_signal);
	r = len < 0 ? error_errno(err, "read the passphrase") : set_passphrase(s, line, (size_t)len, "terminal", err);
	crypto_wipe(line, sizeof line);
	return r;
}

static const char *
setting(const char *name)
{
	const char *v = getenv(name);

	return v == NULL || *v == '\0' ? NULL : v;
}

/* Also an empty variable is a setting, and a wrong one. */
static int
from_environment(struct secret *s, struct error *err)
{
	const char *v = getenv("SNAPFERRY_PASSWORD");

	return set_passphrase(s, (const uint8_t *)v, strlen(v), "SNAPFERRY_PASSWORD", err);
}

static int
find_configured(const struct options *o, struct secret out[SECRETS_MAX], size_t *count, struct error *err)
{
	int r = 0;

	*count = 0;
	if (o->key_file != NULL && (r = from_file(o->key_file, true, &out[(*count)++], err)) < 0)
		return r;
	if (o->password_file != NULL && (r = from_file(o->password_file, false, &out[(*count)++], err)) < 0)
		return r;
	if (getenv("SNAPFERRY_PASSWORD") != NULL && (r = from_environment(&out[(*count)++], err)) < 0)
		return r;
	if (setting("SNAPFERRY_PASSWORD_COMMAND") != NULL)
		r = from_command(setting("SNAPFERRY_PASSWORD_COMMAND"), &out[(*count)++], err);
	return r;
}

static int
no_secret(struct error *err)
{
	return error_set(err, ERR_USAGE,
	    "no passphrase or key: give --key-file or --password-file, or set SNAPFERRY_PASSWORD, "
	    "SNAPFERRY_PASSWORD_FILE, SNAPFERRY_PASSWORD_COMMAND or SNAPFERRY_KEY_FILE");
}

int
secrets_find(const struct options *o, struct secret out[SECRETS_MAX], size_t *out_count, struct error *err)
{
	int r = find_configured(o, out, out_count, err);

	if (r < 0 || *out_count > 0)
		return r;
	if (isatty(STDIN_FILENO) != 1)
		return no_secret(err);
	*out_count = 1;
	return from_terminal("Passphrase of the repository", &out[0], err);
}

/* --new-key-file: a fresh key, which the user keeps.  An existing file is never replaced. */
static int
make_key_file(const char *path, struct secret *s, struct error *err)
{
	struct buf text = BUF_INIT(4096);
	CLEANUP_CLOSE int fd = -1;
	int r;

	s->kind = SECRET_KEY_FILE;
	s->len = KEY_LEN;
	if ((r = crypto_random(s->bytes, KEY_LEN, err)) < 0 || (r = secret_format_key_file(s, &text, err)) < 0)
		goto done;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		r = error_errno(err, "create key file %s", path);
		if (r == ERR_EXISTS)
			r = error_set(err, ERR_USAGE, "key file %s exists already, and is never replaced", path);
	} else if (write(fd, text.data, text.len) != (ssize_t)text.len || fsync(fd) < 0) {
		r = error_errno(err, "write key file %s", path);
		/* Half a key looks like one. */
		(void)unlink(path);
	}
done:
	buf_wipe(&text);
	if (r < 0)
		secret_wipe(s);
	return r;
}

int
secrets_for_init(const struct options *o, struct secret *out, struct error *err)
{
	struct secret found[SECRETS_MAX], again;
	size_t count;
	int r;

	if (o->new_key_file != NULL)
		return make_key_file(o->new_key_file, out, err);
	r = find_configured(o, found, &count, err);
	if (r == 0 && count > 1)
		r = error_set(err, ERR_USAGE, "more than one passphrase or key is configured: which one is meant?");
	if (r == 0 && count == 1)
		*out = found[0];
	for (size_t i = 0; i < COUNT_OF(found); i++)
		secret_wipe(&found[i]);
	if (r < 0 || count == 1)
		return r;
	if (isatty(STDIN_FILENO) != 1)
		return no_secret(err);
	if ((r = from_terminal("New passphrase", out, err)) < 0 ||
	    (r = from_terminal("The same again", &again, err)) < 0)
		return r;
	if (again.len != out->len || !crypto_equal(again.bytes, out->bytes, out->len))
		r = error_set(err, ERR_USAGE, "the two passphrases differ");
	secret_wipe(&again);
	return r;
}
