#ifndef FORGE_H_
#define FORGE_H_

#include "../storage/format/reftable.h"
#include "buf.h"
#include "pack.h"
#include "repo.h"

/*
 * Snapshots made by hand: with the real keys and seals, so that everything is authentic, but with whatever content the
 * test wants, valid or not.  The repository's own encoders are not used, because they refuse what is wrong here.
 *
 * Frames go into one pack of each kind, and the packlist is kept true to what is referred to, as far as that makes
 * sense.  All failures end the test.
 */

/* A catalog block under construction. */
struct forge_block {
	struct reftable refs;
	struct buf sets, entries;
	size_t nsets, count;
	const uint8_t *last_set; /* by address: the same one is referred to again */
	int64_t last_frame;
	struct buf path, first; /* of the last entry, of the first one */
	uint64_t ino;
	int64_t mtime_s;
};

struct forge {
	struct repo *repo;
	struct volume *volume;
	const struct volume_keys *keys;
	struct session_key key;
	struct sealer *sealer;
	struct pack *packs[2]; /* 'p', 'm' */
	struct packlist *list;
	struct forge_block block;
	struct reftable root_refs;
	struct buf root_blocks, separator;
	const char *next_separator; /* of the open block, instead of its first path; NULL again for the next one */
	size_t nblocks;
	uint64_t entries, bytes;
	/* What forge_commit() writes instead of its own, when not empty. */
	struct buf root, packlist;
	struct manifest manifest; /* snapshot is set from the beginning; mode and size may be changed */
};

/* capacity: of a pack.  But for the session, the same calls give the same references. */
void forge_begin(struct forge *, struct repo *, const char *volume_name, int level, size_t capacity);
/* Seal a frame; its id is made of its type and ordinal, not of its content, unless true_id. */
struct frame_ref forge_frame(struct forge *, uint8_t type, const void *plain, size_t len, bool true_id);
/* Seal this again over what is there already: body (with the method in front) of ref->clen - TAG_LEN bytes. */
void forge_reseal(struct forge *, const struct frame_ref *, const uint8_t *body);

/* Append an entry to the open block.  Nothing is checked, and references that make no sense are not possible here. */
void forge_entry(struct forge *, const struct entry *);
/* The same with the bytes that stand behind the size. */
void forge_entry_raw(struct forge *, const struct entry *, const void *content, size_t len);
/* The number by which the open block knows the frame, as the difference that is written. */
uint64_t forge_difference(struct forge *, const struct frame_ref *);
/* Close the block, if there is anything in it, and name it in the root. */
void forge_block_end(struct forge *);
/* Name a block in the root: it begins at this separator. */
void forge_root_add(struct forge *, const struct frame_ref *, const char *separator, size_t len, uint64_t entries);
/* Plaintext of a segment of these extents. */
void forge_segment(const struct extent *, size_t count, struct buf *out);
/* Everything goes to the store. */
void forge_commit(struct forge *);
void forge_end(struct forge *);

#endif
