/* What the user sees: numbers, messages, JSON Lines, from many threads at once. */
#include "report.h"

#include <errno.h>
#include <json-c/json.h>
#include <pthread.h>
#include <unistd.h>

#include "check.h"
#include "cleanup.h"
#include "error.h"

static struct error err;

/* ---- what a stretch of the test prints ---- */

struct capture {
	FILE *file;
	int stream, saved;
};

static struct capture
capture(int stream)
{
	struct capture c = {.file = tmpfile(), .stream = stream, .saved = dup(stream)};

	CHECK(c.file != NULL && c.saved >= 0);
	(void)fflush(NULL);
	CHECK(dup2(fileno(c.file), stream) == stream);
	return c;
}

static void
capture_end(struct capture *c)
{
	(void)fflush(NULL);
	CHECK(dup2(c->saved, c->stream) == c->stream);
	(void)close(c->saved);
	rewind(c->file);
}

/* The text, malloc'ed. */
static char *
capture_text(struct capture *c)
{
	char *text = calloc(1, 1 << 20);

	CHECK(text != NULL);
	capture_end(c);
	CHECK(fread(text, 1, (1 << 20) - 1, c->file) < (1 << 20) - 1);
	(void)fclose(c->file);
	return text;
}

static size_t
occurrences(const char *text, const char *what)
{
	size_t n = 0;

	for (; (text = strstr(text, what)) != NULL; text += strlen(what))
		n++;
	return n;
}

static struct report *
report(bool json, bool quiet, bool verbose)
{
	struct report_options o = {
	    .command = "test", .json = json, .quiet = quiet, .verbose = verbose, .interval_s = 30};
	struct report *r;

	CHECK_OK(report_new(&o, &r, &err), &err);
	return r;
}

/* ---- texts ---- */

static void
test_numbers(void)
{
	static const struct {
		uint64_t n;
		const char *bytes, *count, *files;
	} cases[] = {
	    {0, "0 B", "0", "0 files"},
	    {1, "1 B", "1", "1 file"},
	    {999, "999 B", "999", "999 files"},
	    {1000, "1000 B", "1,000", "1,000 files"},
	    {1023, "1023 B", "1,023", "1,023 files"},
	    {1024, "1.0 KiB", "1,024", "1,024 files"},
	    {1536, "1.5 KiB", "1,536", "1,536 files"},
	    {1048524, "1023.9 KiB", "1,048,524", "1,048,524 files"},
	    {1048575, "1.0 MiB", "1,048,575", "1,048,575 files"},
	    {UINT64_C(1) << 40, "1.0 TiB", "1,099,511,627,776", "1,099,511,627,776 files"},
	    {UINT64_MAX, "16.0 EiB", "18,446,744,073,709,551,615", NULL},
	};
	char out[REPORT_TEXT];

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		CHECK_STR(report_bytes(cases[i].n, out), cases[i].bytes);
		CHECK_STR(report_count(cases[i].n, out), cases[i].count);
		if (cases[i].files != NULL)
			CHECK_STR(report_number(cases[i].n, "file", "files", out), cases[i].files);
	}
	CHECK(strlen(report_number(UINT64_MAX, "entry", "entries", out)) < REPORT_TEXT);
}

static void
test_durations(void)
{
	static const struct {
		uint64_t ms;
		const char *text;
	} cases[] = {
	    {0, "0.0 s"},
	    {1, "0.0 s"},
	    {1234, "1.2 s"},
	    {10000, "10 s"},
	    {59499, "59 s"},
	    {59500, "1:00 min"},
	    {61000, "1:01 min"},
	    {3599499, "59:59 min"},
	    {3599500, "1:00:00 h"},
	    {3723000, "1:02:03 h"},
	    {UINT64_C(360000000), "100:00:00 h"},
	    {UINT64_MAX, "5124095576030:25:52 h"},
	};
	char out[REPORT_TEXT];

	for (size_t i = 0; i < COUNT_OF(cases); i++)
		CHECK_STR(report_duration(cases[i].ms, out), cases[i].text);
}

static void
test_rates(void)
{
	char out[REPORT_TEXT];

	CHECK_STR(report_rate(0, 0, out), "0 B/s");
	CHECK_STR(report_rate(1 << 20, 1000, out), "1.0 MiB/s");
	CHECK_STR(report_rate(1 << 20, 500, out), "2.0 MiB/s");
	CHECK_STR(report_rate(UINT64_C(1) << 62, 1000, out), "4.0 EiB/s");
	CHECK_STR(report_rate(UINT64_MAX, 0, out), "16.0 EiB/s");
}

/* ---- messages as text ---- */

