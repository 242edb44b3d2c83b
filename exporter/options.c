/*
 * Reading the command line and the environment.
 */
#include "options_internal.h"

#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "error.h"
#include "frame.h"

enum { FIRST_ID = 256 }; /* of getopt's: above all letters */

int64_t
options_size(const char *text)
{
	static const char units[] = "KMGTPE";
	char *end;
	double v;
	const char *u;

	if (*text < '0' || *text > '9')
		return -1;
	errno = 0;
	v = strtod(text, &end);
	/* Nothing that only strtod() would call a number: exponents, hexadecimal. */
	if (end != text + strspn(text, "0123456789."))
		return -1;
	if (*end != '\0' && (u = strchr(units, *end >= 'a' ? *end - 32 : *end)) != NULL) {
		for (ptrdiff_t i = 0; i <= u - units; i++)
			v *= 1024;
		end++;
		if (*end == 'i')
			end++;
	}
	if (*end == 'B')
		end++;
	return *end != '\0' || errno != 0 || !(v < 9e18) ? -1 : (int64_t)v;
}

static int
parse_number(const struct option_spec *spec, const char *value, long min, long max, long *out, struct error *err)
{
	char *end;

	errno = 0;
	*out = strtol(value, &end, 10);
	if (errno != 0 || *end != '\0' || end == value || *out < min || *out > max)
		return error_set(
		    err, ERR_USAGE, "--%s %s: must be a number from %ld to %ld", spec->name, value, min, max);
	return 0;
}

static int
parse_size(const struct option_spec *spec, const char *value, uint64_t *out, struct error *err)
{
	int64_t n = options_size(value);

	if (n <= 0)
		return error_set(
		    err, ERR_USAGE, "--%s %s: must be a size above zero, as 512K, 64M or 1.5G", spec->name, value);
	*out = (uint64_t)n;
	return 0;
}

static int
add_to_list(struct options_list *list, const struct option_spec *spec, const char *value, struct error *err)
{
	if (list->count == OPTIONS_LIST_MAX)
		return error_set(err, ERR_USAGE, "--%s was given more than %d times", spec->name, OPTIONS_LIST_MAX);
	list->items[list->count++] = value;
	return 0;
}

static int
add_tag(struct options *o, const struct option_spec *spec, const char *value, struct error *err)
{
	const char *equals = strchr(value, '=');
	struct manifest_tag *t = &o->tags[o->ntags];

	if (equals == NULL || equals == value)
		return error_set(err, ERR_USAGE, "--tag %s: must be KEY=VALUE", value);
	if (o->ntags == MANIFEST_TAGS_MAX)
		return error_set(err, ERR_USAGE, "--%s was given more than %d times", spec->name, MANIFEST_TAGS_MAX);
	t->key = strndup(value, (size_t)(equals - value));
	t->value = strdup(equals + 1);
	o->ntags++;
	return t->key == NULL || t->value == NULL ? error_nomem(err) : 0;
}

static int
parse_compression(struct options *o, const struct option_spec *spec, const char *value, struct error *err)
{
	long n;

	if (strcmp(value, "none") == 0) {
		o->compression = FRAME_NO_COMPRESSION;
		return 0;
	}
	if (parse_number(spec, value, -7, 19, &n, err) < 0)
		return ERR_USAGE;
	o->compression = (int)n;
	return 0;
}

static int
parse_percent(const struct option_spec *spec, const char *value, double *out, struct error *err)
{
	char *end;

	*out = strtod(value, &end);
	if (*end == '%')
		end++;
	if (*end != '\0' || end == value || !(*out > 0 && *out <= 100))
		return error_set(err, ERR_USAGE, "--%s %s: must be a number above 0, up to 100", spec->name, value);
	return 0;
}

/* The place of an option's value. */
static void *
place_of(struct options *o, const struct option_spec *spec)
{
	return (char *)o + spec->offset;
}

static int
set_number(struct options *o, const struct option_spec *spec, const char *value, struct error *err)
{
	long n;

	if (parse_number(spec, value, (long)spec->min, (long)spec->max, &n, err) < 0)
		return ERR_USAGE;
	*(unsigned *)place_of(o, spec) = (unsigned)n;
	return 0;
}

static int
set_value(struct options *o, const struct option_spec *spec, const char *value, struct error *err)
{
	switch (spec->kind) {
	case K_FLAG:
		*(bool *)place_of(o, spec) = true;
		return 0;
	case K_TEXT:
		*(const char **)place_of(o, spec) = value;
		return 0;
	case K_LIST:
		return add_to_list(place_of(o, spec), spec, value, err);
	case K_NUMBER:
		return set_number(o, spec, value, err);
	case K_SIZE:
		return parse_size(spec, value, place_of(o, spec), err);
	case K_TAG:
		return add_tag(o, spec, value, err);
	case K_COMPRESSION:
		return parse_compression(o, spec, value, err);
	case K_PERCENT:
		return parse_percent(spec, value, place_of(o, spec), err);
	}
	return error_set(err, ERR_USAGE, "--%s cannot be set", spec->name);
}

