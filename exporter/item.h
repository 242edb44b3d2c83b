#ifndef ITEM_H_
#define ITEM_H_

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "chunker.h"
#include "entry.h"
#include "walker.h"

/*
 * The unit of work that travels through an export: a batch of entries, or a stretch of one large file.
 * It has one owner at a time: the scan fills it, a content thread (for a stretch: the last one of its pieces' threads)
 * completes it, the recorder consumes it in the order of `seq`.
 */

/* Memory that is freed all at once. */
struct arena {
	struct arena_block *blocks;
	uint8_t *next;
	size_t left;
	size_t used;
};
/* 8-aligned; NULL when out of memory. */
void *arena_alloc(struct arena *, size_t len);
void *arena_copy(struct arena *, const void *bytes, size_t len);
void arena_free(struct arena *);

enum item_change {
	ITEM_KEEP, /* as in the base, references included */
	ITEM_FRESH, /* new or changed: its references are counted, those of `old` are given up */
	ITEM_GONE /* in the base, not here any more: `entry` is the base's */
};

struct item_entry {
	struct entry entry; /* pointers lead into the arena, or are static */
	const struct entry *old; /* the base's entry of the same path, when it had content; arena */
	struct folder *folder; /* a reference, when the entry must be read */
	const char *name; /* last component of the path */
	enum item_change change;
	bool read; /* a content thread must read it */
	bool dropped; /* vanished: no entry after all */
	bool link; /* a further link of a file that came before: content is the remembered one's */
	uint32_t further; /* so many names of the file may still come: keep its content for them */
	bool grown; /* too large for its batch by now: the recorder reads it, who needs folder and name */
	bool late; /* its attributes are left to the recorder, likewise: the batch has too many */
};

#define BATCH_ENTRIES 1024
#define BATCH_ARENA   (192u * 1024)
/* Beyond this, attributes of further files are not kept in the batch, and it takes further places. */
#define BATCH_ATTRIBUTES (2 * BATCH_ARENA)
#define BATCH_BYTES      (1024u * 1024)
#define BATCH_FOLDERS    64

struct batch {
	struct arena arena;
	struct item_entry *entries; /* BATCH_ENTRIES */
	size_t count;
	size_t small_bytes; /* sum of the sizes of entries to be read */
	size_t folders; /* changes of folder among these */
};

struct piece {
	struct extent *extents; /* malloc'ed */
	size_t count, capacity;
};

/* Of a base's longer lists no use is made: they would cost more memory than they save time. */
#define STRETCH_OLD_MAX 16384

struct large;

/* Up to SEGMENT_SIZE bytes of a large file, read by up to 16 threads. */
struct stretch {
	struct large *file;
	size_t index; /* covers bytes from index * SEGMENT_SIZE on */
	uint64_t len;
	bool last;
	struct piece pieces[SEGMENT_SIZE / CHUNK_PIECE];
	size_t npieces;
	atomic_size_t pending; /* pieces not yet complete */
	pthread_mutex_t old_lock; /* guards the four below */
	bool old_loaded;
	struct extent *old_extents; /* what the base has in this place, at most STRETCH_OLD_MAX; malloc'ed */
	size_t old_count;
	uint32_t *old_hash; /* id16 -> index + 1 */
};

struct item {
	uint64_t seq;
	size_t places; /* that it takes: places.h */
	struct batch *batch; /* either */
	struct stretch *stretch; /* or */
};

/* One piece of work: the whole batch, or one piece of a stretch. */
struct task {
	struct item *item;
	size_t piece;
};

int item_new_batch(struct item **out, struct error *);
/* Takes a reference to the file. */
int item_new_stretch(struct large *, size_t index, struct item **out, struct error *);
void item_free(struct item *);

/*
 * The inode number of an entry.  What lies on another file system than the root gets its device mixed in, because both
 * may use the same number, and equal numbers make hard links.
 */
uint64_t item_ino(uint64_t ino, dev_t dev, dev_t root_dev);
/* Deep copies into an arena, and what they take there. */
size_t item_entry_bytes(const struct entry *);
int item_copy_entry(struct arena *, const struct entry *, struct entry *out, struct error *);
int piece_add(struct piece *, const struct extent *, struct error *);

#endif
