/*
 * How much memory a hostile snapshot costs: see hostile.h.
 */
#include "hostile.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"

#define MEMORY_MAX (200u * 1024) /* KiB above what the test itself has, as long as an import runs */

static size_t largest;
static unsigned failures;

/* A line of /proc/self/status, in KiB; 0 where that cannot be measured. */
static size_t
status(const char *what)
{
	FILE *file = fopen("/proc/self/status", "r");
	char line[256];
	size_t value = 0;

	while (file != NULL && fgets(line, sizeof line, file) != NULL)
		if (strncmp(line, what, strlen(what)) == 0)
			value = strtoull(line + strlen(what), NULL, 10);
	if (file != NULL)
		(void)fclose(file);
	return value;
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif

/* Sanitizers and valgrind need memory of their own. */
static bool
memory_counts(void)
{
#ifdef SANITIZED
	return false;
#else
	const char *preload = getenv("LD_PRELOAD");

	return preload == NULL || strstr(preload, "vgpreload") == NULL;
#endif
}

size_t
hostile_memory_start(void)
{
	CLEANUP_CLOSE int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "5", 1) != 1)
		return 0;
	return status("VmRSS:");
}

void
hostile_memory_check(const char *name, const char *doing, size_t before)
{
	size_t peak = status("VmHWM:");

	if (!memory_counts() || before == 0 || peak < before)
		return;
	if (getenv("HOSTILE_VERBOSE") != NULL)
		(void)fprintf(stderr, "  %s: %s: %zu KiB\n", name, doing, peak - before);
	largest = MAX(largest, peak - before);
	if (peak - before > MEMORY_MAX) {
		(void)fprintf(stderr, "%s: %s took %zu KiB\n", name, doing, peak - before);
		failures++;
	}
}

unsigned
hostile_memory_end(void)
{
	if (memory_counts())
		(void)fprintf(stderr, "hostile: at most %zu KiB more than before\n", largest);
	return failures;
}
