/*
 * Run a command and tell how much anonymous memory it had at most.
 *
 *     peak FILE COMMAND [ARGUMENT]...
 *
 * Writes the maximum in KiB to FILE and ends with the status of the command.  Every millisecond the cheap counter
 * RssAnon of /proc/PID/status is looked at, and every 20 the exact sum "Anonymous" of /proc/PID/smaps_rollup.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define EXACT_EVERY 20

/* The number behind a label in a file of /proc; 0 when there is none. */
static unsigned long
read_number(const char *path, const char *label)
{
	FILE *f = fopen(path, "re");
	unsigned long n = 0;
	char line[256];

	while (f != NULL && n == 0 && fgets(line, sizeof line, f) != NULL)
		if (strncmp(line, label, strlen(label)) == 0)
			n = strtoul(line + strlen(label), NULL, 10);
	if (f != NULL)
		(void)fclose(f);
	return n;
}

static unsigned long
watch(pid_t pid, int *status)
{
	const struct timespec pause = {0, 1000000};
	char coarse[64], exact[64];
	unsigned long peak = 0, now;

	(void)snprintf(coarse, sizeof coarse, "/proc/%d/status", (int)pid);
	(void)snprintf(exact, sizeof exact, "/proc/%d/smaps_rollup", (int)pid);
	for (unsigned i = 0; waitpid(pid, status, WNOHANG) == 0; i++) {
		now = i % EXACT_EVERY == 0 ? read_number(exact, "Anonymous:") : read_number(coarse, "RssAnon:");
		peak = now > peak ? now : peak;
		(void)nanosleep(&pause, NULL);
	}
	return peak;
}

int
main(int argc, char **argv)
{
	unsigned long peak;
	int status = 0;
	FILE *out;
	pid_t pid;

	if (argc < 3) {
		(void)fprintf(stderr, "usage: peak FILE COMMAND [ARGUMENT]...\n");
		return 2;
	}
	pid = fork();
	if (pid == 0) {
		(void)execvp(argv[2], argv + 2);
		(void)fprintf(stderr, "peak: cannot run %s: %s\n", argv[2], strerror(errno));
		_exit(127);
	}
	if (pid < 0) {
		perror("peak: fork");
		return 2;
	}
	peak = watch(pid, &status);
	out = fopen(argv[1], "we");
	if (out == NULL || fprintf(out, "%lu\n", peak) < 0 || fclose(out) != 0) {
		perror("peak: write the result");
		return 2;
	}
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
