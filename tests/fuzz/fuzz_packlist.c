/* Packlists: what decodes encodes to a list of the same packs. */

#include "packlist.h"
#include "../catalog_random.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static int
check_same(void *arg, const struct packlist_pack *p, struct error *err)
{
	struct packlist_pack found;

	(void)err;
	CHECK(packlist_find(arg, p->kind, p->session, p->seq, &found));
	CHECK_INT(p->object_len, found.object_len);
	CHECK_INT(p->live, found.live);
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct buf again = BUF_INIT(PACKLIST_ENCODED_MAX);
	struct packlist *a, *b;
	struct error err;
	int r;

	r = packlist_decode(bytes, len, &a, &err);
	if (r < 0) {
		CHECK_INT(r, ERR_CORRUPT);
		return 0;
	}
	CHECK_OK(packlist_encode(a, &again, &err), &err);
	CHECK_OK(packlist_decode(again.data, again.len, &b, &err), &err);
	CHECK_INT(packlist_count(a), packlist_count(b));
	CHECK_OK(packlist_each(a, check_same, b, &err), &err);
	packlist_free(a);
	packlist_free(b);
	buf_free(&again);
	return 0;
}
