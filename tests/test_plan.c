/* Windows and ranges: whatever is wanted, in whatever order, is in exactly one range with all of its frame. */
#include "plan.h"

#include <unistd.h>

#include "check.h"
#include "cleanup.h"

static struct error err;

/* An empty window; it goes back to where it came from when its last range is done. */
static struct window *
take(struct queue **home)
{
	struct window *w;

	CHECK_OK(queue_new(1, 1, home, &err), &err);
	CHECK_OK(window_new(*home, &w, &err), &err);
	CHECK(queue_push(*home, w));
	CHECK_OK(window_take(*home, &w, &err), &err);
	CHECK_INT(w->count, 0);
	return w;
}

static void
dispose(void *w)
{
	window_free(w);
}

/* It has come home, empty. */
static void
check_home(struct queue *home)
{
	struct window *w;

	CHECK_INT(queue_len(home), 1);
	CHECK_OK(window_take(home, &w, &err), &err);
	CHECK(w->count == 0 && w->arena.used == 0);
	window_free(w);
	queue_abort(home);
	CHECK_INT(window_take(home, &w, &err), ERR_CANCELLED);
	queue_free(home, dispose);
}

/* A chunk of a pack that is laid out without gaps. */
static struct frame_ref
frame(unsigned session, uint32_t seq, uint32_t offset, uint32_t clen)
{
	struct frame_ref f = {.seq = seq, .offset = offset, .clen = clen, .plen = clen, .type = FRAME_DATA};

	f.session[3] = (uint8_t)session;
	return f;
}

static struct output *
output(unsigned pending)
{
	struct output *o = calloc(1, sizeof(*o));

	CHECK(o != NULL);
	o->path = strdup("file");
	atomic_init(&o->pending, pending);
	return o;
}

static bool
same_pack(const struct frame_ref *a, const struct frame_ref *b)
{
	return memcmp(a->session, b->session, sizeof(a->session)) == 0 && a->seq == b->seq;
}

/* Take the ranges out, check them, settle what they want; seen[want's offset] is counted. */
static size_t
check_ranges(struct queue *q, unsigned *seen, size_t count)
{
	struct range *r;
	size_t ranges = 0;

	for (; (r = queue_try_pop(q)) != NULL; ranges++) {
		uint32_t longest = 0, end = r->offset;

		CHECK(r->count > 0 && r->buffer == NULL);
		CHECK_INT(r->offset, r->wants[0].frame.offset);
		for (size_t i = 0; i < r->count; i++) {
			struct want *w = &r->wants[i];
			const struct frame_ref *f = &w->frame;

			CHECK(same_pack(f, &r->wants[0].frame));
			CHECK(i == 0 || f->offset >= r->wants[i - 1].frame.offset);
			CHECK(f->offset >= r->offset && f->offset + f->clen <= r->offset + r->len);
			CHECK(f->offset <= end || f->offset - end <= RANGE_GAP);
			end = MAX(end, f->offset + f->clen);
			longest = MAX(longest, f->clen);
			CHECK(w->offset < count);
			seen[w->offset]++;
			CHECK_OK(want_settle(w, false, &err), &err);
			CHECK(w->output == NULL);
		}
		CHECK_INT(end, r->offset + r->len);
		CHECK(r->len <= MAX(longest, RANGE_LEN));
		range_free(r);
	}
	return ranges;
}

/* A want of a frame in random packs; hostile frames overlap. */
static struct frame_ref
random_frame(uint64_t *state, bool hostile)
{
	unsigned session = (unsigned)(check_random(state) % 3);
	uint32_t seq = (uint32_t)(check_random(state) % 4);
	uint32_t unit = 100000, n = (uint32_t)(check_random(state) % 300);

	if (hostile)
		return frame(session, seq, 176 + (uint32_t)(check_random(state) % 2000000000),
		    1 + (uint32_t)(check_random(state) % (8u << 20)));
	/* Some frames are longer than a range. */
	if (n % 50 == 7)
		return frame(session, seq + 10, 176 + n * (3u << 20), (3u << 20) - (n % 2) * 1000000);
	return frame(session, seq, 176 + n * unit, unit - n % 7 * 10000);
}

