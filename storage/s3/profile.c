/*
 * AWS's two INI files as one.
 *
 * The text of a file is cut into strings where it lies, so that every secret exists once and one wipe is enough.  The
 * rules are those of AWS's newer tools, which read a file that Velero reads; where these would guess, we refuse.
 */
#include "profile.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "array.h"
#include "buf.h"
#include "cleanup.h"
#include "error.h"
#include "smallfile.h"

enum { FILE_MAX = 1024 * 1024, FILES = 2, PATH_LEN_MAX = 4096 };

/* Which section's value goes first: the smaller one. */
enum rank { RANK_CREDENTIALS, RANK_PROFILE, RANK_DEFAULT };

struct section {
	const char *name; /* NULL: one that we do not look at */
	bool services;
	enum rank rank;
};

/* One line "key = value"; a section's own line has the key "". */
struct entry {
	struct section section;
	const char *group; /* "": not nested */
	const char *key, *value;
};

struct profiles {
	struct buf files[FILES];
	struct entry *entries;
	size_t count, capacity;
};

/* Where the parser is. */
struct place {
	struct profiles *profiles;
	const char *path; /* for messages */
	unsigned line;
	bool is_config;
	bool in_section;
	struct section section;
	const char *group; /* a key without value, which the next lines may be below */
	size_t group_indent;
};

