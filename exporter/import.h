#ifndef IMPORT_H_
#define IMPORT_H_

#include <stdbool.h>
#include <stddef.h>

#include "repo.h"
#include "report.h"
#include "select.h"

/*
 * Import: a snapshot becomes a folder tree or the content of a device.
 *
 *   plan (the caller's thread)  --ranges-->  fetch (n threads)  --ranges-->  restore (n threads)
 *   read the catalog, make folders,          get them from the               open, decompress, write files,
 *   sort what is wanted by pack              store                           attributes
 *
 * A second pass over the catalog gives folders their attributes.  Memory is a window of the catalog and a fixed set of
 * range buffers.
 */
struct import_options {
	const char *target;
	struct selection selection; /* file mode */
	bool overwrite;
	bool no_devices; /* leave device nodes out */
	bool dry_run;
	unsigned threads; /* restore threads */
	unsigned connections; /* fetch threads */
};

struct import_result {
	uint64_t files, folders, symlinks, specials, links;
	uint64_t bytes; /* of content, written */
	uint64_t skipped; /* files that an interrupted import had restored already */
	uint64_t left_out; /* device nodes that are not wanted: no warnings */
	uint64_t damaged; /* files that could not be restored */
	bool resumed;
};

/* Takes the manifest's content over.  Damaged files are reported and left out, and the end is ERR_CORRUPT. */
int import_run(const struct volume *, struct manifest *, const struct import_options *, struct report *,
    struct progress *, struct import_result *out, struct error *);
void import_cancel(void);

#endif
