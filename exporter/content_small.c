/*
 * Small files: their contents are put behind each other into one bundle a batch, unless the volume has them already.
 */
#include "content.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "error.h"
#include "source.h"

#define TRIES 3

/* A small file whose content goes into the bundle of its batch. */
struct pending {
	struct item_entry *ie;
	uint32_t offset;
	uint8_t id[ID_LEN];
};

#define PENDING_SLOTS (2 * BATCH_ENTRIES)

struct bundle {
	struct pending files[BATCH_ENTRIES];
	uint16_t slots[PENDING_SLOTS]; /* id -> index + 1, for equal files within the batch */
	size_t count;
	size_t len;
};

static int
small_attributes(struct content *c, int fd, struct item_entry *ie, struct arena *a, struct error *err)
{
	ie->late = a->used >= BATCH_ATTRIBUTES;
	if (ie->late)
		return 0;
	return content_attributes(c, fd, &ie->entry, a, err);
}

/* What was there is at dst, the rest of size is zero.  False and errno when the file cannot be read. */
static bool
small_content(int fd, uint8_t *dst, size_t size)
{
	size_t len = 0;

	while (len < size) {
		ssize_t got = pread(fd, dst + len, size - len, (off_t)len);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return false;
		if (got == 0)
			break;
		len += (size_t)got;
	}
	memset(dst + len, 0, size - len);
	return true;
}

/* 1: the content is at dst; 0: there is none, and that was reported, or is up to the recorder; negative: fatal. */
static int
small_read(struct content *c, struct item_entry *ie, struct arena *a, uint8_t *dst, size_t room, struct error *err)
{
	struct entry *e = &ie->entry;
	CLEANUP_CLOSE int fd = source_open(ie);
	struct stat st;
	int r;

	if (fd < 0) {
		source_failed(c->x->report, ie, errno);
		return 0;
	}
	for (unsigned try = 1;; try++) {
		source_settle(e);
		if ((r = small_attributes(c, fd, ie, a, err)) < 0)
			return r;
		if (!small_content(fd, dst, e->size)) {
			source_failed(c->x->report, ie, errno);
			return 0;
		}
		if (source_unchanged(fd, e, c->x->root_dev))
			return 1;
		/* Replaced, or appended to, since the walk: it is taken as it is now. */
		if (try == TRIES || !source_refresh(fd, ie, c->x->root_dev, &st))
			break;
		if (e->size > room) {
			ie->grown = true;
			return 0;
		}
	}
	/* It is being written all the time: what is stored may be torn, and says so. */
	e->flags |= ENTRY_CHANGED;
	report_warn(c->x->report, e->path, e->path_len, "changed while it was read: its copy may be inconsistent");
	return 1;
}

static int
small_place(struct batch *b, struct item_entry *ie, const uint8_t id[ID_LEN], const struct frame_ref *frame,
    uint32_t offset, struct error *err)
{
	struct extent x = {.kind = EXTENT_DATA, .frame_offset = offset, .len = ie->entry.size, .frame = *frame};

	memcpy(ie->entry.file_id, id, ID_SHORT);
	ie->entry.extents = arena_copy(&b->arena, &x, sizeof x);
	ie->entry.nextents = 1;
	return ie->entry.extents == NULL ? error_nomem(err) : 0;
}

/* The same content as the base has under this path. */
static bool
small_same_as_old(const struct item_entry *ie, const uint8_t id[ID_LEN])
{
	return ie->old != NULL && entry_in_bundle(ie->old) && ie->old->size == ie->entry.size &&
	       memcmp(ie->old->file_id, id, ID_SHORT) == 0;
}

/* 1 when the volume has the content already. */
static int
small_known(struct content *c, struct batch *b, struct item_entry *ie, const uint8_t id[ID_LEN], struct error *err)
{
	struct dedup_place place;
	int r;

	if (small_same_as_old(ie, id)) {
		const struct extent *old = ie->old->extents;

		r = small_place(b, ie, id, &old->frame, old->frame_offset, err);
		return r < 0 ? r : 1;
	}
	r = dedup_find(c->x->dedup, FRAME_FILE, id, &place, err);
	if (r <= 0 || place.len != ie->entry.size)
		return r < 0 ? r : 0;
	r = small_place(b, ie, id, &place.frame, place.offset, err);
	return r < 0 ? r : 1;
}

