#ifndef REPORT_H_
#define REPORT_H_

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct json_object;

/*
 * What the user sees: warnings, progress, the summary; as text or as JSON Lines.
 *
 * Text: results on standard output, everything else on standard error.  JSON: every message is one line of UTF-8 on
 * standard output with a "message_type" of "status", "warning", "note", "error", "summary" or the command's own (bytes
 * that are not UTF-8 become U+FFFD).  Safe from any thread.
 */
struct report;

struct report_options {
	const char *command; /* "export": for messages */
	bool json;
	bool quiet; /* no progress, no notes; warnings and errors remain */
	bool verbose; /* every warning; otherwise the first 20 of a kind are shown and the rest counted */
	unsigned interval_s; /* progress lines when standard error is no terminal: 30; on a terminal 4 times a second;
				JSON: every second */
};

/* Counters that the threads of a command move; the progress display reads them. */
struct progress {
	_Atomic uint64_t entries; /* done */
	_Atomic uint64_t bytes; /* of content, done (read and unchanged) */
	_Atomic uint64_t stored; /* bytes that went to (or came from) the store */
	_Atomic uint64_t total_entries; /* 0: not known */
	_Atomic uint64_t total_bytes; /* 0: not known */
};

int report_new(const struct report_options *, struct report **out, struct error *);
/* Something is not as it should be, and the command goes on: counted, exit status 3.  path (may be NULL): foreign
 * bytes, printed quoted. */
void report_warn(struct report *, const char *path, size_t path_len, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
uint64_t report_warnings(struct report *);
/* For information only ("lost+found was left out"). */
void report_note(struct report *, const char *path, size_t path_len, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void report_error(struct report *, const struct error *);
/* A line of the result, on standard output; nothing in JSON mode. */
void report_line(struct report *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A JSON message; takes the object over.  Nothing in text mode. */
void report_json(struct report *, const char *message_type, struct json_object *);
bool report_is_json(const struct report *);

/* Show progress until report_progress_stop(); p must live that long. */
int report_progress_start(struct report *, struct progress *p, struct error *);
void report_progress_stop(struct report *);
void report_free(struct report *);

/* "1.5 GiB", "12,345", "1:02:03" into out; for messages. */
#define REPORT_TEXT 32
const char *report_bytes(uint64_t n, char out[REPORT_TEXT]);
const char *report_count(uint64_t n, char out[REPORT_TEXT]);
const char *report_duration(uint64_t ms, char out[REPORT_TEXT]);
/* "1 file", "1,234 files" */
const char *report_number(uint64_t n, const char *one, const char *many, char out[REPORT_TEXT]);
/* "1.5 MiB/s" */
const char *report_rate(uint64_t bytes, uint64_t ms, char out[REPORT_TEXT]);

#endif
