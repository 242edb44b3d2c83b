/*
 * Messages to the user, as text or JSON Lines.  One lock; nobody is called while it is held.
 */
#include "report.h"

#include <errno.h>
#include <json-c/json.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "error.h"
#include "utf8.h"

/* Without --verbose, that many warnings and notes are shown; the rest is only counted. */
#define SHOWN 20

struct report {
	struct report_options options;
	pthread_mutex_t lock; /* guards everything below, and the streams */
	pthread_cond_t stop_cond;
	uint64_t warnings, notes;
	bool terminal;
	bool line_open; /* a progress line stands on the terminal */
	bool stopping, running;
	pthread_t thread;
	struct progress *progress;
	struct timespec started;
};

int
report_new(const struct report_options *o, struct report **out, struct error *err)
{
	struct report *r = calloc(1, sizeof *r);
	pthread_condattr_t attr;

	if (r == NULL)
		return error_nomem(err);
	r->options = *o;
	r->terminal = isatty(STDERR_FILENO) == 1 && !o->json;
	(void)pthread_mutex_init(&r->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&r->stop_cond, &attr);
	(void)pthread_condattr_destroy(&attr);
	*out = r;
	return 0;
}

/* ---- messages ---- */

static void
clear_line(struct report *r)
{
	if (r->line_open)
		(void)fputs("\r\033[K", stderr);
	r->line_open = false;
}

/* Foreign bytes and texts that were cut must not make a line that is no JSON. */
static void
put_utf8(const char *text)
{
	const char *from = text, *end = text + strlen(text);

	while (text < end) {
		size_t len = utf8_length(text, (size_t)(end - text));

		if (len > 0) {
			text += len;
			continue;
		}
		(void)fwrite(from, 1, (size_t)(text - from), stdout);
		(void)fputs("\\ufffd", stdout);
		from = ++text;
	}
	(void)fwrite(from, 1, (size_t)(text - from), stdout);
	(void)putchar('\n');
}

