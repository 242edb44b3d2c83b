#ifndef LANDING_H_
#define LANDING_H_

#include <stdbool.h>
#include <sys/stat.h>

#include "../exporter/target_internal.h"

/* For tests of an import's target: the folder "root" in a temporary folder, and beside it the folder "outside", in
 * which nothing may appear.  Names and paths are relative to the temporary folder, unless they go through a target. */

#define LANDING_ID     "0123abcd"
#define LANDING_MARKER ".snapferry-" LANDING_ID

extern char landing_base[256];
extern unsigned landing_warnings;
extern char landing_last_warning[128];

/* Set everything up, do the tests, and leave nothing behind. */
void landing_tests(const char *name, void (*const tests[])(void), size_t count);

/* No root, an empty "outside", no warnings. */
void landing_fresh(void);
/* Overwritten by the fourth call after this one. */
const char *landing_path(const char *rel);
void landing_put(const char *rel, const char *text);
void landing_check(const char *rel, const void *want, size_t len);
bool landing_exists(const char *rel);
struct stat landing_stat(const char *rel);
void landing_check_outside(void);

/* Both: the target of a new import in a new place. */
struct target *landing_begin(void);

/* A target_warn_fn. */
void landing_warn(void *arg, const char *path, size_t len, const char *what);
int landing_try_open(bool overwrite, struct target **, struct error *);
struct target *landing_open(bool overwrite);
/* The target is whole: no marker is left. */
void landing_finish(struct target *);

struct entry landing_entry(enum entry_type, const char *path);
int landing_small(struct target *, const char *path, const char *text, struct error *);
int landing_folder(struct target *, const char *path, struct error *);
int landing_special(struct target *, const struct entry *, struct error *);
int landing_symlink(struct target *, const char *path, const char *to, struct error *);
/* 1: linked; 0: already whole; 2: a target_file in *out, or (NULL) the group is lost. */
int landing_file(struct target *, const struct entry *, unsigned parts, struct target_file **out, struct error *);
/* A member of a hard-link group, with content when it is the first. */
int landing_member(struct target *, const char *path, unsigned nlink);

#endif
