#ifndef COMMAND_H_
#define COMMAND_H_

#include "options.h"
#include "repo.h"
#include "report.h"

/*
 * What all commands share: opening the repository with the secret that the user has, and ending with the right status.
 *
 *     int cmd_x(const struct options *o)
 *     {
 *             struct command_context c;
 *             struct error err;
 *             int r = command_begin(&c, o, "x", &err);
 *
 *             if (r == 0)
 *                     r = command_volume(&c, &err);
 *             ...
 *             return command_end(&c, r, &err);
 *     }
 */
struct command_context {
	const struct options *options;
	struct report *report;
	struct progress progress;
	struct repo *repo;
	struct volume *volume;
	uint64_t started_ms;
};

/* Make the report, find the secrets, open the repository. */
int command_begin(struct command_context *, const struct options *, const char *name, struct error *);
/* Only the report: for init. */
int command_begin_report(struct command_context *, const struct options *, const char *name, struct error *);
/* Open the volume that -V names. */
int command_volume(struct command_context *, struct error *);
/* The snapshot that -s (or spec) names, opened.  Needs command_volume(). */
int command_snapshot(struct command_context *, const char *spec, struct snapshot **out, struct error *);
/* Since the command began, in milliseconds. */
uint64_t command_elapsed_ms(const struct command_context *);
/* A path of a snapshot as people write it ("/data", "./data/", "."), as the catalog has it: not NUL-terminated. */
const char *command_path(const char *arg, size_t *len);
/*
 * Close everything, report the error if r is negative; the exit status: of the error, or 3 when there were warnings, or
 * 0. Buffered output that cannot be written (full disk, closed pipe) is an error too.
 */
int command_end(struct command_context *, int r, struct error *);

/* On SIGINT, SIGTERM and SIGHUP call fn (in a thread of its own) and go on; a second signal ends the process at once.
 * Call before threads are made. command_end() then gives 130 or 143. */
int command_on_signal(void (*fn)(void), struct error *);

/* threads, connections and memory as the options say, or what fits the machine. */
struct command_resources {
	unsigned threads, connections;
	size_t pack_size, meta_pack_size;
	size_t dedup_bytes;
};
/* remote_connections: transfers at a time when the repository is not in a local folder and the user does not say.
 * ERR_USAGE when --max-memory is too small for the threads. */
int command_resources(
    const struct options *, unsigned remote_connections, struct command_resources *out, struct error *);

int cmd_init(const struct options *);
int cmd_export(const struct options *);
int cmd_import(const struct options *);
int cmd_list(const struct options *);
int cmd_show(const struct options *);
int cmd_ls(const struct options *);
int cmd_tar(const struct options *);
int cmd_verify(const struct options *);
int cmd_diff(const struct options *);
int cmd_doctor(const struct options *);

#endif