/* getopt's view of the options that the command has. */
static void
build_tables(const struct command *c, struct option *longs, char *shorts)
{
	*shorts++ = ':';
	for (size_t i = 0; i < option_count; i++) {
		const struct option_spec *s = &option_specs[i];

		if (!option_is_of(s, c))
			continue;
		*longs++ = (struct option){
		    s->name, s->argument == NULL ? no_argument : required_argument, NULL, FIRST_ID + (int)i};
		if (s->letter == 0)
			continue;
		*shorts++ = s->letter;
		if (s->argument != NULL)
			*shorts++ = ':';
	}
	memset(longs, 0, sizeof *longs);
	*shorts = '\0';
}

static const struct option_spec *
find_spec(int id)
{
	if (id >= FIRST_ID && id < FIRST_ID + (int)option_count)
		return &option_specs[id - FIRST_ID];
	for (size_t i = 0; i < option_count; i++)
		if (option_specs[i].letter != 0 && option_specs[i].letter == id)
			return &option_specs[i];
	return NULL;
}

/* What getopt did not like.  A letter may stand in the middle of an argument: only optopt tells which one it is. */
static int
bad_option(const struct command *c, int id, const char *argument, struct error *err)
{
	const struct option_spec *spec = find_spec(optopt);

	if (id == ':' && spec != NULL)
		return error_set(err, ERR_USAGE, "--%s needs a value: --%s %s", spec->name, spec->name, spec->argument);
	if (spec != NULL && optopt >= FIRST_ID)
		return error_set(err, ERR_USAGE, "--%s takes no value", spec->name);
	if (optopt != 0)
		return error_set(
		    err, ERR_USAGE, "unknown option -%c (snapferry %s --help lists them)", optopt, c->name);
	return error_set(
	    err, ERR_USAGE, "unknown or ambiguous option %s (snapferry %s --help lists them)", argument, c->name);
}

static const char *
environment(const char *name)
{
	const char *v = getenv(name);

	return v == NULL || *v == '\0' ? NULL : v;
}

static int
check_arguments(struct options *o, const struct command *c, struct error *err)
{
	if (o->help)
		return 0;
	if (o->repository == NULL)
		return error_set(err, ERR_USAGE, "no repository: give -r REPO or set SNAPFERRY_REPOSITORY");
	if (c->needs_volume && o->volume == NULL)
		return error_set(err, ERR_USAGE, "no volume: give -V NAME");
	if (o->nargs < c->min_args)
		return error_set(err, ERR_USAGE, "missing argument: snapferry %s [options] %s", c->name, c->arguments);
	if (o->nargs > c->max_args)
		return error_set(err, ERR_USAGE, "unexpected argument: %s", o->args[c->max_args]);
	return 0;
}

int
options_parse(struct options *o, const struct command *c, int argc, char **argv, struct error *err)
{
	struct option longs[OPTIONS_TABLE_MAX + 1];
	char shorts[3 * OPTIONS_TABLE_MAX];
	int id, r;

	memset(o, 0, sizeof *o);
	o->compression = 1;
	o->level = 2;
	o->sample = 100;
	o->repository = environment("SNAPFERRY_REPOSITORY");
	o->password_file = environment("SNAPFERRY_PASSWORD_FILE");
	o->key_file = environment("SNAPFERRY_KEY_FILE");
	build_tables(c, longs, shorts);
	opterr = 0;
	/* 0: glibc begins anew, also in the middle of an argument. */
	optind = 0;
	while ((id = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		const struct option_spec *spec = find_spec(id);

		if (id == ':' || id == '?' || spec == NULL)
			return bad_option(c, id, argv[optind - 1], err);
		if (spec->argument != NULL && *optarg == '\0')
			return error_set(err, ERR_USAGE, "--%s: the value is empty", spec->name);
		r = set_value(o, spec, optarg, err);
		if (r < 0)
			return r;
	}
	o->args = argv + optind;
	o->nargs = (size_t)(argc - optind);
	o->snapshot_given = o->snapshot != NULL;
	if (o->snapshot == NULL)
		o->snapshot = "latest";
	o->s3.tags = o->object_tags.items;
	o->s3.ntags = o->object_tags.count;
	return check_arguments(o, c, err);
}

void
options_wipe(struct options *o)
{
	for (size_t i = 0; i < o->ntags; i++) {
		free(o->tags[i].key);
		free(o->tags[i].value);
	}
	memset(o, 0, sizeof *o);
}