static void
put_json(const char *type, struct json_object *o)
{
	struct json_object *line = json_object_new_object();

	/* The type comes first, for people who read along. */
	(void)json_object_object_add(line, "message_type", json_object_new_string(type));
	json_object_object_foreach(o, key, value)(void) json_object_object_add(line, key, json_object_get(value));
	put_utf8(json_object_to_json_string_ext(line, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	(void)fflush(stdout);
	json_object_put(line);
	json_object_put(o);
}

bool
report_is_json(const struct report *r)
{
	return r->options.json;
}

void
report_json(struct report *r, const char *type, struct json_object *o)
{
	if (!r->options.json) {
		json_object_put(o);
		return;
	}
	(void)pthread_mutex_lock(&r->lock);
	put_json(type, o);
	(void)pthread_mutex_unlock(&r->lock);
}

static void
put_message(struct report *r, const char *type, const char *word, const char *path, size_t len, const char *text)
{
	char quoted[600];

	if (r->options.json) {
		struct json_object *o = json_object_new_object();

		if (path != NULL)
			(void)json_object_object_add(
			    o, "path", json_object_new_string(error_quote(quoted, sizeof quoted, path, len)));
		(void)json_object_object_add(o, "message", json_object_new_string(text));
		put_json(type, o);
		return;
	}
	clear_line(r);
	if (path != NULL)
		(void)fprintf(stderr, "snapferry %s: %s%s: %s\n", r->options.command, word,
		    len == 0 ? "." : error_quote(quoted, sizeof quoted, path, len), text);
	else
		(void)fprintf(stderr, "snapferry %s: %s%s\n", r->options.command, word, text);
}

void
report_warn(struct report *r, const char *path, size_t len, const char *fmt, ...)
{
	char text[700];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	(void)pthread_mutex_lock(&r->lock);
	r->warnings++;
	if (r->options.json || r->options.verbose || r->warnings <= SHOWN)
		put_message(r, "warning", "warning: ", path, len, text);
	else if (r->warnings == SHOWN + 1)
		put_message(r, "warning", "", NULL, 0, "more warnings are only counted (--verbose shows all)");
	(void)pthread_mutex_unlock(&r->lock);
}

uint64_t
report_warnings(struct report *r)
{
	uint64_t n;

	(void)pthread_mutex_lock(&r->lock);
	n = r->warnings;
	(void)pthread_mutex_unlock(&r->lock);
	return n;
}

void
report_note(struct report *r, const char *path, size_t len, const char *fmt, ...)
{
	char text[700];
	va_list ap;

	if (r->options.quiet)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	(void)pthread_mutex_lock(&r->lock);
	if (r->options.json || r->options.verbose || ++r->notes <= SHOWN)
		put_message(r, "note", "", path, len, text);
	else if (r->notes == SHOWN + 1)
		put_message(r, "note", "", NULL, 0, "more notes are left out (--verbose shows all)");
	(void)pthread_mutex_unlock(&r->lock);
}

void
report_error(struct report *r, const struct error *err)
{
	(void)pthread_mutex_lock(&r->lock);
	if (r->options.json) {
		struct json_object *o = json_object_new_object();

		(void)json_object_object_add(o, "code", json_object_new_string(error_name(err->code)));
		(void)json_object_object_add(o, "exit_status", json_object_new_int(error_exit_status(err->code)));
		(void)json_object_object_add(o, "message", json_object_new_string(err->msg));
		put_json("error", o);
	} else {
		clear_line(r);
		(void)fprintf(stderr, "snapferry %s: %s\n", r->options.command, err->msg);
	}
	(void)pthread_mutex_unlock(&r->lock);
}

void
report_line(struct report *r, const char *fmt, ...)
{
	va_list ap;

	if (r->options.json)
		return;
	(void)pthread_mutex_lock(&r->lock);
	clear_line(r);
	va_start(ap, fmt);
	(void)vprintf(fmt, ap);
	va_end(ap);
	(void)putchar('\n');
	(void)pthread_mutex_unlock(&r->lock);
}

/* ---- progress ---- */

struct snapshot_of_progress {
	uint64_t entries, bytes, stored, total_entries, total_bytes, ms;
};

static struct snapshot_of_progress
progress_read(struct report *r)
{
	struct progress *p = r->progress;
	struct snapshot_of_progress s = {atomic_load(&p->entries), atomic_load(&p->bytes), atomic_load(&p->stored),
	    atomic_load(&p->total_entries), atomic_load(&p->total_bytes), 0};
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	s.ms = (uint64_t)((now.tv_sec - r->started.tv_sec) * 1000 + (now.tv_nsec - r->started.tv_nsec) / 1000000);
	return s;
}

/* Milliseconds to go at the average speed, 0 when nobody knows. */
static uint64_t
progress_remaining(const struct snapshot_of_progress *s)
{
	if (s->total_bytes > s->bytes && s->bytes > 0 && s->ms > 2000)
		return (uint64_t)((double)s->ms * (double)(s->total_bytes - s->bytes) / (double)s->bytes);
	return 0;
}

static void
progress_json(const struct snapshot_of_progress *s)
{
	struct json_object *o = json_object_new_object();
	uint64_t left = progress_remaining(s);

	(void)json_object_object_add(o, "seconds_elapsed", json_object_new_double((double)s->ms / 1000));
	(void)json_object_object_add(o, "entries_done", json_object_new_uint64(s->entries));
	(void)json_object_object_add(o, "bytes_done", json_object_new_uint64(s->bytes));
	(void)json_object_object_add(o, "bytes_stored", json_object_new_uint64(s->stored));
	if (s->total_entries > 0)
		(void)json_object_object_add(o, "total_entries", json_object_new_uint64(s->total_entries));
	if (s->total_bytes > 0)
		(void)json_object_object_add(o, "total_bytes", json_object_new_uint64(s->total_bytes));
	if (left > 0)
		(void)json_object_object_add(o, "seconds_remaining", json_object_new_double((double)left / 1000));
	put_json("status", o);
}

static void
progress_text(struct report *r, const struct snapshot_of_progress *s)
{
	char bytes[REPORT_TEXT], total[REPORT_TEXT], rate[REPORT_TEXT], entries[REPORT_TEXT], left[REPORT_TEXT];
	uint64_t remaining = progress_remaining(s);
	char line[256];
	int n = snprintf(line, sizeof line, "%s, %s", report_number(s->entries, "entry", "entries", entries),
	    report_bytes(s->bytes, bytes));

	if (s->total_bytes >= s->bytes && s->total_bytes > 0)
		n += snprintf(line + n, sizeof line - (size_t)n, " of %s", report_bytes(s->total_bytes, total));
	n += snprintf(line + n, sizeof line - (size_t)n, ", %s", report_rate(s->bytes, s->ms, rate));
	if (remaining > 0)
		(void)snprintf(line + n, sizeof line - (size_t)n, ", about %s left", report_duration(remaining, left));
	if (r->terminal) {
		(void)fprintf(stderr, "\r\033[K%.78s", line);
		r->line_open = true;
	} else {
		(void)fprintf(stderr, "snapferry %s: %s\n", r->options.command, line);
	}
}

static void *
progress_thread(void *arg)
{
	struct report *r = arg;
	long interval_ms = r->options.json ? 1000 : r->terminal ? 250 : 1000L * (long)r->options.interval_s;
	struct timespec next = r->started;

	(void)pthread_mutex_lock(&r->lock);
	while (!r->stopping) {
		struct snapshot_of_progress s;

		next.tv_nsec += interval_ms % 1000 * 1000000;
		next.tv_sec += interval_ms / 1000 + next.tv_nsec / 1000000000;
		next.tv_nsec %= 1000000000;
		while (!r->stopping && pthread_cond_timedwait(&r->stop_cond, &r->lock, &next) != ETIMEDOUT)
			;
		if (r->stopping)
			break;
		s = progress_read(r);
		if (r->options.json)
			progress_json(&s);
		else
			progress_text(r, &s);
	}
	clear_line(r);
	(void)pthread_mutex_unlock(&r->lock);
	return NULL;
}

int
report_progress_start(struct report *r, struct progress *p, struct error *err)
{
	int e;

	if (r->options.quiet)
		return 0;
	r->progress = p;
	r->stopping = false;
	(void)clock_gettime(CLOCK_MONOTONIC, &r->started);
	e = pthread_create(&r->thread, NULL, progress_thread, r);
	if (e != 0) {
		errno = e;
		return error_errno(err, "start the progress display");
	}
	r->running = true;
	return 0;
}

void
report_progress_stop(struct report *r)
{
	if (!r->running)
		return;
	(void)pthread_mutex_lock(&r->lock);
	r->stopping = true;
	(void)pthread_cond_signal(&r->stop_cond);
	(void)pthread_mutex_unlock(&r->lock);
	(void)pthread_join(r->thread, NULL);
	r->running = false;
}

void
report_free(struct report *r)
{
	if (r == NULL)
		return;
	report_progress_stop(r);
	(void)pthread_cond_destroy(&r->stop_cond);
	(void)pthread_mutex_destroy(&r->lock);
	free(r);
}
