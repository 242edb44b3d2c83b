#ifndef CATALOG_WRITER_INTERNAL_H_
#define CATALOG_WRITER_INTERNAL_H_

#include "buf.h"
#include "catalog_writer.h"

/* catalog_writer.c takes entries, catalog_writer_account.c segments and references; catalog_writer_finish.c makes root
 * and packlist of them. */

struct catalog_writer {
	struct session *session;
	const struct volume_keys *keys;
	const struct snapshot *base;
	struct dedup *dedup;
	struct packer *packer;
	struct loader *loader; /* made when a segment must be read */
	struct packlist *packlist;
	struct root root;
	uint64_t hash_key[2];

	struct block_encoder *encoder;
	struct buf plain; /* the block or segment that is being stored */
	struct buf first, last; /* paths of the open block, of the last entry */
	struct buf before; /* last path of the block before */

	uint32_t *base_blocks; /* of base->root, + 1, by id */
	size_t base_slots; /* a power of two */

	int64_t flushed_s; /* since then the open pack has frames */
	uint32_t open_seq; /* of the pack in which the last frame lies */
	bool unflushed;
};

/* Store a frame; the packer's pack is handed over when it is old. */
int catalog_writer_store(struct catalog_writer *, uint8_t type, const uint8_t id[ID_LEN], const struct buf *plain,
    struct frame_ref *out, struct error *);
int catalog_writer_flush(struct catalog_writer *, struct error *);
/* Finish the open block, if there is one. */
int catalog_writer_cut(struct catalog_writer *, struct error *);

#endif
