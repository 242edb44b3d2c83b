/*
 * The table of options, and what follows from it.
 */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "error.h"
#include "frame.h"

#define BIT(c)  (1u << (c))
#define ALL     (BIT(CMD_COUNT) - 1)
#define READING (BIT(CMD_IMPORT) | BIT(CMD_SHOW) | BIT(CMD_LS) | BIT(CMD_TAR) | BIT(CMD_VERIFY) | BIT(CMD_DIFF))
#define MOVING  (BIT(CMD_EXPORT) | BIT(CMD_IMPORT) | BIT(CMD_VERIFY))

enum option_id {
	O_REPOSITORY = 256,
	O_VOLUME,
	O_SNAPSHOT,
	O_BLOCK,
	O_TAG,
	O_INCLUDE,
	O_EXCLUDE,
	O_OVERWRITE,
	O_NO_DEVICES,
	O_CROSS,
	O_IGNORE_INODE,
	O_FULL,
	O_LONG,
	O_RECURSIVE,
	O_QUICK,
	O_LEVEL,
	O_SAMPLE,
	O_NEW_KEY_FILE,
	O_LABEL,
	O_COMPRESSION,
	O_THREADS,
	O_CONNECTIONS,
	O_MAX_MEMORY,
	O_LIMIT_UPLOAD,
	O_LIMIT_DOWNLOAD,
	O_DRY_RUN,
	O_PASSWORD_FILE,
	O_KEY_FILE,
	O_JSON,
	O_QUIET,
	O_VERBOSE,
	O_HELP
};

static const struct option_spec {
	enum option_id id;
	char letter; /* 0: none */
	const char *name;
	const char *argument; /* NULL: none */
	unsigned commands;
	const char *help;
} specs[] = {
    {O_REPOSITORY, 'r', "repository", "REPO", ALL, "a path or file:///path [$SNAPFERRY_REPOSITORY]"},
    {O_VOLUME, 'V', "volume", "NAME", ALL & ~BIT(CMD_INIT), "the volume's name in the repository"},
    {O_SNAPSHOT, 's', "snapshot", "SNAPSHOT", READING & ~BIT(CMD_DIFF),
	"an id, a unique prefix of one, latest, or a time"},
    {O_BLOCK, 0, "block", NULL, BIT(CMD_EXPORT) | BIT(CMD_IMPORT), "a device or image file instead of a folder"},
    {O_TAG, 0, "tag", "K=V", BIT(CMD_EXPORT), "keep this with the snapshot (repeatable)"},
    {O_INCLUDE, 0, "include", "GLOB", BIT(CMD_IMPORT) | BIT(CMD_TAR),
	"only what matches, and all below it (repeatable)"},
    {O_EXCLUDE, 0, "exclude", "GLOB", BIT(CMD_EXPORT) | BIT(CMD_IMPORT) | BIT(CMD_TAR),
	"leave out what matches, and all below it (repeatable)"},
    {O_OVERWRITE, 0, "overwrite", NULL, BIT(CMD_IMPORT), "the target may hold data, which is replaced"},
    {O_NO_DEVICES, 0, "no-devices", NULL, BIT(CMD_IMPORT), "do not create device nodes"},
    {O_CROSS, 0, "cross-file-systems", NULL, BIT(CMD_EXPORT), "also what is mounted below SOURCE"},
    {O_IGNORE_INODE, 0, "ignore-inode", NULL, BIT(CMD_EXPORT), "inode numbers are not stable: do not compare them"},
    {O_FULL, 0, "full", NULL, BIT(CMD_EXPORT), "read every file, changed or not"},
    {O_LONG, 'l', "long", NULL, BIT(CMD_LS) | BIT(CMD_LIST), "with details"},
    {O_RECURSIVE, 'R', "recursive", NULL, BIT(CMD_LS), "also everything below"},
    {O_QUICK, 0, "quick", NULL, BIT(CMD_DIFF), "compare sizes and times, do not read files"},
    {O_LEVEL, 0, "level", "0-4", BIT(CMD_VERIFY), "how deep (default 2)"},
    {O_SAMPLE, 0, "sample", "PERCENT", BIT(CMD_VERIFY), "of the packs, at levels 3 and 4 (default 100)"},
    {O_NEW_KEY_FILE, 0, "new-key-file", "FILE", BIT(CMD_INIT), "make a random key and write it to FILE"},
    {O_LABEL, 0, "label", "TEXT", BIT(CMD_INIT), "a name for the key slot"},
    {O_COMPRESSION, 0, "compression", "LEVEL", BIT(CMD_EXPORT), "zstd level -7 to 19, or none (default 1)"},
    {O_THREADS, 0, "threads", "N", MOVING, "threads that compute (default: one a core)"},
    {O_CONNECTIONS, 0, "connections", "N", MOVING | BIT(CMD_TAR), "transfers at the same time"},
    {O_MAX_MEMORY, 0, "max-memory", "SIZE", MOVING, "ceiling of memory, as 128M"},
    {O_LIMIT_UPLOAD, 0, "limit-upload", "RATE", BIT(CMD_EXPORT), "bytes a second, as 50M"},
    {O_LIMIT_DOWNLOAD, 0, "limit-download", "RATE", READING, "bytes a second, as 50M"},
    {O_DRY_RUN, 'n', "dry-run", NULL, BIT(CMD_EXPORT) | BIT(CMD_IMPORT), "tell what would be done, write nothing"},
    {O_PASSWORD_FILE, 0, "password-file", "FILE", ALL, "the passphrase is its first line [$SNAPFERRY_PASSWORD_FILE]"},
    {O_KEY_FILE, 0, "key-file", "FILE", ALL, "a raw key instead of a passphrase [$SNAPFERRY_KEY_FILE]"},
    {O_JSON, 0, "json", NULL, ALL, "JSON Lines on standard output"},
    {O_QUIET, 'q', "quiet", NULL, ALL, "no progress and no notes"},
    {O_VERBOSE, 'v', "verbose", NULL, ALL, "every warning and note"},
    {O_HELP, 'h', "help", NULL, ALL, "this text"},
};

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
parse_sample(struct options *o, const struct option_spec *spec, const char *value, struct error *err)
{
	char *end;

	o->sample = strtod(value, &end);
	if (*end == '%')
		end++;
	if (*end != '\0' || end == value || !(o->sample > 0 && o->sample <= 100))
		return error_set(err, ERR_USAGE, "--%s %s: must be a number above 0, up to 100", spec->name, value);
	return 0;
}