static void
test_property(bool hostile)
{
	uint64_t state = hostile;

	for (int round = 0; round < 100; round++) {
		size_t count = check_random(&state) % (round % 10 == 0 ? 5000 : 200);
		CLEANUP_FREE unsigned *seen = calloc(count + 1, sizeof(*seen));
		struct output *o = output((unsigned)count + 1);
		struct window *w;
		struct queue *q, *home;

		CHECK(seen != NULL);
		CHECK_OK(queue_new(count + 1, 1, &q, &err), &err);
		w = take(&home);
		for (size_t i = 0; i < count; i++)
			w->wants[w->count++] =
			    (struct want){.frame = random_frame(&state, hostile), .offset = i, .len = 1, .output = o};
		CHECK(window_send(w, q, &err));
		CHECK(check_ranges(q, seen, count) <= count);
		for (size_t i = 0; i < count; i++)
			CHECK_INT(seen[i], 1);
		/* All of them have settled; ours is the last. */
		CHECK_INT(atomic_load(&o->pending), 1);
		CHECK(!atomic_load(&o->damaged));
		CHECK_OK(output_settle(o, false, &err), &err);
		check_home(home);
		queue_free(q, NULL);
	}
}

/* How many ranges a list of frames of one pack gives. */
static size_t
ranges_of(const struct frame_ref *frames, size_t count)
{
	unsigned seen[16] = {0};
	struct output *o = output((unsigned)count + 1);
	struct window *w;
	struct queue *q, *home;
	size_t n;

	CHECK_OK(queue_new(16, 1, &q, &err), &err);
	w = take(&home);
	for (size_t i = 0; i < count; i++)
		w->wants[w->count++] = (struct want){.frame = frames[count - 1 - i], .offset = i, .output = o};
	CHECK(window_send(w, q, &err));
	n = check_ranges(q, seen, count);
	CHECK_OK(output_settle(o, false, &err), &err);
	check_home(home);
	queue_free(q, NULL);
	return n;
}

static void
test_borders(void)
{
	const uint32_t start = 176;
	const struct {
		struct frame_ref frames[4];
		size_t count, ranges;
	} cases[] = {
	    {{frame(0, 0, start, 10)}, 1, 1},
	    {{frame(0, 0, start, 10), frame(0, 0, start + 10, 10)}, 2, 1},
	    /* the same frame twice */
	    {{frame(0, 0, start, 10), frame(0, 0, start, 10)}, 2, 1},
	    /* gaps */
	    {{frame(0, 0, start, 10), frame(0, 0, start + 10 + RANGE_GAP, 10)}, 2, 1},
	    {{frame(0, 0, start, 10), frame(0, 0, start + 11 + RANGE_GAP, 10)}, 2, 2},
	    /* lengths */
	    {{frame(0, 0, start, RANGE_LEN - 10), frame(0, 0, start + RANGE_LEN - 10, 10)}, 2, 1},
	    {{frame(0, 0, start, RANGE_LEN - 10), frame(0, 0, start + RANGE_LEN - 10, 11)}, 2, 2},
	    {{frame(0, 0, start, 3 * RANGE_LEN)}, 1, 1},
	    {{frame(0, 0, start, 3 * RANGE_LEN), frame(0, 0, start, 3 * RANGE_LEN)}, 2, 1},
	    {{frame(0, 0, start, 3 * RANGE_LEN), frame(0, 0, start + 3 * RANGE_LEN, 10)}, 2, 2},
	    /* other packs */
	    {{frame(0, 0, start, 10), frame(0, 1, start + 10, 10)}, 2, 2},
	    {{frame(0, 0, start, 10), frame(1, 0, start + 10, 10), frame(0, 0, start + 10, 10)}, 3, 2},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++)
		CHECK_INT(ranges_of(cases[i].frames, cases[i].count), cases[i].ranges);
}

