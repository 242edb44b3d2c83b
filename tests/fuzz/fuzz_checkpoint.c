/* Checkpoints: encoding again leaves out what is there twice, and then changes nothing any more. */

#include "checkpoint.h"
#include "../catalog_random.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct buf one = BUF_INIT(FRAME_PLAIN_MAX), two = BUF_INIT(FRAME_PLAIN_MAX);
	struct frame_ref *a, *b;
	struct error err;
	size_t na, nb;
	int r;

	r = checkpoint_decode(bytes, len, &a, &na, &err);
	if (r < 0) {
		CHECK_INT(r, ERR_CORRUPT);
		return 0;
	}
	CHECK_OK(checkpoint_encode(a, na, &one, &err), &err);
	CHECK_OK(checkpoint_decode(one.data, one.len, &b, &nb, &err), &err);
	CHECK(nb <= na);
	if (na > 0)
		check_frame(&a[0], &b[0]);
	CHECK_OK(checkpoint_encode(b, nb, &two, &err), &err);
	CHECK_INT(one.len, two.len);
	CHECK_MEM(one.data, two.data, one.len);
	free(a);
	free(b);
	buf_free(&one);
	buf_free(&two);
	return 0;
}