/* Options that are a plain number. */
static int
set_number(struct options *o, const struct option_spec *spec, const char *value, struct error *err)
{
	long n;

	switch (spec->id) {
	case O_LEVEL:
		if (parse_number(spec, value, 0, 4, &n, err) < 0)
			return ERR_USAGE;
		o->level = (unsigned)n;
		return 0;
	case O_THREADS:
		if (parse_number(spec, value, 1, 256, &n, err) < 0)
			return ERR_USAGE;
		o->threads = (unsigned)n;
		return 0;
	default:
		if (parse_number(spec, value, 1, 256, &n, err) < 0)
			return ERR_USAGE;
		o->connections = (unsigned)n;
		return 0;
	}
}

/* Options without argument. */
static int
set_flag(struct options *o, const struct option_spec *spec)
{
	switch (spec->id) {
	case O_BLOCK:
		o->block = true;
		break;
	case O_OVERWRITE:
		o->overwrite = true;
		break;
	case O_NO_DEVICES:
		o->no_devices = true;
		break;
	case O_CROSS:
		o->cross_file_systems = true;
		break;
	case O_IGNORE_INODE:
		o->ignore_inode = true;
		break;
	case O_FULL:
		o->full = true;
		break;
	case O_LONG:
		o->long_listing = true;
		break;
	case O_RECURSIVE:
		o->recursive = true;
		break;
	case O_QUICK:
		o->quick = true;
		break;
	case O_DRY_RUN:
		o->dry_run = true;
		break;
	case O_JSON:
		o->json = true;
		break;
	case O_QUIET:
		o->quiet = true;
		break;
	case O_VERBOSE:
		o->verbose = true;
		break;
	default:
		o->help = true;
		break;
	}
	return 0;
}