/* The queue is aborted at some point: everything that was not delivered is given up as damaged. */
static void
test_abort(void)
{
	for (uint32_t delivered = 0; delivered < 3; delivered++) {
		struct output *o = output(11);
		struct window *w;
		struct queue *q, *home;
		struct range *r;

		CHECK_OK(queue_new(20, 1, &q, &err), &err);
		w = take(&home);
		for (uint32_t i = 0; i < 10; i++)
			w->wants[w->count++] = (struct want){.frame = frame(0, i, 176, 100), .output = o};
		if (delivered == 0) {
			queue_abort(q);
			CHECK(!window_send(w, q, &err));
			CHECK_INT(err.code, ERR_CANCELLED);
			CHECK(atomic_load(&o->damaged));
		} else {
			CHECK(window_send(w, q, &err));
			while ((r = queue_try_pop(q)) != NULL) {
				for (size_t i = 0; i < r->count; i++)
					CHECK_OK(want_settle(&r->wants[i], delivered == 2, &err), &err);
				range_free(r);
			}
			CHECK_INT(atomic_load(&o->damaged), delivered == 2);
		}
		CHECK_INT(atomic_load(&o->pending), 1);
		CHECK_OK(output_settle(o, false, &err), &err);
		check_home(home);
		queue_free(q, NULL);
	}
}

static void
test_full(void)
{
	struct window *w;
	struct queue *q, *home;

	CHECK_OK(queue_new(1, 1, &q, &err), &err);
	w = take(&home);
	CHECK(!window_full(w));
	w->count = WINDOW_WANTS - 1;
	CHECK(!window_full(w));
	w->count = WINDOW_WANTS;
	CHECK(window_full(w));
	w->count = 0;
	CHECK(arena_alloc(&w->arena, WINDOW_ARENA - 8) != NULL);
	CHECK(!window_full(w));
	CHECK(arena_alloc(&w->arena, 8) != NULL);
	CHECK(window_full(w));
	/* An empty window gives no ranges. */
	CHECK(window_send(w, q, &err));
	CHECK_INT(queue_len(q), 0);
	check_home(home);
	queue_free(q, NULL);
}

/* Frames of a hostile catalog may overlap: ranges stay as short as their buffers are all the same. */
static void
test_overlapping_frames(void)
{
	enum { COUNT = 40, CLEN = 4 * 1024 * 1024, STEP = 1024 * 1024 };
	struct window *w;
	struct queue *ranges, *home;
	struct range *r;
	size_t wants = 0;

	CHECK_OK(queue_new(1, 1, &home, &err), &err);
	CHECK_OK(window_new(home, &w, &err), &err);
	CHECK(queue_push(home, w));
	CHECK_OK(window_take(home, &w, &err), &err);
	CHECK_OK(queue_new(COUNT, 1, &ranges, &err), &err);
	for (uint32_t i = 0; i < COUNT; i++)
		w->wants[w->count++] = (struct want){
		    .frame = {.type = FRAME_DATA, .offset = (COUNT - i) * STEP, .clen = CLEN, .plen = CLEN}, .len = 1};
	CHECK(window_send(w, ranges, &err));
	queue_close(ranges);
	while ((r = queue_pop(ranges)) != NULL) {
		CHECK(r->len <= CLEN);
		for (size_t i = 0; i < r->count; i++)
			CHECK(r->wants[i].frame.offset >= r->offset &&
			      r->wants[i].frame.offset - r->offset + CLEN <= r->len);
		wants += r->count;
		range_free(r);
	}
	CHECK_INT(wants, COUNT);
	queue_free(ranges, NULL);
	CHECK((w = queue_pop(home)) != NULL);
	window_free(w);
	queue_free(home, NULL);
}

int
main(void)
{
	(void)alarm(60);
	test_borders();
	test_property(false);
	test_property(true);
	test_abort();
	test_full();
	test_overlapping_frames();
	return 0;
}
