/* Roots: what decodes encodes to something that decodes to the same. */

#include "root.h"
#include "../catalog_random.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct buf again = BUF_INIT(ROOT_ENCODED_MAX);
	struct root a = {0}, b = {0};
	struct error err;
	int r;

	r = root_decode(bytes, len, &a, &err);
	if (r < 0) {
		CHECK_INT(r, ERR_CORRUPT);
		return 0;
	}
	CHECK_OK(root_encode(&a, &again, &err), &err);
	CHECK_OK(root_decode(again.data, again.len, &b, &err), &err);
	CHECK_INT(a.nblocks, b.nblocks);
	CHECK_INT(a.entries, b.entries);
	CHECK_INT(a.bytes, b.bytes);
	for (size_t i = 0; i < a.nblocks; i++) {
		CHECK_INT(a.blocks[i].entries, b.blocks[i].entries);
		CHECK_INT(a.blocks[i].separator_len, b.blocks[i].separator_len);
		CHECK_MEM(a.blocks[i].separator, b.blocks[i].separator, a.blocks[i].separator_len);
		check_frame(&a.blocks[i].frame, &b.blocks[i].frame);
		CHECK_INT(root_find(&a, a.blocks[i].separator, a.blocks[i].separator_len), i);
	}
	root_wipe(&a);
	root_wipe(&b);
	buf_free(&again);
	return 0;
}
