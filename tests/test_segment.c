/* Segments and checkpoints. */

#include "segment.h"
#include "checkpoint.h"
#include "catalog_random.h"

static uint64_t want_len;

static int
try_segment(const uint8_t *bytes, size_t len, struct error *err)
{
	struct extent *x = NULL;
	uint64_t sum = 0;
	size_t n = 0;
	int r;

	r = segment_decode(bytes, len, want_len, &x, &n, err);
	for (size_t i = 0; r == 0 && i < n; i++)
		sum += x[i].len;
	CHECK(r < 0 || sum == want_len);
	free(x);
	return r;
}

static int
try_checkpoint(const uint8_t *bytes, size_t len, struct error *err)
{
	struct frame_ref *f = NULL;
	size_t n = 0;
	int r;

	r = checkpoint_decode(bytes, len, &f, &n, err);
	for (size_t i = 0; r == 0 && i < n; i++)
		CHECK(frame_ref_valid(&f[i]));
	free(f);
	return r;
}

static void
test_segments(void)
{
	struct error err = {0};
	uint64_t state = 7;

	for (int i = 0; i < 30; i++) {
		struct buf one = BUF_INIT(FRAME_PLAIN_MAX);
		struct extent x[600], *got;
		size_t n, count;

		want_len = 0;
		for (n = 0; n < 1 + random_below(&state, 600) && want_len < SEGMENT_SIZE; n++) {
			x[n] = random_extent(&state, SEGMENT_SIZE - want_len);
			want_len += x[n].len;
		}
		CHECK_OK(segment_encode(x, n, &one, &err), &err);
		CHECK_OK(segment_decode(one.data, one.len, want_len, &got, &count, &err), &err);
		CHECK_INT(count, n);
		for (size_t k = 0; k < n; k++)
			check_extent(&x[k], &got[k]);
		free(got);
		CHECK_INT(segment_decode(one.data, one.len, want_len - 1, &got, &count, &err), ERR_CORRUPT);
		CHECK_INT(segment_decode(one.data, one.len, want_len + 1, &got, &count, &err), ERR_CORRUPT);
		if (i < 5)
			check_hostile(one.data, one.len, 3000, try_segment);
		buf_u8(&one, 0);
		CHECK_INT(segment_decode(one.data, one.len, want_len, &got, &count, &err), ERR_CORRUPT);
		buf_free(&one);
	}
}

static void
test_segment_limits(void)
{
	struct extent *x = calloc(ENTRY_EXTENTS_MAX + 1, sizeof(*x)), *got;
	struct buf b = BUF_INIT(FRAME_PLAIN_MAX);
	struct error err = {0};
	size_t n;

	CHECK_INT(segment_encode(x, 0, &b, &err), ERR_USAGE);
	CHECK_INT(segment_encode(x, 1, &b, &err), ERR_USAGE);
	for (size_t i = 0; i <= ENTRY_EXTENTS_MAX; i++)
		x[i] = (struct extent){
		    .kind = i % 2 ? EXTENT_HOLE : EXTENT_ZEROS, .len = SEGMENT_SIZE / ENTRY_EXTENTS_MAX};
	CHECK_INT(segment_encode(x, ENTRY_EXTENTS_MAX + 1, &b, &err), ERR_USAGE);
	CHECK_INT(b.len, 0);
	CHECK_OK(segment_encode(x, ENTRY_EXTENTS_MAX, &b, &err), &err);
	CHECK_OK(segment_decode(b.data, b.len, SEGMENT_SIZE, &got, &n, &err), &err);
	CHECK_INT(n, ENTRY_EXTENTS_MAX);
	free(got);
	x[0].len = SEGMENT_SIZE + 1;
	CHECK_INT(segment_encode(x, 1, &b, &err), ERR_USAGE);
	x[0].len = UINT64_MAX;
	x[1].len = 2;
	CHECK_INT(segment_encode(x, 2, &b, &err), ERR_USAGE);
	buf_free(&b);
	free(x);
}

static void
test_checkpoints(void)
{
	enum { FRAMES = 2000 };
	struct buf one = BUF_INIT(FRAME_PLAIN_MAX), few = BUF_INIT(FRAME_PLAIN_MAX);
	struct frame_ref *f = calloc(FRAMES + 1, sizeof(*f)), *got;
	struct error err = {0};
	uint64_t state = 9;
	size_t n;

	for (size_t i = 0; i < FRAMES; i++)
		f[i] = random_frame(i, (uint8_t)(1 + random_below(&state, FRAME_TYPE_MAX)));
	f[FRAMES] = f[17];
	CHECK_OK(checkpoint_encode(f, FRAMES + 1, &one, &err), &err);
	CHECK_OK(checkpoint_decode(one.data, one.len, &got, &n, &err), &err);
	CHECK_INT(n, FRAMES);
	for (size_t i = 0; i < n; i++)
		check_frame(&f[i], &got[i]);
	free(got);
	buf_u8(&one, 0);
	CHECK_INT(checkpoint_decode(one.data, one.len, &got, &n, &err), ERR_CORRUPT);
	CHECK_OK(checkpoint_encode(f, 40, &few, &err), &err);
	check_hostile(few.data, few.len, 5000, try_checkpoint);
	buf_reset(&few);
	CHECK_OK(checkpoint_encode(NULL, 0, &few, &err), &err);
	CHECK_OK(checkpoint_decode(few.data, few.len, &got, &n, &err), &err);
	CHECK_INT(n, 0);
	free(got);
	f[3].plen = 0;
	CHECK_INT(checkpoint_encode(f, FRAMES, &one, &err), ERR_USAGE);
	buf_free(&one);
	buf_free(&few);
	free(f);
}

int
main(void)
{
	alarm(60);
	test_segments();
	test_segment_limits();
	test_checkpoints();
	return 0;
}