static void
test_warnings_are_capped(void)
{
	for (int verbose = 0; verbose < 2; verbose++) {
		struct report *r = report(false, true, verbose == 1);
		struct capture e = capture(STDERR_FILENO), o = capture(STDOUT_FILENO);
		char *text, *nothing;

		for (unsigned i = 0; i < 50; i++)
			report_warn(r, "a\n\"b", 4, "number %u.", i);
		nothing = capture_text(&o);
		text = capture_text(&e);
		CHECK_STR(nothing, "");
		CHECK_INT(report_warnings(r), 50);
		CHECK_INT(occurrences(text, "snapferry test: warning: a\\x0a\\x22b: number "), verbose ? 50 : 20);
		CHECK_INT(occurrences(text, "more warnings are only counted"), !verbose);
		CHECK_INT(occurrences(text, "\n"), verbose ? 50 : 21);
		report_free(r);
		free(text);
		free(nothing);
	}
}

static void
test_quiet(void)
{
	struct report *r = report(false, true, false);
	struct capture e = capture(STDERR_FILENO), o = capture(STDOUT_FILENO);
	struct progress p = {0};
	char *text, *lines;

	report_note(r, NULL, 0, "a note");
	report_warn(r, "", 0, "the root");
	(void)error_set(&err, ERR_CORRUPT, "an error");
	report_error(r, &err);
	report_line(r, "%s", "a result");
	report_json(r, "summary", json_object_new_object());
	CHECK_OK(report_progress_start(r, &p, &err), &err);
	report_progress_stop(r);
	lines = capture_text(&o);
	text = capture_text(&e);
	CHECK_STR(text, "snapferry test: warning: .: the root\nsnapferry test: an error\n");
	CHECK_STR(lines, "a result\n");
	report_free(r);
	free(text);
	free(lines);
}

static void
test_notes(void)
{
	struct report *r = report(false, false, false);
	struct capture e = capture(STDERR_FILENO);
	char *text;

	for (unsigned i = 0; i < 30; i++)
		report_note(r, "p", 1, "note %u.", i);
	text = capture_text(&e);
	CHECK_INT(report_warnings(r), 0);
	CHECK_INT(occurrences(text, "snapferry test: p: note "), 20);
	CHECK_INT(occurrences(text, "more notes are left out"), 1);
	report_free(r);
	free(text);
}

/* ---- JSON Lines ---- */

static bool
is_utf8(const char *s)
{
	/* json-c says nothing about it; iconv's way: count what continues. */
	for (const unsigned char *p = (const unsigned char *)s; *p != '\0';) {
		size_t n = *p < 0x80                 ? 1
			   : *p >= 0xC2 && *p < 0xE0 ? 2
			   : *p >= 0xE0 && *p < 0xF0 ? 3
			   : *p >= 0xF0 && *p < 0xF5 ? 4
						     : 0;

		if (n == 0)
			return false;
		for (size_t i = 1; i < n; i++)
			if ((p[i] & 0xC0) != 0x80)
				return false;
		p += n;
	}
	return true;
}

/* Every line is one whole object with a type; how many have this type and this text. */
static size_t
check_lines(struct capture *c, const char *type, const char *what)
{
	char line[20000];
	size_t n = 0;

	capture_end(c);
	while (fgets(line, sizeof(line), c->file) != NULL) {
		struct json_object *o, *t, *last;
		enum json_tokener_error e;

		CHECK(strchr(line, '\n') != NULL);
		CHECK(is_utf8(line));
		o = json_tokener_parse_verbose(line, &e);
		CHECK(e == json_tokener_success && json_object_is_type(o, json_type_object));
		CHECK(json_object_object_get_ex(o, "message_type", &t));
		CHECK(strncmp(line, "{\"message_type\":", 16) == 0);
		n += strcmp(json_object_get_string(t), type) == 0 && strstr(line, what) != NULL;
		/* The only message of the concurrent test that is long: it must have come to its end. */
		if (json_object_object_get_ex(o, "end", &last))
			CHECK_STR(json_object_get_string(last), "end");
		json_object_put(o);
	}
	(void)fclose(c->file);
	return n;
}

static void
test_json_messages(void)
{
	static const struct {
		const char *type, *what;
	} cases[] = {
	    {"warning", "\"path\":\"\\\\xff/a\""},
	    {"warning", "\"message\":\"what \\\"quotes\\\"\""},
	    {"error", "\"code\":\"corrupt\""},
	    {"error", "\"exit_status\":20"},
	    {"note", "a note"},
	    {"summary", "\"raw\":\"a\\ufffdb\\ufffd\\ufffd\\u0001/\u00e4\""},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct report *r = report(true, false, false);
		struct capture o = capture(STDOUT_FILENO), e = capture(STDERR_FILENO);
		struct json_object *j = json_object_new_object();
		char *text;

		(void)json_object_object_add(j, "raw",
		    json_object_new_string("a\xff"
					   "b\xc3\xe2\x01/\u00e4"));
		report_warn(r, "\xff/a", 3, "what \"quotes\"");
		(void)error_set(&err, ERR_CORRUPT, "damage");
		report_error(r, &err);
		report_note(r, NULL, 0, "a note");
		report_line(r, "not in JSON");
		report_json(r, "summary", j);
		text = capture_text(&e);
		CHECK_STR(text, "");
		free(text);
		CHECK_INT(check_lines(&o, cases[i].type, cases[i].what), 1);
		CHECK(report_is_json(r));
		report_free(r);
	}
}

