/*
 * What a writer with the right key can put inside the seal of a frame.  Input: plen u32, then the plaintext of the AEAD
 * (method || body).
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "cleanup.h"
#include "error.h"
#include "frame.h"

static const uint8_t key[KEY_LEN] = {1};
static struct aead *aead;
static struct opener *opener;

static void
must(int r)
{
	if (r < 0)
		abort();
}

static void
set_up(void)
{
	struct error err;

	must(aead_new(&aead, &err));
	must(aead_set_key(aead, key, &err));
	must(opener_new(&opener, &err));
	must(opener_set_key(opener, key, &err));
}

/* Success promises: stored bytes as they were, or what zstd alone makes of the one frame. */
static void
check_opened(const uint8_t *data, size_t len, const uint8_t *plain, size_t plen)
{
	CLEANUP_FREE uint8_t *again = malloc(plen);

	if (again == NULL)
		abort();
	if (data[0] == 0) {
		if (len - 1 != plen || memcmp(data + 1, plain, plen) != 0)
			abort();
		return;
	}
	if (data[0] != 1 || ZSTD_decompress(again, plen, data + 1, len - 1) != plen || memcmp(again, plain, plen) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	CLEANUP_FREE uint8_t *sealed = NULL, *plain = NULL;
	struct frame_ref ref = {.offset = 176, .type = FRAME_DATA};
	uint8_t aad[21] = {FRAME_DATA};
	struct error err;

	if (len < 5)
		return 0;
	if (opener == NULL)
		set_up();
	memcpy(aad + 1, data, 4);
	ref.plen = (uint32_t)data[0] | (uint32_t)data[1] << 8 | (uint32_t)data[2] << 16 | (uint32_t)data[3] << 24;
	data += 4;
	len -= 4;
	ref.clen = (uint32_t)(len + TAG_LEN);
	sealed = malloc(len + TAG_LEN);
	plain = malloc(MIN(ref.plen, FRAME_PLAIN_MAX) + 1);
	if (sealed == NULL || plain == NULL)
		abort();
	must(aead_seal(aead, 0, aad, sizeof(aad), data, len, sealed, &err));
	if (opener_open(opener, &ref, sealed, plain, &err) == 0)
		check_opened(data, len, plain, ref.plen);
	return 0;
}
