/*
 * Credentials that a program prints (credential_process of a profile).
 *
 * There is no shell: nothing in the command is expanded.  The program gets nothing of ours but the environment and
 * stderr, where it may tell the user what is wrong.  It leads a process group of its own, so that what it has started
 * ends with it when it takes too long.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "asker.h"
#include "buf.h"
#include "cleanup.h"
#include "credentials_internal.h"
#include "error.h"

enum { OUTPUT_MAX = 64 * 1024, LOOK_MS = 50 };

extern char **environ;

static bool
is_white(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* What a backslash takes its meaning from: anything outside of quotes, itself and the quote between double ones. */
static bool
is_escaped(char quote, char next)
{
	return next != '\0' && (quote == '\0' || (quote == '"' && (next == '"' || next == '\\')));
}

/* Copy one word to *out, with a NUL: 1, 0 at the end, or ERR_USAGE. */
static int
next_word(const char **in, char **out, struct error *err)
{
	const char *p = *in;
	char quote = '\0';

	while (is_white(*p))
		p++;
	if (*p == '\0')
		return 0;
	for (; *p != '\0' && (quote != '\0' || !is_white(*p)); p++) {
		if (quote == '\0' && (*p == '"' || *p == '\''))
			quote = *p;
		else if (quote != '\0' && *p == quote)
			quote = '\0';
		else if (*p == '\\' && is_escaped(quote, p[1]))
			*(*out)++ = *++p;
		else
			*(*out)++ = *p;
	}
	*(*out)++ = '\0';
	*in = p;
	return quote == '\0' ? 1 : error_set(err, ERR_USAGE, "credential_process: a quote is not closed");
}

int
credentials_process_split(const char *command, char ***out, struct error *err)
{
	/* There are no more words than every second byte, and each takes no more bytes than it and what follows it. */
	size_t len = strlen(command), max = len / 2 + 2, count = 0;
	CLEANUP_FREE char **words = malloc(max * sizeof(*words) + len + 1);
	char *text, *word;
	int r;

	if (words == NULL)
		return error_nomem(err);
	text = word = (char *)(words + max);
	while ((r = next_word(&command, &text, err)) > 0) {
		words[count++] = word;
		word = text;
	}
	if (r < 0)
		return r;
	if (count == 0)
		return error_set(err, ERR_USAGE, "credential_process is empty");
	words[count] = NULL;
	*out = STEAL(words);
	return 0;
}

/* stdin: nothing; stdout: the pipe; stderr: as it is; and nothing else. */
static int
set_actions(posix_spawn_file_actions_t *actions, int to)
{
	int e = posix_spawn_file_actions_adddup2(actions, to, STDOUT_FILENO);

	if (e == 0)
		e = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (e == 0)
		e = posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
	return e;
}

/* A group of its own, and signals as in a new process. */
static int
set_attributes(posix_spawnattr_t *attr)
{
	sigset_t none, all;
	int e = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);

	(void)sigemptyset(&none);
	(void)sigfillset(&all);
	if (e == 0)
		e = posix_spawnattr_setpgroup(attr, 0);
	if (e == 0)
		e = posix_spawnattr_setsigmask(attr, &none);
	return e == 0 ? posix_spawnattr_setsigdefault(attr, &all) : e;
}

static int
spawn(char **words, int to, pid_t *out, struct error *err)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int e = posix_spawn_file_actions_init(&actions);

	if (e != 0)
		return error_nomem(err);
	e = posix_spawnattr_init(&attr);
	if (e == 0) {
		e = set_actions(&actions, to);
		if (e == 0)
			e = set_attributes(&attr);
		if (e == 0)
			e = posix_spawnp(out, words[0], &actions, &attr, words, environ);
		(void)posix_spawnattr_destroy(&attr);
	}
	(void)posix_spawn_file_actions_destroy(&actions);
	if (e == 0)
		return 0;
	errno = e;
	return error_errno(err, "credential_process: run %s", words[0]);
}

static int64_t
clock_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Whether it must end: told to, or out of time. */
static int
check_time(struct asker *a, int64_t end_ms, struct error *err)
{
	if (asker_pause(a, 0, err) < 0)
		return err->code;
	if (clock_ms() >= end_ms)
		return error_set(
		    err, ERR_UNAVAILABLE, "credential_process did not end within %u s", a->process_ms / 1000);
	return 0;
}

/* All that is printed. */
static int
read_output(struct asker *a, int fd, int64_t end_ms, struct buf *out, struct error *err)
{
	uint8_t *bytes = buf_extend(out, OUTPUT_MAX + 1);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	ssize_t got = 1;

	if (bytes == NULL)
		return error_nomem(err);
	out->len = 0;
	while (got != 0) {
		if (check_time(a, end_ms, err) < 0)
			return err->code;
		if (poll(&p, 1, LOOK_MS) <= 0)
			continue;
		got = read(fd, bytes + out->len, OUTPUT_MAX + 1 - out->len);
		if (got < 0 && errno != EINTR)
			return error_errno(err, "credential_process: read what it prints");
		if (got > 0)
			out->len += (size_t)got;
		if (out->len > OUTPUT_MAX)
			return error_set(err, ERR_DENIED, "credential_process prints more than %d bytes", OUTPUT_MAX);
	}
	return 0;
}

/* Wait for its end: when the caller has failed, or it takes too long, by killing its group. */
static int
reap(struct asker *a, pid_t pid, int64_t end_ms, int so_far, struct error *err)
{
	int r = so_far, status = 0;
	pid_t done = 0;

	while (r == 0 && (done = waitpid(pid, &status, WNOHANG)) == 0) {
		r = check_time(a, end_ms, err);
		if (r == 0)
			r = asker_pause(a, LOOK_MS / 5, err);
	}
	if (r < 0) {
		(void)kill(-pid, SIGKILL);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		return r;
	}
	if (done < 0)
		return error_errno(err, "credential_process: wait for its end");
	if (WIFSIGNALED(status))
		return error_set(err, ERR_DENIED, "credential_process was killed by signal %d", WTERMSIG(status));
	if (WEXITSTATUS(status) != 0)
		return error_set(err, ERR_DENIED, "credential_process failed with status %d", WEXITSTATUS(status));
	return 0;
}

static int
run(struct asker *a, char **words, struct buf *out, struct error *err)
{
	CLEANUP_CLOSE int from = -1;
	int64_t end_ms = clock_ms() + a->process_ms;
	int ends[2], r;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_errno(err, "credential_process: make a pipe");
	from = ends[0];
	r = spawn(words, ends[1], &pid, err);
	(void)close(ends[1]);
	if (r < 0)
		return r;
	r = read_output(a, from, end_ms, out, err);
	return reap(a, pid, end_ms, r, err);
}

int
credentials_process(struct asker *a, const char *command, struct credentials *out, struct error *err)
{
	CLEANUP(buf_wipe) struct buf output = BUF_INIT(OUTPUT_MAX + 1);
	CLEANUP_FREE char **words = NULL;

	if (credentials_process_split(command, &words, err) < 0 || run(a, words, &output, err) < 0)
		return err->code;
	if (credentials_parse_json(output.data, output.len, CREDENTIALS_JSON_PROCESS, a->now(), out, err) < 0)
		return error_prefix(err, "credential_process");
	return 0;
}