/* A text that is too long is cut, perhaps in the middle of a letter: still a line of JSON. */
static void
test_json_cut(void)
{
	struct report *r = report(true, false, false);
	struct capture o = capture(STDOUT_FILENO);
	char text[1200] = "";

	for (size_t i = 0; i < 500; i++)
		strcat(text, "\u00e4");
	for (size_t i = 0; i < 2; i++)
		report_warn(r, text, strlen(text), "%s%s", i == 0 ? "" : "x", text);
	CHECK_INT(check_lines(&o, "warning", "\u00e4"), 2);
	report_free(r);
}

/* Warnings are not capped: a program can count for itself. */
static void
test_json_all(void)
{
	struct report *r = report(true, false, false);
	struct capture o = capture(STDOUT_FILENO);

	for (unsigned i = 0; i < 50; i++)
		report_warn(r, NULL, 0, "number %u", i);
	CHECK_INT(check_lines(&o, "warning", "number"), 50);
	report_free(r);
}

#define THREADS 8
#define EACH    250

static void *
talk(void *arg)
{
	struct report *r = arg;

	for (unsigned i = 0; i < EACH; i++) {
		struct json_object *j = json_object_new_object();
		char text[3000];

		memset(text, 'x', sizeof(text) - 1);
		text[sizeof(text) - 1] = '\0';
		(void)json_object_object_add(j, "text", json_object_new_string(text));
		(void)json_object_object_add(j, "end", json_object_new_string("end"));
		report_json(r, "entry", j);
		report_warn(r, "path", 4, "one of many");
		report_line(r, "line %600u end", i);
	}
	return NULL;
}

static void
run_threads(struct report *r)
{
	pthread_t threads[THREADS];

	for (size_t i = 0; i < THREADS; i++)
		CHECK_INT(pthread_create(&threads[i], NULL, talk, r), 0);
	for (size_t i = 0; i < THREADS; i++)
		CHECK_INT(pthread_join(threads[i], NULL), 0);
	CHECK_INT(report_warnings(r), THREADS * EACH);
}

static void
test_threads_json(void)
{
	struct report *r = report(true, false, false);
	struct capture o = capture(STDOUT_FILENO);
	struct progress p = {0};

	CHECK_OK(report_progress_start(r, &p, &err), &err);
	run_threads(r);
	report_progress_stop(r);
	CHECK_INT(check_lines(&o, "entry", "\"end\":\"end\"}"), THREADS * EACH);
	report_free(r);
}

static void
test_threads_text(void)
{
	struct report *r = report(false, false, false);
	struct capture e = capture(STDERR_FILENO), o = capture(STDOUT_FILENO);
	char line[1000], *text;
	size_t lines = 0;

	run_threads(r);
	capture_end(&o);
	for (; fgets(line, sizeof(line), o.file) != NULL; lines++) {
		CHECK_INT(strlen(line), 5 + 600 + 4 + 1);
		CHECK_STR(line + 605, " end\n");
	}
	(void)fclose(o.file);
	CHECK_INT(lines, THREADS * EACH);
	text = capture_text(&e);
	CHECK_INT(occurrences(text, "snapferry test: warning: path: one of many\n"), 20);
	free(text);
	report_free(r);
}

/* Started and stopped again and again; nothing is said within the first interval. */
static void
test_progress(void)
{
	struct report *r = report(false, false, false);
	struct capture e = capture(STDERR_FILENO);
	struct progress p = {0};
	char *text;

	for (int i = 0; i < 200; i++) {
		CHECK_OK(report_progress_start(r, &p, &err), &err);
		atomic_fetch_add(&p.bytes, 1);
		report_progress_stop(r);
		report_progress_stop(r);
	}
	CHECK_OK(report_progress_start(r, &p, &err), &err);
	report_free(r); /* stops it */
	text = capture_text(&e);
	CHECK_STR(text, "");
	free(text);
	report_free(NULL);
}

int
main(void)
{
	(void)alarm(60);
	test_numbers();
	test_durations();
	test_rates();
	test_warnings_are_capped();
	test_quiet();
	test_notes();
	test_json_messages();
	test_json_cut();
	test_json_all();
	test_threads_json();
	test_threads_text();
	test_progress();
	return 0;
}