static int
set_value(struct options *o, const struct option_spec *spec, const char *value, struct error *err)
{
	switch (spec->id) {
	case O_REPOSITORY:
		o->repository = value;
		return 0;
	case O_VOLUME:
		o->volume = value;
		return 0;
	case O_SNAPSHOT:
		o->snapshot = value;
		o->snapshot_given = true;
		return 0;
	case O_NEW_KEY_FILE:
		o->new_key_file = value;
		return 0;
	case O_LABEL:
		o->label = value;
		return 0;
	case O_PASSWORD_FILE:
		o->password_file = value;
		return 0;
	case O_KEY_FILE:
		o->key_file = value;
		return 0;
	case O_TAG:
		return add_tag(o, spec, value, err);
	case O_INCLUDE:
		return add_to_list(&o->includes, spec, value, err);
	case O_EXCLUDE:
		return add_to_list(&o->excludes, spec, value, err);
	case O_COMPRESSION:
		return parse_compression(o, spec, value, err);
	case O_SAMPLE:
		return parse_sample(o, spec, value, err);
	case O_MAX_MEMORY:
		return parse_size(spec, value, &o->max_memory, err);
	case O_LIMIT_UPLOAD:
		return parse_size(spec, value, &o->limit_upload, err);
	case O_LIMIT_DOWNLOAD:
		return parse_size(spec, value, &o->limit_download, err);
	default:
		return set_number(o, spec, value, err);
	}
}

/* getopt's view of the options that the command has. */
static void
build_tables(const struct command *c, struct option *longs, char *shorts)
{
	*shorts++ = ':';
	for (size_t i = 0; i < COUNT_OF(specs); i++) {
		const struct option_spec *s = &specs[i];

		if ((s->commands & BIT(c->id)) == 0)
			continue;
		*longs++ = (struct option){s->name, s->argument == NULL ? no_argument : required_argument, NULL, s->id};
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
	for (size_t i = 0; i < COUNT_OF(specs); i++)
		if ((int)specs[i].id == id || (specs[i].letter != 0 && specs[i].letter == id))
			return &specs[i];
	return NULL;
}

/* What getopt did not like.  A letter may stand in the middle of an argument: only optopt tells which one it is. */
static int
bad_option(const struct command *c, int id, const char *argument, struct error *err)
{
	const struct option_spec *spec = find_spec(optopt);

	if (id == ':' && spec != NULL)
		return error_set(err, ERR_USAGE, "--%s needs a value: --%s %s", spec->name, spec->name, spec->argument);
	if (spec != NULL && optopt >= O_REPOSITORY)
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
	struct option longs[COUNT_OF(specs) + 1];
	char shorts[3 * COUNT_OF(specs)];
	int id, r;

	memset(o, 0, sizeof *o);
	o->snapshot = "latest";
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
		r = spec->argument == NULL ? set_flag(o, spec) : set_value(o, spec, optarg, err);
		if (r < 0)
			return r;
	}
	o->args = argv + optind;
	o->nargs = (size_t)(argc - optind);
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

void
options_help(const struct command *c)
{
	(void)printf("Usage: snapferry %s [options]%s%s\n\n%s\n\nOptions:\n", c->name, *c->arguments == '\0' ? "" : " ",
	    c->arguments, c->description);
	for (size_t i = 0; i < COUNT_OF(specs); i++) {
		const struct option_spec *s = &specs[i];
		char left[64];

		if ((s->commands & BIT(c->id)) == 0)
			continue;
		(void)snprintf(left, sizeof left, "%s%c%s--%s%s%s", s->letter == 0 ? "  " : "-",
		    s->letter == 0 ? ' ' : s->letter, s->letter == 0 ? " " : ", ", s->name,
		    s->argument == NULL ? "" : " ", s->argument == NULL ? "" : s->argument);
		(void)printf("  %-28s %s\n", left, s->help);
	}
}