static bool
is_white(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

/* Cut white space off at both ends. */
static char *
trim(char *text)
{
	size_t len;

	while (is_white(*text))
		text++;
	for (len = strlen(text); len > 0 && is_white(text[len - 1]);)
		text[--len] = '\0';
	return text;
}

static void
lower(char *text)
{
	for (; *text != '\0'; text++) {
		if (*text >= 'A' && *text <= 'Z')
			*text = (char)(*text - 'A' + 'a');
	}
}

/* The file is named, its content is not: it is secret. */
static int
refuse(const struct place *at, const char *why, struct error *err)
{
	return error_set(err, ERR_USAGE, "%s:%u: %s", at->path, at->line, why);
}

static int
add(const struct place *at, const char *group, const char *key, const char *value, struct error *err)
{
	struct profiles *p = at->profiles;
	int r;

	if (at->section.name == NULL)
		return 0;
	r = array_reserve(&p->entries, &p->capacity, p->count + 1, sizeof(*p->entries), err);
	if (r < 0)
		return r;
	p->entries[p->count++] = (struct entry){at->section, group, key, value};
	return 0;
}

/* The name behind a word as "profile", or NULL; it may be in quotes. */
static char *
name_after(char *text, const char *word)
{
	size_t len = strlen(word);
	char *name;

	if (strncmp(text, word, len) != 0 || !is_white(text[len]))
		return NULL;
	name = trim(text + len);
	len = strlen(name);
	if (len >= 2 && (*name == '"' || *name == '\'') && name[len - 1] == *name) {
		name[len - 1] = '\0';
		name++;
	}
	return name;
}

static struct section
section_of(const struct place *at, char *name)
{
	struct section s = {NULL, false, RANK_PROFILE};

	if (!at->is_config)
		return (struct section){name, false, RANK_CREDENTIALS};
	if (strcmp(name, "default") == 0)
		return (struct section){name, false, RANK_DEFAULT};
	s.name = name_after(name, "services");
	if (s.name != NULL)
		s.services = true;
	else
		s.name = name_after(name, "profile");
	return s;
}

static int
parse_section(struct place *at, char *line, struct error *err)
{
	char *end = strchr(line, ']');
	char *behind;

	if (end == NULL)
		return refuse(at, "a section without \"]\"", err);
	*end = '\0';
	behind = trim(end + 1);
	if (*behind != '\0' && *behind != '#' && *behind != ';')
		return refuse(at, "something behind \"]\"", err);
	at->section = section_of(at, trim(line + 1));
	at->in_section = true;
	at->group = NULL;
	return add(at, "", "", "", err);
}

/* A comment begins behind white space: a value with '#' in the middle is whole. */
static void
cut_comment(char *value)
{
	for (char *c = value; *c != '\0'; c++) {
		if (is_white(*c) && (c[1] == '#' || c[1] == ';')) {
			*c = '\0';
			(void)trim(value);
			return;
		}
	}
}

static int
parse_property(struct place *at, char *line, size_t indent, struct error *err)
{
	char *equals = strchr(line, '=');
	char *key, *value;

	if (equals == NULL)
		return refuse(at, "neither [section] nor key = value", err);
	if (!at->in_section)
		return refuse(at, "a value before the first [section]", err);
	*equals = '\0';
	key = trim(line);
	value = trim(equals + 1);
	lower(key);
	cut_comment(value);
	if (*key == '\0')
		return refuse(at, "a value without a key", err);
	if (at->group != NULL && indent > at->group_indent)
		return add(at, at->group, key, value, err);
	at->group = *value == '\0' ? key : NULL;
	at->group_indent = indent;
	return add(at, "", key, value, err);
}

static int
parse_line(struct place *at, char *line, struct error *err)
{
	size_t indent = strspn(line, " \t");
	char *text = trim(line);

	if (*text == '\0' || *text == '#' || *text == ';')
		return 0;
	return *text == '[' ? parse_section(at, text, err) : parse_property(at, text, indent, err);
}

/* The text of a file, in place; the NUL behind it is added here. */
static int
parse_file(struct profiles *p, struct buf *file, const char *path, bool is_config, struct error *err)
{
	static const char mark[] = "\xef\xbb\xbf"; /* what some editors put before UTF-8 */
	struct place at = {.profiles = p, .path = path, .line = 1, .is_config = is_config};
	char *line, *end;
	int r = 0;

	if (file->len > 0 && memchr(file->data, '\0', file->len) != NULL)
		return error_set(err, ERR_USAGE, "%s holds a NUL byte", path);
	buf_u8(file, 0);
	if (file->failed)
		return error_nomem(err);
	line = (char *)file->data;
	if (strncmp(line, mark, strlen(mark)) == 0)
		line += strlen(mark);
	for (; r == 0 && line != NULL; line = end, at.line++) {
		end = strchr(line, '\n');
		if (end != NULL)
			*end++ = '\0';
		r = parse_line(&at, line, err);
	}
	return r;
}

static struct profiles *
new_profiles(void)
{
	struct profiles *p = calloc(1, sizeof(*p));

	for (size_t i = 0; p != NULL && i < FILES; i++)
		buf_init(&p->files[i], FILE_MAX + 2);
	return p;
}

static void
free_profiles(struct profiles **p)
{
	profiles_free(*p);
}

int
profiles_parse(const void *credentials, size_t credentials_len, const void *config, size_t config_len,
    struct profiles **out, struct error *err)
{
	CLEANUP(free_profiles) struct profiles *p = new_profiles();
	int r;

	if (p == NULL)
		return error_nomem(err);
	if (credentials_len > FILE_MAX || config_len > FILE_MAX)
		return error_set(err, ERR_USAGE, "profiles are longer than %d bytes", FILE_MAX);
	buf_put(&p->files[0], credentials, credentials_len);
	buf_put(&p->files[1], config, config_len);
	r = parse_file(p, &p->files[0], "credentials", false, err);
	if (r == 0)
		r = parse_file(p, &p->files[1], "config", true, err);
	if (r == 0)
		*out = STEAL(p);
	return r;
}

static const char *
setting(const char *(*get)(const char *), const char *name)
{
	const char *value = get == NULL ? getenv(name) : get(name);

	return value == NULL || *value == '\0' ? NULL : value;
}

/* Where a file is: 1, or 0 when nobody says where. */
static int
find_file(const char *(*get)(const char *), bool is_config, char path[PATH_LEN_MAX], struct error *err)
{
	const char *named = setting(get, is_config ? "AWS_CONFIG_FILE" : "AWS_SHARED_CREDENTIALS_FILE");
	const char *home = setting(get, "HOME");
	int n;

	if (home == NULL && named == NULL)
		return 0;
	if (named == NULL)
		n = snprintf(path, PATH_LEN_MAX, "%s/.aws/%s", home, is_config ? "config" : "credentials");
	else if (strncmp(named, "~/", 2) == 0 && home != NULL)
		n = snprintf(path, PATH_LEN_MAX, "%s/%s", home, named + 2);
	else
		n = snprintf(path, PATH_LEN_MAX, "%s", named);
	if (n < 0 || n >= PATH_LEN_MAX)
		return error_set(
		    err, ERR_USAGE, "the path of AWS's %s file is too long", is_config ? "config" : "credentials");
	/* A home that is closed to us, as in a container with another user, has no files. */
	return named != NULL || access(path, F_OK) == 0 ? 1 : 0;
}

static int
load_file(struct profiles *p, const char *(*get)(const char *), bool is_config, struct error *err)
{
	struct buf *file = &p->files[is_config];
	char path[PATH_LEN_MAX];
	int r = find_file(get, is_config, path, err);

	if (r <= 0)
		return r;
	r = smallfile_read(path, FILE_MAX, file, err);
	/* A file that is to be read and cannot be is a wrong setting. */
	if (r < 0)
		return r == ERR_NOMEM ? r : (int)(err->code = ERR_USAGE);
	return parse_file(p, file, path, is_config, err);
}

int
profiles_load(const char *(*get)(const char *name), struct profiles **out, struct error *err)
{
	CLEANUP(free_profiles) struct profiles *p = new_profiles();
	int r;

	if (p == NULL)
		return error_nomem(err);
	r = load_file(p, get, false, err);
	if (r == 0)
		r = load_file(p, get, true, err);
	if (r == 0)
		*out = STEAL(p);
	return r;
}

/* The last value of the section that goes first. */
static const char *
find(const struct profiles *p, bool services, const char *section, const char *group, const char *key)
{
	const struct entry *found = NULL;

	for (size_t i = 0; i < p->count; i++) {
		const struct entry *e = &p->entries[i];

		if (e->section.services == services && strcmp(e->section.name, section) == 0 &&
		    strcmp(e->group, group) == 0 && strcmp(e->key, key) == 0 && (*key == '\0' || *e->value != '\0') &&
		    (found == NULL || e->section.rank <= found->section.rank))
			found = e;
	}
	return found == NULL ? NULL : found->value;
}

bool
profiles_has(const struct profiles *p, const char *profile)
{
	return find(p, false, profile, "", "") != NULL;
}

const char *
profiles_get(const struct profiles *p, const char *profile, const char *key)
{
	return find(p, false, profile, "", key);
}

const char *
profiles_get_nested(const struct profiles *p, const char *profile, const char *group, const char *key)
{
	return find(p, false, profile, group, key);
}

const char *
profiles_s3_endpoint(const struct profiles *p, const char *profile)
{
	const char *services = profiles_get(p, profile, "services");
	const char *url = services == NULL ? NULL : find(p, true, services, "s3", "endpoint_url");

	return url != NULL ? url : profiles_get(p, profile, "endpoint_url");
}

void
profiles_free(struct profiles *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < FILES; i++)
		buf_wipe(&p->files[i]);
	free(p->entries);
	free(p);
}
