#ifndef OPTIONS_H_
#define OPTIONS_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "manifest.h"
#include "s3.h"

struct error;

/* What the command line and the environment say, for all commands: one table in options.c, from which parsing and
 * --help are made. */

#define OPTIONS_LIST_MAX 256

struct options_list {
	const char *items[OPTIONS_LIST_MAX];
	size_t count;
};

struct options {
	const char *repository;
	const char *volume;
	const char *snapshot; /* "latest" unless given */
	bool snapshot_given;
	const char *password_file;
	const char *key_file;
	const char *new_key_file;
	const char *label;
	bool json, quiet, verbose, help;
	bool block, overwrite, no_devices, dry_run, full;
	bool cross_file_systems, ignore_inode;
	bool long_listing, recursive, quick;
	struct options_list includes, excludes;
	struct manifest_tag tags[MANIFEST_TAGS_MAX]; /* keys malloc'ed */
	size_t ntags;
	int compression; /* zstd level or FRAME_NO_COMPRESSION */
	unsigned threads, connections; /* 0: automatic */
	uint64_t max_memory; /* bytes, 0: automatic */
	uint64_t limit_upload, limit_download; /* bytes a second, 0: none */
	unsigned level; /* of verify */
	double sample; /* percent */
	struct s3_settings s3; /* for repositories in a bucket */
	struct options_list object_tags; /* of s3 */
	char **args; /* what follows the options */
	size_t nargs;
};

enum command_id {
	CMD_INIT,
	CMD_EXPORT,
	CMD_IMPORT,
	CMD_LIST,
	CMD_SHOW,
	CMD_LS,
	CMD_TAR,
	CMD_VERIFY,
	CMD_DIFF,
	CMD_DOCTOR,
	CMD_COUNT
};

struct command {
	const char *name;
	enum command_id id;
	const char *arguments; /* for usage: "SOURCE" */
	size_t min_args, max_args;
	const char *summary;
	const char *description; /* for --help */
	bool needs_volume;
	/* Returns an exit status. */
	int (*run)(const struct options *);
};

/* argv[0] is the command's name.  ERR_USAGE with one line. */
int options_parse(struct options *, const struct command *, int argc, char **argv, struct error *);
void options_wipe(struct options *);
/* The help text of a command, to standard output. */
void options_help(const struct command *);

/* "64M", "1.5GiB", "4096": powers of 1024.  -1 when it is none. */
int64_t options_size(const char *text);

#endif
