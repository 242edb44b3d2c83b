/* Ends of packs: one get as long as the trailer is not unusually long, and every damage is seen. */
#include "pack_tail.h"

#include <unistd.h>

#include "buf.h"
#include "check.h"
#include "cleanup.h"
#include "store.h"
#include "store_trace.h"

static struct error err;

/* A finished pack of so many small frames and one large one, in the store as "pack". */
struct world {
	struct store *mem, *trace;
	uint8_t key[KEY_LEN];
	struct pack *pack;
};

static void
begin(struct world *w, size_t frames, size_t large)
{
	CLEANUP_FREE uint8_t *plain = calloc(1, large + 16);
	struct volume_keys keys = {.epoch = 1};
	struct session_key session = {.session = {1}};
	uint8_t id[ID_LEN] = {0};
	struct sealer *sealer;
	struct frame_ref ref;

	CHECK(plain != NULL);
	CHECK_OK(store_mem_open(&w->mem, &err), &err);
	CHECK_OK(store_trace_new(w->mem, &w->trace, &err), &err);
	CHECK_OK(session_key_pack(&session, keys.volume, 'p', 0, w->key, &err), &err);
	CHECK_OK(sealer_new(&keys, FRAME_NO_COMPRESSION, &sealer, &err), &err);
	CHECK_OK(pack_new(16u << 20, &w->pack, &err), &err);
	CHECK_OK(pack_begin(w->pack, &keys, &session, 'p', 0, sealer, &err), &err);
	for (size_t i = 0; i < frames; i++)
		CHECK_OK(
		    pack_add(w->pack, sealer, FRAME_DATA, id, plain, i == 0 && large > 0 ? large : 1, 0, i, &ref, &err),
		    &err);
	CHECK_OK(pack_finish(w->pack, &err), &err);
	CHECK_OK(store_put(w->mem, "pack", pack_bytes(w->pack), pack_len(w->pack), &err), &err);
	sealer_free(sealer);
}

static void
end(struct world *w)
{
	pack_free(w->pack);
	store_free(w->trace);
	store_free(w->mem);
}

static void
check_pack(size_t frames, size_t large, uint64_t gets)
{
	CLEANUP(pack_tail_wipe) struct pack_tail tail = {0};
	CLEANUP_FREE struct pack_record *records = NULL;
	struct world w;
	size_t count;

	begin(&w, frames, large);
	CHECK_OK(pack_tail_fetch(w.trace, "pack", pack_len(w.pack), pack_bytes(w.pack), &tail, &err), &err);
	CHECK_INT(store_trace_requests(w.trace), gets);
	CHECK(tail.fetched >= tail.len + PACK_FOOTER_LEN);
	CHECK(tail.fetched <= pack_len(w.pack) - PACK_HEADER_LEN);
	CHECK_INT(tail.offset + tail.len + PACK_FOOTER_LEN, pack_len(w.pack));
	CHECK_MEM(tail.sealed, pack_bytes(w.pack) + tail.offset, tail.len);
	CHECK_OK(
	    pack_trailer_open(w.key, pack_bytes(w.pack), tail.offset, tail.sealed, tail.len, &records, &count, &err),
	    &err);
	CHECK_INT(count, frames);
	for (size_t i = 0; i < count; i++)
		CHECK_INT(records[i].file_offset, i);
	end(&w);
}

/* However long the padding is. */
static void
test_usual(void)
{
	check_pack(0, 0, 1);
	check_pack(1, 0, 1);
	check_pack(256, 0, 1);
	for (size_t large = 1; large < FRAME_PLAIN_MAX; large = 2 * large + large / 7)
		check_pack(20, large, 1);
}

static void
test_long(void)
{
	check_pack(1000, 0, 2);
	check_pack(20000, 0, 2);
	check_pack(20000, 4u << 20, 2);
}

/* An object that is shorter than it should be, or is another one. */
static void
test_damage(void)
{
	struct pack_tail tail;
	struct world w;

	begin(&w, 1000, 0);
	CHECK_OK(store_put(w.mem, "short", pack_bytes(w.pack), pack_len(w.pack) - 1, &err), &err);
	for (uint64_t len = PACK_HEADER_LEN + PACK_FOOTER_LEN; len < pack_len(w.pack); len += 1 + len / 3) {
		CHECK_INT(pack_tail_fetch(w.mem, "pack", len, pack_bytes(w.pack), &tail, &err), ERR_CORRUPT);
		pack_tail_wipe(&tail);
	}
	CHECK_INT(pack_tail_fetch(w.mem, "short", pack_len(w.pack), pack_bytes(w.pack), &tail, &err), ERR_CORRUPT);
	pack_tail_wipe(&tail);
	CHECK_INT(pack_tail_fetch(w.mem, "none", pack_len(w.pack), pack_bytes(w.pack), &tail, &err), ERR_NOT_FOUND);
	pack_tail_wipe(&tail);
	end(&w);
}

int
main(void)
{
	(void)alarm(60);
	test_usual();
	test_long();
	test_damage();
	return 0;
}
