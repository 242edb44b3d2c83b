#include "proxy_rules.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define RULES_MAX 64

struct rule {
	char method[16], path[256]; /* "*": any */
	long skip; /* matches to let through first */
	long times; /* matches that are still to be hit; negative: all */
	struct fault fault;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *rules_path;
static struct stat seen; /* the file that the rules are from */
static struct rule rules[RULES_MAX];
static size_t nrules;

static const struct {
	const char *name;
	enum fault_kind kind;
} kinds[] = {
    {"-", FAULT_NONE},
    {"refuse", FAULT_REFUSE},
    {"reset", FAULT_RESET},
    {"close", FAULT_CLOSE},
    {"stall", FAULT_STALL},
    {"flip", FAULT_FLIP},
    {"double", FAULT_DOUBLE},
    {"reply", FAULT_REPLY},
    {"reply-after", FAULT_REPLY_AFTER},
    {"repeat", FAULT_REPEAT},
    {"delay", FAULT_DELAY},
    {"rate", FAULT_RATE},
};

const char *
fault_name(enum fault_kind kind)
{
	return kinds[kind].name;
}

static enum fault_kind
kind_named(const char *name)
{
	for (size_t i = 1; i < sizeof kinds / sizeof *kinds; i++)
		if (strcmp(kinds[i].name, name) == 0)
			return kinds[i].kind;
	return FAULT_NONE;
}

/* A wrong rule would make a test pass that tests nothing. */
static void
complain(const char *line)
{
	(void)fprintf(stderr, "proxy: %s: what is \"%s\"?\n", rules_path, line);
	exit(2);
}

static const char *
word(char **rest)
{
	const char *next;

	do
		next = strsep(rest, " \t\n");
	while (next != NULL && *next == '\0');
	return next == NULL ? "" : next;
}

static int64_t
number(char **rest)
{
	return strtoll(word(rest), NULL, 10);
}

/* up|down, and N, body+N or end-N */
static void
parse_position(struct fault *f, char **rest, const char *line)
{
	const char *side = word(rest), *at = word(rest);
	char *end;

	f->down = strcmp(side, "down") == 0;
	if (strncmp(at, "body+", 5) == 0)
		f->from = FROM_BODY;
	else if (strncmp(at, "end-", 4) == 0)
		f->from = FROM_END;
	at += f->from == FROM_BODY ? 5 : f->from == FROM_END ? 4 : 0;
	f->at = strtoll(at, &end, 10);
	if ((!f->down && strcmp(side, "up") != 0) || end == at || *end != '\0')
		complain(line);
}

/* STATUS CODE and headers as Name:Value; of a Date only how far it is ahead is said. */
static void
parse_reply(struct fault *f, char **rest, const char *line)
{
	const char *header;
	size_t used = 0;

	f->status = (int)number(rest);
	(void)snprintf(f->code, sizeof f->code, "%s", word(rest));
	while (*(header = word(rest)) != '\0') {
		if (strncmp(header, "Date:", 5) == 0)
			f->clock = strtoll(header + 5, NULL, 10);
		else if (strchr(header, ':') == NULL || used + strlen(header) + 3 > sizeof f->headers)
			complain(line);
		else
			used += (size_t)snprintf(f->headers + used, sizeof f->headers - used, "%s\r\n", header);
	}
	if (f->status < 200 || f->status > 599 || *f->code == '\0')
		complain(line);
}

static void
parse_fault(struct fault *f, const char *name, char **rest, const char *line)
{
	f->kind = kind_named(name);
	switch (f->kind) {
	case FAULT_RESET:
	case FAULT_CLOSE:
	case FAULT_FLIP:
	case FAULT_DOUBLE:
		parse_position(f, rest, line);
		break;
	case FAULT_STALL:
		parse_position(f, rest, line);
		f->seconds = strtod(word(rest), NULL);
		break;
	case FAULT_REPLY:
	case FAULT_REPLY_AFTER:
		parse_reply(f, rest, line);
		break;
	case FAULT_RATE:
		f->down = strcmp(word(rest), "down") == 0;
		/* fall through */
	case FAULT_DELAY:
		f->amount = number(rest);
		break;
	case FAULT_REFUSE:
	case FAULT_REPEAT:
		break;
	case FAULT_NONE:
		complain(line);
	}
	if (*word(rest) != '\0')
		complain(line);
}

static void
parse_rule(struct rule *r, const char *line)
{
	char text[1024], *rest = text;
	const char *next;

	(void)snprintf(text, sizeof text, "%s", line);
	*r = (struct rule){.method = "*", .path = "*", .times = -1};
	for (;;) {
		next = word(&rest);
		if (strcmp(next, "match") == 0) {
			(void)snprintf(r->method, sizeof r->method, "%s", word(&rest));
			(void)snprintf(r->path, sizeof r->path, "%s", word(&rest));
		} else if (strcmp(next, "times") == 0)
			r->times = (long)number(&rest);
		else if (strcmp(next, "skip") == 0)
			r->skip = (long)number(&rest);
		else
			break;
	}
	parse_fault(&r->fault, next, &rest, line);
}

void
rules_use(const char *path)
{
	rules_path = path;
}

static bool
same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* Rules that have been read keep their counts until the file is another one.  Called with the lock. */
static void
refresh(void)
{
	struct stat now = {0};
	char line[1024];
	FILE *f;

	if (rules_path == NULL)
		return;
	if (stat(rules_path, &now) == 0 && same_file(&now, &seen))
		return;
	seen = now;
	nrules = 0;
	f = fopen(rules_path, "re");
	while (f != NULL && fgets(line, sizeof line, f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (line[strspn(line, " \t")] == '\0' || line[0] == '#')
			continue;
		if (nrules == RULES_MAX)
			complain("one rule too many");
		parse_rule(&rules[nrules++], line);
	}
	if (f != NULL)
		(void)fclose(f);
}

/* Counts a match, and says whether it is to be hit. */
static bool
is_due(struct rule *r)
{
	if (r->skip > 0) {
		r->skip--;
		return false;
	}
	if (r->times > 0)
		r->times--;
	else if (r->times == 0)
		return false;
	return true;
}

static bool
matches(const struct rule *r, const char *method, const char *path)
{
	return (strcmp(r->method, "*") == 0 || strcmp(r->method, method) == 0) &&
	       (strcmp(r->path, "*") == 0 || strstr(path, r->path) != NULL);
}

bool
rules_refuse(void)
{
	bool found = false;

	(void)pthread_mutex_lock(&lock);
	refresh();
	for (size_t i = 0; i < nrules && !found; i++)
		found = rules[i].fault.kind == FAULT_REFUSE && is_due(&rules[i]);
	(void)pthread_mutex_unlock(&lock);
	return found;
}

static void
add(struct faults *all, const struct fault *f)
{
	if (f->kind == FAULT_DELAY)
		all->delay_ms += f->amount;
	else if (f->kind == FAULT_RATE)
		*(f->down ? &all->rate_down : &all->rate_up) = f->amount;
	else
		all->fault = *f;
}

void
rules_for(const char *method, const char *path, struct faults *all)
{
	bool is_fault;

	memset(all, 0, sizeof *all);
	(void)pthread_mutex_lock(&lock);
	refresh();
	for (size_t i = 0; i < nrules; i++) {
		struct rule *r = &rules[i];

		is_fault = r->fault.kind != FAULT_DELAY && r->fault.kind != FAULT_RATE;
		if (r->fault.kind == FAULT_REFUSE || (is_fault && all->fault.kind != FAULT_NONE))
			continue;
		if (matches(r, method, path) && is_due(r))
			add(all, &r->fault);
	}
	(void)pthread_mutex_unlock(&lock);
}

int64_t
fault_position(const struct fault *f, size_t head, int64_t body)
{
	int64_t end, at;

	if (f->from == FROM_START)
		return f->at;
	if (f->from == FROM_BODY)
		return (int64_t)head + f->at;
	if (body == INT64_MAX)
		return INT64_MAX;
	end = (int64_t)head + body;
	at = end - f->at;
	return at < 0 ? 0 : at;
}
