/* Catalog blocks: whatever decodes can be encoded again, and then decodes to the same entries. */

#include "block.h"
#include "../catalog_random.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* Two blocks have the same entries. */
static void
compare(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
	struct block_decoder *x, *y;
	struct error err;
	struct entry e, f;
	int r;

	CHECK_OK(block_decoder_new(&x, &err), &err);
	CHECK_OK(block_decoder_new(&y, &err), &err);
	CHECK_OK(block_decoder_set(x, a, a_len, &err), &err);
	CHECK_OK(block_decoder_set(y, b, b_len, &err), &err);
	do {
		r = block_decoder_next(x, &e, &err);
		CHECK_OK(r, &err);
		CHECK_INT(block_decoder_next(y, &f, &err), r);
		if (r > 0)
			check_entry(&e, &f);
	} while (r > 0);
	block_decoder_free(x);
	block_decoder_free(y);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct buf again = BUF_INIT(2 * FRAME_PLAIN_MAX);
	struct block_encoder *enc;
	struct block_decoder *dec;
	struct error err;
	struct entry e;
	int r;

	CHECK_OK(block_encoder_new(&enc, &err), &err);
	CHECK_OK(block_decoder_new(&dec, &err), &err);
	r = block_decoder_set(dec, bytes, len, &err);
	while (r == 0 && (r = block_decoder_next(dec, &e, &err)) > 0) {
		CHECK_OK(block_encoder_add(enc, &e, &err), &err);
		r = 0;
	}
	CHECK(r == 0 || r == ERR_CORRUPT);
	if (r == 0) {
		CHECK_OK(block_encoder_finish(enc, &again, &err), &err);
		compare(bytes, len, again.data, again.len);
	}
	buf_free(&again);
	block_encoder_free(enc);
	block_decoder_free(dec);
	return 0;
}
