#ifndef VERIFY_H_
#define VERIFY_H_

#include <stdbool.h>
#include <stdint.h>

#include "repo.h"
#include "report.h"

/*
 * Verification of one volume, at one of these levels (each contains those before it):
 *
 * - 0: each key of the volume is there twice, whole and the same; manifests are signed, name their true parents, and
 *   open: the frames of root and packlist
 * - 1: all packs are there and have the length that packlists say
 * - 2: headers, footers and trailers of all packs; catalogs with all their segments; every reference agrees with the
 *   trailer of a pack of the packlist; live bytes add up
 * - 3: every frame of the sampled packs opens and decompresses
 * - 4: and has the content that its id says, small files in bundles included
 *
 * Memory: a few words for each pack, and a bounded store of trailers.  Damaged objects are reported with what needs
 * them, found by reading the catalogs.
 */
#define VERIFY_LEVEL_MAX 4

struct verify_options {
	unsigned level;
	double sample; /* percent of packs that are read whole at levels 3 and 4 */
	uint64_t day; /* with the names of the packs this decides which ones are in the sample */
	unsigned threads;
	const char *snapshot; /* id; NULL for all of the volume */
};

/* Added up over volumes. */
struct verify_result {
	uint64_t snapshots, packs, packs_read, frames, bytes_read, damage;
};

/* 0 also when there is damage: see the result.  Negative when the verification itself failed. */
int verify_volume(const struct volume *, const struct verify_options *, struct report *, struct progress *,
    struct verify_result *, struct error *);

/* Tell of damage that is in no volume, in the same way. */
void damage_tell(struct report *, const char *object, const char *kind, const char *message);

#endif
