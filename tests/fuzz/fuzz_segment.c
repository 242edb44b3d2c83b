/* Segments.  The first eight bytes are the length that the segment must cover. */

#include "segment.h"
#include "../catalog_random.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct buf again = BUF_INIT(FRAME_PLAIN_MAX);
	struct extent *a, *b;
	size_t na, nb;
	uint64_t want;
	struct error err;
	int r;

	if (len < sizeof(want))
		return 0;
	memcpy(&want, bytes, sizeof(want));
	want = want % SEGMENT_SIZE + 1;
	r = segment_decode(bytes + sizeof(want), len - sizeof(want), want, &a, &na, &err);
	if (r < 0) {
		CHECK_INT(r, ERR_CORRUPT);
		return 0;
	}
	CHECK_OK(segment_encode(a, na, &again, &err), &err);
	CHECK_OK(segment_decode(again.data, again.len, want, &b, &nb, &err), &err);
	CHECK_INT(na, nb);
	for (size_t i = 0; i < na; i++)
		check_extent(&a[i], &b[i]);
	free(a);
	free(b);
	buf_free(&again);
	return 0;
}
