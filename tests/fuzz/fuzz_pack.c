/*
 * Header, footer and trailer of a pack.  Input: a byte that says which, then its bytes; footers are given a check that
 * holds and trailers a seal, so that what lies behind these is reached.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../storage/format/pack_internal.h"
#include "cleanup.h"
#include "error.h"
#include "wire.h"

static const uint8_t key[KEY_LEN] = {1};

static void
must(bool truth)
{
	if (!truth)
		abort();
}

static void
fuzz_header(const uint8_t *data, size_t len)
{
	uint8_t bytes[PACK_HEADER_LEN] = {0};
	struct pack_header h;
	struct error err;

	memcpy(bytes, data, MIN(len, sizeof(bytes)));
	if (pack_header_parse(bytes, &h, &err) < 0)
		return;
	must(h.kind == 'p' || h.kind == 'm');
	must(memcmp(h.commitment, bytes + 144, 32) == 0);
}

/* offset u32 || length u32 || check 16 || magic 8 || object length u64 */
static void
fuzz_footer(const uint8_t *data, size_t len)
{
	static const uint8_t header[PACK_HEADER_LEN];
	uint8_t bytes[PACK_FOOTER_LEN + 8] = {0};
	struct error err;
	struct wire w;
	uint32_t offset, trailer;
	uint64_t object_len;

	memcpy(bytes, data, MIN(len, sizeof(bytes)));
	wire_init(&w, bytes, sizeof(bytes));
	offset = wire_u32(&w);
	trailer = wire_u32(&w);
	must(pack_check(header, offset, trailer, bytes + 8, &err) == 0);
	(void)wire_bytes(&w, 24);
	object_len = wire_u64(&w);
	if (pack_footer_parse(header, bytes, object_len, &offset, &trailer, &err) < 0)
		return;
	must(object_len <= PACK_LEN_MAX && offset >= PACK_HEADER_LEN && trailer >= 24);
	must((uint64_t)offset + trailer + PACK_FOOTER_LEN == object_len);
}

/* trailer offset u32 || kind u8 || plaintext */
static void
fuzz_trailer(const uint8_t *data, size_t len)
{
	uint8_t header[PACK_HEADER_LEN] = {'S', 'F', 'P', 'K', 1, 1};
	CLEANUP_FREE struct pack_record *records = NULL;
	CLEANUP_FREE uint8_t *sealed = NULL;
	struct aead *aead = NULL;
	struct error err;
	struct wire w;
	uint32_t offset, at = PACK_HEADER_LEN;
	size_t count;

	wire_init(&w, data, len);
	offset = wire_u32(&w);
	header[6] = wire_u8(&w);
	if (w.bad)
		return;
	len = wire_left(&w);
	sealed = malloc(len + TAG_LEN);
	must(sealed != NULL && aead_new(&aead, &err) == 0 && aead_set_key(aead, key, &err) == 0);
	must(aead_seal(aead, PACK_TRAILER_ORDINAL, header, sizeof(header), data + 5, len, sealed, &err) == 0);
	aead_free(aead);
	if (pack_trailer_open(key, header, offset, sealed, len + TAG_LEN, &records, &count, &err) < 0)
		return;
	must(count <= len / PACK_RECORD_LEN);
	for (size_t i = 0; i < count; i++) {
		must(records[i].offset == at && frame_pack_kind(records[i].type) == header[6]);
		at += records[i].clen;
	}
	must(at == offset);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static void (*const parts[])(const uint8_t *, size_t) = {fuzz_header, fuzz_footer, fuzz_trailer};

	if (len > 0)
		parts[data[0] % COUNT_OF(parts)](data + 1, len - 1);
	return 0;
}
