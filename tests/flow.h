#ifndef FLOW_H_
#define FLOW_H_

#include "export.h"
#include "import.h"
#include "scratch.h"
#include "store_fault.h"

/*
 * Whole exports and imports in one process: a source tree in a temporary folder, a repository in memory below a store
 * that can be told to fail.
 *
 * Programs that use this are linked with
 * -Wl,--wrap=session_clock,--wrap=syncfs,--wrap=fsync: the clock runs ahead before each export, so that nothing in the
 * source is too new to be trusted, and nothing waits for a disk.
 */
struct flow {
	char base[256]; /* temporary folder */
	char source[288], target[288]; /* paths in it; nothing is there yet */
	struct store *store; /* the failing one; owned by repo */
	struct repo *repo;
	struct progress progress;
	uint64_t warnings; /* of the last export or import */
};

#define FLOW_VOLUME "data/pg-0"

/* Reports go to standard output, which is sent to /dev/null. */
void flow_begin(struct flow *);
void flow_end(struct flow *);
/* A new store, and a new repository in it; the old one is gone. */
void flow_new_repo(struct flow *);
/* The same, and neither source nor target: nothing is left of earlier tests. */
void flow_fresh(struct flow *);

/* "<base>/<name>"; overwritten by the eighth call after this one, so not for keeping. */
const char *flow_path(const struct flow *, const char *name);
/* "<folder>/<name>", likewise. */
const char *flow_in(const char *folder, const char *name);
void flow_write(const char *path, uint64_t seed, size_t size);
#define FLOW_TREE_ENTRIES 218
#define FLOW_TREE_FILES   211
/* Files of all classes of size, sparse ones, links, a FIFO, folders, attributes: about 5 MiB. */
void flow_make_tree(const char *root);
/* Sizes of all its files, hard links counted again. */
uint64_t flow_tree_bytes(void);
/* The same kinds, as few and small as possible; one file is in chunks if chunks is true. */
void flow_make_small_tree(const char *root, bool chunks);

struct export_options flow_export_options(const char *source);
/* The manifest may be NULL. */
int flow_export(struct flow *, const struct export_options *, struct manifest *out, struct error *);
/* snapshot: NULL for the latest; the result may be NULL.  The target is flow_path() or the like. */
int flow_import(
    struct flow *, const char *snapshot, const char *target, bool overwrite, struct import_result *out, struct error *);
/* flow_import() with options; the target is in them. */
int flow_import_with(
    struct flow *, const char *snapshot, const struct import_options *, struct import_result *out, struct error *);

/* What must go well, without a warning; the import is of the latest snapshot, to f->target, which must be empty. */
void flow_must_export(struct flow *, const struct export_options *, struct manifest *out);
void flow_must_import(struct flow *, struct import_result *out);

/* Type, mode, owner, size, times, content, link target, attributes and groups of hard links: says on standard error
 * where the first difference is. */
bool flow_same(const char *a, const char *b);
/* Every snapshot of the volume can be imported; the newest `equal` of them are equal to the tree at source. */
void flow_check_snapshots(struct flow *, const char *source, size_t equal);
size_t flow_count_snapshots(struct flow *);
/* Objects in the whole store. */
size_t flow_count_objects(struct flow *);

/* Let the clock run on. */
void flow_clock_forward(int64_t seconds);

#endif