/* Put a file's bytes, which lie at the end of the bundle, into it; a file equal to an earlier one of the batch shares
 * that one's place. */
static void
bundle_add(struct bundle *u, struct item_entry *ie, const uint8_t id[ID_LEN])
{
	struct pending *p = &u->files[u->count];
	size_t slot;

	memcpy(&slot, id, sizeof slot);
	p->ie = ie;
	p->offset = (uint32_t)u->len;
	memcpy(p->id, id, ID_LEN);
	for (slot %= PENDING_SLOTS; u->slots[slot] != 0; slot = (slot + 1) % PENDING_SLOTS) {
		const struct pending *q = &u->files[u->slots[slot] - 1];

		if (memcmp(q->id, id, ID_LEN) == 0 && q->ie->entry.size == ie->entry.size) {
			p->offset = q->offset;
			u->count++;
			return;
		}
	}
	u->slots[slot] = (uint16_t)(u->count + 1);
	u->count++;
	u->len += ie->entry.size;
}

/* Seal the bundle, or find it (a killed export may have stored just this one), and give every file its place. */
static int
bundle_store(struct content *c, struct batch *b, struct bundle *u, struct error *err)
{
	struct dedup_place place = {.len = (uint32_t)u->len};
	uint8_t id[ID_LEN];
	uint64_t hash;
	int r;

	if ((r = packer_id(c->packer, FRAME_BUNDLE, c->bundle, u->len, id, err)) < 0 ||
	    (r = dedup_find(c->x->dedup, FRAME_BUNDLE, id, &place, err)) < 0)
		return r;
	if (r == 0) {
		if ((r = content_path_hash(c, &u->files[0].ie->entry, &hash, err)) < 0 ||
		    (r = packer_add(c->packer, FRAME_BUNDLE, id, c->bundle, u->len, hash, 0, &place.frame, err)) < 0)
			return r;
		(void)atomic_fetch_add(&c->x->new_bytes, u->len);
		dedup_recent(c->x->dedup, FRAME_BUNDLE, id, &place);
	}
	for (size_t i = 0; i < u->count; i++) {
		struct pending *p = &u->files[i];
		struct dedup_place at = {place.frame, p->offset, (uint32_t)p->ie->entry.size};

		if ((r = small_place(b, p->ie, p->id, &place.frame, p->offset, err)) < 0)
			return r;
		dedup_recent(c->x->dedup, FRAME_FILE, p->id, &at);
	}
	return 0;
}

int
content_batch(struct content *c, struct batch *b, struct error *err)
{
	struct bundle u;
	uint64_t bytes = 0;
	size_t planned = 0; /* what the files that were not read yet need at least */
	int r;

	memset(u.slots, 0, sizeof u.slots);
	u.count = u.len = 0;
	for (size_t i = 0; i < b->count; i++)
		planned += b->entries[i].read ? b->entries[i].entry.size : 0;
	for (size_t i = 0; i < b->count; i++) {
		struct item_entry *ie = &b->entries[i];
		uint8_t id[ID_LEN];

		if (!ie->read)
			continue;
		/* A file that has grown must not take the room of those that follow. */
		planned -= ie->entry.size;
		if ((r = small_read(c, ie, &b->arena, c->bundle + u.len, BUNDLE_ROOM - u.len - planned, err)) < 0)
			return r;
		if (!ie->late && !ie->grown)
			folder_unref(STEAL(ie->folder));
		if (r == 0 || ie->entry.size == 0)
			continue;
		bytes += ie->entry.size;
		if ((r = packer_id(c->packer, FRAME_FILE, c->bundle + u.len, ie->entry.size, id, err)) < 0 ||
		    (r = small_known(c, b, ie, id, err)) < 0)
			return r;
		if (r == 0)
			bundle_add(&u, ie, id);
	}
	(void)atomic_fetch_add(&c->x->progress->bytes, bytes);
	return u.count == 0 ? 0 : bundle_store(c, b, &u, err);
}
